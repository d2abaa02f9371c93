"""One history that the tests read and none changes."""

from datetime import UTC, datetime

import pytest

from mycelium.simulator import Scenario, history
from mycelium.simulator.diary import Entry

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return Scenario(seed=2, users=20, days=90, until=UNTIL, emails=("demo@example.org",))


@pytest.fixture(scope="session")
def entries(scenario: Scenario) -> list[Entry]:
    return list(history(scenario))
