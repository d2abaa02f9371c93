"""Every figure can be followed to what it is made of, and a report adds up and opens safely in a spreadsheet."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.analytics.domain.explain import Background, UnknownFigureError, explanation
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
BEHIND = Background(BOUGHT, DEPLOYED, [(days_ago(1), "e9")], ZONE)


def usage() -> dict[str, Any]:
    months = {m: totals(m, [p for p in BOUGHT if month_of(p.at, ZONE) == m]) for m in ("2026-03", "2026-04")}
    pattern = patterns([days_ago(1)], [days_ago(1)], [], NOW, ZONE)
    return usage_of("ada@example.org", "UTC", months, [f for _, f in DEPLOYED], pattern, NOW, "2026-06")


def explained(figure: str) -> dict[str, Any]:
    return explanation(figure, usage(), BEHIND)


def test_the_facts_add_up_to_the_figure() -> None:
    for figure in ("total_spent", "spending_trends/2026-04/total_spent", "favorite_categories/storage/total_spent"):
        told = explained(figure)
        assert sum(Decimal(fact["amount"]) for fact in told["facts"]) == Decimal(told["value"]) > 0
    assert explained("total_spent")["facts"][0]["event_ids"] == ["e1", "e2"]
    assert explained("other_currencies/EUR")["facts"][0]["id"] == "d"


def test_scores_show_what_was_rated_and_deployments_what_runs() -> None:
    assert [f["value"] for f in explained("preferred_providers/prov-1/satisfaction_score")["facts"]] == [4.0]
    told = explained("deployment_stats/monthly_costs")
    assert (told["value"], told["facts"][0]["id"], told["facts"][0]["amount"]) == ("20", "dep-a", "20")
    assert explained("activity_patterns/most_active_hours")["facts"][0]["event_ids"] == ["e9"]


@pytest.mark.parametrize(
    "figure", ["", "nothing", "total_spent/more", "spending_trends/1999-01/total_spent", "user_email"]
)
def test_what_is_no_figure_is_refused(figure: str) -> None:
    with pytest.raises(UnknownFigureError):
        explained(figure)


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
    assert all(explained(figure)["formula"] for figure in figures)


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
