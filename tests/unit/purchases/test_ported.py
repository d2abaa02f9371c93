"""What a file says of a user's things is all that was said of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.contracts import marketplace
from shared.contracts.envelope import Payload
from shared.contracts.portable import (
    DeploymentItem,
    HealthItem,
    PoolItem,
    PurchaseItem,
    TransactionItem,
)
from shared.contracts.reading import AnyEvent, Reader
from shared.contracts.samples import good_samples
from shared.contracts.times import microseconds
from shared.contracts.topics import PAYLOADS, TOPICS_OF
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from shared.folds import deployment, purchase, wallet
from shared.folds.facts import CREDENTIALS, Fact, Kind, facts_of
from shared.folds.ported import FACTS, IMPORTED, facts_in, facts_shown, health_shown
from shared.folds.state import State, empty, merge
from shared.folds.wallet import Line
from tests.unit.contracts.strategies import events

ADA = "ada@example.org"
USED: list[type[Payload]] = [
    marketplace.PurchaseCreated,
    marketplace.PurchaseStatusChanged,
    marketplace.PurchaseServicePeriodChanged,
    marketplace.PurchaseRated,
    marketplace.SupportTicketOpened,
    marketplace.DeploymentCreated,
    marketplace.DeploymentStatusChanged,
    marketplace.DeploymentScaled,
    marketplace.DeploymentHealthReported,
    WalletTransactionPosted,
    WalletPoolPositionChanged,
]
READER = Reader(PAYLOADS.values())
IDS = {"purchase_id": "pur", "deployment_id": "dep", "transaction_id": "tx", "pool_id": "pool"}
NEVER_IN_A_FILE = {CREDENTIALS}
ITEMS: dict[Kind, tuple[str, TypeAdapter[Any]]] = {
    "purchase": ("purchases", TypeAdapter(PurchaseItem)),
    "deployment": ("deployments", TypeAdapter(DeploymentItem)),
    "health": ("health", TypeAdapter(HealthItem)),
    "transaction": ("transactions", TypeAdapter(TransactionItem)),
    "pool": ("pools", TypeAdapter(PoolItem)),
}


def read(raw: dict[str, Any]) -> AnyEvent:
    """One of Ada's events about the one thing of its kind that she has."""
    data = {**raw["data"], "user_email": ADA} | {name: one for name, one in IDS.items() if name in raw["data"]}
    if isinstance(data.get("purchase"), dict):
        data["purchase"] = {**data["purchase"], "purchase_id": "pur"}
    event = READER.read(
        TOPICS_OF[raw["type"]][0], ADA.encode(), orjson.dumps({**raw, "subject": ADA, "data": data}), ()
    )
    assert hasattr(event, "data"), event
    return event  # type: ignore[return-value]


histories = st.lists(st.sampled_from(USED).flatmap(events).map(read), max_size=12)
Things = dict[tuple[Kind, str], State]


def things(facts: list[Fact], known: Things | None = None) -> Things:
    """What the facts come to, by kind and id, as a store has it."""
    made = known or {}
    for fact in facts:
        state = made.setdefault((fact.kind, fact.id), {**empty(), "id": fact.id})
        merge(state, [fact])
    return made


def is_listed(kind: Kind, state: State) -> bool:
    return {"purchase": purchase.is_listed, "deployment": deployment.is_listed}.get(kind, lambda _: True)(state)


def shown(kind: Kind, state: State) -> Any:
    """The item in the file: what the API shows, and the facts."""
    match kind:
        case "purchase":
            record = purchase.record_of(state["id"], state) | {"status_history": purchase.history_of(state)}
        case "deployment":
            names = dict.fromkeys(("product_name", "provider_name", "currency"))
            record = deployment.info_of(state["id"], state, None) | names
        case "transaction":
            record = wallet.transaction_of(state["id"], state)
        case "pool":
            record = wallet.pool_of(state["id"], state)
        case _:
            return health_shown(state)
    return record | {"facts": facts_shown(kind, state)}


