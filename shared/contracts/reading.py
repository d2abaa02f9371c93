"""From a record as it came to an event, or to the reason why it is none.

A `Reader` belongs to one consumer. It decodes and validates each record once, in one pass over its bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model
from pydantic_core import ErrorDetails

from shared.contracts.envelope import (
    MAX_EVENT_BYTES,
    Event,
    Headers,
    NotACloudEventError,
    Payload,
    event_model,
    structured_bytes,
)
from shared.contracts.topics import EVENT_TOPICS, PAYLOADS

PoisonReason = Literal[
    "empty",
    "too_large",
    "not_json",
    "not_a_cloudevent",
    "unknown_type",
    "wrong_topic",
    "invalid",
    "key_mismatch",
    "undecryptable",
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
        models: dict[str, Any] = {p.event_type: event_model(p) for p in used}  # Any: types that are made at run time
        if unused := tuple(PAYLOADS.keys() - models.keys()):
            literal: Any = Literal[unused]
            models["unused"] = create_model("UnusedEvent", type=(literal, ...))
        union: Any = Union[tuple(models.values())]  # noqa: UP007
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
    if not problems[0]["loc"]:  # no object, or one without a type
        return Poison("not_a_cloudevent", "/type: is required; the value should be a CloudEvents 1.0 JSON object")
    data_only = all(problem["loc"][1:2] in ((), ("data",)) for problem in problems)
    return Poison("invalid" if data_only else "not_a_cloudevent", "; ".join(map(_sentence, problems[:_MAX_PROBLEMS])))


def _sentence(problem: ErrorDetails) -> str:
    """`/data/amount: should be ...`. A problem of the event as a whole names its pointer itself."""
    pointer = "".join(f"/{step}" for step in problem["loc"][1:])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{pointer}: {message}" if pointer else message
