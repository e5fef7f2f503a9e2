"""Backups that are restored: of a catalog that is being written, of damaged and foreign files, and with Postgres's own tools."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelsync.database.backup import backup, restore
from modelsync.database.migrate import Schema
from modelsync.errors import DatabaseError, UsageError
from modelsync.model.records import Counts
from modelsync.queries.history import History
from modelsync.simulator.server import Simulator
from support import postgres
from support.cli import ROOT, run
from support.cli import environment as process_environment
from support.store import commit, model, opened
from support.sync import TABLES, environment, everything, execute, models_of, program, query


def address(path: Path) -> str:
    return f"sqlite:///{path}"


def catalog(path: Path, *names: str) -> str:
    with opened(address(path)) as store:
        commit(store, *(model(name, context_length=8) for name in names))
    return address(path)


def failed(call: Any, *arguments: Any) -> str:
    with pytest.raises(DatabaseError) as caught:
        call(*arguments)
    return str(caught.value)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Backup and restore of a file


def test_a_backup_is_restored_as_it_was(tmp_path: Path) -> None:
    url, copy, again = catalog(tmp_path / "a.db", "m", "n"), tmp_path / "copy.db", address(tmp_path / "again.db")
    before = everything(url)
    copied = backup(url, copy)
    assert (copied.version, copied.rows["models"], copied.rows["model_changes"], copied.rows["pins"]) == (Schema.head, 2, 2, 0)
    assert set(copied.rows) == {*TABLES, "alembic_version"}
    assert names_in(tmp_path) == ["a.db", "copy.db"]
    assert restore(again, copy) == copied
    assert everything(again) == before
    assert names_in(tmp_path) == ["a.db", "again.db", "copy.db"]
    with pytest.raises(sqlite3.Error, match="rows are only added"):  # triggers are restored, too
        execute(
            again,
            f"INSERT INTO audit_log (at, actor, action, target) VALUES ('{datetime.now(UTC):%Y}', 'a', 'b', 'c')",
            "DELETE FROM audit_log",
        )


WRITER = """
import sys
from support.store import commit, model, opened
with opened(sys.argv[1]) as store:
    for number in range(1, 100_000):
        commit(store, *(model(f"m{index}", context_length=number) for index in range(200)))
        if number == 1:
            print("begun", flush=True)
