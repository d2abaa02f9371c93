"""Amounts, numbers and times as a user reads them."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.pages.languages import translations
from services.gateway.pages.show import Show
from tests.unit.gateway.pages.views import NOW


def show(tag: str = "en", zone: str = "UTC") -> Show:
    return Show(Locale.parse(tag), ZoneInfo(zone), NOW, translations("en").gettext)


@pytest.mark.parametrize(
    ("tag", "amount", "currency", "text"),
    [
        ("en", "12.5", "TFP", "12.50\u00a0TFP"),
        ("en", "1234567.891", "TFP", "1,234,567.891\u00a0TFP"),
        ("de", "1234.5", "TFP", "1.234,50\u00a0TFP"),
        ("en", "-3", "TFP", "-3.00\u00a0TFP"),
        ("en", "12.5", "EUR", "€12.50"),
        ("de", "12.5", "EUR", "12,50\u00a0€"),
        ("en", "1200", "JPY", "¥1,200"),
    ],
)
def test_money_in_sentences(tag: str, amount: str, currency: str, text: str) -> None:
    assert show(tag).money_text(amount, currency) == text


def test_money_in_tables() -> None:
    assert show().money("-12.50", "TFP") == '<span class="money">\N{MINUS SIGN}12.50&nbsp;<small>TFP</small></span>'
    assert ">+3.00&" in show().money("3", "TFP", sign=True)
    assert ">0.00&" in show().money("0", "TFP", sign=True)
    assert "<b>" not in show().money("1", "<b>")
    assert show().monies({}) == show().money("0", "TFP")
    assert show().monies({"TFP": "1", "EUR": "2"}).count("money") == 2


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_no_digit_of_an_amount_is_lost(amount: Decimal) -> None:
    shown = show().money_text(amount, "TFP").removesuffix("\u00a0TFP").replace(",", "")
    assert Decimal(shown) == amount


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [("112", "100", "▲ 12%"), ("50", "100", "▼ 50%"), ("1", "1", "= 0%"), ("1", "0", None), ("-50", "-100", "▲ 50%")],
)
def test_changes(now: str, before: str, text: str | None) -> None:
    assert show().change(now, before) == text


def test_numbers_and_shares() -> None:
    assert show("de").number(1234.56, 1) == "1.234,6"
    assert show().number(12.0, 2) == "12"
    assert show().percent(99.456, 2) == "99.46%"
    assert show("de").percent(99.5, 1) == "99,5\u00a0%"


def test_times_are_on_the_users_clock() -> None:
    stockholm = show(zone="Europe/Stockholm")
    assert "10:30" in stockholm.time(NOW)
    assert 'datetime="2026-01-31T09:30:00Z"' in stockholm.time(NOW)
    assert "February 1" in show(zone="Pacific/Auckland").day("2026-01-31T18:00:00Z")


def test_what_was_a_moment_ago_says_so_and_what_was_long_ago_has_its_date() -> None:
    assert ">3 minutes ago<" in show().ago(NOW - timedelta(minutes=3))
    assert "data-ago" in show().ago(NOW - timedelta(minutes=3))
    assert ">in 2 days<" in show().ago(NOW + timedelta(days=2))
    assert ">Jan 10<" in show().ago(NOW - timedelta(days=21))
    assert ">Jan 31, 2025<" in show().ago(NOW - timedelta(days=365))


def test_months() -> None:
    assert show().month("2025-06") == "June 2025"
    assert show("fr").month("2025-06", short=True) == "juin"


def test_words() -> None:
    assert show().word("compute_slice") == "Compute slice"
    assert show().word("never_heard_of") == "Never heard of"


def test_countries() -> None:
    assert show("de").country("SE") == "Schweden"
    assert ("SE", "Sweden") in show().countries()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Adak", "UTC"])
def test_the_edges_of_time_have_a_text(moment: str, zone: str) -> None:
    shown = show("en", zone)
    for said in (shown.ago, shown.date, shown.time, shown.short_date, shown.day):
        assert str(int(moment[:4])) in said(moment)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_has_a_text_of_some_length(number: float) -> None:
    assert 0 < len(show().number(number, 2)) < 30
    assert 0 < len(show().percent(number, 2)) < 30
