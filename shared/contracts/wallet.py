"""What moves in a user's wallet (topic `wallet.events`)."""

from typing import ClassVar, Literal

from pydantic import FiniteFloat

from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import PurchaseDetails
from shared.contracts.types import Currency, Id, Label, Money, Name, Percent, Price, Sequence, Text

TransactionKind = Literal[
    "purchase",
    "top_up",
    "withdrawal",
    "transfer_in",
    "transfer_out",
    "refund",
    "pool_investment",
    "pool_return",
    "reward",
    "fee",
]


class WalletTransactionPosted(UserPayload):
    """One line of the ledger. `amount` is signed, `balance_after` absolute; `sequence` rises by one per user.

    On `kind: purchase`, `purchase` makes the purchase record without any other event.
    """

    event_type: ClassVar[str] = "wallet.transaction_posted.v1"
    transaction_id: Id
    sequence: Sequence
    kind: TransactionKind
    amount: Money
    currency: Currency
    balance_after: Money
    related_entity_id: Id | None = None
    related_entity_type: Label | None = None
    description: Text | None = None
    purchase: PurchaseDetails | None = None


class WalletPoolPositionChanged(UserPayload):
    """A position in an investment pool as it now is."""

    event_type: ClassVar[str] = "wallet.pool_position_changed.v1"
    pool_id: Id
    pool_name: Name
    invested: Price
    current_value: Price
    currency: Currency
    share_percent: Percent | None = None
    apy_percent: FiniteFloat | None = None
    status: Literal["open", "closed"]
