"""The state file: what a simulation that goes on another day has to know of the days before.

The timeline is a pure function of the scenario and of the stretches in which it was live. So that is all there is to
keep, with what answers to commands added to it, and how far it has been published. The end of a live stretch is written
down some seconds before it is reached: whatever was published when a process was killed lies before it and comes again,
byte for byte, when it is started anew.
"""

from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from mycelium.simulator.overlay import Overlay
from mycelium.simulator.scenario import Scenario, Stretch


class StateError(ValueError):
    """The state file does not fit. The message says what to do."""


class State(BaseModel):
    """All events before `published` (UTC) are on the topics. `stretches` are the past ones, in order of time."""

    fingerprint: str
    until: AwareDatetime
    published: AwareDatetime
    stretches: list[Stretch] = []
    overlay: Overlay = Field(default_factory=Overlay)

    @classmethod
    def new(cls, scenario: Scenario) -> Self:
        """Nothing is published yet."""
        return cls(fingerprint=scenario.fingerprint, until=scenario.until, published=scenario.start)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote. Raises FileNotFoundError, or StateError if it cannot be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError:
            raise StateError(f"{path} is not a state file of the simulator: name another file or remove it") from None

    def save(self, path: Path) -> None:
        """Replaces the file as a whole, so that a kill leaves the old one or the new one."""
        beside = path.with_name(path.name + ".new")
        beside.write_text(self.model_dump_json(indent=2))
        beside.replace(path)

    def lease(self, start: datetime, rate: float, end: datetime) -> None:
        """Says that the stretch that began at `start` goes on up to `end`."""
        self.stretches = [*(s for s in self.stretches if s.start != start), Stretch(start, rate, end)]