"""


def test_a_backup_of_a_catalog_that_is_being_written_is_one_committed_state(tmp_path: Path) -> None:
    """The writer gives all 200 models the same context length, another one at each commit."""
    url = address(tmp_path / "live.db")
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    found = []
    with subprocess.Popen([sys.executable, "-c", WRITER, url], env=env, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "begun\n"
            for number in range(6):
                backup(url, tmp_path / f"{number}.db")
                time.sleep(0.05)
            assert writer.poll() is None  # it wrote all the time
        finally:
            writer.kill()
    for number in range(6):
        restored = address(tmp_path / f"restored{number}.db")
        restore(restored, tmp_path / f"{number}.db")
        (last,) = {row["context_length"] for row in models_of(restored, "openrouter").values()}
        (count,) = query(restored, "SELECT count(*) AS changes FROM model_changes")
        (state,) = query(restored, "SELECT committed_seq, complete_seq FROM provider_state")
        assert (count["changes"], state["committed_seq"], state["complete_seq"]) == (200 * last, last, last)
        with opened(restored) as store:
            assert History(store).at([datetime(2001, 1, 1, tzinfo=UTC)]) == [{}]
        found.append(last)
    assert found == sorted(found)
    assert len(set(found)) > 1


def test_a_restored_catalog_goes_on_as_the_one_it_was_made_of(simulator: Simulator, tmp_path: Path) -> None:
    url, restored = address(tmp_path / "a.db"), address(tmp_path / "b.db")
    slugs = ["openrouter", "aihubmix"]
    program(environment(simulator), url, tmp_path).sync(slugs)
    between = datetime.now(UTC)
    backup(url, tmp_path / "copy.db")
    restore(restored, tmp_path / "copy.db")
    simulator.set_day(1)
    for each in (url, restored):
        report = program(environment(simulator), each, tmp_path).sync(slugs)
        assert (report.counts.created, report.counts.updated, report.counts.missing) == (2, 2, 2)
    past = []
    for each in (url, restored):
        with opened(each, read_only=True) as store:
            past.append(History(store).at([datetime(2001, 1, 1, tzinfo=UTC), between, datetime.now(UTC)]))
    assert past[0] == past[1]
    assert [len(state) for state in past[0]] == [0, 11, 13]
    simulator.set_day(1)
    assert program(environment(simulator), restored, tmp_path).sync(slugs).counts == Counts(
        fetched=11, transformed=11, synced=11, unchanged=11, missing=2
    )


def test_an_older_catalog_can_be_backed_up_before_it_is_upgraded(tmp_path: Path) -> None:
    url = catalog(tmp_path / "a.db", "m")
    execute(url, "UPDATE alembic_version SET version_num = '0002'")
    env = process_environment(tmp_path)
    assert run(tmp_path, "db", "backup", "old.db", "--database", "a.db", env=env).returncode == 0
    done = run(tmp_path, "db", "restore", "old.db", "--database", "b.db", env=env)
    assert (done.returncode, done.stdout.splitlines()[1]) == (0, "It was made by an older modelsync. Run: modelsync db upgrade")


# What is refused


def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    url = catalog(tmp_path / "a.db", "m")
    (tmp_path / "notes").write_text("mine")
    assert failed(backup, url, tmp_path / "notes") == f"{tmp_path}/notes is there already. Nothing was written; a backup needs a new file"
    assert failed(backup, url, tmp_path / "a.db").startswith(f"{tmp_path}/a.db is there already")
    assert (tmp_path / "notes").read_text() == "mine"
    assert names_in(tmp_path) == ["a.db", "notes"]
    assert failed(backup, url, tmp_path / "no" / "copy.db").startswith(f"{tmp_path}/no/copy.db")
    assert failed(backup, address(tmp_path / "none.db"), tmp_path / "copy.db").startswith(f"There is no catalog at {tmp_path}/none.db")
    assert names_in(tmp_path) == ["a.db", "notes"]


def test_what_a_failed_backup_wrote_is_taken_away(tmp_path: Path) -> None:
    catalog(tmp_path / "a.db", *(f"m{number}" for number in range(500)))
    assert (tmp_path / "a.db").stat().st_size > 150_000
    code = f"ulimit -f 120; exec {shlex.quote(sys.executable)} -m modelsync db backup copy.db --database a.db"  # 120 blocks of 512 bytes
    done = subprocess.run(["sh", "-c", code], cwd=tmp_path, env=process_environment(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.match(rf"modelsync: (no space left for )?{tmp_path}/copy.db", done.stderr), done.stderr
    assert names_in(tmp_path) == ["a.db"]


def damaged(path: Path) -> None:
    """One table's pages are overwritten; the file still opens."""
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_model_changes_model'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x0a" + b"\x00" * (size - 1))  # an index page without entries


def test_a_damaged_catalog_makes_no_backup_and_a_damaged_backup_no_catalog(tmp_path: Path) -> None:
    url = catalog(tmp_path / "a.db", *(f"m{number}" for number in range(20)))
    backup(url, tmp_path / "copy.db")
    damaged(tmp_path / "a.db")
    damaged(tmp_path / "copy.db")
    assert failed(backup, url, tmp_path / "other.db").startswith(f"{tmp_path}/a.db is damaged: ")
    assert failed(restore, address(tmp_path / "b.db"), tmp_path / "copy.db").startswith(f"{tmp_path}/copy.db is damaged: ")
    (tmp_path / "cut.db").write_bytes((tmp_path / "copy.db").read_bytes()[:20_000])
    assert failed(restore, address(tmp_path / "b.db"), tmp_path / "cut.db").startswith(f"{tmp_path}/cut.db is not a usable SQLite database")
    assert names_in(tmp_path) == ["a.db", "copy.db", "cut.db"]


