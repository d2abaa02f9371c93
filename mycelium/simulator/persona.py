"""Who a user is: where they live, when they are awake, what they like and what they can spend."""

import random
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from mycelium.simulator.moments import DAY, MINUTE, to_ms
from mycelium.simulator.scenario import Scenario
from mycelium.simulator.tables import (
    ARCHETYPES,
    CATEGORIES,
    FIRST_NAMES,
    LAST_NAMES,
    NAMED_ARCHETYPE,
    NAMED_PLACE,
    PLACES,
    PROVIDERS,
    USER_AGENTS,
    Archetype,
    Place,
)

WAKING_HOURS = (6, 23)  # nobody opens a session outside these hours of their own day


@dataclass(frozen=True)
class Persona:
    """One user; `key` names their random streams.

    `budget` is TFP a month, `sessions` a day, `trend` the yearly growth of both as a share. `peak_hours` are the local
    hours around which sessions start, `wakes` and `sleeps` their bounds. `likes` holds factors by provider id and by
    category name. `joins` is in milliseconds. What is left are chances and factors.
    """

    key: str
    email: str
    display_name: str
    place: Place
    zone: ZoneInfo
    user_agents: tuple[str, ...]
    archetype: Archetype
    joins: int
    budget: float
    sessions: float
    trend: float
    wakes: float
    sleeps: float
    peak_hours: tuple[float, float]
    likes: dict[str, float]
    eagerness: float
    renews: float
    pays_annually: float
    rates: float
    complains: float
    invests: bool


def personas(scenario: Scenario) -> list[Persona]:
    """Everybody in the scenario: first those with an email of their own, then the numbered ones."""
    named = [_persona(scenario, email, email, _name_in(email), named=True) for email in scenario.emails]
    return named + [_numbered(scenario, index) for index in range(scenario.users)]


def _numbered(scenario: Scenario, index: int) -> Persona:
    rng = scenario.stream("name", index)
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    email = f"{first}.{last}.{index + 1}@example.org".lower()
    return _persona(scenario, str(index), email, f"{first} {last}", named=False)


def _name_in(email: str) -> str:
    return " ".join(part.capitalize() for part in email.partition("@")[0].replace("_", ".").split(".") if part) or email


def _persona(scenario: Scenario, key: str, email: str, display_name: str, *, named: bool) -> Persona:
    rng = scenario.stream("persona", key)
    archetype = rng.choices(ARCHETYPES, [a.share for a in ARCHETYPES])[0]
    archetype = NAMED_ARCHETYPE if named else archetype
    wakes = rng.uniform(WAKING_HOURS[0] + 0.25, 9.0)
    sleeps = rng.uniform(20.5, WAKING_HOURS[1] - 0.5)
    place = NAMED_PLACE if named else rng.choice(PLACES)
    return Persona(
        key=key,
        email=email,
        display_name=display_name,
        place=place,
        zone=ZoneInfo(place.zone),
        user_agents=tuple(rng.sample(USER_AGENTS, rng.choice((1, 2)))),
        archetype=archetype,
        joins=_joining(scenario, rng, early=named),
        budget=archetype.budget * rng.lognormvariate(0, 0.35),
        sessions=archetype.sessions * rng.lognormvariate(0, 0.3),
        trend=rng.gauss(0.12, 0.2),
        wakes=wakes,
        sleeps=sleeps,
        peak_hours=(rng.uniform(wakes + 0.5, 12.5), rng.uniform(16.0, sleeps - 0.5)),
        likes=_likes(rng),
        eagerness=rng.uniform(0.7, 1.3),
        renews=rng.betavariate(8, 1.2),
        pays_annually=rng.betavariate(1.2, 5),
        rates=rng.betavariate(2, 4),
        complains=rng.betavariate(2, 6),
        invests=named or rng.random() < archetype.invests,
    )


def _joining(scenario: Scenario, rng: random.Random, *, early: bool) -> int:
    """Most are there from the first days on; a fourth come later, within the first half of the history."""
    share, place = rng.random(), rng.random()
    fraction = 0.004 * place if early else 0.02 * place if share < 0.75 else 0.5 * place
    return to_ms(scenario.start) + MINUTE + int(scenario.days * DAY * fraction)


def _likes(rng: random.Random) -> dict[str, float]:
    """Two or three favourite providers, one avoided, and a few favourite categories; the rest about equal."""
    likes = {provider.id: rng.lognormvariate(0, 0.3) for provider in PROVIDERS}
    favourites = rng.sample(PROVIDERS, rng.choice((3, 4)))
    likes[favourites.pop().id] *= 0.1
    likes |= {provider.id: likes[provider.id] * rng.uniform(4, 8) for provider in favourites}
    return likes | {category.name: rng.gammavariate(0.8, 1.25) + 0.05 for category in CATEGORIES}
