"""Profiles and preferences as the gateway and the other services see them, on a real broker and a real mongod."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts.profile import DataExported, DataImported, PreferencesUpdated, ProfileUpdated
from shared.contracts.topics import PROFILE, UPDATES
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database
from tests.integration.test_profile import call, email, register, stored, tokens
from tests.servers.dashboard import Reply, Site, assert_problem, events_until
from tests.servers.running import arrived

__all__ = ["email", "stored", "tokens"]


class Person:
    """A registered user, as the gateway asks for them."""

    def __init__(self, profile: Site, tokens: InternalTokens, email: str, user_id: str) -> None:
        self._profile, self._tokens = profile, tokens
        self.email, self.user_id = email, user_id

    async def ask(self, method: str, path: str, json: Any = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await call(self._profile, self._tokens, method, path, user=self.email, json=json, headers=named)

    async def patch(self, path: str, if_match: str | None = None, **members: Any) -> Reply:  # Any: JSON
        return await self.ask("PATCH", path, members, **({"if_match": if_match} if if_match else {}))


@pytest_asyncio.fixture(loop_scope="session")
async def ada(profile: Site, tokens: InternalTokens, email: str) -> Person:
    made = await register(profile, tokens, email, display_name="Ada", timezone="Asia/Tokyo")
    return Person(profile, tokens, email, made.json["user_id"])


async def test_a_new_user_has_a_whole_profile_and_preferences(ada: Person) -> None:
    shown = await ada.ask("GET", "/profile")
    assert (shown.status, shown.headers["ETag"]) == (200, '"2"')
    created = shown.json["created_at"]
    assert shown.json == {
        "user_id": ada.user_id,
        "user_email": ada.email,
        "display_name": "Ada",
        "first_name": None,
        "last_name": None,
        "avatar_url": None,
        "bio": None,
        "company": None,
        "job_title": None,
        "country": None,
        "timezone": "Asia/Tokyo",
        "phone": None,
        "website": None,
        "social_links": {},
        "profile_visibility": "private",
        "created_at": created,
        "updated_at": created,
    }
    preferences = await ada.ask("GET", "/preferences")
    assert preferences.status == 200
    assert preferences.json["cookie_preferences"] == {
        "essential": True,
        "analytics": False,
        "marketing": False,
        "personalization": False,
    }
    assert preferences.json["updated_at"] == created


async def test_a_change_is_answered_whole_kept_and_told(ada: Person, client_settings: dict[str, str]) -> None:
    before = await ada.ask("GET", "/profile")
    changed = await ada.patch("/profile", bio="A secret.", social_links={"git.hub": "https://a.test/ada"})
    assert changed.status == 200
    assert changed.json["social_links"] == {"git.hub": "https://a.test/ada"}
    assert changed.json["created_at"] == before.json["created_at"]
    assert changed.json["updated_at"] > before.json["updated_at"]
    again = await ada.ask("GET", "/profile")
    assert (again.body, again.headers["ETag"]) == (changed.body, changed.headers["ETag"])
    assert again.headers["ETag"] != before.headers["ETag"]

    prices = await ada.patch("/preferences", price_range_filter=["0.10", 20], activity_tracking=False)
    assert prices.json["price_range_filter"] == ["0.10", "20"]
    assert (await ada.ask("GET", "/preferences")).body == prices.body

    kafka = client_settings["kafka_bootstrap_servers"]
    profile, preferences = await events_until(kafka, PROFILE, ada.email, PreferencesUpdated)
    assert profile.data == ProfileUpdated(user_email=ada.email, changed=["bio", "social_links"], timezone="Asia/Tokyo")
    assert preferences.data == PreferencesUpdated(
        user_email=ada.email,
        changed=["price_range_filter", "activity_tracking"],
        activity_tracking=False,
        analytics_participation=True,
        auto_renewal_default=False,
        preferred_providers=[],
        blocked_providers=[],
        price_range_filter=[Decimal("0.10"), Decimal(20)],
        default_category_filter="",
        deployment_alerts=True,
        billing_alerts=True,
        security_alerts=True,
        email_notifications=True,
    )
    for section in (b'"section":"profile"', b'"section":"preferences"'):
        await arrived(kafka, UPDATES.name, lambda r, s=section: r.key == ada.email.encode() and s in r.value)  # type: ignore[misc]


async def test_what_changes_nothing_has_no_event_and_no_new_version(ada: Person, stored: Database) -> None:
    first = await ada.patch("/preferences", theme="dark")
    again = await ada.patch("/preferences", theme="dark", cookie_preferences={}, default_category_filter="")
    assert (again.status, again.body, again.headers["ETag"]) == (200, first.body, first.headers["ETag"])
    nothing = await ada.patch("/preferences")
    assert (nothing.status, nothing.headers["ETag"]) == (200, first.headers["ETag"])

    user = await stored["users"].find_one({"_id": ada.email})
    assert user is not None
    assert (await ada.patch("/preferences", theme="dark")).status == 200
    after = await stored["users"].find_one({"_id": ada.email})
    assert after is not None
    assert after["version"] == user["version"]


async def test_if_match_decides_on_the_version_of_its_own_section(ada: Person) -> None:
    etag = (await ada.ask("GET", "/profile")).headers["ETag"]
    await ada.patch("/preferences", theme="dark")
    changed = await ada.patch("/profile", etag, bio="first")
    assert changed.status == 200
    assert_problem(await ada.patch("/profile", etag, bio="second"), 412, "changed-meanwhile")
    assert_problem(await ada.patch("/profile", etag, bio="first"), 412, "changed-meanwhile")
    assert (await ada.patch("/profile", "*", bio="third")).json["bio"] == "third"
    assert (await ada.patch("/profile", f'"x", {(await ada.ask("GET", "/profile")).headers["ETag"]}')).status == 200


async def test_what_the_client_has_is_not_sent_again(ada: Person) -> None:
    for path in ("/profile", "/preferences"):
        etag = (await ada.ask("GET", path)).headers["ETag"]
        same = await ada.ask("GET", path, if_none_match=etag)
        assert (same.status, same.body, same.headers["ETag"]) == (304, b"", etag)
        assert (await ada.ask("GET", path, if_none_match='"0"')).status == 200


async def test_of_many_changes_of_one_version_at_once_one_is_made(ada: Person) -> None:
    etag = (await ada.ask("GET", "/profile")).headers["ETag"]
    replies = await asyncio.gather(*(ada.patch("/profile", etag, bio=f"bio {n}") for n in range(12)))
    assert sorted(reply.status for reply in replies) == [200] + [412] * 11
    (won,) = [reply.json["bio"] for reply in replies if reply.status == 200]
    assert (await ada.ask("GET", "/profile")).json["bio"] == won


async def test_many_changes_at_once_without_a_condition_are_all_kept(
    ada: Person, client_settings: dict[str, str]
) -> None:
    fields = ["first_name", "last_name", "company", "job_title", "bio"]
    toggles = ["email_notifications", "security_alerts", "deployment_alerts", "billing_alerts"]
    replies = await asyncio.gather(
        *(ada.patch("/profile", **{field: field}) for field in fields),
        *(ada.patch("/profile", social_links={f"n{n}": "https://a.test"}) for n in range(5)),
        *(ada.ask("PATCH", "/preferences", {toggle: False}) for toggle in toggles),
    )
    assert {reply.status for reply in replies} == {200}
    profile = (await ada.ask("GET", "/profile")).json
    assert {field: profile[field] for field in fields} == {field: field for field in fields}
    assert len(profile["social_links"]) == 5
    preferences = (await ada.ask("GET", "/preferences")).json
    assert {toggle: preferences[toggle] for toggle in toggles} == dict.fromkeys(toggles, False)

    told = await events_until(client_settings["kafka_bootstrap_servers"], PROFILE, ada.email, ProfileUpdated, 10)
    names = [name for event in told if isinstance(event.data, ProfileUpdated) for name in event.data.changed]
    assert sorted(names) == sorted([*fields, *["social_links"] * 5])


@pytest.mark.parametrize(
    ("path", "members", "pointer"),
    [
        ("/profile", {"website": "javascript:alert(1)"}, "#/website"),
        ("/profile", {"avatar_url": "https://me:secret@a.test"}, "#/avatar_url"),
        ("/profile", {"phone": "0701234567"}, "#/phone"),
        ("/profile", {"timezone": "Mars/Olympus"}, "#/timezone"),
        ("/profile", {"timezone": None}, "#/timezone"),
        ("/profile", {"display_name": " "}, "#/display_name"),
        ("/profile", {"country": "XX"}, "#/country"),
        ("/profile", {"bio": "x" * 1001}, "#/bio"),
        ("/profile", {"social_links": {"x": "ftp://a.test"}}, "#/social_links/x"),
        ("/profile", {"social_links": {"$where": "https://a.test"}}, "#/social_links"),
        ("/profile", {"user_email": "eve@example.test"}, "#/user_email"),
        ("/profile", {"profile_visibility": "everybody"}, "#/profile_visibility"),
        ("/preferences", {"items_per_page": 4}, "#/items_per_page"),
        ("/preferences", {"items_per_page": "50"}, "#/items_per_page"),
        ("/preferences", {"price_range_filter": ["2", "1"]}, "#/price_range_filter"),
        ("/preferences", {"preferred_currency": "DOGE"}, "#/preferred_currency"),
        ("/preferences", {"language": "klingon-please"}, "#/language"),
        ("/preferences", {"preferred_providers": ["p"], "blocked_providers": ["p"]}, "#/preferred_providers"),
        ("/preferences", {"cookie_preferences": {"essential": False}}, "#/cookie_preferences/essential"),
    ],
)
async def test_what_is_not_valid_is_refused_by_name_and_changes_nothing(
    ada: Person, path: str, members: dict[str, Any], pointer: str
) -> None:
    before = await ada.ask("GET", path)
    assert_problem(await ada.patch(path, **members), 422, "invalid", pointer)
    assert (await ada.ask("GET", path)).body == before.body


async def test_a_provider_is_checked_against_what_is_kept(ada: Person) -> None:
    await ada.patch("/preferences", blocked_providers=["p"])
    refused = await ada.patch("/preferences", preferred_providers=["p"])
    assert_problem(refused, 422, "invalid", "#/preferred_providers")
    assert (await ada.patch("/preferences", preferred_providers=["p"], blocked_providers=[])).status == 200


async def test_others_see_what_the_visibility_lets_them_see(ada: Person, profile: Site, tokens: InternalTokens) -> None:
    async def seen() -> Reply:
        return await call(profile, tokens, "GET", f"/profiles/{ada.user_id}", user="bob@example.test")

    assert_problem(await seen(), 404, "no-profile")
    await ada.patch("/profile", profile_visibility="limited", bio="I count.", avatar_url="https://a.test/x.png")
    limited = (await seen()).json
    assert {name: value for name, value in limited.items() if value} == {
        "user_id": ada.user_id,
        "display_name": "Ada",
        "avatar_url": "https://a.test/x.png",
    }
    await ada.patch("/profile", profile_visibility="public", phone="+46701234567")
    public = await seen()
    assert public.json["bio"] == "I count."
    assert ada.email not in public.body.decode()
    assert "+46701234567" not in public.body.decode()
    for other in ("unknown", ada.email):
        reply = await call(profile, tokens, "GET", f"/profiles/{other}", user="bob@example.test")
        assert_problem(reply, 404, "no-profile")


async def test_taking_the_data_out_and_putting_it_back_is_told(ada: Person, client_settings: dict[str, str]) -> None:
    assert (await ada.ask("POST", "/exports", {"items": 12})).status == 204
    assert (await ada.ask("POST", "/imports/done", {"items": 12, "added": 3})).status == 204
    told = await events_until(client_settings["kafka_bootstrap_servers"], PROFILE, ada.email, DataImported)
    assert [event.data for event in told] == [
        DataExported(user_email=ada.email, items=12),
        DataImported(user_email=ada.email, items=12, added=3),
    ]


async def test_who_is_not_registered_has_nothing(profile: Site, tokens: InternalTokens, email: str) -> None:
    nobody = Person(profile, tokens, email, "")
    replies = [
        await nobody.ask("GET", "/profile"),
        await nobody.ask("GET", "/preferences"),
        await nobody.patch("/profile", bio="x"),
        await nobody.patch("/preferences", theme="dark"),
        await nobody.ask("POST", "/exports", {"items": 1}),
    ]
    for reply in replies:
        assert_problem(reply, 404, "no-profile")


async def test_who_was_erased_meanwhile_is_not_brought_back_by_a_change(ada: Person, stored: Database) -> None:
    etag = (await ada.ask("GET", "/profile")).headers["ETag"]
    patches = [ada.patch("/profile", bio=f"bio {n}") for n in range(10)]
    *_, left = await asyncio.gather(*patches, ada.ask("POST", "/erasures", {}))
    assert left.status == 202
    assert_problem(await ada.patch("/profile", etag, bio="late"), 404, "no-profile")
    assert await stored["users"].find_one({"_id": ada.email}) is None
