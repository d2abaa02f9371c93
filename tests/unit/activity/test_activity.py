"""Every type's activity, as the contract's table says."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.activity.domain.activity import Activity, activity_of, newest_tellings
from shared.contracts.build import make_event
from shared.contracts.dashboard import ActivityReported
from shared.contracts.envelope import Payload
from shared.contracts.identity import UserLoggedIn, UserLoggedOut, UserRegistered
from shared.contracts.legacy import LegacyActivityFound, LegacyPreferencesFound
from shared.contracts.marketplace import (
    CartItemAdded,
    CartItemRemoved,
    DeploymentCreated,
    DeploymentScaled,
    MarketplaceBrowsed,
    ProductViewed,
    PurchaseCreated,
    PurchaseDetails,
    PurchaseRated,
    ResourceAllocation,
    SupportTicketClosed,
    SupportTicketOpened,
)
from shared.contracts.profile import DataExported, DataImported, PreferencesUpdated, ProfileUpdated
from shared.contracts.purchases import CredentialsRevealed
from shared.contracts.views import ActivityType
from shared.contracts.wallet import TransactionKind, WalletTransactionPosted

ADA = "ada@example.org"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SMALL = ResourceAllocation(cpu_cores=1, memory_gb=2, storage_gb=10, bandwidth_mbps=100)
BOUGHT = {
    "purchase_id": "pur-1",
    "product_id": "prod-1",
    "product_name": "Object store",
    "product_type": "storage",
    "provider_id": "prov-1",
    "provider_name": "Hypha",
    "amount": Decimal("12.50"),
    "currency": "TFP",
}


def told(data: Payload, *, time: datetime = NOON, id: str = "e1") -> Activity:
    activity = activity_of(make_event(data, source="/test", id=id, time=time))
    assert activity is not None
    return activity


def transaction(kind: TransactionKind, purchase: PurchaseDetails | None = None) -> WalletTransactionPosted:
    return WalletTransactionPosted(
        user_email=ADA,
        transaction_id="tx-1",
        sequence=1,
        kind=kind,
        amount=Decimal("-12.50"),
        currency="TFP",
        balance_after=Decimal("87.50"),
        purchase=purchase,
    )


@pytest.mark.parametrize(
    ("data", "type", "impact", "description"),
    [
        (UserLoggedIn(user_email=ADA, session_id="s"), "login", "medium", "Signed in"),
        (UserLoggedOut(user_email=ADA, session_id="s"), "logout", "medium", "Signed out"),
        (
            MarketplaceBrowsed(user_email=ADA, query="gpu", category="compute"),
            "marketplace_browse",
            "low",
            "Searched for “gpu” in compute",
        ),
        (MarketplaceBrowsed(user_email=ADA), "marketplace_browse", "low", "Browsed the marketplace"),
        (ProductViewed(user_email=ADA, product_id="p", product_name="Vault"), "product_view", "low", "Viewed Vault"),
        (ProductViewed(user_email=ADA, product_id="p"), "product_view", "low", "Viewed p"),
        (CartItemAdded(user_email=ADA, product_id="p", quantity=2), "cart_add", "medium", "Put 2 x p into the cart"),
        (
            CartItemRemoved(user_email=ADA, product_id="p", quantity=1),
            "cart_remove",
            "medium",
            "Took p out of the cart",
        ),
        (
            PurchaseCreated.model_validate({"user_email": ADA, **BOUGHT}),
            "purchase",
            "high",
            "Bought Object store from Hypha for 12.50 TFP",
        ),
        (
            transaction("purchase", PurchaseDetails.model_validate(BOUGHT)),
            "purchase",
            "high",
            "Bought Object store from Hypha for 12.50 TFP",
        ),
        (
            DeploymentCreated(
                user_email=ADA,
                deployment_id="d",
                purchase_id="p",
                kind="service",
                region="eu",
                resources_allocated=SMALL,
            ),
            "service_deploy",
            "high",
            "Deployed a service in eu",
        ),
        (
            DeploymentCreated(
                user_email=ADA, deployment_id="d", purchase_id="p", kind="app", region="eu", resources_allocated=SMALL
            ),
            "app_deploy",
            "high",
            "Deployed an app in eu",
        ),
        (
            ProfileUpdated(user_email=ADA, changed=["bio", "phone"]),
            "profile_update",
            "medium",
            "Updated the profile: bio, phone",
        ),
        (PreferencesUpdated(user_email=ADA), "preferences_update", "medium", "Updated the preferences"),
        (transaction("top_up"), "wallet_transaction", "high", "Topped up the wallet with 12.50 TFP"),
        (transaction("pool_investment"), "pool_investment", "high", "Invested 12.50 TFP"),
        (
            PurchaseRated(user_email=ADA, purchase_id="p", rating=4.5),
            "service_rating",
            "medium",
            "Rated a purchase 4.5 of 5",
        ),
        (
            SupportTicketOpened(user_email=ADA, ticket_id="t", subject="It is slow"),
            "support_request",
            "medium",
            "Asked for support: It is slow",
        ),
        (
            ActivityReported(user_email=ADA, activity_type="cart_add"),
            "cart_add",
            "medium",
            "Put a product into the cart",
        ),
        (
            CredentialsRevealed(user_email=ADA, deployment_id="d"),
            "credentials_reveal",
            "high",
            "Looked at a deployment's credentials",
        ),
        (
            ActivityReported(user_email=ADA, activity_type="product_view", description="Looked"),
            "product_view",
            "low",
            "Looked",
        ),
        (DataExported(user_email=ADA, items=3), "data_export", "high", "Took a copy of everything"),
        (DataImported(user_email=ADA, items=3, added=1), "data_import", "high", "Put a copy of everything back"),
        (
            LegacyActivityFound(user_email=ADA, activity_type="product_view", description="Viewed Vault"),
            "product_view",
            "low",
            "Viewed Vault",
        ),
        (LegacyActivityFound(user_email=ADA, activity_type="cart_add"), "cart_add", "medium", "Cart add"),
        (LegacyActivityFound(user_email=ADA, activity_type="app_deploy"), "app_deploy", "high", "App deploy"),
    ],
)
def test_an_event_tells_of_its_activity(data: Payload, type: str, impact: str, description: str) -> None:
    activity = told(data)
    assert (activity.type, activity.impact, activity.description) == (type, impact, description)
    assert (activity.user, activity.time) == (ADA, NOON)


@pytest.mark.parametrize(
    "data",
    [
        UserRegistered(user_email=ADA),
        DeploymentScaled(user_email=ADA, deployment_id="d", resources_allocated=SMALL),
        SupportTicketClosed(user_email=ADA, ticket_id="t"),
        transaction("purchase"),
        LegacyPreferencesFound(user_email=ADA, preferences={"theme": "dark"}),
    ],
)
def test_what_the_contract_gives_no_activity_tells_of_none(data: Payload) -> None:
    assert activity_of(make_event(data, source="/test")) is None


def test_every_kind_of_transaction_has_words() -> None:
    kinds: tuple[TransactionKind, ...] = get_args(TransactionKind)
    assert all(told(transaction(kind)).description for kind in kinds if kind != "purchase")


def test_a_purchase_and_its_transaction_are_one_activity() -> None:
    by_itself = told(PurchaseCreated.model_validate({"user_email": ADA, **BOUGHT}), id="e1")
    in_the_wallet = told(transaction("purchase", PurchaseDetails.model_validate(BOUGHT)), id="e2")
    assert by_itself.id == in_the_wallet.id
    assert newest_tellings([by_itself, in_the_wallet]) == newest_tellings([in_the_wallet, by_itself]) == [in_the_wallet]


def test_one_event_of_two_users_is_two_activities() -> None:
    for_ada = told(UserLoggedIn(user_email=ADA, session_id="s"))
    for_bob = told(UserLoggedIn(user_email="bob@example.org", session_id="s"))
    assert for_ada.id != for_bob.id


def test_one_id_of_two_publishers_is_two_activities() -> None:
    data = UserLoggedIn(user_email=ADA, session_id="s")
    found = [activity_of(make_event(data, source=source, id="1", time=NOON)) for source in ("/one", "/two")]
    assert len({activity.id for activity in found if activity}) == 2


def test_what_a_page_reports_cannot_pose_as_anything_else() -> None:
    reported = ActivityReported(user_email=ADA, activity_type="cart_add", metadata={"thing": "x", "type": "purchase"})
    assert told(reported).type == "cart_add"
    assert told(reported).metadata == {"thing": "x", "type": "purchase"}


def test_an_activity_of_an_old_file_is_as_the_file_says() -> None:
    found = LegacyActivityFound(
        user_email=ADA,
        activity_type="service_rating",
        metadata={"stars": 4},
        related_entity_id="p-1",
        related_entity_type="service",
        session_id="s-1",
    )
    activity = told(found)
    assert (activity.entity_id, activity.entity_type, activity.session_id) == ("p-1", "service", "s-1")
    assert (activity.metadata, activity.time) == ({"stars": 4}, NOON)


@pytest.mark.parametrize("type", get_args(ActivityType))
def test_every_type_has_an_impact(type: ActivityType) -> None:
    assert told(LegacyActivityFound(user_email=ADA, activity_type=type)).impact in ("low", "medium", "high")


@given(st.permutations(list(product(range(3), "abc"))))
def test_of_several_tellings_the_latest_wins_in_any_order(order: list[tuple[int, str]]) -> None:
    data = PurchaseCreated.model_validate({"user_email": ADA, **BOUGHT})
    (winner,) = newest_tellings(told(data, time=NOON.replace(hour=hour), id=name) for hour, name in order)
    assert (winner.time.hour, winner.event) == (2, "c\n/test")
