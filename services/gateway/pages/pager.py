"""From page to page of a list: the address holds the way back, so that a page can be kept, shared and reloaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from services.gateway.pages.view import View

_TRAIL: Final = "trail"
_MOST_STEPS = 30


@dataclass(frozen=True)
class Part:
    """Some items of a list that is there whole; `earlier` and `more` are addresses, None where there is nothing."""

    items: Sequence[Any]  # Any: whatever is in the list
    earlier: str | None
    more: str | None


def part_of(view: View, items: Sequence[Any], start: int, size: int) -> Part:
    """The `size` items from `start` on, and the addresses of those before and after them."""
    before, after = max(start - size, 0), start + size
    return Part(
        items=items[start:after],
        earlier=view.here(start=str(before) if before else None) if start else None,
        more=view.here(start=str(after)) if after < len(items) else None,
    )


@dataclass(frozen=True)
class Pager:
    """`newer` and `older` are addresses, None where there is nothing in that direction."""

    newer: str | None
    older: str | None

    @classmethod
    def of(cls, view: View, page: Any) -> "Pager":  # Any: a page of a list, with `next_cursor`
        """For `page`, which the cursor in the view's address led to."""
        parameters = view.request.query_params
        cursor, trail = parameters.get("cursor"), parameters.getlist(_TRAIL)
        rest = [(n, v) for n, v in parameters.multi_items() if n not in ("cursor", _TRAIL, "said") and v]

        def address(to: str | None, way: list[str]) -> str:
            steps = [(_TRAIL, step) for step in way[-_MOST_STEPS:]]
            query = urlencode([*rest, *steps, *([("cursor", to)] if to else [])])
            return view.request.url.path + (f"?{query}" if query else "")

        newer = address(trail[-1] if trail else None, trail[:-1]) if cursor else None
        older = address(page["next_cursor"], [*trail, cursor] if cursor else trail) if page["next_cursor"] else None
        return cls(newer, older)
