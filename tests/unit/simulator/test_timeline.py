"""The timeline: a pure function of the scenario and its live stretches, in order of time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelium.simulator import Scenario, Stretch, World, history
from mycelium.simulator.diary import Entry
from mycelium.simulator.persona import WAKING_HOURS, personas
from shared.contracts.wallet import WalletTransactionPosted
from tests.unit.simulator.picking import of

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
SOON = UNTIL + timedelta(minutes=20)

scenarios = st.builds(
    Scenario,
    seed=st.integers(0, 2**64),
    users=st.integers(1, 3),
    days=st.integers(0, 40),
    until=st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    emails=st.sampled_from([(), ("demo@example.org",)]),
)


def as_bytes(entries: list[Entry]) -> list[tuple[str, bytes]]:
    return [(topic.name, event.to_json()) for topic, event in entries]


def about(entries: list[Entry], emails: set[str]) -> list[tuple[str, bytes]]:
    return as_bytes([(topic, event) for topic, event in entries if event.subject in emails])


@given(scenarios)
@settings(deadline=None, max_examples=10)
def test_the_same_scenario_gives_the_same_bytes(scenario: Scenario) -> None:
    assert as_bytes(list(history(scenario))) == as_bytes(list(history(scenario)))


def test_another_seed_and_another_time_give_other_ids() -> None:
    one, other_seed, other_time = (
        {event.id for _, event in history(scenario)}
        for scenario in (
            Scenario(1, 2, 20, UNTIL),
            Scenario(2, 2, 20, UNTIL),
            Scenario(1, 2, 20, UNTIL - timedelta(days=1)),
        )
    )
    assert one
    assert one.isdisjoint(other_seed)
    assert one.isdisjoint(other_time)


def test_ids_are_given_once(entries: list[Entry]) -> None:
    assert len({(event.source, event.id) for _, event in entries}) == len(entries)


def test_more_users_leave_the_others_unchanged() -> None:
    few, many = Scenario(3, 2, 40, UNTIL), Scenario(3, 5, 40, UNTIL, ("demo@example.org",))
    emails = {persona.email for persona in personas(few)}
    assert emails < {persona.email for persona in personas(many)}
    assert about(list(history(few)), emails) == about(list(history(many)), emails) != []


@given(scenarios)
@settings(deadline=None, max_examples=10)
def test_a_history_is_in_order_of_time_and_within_its_days(scenario: Scenario) -> None:
    times = [event.time for _, event in history(scenario)]
    assert all(before <= after for before, after in pairwise(times))
    assert all(scenario.start <= time < scenario.until for time in times)


def test_ids_of_a_user_rise_with_time_so_that_they_settle_a_tie(entries: list[Entry]) -> None:
    mine = [event.id for _, event in entries if event.subject == "demo@example.org"]
    assert mine == sorted(mine)


def test_sessions_begin_when_their_users_are_awake(scenario: Scenario, entries: list[Entry]) -> None:
    zones = {persona.email: persona.zone for persona in personas(scenario)}
    hours = [
        event.time.astimezone(zones[event.subject]).hour for _, event in entries if event.type == "user.logged_in.v1"
    ]
    assert len({str(zone) for zone in zones.values()}) > 5
    assert min(hours) >= WAKING_HOURS[0]
    assert max(hours) < WAKING_HOURS[1]


def test_a_named_user_is_there_from_the_first_days_on_and_has_a_history(entries: list[Entry]) -> None:
    mine = [event for _, event in entries if event.subject == "demo@example.org"]
    assert mine[0].type == "user.registered.v1"
    assert mine[0].time < UNTIL - timedelta(days=88)
    assert {"purchase.created.v1", "deployment.created.v1", "wallet.pool_position_changed.v1"} <= {e.type for e in mine}


def went_live(scenario: Scenario, start: datetime, rate: float, until: datetime) -> list[Entry]:
    """What is published by one run that goes live at `start`, after the history."""
    world = World(scenario)
    entries = [*world.advance(scenario.until), *world.advance(start)]
    world.go_live(Stretch(start, rate))
    return [*entries, *world.advance(until)]


@given(scenarios, st.integers(0, 7_200_000), st.integers(0, 600_000), st.integers(0, 10_000), st.floats(0.2, 5))
@settings(deadline=None, max_examples=10)
def test_a_later_run_retells_a_live_stretch_byte_for_byte(
    scenario: Scenario, gap: int, length: int, lease: int, rate: float
) -> None:
    start = scenario.until + timedelta(milliseconds=gap)
    killed = start + timedelta(milliseconds=length)
    published = went_live(scenario, start, rate, killed)
    kept = [Stretch(start, rate, killed + timedelta(milliseconds=lease))]
    assert as_bytes(published) == as_bytes(list(World(scenario).replay(kept, killed)))


def test_after_a_stretch_the_users_are_no_busier_than_before() -> None:
    scenario = Scenario(1, 20, 30, UNTIL)
    day = UNTIL + timedelta(days=1)
    quiet = len(list(World(scenario).replay([], day)))
    busy = len(list(World(scenario).replay([Stretch(UNTIL, 1, SOON)], day)))
    in_session = 20 * 15
    assert quiet + 0.7 * 1_200 < busy < quiet + 1.3 * 1_200 + in_session


@pytest.mark.parametrize(("users", "rate"), [(1, 1.0), (20, 1.0), (20, 30.0), (400, 1.0)])
def test_live_events_come_at_about_the_rate_from_the_start(users: int, rate: float) -> None:
    world = World(Scenario(1, users, 5, UNTIL))
    list(world.advance(UNTIL))
    world.go_live(Stretch(UNTIL, rate))
    times = [event.time for topic, event in world.advance(SOON) if topic.key == "user"]
    assert times[0] < UNTIL + timedelta(seconds=30)
    assert 0.6 * rate < len(times) / 1_200 < 1.6 * rate


def test_who_is_live_before_their_registration_registers_first() -> None:
    scenario = Scenario(5, 10, 0, UNTIL)
    firsts: dict[str, str] = {}
    registrations = 0
    for _, event in World(scenario).replay([Stretch(UNTIL, 5)], UNTIL + timedelta(hours=1)):
        firsts.setdefault(event.subject, event.type)
        registrations += event.type == "user.registered.v1"
    assert all(firsts[persona.email] == "user.registered.v1" for persona in personas(scenario))
    assert registrations == 10


def test_live_wallets_go_on_where_the_history_left_them() -> None:
    scenario = Scenario(1, 4, 20, UNTIL)
    stretches = [Stretch(UNTIL, 3, SOON), Stretch(UNTIL + timedelta(hours=5), 3)]
    entries = list(World(scenario).replay(stretches, UNTIL + timedelta(hours=6)))
    for persona in personas(scenario):
        mine = [(time, tx) for time, tx in of(entries, WalletTransactionPosted) if tx.user_email == persona.email]
        assert [tx.sequence for _, tx in mine] == list(range(1, len(mine) + 1))
        assert any(time > stretches[1].start for time, _ in mine)
