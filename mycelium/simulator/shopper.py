"""One user with all that is theirs."""

from mycelium.simulator.catalogue import Catalogue, Product
from mycelium.simulator.deployments import Deployments
from mycelium.simulator.diary import Diary
from mycelium.simulator.moments import YEAR
from mycelium.simulator.orders import Orders
from mycelium.simulator.persona import Persona
from mycelium.simulator.pools import Pools
from mycelium.simulator.scenario import Scenario
from mycelium.simulator.taste import Taste, climate
from mycelium.simulator.wallet import Wallet


class Shopper:
    """A user: who they are, their diary, and what they own. `wishes` are products to look at again."""

    def __init__(self, persona: Persona, catalogue: Catalogue, scenario: Scenario) -> None:
        self.persona, self.catalogue = persona, catalogue
        self.rng = rng = scenario.stream("life", persona.key)
        self.diary = diary = Diary(scenario.namespace(persona.email), persona.joins)
        self.wallet = Wallet(diary, persona, rng)
        self.deployments = Deployments(diary, persona, rng)
        self.orders = Orders(diary, persona, self.wallet, self.deployments, rng)
        self.pools = Pools(diary, persona, self.wallet, rng)
        self.taste = Taste(persona, catalogue, rng)
        self.wishes: list[Product] = []
        self.is_registered = False

    @property
    def season(self) -> float:
        """How much more or less than on average the user does now: the season and their own trend."""
        years = (self.diary.now - self.persona.joins) / YEAR
        return climate(self.diary.now) * max(0.3, 1 + self.persona.trend * years)

    @property
    def room(self) -> float:
        """How much of a month's budget is not spent yet, as a share; a little is always there."""
        return max(0.03, 1 - self.orders.spent_lately() / (self.persona.budget * self.season))
