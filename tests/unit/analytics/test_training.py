"""What is learnt from everybody: only what five people or more did, and nothing of anybody in particular."""

from datetime import UTC, datetime
from itertools import permutations
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.model import FEWEST, Model, from_documents, to_documents
from services.analytics.domain.training import BOUGHT, LOOKED_AT, RATED, Interactions, train

MADE = datetime(2026, 3, 1, tzinfo=UTC)
PRODUCTS = ("anvil", "bucket", "chisel", "drill")
Rows = list[tuple[int, int, int, float]]


def interactions(rows: Rows) -> Interactions:
    user, product, kind, weight = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else [np.empty(0)] * 4
    )
    return Interactions(user.astype(np.int64), product.astype(np.int64), kind.astype(np.int64), weight.astype(float))


def learnt(rows: Rows) -> Model:
    return train(interactions(rows), PRODUCTS, MADE)


def both(users: range, *products: int) -> Rows:
    return [(user, product, BOUGHT, 1.0) for user in users for product in products]


ROWS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 12), st.integers(0, 3), st.just(BOUGHT), st.just(1.0)),
        st.tuples(st.integers(0, 12), st.integers(0, 3), st.just(LOOKED_AT), st.integers(1, 40).map(float)),
        st.tuples(st.integers(0, 12), st.integers(0, 3), st.just(RATED), st.sampled_from([1.0, 2.5, 3.0, 5.0])),
    ),
    max_size=120,
)


def test_what_is_bought_together_more_often_than_by_chance_are_neighbours() -> None:
    model = learnt([*both(range(10), 0, 1), *both(range(10, 40), 2)])
    (neighbour,) = model.neighbours["anvil"]
    assert (neighbour.product, neighbour.together) == ("bucket", 10)
    assert neighbour.lift == pytest.approx(log((10 + 10) / (10 * 10 / 40 + 10)))
    assert "chisel" not in model.neighbours


def test_those_who_bought_nothing_do_not_count() -> None:
    rows = [*both(range(10), 0, 1), *both(range(10, 40), 2)]
    lookers: Rows = [(user, 3, LOOKED_AT, 1.0) for user in range(50, 90)]
    assert learnt([*rows, *lookers]).neighbours == learnt(rows).neighbours


def test_what_everybody_has_goes_together_with_nothing() -> None:
    assert learnt(both(range(30), 0, 1)).neighbours == {}


@pytest.mark.parametrize("people", [FEWEST - 1, FEWEST])
def test_fewer_than_five_people_are_not_learnt_from(people: int) -> None:
    looks: Rows = [(user, 3, LOOKED_AT, 9.0) for user in range(people)]
    model = learnt([*both(range(people), 0, 1), *looks, *both(range(20, 60), 2)])
    is_learnt = people == FEWEST
    assert ("anvil" in model.buyers, "anvil" in model.neighbours, "drill" in model.attention) == (is_learnt,) * 3


def test_what_its_buyers_dislike_is_not_suggested_to_others() -> None:
    disliked: Rows = [(user, 1, RATED, 2.0) for user in range(10)]
    others = both(range(10, 40), 2)
    assert "anvil" in learnt([*both(range(10), 0, 1), *others]).neighbours
    assert "anvil" not in learnt([*both(range(10), 0, 1), *disliked, *others]).neighbours


def test_who_bought_everything_says_nothing_about_what_goes_together() -> None:
    products = [f"p{n}" for n in range(300)]
    rows: Rows = [(user, product, BOUGHT, 1.0) for user in range(8) for product in range(300)]
    rest: Rows = [(user, 0, BOUGHT, 1.0) for user in range(8, 30)]
    assert train(interactions([*rows, *rest]), products, MADE).neighbours == {}


@given(ROWS)
def test_nothing_rests_on_fewer_than_five_people(rows: Rows) -> None:
    model = learnt(rows)
    for at, name in enumerate(PRODUCTS):
        buyers = {user for user, product, kind, _ in rows if product == at and kind == BOUGHT}
        people = {user for user, product, kind, _ in rows if product == at and kind != RATED}
        assert model.buyers.get(name, 0) == (len(buyers) if len(buyers) >= FEWEST else 0)
        assert (name in model.attention) == (len(people) >= FEWEST)
    for one, other in permutations(range(4), 2):
        together = [n.together for n in model.neighbours.get(PRODUCTS[one], ()) if n.product == PRODUCTS[other]]
        assert all(number >= FEWEST for number in together)


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_the_rows_does_not_matter(both_orders: tuple[Rows, Rows]) -> None:
    one, other = both_orders
    assert learnt(one) == learnt(other)


@given(ROWS, st.integers(0, 12))
def test_who_withdraws_is_not_in_it(rows: Rows, user: int) -> None:
    """Without their rows the model is that of a marketplace in which they never were."""
    without = [row for row in rows if row[0] != user]
    renumbered = [(row[0] - (row[0] > user), *row[1:]) for row in without]
    assert learnt(without) == learnt(renumbered)


@given(ROWS)
def test_the_documents_give_the_same_model_again(rows: Rows) -> None:
    model = learnt(rows)
    assert from_documents(to_documents(model)) == model


def test_an_incomplete_model_is_passed_over() -> None:
    older = Model(MADE, {"anvil": 5})
    newer = Model(MADE.replace(day=2), {f"p{n}": 5 for n in range(1_500)})
    parts = list(to_documents(newer))
    assert len(parts) == 2
    assert from_documents([parts[1], *to_documents(older)]) == older
    assert from_documents([*reversed(parts), *to_documents(older)]) == newer
    assert from_documents(parts[:1]) is None
    assert from_documents([]) is None
