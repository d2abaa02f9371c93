"""Free ports, and who listens on one."""

import os
import socket
from collections.abc import Iterator

import pytest

from mycelium.stack.ports import LOOPBACK, free_ports, is_free, listens


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        yield server.getsockname()[1]


def test_ports_differ_and_are_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)


def test_none_is_one_that_was_kept_out(monkeypatch: pytest.MonkeyPatch) -> None:
    unwanted, first, second = free_ports(3)
    offered = iter(port - 12_000 for port in (unwanted, first, first, unwanted, second))
    monkeypatch.setattr("secrets.randbelow", lambda _: next(offered))
    assert free_ports(2, but=(unwanted,)) == [first, second]


def test_a_port_that_a_server_has_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_a_port_is_listened_on_by_its_own_process_only(taken: int) -> None:
    assert listens(os.getpid(), taken)
    assert not listens(os.getppid(), taken)
    assert not listens(os.getpid(), taken + 1)
    assert not listens(2**22 + 1, taken)
