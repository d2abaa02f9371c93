"""The values that events are made of: each is parsed once, at the edge, and is right from then on.

All of them are strict: a string is not taken for a number, nor a number for a time. The one leniency is the
contract's: money may come as a JSON number where that number is exact.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FiniteFloat,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)
_PLAIN_DECIMAL = r"[0-9]{1,16}(\.[0-9]{1,18})?"  # the 34 digits of a BSON Decimal128
_MONEY = re.compile(f"-?{_PLAIN_DECIMAL}")
_EXACT_FLOAT_DIGITS = 15  # any decimal of up to 15 significant digits survives a round trip through a double
_NUMBERS = (str, int, float, Decimal)
_MAX_COUNT = 2**31 - 1


def normalise_email(value: str) -> str:
    """The one form in which an email is compared, stored and used as a key: trimmed, in lower case.

    Raises ValueError if it is not `something@something` of at most 254 characters without blanks.
    """
    email = value.strip().lower()
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise ValueError("should be an email address such as ada@example.org, at most 254 characters")
    return email


def utc_time(value: object) -> datetime:
    """The time, in UTC, that an RFC 3339 text with an offset or an aware datetime says.

    Raises ValueError for anything else, also for a time outside of the years 1 to 9999.
    """
    try:
        if isinstance(value, str) and _RFC3339.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        if isinstance(value, datetime) and value.utcoffset() is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # no such day, hour or offset
    raise ValueError("should be an RFC 3339 time with an offset, such as 2026-01-31T09:30:00Z")


def _money(value: object) -> Decimal:
    text = str(value) if isinstance(value, _NUMBERS) and not isinstance(value, bool) else ""
    if not _DECIMAL.fullmatch(text):
        raise ValueError('should be a decimal in a string, such as "12.50"')
    amount = Decimal(text)
    if isinstance(value, float) and len(amount.normalize().as_tuple().digits) > _EXACT_FLOAT_DIGITS:
        raise ValueError('should be a decimal in a string, such as "12.50": this number is not exact')
    if not _MONEY.fullmatch(_plain(amount)):
        raise ValueError("should have at most 16 digits before the point and 18 after it")
    return amount


def _price(value: object) -> Decimal:
    amount = _money(value)
    if amount < 0:
        raise ValueError("should be 0 or more")
    return amount


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"


def _traceparent(value: object) -> object:
    """A trace context that is malformed is dropped, as W3C Trace Context section 3.2 asks, and never an error."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def _tracestate(value: object) -> object:
    return value if isinstance(value, str) and _TRACESTATE.fullmatch(value) else None


Email = Annotated[str, AfterValidator(normalise_email), Field(json_schema_extra={"format": "email"})]
UtcTime = Annotated[datetime, BeforeValidator(utc_time)]
Traceparent = Annotated[str | None, BeforeValidator(_traceparent)]
Tracestate = Annotated[str | None, BeforeValidator(_tracestate)]

Id = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Label = Annotated[str, StringConstraints(max_length=256)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Url = Annotated[str, StringConstraints(max_length=2_048)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{2,9}$")]

# What publishers should send; an exponent in the string is read too, because some decimal libraries write it.
_MONEY_SCHEMA = {"anyOf": [{"type": "string", "pattern": f"^-?{_PLAIN_DECIMAL}$"}, {"type": "number"}]}
_PRICE_SCHEMA = {"anyOf": [{"type": "string", "pattern": f"^{_PLAIN_DECIMAL}$"}, {"type": "number", "minimum": 0}]}
_AsText = PlainSerializer(_plain, return_type=str, when_used="json")
Money = Annotated[Decimal, PlainValidator(_money), _AsText, WithJsonSchema(_MONEY_SCHEMA, mode="validation")]
Price = Annotated[Decimal, PlainValidator(_price), _AsText, WithJsonSchema(_PRICE_SCHEMA, mode="validation")]
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
