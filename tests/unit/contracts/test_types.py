"""Emails, times and money: parsed once, and right from then on."""

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.contracts.types import Email, Money, Price, UtcTime, normalise_email
from tests.unit.contracts.strategies import emails, exact_decimals, times

MONEY, PRICE, TIME = TypeAdapter[Decimal](Money), TypeAdapter[Decimal](Price), TypeAdapter[datetime](UtcTime)
EMAIL = TypeAdapter[str](Email)

_amounts = st.builds(
    lambda whole, fraction, sign: Decimal(f"{sign}{whole}.{fraction}"),
    st.from_regex(r"\A[0-9]{1,16}\Z"),
    st.from_regex(r"\A[0-9]{1,18}\Z"),
    st.sampled_from(["", "-"]),
)


@given(email=emails, blank=st.sampled_from(["", " ", "\t", "  \n"]))
def test_an_email_is_one_however_it_is_written(email: str, blank: str) -> None:
    written = EMAIL.validate_json(orjson.dumps(f"{blank}{email.upper()}{blank}"))
    assert written == normalise_email(email.upper())
    assert normalise_email(written) == written == written.strip().lower()


@pytest.mark.parametrize(
    "text", ["", "ada", "@", "ada@", "@example.org", "a b@c.de", "a@b@c", "a@b\x00c", "a" * 250 + "@b.cd"]
)
def test_what_is_no_email(text: str) -> None:
    with pytest.raises(ValueError, match="should be an email address"):
        normalise_email(text)


@given(amount=_amounts)
def test_money_in_a_string_keeps_every_digit(amount: Decimal) -> None:
    read = MONEY.validate_json(orjson.dumps(f"{amount:f}"))
    assert read.compare_total(amount) == 0
    assert orjson.loads(MONEY.dump_json(read)) == f"{amount:f}"


@given(amount=exact_decimals)
def test_money_in_a_number_that_is_exact_is_taken(amount: Decimal) -> None:
    assert MONEY.validate_json(orjson.dumps(float(amount))) == amount


@given(number=st.floats(-1e15, 1e15))
def test_money_in_a_number_is_taken_as_written_or_not_at_all(number: float) -> None:
    try:
        assert MONEY.validate_json(orjson.dumps(number)) == Decimal(repr(number))
    except ValidationError:
        digits = Decimal(repr(number)).normalize().as_tuple()
        assert len(digits.digits) > 15 or digits.exponent < -18  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", [b"0.1", b"12", b"12.50", b"-3", b"1e3", b"100000000000000.0", b'"12.50"', b'"1E+3"', b'"-0"']
)
def test_what_is_money(text: bytes) -> None:
    assert MONEY.validate_json(text) == Decimal(text.strip(b'"').decode())


@pytest.mark.parametrize(
    "text",
    [
        b"0.30000000000000004",
        b"1e300",
        b"1e16",
        b"NaN",
        b"true",
        b"null",
        b"[1]",
        b'""',
        b'"NaN"',
        b'"Infinity"',
        b'"1,000.00"',
        b'"12.50 TFP"',
        b'" 12.50"',
        b'"1_000"',
        '"\u0661\u0662"'.encode(),
        b'"1e999999999"',
        b'"10000000000000000"',
        b'"0.0000000000000000001"',
        b'"' + b"9" * 100_000 + b'"',
    ],
    ids=lambda text: text[:24].decode(),
)
def test_what_is_no_money(text: bytes) -> None:
    with pytest.raises(ValidationError, match="should"):
        MONEY.validate_json(text)


def test_a_price_is_not_negative() -> None:
    assert PRICE.validate_json(b'"0"') == 0
    with pytest.raises(ValidationError, match="should be 0 or more"):
        PRICE.validate_json(b'"-0.01"')


@given(time=times)
def test_a_time_is_the_same_moment_in_utc(time: datetime) -> None:
    read = TIME.validate_json(orjson.dumps(time.isoformat()))
    assert read == time
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31t09:30:00z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31 09:30:00-03:30", datetime(2026, 1, 31, 13, 0, tzinfo=UTC)),
        ("2026-01-31T09:30:00.1234567899+00:00", datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC)),
        ("2024-02-29T23:59:59.5-00:00", datetime(2024, 2, 29, 23, 59, 59, 500000, tzinfo=UTC)),
    ],
)
def test_a_time_in_any_form_of_rfc_3339(text: str, moment: datetime) -> None:
    assert TIME.validate_json(orjson.dumps(text)) == moment


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T09:30:00",
        "2026-01-31",
        "2026-02-30T09:30:00Z",
        "2026-01-31T24:30:00Z",
        "2026-01-31T09:30:00+24:00",
        "2026-01-31T09:30Z",
        "20260131T093000Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "\u0662026-01-31T09:30:00Z",
        "1769851800",
        1769851800,
        1.5,
        None,
        {},
    ],
)
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(ValidationError, match="should be an RFC 3339 time"):
        TIME.validate_json(orjson.dumps(value))
