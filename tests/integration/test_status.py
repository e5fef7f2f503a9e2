"""`modelsync status`: what waits, what is frozen and pinned, what ends soon, and the exit code that says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model
from modelsync.operations import models as operators
from modelsync.operations.rollback import rollback
from modelsync.queries.status import read_status, states
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, seen
from support.sync import execute

ADA = Person("ada", "our contract")


def dollars(row_id: str, prompt: Any, **values: Any) -> Model:
    return model(row_id, D(prompt) / 1_000_000, **values)


def sync(store: Store, *models: Model) -> None:
    store.commit(lease_for(store), Commit(PROVIDER, listing(*models), seen("d"), whole=True), 0.0)


def test_what_waits_is_told_with_its_kind_and_age_and_exit_code_4(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        assert run(tmp_path, "status", env=env).returncode == 0
        sync(store, dollars("m", 1000))
    at = (datetime.now(UTC) - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    execute(database_url, f"UPDATE holds SET created_at = '{at}'")
    done = run(tmp_path, "status", env=env)
    assert done.returncode == 4
    assert "1 needs review: see `modelsync held`\n  1  openrouter  price: m: pricing_prompt $1 → $1,000" in done.stdout
    assert "(5 h ago)" in done.stdout
    (hold,) = run_json(tmp_path, "status", env=env)["held"]
    assert (hold["id"], hold["provider"], hold["kind"]) == (1, SLUG, "price")
    assert 5 * 3600 <= hold["age_seconds"] < 5 * 3600 + 300
    execute(database_url, "UPDATE provider_state SET last_success_at = '2026-01-01T00:00:00.000000Z'")
    assert run(tmp_path, "status", env=env).returncode == 3  # stale comes first


def test_more_holds_than_fit_are_counted(tmp_path: Path):
    database_url = f"sqlite:///{tmp_path}/modelsync.db"
    with opened(database_url) as store:
        sync(store, *(dollars(f"m{number:02}", 1) for number in range(12)), *(dollars(f"n{number}", 1) for number in range(40)))
        slipped = (dollars(f"m{number:02}", 1000) for number in range(12))
        sync(store, *slipped, *(dollars(f"n{number}", 1) for number in range(40)))
    told = run(tmp_path, "status", env=environment(tmp_path, DATABASE_URL=database_url)).stdout
    assert "12 need review" in told
    assert told.count("  openrouter  price: m") == 10
    assert "  and 2 more" in told


def test_frozen_providers_and_moved_pins_are_told(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    with opened(database_url) as store:
        sync(store, dollars("m", 1, context_length=8))
        calm = run_json(tmp_path, "status", env=env)
        operators.pin(store, SLUG, "m", [Pin("pricing_prompt", D("0.0000005")), Pin("context_length", 9)], ADA)
        assert "2 values are pinned\n" in run(tmp_path, "status", env=env).stdout
        sync(store, dollars("m", 2, context_length=8))
        sync(store, dollars("m", 2, context_length=8), dollars("n", 1))
        moved, told = run_json(tmp_path, "status", env=env)["pins"], run(tmp_path, "status", env=env).stdout
        rollback(store, SLUG, 1, Person("ada", "their list was wrong"))
    assert (calm["pins"], calm["held"], calm["freshness"][0]["frozen_at"]) == ({"total": 0, "moved": 0}, [], None)
    found = run_json(tmp_path, "status", env=env)
    (row,) = found["freshness"]
    assert moved == {"total": 2, "moved": 1}
    assert found["pins"] == {"total": 2, "moved": 0}  # going back brings back what a pin hides, too
    assert row["frozen_reason"] == "rolled back to run 1: their list was wrong"
    assert datetime.now(UTC) - datetime.fromisoformat(row["frozen_at"]) < timedelta(minutes=2)
    done = run(tmp_path, "status", env=env)
    frozen = (
        '  openrouter: just now, rolled back to run 1: their list was wrong; `modelsync resume openrouter --reason "…"` lets it sync again'
    )
    assert f"Paused after a rollback, so that no sync changes them:\n{frozen}\n" in done.stdout
    assert "fresh, paused" in done.stdout
    assert "2 values are pinned; of 1 the provider's value moved since: see `modelsync pins --moved`" in told
    assert done.returncode == 0


def test_announced_ends_are_counted_and_shown_when_near(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    now = datetime.now(UTC)
    far, near, over = now + timedelta(days=31), now + timedelta(days=29), now - timedelta(days=1)
    with opened(database_url) as store:
        sync(store, dollars("far", 1, expires_at=far), dollars("open", 1))
        assert run_json(tmp_path, "status", env=env)["models"]["stats"]["ending"] == 0
        assert "Announced" not in run(tmp_path, "status", env=env).stdout
        assert " ends" not in run(tmp_path, "models", env=env).stdout
        found = {row["provider_model_id"]: row["expires_at"] for row in run_json(tmp_path, "models", env=env)["models"]}
        assert {name: end and end[:10] for name, end in found.items()} == {"far": f"{far:%Y-%m-%d}", "open": None}
        off = dollars("off", 1, expires_at=near, available=False)
        sync(store, dollars("far", 1, expires_at=far), dollars("open", 1), dollars("near", 1, expires_at=near), off)
        sync(store, dollars("far", 1, expires_at=far), dollars("open", 1), dollars("near", 1, expires_at=near), off)
        status = run_json(tmp_path, "status", env=env)["models"]
        assert (status["stats"]["ending"], status["ending_within_days"]) == (1, 30)
        shown = run(tmp_path, "status", env=env).stdout
        assert "Announced to end within 30 days: 1 (`modelsync models --ending 30d --sort ends` shows all)" in shown
        assert f"\n  {near:%Y-%m-%d}  openrouter  near\n" in shown
        lines = {line.split()[0]: line.split()[-1] for line in run(tmp_path, "models", env=env).stdout.splitlines() if line}
        assert lines["model"] == "ends"
        assert (lines["far"], lines["near"], lines["open"]) == (f"{far:%Y-%m-%d}", f"{near:%Y-%m-%d}", "—")
        assert " ends" not in run(tmp_path, "models", "open", env=env).stdout  # no row with one
        sync(store, dollars("near", 1, expires_at=over), dollars("far", 1, expires_at=far), dollars("open", 1))
    assert run_json(tmp_path, "status", env=env)["models"]["stats"]["ending"] == 0  # over, and listed all the same
    assert f"{over:%Y-%m-%d}" in run(tmp_path, "models", env=env).stdout


def statements_of(store: Store, work: Callable[[], object]) -> int:
    """How many statements the database is asked."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    sa.event.listen(store.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", note)
    return len(asked)


