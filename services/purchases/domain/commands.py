"""What a user asked of the marketplace, and what became of it, worked out from the events that answer.

The marketplace answers with the events that it publishes anyway. One that names the command (`command_id`) answers
that command; one that names none answers it if it is later than the request and does what was asked. A refusal always
names its command.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.folds.state import Said, State, field, members, value

Action = Literal["buy", "cancel", "start", "stop", "restart", "scale"]
Answer = Literal["pending", "succeeded", "failed"]

_DONE: Final[Mapping[Action, frozenset[str]]] = {
    "buy": frozenset({"active", "completed"}),
    "cancel": frozenset({"cancelled", "refunded"}),
    "start": frozenset({"running"}),
    "stop": frozenset({"stopped"}),
    "restart": frozenset({"running"}),
}
_UNDONE: Final[Mapping[Action, frozenset[str]]] = {
    "buy": frozenset({"cancelled", "refunded", "expired"}),
    "start": frozenset({"error"}),
    "restart": frozenset({"error"}),
}
TOO_LATE: Final = "The marketplace did not answer in time. Look at the purchase or deployment before you try again."


@dataclass(frozen=True, slots=True)
class Command:
    """A request: its id, what is to be done with what, and when it was made (microseconds since 1970)."""

    id: str
    action: Action
    target: str
    requested_at: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command, and why where it failed."""

    state: Answer
    reason: str | None = None


PENDING: Final = Outcome("pending")
SUCCEEDED: Final = Outcome("succeeded")


def outcome(command: Command, own: State, target: State | None, now: int, limit: int) -> Outcome:
    """What became of `command` by `now`, given what was said about it (`own`) and about what it is aimed at.

    `now` is in microseconds since 1970 and `limit` in microseconds: after that much time without an answer the command
    has failed, until an answer comes after all.
    """
    answered = _answered(command, target) if target is not None else PENDING
    if answered.state != "pending":
        return answered
    refused = field(own, "refused")
    if refused is not None:
        return Outcome("failed", refused.value)
    return Outcome("failed", TOO_LATE) if now - command.requested_at > limit else PENDING


def _answered(command: Command, target: State) -> Outcome:
    if command.action == "scale":
        return SUCCEEDED if _is_scaled(command, target) else PENDING
    moves = [move for move in members(target, "history") if _is_answer(command, move)]
    for move in moves:
        if move.value["status"] in _DONE[command.action]:
            return SUCCEEDED
        if move.value["status"] in _UNDONE.get(command.action, frozenset()):
            return Outcome("failed", move.value["reason"] or f"it is {move.value['status']}")
    return PENDING


def _is_scaled(command: Command, target: State) -> bool:
    scaled = field(target, "scaled")
    return scaled is not None and (scaled.value == command.id or scaled.at >= command.requested_at)


def _is_answer(command: Command, move: Said) -> bool:
    named = move.value.get("command_id")
    return bool(named == command.id if named else move.at >= command.requested_at)


def may_answer(command: Command, bought: State) -> bool:
    """Whether a purchase made after a `buy`, which names no command, is of the product that was asked for."""
    return value(bought, "command_id") is None and bool(value(bought, "details")["product_id"] == command.target)
