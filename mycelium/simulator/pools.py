"""Investment pools: money goes in, its value drifts, and one day it comes back."""

import random
from decimal import Decimal

from mycelium.simulator.catalogue import CURRENCY
from mycelium.simulator.diary import Diary, Process
from mycelium.simulator.moments import DAY, HOUR
from mycelium.simulator.persona import Persona
from mycelium.simulator.tables import POOLS
from mycelium.simulator.wallet import About, Wallet, cents
from shared.contracts.wallet import WalletPoolPositionChanged

_LEAVES = 0.05  # the chance a week that a position is closed
_POOL_SIZE = 250_000  # TFP: what all investors together hold in a pool


class Position:
    """What a user has in one pool, in TFP; nothing at first."""

    def __init__(self, pool_id: str, name: str, apy: float, volatility: float) -> None:
        self.pool_id, self.name, self.apy, self.volatility = pool_id, name, apy, volatility
        self.invested = Decimal("0.00")
        self.value = Decimal("0.00")

    def drift(self, rng: random.Random) -> None:
        """One week's growth, with its noise."""
        self.value = cents(float(self.value) * (1 + self.apy / 5200 + rng.gauss(0, self.volatility)))


class Pools:
    """A user's positions."""

    def __init__(self, diary: Diary, persona: Persona, wallet: Wallet, rng: random.Random) -> None:
        self._diary, self._persona, self._wallet, self._rng = diary, persona, wallet, rng
        self._positions = [Position(*pool) for pool in POOLS]

    def invest(self) -> None:
        """Puts some money into a pool."""
        position = self._rng.choice(self._positions)
        amount = cents(self._persona.budget * self._rng.uniform(0.1, 0.6))
        self._wallet.cover(amount)
        is_new = not position.invested
        position.invested += amount
        position.value += amount
        about = About(position.pool_id, "pool")
        self._wallet.post("pool_investment", -amount, f"Investment in {position.name}", about)
        self._report(position)
        if is_new:
            self._diary.start(self._hold(position))

    def _hold(self, position: Position) -> Process:
        while True:
            yield 7 * DAY + int(self._rng.uniform(-2, 2) * HOUR)
            position.drift(self._rng)
            if self._rng.random() < _LEAVES:
                self._close(position)
                return
            self._report(position)

    def _close(self, position: Position) -> None:
        about = About(position.pool_id, "pool")
        self._wallet.post("pool_return", position.value, f"Return from {position.name}", about)
        position.invested = position.value = Decimal("0.00")
        self._report(position)

    def _report(self, position: Position) -> None:
        self._diary.write(
            WalletPoolPositionChanged(
                user_email=self._persona.email,
                pool_id=position.pool_id,
                pool_name=position.name,
                invested=position.invested,
                current_value=position.value,
                currency=CURRENCY,
                share_percent=round(float(position.value) / _POOL_SIZE * 100, 4),
                apy_percent=position.apy,
                status="open" if position.invested else "closed",
            )
        )
