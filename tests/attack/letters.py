"""What has become of hostile records."""

from collections.abc import Mapping

from shared.contracts.reading import Poison
from shared.contracts.topics import EVENT_TOPICS, SERVICES, dead_letters
from shared.contracts.uses import reader_of
from shared.plumbing.publish import Record
from shared.plumbing.scan import scan
from tests.attack.records import Hostile
from tests.attack.target import Target

_CONSUMERS = {topic.name: topic.consumers for topic in EVENT_TOPICS}
_ADDED = 7  # headers of a dead letter


async def assert_all_settled(target: Target, records: Mapping[bytes, Hostile]) -> None:
    """Raises AssertionError unless the records (by their marks) that a service cannot use are its dead letters, byte
    for byte, and no others are. But for what its reader takes and it cannot open: that may be one.
    """
    for service in SERVICES:
        letters = await _letters(target, service)
        for mark, record in records.items():
            if service not in _CONSUMERS.get(record.topic, ()):
                continue
            read = reader_of(service).read(record.topic, record.key, record.value, record.headers)
            letter = letters.get(mark)
            if isinstance(read, Poison):
                assert letter is not None, (service, read, record)
                assert (letter.key or b"", letter.value) == (record.key or b"", record.value)
                came = [(name.replace("\\xff\\xfe", "x"), value) for name, value in letter.headers[: -_ADDED - 1]]
                assert came == [(str(name), value) for name, value in record.headers]
            elif letter is not None:
                assert dict(letter.headers)["dlq_reason"] == b"undecryptable", (service, read, record)


async def _letters(target: Target, service: str) -> dict[bytes, Record]:
    """The dead letters of a service by their marks."""
    found: dict[bytes, Record] = {}
    async for records in scan(target.up.stack["kafka"], [dead_letters(service)], {}):
        for record in records:
            said = dict(record.headers)
            if (mark := said.get("mark")) and said.get("dlq_topic", b"").decode() in _CONSUMERS:
                found[mark] = record
    return found
