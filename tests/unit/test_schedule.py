"""When a provider is due: intervals, cron through changes of the clock, failures, jumps. Every expected time is worked out by hand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.planning.estimate import Estimate
from modelsync.planning.schedule import (
    JITTER,
    Adaptive,
    Attempts,
    Cron,
    Every,
    Off,
    Paced,
    following,
    interval_text,
    next_due,
    paced,
    parsed,
    written,
)

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


def times(schedule: Every | Cron, after: str, count: int) -> list[datetime]:
    found = [utc(after)]
    for _ in range(count):
        found.append(following(schedule, "groq", found[-1]))
    return found[1:]


# What a person writes


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("6h", Every(6 * 3600)),
        ("30min", Every(1800)),
        ("7d", Every(7 * 86400)),
        ("24h", Every(86400)),
        ("adaptive", Adaptive()),
        ("off", Off()),
        ("0 6 * * 1-5 Europe/Berlin", Cron("0 6 * * 1-5", "Europe/Berlin")),
        ("*/10 * 1 JAN sun UTC", Cron("*/10 * 1 JAN sun", "UTC")),
    ],
)
def test_what_is_written_is_read_and_written_again(text: str, schedule: object) -> None:
    assert parsed(text) == schedule
    assert written(parsed(text)) == text


def test_a_cron_expression_without_a_zone_is_utc_and_a_day_is_24_hours() -> None:
    assert parsed(" 0  6 * * * ") == Cron("0 6 * * *", "UTC")
    assert (written(parsed("1d")), written(parsed("48h")), written(parsed("120min"))) == ("24h", "2d", "2h")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither"),
        ("6", "neither"),
        ("6 h", "neither"),
        ("soon", "neither"),
        ("-6h", "neither"),
        ("٦h", "neither"),
        ("0min", "from 1min to 7d"),
        ("8d", "from 1min to 7d"),
        ("0 6 * *", "neither"),
        ("0 0 6 * * * UTC", "neither"),
        ("61 * * * *", "bad minute"),
        ("0 6 * * * Mars/Olympus", "no time zone"),
        ("0 6 * * * ../../etc/passwd", "no time zone"),
        ("0 6 * * * .", "no time zone"),
        ("0 0 31 2 *", "bad day-of-month"),
    ],
)
def test_what_says_no_schedule_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parsed(text)


# Intervals


@settings(deadline=None)
@given(st.sampled_from([60, 1800, 3600, 6 * 3600, 86400, 7 * 86400]), st.text(max_size=5), st.integers(0, 4_000_000_000))
def test_an_interval_has_one_time_in_each_window_in_its_first_tenth(seconds: int, slug: str, start: int) -> None:
    after = datetime.fromtimestamp(start, UTC)
    found = [following(Every(seconds), slug, after)]
    while len(found) < 20:
        found.append(following(Every(seconds), slug, found[-1]))
    assert found[0] > after
    windows = [int(time.timestamp()) // seconds for time in found]
    assert windows == list(range(windows[0], windows[0] + 20))
    assert all(time.timestamp() % seconds <= seconds * JITTER for time in found)
    assert (found[0] - after).total_seconds() <= seconds * (1 + JITTER)


def test_providers_with_the_same_interval_are_not_all_due_at_the_same_moment() -> None:
    assert len({following(Every(86400), slug, NOON) for slug in ("groq", "xai", "chutes", "near", "nebius")}) == 5


# Cron, and the clock of a place


def test_a_time_that_comes_twice_runs_once_and_one_that_does_not_come_runs_right_after() -> None:
    # Berlin: on 2026-10-25 at 03:00 summer time (01:00 UTC) it is 02:00 again; on 2026-03-29 at 02:00 (01:00 UTC) it is 03:00.
    nightly = Cron("30 2 * * *", "Europe/Berlin")
    assert times(nightly, "2026-10-24T12:00", 2) == [utc("2026-10-25T00:30"), utc("2026-10-26T01:30")]
    assert times(nightly, "2026-03-28T12:00", 2) == [utc("2026-03-29T01:00"), utc("2026-03-30T00:30")]
    assert following(nightly, "groq", utc("2026-10-25T01:10")) == utc("2026-10-26T01:30")  # from within the second 02:10


def test_what_runs_each_hour_runs_in_each_hour_that_passes() -> None:
    # New York: on 2026-11-01 at 02:00 summer time (06:00 UTC) it is 01:00 again, so this day has 25 hours.
    hourly = Cron("15 * * * *", "America/New_York")
    assert times(hourly, "2026-11-01T04:00", 25) == [utc("2026-11-01T04:15") + HOUR * number for number in range(25)]


def test_zones_without_whole_hours_and_leap_days() -> None:
    assert following(Cron("0 6 * * *", "Asia/Kathmandu"), "groq", NOON) == utc("2026-11-23T00:15")  # UTC+5:45
    assert following(Cron("0 0 29 2 *"), "groq", NOON) == utc("2028-02-29T00:00")


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia")
BEGINNINGS = tuple(map(utc, ("2026-10-24T20:00", "2026-03-28T20:00", "2026-10-31T22:00", "2026-04-04T09:00", "2028-02-28T22:00")))
"""Before changes of the clock in Berlin, New York and Australia, and before a leap day."""

EXPRESSIONS = ("30 2 * * *", "15 * * * *", "*/20 1-3 * * *", "0 0,12 * * 0", "45 1 25 10 *", "0 3 29 3 *", "5 2 1 11 *")


@settings(deadline=None)
@given(
    st.one_of(st.builds(Cron, st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES)), st.sampled_from([Every(3600), Every(86400)])),
    st.sampled_from(BEGINNINGS),
    st.lists(st.integers(1, 300), min_size=1, max_size=60),
)
def test_each_time_is_served_once_however_rarely_somebody_looks(schedule: Every | Cron, start: datetime, minutes: list[int]) -> None:
    """Whoever looks now and then syncs at the first look after a time, and once for several times that were missed."""
    looks = [start]
    for each in minutes:
        looks.append(looks[-1] + timedelta(minutes=each))
    all_times = [following(schedule, "groq", start)]
    while all_times[-1] <= looks[-1]:
        all_times.append(following(schedule, "groq", all_times[-1]))
    wanted = [look for before, look in pairwise(looks) if any(before < time <= look for time in all_times)]
    last, made = start, []
    for look in looks[1:]:
        if next_due(schedule, "groq", Attempts(began_at=last, served_at=last), look).by(look):
            last = look
            made.append(look)
    assert made == wanted


# Failures


def test_failures_are_tried_again_after_a_time_that_doubles_and_a_success_ends_that() -> None:
    minutes = []
    for failures in range(1, 9):
        due = next_due(Every(86400), "groq", Attempts(began_at=NOON, served_at=NOON, failures=failures), NOON)
        assert due.at is not None
        minutes.append((due.at - NOON) / timedelta(minutes=1))
    for found, least in zip(minutes, (10, 20, 40, 80, 160, 320, 360, 360), strict=True):
        assert least <= found <= least * 1.1
    after = next_due(Every(86400), "groq", Attempts(began_at=NOON, served_at=NOON), NOON)
    assert after.at == following(Every(86400), "groq", NOON)
    assert after.why == "every 24h"
    assert next_due(Every(60), "groq", Attempts(served_at=NOON, failures=100_000), NOON).why.endswith("tried again after 6h")


def test_a_sync_whose_process_died_is_made_up_for_at_once_and_one_that_kills_its_process_each_time_is_not() -> None:
    earlier = NOON - timedelta(days=2)
    for deaths in (1, 2, 3):
        assert next_due(Every(86400), "groq", Attempts(began_at=NOON, served_at=earlier, unended=deaths), NOON).by(NOON)
    again = next_due(Every(86400), "groq", Attempts(began_at=NOON, served_at=earlier, unended=4), NOON)
    assert again.at is not None
    assert timedelta(minutes=10) <= again.at - NOON <= timedelta(minutes=11)
    assert again.why == "its process died 4 times: tried again after 10min"
    beside = next_due(Every(7 * 86400), "groq", Attempts(began_at=NOON, served_at=NOON - HOUR, unended=9), NOON)
    assert beside.at == following(Every(7 * 86400), "groq", NOON - HOUR), "deaths make nothing due earlier"
    asked_for_by_hand = next_due(Every(86400), "groq", Attempts(began_at=NOON, served_at=NOON - HOUR, unended=1), NOON)
    assert not asked_for_by_hand.by(NOON), "it was not due, and is not because somebody's sync of it died"


def test_what_was_never_synced_is_due_and_what_is_off_never() -> None:
    assert next_due(Every(86400), "groq", Attempts(), NOON).by(NOON)
    assert next_due(Off(), "groq", Attempts(), NOON).at is None


def test_a_provider_that_asks_to_wait_is_not_asked_earlier() -> None:
    asked = Attempts(began_at=NOON, served_at=NOON, failures=1, not_before=NOON + 3 * HOUR)
    due = next_due(Every(3600), "groq", asked, NOON)
    assert due.at == NOON + 3 * HOUR
    assert due.why == "the provider asked to wait until then"
    sooner = next_due(Every(3600), "groq", Attempts(served_at=NOON, failures=1, not_before=NOON + timedelta(minutes=1)), NOON)
    assert sooner.at is not None
    assert sooner.at >= NOON + timedelta(minutes=10), "that it may be asked again is no reason to do so"
    mad = next_due(Every(3600), "groq", Attempts(served_at=NOON, failures=1, not_before=NOON + timedelta(days=400)), NOON)
    assert mad.at is not None
    assert mad.at < NOON + HOUR


# Clocks that jump


def test_a_time_that_a_fast_clock_has_served_is_not_served_again() -> None:
    hourly, now = Cron("0 * * * *"), utc("2026-11-22T12:10")
    fast = Attempts(began_at=utc("2026-11-22T13:05"), served_at=utc("2026-11-22T13:05"))  # by a clock an hour ahead: it served 13:00
    assert next_due(hourly, "groq", fast, now).at == utc("2026-11-22T14:00")


def test_an_attempt_in_the_far_future_keeps_nobody_out() -> None:
    future = Attempts(began_at=NOON + timedelta(days=365), served_at=NOON + timedelta(days=365))
    assert next_due(Cron("0 * * * *"), "groq", future, NOON).by(NOON)
    assert next_due(Every(86400), "groq", future, NOON).by(NOON)


@settings(deadline=None)
@given(
    st.sampled_from([Every(3600), Every(6 * 3600), Cron("0 */2 * * *", "Europe/Berlin")]),
    st.lists(st.tuples(st.integers(-3 * 86400, 3 * 86400), st.integers(1, 48)), min_size=1, max_size=5),
)
def test_clocks_that_jump_cost_at_most_one_sync_each_and_never_silence_a_provider(
    schedule: Every | Cron, jumps: list[tuple[int, int]]
) -> None:
    """`jumps`: seconds by which the clock is wrong, and for how many hours; then it is right for a day."""
    longest = timedelta(seconds=schedule.seconds) if isinstance(schedule, Every) else 2 * HOUR
    true, last, made = NOON, None, []
    steps = [(timedelta(seconds=wrong), hours * 12) for wrong, hours in jumps] + [(timedelta(), 24 * 12)]
    for wrong, looks in steps:
        for _ in range(looks):
            true += timedelta(minutes=5)
            if next_due(schedule, "groq", Attempts(began_at=last, served_at=last), true + wrong).by(true + wrong):
                last = true + wrong
                made.append(true)
    per_step = [sum(begin < time <= end for time in made) for begin, end in pairwise(_ends(steps))]
    for (_, looks), count in zip(steps, per_step, strict=True):
        assert count <= looks * timedelta(minutes=5) / longest + 2
    gaps = [after - before for before, after in pairwise(time for time in made if time > true - timedelta(hours=24))]
    assert all(gap <= 2 * longest * (1 + JITTER) + timedelta(minutes=5) for gap in gaps)
    assert made[-1] > true - 3 * longest


def _ends(steps: list[tuple[timedelta, int]]) -> list[datetime]:
    ends = [NOON]
    for _, looks in steps:
        ends.append(ends[-1] + looks * timedelta(minutes=5))
    return ends


# Adaptive


def test_adaptive_goes_by_what_was_found_within_its_limits() -> None:
    def after(per_day: float, cached_for: float = 0.0) -> Paced:
        return paced(Estimate(per_day, 0.0, None, 30, 6, 30.0), HOUR, cached_for)

    assert after(2.0).seconds == 6 * 3600  # half a change between two syncs
    assert after(2.0).why == "adaptive: every 6h, as 6 of 30 syncs in 30.0 days found a change"
    assert after(0.0).seconds == after(0.01).seconds == 24 * 3600
    # Up to a tenth is taken off, and what is left is no less than a quarter of an hour, or than the provider keeps its answer for.
    assert after(1000.0).seconds == 17 * 60
    assert after(1000.0, cached_for=1800.0).seconds == 34 * 60
    assert paced(None, timedelta(hours=6), 0.0).seconds == 6 * 3600
    due = following(Paced(3600, ""), "groq", NOON)
    assert NOON + HOUR * (1 - JITTER) <= due <= NOON + HOUR


def test_intervals_are_written_in_their_largest_unit() -> None:
    assert [interval_text(timedelta(minutes=minutes)) for minutes in (1, 90, 120, 1440, 2880)] == ["1min", "90min", "2h", "24h", "2d"]
