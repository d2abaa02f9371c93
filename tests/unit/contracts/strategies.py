"""Anything that a publisher may send, made from the exported JSON Schemas: what they allow, the reader must take."""

from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from shared.contracts.envelope import Payload
from shared.contracts.export import event_schema

Json = Any  # JSON, by its nature
_MOST = 12  # characters and items: longer ones find nothing more and take their time

_characters = st.characters(codec="utf-8")
_offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=_offsets | st.just(UTC))  # noqa: DTZ001
emails = st.from_regex(r"[\w.+-]{1,12}@[\w-]{1,12}\.\w{2,6}", fullmatch=True, alphabet=_characters)
exact_decimals = st.decimals(-(10**10), 10**10, places=4)  # up to 15 digits, so that a double holds each exactly


@cache
def events(payload: type[Payload]) -> SearchStrategy[dict[str, Json]]:
    """Whole events in structured mode, as JSON objects, that the exported schema allows."""
    schema = event_schema(payload)
    key = next(
        name for name in ("user_email", "product_id", "erasure_id", "dead_letter_id") if name in payload.model_fields
    )
    return _values(schema, schema["$defs"]).map(lambda event: event | {"subject": event["data"][key]})


def json_values() -> SearchStrategy[Json]:
    """Any JSON value, deep ones too."""
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    leaves = st.none() | st.booleans() | numbers | st.text(_characters, max_size=_MOST)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | _objects(inner), max_leaves=6)


def _objects(values: SearchStrategy[Json]) -> SearchStrategy[dict[str, Json]]:
    return st.dictionaries(st.text(_characters, max_size=_MOST), values, max_size=3)


def _values(schema: Json, definitions: Json) -> SearchStrategy[Json]:
    if "$ref" in schema:
        return _values(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return st.one_of(_alternatives(schema["anyOf"], definitions))
    return _OF_TYPE[schema["type"]](schema, definitions)


def _alternatives(schemas: list[Json], definitions: Json) -> list[SearchStrategy[Json]]:
    """A number beside the pattern of a decimal is money, and so an exact one."""
    if "pattern" in schemas[0] and schemas[1:] and schemas[1]["type"] == "number":
        exact = exact_decimals.map(abs) if "minimum" in schemas[1] else exact_decimals
        return [exact.map(float), exact.map(int), *_alternatives([schemas[0], *schemas[2:]], definitions)]
    return [_values(each, definitions) for each in schemas]


def _string(schema: Json, _: Json) -> SearchStrategy[str]:
    if schema.get("format") == "email":
        return emails
    if schema.get("format") == "date-time":
        return times.map(lambda time: time.isoformat().replace("+00:00", "Z"))
    if "pattern" in schema:
        most = schema.get("maxLength", 64)
        return st.from_regex(schema["pattern"], fullmatch=True, alphabet=_characters).filter(
            lambda text: len(text) <= most
        )
    return st.text(
        _characters, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", _MOST), _MOST)
    )


def _number(schema: Json, _: Json) -> SearchStrategy[float]:
    if step := schema.get("multipleOf"):
        return st.integers(int(schema["minimum"] / step), int(schema["maximum"] / step)).map(lambda n: n * step)
    return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)


def _integer(schema: Json, _: Json) -> SearchStrategy[int]:
    return st.integers(schema.get("minimum"), schema.get("maximum"))


def _array(schema: Json, definitions: Json) -> SearchStrategy[list[Json]]:
    least, most = schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)
    return st.lists(_values(schema["items"], definitions), min_size=least, max_size=most)


def _object(schema: Json, definitions: Json) -> SearchStrategy[dict[str, Json]]:
    if patterns := schema.get("patternProperties"):
        [(pattern, values)] = patterns.items()
        names = _string({"pattern": pattern} | schema["propertyNames"], definitions)
        return st.dictionaries(names, _values(values, definitions), max_size=3)
    members = {name: _values(member, definitions) for name, member in schema["properties"].items()}
    required = {name: members.pop(name) for name in schema["required"]}
    return st.fixed_dictionaries(required, optional=members)


_OF_TYPE = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "array": _array,
    "object": _object,
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}
