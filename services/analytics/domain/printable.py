"""A report as a page to print: plain HTML, without style, script or anything from elsewhere."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from services.analytics.domain.months import OWN_CURRENCY

_COLUMNS: Final[Mapping[str, str]] = {
    "date": "Date",
    "product_name": "Product",
    "product_type": "Type",
    "provider_name": "Provider",
    "status": "Status",
    "amount": "Amount",
    "refunded": "Refunded",
    "spent": "Spent",
    "currency": "Currency",
}


def as_html(report: Mapping[str, Any]) -> str:  # Any: JSON
    """`Report` as one HTML document: the purchases line by line, then the totals. Every text is escaped."""
    title = f"What you spent from {report['from']} to {report['to']}"
    lines = [[line[name] for name in _COLUMNS] for line in report["lines"]]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(report['total_spent'])} {OWN_CURRENCY} in all. Days are of {escape(report['timezone'])}.</p>",
        _table("Purchases", _COLUMNS.values(), lines) if lines else "<p>There was no purchase in these days.</p>",
        *(
            _table(f"By {what}", (what.capitalize(), f"Spent ({OWN_CURRENCY})"), report[name].items())
            for what, name in (("month", "months"), ("product type", "categories"), ("provider", "providers"))
            if report[name]
        ),
    ]
    head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
    return f"{head}<body>{''.join(parts)}</body></html>"


def _table(caption: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col" align="left">{escape(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    table = f'<table border="1" cellpadding="4"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f"<h2>{escape(caption)}</h2>{table}"
