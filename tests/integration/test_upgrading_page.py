"""docs/upgrading.md: its steps, in their order, lead from an older schema to this program's, and back."""

import re
import sqlite3
from contextlib import closing

from modelsync.database.migrate import Schema
from support.cli import ROOT
from support.shell import Shell, catalog_in
from support.store import upgraded_to
from support.sync import execute, query

PAGE = (ROOT / "docs" / "upgrading.md").read_text("utf-8")
AT = "2026-01-01T00:00:00.000000Z"


def steps(text: str) -> dict[str, list[str]]:
    """The commands of each step, by the word that it begins with."""
    found = re.findall(r"^(?:\d\. )?\*\*([\w ]+)\*\*(.*?)(?=^\d\. |^\*\*|\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: re.findall(r"`((?:modelsync|git) [^`]+)`", part) for name, part in found}


STEPS = steps(PAGE)


def models(database_url: str) -> list[dict[str, object]]:
    return query(
        database_url, "SELECT provider_id, provider_model_id, pricing_prompt, status, is_active, updated_at FROM models ORDER BY id"
    )


def test_these_are_the_steps() -> None:
    assert list(STEPS) == [
        "Read",
        "Back up",
        "Stop the timers",
        "Take the new version",
        "Look",
        "Upgrade",
        "Try",
        "Go on",
        "Without stopping",
        "Back",
    ]
    assert sum(map(len, STEPS.values())) == 11


COLUMNS = ("schedule", "schedule_off", "last_served_at", "retries", "unended", "not_before")


def made_older(database_url: str) -> None:
    """What the program before left: without the columns and the table that are all that schema 0012 brought."""
    assert Schema.head == "0012", "say here what the newest schema brought, in the place of this"
    for column in COLUMNS:
        execute(database_url, f"ALTER TABLE provider_state DROP COLUMN {column}")
    execute(
        database_url,
        "DROP TABLE workers",
        "ALTER TABLE sync_results DROP COLUMN version",
        "UPDATE alembic_version SET version_num = '0011'",
    )


def test_the_steps_lead_to_the_new_version_and_back(played: Shell) -> None:
    catalog = catalog_in(played.folder)
    before = models(catalog)
    for name in ("Back up", "Stop the timers", "Take the new version"):
        assert played.play("\n".join(STEPS[name])).failed == [], name
    made_older(catalog)
    look = played.play("\n".join(STEPS["Look"]))
    assert look.failed == ["1 modelsync db current"]
    assert "schema 0011; this program needs 0012" in look.printed
    assert "ADD COLUMN schedule" in look.printed
    assert ": schema 0012" in played.play("\n".join(STEPS["Upgrade"])).printed
    tried = played.play("\n".join(STEPS["Try"]))
    assert tried.failed == [], tried.printed
    assert "schema up to date, 132 models" in tried.printed
    assert "no sync does this now: paused by" in tried.printed
    assert "Plan: 0 new, 0 updated, 111 unchanged, 21 missing" in tried.printed
    assert played.play("\n".join(STEPS["Go on"])).failed == []
    assert played.play("./run sync --providers groq").failed == []
    assert models(catalog) == before
    assert played.play('./run hide groq whisper-petite-v9 --reason "r"').failed == []
    back = played.play("mkdir away && mv modelsync.db* away\n" + "\n".join(STEPS["Back"]))
    assert back.failed == [], back.printed
    assert models(catalog) == before
    with closing(sqlite3.connect(played.folder / "away" / "modelsync.db")) as file:
        assert file.execute("SELECT count(*) FROM audit_log WHERE action = 'pin'").fetchall() == [(1,)]


def test_they_lead_from_the_oldest_schema_too(empty_database_url: str, played: Shell) -> None:
    upgraded_to(empty_database_url, "0001")
    execute(
        empty_database_url,
        f"INSERT INTO providers (slug, name, metadata, created_at, updated_at) VALUES ('openrouter', 'O', '{{}}', '{AT}', '{AT}')",
        "INSERT INTO models (provider_id, provider_model_id, model_id, pricing_prompt, pricing, is_active, status, content_hash, metadata, "
        "first_seen_at, created_at, updated_at) VALUES (1, 'acme/scribe-2', 'acme/scribe-2', '0.000001', '{\"prompt\": \"0.000001\"}', "
        f"true, 'active', 'older', '{{}}', '{AT}', '{AT}', '{AT}')",
    )
    played.env["DATABASE_URL"] = empty_database_url
    played.env["MODELSYNC_PROVIDERS"] = "openrouter"
    look = played.play("\n".join(STEPS["Look"]))
    assert look.failed == ["1 modelsync db current"]
    assert "schema 0001; this program needs" in look.printed
    assert played.play("\n".join(STEPS["Upgrade"])).failed == []
    tried = played.play("\n".join(STEPS["Try"]))
    assert tried.failed == [], tried.printed
    assert played.play("\n".join(STEPS["Go on"])).failed == ['64 modelsync resume --reason "upgraded"']  # that program could not pause
    assert played.play("modelsync models scribe").printed.startswith("model provider in $/1M out $/1M")
    assert played.play("modelsync sync").failed == []
    assert query(empty_database_url, "SELECT count(*) AS n FROM models") == [{"n": 5}]
