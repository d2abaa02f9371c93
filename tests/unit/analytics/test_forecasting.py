"""The forecaster's worker: there when it is asked, gone when it is not, and replaced when it dies."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from decimal import Decimal
from multiprocessing import active_children
from pathlib import Path

import psutil

from services.analytics.domain.forecast import TooLittleHistory, forecast
from services.analytics.forecasting import Forecaster, ForecasterStoppedError
from services.analytics.methods import METHODS
from tests.waiting import eventually

HISTORY = [Decimal(total) for total in (50, 60, 40, 55, 70, 45)]
PATIENCE = 30.0


async def test_it_says_what_the_function_says_by_one_worker_until_it_is_closed() -> None:
    forecaster = Forecaster()
    assert not forecaster.has_worker
    asked = (forecaster.forecast(HISTORY, "2025-11", months) for months in (1, 12))
    assert await asyncio.gather(*asked) == [forecast(HISTORY, "2025-11", months, METHODS) for months in (1, 12)]
    workers = active_children()
    assert await forecaster.forecast(HISTORY[:2], "2025-11", 3) == TooLittleHistory(2)
    assert active_children() == workers
    assert len(workers) == 1
    await forecaster.close()
    assert active_children() == []
    await forecaster.close()  # and again: nothing to end


async def test_an_idle_worker_ends() -> None:
    forecaster = Forecaster(idle_seconds=0.01)
    await forecaster.forecast(HISTORY, "2025-11", 1)
    await eventually(lambda: not forecaster.has_worker and not active_children(), timeout=PATIENCE)
    await forecaster.close()


async def test_a_worker_that_dies_is_an_error_and_the_next_question_has_another() -> None:
    forecaster = Forecaster()
    await forecaster.forecast(HISTORY, "2025-11", 1)
    asked = [asyncio.ensure_future(forecaster.forecast(HISTORY * 10, "2025-11", 1)) for _ in range(3)]
    await asyncio.sleep(0)  # they are on their way
    for worker in active_children():
        worker.kill()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(result) for result in results} == {ForecasterStoppedError}
    assert await forecaster.forecast(HISTORY, "2025-11", 1) == forecast(HISTORY, "2025-11", 1, METHODS)
    await forecaster.close()


_SERVICE = """
import asyncio, sys
from decimal import Decimal
from multiprocessing import active_children
from services.analytics.forecasting import Forecaster

async def main():
    await Forecaster().forecast([Decimal(1)] * 4, "2025-11", 1)
    print(active_children()[0].pid, "statsmodels" in sys.modules, flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_the_worker_keeps_the_library_out_of_the_service_and_does_not_outlive_it(tmp_path: Path) -> None:
    script = tmp_path / "service.py"
    script.write_text(_SERVICE)
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    service = await asyncio.create_subprocess_exec(sys.executable, script, stdout=PIPE, env=paths)
    assert service.stdout is not None
    worker, imported = (await service.stdout.readline()).split()
    service.kill()
    assert imported == b"False"
    await eventually(lambda: not psutil.pid_exists(int(worker)), timeout=PATIENCE)
    await service.wait()
