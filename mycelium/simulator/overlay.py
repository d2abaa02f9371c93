"""What answers to commands added to the timeline: all that has to survive a restart, and the wallets recounted with it.

The timeline does not know of commands. A transaction that answers one is noted with the timeline's sequence after which
it was posted; whatever the timeline posts later is counted anew. So each wallet is gapless and exact, and the same
timeline with the same notes gives the same bytes again.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Self, TypeVar

import orjson
from pydantic import AwareDatetime, BaseModel, JsonValue

from mycelium.simulator.diary import PLACE_OF, Entry
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.topics import PAYLOADS

_TOP_UP_STEP = Decimal("50.00")


class Posting(BaseModel):
    """A transaction of an answer: its signed amount, and the timeline's last sequence before it."""

    after: int
    amount: Decimal


class Bought(BaseModel):
    """A purchase. `owner` is a digest; `ended` is the status that ended it."""

    owner: str
    product_id: str
    amount: Decimal
    currency: str
    ended: str | None = None


class Deployed(BaseModel):
    """A deployment, of whom and of which purchase."""

    owner: str
    purchase_id: str


class Said(BaseModel):
    """An event of an answer, without the user: the command that comes again names the user again."""

    type: str
    id: str
    time: AwareDatetime
    data: dict[str, JsonValue]

    @classmethod
    def first(cls, id: str, time: datetime, payload: UserPayload) -> Self:
        """The event as it is said for the first time."""
        data = payload.model_dump(mode="json", exclude_none=True, exclude={"user_email"})
        return cls(type=payload.event_type, id=id, time=time, data=data)

    def to(self, user_email: str) -> Entry:
        """The event, the same bytes each time."""
        model = PAYLOADS[self.type]
        payload = model.model_validate_json(orjson.dumps(self.data | {"user_email": user_email}))
        topic, source = PLACE_OF[model]
        return topic, make_event(payload, source=source, id=self.id, time=self.time)


class Leave(BaseModel):
    """An erased user: nothing of what was up to `at` is theirs any more, and nothing at all until they are `back`."""

    at: AwareDatetime
    back: bool = False


T = TypeVar("T", Bought, Deployed)


class Overlay(BaseModel):
    """The notes. Users are digests. `answers` are by user and command; an acknowledged one is empty.

    `bought` and `deployed` are of command origin; `cancelled` purchases and `held` deployments may be the timeline's.
    Of a cancelled purchase, the timeline's last sequence before that is kept. `left` are the erased users: there are
    no notes of them but those since they are back, and the timeline is not heard about them any more.
    """

    postings: dict[str, list[Posting]] = {}
    bought: dict[str, Bought] = {}
    deployed: dict[str, Deployed] = {}
    cancelled: dict[str, int] = {}
    held: set[str] = set()
    answers: dict[str, dict[str, list[Said]]] = {}
    left: dict[str, Leave] = {}

    def leave(self, owner: str, at: datetime, things: Container[str]) -> None:
        """Forgets a user who was erased at that time, with their `things`: ids of purchases and deployments."""
        self.left[owner] = Leave(at=at)
        self.postings.pop(owner, None)
        self.answers.pop(owner, None)
        self.bought = others(owner, self.bought)
        self.deployed = others(owner, self.deployed)
        self.cancelled = {name: line for name, line in self.cancelled.items() if name not in things}
        self.held = {name for name in self.held if name not in things}


def others(owner: str, things: Mapping[str, T]) -> dict[str, T]:
    """What of the things is not that owner's."""
    return {name: thing for name, thing in things.items() if thing.owner != owner}


@dataclass
class Account:
    """A wallet as it is on the topics. `timeline` is the timeline's own last sequence."""

    postings: list[Posting]
    timeline: int = 0
    sequence: int = 0
    balance: Decimal = field(default=Decimal("0.00"))
    _counted: int = 0

    def reach(self, timeline: int) -> None:
        """The timeline posts its transaction of that sequence next: counts the answers posted before it."""
        self._count_before(timeline)
        self.timeline = timeline

    def count(self, amount: Decimal) -> tuple[int, Decimal]:
        """Counts a transaction; its sequence and the balance after it."""
        self.sequence += 1
        self.balance += amount
        return self.sequence, self.balance

    def settle(self) -> None:
        """Counts all answers posted so far."""
        self._count_before(self.timeline + 1)

    def post(self, amount: Decimal) -> tuple[int, Decimal]:
        """Posts a transaction of an answer; its sequence and the balance after it."""
        self.postings.append(Posting(after=self.timeline, amount=amount))
        self.settle()
        return self.sequence, self.balance

    def short_of(self, amount: Decimal) -> Decimal:
        """What has to be topped up, in round sums, for the wallet to cover a transaction of that signed amount."""
        short = max(-(self.balance + amount), Decimal(0))
        return (short / _TOP_UP_STEP).to_integral_value(ROUND_CEILING) * _TOP_UP_STEP

    def _count_before(self, timeline: int) -> None:
        while self._counted < len(self.postings) and self.postings[self._counted].after < timeline:
            self.count(self.postings[self._counted].amount)
            self._counted += 1