def exported(known: Things) -> dict[tuple[Kind, str], bytes]:
    """The file, thing by thing."""
    return {
        (kind, name): orjson.dumps({"part": ITEMS[kind][0], "item": shown(kind, state)})
        for (kind, name), state in known.items()
        if kind in ITEMS and is_listed(kind, state)
    }


def imported(file: dict[tuple[Kind, str], bytes]) -> list[Fact]:
    """The facts that the file comes to when it is read."""
    return [fact for (kind, _), text in file.items() for fact in facts_in(ADA, ITEMS[kind][1].validate_json(text))]


@settings(max_examples=50, deadline=None)
@given(histories)
def test_an_export_that_was_taken_back_gives_the_same_export(history: list[AnyEvent]) -> None:
    file = exported(things([fact for event in history for fact in facts_of(event)]))
    assert exported(things(imported(file))) == file


@settings(max_examples=50, deadline=None)
@given(histories)
def test_taking_it_back_where_it_came_from_changes_nothing(history: list[AnyEvent]) -> None:
    facts = [fact for event in history for fact in facts_of(event)]
    known, same = things(facts), things(facts)
    for fact in imported(exported(known)):
        assert not merge(known[fact.kind, fact.id], [fact])
    assert known == same


@settings(max_examples=50, deadline=None)
@given(histories, histories)
def test_no_fact_of_a_file_wins_against_one_that_is_known(old: list[AnyEvent], new: list[AnyEvent]) -> None:
    taken = imported(exported(things([fact for event in old for fact in facts_of(event)])))
    lived = [fact for event in new for fact in facts_of(event)]
    for known in (things(lived + taken), things(taken + lived)):
        for thing, state in things(lived).items():
            for name, said in state["fields"].items():
                assert known[thing]["fields"][name] == said
            for name, members in state["members"].items():
                assert {key: known[thing]["members"][name].get(key) for key in members} == members


@pytest.mark.parametrize("sample", good_samples(), ids=lambda sample: sample.name)
def test_whatever_is_said_of_a_thing_is_in_the_file(sample: Any) -> None:
    event = READER.read(sample.topic, sample.key, sample.value, ())
    for fact in facts_of(event):  # type: ignore[arg-type]
        if fact.kind in FACTS and fact.field not in NEVER_IN_A_FILE:
            assert fact.field in FACTS[fact.kind].model_fields
            assert fact.stamp[0] > IMPORTED + 1


NOW = microseconds(datetime(2026, 3, 1, tzinfo=UTC))


def line(sequence: int, amount: str, after: str, *, imported: bool = False) -> Line:
    at = NOW + sequence * (timedelta(hours=1) // timedelta(microseconds=1))
    return Line(sequence, at, f"{imported}", Decimal(amount), Decimal(after), "TFP", imported)


def balance(*lines: Line) -> tuple[str, str | None, int]:
    blocks: dict[str, list[Line]] = {}
    for one in lines:
        blocks.setdefault(str(wallet.block_of(one.sequence)), []).append(one)
    shown = wallet.wallet_of({number: wallet.summary_of(within) for number, within in blocks.items()})
    return shown["balance"], shown["difference"], shown["transactions"]


def test_imported_lines_alone_are_the_wallet() -> None:
    assert balance(line(1, "10", "10", imported=True), line(300, "5", "15", imported=True)) == ("15", None, 2)


def test_a_wallet_that_goes_on_has_its_past_in_the_file() -> None:
    past = line(1, "10", "10", imported=True), line(2, "5", "15", imported=True)
    assert balance(*past, line(3, "-1", "14"), line(300, "1", "15")) == ("15", None, 4)


@pytest.mark.parametrize("first", [1, 2, 255, 256, 300])
def test_a_wallet_that_began_anew_has_the_balance_that_it_says(first: int) -> None:
    past = [line(n, "10", "900", imported=True) for n in range(first, first + 400, 50)]
    assert balance(*past, line(first, "3", "3"), line(first + 1, "-1", "2")) == ("2", None, 2)
