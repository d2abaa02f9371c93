"""A member that holds nothing is stuck, unless there is no broker that it could hold something of."""

from typing import Any

from aiokafka import AIOKafkaConsumer

from mycelium.stack.ports import LOOPBACK, free_ports
from shared.contracts.topics import IDENTITY
from shared.contracts.uses import reader_of
from shared.plumbing.consume import Consumer
from shared.plumbing.publish import Publisher
from shared.plumbing.settings import ServiceSettings

NOTHING: Any = None  # no record is consumed here, so nobody stores one


async def test_it_is_stuck_only_while_there_is_a_broker(client_settings: dict[str, object], kafka: str) -> None:
    settings = ServiceSettings.model_validate({**client_settings, "port": 1, "mongo_url": "mongodb://nobody"})
    publisher = Publisher("stuck", settings)
    consumer = Consumer("stuck", settings, [IDENTITY], reader_of("profile"), NOTHING, publisher, NOTHING)
    member = AIOKafkaConsumer(bootstrap_servers=kafka)
    async with member:
        consumer._kafka = member
        assert await consumer.is_stuck()
    nowhere = AIOKafkaConsumer(bootstrap_servers=f"{LOOPBACK}:{free_ports(1)[0]}")
    consumer._kafka = nowhere
    try:
        assert not await consumer.is_stuck()
    finally:
        await nowhere.stop()
