"""The demo: a user who is signed up as anybody would be, and a simulated marketplace that has things happen to them."""

import asyncio
import sys
from collections.abc import Mapping

import aiohttp

from mycelium.stack.datadir import DataDir
from mycelium.stack.errors import StackError
from mycelium.stack.keeper import Program
from mycelium.stack.services import GATEWAY, Addresses, environment

EMAIL = "demo@mycelium.example"
# Four whole months, which a forecast takes, and a user who can be compared with more than twenty others.
_USERS, _DAYS, _SEED = 60, 130, 4
_SIGN_UP_SECONDS = 20
_MADE, _THERE_ALREADY = 201, 409


async def sign_up(http: aiohttp.ClientSession, addresses: Addresses, password: str) -> None:
    """Makes the demo user's account unless it is there. Raises StackError if the gateway refuses."""
    account = {
        "email": EMAIL,
        "password": password,
        "display_name": "Demo",
        "country": "SE",
        "timezone": "Europe/Stockholm",
    }
    url = f"{addresses.url(GATEWAY)}/api/v1/auth/register"
    status: int | str
    try:
        async with asyncio.timeout(_SIGN_UP_SECONDS), http.post(url, json=account) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        status = type(error).__name__
    if status not in (_MADE, _THERE_ALREADY):
        raise StackError(f"The demo user could not be signed up ({status}). See gateway.log and profile.log in logs/.")


def simulator(addresses: Addresses, data: DataDir, client_settings: Mapping[str, str]) -> Program:
    """The simulator: months of history once for a data directory, then live events for as long as the stack runs."""

    async def prepare(_pid: int) -> None:
        pass

    argv = (
        *(sys.executable, "-P", "-m", "mycelium", "simulate"),
        *("--users", str(_USERS), "--days", str(_DAYS), "--seed", str(_SEED), "--user", EMAIL),
        *("--live", "inf", "--state", str(data.demo_json)),
        *("--jwks", f"{addresses.url(GATEWAY)}/.well-known/jwks.json"),
    )
    env = {**environment(), **client_settings, "KAFKA_BOOTSTRAP_SERVERS": addresses.kafka}
    return Program("simulator", argv, env, prepare)
