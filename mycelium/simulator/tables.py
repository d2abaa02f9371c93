"""What the simulated marketplace is made of: providers, kinds of products, people and places. Data only."""

from typing import NamedTuple

from shared.contracts.types import BillingCycle, ProductType


class Provider(NamedTuple):
    """Who sells what. `price_level` multiplies prices, `quality` is the mean of its ratings (1 to 5)."""

    id: str
    name: str
    types: tuple[ProductType, ...]
    price_level: float
    quality: float


class Category(NamedTuple):
    """A kind of product. Prices lie between `low` and `high` TFP a cycle, before the provider's price level.

    Whoever buys one is drawn to the `complements`. Demand swings by the share `swing` over the year and is highest in
    the middle of `peak_month`.
    """

    name: str
    product_type: ProductType
    nouns: tuple[str, ...]
    cycle: BillingCycle
    low: float
    high: float
    complements: tuple[str, ...]
    peak_month: int
    swing: float


class Archetype(NamedTuple):
    """A kind of user. `types` weighs the product types at the start and, drifting, a year later.

    `budget` is TFP a month, `sessions` a day on average, `weekdays` their factor from Monday to Sunday.
    """

    name: str
    share: float
    types: tuple[dict[ProductType, float], dict[ProductType, float]]
    budget: float
    sessions: float
    weekdays: tuple[float, ...]
    invests: float


class Place(NamedTuple):
    """Where a user lives: an IANA zone, an ISO 3166 country, a BCP 47 language."""

    zone: str
    country: str
    language: str


PROVIDERS = (
    Provider("alder-cloud", "Alder Cloud", ("compute_slice", "storage"), 0.95, 4.3),
    Provider("birchworks", "Birchworks", ("application", "service"), 1.10, 4.6),
    Provider("cedar-systems", "Cedar Systems", ("service", "network"), 1.25, 4.7),
    Provider("dune-compute", "Dune Compute", ("compute_slice",), 0.80, 3.6),
    Provider("ember-labs", "Ember Labs", ("application",), 0.90, 4.1),
    Provider("fjord-networks", "Fjord Networks", ("network",), 1.00, 4.4),
    Provider("glade-storage", "Glade Storage", ("storage",), 0.85, 4.2),
    Provider("harbour-data", "Harbour Data", ("service", "storage"), 1.15, 4.5),
    Provider("iris-apps", "Iris Apps", ("application",), 0.75, 3.5),
    Provider("juniper-grove", "Juniper Grove", ("service", "application"), 1.00, 4.0),
    Provider("kestrel-hosting", "Kestrel Hosting", ("compute_slice", "network"), 1.05, 4.3),
    Provider("lumen-forge", "Lumen Forge", ("compute_slice", "service"), 1.30, 4.8),
    Provider("meadow-soft", "Meadow Soft", ("application", "service"), 0.85, 3.8),
    Provider("north-node", "North Node", ("compute_slice", "storage", "network"), 0.90, 3.9),
    Provider("orchid-analytics", "Orchid Analytics", ("application", "service"), 1.20, 4.4),
)

CATEGORIES = (
    Category("databases", "service", ("Managed PostgreSQL", "Managed MongoDB", "Managed Redis"), "monthly",
             12, 70, ("backup", "monitoring"), 10, 0.15),
    Category("monitoring", "service", ("Uptime Watch", "Log Search", "Metrics Hub"), "monthly",
             5, 30, ("security",), 11, 0.10),
    Category("security", "service", ("Web Firewall", "Secret Vault", "Vulnerability Scan"), "monthly",
             8, 40, ("vpn", "monitoring"), 10, 0.30),
    Category("backup", "service", ("Nightly Backup", "Snapshot Keeper"), "monthly",
             4, 22, ("archive-storage",), 12, 0.25),
    Category("consulting", "service", ("Architecture Review", "Migration Workshop", "Onboarding Day"), "one_time",
             45, 260, ("databases", "dedicated-compute"), 2, 0.45),
    Category("content", "application", ("Wiki", "Blog Engine", "Headless CMS"), "monthly",
             5, 30, ("cdn", "domains"), 9, 0.20),
    Category("collaboration", "application", ("Team Chat", "Video Rooms", "Kanban Board"), "monthly",
             4, 25, ("content",), 9, 0.25),
    Category("developer-tools", "application", ("Git Forge", "Build Runner", "Package Registry"), "monthly",
             6, 40, ("general-compute", "monitoring"), 10, 0.15),
    Category("analytics", "application", ("Web Analytics", "Dashboards", "Survey Desk"), "monthly",
             8, 48, ("databases",), 1, 0.30),
    Category("templates", "application", ("Invoice Templates", "Site Theme Pack", "Report Kit"), "one_time",
             6, 45, ("content",), 12, 0.55),
    Category("general-compute", "compute_slice", ("Small Slice", "Balanced Slice", "Memory Slice"), "hourly",
             0.05, 0.40, ("block-storage", "monitoring"), 11, 0.20),
    Category("gpu-compute", "compute_slice", ("GPU Slice", "Training Slice"), "hourly",
             0.60, 2.40, ("object-storage", "analytics"), 11, 0.40),
    Category("dedicated-compute", "compute_slice", ("Dedicated Node", "Bare Node"), "monthly",
             25, 130, ("static-addresses", "block-storage", "monitoring"), 3, 0.15),
    Category("object-storage", "storage", ("Object Store", "Media Store"), "monthly",
             3, 20, ("cdn",), 7, 0.15),
    Category("block-storage", "storage", ("Block Volume", "Fast Volume"), "monthly",
             4, 28, ("backup",), 5, 0.10),
    Category("archive-storage", "storage", ("Cold Archive", "Deep Archive"), "annual",
             18, 80, (), 1, 0.40),
    Category("cdn", "network", ("Edge Cache", "Media CDN"), "monthly",
             5, 35, ("security",), 12, 0.45),
    Category("vpn", "network", ("Team VPN", "Private Link"), "monthly",
             3, 14, ("static-addresses",), 7, 0.30),
    Category("static-addresses", "network", ("Static Address", "Address Block"), "annual",
             9, 36, ("vpn",), 4, 0.10),
    Category("domains", "network", ("Domain", "Managed DNS"), "annual",
             8, 30, ("content", "security"), 1, 0.35),
)  # fmt: skip

