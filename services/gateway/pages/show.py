"""How values are shown: amounts, numbers, dates and times as the user's language, country and time zone have them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import date as CalendarDay  # noqa: N812  (`date` is a method here)
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import get_global
from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    format_time,
    format_timedelta,
    get_datetime_format,
)
from babel.numbers import (
    format_compact_decimal,
    format_currency,
    format_decimal,
    format_percent,
    get_currency_precision,
)
from markupsafe import Markup, escape

from services.gateway.pages.words import WORDS
from shared.contracts.profiles import country_codes

_RECENT = timedelta(days=7)
_OWN_CURRENCY_DIGITS: Final = 2
_TOO_LONG: Final = Decimal(10) ** 15
Amount = str | Decimal
Moment = str | datetime


@dataclass(frozen=True)
class Show:
    """Shows values in `locale` and in `zone`, as of `now` (UTC); `gettext` translates."""

    locale: Locale
    zone: ZoneInfo
    now: datetime
    gettext: Callable[[str], str]

    def word(self, value: str) -> str:
        """The word for a value of the API, such as `compute_slice`, with a capital."""
        return self.gettext(WORDS[value]) if value in WORDS else value.replace("_", " ").capitalize()

    def money(self, amount: Amount, currency: str, *, sign: bool = False) -> Markup:
        """An amount with its currency's digits, the currency small; with `sign`, a plus before what is above zero."""
        return Markup('<span class="money">{}&nbsp;<small>{}</small></span>').format(
            self._signed(Decimal(amount), self._amount(Decimal(amount), currency), sign), currency
        )

    def money_text(self, amount: Amount, currency: str) -> str:
        """The same as plain text, for sentences and titles."""
        if _is_iso(currency):
            return str(format_currency(Decimal(amount), currency, locale=self.locale))
        return f"{self._amount(Decimal(amount), currency)}\u00a0{currency}"

    def monies(self, amounts: Mapping[str, Amount], otherwise: str = "TFP") -> Markup:
        """An amount in each of several currencies; zero of `otherwise` where there is none."""
        shown = [self.money(amount, currency) for currency, amount in amounts.items()]
        return Markup(" + ").join(shown or [self.money(Decimal(0), otherwise)])

    def number(self, value: float | Decimal, digits: int = 0) -> str:
        """A number with at most `digits` decimals, or its order of magnitude where it is beyond all measure."""
        if abs(Decimal(value)) >= _TOO_LONG:
            return f"{value:.0E}".replace("E+", "E")
        return str(format_decimal(value, f"#,##0.{'#' * digits}" if digits else "#,##0", locale=self.locale))

    def compact(self, value: Decimal) -> str:
        """A number to three digits, in as little room as a chart has, such as 1.2K."""
        value = round(value, 2 - value.adjusted()) if value else value
        if abs(value) >= _TOO_LONG:
            return f"{value:.0E}".replace("E+", "E")
        shown = format_compact_decimal(value, locale=self.locale, fraction_digits=1)
        return str(shown).replace("-", "\N{MINUS SIGN}")

    def percent(self, value: float, digits: int = 0) -> str:
        """`value` in percent: 99.5 is 99.5 %."""
        if abs(value) >= _TOO_LONG:
            return f"{self.number(value)}\u00a0%"
        pattern = self.locale.percent_formats[None].pattern
        if digits:
            pattern = pattern.replace("0", f"0.{'#' * digits}", 1)
        return str(format_percent(value / 100, pattern, locale=self.locale))

    def ago(self, moment: Moment) -> Markup:
        """How long ago or in what time, with the exact time as its title. Older than a week: the date."""
        at = self._at(moment)
        away = at - self.now
        if abs(away) < _RECENT:
            text = str(format_timedelta(away, add_direction=True, locale=self.locale, threshold=0.95))
            return self._time(at, text, live=True)
        return self._time(at, self._date_text(at))

    def date(self, moment: Moment) -> Markup:
        """The date, with the exact time as its title."""
        at = self._at(moment)
        return self._time(at, str(format_date(self._local(at), "medium", locale=self.locale)))

    def time(self, moment: Moment) -> Markup:
        """Date and time to the minute."""
        at = self._at(moment)
        local = self._local(at)
        day = format_date(local, "medium", locale=self.locale)
        minute = format_time(local, "short", tzinfo=local.tzinfo, locale=self.locale)
        return self._time(at, str(get_datetime_format("medium", locale=self.locale)).format(minute, day))

    def short_date(self, moment: Moment) -> str:
        """The date as plain text, with the year where it is not this one."""
        return self._date_text(self._at(moment))

    def calendar(self, day: str) -> str:
        """A day such as 2026-01-31, which is of the user's own calendar already."""
        return str(format_date(datetime.fromisoformat(day), "medium", locale=self.locale))

    def day(self, moment: Moment) -> str:
        """The day as a heading: weekday, day, month."""
        return str(format_date(self.local(moment), "full", locale=self.locale))

    def weekday(self, day: CalendarDay) -> str:
        """The day of the week, short."""
        return str(format_date(day, "EEE", locale=self.locale))

    def month(self, month: str, *, short: bool = False) -> str:
        """A month such as 2025-06 as June 2025, or Jun."""
        first = datetime.fromisoformat(f"{month}-01")
        return str(format_skeleton("MMM" if short else "yMMMM", first, tzinfo=UTC, locale=self.locale))

    def duration(self, seconds: float) -> str:
        """A length of time in its largest unit."""
        return str(format_timedelta(timedelta(seconds=seconds), locale=self.locale, threshold=1.5))

    def change(self, now: Amount, before: Amount) -> str | None:
        """By how much of `before` it is more or less, such as `▲ 12 %`; None where there is nothing to compare with."""
        new, old = Decimal(now), Decimal(before)
        if not old:
            return None
        share = float((new - old) / abs(old) * 100)
        return f"{'▲' if share > 0 else '▼' if share < 0 else '='} {self.percent(abs(share))}"

    def country(self, code: str) -> str:
        """A country's name."""
        return str(self.locale.territories.get(code, code))

    def countries(self) -> list[tuple[str, str]]:
        """All countries, code and name, by their names."""
        return sorted(((code, self.country(code)) for code in country_codes()), key=lambda named: named[1])

    def local(self, moment: Moment) -> datetime:
        """The time on the user's own clock."""
        return self._local(self._at(moment))

    def _amount(self, amount: Decimal, currency: str) -> str:
        least = get_currency_precision(currency) if _is_iso(currency) else _OWN_CURRENCY_DIGITS
        digits = max(least, min(-int(amount.normalize().as_tuple().exponent), 6))
        return str(format_decimal(amount, "#,##0" + ("." + "0" * digits if digits else ""), locale=self.locale))

    @staticmethod
    def _signed(amount: Decimal, text: str, sign: bool) -> str:
        text = text.replace("-", "\N{MINUS SIGN}")
        return f"+{text}" if sign and amount > 0 else text

    def _local(self, at: datetime) -> datetime:
        """On the user's own clock; the first and the last day of all are on no other clock than their own."""
        try:
            return at.astimezone(self.zone)
        except OverflowError:
            return at

    def _date_text(self, at: datetime) -> str:
        local = self._local(at)
        same_year = local.year == self.now.astimezone(self.zone).year
        return str(format_skeleton("MMMd" if same_year else "yMMMd", local, locale=self.locale))

    def _time(self, at: datetime, text: str, *, live: bool = False) -> Markup:
        local = self._local(at)
        exact = format_datetime(local, "long", tzinfo=local.tzinfo, locale=self.locale)
        stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
            stamp, exact, Markup(" data-ago") if live else "", escape(text)
        )

    @staticmethod
    def _at(moment: Moment) -> datetime:
        return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


def _is_iso(currency: str) -> bool:
    return currency in get_global("all_currencies")
