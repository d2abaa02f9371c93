"""Draws docs/pictures/flow.svg from the code: the topics, the services that are there, and what the timeline says.

.venv/bin/python docs/pictures/make.py
"""

import importlib
import textwrap
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

import orjson

from services.activity.domain.activity import USED_PAYLOADS, Activity, activity_of
from shared.contracts.envelope import Event
from shared.contracts.reading import Reader
from shared.contracts.samples import EXAMPLES
from shared.contracts.topics import EVENT_TOPICS, SERVICES, TOPICS_OF

PICTURE = Path(__file__).parent / "flow.svg"

WIDTH, TOP, GAP = 1160, 84, 14
TOLD = (  # the examples of the contract that the timeline shows, newest first
    "deployment.created.v1",
    "purchase.created.v1",
    "cart.item_added.v1",
    "product.viewed.v1",
    "marketplace.browsed.v1",
    "user.logged_in.v1",
)
STYLE = """
svg { color-scheme: light dark; --canvas: #fbfbf9; --card: #ffffff; --line: #dcdcd5; --ink: #1d2321; --soft: #66706c;
  --accent: #0f766e; --tint: #e3f1ee; --amber: #b45309; --blue: #2563a8 }
@media (prefers-color-scheme: dark) {
  svg { --canvas: #14181a; --card: #1c2224; --line: #343c3e; --ink: #e8ecea; --soft: #9aa5a1;
    --accent: #4fc3b5; --tint: #17312f; --amber: #e0a458; --blue: #7fb2ea } }
text { font: 14px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink) }
.head { font-size: 12px; font-weight: 600; fill: var(--soft); letter-spacing: .04em }
.name { font-weight: 600 }
.soft { font-size: 12px; fill: var(--soft) }
.mono { font: 12.5px ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace }
.canvas { fill: var(--canvas); stroke: var(--line) }
.card { fill: var(--card); stroke: var(--line) }
.lane { fill: var(--tint) }
.dot { fill: var(--accent) }
.way { fill: none; stroke: var(--accent); stroke-width: 1.5; marker-end: url(#tip) }
.back { stroke-dasharray: 4 4 }
.rail { stroke: var(--line); stroke-width: 1.5 }
.edge { stroke: var(--card); stroke-width: 3 }
.low { fill: var(--soft) } .medium { fill: var(--blue) } .high { fill: var(--accent) }
"""


def rect(x: float, y: float, width: float, height: float, kind: str, radius: int = 10) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}"/>'


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def way(*points: tuple[float, float], back: bool = False) -> str:
    """An arrow along `points`."""
    path = f"M{points[0][0]:g} {points[0][1]:g} " + " ".join(f"L{x:g} {y:g}" for x, y in points[1:])
    return f'<path class="way{" back" if back else ""}" d="{path}"/>'


def publishers(height: float) -> Iterator[str]:
    """Who writes the topics and is not ours."""
    names = ("Identity provider", "Marketplace", "Wallet")
    each = (height - GAP * (len(names) - 1)) / len(names)
    yield text(24, TOP - 16, "PUBLISHERS", "head")
    for row, name in enumerate(names):
        y = TOP + row * (each + GAP)
        yield rect(24, y, 156, each, "card")
        yield text(102, y + each / 2 + 5, name, "name", "middle")
        yield way((180, y + each / 2), (228, y + each / 2))


def topics(height: float) -> Iterator[str]:
    """What the services read, a few records in each lane."""
    read = [topic for topic in EVENT_TOPICS if set(topic.consumers) & set(SERVICES)]
    each = (height - 24 - GAP / 2 * (len(read) - 1)) / len(read)
    yield text(232, TOP - 16, "KAFKA", "head")
    yield text(460, TOP - 16, "CloudEvents", "soft", "end")
    yield rect(232, TOP, 228, height, "card")
    for row, topic in enumerate(read):
        y = TOP + 12 + row * (each + GAP / 2)
        yield rect(244, y, 204, each, "lane", 6)
        yield text(256, y + each / 2 + 4.5, topic.name, "mono")
        for record in range(3 - row % 2):
            yield f'<circle class="dot" cx="{434 - record * 11:g}" cy="{y + each / 2:g}" r="3"/>'


def purpose(service: str) -> str:
    """What a service is for, as its package says after the colon."""
    described = importlib.import_module(f"services.{service}").__doc__ or ""
    return described.partition(": ")[2].partition(".")[0]


