"""May a JSON Schema of the contract become another one, without a new type?

Publishers and readers are not changed at the same moment, and old events stay on the topics. So whatever an older
publisher sends must be valid under the new schema, and whatever a newer one sends must be valid under the old schema,
which an older reader still has. What is left as a compatible change is to add or drop an optional member, to reword a
title, a description or an example, and to write the same thing in another way.

This knows the part of JSON Schema that pydantic writes. A keyword that it does not know may not change at all.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]  # Any: a JSON Schema is JSON

_WORDS = {"title", "description", "examples", "$schema", "$id", "$defs"}
_STRUCTURE = {"type", "enum", "const", "anyOf", "properties", "required", "items", "additionalProperties", "default"}
_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_ABSENT = object()


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One sentence for each change from `old` to `new` that breaks a publisher or a reader, in the order of `old`.

    Each begins with a pointer to the member (`/data/status`) and says who breaks. An empty list: the change may be made.
    """
    return list(_Comparison(old, new).values("", old, new))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old_root, self._new_root = old, new
        self._open: set[tuple[int, int]] = set()  # what is being compared already: a schema may refer to itself

    def values(self, at: str, old: Schema, new: Schema) -> Iterator[str]:
        """The breaking changes of the value at the pointer `at`."""
        old, new = _resolved(old, self._old_root), _resolved(new, self._new_root)
        if (id(old), id(new)) in self._open:
            return
        self._open.add((id(old), id(new)))
        yield from self._alternatives(at, _alternatives(old), _alternatives(new))
        self._open.discard((id(old), id(new)))
