"""Two programs that upgrade one database at the same time, and programs older than their database, as real processes."""

import ast
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelsync.database.migrate import NEXT, Schema
from modelsync.model.actors import Person
from modelsync.operations import decisions, models
from modelsync.planning.outcome import Synced
from modelsync.providers import registry
from modelsync.queries.catalog import Catalog
from modelsync.simulator.server import Simulator
from modelsync.sync.store import Store
from support.cli import ROOT, environment, run
from support.process import Running, running
from support.store import commit, model, opened, upgraded_to
from support.sync import everything, execute, models_of, query, sqlite_path, table


def upgrading(folder: Path, database_url: str) -> AbstractContextManager[Running]:
    return running(environment(folder), folder, "db", "upgrade", "--database", database_url)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")


@contextmanager
def kept_out(database_url: str) -> Iterator[Callable[[list[Running]], None]]:
    """Nobody can upgrade meanwhile; the function given waits until all programs stand before the door."""
    if database_url.startswith("sqlite"):
        path = sqlite_path(database_url)
        file: Any = sqlite3.connect(path, isolation_level=None)
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("BEGIN IMMEDIATE")

        def has_it_open(process: Running) -> bool:
            with suppress(FileNotFoundError):  # files are closed, and processes end, while one looks
                return any(link.readlink() == path for link in Path(f"/proc/{process.pid}/fd").iterdir())
            return False

        yield lambda processes: until(lambda: all(has_it_open(process) for process in processes))
        file.execute("ROLLBACK")
        file.close()
        return
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(7290511)")
        waiting = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 7290511"
        mine = "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        yield lambda processes: until(lambda: query(database_url, f"{waiting} {mine}") == [{"n": len(processes)}])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at open files in /proc")
@pytest.mark.parametrize("older", [None, "0001", "0004"])
def test_two_first_upgrades_at_once(empty_database_url: str, tmp_path: Path, older: str | None) -> None:
    if older:
        upgraded_to(empty_database_url, older)
    with ExitStack() as stack:
        with kept_out(empty_database_url) as all_wait:
            processes = [stack.enter_context(upgrading(tmp_path, empty_database_url)) for _ in range(2)]
            all_wait(processes)
            assert [process.has_ended for process in processes] == [False, False]
        for process in processes:
            code, out, err = process.end(60)
            assert (code, err) == (0, ""), err
            assert f": schema {Schema.head}, " in out
    assert query(empty_database_url, "SELECT version_num FROM alembic_version") == [{"version_num": Schema.head}]
    with opened(empty_database_url) as store:
        commit(store, model("a"))


READING = (
    *(["models"], ["status"], ["runs"], ["providers"], ["changes"], ["history", "openrouter", "a"], ["diff", "7d", "now"], ["held"]),
    *(["explain", "openrouter", "a"], ["models", "--as-of", "7d"], ["audit"], ["purge"], ["sync", "--dry-run", "--providers", "near"]),
)
WRITING = (
    *(["sync", "--providers", "near"], ["confirm", "1", "--reason", "r"], ["reject", "1", "--reason", "r"]),
    *(["purge", "--plan", "0" * 16, "--reason", "r"], ["db", "upgrade"], ["db", "backup", "copy.db"], ["db", "restore", "old.db"]),
)


def test_a_newer_database_is_refused_by_every_command(database_url: str, tmp_path: Path) -> None:
    with opened(database_url) as store:
        commit(store, model("a"))
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    before = everything(database_url)
    folder = tmp_path / "work"
    folder.mkdir()
    told = f"modelsync: The catalog (schema 9999) is newer than this modelsync ({Schema.head}). Nothing was touched; update modelsync\n"
    for arguments in (*READING, *WRITING):
        done = run(folder, *arguments, "--database", database_url, env=environment(folder, MODELSYNC_ORIGIN="http://127.0.0.1:9"))
        if arguments[1:2] == ["restore"]:  # it looks first at what is to be restored, or at whether there is room
            assert done.returncode == 1
        else:
            assert (done.returncode, done.stderr) == (1, told), arguments
    assert everything(database_url) == before
    assert list(folder.iterdir()) == []
    done = run(folder, "db", "current", "--database", database_url, env=environment(folder))
    assert (done.returncode, f"schema 9999; this program needs {Schema.head}" in done.stdout) == (1, True)


