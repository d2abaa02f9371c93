"""The desk answers commands, and the wallets stay exact whatever is asked when."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelium.simulator import Scenario, history
from mycelium.simulator.desk import DASHBOARD, READS, WELCOME, Desk
from mycelium.simulator.diary import Entry
from mycelium.simulator.overlay import Overlay
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.envelope import CONTENT_TYPE_HEADER, UserPayload
from shared.contracts.identity import UserErased, UserRegistered
from shared.contracts.marketplace import (
    CommandRefused,
    DeploymentCreated,
    DeploymentCredentialsIssued,
    DeploymentScaled,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseStatusChanged,
    ResourceAllocation,
)
from shared.contracts.purchases import DeploymentCommandRequested, PurchaseCancelRequested, PurchaseRequested
from shared.contracts.reading import AnyEvent, Ignored, Poison, Reader
from shared.contracts.topics import PAYLOADS
from shared.contracts.wallet import WalletTransactionPosted
from tests.unit.simulator.picking import of

P = TypeVar("P", bound=UserPayload)
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
SCENARIO = Scenario(seed=4, users=3, days=30, until=UNTIL)
HISTORY = list(history(SCENARIO))
EMAILS = sorted({posted.user_email for _, posted in of(HISTORY, WalletTransactionPosted)})
NEW = "new@example.org"


def listed(*, deployable: bool) -> list[ProductListed]:
    gone = {product.data.product_id for _, product in HISTORY if isinstance(product.data, ProductRetired)}
    offers = {event.data.product_id: event.data for _, event in HISTORY if isinstance(event.data, ProductListed)}
    types = ("service", "application", "compute_slice") if deployable else ("storage", "network")
    return [offer for offer in offers.values() if offer.product_id not in gone and offer.product_type in types]


PRODUCT = min(listed(deployable=True), key=lambda offer: offer.price)
NO_DEPLOYMENT = listed(deployable=False)[0]


def asking(payload: UserPayload, id: str | None = None, *, source: str = DASHBOARD, at: datetime = UNTIL) -> AnyEvent:
    return make_event(payload, source=source, id=id, time=at)


def buying(id: str = "c1", *, user: str = NEW, product: str = PRODUCT.product_id, quantity: int = 1) -> AnyEvent:
    return asking(PurchaseRequested(user_email=user, command_id=id, product_id=product, quantity=quantity))


def cancelling(purchase_id: str, id: str = "c2", *, user: str = NEW) -> AnyEvent:
    return asking(PurchaseCancelRequested(user_email=user, command_id=id, purchase_id=purchase_id))


def controlling(deployment_id: str, action: str, id: str = "c3", *, user: str = NEW, **more: object) -> AnyEvent:
    data = {"user_email": user, "command_id": id, "deployment_id": deployment_id, "action": action, **more}
    return asking(DeploymentCommandRequested.model_validate(data))


REGISTERED = asking(UserRegistered(user_email=NEW), "registered")


def only(entries: Iterable[Entry], payload: type[P]) -> P:
    (found,) = of(entries, payload)
    return found[1]


def refusal(entries: Sequence[Entry]) -> str:
    assert len(entries) == 1
    return only(entries, CommandRefused).reason


def statuses(entries: Iterable[Entry]) -> list[str]:
    return [moved.status for _, moved in of(entries, DeploymentStatusChanged)]


def desk_after(overlay: Overlay | None = None, timeline: Iterable[Entry] = HISTORY) -> Desk:
    desk = Desk(SCENARIO, overlay or Overlay())
    for entry in timeline:
        desk.pass_on(entry)
    return desk


@pytest.fixture
def overlay() -> Overlay:
    return Overlay()


@pytest.fixture
def desk(overlay: Overlay) -> Desk:
    """The desk after the history; a new user has registered."""
    desk = desk_after(overlay)
    desk.answer(REGISTERED, UNTIL)
    return desk


def test_who_is_new_is_welcomed_with_money() -> None:
    posted = only(desk_after().answer(REGISTERED, UNTIL), WalletTransactionPosted)
    assert (posted.sequence, posted.amount, posted.balance_after) == (1, WELCOME, WELCOME)


@pytest.mark.parametrize(
    ("email", "source"), [(EMAILS[0], DASHBOARD), (NEW, "/mycelium/simulator/identity"), (NEW, "/elsewhere")]
)
def test_nobody_is_welcomed_who_has_a_wallet_elsewhere(email: str, source: str) -> None:
    assert desk_after().answer(asking(UserRegistered(user_email=email), source=source), UNTIL) == []


def test_a_purchase_is_paid_active_and_running(desk: Desk) -> None:
    answer = desk.answer(buying(quantity=3), UNTIL)
    posted, created = only(answer, WalletTransactionPosted), only(answer, PurchaseCreated)
    total = PRODUCT.price * 3
    assert (posted.sequence, posted.amount, posted.balance_after) == (2, -total, WELCOME - total)
    assert posted.purchase is not None
    assert {name: getattr(created, name) for name in type(posted.purchase).model_fields} == dict(posted.purchase)
    assert (created.amount, created.command_id, created.transaction_id) == (total, "c1", posted.transaction_id)
    active = only(answer, PurchaseStatusChanged)
    assert (active.status, active.command_id, active.purchase_id) == ("active", "c1", created.purchase_id)
    assert only(answer, DeploymentCreated).purchase_id == created.purchase_id
    assert statuses(answer) == ["deploying", "running"]
    times = [event.time for _, event in answer]
    assert times == sorted(set(times))
    assert times[0] > UNTIL


def test_what_needs_nothing_to_run_is_not_deployed(desk: Desk) -> None:
    answer = desk.answer(buying(product=NO_DEPLOYMENT.product_id), UNTIL)
    assert only(answer, PurchaseStatusChanged).status == "active"
    assert of(answer, DeploymentCreated) == []


def test_what_the_balance_does_not_cover_is_refused_and_moves_nothing(desk: Desk, overlay: Overlay) -> None:
    before = overlay.model_copy(deep=True).postings
    quantity = int(WELCOME / PRODUCT.price) + 1
    reason = refusal(desk.answer(buying(quantity=quantity), UNTIL))
    cost = f"{PRODUCT.price * quantity:.2f}"
    assert reason == f"The balance of 500.00 TFP does not cover {cost} TFP; top up the wallet first."
    assert overlay.postings == before


def test_what_is_not_on_offer_is_refused(desk: Desk) -> None:
    assert "does not offer" in refusal(desk.answer(buying(product="nothing"), UNTIL))
    topic = next(topic for topic, event in HISTORY if isinstance(event.data, ProductListed))
    desk.pass_on((topic, make_event(ProductRetired(product_id=PRODUCT.product_id), source="/s", time=UNTIL)))
    assert "does not offer" in refusal(desk.answer(buying("c9"), UNTIL))


def test_a_cancelled_purchase_is_given_back_and_stopped(desk: Desk) -> None:
    created = only(desk.answer(buying(), UNTIL), PurchaseCreated)
    answer = desk.answer(cancelling(created.purchase_id), UNTIL)
    posted, moved = only(answer, WalletTransactionPosted), only(answer, PurchaseStatusChanged)
    assert (posted.kind, posted.sequence, posted.balance_after) == ("refund", 3, WELCOME)
    assert (moved.status, moved.command_id) == ("cancelled", "c2")
    assert statuses(answer) == ["stopped"]
    assert "cancelled already" in refusal(desk.answer(cancelling(created.purchase_id, "c4"), UNTIL))


def test_what_follows_at_once_is_later(desk: Desk) -> None:
    bought = desk.answer(buying(), UNTIL)
    cancelled = desk.answer(cancelling(only(bought, PurchaseCreated).purchase_id), UNTIL)
    assert max(event.time for _, event in bought) < min(event.time for _, event in cancelled)


def test_anothers_things_are_refused_as_if_there_were_none(desk: Desk) -> None:
    bought = desk.answer(buying(), UNTIL)
    purchase_id = only(bought, PurchaseCreated).purchase_id
    deployment_id = only(bought, DeploymentCreated).deployment_id
    other = EMAILS[0]
    assert refusal(desk.answer(cancelling(purchase_id, user=other), UNTIL)) == refusal(
        desk.answer(cancelling("none", user=other, id="c5"), UNTIL)
    )
    assert refusal(desk.answer(controlling(deployment_id, "stop", user=other), UNTIL)) == refusal(
        desk.answer(controlling("none", "stop", user=other, id="c6"), UNTIL)
    )


@pytest.mark.parametrize(
    ("action", "expected"), [("start", ["running"]), ("stop", ["stopped"]), ("restart", ["stopped", "running"])]
)
def test_a_deployment_does_as_it_is_told(desk: Desk, action: str, expected: list[str]) -> None:
    deployment_id = only(desk.answer(buying(), UNTIL), DeploymentCreated).deployment_id
    answer = desk.answer(controlling(deployment_id, action), UNTIL)
    assert statuses(answer) == expected
    assert {moved.command_id for _, moved in of(answer, DeploymentStatusChanged)} == {"c3"}


def test_a_deployment_is_scaled_and_a_stopped_one_is_not_started_by_it(desk: Desk) -> None:
    deployment_id = only(desk.answer(buying(), UNTIL), DeploymentCreated).deployment_id
    wanted = ResourceAllocation(cpu_cores=8, memory_gb=16, storage_gb=80, bandwidth_mbps=500)
    answer = desk.answer(controlling(deployment_id, "scale", resources=wanted), UNTIL)
    assert statuses(answer) == ["scaling", "running"]
    assert only(answer, DeploymentScaled).resources_allocated == wanted
    assert "Say which resources" in refusal(desk.answer(controlling(deployment_id, "scale", "c4"), UNTIL))
    desk.answer(controlling(deployment_id, "stop", "c5"), UNTIL)
    answer = desk.answer(controlling(deployment_id, "scale", "c6", resources=wanted), UNTIL)
    assert (len(answer), only(answer, DeploymentScaled).command_id) == (1, "c6")


def test_a_deployment_of_a_cancelled_purchase_stays_stopped(desk: Desk) -> None:
    bought = desk.answer(buying(), UNTIL)
    desk.answer(cancelling(only(bought, PurchaseCreated).purchase_id), UNTIL)
    deployment_id = only(bought, DeploymentCreated).deployment_id
    assert "is cancelled" in refusal(desk.answer(controlling(deployment_id, "start"), UNTIL))


def test_credentials_come_with_what_is_deployed(desk: Desk) -> None:
    desk.issue = lambda: "sealed"
    answer = desk.answer(buying(), UNTIL)
    issued = only(answer, DeploymentCredentialsIssued)
    assert (issued.credentials_jwe, issued.deployment_id) == ("sealed", only(answer, DeploymentCreated).deployment_id)


def test_credentials_come_with_what_the_timeline_deploys_live() -> None:
    desk = Desk(SCENARIO, Overlay(), lambda: "sealed")
    passed = [said for entry in HISTORY for said in desk.pass_on(entry)]
    issued = {event.data.deployment_id for _, event in passed if isinstance(event.data, DeploymentCredentialsIssued)}
    deployed = {event.data.deployment_id for _, event in passed if isinstance(event.data, DeploymentCreated)}
    assert issued == deployed != set()


def test_the_same_command_is_said_again_until_it_is_acknowledged(desk: Desk, overlay: Overlay) -> None:
    command = buying()
    desk.issue = iter("ab").__next__
    first = desk.answer(command, UNTIL)
    restarted = desk_after(Overlay.model_validate_json(overlay.model_dump_json()))
    later = UNTIL + timedelta(minutes=1)
    for again in (desk.answer(command, later), restarted.answer(command, later)):
        assert [event.to_json() for _, event in again] == [event.to_json() for _, event in first]
    desk.acknowledged(command)
    assert desk.answer(command, later) == []


def test_a_command_id_of_another_user_is_another_command(desk: Desk) -> None:
    desk.answer(buying(), UNTIL)
    answer = desk.answer(buying(user=EMAILS[0], quantity=10**9), UNTIL)
    assert only(answer, CommandRefused).user_email == EMAILS[0]


LATER = UNTIL + timedelta(minutes=1)


def erasing(user: str = NEW, *, at: datetime = UNTIL) -> AnyEvent:
    return asking(UserErased(user_email=user), "erased", at=at)


def registering(user: str = NEW, *, at: datetime = LATER) -> AnyEvent:
    return asking(UserRegistered(user_email=user), "again", at=at)


def test_who_was_erased_is_forgotten_also_in_the_state_file(desk: Desk, overlay: Overlay) -> None:
    bought = desk.answer(buying(), UNTIL)
    desk.answer(controlling(only(bought, DeploymentCreated).deployment_id, "stop"), UNTIL)
    desk.answer(cancelling(only(bought, PurchaseCreated).purchase_id), UNTIL)
    assert desk.answer(erasing(), UNTIL) == []
    (left,) = overlay.left.values()
    assert overlay == Overlay(left=overlay.left)
    assert (left.at, left.back) == (UNTIL, False)


def test_nothing_is_said_to_who_is_gone(desk: Desk, overlay: Overlay) -> None:
    desk.answer(buying(), UNTIL)
    desk.answer(erasing(), UNTIL)
    for command in (buying(), buying("c7"), asking(UserRegistered(user_email=NEW), "registered")):
        assert desk.answer(command, LATER) == []
    later = asking(PurchaseRequested(user_email=NEW, command_id="c8", product_id="p", quantity=1), at=LATER)
    assert desk.answer(later, LATER) == []
    assert desk_after(Overlay.model_validate_json(overlay.model_dump_json())).answer(buying(), LATER) == []


@pytest.mark.parametrize("user", [NEW, EMAILS[0]])
def test_who_was_erased_begins_anew(desk: Desk, user: str) -> None:
    desk.answer(buying(user=user), UNTIL)
    assert desk.answer(erasing(user), UNTIL) == []
    welcome = only(desk.answer(registering(user), LATER), WalletTransactionPosted)
    assert (welcome.sequence, welcome.balance_after) == (1, WELCOME)
    assert desk.answer(erasing(user), LATER) == []  # the same erasure again
    assert desk.answer(buying("c8", user=user), LATER) == []  # asked for before the erasure
    order = PurchaseRequested(user_email=user, command_id="c9", product_id=PRODUCT.product_id, quantity=1)
    assert only(desk.answer(asking(order, at=LATER), LATER), WalletTransactionPosted).sequence == 2


def test_the_timeline_is_not_heard_about_who_was_erased_also_after_a_restart(overlay: Overlay) -> None:
    half = len(HISTORY) // 2
    desk, user = desk_after(overlay, HISTORY[:half]), EMAILS[0]
    desk.answer(erasing(user, at=HISTORY[half][1].time), UNTIL)
    desk.answer(registering(user), LATER)
    again = desk_after(Overlay.model_validate_json(overlay.model_dump_json()), HISTORY[:half])
    for heard in (desk, again):
        rest = [entry for later in HISTORY[half:] for entry in heard.pass_on(later)]
        assert rest == [entry for entry in HISTORY[half:] if entry[1].subject != user]
    assert any(event.subject == user for _, event in HISTORY[half:])


@pytest.mark.parametrize("wanted", [True, False, None])
def test_a_subscription_renews_itself_where_that_is_wanted(desk: Desk, wanted: bool | None) -> None:
    offers = [offer for deployable in (True, False) for offer in listed(deployable=deployable)]
    monthly = min((o for o in offers if o.billing_cycle == "monthly"), key=lambda offer: offer.price)
    order = PurchaseRequested(
        user_email=NEW, command_id="c1", product_id=monthly.product_id, quantity=1, auto_renewal=wanted
    )
    period = only(desk.answer(asking(order), UNTIL), PurchaseCreated).service_period
    assert period is not None
    assert period.auto_renewal is bool(wanted)
    assert period.next_billing_date == (period.end_date if wanted else None)


def test_every_answer_is_valid_and_no_email_is_kept(desk: Desk, overlay: Overlay) -> None:
    reader = Reader(PAYLOADS.values())
    for topic, event in desk.answer(buying("x" * 256), UNTIL):
        outcome = reader.read(topic.name, event.subject.encode(), event.to_json(), (CONTENT_TYPE_HEADER,))
        assert not isinstance(outcome, Ignored | Poison), outcome
    assert "@" not in overlay.model_dump_json()
    assert {model.event_type for model in READS} <= PAYLOADS.keys()


def test_what_a_command_gave_back_the_timeline_does_not_give_back_again() -> None:
    timeline = list(history(Scenario(seed=2, users=8, days=60, until=UNTIL)))
    refunds = [posted for _, posted in of(timeline, WalletTransactionPosted) if posted.kind == "refund"]
    given_back, user = str(refunds[0].related_entity_id), refunds[0].user_email
    bought = next(n for n, (_, e) in enumerate(timeline) if getattr(e.data, "purchase_id", None) == given_back)
    desk = desk_after(timeline=timeline[: bought + 1])
    answer = desk.answer(cancelling(given_back, user=user), timeline[bought][1].time)
    assert only(answer, WalletTransactionPosted).amount == refunds[0].amount
    rest = [entry for later in timeline[bought + 1 :] for entry in desk.pass_on(later)]
    assert given_back not in {posted.related_entity_id for _, posted in of(rest, WalletTransactionPosted)}
    assert given_back not in {moved.purchase_id for _, moved in of(rest, PurchaseStatusChanged)}


def renewed(timeline: Sequence[Entry]) -> tuple[int, PurchaseCreated, PurchaseCreated]:
    """A renewal, with its place in the timeline, and the purchase that it prolongs."""
    purchases = [(n, e.data) for n, (_, e) in enumerate(timeline) if isinstance(e.data, PurchaseCreated)]
    place, renewal = next(
        (n, bought) for n, bought in purchases if bought.billing_cycle == "monthly" and not bought.service_period
    )
    whose = renewal.user_email, renewal.product_id
    original = next(bought for _, bought in purchases if (bought.user_email, bought.product_id) == whose)
    assert original.service_period
    return place, renewal, original


def test_what_a_command_cancelled_is_not_renewed() -> None:
    timeline = list(history(Scenario(seed=2, users=8, days=60, until=UNTIL)))
    _, renewal, original = renewed(timeline)
    first = next(n for n, (_, e) in enumerate(timeline) if getattr(e.data, "purchase_id", 0) == original.purchase_id)
    desk = desk_after(timeline=timeline[: first + 1])
    desk.answer(cancelling(original.purchase_id, user=renewal.user_email), timeline[first][1].time)
    rest = [entry for later in timeline[first + 1 :] for entry in desk.pass_on(later)]
    assert renewal.purchase_id not in {bought.purchase_id for _, bought in of(rest, PurchaseCreated)}
    assert renewal.purchase_id not in {moved.purchase_id for _, moved in of(rest, PurchaseStatusChanged)}
    assert renewal.purchase_id not in {posted.related_entity_id for _, posted in of(rest, WalletTransactionPosted)}


def test_a_renewal_before_the_cancellation_is_there_after_a_restart() -> None:
    timeline = list(history(Scenario(seed=2, users=8, days=60, until=UNTIL)))
    place, renewal, original = renewed(timeline)
    overlay = Overlay()
    desk = desk_after(overlay, timeline[: place + 1])
    desk.answer(cancelling(original.purchase_id, user=renewal.user_email), timeline[place][1].time)
    again = Desk(SCENARIO, overlay)
    passed = [entry for earlier in timeline[: place + 1] for entry in again.pass_on(earlier)]
    for payload in (WalletTransactionPosted, PurchaseCreated):
        assert of(passed, payload) == of(timeline[: place + 1], payload)


def test_of_a_stopped_deployment_the_timeline_is_not_heard_until_it_is_started() -> None:
    created_at = next(n for n, (_, event) in enumerate(HISTORY) if isinstance(event.data, DeploymentCreated))
    created = HISTORY[created_at][1].data
    assert isinstance(created, DeploymentCreated)
    about = [e for e in HISTORY[created_at + 1 :] if getattr(e[1].data, "deployment_id", None) == created.deployment_id]
    desk = desk_after(timeline=HISTORY[: created_at + 1])
    desk.answer(controlling(created.deployment_id, "stop", user=created.user_email), UNTIL)
    assert about
    assert [entry for entry in about if desk.pass_on(entry)] == []
    desk.answer(controlling(created.deployment_id, "start", "c4", user=created.user_email), UNTIL)
    assert [desk.pass_on(entry) for entry in about] == [[entry] for entry in about]


def test_without_answers_the_timeline_passes_unchanged() -> None:
    desk = Desk(SCENARIO, Overlay())
    assert [desk.pass_on(entry) for entry in HISTORY] == [[entry] for entry in HISTORY]


Asked = tuple[int, int, str, int]  # after which share of the history, by whom, what, and how many or which


def published_with(overlay: Overlay, asked: Sequence[Asked], upto: int = len(HISTORY)) -> list[Entry]:
    """The history with those commands in between: what is published."""
    desk, out = Desk(SCENARIO, overlay), []
    for place, entry in enumerate(HISTORY[:upto]):
        out.extend(desk.pass_on(entry))
        for number, (after, who, what, which) in enumerate(asked):
            if after == place:
                out.extend(desk.answer(command(out, number, EMAILS[who], what, which), entry[1].time))
    return out


def command(out: list[Entry], number: int, user: str, what: str, which: int) -> AnyEvent:
    owned = [bought.purchase_id for _, bought in of(out, PurchaseCreated) if bought.user_email == user] or ["none"]
    if what == "buy":
        return buying(f"c{number}", user=user, quantity=which)
    return cancelling(owned[which % len(owned)], f"c{number}", user=user)


asked_for = st.lists(
    st.tuples(
        st.integers(0, len(HISTORY) - 1),
        st.integers(0, len(EMAILS) - 1),
        st.sampled_from(["buy", "cancel"]),
        st.integers(1, 40),
    ),
    max_size=12,
)


@given(asked_for)
@settings(deadline=None, max_examples=25)
def test_wallets_are_gapless_exact_and_never_below_zero_whatever_is_asked(asked: list[Asked]) -> None:
    published = published_with(Overlay(), asked)
    balances = dict.fromkeys(EMAILS, (0, Decimal(0)))
    given_back: list[str | None] = []
    for _, posted in of(published, WalletTransactionPosted):
        sequence, balance = balances[posted.user_email]
        balances[posted.user_email] = now = sequence + 1, balance + posted.amount
        assert (posted.sequence, posted.balance_after) == now
        assert posted.balance_after >= 0
        given_back += [posted.related_entity_id] if posted.kind == "refund" else []
    assert len(given_back) == len(set(given_back))
    ids = [(event.source, event.id) for _, event in published]
    assert len(ids) == len(set(ids))


@given(asked_for)
@settings(deadline=None, max_examples=15)
def test_after_a_restart_the_timeline_comes_again_as_it_was(asked: list[Asked]) -> None:
    overlay = Overlay()
    first = {event.id: event.to_json() for _, event in published_with(overlay, asked)}
    kept = Overlay.model_validate_json(overlay.model_dump_json())
    again = Desk(SCENARIO, kept)
    transactions = [
        event
        for entry in HISTORY
        for _, event in again.pass_on(entry)
        if isinstance(event.data, WalletTransactionPosted)
    ]
    assert {event.id: event.to_json() for event in transactions}.items() <= first.items()
