"""`modelsync sync` as a real process: stopped by signals at the worst moments, and run twice at once."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

import modelsync
from modelsync.simulator.server import Simulator
from support import crash, postgres
from support.process import Running, running
from support.sync import changes_of, environment, models_of, program, query, sqlite_path, table

SOURCE = str(Path(modelsync.__file__).parents[1])
STOPPED = "Stopped. Providers already done are in the catalog; the others are untouched. Run it again to finish."


def syncing(values: Mapping[str, str], database_url: str, folder: Path, *slugs: str) -> contextlib.AbstractContextManager[Running]:
    """A running `modelsync sync`, which does not outlive the block."""
    return running({**values, "HOME": str(folder)}, folder, "sync", "--database", database_url, "--providers", *slugs)


@contextlib.contextmanager
def from_the_beginning(values: Mapping[str, str], database_url: str, folder: Path, *slugs: str) -> Iterator["subprocess.Popen[str]"]:
    """The same as `python -m modelsync`."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    command = [sys.executable, "-m", "modelsync", "sync", "--database", database_url, "--providers", *slugs]
    with subprocess.Popen(
        command,
        env={**kept, **values, "PYTHONPATH": SOURCE, "HOME": str(folder)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for something that another process does."""
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_during_a_slow_answer(simulator: Simulator, database_url: str, tmp_path: Path, number: int, code: int) -> None:
    values = environment(simulator)
    program(values, database_url, tmp_path).sync(["openrouter", "near"])
    before = models_of(database_url, "openrouter")
    simulator.set_day(1)
    simulator.clear_requests()
    simulator.add_fault("openrouter", "delay", seconds=10)
    with from_the_beginning(values, database_url, tmp_path, "openrouter", "near") as process:
        until(lambda: simulator.requests("openrouter"))
        until(lambda: len(changes_of(database_url, "near")) == 8)
        process.send_signal(number)
        out, err = process.communicate(timeout=5)

    assert (process.returncode, out) == (code, "")
    assert STOPPED in err
    assert "Traceback" not in err
    assert models_of(database_url, "openrouter") == before
    assert [change["kind"] for change in changes_of(database_url, "openrouter")] == ["added"] * 5
    _, run = table(database_url, "sync_runs")
    assert (run["status"], run["finished_at"] is not None, run["created"]) == ("cancelled", True, 1)
    results = query(database_url, f"SELECT provider, outcome, error FROM sync_results WHERE run_id = {run['id']} ORDER BY provider")
    assert [(row["provider"], row["outcome"]) for row in results] == [("near", "synced"), ("openrouter", "cancelled")]
    assert [state["ticket_token"] for state in table(database_url, "provider_state")] == [None, None]

    simulator.clear_faults()
    began = time.monotonic()
    again = program(values, database_url, tmp_path).sync(["openrouter", "near"])
    assert (again.status, again.counts.created, again.counts.missing) == ("succeeded", 1, 2)
    assert time.monotonic() - began < 5  # nobody waits for the lease of the dead


@contextlib.contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Somebody else's transaction, which no commit of ours gets past."""
    if database_url.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_path(database_url), isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        finally:
            connection.close()
        return
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE models IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


HANGS = {"a list": ("openrouter", 15.0), "Google's token server": ("google-vertex", 15.0), "a database that is locked": ("openrouter", 1.0)}
"""What a sync waits for far longer than anybody would: whose answer comes after how many seconds."""


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
@pytest.mark.parametrize("what", HANGS)
def test_a_signal_says_so_at_once_and_ends_whatever_hangs(
    simulator: Simulator, database_url: str, tmp_path: Path, what: str, signals: list[int]
) -> None:
    """The catalog is as it was, and the next sync does it all."""
    values, (slug, seconds) = environment(simulator), HANGS[what]
    program(values, database_url, tmp_path).sync([slug])
    before = models_of(database_url, slug)
    simulator.set_day(1)
    simulator.clear_requests()
    simulator.add_fault(slug, "delay", seconds=seconds)
    with syncing(values, database_url, tmp_path, slug) as process, contextlib.ExitStack() as stack:
        until(lambda: simulator.requests(slug))
        if seconds < 15:
            stack.enter_context(locked(database_url))
            time.sleep(seconds + 0.5)  # the answer is there, and the commit waits for the lock
        for number in signals:
            process.send(number)
            time.sleep(0.1)
        ended = process.end(4)

    assert ended.code in (128 + signals[0], -signals[-1]), ended.err  # the second one may come as it ends by itself
    assert ended.err.splitlines()[-2:] == ["stopping …", STOPPED]
    assert models_of(database_url, slug) == before
    simulator.clear_faults()
    crash.let_time_pass(database_url)
    assert program(values, database_url, tmp_path).sync([slug]).status == "succeeded"
    assert models_of(database_url, slug) != before


def test_a_signal_during_the_commit(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """A transaction that has begun is finished, or leaves nothing; never half of it, never a lease."""
    values = environment(simulator)
    program(values, database_url, tmp_path).sync(["openrouter"])
    simulator.set_day(1)
    simulator.clear_requests()
    simulator.add_fault("openrouter", "delay", seconds=0.7)
    with syncing(values, database_url, tmp_path, "openrouter") as process:
        until(lambda: simulator.requests("openrouter"))
        with locked(database_url):
            time.sleep(1.3)  # the answer is there, and the commit waits for the lock
            process.send(signal.SIGTERM)
            time.sleep(0.3)
        ended = process.end(10)

    assert ended.code == 143, ended.err
    assert STOPPED in ended.err
    _, run = table(database_url, "sync_runs")
    assert run["status"] == "cancelled"
    (result,) = query(database_url, f"SELECT outcome FROM sync_results WHERE run_id = {run['id']}")
    written = changes_of(database_url, "openrouter", run_id=run["id"])
    assert (result["outcome"], len(written)) in (("synced", 3), ("cancelled", 0))
    assert len(models_of(database_url, "openrouter")) == (6 if written else 5)
    (state,) = table(database_url, "provider_state")
    assert state["ticket_token"] is None


def test_a_signal_while_the_ticket_is_taken(simulator: Simulator, postgres_server: str, tmp_path: Path) -> None:
    """A lease that was asked for before the signal and is given after it goes back at once."""
    values, database_url = environment(simulator), postgres.new_database(postgres_server, "signalled")
    program(values, database_url, tmp_path).sync(["openrouter"])
    with syncing(values, database_url, tmp_path, "openrouter") as process:
        with psycopg.connect(database_url) as other:
            other.execute("SELECT * FROM provider_state WHERE provider = 'openrouter' FOR UPDATE")
            until(lambda: len(table(database_url, "sync_runs")) == 2)
            time.sleep(0.5)  # long enough to ask for the lease
            process.send(signal.SIGTERM)
            time.sleep(0.3)
            other.rollback()
        ended = process.end(10)

    assert ended.code == 143, ended.err
    (state,) = table(database_url, "provider_state")
    assert state["ticket_token"] is None
    assert [run["status"] for run in table(database_url, "sync_runs")] == ["succeeded", "cancelled"]
    postgres.drop_database(postgres_server, "signalled")


def test_two_processes_into_an_empty_database(simulator: Simulator, empty_database_url: str, tmp_path: Path) -> None:
    """Both make the tables, one gets the lease first, and the other finds the work done."""
    values = environment(simulator)
    simulator.add_fault("openrouter", "delay", seconds=0.5)
    with (
        syncing(values, empty_database_url, tmp_path, "openrouter") as first,
        syncing(values, empty_database_url, tmp_path, "openrouter") as second,
    ):
        ends = [process.end(40) for process in (first, second)]

    assert [ended.code for ended in ends] == [0, 0], ends
    results = query(empty_database_url, "SELECT outcome FROM sync_results ORDER BY id")
    assert [row["outcome"] for row in results] == ["synced", "not_modified"]
    assert len(models_of(empty_database_url, "openrouter")) == len(changes_of(empty_database_url, "openrouter")) == 5
    assert [run["status"] for run in table(empty_database_url, "sync_runs")] == ["succeeded"] * 2
