"""May a JSON Schema of the contract become another one, without a new event type?

Publishers and readers are not changed at the same moment, and old events stay on the topics. So what an older publisher
sends must be valid under the new schema, and what a newer one sends must be valid under the old schema, which an older
reader still has. That leaves few compatible changes: an optional member is added or dropped, a title, a description or
an example is reworded, or the same is said in another way (a `$ref` written out, an `enum` in another order).

This knows the part of JSON Schema that pydantic writes, and says so where it meets anything else.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]  # Any: a JSON Schema is JSON
Change = tuple[str, str]  # the pointer of a member, and a sentence about it

_WORDS = {"title", "description", "examples", "default", "$schema", "$id", "$defs"}
_STRUCTURE = {"type", "enum", "const", "properties", "required", "patternProperties"}
_WITHIN = {"items": "*", "additionalProperties": "*", "propertyNames": "* (its name)"}  # keyword -> where it applies
_LOWER_BOUNDS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER_BOUNDS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_RULES = {"pattern", "format", "multipleOf", "uniqueItems"}
_NUMBER = {"integer", "number with a fraction"}
_TYPES = {"null", "boolean", "object", "array", "string", *_NUMBER}
_ANYTHING: Schema = {}
_NOTHING: Schema = {"enum": []}

_PUBLISHERS = "this breaks older publishers"
_READERS = "this breaks older readers"
_BOTH = "this breaks older publishers and readers"


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One sentence for each change from `old` to `new` that breaks somebody; none if the change may be made.

    Each begins with the pointer of the member (`/data/status`, `*` for every item) and ends with whom it breaks.
    """
    return [f"{at or '/'}: {what}" for at, what in _Comparison(old, new).values("", old, new)]


