"""Whose emails a record names."""

import orjson
import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.types import normalise_email
from shared.plumbing.addresses import addresses_in

Record = ConsumerRecord[bytes, bytes]
local = st.text("abcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+-/=?^_{|}~ä", min_size=1, max_size=20)
emails = st.builds("{}@{}.example".format, local, st.text("abcxyz-0", min_size=1, max_size=10))


def record(key: bytes | None = None, value: bytes | None = None, headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    sizes = (len(key or b""), len(value or b""))
    return ConsumerRecord("t", 0, 0, 0, 0, key, value, None, *sizes, headers)


@given(emails)
def test_every_email_is_found_as_a_key_and_as_a_value_in_json(email: str) -> None:
    assert normalise_email(email) in addresses_in(record(key=f" {email.upper()} ".encode()))
    data = orjson.dumps({"data": {"user_email": email.upper()}})
    assert normalise_email(email.upper()) in addresses_in(record(value=data))


@pytest.mark.parametrize(
    "value",
    [
        b"ada@example.org",
        b"broken {user: ADA@Example.org",
        b'{"note": "write to <Ada@example.org>, please"}',
        b'{"user_email": "ada\\u0040example.org"}',
        b"https://example.org/?email=ada@example.org&page=1",
        b"\xff\xfe ada@example.org.",
        b"from ada@example.org's desk; 'ada@example.org'",
    ],
)
def test_an_email_is_found_in_what_nobody_can_read(value: bytes) -> None:
    assert "ada@example.org" in addresses_in(record(value=value))
    assert "ada@example.org" in addresses_in(record(headers=(("h", value),)))


def test_somebody_elses_longer_email_is_not_this_one() -> None:
    found = addresses_in(
        record(value=b'{"a": "grada@example.org", "b": "ada@example.org.uk", "c": "x+ada@example.org"}')
    )
    assert "ada@example.org" not in found


@pytest.mark.parametrize("value", [b"@" * 1_000_000, b"a" * 1_000_000, b'"' * 1_000_000, b'"a@' * 300_000, b""])
def test_what_is_made_to_be_slow_is_not(value: bytes) -> None:
    assert addresses_in(record(value=value)) == set()
