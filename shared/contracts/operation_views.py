"""What operators are shown of dead letters, and what they may ask. Nothing here but a content holds a user's data."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.reading import PoisonReason
from shared.contracts.topics import Service
from shared.contracts.types import UtcTime

State = Literal["open", "retried", "discarded"]
Reason = Literal[PoisonReason, "unknown"]
Outcome = Literal["applied", "ignored", "poison", "handled_before", "no_origin"]
LetterIdText = Annotated[str, StringConstraints(max_length=256)]


class Handling(BaseModel):
    """What an operator did with a dead letter. `outcome` is what the reader made of the record then."""

    model_config = ConfigDict(frozen=True)

    action: Literal["retried", "discarded"]
    at: datetime
    operator: str
    edited: bool
    outcome: Literal["applied", "ignored"] | None = None


class DeadLetter(BaseModel):
    """A record that a service could not use.

    `topic`, `partition` and `offset` are where it was; they are missing where its headers do not say. `at` is when it
    became a dead letter, `size` the bytes of its value, `retry_of` the dead letter that it was before it was retried.
    `handled` is in the order in which it was done, and `state` its last.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    service: Service
    state: State = "open"
    reason: Reason
    error: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    attempts: int | None = None
    at: datetime
    size: int
    retry_of: str | None = None
    handled: list[Handling] = []


class Shown(BaseModel):
    """Bytes as text: as they are in UTF-8, or else in base64. `cut` says that they go on."""

    model_config = ConfigDict(frozen=True)

    encoding: Literal["utf-8", "base64"]
    text: str
    cut: bool = False


class HeaderShown(BaseModel):
    """A header of the record as it came."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: Shown | None


class Content(BaseModel):
    """The record as it came: users' data."""

    model_config = ConfigDict(frozen=True)

    key: Shown | None
    headers: list[HeaderShown]
    value: Shown | None


class WholeDeadLetter(DeadLetter):
    """A dead letter with the record itself, if that was asked for."""

    content: Content | None = None


class DeadLetterPage(BaseModel):
    """One page of dead letters, newest first."""

    items: list[DeadLetter]
    next_cursor: str | None


class Attempt(BaseModel):
    """What the record of a dead letter would do now.

    `applied`: the service reads it, and uses it. `ignored`: it reads it, and has no use for it. `poison`: it would be a
    dead letter again, for the `reason` and `error` given, so it is not published. `handled_before`: it was retried or
    discarded before. `no_origin`: its headers do not say where it came from. `published` says that it was published.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    outcome: Outcome
    reason: PoisonReason | None = None
    error: str | None = None
    published: bool = False


class Attempts(BaseModel):
    """How often each outcome was met, how many records were published, and the ids of what cannot be (100 at most)."""

    outcomes: dict[Outcome, int]
    published: int
    not_published: list[str]


class DeadLetterQuery(BaseModel):
    """Which dead letters to list. `since` is a time with an offset; `cursor` is the `next_cursor` of a page."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    service: Service | None = None
    reason: Reason | None = None
    topic: Annotated[str, StringConstraints(max_length=249)] | None = None
    state: State | None = None
    since: UtcTime | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: LetterIdText | None = None


class RetryOne(BaseModel):
    """`value` takes the place of the value that came; `again` retries what was handled before."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    dry_run: bool = False
    value: str | None = None
    again: bool = False


class Many(BaseModel):
    """All open dead letters of one service that have one reason."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    service: Service
    reason: PoisonReason


class RetryMany(Many):
    """All open dead letters of one service that have one reason, to be published again."""

    dry_run: bool = False


class Discarded(BaseModel):
    """How many dead letters were open and are discarded now."""

    discarded: int
