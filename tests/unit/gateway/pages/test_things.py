"""What purchases and deployments need alike, and the small charts."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import FormData

from services.gateway.pages.measures import measures_of
from services.gateway.pages.things import anchor, key_header, moment, new_key, web_address

START = datetime(2026, 1, 31, tzinfo=UTC)


@given(st.text(min_size=1, max_size=256))
def test_an_anchor_is_a_plain_word(id: str) -> None:
    assert anchor(id).replace("-", "").replace("_", "").isalnum() or set(anchor(id)) <= set("-_")
    assert anchor(id).isascii()
    assert not set(anchor(id)) & set(" \t\n\f\r#\"'&<")


def test_different_things_have_different_anchors() -> None:
    assert anchor("pur-1") == "pur-1"
    assert len({anchor(each) for each in ("pur 1", "pur\u00a01", "pur-1", "pür-1", "a" * 81)}) == 5


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("https://a.example/x?y#z", True),
        ("HTTP://a.example", True),
        ("javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("//evil.example", False),
        ("https://a b", False),
        ("data:text/html,x", False),
        (" https://a.example", False),
        ("", False),
        (None, False),
    ],
)
def test_only_addresses_of_the_web_are_linked(address: str | None, is_one: bool) -> None:
    assert web_address(address) == (address if is_one else None)


@pytest.mark.parametrize(
    ("day", "at", "zone", "found"),
    [
        ("2026-01-31", time.min, "Europe/Berlin", "2026-01-30T23:00:00+00:00"),
        ("2026-01-31", time.max, "America/New_York", "2026-02-01T04:59:59.999999+00:00"),
        ("2026-02-30", time.min, "UTC", "2026-02-30"),
        ("0001-01-01", time.min, "Asia/Tokyo", "0001-01-01"),
        ("x", time.min, "UTC", "x"),
        ("", time.min, "UTC", ""),
        (None, time.min, "UTC", None),
    ],
)
def test_a_day_is_one_of_the_users_clock(day: str | None, at: time, zone: str, found: str | None) -> None:
    assert moment(day, ZoneInfo(zone), at) == found


def test_a_form_has_a_key_of_its_own() -> None:
    assert new_key() != new_key()
    assert key_header(FormData({"key": "abc-stop"})) == {"Idempotency-Key": "abc-stop"}
    for bad in ("", "a" * 257, "a\nb: c", "ü"):
        assert key_header(FormData({"key": bad})) == {}
    assert key_header(FormData({})) == {}


def check(minute: int, latency: float | None, cpu: float | None = None) -> dict[str, object]:
    at = (START + timedelta(minutes=minute)).isoformat()
    return {"at": at, "healthy": True, "latency_ms": latency, "cpu_percent": cpu, "memory_percent": None}


def test_what_was_measured_is_drawn() -> None:
    latency, processor = measures_of({"checks": [check(0, 40), check(30, 90, 50), check(60, 60, 0)]})
    assert (latency.last, latency.least, latency.greatest, latency.ceiling) == (60, 40, 90, 100)
    assert (processor.name, processor.ceiling, len(processor.points)) == ("cpu_percent", 100, 2)
    drawn = processor.draw(START, START + timedelta(hours=2), "<i>")
    assert 'aria-label="&lt;i&gt;"' in drawn
    assert 'd="M250.0 50.0L500.0 94.0"' in drawn  # half of the ceiling at a quarter of the time, zero at half of it


def test_nothing_measured_is_nothing_drawn() -> None:
    assert measures_of({"checks": [check(0, None)]}) == []
    (zero,) = measures_of({"checks": [check(0, 0)]})
    assert "M0.0 94.0" in zero.draw(START, START + timedelta(hours=1), "")


def test_many_checks_are_thinned_and_keep_the_peaks_and_the_last() -> None:
    checks = [check(minute, 1 if minute != 777 else 500) for minute in range(8_640)]
    (latency,) = measures_of({"checks": [*checks, check(8_640, 3)]})
    assert len(latency.points) <= 162
    assert max(value for _, value in latency.points) == 500
    assert latency.points[-1] == (START + timedelta(minutes=8_640), 3)
