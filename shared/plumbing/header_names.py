"""Lets aiokafka read records with headers whose names are not UTF-8.

Brokers take any bytes for a name, and Kafka's own clients read them. aiokafka 0.14 raises UnicodeDecodeError instead,
for the whole batch and each time that it comes to it: one such record would stop all consumers of its partition for
ever. Here such a batch is read once more, by aiokafka's reader in plain Python, and each byte of a name that is not
UTF-8 becomes `\\xff`, as Python writes it. No header that counts has such a name.

Importing this module is enough. `publish` does, from which readers of records have their type; others do themselves.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records


class _Names(bytearray):
    """Bytes whose parts are decoded without an error."""

    def __getitem__(self, where: Any) -> Any:  # Any: as bytearray has it
        found = super().__getitem__(where)
        return _Names(found) if isinstance(where, slice) else found

    def decode(self, encoding: str = "utf-8", _errors: str = "") -> str:
        """The text; what is none is escaped."""
        return super().decode(encoding, "backslashreplace")


class _TolerantBatch(default_records._DefaultRecordBatchPy):  # type: ignore[misc]  # it says that it is final
    def __iter__(self) -> "_TolerantBatch":
        super().__iter__()
        self._buffer = _Names(self._buffer)
        return self


class _Batch:
    def __init__(self, buffer: memoryview) -> None:
        self._buffer, self._batch = buffer, default_records.DefaultRecordBatch(buffer)

    def __getattr__(self, name: str) -> Any:  # Any: whatever a batch of aiokafka's says of itself
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:  # Any: a record of either reader
        try:
            return iter([*self._batch])
        except UnicodeDecodeError:
            return iter([*_TolerantBatch(self._buffer)])


memory_records.DefaultRecordBatch = _Batch  # type: ignore[assignment, attr-defined]
fetcher.MemoryRecords = memory_records._MemoryRecordsPy  # type: ignore[attr-defined]
