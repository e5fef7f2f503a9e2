"""A hundred days of schedules in no time: what each costs, what it finds, and how late; for docs/scheduling.md.

Nothing is fetched: a provider is a list of the moments at which it changed, and the times of syncs are those that the scheduler keeps to.
"""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import mean, median
from typing import NamedTuple

import plots

from modelsync.planning.estimate import Poll, quickest
from modelsync.planning.schedule import Adaptive, Attempts, Every, Schedule, next_due, paced, written

BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAYS = 100
END = BEGINNING + timedelta(days=DAYS)
DAY = timedelta(days=1)
USUAL = timedelta(hours=24)

RECORDED, LENGTH = (6, 7, 10, 11), 35
"""Chutes: of 36 daily recordings of llm.chutes.ai/v1/models from 2026-06-11 on, those with a change of a model since the day before."""


def at_random(per_day: float, *, begin: float = 0.0, end: float = DAYS) -> list[datetime]:
    """Changes that come at random, at a rate, from one day to another; the same each time."""
    chance, moment, found = random.Random(f"{per_day} {begin}"), begin, []  # noqa: S311 - no secret
    while (moment := moment + chance.expovariate(per_day)) < end:
        found.append(BEGINNING + timedelta(days=moment))
    return found


def in_working_hours(per_day: int) -> list[datetime]:
    """So many on each day from Monday to Friday, between 9 and 17 o'clock."""
    chance = random.Random(per_day)  # noqa: S311 - no secret
    days = (day for day in range(DAYS) if day % 7 < 5)
    return sorted(BEGINNING + timedelta(days=day, hours=chance.uniform(9, 17)) for day in days for _ in range(per_day))


def recorded() -> list[datetime]:
    """The recorded days again and again; when on such a day, nobody knows."""
    chance = random.Random("chutes")  # noqa: S311 - no secret
    days = (start + day for start in range(0, DAYS, LENGTH) for day in RECORDED)
    return [BEGINNING + timedelta(days=day - chance.random()) for day in days if day < DAYS]


SERIES = {
    "Chutes, as recorded": recorded(),
    "one in ten days": at_random(0.1),
    "one a day": at_random(1.0),
    "six a day": at_random(6.0),
    "eight on working days": in_working_hours(8),
    "quiet, from day 50 on six a day": [*at_random(0.1, end=50), *at_random(6.0, begin=50)],
}
POLICIES: tuple[Schedule, ...] = (Every(86_400), Every(6 * 3_600), Every(3_600), Adaptive())


class Sync(NamedTuple):
    """A sync: when, and the hours that were to pass until the next one when it was planned."""

    at: datetime
    interval: float


def syncs(policy: Schedule, changes: Sequence[datetime]) -> list[Sync]:
    """When a provider that changes at these moments is synced, the first time at the beginning."""
    made = [Sync(BEGINNING, 24.0)]
    polls: list[Poll] = []
    while True:
        last = made[-1].at
        timetable = paced(quickest(polls), USUAL, 0.0) if isinstance(policy, Adaptive) else policy
        due = next_due(timetable, "paper", Attempts(began_at=last, served_at=last), last).at
        if due is None or due >= END:
            return made
        found = bisect_right(changes, due) > bisect_right(changes, last)
        polls.append(Poll((due - last).total_seconds(), found))
        made.append(Sync(due, (due - last) / timedelta(hours=1)))


class Outcome(NamedTuple):
    """What a schedule came to: syncs, changes that one of them found, and their delays in hours."""

    syncs: int
    found: int
    typical: float
    average: float


def outcome(policy: Schedule, changes: Sequence[datetime]) -> Outcome:
    """What a schedule comes to for a provider that changes at these moments."""
    times = [sync.at for sync in syncs(policy, changes)]
    places = ((change, bisect_left(times, change)) for change in changes)
    delays = [(times[place] - change) / timedelta(hours=1) for change, place in places if place < len(times)]
    return Outcome(len(times), len(delays), median(delays), mean(delays))


def rows() -> list[tuple[str, ...]]:
    """A row for each series and schedule."""
    made = []
    for name, changes in SERIES.items():
        for policy in POLICIES:
            found = outcome(policy, changes)
            cells = (f"{found.syncs:,}", f"{found.found} of {len(changes)}", f"{found.typical:.1f} h", f"{found.average:.1f} h")
            made.append((name, written(policy), *cells, f"{found.syncs / found.found:.1f}"))
    return made


HEADER = ("changes", "schedule", "syncs", "found", "half of them within", "on average after", "syncs a change")

WIDTH, TOP, BOTTOM, LEFT = 760, 20, 300, 60
SHOWN = ("quiet, from day 50 on six a day", "one a day", "Chutes, as recorded")


def picture() -> str:
    """The interval that adaptive keeps to, by day."""
    up = plots.Scale(0.5, 30.0, BOTTOM, TOP)
    parts = []
    for hours in (1, 2, 6, 12, 24):
        parts += [
            plots.stroke(LEFT, up.at(hours), WIDTH - 20, up.at(hours), plots.PALE),
            plots.text(LEFT - 6, up.at(hours) + 4, f"{hours} h", "end"),
        ]
    for day in range(0, DAYS + 1, 20):
        parts.append(plots.text(_across(day), BOTTOM + 18, f"day {day}", "middle"))
    for place, name in enumerate(SHOWN):
        colour = plots.COLOURS[place]
        points = [(_across((sync.at - BEGINNING) / DAY), up.at(sync.interval)) for sync in syncs(Adaptive(), SERIES[name])]
        line = " ".join(f"{x:.1f},{y:g}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        y = BOTTOM + 44 + place * plots.LINE
        parts += [plots.dot(LEFT, y - 4, colour), plots.text(LEFT + 12, y, f"adaptive, {name}")]
    return plots.svg(WIDTH, BOTTOM + 44 + len(SHOWN) * plots.LINE, parts)


def _across(day: float) -> float:
    return LEFT + (WIDTH - 20 - LEFT) * day / DAYS
