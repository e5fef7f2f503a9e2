"""When a provider is due: what a person writes, and the times that follow from it. Pure: now is given, and all times are in UTC."""

import hashlib
import math
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from modelsync.planning.estimate import Estimate

FORMS = "Write an interval such as 6h or 30min, a cron expression with its time zone such as '0 6 * * 1-5 Europe/Berlin', adaptive, or off"
"""What a schedule may be."""

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=7)
"""Bounds of an interval."""

JITTER = 0.1
"""The share of an interval by which a time in it may be late, so that not all providers are asked at once."""

FIRST_RETRY, LAST_RETRY = timedelta(minutes=10), timedelta(hours=6)
"""How long a provider is left alone after its first failure, and at most: the time doubles with each failure."""

DEATHS = 3
"""Attempts in a row that came to no end, each of which is made up for at once."""

LONGEST_REQUEST = timedelta(hours=24)
"""A provider that asks not to be asked for longer than this is asked all the same."""

_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_INTERVAL = re.compile(r"([0-9]{1,5})(min|h|d)")
_CRON_FIELDS = 5


class Every(msgspec.Struct, frozen=True, tag="interval"):
    """At an interval, given in seconds: once in each window of that length since 1970, so that every worker knows the same times."""

    seconds: int


class Cron(msgspec.Struct, frozen=True, tag="cron"):
    """By a cron expression of five fields, in a time zone of the IANA database, as Debian's cron goes through changes of the clock."""

    expression: str
    zone: str = "UTC"


class Adaptive(msgspec.Struct, frozen=True, tag="adaptive"):
    """As often as the provider's list is found to change: see `paced`."""


class Off(msgspec.Struct, frozen=True, tag="off"):
    """Never by itself."""


class Paced(msgspec.Struct, frozen=True):
    """So many seconds after each attempt, and why so many: what an adaptive schedule comes to."""

    seconds: int
    why: str


Schedule = Every | Cron | Adaptive | Off
"""What a person writes."""

PERSON = "a person"
"""Where a schedule is from that was set in the catalog."""


class GivenSchedule(msgspec.Struct, frozen=True):
    """A provider's schedule, and where it is from: the name of a setting, `default`, or PERSON."""

    schedule: Schedule
    source: str


Timetable = Every | Cron | Paced | Off
"""What times follow from."""


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a provider's syncs.

    When the last attempt began; when the last one that served the schedule; how many of the schedule's own failed in a row; how many leases
    were not given back since, as their processes died; and until when the provider asked not to be asked.
    """

    began_at: datetime | None = None
    served_at: datetime | None = None
    failures: int = 0
    unended: int = 0
    not_before: datetime | None = None


class Due(msgspec.Struct, frozen=True):
    """When a provider is due, None for never, and why then."""

    at: datetime | None
    why: str

    def by(self, now: datetime) -> bool:
        """Whether that time has come."""
        return self.at is not None and self.at <= now


def parsed(text: str) -> Schedule:
    """What a text says. ValueError, with what is wrong, for one that says no schedule."""
    words = text.split()
    match words:
        case ["off"]:
            return Off()
        case ["adaptive"]:
            return Adaptive()
        case [word]:
            return _interval(word)
        case [*fields] if len(fields) in (_CRON_FIELDS, _CRON_FIELDS + 1):
            return _cron(" ".join(fields[:_CRON_FIELDS]), *fields[_CRON_FIELDS:])
        case _:
            raise ValueError("it is neither an interval nor a cron expression of five fields and a time zone")


def written(schedule: Schedule) -> str:
    """The text that says a schedule."""
    match schedule:
        case Off():
            return "off"
        case Adaptive():
            return "adaptive"
        case Every(seconds):
            return interval_text(timedelta(seconds=seconds))
        case Cron(expression, zone):
            return f"{expression} {zone}"


def interval_text(interval: timedelta) -> str:
    """An interval of whole minutes as people write it: 24h, 90min."""
    unit = next(word for word in ("d", "h", "min") if interval % _UNITS[word] == timedelta() and (word != "d" or interval > _UNITS["d"]))
    return f"{interval // _UNITS[unit]}{unit}"


def _interval(word: str) -> Every:
    read = _INTERVAL.fullmatch(word)
    if read is None:
        raise ValueError("it is neither an interval nor a cron expression of five fields and a time zone")
    interval = int(read[1]) * _UNITS[read[2]]
    if not SHORTEST <= interval <= LONGEST:
        raise ValueError(f"an interval is from {interval_text(SHORTEST)} to {interval_text(LONGEST)}")
    return Every(int(interval.total_seconds()))


def _cron(expression: str, zone: str = "UTC") -> Cron:
    from cronsim import CronSimError

    schedule = Cron(expression, zone)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{zone} is no time zone of the IANA database, as Europe/Berlin is") from None
    try:
        following(schedule, "", datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"it is no cron expression: {str(error).lower()}") from None
    except StopIteration:
        raise ValueError("it is a cron expression whose time never comes") from None
    return schedule


SOONEST, LATEST = timedelta(minutes=15), timedelta(hours=24)
"""Bounds of an adaptive interval. With a longer one the rules of absence would take longer to see what is gone."""

CHANGES_A_SYNC = 0.5
"""Changes that there are to be between two syncs, by what is estimated: so three of five syncs find nothing."""


def paced(estimated: Estimate | None, interval: timedelta, cached_for: float) -> Paced:
    """How long after an attempt a list is due that changes as often as that; with no estimate after the `interval` of others like it.

    Never earlier than what the provider keeps its own answer for, in seconds.
    """
    soonest = max(SOONEST, timedelta(seconds=cached_for)) / (1 - JITTER)  # which is taken off again: see `following`
    if estimated is None:
        why = f"adaptive: every {interval_text(interval)}, too few syncs to know how often it changes"
        return Paced(int(interval.total_seconds()), why)
    least = CHANGES_A_SYNC / (LATEST / timedelta(days=1))
    wanted = timedelta(days=CHANGES_A_SYNC / max(estimated.per_day, least))
    chosen = timedelta(minutes=math.ceil(max(soonest, wanted) / timedelta(minutes=1)))
    found = f"{estimated.changed} of {estimated.polls} syncs in {estimated.days:.1f} days found a change"
    return Paced(int(chosen.total_seconds()), f"adaptive: every {interval_text(chosen)}, as {found}")


def following(schedule: Every | Cron | Paced, slug: str, after: datetime) -> datetime:
    """The first time of a provider's schedule later than `after`."""
    match schedule:
        case Paced(seconds):
            return after + timedelta(seconds=seconds * (1 - JITTER * share(f"{slug} {after.isoformat()}")))
        case Every(seconds):
            window = int(after.timestamp()) // seconds - 1
            return next(time for each in range(window, window + 4) if (time := _time_in(each, seconds, slug)) > after)
        case Cron(expression, zone):
            from cronsim import CronSim

            # In an hour that the clock goes through twice, it begins with times of the first pass.
            times = (time.astimezone(UTC) for time in CronSim(expression, after.astimezone(ZoneInfo(zone))))
            return next(time for time in times if time > after)


