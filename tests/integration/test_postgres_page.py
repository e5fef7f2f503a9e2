"""docs/postgres.md: its roles can do what they are for and no more, and its lines for Supabase run. test_cookbook.py runs the rest.

And the commands of docs/housekeeping.md that dump a catalog in Postgres and restore it.
"""

import re
import uuid
from collections.abc import Iterator

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
    postgres.drop_database(postgres_server, name)
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"DROP ROLE IF EXISTS {role}".encode())


def as_role(address: str, role: str) -> str:
    return address.replace("://modelsync@", f"://{role}:secret-{ROLES.index(role) + 1}@")


def told(address: str, statement: str) -> str:
    """The answer to a statement, or why there is none."""
    with psycopg.connect(address, autocommit=True) as connection:
        try:
            found = connection.execute(statement.encode())
            return str(found.fetchall()) if found.description else "done"
        except psycopg.errors.InsufficientPrivilege as refused:
            return str(refused).splitlines()[0]


def test_roles_can_do_what_they_are_for_and_no_more(address: str, played: Shell) -> None:
    for kind, text in blocks("Roles with no more rights than they need"):
        if kind == "sql":
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(text.encode())
        else:
            done = played.play(
                text.replace("postgresql://catalog_owner:secret-1@127.0.0.1:5432/catalog", as_role(address, "catalog_owner"))
            )
            assert done.failed == []
            assert ": schema 0" in done.printed
    syncing, reading = as_role(address, "catalog_sync"), as_role(address, "catalog_read")
    done = played.play(
        f"export DATABASE_URL={syncing}\n./run sync --providers openrouter groq\n"
        './run hide groq whisper-petite-v9 --reason "r"\n./run keys create ci --reason "r"\n./run pause --all --reason "r"\n'
        './run resume --reason "r"\n./run rollback openrouter --to 1 --reason "r"\n./run purge'
    )
    assert done.failed == [], done.printed
    assert told(syncing, "CREATE TABLE mine (id int)") == "permission denied for schema public"
    assert "must be owner" in told(syncing, "DROP VIEW catalog")
    row = "SELECT provider, status, prompt_usd_per_million::text FROM catalog WHERE model = 'acme/scribe-2'"
    assert told(reading, row) == "[('openrouter', 'active', '1.000000')]"
    assert told(reading, "SELECT count(*) FROM model_changes WHERE kind = 'added'") == "[(11,)]"
    assert told(reading, "SELECT * FROM api_keys") == "permission denied for table api_keys"
    assert told(reading, "SELECT * FROM audit_log") == "permission denied for table audit_log"
    assert told(reading, "DELETE FROM models") == "permission denied for table models"


def test_nobody_changes_the_audit_log(address: str, played: Shell) -> None:
    assert played.play(f'export DATABASE_URL={address}\n./run sync --providers groq\n./run pause --all --reason "r"').failed == []
    with psycopg.connect(address) as connection, pytest.raises(psycopg.Error, match="rows are only added"):
        connection.execute("DELETE FROM audit_log")


def test_the_lines_for_supabase_keep_others_out_and_not_the_owner(address: str, played: Shell) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "CREATE ROLE catalog_owner LOGIN PASSWORD 'secret-1'; CREATE ROLE catalog_read LOGIN PASSWORD 'secret-3';"
            "GRANT USAGE, CREATE ON SCHEMA public TO catalog_owner"
        )
    owning, reading = as_role(address, "catalog_owner"), as_role(address, "catalog_read")
    assert played.play(f"./run sync --providers groq --database {owning}").failed == []
    with psycopg.connect(owning, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO catalog_read")
        count = "SELECT count(*) FROM models"
        assert told(reading, count) == "[(6,)]"
        ((_, lines),) = blocks("Supabase")
        connection.execute(lines.encode())
    assert (told(reading, count), told(owning, count)) == ("[(0,)]", "[(6,)]")
    assert played.play(f"./run sync --providers groq openrouter --database {owning}").failed == []


def test_a_catalog_is_dumped_and_restored_by_the_commands_of_the_page(postgres_server: str, address: str, played: Shell) -> None:
    if (tools := postgres.binaries()) is None or not (tools / "pg_dump").exists():
        pytest.skip("no pg_dump")
    ((_, text),) = blocks("Backup and restore: Postgres", HOUSEKEEPING)
    port, name = postgres_server.rpartition(":")[2], address.rpartition("/")[2]
    restored = f"{name}_restored"
    places = {
        "user@host:5432/database": f"modelsync@127.0.0.1:{port}/{name}",
        "user@host:5432/restored": f"modelsync@127.0.0.1:{port}/{restored}",
        "--host=host --username=user restored": f"--host=127.0.0.1 --port={port} --username=modelsync {restored}",
        "?sslmode=require": "",
        "=...": "=secret",
    }
    assert all(shown in text for shown in places)
    for shown, real in places.items():
        text = text.replace(shown, real)
    played.env["PATH"] = f"{tools}:{played.env['PATH']}"
    try:
        assert played.play(f"./run sync --providers openrouter --database {address}").failed == []
        done = played.play(text)
        assert done.failed == [], done.printed
        rows = "SELECT provider, model, prompt_usd_per_million::text FROM catalog ORDER BY model"
        there = f"{postgres_server}/{restored}"
        assert "('openrouter', 'acme/scribe-2', '1.000000')" in told(there, rows)
        assert told(there, rows) == told(address, rows)
    finally:
        postgres.drop_database(postgres_server, restored)
