"""The values that events are made of: each is parsed once, at the edge, and is right from then on.

All of them are strict: a string is not taken for a number, nor a number for a time. The one leniency is the
contract's: money may come as a JSON number where that number is exact.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, FiniteFloat, StringConstraints

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_EXACT_FLOAT_DIGITS = 15  # any decimal of up to 15 significant digits survives a round trip through a double
_MAX_COUNT = 2**31 - 1


def normalise_email(value: str) -> str:
    """The one form in which an email is compared, stored and used as a key: trimmed, in lower case.

    Raises ValueError if it is not `something@something` of at most 254 characters without blanks.
    """
    email = value.strip().lower()
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise ValueError("should be an email address such as ada@example.org, at most 254 characters")
    return email


def _rfc3339(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC3339.fullmatch(value)):
        return value
    raise ValueError("should be an RFC 3339 time with an offset, such as 2026-01-31T09:30:00Z")


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("should be a time between the years 1 and 9999 in UTC") from None


def _exact(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError('should be a decimal in a string, such as "12.50"')
    if isinstance(value, float) and len(Decimal(repr(value)).as_tuple().digits) > _EXACT_FLOAT_DIGITS:
        raise ValueError('should be a decimal in a string, such as "12.50": this number is not exact')
    return value


def _traceparent(value: object) -> object:
    """A trace context that is malformed is dropped, as W3C Trace Context section 3.2 asks, and never an error."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


Email = Annotated[str, AfterValidator(normalise_email)]
UtcTime = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc3339), AfterValidator(_to_utc)]
Traceparent = Annotated[str | None, BeforeValidator(_traceparent)]

Id = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Label = Annotated[str, StringConstraints(max_length=256)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Url = Annotated[str, StringConstraints(max_length=2_048)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{2,9}$")]

Money = Annotated[Decimal, Field(strict=False, max_digits=34, decimal_places=18), BeforeValidator(_exact)]
Price = Annotated[Money, Field(ge=0)]
Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
Quantity = Annotated[int, Field(ge=1, le=_MAX_COUNT)]
Sequence = Annotated[int, Field(ge=0, le=2**53)]
Measure = Annotated[FiniteFloat, Field(ge=0)]
Percent = Annotated[FiniteFloat, Field(ge=0, le=100)]
Rating = Annotated[FiniteFloat, Field(ge=1, le=5, multiple_of=0.5)]

ProductType = Literal["service", "application", "compute_slice", "storage", "network"]
PurchaseStatus = Literal["pending", "active", "completed", "cancelled", "refunded", "expired", "suspended"]
DeploymentStatus = Literal["deploying", "running", "stopped", "error", "maintenance", "scaling"]
BillingCycle = Literal["one_time", "hourly", "monthly", "annual"]
Section = Literal[
    "activity", "purchases", "deployments", "wallet", "profile", "preferences", "analytics", "recommendations"
]
ReportedActivity = Literal["marketplace_browse", "product_view", "cart_add", "cart_remove"]
