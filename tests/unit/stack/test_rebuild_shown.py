"""What `mycelium rebuild` says at its end, and its exit code."""

from datetime import UTC, datetime

import pytest
from aiokafka.errors import KafkaConnectionError
from typer.testing import CliRunner

from mycelium import rebuild
from mycelium.cli import app
from shared.plumbing.rebuild_parts import Part, choices
from shared.plumbing.rebuild_report import Counts, NotRebuildableError, Report
from shared.plumbing.rebuild_shadow import BusyError
from shared.plumbing.rebuild_topics import Reach

OLDEST = datetime(2026, 2, 11, 12, 30, tzinfo=UTC)
WHOLE = Reach(int(OLDEST.timestamp() * 1_000_000), ())
CUT = WHOLE._replace(cut=("identity.events", "wallet.events"))
RIGHT = {"activities": Counts(equal=5, kept=2)}
WRONG = {"activities": Counts(equal=4, missing=1, ids={"missing": ["0123"]})}
CHANGING = {"activities": Counts(equal=4, changing=1)}


def run(monkeypatch: pytest.MonkeyPatch, end: Report | Exception, *options: str) -> tuple[int, str]:
    """Exit code and what is printed when a rebuild ends like that."""

    async def ended(*_: object, **__: object) -> Report:
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(rebuild, "_run", ended)
    arguments = ["rebuild", "activity", "--kafka", "127.0.0.1:9", "--mongo", "mongodb://127.0.0.1:9", *options]
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_where_a_retention_has_passed_it_says_which_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(monkeypatch, Report(RIGHT, RIGHT, CUT, resumed=False))
    assert code == 0
    assert "The retention of identity.events, wallet.events has passed" in said
    assert "from before 2026-02-11 12:30 UTC and told by no event any more was left as it is (kept)" in said
    assert "retention" not in run(monkeypatch, Report(RIGHT, RIGHT, WHOLE, resumed=False))[1]


def test_what_was_put_right_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(monkeypatch, Report(WRONG, WRONG, WHOLE, resumed=False))
    assert code == 0
    assert "activities, missing: 0123" in said
    assert "1 document of activity was put right; all the others were right." in said
    two = {"activities": Counts(missing=2)}
    assert "2 documents of activity were put right;" in run(monkeypatch, Report(two, two, WHOLE, resumed=False))[1]


def test_what_differs_is_named_and_no_value_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    part, counts = Part("activities", choices), Counts()
    stored = {"fields": {"details": [0, 1, "e", "a secret"], "told_at": 1}, "members": {}, "version": 1}
    right = {"fields": {"details": [0, 1, "e", "right"], "told_at": 1}, "members": {"history": {}}, "version": 2}
    counts.note("different", part, "0123", part.differing(stored, right))
    _, said = run(monkeypatch, Report({"activities": counts}, None, WHOLE, resumed=False), "--dry-run")
    assert "activities, different: 0123 (fields.details, members.history)" in said
    assert "secret" not in said
    assert part.differing(None, right) == []


@pytest.mark.parametrize(("found", "code"), [(RIGHT, 0), (WRONG, 1), (CHANGING, 1)])
def test_a_dry_run_ends_with_1_if_something_differs(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Counts], code: int
) -> None:
    ended, said = run(monkeypatch, Report(found, None, WHOLE, resumed=False), "--dry-run")
    assert ended == code
    assert "Nothing was changed." in said


def test_what_changed_all_the_while_asks_for_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run(monkeypatch, Report(WRONG, CHANGING, WHOLE, resumed=False))
    assert code == 1
    assert "run it again" in said
    assert "all the others were right" not in said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotRebuildableError(OLDEST, 3, 0), "nothing from before 2026-02-11 12:30:00 UTC, and of what activity has, 3"),
        (BusyError(), "Another run rebuilds activity."),
        (KafkaConnectionError(), "the same command goes on from here"),
    ],
)
def test_why_it_could_not_be_done(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    code, said = run(monkeypatch, error)
    assert code == 1
    assert words in said
