"""Processes that die, are stopped, or lack memory: every provider's catalog is the old one or the new one, never a mix (I10, I11, I13)."""

import functools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from modelsync.simulator.server import Simulator
from support import crash, postgres
from support.crash import DIED, LOGS, Rows, look, marks, output, start, statuses, timeless, until, verdict
from support.process import code_of, running
from support.soak import note_figures
from support.sync import changes_of, environment, models_of, program, query, table

SLUG = "openrouter"
SLUGS = ("openrouter", "near", "groq", "together", "xai")
SOAK_KILLS = int(os.environ.get("SOAK_KILLS", "1000"))


class Undisturbed:
    """What syncs that nobody disturbs make of the two days: by the day before and the day after, each provider's rows."""

    def __init__(self, simulator: Simulator, database_url: str, folder: Path, *slugs: str) -> None:
        self.simulator, self.database_url, self.slugs = simulator, database_url, slugs
        self.values = environment(simulator)
        self.program = program(self.values, database_url, folder)
        self.arguments = ("sync", "--database", database_url, "--providers", *slugs)
        self.rows: dict[tuple[int, int], dict[str, Rows]] = {}
        for day in (0, 1, 0):  # after one turn every model is known, and each further turn is as the one before
            self.sync(day)
        for before, day in ((0, 0), (0, 1), (1, 1), (1, 0)):
            since = marks(database_url)
            self.sync(day)
            self.rows[before, day] = {slug: timeless(rows) for slug, rows in look(database_url, since).items()}
        for slug in slugs:
            assert len(self.rows[0, 1][slug]["model_changes"]) >= 3
            assert self.rows[1, 1][slug]["model_changes"] == []
            assert self.rows[0, 1][slug]["models"] != self.rows[1, 0][slug]["models"]

    def sync(self, day: int) -> None:
        self.simulator.set_day(day)
        assert self.program.sync(self.slugs).status == "succeeded"


def die_at(simulator: Simulator, database_url: str, tmp_path: Path, moment: Callable[[int], None], every: int) -> dict[int, list[bool]]:
    """The sync dies at one of its first moments, then `every` so many later, until it has none to die at; then at each of the last ones.

    For each day that was to come: whether each death came too late.
    """
    peace = Undisturbed(simulator, database_url, tmp_path, SLUG)
    day, seen = 0, {0: list[bool](), 1: list[bool]()}
    number, stride = random.randint(1, every), every
    while number < 500:
        target, since = 1 - day, marks(database_url)
        simulator.set_day(target)
        old, expected = look(database_url, since)[SLUG], peace.rows[day, target][SLUG]
        code = code_of(start(peace.values, tmp_path, *peace.arguments, first=functools.partial(moment, number)))
        crash.wait_for_the_server(database_url)
        assert crash.is_sound(database_url)
        found = verdict(old, look(database_url, since)[SLUG], expected)
        assert not found.torn, (number, found.torn)
        if code == 0:
            assert found.is_new
            if stride == 1:
                return seen
            number, stride = number - stride + 1, 1
        else:
            assert code in (DIED, -signal.SIGXFSZ), output(tmp_path)
            seen[target].append(found.is_new)
            number += stride

        crash.let_time_pass(database_url)
        assert peace.program.sync([SLUG]).status == "succeeded"
        final = timeless(look(database_url, since)[SLUG])
        again = peace.rows[target, target][SLUG] if found.is_new else {}
        for name in expected:
            more = again.get(name, []) if name in LOGS else []
            assert final[name] == expected[name] + more, (number, name)
        assert crash.before_everything(database_url) == {}
        assert statuses(database_url) <= {"succeeded", "interrupted"}
        day = target
    raise AssertionError("it never ended by itself")


SWEEPS = [pytest.param(5, id="some"), pytest.param(1, id="each", marks=pytest.mark.soak)]


@pytest.mark.parametrize("every", SWEEPS)
def test_c01_i10_i11_a_crash_at_every_statement(simulator: Simulator, database_url: str, tmp_path: Path, every: int) -> None:
    """In SQLite before each; in Postgres with each on its way, which shows what comes of a commit that nobody waits for."""
    sqlite = database_url.startswith("sqlite")
    how = crash.die_before_statement if sqlite else crash.die_having_sent
    seen = die_at(simulator, database_url, tmp_path, how, every)
    assert len(seen[0] + seen[1]) > 60 // every
    assert set(seen[0] + seen[1]) == {True, False}
    for late in seen.values():  # there and back are not the same statements
        assert late == sorted(late), "once the commit is in, it stays"


