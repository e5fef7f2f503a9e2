"""The view `catalog`, with the bare drivers: numbers that compare, what needs a look, and who may read it."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelsync.database.migrate import Schema
from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices
from modelsync.operations import models as operators
from modelsync.planning.policy import Rules
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support import postgres
from support.cli import ROOT, environment, run
from support.store import PROVIDER, SLUG, lease_for, listing, opened
from support.sync import execute, query

ADA = Person("ada", "our contract")


def sync(store: Store, *models: Model, rules: Rules | None = None) -> None:
    store.commit(lease_for(store), Commit(PROVIDER, listing(*models), None, rules or Rules()), 0.0)


def priced(row_id: str, prompt: Any, completion: Any = None, **more: Any) -> Model:
    """USD per million tokens."""
    prices = [None if usd is None else D(usd) / 1_000_000 for usd in (prompt, completion)]
    return Model(id=row_id, prices=Prices(prompt=prices[0], completion=prices[1], **more))


def rows(database_url: str, what: str = "*", where: str = "TRUE") -> list[dict[str, Any]]:
    return query(database_url, f"SELECT {what} FROM catalog WHERE {where} ORDER BY provider, model")


def names(database_url: str, where: str) -> list[str]:
    return [row["model"] for row in rows(database_url, "*", where)]


def test_prices_are_numbers_that_compare(database_url: str):
    """As texts 0.0000012 is less than 0.00000015, and 10 less than 9."""
    usd = {"a": "1.2", "b": "0.15", "c": "10", "d": "9", "e": "0", "f": None, "g": "0.0001"}
    with opened(database_url) as store:
        sync(store, *(priced(name, each, each) for name, each in usd.items()))
    assert names(database_url, "prompt_usd_per_million < 1.2") == ["b", "e", "g"]
    assert names(database_url, "completion_usd_per_million <= 9") == ["a", "b", "d", "e", "g"]
    assert names(database_url, "prompt_usd_per_million IS NULL") == ["f"]
    found = {row["model"]: row["prompt_usd_per_million"] for row in rows(database_url)}
    assert {name: None if each is None else Decimal(str(each)) for name, each in found.items()} == {
        name: None if each is None else Decimal(each) for name, each in usd.items()
    }


def test_what_becomes_of_a_model_and_what_needs_a_look(database_url: str):
    with opened(database_url) as store:
        start = [priced(name, 1) for name in ("held", "gone", "hid", "plain", "carried", "varies")]
        sync(store, *start)
        operators.pin(store, SLUG, "hid", [Pin("is_active", False)], ADA)
        now = [
            priced("held", 1000),
            priced("hid", 1),
            priced("plain", 1),
            priced("half", 1, incomplete=("audio",)),
            priced("carried", None),
        ]
        sync(store, *now, Model(id="varies", prices=Prices(dynamic=True)))
    found = {row["model"]: row for row in rows(database_url)}
    assert {name: row["status"] for name, row in found.items()} == {
        **dict.fromkeys(("held", "plain", "half", "carried", "varies"), "active"),
        "gone": "missing",
        "hid": "hidden",
    }
    assert {name: row["review"] for name, row in found.items()} == {
        **dict.fromkeys(("gone", "hid", "plain", "varies"), "none"),
        "held": "price",
        "half": "incomplete",
        "carried": "carried",
    }
    assert [name for name, row in found.items() if row["price_varies"]] == ["varies"]
    assert [name for name, row in found.items() if row["price_incomplete"]] == ["half"]
    assert found["held"]["prompt_usd_per_million"] == 1


def test_absence_that_is_held_needs_a_look(database_url: str):
    with opened(database_url) as store:
        many = [priced(f"m{number}", 1) for number in range(20)]
        sync(store, *many)
        sync(store, *many[:10])
    assert len(names(database_url, "review = 'absence' AND status = 'active'")) == 10


def test_upgrading_makes_it_again_and_leaves_the_rest(database_url: str, tmp_path: Path):
    with opened(database_url) as store:
        sync(store, priced("a", 1))
    execute(database_url, "DROP VIEW catalog")
    execute(database_url, "CREATE VIEW catalog AS SELECT 1 AS x")
    assert Schema(database_url).upgrade() == (Schema.head, Schema.head)
    assert names(database_url, "TRUE") == ["a"]
    done = run(tmp_path, "db", "upgrade", "--database", database_url, env=environment(tmp_path))
    assert (done.returncode, "already up to date" in done.stdout) == (0, True)


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    name = f"view{uuid.uuid4().hex[:12]}"
    yield postgres.new_database(postgres_server, name)
    postgres.drop_database(postgres_server, name)


def test_it_shows_nobody_what_they_may_not_read(empty_postgres_url: str):
    """As on Supabase, where who has no account gets a right to every new table and view of the schema."""
    with psycopg.connect(empty_postgres_url, autocommit=True) as connection:
        connection.execute("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN CREATE ROLE anon; END IF; END $$")
        connection.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon")
        with opened(empty_postgres_url) as store:
            sync(store, priced("a", 1))
        for _ in range(2):
            (may,) = connection.execute("SELECT has_table_privilege('anon', 'catalog', 'SELECT')").fetchone() or ()
            (options,) = connection.execute("SELECT reloptions FROM pg_class WHERE relname = 'catalog'").fetchone() or ()
            assert (may, options) == (False, ["security_invoker=true"])
            Schema(empty_postgres_url).upgrade()
        connection.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM anon")


def test_upgrading_takes_no_right_away_and_no_view_that_stands_on_it(empty_postgres_url: str):
    with opened(empty_postgres_url) as store:
        sync(store, priced("a", 1))
    with psycopg.connect(empty_postgres_url, autocommit=True) as connection:
        connection.execute(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reports') THEN CREATE ROLE reports; END IF; END $$"
        )
        connection.execute("GRANT SELECT ON catalog TO reports")
        connection.execute("CREATE VIEW cheap AS SELECT model FROM catalog WHERE prompt_usd_per_million < 2")
        Schema(empty_postgres_url).upgrade()
        (may,) = connection.execute("SELECT has_table_privilege('reports', 'catalog', 'SELECT')").fetchone() or ()
        assert (may, connection.execute("SELECT model FROM cheap").fetchall()) == (True, [("a",)])
        connection.execute("REVOKE ALL ON catalog FROM reports")


def test_times_and_abilities_are_there(database_url: str):
    ends = datetime(2027, 1, 1, tzinfo=UTC)
    with opened(database_url) as store:
        sync(store, Model(id="a", expires_at=ends, supports_vision=True, prices=Prices(request=D("0.01"))))
    (row,) = rows(database_url)
    assert str(row["expires_at"])[:10] == "2027-01-01"
    assert (bool(row["supports_vision"]), row["supports_reasoning"], float(row["usd_per_request"])) == (True, None, 0.01)


def test_every_query_of_the_documents_runs_and_every_column_is_described(database_url: str):
    texts = [(ROOT / name).read_text("utf-8") for name in ("README.md", "docs/database_schema.md", "docs/cookbook.md")]
    queries = [each for text in texts for each in re.findall(r"```sql\n(SELECT .*?)```", text, re.DOTALL)]
    assert len(queries) >= 5
    with opened(database_url) as store:
        sync(store, priced("a", "0.5", "2"))
    for each in queries:
        query(database_url, each.rstrip().rstrip(";"))
    described = set(re.findall(r"`(\w+)`", texts[1].partition("## The view `catalog`")[2].partition("\n## ")[0]))
    assert set(rows(database_url)[0]) - described == set()
