"""Making a valid event in one call, for publishers and tests."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from shared.contracts.envelope import Event, Payload

P = TypeVar("P", bound=Payload)


def make_event(
    data: P,
    *,
    source: str,
    id: str | None = None,
    time: datetime | None = None,
    traceparent: str | None = None,
    tracestate: str | None = None,
) -> Event[P]:
    """The event that carries `data`, about its key. `time` is aware (default: now), `id` a fresh UUID unless given.

    Raises pydantic.ValidationError if an attribute is not valid.
    """
    return Event[P](
        specversion="1.0",
        id=id or str(uuid4()),
        source=source,
        type=data.event_type,
        time=time or datetime.now(UTC),
        subject=data.key,
        traceparent=traceparent,
        tracestate=tracestate,
        data=data,
    )
