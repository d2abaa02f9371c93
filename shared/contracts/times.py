"""Times as whole microseconds since 1970 in UTC: a BSON date would cut them to milliseconds, and lose their order."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Whole microseconds since 1970 in UTC, exactly."""
    return (time - _EPOCH) // _MICROSECOND


def as_time(at: int) -> datetime:
    """The time in UTC of `microseconds`."""
    return _EPOCH + timedelta(microseconds=at)


def rfc3339(at: int) -> str:
    """The text of `microseconds`, in UTC with a Z."""
    return as_time(at).isoformat().replace("+00:00", "Z")
