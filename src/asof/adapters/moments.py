"""Watermarks as moments and numbers: read from the text of a source, and written back in the same form."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

AHEAD: Final = timedelta(minutes=5)
"""Clocks differ: a watermark counts as in the future from here on,"""
AHEAD_UNZONED: Final = timedelta(hours=15)
"""or from here where it has no zone, since its clock may stand so far east of ours."""


def moment_of(value: Any) -> datetime | None:
    """A value as a moment (UTC where it has no zone), or none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def shaped(moment: datetime, like: str) -> str:
    """A moment written as ``like`` is, so that texts compare as moments do: separator, length and zone."""
    written = moment.isoformat(sep=" " if like[10:11] == " " else "T", timespec="microseconds")
    body = like.removesuffix("Z")
    zone = like[len(body) :]
    offset = max(body.rfind("+", 10), body.rfind("-", 10))
    if offset > 0:
        zone, body = body[offset:], body[:offset]
        tz = datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").tzinfo
        written = moment.astimezone(tz).isoformat(sep=written[10], timespec="microseconds")
    return written[: min(max(len(body), 10), 26)] + zone


def number_of(value: Any) -> Any:
    """A value as a number, exact where it is a text; none where it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def is_zoned(value: str) -> bool:
    """Whether a written moment says its zone."""
    return value.endswith("Z") or "+" in value[10:] or "-" in value[10:]


def limit_of(value: str, now: datetime) -> datetime:
    """The moment from which on a watermark written like ``value`` lies in the future."""
    return now + (AHEAD if is_zoned(value) else AHEAD_UNZONED)


def later(one: str | None, other: str | None) -> str | None:
    """The later of two watermarks: numbers as numbers, moments as moments, texts as texts."""
    if one is None or other is None:
        return one if other is None else other
    for read in (number_of, moment_of):
        first, second = read(one), read(other)
        if first is not None and second is not None:
            return one if first >= second else other
    return max(one, other)
