"""Old files, written and told."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson

from mycelium.legacy.reading import UnreadableError
from mycelium.legacy.report import Report
from mycelium.legacy.telling import Entry, tell, user_in

DOCS = (Path(__file__).parents[3] / "docs" / "legacy.md").read_text(encoding="utf-8")
CHANGED = datetime(2024, 6, 1, tzinfo=UTC)
EMAIL = "ada@example.org"

Json = dict[str, Any]


def example() -> Json:
    """The file in docs/legacy.md."""
    [text] = re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)
    found: Json = orjson.loads(text)
    return found


def told(content: Mapping[str, Any] | bytes, report: Report | None = None) -> list[Entry]:
    """The events of a file; what cannot be read is in `report`."""
    report = report or Report("ada.json")
    file = BytesIO(content if isinstance(content, bytes) else orjson.dumps(content))
    try:
        user, members = user_in(file)
        return list(tell(file, user, members, CHANGED, report))
    except UnreadableError as error:
        report.refused = str(error)
        return []


def problems(content: Mapping[str, Any] | bytes) -> list[str]:
    """What cannot be read of a file."""
    report = Report("ada.json")
    told(content, report)
    return [report.refused] if report.refused is not None else report.shown


def transaction(id: str | None = None, **members: object) -> Json:
    return {
        "id": id,
        "transaction_type": "TopUp",
        "amount": "10",
        "timestamp": "2024-03-01T09:00:00Z",
        **members,
    }
