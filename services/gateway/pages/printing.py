"""A report of what was spent, to print: in the user's language, and quick to make for ten thousand purchases."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from babel.numbers import get_decimal_symbol
from fastapi import Response

from services.gateway.pages.view import View
from services.gateway.pages.words import N_
from shared.contracts.profiles import OWN_CURRENCY

Json = Any  # a `Report`
_HEADS: Final = {
    "date": N_("Date"),
    "product_name": N_("Product"),
    "product_type": N_("Product type"),
    "provider_name": N_("Provider"),
    "status": N_("Status"),
    "amount": N_("Amount"),
    "refunded": N_("Refunded"),
    "spent": N_("Spent"),
    "currency": N_("Currency"),
}
_MONEY: Final = ("amount", "refunded", "spent")


def printed(view: View, report: Json) -> Response:
    """The page."""
    _, show, point = view.translations.gettext, view.show, get_decimal_symbol(view.locale)
    day, word = cache(show.calendar), cache(show.word)
    shown: dict[str, Callable[[str], str]] = {"date": day, "product_type": word, "status": word}
    shown |= dict.fromkeys(_MONEY, lambda amount: amount.replace(".", point))
    rows = [[shown[name](line[name]) if name in shown else line[name] for name in _HEADS] for line in report["lines"]]
    totals = (
        (_("By month"), _("Month"), report["months"], show.month),
        (_("By product type"), _("Product type"), report["categories"], word),
        (_("By provider"), _("Provider"), report["providers"], str),
    )
    return view.page(
        "report.html",
        first=day(report["from"]),
        last=day(report["to"]),
        total=show.money_text(report["total_spent"], OWN_CURRENCY),
        zone=report["timezone"],
        currency=OWN_CURRENCY,
        heads=[_(head) for head in _HEADS.values()],
        rows=rows,
        totals=[
            (caption, head, [(name(each), shown["spent"](spent)) for each, spent in sums.items()])
            for caption, head, sums, name in totals
        ],
    )
