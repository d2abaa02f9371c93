"""What a marketplace says of a user's purchase and deployment, for the tests of the pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson

from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import DeploymentCreated, PurchaseCreated
from shared.contracts.topics import MARKETPLACE
from tests.servers.browsing import Browser, Page
from tests.servers.dashboard import User
from tests.servers.running import Running
from tests.waiting import eventually

HOME = "/dashboard/user"
RESOURCES = {"cpu_cores": 1.5, "memory_gb": 2, "storage_gb": 10, "bandwidth_mbps": 100}


@dataclass(frozen=True)
class Shop:
    """Sells to `user`."""

    service: Running
    user: User

    async def tell(self, kind: type[UserPayload], ago: timedelta = timedelta(), /, **data: object) -> None:
        """Publishes an event about the user."""
        payload = kind.model_validate_json(orjson.dumps({**data, "user_email": self.user.email}))
        await self.service.publish(MARKETPLACE, make_event(payload, source="/shop", time=datetime.now(UTC) - ago))

    async def sell(self, ago: timedelta = timedelta(days=3), /, **changes: object) -> str:
        """A purchase, `Object Store` of `Hypha Cloud` for 12.50 TFP where nothing else is said; its id."""
        bought: dict[str, Any] = {
            "purchase_id": f"pur-{uuid4().hex[:8]}",
            "product_id": "object-store",
            "product_name": "Object Store",
            "product_type": "storage",
            "provider_id": "hypha",
            "provider_name": "Hypha Cloud",
            "amount": "12.50",
            "currency": "TFP",
            "status": "active",
        } | changes
        await self.tell(PurchaseCreated, ago, **bought)
        return str(bought["purchase_id"])

    async def deploy(self, purchase: str, ago: timedelta = timedelta(days=3), /, **changes: object) -> str:
        """A deployment of a purchase; its id."""
        made: dict[str, Any] = {
            "deployment_id": f"dep-{uuid4().hex[:8]}",
            "purchase_id": purchase,
            "kind": "service",
            "region": "eu-north",
            "resources_allocated": RESOURCES,
        } | changes
        await self.tell(DeploymentCreated, ago, **made)
        return str(made["deployment_id"])


async def page_with(browser: Browser, path: str, text: str) -> Page:
    """The page at `path` below the dashboard, once it says `text`."""

    async def said() -> Page | None:
        page = await browser.get(HOME + path)
        return page if page.status == 200 and text in page.root.text else None

    found = await eventually(said, what=f"{path} says {text}")
    assert found is not None
    return found


def pairs_of(page: Page) -> Mapping[str, str]:
    """The terms of a page and what it says of each; of one that is there twice the first."""
    terms = [each.text for each in page.root.all("dt")]
    return dict(reversed(list(zip(terms, [each.text for each in page.root.all("dd")], strict=True))))
