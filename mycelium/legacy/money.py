"""The wallet in an old file: what each transaction was, which way its money went, and what it bought."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mycelium.legacy.shapes import MisfitError, Record, identity, snake, time_of, variant, why
from shared.contracts.marketplace import PurchaseDetails
from shared.contracts.types import Currency, Id, Money, Text
from shared.contracts.wallet import TransactionKind, WalletPoolPositionChanged
from shared.folds.facts import digest

_KINDS: Final[Mapping[str, TransactionKind]] = {
    **dict.fromkeys(("purchase", "instant_purchase", "rental"), "purchase"),
    **dict.fromkeys(("top_up", "topup", "auto_top_up", "deposit", "credits_purchase"), "top_up"),
    **dict.fromkeys(("withdrawal", "withdraw", "credits_sale"), "withdrawal"),
    **dict.fromkeys(("pool_investment", "investment", "invest", "stake", "staking"), "pool_investment"),
    **dict.fromkeys(("pool_return", "divestment", "unstake", "unstaking"), "pool_return"),
    **dict.fromkeys(("reward", "earning", "earnings"), "reward"),
    "refund": "refund",
    "fee": "fee",
    "transfer_in": "transfer_in",
    "transfer_out": "transfer_out",
}
_TRANSFERS: Final = frozenset({"transfer", "credits_transfer"})
_OUT: Final = frozenset({"purchase", "withdrawal", "transfer_out", "pool_investment", "fee"})
_NEVER_MOVED: Final = frozenset({"failed", "cancelled", "canceled", "rejected"})
_DETAILS: Final = ("product_id", "product_name", "product_type", "provider_id", "provider_name", "purchase_id")
_PURCHASE_STATUSES: Final = frozenset({"active", "suspended", "expired", "refunded"})


class Line(BaseModel):
    """A transaction that moved money: `amount` is signed, `about` what it names and of which kind that is.

    `bought` is there where the file says enough of what was bought; its currency is the line's.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    id: Id
    kind: TransactionKind
    at: datetime
    amount: Money
    currency: Currency | None = None
    about: tuple[str, str] | None = None
    description: Text | None = None
    bought: dict[str, str] | None = None

    @property
    def things(self) -> list[str]:
        """The ids by which an activity may name what this line tells of; none if it makes no activity."""
        if self.kind == "purchase" and self.bought is None:
            return []
        named = (self.id, self.about and self.about[0], self.bought and self.bought["product_id"])
        return [thing for thing in named if thing]


def status_of(record: Record) -> str:
    """`moved`, `pending` (it may move yet) or `never`. Raises MisfitError."""
    name = variant(record["status"])[0] if record.get("status") is not None else "completed"
    return "never" if name in _NEVER_MOVED else "pending" if name in ("pending", "processing") else "moved"


def line_of(record: Record, at: datetime) -> Line:
    """The line of a transaction that moved money at that time. Raises MisfitError."""
    try:
        name, members = variant(record.get("transaction_type"))
    except MisfitError as error:
        raise MisfitError(f"transaction_type: {error}") from None
    kind = _transfer(record, members) if name in _TRANSFERS else _KINDS.get(name)
    if kind is None:
        raise MisfitError(f"transaction_type: should be one of {', '.join(sorted({*_KINDS, *_TRANSFERS}))}")
    said = _said(record, members)
    bought = _bought(said, record) if kind == "purchase" else None
    given = {name: record.get(name) for name in ("amount", "currency", "description")}
    try:
        line = Line.model_validate(
            {
                **given,
                "id": own_id(record),
                "kind": kind,
                "at": at,
                "about": _about(kind, said, bought),
                "bought": bought,
            }
        )
    except ValidationError as error:
        raise MisfitError(why(error)) from None
    return line.model_copy(update={"amount": -abs(line.amount) if kind in _OUT else abs(line.amount)})


def own_id(record: Record) -> str:
    """The record's id; one made of everything in it where it has none."""
    own = record.get("id")
    return own if isinstance(own, str) and own else f"legacy-{identity(record)}"


