"""`modelsync db copy`: a catalog in another database, of either kind: what comes along, what does not, and what is refused."""

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from modelsync.database import copying
from modelsync.database.migrate import Schema
from modelsync.database.schema import metadata
from modelsync.operations.workers import beat
from modelsync.planning.outcome import Report
from modelsync.simulator.server import Simulator
from support.cli import ROOT, environment, run, run_json
from support.copies import COMING, SLUGS, WAYS, Places, contents, inserting, is_empty, many
from support.crash import until
from support.process import running
from support.store import commit as committed
from support.store import lease_for, model, opened, upgraded_to
from support.sync import environment as keys_of
from support.sync import execute, program, query, sqlite_path

ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: "-to-".join(way))
RANDOM = {"edition", "ticket_token", "duration_seconds", "received_at", "stated_at", "since", "missing_since", "at"}


def copied(folder: Path, source: str, target: str, *more: str) -> Any:
    return run(folder, "db", "copy", "--database", source, "--to", target, *more, env=environment(folder))


def refused(folder: Path, source: str, target: str, *more: str, code: int = 1) -> str:
    done = copied(folder, source, target, *more)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr
    return str(done.stderr)


def pauses(address: str) -> list[str]:
    return [row["reason"] for row in query(address, "SELECT reason FROM pauses ORDER BY id")]


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name not in RANDOM and not name.endswith("_at")}
    return [without_times(part) for part in value] if isinstance(value, list | tuple) else value


def told(report: Report) -> list[Any]:
    return [(result.slug, result.outcome, result.counts, result.warnings) for result in report.results]


def planned_of(report: Report) -> list[Any]:
    found = [(result.slug, result.counts, getattr(result.outcome, "plan", None)) for result in report.results]
    return [(slug, counts, plan and [(each.kind, each.id, each.fields) for each in plan.changes]) for slug, counts, plan in found]


# What comes along


@ways
def test_everything_comes_along_with_every_value(places: Places, simulator: Simulator, tmp_path: Path, way: tuple[str, str]) -> None:
    source, target = places.lived(way[0]), places.empty(way[1])
    before = contents(source)
    assert [name for name, rows in before.items() if not rows and name not in ("pauses", "workers")] == []
    done = copied(tmp_path, source, target, "--keep")
    assert done.returncode == 0, done.stderr
    assert contents(target) == contents(source) == before
    counted = ", ".join(f"{table.name} {len(before[table.name]):,}" for table in metadata.sorted_tables)
    assert f": schema {Schema.head}, every row compared; rows: {counted}\n" in done.stdout
    assert done.stdout.endswith(" stays in use; what changes there from now on is not in the copy.\n")
    names = [table.name for table in metadata.sorted_tables]
    lines = [f"{name}: {len(before[name]):,} rows {what}" for what in ("copied", "compared") for name in names]
    assert done.stderr.splitlines() == lines
    assert query(target, "SELECT count(*) AS n FROM catalog") == query(source, "SELECT count(*) AS n FROM catalog")
    with pytest.raises(Exception, match="rows are only added"):
        execute(target, "DELETE FROM audit_log")


@ways
def test_a_copy_goes_on_just_as_what_it_was_copied_from(places: Places, simulator: Simulator, tmp_path: Path, way: tuple[str, str]) -> None:
    source, target = places.lived(way[0]), places.empty(way[1])
    assert copied(tmp_path, source, target, "--keep").returncode == 0
    for day in (1, 0):  # as it was, and with news
        simulator.set_day(day)
        reports = []
        for address in (source, target):
            ours = program(keys_of(simulator), address, tmp_path)
            planned = ours.sync(SLUGS, dry_run=True)
            reports.append([planned_of(planned), *(told(ours.sync([slug])) for slug in SLUGS)])
        assert reports[0] == reports[1]
        updated = sum(result[2].updated for part in reports[0][1:] for result in part)
        assert (updated, day) == (0, 1) or (updated > 2 and day == 0)
        assert without_times(contents(source)) == without_times(contents(target))


def test_the_next_row_of_every_table_has_a_number_of_its_own(places: Places, simulator: Simulator, tmp_path: Path) -> None:
    source = places.lived("sqlite")
    execute(source, "INSERT INTO pauses (at, actor, reason) VALUES ('2026-11-22T00:00:00.000000Z', 'a', 'b')")
    for kind in ("postgres", "sqlite"):
        target = places.empty(kind)
        assert copied(tmp_path, source, target, "--keep").returncode == 0
        numbered = [table for table in COMING if "id" in table.columns]
        assert len(numbered) == 11
        with inserting(target) as connection:
            for table in numbered:
                last = connection.execute(sa.select(table).order_by(table.c.id.desc()).limit(1)).mappings().one()
                unique = {"slug": "new", "digest": "new", "provider_model_id": "new", "provider": "new"}
                row = {**last, **{name: value for name, value in unique.items() if name in last}}
                row.pop("id")
                number = connection.execute(sa.insert(table).values(row).returning(table.c.id)).scalar_one()
                assert number == last["id"] + 1, table.name


