"""The user's own months and whether orders renew themselves, in the purchases service on real servers."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

import orjson

from services.purchases.domain.settings import months_at
from shared.contracts.build import make_event
from shared.contracts.identity import UserRegistered
from shared.contracts.marketplace import PurchaseCreated
from shared.contracts.profile import PreferencesUpdated, ProfileUpdated
from shared.contracts.topics import COMMANDS, IDENTITY, MARKETPLACE, PROFILE
from tests.integration.test_purchases_service import Shop, details
from tests.integration.test_purchases_service import shop as shop
from tests.servers.running import arrived
from tests.waiting import eventually

FIRST = ZoneInfo("Pacific/Kiritimati")  # where every month begins
LAST = ZoneInfo("Etc/GMT+12")  # where it begins last


async def test_the_months_of_the_overview_are_those_of_the_users_clock(shop: Shop) -> None:
    now = datetime.now(UTC)
    made = months_at(now, FIRST).this
    bought = PurchaseCreated.model_validate({"user_email": shop.user, **details(status="active")})
    await shop.service.publish(MARKETPLACE, make_event(bought, source="/shop", time=made))
    spent = {"TFP": str(Decimal(bought.amount))}

    async def counts_as(zone: ZoneInfo) -> None:
        months = months_at(datetime.now(UTC), zone)
        in_this = made >= months.this
        await shop.overview(
            month=months.name,
            spent_this_month=spent if in_this else {},
            spent_last_month={} if in_this else spent,
        )

    await counts_as(ZoneInfo("UTC"))
    await shop.tell(IDENTITY, UserRegistered, 5, timezone="Pacific/Kiritimati")
    await counts_as(FIRST)
    await shop.tell(PROFILE, ProfileUpdated, 4, changed=["timezone"], timezone="Etc/GMT+12")
    await counts_as(LAST)
    await shop.tell(IDENTITY, UserRegistered, 6, timezone="Asia/Tokyo")  # told late: what is newer stays
    await shop.tell(PROFILE, ProfileUpdated, 3, changed=["timezone"], timezone="No/Where")
    await counts_as(ZoneInfo("UTC"))


async def test_an_order_says_whether_it_is_to_renew_itself(shop: Shop, kafka: str) -> None:
    async def order(key: str) -> tuple[str, bool | None]:
        status, accepted = await shop.send("POST", "/purchases", {"product_id": "p"}, **{"idempotency-key": key})
        assert status == 202, accepted
        (record,) = await arrived(kafka, COMMANDS.name, lambda r: accepted["command_id"].encode() in (r.value or b""))
        return accepted["command_id"], orjson.loads(record.value or b"")["data"].get("auto_renewal")

    async def first_to_say(wanted: bool) -> str:
        keys = (f"{wanted} {number}" for number in count())

        async def said() -> str:
            key = next(keys)
            return key if (await order(key))[1] is wanted else ""

        return await eventually(said, timeout=60, what=f"an order says {wanted}")

    assert (await order("first"))[1] is None
    await shop.tell(PROFILE, PreferencesUpdated, 5, changed=["auto_renewal_default"], auto_renewal_default=True)
    key = await first_to_say(True)
    renewing = await order(key)
    await shop.tell(PROFILE, PreferencesUpdated, 4, changed=["auto_renewal_default"], auto_renewal_default=False)
    await first_to_say(False)
    assert await order(key) == renewing  # the same request is the same order, whatever is preferred by now