_WORK_WEEK = (1.2, 1.25, 1.25, 1.2, 1.0, 0.5, 0.45)
_EVERY_DAY = (1.0, 1.0, 1.0, 1.0, 1.05, 1.05, 0.9)
_WEEKEND = (0.75, 0.75, 0.8, 0.85, 1.0, 1.5, 1.45)

ARCHETYPES = (
    Archetype("hobbyist", 0.30, (
        {"application": 5, "network": 2, "storage": 2, "service": 1, "compute_slice": 1},
        {"application": 3, "network": 2, "storage": 2, "service": 1, "compute_slice": 4},
    ), 32, 0.60, _WEEKEND, 0.15),
    Archetype("developer", 0.28, (
        {"compute_slice": 4, "application": 4, "service": 2, "storage": 1, "network": 1},
        {"compute_slice": 3, "application": 2, "service": 5, "storage": 2, "network": 1},
    ), 85, 1.10, _EVERY_DAY, 0.30),
    Archetype("business", 0.20, (
        {"service": 6, "application": 4, "network": 2, "storage": 2, "compute_slice": 1},
        {"service": 5, "application": 3, "network": 2, "storage": 3, "compute_slice": 3},
    ), 260, 0.90, _WORK_WEEK, 0.35),
    Archetype("data scientist", 0.12, (
        {"compute_slice": 7, "storage": 4, "application": 2, "service": 1, "network": 0.5},
        {"compute_slice": 5, "storage": 4, "application": 3, "service": 4, "network": 0.5},
    ), 170, 0.85, _WORK_WEEK, 0.25),
    Archetype("operator", 0.10, (
        {"network": 6, "storage": 5, "compute_slice": 3, "service": 2, "application": 1},
        {"network": 4, "storage": 4, "compute_slice": 4, "service": 4, "application": 1},
    ), 130, 0.80, _EVERY_DAY, 0.60),
)  # fmt: skip
NAMED_ARCHETYPE = ARCHETYPES[1]

PLACES = (
    Place("Europe/Brussels", "BE", "nl"),
    Place("Europe/Berlin", "DE", "de"),
    Place("Europe/Paris", "FR", "fr"),
    Place("Europe/London", "GB", "en"),
    Place("Europe/Warsaw", "PL", "pl"),
    Place("Africa/Lagos", "NG", "en"),
    Place("Africa/Nairobi", "KE", "sw"),
    Place("Africa/Cairo", "EG", "ar"),
    Place("Asia/Kolkata", "IN", "en"),
    Place("Asia/Singapore", "SG", "en"),
    Place("Asia/Tokyo", "JP", "ja"),
    Place("Australia/Sydney", "AU", "en"),
    Place("America/New_York", "US", "en"),
    Place("America/Los_Angeles", "US", "en"),
    Place("America/Sao_Paulo", "BR", "pt"),
    Place("America/Toronto", "CA", "fr"),
)
NAMED_PLACE = Place("Europe/Stockholm", "SE", "en")

FIRST_NAMES = (
    "Ada", "Amara", "Anika", "Bram", "Carlos", "Chidi", "Dana", "Elif", "Emil", "Farah", "Grace", "Hana", "Hugo",
    "Ines", "Ivan", "Jonas", "Keiko", "Lena", "Luca", "Maya", "Mina", "Nadia", "Noor", "Omar", "Priya", "Rosa", "Samir",
    "Tomas", "Wei", "Zara",
)  # fmt: skip
LAST_NAMES = (
    "Adeyemi", "Bakker", "Costa", "Diallo", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Janssens", "Kamau",
    "Lopez", "Mensah", "Novak", "Okafor", "Peeters", "Quist", "Rossi", "Sato", "Tanaka", "Ueda", "Virtanen", "Weber",
    "Yilmaz", "Zhang",
)  # fmt: skip

USER_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1",
    "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
)

REGIONS = ("eu-west", "eu-north", "us-east", "us-west", "af-south", "ap-south", "ap-east")

POOLS = (
    ("pool-stable", "Stable Yield Pool", 4.0, 0.002),
    ("pool-compute", "Compute Growth Pool", 9.0, 0.015),
    ("pool-green", "Green Nodes Pool", 6.5, 0.008),
    ("pool-frontier", "Frontier Pool", 14.0, 0.035),
)
"""Pool id, name, yearly yield in per cent, weekly volatility."""

TICKETS = (
    "How do I move this to another region?",
    "Slow answers since this morning",
    "The invoice shows another amount",
    "Access is denied after the update",
    "Please raise the limits",
    "How do I restore a backup?",
)

REVIEWS = {
    1: ("Did not work for us.", "Down more than up."),
    2: ("Too slow for the price.", "Support took days to answer."),
    3: ("Does the job.", "Fine, with rough edges."),
    4: ("Good value.", "Solid, and quick support."),
    5: ("Set up in minutes and never looked back.", "The best of its kind here."),
}
"""What people write, by the whole part of the rating."""