# What stays behind


@ways
def test_leases_and_runs_under_way_stay_behind(places: Places, tmp_path: Path, way: tuple[str, str]) -> None:
    source, target = places.catalog(way[0]), places.empty(way[1])
    with opened(source) as store:
        committed(store, model("m", context_length=8))
        lease_for(store)
        assert copied(tmp_path, source, target, "--keep").returncode == 0
    (theirs,), (ours,) = (query(address, "SELECT * FROM provider_state") for address in (source, target))
    assert theirs["ticket_token"]
    assert {**theirs, "ticket_token": None, "ticket_run_id": None, "ticket_until": None} == ours
    assert ours["ticket_seq"] == ours["committed_seq"] + 1 == 2
    runs = [query(address, "SELECT * FROM sync_runs ORDER BY id") for address in (source, target)]
    assert [row["status"] for row in runs[0]] == ["running", "running"]
    assert runs[1] == [{**row, "status": "interrupted", "finished_at": row["heartbeat_at"]} for row in runs[0]]
    with opened(target) as store:  # nobody holds its lease, and the next one counts on
        assert committed(store, model("m", context_length=16)).counts.updated == 1


@ways
def test_the_catalog_is_paused_and_says_where_it_went(places: Places, simulator: Simulator, tmp_path: Path, way: tuple[str, str]) -> None:
    source, target = places.catalog(way[0]), places.empty(way[1])
    ours = program(keys_of(simulator), source, tmp_path)
    ours.sync(["groq"])
    done = copied(tmp_path, source, target)
    assert done.returncode == 0, done.stderr
    where = f"copied to {target.removeprefix('sqlite:///')}"
    assert (pauses(source), pauses(target)) == ([where], [])
    assert where in ours.sync(["groq"]).results[0].outcome.why
    assert done.stdout.splitlines()[1].endswith(" any more. Set DATABASE_URL to the new address wherever it is used.")
    assert program(keys_of(simulator), target, tmp_path).sync(["groq"]).results[0].counts.unchanged == 6
    acts = [query(address, "SELECT action, reason FROM audit_log") for address in (source, target)]
    assert acts == [[{"action": "pause", "reason": where}]] * 2


def test_a_persons_pause_comes_along_and_the_old_catalog_says_where_it_went(places: Places, tmp_path: Path) -> None:
    source, target, other = places.catalog("sqlite"), places.empty("postgres"), places.empty("sqlite")
    env = environment(tmp_path)
    assert run(tmp_path, "pause", "--all", "--reason", "we move", "--database", source, env=env).returncode == 0
    found = run_json(tmp_path, "db", "copy", "--to", target, "--database", source, env=env)
    assert (found["version"], found["schema"], found["paused"], found["pause"]["reason"]) == (1, Schema.head, True, "we move")
    assert (found["source"], found["target"], found["rows"]["pauses"]) == (source.removeprefix("sqlite:///"), target, 1)
    assert (pauses(source), pauses(target)) == (["we move", f"copied to {target}"], ["we move"])
    assert f"copied to {target}" in run(tmp_path, "status", "--database", source, env=env).stdout
    done = copied(tmp_path, source, other)  # once more, elsewhere
    assert "The copy is paused as the catalog was (" in done.stdout
    assert (len(pauses(source)), pauses(other)) == (3, ["we move"])
    assert run(tmp_path, "resume", "--reason", "back", "--database", source, env=env).returncode == 0
    assert pauses(source) == []


def test_what_stays_behind_is_on_the_page() -> None:
    page = (ROOT / "docs" / "housekeeping.md").read_text("utf-8")
    (part,) = [part for part in page.split("\n## ") if part.startswith("Moving to another database\n")]
    rows = {line.split("|")[1].strip(" `"): line for line in part.splitlines() if line.startswith("| `")}
    assert sorted(rows) == sorted(copying.STAYS)
    for name, stays in copying.STAYS.items():
        assert [column for column in stays.instead if f"`{column}`" not in rows[name]] == []


def test_processes_that_sync_the_old_catalog_do_not_come_along(places: Places, tmp_path: Path) -> None:
    source, target = places.catalog("sqlite"), places.empty("postgres")
    with opened(source) as store:
        committed(store, model("m"))
        beat(store, None, {"groq": "scope"}, ["groq"])
    assert copied(tmp_path, source, target, "--keep").returncode == 0
    assert (len(contents(source)["workers"]), contents(target)["workers"]) == (1, [])