AHEAD = (
    "ALTER TABLE models ADD COLUMN novelty TEXT",
    "ALTER TABLE provider_state ADD COLUMN novelty INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sync_results ADD COLUMN novelty TEXT",
    "CREATE TABLE novelties (id INTEGER PRIMARY KEY, provider TEXT NOT NULL)",
    f"UPDATE alembic_version SET version_num = '{NEXT}'",
)
"""What the next migration may be like: nothing is released yet that has one."""


PIN = ("pin", "groq", "whisper-petite-v9", "context_length=5", "--reason", "r")


def test_a_program_goes_on_with_the_next_schema_and_says_so(
    simulator: Simulator, two_database_urls: tuple[str, str], tmp_path: Path
) -> None:
    """The same two days, decisions between them, on this schema and on the next: the same catalogs, and nothing of the next is touched."""
    env, said = environment(tmp_path, simulator, MODELSYNC_PROVIDERS="openrouter,groq,near"), list[str]()
    for database_url, ahead in zip(two_database_urls, ((), AHEAD), strict=True):
        with opened(database_url):
            pass
        execute(database_url, *ahead)
        for day in (0, 1):
            simulator.set_day(day)
            for arguments in (("sync",), PIN, ("status",), ("models",)):
                done = run(tmp_path, *arguments, "--database", database_url, env=env)
                assert done.returncode in (0, 4), done.stderr
                said += [done.stderr] if ahead else []
    assert [text for text in said if f"the catalog has schema {NEXT}, this modelsync {Schema.head}" not in text] == []
    one, other = (
        {slug: {name: row["content_hash"] for name, row in models_of(url, slug).items()} for slug in ("openrouter", "groq", "near")}
        for url in two_database_urls
    )
    assert one == other
    assert {row["novelty"] for row in table(two_database_urls[1], "models")} == {None}
    execute(two_database_urls[1], f"UPDATE alembic_version SET version_num = '{int(NEXT) + 1:04}'")
    assert "is newer than this modelsync" in run(tmp_path, "status", "--database", two_database_urls[1], env=env).stderr


FIRST_THAT_ADDS = "0012"
ADDING = {"create_table", "add_column", "create_index", "execute"}


def test_migrations_only_add_so_that_the_program_before_goes_on() -> None:
    """What a column gets that nobody names must be allowed: it is nullable, or has a default in the database."""
    files = sorted((ROOT / "src" / "modelsync" / "database" / "migrations" / "versions").glob("v*.py"))
    later = [path for path in files if path.name[1:5] >= FIRST_THAT_ADDS]
    assert later
    for path in later:
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        named = {id(call): ast.unparse(call.func) for call in calls}
        assert {name.removeprefix("op.") for name in named.values() if name.startswith("op.")} <= ADDING, path.name
        of_new_tables = {id(inner) for call in calls if named[id(call)] == "op.create_table" for inner in ast.walk(call)}
        for column in (call for call in calls if named[id(call)] == "sa.Column" and id(call) not in of_new_tables):
            told = {keyword.arg: ast.unparse(keyword.value) for keyword in column.keywords}
            assert told.get("nullable") != "False" or "server_default" in told, f"{path.name}: {ast.unparse(column)}"


def test_an_upgrade_keeps_what_is_there_and_locks_the_audit_log(empty_database_url: str) -> None:
    upgraded_to(empty_database_url, "0002")
    execute(
        empty_database_url,
        "INSERT INTO audit_log (at, actor, action, target) VALUES ('2026-01-01T00:00:00.000000Z', 'ann', 'confirm hold', 'x')",
    )
    assert Schema(empty_database_url).upgrade() == ("0002", Schema.head)
    for attempt in ("UPDATE audit_log SET actor = 'bob'", "DELETE FROM audit_log"):
        with pytest.raises((sqlite3.Error, psycopg.Error), match="audit_log: rows are only added"):
            execute(empty_database_url, attempt)
    assert [row["actor"] for row in query(empty_database_url, "SELECT actor FROM audit_log")] == ["ann"]
    Store.open(empty_database_url, registry.load()).close()


