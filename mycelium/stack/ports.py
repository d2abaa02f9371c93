"""Free ports on loopback, and who listens on one."""

import asyncio
import secrets
import socket
from collections.abc import Collection

import psutil

from mycelium.stack.errors import StackError

LOOPBACK = "127.0.0.1"
# Below where Linux and macOS take the ports of outgoing connections from, so that none of those gets in between the
# moment when a port is chosen and the moment when its server listens, or starts again.
_FIRST, _LAST = 12_000, 32_000
_TRIES = 200
_POLL_SECONDS = 0.02


def free_ports(count: int, but: Collection[int] = ()) -> list[int]:
    """`count` different ports on loopback that nothing listens on now, none of them in `but`.

    Raises StackError if there are none.
    """
    chosen: list[int] = []
    for _ in range(_TRIES):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if port not in but and port not in chosen and is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise StackError(f"No {count} free ports were found on {LOOPBACK} between {_FIRST} and {_LAST}. Free some.")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listens(pid: int, port: int) -> bool:
    """Whether that very process, and not another one, listens on `port`."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)


async def until_it_listens(pid: int, port: int) -> None:
    """Returns once that very process listens on `port`."""
    while not listens(pid, port):  # noqa: ASYNC110  (another process cannot set an event)
        await asyncio.sleep(_POLL_SECONDS)
