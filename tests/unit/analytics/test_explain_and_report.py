"""Every figure can be followed to what it is made of, and a report adds up and opens safely in a spreadsheet."""

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.analytics.domain.explain import (
    Choice,
    UnknownFigureError,
    deployment_fact,
    deployments_of,
    explanation,
    minute_fact,
    purchase_fact,
    question,
)
from services.analytics.domain.months import month_of, totals
from services.analytics.domain.patterns import patterns
from services.analytics.domain.printable import as_html
from services.analytics.domain.report import as_csv, report
from services.analytics.domain.usage import usage_of
from tests.unit.analytics.things import NOW, days_ago, purchase, running

ZONE = ZoneInfo("UTC")
BOUGHT = [
    purchase("a", amount=Decimal(30), rating=4.0, events=("e1", "e2"), at=days_ago(60)),
    purchase("b", amount=Decimal(5), product_type="storage", provider_id="prov-2", provider_name="Spore"),
    purchase("c", status="refunded", at=days_ago(60)),
    purchase("d", amount=Decimal(7), currency="EUR"),
]
DEPLOYED = [running("a", 40.0)]


def usage() -> dict[str, Any]:
    months = {m: totals(m, [p for p in BOUGHT if month_of(p.at, ZONE) == m]) for m in ("2026-03", "2026-04")}
    pattern = patterns([days_ago(1)], [days_ago(1)], [], NOW, ZONE)
    return usage_of("ada@example.org", "UTC", months, [f for _, f in DEPLOYED], pattern, NOW, "2026-06")


@pytest.mark.parametrize(
    ("figure", "choice"),
    [
        ("total_spent", Choice()),
        ("spending_trends/2026-04/total_spent", Choice(month="2026-04")),
        ("spending_trends/2026-04/providers/prov-1", Choice(month="2026-04", provider_id="prov-1")),
        ("favorite_categories/storage/total_spent", Choice(product_type="storage")),
        ("favorite_categories/storage/average_rating", Choice(product_type="storage", rated=True)),
        ("preferred_providers/prov-1/satisfaction_score", Choice(provider_id="prov-1", rated=True)),
        ("other_currencies", Choice(foreign=True)),
        ("other_currencies/EUR", Choice(foreign=True, currency="EUR")),
    ],
)
def test_a_figure_is_made_of_some_purchases(figure: str, choice: Choice) -> None:
    asked = question(figure, usage())
    assert (asked.made_of, asked.choice) == ("purchases", choice)


def test_a_figure_is_told_with_its_facts() -> None:
    told = explanation(question("total_spent", usage()), [purchase_fact(BOUGHT[0])], 3, 1)
    assert (told["value"], told["total_facts"], told["not_counted"]) == ("35", 3, 1)
    fact = told["facts"][0]
    assert (fact["amount"], fact["currency"], fact["event_ids"]) == ("30", "TFP", ["e1", "e2"])


def test_deployments_count_while_they_are_of_an_active_purchase() -> None:
    every = [*DEPLOYED, (DEPLOYED[0][0], replace(DEPLOYED[0][1], active=False))]
    for figure, number in (("total_deployments", 2), ("total_resource_hours", 2), ("monthly_costs", 1)):
        asked = question(f"deployment_stats/{figure}", usage())
        assert (asked.made_of, len(deployments_of(asked, every))) == ("deployments", number)
    fact = deployment_fact(question("deployment_stats/average_uptime", usage()), *DEPLOYED[0])
    assert (fact["id"], fact["amount"], fact["value"]) == ("dep-a", "20", DEPLOYED[0][1].uptime)


def test_patterns_are_made_of_active_minutes() -> None:
    assert question("activity_patterns/most_active_hours", usage()).made_of == "minutes"
    assert minute_fact(days_ago(1), "e9")["event_ids"] == ["e9"]


@pytest.mark.parametrize(
    "figure", ["", "nothing", "total_spent/more", "spending_trends/1999-01/total_spent", "user_email"]
)
def test_what_is_no_figure_is_refused(figure: str) -> None:
    with pytest.raises(UnknownFigureError):
        question(figure, usage())


def _paths(part: Any, before: str = "") -> list[str]:
    if isinstance(part, dict):
        return [p for name, each in part.items() for p in [f"{before}{name}", *_paths(each, f"{before}{name}/")]]
    if isinstance(part, list):
        named = [(e.get("month") or e.get("category") or e.get("provider_id"), e) for e in part if isinstance(e, dict)]
        return [p for name, each in named for p in _paths(each, f"{before}{name}/")]
    return []


def test_every_number_has_an_explanation() -> None:
    plain = {
        "user_email",
        "currency",
        "timezone",
        "last_calculated",
        "category",
        "month",
        "provider_id",
        "provider_name",
    }
    groups = {"favorite_categories", "preferred_providers", "spending_trends", "deployment_stats", "activity_patterns"}
    figures = [path for path in _paths(usage()) if path.rpartition("/")[2] not in plain | groups]
    assert len(figures) > 30
    assert all(question(figure, usage()).name for figure in figures)


def test_a_report_adds_up() -> None:
    told = report(BOUGHT, date(2026, 1, 1), date(2026, 6, 15), ZONE)
    assert told["total_spent"] == "35"
    assert sum(Decimal(total) for total in told["months"].values()) == Decimal(35)
    assert [line["spent"] for line in told["lines"]] == ["30", "5", "0", "7"]


def test_the_page_to_print_has_every_line_and_no_markup_of_a_product() -> None:
    sly = purchase("x", product_name="<script>alert(1)</script>", amount=Decimal("1.25"), at=days_ago(60))
    page = as_html(report([*BOUGHT, sly], date(2026, 1, 1), date(2026, 6, 15), ZONE))
    assert page.startswith("<!DOCTYPE html>")
    heads, purchases, months, types, providers = 4, 5, 2, 2, 2
    assert page.count("<tr>") == heads + purchases + months + types + providers
    assert "<script" not in page
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in page
    assert "36.25 TFP in all" in page
    assert "no purchase" in as_html(report([], date(2026, 1, 1), date(2026, 6, 15), ZONE))


def test_csv_has_every_line_and_no_formula() -> None:
    sly = purchase("x", product_name='=HYPERLINK("x")', provider_name='Spore, "the" best')
    told = report([*BOUGHT, sly], date(2026, 1, 1), date(2026, 6, 15), ZONE)
    rows = list(csv.DictReader(io.StringIO(as_csv(told["lines"]))))
    assert len(rows) == 5
    assert (rows[-1]["product_name"], rows[-1]["provider_name"]) == ('\'=HYPERLINK("x")', 'Spore, "the" best')
