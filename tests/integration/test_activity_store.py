"""The stored timeline depends on the set of events and on nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.activity import consumer
from services.activity.store import INDEXES, ActivityStore
from shared.contracts.build import make_event
from shared.contracts.identity import UserLoggedIn
from shared.contracts.marketplace import ProductViewed, PurchaseCreated, PurchaseDetails
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.reading import AnyEvent
from shared.contracts.views import ActivityQuery
from shared.contracts.wallet import WalletTransactionPosted
from shared.plumbing import mongo
from shared.plumbing.mongo import Database, Document

KEEP = 5
START = datetime(2026, 3, 1, tzinfo=UTC)
ALL = ActivityQuery(limit=200)
_users = (f"user{n}@example.org" for n in count())


@pytest_asyncio.fixture(loop_scope="session")
async def indexed(database: Database) -> Database:
    await mongo.ensure_indexes(database, INDEXES)
    return database


def moment(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def viewed(user: str, minute: int) -> AnyEvent:
    return make_event(
        ProductViewed(user_email=user, product_id=f"p{minute}"),
        source="/shop",
        id=f"view-{minute}",
        time=moment(minute),
    )


def logged_in(user: str, minute: int) -> AnyEvent:
    return make_event(
        UserLoggedIn(user_email=user, session_id="s"), source="/id", id=f"login-{minute}", time=moment(minute)
    )


def bought(number: int) -> dict[str, object]:
    return {
        "purchase_id": f"pur-{number}",
        "product_id": "p",
        "product_name": "Vault",
        "product_type": "storage",
        "provider_id": "h",
        "provider_name": "Hypha",
        "amount": "5",
        "currency": "TFP",
    }


def purchase(user: str, number: int, minute: int) -> AnyEvent:
    data = PurchaseCreated.model_validate({"user_email": user, **bought(number)})
    return make_event(data, source="/shop", id=f"purchase-{number}", time=moment(minute))


def payment(user: str, number: int, minute: int) -> AnyEvent:
    data = WalletTransactionPosted.model_validate(
        {
            "user_email": user,
            "transaction_id": f"tx-{number}",
            "sequence": number,
            "kind": "purchase",
            "amount": "-5",
            "currency": "TFP",
            "balance_after": "0",
            "purchase": PurchaseDetails.model_validate(bought(number)),
        }
    )
    return make_event(data, source="/wallet", id=f"payment-{number}", time=moment(minute))


def tracking(user: str, on: bool, minute: int) -> AnyEvent:
    data = PreferencesUpdated(user_email=user, activity_tracking=on)
    return make_event(data, source="/profile", id=f"tracking-{minute}", time=moment(minute))


async def timeline(store: ActivityStore, user: str) -> list[Document]:
    return [{k: v for k, v in d.items() if k not in ("_id", "user")} for d in await store.page(user, ALL, None)]


async def applied(database: Database, user: str, batches: Sequence[Sequence[AnyEvent]]) -> list[Document]:
    """What a fresh service with an empty database shows after the batches, and after a quiet moment's trimming."""
    for collection in ("activities", "choices"):
        await database[collection].delete_many({})
    store = ActivityStore(database, KEEP)
    for batch in batches:
        await consumer.apply(store, batch)
    shown = await timeline(store, user)
    await store.settle()
    assert await timeline(store, user) == shown, "trimming shows"
    return shown


minutes = st.integers(0, 9)
kinds = st.one_of(
    st.tuples(st.just(viewed), minutes),
    st.tuples(st.just(logged_in), minutes),
    st.tuples(st.just(purchase), st.integers(0, 2), minutes),
    st.tuples(st.just(payment), st.integers(0, 2), minutes),
    st.tuples(st.just(tracking), st.just(False), minutes),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(kinds, min_size=1, max_size=18, unique_by=lambda kind: kind), st.data())
async def test_any_order_any_duplicates_any_batches_give_the_same_timeline(
    indexed: Database, told: list[tuple[object, ...]], data: st.DataObject
) -> None:
    user = next(_users)
    made = [make(user, *arguments) for make, *arguments in told]  # type: ignore[operator]
    events: list[AnyEvent] = list({(event.source, event.id): event for event in made}.values())
    shuffled = data.draw(st.permutations(events * 2))
    size = data.draw(st.integers(1, len(shuffled)))
    batches = [shuffled[i : i + size] for i in range(0, len(shuffled), size)]
    assert await applied(indexed, user, batches) == await applied(indexed, user, [events])


