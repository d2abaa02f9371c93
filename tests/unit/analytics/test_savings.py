"""Each idea to spend less holds where it should, is gone where it should not, and is worked out right."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.idea_wording import texts
from services.analytics.domain.ideas import Holdings, Saving, offers_by_category
from services.analytics.domain.savings import savings
from services.analytics.domain.things import Product, Purchase
from tests.unit.analytics.things import NOW, days_ago, period, product, purchase, running


def ideas(*bought: Purchase, products: list[Product] | None = None, **more: Any) -> list[Saving]:
    on_offer = products or []
    return savings(
        Holdings(
            purchases=bought,
            deployments=more.pop("deployments", []),
            products={p.id: p for p in on_offer},
            now=NOW,
            offers=offers_by_category(on_offer),
            **more,
        )
    )


def test_the_annual_price_of_the_catalogue_counts() -> None:
    listed = product("p", annual_price=Decimal(100))
    [idea] = ideas(purchase("a", product_id="p", period=period()), products=[listed])
    assert (idea.kind, idea.per_year, idea.confidence) == ("annual_billing", Decimal("20.00"), 0.9)
    assert idea.evidence == ["a", "p"]


def test_without_one_it_is_fifteen_percent_and_says_so() -> None:
    [idea] = ideas(purchase("a"))
    assert (idea.kind, idea.per_year) == ("annual_billing", Decimal("18.00"))
    assert idea.reasons == ["usual_discount", "renews_monthly"]
    assert "15 % is what annual billing usually saves" in texts(idea.kind, idea.reasons, idea.params)[2][0]


def test_an_annual_price_in_another_currency_is_not_compared() -> None:
    listed = product("p", annual_price=Decimal(100), currency="EUR")
    [idea] = ideas(purchase("a", product_id="p", period=period()), products=[listed])
    assert (idea.reasons[0], idea.per_year) == ("usual_discount", Decimal("18.00"))


def test_no_annual_plan_for_the_new_the_ending_and_the_annual() -> None:
    assert not ideas(purchase("a", at=days_ago(10)))
    assert not ideas(purchase("a", period=period(renews=False)))
    assert not ideas(purchase("a", billing_cycle="annual"))
    assert not ideas(purchase("a", status="cancelled"))
    assert not ideas(purchase("a", product_id="p"), products=[product("p", retired=True)])


def test_an_idle_deployment_is_stopped() -> None:
    [idea] = ideas(purchase("a", billing_cycle=None), deployments=[running("a", 2.0)])
    assert (idea.kind, idea.per_year) == ("idle_deployment", Decimal("240.00"))
    assert idea.command is not None
    assert (idea.command.path, idea.command.body) == ("/api/v1/deployments/dep-a/commands", {"action": "stop"})


def test_an_oversized_one_is_scaled_to_half() -> None:
    [idea] = ideas(purchase("a", billing_cycle=None), deployments=[running("a", 20.0)])
    assert (idea.kind, idea.per_year) == ("oversized_deployment", Decimal("120.00"))
    assert idea.command is not None
    assert idea.command.body["resources"]["cpu_cores"] == 2.0


def test_a_busy_or_hardly_measured_one_is_left_alone() -> None:
    assert not ideas(purchase("a", billing_cycle=None), deployments=[running("a", 60.0)])
    assert not ideas(purchase("a", billing_cycle=None), deployments=[running("a", 2.0, days=5)])


def test_of_two_that_do_the_same_the_more_used_is_kept() -> None:
    both = [product("p"), product("q")]
    much = purchase("a", product_id="p", at=days_ago(9), period=period(200))
    little = purchase("b", product_id="q", at=days_ago(9), amount=Decimal(30), period=period(5))
    found = [idea for idea in ideas(much, little, products=both) if idea.kind == "duplicate_product"]
    [idea] = found
    assert (idea.subject, idea.per_year) == ("b", Decimal("360.00"))
    assert idea.command is not None
    assert idea.command.path == "/api/v1/purchases/b/cancel"


def test_a_cheaper_equal_offer_is_named_unless_its_provider_is_blocked() -> None:
    mine, cheap = product("p", price=Decimal(10)), product("q", price=Decimal(6), rating=4.5, provider_id="prov-2")
    [idea] = ideas(purchase("a", product_id="p"), products=[mine, cheap])
    assert (idea.kind, idea.per_year, idea.evidence) == ("cheaper_offer", Decimal("48.00"), ["a", "q"])
    [other] = ideas(purchase("a", product_id="p"), products=[mine, cheap], blocked=frozenset({"prov-2"}))
    assert other.kind == "annual_billing"
    assert (idea.confidence, idea.reasons[-1]) == (0.25, "same_category")
    [third] = ideas(purchase("a", product_id="p"), products=[mine, product("q", price=Decimal(6), rating=3.0)])
    assert third.kind == "annual_billing"


def test_what_is_called_the_same_at_another_provider_is_preferred_to_what_is_cheaper() -> None:
    mine = product("p", name="Hypha Vault")
    vault = product("q", name="Spore Vault", provider_name="Spore", price=Decimal(8))
    wall = product("r", name="Spore Firewall", provider_name="Spore", price=Decimal(2))
    [idea] = ideas(purchase("a", product_id="p"), products=[mine, vault, wall])
    assert (idea.evidence, idea.confidence) == (["a", "q"], 0.5)


def test_a_renewal_of_something_unused() -> None:
    [idea] = ideas(purchase("a", period=period(0.5)))
    assert (idea.kind, idea.per_year) == ("unused_renewal", Decimal("120.00"))
    assert texts(idea.kind, idea.reasons, idea.params) == (
        "Let Product a end",
        "It renews on 05 July and you hardly use it.",
        ["0.5 hours used since 07 March 2026."],
    )
    assert [i.kind for i in ideas(purchase("a", period=period(0.5, billed_in=100)))] == ["annual_billing"]


@given(st.lists(st.tuples(st.integers(1, 90), st.floats(0, 100), st.booleans()), max_size=12))
def test_one_idea_a_purchase_so_that_they_may_be_added_up(given: list[tuple[int, float, bool]]) -> None:
    on_offer = [product("p"), product("q", price=Decimal(2)), product("r", annual_price=Decimal(60))]
    bought = [
        purchase(str(n), product_id="pqr"[n % 3], amount=Decimal(amount), period=period(0.2 if unused else 80))
        for n, (amount, _, unused) in enumerate(given)
    ]
    deployed = [running(str(n), load, cost=amount) for n, (amount, load, _) in enumerate(given)]
    found = ideas(*bought, products=on_offer, deployments=deployed)
    assert len({idea.subject for idea in found}) == len(found) == len({idea.id for idea in found})
    assert found == sorted(found, key=lambda idea: (-idea.per_year, idea.id))
    assert all(idea.per_year > 0 and idea.reasons and 0 < idea.confidence <= 1 for idea in found)
    assert ideas(*reversed(bought), products=on_offer, deployments=deployed[::-1]) == found
