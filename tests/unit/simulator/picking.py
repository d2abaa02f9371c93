"""Picking the payloads of one type out of a history."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from mycelium.simulator.diary import Entry
from shared.contracts.envelope import Payload

P = TypeVar("P", bound=Payload)


def of(entries: Iterable[Entry], payload: type[P]) -> list[tuple[datetime, P]]:
    """Each payload of that type with its time, in the order of the history."""
    return [(event.time, event.data) for _, event in entries if isinstance(event.data, payload)]
