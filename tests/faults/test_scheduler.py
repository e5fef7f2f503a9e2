"""Several schedulers at one catalog, as real processes that are killed and stopped: each due sync is committed once (C5, C6, I11, I15)."""

import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from modelsync.operations.workers import beat, leave
from modelsync.planning.schedule import Every, following
from modelsync.scheduler.loop import TICK
from modelsync.simulator.server import Simulator
from support import crash, postgres
from support.cli import environment as cli_environment
from support.cli import run_json
from support.crash import until
from support.pooler import PGBOUNCER, pooler
from support.process import Running, code_of, running, start
from support.soak import note_figures
from support.sync import environment, execute, program, query, table

SLUGS = ("chutes", "groq", "near", "openrouter", "together", "xai")
DUE = {"MODELSYNC_PROVIDERS": ",".join(SLUGS)}
EVERY = Every(60)
TAKEN_OVER = timedelta(seconds=60)
"""A killed process's sync is taken over within this: its lease of half a minute, a look, and the sync."""


def scheduling(simulator: Simulator, database_url: str, folder: Path, **more: str) -> contextlib.AbstractContextManager[Running]:
    """A running `modelsync scheduler`."""
    values = {**environment(simulator), **DUE, "HOME": str(folder), **more}
    return running(values, folder, "scheduler", "--database", database_url)


def committed(database_url: str) -> list[tuple[str, datetime]]:
    """Providers whose syncs were committed, with the time at which each began, in that order."""
    rows = query(
        database_url,
        "SELECT provider, started_at FROM sync_results JOIN sync_runs ON sync_runs.id = sync_results.run_id "
        "WHERE outcome IN ('synced', 'not_modified') ORDER BY sync_runs.id",
    )
    return [(row["provider"], _time(row["started_at"])) for row in rows]