def test_what_waits_for_a_person_still_does_so(empty_database_url: str) -> None:
    """Schema 0007 marked an absence that was taken back in the detail of its hold."""
    upgraded_to(empty_database_url, "0007")
    hold = (
        "INSERT INTO holds (provider, kind, status, message, hint, ids, times_seen, created_at, last_seen_at, detail) "
        f"VALUES ('openrouter', '{{}}', '{{}}', 'm', 'h', '[\"a\"]', 1, '{OLD}', '{OLD}', {{}})"
    )
    marked, of_a_list = "'{\"reopened\": true}'", '\'{"new": ["b"], "reopened": true}\''
    rows = (
        *(("shrink", "open", marked), ("shrink", "confirmed", marked), ("other-catalog", "open", of_a_list), ("shrink", "open", "NULL")),
        *(("unit-change", status, detail) for status in ("open", "rejected", "confirmed") for detail in ("'{}'", "NULL")),
    )
    execute(empty_database_url, *(hold.format(*row) for row in rows))
    assert Schema(empty_database_url).upgrade() == ("0007", Schema.head)
    Store.open(empty_database_url, registry.load()).close()
    with opened(empty_database_url) as store:
        found = [(row.needs_person, row.detail) for row in Catalog(store).holds(status="all")]
        assert found[:4] == [(True, None), (False, None), (True, {"new": ["b"]}), (False, None)]
        # What early programs wrote of a change of unit, without the values, is in nobody's way:
        for price in ("0.000001", "0.0001"):
            assert isinstance(commit(store, *(model(name, Decimal(price)) for name in "ab")).outcome, Synced)


# A catalog of schema 0005 in use: what it remembers in its own words is kept to by this program

OLD = "2026-11-01T00:00:00.000000Z"
MODELS = ("varies", "refused", "silent", "pinned", "plain", "pinned once")
PRICES = {"varies": '{"dynamic": true}', "silent": "{}", "pinned": '{"prompt": "0.000005"}'}
HISTORY = (
    ("sync", "varies", '{"pricing_prompt": ["0.0000001", null], "pricing.dynamic": [false, true]}'),
    ("sync", "silent", '{"pricing_prompt": ["0.000002", null], "pricing.tiers": [[{"above": 1000, "prompt": "0.000004"}], []]}'),
    ("pin", "pinned", '{"pricing_prompt": ["0.000001", "0.000005"]}'),
    ("pin", "pinned once", '{"pricing_prompt": ["0.000001", "0.5"]}'),
    ("unpin", "pinned once", '{"pricing_prompt": ["0.5", "0.000001"]}'),
)


