"""What the pages report of their user: that they looked for something, and what they looked at."""

from typing import Final

from fastapi import Response
from starlette.background import BackgroundTask

from services.gateway.activities import Report, publish
from services.gateway.pages.visits import Json, Visit
from shared.contracts.dashboard import Metadata
from shared.plumbing.problems import ProblemError

_AGAIN: Final = ("cursor", "said", "command")  # in the address of a page that is shown once more


def searched(visit: Visit, response: Response, words: str, found: int) -> Response:
    """`response`, after which it is published that the user browsed or, with `words`, searched; `found` so many."""
    text = f"Searched for “{words}”" if words else "Browsed the marketplace"
    metadata: Metadata = {"query": words or None, "results": found}
    return _after(visit, response, Report(activity_type="marketplace_browse", description=text, metadata=metadata))


def viewed(visit: Visit, response: Response, product: Json) -> Response:
    """`response`, after which it is published that the user looked at `product`, a `CatalogProduct`."""
    seen = Report(
        activity_type="product_view",
        description=f"Viewed {product['name']}",
        metadata={"product_name": product["name"], "product_type": product["product_type"]},
        related_entity_id=product["id"],
        related_entity_type="product",
    )
    return _after(visit, response, seen)


def _after(visit: Visit, response: Response, seen: Report) -> Response:
    """Not where the page only comes up to date: what was published would have it come up to date again, for ever."""
    request = visit.request
    if "x-refresh" not in request.headers and not any(name in request.query_params for name in _AGAIN):
        response.background = BackgroundTask(_publish, visit, seen)
    return response


async def _publish(visit: Visit, seen: Report) -> None:
    try:
        await publish(visit.publisher, visit.identity, seen, visit.request.headers.get("traceparent"))
    except ProblemError:
        return  # it is logged; that somebody looked is not worth an error
