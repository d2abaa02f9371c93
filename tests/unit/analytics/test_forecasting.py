"""The forecaster's worker: there when it is asked, gone when it is not, and replaced when it dies."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from multiprocessing import active_children
from pathlib import Path

import psutil
import pytest_asyncio

from services.analytics.domain.forecast import TooLittleHistory, forecast
from services.analytics.forecasting import Forecaster, ForecasterStoppedError
from services.analytics.methods import METHODS
from tests.waiting import eventually

HISTORY = [Decimal(total) for total in (50, 60, 40, 55, 70, 45)]
PATIENCE = 30.0


@pytest_asyncio.fixture
async def forecaster() -> AsyncIterator[Forecaster]:
    made = Forecaster()
    yield made
    await made.close()


async def test_it_says_what_the_function_says(forecaster: Forecaster) -> None:
    assert not forecaster.has_worker
    asked = (forecaster.forecast(HISTORY, "2025-11", months) for months in (1, 12))
    assert await asyncio.gather(*asked) == [forecast(HISTORY, "2025-11", months, METHODS) for months in (1, 12)]
    assert await forecaster.forecast(HISTORY[:2], "2025-11", 3) == TooLittleHistory(2)
    assert len(active_children()) == 1


async def test_an_idle_worker_ends_and_the_next_question_has_another() -> None:
    forecaster = Forecaster(idle_seconds=0.01)
    for _ in range(2):
        await forecaster.forecast(HISTORY, "2025-11", 1)
        await eventually(lambda: not forecaster.has_worker and not active_children(), timeout=PATIENCE)
    await forecaster.close()


async def test_a_worker_that_is_not_idle_stays(forecaster: Forecaster) -> None:
    await forecaster.forecast(HISTORY, "2025-11", 1)
    first = active_children()
    await forecaster.forecast(HISTORY, "2025-11", 1)
    assert active_children() == first


async def test_a_worker_that_dies_is_an_error_and_the_next_question_has_another(forecaster: Forecaster) -> None:
    await forecaster.forecast(HISTORY, "2025-11", 1)
    asked = [asyncio.ensure_future(forecaster.forecast(HISTORY * 10, "2025-11", 1)) for _ in range(3)]
    await asyncio.sleep(0)
    for worker in active_children():
        worker.kill()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(result) for result in results} == {ForecasterStoppedError}
    assert await forecaster.forecast(HISTORY, "2025-11", 1) == forecast(HISTORY, "2025-11", 1, METHODS)


async def test_closing_ends_the_worker() -> None:
    forecaster = Forecaster()
    await forecaster.forecast(HISTORY, "2025-11", 1)
    await forecaster.close()
    assert not active_children()
    await forecaster.close()  # and again: nothing to end


_SERVICE = """
import asyncio, sys
from decimal import Decimal
import psutil
from services.analytics.forecasting import Forecaster

async def main():
    await Forecaster().forecast([Decimal(1)] * 4, "2025-11", 1)
    print(*(child.pid for child in psutil.Process().children()), "statsmodels" in sys.modules, flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_the_worker_does_not_outlive_a_service_that_is_killed_and_keeps_the_library_out_of_it(
    tmp_path: Path,
) -> None:
    script = tmp_path / "service.py"
    script.write_text(_SERVICE)
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=paths) as service:
        assert service.stdout is not None
        *children, imported = service.stdout.readline().split()
        service.kill()
    assert imported == "False"
    assert children
    await eventually(lambda: not any(psutil.pid_exists(int(child)) for child in children), timeout=PATIENCE)