def as_schema_0005_left_it(database_url: str) -> None:
    """Models with their history, a refused price, a held one, a pin and a silence, by the columns that there were then."""
    upgraded_to(database_url, "0005")
    flags = f"'{OLD}', '{OLD}', '{OLD}'"
    statements = [
        f"INSERT INTO providers (slug, name, metadata, created_at, updated_at) VALUES ('openrouter', 'O', '{{}}', '{OLD}', '{OLD}')",
        "INSERT INTO provider_state (provider, complete_seq, ticket_seq, committed_seq, normalizer_version, absence_scope, wire_fields) "
        'VALUES (\'openrouter\', 3, 3, 3, NULL, \'a\', \'{"scope": "a", "version": 1, "endpoints": {}}\')',
    ]
    for name in MODELS:
        document = PRICES.get(name, '{"prompt": "0.000001"}')
        prompt = {"varies": "NULL", "silent": "NULL", "pinned": "'0.000005'"}.get(name, "'0.000001'")
        statements.append(
            "INSERT INTO models (provider_id, provider_model_id, model_id, pricing_prompt, pricing, is_active, status, content_hash, "
            "metadata, first_seen_at, created_at, updated_at) "
            f"VALUES (1, '{name}', '{name}', {prompt}, '{document}', true, 'active', 'older', '{{}}', {flags})"
        )
    for number, (trigger, name, fields) in enumerate(HISTORY, 1):
        statements += [
            f"INSERT INTO sync_runs (status, \"trigger\", started_at) VALUES ('succeeded', '{trigger}', '{OLD}')",
            "INSERT INTO model_changes (run_id, provider_id, provider_model_id, kind, fields, changed_at) "
            f"VALUES ({number}, 1, '{name}', 'updated', '{fields}', '{OLD}')",
        ]
    hold = (
        "INSERT INTO holds (provider, kind, status, message, hint, ids, times_seen, created_at, last_seen_at, detail, resolved_by, reason)"
    )
    detail = '{"pricing_prompt": ["0.000001", "0.001"]}'
    held = '{"pricing_prompt": ["0.000001", "0.00005"]}'
    statements += [
        f"{hold} VALUES ('openrouter', 'price', 'rejected', 'm', 'h', '[\"refused\"]', 1, '{OLD}', '{OLD}', '{detail}', 'ann', 'a slip')",
        f"{hold} VALUES ('openrouter', 'price', 'open', 'm', 'h', '[\"plain\"]', 1, '{OLD}', '{OLD}', '{held}', NULL, NULL)",
        "INSERT INTO pins (provider, provider_model_id, field, value, author, reason, created_at) "
        f"VALUES ('openrouter', 'pinned', 'pricing_prompt', '\"0.000005\"', 'ann', 'r', '{OLD}')",
    ]
    for name in ("refused", "plain", "pinned"):
        known = f'{{"id": "{name}", "prices": {{"prompt": "0.000001"}}}}'
        statements.append(f"INSERT INTO upstream_values VALUES (1, '{name}', '{known}', '{known}', '{{}}')")
    execute(database_url, *statements)


def test_a_catalog_with_holds_pins_and_history_is_upgraded_and_synced(empty_database_url: str) -> None:
    as_schema_0005_left_it(empty_database_url)
    assert Schema(empty_database_url).upgrade() == ("0005", Schema.head)
    remembered = {
        (row["provider_model_id"], row["field"], row["condition"]): Decimal(row["usd"]) for row in table(empty_database_url, "last_prices")
    }
    assert remembered == {
        ("varies", "pricing_prompt", ""): Decimal("0.0000001"),
        ("silent", "pricing_prompt", ""): Decimal("0.000002"),
        ("silent", "pricing.tiers.prompt", "above 1000"): Decimal("0.000004"),
    }
    assert table(empty_database_url, "provider_state")[0]["read_version"] == 1
    stated = {
        "varies": "0.001",  # ten thousand times what it was before it varied
        "silent": "0",  # free, where it was not
        "refused": "0.001",
        "plain": "0.00005",
        "pinned": "0.0000011",
        "pinned once": "0.0000012",
    }
    with opened(empty_database_url) as store:
        result = commit(store, *(model(name, Decimal(price)) for name, price in stated.items()))
        assert sorted(hold.ids[0] for hold in result.holds) == ["plain", "silent", "varies"]
        assert any("ann rejected it" in warning for warning in result.warnings)
        assert [(row["id"], row["status"]) for row in table(empty_database_url, "holds")][:2] == [(1, "rejected"), (2, "open")]
        decisions.decide(store, [2], "confirm", Person("ann", "r"))
        models.unpin(store, "openrouter", "pinned", [], Person("ann", "r"))
    found = {name: row["pricing_prompt"] for name, row in models_of(empty_database_url, "openrouter").items()}
    assert found == {
        "varies": None,
        "silent": None,
        "refused": Decimal("0.000001"),
        "plain": Decimal("0.00005"),
        "pinned": Decimal("0.0000011"),
        "pinned once": Decimal("0.0000012"),
    }
    assert models_of(empty_database_url, "openrouter")["varies"]["pricing"]["dynamic"] is True
