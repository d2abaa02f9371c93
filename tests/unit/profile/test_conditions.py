"""If-Match and If-None-Match, as RFC 9110 has them."""

import pytest

from services.profile.api.conditions import check_unchanged, etag, is_known
from shared.plumbing.problems import ProblemError


@pytest.mark.parametrize("header", [None, "*", " * ", '"7"', '"6", "7"', 'W/"6","7"'])
def test_a_change_of_this_version_goes_through(header: str | None) -> None:
    check_unchanged(header, 7)


@pytest.mark.parametrize("header", ["", '"6"', "7", 'W/"7"', '"17"', '"7', "nonsense, *"])
def test_a_change_of_another_version_is_refused(header: str) -> None:
    with pytest.raises(ProblemError) as refused:
        check_unchanged(header, 7)
    assert (refused.value.status, refused.value.code) == (412, "changed-meanwhile")


@pytest.mark.parametrize(
    ("header", "known"), [(None, False), ("*", True), ('"7"', True), ('W/"7"', True), ('"6"', False), ("", False)]
)
def test_what_the_client_knows(header: str | None, known: bool) -> None:
    assert is_known(header, 7) == known
    assert etag(7) == '"7"'
