"""The right to commit, on both databases: who has it, until when, and when it is lost."""

from datetime import UTC, datetime, timedelta

import pytest

from modelsync.database.tables import leases
from modelsync.database.tables.leases import LEASE, MOST
from modelsync.planning.outcome import Busy
from support.store import opened

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def after(seconds):
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def connection(database_url):
    with opened(database_url) as store, store.writing() as connection:
        yield connection


def state(connection, slug="groq"):
    return leases.state_of(connection, slug)


def test_i13_a_ticket_is_numbered_dated_and_one_at_a_time(connection):
    assert state(connection) is None
    first = leases.take(connection, "groq", 7, NOON, 60.0)
    assert (first.slug, first.run_id, first.seq, len(first.token)) == ("groq", 7, 1, 16)
    row = state(connection)
    assert (row["ticket_seq"], row["ticket_token"], row["ticket_run_id"]) == (1, first.token, 7)
    assert (row["ticket_until"], row["last_attempt_at"]) == (after(60), NOON)
    assert leases.take(connection, "groq", 8, after(59.9), 60.0) == Busy(7)
    assert leases.take(connection, "xai", 8, NOON, 60.0).seq == 1  # another provider's queue
    assert leases.running(state(connection), after(59.9)) == 7


def test_i11_a_ticket_ends_with_its_time_and_the_next_one_has_the_next_number(connection):
    first = leases.take(connection, "groq", 7, NOON, 60.0)
    assert leases.running(state(connection), after(60)) is None  # to the very moment
    second = leases.take(connection, "groq", 8, after(60), 60.0)
    assert (second.seq, second.run_id, second.token != first.token) == (2, 8, True)
    assert state(connection)["ticket_until"] == after(120)


def test_t01_a_ticket_of_a_clock_that_ran_ahead_is_none(connection):
    leases.take(connection, "groq", 7, NOON, MOST.total_seconds())
    assert timedelta(seconds=90) == MOST
    assert leases.running(state(connection), NOON) is None  # 90 s are too many
    assert leases.running(state(connection), after(0.001)) == 7
    assert leases.take(connection, "groq", 8, after(-1), 60.0).seq == 2


def test_i15_only_the_last_ticket_is_good_for_a_commit(connection):
    first = leases.take(connection, "groq", 7, NOON, 60.0)
    assert leases.holds(connection, first)["ticket_run_id"] == 7
    second = leases.take(connection, "groq", 8, after(61), 60.0)
    assert leases.holds(connection, first) is None
    assert leases.holds(connection, second)["ticket_run_id"] == 8
    leases.release(connection, first, {"failures_in_a_row": 5})  # it is not its own any more
    assert (state(connection)["ticket_run_id"], state(connection)["failures_in_a_row"]) == (8, 0)


@pytest.mark.parametrize(("committed", "good"), [(0, True), (1, False), (2, False)])
def test_i14_what_was_fetched_before_the_last_commit_is_not_committed(connection, committed, good):
    lease = leases.take(connection, "groq", 7, NOON, 60.0)
    leases.release(connection, leases.take(connection, "xai", 7, NOON, 60.0), {"committed_seq": 9})
    connection.execute(leases.provider_state.update().where(leases.state.provider == "groq").values(committed_seq=committed))
    assert (leases.holds(connection, lease) is not None) is good


def test_a_ticket_given_back_frees_the_provider_at_once_and_leaves_its_note(connection):
    lease = leases.take(connection, "groq", 7, NOON, 60.0)
    other = leases.take(connection, "xai", 7, NOON, 60.0)
    leases.release(connection, lease, {"committed_seq": 1})
    row = state(connection)
    assert [row[name] for name in ("ticket_token", "ticket_until", "ticket_run_id", "ticket_seq", "committed_seq")] == [
        None,
        None,
        None,
        1,
        1,
    ]
    assert leases.running(row, after(1)) is None
    assert leases.holds(connection, lease) is None
    assert leases.holds(connection, other) is not None
    assert leases.take(connection, "groq", 8, after(1), 60.0).seq == 2


def test_i11_a_sign_of_life_is_for_the_tickets_of_its_own_run(connection):
    """Else a run that died would keep its providers busy for as long as anybody else lives."""
    leases.take(connection, "groq", 7, NOON, 20.0)
    leases.take(connection, "near", 7, NOON, 20.0)
    leases.take(connection, "xai", 8, NOON, 20.0)
    leases.release(connection, leases.take(connection, "fal", 7, NOON, 20.0), {})
    leases.renew(connection, 7, after(10))
    assert LEASE == 30.0
    until = {slug: state(connection, slug)["ticket_until"] for slug in ("groq", "near", "xai", "fal")}
    assert until == {"groq": after(40), "near": after(40), "xai": after(20), "fal": None}


def test_a_ticket_given_back_is_not_renewed_even_with_its_run_noted(connection):
    lease = leases.take(connection, "groq", 7, NOON, 20.0)
    leases.release(connection, lease, {"ticket_run_id": 7})
    leases.renew(connection, 7, after(10))
    assert state(connection)["ticket_until"] is None


def test_a_provider_can_be_locked_before_its_first_sync(connection):
    row = leases.lock(connection, "groq")
    assert (row["provider"], row["ticket_seq"], row["committed_seq"], row["ticket_token"]) == ("groq", 0, 0, None)
    leases.ensure_state(connection, "groq")
    assert leases.lock(connection, "groq")["provider"] == "groq"
