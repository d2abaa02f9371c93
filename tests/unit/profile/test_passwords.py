"""Passwords: hashed slowly, checked in the same time whoever asks, a bounded number at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from pydantic import SecretStr

from services.profile.passwords import Passwords
from shared.plumbing.problems import ProblemError

RIGHT = SecretStr("correct horse battery")


@pytest_asyncio.fixture(loop_scope="session")
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords()
    yield made
    await made.close()


async def test_a_hash_is_argon2id_with_the_recommended_cost_and_a_salt(passwords: Passwords) -> None:
    first, second = await passwords.hash(RIGHT), await passwords.hash(RIGHT)
    assert first != second
    cost = extract_parameters(first)
    assert (cost.type, cost.memory_cost, cost.time_cost, cost.parallelism) == (Type.ID, 19_456, 2, 1)


async def test_only_the_right_password_is_right(passwords: Passwords) -> None:
    stored = await passwords.hash(RIGHT)
    assert await passwords.is_right(RIGHT, stored)
    assert not await passwords.is_right(SecretStr("correct horse batter"), stored)
    assert not await passwords.is_right(RIGHT, None)
    assert not await passwords.is_right(SecretStr("nobody"), None)
    assert not await passwords.is_right(RIGHT, "not a hash")


async def test_what_looks_the_same_is_the_same(passwords: Passwords) -> None:
    composed, decomposed = SecretStr("caf\u00e9 caf\u00e9"), SecretStr("cafe\u0301 cafe\u0301")
    assert await passwords.is_right(decomposed, await passwords.hash(composed))


async def test_other_parameters_are_outdated(passwords: Passwords) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("x")
    assert passwords.is_outdated(weak)
    assert not passwords.is_outdated(await passwords.hash(RIGHT))


async def test_whoever_would_wait_too_long_is_sent_away(passwords: Passwords) -> None:
    asked = await asyncio.gather(*(passwords.is_right(RIGHT, "not a hash") for _ in range(106)), return_exceptions=True)
    refused = [answer for answer in asked if isinstance(answer, ProblemError)]
    assert {(problem.status, problem.code) for problem in refused} == {(503, "busy")}
    assert len(refused) == 6
    assert not await passwords.is_right(RIGHT, "not a hash")
