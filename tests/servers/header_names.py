"""Headers with any bytes for a name, as clients in other languages can send them."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchBuilderPy


class AnyName(str):
    """A header's name that is `\\xff\\xfe` on the wire."""

    __slots__ = ()

    def encode(self, *_args: str, **_how: str) -> bytes:
        """The bytes."""
        return b"\xff\xfe"


@contextmanager
def sending_any_names() -> Iterator[None]:
    """aiokafka's producers in here write records in plain Python meanwhile, which takes an AnyName for a text."""
    modules = (message_accumulator, producer)
    for module in modules:
        module.DefaultRecordBatchBuilder = _DefaultRecordBatchBuilderPy  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in modules:
            module.DefaultRecordBatchBuilder = DefaultRecordBatchBuilder  # type: ignore[attr-defined]
