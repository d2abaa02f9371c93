"""The CloudEvents 1.0 envelope, and the two ways in which it comes over Kafka.

Structured mode (the whole event is the JSON value) is what we write. Binary mode (`ce_*` headers, `data` as the value)
is read too, as the CloudEvents Kafka protocol binding 1.0 describes in its section 3.2.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, StringConstraints, create_model, model_validator

from shared.contracts.types import Email, Id, Traceparent, Tracestate, UtcTime

STRUCTURED = "application/cloudevents+json"
CONTENT_TYPE_HEADER = ("content-type", f"{STRUCTURED}; charset=UTF-8".encode())
MAX_EVENT_BYTES = 1_048_576

Headers = Sequence[tuple[str, bytes | None]]

_CONFIG = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class NotACloudEventError(ValueError):
    """The record cannot be an event: the message says what is missing, without quoting the record."""


class Payload(BaseModel):
    """The `data` of an event. `event_type` is the CloudEvents `type`; unknown members are ignored."""

    model_config = _CONFIG
    event_type: ClassVar[str]

    @property
    def key(self) -> str:
        """What the event is about: its `subject` and its record key."""
        raise NotImplementedError


class UserPayload(Payload):
    """The `data` of an event about one user; the user's email is its key."""

    user_email: Email

    @property
    def key(self) -> str:
        return self.user_email


P = TypeVar("P", bound=Payload, covariant=True)


class Event(BaseModel, Generic[P]):
    """One CloudEvent. `source` and `id` together are its identity; `time` is the publisher's, in UTC."""

    model_config = _CONFIG

    specversion: Literal["1.0"]
    id: Id
    source: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    type: str
    time: UtcTime
    subject: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    traceparent: Traceparent = None
    tracestate: Tracestate = None
    data: P

    @model_validator(mode="after")
    def _is_about_its_subject(self) -> Self:
        if self.subject != self.data.key and self.subject.strip().lower() != self.data.key:
            raise ValueError("/subject: should be the user's email, or the product id, that data names")
        return self

    @property
    def rank(self) -> str:
        """Orders events of one `time`: by `id`, then by `source`. No two events have the same one."""
        return f"{self.id}\n{self.source}"

    def to_json(self) -> bytes:
        """The event in structured mode, without the members that were left out."""
        return self.model_dump_json(exclude_none=True).encode()


def event_model(payload: type[P]) -> type[Event[P]]:
    """The envelope that takes just this payload, told apart from the others by its `type`."""
    literal = Literal[payload.event_type]  # type: ignore[name-defined]
    model = create_model(f"{payload.__name__}Event", __base__=Event[payload], type=(literal, ...))  # type: ignore[valid-type]
    return cast("type[Event[P]]", model)


def structured_bytes(value: bytes, headers: Headers) -> bytes:
    """The event as one JSON text, whichever mode it came in.

    A record with neither mode's headers is taken for a structured event, because simple publishers leave them out.
    Raises NotACloudEventError where the headers or the data cannot make an event.
    """
    if CONTENT_TYPE_HEADER in headers:  # what we write ourselves, without a search through the headers
        return value
    content_type = _text(_first(headers, "content-type")).partition(";")[0].strip().lower()
    if content_type == STRUCTURED:
        return value
    if content_type.startswith("application/cloudevents"):
        raise NotACloudEventError(f"content-type should be {STRUCTURED}: batches and other formats are not read")
    if _first(headers, "ce_specversion") is None:
        return value
    return _from_binary(value, headers, content_type)


def _from_binary(value: bytes, headers: Headers, content_type: str) -> bytes:
    if content_type and content_type != "application/json" and not content_type.endswith("+json"):
        raise NotACloudEventError("content-type of a binary-mode event should be application/json")
    try:
        orjson.loads(value)  # only what is one whole JSON text may be spliced into another
    except orjson.JSONDecodeError:
        raise NotACloudEventError("the value of a binary-mode event should be the data as JSON") from None
    attributes: dict[str, object] = {
        name.lower().removeprefix("ce_"): _text(raw) for name, raw in headers if name.lower().startswith("ce_")
    }
    return orjson.dumps(attributes | {"data": orjson.Fragment(value)})


def _first(headers: Iterable[tuple[str, bytes | None]], name: str) -> bytes | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _text(raw: bytes | None) -> str:
    try:
        return (raw or b"").decode()
    except UnicodeDecodeError:
        raise NotACloudEventError("the ce_ headers and content-type should be UTF-8 text") from None
