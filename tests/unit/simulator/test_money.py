"""The wallet is exact, and the purchases agree with it to the cent."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from mycelium.simulator import Scenario, Stretch, World
from mycelium.simulator.diary import Entry
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.marketplace import (
    PurchaseCreated,
    PurchaseDetails,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
)
from shared.contracts.wallet import TransactionKind, WalletPoolPositionChanged, WalletTransactionPosted
from tests.unit.simulator.picking import of

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
IN = {"top_up", "transfer_in", "refund", "pool_return", "reward"}
TERMINAL = {"completed", "cancelled", "refunded", "expired"}


def wallets(entries: list[Entry]) -> dict[str, list[WalletTransactionPosted]]:
    by_user: dict[str, list[WalletTransactionPosted]] = defaultdict(list)
    for _, transaction in of(entries, WalletTransactionPosted):
        by_user[transaction.user_email].append(transaction)
    return by_user


def details(purchase: PurchaseDetails) -> dict[str, object]:
    return {name: getattr(purchase, name) for name in PurchaseDetails.model_fields}


@given(st.integers(0, 2**32), st.integers(0, 3600))
@settings(deadline=None, max_examples=6)
def test_every_wallet_is_exact_and_never_below_zero(seed: int, live_seconds: int) -> None:
    end = UNTIL + timedelta(seconds=live_seconds)
    entries = list(World(Scenario(seed, 3, 45, UNTIL)).replay([Stretch(UNTIL, 3, end)], end))
    by_user = wallets(entries)
    assert len(by_user) == 3
    for transactions in by_user.values():
        balance = Decimal(0)
        for expected_sequence, transaction in enumerate(transactions, start=1):
            balance += transaction.amount
            assert transaction.sequence == expected_sequence
            assert transaction.balance_after == balance >= 0
            assert transaction.amount.as_tuple().exponent == transaction.balance_after.as_tuple().exponent == -2
            assert (transaction.amount > 0) == (transaction.kind in IN)


def test_every_kind_of_transaction_occurs_and_purchases_lead(entries: list[Entry]) -> None:
    kinds = [transaction.kind for _, transaction in of(entries, WalletTransactionPosted)]
    assert set(kinds) == set(get_args(TransactionKind))
    assert max(kinds, key=kinds.count) == "purchase"


def test_every_purchase_comes_as_an_event_and_in_the_wallet_saying_the_same(entries: list[Entry]) -> None:
    paid = {t.purchase.purchase_id: t for _, t in of(entries, WalletTransactionPosted) if t.purchase}
    created = {purchase.purchase_id: purchase for _, purchase in of(entries, PurchaseCreated)}
    assert len(created) == len(of(entries, PurchaseCreated)) > 100
    assert created.keys() == paid.keys()
    for purchase_id, purchase in created.items():
        transaction = paid[purchase_id]
        assert transaction.purchase is not None
        assert details(purchase) == details(transaction.purchase)
        assert transaction.kind == "purchase"
        assert transaction.transaction_id == purchase.transaction_id
        assert transaction.amount == -purchase.amount
        assert transaction.user_email == purchase.user_email


def test_what_is_cancelled_or_refunded_is_paid_back_in_full(entries: list[Entry]) -> None:
    amounts = {purchase.purchase_id: purchase.amount for _, purchase in of(entries, PurchaseCreated)}
    given_back = {
        change.purchase_id
        for _, change in of(entries, PurchaseStatusChanged)
        if change.status in ("cancelled", "refunded")
    }
    refunds = {t.related_entity_id: t.amount for _, t in of(entries, WalletTransactionPosted) if t.kind == "refund"}
    assert refunds == {purchase_id: amounts[purchase_id] for purchase_id in given_back} != {}


def test_a_purchase_moves_from_pending_by_legal_steps_and_ends_once(entries: list[Entry]) -> None:
    status = {purchase.purchase_id: "pending" for _, purchase in of(entries, PurchaseCreated)}
    legal = {
        "pending": {"active", "cancelled", "completed"},
        "active": {"completed", "expired", "refunded", "suspended"},
        "suspended": {"active"},
    }
    seen = set()
    for _, change in of(entries, PurchaseStatusChanged):
        assert change.status in legal[status[change.purchase_id]]
        status[change.purchase_id] = change.status
        seen.add(change.status)
    assert seen == TERMINAL | {"active", "suspended"}


def test_service_periods_are_of_known_purchases_and_their_totals_never_shrink(entries: list[Entry]) -> None:
    last: dict[str, tuple[float, int]] = {
        purchase.purchase_id: (0, 0) for _, purchase in of(entries, PurchaseCreated) if purchase.service_period
    }
    changes = of(entries, PurchaseServicePeriodChanged)
    for _, change in changes:
        period = change.service_period
        totals = (period.hours_used, period.sessions_completed)
        assert all(now >= before for now, before in zip(totals, last[change.purchase_id], strict=True))
        last[change.purchase_id] = totals
        assert (period.next_billing_date is not None) == period.auto_renewal
    assert sum(hours > 10 for hours, _ in last.values()) > len(last) / 4


def test_subscriptions_renew_and_each_renewal_is_a_purchase(entries: list[Entry]) -> None:
    renewals = [change for _, change in of(entries, PurchaseStatusChanged) if change.reason == "renewal paid"]
    created = {purchase.purchase_id: purchase for _, purchase in of(entries, PurchaseCreated)}
    assert len(renewals) > 30
    assert {created[change.purchase_id].billing_cycle for change in renewals} <= {"monthly", "annual"}


def test_what_is_bought_anew_is_on_offer_at_its_price(entries: list[Entry]) -> None:
    price: dict[str, set[Decimal | None]] = {}
    on_offer = set()
    for _, event in entries:
        match event.data:
            case ProductListed() as listed:
                price[listed.product_id] = {listed.price, listed.annual_price}
                on_offer.add(listed.product_id)
            case ProductRetired() as retired:
                on_offer.discard(retired.product_id)
            case PurchaseCreated() as purchase if purchase.billing_cycle != "hourly" and purchase.service_period:
                assert purchase.product_id in on_offer
                assert purchase.amount in price[purchase.product_id]
    assert len(on_offer) > 90


def test_pool_positions_follow_what_was_invested(entries: list[Entry]) -> None:
    invested: dict[tuple[str, str | None], Decimal] = defaultdict(Decimal)
    for _, event in entries:
        if isinstance(event.data, WalletTransactionPosted) and event.data.kind == "pool_investment":
            invested[event.subject, event.data.related_entity_id] -= event.data.amount
        elif isinstance(event.data, WalletTransactionPosted) and event.data.kind == "pool_return":
            invested[event.subject, event.data.related_entity_id] = Decimal(0)
        elif isinstance(event.data, WalletPoolPositionChanged):
            assert event.data.invested == invested[event.subject, event.data.pool_id]
            assert (event.data.status == "open") == (event.data.current_value > 0)