@pytest.mark.parametrize("every", SWEEPS)
def test_c01_a_crash_inside_the_writes_of_sqlite(simulator: Simulator, tmp_path: Path, every: int) -> None:
    """Files that end in the middle of a page, in the log and, while that is folded, in the database itself."""
    seen = die_at(simulator, f"sqlite:///{tmp_path}/catalog.db", tmp_path, crash.die_inside_a_write, every)
    assert len(seen[0] + seen[1]) > 20 // every
    assert set(seen[0] + seen[1]) == {True, False}


@pytest.mark.soak
def test_c01_a_crash_before_every_statement_of_postgres(simulator: Simulator, postgres_server: str, tmp_path: Path) -> None:
    name = f"sweep_{random.randrange(10**9)}"
    die_at(simulator, postgres.new_database(postgres_server, name), tmp_path, crash.die_before_statement, 1)
    postgres.drop_database(postgres_server, name)


def kills(simulator: Simulator, database_url: str, folder: Path, wanted: int, seed: int) -> dict[str, object]:
    """Kill syncs of several providers at random instants, and look after each; the figures."""
    peace = Undisturbed(simulator, database_url, folder, *SLUGS)
    chance, began, figures = random.Random(seed), time.monotonic(), Counter(torn=0, corrupt=0)
    days, target, wrong = dict.fromkeys(SLUGS, 0), 0, []
    usual = 60.0  # seconds that a sync takes here and now; a guess until one ends by itself
    while figures["kills"] < wanted:
        target, since = 1 - target, marks(database_url)
        simulator.set_day(target)
        old = look(database_url, since)
        started = time.monotonic()
        process = start(peace.values, folder, *peace.arguments)
        process.join(chance.uniform(0, 1.1 * usual))
        process.kill()
        code = code_of(process)
        assert code in (0, -signal.SIGKILL), (seed, output(folder))
        usual = usual * 1.01 if code else time.monotonic() - started
        figures["kills"] += code != 0
        crash.wait_for_the_server(database_url)
        figures["corrupt"] += not crash.is_sound(database_url)
        found = look(database_url, since)
        new = {slug: verdict(old[slug], found[slug], peace.rows[days[slug], target][slug]) for slug in SLUGS}
        wrong += [f"kill {figures['kills']}, {slug}: {each.torn}" for slug, each in new.items() if each.torn]
        days |= {slug: target for slug, each in new.items() if each.is_new}
        figures["between"] += len({each.is_new for each in new.values()}) == 2
        crash.let_time_pass(database_url)

    assert peace.program.sync(SLUGS).status == "succeeded"
    final = look(database_url, marks(database_url))
    for slug in SLUGS:
        assert timeless(final[slug])["models"] == peace.rows[0, target][slug]["models"]
    assert crash.before_everything(database_url) == {}
    assert statuses(database_url) <= {"succeeded", "interrupted"}
    (row,) = query(database_url, "SELECT count(*) AS runs FROM sync_runs WHERE status = 'interrupted'")
    name = "sqlite" if database_url.startswith("sqlite") else "postgres"
    told = {**figures, "torn": len(wrong), "interrupted": row["runs"], "seconds": round(time.monotonic() - began, 1)}
    note_figures("kill loop", database=name, seed=seed, **told)
    assert wrong == [], f"seed {seed}"
    assert figures["corrupt"] == 0, f"seed {seed}"
    return told