def _time_in(window: int, seconds: int, slug: str) -> datetime:
    """A provider's time in a window of this length."""
    late = int(seconds * JITTER * share(f"{slug} {seconds} {window}"))
    return datetime.fromtimestamp(window * seconds + late, UTC)


def share(text: str) -> float:
    """A number from 0 to 1, the same for the same text everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def next_due(schedule: Timetable, slug: str, attempts: Attempts, now: datetime) -> Due:
    """When a provider is to be synced next. A time that was missed is made up for once: only the last attempt counts.

    So is an attempt that came to no end; if that happens again and again, what the provider sends may be what its process dies of.
    """
    if isinstance(schedule, Off):
        return Due(None, "off")
    began, served = (_believable(schedule, slug, time, now) for time in (attempts.began_at, attempts.served_at))
    due = _by_schedule(schedule, slug, served, attempts.failures) if served else Due(now, "not synced yet")
    if began is not None and attempts.unended > DEATHS:
        later = _retry(slug, began, attempts.unended - DEATHS, f"its process died {attempts.unended:,} times")
        due = max(due, later, key=lambda each: each.at or now)
    return _as_asked(due, attempts.not_before, now)


def _by_schedule(schedule: Every | Cron | Paced, slug: str, served: datetime, failures: int) -> Due:
    if not failures:
        return Due(following(schedule, slug, served), _why(schedule))
    return _retry(slug, served, failures, "failed once" if failures == 1 else f"failed {failures:,} times in a row")


def _why(schedule: Every | Cron | Paced) -> str:
    match schedule:
        case Paced(_, why):
            return why
        case Every():
            return f"every {written(schedule)}"
        case Cron():
            return f"by cron, {written(schedule)}"


def _retry(slug: str, last: datetime, failures: int, what: str) -> Due:
    """After a time that doubles with each failure, and is a little longer for some than for others: what fails together is not tried so."""
    wait = min(FIRST_RETRY * 2 ** min(failures - 1, 16), LAST_RETRY)
    return Due(last + wait * (1 + JITTER * share(f"{slug} {failures}")), f"{what}: tried again after {interval_text(wait)}")


def _believable(schedule: Every | Cron | Paced, slug: str, last: datetime | None, now: datetime) -> datetime | None:
    """The last attempt, unless a clock that ran ahead wrote it. One that lies in the next window stands for that window: it was made."""
    if last is None or last <= now:
        return last
    return last if last < following(schedule, slug, following(schedule, slug, now)) else None


def _as_asked(due: Due, not_before: datetime | None, now: datetime) -> Due:
    """Not before the provider wants to be asked again; a time that nobody can mean does not count."""
    if due.at is None or not_before is None or not_before <= due.at or not_before > now + LONGEST_REQUEST:
        return due
    return Due(not_before, "the provider asked to wait until then")
