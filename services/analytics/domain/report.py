"""What was bought in a range of days, line by line, with totals: as JSON, and as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.analytics.domain.months import OWN_CURRENCY, month_of
from services.analytics.domain.things import Purchase
from shared.folds.purchase import money

Record = dict[str, Any]  # JSON: money is a string
_COLUMNS: Final = (
    "date",
    "purchase_id",
    "product_name",
    "product_type",
    "provider_name",
    "status",
    "amount",
    "refunded",
    "spent",
    "currency",
)
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def report(purchases: Sequence[Purchase], first: date, last: date, zone: ZoneInfo) -> Record:
    """`Report` of the purchases, oldest first, on the days of the user's time zone."""
    own = [p for p in purchases if p.currency == OWN_CURRENCY]
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "timezone": str(zone),
        "total_spent": money(sum((p.spent for p in own), Decimal(0))),
        "lines": [_line(p, zone) for p in purchases],
        "months": _totals((month_of(p.at, zone), p) for p in own),
        "categories": _totals((p.product_type, p) for p in own),
        "providers": _totals((p.provider_name, p) for p in own),
    }


def as_csv(lines: Iterable[Record]) -> str:
    """The lines as CSV with a header; a text that a spreadsheet would take for a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in line.items()} for line in lines)
    return out.getvalue()


def _line(p: Purchase, zone: ZoneInfo) -> Record:
    return {
        "date": p.at.astimezone(zone).date().isoformat(),
        "purchase_id": p.id,
        "product_name": p.product_name,
        "product_type": p.product_type,
        "provider_name": p.provider_name,
        "status": p.status,
        "amount": money(p.amount),
        "refunded": money(p.refunded),
        "spent": money(p.spent),
        "currency": p.currency,
    }


def _totals(named: Iterable[tuple[str, Purchase]]) -> dict[str, str]:
    sums: dict[str, Decimal] = {}
    for name, p in named:
        sums[name] = sums.get(name, Decimal(0)) + p.spent
    return {name: money(total) for name, total in sorted(sums.items())}


def _plain(value: str) -> str:
    """See OWASP's "CSV Injection"."""
    return f"'{value}" if value.startswith(_FORMULAS) else value
