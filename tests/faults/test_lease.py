"""Who may commit: signs of life, a process that was paused for too long (C3), and commits whose end was not heard of (D2)."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from modelsync.database.tables.leases import Lease
from modelsync.database.tables.runs import Seen
from modelsync.errors import DatabaseError
from modelsync.model.actors import Person
from modelsync.model.records import Counts
from modelsync.operations import decisions
from modelsync.planning.outcome import Busy, Disabled, NotModified, ProviderResult, Superseded, Synced
from modelsync.simulator.server import Simulator
from modelsync.sync.heartbeat import beating
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support import postgres
from support.cli import environment
from support.proxy import Moment, Proxy
from support.store import PROVIDER, SLUG, commit, lease_for, listing, model, opened, seen
from support.sync import changes_of, execute, models_of, query, table

LONG_AGO = "'2026-01-01T00:00:00.000000Z'"


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it never happened"
        time.sleep(0.05)


def test_i13_signs_of_life_keep_a_ticket_valid(database_url: str) -> None:
    with opened(database_url) as store:
        run_id = store.begin_run("test")
        lease = store.take_lease(SLUG, run_id, 30.0)
        execute(database_url, f"UPDATE provider_state SET ticket_until = {LONG_AGO}", f"UPDATE sync_runs SET heartbeat_at = {LONG_AGO}")
        store.beat(run_id)
        assert not isinstance(store.take_lease(SLUG, store.begin_run("test"), 30.0), Lease)
        assert isinstance(lease, Lease)
        assert isinstance(store.commit(lease, Commit(PROVIDER, listing(model("a")), None), 0.0).outcome, Synced)


def test_i11_a_sign_of_life_renews_no_other_runs_lease(database_url: str) -> None:
    with opened(database_url) as store:
        dead, alive = store.begin_run("test"), store.begin_run("test")
        assert isinstance(store.take_lease("groq", dead, 30.0), Lease)
        assert isinstance(store.take_lease(SLUG, alive, 30.0), Lease)
        execute(database_url, f"UPDATE provider_state SET ticket_until = {LONG_AGO}")
        execute(database_url, f"UPDATE sync_runs SET heartbeat_at = {LONG_AGO}, started_at = {LONG_AGO}")
        store.beat(alive)
        leases = {row["provider"]: row["ticket_until"] for row in table(database_url, "provider_state")}
        beats = {row["id"]: row["heartbeat_at"] for row in table(database_url, "sync_runs")}
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        assert (leases["groq"], beats[dead]) == (long_ago, long_ago)
        assert min(leases[SLUG], beats[alive]) > long_ago
        assert [row["status"] for row in table(database_url, "sync_runs")] == ["interrupted", "running"]
        assert store.take_lease(SLUG, store.begin_run("test"), 30.0) == Busy(alive)
        assert isinstance(store.take_lease("groq", store.begin_run("test"), 30.0), Lease)  # the dead one keeps nobody out


def test_i11_one_run_that_lives_marks_those_that_do_not(database_url: str) -> None:
    with opened(database_url) as store:
        dead, alive = store.begin_run("test"), store.begin_run("test")
        execute(database_url, f"UPDATE sync_runs SET heartbeat_at = {LONG_AGO}, started_at = {LONG_AGO} WHERE id = {dead}")
        store.beat(alive)
        assert [row["status"] for row in table(database_url, "sync_runs")] == ["interrupted", "running"]
        store.beat(dead)  # it was only slow
        assert [row["status"] for row in table(database_url, "sync_runs")] == ["running", "running"]


def test_a_run_beats_by_itself(database_url: str) -> None:
    with opened(database_url) as store:
        run_id = store.begin_run("test")
        execute(database_url, f"UPDATE sync_runs SET heartbeat_at = {LONG_AGO}")
        with beating(store, run_id):
            until(lambda: query(database_url, "SELECT heartbeat_at FROM sync_runs")[0]["heartbeat_at"] > datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def paused(simulator: Simulator, database_url: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A sync of groq as a process of its own, stopped while it waits for its list."""
    simulator.add_fault("groq", "delay", seconds=3.0, times=1)
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    command = [sys.executable, "-m", "modelsync", "sync", "--providers", "groq"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: bool(simulator.requests("groq")))
    os.kill(process.pid, signal.SIGSTOP)
    yield process
    process.kill()
    process.communicate()