def _transfer(record: Record, members: Record) -> TransactionKind:
    is_sent = any(name.startswith("to") for name in members) or str(record.get("amount")).startswith("-")
    return "transfer_out" if is_sent else "transfer_in"


def _said(record: Record, members: Record) -> Record:
    """Everything that the record says: its metadata, over that its own members, over those the type's."""
    metadata = record.get("metadata")
    return {**(metadata if isinstance(metadata, dict) else {}), **record, **members}


def _bought(said: Record, record: Record) -> dict[str, str] | None:
    """What was bought; None where the file does not say what it is or who sold it."""
    told = {name: said[name] for name in _DETAILS if isinstance(said.get(name), str) and said[name]}
    provider = told.get("provider_id") or told.get("provider_name")
    if "product_id" not in told or "product_type" not in told or provider is None:
        return None
    name, status = record.get("description"), status_name(record)
    bought = {
        "provider_id": provider,
        "provider_name": provider,
        "product_name": name if isinstance(name, str) and 0 < len(name) <= 500 else told["product_id"],
        "purchase_id": own_id(record),
        **told,
        "product_type": snake(told["product_type"]),
        "status": status if status in _PURCHASE_STATUSES else "completed",
    }
    try:
        PurchaseDetails.model_validate({**bought, "amount": "0", "currency": "TFP"})
    except ValidationError:
        return None
    return bought


def status_name(record: Record) -> str:
    """The status in snake_case; empty if there is none that can be read."""
    try:
        return variant(record.get("status"))[0]
    except MisfitError:
        return ""


def _about(kind: TransactionKind, said: Record, bought: Mapping[str, str] | None) -> tuple[str, str] | None:
    if bought:
        return bought["purchase_id"], "purchase"
    candidates = (("product_id", "product"),) if kind == "purchase" else (("pool_id", "pool"),)
    for name, type_ in (*candidates, ("related_entity_id", str(said.get("related_entity_type") or "entity"))):
        if isinstance(said.get(name), str) and said[name]:
            return said[name], type_[:256]
    return None


class _Pool(BaseModel):
    """A position as the old files have it: under several names."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    name: Annotated[str | None, Field(validation_alias=AliasChoices("pool_name", "name"))] = None
    invested: Annotated[Any, Field(validation_alias=AliasChoices("invested", "invested_amount", "amount"))]
    value: Annotated[Any, Field(validation_alias=AliasChoices("current_value", "value"))] = None
    share: Annotated[Any, Field(validation_alias=AliasChoices("share_percent", "share_percentage"))] = None
    apy: Annotated[Any, Field(validation_alias=AliasChoices("apy_percent", "apy", "expected_apy"))] = None
    currency: str | None = None
    status: Annotated[str, BeforeValidator(lambda value: variant(value)[0])] = "open"


def position_of(user: str, record: Record, key: str | None, currency: str) -> WalletPoolPositionChanged:
    """A pool position; `key` is its id where the list is an object. Raises MisfitError."""
    try:
        pool, pool_id = _Pool.model_validate(record), record.get("pool_id") or key
        return WalletPoolPositionChanged(
            user_email=user,
            pool_id=pool_id,
            pool_name=pool.name or pool_id,
            invested=pool.invested,
            current_value=pool.invested if pool.value is None else pool.value,
            currency=pool.currency or currency,
            share_percent=_number(pool.share),
            apy_percent=_number(pool.apy),
            status="closed" if pool.status in ("closed", "withdrawn", "exited") else "open",
        )
    except ValidationError as error:
        raise MisfitError(why(error)) from None


def _number(value: object) -> Any:  # Any: what is no number, the payload refuses
    return float(value) if isinstance(value, Decimal | int) else value


def changed_at(record: Record) -> datetime | None:
    """When a position or the preferences were last changed, if the file says. Raises MisfitError."""
    return time_of(record, "updated_at", "last_updated")


def pool_identity(record: Record, at: datetime) -> str:
    """A position that has changed is another thing to tell than the one before."""
    return digest(identity({**record, "id": None}), at.isoformat())
