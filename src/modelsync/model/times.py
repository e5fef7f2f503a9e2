"""What a time from a person is: aware, in UTC, within the years that every database and reader has. Pure, for every face."""

import re
from datetime import UTC, datetime, timedelta

FIRST_YEAR, LAST_YEAR = 1970, 2999
EXAMPLES = "2026-11-22, 2026-11-22T10:00 or 2026-11-22T10:00+02:00"
"""How a time is written; without a zone it is UTC."""


def moment(text: str) -> datetime:
    """A time as people write it, in UTC; without a zone it is UTC. ValueError when it is none, or outside the years."""
    return within(in_utc(text))


AGO = re.compile(r"([0-9]{1,5})(min|h|d|w)")
_SECONDS = {"min": 60, "h": 3600, "d": 86400, "w": 604800}


def span(text: str) -> timedelta:
    """A span of time as people write it: 90min, 24h, 7d, 2w. ValueError when it is none."""
    written = AGO.fullmatch(text.strip())
    if written is None:
        raise ValueError("it is not a span of time such as 24h, 30d or 2w")
    return timedelta(seconds=int(written[1]) * _SECONDS[written[2]])


def in_utc(value: object) -> datetime:
    """A time, or its ISO 8601 text, in UTC, of any year. ValueError when it is none, or when UTC has no such time."""
    time = value if isinstance(value, datetime) else _read(value)
    if time is None:
        raise ValueError(f"it is not a time such as {EXAMPLES}")
    try:
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise _outside() from None


def _read(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value.strip()) if isinstance(value, str) and value.isascii() else None
    except ValueError:
        return None


def within(value: datetime) -> datetime:
    """The same. ValueError when it is outside the years."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise _outside()
    return value


def _outside() -> ValueError:
    return ValueError(f"it is outside the years {FIRST_YEAR} to {LAST_YEAR}")


def aware(value: datetime) -> datetime:
    """The same. ValueError for one without a zone: each database would read another time in it."""
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone: {value.isoformat()}")
    return value
