"""What becomes of an old file, as docs/legacy.md says, however often and from whichever version it is read."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelium.legacy.report import Report
from mycelium.legacy.shapes import SOURCE
from mycelium.legacy.telling import Entry
from shared.contracts.envelope import CONTENT_TYPE_HEADER, Event, UserPayload
from shared.contracts.identity import UserRegistered
from shared.contracts.legacy import LegacyActivityFound, LegacyPreferencesFound
from shared.contracts.reading import Reader
from shared.contracts.topics import PAYLOADS
from shared.contracts.views import ActivityType
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from tests.unit.legacy.files import DOCS, EMAIL, Json, example, problems, told, transaction

P = TypeVar("P", bound=UserPayload)
START = datetime(2024, 3, 1, tzinfo=UTC)


def of(entries: Sequence[Entry], payload: type[P]) -> list[tuple[datetime, P]]:
    return [(event.time, event.data) for _, event in entries if isinstance(event.data, payload)]


def only(entries: Sequence[Entry], payload: type[P]) -> P:
    [(_, data)] = of(entries, payload)
    return data


def with_transactions(*transactions: Json, **members: object) -> Json:
    return {"user_email": EMAIL, "transactions": list(transactions), **members}


def lines(content: Json) -> list[WalletTransactionPosted]:
    return [line for _, line in of(told(content), WalletTransactionPosted)]


def test_every_event_of_the_example_is_valid_on_its_topic() -> None:
    reader = Reader(PAYLOADS.values())
    for topic, event in told(example()):
        read = reader.read(topic.name, event.subject.encode(), event.to_json(), (CONTENT_TYPE_HEADER,))
        assert isinstance(read, Event), read
        assert (read.source, read.subject) == (SOURCE, EMAIL)


def test_the_example_is_reported_as_the_document_says() -> None:
    [text] = re.findall(r"```text\n(.*?)\n1 files", DOCS, re.DOTALL)
    report = Report("ada.json")
    told(example(), report)
    assert "\n".join(report.lines()) == text


def test_the_example_says_the_same_every_time() -> None:
    again = [(topic, event.to_json()) for topic, event in told(orjson.dumps(example(), option=orjson.OPT_INDENT_2))]
    assert again == [(topic, event.to_json()) for topic, event in told(example())]
    assert len({event.id for _, event in told(example())}) == len(again)


def test_a_position_that_has_changed_is_told_anew_and_later() -> None:
    changed = example()
    changed["pool_positions"]["pool-green"]["current_value"] = "22.00"
    changed["transactions"].append(transaction("tx-9", timestamp="2024-04-01T00:00:00Z"))
    [before], [after] = (
        [event for _, event in told(content) if isinstance(event.data, WalletPoolPositionChanged)]
        for content in (example(), changed)
    )
    assert before.id != after.id
    assert before.time < after.time


def test_the_account_of_the_example() -> None:
    [(at, account)] = of(told(example()), UserRegistered)
    assert account == UserRegistered(
        user_email=EMAIL, display_name="Ada Lovelace", country="BE", timezone="Europe/Brussels"
    )
    assert at == datetime(2024, 3, 1, 9, 0, 0, 123456, UTC)
    [(at, _)] = of(told(example() | {"created_at": "2023-01-01T00:00:00Z"}), UserRegistered)
    assert at == datetime(2023, 1, 1, tzinfo=UTC)


def test_the_wallet_of_the_example() -> None:
    top_up, bought, invested = lines(example())
    assert (top_up.sequence, top_up.amount, top_up.balance_after) == (1, Decimal(200), Decimal(200))
    assert (bought.kind, bought.amount, bought.balance_after) == ("purchase", Decimal("-42.50"), Decimal("157.50"))
    assert (invested.kind, invested.amount, invested.balance_after) == (
        "pool_investment",
        Decimal(-20),
        Decimal("137.50"),
    )
    assert (invested.sequence, invested.related_entity_id, invested.related_entity_type) == (3, "pool-green", "pool")
    details = bought.purchase
    assert details is not None
    assert (details.purchase_id, details.product_id, details.product_name) == ("tx-2", "prod-7", "Solar Forecast")
    assert (details.product_type, details.provider_id, details.provider_name) == ("application", "prov-2", "Hypha")
    assert (details.amount, details.currency, details.status) == (Decimal("42.50"), "TFP", "completed")


def test_the_position_of_the_example() -> None:
    [(at, position)] = of(told(example()), WalletPoolPositionChanged)
    assert (position.pool_id, position.invested, position.current_value) == (
        "pool-green",
        Decimal(20),
        Decimal("21.75"),
    )
    assert (position.apy_percent, position.currency, position.status) == (4.5, "TFP", "open")
    assert at == datetime(2024, 3, 6, 10, tzinfo=UTC)


def test_the_preferences_and_the_activity_of_the_example() -> None:
    [(at, found)] = of(told(example()), LegacyPreferencesFound)
    assert at == datetime(2024, 3, 3, tzinfo=UTC)
    assert found.preferences["theme"] == "dark"
    assert found.preferences["price_range_filter"] == ["10", "250.5"]
    assert "updated_at" not in found.preferences
    activity = only(told(example()), LegacyActivityFound)
    assert (activity.activity_type, activity.related_entity_id, activity.metadata) == (
        "product_view",
        "prod-7",
        {"from": "search"},
    )


@pytest.mark.parametrize(
    "given",
    ["Purchase", "purchase", {"Purchase": {}}, {"type": "Purchase"}, {"type": "purchase"}, {"Purchase": None}],
)
def test_an_enum_is_read_in_every_form(given: object) -> None:
    [line] = lines(with_transactions(transaction(transaction_type=given)))
    assert (line.kind, line.amount, line.purchase) == ("purchase", Decimal(-10), None)


@pytest.mark.parametrize(
    ("row", "kind"), re.findall(r"^\| ((?:`[A-Z]\w+` ?)+) \| `(\w+)` \|$", DOCS, re.MULTILINE), ids=str
)
def test_the_table_of_kinds_is_true(row: str, kind: str) -> None:
    for name in re.findall(r"\w+", row):
        assert [line.kind for line in lines(with_transactions(transaction(transaction_type=name)))] == [kind]


@pytest.mark.parametrize(
    ("members", "amount", "kind"),
    [({"to_user": "x"}, "5", "transfer_out"), ({}, "-5", "transfer_out"), ({"from_user": "x"}, "5", "transfer_in")],
)
def test_a_transfer_goes_where_it_says(members: Json, amount: str, kind: str) -> None:
    [line] = lines(with_transactions(transaction(transaction_type={"Transfer": members}, amount=amount)))
    assert (line.kind, abs(line.amount)) == (kind, Decimal(5))


@pytest.mark.parametrize("name", get_args(ActivityType))
def test_every_activity_type_is_read(name: str) -> None:
    pascal = "".join(part.capitalize() for part in name.split("_"))
    for form in (name, pascal):
        activity = {"activity_type": form, "timestamp": "2024-03-01T09:00:00Z"}
        content = {"user_email": EMAIL, "user_activities": [activity]}
        assert only(told(content), LegacyActivityFound).activity_type == name


def test_what_may_move_yet_keeps_its_place_and_what_never_moved_has_none() -> None:
    times = [f"2024-03-0{day}T00:00:00Z" for day in range(1, 6)]
    content = with_transactions(
        transaction("a", timestamp=times[0]),
        transaction("b", timestamp=times[1], status="Pending"),
        transaction("c", timestamp=times[2], status="Failed"),
        transaction("d", timestamp=times[3], amount="much"),
        transaction("e", timestamp=times[4]),
    )
    assert [(line.transaction_id, line.sequence) for line in lines(content)] == [("a", 1), ("e", 4)]
    assert problems(content) == ['transactions[3]: amount: should be a decimal in a string, such as "12.50"']


def test_a_difference_between_the_lines_and_the_balance_is_reported() -> None:
    report = Report("f")
    told(with_transactions(transaction("a"), wallet_balance="12.50"), report)
    assert dict(report.notes) == {"the wallet's lines and its balance differ by 2.50 TFP": 1}
    assert report.is_whole
    [line] = lines(with_transactions(transaction("a"), wallet_balance=12.5))
    assert (line.amount, line.balance_after) == (Decimal(10), Decimal("12.5"))


def test_a_purchase_that_says_too_little_is_a_line_only() -> None:
    report = Report("f")
    told(with_transactions(transaction(transaction_type={"Purchase": {"product_id": "p"}})), report)
    assert (report.counts["transactions"], report.counts["purchases"]) == (1, 0)
    assert len(report.notes) == 1


@pytest.mark.parametrize("related", [None, "prod-8"])
def test_an_activity_that_no_transaction_tells_of_stays(related: str | None) -> None:
    content = example()
    content["user_activities"][1]["related_entity_id"] = related
    assert len(of(told(content), LegacyActivityFound)) == 2


moments = st.integers(0, 10_000).map(lambda minutes: START + timedelta(minutes=minutes))
amounts = st.decimals(Decimal("0.01"), 1_000_000, places=2).map(str)
kinds = st.sampled_from(["TopUp", "Purchase", {"Transfer": {"to_user": "x"}}, "Reward", {"type": "stake"}])


@st.composite
def wallets(draw: st.DrawFn) -> list[Json]:
    """Transactions in order of time, some without an id of their own."""
    times = sorted(draw(st.lists(moments, max_size=12, unique=True)))
    return [
        transaction(
            draw(st.sampled_from([f"t{n}", None])),
            timestamp=time.isoformat(),
            amount=draw(amounts),
            transaction_type=draw(kinds),
        )
        for n, time in enumerate(times)
    ]


def total(transactions: Sequence[Json]) -> Decimal:
    return sum((line.amount for line in lines(with_transactions(*transactions))), Decimal(0))


@settings(deadline=None, max_examples=40)
@given(wallets(), st.randoms(use_true_random=False))
def test_the_ledger_is_whole_and_ends_with_the_balance_in_whatever_order_it_is_written(
    wallet: list[Json], random: Any
) -> None:
    balance = total(wallet)
    shuffled = random.sample(wallet, len(wallet))
    content = with_transactions(*shuffled, wallet_balance=str(balance))
    found = lines(content)
    assert [line.sequence for line in found] == list(range(1, len(wallet) + 1))
    running = Decimal(0)
    for line in found:
        running += line.amount
        assert line.balance_after == running
    assert running == balance
    assert found == lines(with_transactions(*wallet, wallet_balance=str(balance)))


activities = st.builds(
    lambda time, kind, own: {
        "activity_type": kind,
        "timestamp": time.isoformat(),
        "description": "x",
        **({"id": f"{kind}-{time:%m%d%H%M}"} if own else {}),
    },
    moments,
    st.sampled_from(["Login", "ProductView", "SupportRequest"]),
    st.booleans(),
)


@settings(deadline=None, max_examples=40)
@given(wallets(), st.lists(activities, max_size=8), st.data())
def test_read_again_when_it_has_grown_an_old_file_says_what_it_said_and_more(
    wallet: list[Json], done: list[Json], data: st.DataObject
) -> None:
    upto, since = data.draw(st.integers(0, len(wallet))), data.draw(st.integers(0, len(done)))
    created = {"created_at": "2024-01-01T00:00:00Z", "name": "Ada"}

    def events(transactions: list[Json], activities: list[Json]) -> dict[str, bytes]:
        balance = {"wallet_balance": str(total(transactions))}
        content = with_transactions(*transactions, user_activities=activities, **created, **balance)
        return {event.id: event.to_json() for _, event in told(content)}

    before, after = events(wallet[:upto], done[:since]), events(wallet, done)
    assert before.items() <= after.items()
    assert before == events(wallet[:upto], done[:since])
    trimmed = events(wallet, done[since:])  # the marketplace kept the last thousand only
    assert trimmed.items() <= after.items()
