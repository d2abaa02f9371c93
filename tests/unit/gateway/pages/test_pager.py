"""A list that is there whole is shown part by part."""

import pytest

from services.gateway.pages.pager import part_of
from tests.unit.gateway.pages.views import view

HERE = "/dashboard/user"


@pytest.mark.parametrize(
    ("start", "items", "earlier", "more"),
    [
        (0, [0, 1, 2], None, f"{HERE}?start=3"),
        (3, [3, 4, 5], HERE, f"{HERE}?start=6"),
        (6, [6], f"{HERE}?start=3", None),
        (2, [2, 3, 4], HERE, f"{HERE}?start=5"),
        (9, [], f"{HERE}?start=6", None),
    ],
)
def test_a_part_leads_to_those_before_and_after_it(
    start: int, items: list[int], earlier: str | None, more: str | None
) -> None:
    part = part_of(view(), range(7), start, 3)
    assert (list(part.items), part.earlier, part.more) == (items, earlier, more)


def test_a_short_list_is_one_part() -> None:
    part = part_of(view(), ["a"], 0, 3)
    assert (part.items, part.earlier, part.more) == (["a"], None, None)
