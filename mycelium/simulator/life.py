"""A user's days: registering, then sessions in waking hours for ever; and, while it is live, many more of them."""

import random
from datetime import date, datetime, time, timedelta
from math import exp

from mycelium.simulator.diary import Process
from mycelium.simulator.moments import HOUR, MINUTE, SECOND, to_ms, to_time
from mycelium.simulator.persona import Persona
from mycelium.simulator.scenario import Stretch
from mycelium.simulator.session import LiveSession, Session, thinking
from mycelium.simulator.shopper import Shopper
from mycelium.simulator.wallet import cents
from shared.contracts.identity import UserRegistered

_DAY_BEGINS = time(5)  # local: a day is planned before anybody is up
_BETWEEN_SESSIONS = 75 * MINUTE
_EVENTS_PER_LIVE_SESSION = 8.5  # measured
_LIVE_STEP = 30 * SECOND


def life(shopper: Shopper) -> Process:
    """Everything that a user does, from registering on; never ends."""
    yield _until_awake(shopper)
    yield from _register(shopper)
    yield from _session(shopper).run()
    while True:
        local = to_time(shopper.diary.now).astimezone(shopper.persona.zone)
        tomorrow = local.date() + timedelta(days=1)
        yield to_ms(datetime.combine(tomorrow, _DAY_BEGINS, shopper.persona.zone)) - shopper.diary.now
        for start in _sessions_of(shopper, tomorrow):
            shopper.diary.start(_session(shopper).run(), start)


def live(shopper: Shopper, stretch: Stretch, users: int) -> Process:
    """One session after the other, at any hour, until the stretch ends.

    Each user has one cycle of a session and a pause in the time in which all `users` together owe the stretch's rate
    the events of one session each. A session that has begun goes on to its logout after the end of the stretch.
    """
    spacing = users / stretch.rate * SECOND
    step = min(_LIVE_STEP, spacing)
    pause = max(step, _EVENTS_PER_LIVE_SESSION * spacing - (_EVENTS_PER_LIVE_SESSION - 1) * step)
    rng = shopper.rng
    yield int(rng.uniform(0, pause))
    yield from _register(shopper)
    while stretch.end is None or shopper.diary.now < to_ms(stretch.end):
        yield from LiveSession(shopper, lambda: int(rng.expovariate(1 / step))).run()
        yield int(rng.expovariate(1 / pause))


def _session(shopper: Shopper) -> Session:
    return Session(shopper, lambda: thinking(shopper))


def _register(shopper: Shopper) -> Process:
    """Registers and puts the first money into the wallet, unless that was done before."""
    if shopper.is_registered:
        return
    shopper.is_registered = True
    persona = shopper.persona
    shopper.diary.write(
        UserRegistered(
            user_email=persona.email,
            display_name=persona.display_name,
            country=persona.place.country,
            timezone=persona.place.zone,
            language=persona.place.language,
        )
    )
    yield thinking(shopper)
    shopper.wallet.cover(cents(persona.budget * 0.6))
    shopper.diary.start(shopper.wallet.income())


def _until_awake(shopper: Shopper) -> int:
    """Milliseconds until the user is up."""
    persona, now = shopper.persona, shopper.diary.now
    local = to_time(now).astimezone(persona.zone)
    hour = local.hour + local.minute / 60
    if persona.wakes <= hour < persona.sleeps:
        return 0
    day = local.date() + timedelta(days=int(hour >= persona.sleeps))
    return _at(persona, day, persona.wakes) - now


def _sessions_of(shopper: Shopper, day: date) -> list[int]:
    """When the sessions of that local day start: around the user's peak hours, and not one upon the other."""
    persona, rng = shopper.persona, shopper.rng
    mood = rng.lognormvariate(0, 0.35)
    expected = persona.sessions * persona.archetype.weekdays[day.weekday()] * shopper.season * mood
    starts: list[int] = []
    for hour in sorted(_hour(persona, rng) for _ in range(_poisson(rng, expected))):
        start = _at(persona, day, hour)
        if not starts or start - starts[-1] >= _BETWEEN_SESSIONS:
            starts.append(start)
    return starts


def _hour(persona: Persona, rng: random.Random) -> float:
    return rng.triangular(persona.wakes, persona.sleeps, rng.choice(persona.peak_hours))


def _at(persona: Persona, day: date, hour: float) -> int:
    """That hour of the user's own clock, in milliseconds."""
    return to_ms(datetime.combine(day, time(), persona.zone) + timedelta(milliseconds=int(hour * HOUR)))


def _poisson(rng: random.Random, mean: float) -> int:
    """Knuth's method; fit for small means."""
    limit, product, count = exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
