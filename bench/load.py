"""What is measured with: events of the simulator, which are believable, and always the same."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, islice
from typing import Final

from mycelium.simulator import Scenario, history
from services.activity.consumer import TOPICS
from services.activity.domain.activity import activity_of
from services.analytics import consumer as analytics
from services.analytics.domain.presence import PRESENT
from services.purchases import consumer as purchases
from shared.contracts.build import make_event
from shared.contracts.identity import UserRegistered
from shared.contracts.marketplace import PurchaseCreated, PurchaseStatusChanged
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import IDENTITY, Topic
from shared.folds.facts import facts_of

Entry = tuple[Topic, AnyEvent]

_DAYS = 14
_UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
_FIVE_YEARS: Final = timedelta(days=5 * 365)
# Of what is forgotten after a while, or Mongo would remove it meanwhile.
NOW: Final = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def of_activity(number: int) -> list[Entry]:
    """What 500 users do in two weeks, on the topics that the activity service reads."""
    return _first(number, Scenario(seed=1, users=500, days=_DAYS, until=_UNTIL), lambda topic, _: topic in TOPICS)


def of_purchases(number: int) -> list[Entry]:
    """What is said of things that 150 users have: all that the purchases service uses, and nothing else."""
    scenario = Scenario(seed=3, users=150, days=60, until=NOW)
    return _first(number, scenario, lambda topic, event: topic in purchases.TOPICS and bool(facts_of(event)))


def of_analytics(number: int) -> list[Entry]:
    """What 400 users have and do in 20 days: all that the analytics service uses, but for the catalogue."""
    scenario = Scenario(seed=3, users=400, days=20, until=NOW)
    return _first(number, scenario, lambda topic, event: topic in analytics.TOPICS and _is_figured(event))


def of_profile(number: int) -> list[Entry]:
    """Registrations, each of another user."""
    return [(IDENTITY, _registered(each)) for each in range(number)]


LOADS: Final[Mapping[str, Callable[[int], list[Entry]]]] = {
    "activity": of_activity,
    "purchases": of_purchases,
    "profile": of_profile,
    "analytics": of_analytics,
}


def _first(number: int, scenario: Scenario, is_used: Callable[[Topic, AnyEvent], bool]) -> list[Entry]:
    events = list(islice((entry for entry in history(scenario) if is_used(*entry)), number))
    assert len(events) == number, f"there are only {len(events)}"
    return events


def _is_figured(event: AnyEvent) -> bool:
    return bool(facts_of(event)) or isinstance(event.data, PRESENT)


def _registered(number: int) -> AnyEvent:
    user = UserRegistered(
        user_email=f"user.{number}@example.org",
        display_name=f"User {number}",
        country="NL",
        timezone="Europe/Amsterdam",
        language="nl",
    )
    return make_event(user, source="/bench", time=_UNTIL + timedelta(seconds=number))


def of_one_user(email: str) -> Iterator[Entry]:
    """What one user does, a minute apart and without end; each event makes an activity of its own."""
    scenario = Scenario(seed=1, users=0, days=_DAYS, until=_UNTIL, emails=(email,))
    pattern = [(topic, event) for topic, event in history(scenario) if topic in TOPICS and _is_told_once(event)]
    for number, (topic, event) in enumerate(cycle(pattern)):
        yield topic, event.model_copy(update={"id": f"{number}", "time": _UNTIL + timedelta(minutes=number)})


def _is_told_once(event: AnyEvent) -> bool:
    activity = activity_of(event)
    return activity is not None and not activity.told_twice


def purchases_of(user: str, number: int) -> Iterator[AnyEvent]:
    """So many purchases of a user, newest first, an equal time apart over five years."""
    return (_bought(user, each, NOW - _FIVE_YEARS / number * each) for each in range(number))


def moves_of(user: str) -> Iterator[AnyEvent]:
    """Changes of the status of the user's ten newest purchases, in turn and without end."""
    return (_moved(user, number) for number in count())


def _bought(user: str, number: int, at: datetime) -> AnyEvent:
    data = {
        "user_email": user,
        "purchase_id": f"pur-{number}",
        "product_id": f"p{number % 40}",
        "product_name": "Vault",
        "product_type": "storage",
        "provider_id": f"h{number % 8}",
        "provider_name": "Hypha",
        "amount": 5,
        "currency": "TFP",
        "status": "active",
    }
    return make_event(PurchaseCreated.model_validate(data), source="/bench", time=at)


def _moved(user: str, number: int) -> AnyEvent:
    data = PurchaseStatusChanged(user_email=user, purchase_id=f"pur-{number % 10}", status="active", reason=f"{number}")
    return make_event(data, source="/bench", time=NOW + timedelta(minutes=number))
