"""A consumer is ended while its broker is away."""

from dataclasses import replace
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from mycelium.stack import broker
from mycelium.stack.ports import LOOPBACK, free_ports
from shared.contracts.topics import IDENTITY
from shared.plumbing import consumers
from tests.servers.embedded import kept
from tests.servers.proxy import proxied
from tests.waiting import eventually


async def test_ended_while_the_broker_is_away_it_does_not_cancel_who_ends_it(tmp_path: Path) -> None:
    """On a broker of its own that its clients know by the proxy's address."""
    port, seen = free_ports(2)
    program = broker.program(broker.find(), port)
    argv = [*program.argv]
    argv[argv.index("--advertised-listener-url") + 1] = f"tcp://{LOOPBACK}:{seen}"
    async with proxied(port, seen) as proxy, kept(replace(program, argv=tuple(argv)), tmp_path):
        consumer = AIOKafkaConsumer(IDENTITY.name, bootstrap_servers=f"{LOOPBACK}:{seen}", retry_backoff_ms=60_000)
        await consumer.start()
        await consumer.getmany(timeout_ms=500)
        fetcher = consumer._fetcher
        assert fetcher is not None
        await proxy.cut()
        await eventually(lambda: fetcher._in_flight and not consumer._client._conns, what="a fetch waits to go again")
        await consumers.stop(consumer)
