"""What is measured with: events of the simulator, which are believable, and always the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

from mycelium.simulator import Scenario, history
from services.activity.consumer import TOPICS
from services.activity.domain.activity import activity_of
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import Topic

USERS, _DAYS = 500, 14
_UNTIL = datetime(2026, 6, 1, tzinfo=UTC)


def of_many_users(number: int) -> list[tuple[Topic, AnyEvent]]:
    """The first `number` events of 500 users' two weeks, on the topics that the activity service reads."""
    scenario = Scenario(seed=1, users=USERS, days=_DAYS, until=_UNTIL)
    events = list(islice((entry for entry in history(scenario) if entry[0] in TOPICS), number))
    assert len(events) == number, f"there are only {len(events)}"
    return events


def of_one_user(email: str) -> Iterator[tuple[Topic, AnyEvent]]:
    """What one user does, a minute apart and without end; each event makes an activity of its own."""
    scenario = Scenario(seed=1, users=0, days=_DAYS, until=_UNTIL, emails=(email,))
    pattern = [(topic, event) for topic, event in history(scenario) if topic in TOPICS and _is_told_once(event)]
    for number, (topic, event) in enumerate(cycle(pattern)):
        yield topic, event.model_copy(update={"id": f"{number}", "time": _UNTIL + timedelta(minutes=number)})


def _is_told_once(event: AnyEvent) -> bool:
    activity = activity_of(event)
    return activity is not None and not activity.told_twice
