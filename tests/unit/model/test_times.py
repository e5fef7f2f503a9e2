"""What a time from a person is, and that no other kind of time reaches a database."""

from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import given
from sqlalchemy.dialects import postgresql, sqlite

from modelsync.database.rows import postgres_values, sqlite_values
from modelsync.database.schema import UtcTime, time_text
from modelsync.model import times
from modelsync.model.fields import typed
from modelsync.model.overrides import pin_of

NAIVE = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - what must not come through
OUTSIDE = (
    "0001-01-01",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00+01:00",
    "3000-01-01",
    "9999-12-31T23:59-14:00",
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        (" 2026-11-22T10:00 ", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:30.5Z", datetime(2026, 11, 22, 10, 0, 30, 500_000, tzinfo=UTC)),
        ("2026-11-22T10:00+05:30", datetime(2026, 11, 22, 4, 30, tzinfo=UTC)),
        ("1970-01-01", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2999-12-31T23:59:59.999999", datetime(2999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_utc(text: str, meant: datetime):
    found = times.moment(text)
    assert (found, found.tzinfo) == (meant, UTC)
    assert pin_of("expires_at", text).value == meant


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_time_outside_the_years_is_refused(text: str):
    for read in (times.moment, lambda text: pin_of("released_at", text)):
        with pytest.raises(ValueError, match=r"^it is outside the years 1970 to 2999$"):
            read(text)


@pytest.mark.parametrize(
    "value", ["", "soon", "2026-13-01", "2026-02-30", "22.11.2026", 2026, 1_790_000_000, True, ["2026-11-22"], "٢٠٢٦-١١-٢٢"]
)
def test_what_is_no_time_is_refused(value: object):
    with pytest.raises(ValueError, match=r"^it is not a time such as 2026-11-22, 2026-11-22T10:00 or 2026-11-22T10:00\+02:00$"):
        pin_of("released_at", value)


def test_no_time_is_a_value_too():
    assert pin_of("released_at", None).value is None


@pytest.mark.parametrize("stored", ["2026-11-22T10:00:00", "2026-11-22T10:00:00Z", "2026-11-22T12:00:00+02:00"])
def test_a_stored_pin_without_a_zone_is_utc(stored: str):
    found = typed("expires_at", stored)
    assert (found, found.tzinfo) == (datetime(2026, 11, 22, 10, tzinfo=UTC), UTC)


def test_a_stored_pin_of_a_far_year_can_still_be_read():
    assert typed("expires_at", "9999-12-31T00:00:00Z") == datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_no_database_is_given_a_time_without_a_zone(dialect: sa.Dialect):
    with pytest.raises(ValueError, match="a time without a zone"):
        UtcTime().process_bind_param(NAIVE, dialect)
    with pytest.raises(ValueError, match="a time without a zone"):
        list((postgres_values if dialect.name == "postgresql" else sqlite_values)([("m", NAIVE)]))
    assert UtcTime().process_bind_param(None, dialect) is None


# ISO 8601 has offsets in minutes; Python writes one of a microsecond, and takes it for none when it reads it.
@given(value=st.datetimes(timezones=st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_any_text_of_a_time_is_read_right_or_refused(value: datetime):
    try:
        found = times.moment(value.isoformat())
    except ValueError:
        assert not datetime(1970, 1, 2, tzinfo=UTC) <= value <= datetime(2999, 12, 31, tzinfo=UTC)
    else:
        assert found == value
        assert datetime.fromisoformat(time_text(found)) == value
