"""What may become of a published schema: each rule by an example, and that the rules keep their promise."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.contracts.compatibility import breaking_changes
from shared.contracts.export import event_schema
from shared.contracts.topics import PAYLOADS
from tests.unit.contracts.records import paths, replaced

Json = Any  # JSON, by its nature

TEXT: Json = {"type": "string"}
NULL: Json = {"type": "null"}
WHOLE: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}


def an_object(*required: str, **properties: Json) -> Json:
    """An object schema with these members, of which some are required."""
    return {"type": "object", "properties": properties, "required": [*required]}


COMPATIBLE: dict[str, tuple[Json, Json]] = {
    "an optional member more": (an_object(a=TEXT), an_object(a=TEXT, b=WHOLE)),
    "an optional member less": (an_object(a=TEXT, b=WHOLE), an_object(a=TEXT)),
    "other words": (TEXT | {"title": "A", "description": "Old.", "examples": ["a"]}, TEXT | {"title": "B"}),
    "an enum in another order": ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
    "a const as an enum of one": ({"const": "a"}, {"enum": ["a"]}),
    "alternatives in another order": ({"anyOf": [TEXT, NULL]}, {"anyOf": [NULL, TEXT]}),
    "alternatives with other words": ({"anyOf": [TEXT, NULL]}, {"anyOf": [TEXT | {"title": "A"}, NULL]}),
    "a reference written out": ({"$ref": "#/$defs/A", "$defs": {"A": TEXT}}, TEXT),
    "a definition with another name": (
        {"$ref": "#/$defs/A", "$defs": {"A": TEXT}},
        {"$ref": "#/$defs/B", "$defs": {"B": TEXT}},
    ),
    "open members said or not": (an_object(a=TEXT), an_object(a=TEXT) | {"additionalProperties": True}),
}

BREAKS_PUBLISHERS: dict[str, tuple[Json, Json, str]] = {
    "a required member more": (an_object(), an_object("a", a=TEXT), "/a: is required now"),
    "an optional member made required": (an_object(a=TEXT), an_object("a", a=TEXT), "/a: is required now"),
    "a type less": ({"anyOf": [TEXT, NULL]}, TEXT, "/: null is no longer taken"),
    "a type less in a list": ({"type": ["string", "null"]}, TEXT, "/: null is no longer taken"),
    "a number made whole": (NUMBER, WHOLE, "/: number with a fraction is no longer taken"),
    "anything made a text": ({}, TEXT, "/: array is no longer taken"),
    "an enum value less": ({"enum": ["a", "b"]}, {"enum": ["a"]}, '/: "b" is no longer taken'),
    "a text made an enum": (TEXT, TEXT | {"enum": ["a"]}, "/: only some values are taken now"),
    "a lower bound raised": (WHOLE | {"minimum": 0}, WHOLE | {"minimum": 1}, "/: minimum was 0 and is 1"),
    "an upper bound lowered": (TEXT | {"maxLength": 9}, TEXT | {"maxLength": 8}, "/: maxLength was 9 and is 8"),
    "a bound more": (TEXT, TEXT | {"minLength": 1}, "/: minLength was nothing and is 1"),
    "a pattern more": (TEXT, TEXT | {"pattern": "^a"}, '/: pattern was nothing and is "^a"'),
    "a format more": (TEXT, TEXT | {"format": "date-time"}, '/: format was nothing and is "date-time"'),
    "items narrowed": (
        {"type": "array", "items": NUMBER},
        {"type": "array", "items": WHOLE},
        "/*: number with a fraction is no longer taken",
    ),
    "members closed": (
        an_object(a=TEXT),
        an_object(a=TEXT) | {"additionalProperties": False},
        "/*: only some values are taken now",
    ),
    "values of a map narrowed": (
        {"type": "object", "additionalProperties": NUMBER},
        {"type": "object", "additionalProperties": WHOLE},
        "/*: number with a fraction is no longer taken",
    ),
    "values of a map by pattern narrowed": (
        {"type": "object", "patternProperties": {"^a": NUMBER}},
        {"type": "object", "patternProperties": {"^a": WHOLE}},
        "/*: number with a fraction is no longer taken",
    ),
    "names of a map shortened": (
        {"type": "object", "propertyNames": {"maxLength": 9}},
        {"type": "object", "propertyNames": {"maxLength": 8}},
        "/* (its name): maxLength was 9 and is 8",
    ),
    "a member within a member": (
        an_object(a=an_object(b=TEXT)),
        an_object(a=an_object(b=TEXT | {"maxLength": 1})),
        "/a/b: maxLength was nothing and is 1",
    ),
    "a definition narrowed": (
        {"$ref": "#/$defs/A", "$defs": {"A": NUMBER}},
        {"$ref": "#/$defs/A", "$defs": {"A": WHOLE}},
        "/: number with a fraction is no longer taken",
    ),
    "one alternative narrowed": (
        {"anyOf": [NUMBER, NULL]},
        {"anyOf": [WHOLE, NULL]},
        "/: number with a fraction is no longer taken",
    ),
    "the rule beside alternatives": (
        {"anyOf": [TEXT, NULL]},
        {"anyOf": [TEXT, NULL], "maxLength": 1},
        "/: maxLength was nothing and is 1",
    ),
}

CHANGES_FOR_BOTH: dict[str, tuple[Json, Json, str]] = {
    "another pattern": (TEXT | {"pattern": "a"}, TEXT | {"pattern": "b"}, '/: pattern was "a" and is "b"'),
    "another step": (NUMBER | {"multipleOf": 0.5}, NUMBER | {"multipleOf": 1}, "/: multipleOf was 0.5 and is 1"),
    "another meaning of a member that is left out": (
        an_object(a=TEXT | {"default": "a"}),
        an_object(a=TEXT | {"default": "b"}),
        '/a: when left out it was "a" and is "b"',
    ),
}


@pytest.mark.parametrize(("old", "new"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_a_change_that_may_be_made_in_either_direction(old: Json, new: Json) -> None:
    assert breaking_changes(old, new) == []
    assert breaking_changes(new, old) == []


@pytest.mark.parametrize(("old", "new", "sentence"), BREAKS_PUBLISHERS.values(), ids=BREAKS_PUBLISHERS)
def test_what_breaks_older_publishers_breaks_older_readers_when_undone(old: Json, new: Json, sentence: str) -> None:
    assert f"{sentence}; this breaks older publishers" in breaking_changes(old, new)
    undone = breaking_changes(new, old)
    assert undone
    assert all(change.endswith("this breaks older readers") for change in undone)


@pytest.mark.parametrize(("old", "new", "sentence"), CHANGES_FOR_BOTH.values(), ids=CHANGES_FOR_BOTH)
def test_what_breaks_both(old: Json, new: Json, sentence: str) -> None:
    assert breaking_changes(old, new) == [f"{sentence}; this breaks older publishers and readers"]


def test_another_type_breaks_both_sides() -> None:
    assert breaking_changes(TEXT, WHOLE) == [
        "/: string is no longer taken; this breaks older publishers",
        "/: integer is taken now; this breaks older readers",
    ]


def test_several_alternatives_are_named() -> None:
    old = {"anyOf": [TEXT, {"type": "boolean"}, NULL]}
    assert breaking_changes(old, {"anyOf": [WHOLE, NULL]}) == [
        "/: string is no longer taken; this breaks older publishers",
        "/: boolean is no longer taken; this breaks older publishers",
        "/: integer is taken now; this breaks older readers",
    ]


def test_a_keyword_that_it_does_not_know_is_never_waved_through() -> None:
    unknown = {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": TEXT}}
    assert breaking_changes(unknown, unknown) == [
        "/: allOf is not known to this check, which should be taught it first"
    ]


def test_a_schema_may_contain_itself() -> None:
    tree = {"$ref": "#/$defs/T", "$defs": {"T": an_object(inner={"$ref": "#/$defs/T"}, leaf=NUMBER)}}
    other = {"$ref": "#/$defs/T", "$defs": {"T": an_object(inner={"$ref": "#/$defs/T"}, leaf=WHOLE)}}
    assert breaking_changes(tree, tree) == []
    narrowed = "/leaf: number with a fraction is no longer taken; this breaks older publishers"
    assert narrowed in breaking_changes(tree, other)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_every_published_schema_is_compatible_with_itself(payload: Any) -> None:
    assert breaking_changes(event_schema(payload), event_schema(payload)) == []


_bounds = st.integers(0, 4)
_leaves = st.one_of(
    st.sampled_from([NULL, TEXT, WHOLE, NUMBER, {"type": "boolean"}, {"type": "string", "pattern": "^a"}]),
    st.lists(st.sampled_from(["", "a", "ab"]), min_size=1, unique=True).map(lambda values: {"enum": values}),
    st.builds(lambda least, most: {"type": "string", "minLength": least, "maxLength": most}, _bounds, _bounds),
    st.builds(lambda least, most: {"type": "integer", "minimum": least, "maximum": most}, _bounds, _bounds),
)


def _compound(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    members = st.dictionaries(st.sampled_from("ab"), inner)
    return st.one_of(
        st.builds(_closed_object, members, st.sets(st.sampled_from("ab"))),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each}),
        st.builds(lambda items, most: {"type": "array", "items": items, "maxItems": most}, inner, _bounds),
        inner.map(lambda values: {"type": "object", "additionalProperties": values}),
    )


def _closed_object(members: dict[str, Json], required: set[str]) -> Json:
    """Closed, because an open one takes anything for a member that it does not declare, and that is allowed."""
    return an_object(*sorted(required & members.keys()), **members) | {"additionalProperties": False}


_schemas = st.recursive(_leaves, _compound, max_leaves=4)


@st.composite
def _changes(draw: st.DrawFn) -> tuple[Json, Json]:
    """A schema, and the same with another one somewhere within it."""
    old = draw(_schemas)
    places = [path for path in paths(old) if path[-1] in ("items", "additionalProperties") or path[-2:-1] == ("anyOf",)]
    members = [path for path in paths(old) if path[-2:-1] == ("properties",)]
    place = draw(st.sampled_from([(), *places, *members]))
    return old, replaced(old, place, draw(_schemas))


_SCALARS: list[Json] = [None, True, -1, 0, 2, 5, 0.5, "", "a", "ab", "bbbbb"]
_SHALLOW: list[Json] = [
    *_SCALARS,
    [],
    {},
    *([each] for each in _SCALARS),
    *({name: each} for name in "abc" for each in _SCALARS),
]
_INSTANCES: list[Json] = [
    *_SHALLOW,
    *({"a": each, "b": 2} for each in _SHALLOW),
    *([each] for each in _SHALLOW),
    ["a"] * 3,
    [2] * 5,
]


@given(schema=_schemas)
def test_a_schema_is_compatible_with_itself(schema: Json) -> None:
    assert breaking_changes(schema, schema) == []


@settings(max_examples=120)
@given(change=_changes())
def test_a_change_that_may_be_made_takes_and_refuses_the_same(change: tuple[Json, Json]) -> None:
    old, new = (Draft202012Validator(each) for each in change)
    if different := [value for value in _INSTANCES if old.is_valid(value) != new.is_valid(value)]:
        assert breaking_changes(*change), different
