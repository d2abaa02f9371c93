"""The texts of services that pages translate are texts that services have."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from services.gateway.pages import words

ROOT = Path(words.__file__).parents[3]
LEAST = 6  # characters besides what is filled in: fewer fit any text


def texts() -> Iterator[str]:
    """Every text in the code of the services, as a regular expression: what is filled in may be anything."""
    for file in (file for place in ("services", "shared") for file in (ROOT / place).rglob("*.py")):
        if file != Path(words.__file__):
            for node in ast.walk(ast.parse(file.read_bytes())):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                said = [part.value if isinstance(part, ast.Constant) else None for part in parts]
                if sum(len(each) for each in said if isinstance(each, str)) >= LEAST:
                    yield "".join(re.escape(each) if isinstance(each, str) else ".+" for each in said)


def test_every_text_of_a_service_is_one_that_it_says() -> None:
    known = [re.compile(text, re.DOTALL) for text in {*texts()}]
    assert [text for text in words.SAID_BY_SERVICES if not any(each.fullmatch(text) for each in known)] == []
