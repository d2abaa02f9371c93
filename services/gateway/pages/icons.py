"""Icons from Lucide as inline SVG: decoration, unless a label says what they mean."""

from functools import cache

from lucide.jinja import lucide
from markupsafe import Markup


@cache
def icon(name: str, label: str = "") -> Markup:
    """The icon `name`; hidden from who cannot see it, unless it has a `label`."""
    drawn = str(lucide(name))
    inner = " ".join(drawn[drawn.index(">") + 1 : drawn.rindex("</svg>")].split()).replace(" />", "/>")
    told = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
    return Markup('<svg class="icon" viewBox="0 0 24 24"{}>{}</svg>').format(told, Markup(inner))  # noqa: S704
