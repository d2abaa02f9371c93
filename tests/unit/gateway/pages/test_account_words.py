"""What the account's page says of browsers and of files."""

from collections.abc import AsyncIterator

import pytest

from services.gateway import restoring
from services.gateway.pages.account_words import said_of, where_of
from shared.plumbing.problems import ProblemError


@pytest.mark.parametrize(
    ("user_agent", "where"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("Firefox", "Linux")),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", ("Edge", "Windows")),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1", ("Safari", "macOS")),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", ("Chrome", "Android")),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140 Safari/604", ("Chrome", "iPhone")),
        ("something else", ("", "")),
        (None, ("", "")),
    ],
)
def test_where_a_session_is_from(user_agent: str | None, where: tuple[str, str]) -> None:
    assert where_of(user_agent) == where


@pytest.mark.parametrize(
    ("pointer", "said"),
    [
        ("#/parts/activities/503/impact_level", "Item 504 of activities: impact_level is wrong"),
        ("#/parts/activities/0", "Item 1 of activities: is wrong"),
        ("#/parts/wallet", "the wallet: is wrong"),
        ("#/manifest/signature", "The signature at the end of the file: is wrong"),
        ("#/manifest/counts/pools", "The counts at the end of the file: is wrong"),
        ("#/parts/unheard_of/1", "is wrong"),
        ("#", "is wrong"),
    ],
)
def test_the_place_of_an_error_in_plain_words(pointer: str, said: str) -> None:
    assert said_of({"pointer": pointer, "detail": "is wrong"}, str) == said


async def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    given = []

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(10):
            given.append(number)
            yield b"1234"

    with pytest.raises(ProblemError) as raised:
        async for _ in restoring.bounded(pieces(), 10):
            pass
    assert (raised.value.status, given) == (413, [0, 1, 2])
    assert [piece async for piece in restoring.bounded(pieces(), 40)] == [b"1234"] * 10