# What is refused


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_target_with_any_row_is_not_touched(places: Places, tmp_path: Path, kind: str) -> None:
    source = places.catalog("sqlite")
    with opened(source) as store:
        committed(store, model("m"))
    for table in ("providers", "audit_log", "known_rows"):
        target = places.catalog(kind)
        at = "2026-11-22T00:00:00.000000Z"
        rows = {
            "providers": f"(slug, name, metadata, created_at, updated_at) VALUES ('a', 'b', '{{}}', '{at}', '{at}')",
            "audit_log": f"(at, actor, action, target) VALUES ('{at}', 'a', 'b', 'c')",
            "known_rows": "(provider, reader, edition, ids, digests, kinds, incomplete) VALUES ('p', 'r', 1, '', '', '', '[]')",
        }
        execute(target, f"INSERT INTO {table} {rows[table]}")
        before = contents(target)
        name = target.removeprefix("sqlite:///")
        hint = "Nothing was touched; name an empty database with --to"
        what = f"{name} is not empty ({table} has rows), and a copy never overwrites"
        assert refused(tmp_path, source, target) == f"modelsync: {what}. {hint}\n"
        assert (contents(target), pauses(source)) == (before, [])


def test_one_database_is_not_copied_into_itself(places: Places, postgres_server: str, tmp_path: Path) -> None:
    file = places.catalog("sqlite")
    path = sqlite_path(file)
    (tmp_path / "link.db").symlink_to(path)
    os.link(path, tmp_path / "hard.db")
    server = places.catalog("postgres")
    again = server.replace("127.0.0.1", "localhost") + "?application_name=x"
    for source, target in ((file, f"{path}"), (file, "link.db"), (file, "hard.db"), (file, f"{path}-wal"), (server, again)):
        said = refused(tmp_path, source, target, code=64)
        assert said.endswith(" is where the catalog is already. Nothing was touched; name another with --to\n"), said
    assert (pauses(file), pauses(server)) == ([], [])


def test_both_need_the_schema_of_this_program(places: Places, tmp_path: Path) -> None:
    good, old, new, foreign = places.catalog("sqlite"), places.empty("sqlite"), places.catalog("sqlite"), places.empty("postgres")
    upgraded_to(old, "0011")
    execute(new, "UPDATE alembic_version SET version_num = '9999'")
    execute(foreign, "CREATE TABLE models (x int)")
    older = f"The catalog in {sqlite_path(old)} has schema 0011, this modelsync needs {Schema.head}"
    older = f"{older}. Nothing was touched. Back it up, then run"
    for source, target in ((old, places.empty("sqlite")), (good, old)):
        assert refused(tmp_path, source, target) == f"modelsync: {older} `modelsync db upgrade` for {sqlite_path(old)}\n"
    assert "is newer than this modelsync" in refused(tmp_path, good, new)
    assert "has a table `models` of another program" in refused(tmp_path, good, foreign)
    none = places.empty("sqlite")
    assert f"There is no catalog in {sqlite_path(none)}. Nothing was touched" in refused(tmp_path, none, foreign)
    assert (pauses(good), sqlite_path(none).exists()) == ([], False)
    assert "cannot be opened" in refused(tmp_path, good, "nosuch/folder/x.db")