class _Comparison:
    """Compares values of two documents; each is kept because a `$ref` is resolved in its own document."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._documents = old, new
        self._open: set[tuple[int, int]] = set()

    def values(self, at: str, old: Schema | bool, new: Schema | bool) -> list[Change]:
        """What breaks in the value at the pointer `at`."""
        pair = (id(old), id(new))
        if pair in self._open:  # a schema that contains itself: this comparison is being made already
            return []
        self._open.add(pair)
        old, new = _resolved(old, self._documents[0]), _resolved(new, self._documents[1])
        compare = self._alternatives if "anyOf" in old or "anyOf" in new else self._one
        changes = list(compare(at, old, new))
        self._open.remove(pair)
        return changes

    def _alternatives(self, at: str, old: Schema, new: Schema) -> Iterator[Change]:
        (old_beside, gone), (new_beside, come) = _split(old), _split(new)
        yield from self._one(at, old_beside, new_beside)
        for alternative in list(gone):
            kept = next((other for other in come if not self.values(at, alternative, other)), None)
            if kept is not None:
                gone.remove(alternative)
                come.remove(kept)
        if len(gone) == len(come) == 1:
            yield from self.values(at, gone[0], come[0])
        else:
            yield from ((at, f"{_short(each)} is no longer taken; {_PUBLISHERS}") for each in gone)
            yield from ((at, f"{_short(each)} is taken now; {_READERS}") for each in come)

    def _one(self, at: str, old: Schema, new: Schema) -> Iterator[Change]:
        old_types, new_types = _types(old), _types(new)
        yield from ((at, f"{each} is no longer taken; {_PUBLISHERS}") for each in sorted(old_types - new_types))
        yield from ((at, f"{each} is taken now; {_READERS}") for each in sorted(new_types - old_types))
        if old_types & new_types:
            yield from ((at, what) for what in (*_choices(old, new), *_keywords(old, new)))
            yield from self._members(at, old, new)
            for keyword, place in _WITHIN.items():
                yield from self.values(f"{at}/{place}", old.get(keyword, _ANYTHING), new.get(keyword, _ANYTHING))

    def _members(self, at: str, old: Schema, new: Schema) -> Iterator[Change]:
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        yield from ((f"{at}/{name}", f"is required now; {_PUBLISHERS}") for name in sorted(new_required - old_required))
        yield from (
            (f"{at}/{name}", f"is not required now; {_READERS}") for name in sorted(old_required - new_required)
        )
        old_patterns, new_patterns = old.get("patternProperties", {}), new.get("patternProperties", {})
        for name in dict.fromkeys((*old_patterns, *new_patterns)):
            yield from self.values(f"{at}/*", old_patterns.get(name, _ANYTHING), new_patterns.get(name, _ANYTHING))
        for name in dict.fromkeys((*old.get("properties", ()), *new.get("properties", ()))):
            was, now = _member(old, name), _member(new, name)
            if was is not None and now is not None:
                yield from self.values(f"{at}/{name}", was, now)
                yield from _default(f"{at}/{name}", was, now)


def _member(schema: Schema, name: str) -> Schema | bool | None:
    """The schema of a member; None for one that is not declared and so is ignored, whatever it is."""
    member: Schema | bool | None = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return None if member is True and name not in schema.get("properties", {}) else member


def _resolved(schema: Schema | bool, document: Schema) -> Schema:
    if isinstance(schema, bool):
        return _ANYTHING if schema else _NOTHING
    if "$ref" not in schema:
        return schema
    beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    target: Schema = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**_resolved(target, document), **beside}


def _split(schema: Schema) -> tuple[Schema, list[Schema]]:
    """What stands beside the alternatives of a schema, and the alternatives; one without them is its only one."""
    if "anyOf" not in schema:
        return _ANYTHING, [schema]
    return {keyword: value for keyword, value in schema.items() if keyword != "anyOf"}, list(schema["anyOf"])


def _types(schema: Schema) -> set[str]:
    declared = schema.get("type", sorted(_TYPES))
    names = {declared} if isinstance(declared, str) else set(declared)
    return names - {"number"} | _NUMBER if "number" in names else names


def _choices(old: Schema, new: Schema) -> Iterator[str]:
    was, now = _values(old), _values(new)
    if was is None and now is not None:
        yield f"only some values are taken now; {_PUBLISHERS}"
    elif was is not None and now is None:
        yield f"any value is taken now; {_READERS}"
    elif was is not None and now is not None:
        yield from (f"{value} is no longer taken; {_PUBLISHERS}" for value in sorted(was - now))
        yield from (f"{value} is taken now; {_READERS}" for value in sorted(now - was))


def _values(schema: Schema) -> set[str] | None:
    """The values that are listed, each as JSON, or None if none are."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else {json.dumps(value, sort_keys=True) for value in values}


def _keywords(old: Schema, new: Schema) -> Iterator[str]:
    for keyword in sorted((old.keys() | new.keys()) - _WORDS - _STRUCTURE - _WITHIN.keys()):
        was, now = old.get(keyword), new.get(keyword)
        if keyword not in _LOWER_BOUNDS | _UPPER_BOUNDS | _RULES:
            yield f"{keyword} is not known to this check, which should be taught it first"
        elif was != now:
            yield f"{keyword} was {_json(was)} and is {_json(now)}; {_whom(keyword, was, now)}"


def _whom(keyword: str, was: Any, now: Any) -> str:  # Any: a number for a bound, else whatever the keyword takes
    if was is None or now is None:
        return _PUBLISHERS if was is None else _READERS
    if keyword in _RULES:
        return _BOTH
    return _PUBLISHERS if (now > was) == (keyword in _LOWER_BOUNDS) else _READERS


def _default(at: str, old: Schema | bool, new: Schema | bool) -> Iterator[Change]:
    was, now = (None if isinstance(each, bool) else each.get("default") for each in (old, new))
    if was != now:
        yield at, f"when left out it was {_json(was)} and is {_json(now)}; {_BOTH}"


def _short(schema: Schema) -> str:
    return str(schema.get("$ref", schema.get("type", "a value"))).removeprefix("#/$defs/")


def _json(value: object) -> str:
    return "nothing" if value is None else json.dumps(value)