def test_a_restore_is_never_over_a_catalog(tmp_path: Path) -> None:
    copy, target = tmp_path / "copy.db", tmp_path / "b.db"
    backup(catalog(tmp_path / "a.db", "m"), copy)
    catalog(target, "other")
    before = target.read_bytes()
    expected = "is not empty, and a restore never overwrites. Nothing was written; restore into another one with --database, or move this"
    assert failed(restore, address(target), copy).startswith(f"{target} {expected}")
    execute(address(tmp_path / "theirs.db"), "CREATE TABLE notes (x)")
    assert failed(restore, address(tmp_path / "theirs.db"), copy).startswith(f"{tmp_path}/theirs.db {expected}")
    assert failed(restore, address(copy), copy).startswith(f"{copy} {expected}")
    assert target.read_bytes() == before

    target.unlink()
    target.with_name("b.db-wal").write_bytes(b"left behind")  # SQLite would play it into the restored catalog
    assert failed(restore, address(target), copy).startswith(f"{target}-wal belongs to another database. Nothing was written; end the")
    target.with_name("b.db-wal").unlink()
    target.touch()  # an empty file is an empty database
    assert restore(address(target), copy).rows["models"] == 1


def test_a_restore_beside_a_program_that_just_opened_the_empty_database(tmp_path: Path) -> None:
    backup(catalog(tmp_path / "a.db", "m"), tmp_path / "copy.db")
    other = sqlite3.connect(tmp_path / "b.db")
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("SELECT * FROM sqlite_master").fetchall()
    assert "belongs to another database" in failed(restore, address(tmp_path / "b.db"), tmp_path / "copy.db")
    other.close()
    restore(address(tmp_path / "b.db"), tmp_path / "copy.db")


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("9999", f"The catalog (schema 9999) is newer than this modelsync ({Schema.head}). Nothing was touched; update modelsync"),
        ("0000", "The catalog has schema 0000, which this modelsync does not know. Nothing was touched"),
    ],
)
def test_a_schema_that_is_not_known_is_neither_backed_up_nor_restored(tmp_path: Path, version: str, told: str) -> None:
    url = catalog(tmp_path / "a.db", "m")
    execute(url, f"UPDATE alembic_version SET version_num = '{version}'")
    assert failed(backup, url, tmp_path / "copy.db") == told
    assert failed(restore, address(tmp_path / "b.db"), tmp_path / "a.db") == told
    assert names_in(tmp_path) == ["a.db"]


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    target = address(tmp_path / "b.db")
    (tmp_path / "notes").write_text("these are notes, and no database at all\n" * 200)
    (tmp_path / "empty").touch()
    execute(address(tmp_path / "theirs.db"), "CREATE TABLE models (x)")
    assert failed(restore, target, tmp_path / "notes").startswith(f"{tmp_path}/notes is not a usable SQLite database")
    assert failed(restore, target, tmp_path / "none").startswith(f"There is no file {tmp_path}/none")
    for name in ("empty", "theirs.db"):
        assert (
            failed(restore, target, tmp_path / name)
            == f"{tmp_path}/{name} holds no catalog of modelsync. Nothing was written; name another file"
        )
    assert names_in(tmp_path) == ["empty", "notes", "theirs.db"]


