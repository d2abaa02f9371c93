"""What is written into a page is escaped, whoever wrote it."""

import re
from pathlib import Path

from services.gateway.pages import templating
from services.gateway.pages.templating import environment

_TEMPLATES = Path(templating.__file__).parent / "templates"


def test_only_fixed_texts_are_translated_as_markup() -> None:
    """`_` takes what it translates for markup and for a format: a text that comes from elsewhere is neither."""
    known = "{{ _(x) }}"
    assert environment("en").from_string(known).render(x="<b>") == "<b>"
    for template in _TEMPLATES.glob("*.html"):
        calls = re.findall(r"\b(?:_|ngettext)\(\s*([^\"'\s][^)]*)", template.read_text())
        assert calls == [], f"{template.name}: use show.gettext for what is no text of the template"


def test_a_text_of_somebody_is_a_text() -> None:
    made = environment("en").from_string("{{ x }} {{ _('Hello %(name)s', name=x) }}").render(x="<b>")
    assert made == "&lt;b&gt; Hello &lt;b&gt;"


def test_nothing_is_marked_as_safe_in_a_template() -> None:
    for template in _TEMPLATES.glob("*.html"):
        assert not re.search(r"\|\s*safe\b|autoescape", template.read_text()), template.name