async def test_a_batch_that_comes_again_tells_of_its_users_again(indexed: Database) -> None:
    """It may be the first time that somebody hears of it: the process may have ended before it could say so."""
    user = next(_users)
    store = ActivityStore(indexed, KEEP)
    told = [await consumer.apply(store, [logged_in(user, 1), viewed(user, 2)]) for _ in range(2)]
    assert [(stored.applied, stored.duplicates) for stored in told] == [(2, 0), (0, 2)]
    assert [stored.changed for stored in told] == [{(user, "activity")}] * 2


async def test_the_newest_are_kept_and_no_more(indexed: Database) -> None:
    user = next(_users)
    store = ActivityStore(indexed, KEEP)
    await consumer.apply(store, [logged_in(user, minute) for minute in range(200)])
    await store.settle()
    assert [d["event"].partition("\n")[0] for d in await timeline(store, user)] == [
        f"login-{minute}" for minute in range(199, 194, -1)
    ]
    assert await indexed["activities"].count_documents({"user": user}) == KEEP


async def test_under_load_a_timeline_grows_by_a_step_and_no_more(indexed: Database) -> None:
    user = next(_users)
    store = ActivityStore(indexed, KEEP)
    for minute in range(300):
        await consumer.apply(store, [logged_in(user, minute)])
        assert await indexed["activities"].count_documents({"user": user}) <= KEEP + 65


async def test_a_restarted_service_knows_how_much_is_stored(indexed: Database) -> None:
    user = next(_users)
    for minute in range(KEEP + 10):
        await consumer.apply(ActivityStore(indexed, KEEP), [logged_in(user, minute)])
    after_the_crash = ActivityStore(indexed, KEEP)
    await consumer.apply(after_the_crash, [logged_in(user, 99)])
    await after_the_crash.settle()
    assert await indexed["activities"].count_documents({"user": user}) == KEEP


async def test_what_browsing_pushed_out_of_sight_is_there_when_the_consent_ends(indexed: Database) -> None:
    user = next(_users)
    events = [logged_in(user, 0), *(viewed(user, minute) for minute in range(1, 200))]
    shown = await applied(indexed, user, [events, [tracking(user, False, 200)]])
    assert [d["event"].partition("\n")[0] for d in shown] == ["tracking-200", "login-0"]


async def test_after_consent_is_given_again_new_browsing_is_kept(indexed: Database) -> None:
    user = next(_users)
    events = [
        [viewed(user, 1)],
        [tracking(user, False, 2)],
        [viewed(user, 3)],
        [tracking(user, True, 4)],
        [viewed(user, 5)],
    ]
    assert [d["event"].partition("\n")[0] for d in await applied(indexed, user, events)] == [
        "view-5",
        "tracking-4",
        "tracking-2",
    ]


async def test_a_choice_stored_while_browsing_is_being_stored_is_heeded(indexed: Database) -> None:
    """Another process may store a choice after this one has read the choices and before it writes."""
    user = next(_users)
    store, other = ActivityStore(indexed, KEEP), ActivityStore(indexed, KEEP)
    write = store._write

    async def write_after_the_other(activities):  # type: ignore[no-untyped-def]
        await consumer.apply(other, [tracking(user, False, 9)])
        return await write(activities)

    store._write = write_after_the_other  # type: ignore[method-assign]
    await consumer.apply(store, [viewed(user, 1)])
    assert [d["event"].partition("\n")[0] for d in await timeline(store, user)] == ["tracking-9"]


async def test_a_page_costs_what_it_shows(indexed: Database) -> None:
    """The index gives the timeline in order: fifty of a thousand are found by looking at fifty."""
    user = next(_users)
    store = ActivityStore(indexed, 1_000)
    await consumer.apply(store, [e for minute in range(600) for e in (logged_in(user, minute), viewed(user, minute))])
    stages = [*store._timeline(user), {"$limit": 51}]
    plan = await indexed.command(
        {"explain": {"aggregate": "activities", "pipeline": stages, "cursor": {}}, "verbosity": "executionStats"}
    )
    assert plan["executionStats"]["totalDocsExamined"] == 51
    assert "SORT_MERGE" in str(plan)
