"""What every page has: its language, its addresses, its way through a list, its files."""

import gzip
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.pages.languages import accepted, language_of, locale_of
from services.gateway.pages.pager import Pager
from services.gateway.pages.view import Frame
from shared.plumbing.problems import ProblemError
from tests.unit.gateway.pages.views import ASSETS, request, view


@pytest.mark.parametrize(
    ("header", "language", "locale"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de", "de_AT"),
        ("fr", "fr", "fr"),
        ("sv-SE,nl;q=0.5", "nl", "nl"),
        ("sv-SE", "en", "en"),
        ("", "en", "en"),
        ("*;;q=,,x" * 200, "en", "en"),
    ],
)
def test_a_browser_is_answered_in_its_language(header: str, language: str, locale: str) -> None:
    found = accepted(header)
    assert (language_of(found), str(found)) == (language, locale)


def test_a_choice_wins_over_the_browser() -> None:
    assert view(frame=Frame(language="nl"), accept_language="de").language == "nl"
    assert view(frame=Frame(language=None), accept_language="de").language == "de"


def test_numbers_are_those_of_the_country() -> None:
    assert str(locale_of("en", "SE")) == "en_SE"
    assert str(locale_of("en", "XX")) == "en"
    assert str(locale_of("<script>")) == "en"


def test_a_time_zone_that_is_none_is_utc() -> None:
    assert view(frame=Frame(timezone="Mars/Base", language="en")).zone.key == "UTC"


def test_going_on_says_what_was_done() -> None:
    assert view().go("/x?a=1#y", said="rated").headers["location"] == "/x?a=1&said=rated#y"
    assert view().go("/x", command="c 1").headers["location"] == "/x?command=c+1"


def test_only_known_notices_are_shown() -> None:
    assert "Your rating is saved" in text_of(view(query="said=rated"))
    assert "hacked" not in text_of(view(query="said=hacked"))


def text_of(seen: object) -> str:
    body: bytes = seen.page("login.html", next="", email="", errors={}, problem=None, wait=None, issuer=None).body  # type: ignore[attr-defined]
    return body.decode()


def test_what_a_user_typed_is_escaped() -> None:
    page = view().page("login.html", next='"><script>', email="<b>", errors={}, problem=None, wait=None, issuer=None)
    assert b"<script>" not in page.body
    assert b"<b>" not in page.body


def test_pages_are_zipped_for_who_takes_that() -> None:
    page = view(accept_encoding="gzip, br").page(
        "login.html", next="x" * 3_000, email="", errors={}, problem=None, wait=None, issuer=None
    )
    assert page.headers["content-encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(page.body)


@given(st.lists(st.text("abcdef", min_size=1, max_size=8), min_size=1, max_size=40, unique=True))
def test_older_and_newer_are_each_others_way_back(cursors: list[str]) -> None:
    """Follows every `older`, then every `newer` back to the beginning, and passes the same pages."""
    passed, query = [], "q=x"
    for cursor in [*cursors, None]:
        passed.append(dict(parse_qsl(query)).get("cursor"))
        pager = Pager.of(view(query=query), {"next_cursor": cursor})
        if pager.older:
            query = urlsplit(pager.older).query
    for expected in reversed(passed[-30:-1]):
        newer = Pager.of(view(query=query), {"next_cursor": None}).newer
        assert newer is not None
        query = urlsplit(newer).query
        assert dict(parse_qsl(query)).get("cursor") == expected
        assert dict(parse_qsl(query))["q"] == "x"


def test_a_first_page_has_nothing_newer_and_a_last_one_nothing_older() -> None:
    assert Pager.of(view(), {"next_cursor": None}) == Pager(None, None)


async def test_files_are_kept_for_ever_by_what_is_in_them() -> None:
    url = ASSETS.url("app.css")
    plain = await ASSETS.serve(request(url))
    zipped = await ASSETS.serve(request(url, accept_encoding="gzip"))
    assert "immutable" in plain.headers["cache-control"]
    assert gzip.decompress(zipped.body) == plain.body
    assert plain.headers["content-type"].startswith("text/css")
    with pytest.raises(ProblemError):
        await ASSETS.serve(request("/assets/app.0.css"))