def cards(height: float) -> Iterator[str]:
    """A card for each service, with its database."""
    each = (height - GAP * (len(SERVICES) - 1)) / len(SERVICES)
    yield text(520, TOP - 16, "SERVICES", "head")
    yield text(704, TOP - 16, "a database each", "soft", "end")
    for row, name in enumerate(SERVICES):
        y = TOP + row * (each + GAP)
        middle = y + each / 2
        lines = textwrap.wrap(purpose(name), 24)
        first = middle - 8 * len(lines) + 2
        yield rect(520, y, 184, each, "card")
        yield text(534, first, name, "name")
        yield from (text(534, first + 18 + 16 * number, line, "soft") for number, line in enumerate(lines))
        yield f'<g class="dot" opacity=".85">{_drum(676, first - 5)}</g>'
        yield way((464, middle), (516, middle)) if reads_events(name) else way((516, middle), (464, middle))
        yield way((704, middle), (760, middle))


def reads_events(service: str) -> bool:
    """Whether a service consumes topics; one that does not only publishes."""
    return any(service in topic.consumers for topic in EVENT_TOPICS)


def _drum(x: float, y: float) -> str:
    return (
        f'<path d="M{x - 9:g} {y - 7:g}a9 3.5 0 0 1 18 0v14a9 3.5 0 0 1 -18 0z"/>'
        f'<path d="M{x - 9:g} {y - 7:g}a9 3.5 0 0 0 18 0" fill="none" stroke="var(--card)"/>'
    )


def told() -> Iterable[Activity]:
    """What the activity service makes of the contract's examples."""
    reader = Reader(USED_PAYLOADS)
    for event_type in TOLD:
        value = (EXAMPLES / f"{event_type}.json").read_bytes()
        key = orjson.loads(value)["subject"].encode()
        event = reader.read(TOPICS_OF[event_type][0], key, value, ())
        assert isinstance(event, Event)  # noqa: S101  (it is a good example)
        activity = activity_of(event)
        assert activity is not None  # noqa: S101  (TOLD names only such)
        yield activity


def timeline(height: float) -> Iterator[str]:
    """The gateway, and through it the timeline of the user in the examples."""
    left, right = 764, WIDTH - 24
    shown = list(told())
    each = (height - 88) / len(shown)
    yield text(left, TOP - 16, "GATEWAY", "head")
    yield text(right, TOP - 16, "GET /api/v1/activities", "mono", "end")
    yield rect(left, TOP, right - left, height, "card")
    yield text(left + 18, TOP + 30, "Your timeline", "name")
    yield text(right - 18, TOP + 30, f"{shown[0].time:%-d %B %Y}, UTC", "soft", "end")
    first, last = TOP + 46 + each / 2, TOP + 46 + (len(shown) - 0.5) * each
    yield f'<line class="rail" x1="{left + 74}" y1="{first:g}" x2="{left + 74}" y2="{last:g}"/>'
    for row, activity in enumerate(shown):
        y = first + row * each
        lines = textwrap.wrap(activity.description, 35)
        yield text(left + 18, y + 4, f"{activity.time:%H:%M}", "soft")
        yield f'<circle class="{activity.impact} edge" cx="{left + 74}" cy="{y:g}" r="5"/>'
        yield from (text(left + 94, y + 5 + 17 * (n - (len(lines) - 1) / 2), line) for n, line in enumerate(lines))
    yield text(left + 18, TOP + height - 16, "Impact", "soft")
    for x, impact in ((left + 74, "high"), (left + 134, "medium"), (left + 214, "low")):
        yield f'<circle class="{impact}" cx="{x}" cy="{TOP + height - 20:g}" r="4"/>'
        yield text(x + 10, TOP + height - 16, impact, "soft")


def picture() -> str:
    """The whole SVG."""
    height = 348.0
    bottom = TOP + height
    back = [
        way((950, bottom), (950, bottom + 34), (346, bottom + 34), (346, bottom + 6), back=True),
        text(648, bottom + 54, "what a page reports goes the same way: POST /api/v1/activities", "soft", "middle"),
    ]
    parts = [*publishers(height), *topics(height), *cards(height), *timeline(height), *back]
    whole = bottom + 76
    title = "Publishers put CloudEvents on Kafka; the services store what they tell; the gateway shows your timeline."
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole:g}" role="img" aria-labelledby="t">',
            f'<title id="t">{title}</title>',
            f"<style>{STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"',
            ' orient="auto"><path d="M0 0L8 4L0 8z" fill="var(--accent)"/></marker></defs>',
            rect(0.5, 0.5, WIDTH - 1, whole - 1, "canvas", 14),
            text(24, 36, "Everything a marketplace user did, as one timeline made from events", "name"),
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
