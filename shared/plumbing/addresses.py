"""Whose emails a record names, wherever they stand in it: it may be one that no reader understands."""

import re

from aiokafka.structs import ConsumerRecord

from shared.contracts.types import normalise_email

_BETWEEN = re.compile(r"""[\s"<>(),;:=&?/\\|\[\]{}\x00-\x1f\x7f]+""")
_QUOTED = re.compile(r'"([^"@\s]{1,254}@[^"@\s]{1,254})"')
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
_READ = 2 * 1024 * 1024  # characters; an event may have half as many bytes


def addresses_in(record: ConsumerRecord[bytes, bytes]) -> set[str]:
    """Every email, normalised, in the record's key, value and headers; what only looks like one may be among them."""
    raw = [record.key, record.value, *(value for _, value in record.headers)]
    return {email for each in raw if each for email in _in(each[:_READ].decode(errors="replace").lower())}


def _in(text: str) -> set[str]:
    if r"\u" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text).lower()
    found = [text, *_BETWEEN.split(text), *_QUOTED.findall(text)] if "@" in text else []
    return {email for word in found for each in (word, word.strip(".'`*")) if (email := _email(each))}


def _email(text: str) -> str | None:
    try:
        return normalise_email(text) if "@" in text and len(text) < 300 else None
    except ValueError:
        return None
