"""From a file to its events: the account, the wallet's lines in order, the positions, the preferences, the activities.

The same file gives the same events, and a file that has grown gives the same ones and more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final

from pydantic import TypeAdapter, ValidationError

from mycelium.legacy.ledger import Ledger, Posted, ledger
from mycelium.legacy.money import Line, changed_at, line_of, pool_identity, position_of, status_of
from mycelium.legacy.person import activity_of, balance_of, preferences, registered
from mycelium.legacy.reading import Found, UnreadableError, walk
from mycelium.legacy.report import Report
from mycelium.legacy.shapes import MisfitError, Record, event_of, identity, record_of, time_of, why
from shared.contracts.envelope import UserPayload
from shared.contracts.legacy import LegacyActivityFound
from shared.contracts.marketplace import PurchaseDetails
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import IDENTITY, LEGACY, WALLET, Topic
from shared.contracts.types import Money, normalise_email
from shared.contracts.wallet import WalletTransactionPosted

Entry = tuple[Topic, AnyEvent]

_LISTS: Final = ("transactions", "user_activities", "pool_positions")
_MEMBERS: Final = frozenset(
    {
        *("user_email", "email", "name", "country", "timezone", "created_at", "updated_at", "user_preferences"),
        *("wallet", "wallet_balance", "wallet_currency"),
    }
)
_MOST_POSITIONS: Final = 1_000
_TOLD_BY_A_LINE: Final = frozenset({"purchase", "wallet_transaction", "pool_investment"})
_MONEY: TypeAdapter[Decimal] = TypeAdapter(Money)


def user_in(file: BinaryIO) -> tuple[str, Record]:
    """Whose file it is, normalised, and its members but the lists. Raises UnreadableError also for what is no JSON."""
    members = {found.member: found.value for found in walk(file, _MEMBERS.__contains__)}
    given = members.get("user_email") or members.get("email")
    if not isinstance(given, str):
        raise UnreadableError("user_email: is missing")
    try:
        return normalise_email(given), members
    except ValueError as error:
        raise UnreadableError(f"user_email: {error}") from None


def tell(file: BinaryIO, user: str, members: Record, changed: datetime, report: Report) -> Iterator[Entry]:
    """The events of a file of `user`; `changed`, in UTC, stands in where the file has no time at all.

    Fills in the report. Raises UnreadableError; what came before it is told.
    """
    with ledger() as lines:
        yield from _Telling(file, user, members, lines, report).all(changed)


@dataclass
class _Telling:
    file: BinaryIO
    user: str
    members: Record
    lines: Ledger
    report: Report
    positions: list[Found] = field(default_factory=list)
    earliest: datetime | None = None
    latest: datetime | None = None

    def all(self, changed: datetime) -> Iterator[Entry]:
        for name in ("created_at", "updated_at"):
            self._seen(self._time(self.members, name, where=""))
        self._survey()
        first, last = self.earliest or changed, self.latest or changed
        yield from self._account(first)
        yield from self._wallet()
        yield from self._pools(last)
        yield from self._preferences(last)
        yield from self._activities()

    def _survey(self) -> None:
        """Takes the wallet's lines and the positions, and looks at every time in the file."""
        before: datetime | None = None
        for found in walk(self.file, _LISTS.__contains__):
            if found.place is None:
                if found.value is not None:
                    self.report.problem(f"{found.member}: should be a list")
            elif found.member == "transactions":
                before = self._line(found, before) or before
            elif found.member == "pool_positions":
                self._position(found)
            elif isinstance(found.value, dict):
                self._seen(self._time(found.value, "timestamp", "created_at", quiet=True))

    def _seen(self, time: datetime | None) -> None:
        if time is not None:
            self.earliest = min(self.earliest or time, time)
            self.latest = max(self.latest or time, time)

    def _time(self, record: Record, *names: str, where: str = "", quiet: bool = False) -> datetime | None:
        try:
            return time_of(record, *names)
        except MisfitError as error:
            if not quiet:
                self.report.problem(f"{where}{error}")
            return None

    def _line(self, found: Found, before: datetime | None) -> datetime | None:
        """Puts a line into the ledger; its time. One that cannot be read has a place all the same if there is one."""
        where, line = f"transactions[{found.place}]", None
        try:
            record = record_of(found.value, self.user)
        except MisfitError as error:
            self.report.problem(f"{where}: {error}")
            return None
        at = self._time(record, "timestamp", "created_at", where=f"{where}: ")
        if at is None and not any(record.get(name) for name in ("timestamp", "created_at")):
            self.report.problem(f"{where}: timestamp: is missing")
        self._seen(at)
        try:
            status = status_of(record)
            if status == "never":
                self.report.notes["a transaction that moved no money is left out"] += 1
                return at
            if status == "pending":
                self.report.notes["a transaction is pending: its place in the ledger is kept"] += 1
            line = line_of(record, at) if at and status == "moved" else None
        except MisfitError as error:
            self.report.problem(f"{where}: {error}")
        if (place := at or before) and not self.lines.add(identity(record), place, found.place or 0, line):
            self.report.problem(f"{where}: is there twice and counts once")
        return at

    def _position(self, found: Found) -> None:
        if len(self.positions) < _MOST_POSITIONS:
            self.positions.append(found)
        else:
            self.report.problem(f"pool_positions[{found.place}]: only {_MOST_POSITIONS:,} are read")

    def _account(self, first: datetime) -> Iterator[Entry]:
        problems: list[str] = []
        account = registered(self.user, self.members, problems)
        for problem in problems:
            self.report.problem(problem)
        at = self._time(self.members, "created_at", quiet=True) or first
        said = account.model_dump_json(exclude={"user_email"})
        yield from self._entry(IDENTITY, account, at, said, at.isoformat(), counts="registration")

    def _wallet(self) -> Iterator[Entry]:
        given = self.members.get("wallet_currency")
        currency = given if isinstance(given, str) and given else self.lines.currency()
        for posted in self.lines.posted(currency, self._opening(currency)):
            if posted.line is not None:
                yield from self._posted(posted, posted.line, currency)

    def _opening(self, currency: str) -> Decimal:
        """The balance before the first line, which makes the last one's that of the file."""
        given = balance_of(self.members)
        if given is None:
            return Decimal(0)
        try:
            balance = _MONEY.validate_python(given)
        except ValidationError as error:
            self.report.problem(f"wallet_balance: {why(error)}")
            return Decimal(0)
        opening = balance - self.lines.sum(currency)
        if opening:
            self.report.notes[f"the wallet's lines and its balance differ by {opening:f} {currency}"] += 1
        return opening

    def _posted(self, posted: Posted, line: Line, currency: str) -> Iterator[Entry]:
        where = f"transactions[{posted.place}]"
        if (line.currency or currency) != currency:
            self.report.problem(f"{where}: currency: should be the wallet's, {currency}")
            return
        try:
            payload = _transaction(self.user, posted, line, currency)
        except ValidationError as error:
            self.report.problem(f"{where}: {why(error)}")
            return
        if line.bought:
            self.report.counts["purchases"] += 1
        elif line.kind == "purchase":
            self.report.notes["a purchase says too little to be listed: only its line in the wallet is kept"] += 1
        yield from self._entry(WALLET, payload, line.at, line.id, counts="transactions", where=where)

    def _pools(self, last: datetime) -> Iterator[Entry]:
        for found in self.positions:
            where = f"pool_positions[{found.place}]"
            try:
                record = record_of(found.value, self.user)
                at = changed_at(record) or last
                position = position_of(self.user, record, found.key, self.lines.currency())
            except MisfitError as error:
                self.report.problem(f"{where}: {error}")
                continue
            parts = position.pool_id, pool_identity(record, at)
            yield from self._entry(WALLET, position, at, *parts, counts="pool positions", where=where)

    def _preferences(self, last: datetime) -> Iterator[Entry]:
        given, problems = self.members.get("user_preferences"), list[str]()
        if given is None:
            return
        if not isinstance(given, dict):
            self.report.problem("user_preferences: should be a JSON object")
            return
        found = preferences(self.user, given, problems)
        at = self._time(given, "updated_at", where="user_preferences: ") or last
        for problem in problems:
            self.report.problem(problem)
        if found:
            parts = identity(found.preferences), at.isoformat()
            yield from self._entry(LEGACY, found, at, *parts, counts="preferences")

    def _activities(self) -> Iterator[Entry]:
        for found in walk(self.file, "user_activities".__eq__):
            if found.place is None:
                continue
            where = f"user_activities[{found.place}]"
            try:
                record = record_of(found.value, self.user)
                activity, at, left_out = activity_of(self.user, record)
            except MisfitError as error:
                self.report.problem(f"{where}: {error}")
                continue
            if self._is_told(activity, at):
                self.report.notes["an activity is told by its transaction already"] += 1
                continue
            if left_out:
                self.report.notes["a member of an activity's metadata is left out: not a short text or a number"] += (
                    left_out
                )
            yield from self._entry(LEGACY, activity, at, identity(record), counts="activities", where=where)

    def _is_told(self, activity: LegacyActivityFound, at: datetime) -> bool:
        """Whether a line of the wallet tells of the same thing."""
        thing = activity.related_entity_id
        return bool(activity.activity_type in _TOLD_BY_A_LINE and thing and self.lines.tells_of(thing, at))

    def _entry(
        self, topic: Topic, payload: UserPayload, at: datetime, *parts: str, counts: str, where: str = ""
    ) -> Iterator[Entry]:
        try:
            event = event_of(payload, at, *parts)
        except ValidationError as error:
            self.report.problem(f"{where}: {why(error)}")
            return
        self.report.counts[counts] += 1
        yield topic, event


def _transaction(user: str, posted: Posted, line: Line, currency: str) -> WalletTransactionPosted:
    """Raises ValidationError, such as for a balance of too many digits."""
    paid: Mapping[str, Any] = {"amount": abs(line.amount), "currency": currency, "transaction_id": line.id}
    return WalletTransactionPosted(
        user_email=user,
        transaction_id=line.id,
        sequence=posted.sequence,
        kind=line.kind,
        amount=line.amount,
        currency=currency,
        balance_after=posted.balance,
        related_entity_id=line.about[0] if line.about else None,
        related_entity_type=line.about[1] if line.about else None,
        description=line.description,
        purchase=PurchaseDetails.model_validate({**line.bought, **paid}) if line.bought else None,
    )
