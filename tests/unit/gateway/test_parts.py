"""The cache of parts: what is outdated never passes as fresh, whatever happens in whatever order."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from services.gateway.parts import KEPT_SECONDS, MAX_AGE_SECONDS, SECTIONS, UNAVAILABLE, Cache, Part, Parts
from shared.contracts.topics import Service

USERS = ("ada", "bob", "cid")
SERVICES: tuple[Service, ...] = ("profile", "purchases")


def part(truth: int, size: int = 10) -> Part:
    return Part("fresh", "2026-01-31T09:30:00Z", str(truth), {"it": b"x" * size})


@dataclass
class Question:
    user: str
    service: Service
    generation: int
    answer: int | None = None  # what was true when the service looked


class Interleavings(RuleBasedStateMachine):
    """Services whose truth is a number that rises; questions that are read and answered any time after they are asked.

    A change is told some time after it was made, as the services do it.
    """

    questions = Bundle("questions")

    @initialize(most=st.integers(1, 3), size=st.integers(10, 60))
    def start(self, most: int, size: int) -> None:
        self.cache = Cache(most, size)
        self.now = 0.0
        self.truth = {(user, service): 0 for user in USERS for service in SERVICES}
        self.told = dict(self.truth)
        self.untold: list[tuple[str, Service]] = []
        self.following = False

    @rule(target=questions, user=st.sampled_from(USERS), service=st.sampled_from(SERVICES))
    def ask(self, user: str, service: Service) -> Question:
        return Question(user, service, self.cache.ask(user, service, self.now))

    @rule(question=questions)
    def the_service_looks(self, question: Question) -> None:
        if question.answer is None:
            question.answer = self.truth[question.user, question.service]

    @rule(question=questions, size=st.integers(1, 30))
    def the_answer_comes(self, question: Question, size: int) -> None:
        if question.answer is not None:
            answer = part(question.answer, size)
            self.cache.keep(question.user, question.service, question.generation, answer, self.now)

    @rule(user=st.sampled_from(USERS), service=st.sampled_from(SERVICES))
    def something_changes(self, user: str, service: Service) -> None:
        self.truth[user, service] += 1
        self.untold.append((user, service))

    @rule()
    def the_change_is_told(self) -> None:
        """While the updates are not followed they are lost on the cache; catching up reads them."""
        if self.untold:
            key = self.untold.pop(0)
            self.told[key] = self.truth[key] - self.untold.count(key)
            if self.following:
                self.cache.changed(*key)

    @rule()
    def own_change(self) -> None:
        self.truth["ada", "profile"] += 1
        self.told["ada", "profile"] = self.truth["ada", "profile"]
        self.untold = [key for key in self.untold if key != ("ada", "profile")]
        self.cache.changed("ada", *SECTIONS)

    @rule()
    def the_broker_is_lost(self) -> None:
        self.following = False
        self.cache.distrust()

    @rule()
    def it_is_followed_again(self) -> None:
        while self.untold:
            self.the_change_is_told()
        self.following = True
        self.cache.trust()

    @rule(user=st.sampled_from(USERS))
    def forgotten(self, user: str) -> None:
        self.cache.forget(user)
        assert all(self.cache.last_known(user, service) is None for service in SERVICES)

    @rule(seconds=st.sampled_from([1.0, MAX_AGE_SECONDS, KEPT_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def what_is_fresh_is_true_as_far_as_was_told(self) -> None:
        for user, service in self.truth if hasattr(self, "truth") else ():
            found = self.cache.fresh(user, service, self.now)
            if found:
                assert self.following
                assert int(found.version) >= self.told[user, service]

    @invariant()
    def nothing_known_is_older_than_what_was_known(self) -> None:
        if not hasattr(self, "cache"):
            return
        assert self.cache._size == sum(user.size for user in self.cache._users.values())
        for user in self.cache._users.values():
            assert user.size == sum(len(kept.part.members["it"]) for kept in user.kept.values())
        assert len(self.cache._users) <= self.cache._most_users
        assert self.cache._size <= self.cache._most_bytes


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=200, stateful_step_count=60)


def test_it_is_fresh_until_it_is_too_old() -> None:
    cache = Cache()
    cache.trust()
    cache.keep("ada", "profile", cache.ask("ada", "profile", 0), part(1), 0)
    assert cache.fresh("ada", "profile", MAX_AGE_SECONDS - 1) == part(1)
    assert cache.fresh("ada", "profile", MAX_AGE_SECONDS) is None
    assert cache.last_known("ada", "profile") == part(1)


def test_users_have_parts_of_their_own() -> None:
    cache = Cache()
    cache.trust()
    cache.keep("ada", "profile", cache.ask("ada", "profile", 0), part(1), 0)
    cache.ask("bob", "profile", 0)
    assert cache.last_known("bob", "profile") is None


def test_a_change_leaves_the_bytes_and_a_late_answer_does_not_replace_a_later_one() -> None:
    cache = Cache()
    cache.trust()
    early = cache.ask("ada", "profile", 0)
    cache.changed("ada", "profile")
    late = cache.ask("ada", "profile", 0)
    cache.keep("ada", "profile", late, part(2), 0)
    cache.keep("ada", "profile", early, part(1), 0)
    assert cache.fresh("ada", "profile", 0) == part(2)
    cache.changed("ada", "profile")
    assert cache.fresh("ada", "profile", 0) is None
    assert cache.last_known("ada", "profile") == part(2)


def test_what_was_kept_before_the_updates_were_lost_is_not_fresh_when_they_are_back() -> None:
    cache = Cache()
    cache.trust()
    cache.keep("ada", "profile", cache.ask("ada", "profile", 0), part(1), 0)
    cache.distrust()
    assert cache.fresh("ada", "profile", 0) is None
    cache.trust()
    assert cache.fresh("ada", "profile", 0) is None
    under_way = cache.ask("ada", "profile", 0)
    cache.distrust()
    cache.trust()
    cache.keep("ada", "profile", under_way, part(2), 0)
    assert cache.fresh("ada", "profile", 0) is None


def test_an_answer_that_comes_after_the_user_was_forgotten_is_not_kept() -> None:
    cache = Cache()
    cache.trust()
    asked = cache.ask("ada", "profile", 0)
    cache.forget("ada")
    cache.keep("ada", "profile", asked, part(1), 0)
    cache.ask("ada", "profile", 0)
    cache.keep("ada", "profile", asked, part(1), 0)
    assert cache.last_known("ada", "profile") is None


def test_who_has_not_asked_for_long_is_forgotten() -> None:
    cache = Cache()
    cache.keep("ada", "profile", cache.ask("ada", "profile", 0), part(1), 0)
    cache.ask("bob", "profile", KEPT_SECONDS)
    assert cache.last_known("ada", "profile") is None


class Asked:
    """What stands for the services: each question waits until it is answered."""

    def __init__(self) -> None:
        self.questions: list[tuple[Service, str, asyncio.Future[Part | None]]] = []

    async def __call__(self, service: Service, user: str) -> Part | None:
        answer: asyncio.Future[Part | None] = asyncio.get_running_loop().create_future()
        self.questions.append((service, user, answer))
        return await answer


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_ask_at_the_same_time_are_one_question() -> None:
    asked = Asked()
    parts = Parts(asked)
    waiting = [asyncio.create_task(parts.of("ada", "profile")) for _ in range(10)]
    await turn()
    assert [each[:2] for each in asked.questions] == [("profile", "ada")]
    asked.questions[0][2].set_result(part(1))
    assert await asyncio.gather(*waiting) == [part(1)] * 10


async def test_who_asks_after_a_change_is_not_answered_by_a_question_from_before_it() -> None:
    asked = Asked()
    parts = Parts(asked)
    parts.cache.trust()
    before = asyncio.create_task(parts.of("ada", "purchases"))
    await turn()
    parts.section_changed("ada", "wallet")
    after = asyncio.create_task(parts.of("ada", "purchases"))
    await turn()
    first, second = (each[2] for each in asked.questions)
    second.set_result(part(2))
    first.set_result(part(1))
    assert (await before, await after) == (part(1), part(2))
    assert parts.cache.fresh("ada", "purchases", 0) == part(2)


async def test_without_an_answer_it_is_what_was_known_or_nothing() -> None:
    answers: dict[Service, Part | None] = {"profile": part(1)}

    async def ask(service: Service, _user: str) -> Part | None:
        return answers.get(service)

    parts = Parts(ask)
    assert await parts.of("ada", "profile") == part(1)
    answers.clear()
    found: Mapping[Service, Part] = await parts.all_of("ada")
    assert (found["profile"].state, found["profile"].members) == ("stale", part(1).members)
    assert found["activity"] == UNAVAILABLE
    assert [*found] == [*SECTIONS]


async def test_a_part_that_is_late_is_kept_for_the_next_one() -> None:
    asked = Asked()
    parts = Parts(asked)
    parts.cache.trust()
    assert await parts.of("ada", "profile") == UNAVAILABLE
    asked.questions[0][2].set_result(part(1))
    await turn()
    assert await parts.of("ada", "profile") == part(1)
    assert len(asked.questions) == 1


@given(st.sampled_from([section for sections in SECTIONS.values() for section in sections]))
def test_every_section_outdates_its_services_part_and_no_other(section: str) -> None:
    cache = Cache()
    cache.trust()
    for service in SECTIONS:
        cache.keep("ada", service, cache.ask("ada", service, 0), part(1), 0)
    parts = Parts(Asked(), cache)
    parts.section_changed("ada", section)  # type: ignore[arg-type]
    outdated = [service for service in SECTIONS if cache.fresh("ada", service, 0) is None]
    assert [section in SECTIONS[service] for service in outdated] == [True]
