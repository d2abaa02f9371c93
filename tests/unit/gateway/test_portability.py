"""The file of an export is made and read piece by piece."""

import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.gateway.exporting import BrokenOffError, Export, Lines
from services.gateway.importing import chunks, lay_out
from shared.contracts.portable import EXPORT_ONLY, MOST_ITEMS, PARTS
from shared.plumbing.problems import ProblemError
from tests.unit.contracts.strategies import json_values

ADA = "ada@example.org"
KEY = SecretStr("the key that seals the exports, for tests")
Json = Any  # JSON, by its nature
Items = dict[str, list[Json]]

ITEM = st.dictionaries(st.text(max_size=5), json_values(), max_size=2)
FILES = st.fixed_dictionaries(
    {part: st.lists(ITEM, max_size=2) for parts in PARTS.values() for part in parts}
)  # whatever the items may be: they are the services' business


async def lines(
    items: Items, parts: tuple[str, ...], last: Callable[[Json], Json] = lambda end: end
) -> AsyncIterator[bytes]:
    for part in parts:
        for item in items[part]:
            yield orjson.dumps({"part": part, "item": item})
    end = last({"end": True, "counts": {part: len(items[part]) for part in parts}})
    if end is not None:
        yield orjson.dumps(end)


async def made(items: Items) -> bytes:
    export = Export(ADA, KEY)
    gathered: Lines = {service: lines(items, parts) for service, parts in PARTS.items()}
    text = b"".join([piece async for piece in export.parts(gathered)])
    assert export.items == sum(map(len, items.values()))
    return text + export.manifest()


def taken(text: bytes) -> Items:
    """What would go to the services."""
    items: Items = {}
    with tempfile.TemporaryFile() as laid_out:
        lay_out(BytesIO(text), laid_out, ADA, KEY)
        for chunk in chunks(laid_out):
            assert chunk.first == len(items.setdefault(chunk.part, []))
            assert chunk.items <= MOST_ITEMS
            items[chunk.part] += [each["item"] for each in orjson.loads(chunk.body) if each["part"] == chunk.part]
    return items


EMPTY: Items = {part: [] for parts in PARTS.values() for part in parts}


def storable(value: Json) -> bool:
    """Whether a file can hold it: numbers of 64 bits, and texts without half a surrogate pair."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return not any(abs(number) >= 2**63 for number in integers(value))


def integers(value: Json) -> list[int]:
    match value:
        case bool():
            return []
        case int():
            return [value]
        case list():
            return [number for each in value for number in integers(each)]
        case dict():
            return [number for each in value.values() for number in integers(each)]
    return []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES.filter(storable))
async def test_what_goes_out_comes_back_in(items: Items) -> None:
    text = await made(items)
    assert orjson.loads(text)["parts"] == items
    kept = {part: each for part, each in items.items() if each and part not in EXPORT_ONLY}
    assert taken(text) == kept
    assert taken(orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)) == kept


async def test_no_byte_of_a_file_can_be_changed_unnoticed() -> None:
    text = await made(EMPTY | {"activities": [{"a": 1.5, "b": [None, "x"]}], "pools": [{"z": True}]})
    for place in range(len(text) - 1):
        for byte in b'0"{':
            changed = text[:place] + bytes([byte]) + text[place + 1 :]
            if changed != text and not taken_as_the_same(changed, text):
                with pytest.raises(ProblemError):
                    taken(changed)


def taken_as_the_same(changed: bytes, text: bytes) -> bool:
    try:
        return bool(orjson.loads(changed) == orjson.loads(text))
    except orjson.JSONDecodeError:
        return False


@pytest.mark.parametrize(
    "last",
    [
        lambda _: None,
        lambda end: end | {"counts": {**end["counts"], "activities": 2}},
        lambda end: end | {"counts": {}},
        lambda _: {"part": "activities", "item": {}},
        lambda _: {"part": "purchases", "item": {}},
    ],
)
async def test_an_answer_that_is_not_whole_breaks_the_export_off(last: Callable[[Json], Json]) -> None:
    items = EMPTY | {"activities": [{"id": 1}]}
    gathered: Lines = {service: lines(items, parts, last) for service, parts in PARTS.items()}
    with pytest.raises(BrokenOffError):
        _ = [piece async for piece in Export(ADA, KEY).parts(gathered)]


async def test_an_export_is_sent_while_it_is_gathered() -> None:
    gathered = 0

    async def many() -> AsyncIterator[bytes]:
        nonlocal gathered
        for _ in range(10_000):
            gathered += 1
            yield orjson.dumps({"part": "activities", "item": {"text": "x" * 1_000}})

    sources: Lines = {service: lines(EMPTY, parts) for service, parts in PARTS.items()}
    pieces = Export(ADA, KEY).parts({**sources, "activity": many()})
    sent = 0
    while gathered < 9_000:
        piece = await anext(pieces)
        sent += len(piece)
        assert len(piece) < 100_000
        assert gathered * 1_000 - sent < 100_000
    assert sent > 8_000_000


async def test_reading_a_large_file_takes_little_memory() -> None:
    items = EMPTY | {"transactions": [{"id": number, "text": "x" * 1_000} for number in range(10_000)]}
    text = await made(items)
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as laid_out:
        file.write(text)
        file.seek(0)
        tracemalloc.start()
        assert lay_out(file, laid_out, ADA, KEY) == 10_000
        assert sum(chunk.items for chunk in chunks(laid_out)) == 10_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert len(text) > 10_000_000
    assert peak < 3_000_000