def test_a_source_that_can_only_be_read_is_copied_with_keep(places: Places, tmp_path: Path) -> None:
    source, target = places.catalog("postgres"), places.empty("sqlite")
    many(source, 3)
    name = source.rpartition("/")[2]
    execute(source, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    said = refused(tmp_path, source, target)
    assert said.startswith(f"modelsync: The catalog cannot be paused: {source} is read-only. Nothing was copied. With --keep it is"), said
    assert is_empty(target)
    assert copied(tmp_path, source, target, "--keep").returncode == 0
    assert contents(source) == contents(target)


def test_rows_that_are_hidden_from_a_role_are_not_left_out(places: Places, tmp_path: Path) -> None:
    source, target, role = places.catalog("postgres"), places.empty("sqlite"), f"reader{time.time_ns()}"
    many(source, 3)
    execute(source, f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    reading = source.replace("modelsync@", f"{role}@")
    try:
        execute(source, "ALTER TABLE model_changes ENABLE ROW LEVEL SECURITY")
        assert "row-level security" in refused(tmp_path, reading, target, "--keep")
        assert is_empty(target)
        execute(source, "ALTER TABLE model_changes DISABLE ROW LEVEL SECURITY")
        assert copied(tmp_path, reading, target, "--keep").returncode == 0
        assert contents(source) == contents(target)
        assert "The catalog cannot be paused: " in refused(tmp_path, reading, places.empty("sqlite"))
    finally:
        execute(source, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_no_password_is_printed(places: Places, tmp_path: Path) -> None:
    source, target = places.catalog("sqlite"), places.empty("postgres").replace("modelsync@", "modelsync:s3cr3t@")
    for address in (target, target.replace("/copy", "/nocopy"), target):
        done = copied(tmp_path, source, address)
        assert "s3cr3t" not in done.stdout + done.stderr + json.dumps(pauses(source))
        assert "Traceback" not in done.stderr


# What ends it early


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
@ways
def test_ended_in_the_middle_it_leaves_nothing(places: Places, tmp_path: Path, way: tuple[str, str], number: int, code: int) -> None:
    source, target = places.catalog(way[0]), places.empty(way[1])
    many(source, 3000)
    where = f"copied to {target.removeprefix('sqlite:///')}"
    with running(environment(tmp_path), tmp_path, "db", "copy", "--database", source, "--to", target) as copying_it:
        until(lambda: "models: 3,001 rows copied" in copying_it.progress or copying_it.has_ended, every=0.002)
        copying_it.send(number)
        ended = copying_it.end(20)
    assert ended.code == code, ended
    assert "upstream_values: 3,001 rows compared" not in ended.err  # not too late
    assert is_empty(target)
    killed = number == signal.SIGKILL
    assert pauses(source) == ([where] if killed else [])
    assert killed or "Nothing was copied; the catalog is as it was." in ended.err
    done = copied(tmp_path, source, target)
    assert done.returncode == 0, done.stderr
    theirs, ours = contents(source), contents(target)
    assert ([row["reason"] for row in theirs.pop("pauses")], ours.pop("pauses"), theirs) == ([where], [], ours)


def test_a_row_that_comes_in_between_is_not_mixed_with_the_copy(places: Places, tmp_path: Path) -> None:
    source, target = places.catalog("sqlite"), places.catalog("sqlite")
    many(source, 3)
    with closing(sqlite3.connect(sqlite_path(target), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with running(environment(tmp_path), tmp_path, "db", "copy", "--database", source, "--to", target) as copying_it:
            until(lambda: pauses(source))
            other.execute("INSERT INTO pauses (at, actor, reason) VALUES ('2026-11-22T00:00:00.000000Z', 'a', 'b')")
            other.execute("COMMIT")
            ended = copying_it.end(20)
    assert ended.code == 1
    assert f"somebody wrote into {sqlite_path(target)} just now (pauses)" in ended.err
    assert ([name for name, rows in contents(target).items() if rows], pauses(source)) == (["pauses"], [])


@ways
def test_a_copy_that_differs_is_undone(places: Places, tmp_path: Path, way: tuple[str, str]) -> None:
    source, target = places.catalog(way[0]), places.catalog(way[1])
    many(source, 300)
    if way[1] == "sqlite":
        body = "UPDATE models SET description = 'x' WHERE id = NEW.id;"
        execute(target, f"CREATE TRIGGER breaks AFTER INSERT ON models WHEN NEW.id = 299 BEGIN {body} END")
    else:
        execute(
            target,
            "CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.description = 'x'; RETURN NEW; END$$",
            "CREATE TRIGGER breaks BEFORE INSERT ON models FOR EACH ROW WHEN (NEW.id = 299) EXECUTE FUNCTION breaks()",
        )
    said = refused(tmp_path, source, target).splitlines()[-1]
    shown = [address.removeprefix("sqlite:///") for address in (source, target)]
    what = "Nothing was copied: The copy is not what was copied: models id 299 has another description there"
    assert said == f"modelsync: {what}. {shown[1]} has no row of it, and {shown[0]} is as it was. Mend that, then copy again"
    assert (is_empty(target), pauses(source)) == (True, [])
    acts = [row["action"] for row in query(source, "SELECT action FROM audit_log ORDER BY id")]
    assert acts == ["pause", "resume"]


def test_a_row_that_postgres_cannot_hold_is_named(places: Places, tmp_path: Path) -> None:
    target = places.empty("postgres")
    for change, row in (
        ("UPDATE models SET description = 'a' || char(0) || 'b' WHERE id = 300", "models id 300"),
        ("""UPDATE models SET metadata = '{"a": ["\\\\\\u0000"]}' WHERE id = 7""", "models id 7"),
        ("UPDATE sync_runs SET fetched = 3000000000", "sync_runs id 1"),
        ("UPDATE models SET metadata = '{' WHERE id = 280", "models id 280"),
        ("UPDATE models SET released_at = 'soon' WHERE id = 1", "models holds a value that is none of its column"),
    ):
        source = places.catalog("sqlite")
        many(source, 300)
        execute(source, change, "INSERT INTO pauses (at, actor, reason) VALUES ('2026-11-22T00:00:00.000000Z', 'a', 'of a person')")
        said = refused(tmp_path, source, target).splitlines()[-1]
        assert said.startswith("modelsync: Nothing was copied: "), said
        assert row in said, said
        assert (is_empty(target), pauses(source)) == (True, ["of a person"])
