"""Whole syncs in tests: the program towards a simulator, and looks into its database with the bare drivers."""

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from modelsync import app, settings
from modelsync.model.records import Counts
from modelsync.planning.outcome import Outcome, Report
from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from support.samples import trials

SLUGS = tuple(registry.load())
DOCUMENTS = {
    *("metadata", "pricing", "input_modalities", "output_modalities", "fields", "warnings", "validators", "listed"),
    *("ids", "detail", "stated", "believed", "silent", "value", "beneath", "wire_fields", "drift", "incomplete", "offers", "syncing"),
}
MONEY = {"pricing_prompt", "pricing_completion", "pricing_image", "pricing_request"}
TABLES = (
    *("providers", "models", "model_changes", "sync_runs", "sync_results", "provider_state"),
    *("holds", "audit_log", "pins", "upstream_values", "last_prices", "pauses", "answers", "api_keys"),
    *("known_rows", "workers"),
)

KEYS = {
    **dict.fromkeys(("provider_state", "known_rows"), "provider"),
    **dict.fromkeys(("upstream_values", "last_prices"), "provider_id, provider_model_id"),
}

# How many models a first sync of each sample makes, and what its day 1 does: (models, created, updated), with one missing everywhere.
# Counted by hand in the samples: a change of what is not kept (permissions, throughput, updated_at, created of Nebius) is no update.
_COUNTED = {
    "aihubmix": (6, 1, 1),
    "aimo": (4, 1, 1),
    "alibaba": (6, 1, 1),
    "anannas": (5, 1, 1),
    "cerebras": (4, 1, 1),
    "chutes": (4, 1, 1),
    "deepinfra": (7, 1, 2),  # a price in the list, another in the details
    "fal": (6, 1, 1),
    "featherless": (5, 1, 1),  # of 6 rows, one listed twice
    "fireworks": (5, 1, 1),  # of 6 rows, one not serverless
    "google-vertex": (4, 1, 1),  # of 6 rows, two to deploy oneself
    "groq": (6, 1, 2),
    "helicone": (4, 1, 1),
    "huggingface": (5, 1, 2),
    "near": (5, 1, 1),
    "nebius": (6, 1, 1),
    "novita": (6, 1, 2),  # of 7 rows, one never shown
    "openrouter": (5, 1, 1),
    "together": (6, 1, 1),
    "vercel-ai-gateway": (6, 1, 2),
    "xai": (6, 1, 1),  # 4 rows, and 2 that only the lists by kind have
}


def _stated(sample: Mapping[str, Any]) -> tuple[int, int, int]:
    """The same of a sample that a test brings: each row is a model, and a day does what it says."""
    day = sample["days"][0]["models"]
    return len(sample["lists"]["models"]), len(day["add"]), len(day["change"])


DAYS = {slug: _COUNTED.get(slug) or _stated(trial.sample) for slug, trial in trials().items()}


def environment(simulator: Simulator, *without: str) -> dict[str, str]:
    """Every provider's key, but for those in `without`, and everything sent to the simulator."""
    found = {"MODELSYNC_ORIGIN": simulator.origin, "MODELSYNC_DEADLINE": "20", "MODELSYNC_ATTEMPTS": "1"}
    for slug, provider in registry.load().items():
        if slug not in without:
            found[provider.auth.variables[0]] = simulator.service_account() if slug == "google-vertex" else simulator.key(slug)
    return found


def program(values: Mapping[str, str], database_url: str, folder: Path, **more: str) -> app.App:
    """The program with these settings and no others."""
    return app.build(settings.load({**values, "DATABASE_URL": database_url, **more}, folder))


def outcomes(report: Report) -> dict[str, Outcome]:
    return {result.slug: result.outcome for result in report.results}


def counts(report: Report) -> dict[str, Counts]:
    return {result.slug: result.counts for result in report.results}


def errors(report: Report) -> dict[str, str]:
    return {result.slug: result.error for result in report.results if result.error}


# Looks into the database, past all of our own code


def sqlite_path(database_url: str) -> Path:
    return Path(database_url.removeprefix("sqlite:///"))


def query(database_url: str, statement: str) -> list[dict[str, Any]]:
    """The rows of a statement, with the same Python values from both databases."""
    if database_url.startswith("sqlite"):
        with sqlite3.connect(f"{sqlite_path(database_url).as_uri()}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(statement)]
        connection.close()
    else:
        with psycopg.connect(database_url, row_factory=dict_row) as postgres:
            found = list(postgres.execute(statement.encode()))
    return [{name: _value(name, value) for name, value in row.items()} for row in found]


def execute(database_url: str, *statements: str) -> None:
    """Change a database behind the program's back."""
    if database_url.startswith("sqlite"):
        connection = sqlite3.connect(sqlite_path(database_url))
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return
    with psycopg.connect(database_url) as postgres:
        for statement in statements:
            postgres.execute(statement.encode())


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str | int):
        return value
    if name in DOCUMENTS and isinstance(value, str):
        with contextlib.suppress(ValueError):  # other queries have such columns too
            return json.loads(value)
    if name in MONEY:
        return Decimal(value)
    if name.endswith(("_at", "_until")) or name == "missing_since":
        return datetime.fromisoformat(str(value))
    if name.startswith(("supports_", "is_")):
        return bool(value)
    return value


def table(database_url: str, name: str) -> list[dict[str, Any]]:
    """All rows of a table, in the order of their keys."""
    return query(database_url, f"SELECT * FROM {name} ORDER BY {KEYS.get(name, 'id')}")


def models_of(database_url: str, slug: str) -> dict[str, dict[str, Any]]:
    """A provider's models by id."""
    statement = f"SELECT m.* FROM models m JOIN providers p ON p.id = m.provider_id WHERE p.slug = '{slug}'"
    return {row["provider_model_id"]: row for row in query(database_url, statement)}


def changes_of(database_url: str, slug: str, *, run_id: int | None = None) -> list[dict[str, Any]]:
    """A provider's history, oldest first."""
    only = f"AND c.run_id = {run_id}" if run_id else ""
    join = "FROM model_changes c JOIN providers p ON p.id = c.provider_id"
    return query(database_url, f"SELECT c.* {join} WHERE p.slug = '{slug}' {only} ORDER BY c.id")


def everything(database_url: str) -> dict[str, list[dict[str, Any]]]:
    """The whole database."""
    return {name: table(database_url, name) for name in TABLES}


def model_versions(database_url: str) -> list[dict[str, Any]]:
    """What tells every written model row, even one written with the values it had: Postgres's own row version."""
    version = "updated_at" if database_url.startswith("sqlite") else "xmin::text AS version"
    return query(database_url, f"SELECT id, content_hash, status, updated_at, {version} FROM models ORDER BY id")
