"""Catalogs to copy: with all that commands leave in one, and with values that are hard to carry; and an exact look at one."""

import json
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.rows import dict_row

from modelsync.database import engine
from modelsync.database.schema import JsonDocument, Money, UtcTime, metadata
from modelsync.simulator.server import Simulator
from modelsync.sync.store import Store
from support import postgres, store
from support.cli import environment as clean
from support.cli import run
from support.sync import environment, execute, program, sqlite_path

WAYS = [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite"), ("postgres", "postgres")]
SLUGS = ("openrouter", "helicone", "groq")

# Places


class Places:
    """Fresh databases of either kind for one test."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request, self._folder, self._made = request, folder, list[tuple[str, str]]()

    def empty(self, kind: str, template: str = "template1") -> str:
        """The address of a database without a table; of SQLite not even a file."""
        name = f"copy{uuid.uuid4().hex[:12]}"
        if kind == "sqlite":
            return f"sqlite:///{self._folder}/{name}.db"
        server: str = self._request.getfixturevalue("postgres_server")
        self._made.append((server, name))
        return postgres.new_database(server, name, template)

    def catalog(self, kind: str) -> str:
        """The address of a catalog without a row."""
        address = self.empty(kind)
        Store.open(address, {}).close()
        return address

    def lived(self, kind: str) -> str:
        """The address of a catalog in which much has happened, with odd rows besides, while the simulator shows day 1."""
        template: str = self._request.getfixturevalue("lived_catalogs")(kind)
        if kind == "postgres":
            return self.empty(kind, template.rpartition("/")[2])
        address = self.empty(kind)
        shutil.copy(sqlite_path(template), sqlite_path(address))
        return address

    def close(self) -> None:
        for server, name in self._made:
            postgres.drop_database(server, name)


COMING = tuple(table for table in metadata.sorted_tables if table.name != "workers")
"""The tables of which anything comes along."""


# A look


def contents(address: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of a catalog as exact values, past all of our own code: numbers in documents are decimals, and `null` is no NULL."""
    is_sqlite = address.startswith("sqlite")
    found = {}
    for table in metadata.sorted_tables:
        columns = [f'CAST("{c.name}" AS text) AS "{c.name}"' if isinstance(c.type, JsonDocument) else f'"{c.name}"' for c in table.columns]
        keys = [
            f'"{c.name}"' + (' COLLATE "C"' if not is_sqlite and isinstance(c.type, sa.Text) else "") for c in table.primary_key.columns
        ]
        rows = _rows(address, f'SELECT {", ".join(columns)} FROM "{table.name}" ORDER BY {", ".join(keys)}')
        found[table.name] = [{column.name: _exact(column, row[column.name]) for column in table.columns} for row in rows]
    return found


def _rows(address: str, statement: str) -> list[dict[str, Any]]:
    if address.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(address))) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement)]
    with psycopg.connect(address, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        return list(connection.execute(statement.encode()))


def _exact(column: sa.Column[Any], value: Any) -> Any:
    if value is None:
        return None
    match column.type:
        case JsonDocument():
            return ("document", json.loads(value, parse_float=_number, parse_int=_number))
        case Money():
            return Decimal(value)
        case UtcTime():
            return datetime.fromisoformat(value) if isinstance(value, str) else value
        case sa.Boolean():
            return bool(value)
        case sa.LargeBinary():
            return value.encode() if isinstance(value, str) else bytes(value)
    return value


def _number(text: str) -> tuple[str, Decimal]:
    return ("number", Decimal(text))


def is_empty(address: str) -> bool:
    """Whether a database has no row of a catalog."""
    return not any(contents(address).values())


# What is in them


@contextmanager
def inserting(address: str) -> Iterator[sa.Connection]:
    opened = engine.create(engine.parse_url(address), read_only=False)
    try:
        with opened.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection
    finally:
        opened.dispose()


def lived(address: str, simulator: Simulator, folder: Path) -> None:
    """Two days of syncs, what persons decide in between, and odd rows."""
    values = environment(simulator)
    ours = program(values, address, folder, MODELSYNC_ARCHIVE=str(folder / "answers"))
    simulator.set_day(0)
    ours.sync(SLUGS)
    act(address, folder, "pin", "openrouter", "acme/scribe-2", "pricing_prompt=0.80/M", "metadata.note=é ", "--until", "30d")
    act(address, folder, "pin", "groq", "acme/llama-4-heron-17b", "description=ours")
    act(address, folder, "hide", "groq", "whisper-petite-v9")
    act(address, folder, "add", "groq", "our/own", "context_length=4096")
    simulator.set_day(1)
    ours.sync(SLUGS)
    ours.sync(SLUGS[:1])  # nothing new
    act(address, folder, "keys", "create", "ci", "--scope", "sync", "--expires", "2027-06-30")
    act(address, folder, "guard", "openrouter", "--shrink", "0.4")
    act(address, folder, "schedule", "set", "groq", "2h")
    odd(address)


def act(address: str, folder: Path, *arguments: str) -> None:
    """A command of a person."""
    done = run(folder, *arguments, "--reason", "for a test", "--database", address, env=clean(folder))
    assert done.returncode == 0, done.stderr


def many(address: str, count: int) -> None:
    """Enough models that copying them takes a while: so many, and one."""
    with store.opened(address) as found:
        store.commit(found, store.model("m", context_length=8))
    with inserting(address) as connection:
        said = {"id": "m", "context_length": 8}
        upstream = {"provider_id": 1, "provider_model_id": "m", "stated": said, "believed": said, "silent": {}}
        _put(connection, "upstream_values", upstream)
        for name in ("models", "model_changes", "upstream_values"):
            table = metadata.tables[name]
            row = dict(connection.execute(sa.select(table)).mappings().one())
            row.pop("id", None)
            for start in range(0, count, 1000):
                rows = [{**row, "provider_model_id": f"m{number}"} for number in range(start, min(start + 1000, count))]
                connection.execute(sa.insert(table), rows)
        connection.execute(sa.update(metadata.tables["sync_runs"]).values(status="succeeded"))


T = datetime(2026, 1, 2, 3, 4, 5, 1, tzinfo=UTC)
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
ODD_TEXT = "\\N \\. \\u0000 \\\\ \t\r\n\x0b\x01 ' \" %s $1 ñ 日本 𝔘 \u202e"
ODD_DOCUMENTS: list[Any] = [
    *({}, [], "text", "", 0, -1, 1, 1.0, 1.5, 1e-11, 1e300, 0.1 + 0.2, True, False, "null", 2**53 + 1, 2**64 - 1),
    {"b": [1, 1.0, True, None, {"": ""}], "a": {"x": 1e-11, "ü\n": ODD_TEXT}, "aa": [[[[[]]]]], "n": None},
    ["\\u0000", "a\\", 'q"'],
    "long " * 20_000,
]
UNTYPED = ["'null'", "NULL", "'[0.12345678901234567890123, 123456789012345678901234567890, -1.50]'"]
"""Documents that Python would not keep apart, or not exactly."""
MONEY = ["0", "0.000000123456", "1E-11", "123456789012.345678901234", "0.10", "1000000", "0.00000000000000000000000001"]


def odd(address: str) -> None:
    """Rows with values that are hard to carry, of a provider of their own. Keys leave gaps, and are large."""
    with inserting(address) as connection:
        provider = _provider(connection)
        _models(connection, provider)
        _decided(connection)
        _remembered(connection, provider)
        _runs(connection, provider)
        if connection.dialect.name == "postgresql":  # which does not count what is given
            for table in (each for each in metadata.sorted_tables if "id" in each.columns):
                connection.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"))
    execute(address, *(f"UPDATE pins SET value = {value} WHERE field = 'f{number}'" for number, value in enumerate(UNTYPED)))


def _put(connection: sa.Connection, table: str, *rows: dict[str, Any]) -> None:
    for row in rows:
        connection.execute(sa.insert(metadata.tables[table]).values(row))


def _provider(connection: sa.Connection) -> int:
    row = {"id": 77, "slug": "odd", "name": "", "description": ODD_TEXT, "is_active": False, "health_pinned": True, "metadata": {}}
    _put(connection, "providers", {**row, "supports_vision": False, "created_at": FIRST, "updated_at": LAST})
    return 77


def _models(connection: sa.Connection, provider: int) -> None:
    for number, money in enumerate(MONEY):
        facts = {"id": 2**40 + number, "provider_id": provider, "provider_model_id": f"odd/é{number}", "model_id": ODD_TEXT}
        texts = {
            "model_name": "",
            "description": "d" * 20_000,
            "context_length": 2**53,
            "modality": None,
            "input_modalities": ["text", "日"],
        }
        prices = {"pricing_prompt": Decimal(money), "pricing_image": Decimal(money), "pricing": {"prompt": money, "n": float(money)}}
        flags = {"is_active": number % 2 == 0, "supports_vision": None if number == 0 else number % 2 == 0, "status": "active"}
        times = {"missing_since_seq": 2**62, "released_at": FIRST, "expires_at": LAST, "first_seen_at": T, "created_at": T, "updated_at": T}
        row = {**facts, **texts, **prices, **flags, **times, "content_hash": "", "metadata": {"all": ODD_DOCUMENTS[:-1]}}
        _put(connection, "models", row)


def _decided(connection: sa.Connection) -> None:
    for number, document in enumerate(ODD_DOCUMENTS):
        more = {"value": document, "beneath": document if number % 2 else None, "expires_at": LAST if number % 3 else None}
        _put(
            connection,
            "pins",
            {"provider": "odd", "provider_model_id": "m", "field": f"f{number}", **more, "author": "é", "reason": "", "created_at": T},
        )
    for number, status in enumerate(("open", "confirmed", "rejected", "superseded")):
        told = {"kind": "price", "status": status, "message": ODD_TEXT, "hint": "", "ids": ["é", "m"], "times_seen": 2**31 - 1}
        at = {"created_at": T, "last_seen_at": T, "resolved_at": LAST if number else None, "resolved_by": "é" if number else None}
        more = {"detail": {"m": [1e-11, None]}, "over": ["m"] if number else None, "needs_person": number == 1, "stood": {"m": {}}}
        _put(connection, "holds", {"provider": "odd", **told, **at, **more})
    key = {"name": "é", "digest": "0" * 64, "scope": "read", "created_at": T, "expires_at": LAST, "revoked_at": T}
    _put(connection, "api_keys", key, {**key, "id": 900, "digest": "1" * 64, "expires_at": None, "revoked_at": None})
    _put(connection, "audit_log", {"at": T, "actor": "", "action": ODD_TEXT, "target": "t" * 50_000, "reason": None})


def _remembered(connection: sa.Connection, provider: int) -> None:
    state = {"provider": "odd", "ticket_seq": 2**62, "committed_seq": 2**62 - 1, "edition": -(2**62), "outside_scope": ["é"]}
    _put(connection, "provider_state", state, {"provider": "Odd"}, {"provider": "_odd"}, {"provider": "ödd"}, {"provider": "o-dd"})
    blobs = {"ids": bytes(range(256)), "digests": b"", "kinds": b"\\x00\0\n" * 99}
    _put(connection, "known_rows", {"provider": "odd", "reader": "r", "edition": 2**62, **blobs, "incomplete": [["a"], []]})
    for row_id in ("a", "B", "é", "_", "-", "a b", "日"):
        key = {"provider_id": provider, "provider_model_id": row_id}
        _put(connection, "upstream_values", {**key, "stated": {"id": row_id}, "believed": {}, "silent": {"p": {"since": None}}})
        _put(connection, "last_prices", {**key, "field": "f", "condition": "", "usd": Decimal("1E-11"), "since": T})
        _put(connection, "last_prices", {**key, "field": "f", "condition": "above 2", "usd": Decimal("0.10"), "since": T})


def _runs(connection: sa.Connection, provider: int) -> None:
    run_id = 5000
    seconds = 0.1 + 0.2
    ended = {"finished_at": T, "duration_seconds": seconds, "fetched": 2**31 - 1, "heartbeat_at": None}
    _put(connection, "sync_runs", {"id": run_id, "status": "failed", "trigger": ODD_TEXT, "started_at": FIRST, **ended})
    result = {"run_id": run_id, "provider": "odd", "outcome": "failed", "error_kind": "config", "error": ODD_TEXT, "version": 1}
    _put(connection, "sync_results", {**result, "warnings": ["", ODD_TEXT], "duration_seconds": 1e-7, "finished_at": T})
    change = {"run_id": run_id, "provider_id": provider, "provider_model_id": "odd/é0", "kind": "updated", "changed_at": T}
    _put(connection, "model_changes", {**change, "fields": {"pricing_prompt": [None, "0.00000000001"], "x": [1, True]}})
    answer = {"run_id": run_id, "provider": "odd", "position": 0, "endpoint": "", "url": "https://é/?a=%20", "scope": "", "whole": False}
    _put(connection, "answers", {**answer, "digest": "f" * 64, "bytes": 2**40, "received_at": T})
