"""The embedded broker, started for real."""

from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from mycelium.stack import broker
from mycelium.stack.errors import StackError
from mycelium.stack.ports import free_ports
from shared.contracts.topics import TOPICS
from tests.servers.embedded import kept


async def test_it_is_ready_with_its_topics_and_after_what_follows(tmp_path: Path) -> None:
    found: set[str] = set()
    (port,) = free_ports(1)

    async def then() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.address(port))
        await admin.start()
        found.update(await admin.list_topics())
        await admin.close()

    async with kept(broker.program(broker.find(), port, then), tmp_path):
        assert {topic.name for topic in TOPICS} <= found


async def test_a_broker_whose_port_is_taken_is_not_taken_for_the_one_that_has_it(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    async with kept(broker.program(broker.find(), port), tmp_path):
        (tmp_path / "second").mkdir()
        with pytest.raises(StackError, match="kafka ended with code"):
            async with kept(broker.program(broker.find(), port), tmp_path / "second"):
                pass


def test_a_home_that_cannot_be_written_to_is_said_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.delenv("CALF_TANSU_BIN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.raises(StackError, match=r"cannot be unpacked into the home directory.*Set HOME"):
        broker.find()


def test_none_at_all_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "missing"))
    with pytest.raises(StackError, match=r"no embedded Kafka broker for this system.*--kafka"):
        broker.find()