def test_c01_i10_i11_kill_at_random_instants(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    kills(simulator, database_url, tmp_path, 15, seed=random.randrange(10**6))


@pytest.mark.soak
def test_c01_i10_i11_kill_at_a_thousand_random_instants(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    kills(simulator, database_url, tmp_path, SOAK_KILLS, seed=random.randrange(10**6))


# Signals


@pytest.mark.parametrize(
    ("signals", "codes"),
    [
        ([signal.SIGTERM], {143}),
        ([signal.SIGINT], {130}),
        ([signal.SIGINT, signal.SIGINT], {130}),
        ([signal.SIGTERM, signal.SIGINT], {130, 143}),
    ],
)
def test_c02_signals_end_a_sync_within_five_seconds(
    simulator: Simulator, database_url: str, tmp_path: Path, signals: list[signal.Signals], codes: set[int]
) -> None:
    values = environment(simulator)
    program(values, database_url, tmp_path).sync([SLUG])
    before = models_of(database_url, SLUG)
    simulator.set_day(1)
    simulator.clear_requests()
    simulator.add_fault(SLUG, "delay", seconds=15)
    with running({**values, "HOME": str(tmp_path)}, tmp_path, "sync", "--database", database_url, "--providers", SLUG) as process:
        until(lambda: simulator.requests(SLUG))
        for number in signals:
            process.send(number)
            time.sleep(0.02)
        code, _, err = process.end(5)

    # A second signal may come while the first one's work is being finished or when it is done, and then ends the process by itself: a
    # shell says the same number.
    assert (code if code >= 0 else 128 - code) in codes, err
    assert models_of(database_url, SLUG) == before
    assert len(changes_of(database_url, SLUG)) == 5
    _, run = table(database_url, "sync_runs")
    if len(signals) == 1:
        assert (run["status"], "Traceback" in err) == ("cancelled", False)
        assert [state["ticket_token"] for state in table(database_url, "provider_state")] == [None]
    else:
        assert run["status"] in ("cancelled", "running")

    simulator.clear_faults()
    crash.let_time_pass(database_url)
    assert program(values, database_url, tmp_path).sync([SLUG]).counts.created == 1
    assert statuses(database_url) <= {"succeeded", "cancelled", "interrupted"}


# Memory


def test_c04_out_of_memory_at_any_point(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """From a process that gets no memory at all to one that has enough for 4,000 new models."""
    values, arguments = environment(simulator), ("sync", "--database", database_url, "--providers", SLUG)
    assert program(values, database_url, tmp_path).sync([SLUG]).counts.created == 5
    rows = simulator.lists(SLUG)["models"]
    simulator.set_page_size(None)
    many = [{**rows[0], "id": f"many/m{number}", "description": "x" * 2000} for number in range(4000)]
    simulator.set_list(SLUG, "models", [*rows, *many])
    codes = []
    for more in (1, 4, 8, 12, 16, 24, 32, 48, 64, 96, 1024):
        since = marks(database_url)
        old = look(database_url, since)[SLUG]
        process = start(values, tmp_path, *arguments, first=functools.partial(crash.limit_memory, more * 1024 * 1024))
        process.join(30)
        process.kill()  # Python waits for ever for a thread that finds no memory to begin with: python/cpython#140746
        codes.append(code_of(process))
        crash.wait_for_the_server(database_url)
        assert crash.is_sound(database_url)
        new = look(database_url, since)[SLUG]
        if codes[-1] == 0:
            break
        # The commit may be in and the process fail afterwards; then its result is in as well, and it is all there.
        synced = [row["outcome"] for row in new["sync_results"]] == ["synced"]
        assert len(new["model_changes"]) == (4000 if synced else 0), f"{more} MiB more: {output(tmp_path)}"
        assert synced or new["models"] == old["models"]
        crash.let_time_pass(database_url)
    assert codes[-1] == 0, output(tmp_path)
    assert len(codes) > 3
    assert len(models_of(database_url, SLUG)) == 4005
    assert statuses(database_url) <= {"succeeded", "failed", "interrupted"}


# Many at once


def test_c05_i13_eight_processes_change_what_one_changes(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    values, arguments = environment(simulator), ("sync", "--database", database_url, "--providers", SLUG)
    assert program(values, database_url, tmp_path).sync([SLUG]).counts.created == 5
    simulator.set_day(1)
    simulator.add_fault(SLUG, "delay", seconds=0.3, times=2)
    processes = [start(values, tmp_path, *arguments) for _ in range(8)]
    assert [code_of(process) for process in processes] == [0] * 8, output(tmp_path)

    changes = {(change["kind"], change["provider_model_id"]) for change in changes_of(database_url, SLUG)[5:]}
    assert changes == {("added", "acme/scribe-3"), ("missing", "orchard/pip-7b"), ("updated", "acme/scribe-2")}
    assert len(changes_of(database_url, SLUG)) == 5 + 3
    outcomes = Counter(row["outcome"] for row in table(database_url, "sync_results"))
    assert outcomes == {"synced": 2, "not_modified": 7}
    assert statuses(database_url) == {"succeeded"}
    (state,) = table(database_url, "provider_state")
    assert (state["complete_seq"], state["ticket_token"]) == (9, None)
