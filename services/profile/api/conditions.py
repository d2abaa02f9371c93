"""Conditional requests (RFC 9110, section 13): the ETag of a version, and what a client says that it knows."""

from shared.plumbing.problems import ProblemError

_CHANGED = ProblemError(
    412, "changed-meanwhile", "This was changed since you read it; read it again and repeat your change on that."
)


def etag(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


def check_unchanged(if_match: str | None, version: int) -> None:
    """Raises the 412 problem if `If-Match` is there and names neither this version nor any (`*`)."""
    if if_match is not None and not _names(if_match, etag(version)):
        raise _CHANGED


def is_known(if_none_match: str | None, version: int) -> bool:
    """Whether `If-None-Match` names this version, by a weak tag too, or any (`*`)."""
    return if_none_match is not None and _names(if_none_match.replace("W/", ""), etag(version))


def _names(header: str, tag: str) -> bool:
    names = [name.strip() for name in header.split(",")]
    return tag in names or names == ["*"]
