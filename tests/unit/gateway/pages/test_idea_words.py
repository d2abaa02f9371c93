"""What ideas to spend less, and reasons to try a product, say in the user's language."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, get_args

import pytest

from services.analytics.advice import shown
from services.analytics.domain.advice import recommend
from services.analytics.domain.ideas import Holdings, offers_by_category
from services.analytics.domain.model import Model, Neighbour
from services.analytics.domain.recommend import Known, Shelf
from services.analytics.domain.savings import savings
from services.analytics.domain.things import Product, Taste
from services.gateway.pages.idea_words import IDEA_REASONS, IDEAS, PRODUCT_REASONS, Idea, idea_texts, reason_text
from services.gateway.pages.languages import LANGUAGES
from shared.contracts.analytics_recommend import EvidenceKind
from shared.contracts.analytics_views import IdeaKind, IdeaReason
from tests.unit.analytics import products
from tests.unit.analytics.things import NOW, days_ago, period, product, purchase, running
from tests.unit.gateway.pages.views import show

Json = Any  # what the analytics service answers
OTHERS: Final = [language for language in LANGUAGES if language != "en"]


def found(*bought: Any, on_offer: tuple[Product, ...] = (), **more: Any) -> Iterator[Json]:  # Any: as Holdings has it
    offers, deployments = offers_by_category(on_offer), more.pop("deployments", ())
    held = Holdings(bought, deployments, {each.id: each for each in on_offer}, NOW, offers=offers)
    return map(shown, savings(held))


def ideas() -> list[Json]:
    """Ideas of every kind with every reason, as the service answers them."""
    listed = product("p", annual_price=Decimal(100))
    vault = product("p", name="Hypha Vault")
    spore = product("q", name="Spore Vault", provider_name="Spore", price=Decimal(8), rating=4.5)
    unrated = (product("p", rating=None), product("q", price=Decimal(2)))
    both = (product("p"), product("q"))
    much = purchase("a", product_id="p", at=days_ago(9), period=period(200))
    little = purchase("b", product_id="q", at=days_ago(9), amount=Decimal(30), period=period(5))
    return [
        *found(purchase("a", product_id="p", period=period()), on_offer=(listed,)),
        *found(purchase("a")),
        *found(purchase("a", billing_cycle=None), deployments=[running("a", 2.0)]),
        *found(purchase("a", billing_cycle=None), deployments=[running("a", 20.0)]),
        *found(much, little, on_offer=both),
        *found(purchase("a", product_id="p"), on_offer=(vault, spore)),
        *found(purchase("a", product_id="p"), on_offer=(product("p"), product("r", name="Wall", price=Decimal(2)))),
        *found(purchase("a", product_id="p"), on_offer=unrated),
        *found(purchase("a", period=period(0.5))),
    ]


def reasons() -> list[tuple[str, Json]]:
    """Reasons of every kind to try a product, as the service answers them."""
    catalogue = [
        products.product("postgres", provider="acme"),
        products.product("backup", category="backup", provider="acme", rating=4.8),
        products.product("forge", category="developer-tools", product_type="application", provider="brook"),
    ]
    neighbours = {"postgres": (Neighbour("backup", 1.0, 12),)}
    buyers, attention = {"postgres": 40, "backup": 20}, {"postgres": 300.0, "backup": 100.0, "forge": 5.0}
    shelf = Shelf(catalogue, Model(NOW, buyers=buyers, attention=attention, neighbours=neighbours))
    users = [
        Known(),
        Known(bought=frozenset({"postgres"}), rated={"postgres": 4.5}),
        Known(looked_at={"forge": 40}),
        Known(taste=Taste(preferred=frozenset({"brook"}), category="developer-tools")),
        Known(bought=frozenset({"postgres", "forge"})),
    ]
    given = (zip(each.reasons, each.evidence, strict=True) for user in users for each in recommend(shelf, user, 10))
    return [(reason, evidence.model_dump()) for each in given for reason, evidence in each]


def test_every_idea_and_every_reason_has_words() -> None:
    assert {idea["type_"] for idea in ideas()} == {*IDEAS} == {*get_args(IdeaKind)}
    assert {code for idea in ideas() for code in idea["reason_codes"]} == {*IDEA_REASONS} == {*get_args(IdeaReason)}
    assert {evidence["kind"] for _, evidence in reasons()} == {*PRODUCT_REASONS} == {*get_args(EvidenceKind)}


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_that_the_service_says_stays_english(language: str) -> None:
    for idea in ideas():
        said = idea_texts(show(language), idea)
        english = {idea["title"], idea["description"], *idea["reasons"]}
        assert not english & {said.title, said.description, *said.reasons}
        assert len(said.reasons) == len(idea["reasons"])
        assert "%(" not in f"{said}"
    for reason, evidence in reasons():
        assert reason_text(show(language), reason, evidence) != reason


def test_in_english_it_is_what_the_service_says_with_the_users_numbers() -> None:
    english = show("en")
    for idea in ideas():
        assert idea_texts(english, idea).title == idea["title"]
    for reason, evidence in reasons():
        said = reason_text(english, reason, evidence)
        assert said.casefold().replace("-", " ") == reason.casefold().replace("-", " ")


def test_values_are_as_the_user_reads_them() -> None:
    said = [idea_texts(show("de"), idea) for idea in ideas()]
    every = [text for idea in said for text in (idea.title, idea.description, *idea.reasons)]
    assert "Du hast Product a seit März 2026. Bei jährlicher Zahlung wäre es günstiger." in every
    assert "Der Jahrespreis ist 100,00\N{NO-BREAK SPACE}TFP; zwölf Monate kosten 120,00\N{NO-BREAK SPACE}TFP." in every
    assert "Es verlängert sich am 5. Juli, und du nutzt es kaum." in every
    assert "Genutzte Stunden seit 7. März: 0,5." in every
    assert "Unter 5\N{NO-BREAK SPACE}% gilt ein Deployment als ungenutzt." in every
    popular = [reason_text(show("de"), *each) for each in reasons() if each[1]["kind"] == "popular"]
    assert "Beliebt bei allen, die Dienste kaufen: 40 von ihnen haben es" in popular


@pytest.mark.parametrize(
    "other",
    [{"params": {}}, {"type_": "new"}, {"reason_codes": ["new"]}, {"params": {"product": "a", "since": "soon"}}],
)
def test_what_cannot_be_said_is_said_in_english(other: Json) -> None:
    [idea] = found(purchase("a"))
    english = Idea(idea["title"], idea["description"], idea["reasons"])
    assert idea_texts(show("de"), idea | other) == english
    assert (
        idea_texts(show("de"), {name: idea[name] for name in ("title", "description", "reasons", "type_")}) == english
    )


@pytest.mark.parametrize(
    "evidence",
    [
        None,
        {"kind": "popular", "product_ids": [], "count": 12},
        {"kind": "popular", "product_ids": [], "count": 12, "params": {"product_type": "new"}},
        {"kind": "new", "product_ids": [], "count": 12, "params": {}},
        {"kind": "rated_provider", "product_ids": [], "count": None, "params": {}},
    ],
)
def test_a_reason_that_cannot_be_said_is_said_in_english(evidence: Json) -> None:
    assert reason_text(show("de"), "Because", evidence) == "Because"
