"""A user's wallet: an exact ledger that never goes below zero, and what moves in it apart from purchases."""

import random
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

from mycelium.simulator.catalogue import CURRENCY
from mycelium.simulator.diary import Diary, Process
from mycelium.simulator.moments import DAY, HOUR, to_time
from mycelium.simulator.persona import Persona
from shared.contracts.marketplace import PurchaseDetails
from shared.contracts.wallet import TransactionKind, WalletTransactionPosted

_STEPS = (10, 25, 50, 100, 250)
_FEE_SHARE, _CASHBACK = 0.005, 0.012
_HOSTS_EARN = 0.12  # of their budget a week: who runs nodes is paid for it


@dataclass(frozen=True)
class About:
    """What a transaction is about."""

    id: str
    type: str


class Wallet:
    """The balance and its ledger. Amounts are TFP with two decimals; `sequence` is that of the last transaction."""

    def __init__(self, diary: Diary, persona: Persona, rng: random.Random) -> None:
        self._diary, self._persona, self._rng = diary, persona, rng
        self._step = Decimal("1.00") * min(_STEPS, key=lambda step: abs(step - 0.5 * persona.budget))
        self._spent_since_cashback = Decimal(0)
        self.balance = Decimal("0.00")
        self.sequence = 0

    def post(
        self,
        kind: TransactionKind,
        amount: Decimal,
        description: str,
        about: About | None = None,
        purchase: PurchaseDetails | None = None,
    ) -> None:
        """Posts one transaction of the signed `amount`; a purchase's carries the id that its details name."""
        self.balance += amount
        self.sequence += 1
        if kind == "purchase":
            self._spent_since_cashback -= amount
        self._diary.write(
            WalletTransactionPosted(
                user_email=self._persona.email,
                transaction_id=(purchase and purchase.transaction_id) or self._diary.fresh_id("tx"),
                sequence=self.sequence,
                kind=kind,
                amount=amount,
                currency=CURRENCY,
                balance_after=self.balance,
                related_entity_id=about and about.id,
                related_entity_type=about and about.type,
                description=description,
                purchase=purchase,
            )
        )

    def cover(self, amount: Decimal) -> None:
        """Tops the wallet up, by round sums, if it does not hold `amount`."""
        short = amount - self.balance
        if short > 0:
            steps = int(short / self._step) + self._rng.choice((1, 1, 2))
            self.post("top_up", steps * self._step, "Top-up by card")

    def spare(self, share: float) -> Decimal:
        """About that share of a month's budget, as far as the wallet holds it."""
        wanted = cents(self._persona.budget * share * self._rng.uniform(0.5, 1.5))
        return min(wanted, self.balance)

    def errand(self) -> None:
        """One of the things that people do in their wallet now and then."""
        self._rng.choices((self._top_up, self._send, self._receive, self._withdraw), (4, 3, 3, 1))[0]()

    def income(self) -> Process:
        """A cashback a month on what was bought, and what hosts earn a week; never ends."""
        for week in count(1):
            yield 7 * DAY + int(self._rng.uniform(-3, 3) * HOUR)
            if self._persona.archetype.name == "operator":
                earned = cents(self._persona.budget * _HOSTS_EARN * self._rng.uniform(0.6, 1.4))
                self.post("reward", earned, f"Hosting reward of the week to {to_time(self._diary.now):%d %B %Y}")
            if week % 4 == 0 and self._spent_since_cashback >= 1:
                self.post("reward", cents(float(self._spent_since_cashback) * _CASHBACK), "Cashback on your purchases")
                self._spent_since_cashback = Decimal(0)

    def _top_up(self) -> None:
        self.post("top_up", self._step, "Top-up by card")

    def _receive(self) -> None:
        self.post("transfer_in", cents(self._persona.budget * self._rng.uniform(0.05, 0.5)), "Transfer from a teammate")

    def _send(self) -> None:
        amount = self.spare(0.15)
        if amount >= 1:
            self.post("transfer_out", -amount, "Transfer to a teammate")

    def _withdraw(self) -> None:
        amount = cents(float(self.spare(0.4)) * 0.9)
        if amount >= 5:
            self.post("withdrawal", -amount, "Withdrawal to the bank")
            self.post("fee", -cents(float(amount) * _FEE_SHARE), "Withdrawal fee")


def cents(value: float) -> Decimal:
    """The amount to the nearest cent, and at least one."""
    return Decimal(max(1, round(value * 100))).scaleb(-2)
