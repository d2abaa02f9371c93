"""Questions that take their time: a page waits for a moment, and the answer is there for the next one."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest

from services.gateway.pages import later
from services.gateway.pages.later import Found, Later
from services.gateway.pages.visits import Visit
from shared.plumbing.problems import ProblemError


@dataclass
class Identity:
    user: str = "ada@example.test"


@dataclass
class Asking:
    """A visit whose service answers when it is let."""

    identity: Identity = field(default_factory=Identity)
    let: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    problem: ProblemError | None = None

    async def ask(self, _service: str, path: str, *, seconds: float) -> str:
        assert seconds > later.MOMENT_SECONDS
        self.asked.append(path)
        await self.let.wait()
        if self.problem:
            raise self.problem
        return f"answer of {path}"

    async def found(self, questions: Later) -> Found:
        [found] = await questions.ask(cast("Visit", self), "analytics", ["/slow"])
        return found


@pytest.fixture(autouse=True)
def _short_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "MOMENT_SECONDS", 0.01)


async def test_what_is_not_ready_is_asked_once_and_found_by_the_next_page() -> None:
    questions, visit = Later(), Asking()
    assert await visit.found(questions) == Found("working")
    assert await visit.found(questions) == Found("working")
    visit.let.set()
    assert await visit.found(questions) == Found("known", "answer of /slow")
    assert visit.asked == ["/slow"]
    assert await visit.found(questions) == Found("known", "answer of /slow")
    assert visit.asked == ["/slow", "/slow"]  # an answer is not kept: it may be another one by now


@pytest.mark.parametrize(
    ("problem", "found"),
    [
        (ProblemError(409, "not-enough-history", "…"), Found("refused", problem="not-enough-history")),
        (ProblemError(503, "analytics-unavailable", "…"), Found("unavailable")),
    ],
)
async def test_a_problem_is_an_answer_too(problem: ProblemError, found: Found) -> None:
    visit = Asking(problem=problem)
    visit.let.set()
    assert await visit.found(Later()) == found


async def test_users_do_not_share_answers_and_a_change_asks_anew() -> None:
    questions, ada, bob = Later(), Asking(), Asking(Identity("bob@example.test"))
    await ada.found(questions)
    await bob.found(questions)
    assert (ada.asked, bob.asked) == (["/slow"], ["/slow"])
    questions.forget("ada@example.test")
    await ada.found(questions)
    await bob.found(questions)
    assert (ada.asked, bob.asked) == (["/slow", "/slow"], ["/slow"])
    for each in (ada, bob):
        each.let.set()
        assert (await each.found(questions)).state == "known"
