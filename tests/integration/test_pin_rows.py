"""The rows of pins, on both databases: which stand, which are listed, and which expire, for one provider and no other."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from modelsync.database.schema import audit_log
from modelsync.database.tables import pins
from modelsync.model.fields import Pin
from support.store import opened

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROUND, LONG = Pin("pricing_prompt", Decimal("0.0000010")), Pin("context_length", 8192)
NAMED = Pin("model_name", "Ours")


@pytest.fixture
def connection(database_url):
    with opened(database_url) as store, store.writing() as connection:
        yield connection


def put(connection, pin, slug="groq", model="m", expires_at=None):
    pins.put(connection, slug, model, pin, None, author="ada", reason="why not", created_at=NOON, expires_at=expires_at)


def found(connection, *slugs, model=None):
    return [(row.provider, row.provider_model_id, row.field) for row in pins.listed(connection, slugs, model)]


def test_i27_pins_stand_until_the_moment_they_expire(connection):
    put(connection, LONG, expires_at=NOON)
    put(connection, NAMED)
    assert pins.standing(connection, "groq", NOON - timedelta(microseconds=1)) == {"m": (LONG, NAMED)}
    assert pins.standing(connection, "groq", NOON) == {"m": (NAMED,)}
    assert pins.standing(connection, "xai", NOON) == {}


def test_pins_stand_by_model_in_their_own_types(connection):
    put(connection, ROUND, model="a/b")
    put(connection, LONG, model="c")
    put(connection, NAMED, model="a/b")
    assert pins.standing(connection, "groq", NOON) == {"a/b": (ROUND, NAMED), "c": (LONG,)}


def test_a_pin_takes_the_place_of_the_one_on_its_field_and_of_no_other(connection):
    for slug, model in (("groq", "m"), ("groq", "n"), ("xai", "m")):
        put(connection, LONG, slug, model)
    put(connection, NAMED)
    put(connection, Pin("context_length", 1))
    values = {(row.provider, row.provider_model_id, row.field): row.value for row in pins.listed(connection)}
    assert values == {
        ("groq", "m", "context_length"): 1,
        ("groq", "m", "model_name"): "Ours",
        ("groq", "n", "context_length"): 8192,
        ("xai", "m", "context_length"): 8192,
    }


def test_pins_are_listed_in_order_for_providers_and_models(connection):
    for slug, model, pin in (("xai", "m", LONG), ("groq", "n", LONG), ("groq", "m", NAMED), ("groq", "m", LONG), ("near", "m", LONG)):
        put(connection, pin, slug, model)
    everything = [
        ("groq", "m", "context_length"),
        ("groq", "m", "model_name"),
        ("groq", "n", "context_length"),
        ("near", "m", "context_length"),
        ("xai", "m", "context_length"),
    ]
    assert found(connection) == everything
    assert found(connection, "groq", "xai") == [row for row in everything if row[0] != "near"]
    assert found(connection, "groq", model="m") == everything[:2]
    assert found(connection, model="m") == [row for row in everything if row[1] == "m"]
    assert found(connection, "fal") == found(connection, model="") == []


def test_what_is_removed_is_told_and_nothing_else_is_removed(connection):
    for slug, model, pin in (("groq", "m", NAMED), ("groq", "m", LONG), ("groq", "n", LONG), ("xai", "m", LONG)):
        put(connection, pin, slug, model)
    assert pins.remove(connection, "groq", "m", ["model_name", "context_length", "description"]) == ["context_length", "model_name"]
    assert found(connection) == [("groq", "n", "context_length"), ("xai", "m", "context_length")]
    assert pins.remove(connection, "groq", "m", ["context_length"]) == []


def test_i28_a_pin_that_expires_is_written_down_and_others_stay(connection):
    put(connection, LONG, expires_at=NOON)
    put(connection, NAMED, expires_at=NOON + timedelta(seconds=1))
    put(connection, LONG, model="n")
    put(connection, LONG, slug="xai", expires_at=NOON)
    assert pins.expire(connection, "groq", NOON - timedelta(seconds=1)) is True  # some will
    assert len(found(connection)) == 4
    assert pins.expire(connection, "groq", NOON) is True  # one more will
    assert found(connection) == [("groq", "m", "model_name"), ("groq", "n", "context_length"), ("xai", "m", "context_length")]
    assert pins.expire(connection, "groq", NOON + timedelta(seconds=1)) is False  # the last one stands for good
    rows = connection.execute(sa.select(audit_log).order_by(audit_log.c.id)).mappings().all()
    assert [(row["actor"], row["action"], row["target"], row["reason"]) for row in rows] == [
        ("sync", "unpin", "groq m context_length", "the pin expired"),
        ("sync", "unpin", "groq m model_name", "the pin expired"),
    ]
    assert [row["at"] for row in rows] == [NOON, NOON + timedelta(seconds=1)]
