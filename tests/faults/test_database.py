"""What goes wrong with the database: the catalog stays as it was, the run says so, and the next one works (matrix D)."""

import contextlib
import functools
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelsync.database.migrate import Schema
from modelsync.simulator.server import Simulator
from support import crash, postgres
from support.crash import DIED, output, start, statuses, until
from support.process import code_of
from support.store import upgraded_to
from support.sync import changes_of, environment, everything, execute, program, query, sqlite_path, table

SLUG = "openrouter"
CATALOG = ("providers", "models", "model_changes", "holds")


class Catalog:
    """A catalog after the first day's sync, with the second day to come."""

    def __init__(self, simulator: Simulator, database_url: str, folder: Path) -> None:
        simulator.reset()
        self.simulator, self.database_url, self.folder = simulator, database_url, folder
        self.values = environment(simulator)
        self.program = program(self.values, database_url, folder)
        assert self.program.sync([SLUG]).counts.created == 5
        self.before = self.rows()
        simulator.set_day(1)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        return {name: table(self.database_url, name) for name in CATALOG}

    def facts(self) -> dict[str, list[dict[str, Any]]]:
        """The rows, but for the provider's health, which failures move."""
        rows = self.rows()
        return {**rows, "providers": [{**row, "health_status": None} for row in rows["providers"]]}

    def is_as_before(self) -> bool:
        return self.facts() == {**self.before, "providers": [{**row, "health_status": None} for row in self.before["providers"]]}

    def start(self, **more: Any) -> Any:
        return start(self.values, self.folder, "sync", "--database", self.database_url, "--providers", SLUG, **more)

    def sync(self, **more: Any) -> tuple[int, str]:
        """Exit code and words of a sync in a process of its own."""
        return code_of(self.start(**more)), output(self.folder)

    def comes_right(self) -> None:
        """The next sync makes exactly what it would have made at once, and no run is left running."""
        crash.let_time_pass(self.database_url)
        code, told = self.sync()
        assert code == 0, told
        assert {(row["kind"], row["provider_model_id"]) for row in changes_of(self.database_url, SLUG)[5:]} == {
            ("added", "acme/scribe-3"),
            ("missing", "orchard/pip-7b"),
            ("updated", "acme/scribe-2"),
        }
        assert len(changes_of(self.database_url, SLUG)) == 5 + 3
        assert statuses(self.database_url) <= {"succeeded", "failed", "interrupted"}
        assert crash.is_sound(self.database_url)


@pytest.fixture
def catalog(simulator: Simulator, database_url: str, tmp_path: Path) -> Catalog:
    return Catalog(simulator, database_url, tmp_path)


@pytest.fixture
def postgres_catalog(simulator: Simulator, postgres_server: str, tmp_path: Path) -> Iterator[Catalog]:
    name = f"faults_{random.randrange(10**9)}"
    yield Catalog(simulator, postgres.new_database(postgres_server, name), tmp_path)
    postgres.drop_database(postgres_server, name)


@pytest.fixture
def sqlite_catalog(simulator: Simulator, tmp_path: Path) -> Catalog:
    return Catalog(simulator, f"sqlite:///{tmp_path}/catalog.db", tmp_path)


def told_in_a_sentence(told: str) -> bool:
    return ("Traceback" not in told and "modelsync: " in told) or "✗ openrouter: " in told


# D1


def test_d01_a_server_that_is_down(catalog: Catalog) -> None:
    address = f"postgresql://modelsync@127.0.0.1:{postgres.free_port()}/catalog"
    code = code_of(start(catalog.values, catalog.folder, "sync", "--database", address))
    assert (code, told_in_a_sentence(output(catalog.folder))) == (1, True)


@contextlib.contextmanager
def in_the_middle_of_its_commit(catalog: Catalog) -> Iterator[Any]:
    """A sync whose models are written and whose history waits for somebody else's lock."""
    with psycopg.connect(catalog.database_url) as other:
        other.execute("LOCK TABLE model_changes IN EXCLUSIVE MODE")
        process = catalog.start()
        waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'modelsync' AND wait_event_type = 'Lock'"
        until(lambda: query(catalog.database_url, waiting))
        yield process