def test_the_commands_print_what_was_copied(tmp_path: Path) -> None:
    catalog(tmp_path / "a.db", "m", "n")
    env = process_environment(tmp_path)
    done = run(tmp_path, "db", "backup", "copy.db", "--database", "a.db", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        f"{tmp_path}/a.db is in {tmp_path}/copy.db: schema {Schema.head}, integrity ok; rows: alembic_version 1, "
    )
    assert ", model_changes 2, models 2, " in done.stdout
    done = run(tmp_path, "db", "restore", "copy.db", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/copy.db is in {tmp_path}/modelsync.db: schema {Schema.head}, integrity ok; rows: ")
    assert len(done.stdout.splitlines()) == 1
    assert run(tmp_path, "db", "restore", "copy.db", env=env).returncode == 1


# Postgres, by its own tools


def own_tools() -> str:
    found = postgres.binaries()
    if found is None or not (found / "pg_dump").exists():
        pytest.skip("no pg_dump")
    return str(found)


def shell(tmp_path: Path, command: str) -> None:
    """Run a command as it was printed."""
    env = {"PATH": f"{own_tools()}:{os.environ['PATH']}"}
    done = subprocess.run(shlex.split(command), cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def printed(tmp_path: Path, *arguments: str) -> str:
    """The command that `modelsync db …` says to run."""
    done = run(tmp_path, "db", *arguments, env=process_environment(tmp_path))
    assert (done.returncode, done.stdout) == (64, ""), done.stderr
    found = re.search(r"Run \(the password is asked for, or PGPASSWORD\): (pg_.*)$", done.stderr)
    assert found, done.stderr
    return found[1]


def test_postgres_is_dumped_and_restored_by_the_commands_that_are_printed(postgres_server: str, tmp_path: Path) -> None:
    own_tools()
    one, two = (postgres.new_database(postgres_server, name) for name in ("backed_up", "restored"))
    try:
        with opened(one) as store:
            commit(store, model("m", context_length=8), model("n"))
            commit(store, model("m", context_length=16), model("n"))
        execute(one, "CREATE SCHEMA theirs", "CREATE TABLE theirs.secrets (x int)")  # as Supabase has many
        before = everything(one)
        shell(tmp_path, printed(tmp_path, "backup", "cat alog.dump", "--database", one))
        shell(tmp_path, printed(tmp_path, "restore", "cat alog.dump", "--database", two))
        assert everything(two) == before
        assert query(two, "SELECT 1 FROM information_schema.tables WHERE table_schema = 'theirs'") == []
        with pytest.raises(psycopg.Error, match="rows are only added"):
            execute(two, "DELETE FROM audit_log")
        with opened(two) as store:
            result = commit(store, model("m", context_length=32), model("n"))
            assert (result.counts.updated, result.counts.unchanged) == (1, 1)
            (at_first,) = History(store).at([datetime(2001, 1, 1, tzinfo=UTC)])
            assert at_first == {}
        assert [row["id"] for row in query(two, "SELECT id FROM model_changes ORDER BY id")] == [1, 2, 3, 4]  # numbers go on
        told = failed(restore, two, Path("catalog.dump"))
        assert "/restored is not empty, and a restore never overwrites" in told
    finally:
        for name in ("backed_up", "restored"):
            postgres.drop_database(postgres_server, name)


def test_no_password_is_in_the_command(postgres_server: str, tmp_path: Path) -> None:
    name = "with_password"
    plain = postgres.new_database(postgres_server, name)
    try:
        secret = plain.replace("modelsync@", "modelsync:CANARY-%4012@") + "?application_name=x%20y&pgbouncer=true&password=CANARY-34"
        with pytest.raises(UsageError) as caught:
            restore(secret, Path("a.dump"))
        assert "CANARY" not in str(caught.value)
        assert shlex.split(caught.value.hint)[-2:] == [f"--dbname={plain}?application_name=x+y", "a.dump"]
        assert failed(backup, secret, Path("a.dump")).startswith("There is no catalog in postgresql://modelsync:***@")
    finally:
        postgres.drop_database(postgres_server, name)


def test_tables_in_a_schema_of_their_own_are_named(postgres_server: str, tmp_path: Path) -> None:
    name = "own_schema"
    plain = postgres.new_database(postgres_server, name)
    try:
        execute(plain, "CREATE SCHEMA catalog")
        url = f"{plain}?options=-csearch_path%3Dcatalog"
        with opened(url) as store:
            commit(store, model("m"))
        command = printed(tmp_path, "backup", "own.dump", "--database", url)
        assert " --schema=catalog " in command
        shell(tmp_path, command)
        assert (tmp_path / "own.dump").stat().st_size > 1000
    finally:
        postgres.drop_database(postgres_server, name)


def test_a_file_is_copied_with_what_a_killed_program_left_in_its_log(tmp_path: Path) -> None:
    with opened(address(tmp_path / "alive.db")) as store:
        commit(store, model("m"))
        for end in ("", "-wal"):
            shutil.copyfile(tmp_path / f"alive.db{end}", tmp_path / f"dead.db{end}")
    assert backup(address(tmp_path / "dead.db"), tmp_path / "copy.db").rows["models"] == 1
