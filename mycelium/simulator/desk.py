"""The desk where the simulated marketplace answers commands. Pure: no broker, no clock, no chance of its own.

    desk.pass_on(entry)          # what to publish for an entry of the timeline, now that answers came between
    desk.answer(event, now)      # what to publish in answer to an event of others
    desk.acknowledged(event)     # the broker has the answer

Each gives entries to be published in that order. What must survive a restart is in `overlay`; the rest comes again with
the timeline. From a cancel or a stop on, the timeline is not heard about that purchase or deployment any more; from an
erasure on, not about that user.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from mycelium.simulator.diary import Entry
from mycelium.simulator.overlay import Account, Bought, Deployed, Overlay, Said, others
from mycelium.simulator.persona import personas
from mycelium.simulator.replies import Refusal, move, moves, refund, sale, top_up
from mycelium.simulator.scenario import Scenario
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserErased, UserRegistered
from shared.contracts.marketplace import (
    CommandRefused,
    DeploymentCreated,
    DeploymentCredentialsIssued,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
)
from shared.contracts.purchases import DeploymentCommandRequested, PurchaseCancelRequested, PurchaseRequested
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import WALLET
from shared.contracts.wallet import WalletTransactionPosted

DASHBOARD = "/mycelium/profile"
WELCOME = Decimal("500.00")
READS = (PurchaseRequested, PurchaseCancelRequested, DeploymentCommandRequested, UserRegistered, UserErased)
Command = PurchaseRequested | PurchaseCancelRequested | DeploymentCommandRequested
_TICK = timedelta(milliseconds=1)
_ENDS = frozenset({"cancelled", "refunded", "expired", "completed"})


class Desk:
    """Answers commands. `issue` gives fresh credentials, as a JWE, for what is deployed live; None: there are none."""

    def __init__(self, scenario: Scenario, overlay: Overlay, issue: Callable[[], str] | None = None) -> None:
        self._scenario, self._overlay, self.issue = scenario, overlay, issue
        self._simulated = {persona.email for persona in personas(scenario)}
        self._accounts: dict[str, Account] = {}
        self._products: dict[str, ProductListed] = {}
        self._bought = dict(overlay.bought)
        self._deployed = dict(overlay.deployed)
        self._not_renewed: set[str] = set()
        self._last: dict[str, datetime] = {}

    def pass_on(self, entry: Entry) -> list[Entry]:
        """What to publish for an entry of the timeline, which must come in order, from the first on."""
        match entry[1].data:
            case UserPayload(user_email=email) if self._owner(email) in self._overlay.left:
                return []
            case WalletTransactionPosted() as transaction:
                return self._recounted(entry, transaction)
            case ProductListed() as product:
                self._products[product.product_id] = product
            case ProductRetired(product_id=retired):
                self._products.pop(retired, None)
            case PurchaseCreated() as purchase:
                if purchase.purchase_id in self._not_renewed:
                    return []
                self._remember(purchase)
            case DeploymentCreated() as created:
                self._place(created)
                return [entry, *self._with_credentials(entry, created)]
            case PurchaseStatusChanged() | PurchaseServicePeriodChanged() as about:
                return self._unless_cancelled(entry, about)
            case DeploymentStatusChanged() | DeploymentScaled() | DeploymentHealthReported() as about:
                return [] if self._is_held(about.deployment_id) else [entry]
        return [entry]

    def answer(self, event: AnyEvent, now: datetime) -> list[Entry]:
        """What to publish in answer to an event of a type in READS; the same again until it is acknowledged."""
        data = event.data
        assert isinstance(data, UserPayload)  # noqa: S101  (all of READS are)
        if isinstance(data, UserErased):
            self._forget(data.user_email, event.time)
        if self._is_of_the_erased(event):
            return []
        key, answers = self._key(event), self._overlay.answers.setdefault(self._owner(data.user_email), {})
        if key not in answers:
            at = max(now, self._last.get(data.user_email, now) + _TICK)
            said = [
                Said.first(f"answer-{key}-{n}", at + n * _TICK, payload)
                for n, payload in enumerate(self._decide(event, key, at))
            ]
            if not said:
                return []
            self._last[data.user_email] = at + len(said) * _TICK
            answers[key] = said
        return [said.to(data.user_email) for said in answers[key]]

    def acknowledged(self, event: AnyEvent) -> None:
        """The broker has the answer: when the same comes again, there is nothing more to say."""
        answers = self._overlay.answers.get(self._owner(event.data.key), {})
        if (key := self._key(event)) in answers:
            answers[key] = []

    def _decide(self, event: AnyEvent, key: str, at: datetime) -> list[UserPayload]:
        match event.data:
            case UserRegistered() as new:
                return self._welcome(new, key) if event.source == DASHBOARD else []
            case PurchaseRequested() | PurchaseCancelRequested() | DeploymentCommandRequested() as command:
                try:
                    return list(self._obey(command, key, at))
                except Refusal as why:
                    email, command_id = command.user_email, command.command_id
                    return [CommandRefused(user_email=email, command_id=command_id, reason=str(why))]
        return []

    def _obey(self, command: Command, key: str, at: datetime) -> Iterator[UserPayload]:
        match command:
            case PurchaseRequested():
                return self._sell(command, key, at)
            case PurchaseCancelRequested():
                return self._cancel(command, key)
            case DeploymentCommandRequested():
                return self._control(command)

    def _welcome(self, new: UserRegistered, key: str) -> list[UserPayload]:
        """A first top-up for who is new here, so that they can buy."""
        email, owner = new.user_email, self._owner(new.user_email)
        if (email in self._simulated and owner not in self._overlay.left) or owner in self._overlay.postings:
            return []
        line = self._post(email, WELCOME)
        return [top_up(email, f"tx-{key}", WELCOME, line, "Welcome to the marketplace")]

    def _sell(self, command: PurchaseRequested, key: str, at: datetime) -> Iterator[UserPayload]:
        product = self._products.get(command.product_id)
        if product is None:
            raise Refusal("The marketplace does not offer this product.")
        total, account, unit = product.price * command.quantity, self._account(command.user_email), product.currency
        account.settle()
        if total > account.balance:
            raise Refusal(
                f"The balance of {account.balance:.2f} {unit} does not cover {total:.2f} {unit}; "
                "top up the wallet first."
            )
        for payload in sale(command, product, key, at, self._post(command.user_email, -total)):
            yield payload
            if isinstance(payload, PurchaseCreated):
                self._overlay.bought[payload.purchase_id] = self._remember(payload)
            if isinstance(payload, DeploymentCreated):
                self._overlay.deployed[payload.deployment_id] = self._place(payload)
                yield from self._credentials(payload)

    def _credentials(self, created: DeploymentCreated) -> Iterator[UserPayload]:
        if self.issue:
            yield DeploymentCredentialsIssued(
                user_email=created.user_email, deployment_id=created.deployment_id, credentials_jwe=self.issue()
            )

    def _with_credentials(self, entry: Entry, created: DeploymentCreated) -> Iterator[Entry]:
        """Credentials for a deployment of the timeline that is made while there is somebody to open them."""
        topic, event = entry
        for payload in self._credentials(created):
            yield topic, make_event(payload, source=event.source, id=f"{event.id}-credentials", time=event.time + _TICK)

    def _cancel(self, command: PurchaseCancelRequested, key: str) -> Iterator[UserPayload]:
        email, purchase_id = command.user_email, command.purchase_id
        bought = self._bought.get(purchase_id)
        if bought is None or bought.owner != self._owner(email):
            raise Refusal("The marketplace has no such purchase of yours.")
        if bought.ended:
            raise Refusal(f"The purchase is {bought.ended} already.")
        bought.ended = "cancelled"
        self._overlay.cancelled[purchase_id] = self._account(email).timeline
        yield refund(email, key, purchase_id, bought.amount, bought.currency, self._post(email, bought.amount))
        yield PurchaseStatusChanged(
            user_email=email,
            purchase_id=purchase_id,
            status="cancelled",
            reason=command.reason or "cancelled by the user",
            command_id=command.command_id,
        )
        for deployment_id, deployed in self._deployed.items():
            if deployed.purchase_id == purchase_id:
                yield move(email, command.command_id, deployment_id, "stopped", "the purchase is cancelled")

    def _control(self, command: DeploymentCommandRequested) -> Iterator[UserPayload]:
        deployed = self._deployed.get(command.deployment_id)
        if deployed is None or deployed.owner != self._owner(command.user_email):
            raise Refusal("The marketplace has no such deployment of yours.")
        bought = self._bought.get(deployed.purchase_id)
        if bought is not None and bought.ended:
            raise Refusal(f"The purchase that this deployment belongs to is {bought.ended}.")
        if command.action in ("start", "restart"):
            self._overlay.held.discard(command.deployment_id)
        elif command.action == "stop":
            self._overlay.held.add(command.deployment_id)
        yield from moves(command, is_held=command.deployment_id in self._overlay.held)

    def _recounted(self, entry: Entry, posted: WalletTransactionPosted) -> list[Entry]:
        account = self._account(posted.user_email)
        account.reach(posted.sequence)
        if self._is_of_cancelled(posted):
            return []
        if posted.kind == "refund" and (bought := self._bought.get(posted.related_entity_id or "")):
            bought.ended = "refunded"
        topic, event = entry
        before = [self._cover(event, posted, account, short)] if (short := account.short_of(posted.amount)) else []
        sequence, balance = account.count(posted.amount)
        if (sequence, balance) == (posted.sequence, posted.balance_after):
            return [entry]
        recounted = posted.model_copy(update={"sequence": sequence, "balance_after": balance})
        return [*before, (topic, event.model_copy(update={"data": recounted}))]

    def _is_of_cancelled(self, posted: WalletTransactionPosted) -> bool:
        """Whether the timeline gives back or renews what a command cancelled before; a renewal has no period."""
        cancelled, renewal = self._overlay.cancelled, posted.purchase
        if posted.kind == "refund":
            return posted.related_entity_id in cancelled
        if renewal is None or renewal.service_period or renewal.billing_cycle not in ("monthly", "annual"):
            return False
        for purchase_id in cancelled.keys() & self._bought.keys() - self._overlay.bought.keys():
            bought = self._bought[purchase_id]
            is_same = (bought.owner, bought.product_id) == (self._owner(posted.user_email), renewal.product_id)
            if is_same and posted.sequence > cancelled[purchase_id]:
                self._not_renewed.add(renewal.purchase_id)
                return True
        return False

    def _cover(self, event: AnyEvent, posted: WalletTransactionPosted, account: Account, amount: Decimal) -> Entry:
        """A top-up before a transaction of the timeline that the wallet would cover if there were no answers."""
        line = account.count(amount)
        posting = top_up(posted.user_email, f"{posted.transaction_id}-cover", amount, line, "Automatic top-up by card")
        return WALLET, make_event(posting, source=event.source, id=f"{event.id}-cover", time=event.time)

    def _unless_cancelled(
        self, entry: Entry, about: PurchaseStatusChanged | PurchaseServicePeriodChanged
    ) -> list[Entry]:
        if about.purchase_id in self._overlay.cancelled or about.purchase_id in self._not_renewed:
            return []
        if isinstance(about, PurchaseStatusChanged) and about.status in _ENDS:
            self._bought[about.purchase_id].ended = about.status
        return [entry]

    def _is_held(self, deployment_id: str) -> bool:
        deployed = self._deployed[deployment_id]
        return deployment_id in self._overlay.held or deployed.purchase_id in self._overlay.cancelled

    def _remember(self, purchase: PurchaseCreated) -> Bought:
        bought = self._bought[purchase.purchase_id] = Bought(
            owner=self._owner(purchase.user_email),
            product_id=purchase.product_id,
            amount=purchase.amount,
            currency=purchase.currency,
            ended="cancelled" if purchase.purchase_id in self._overlay.cancelled else None,
        )
        return bought

    def _place(self, created: DeploymentCreated) -> Deployed:
        deployed = Deployed(owner=self._owner(created.user_email), purchase_id=created.purchase_id)
        self._deployed[created.deployment_id] = deployed
        return deployed

    def _account(self, email: str) -> Account:
        if email not in self._accounts:
            self._accounts[email] = Account(self._overlay.postings.get(self._owner(email), []))
        return self._accounts[email]

    def _post(self, email: str, amount: Decimal) -> tuple[int, Decimal]:
        """Posts a transaction of an answer; its sequence and the balance after it."""
        account = self._account(email)
        line = account.post(amount)
        self._overlay.postings[self._owner(email)] = account.postings
        return line

    def _forget(self, email: str, at: datetime) -> None:
        """An erased user who comes back begins anew. The same erasure, come again, takes nothing from them then."""
        owner = self._owner(email)
        left = self._overlay.left.get(owner)
        if left is None or at > left.at:
            things: dict[str, Bought | Deployed] = {**self._bought, **self._deployed}
            self._overlay.leave(owner, at, {name for name, thing in things.items() if thing.owner == owner})
            self._accounts.pop(email, None)
            self._last.pop(email, None)
            self._bought, self._deployed = others(owner, self._bought), others(owner, self._deployed)

    def _is_of_the_erased(self, event: AnyEvent) -> bool:
        """Whether the event's user is gone, or was when it happened. Registering later brings them back."""
        left = self._overlay.left.get(self._owner(event.data.key))
        if left is None:
            return False
        left.back |= isinstance(event.data, UserRegistered) and event.time > left.at
        return not left.back or event.time <= left.at

    def _owner(self, email: str) -> str:
        return self._scenario.namespace(email)

    def _key(self, event: AnyEvent) -> str:
        """What the answer is known by: of one user, so that nobody is answered with what was said to another."""
        asked = getattr(event.data, "command_id", event.id)
        return self._scenario.namespace(f"{event.subject.strip().lower()}|{asked}")