def test_the_status_asks_as_much_whatever_is_pinned_and_held(database_url: str):
    names = [f"m{number}" for number in range(20)]
    with opened(database_url) as store:
        sync(store, *(dollars(name, 1) for name in names))
        few = statements_of(store, lambda: read_status(store))
        for name in names:
            operators.pin(store, SLUG, name, [Pin("pricing_prompt", D("0.000002"))], ADA)
        sync(store, *(dollars(name, number + 1) for number, name in enumerate(names)))
        status = read_status(store)
        assert (status.pins.total, status.pins.moved) == (20, 8)  # those that moved by ten times or more are held
        assert len(status.held) > 0
        assert statements_of(store, lambda: read_status(store)) == few


def test_an_odd_guard_or_drift_keeps_nobody_from_seeing_how_fresh_the_catalog_is(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        execute(database_url, """UPDATE provider_state SET guard = '{"shrink_share": "odd"}', drift = '[{"at": 5}]'""")
        assert states(store) == {"fresh": 1, "stale": 0, "failing": 0, "never": 0}


def test_changes_as_csv_have_both_sides_and_the_factor(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    with opened(database_url) as store:
        sync(store, dollars("a", 2, context_length=8), dollars("b", 0), dollars("=c", 1))
        sync(store, dollars("a", "2.5", context_length=16), dollars("b", 0))
        sync(store, dollars("a", "2.5", context_length=16), dollars("b", 0), dollars("=c", 1))
    lines = run(tmp_path, "changes", "--csv", env=env).stdout.splitlines()
    assert lines[0] == "changed_at,provider,model,kind,field,old,new,factor,run,by"
    assert sorted(line.partition(",")[2] for line in lines[1:]) == sorted(
        [
            *(f"openrouter,{name},added,,,,,1,sync" for name in ("a", "b", "'=c")),
            "openrouter,a,updated,context_length,8,16,,2,sync",
            "openrouter,a,updated,pricing_prompt,0.000002,0.0000025,1.25,2,sync",
            "openrouter,'=c,missing,,,,,2,sync",
            "openrouter,'=c,revived,,,,,3,sync",
        ]
    )
    only = run(tmp_path, "changes", "--csv", "--field", "pricing_prompt", env=env).stdout.splitlines()[1:]
    assert [line.partition(",")[2] for line in only] == ["openrouter,a,updated,pricing_prompt,0.000002,0.0000025,1.25,2,sync"]
    assert len(run(tmp_path, "changes", "--csv", "--limit", "2", env=env).stdout.splitlines()) >= 3
    assert run(tmp_path, "changes", "--csv", "--json", env=env).returncode == 64
