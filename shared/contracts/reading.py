"""From a record as it came to an event, or to the reason why it is none.

A `Reader` belongs to one consumer. It decodes and validates each record once, in one pass over its bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Union

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

from shared.contracts.envelope import MAX_EVENT_BYTES, Event, Headers, NotACloudEventError, Payload, event_model
from shared.contracts.envelope import structured_bytes
from shared.contracts.topics import EVENT_TOPICS, PAYLOADS

PoisonReason = Literal[
    "empty", "too_large", "not_json", "not_a_cloudevent", "unknown_type", "wrong_topic", "invalid", "key_mismatch"
]
AnyEvent = Event[Payload]

_TYPES_OF_TOPIC = {topic.name: {p.event_type for p in topic.payloads} for topic in EVENT_TOPICS}
_MAX_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event of the contract that this consumer has no use for."""

    event_type: str


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that can never be used. `error` names the field and the next step; it quotes nothing of the record."""

    reason: PoisonReason
    error: str


class Reader:
    """Reads the records of one consumer, which uses the payloads in `used` and ignores the contract's others."""

    def __init__(self, used: Iterable[type[Payload]]) -> None:
        used = tuple(used)
        unused = [name for name in PAYLOADS if name not in {p.event_type for p in used}]
        models: list[type[BaseModel]] = [event_model(p) for p in used]
        if unused:
            models.append(create_model("UnusedEvent", type=(Literal[tuple(unused)], ...)))  # type: ignore[call-overload]
        union = Union[tuple(models)]  # noqa: UP007  (built at run time)
        self._adapter: TypeAdapter[BaseModel] = TypeAdapter(Annotated[union, Field(discriminator="type")])

    def read(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> AnyEvent | Ignored | Poison:
        """The event in a record of `topic`. Never raises: whatever a publisher can send has an answer."""
        if not value:
            return Poison("empty", "the record has no value; send a CloudEvent as JSON")
        if len(value) > MAX_EVENT_BYTES:
            return Poison("too_large", f"the value has {len(value)} bytes; an event may have {MAX_EVENT_BYTES}")
        try:
            event = self._adapter.validate_json(structured_bytes(value, headers))
        except NotACloudEventError as error:
            return Poison("not_a_cloudevent", str(error))
        except ValidationError as error:
            return _why(error)
        event_type: str = event.type  # type: ignore[attr-defined]
        if event_type not in _TYPES_OF_TOPIC[topic]:
            return Poison("wrong_topic", f"events of this type are not published on {topic}")
        if not isinstance(event, Event):
            return Ignored(event_type)
        if not _is_key_of(key, event.data):
            return Poison("key_mismatch", "the record key should be the event's subject")
        return event


def _is_key_of(key: bytes | None, data: Payload) -> bool:
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return False
    return text == data.key or text.strip().lower() == data.key


def _why(error: ValidationError) -> Poison:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]["type"]
    if first == "json_invalid":
        return Poison("not_json", "the value should be one JSON text in UTF-8")
    if first == "union_tag_invalid":
        return Poison("unknown_type", "/type: should be one of the contract's event types, with its version")
    if first in ("union_tag_not_found", "model_attributes_type"):
        return Poison("not_a_cloudevent", "/type: is required; the value should be a CloudEvents 1.0 JSON object")
    reason: PoisonReason = "invalid" if all(p["loc"][1:2] == ("data",) for p in problems) else "not_a_cloudevent"
    return Poison(reason, "; ".join(f"{_pointer(p['loc'][1:])}: {p['msg']}" for p in problems[:_MAX_PROBLEMS]))


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join(f"/{step}" for step in location) or "/"
