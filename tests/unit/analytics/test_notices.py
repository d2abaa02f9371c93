"""What is worth a notification, as a function of what is known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain import conditions
from services.analytics.domain.months import zone_of
from services.analytics.domain.notices import (
    Notice,
    SignIn,
    browser_of,
    country_of,
    errors,
    failings,
    is_recent,
    new_sign_ins,
    notice_of,
    shortened,
)
from services.analytics.domain.things import Period, Purchase
from services.analytics.domain.wording import ABOUT, body_of, title_of
from shared.contracts.analytics_forecast import Anomaly, Runway, ToldAlert
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import CommandRefused
from shared.contracts.profile import DataExported, ProfileUpdated
from shared.contracts.purchases import CredentialsRevealed
from shared.contracts.times import microseconds
from shared.contracts.types import DeploymentStatus
from shared.folds.deployment import Check, Interval
from tests.unit.analytics.things import NOW, days_ago, purchase

ADA = "ada@example.org"
UTC_ZONE = zone_of(None)
WHERE = {"product": "Solar", "region": "eu"}


def passed(*moves: tuple[DeploymentStatus, float]) -> list[Interval]:
    """The statuses, each from so many hours before NOW on."""
    starts = [microseconds(NOW - timedelta(hours=hours)) for _, hours in moves]
    ends = [*starts[1:], None]
    return [Interval(what, at, end, "why") for (what, _), at, end in zip(moves, starts, ends, strict=True)]


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (CommandRefused(user_email=ADA, command_id="c", reason="The balance is too low."), "request_refused"),
        (CredentialsRevealed(user_email=ADA, deployment_id="d"), "credentials_revealed"),
        (DataExported(user_email=ADA, items=3), "data_exported"),
        (ProfileUpdated(user_email=ADA, changed=["password"]), "password_changed"),
        (ProfileUpdated(user_email=ADA, changed=["bio"]), None),
    ],
)
def test_some_events_are_news_by_themselves(payload: UserPayload, code: str | None) -> None:
    event = make_event(payload, source="/s", id="1", time=NOW)
    made = notice_of(event)
    assert (made and made.code) == code
    assert made == notice_of(event)  # also its id
    if made:
        assert made.at == NOW
        again = make_event(payload, source="/s", id="2", time=NOW)
        other = make_event(payload.model_copy(update={"user_email": "bo@example.org"}), source="/s", id="1", time=NOW)
        assert len({each.id for each in (made, notice_of(again), notice_of(other)) if each}) == 3
        assert title_of(made.code, made.params)
        assert body_of(made.code, made.params)


def test_only_what_is_recent_is_news() -> None:
    assert is_recent(days_ago(6.9), NOW)
    assert not is_recent(days_ago(7.1), NOW)
    assert is_recent(NOW + timedelta(minutes=59), NOW)
    assert not is_recent(NOW + timedelta(hours=2), NOW)


def test_an_error_is_told_once_and_resolved_by_whatever_follows() -> None:
    first, second = errors(
        ADA, "d", WHERE, passed(("running", 9), ("error", 8), ("error", 7), ("stopped", 6), ("error", 2))
    )
    assert (first.at, first.resolved_at) == (hours_ago(8), hours_ago(6))
    assert (second.at, second.resolved_at) == (hours_ago(2), None)
    assert (first.related, first.params["reason"], first.severity) == (("deployment", "d"), "why", "critical")
    assert title_of(first.code, first.params) == "Solar has failed"
    assert list(errors(ADA, "d", WHERE, passed(("deploying", 9), ("running", 8)))) == []


def checks(*said: tuple[float, bool]) -> list[Check]:
    return [Check(microseconds(hours_ago(hours)), healthy) for hours, healthy in said]


def test_three_failed_checks_in_a_row_are_told_until_a_good_one() -> None:
    failed = checks((5, False), (4.75, False), (4.5, False), (4.25, False), (4, True), (3, False), (2.75, False))
    (told,) = failings(ADA, "d", WHERE, passed(("running", 9)), failed)
    assert (told.at, told.resolved_at) == (hours_ago(4.5), hours_ago(4))
    (open_,) = failings(ADA, "d", WHERE, passed(("running", 9)), [*failed, *checks((2.5, False))][5:])
    assert open_.resolved_at is None
    (ended,) = failings(ADA, "d", WHERE, passed(("running", 9), ("stopped", 4.3)), failed[:3])
    assert ended.resolved_at == hours_ago(4.3)
    for status in ("error", "maintenance", "stopped", "deploying"):
        assert list(failings(ADA, "d", WHERE, passed((status, 9)), failed)) == []


def test_the_first_place_is_no_news_and_a_new_country_or_browser_is() -> None:
    home = SignIn("SE", "Firefox", days_ago(30))
    assert list(new_sign_ins(ADA, [home])) == []
    abroad, phone = SignIn("FR", "Firefox", days_ago(2)), SignIn("SE", "Safari", days_ago(1))
    both = SignIn("FR", "Safari", days_ago(0.5))  # each was seen by then
    assert [n.params["where"] for n in new_sign_ins(ADA, [both, phone, abroad, home])] == [
        "Safari in SE",
        "Firefox in FR",
    ]


def test_what_is_unknown_is_neither_new_nor_something_to_be_new_against() -> None:
    unknown = SignIn(None, None, days_ago(30))
    first = SignIn("SE", "Firefox", days_ago(20))
    assert list(new_sign_ins(ADA, [unknown, first])) == []
    (told,) = new_sign_ins(ADA, [unknown, first, SignIn(None, "Chrome", days_ago(1))])
    assert told.params["where"] == "Chrome"


@given(
    st.lists(
        st.builds(
            SignIn,
            st.sampled_from([None, "SE", "FR"]),
            st.sampled_from([None, "Firefox", "Chrome"]),
            st.integers(0, 5).map(lambda n: days_ago(n)),
        ),
        unique_by=lambda place: (place.country, place.browser),
    ).flatmap(lambda places: st.tuples(st.just(places), st.permutations(places)))
)
def test_which_place_is_new_depends_on_no_order(orders: tuple[Sequence[SignIn], Sequence[SignIn]]) -> None:
    one, other = ({each.id: each for each in new_sign_ins(ADA, places)} for places in orders)
    assert one == other


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", "Firefox"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36", "Chrome"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36 Edg/130.0", "Edge"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15", "Safari"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 CriOS/130.0 Mobile Safari/604.1", "Chrome"),
        ("curl/8.10.1", "curl"),
        ("Something of its own", None),
        ("", None),
        (None, None),
    ],
)
def test_a_browser_is_known_by_its_family(user_agent: str | None, family: str | None) -> None:
    assert browser_of(user_agent) == family


def test_a_country_is_two_letters() -> None:
    assert [country_of(c) for c in ("se", "SE", "SWE", "", None, "1A", "ÅÄ")] == ["SE", "SE", *[None] * 5]


def renewing(id: str, amount: int, in_days: float, *, renews: bool = True, currency: str = "TFP") -> Purchase:
    billed = days_ago(-in_days)
    period = Period(days_ago(30), billed, renews, 1.0, 1, billed if renews else None)
    return purchase(id, amount=Decimal(amount), period=period, currency=currency)


def test_what_is_due_is_covered_in_the_order_of_its_days() -> None:
    due = [renewing("c", 5, 2.5), renewing("a", 10, 1), renewing("b", 10, 2), renewing("far", 900, 4)]
    due += [renewing("ends", 900, 1, renews=False), renewing("euro", 900, 1, currency="EUR")]

    def told(balance: int) -> list[str | None]:
        found = conditions.uncovered(ADA, due, Decimal(balance), "TFP", NOW, UTC_ZONE)
        return [each.related and each.related[1] for each in found]

    assert told(25) == []
    assert told(24) == ["c"]
    assert told(10) == ["b", "c"]
    (first, *_) = conditions.uncovered(ADA, due, Decimal(0), "TFP", NOW, UTC_ZONE)
    assert body_of(first.code, first.params).startswith("10 TFP are due on 2026-06-16, and the wallet has 0 TFP")


def test_what_ends_within_a_week_and_does_not_renew_is_told() -> None:
    active = [renewing("a", 1, 6, renews=False), renewing("b", 1, 8, renews=False), renewing("c", 1, 6)]
    active += [renewing("past", 1, -1, renews=False), purchase("none")]
    day = Period(days_ago(0), days_ago(-1), False, 1.0, 1, None)
    active += [purchase("bought for a day", period=day)]
    (told,) = conditions.ending(ADA, active, NOW, UTC_ZONE)
    assert title_of(told.code, told.params) == "Product a ends on 2026-06-21"


def runway(days: int | None, burn: str = "2.00") -> Runway:
    return Runway(
        balance="10",
        currency="TFP",
        as_of=NOW,
        window_days=90,
        burn_per_day=burn,
        days_left=days,
        runs_out_on=None if days is None else (NOW + timedelta(days=days)).date(),
        basis="",
        deployments=[],
    )


@pytest.mark.parametrize(
    ("found", "told"), [(runway(13), 1), (runway(0), 1), (runway(14), 0), (runway(None), 0), (runway(0, "0.00"), 0)]
)
def test_a_wallet_that_lasts_for_less_than_two_weeks_is_told(found: Runway, told: int) -> None:
    assert len(list(conditions.running_out(ADA, found, NOW))) == told


def anomaly(month: str, direction: str, provider: str | None = None) -> Anomaly:
    amounts = {"spent": "90.00", "usual": "10.00", "difference": "80.00", "score": 9.0, "summary": "", "drivers": []}
    names = {"provider_id": provider, "provider_name": provider and provider.title(), "direction": direction}
    told = {"id": f"{month}:{provider}:{direction}", "month": month, "running": month == "2026-06", **names, **amounts}
    return Anomaly.model_validate(told)


def test_spending_above_the_usual_is_told_while_it_is_new() -> None:
    found = [anomaly("2026-06", "above"), anomaly("2026-06", "below"), anomaly("2026-05", "above")]
    (told,) = conditions.unusual(ADA, [*found, anomaly("2026-04", "above", "hypha")], NOW, UTC_ZONE)
    assert (told.code, told.params["month"]) == ("spending_unusual", "2026-06")
    early = NOW.replace(day=3)
    assert {n.params["month"] for n in conditions.unusual(ADA, found, early, UTC_ZONE)} == {"2026-06", "2026-05"}
    (of_one,) = conditions.unusual(ADA, [anomaly("2026-06", "above", "hypha")], NOW, UTC_ZONE)
    assert title_of(of_one.code, of_one.params) == "Unusual spending on Hypha in 2026-06"


def test_an_alert_is_a_notification() -> None:
    def alert(threshold: int) -> ToldAlert:
        given = {"id": f"{threshold}", "kind": "budget_reached", "month": "2026-06", "message": "So it is."}
        return ToldAlert.model_validate({**given, "threshold": threshold, "raised_at": days_ago(1)})

    some, all_ = conditions.of_budget(ADA, [alert(80), alert(100)])
    assert (some.severity, all_.severity) == ("warning", "critical")
    assert (title_of(some.code, some.params), some.at) == ("80 % of your budget for 2026-06 is used", days_ago(1))


@given(st.text(max_size=400))
def test_params_are_one_short_line_and_no_template(text: str) -> None:
    assert len(shortened(text)) <= 300
    assert not {"\n", "\r", "\x00"} & set(shortened(text))
    made = notice_of(make_event(CommandRefused(user_email=ADA, command_id="c", reason="{0} {x} " + text), source="/s"))
    assert made
    assert body_of(made.code, made.params).startswith("{0} {x}")


def test_every_code_is_worded_with_the_params_that_it_has() -> None:
    told: list[Notice] = [
        *errors(ADA, "d", WHERE, passed(("error", 1))),
        *failings(ADA, "d", WHERE, passed(("running", 9)), checks((3, False), (2, False), (1, False))),
        *conditions.uncovered(ADA, [renewing("a", 10, 1)], Decimal(0), "TFP", NOW, UTC_ZONE),
        *conditions.unusual(ADA, [anomaly("2026-06", "above"), anomaly("2026-06", "above", "h")], NOW, UTC_ZONE),
    ]
    for each in told:
        assert "{" not in title_of(each.code, each.params) + body_of(each.code, each.params)
        assert each.about == ABOUT[each.code]
