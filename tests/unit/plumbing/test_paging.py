"""Cursors lead back to where they came from, and nothing else is one."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.plumbing.paging import BadCursorError, Position, cursor_of, position_of

positions = st.builds(Position, st.integers(-(2**62), 2**62), st.binary(min_size=16, max_size=16).map(bytes.hex))


@given(positions)
def test_a_cursor_leads_back(position: Position) -> None:
    assert position_of("ada@example.org", cursor_of("ada@example.org", position)) == position


@given(positions)
def test_a_cursor_is_good_for_its_user_only(position: Position) -> None:
    with pytest.raises(BadCursorError):
        position_of("bob@example.org", cursor_of("ada@example.org", position))


@given(st.text())
def test_whatever_is_made_up_is_no_cursor(text: str) -> None:
    with pytest.raises(BadCursorError):
        position_of("ada@example.org", text)


@given(positions, st.data())
def test_a_changed_cursor_is_no_cursor(position: Position, data: st.DataObject) -> None:
    cursor = cursor_of("ada@example.org", position)
    index = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from("ABCDabcd0189-_"))
    assume(cursor[index] != letter)
    changed = cursor[:index] + letter + cursor[index + 1 :]
    with pytest.raises(BadCursorError):
        position_of("ada@example.org", changed)
