"""The wallet page: what is in it, how it came to that, what is in pools, and how long it lasts."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from decimal import Decimal
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Response
from markupsafe import Markup

from services.gateway.pages import charts
from services.gateway.pages.pager import Pager
from services.gateway.pages.things import anchor, moment
from services.gateway.pages.visits import Pages, Visit
from shared.contracts.wallet import TransactionKind

Json = Any  # what a service answers
KINDS: Final = get_args(TransactionKind)
_SORTS: Final[Mapping[str, Callable[[Json], Any]]] = {  # Any: what can be compared
    "name": lambda pool: pool["pool_name"].casefold(),
    "invested": lambda pool: -Decimal(pool["invested"]),
    "value": lambda pool: -Decimal(pool["current_value"]),
    "gain": lambda pool: -gain(pool),
    "apy": lambda pool: -(pool["apy_percent"] or 0.0),
}
_LINKS: Final = {"purchase": "purchases", "deployment": "deployments"}


def routes(pages: Pages) -> APIRouter:
    """`/wallet`."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/wallet")
    async def wallet(visit: Visiting) -> Response:
        asked = visit.request.query_params
        query = [
            ("kind", asked.get("kind")),
            ("from", moment(asked.get("from"), visit.zone, time.min)),
            ("to", moment(asked.get("to"), visit.zone, time.max)),
            ("cursor", asked.get("cursor")),
        ]
        wallet, ledger, pools, runway = await asyncio.gather(
            visit.ask("purchases", "/wallet"),
            visit.ask("purchases", "/wallet/transactions", [*query, ("limit", visit.frame.page_size)]),
            visit.ask("purchases", "/wallet/pools"),
            visit.ask_or_none("analytics", "/analytics/runway"),
        )
        sort = asked.get("sort") if asked.get("sort") in _SORTS else "name"
        return visit.page(
            "wallet.html",
            wallet=wallet,
            chart=_chart(visit, ledger["items"], wallet["currency"]),
            items=ledger["items"],
            pager=Pager.of(visit, ledger),
            pools=sorted(pools["items"], key=_SORTS[sort or "name"]),
            sort=sort,
            runway=runway,
            asked=asked,
            filtered=any(asked.get(name) for name in ("kind", "from", "to", "cursor")),
            kinds=sorted(((each, visit.show.word(each)) for each in KINDS), key=lambda option: option[1]),
            gain=gain,
            link_of=link_of,
            anchor=anchor,
        )

    return router


def gain(pool: Json) -> Decimal:
    """What a position is worth above what was put into it."""
    return Decimal(pool["current_value"]) - Decimal(pool["invested"])


def link_of(transaction: Json) -> str | None:
    """The page of what a line of the ledger is about, below the pages' prefix; None where there is none."""
    place = _LINKS.get(transaction["related_entity_type"] or "")
    return f"{place}/{transaction['related_entity_id']}" if place and transaction["related_entity_id"] else None


def _chart(visit: Visit, items: Sequence[Json], currency: str) -> Markup | None:
    """The balance after each of these lines of the ledger, newest first as they come; None for fewer than two."""
    lines = [line for line in reversed(items) if line["currency"] == currency]
    if len(lines) < 2:
        return None
    _, show = visit.translations.gettext, visit.show
    first, last = lines[0], lines[-1]
    rows = [[show.time(line["timestamp"]), show.money(line["balance_after"], currency)] for line in lines]
    telling = charts.Telling(
        id="balance-chart",
        title=_title(visit, Decimal(first["balance_after"]), Decimal(last["balance_after"]), first["timestamp"]),
        description=_("The balance in %(currency)s after each transaction on this page.") % {"currency": currency},
        table=charts.Table(_("As a table"), [_("When"), _("Balance")], rows),
    )
    points = [charts.Point(show.local(line["timestamp"]).timestamp(), Decimal(line["balance_after"])) for line in lines]
    ends = (show.short_date(first["timestamp"]), show.short_date(last["timestamp"]))
    return charts.line(telling, points, currency, show.compact, ends, show.number(Decimal(last["balance_after"]), 2))


def _title(visit: Visit, before: Decimal, after: Decimal, since: str) -> str:
    _, day = visit.translations.gettext, visit.show.short_date(since)
    if after > before:
        return _("Your balance rose since %(date)s") % {"date": day}
    if after < before:
        return _("Your balance fell since %(date)s") % {"date": day}
    return _("Your balance is what it was on %(date)s") % {"date": day}