def test_c03_i15_a_process_that_was_paused_for_too_long_commits_nothing(
    simulator: Simulator, database_url: str, tmp_path: Path, paused: "subprocess.Popen[str]"
) -> None:
    """I15: its lease ran out, another process took over, and its own answer is the older one."""
    execute(database_url, f"UPDATE provider_state SET ticket_until = {LONG_AGO}")
    simulator.set_day(1)
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    other = subprocess.run(
        [sys.executable, "-m", "modelsync", "sync", "--providers", "groq"], cwd=tmp_path, env=env, capture_output=True, check=False
    )
    assert other.returncode == 0, other.stderr
    taken_over = models_of(database_url, "groq")
    os.kill(paused.pid, signal.SIGCONT)
    out, err = paused.communicate(timeout=60)
    assert "a newer sync was committed meanwhile; this answer was discarded" in " ".join(out.split()), err
    assert models_of(database_url, "groq") == taken_over
    assert [row["outcome"] for row in table(database_url, "sync_results")] == ["synced", "superseded"]


# D2: the connection is lost while the database commits


class Wire(Proxy):
    """The way to a Postgres server, as an address."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        super().__init__(parts.hostname or "127.0.0.1", parts.port or 5432)
        self.address = address

    @property
    def through(self) -> str:
        parts, host = urlsplit(self.address), urlsplit(self.origin)
        return parts._replace(netloc=f"{parts.username}:{parts.password or ''}@{host.hostname}:{host.port}").geturl()


@pytest.fixture
def wire(request: pytest.FixtureRequest, postgres_server: str, tmp_path: Path) -> Iterator[Wire]:
    name = f"t{uuid.uuid4().hex[:12]}"
    with Wire(postgres.new_database(postgres_server, name)) as proxy:
        yield proxy
    postgres.drop_database(postgres_server, name)


def cut_at_commit(wire: Wire, moment: Moment) -> None:
    wire.cut_when(lambda sent: b"COMMIT\0" in sent, moment)  # and not `ON COMMIT DROP`


def confirmed(store: Store, lease: Lease, before: Seen) -> object:
    result = ProviderResult(slug=SLUG, outcome=NotModified(Counts(fetched=1, transformed=1, unchanged=1, synced=1)), seconds=0.0)
    confirmed = store.confirm(lease, before, result)
    assert confirmed is not None
    return confirmed.outcome


@pytest.mark.parametrize("moment", [Moment.SENT, Moment.ANSWERED])
def test_d02_i12_a_commit_whose_acknowledgement_was_lost_is_found_in_the_database(wire: Wire, moment: Moment) -> None:
    """I12: reported as what it was, and done once."""
    with opened(wire.through) as store:
        commit(store, model("a", D("0.000001")))
        lease = lease_for(store)
        cut_at_commit(wire, moment)
        result = store.commit(lease, Commit(PROVIDER, listing(model("a", D("0.000002")), model("b")), seen("d")), 0.0)
        assert isinstance(result.outcome, Synced)
        assert (result.counts.created, result.counts.updated) == (1, 1)
        store.give_up(lease.run_id, result, lease)  # what is recorded stands
    assert models_of(wire.address, SLUG)["a"]["pricing_prompt"] == D("0.000002")
    assert [(row["run_id"], row["outcome"]) for row in table(wire.address, "sync_results")] == [(1, "synced"), (2, "synced")]
    assert len(changes_of(wire.address, SLUG)) == 3
    (state,) = table(wire.address, "provider_state")
    assert (state["failures_in_a_row"], state["ticket_token"]) == (0, None)


def test_d02_a_commit_that_never_arrived_is_a_failure(wire: Wire) -> None:
    with opened(wire.through) as store:
        commit(store, model("a", D("0.000001")))
        lease = lease_for(store)
        cut_at_commit(wire, Moment.BEFORE)
        with pytest.raises(DatabaseError):
            store.commit(lease, Commit(PROVIDER, listing(model("a", D("0.000002"))), None), 0.0)
        assert models_of(wire.address, SLUG)["a"]["pricing_prompt"] == D("0.000001")
        again = store.commit(lease, Commit(PROVIDER, listing(model("a", D("0.000002"))), None), 0.0)  # the lease is still good
        assert isinstance(again.outcome, Synced)


def test_d02_an_unchanged_listing_is_counted_once(wire: Wire) -> None:
    with opened(wire.through) as store:
        commit(store, model("a"), seen=seen("d"))
        lease = lease_for(store)
        cut_at_commit(wire, Moment.SENT)
        assert isinstance(confirmed(store, lease, seen("d")), NotModified)
    (state,) = table(wire.address, "provider_state")
    assert state["complete_seq"] == 2


def test_d02_a_database_that_stays_away_leaves_the_question_open_and_says_so(wire: Wire) -> None:
    with opened(wire.through) as store:
        lease = lease_for(store)

        def gone(sent: bytes) -> bool:
            if b"COMMIT\0" not in sent:
                return False
            wire.lead_nowhere()
            return True

        wire.cut_when(gone, Moment.SENT)
        with pytest.raises(DatabaseError, match="whether openrouter was written is not known") as caught:
            store.commit(lease, Commit(PROVIDER, listing(model("a")), None), 0.0)
        assert caught.value.hint.startswith("`modelsync runs 1` will tell")
    assert set(models_of(wire.address, SLUG)) == {"a"}


def test_i14_an_older_fetch_never_replaces_a_newer_one(database_url: str) -> None:
    with opened(database_url) as store:
        older = lease_for(store)
        execute(database_url, f"UPDATE provider_state SET ticket_until = {LONG_AGO}")
        newer = lease_for(store)
        store.commit(newer, Commit(PROVIDER, listing(model("new")), None), 0.0)
        result = store.commit(older, Commit(PROVIDER, listing(model("old")), None), 0.0)
        assert isinstance(result.outcome, Superseded)
    assert set(models_of(database_url, SLUG)) == {"new"}
    assert [row["outcome"] for row in table(database_url, "sync_results")] == ["synced", "superseded"]


# A pause

PAUSED = Person("ada", "we move the database")


def test_a_sync_that_is_under_way_is_refused_at_its_commit(database_url: str):
    with opened(database_url) as store:
        lease = lease_for(store)
        decisions.pause(store, PAUSED)
        result = store.commit(lease, Commit(PROVIDER, listing(model("m", D("0.000001"))), seen("d"), whole=True), 0.0)
    assert result.outcome == Disabled('paused by ada, we move the database. `modelsync resume --reason "…"` lets everything sync again')
    assert table(database_url, "models") == []


def test_a_sync_that_waited_for_another_one_does_not_slip_through_the_pause(database_url: str):
    """The pause takes the lease of the one that is at the provider, and the one that waits for it would take the next."""
    with opened(database_url) as store:
        lease_for(store)
        decisions.pause(store, PAUSED)
        waiting = store.take_lease(SLUG, store.begin_run("test"), 60.0)
        assert isinstance(waiting, Lease)
        result = store.commit(waiting, Commit(PROVIDER, listing(model("m", D("0.000001"))), seen("d"), whole=True), 0.0)
        assert isinstance(result.outcome, Disabled)
        assert table(database_url, "models") == []
        decisions.resume(store, PAUSED)
        execute(database_url, f"UPDATE provider_state SET ticket_until = {LONG_AGO}")  # as half a minute does
        store.commit(lease_for(store), Commit(PROVIDER, listing(model("m", D("0.000001"))), seen("d"), whole=True), 0.0)
    assert [row["provider_model_id"] for row in table(database_url, "models")] == ["m"]
