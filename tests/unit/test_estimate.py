"""How often a list changes: against the closed formula, the figures that were published, and the equation that it solves."""

import math
from itertools import starmap

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modelsync.planning.estimate import COUNTED, DAY, Poll, estimate, quickest


def polls(count: int, changed: int, seconds: float = DAY) -> list[Poll]:
    return [Poll(seconds, number < changed) for number in range(count)]


def per_day(*args: float) -> float:
    found = estimate(polls(*args))  # type: ignore[arg-type]
    assert found is not None
    return found.per_day


@settings(deadline=None)
@given(st.integers(5, COUNTED), st.data(), st.sampled_from([900.0, 3600.0, DAY, 7 * DAY]))
def test_with_equal_intervals_it_is_the_closed_formula(count: int, data: st.DataObject, seconds: float) -> None:
    changed = data.draw(st.integers(0, count))
    wanted = -math.log((count - changed + 0.5) / (count + 0.5)) / (seconds / DAY)
    assert per_day(count, changed, seconds) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("rate", "mean"), [(0.1, 0.099), (0.5, 0.503), (1.0, 1.006), (2.0, 1.941)])
def test_on_average_it_is_right(rate: float, mean: float) -> None:
    """The mean over what ten syncs can find, at a rate of changes per interval: the naive share would be 0.095, 0.393, 0.632 and 0.865."""
    p = 1 - math.exp(-rate)
    chances = (math.comb(10, found) * p**found * (1 - p) ** (10 - found) for found in range(11))
    assert sum(chance * per_day(10, found) for found, chance in enumerate(chances)) == pytest.approx(mean, abs=0.02)


def test_thirty_five_days_with_six_changes() -> None:
    # Chutes, recorded daily; only the last 30 count, so that the six are among them: -ln(24.5 / 30.5)
    recorded = [*polls(29, 0), *polls(6, 6)]
    found = estimate(recorded)
    assert found is not None
    assert (found.polls, found.changed, found.days) == (30, 6, 30.0)
    assert found.per_day == pytest.approx(0.2190, abs=1e-4)


def test_too_few_syncs_say_nothing() -> None:
    assert estimate([]) is None
    assert estimate(polls(4, 2)) is None
    assert estimate([*polls(4, 2), Poll(0.0, True), Poll(-5.0, True)]) is None, "no time has passed before these"


LENGTHS = st.floats(60, 14 * DAY)


@settings(deadline=None)
@given(st.lists(st.builds(Poll, LENGTHS, st.booleans()), min_size=5, max_size=COUNTED))
def test_with_any_intervals_it_solves_the_equation_and_lies_between_its_bounds(given_polls: list[Poll]) -> None:
    found = estimate(given_polls)
    assert found is not None
    lengths = [poll.seconds / DAY for poll in given_polls if poll.changed]
    nothing = sum(poll.seconds / DAY for poll in given_polls if not poll.changed)
    if not lengths:
        assert found.per_day == 0.0
        return
    half_more = 0.5 * sum(poll.seconds / DAY for poll in given_polls) / len(given_polls)
    held = sum(length / math.expm1(found.per_day * length) for length in lengths if found.per_day * length < 700)
    assert held == pytest.approx(nothing + half_more, rel=1e-6)
    assert found.low > 0
    assert (found.high is None) == (nothing == 0)


@settings(deadline=None)
@given(st.lists(st.builds(Poll, LENGTHS, st.booleans()), min_size=5, max_size=COUNTED))
def test_the_bounds_are_where_the_likelihood_has_fallen_by_as_much_as_95_percent_allow(given_polls: list[Poll]) -> None:
    lengths = [poll.seconds / DAY for poll in given_polls if poll.changed]
    nothing = sum(poll.seconds / DAY for poll in given_polls if not poll.changed)
    assume(lengths and nothing)
    found = estimate(given_polls)
    assert found is not None
    assert found.high is not None

    def likelihood(rate: float) -> float:
        return sum(starmap(math.log, ((-math.expm1(-rate * length),) for length in lengths))) - rate * nothing

    assert likelihood(found.low) == pytest.approx(likelihood(found.high), abs=1e-5)
    middle = math.sqrt(found.low * found.high)
    best = max(likelihood(found.low + (found.high - found.low) * part / 2000) for part in range(1, 2000))
    assert best - likelihood(found.low) == pytest.approx(1.92, abs=0.02)
    assert found.low < middle < found.high


def test_without_a_change_the_rate_may_still_not_be_zero() -> None:
    found = estimate(polls(30, 0))
    assert found is not None
    assert (found.per_day, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1.92 / 30)


def test_a_quiet_list_that_becomes_busy_is_noticed_by_its_last_syncs_and_not_the_other_way_round() -> None:
    busy = [*polls(22, 0), *polls(8, 8)]
    found, lately = estimate(busy), quickest(busy)
    assert found is not None
    assert lately is not None
    assert found.per_day == pytest.approx(-math.log(22.5 / 30.5))
    assert (lately.polls, lately.changed) == (8, 8)
    assert lately.per_day == pytest.approx(-math.log(0.5 / 8.5))
    assert quickest(list(reversed(busy))) == estimate(list(reversed(busy)))
    assert quickest(polls(4, 4)) is None
