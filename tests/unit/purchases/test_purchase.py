"""A purchase is the set of what was said about it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.purchases.tags import purchase_tags, tag, word_tags
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import (
    PurchaseCreated,
    PurchaseDetails,
    PurchaseRated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
    ServicePeriod,
    SupportTicketOpened,
)
from shared.contracts.types import PurchaseStatus
from shared.contracts.wallet import WalletTransactionPosted
from shared.folds import purchase
from shared.folds.facts import Fact, facts_of
from shared.folds.state import State, empty, merge

ADA = "ada@example.org"
START = datetime(2026, 3, 1, tzinfo=UTC)
DETAILS: dict[str, Any] = {
    "purchase_id": "pur-1",
    "product_id": "prod-1",
    "product_name": "Object Store",
    "product_type": "storage",
    "provider_id": "hypha",
    "provider_name": "Hypha Cloud",
    "amount": Decimal("12.50"),
    "currency": "TFP",
}


def said(data: UserPayload, hour: int, source: str = "/shop") -> list[Fact]:
    id = f"{data.event_type}-{hour}"  # noqa: A001
    facts = facts_of(make_event(data, source=source, id=id, time=START + timedelta(hours=hour)))
    return [fact for fact in facts if fact.kind == "purchase"]


def created(hour: int = 0, **more: Any) -> list[Fact]:
    return said(PurchaseCreated.model_validate({"user_email": ADA, **DETAILS, **more}), hour)


def paid(hour: int = 0, **more: Any) -> list[Fact]:
    data = WalletTransactionPosted(
        user_email=ADA,
        transaction_id="tx-1",
        sequence=1,
        kind="purchase",
        amount=Decimal("-12.50"),
        currency="TFP",
        balance_after=Decimal(0),
        purchase=PurchaseDetails.model_validate({**DETAILS, **more}),
    )
    return said(data, hour, "/wallet")


def moved(status: PurchaseStatus, hour: int, reason: str | None = None) -> list[Fact]:
    return said(PurchaseStatusChanged(user_email=ADA, purchase_id="pur-1", status=status, reason=reason), hour)


def state_of(*facts: list[Fact]) -> State:
    state = empty()
    merge(state, [fact for said_at_once in facts for fact in said_at_once])
    return state


def test_a_purchase_by_itself() -> None:
    assert purchase.record_of("pur-1", state_of(created())) == {
        "id": "pur-1",
        "transaction_id": None,
        "product_id": "prod-1",
        "product_name": "Object Store",
        "product_type": "storage",
        "provider_id": "hypha",
        "provider_name": "Hypha Cloud",
        "amount": "12.50",
        "currency": "TFP",
        "purchase_date": "2026-03-01T00:00:00Z",
        "status": "pending",
        "billing_cycle": None,
        "deployment_info": None,
        "service_period": None,
        "rating": None,
        "review": None,
        "support_tickets": [],
    }


def test_the_transaction_alone_makes_the_record() -> None:
    record = purchase.record_of("pur-1", state_of(paid()))
    assert (record["transaction_id"], record["amount"], record["status"]) == ("tx-1", "12.50", "pending")


def test_what_one_of_the_two_leaves_out_the_other_says() -> None:
    record = purchase.record_of("pur-1", state_of(paid(0), created(1, billing_cycle="monthly")))
    assert (record["transaction_id"], record["billing_cycle"]) == ("tx-1", "monthly")


def test_a_status_that_was_not_given_does_not_undo_one_that_was() -> None:
    assert purchase.status(state_of(created(0), moved("active", 1), paid(2))) == "active"


def test_what_comes_before_its_purchase_waits_for_it() -> None:
    period = ServicePeriod(start_date=START, auto_renewal=True, hours_used=3, sessions_completed=1)
    waiting = [
        moved("active", 1),
        said(PurchaseServicePeriodChanged(user_email=ADA, purchase_id="pur-1", service_period=period), 2),
        said(PurchaseRated(user_email=ADA, purchase_id="pur-1", rating=4.5, review="Good"), 3),
        said(SupportTicketOpened(user_email=ADA, ticket_id="t-1", purchase_id="pur-1"), 4),
    ]
    assert not purchase.is_listed(state_of(*waiting))
    assert purchase_tags(state_of(*waiting)) == []
    record = purchase.record_of("pur-1", state_of(*waiting, created(0)))
    assert (record["status"], record["rating"], record["review"]) == ("active", 4.5, "Good")
    assert record["support_tickets"] == ["t-1"]
    assert record["service_period"]["start_date"] == "2026-03-01T00:00:00Z"


def test_the_history_tells_every_move_and_which_are_none_that_can_be_made() -> None:
    state = state_of(created(0), moved("active", 1), moved("refunded", 2, "It broke"), moved("active", 3))
    assert [(m["status"], m["reason"], m["legal"]) for m in purchase.history_of(state)] == [
        ("pending", None, True),
        ("active", None, True),
        ("refunded", "It broke", True),
        ("active", None, False),
    ]
    assert purchase.illegal_moves(state) == 1
    assert purchase.status(state) == "active"


@pytest.mark.parametrize(
    ("cycle", "cost"), [("monthly", "12.50"), ("annual", "1.04"), ("hourly", None), ("one_time", None), (None, None)]
)
def test_what_it_costs_a_month(cycle: str | None, cost: str | None) -> None:
    assert purchase.monthly_cost(state_of(created(billing_cycle=cycle))) == cost


def test_it_is_found_by_every_mix_of_filters_and_by_the_beginnings_of_its_words() -> None:
    tags = set(purchase_tags(state_of(created(), moved("active", 1))))
    mixes = [{}, {"status": "active"}, {"type": "storage", "provider": "hypha"}]
    assert {tag(mix) for mix in mixes} <= tags
    assert tag({"status": "active", "type": "storage", "provider": "hypha"}) in tags
    for text in ("object", "Obj", "STORE hypha", "clo", "o s h c"):
        assert set(word_tags(text)) <= tags, text
    for text in ("bject", "lamp", "object lamp", "...", "%"):
        assert not set(word_tags(text)) <= tags, text


statuses = st.sampled_from(["pending", "active", "completed", "cancelled", "refunded", "expired", "suspended"])
anything_said = st.one_of(
    st.builds(created, st.integers(0, 5), status=statuses),
    st.builds(created, st.integers(0, 5)),
    st.builds(paid, st.integers(0, 5)),
    st.builds(moved, statuses, st.integers(0, 5)),
)


@given(st.lists(anything_said, max_size=8), st.data())
def test_any_order_and_any_duplicates_give_the_same_state(told: list[list[Fact]], data: st.DataObject) -> None:
    facts = list({(f.stamp, f.field, f.member): f for said_at_once in told for f in said_at_once}.values())
    shuffled = data.draw(st.permutations(facts * 2))
    assert state_of(shuffled) == state_of(facts)


def test_what_comes_again_changes_nothing() -> None:
    told = [*created(0), *moved("active", 1)]
    assert not merge(state_of(told), told)


def test_of_two_moves_at_one_time_the_greater_id_is_the_later_in_any_order() -> None:
    def told(id: str, status: PurchaseStatus) -> list[Fact]:
        data = PurchaseStatusChanged(user_email=ADA, purchase_id="pur-1", status=status)
        return facts_of(make_event(data, source="/shop", id=id, time=START))

    one, other = told("a", "active"), told("b", "cancelled")
    assert purchase.status(state_of(one, other)) == purchase.status(state_of(other, one)) == "cancelled"


def test_a_history_without_end_keeps_its_newest_moves() -> None:
    moves = [moved("active" if hour % 2 else "suspended", hour) for hour in range(300)]
    forwards, backwards = state_of(*moves), state_of(*reversed(moves))
    assert forwards == backwards
    assert len(forwards["members"]["history"]) == 200
    assert purchase.history_of(forwards)[0]["at"] == "2026-03-05T04:00:00Z", "the hundredth hour"
    assert purchase.status(forwards) == "active"
