"""What the timeline says, in the user's language where the activity service said it."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, get_args

import pytest

from mycelium.simulator import Scenario, history
from services.activity.domain.activity import activity_of
from services.gateway.pages.activity_words import SENTENCES, described, details
from services.gateway.pages.languages import LANGUAGES
from shared.contracts import dashboard, identity, marketplace, profile, purchases, wallet
from shared.contracts.build import make_event
from shared.contracts.envelope import Payload
from shared.contracts.legacy import LegacyActivityFound
from shared.contracts.views import ActivityType
from tests.unit.gateway.pages.views import show

ADA: Final = {"user_email": "ada@example.org"}
Json = Any  # a `UserActivity`
LINE: Final = {"transaction_id": "t", "sequence": 1, "amount": "-1234.50", "currency": "EUR", "balance_after": "1"}
SIZE: Final = {"cpu_cores": 1, "memory_gb": 1, "storage_gb": 1, "bandwidth_mbps": 1}
TOLD: Final[tuple[tuple[type[Payload], dict[str, Any]], ...]] = (  # Any: JSON
    (identity.UserLoggedIn, {"session_id": "s", "ip_country": "SE"}),
    (identity.UserLoggedOut, {"session_id": "s"}),
    (marketplace.MarketplaceBrowsed, {}),
    (marketplace.MarketplaceBrowsed, {"category": "storage", "results": 3}),
    (marketplace.MarketplaceBrowsed, {"query": "100 % %(x)s"}),
    (marketplace.MarketplaceBrowsed, {"query": "gpu", "category": "storage"}),
    (marketplace.ProductViewed, {"product_id": "p"}),
    (marketplace.CartItemAdded, {"product_id": "p", "product_name": "Vault", "quantity": 2, "price": "1.5"}),
    (marketplace.CartItemRemoved, {"product_id": "p", "quantity": 1}),
    (
        marketplace.PurchaseCreated,
        {"purchase_id": "p", "product_id": "p", "product_name": "Vault", "product_type": "storage"}
        | {"provider_id": "h", "provider_name": "Hypha", "amount": "1234.50", "currency": "TFP"},
    ),
    *(
        (
            marketplace.DeploymentCreated,
            {"deployment_id": "d", "purchase_id": "p", "kind": kind, "region": "eu", "resources_allocated": SIZE},
        )
        for kind in ("service", "app")
    ),
    (marketplace.PurchaseRated, {"purchase_id": "p", "rating": 4.5}),
    (marketplace.SupportTicketOpened, {"ticket_id": "t"}),
    (marketplace.SupportTicketOpened, {"ticket_id": "t", "subject": "It is slow"}),
    (purchases.CredentialsRevealed, {"deployment_id": "d"}),
    *(
        (wallet.WalletTransactionPosted, {**LINE, "kind": kind})
        for kind in get_args(wallet.TransactionKind)
        if kind != "purchase"
    ),
    (profile.ProfileUpdated, {}),
    (profile.ProfileUpdated, {"changed": ["bio", "job_title", "something_new"]}),
    (profile.PreferencesUpdated, {}),
    (profile.PreferencesUpdated, {"changed": ["theme"]}),
    (profile.DataExported, {"items": 12}),
    (profile.DataImported, {"items": 12, "added": 3}),
    *((dashboard.ActivityReported, {"activity_type": kind}) for kind in ("product_view", "cart_add", "cart_remove")),
    (LegacyActivityFound, {"activity_type": "wallet_transaction"}),
)


def shown_of(payload: Payload) -> Json:
    """The activity that a payload tells of, as the activity service answers it."""
    found = activity_of(make_event(payload, source="/test"))
    assert found is not None
    return {
        "activity_type": found.type,
        "description": found.description,
        "metadata": dict(found.metadata),
        "related_entity_id": found.entity_id,
    }


def activity(kind: str, description: str, /, **metadata: Any) -> Json:  # Any: JSON
    return {"activity_type": kind, "description": description, "metadata": metadata, "related_entity_id": None}


ALL: Final = [shown_of(kind.model_validate({**ADA, **data})) for kind, data in TOLD]


def own_words_of(activities: Iterable[Json], language: str) -> list[str]:
    """The descriptions that a page in that language would show as the service says them."""
    reader = show(language)
    return [each["description"] for each in activities if described(reader, each) == each["description"]]


def test_every_type_has_sentences() -> None:
    assert set(SENTENCES) == set(get_args(ActivityType))


def test_every_sentence_is_one_of_the_activity_service() -> None:
    """Each is said of some activity; what it is filled with is between its words."""
    for sentence in chain.from_iterable(SENTENCES.values()):
        said = re.compile(".+".join(map(re.escape, re.split(r"%\(\w+\)s", sentence))))
        assert any(said.fullmatch(each["description"]) for each in ALL), sentence


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_what_the_service_says_is_said_in_every_language(language: str) -> None:
    assert own_words_of(ALL, language) == []


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_a_simulated_life_is_told_in_every_language(language: str) -> None:
    until = datetime(2026, 3, 1, tzinfo=UTC)
    scenario = Scenario(seed=4, users=3, days=60, until=until, emails=())
    lived = [shown_of(event.data) for _, event in history(scenario) if activity_of(event)]
    assert len(lived) > 100
    assert own_words_of(lived, language) == []


def test_values_are_as_the_user_reads_them() -> None:
    said = [described(show("de"), each) for each in ALL]
    assert "Vault bei Hypha für 1.234,50\N{NO-BREAK SPACE}TFP gekauft" in said
    assert "2 \N{MULTIPLICATION SIGN} Vault in den Warenkorb gelegt" in said
    assert "p aus dem Warenkorb entfernt" in said
    assert "Einen Kauf mit 4,5 von 5 bewertet" in said
    assert "Profil geändert: Über dich, Beruf, something_new" in said
    assert "Nach „100 % %(x)s“ gesucht" in said
    assert "Wallet mit 1.234,50\N{NO-BREAK SPACE}€ aufgeladen" in said


@pytest.mark.parametrize(
    "other",
    [
        activity("product_view", "Looked at it for long", product_name="Vault"),
        activity("product_view", "Viewed Vault", product_name="Wall"),
        activity("marketplace_browse", "Searched for “a”", query=["a"], category={"b": 1}),
        activity("pool_investment", "Invested 1E+99999 TFP", amount="1E+99999", currency="TFP"),
        activity("service_rating", "Rated a purchase 1e+300 of 5", rating=1e300),
        activity("a_new_one", "Did something new"),
    ],
    ids=lambda each: each["description"],
)
def test_other_words_stay_as_they_are(other: Json) -> None:
    assert described(show("de"), other) == other["description"]


def test_the_details_have_names_and_values_of_the_users() -> None:
    def of(kind: type[Payload], number: int = 0) -> list[tuple[str, str]]:
        found = [kind.model_validate({**ADA, **data}) for each, data in TOLD if each is kind]
        return details(show("de"), shown_of(found[number]))

    assert of(identity.UserLoggedIn) == [("Land", "Schweden")]
    assert ("Betrag", "1.234,50\N{NO-BREAK SPACE}TFP") in of(marketplace.PurchaseCreated)
    assert ("Produktart", "Speicher") in of(marketplace.PurchaseCreated)
    assert "Währung" not in dict(of(marketplace.PurchaseCreated))
    assert dict(of(profile.ProfileUpdated, 1))["Geändert"] == "Über dich, Beruf, something_new"


def test_details_of_any_kind_are_shown() -> None:
    odd = {"amount": "1E+99999", "rating": 1e300, "kind": ["a"], "changed": "b", "ip_country": 1, "my_own": True}
    found = dict(details(show("de"), activity("cart_add", "", **odd, currency="TFP", price=None)))
    assert found["my own"] == "True"
    assert found["Betrag"] == "1E+99999"
    assert found["Währung"] == "TFP"
    assert (found["Bewertung"], found["Preis"]) == ("1e+300", "\N{EN DASH}")
