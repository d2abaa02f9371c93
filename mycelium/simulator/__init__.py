"""The simulator: a believable marketplace, wallet and identity provider that publish a history and then live events.

    list(history(Scenario(seed=1, users=20, days=90, until=until)))     # pure: no broker, no clock
    await publish(history(scenario), "127.0.0.1:9092")                  # each event acknowledged

`world.py` is the timeline, `life.py` a user's days, `session.py` a visit; `desk.py` answers commands, and `overlay.py`
is what the answers add to the timeline. `publishing.py`, `answers.py` and `run.py` are the only files that do I/O.
"""

from mycelium.simulator.publishing import publish
from mycelium.simulator.scenario import Scenario, Stretch
from mycelium.simulator.world import World, history

__all__ = ["Scenario", "Stretch", "World", "history", "publish"]