def test_d01_a_connection_that_is_ended_in_the_middle_of_a_commit(postgres_catalog: Catalog) -> None:
    with in_the_middle_of_its_commit(postgres_catalog) as process:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'modelsync' AND wait_event_type = 'Lock'"
        execute(postgres_catalog.database_url, ended)
        time.sleep(0.1)
    assert code_of(process) == 1
    assert told_in_a_sentence(output(postgres_catalog.folder))
    assert postgres_catalog.is_as_before()
    assert [run["status"] for run in table(postgres_catalog.database_url, "sync_runs")] == ["succeeded", "failed"]
    postgres_catalog.comes_right()


@contextlib.contextmanager
def restarted(address: str, process_id: int, command: list[str], owner: os.stat_result) -> Iterator[None]:
    """The server again, with the same data."""
    user: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **user) as process:
        until(lambda: answers(address))
        yield
        process.terminate()


def answers(address: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(f"{address}/postgres").close()
        return True
    return False


def test_d01_a_server_that_crashes_in_the_middle_of_a_commit(simulator: Simulator, tmp_path: Path) -> None:
    with postgres.server() as address:
        if address is None:
            pytest.skip("no PostgreSQL binaries")
        catalog = Catalog(simulator, postgres.new_database(address, "crashing"), tmp_path)
        data = Path(query(catalog.database_url, "SHOW data_directory")[0]["data_directory"])
        pid = int((data / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        with contextlib.suppress(psycopg.OperationalError), in_the_middle_of_its_commit(catalog) as process:
            os.kill(pid, signal.SIGQUIT)  # as `pg_ctl -m immediate stop`
            until(lambda: not answers(address))
        assert code_of(process) == 1
        assert told_in_a_sentence(output(tmp_path))
        with restarted(address, pid, command, data.stat()):
            assert catalog.is_as_before()
            assert [run["status"] for run in table(catalog.database_url, "sync_runs")] in (
                ["succeeded", "running"],
                ["succeeded", "failed"],
            )
            catalog.comes_right()


# D3, D5: somebody else holds what the commit needs


@contextlib.contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Somebody else's transaction, which no commit of ours gets past."""
    if database_url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(sqlite_path(database_url), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        return
    with psycopg.connect(database_url) as other:
        other.execute("SELECT * FROM models FOR UPDATE")
        yield
        other.rollback()


def test_d03_d05_a_lock_held_for_a_second_is_waited_for(catalog: Catalog) -> None:
    catalog.simulator.clear_requests()
    catalog.simulator.add_fault(SLUG, "delay", seconds=0.5)
    process = catalog.start()
    until(lambda: catalog.simulator.requests(SLUG))
    with locked(catalog.database_url):
        time.sleep(1.5)
        assert catalog.is_as_before()
        assert process.exitcode is None
    assert code_of(process) == 0
    catalog.simulator.clear_faults()
    catalog.comes_right()


@pytest.mark.soak
def test_d03_d05_a_lock_held_for_ever_ends_the_sync(catalog: Catalog) -> None:
    catalog.simulator.clear_requests()
    catalog.simulator.add_fault(SLUG, "delay", seconds=0.5, times=1)
    process = catalog.start()
    until(lambda: catalog.simulator.requests(SLUG))
    with locked(catalog.database_url):
        code = code_of(process, seconds=150)
        told = output(catalog.folder)
        assert (code, told_in_a_sentence(told)) == (1, True), told
    assert catalog.is_as_before()
    catalog.comes_right()


def test_d03_a_statement_timeout_of_the_server(postgres_catalog: Catalog) -> None:
    name = postgres_catalog.database_url.rpartition("/")[2]
    execute(postgres_catalog.database_url, f"ALTER DATABASE {name} SET statement_timeout = '500ms'")
    with locked(postgres_catalog.database_url):
        code, told = postgres_catalog.sync()
    assert (code, "took longer than it allows" in told, "Traceback" in told) == (1, True, False), told
    assert postgres_catalog.is_as_before()
    assert [run["status"] for run in table(postgres_catalog.database_url, "sync_runs")] == ["succeeded", "failed"]
    execute(postgres_catalog.database_url, f"ALTER DATABASE {name} RESET statement_timeout")
    postgres_catalog.comes_right()


def lost(catalog: Catalog, other: "psycopg.Connection[Any]", first: str, then: str | None) -> int:
    """How a sync ends that waits for what `first` locks, and loses once `then` is said or `first` is committed."""
    catalog.simulator.clear_requests()
    catalog.simulator.add_fault(SLUG, "delay", seconds=0.5, times=1)
    process = catalog.start()
    until(lambda: catalog.simulator.requests(SLUG))
    other.execute(first.encode())
    waiting = "SELECT pid FROM pg_stat_activity WHERE application_name = 'modelsync' AND wait_event_type = 'Lock'"
    until(lambda: query(catalog.database_url, waiting))
    if then:
        other.execute(then.encode())
    other.commit()
    return code_of(process)


def deadlocked(catalog: Catalog) -> int:
    with psycopg.connect(catalog.database_url) as other:
        other.execute("SET deadlock_timeout = '20s'")  # the sync looks first, and so is the one who loses
        return lost(catalog, other, "SELECT * FROM models FOR UPDATE", "UPDATE provider_state SET last_attempt_at = last_attempt_at")


def outdated(catalog: Catalog) -> int:
    """Where a database prefers repeatable reads, a row that somebody else changed meanwhile ends the transaction."""
    name = catalog.database_url.rpartition("/")[2]
    execute(catalog.database_url, f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    with psycopg.connect(catalog.database_url) as other:
        return lost(catalog, other, "UPDATE models SET description = description", None)


@pytest.mark.parametrize("lose", [deadlocked, outdated])
def test_d03_a_deadlock_or_a_serialization_failure_is_tried_again(postgres_catalog: Catalog, lose: Callable[[Catalog], int]) -> None:
    assert lose(postgres_catalog) == 0, output(postgres_catalog.folder)
    postgres_catalog.comes_right()


@pytest.mark.parametrize("lose", [deadlocked, outdated])
def test_d03_a_deadlock_or_a_serialization_failure_leaves_nothing_half_written(
    postgres_catalog: Catalog, lose: Callable[[Catalog], int]
) -> None:
    code = lose(postgres_catalog)
    told = output(postgres_catalog.folder)
    assert (code in (0, 1), "Traceback" in told) == (True, False), told
    assert code == 0 or postgres_catalog.is_as_before()
    postgres_catalog.comes_right()


# D4


def test_d04_a_server_without_a_free_connection(postgres_catalog: Catalog, postgres_server: str) -> None:
    """One connection for five providers: who gets it succeeds, who does not says why. None at all: a sentence."""
    url = postgres_catalog.database_url
    execute(
        url,
        "DROP ROLE IF EXISTS few",
        "CREATE ROLE few LOGIN CONNECTION LIMIT 1",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO few",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO few",
        "GRANT ALL ON SCHEMA public TO few",
    )
    limited = url.replace("modelsync@", "few@")
    slugs = (SLUG, "near", "groq", "together", "xai")
    try:
        with psycopg.connect(limited):
            code = code_of(start(postgres_catalog.values, postgres_catalog.folder, "sync", "--database", limited, "--providers", SLUG))
            told = output(postgres_catalog.folder)
            assert (code, "too many connections" in told, "Traceback" in told) == (1, True, False), told
            assert postgres_catalog.is_as_before()
        code = code_of(start(postgres_catalog.values, postgres_catalog.folder, "sync", "--database", limited, "--providers", *slugs))
        told = output(postgres_catalog.folder)
        assert (code in (0, 1), "Traceback" in told) == (True, False), told
        synced = {row["provider"] for row in query(url, "SELECT provider FROM sync_results WHERE run_id = 2 AND outcome = 'synced'")}
        for slug in slugs:
            assert (len(changes_of(url, slug, run_id=2)) > 0) == (slug in synced)
        crash.let_time_pass(url)
        assert postgres_catalog.program.sync(slugs).status == "succeeded"
    finally:
        execute(url, "DROP OWNED BY few", "DROP ROLE few")


def test_d04_many_readers(catalog: Catalog) -> None:
    with contextlib.ExitStack() as readers:
        for _ in range(20):
            ask = readers.enter_context(crash.connected(catalog.database_url))
            ask("SELECT count(*) FROM models")
        code, told = catalog.sync()
        assert code == 0, told
    catalog.comes_right()


# D5


def test_d05_a_reader_that_stays_open(sqlite_catalog: Catalog) -> None:
    """It goes on seeing what it saw; the log is folded once it is gone."""
    log = sqlite_path(sqlite_catalog.database_url).with_name("catalog.db-wal")
    reader = sqlite3.connect(sqlite_path(sqlite_catalog.database_url), isolation_level=None)
    reader.execute("BEGIN")
    count = reader.execute("SELECT count(*) FROM model_changes").fetchone()
    for day in (1, 0, 1):
        sqlite_catalog.simulator.set_day(day)
        assert sqlite_catalog.sync()[0] == 0
        assert reader.execute("SELECT count(*) FROM model_changes").fetchone() == count == (5,)
    assert log.stat().st_size > 0
    reader.close()
    sqlite_catalog.simulator.set_day(0)
    assert sqlite_catalog.sync()[0] == 0
    assert not log.exists()
    assert crash.is_sound(sqlite_catalog.database_url)


# D6


def short_of_room(catalog: Catalog, **more: Any) -> bool:
    """Sync where there may be too little room; whether the commit is in. If not, nothing is; if the run's end did not fit, that is told."""
    code, told = catalog.sync(**more)
    assert crash.is_sound(catalog.database_url)
    assert "Traceback" not in told
    if code:
        assert "no space left" in told or "cannot be read or written" in told, told
    if code == 0 or len(changes_of(catalog.database_url, SLUG)) > 5:
        return True
    assert catalog.is_as_before()
    crash.let_time_pass(catalog.database_url)
    return False


def test_d06_a_limit_on_file_sizes(sqlite_catalog: Catalog) -> None:
    """From a process that may write next to nothing to one that has room enough."""
    sizes = range(10_000, 2_000_000, 20_000)
    tried = [short_of_room(sqlite_catalog, first=functools.partial(crash.limit_file_size, size)) for size in sizes[:3]]
    assert tried == [False] * 3
    assert any(short_of_room(sqlite_catalog, first=functools.partial(crash.limit_file_size, size)) for size in sizes[3:])
    sqlite_catalog.comes_right()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 1 MB; only root may make one."""
    folder.mkdir()
    made = os.getuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True)
    if not made or made.returncode:
        pytest.skip("may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_d06_a_full_disk(simulator: Simulator, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        catalog = Catalog(simulator, f"sqlite:///{disk}/catalog.db", tmp_path)
        filling, rooms = disk / "filling", range(0, 200, 8)
        for room in rooms:
            with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            os.truncate(filling, filling.stat().st_size - 4096 * room)
            if short_of_room(catalog):
                break
            listed = code_of(start(catalog.values, tmp_path, "models", "--database", catalog.database_url))
            assert (listed, "acme/scribe-2" in output(tmp_path)) == (0, True)
            filling.unlink()
        assert rooms[0] < room < rooms[-1]
        filling.unlink()
        catalog.comes_right()


# D7


def test_d07_a_read_only_disk(simulator: Simulator, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        catalog = Catalog(simulator, f"sqlite:///{disk}/catalog.db", tmp_path)
        files = {path.name: path.read_bytes() for path in disk.iterdir()}
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        code, told = catalog.sync()
        assert (code, told_in_a_sentence(told), "Traceback" in told) == (1, True, False), told
        assert "read-only" in told or "cannot be opened" in told
        assert {path.name: path.read_bytes() for path in disk.iterdir()} == files
        listed = code_of(start(catalog.values, tmp_path, "models", "--database", catalog.database_url))
        assert (listed, "acme/scribe-2" in output(tmp_path)) == (0, True)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert catalog.is_as_before()
        catalog.comes_right()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_d07_a_read_only_file_and_folder(sqlite_catalog: Catalog) -> None:
    path = sqlite_path(sqlite_catalog.database_url)
    path.chmod(0o444)
    code, told = sqlite_catalog.sync()
    path.chmod(0o644)
    assert (code, told_in_a_sentence(told)) == (1, True), told
    assert sqlite_catalog.is_as_before()
    sqlite_catalog.comes_right()


def test_d07_a_database_that_only_reads(postgres_catalog: Catalog) -> None:
    name = postgres_catalog.database_url.rpartition("/")[2]
    execute(postgres_catalog.database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    code, told = postgres_catalog.sync()
    assert (code, told_in_a_sentence(told), "read-only" in told) == (1, True, True), told
    execute(postgres_catalog.database_url, "SET TRANSACTION READ WRITE", f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert postgres_catalog.is_as_before()
    postgres_catalog.comes_right()


# D8


def test_d08_random_bytes_are_no_database(simulator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(random.Random(8).randbytes(100_000))
    before = path.read_bytes()
    for command in ("sync", "models", "status"):
        code = code_of(start(environment(simulator), tmp_path, command, "--database", f"sqlite:///{path}"))
        told = output(tmp_path)
        assert (code, "Traceback" in told) == (1, False), told
        assert "is not a usable SQLite database. Nothing was written; restore a backup" in told
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["catalog.db", "output"]


@pytest.mark.parametrize("spoilt", ["sqlite_schema", "models", "model_changes", "provider_state"])
def test_d08_an_overwritten_page(sqlite_catalog: Catalog, spoilt: str) -> None:
    path = sqlite_path(sqlite_catalog.database_url)
    whole = path.read_bytes()
    roots = query(sqlite_catalog.database_url, f"SELECT rootpage FROM sqlite_master WHERE name = '{spoilt}'")
    at = (roots[0]["rootpage"] - 1) * 4096 if roots else 0
    broken = whole[:at] + random.Random(8).randbytes(4096) + whole[at + 4096 :]
    path.write_bytes(broken)

    code, told = sqlite_catalog.sync()
    assert (code, "Traceback" in told) == (1, False), told
    assert "is not a usable SQLite database" in told
    assert path.read_bytes()[at : at + 4096] == broken[at : at + 4096], "nothing is written over what cannot be read"

    for end in ("-wal", "-shm"):
        path.with_name(f"{path.name}{end}").unlink(missing_ok=True)
    path.write_bytes(whole)
    assert sqlite_catalog.is_as_before()
    sqlite_catalog.comes_right()


# D9


def test_d09_a_newer_or_older_schema(catalog: Catalog) -> None:
    for found, words in (("9999", "is newer than this modelsync"), ("0000", "Back it up, then run: modelsync db upgrade")):
        execute(catalog.database_url, f"UPDATE alembic_version SET version_num = '{found}'")
        before = everything(catalog.database_url)
        code, told = catalog.sync()
        assert (code, words in told, "Traceback" in told) == (1, True, False), told
        assert everything(catalog.database_url) == before
    execute(catalog.database_url, f"UPDATE alembic_version SET version_num = '{Schema.head}'")
    catalog.comes_right()


def tables(database_url: str) -> set[str]:
    if database_url.startswith("sqlite"):
        found = query(database_url, "SELECT name FROM sqlite_master WHERE type = 'table'")
    else:
        found = query(
            database_url,
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
        )
    return {row["name"] for row in found}


@pytest.mark.parametrize("every", [pytest.param(6, id="some"), pytest.param(1, id="each", marks=pytest.mark.soak)])
@pytest.mark.parametrize("older", [None, "0001"])
def test_d09_an_upgrade_killed_at_every_statement(empty_database_url: str, tmp_path: Path, older: str | None, every: int) -> None:
    """The old schema with all its rows, or the new one; and a next upgrade that completes it."""
    execute(empty_database_url)  # an empty file, an empty database
    if older:
        upgraded_to(empty_database_url, older)
        moment = "'2026-01-01T00:00:00.000000Z'"
        row = f"INSERT INTO providers (slug, name, metadata, created_at, updated_at) VALUES ('near', 'mine', '{{}}', {moment}, {moment})"
        execute(empty_database_url, row)
    before = tables(empty_database_url)
    die = crash.die_before_statement if empty_database_url.startswith("sqlite") else crash.die_having_sent
    deaths = 0
    for number in range(random.randint(1, every), 1000, every):
        code = code_of(start({}, tmp_path, "db", "upgrade", "--database", empty_database_url, first=functools.partial(die, number)))
        crash.wait_for_the_server(empty_database_url)
        if Schema(empty_database_url).version() == Schema.head:
            break
        assert code == DIED, output(tmp_path)
        assert (Schema(empty_database_url).version(), tables(empty_database_url)) == (older, before)
        deaths += 1
    assert deaths > 40 // every, deaths
    assert code_of(start({}, tmp_path, "db", "upgrade", "--database", empty_database_url)) == 0
    assert [row["name"] for row in query(empty_database_url, "SELECT name FROM providers")] == (["mine"] if older else [])
    assert query(empty_database_url, "SELECT version_num FROM alembic_version") == [{"version_num": Schema.head}]


def test_d09_four_first_upgrades_at_once(empty_database_url: str, tmp_path: Path) -> None:
    processes = [start({}, tmp_path, "db", "upgrade", "--database", empty_database_url) for _ in range(4)]
    assert [code_of(process) for process in processes] == [0] * 4, output(tmp_path)
    assert query(empty_database_url, "SELECT version_num FROM alembic_version") == [{"version_num": Schema.head}]
    assert crash.is_sound(empty_database_url)
