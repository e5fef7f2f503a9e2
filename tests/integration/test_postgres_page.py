"""docs/postgres.md: the commands and the SQL of its parts about roles and backups, as they stand there. test_cookbook.py runs the rest.

And the commands of docs/housekeeping.md that dump a catalog in Postgres and restore it.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from support import postgres
from support.cli import ROOT
from support.shell import Shell

PAGE, HOUSEKEEPING = ((ROOT / "docs" / name).read_text("utf-8") for name in ("postgres.md", "housekeeping.md"))
ROLES = ("catalog_owner", "catalog_sync", "catalog_read")


def blocks(title: str, text: str = PAGE) -> list[tuple[str, str]]:
    """The blocks of code under a heading, in their order."""
    (part,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```(sql|sh)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)


@pytest.fixture
def address(postgres_server: str) -> Iterator[str]:
    """The address of an empty database; the page's roles are gone afterwards."""
    name = f"roles{uuid.uuid4().hex[:12]}"
    yield postgres.new_database(postgres_server, name)
    for each in (name, f"{name}_restored"):
        postgres.drop_database(postgres_server, each)
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())


@pytest.fixture
def tools(played: Shell) -> Path:
    """The folder of psql, pg_dump and the like; the shell finds them."""
    if (found := postgres.binaries()) is None or not (found / "pg_dump").exists():
        pytest.skip("no pg_dump")
    played.env["PATH"] = f"{found}:{played.env['PATH']}"
    return found


def as_role(address: str, role: str) -> str:
    return address.replace("://modelsync@", f"://{role}:secret-{ROLES.index(role) + 1}@")


def filled_in(text: str, places: Mapping[str, str]) -> str:
    for shown, real in places.items():
        text = text.replace(shown, real)
    return text


def places(address: str) -> dict[str, str]:
    """What stands on the page for this server, and for this database on it."""
    here, name = address.partition("@")[2].split("/")
    names = {"catalog": name, "restored": f"{name}_restored", "postgres": "postgres"}
    found = {f"127.0.0.1:5432/{shown}": f"{here}/{real}" for shown, real in names.items()}
    return {"postgres:secret@": "modelsync@", **found, '" restored': f'" {name}_restored'}


def told(address: str, statement: str) -> str:
    """The answer to a statement, or why there is none."""
    with psycopg.connect(address, autocommit=True) as connection:
        try:
            found = connection.execute(statement.encode())
            return str(found.fetchall()) if found.description else "done"
        except psycopg.errors.InsufficientPrivilege as refused:
            return str(refused).splitlines()[0]


def play(title: str, address: str, played: Shell) -> str:
    """Run all blocks under a heading, in their order; what was printed."""
    printed = ""
    for kind, text in blocks(title):
        if kind == "sql":
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(text.encode())
        else:
            done = played.play(filled_in(text, places(address)))
            assert done.failed == [], done.printed
            printed += done.printed
    return printed


ROW = "SELECT provider, status, prompt_usd_per_million::text FROM catalog WHERE model = 'acme/scribe-2'"


def test_the_steps_of_the_page_make_roles_a_backup_and_the_same_catalog_of_it(address: str, tools: Path, played: Shell) -> None:
    assert ": schema 0" in play("Roles with no more rights than they need", address, played)
    syncing, reading = as_role(address, "catalog_sync"), as_role(address, "catalog_read")
    done = played.play(f'export DATABASE_URL={syncing}\n./run sync --providers openrouter groq\n./run keys create ci --reason "r"')
    assert done.failed == [], done.printed
    assert told(syncing, "CREATE TABLE mine (id int)") == "permission denied for schema public"
    assert told(reading, ROW) == "[('openrouter', 'active', '1.000000')]"
    assert told(reading, "SELECT * FROM api_keys") == "permission denied for table api_keys"

    assert [each[:9] for each in played.play(f"pg_dump --file=part.sql {syncing}").failed] == ["1 pg_dump"]
    play("Backup and restore", address, played)
    restored = f"{address}_restored"
    rows = "SELECT provider, model, prompt_usd_per_million::text FROM catalog ORDER BY 1, 2"
    assert told(as_role(restored, "catalog_read"), rows) == told(reading, rows) != "[]"
    assert told(as_role(restored, "catalog_read"), "SELECT * FROM api_keys") == "permission denied for table api_keys"
    done = played.play(f"./run sync --providers openrouter groq --database {as_role(restored, 'catalog_sync')}")
    assert done.failed == [], done.printed


def test_nobody_changes_the_audit_log(address: str, played: Shell) -> None:
    assert played.play(f'export DATABASE_URL={address}\n./run sync --providers groq\n./run pause --all --reason "r"').failed == []
    with psycopg.connect(address) as connection, pytest.raises(psycopg.Error, match="rows are only added"):
        connection.execute("DELETE FROM audit_log")


def test_a_catalog_is_dumped_and_restored_by_the_commands_of_housekeeping(
    postgres_server: str, address: str, tools: Path, played: Shell
) -> None:
    ((_, text),) = blocks("Backup and restore: Postgres", HOUSEKEEPING)
    port, name = postgres_server.rpartition(":")[2], address.rpartition("/")[2]
    restored = f"{name}_restored"
    there = {
        "user@host:5432/database": f"modelsync@127.0.0.1:{port}/{name}",
        "user@host:5432/restored": f"modelsync@127.0.0.1:{port}/{restored}",
        "--host=host --username=user restored": f"--host=127.0.0.1 --port={port} --username=modelsync {restored}",
        "?sslmode=require": "",
        "=...": "=secret",
    }
    assert all(shown in text for shown in there)
    assert played.play(f"./run sync --providers openrouter --database {address}").failed == []
    done = played.play(filled_in(text, there))
    assert done.failed == [], done.printed
    rows = "SELECT provider, model, prompt_usd_per_million::text FROM catalog ORDER BY model"
    assert "('openrouter', 'acme/scribe-2', '1.000000')" in told(f"{postgres_server}/{restored}", rows)
    assert told(f"{postgres_server}/{restored}", rows) == told(address, rows)
