"""How often a list changes, estimated from syncs of it that found a change or none.

Changes are taken to come at random, at a rate. A sync that finds a change says that there was one or more since the last; how likely that
is depends on the time between. The rate under which what was found is likeliest solves

    sum over syncs that found a change of I / (exp(rate * I) - 1)  =  sum over the others of I

where I is the time since the sync before. Cho and Garcia-Molina (Estimating Frequency of Change, ACM TOIT 3(3), 2003) show that half a sync
more that found nothing takes most of the bias away: with equal intervals the result is -ln((n - X + 0.5) / (n + 0.5)) / I for X of n.
"""

import math
from collections.abc import Callable, Sequence

import msgspec

COUNTED = 30
"""The latest syncs that count."""

RECENT = 8
"""The latest of these, by which a change of pace shows."""

ENOUGH = 5
"""With fewer of them, nothing is said."""

CORRECTION = 0.5
"""How many syncs that found nothing are added, of average length."""

LIKELY = 1.92
"""Rates whose likelihood is lower than the best one's by this much, as a logarithm, are outside the 95 % interval (half of χ² with one
degree of freedom)."""

LEAST = 1e-9
"""Changes per day: where looking for a rate begins."""

DAY = 86_400.0


class Poll(msgspec.Struct, frozen=True):
    """One sync: seconds since the one before, and whether it found a change."""

    seconds: float
    changed: bool


class Estimate(msgspec.Struct, frozen=True):
    """How often a list changes: changes per day, and between which bounds that is with 95 % (no upper one when every sync found a change);
    from so many syncs of which so many found one, over so many days.
    """

    per_day: float
    low: float
    high: float | None
    polls: int
    changed: int
    days: float


def estimate(polls: Sequence[Poll]) -> Estimate | None:
    """How often a list changes, from the latest syncs of it. None when there are too few."""
    counted = [poll for poll in polls if poll.seconds > 0][-COUNTED:]
    if len(counted) < ENOUGH:
        return None
    found = [poll.seconds / DAY for poll in counted if poll.changed]
    nothing = sum(poll.seconds / DAY for poll in counted if not poll.changed)
    days = sum(found) + nothing
    low, high = _bounds(found, nothing, days)
    return Estimate(_rate(found, nothing + CORRECTION * days / len(counted)), low, high, len(counted), len(found), days)


def quickest(polls: Sequence[Poll]) -> Estimate | None:
    """The same, or what the last RECENT of them say where that is more: a quiet list that becomes a busy one is to be noticed within days.
    One that becomes quiet costs syncs for a while, which is the lesser evil.
    """
    whole, recent = estimate(polls), estimate(polls[-RECENT:])
    return recent if whole and recent and recent.per_day > whole.per_day else whole


def _rate(found: Sequence[float], nothing: float) -> float:
    """The likeliest rate, given the lengths of the intervals that held a change, and the sum of the others."""
    return _zero(lambda rate: sum(length * _expected(rate * length) for length in found) - nothing, LEAST) if found else 0.0


def _expected(changes: float) -> float:
    return 0.0 if changes > 700 else 1 / math.expm1(changes)  # which would be too large for a float


def _bounds(found: Sequence[float], nothing: float, days: float) -> tuple[float, float | None]:
    """The rates between which the likelihood is near its best."""
    if not found:
        return 0.0, LIKELY / days
    if nothing == 0:  # the faster the likelier
        return _zero(lambda rate: _likelihood(rate, found, nothing) + LIKELY, LEAST), None
    best = _rate(found, nothing)
    least = _likelihood(best, found, nothing) - LIKELY

    def above_least(rate: float) -> float:
        return _likelihood(rate, found, nothing) - least

    return _zero(above_least, LEAST, best), _zero(above_least, best)


def _likelihood(rate: float, found: Sequence[float], nothing: float) -> float:
    return sum(math.log(-math.expm1(-rate * length)) for length in found) - rate * nothing


def _zero(function: Callable[[float], float], low: float, high: float | None = None) -> float:
    """Where a function passes zero, between `low` and `high`; without that somewhere beyond `low`."""
    sign = math.copysign(1.0, function(low))
    if high is None:
        high = low + 1.0
        while sign * function(high) > 0:
            high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if sign * function(middle) > 0 else (low, middle)
    return (low + high) / 2
