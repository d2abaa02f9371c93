"""The list of planted bugs is about today's code and today's tests. `make mutants` plants them."""

import ast
import re

import pytest

from tests.mutants.mutation import Mutation
from tests.mutants.run import MUTATIONS, ROOT


def test_there_are_enough_of_them_and_few_need_servers() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 24
    assert sum(mutation.needs_servers for mutation in MUTATIONS) <= 6


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_it_is_another_program_that_still_is_one(mutation: Mutation) -> None:
    mutated = ast.parse(mutation.applied(ROOT))
    assert ast.dump(mutated) != ast.dump(ast.parse((ROOT / mutation.file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_tests_that_must_catch_it_are_there(mutation: Mutation) -> None:
    assert mutation.tests
    for test in mutation.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {re.escape(name)}\(", text, re.MULTILINE), test