def _time(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def state(database_url: str, slug: str) -> Mapping[str, Any]:
    (row,) = query(database_url, f"SELECT * FROM provider_state WHERE provider = '{slug}'")
    return row


def is_leased(database_url: str, slug: str) -> bool:
    rows = query(database_url, f"SELECT 1 FROM provider_state WHERE provider = '{slug}' AND ticket_token IS NOT NULL")
    return bool(rows)


def test_c05_c06_two_schedulers_make_each_due_sync_once(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    program(environment(simulator), database_url, tmp_path).open_store().close()
    with scheduling(simulator, database_url, tmp_path) as one, scheduling(simulator, database_url, tmp_path) as other:
        until(lambda: len(committed(database_url)) >= len(SLUGS), 60)
        for each in (one, other):
            each.send(signal.SIGTERM)
        for each in (one, other):
            ended = each.end(30)
            assert ended.code == 0, ended.err
            assert "6 providers" in ended.err
    assert sorted(slug for slug, _ in committed(database_url)) == list(SLUGS)
    assert {row["trigger"] for row in table(database_url, "sync_runs")} == {"schedule"}


def test_i11_what_a_killed_scheduler_was_at_is_taken_over(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    program(environment(simulator), database_url, tmp_path).open_store().close()
    simulator.add_fault("groq", "delay", seconds=30.0)
    with scheduling(simulator, database_url, tmp_path) as killed:
        until(lambda: is_leased(database_url, "groq"), 60)
        killed.send(signal.SIGKILL)
        assert killed.end(10).code == -signal.SIGKILL
    assert state(database_url, "groq")["unended"] == 1
    crash.let_time_pass(database_url)
    simulator.clear_faults()
    with scheduling(simulator, database_url, tmp_path) as other:
        until(lambda: "groq" in dict(committed(database_url)), 60)
        other.send(signal.SIGTERM)
        assert other.end(30).code == 0
    assert [slug for slug, _ in committed(database_url)].count("groq") == 1
    assert state(database_url, "groq")["unended"] == 0


def test_sigterm_lets_what_is_under_way_end_and_a_second_one_stops_it(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    program(environment(simulator), database_url, tmp_path).open_store().close()
    simulator.add_fault("groq", "delay", seconds=3.0)
    with scheduling(simulator, database_url, tmp_path, MODELSYNC_PROVIDERS="groq") as drained:
        until(lambda: is_leased(database_url, "groq"), 60)
        drained.send(signal.SIGTERM)
        ended = drained.end(30)
        assert (ended.code, "Letting groq end, for 20 seconds at most" in ended.err) == (0, True), ended.err
    assert [slug for slug, _ in committed(database_url)] == ["groq"]
    simulator.clear_faults()
    simulator.add_fault("xai", "delay", seconds=300.0)
    with scheduling(simulator, database_url, tmp_path, MODELSYNC_PROVIDERS="xai", MODELSYNC_DEADLINE="300") as stopped:
        until(lambda: is_leased(database_url, "xai"), 60)
        stopped.send(signal.SIGTERM)
        time.sleep(1.0)
        stopped.send(signal.SIGTERM)
        assert stopped.end(60).code == 0
    assert (state(database_url, "xai")["last_served_at"], state(database_url, "xai")["unended"]) == (None, 0)
    assert crash.statuses(database_url) == {"succeeded", "cancelled"}


def test_it_says_what_it_syncs_and_what_only_for_want_of_a_key_it_does_not(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    program(environment(simulator), database_url, tmp_path).open_store().close()
    values = {**environment(simulator, "groq"), "HOME": str(tmp_path), "MODELSYNC_SCHEDULE": "off", "MODELSYNC_SCHEDULE_CHUTES": "1h"}
    values |= {"MODELSYNC_PROVIDERS": "chutes,groq,near"}
    with running(values, tmp_path, "scheduler", "--database", database_url) as scheduler:
        until(lambda: len(committed(database_url)) == 1, 60)
        scheduler.send(signal.SIGTERM)
        ended = scheduler.end(30)
    assert "Syncing 1 providers" in ended.err
    assert "Without a key, and so never synced here: groq.\n" in ended.err


def test_the_server_can_do_it_too_and_stops_what_is_under_way_at_its_end(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    program(environment(simulator), database_url, tmp_path).open_store().close()
    simulator.add_fault("xai", "delay", seconds=300.0)
    values = {**environment(simulator), **DUE, "HOME": str(tmp_path), "MODELSYNC_DEADLINE": "300"}
    port, others = str(postgres.free_port()), sorted(set(SLUGS) - {"xai"})
    with running(values, tmp_path, "serve", "--with-scheduler", "--port", port, "--database", database_url) as server:
        until(lambda: len(committed(database_url)) >= len(others) and is_leased(database_url, "xai"), 60)
        server.send(signal.SIGTERM)
        assert server.end(30).code in (0, -signal.SIGTERM)  # uvicorn ends by the signal that it was sent
    assert sorted(slug for slug, _ in committed(database_url)) == others
    assert (state(database_url, "xai")["last_served_at"], state(database_url, "xai")["unended"]) == (None, 0)
    assert (crash.statuses(database_url), workers(database_url)) == ({"succeeded", "cancelled"}, [])


def test_a_catalog_that_cannot_be_read_for_a_while_ends_no_scheduler(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """It is told once, and what was due then is synced as soon as it can be."""
    program(environment(simulator), database_url, tmp_path).open_store().close()
    execute(database_url, "ALTER TABLE workers RENAME TO gone")
    log = tmp_path / "log"
    values = {**environment(simulator), "HOME": str(tmp_path), "MODELSYNC_PROVIDERS": "groq"}
    process = start(values, tmp_path, ["scheduler", "--database", database_url], log, log)
    try:
        until(lambda: log.exists() and "the schedules cannot be read" in log.read_text("utf-8"), 60)
        time.sleep(TICK + 1)
        assert (committed(database_url), log.read_text("utf-8").count("cannot be read")) == ([], 1)
        execute(database_url, "ALTER TABLE gone RENAME TO workers")
        until(lambda: len(committed(database_url)) == 1, 60)
    finally:
        process.terminate()
        assert code_of(process, 30) == 0, log.read_text("utf-8")


def test_a_claim_that_fails_takes_no_turn_from_others(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """Four providers whose state cannot be locked for a claim, with names before all others, and one behind them that is fine."""
    program(environment(simulator), database_url, tmp_path).open_store().close()
    first = ("aihubmix", "aimo", "anannas", "cerebras")
    guard = {
        "sqlite": "CREATE TRIGGER no_claim BEFORE INSERT ON provider_state WHEN NEW.provider IN ({}) BEGIN SELECT RAISE(ABORT, 'no'); END",
        "postgresql": "ALTER TABLE provider_state ADD CONSTRAINT no_claim CHECK (provider NOT IN ({}))",
    }[database_url.partition(":")[0]]
    execute(database_url, guard.format(", ".join(f"'{slug}'" for slug in first)))
    with scheduling(simulator, database_url, tmp_path, MODELSYNC_PROVIDERS=",".join((*first, "xai"))) as scheduler:
        until(lambda: [slug for slug, _ in committed(database_url)] == ["xai"], 60)
        scheduler.send(signal.SIGTERM)
        ended = scheduler.end(30)
    assert ended.code == 0
    assert ended.err.count('"message": "not synced') == len(first), ended.err


def test_no_worker_speaks_for_another_that_has_its_number_now(database_url: str, tmp_path: Path, simulator: Simulator) -> None:
    """SQLite gives out a number again whose row was deleted, and a restored catalog may have another worker's row there."""
    with contextlib.closing(program(environment(simulator), database_url, tmp_path).open_store()) as store:
        number = beat(store, None, {"groq": "a"}, [])
        execute(database_url, "UPDATE workers SET host = 'elsewhere', syncing = '[\"xai\"]'")
        own = beat(store, number, {"groq": "a"}, ["groq"])
        assert own != number
        assert beat(store, own, {"groq": "a"}, ["near"]) == own
        leave(store, number)
    assert [row["host"] == "elsewhere" for row in workers(database_url)] == [True, False]


def test_workers_whose_keys_differ_leave_the_provider_to_the_one_it_was_synced_with(
    simulator: Simulator, database_url: str, tmp_path: Path
) -> None:
    asked = program(environment(simulator), database_url, tmp_path, MODELSYNC_PROVIDERS="groq,xai")
    assert asked.sync(["groq", "xai"]).status == "succeeded"
    other_key = {"GROQ_API_KEY": f"{simulator.key('groq')}-of-another-account", "MODELSYNC_PROVIDERS": "groq,xai"}
    before = len(committed(database_url))
    with (
        scheduling(simulator, database_url, tmp_path, MODELSYNC_PROVIDERS="groq") as right,
        scheduling(simulator, database_url, tmp_path, **other_key) as wrong,
    ):
        until(lambda: len(workers(database_url)) == 2, 60)
        execute(database_url, f"UPDATE provider_state SET last_served_at = '{crash.LONG_AGO}'")
        until(lambda: len(committed(database_url)) == before + 2, 60)
        shown = run_json(tmp_path, "workers", env=cli_environment(tmp_path, DATABASE_URL=database_url))["workers"]
        assert [each["alive"] for each in shown] == [True, True]
        (refusing,) = [each["refuses"] for each in shown if each["refuses"]]
        assert list(refusing) == ["groq"]
        assert "options, key or address differ" in refusing["groq"]
        for each in (right, wrong):
            each.send(signal.SIGTERM)
        assert right.end(30).code == 0
        ended = wrong.end(30)
        assert "[groq] left to others" in ended.err or '"provider": "groq"' in ended.err
    assert workers(database_url) == []
    assert {row["outcome"] for row in table(database_url, "sync_results")} <= {"synced", "not_modified"}


def workers(database_url: str) -> list[dict[str, Any]]:
    return table(database_url, "workers")


# The campaign


class Fleet:
    """Schedulers that are killed and begun anew, or stopped for longer than their leases, at random."""

    def __init__(self, simulator: Simulator, database_url: str, folder: Path, number: int, chance: random.Random) -> None:
        self._start = lambda: self._ended.enter_context(scheduling(simulator, database_url, folder, **CAMPAIGN))
        self._ended = contextlib.ExitStack()
        self._chance = chance
        self._alive = [self._start() for _ in range(number)]
        self.figures: Counter[str] = Counter()

    def harm(self) -> None:
        """Kill one and begin another in its place; or stop one for longer than its lease lasts."""
        place = self._chance.randrange(len(self._alive))
        victim = self._alive[place]
        if self._chance.random() < 0.75:
            victim.send(signal.SIGKILL)
            victim.end(20)
            self._alive[place] = self._start()
            self.figures["killed"] += 1
        else:
            victim.send(signal.SIGSTOP)
            time.sleep(STOPPED)
            victim.send(signal.SIGCONT)
            self.figures["stopped over their lease"] += 1

    def end(self) -> None:
        for each in self._alive:
            each.send(signal.SIGTERM)
        for each in self._alive:
            assert each.end(60).code == 0
        self._ended.close()


STOPPED = 35.0
"""Seconds for which a scheduler is stopped: longer than its leases last."""

AT_WORST = TAKEN_OVER + timedelta(seconds=2 * STOPPED + 12)
"""After so long a sync that was due is made: two schedulers may be stopped one after the other, and one that is stopped in a transaction
keeps everybody else from writing into SQLite."""

CAMPAIGN = {"MODELSYNC_PROVIDERS": "", "MODELSYNC_SCHEDULE": "1min"}
DUE_SYNCS = int(os.environ.get("SOAK_DUE_SYNCS", "200"))


def campaign(simulator: Simulator, database_url: str, folder: Path, *, schedulers: int, name: str) -> None:
    """So many due syncs while schedulers are killed and stopped; afterwards each provider's commits are held against its due times."""
    program(environment(simulator), database_url, folder).open_store().close()
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    simulator.add_fault("*", "delay", seconds=0.7)
    began = datetime.now(UTC)
    fleet = Fleet(simulator, database_url, folder, schedulers, chance)
    slugs = 0
    while due_until(slugs := len({slug for slug, _ in committed(database_url)}), began) < DUE_SYNCS or slugs == 0:
        time.sleep(chance.uniform(2, 12))
        fleet.harm()
    time.sleep(AT_WORST.total_seconds())
    ended = datetime.now(UTC)
    fleet.end()
    found = judged(committed(database_url), began, ended - AT_WORST)
    note_figures("schedulers", database=name, schedulers=schedulers, seed=seed, **fleet.figures, **found)
    assert (found["due_twice"], found["due_never"]) == (0, 0), f"seed {seed}"
    assert found["due"] >= DUE_SYNCS
    assert crash.statuses(database_url) <= {"succeeded", "interrupted", "cancelled", "failed", "running"}


def due_until(providers: int, began: datetime) -> int:
    """How many syncs were due since then."""
    return providers * int((datetime.now(UTC) - began).total_seconds() // EVERY.seconds)


def judged(commits: list[tuple[str, datetime]], began: datetime, ended: datetime) -> dict[str, int]:
    """How many syncs were due, how many of them were committed twice, how many later than TAKEN_OVER, and how many not within AT_WORST."""
    due = twice = late = never = 0
    for slug in {slug for slug, _ in commits}:
        starts = sorted(start for of, start in commits if of == slug)
        twice += sum(following(EVERY, slug, before) > after for before, after in pairwise(starts))
        time_due = following(EVERY, slug, began)
        while time_due < ended:
            due += 1
            late += not any(time_due <= start < time_due + TAKEN_OVER for start in starts)
            never += not any(time_due <= start < time_due + AT_WORST for start in starts)
            time_due = following(EVERY, slug, time_due)
    return {"due": due, "commits": len(commits), "due_twice": twice, "due_never": never, "due_later_than_a_minute": late}


def test_the_judge_knows_what_is_wrong() -> None:
    first = following(EVERY, "groq", datetime(2026, 11, 22, tzinfo=UTC))
    second = following(EVERY, "groq", first)
    began, ended = first - timedelta(seconds=1), second + timedelta(seconds=1)
    right = [("groq", first), ("groq", second + timedelta(seconds=35))]
    good = {"due": 2, "commits": 2, "due_twice": 0, "due_never": 0, "due_later_than_a_minute": 0}
    assert judged(right, began, ended) == good
    assert judged([*right, ("groq", first + timedelta(seconds=1))], began, ended)["due_twice"] == 1
    late = judged([right[0], ("groq", second + timedelta(seconds=90))], began, ended)
    assert (late["due_never"], late["due_later_than_a_minute"]) == (0, 1)
    assert judged(right[:1], began, ended)["due_never"] == 1


@pytest.mark.soak
def test_c06_due_syncs_on_sqlite_while_schedulers_die(simulator: Simulator, tmp_path: Path) -> None:
    campaign(simulator, f"sqlite:///{tmp_path}/catalog.db", tmp_path, schedulers=2, name="sqlite")


@pytest.mark.soak
def test_c06_due_syncs_on_postgres_while_schedulers_die(simulator: Simulator, postgres_server: str, tmp_path: Path) -> None:
    name = f"due_{random.randrange(10**9)}"
    campaign(simulator, postgres.new_database(postgres_server, name), tmp_path, schedulers=3, name="postgres")
    postgres.drop_database(postgres_server, name)


@pytest.fixture
def pooled(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    folder, name = Path("/tmp") / tmp_path_factory.mktemp("pooler").name, f"due_{random.randrange(10**9)}"
    folder.mkdir()
    postgres.new_database(postgres_server, name)
    with pooler(postgres_server, folder) as address:
        yield f"{address}/{name}"
    postgres.drop_database(postgres_server, name)
    shutil.rmtree(folder)


@pytest.mark.soak
def test_c06_due_syncs_through_a_pooler_while_schedulers_die(simulator: Simulator, pooled: str, tmp_path: Path) -> None:
    campaign(simulator, pooled, tmp_path, schedulers=3, name="postgres, through pgbouncer")
