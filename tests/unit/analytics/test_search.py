"""Finding products in the catalogue."""

from base64 import urlsafe_b64encode
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.analytics.domain.search import BadCursorError, CatalogueIndex
from services.analytics.domain.things import Product
from shared.contracts.analytics_recommend import CatalogQuery
from tests.unit.analytics.products import product

CATALOGUE = [
    product("pg", name="Managed PostgreSQL", description="A database with backups.", tags=("sql",), price="20.00"),
    product("backup", name="Nightly Backup", category="backup", description="For PostgreSQL and files.", price="5.00"),
    product("cafe", name="Café Wiki", category="content", product_type="application", provider="brook", price="7.50"),
    product(
        "store", name="Object Store", category="object-storage", product_type="storage", provider="postgres-people"
    ),
    product("euro", name="Euro Store", category="object-storage", product_type="storage", currency="EUR"),
    product("old", name="Old Store", product_type="storage", retired=True),
]


@pytest.fixture(scope="module")
def index() -> CatalogueIndex:
    return CatalogueIndex(CATALOGUE)


def found(index: CatalogueIndex, **query: object) -> list[str]:
    return [item.id for item in index.find(CatalogQuery.model_validate(query)).items]


def test_the_name_weighs_more_than_the_provider_and_that_more_than_the_description(index: CatalogueIndex) -> None:
    assert found(index, q="postgres") == ["pg", "store", "backup"]


@pytest.mark.parametrize("text", ["cafe", "CAFÉ", "caf", "wiki cafe", "Cafe\u0301", " wiki, ", "brook wiki", "content"])
def test_case_accents_order_and_the_ends_of_words_do_not_matter(index: CatalogueIndex, text: str) -> None:
    assert found(index, q=text) == ["cafe"]


def test_all_words_are_to_be_there(index: CatalogueIndex) -> None:
    assert found(index, q="nightly store") == []


@pytest.mark.parametrize("text", ["postgrse", "postgers", "postgress"[:-1] + "x", "pstgresql", "mannaged"])
def test_a_wrong_letter_is_put_right_and_said(index: CatalogueIndex, text: str) -> None:
    page = index.find(CatalogQuery(q=text))
    assert "pg" in [item.id for item in page.items]
    assert page.corrected in ("postgres", "postgresql", "managed")


def test_what_is_found_is_not_corrected(index: CatalogueIndex) -> None:
    assert index.find(CatalogQuery(q="store")).corrected is None
    assert index.find(CatalogQuery(q="xq")).corrected is None


def test_filters(index: CatalogueIndex) -> None:
    assert found(index, type="storage") == ["euro", "store"]
    assert found(index, category="object-storage") == found(index, category="storage") == ["euro", "store"]
    assert found(index, category="content", q="wiki") == ["cafe"]
    assert found(index, provider="brook") == ["cafe"]
    assert found(index, min_price="5.00", max_price="7.50") == ["cafe", "backup"]
    assert found(index, q="store", max_price="1000") == ["store"], "EUR is in no range"
    assert found(index, min_price="7.51", max_price="9.99") == []


def test_prices_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_price should not be above max_price"):
        CatalogQuery(min_price=Decimal(2), max_price=Decimal(1))


def test_without_words_they_come_by_name(index: CatalogueIndex) -> None:
    assert found(index) == ["cafe", "euro", "pg", "backup", "store"]
    assert found(index, q="  ") == found(index, q="-- !") == found(index)


def test_the_index_follows_the_catalogue() -> None:
    index = CatalogueIndex(CATALOGUE)
    index.update([product("pg", name="Elephant Base"), product("cafe", retired=True), product("new", name="Cafe Two")])
    assert found(index, q="managed") == []
    assert found(index, q="elephant") == ["pg"]
    assert found(index, q="cafe") == ["new"]
    index.update([CATALOGUE[2]])
    assert found(index, q="cafe") == ["cafe", "new"]


@pytest.mark.parametrize("cursor", ["", "!", "bnVsbA==", "WzFd", "WzEsMl0=", "é"])
def test_a_made_up_cursor_is_refused(index: CatalogueIndex, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        index.find(CatalogQuery(cursor=cursor))


def test_a_cursor_of_a_search_is_not_one_of_the_list(index: CatalogueIndex) -> None:
    cursor = index.find(CatalogQuery(q="store", limit=1)).next_cursor
    with pytest.raises(BadCursorError):
        index.find(CatalogQuery(cursor=cursor))


def test_a_cursor_with_a_number_that_is_too_large_is_refused(index: CatalogueIndex) -> None:
    with pytest.raises(BadCursorError):
        index.find(CatalogQuery(q="store", cursor=urlsafe_b64encode(b'[9223372036854775808,"a"]').decode()))


def test_equal_matches_are_paged_by_id_and_the_last_page_has_no_cursor() -> None:
    index = CatalogueIndex([product(f"p{n}", name="Same Name") for n in range(4)])
    for text in (None, "same"):
        first = index.find(CatalogQuery(q=text, limit=2))
        second = index.find(CatalogQuery(q=text, limit=2, cursor=first.next_cursor))
        assert [item.id for item in (*first.items, *second.items)] == ["p0", "p1", "p2", "p3"]
        assert second.next_cursor is None


def test_an_accent_within_a_word_does_not_matter() -> None:
    index = CatalogueIndex([product("p", name="Crème")])
    assert found(index, q="creme") == found(index, q="CRÈME") == ["p"]


WORDS = st.lists(st.sampled_from(["store", "stör", "wiki", "fast", "cloud"]), min_size=1, max_size=4).map(" ".join)
CATALOGUES = st.lists(
    st.builds(lambda name, number, retired: product(f"p{number}", name=name, retired=retired), WORDS,
              st.integers(0, 20), st.booleans()), max_size=40,
)  # fmt: skip


@given(CATALOGUES, st.sampled_from([None, "sto", "wiki fast"]), st.integers(1, 7))
def test_pages_hold_everything_once(catalogue: list[Product], text: str | None, limit: int) -> None:
    index = CatalogueIndex(catalogue)
    whole = found(index, q=text, limit=200)
    paged, cursor = [], None
    for _ in count():
        page = index.find(CatalogQuery(q=text, limit=limit, cursor=cursor))
        paged += [item.id for item in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert paged == whole
    assert len(set(whole)) == len(whole)


@given(CATALOGUES, CATALOGUES)
def test_a_patched_index_finds_what_a_new_one_does(first: list[Product], second: list[Product]) -> None:
    patched = CatalogueIndex(first)
    patched.update(second)
    latest = {made.id: made for made in [*first, *second]}
    new = CatalogueIndex(latest.values())
    for text in (None, "sto", "wiki", "cloud fast", "stroe"):
        assert patched.find(CatalogQuery(q=text)) == new.find(CatalogQuery(q=text))


@given(st.text(max_size=200).filter(lambda text: "\0" not in text))
def test_any_text_may_be_searched_for(text: str) -> None:
    CatalogueIndex(CATALOGUE).find(CatalogQuery(q=text))


@given(st.text(alphabet=st.characters(categories=["L", "M", "N"]), min_size=1, max_size=8))
def test_a_product_is_found_by_its_name_in_any_script(name: str) -> None:
    index = CatalogueIndex([product("p", name=name)])
    assert found(index, q=name) == ["p"]
