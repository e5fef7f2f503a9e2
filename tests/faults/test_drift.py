"""P6: fields that a provider renames, drops, adds or writes in another type. It is said, and what was known stays."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from modelsync import app
from modelsync.errors import DatabaseError
from modelsync.planning.drift import Shape
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Held, Planned, Report, Synced
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support import cli
from support.cli import run
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, raise_no_more, raise_on
from support.sync import environment, errors, everything, execute, models_of, outcomes, program, query, table

Row = dict[str, Any]

GONE = "drift: `pricing` was filled in 100 % of rows and now in 0 %; look whether a price unit moved"
NEW = "drift: `price` is new, and filled in 100 % of rows"


def openrouter_rows(count: int = 10) -> list[Row]:
    return [
        {
            "id": f"acme/m{number}",
            "name": f"M {number}",
            "context_length": 8192,
            "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        }
        for number in range(count)
    ]


def renamed(row: Row) -> Row:
    return {"price" if name == "pricing" else name: value for name, value in row.items()}


def sync_rows(modelsync: app.App, simulator: Simulator, rows: list[Row]) -> Report:
    simulator.set_list("openrouter", "models", rows)
    report = modelsync.sync(["openrouter"])
    assert errors(report) == {}
    return report


def drifts(report: Report) -> list[str]:
    (result,) = report.results
    return [warning for warning in result.warnings if warning.startswith("drift: ")]


def state(database_url: str) -> dict[str, Any]:
    (row,) = (row for row in table(database_url, "provider_state") if row["provider"] == "openrouter")
    return row


def prices(database_url: str) -> set[tuple[Decimal | None, Decimal | None]]:
    return {(row["pricing_prompt"], row["pricing_completion"]) for row in models_of(database_url, "openrouter").values()}


KNOWN = {(Decimal("0.000001"), Decimal("0.000002"))}


# P6: on the wire


def test_p06_a_renamed_field_is_said_and_the_old_values_stay(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    assert drifts(sync_rows(modelsync, simulator, openrouter_rows())) == []
    before = datetime.now(UTC) - timedelta(seconds=2)

    report = sync_rows(modelsync, simulator, [renamed(row) for row in openrouter_rows()])
    assert drifts(report) == [NEW, GONE]
    assert report.results[0].warnings[:2] == (NEW, GONE)  # before all others
    assert prices(database_url) == KNOWN

    found = state(database_url)
    assert [drift["message"] for drift in found["drift"]] == [NEW, GONE]
    assert before <= found["drift_at"] <= datetime.now(UTC) + timedelta(seconds=2)
    (result,) = query(database_url, f"SELECT warnings FROM sync_results WHERE run_id = {report.run_id}")
    assert result["warnings"][:2] == [NEW, GONE]

    # The new shape is the known one from now on, and the note stands for a while.
    more = sync_rows(modelsync, simulator, [renamed(row) for row in openrouter_rows(11)])
    assert drifts(more) == []
    assert state(database_url)["drift"] == found["drift"]


def test_p06_a_dry_run_says_it_too_and_writes_nothing(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    sync_rows(modelsync, simulator, openrouter_rows())
    before = everything(database_url)
    simulator.set_list("openrouter", "models", [renamed(row) for row in openrouter_rows()])
    report = modelsync.sync(["openrouter"], dry_run=True)
    assert isinstance(outcomes(report)["openrouter"], Planned)
    assert drifts(report) == [NEW, GONE]
    assert everything(database_url) == before


def test_p06_a_number_where_a_string_was(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    sync_rows(modelsync, simulator, openrouter_rows())
    report = sync_rows(modelsync, simulator, [{**row, "context_length": "8192"} for row in openrouter_rows()])
    assert drifts(report) == ["drift: `context_length` was a number and is now a string"]
    assert {row["context_length"] for row in models_of(database_url, "openrouter").values()} == {8192}
    assert prices(database_url) == KNOWN


def test_p06_extra_fields_are_kept_raw(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    sync_rows(modelsync, simulator, openrouter_rows())
    report = sync_rows(modelsync, simulator, [{**row, "batch_discount": 50} for row in openrouter_rows()])
    assert drifts(report) == ["drift: `batch_discount` is new, and filled in 100 % of rows"]
    assert {row["metadata"]["batch_discount"] for row in models_of(database_url, "openrouter").values()} == {50}


def test_p06_a_field_that_one_model_has_may_come_and_go(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    plain = openrouter_rows()
    adorned = [{**plain[0], "expiration_date": "2027-01-01", "pricing": {**plain[0]["pricing"], "image": "0.001"}}, *plain[1:]]
    for rows in (plain, adorned, plain, adorned):
        assert drifts(sync_rows(modelsync, simulator, rows)) == []


def test_p06_no_sample_cries_drift_from_one_day_to_the_next(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync()
    simulator.set_day(1)
    report = modelsync.sync()
    assert [warning for result in report.results for warning in result.warnings if warning.startswith("drift: ")] == []
    assert all(row["wire_fields"] for row in table(database_url, "provider_state"))


def test_p06_another_key_begins_anew(simulator: Simulator, database_url: str, tmp_path: Path):
    sync_rows(program(environment(simulator), database_url, tmp_path), simulator, openrouter_rows())
    keyless = program(environment(simulator, "openrouter"), database_url, tmp_path)
    assert drifts(sync_rows(keyless, simulator, [renamed(row) for row in openrouter_rows()])) == []
    assert drifts(sync_rows(keyless, simulator, openrouter_rows())) != []  # and is compared with itself from then on


def test_p06_a_list_that_cannot_be_read_any_more_is_held_and_says_which_field(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    sync_rows(modelsync, simulator, openrouter_rows())
    known = state(database_url)["wire_fields"]
    simulator.set_list("openrouter", "models", [{**row, "id": number} for number, row in enumerate(openrouter_rows())])
    for _ in range(2):
        report = modelsync.sync(["openrouter"])
        assert isinstance(outcomes(report)["openrouter"], Held)
        assert drifts(report) == ["drift: `id` was a string and is now a number"]
    assert state(database_url)["wire_fields"] == known  # what is believed is what the next listing is compared with
    assert [drift["message"] for drift in state(database_url)["drift"]] == ["drift: `id` was a string and is now a number"]


# Status


def test_p06_status_shows_it_for_seven_days(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    sync_rows(modelsync, simulator, openrouter_rows())
    sync_rows(modelsync, simulator, [renamed(row) for row in openrouter_rows()])
    env = environment_of_cli(tmp_path, database_url)

    (row,) = json.loads(run(tmp_path, "status", "--json", env=env).stdout)["freshness"]
    assert [drift["message"] for drift in row["drift"]] == [NEW, GONE]
    assert all(0 <= drift["age_seconds"] < 300 for drift in row["drift"])
    shown = run(tmp_path, "status", env=env)
    assert "Fields that moved in the last seven days:\n  openrouter: `price` is new" in shown.stdout
    assert shown.returncode == 0

    for age, count in (({"days": 6}, 2), ({"days": 7, "minutes": 1}, 0)):
        at = (datetime.now(UTC) - timedelta(**age)).isoformat().replace("+00:00", "Z")
        aged = json.dumps([{"at": at, "message": NEW}, {"at": at, "message": GONE}]).replace("'", "''")
        execute(database_url, f"UPDATE provider_state SET drift = '{aged}'")
        (row,) = json.loads(run(tmp_path, "status", "--json", env=env).stdout)["freshness"]
        assert len(row["drift"]) == count
    assert "Fields that moved" not in run(tmp_path, "status", env=env).stdout


def environment_of_cli(folder: Path, database_url: str) -> dict[str, str]:
    return cli.environment(folder, DATABASE_URL=database_url)


# In the store


FIRST = dataclasses.replace(PROVIDER, version=1)


def shaped(filled: int, *, complete: bool = True, names: tuple[str, ...] = ("a", "b")) -> Listing:
    """A listing of models whose 20 rows had `note` so many times."""
    shape = Shape(20, {"id": {"string": 20}, **({"note": {"string": filled}} if filled else {})})
    found = listing(*(model(name) for name in names), complete=complete)
    return Listing(models=found.models, hashes=found.hashes, complete=complete, wire_fields={"models": shape})


def commit(store: Store, wanted: Listing, scope: str = "", version: int = 1) -> list[str]:
    provider = dataclasses.replace(PROVIDER, version=version)
    result = store.commit(lease_for(store), Commit(provider, wanted, None, scope=scope), 0.0)
    assert isinstance(result.outcome, Synced)
    return [warning for warning in result.warnings if warning.startswith("drift: ")]


LOST = ["drift: `note` was filled in 100 % of rows and now in 0 %; look whether it has another name now"]


def test_p06_another_version_of_the_reading_begins_anew(database_url: str):
    with opened(database_url) as store:
        commit(store, shaped(20))
        assert commit(store, shaped(0), version=2) == []
        assert commit(store, shaped(20), version=2) == ["drift: `note` is new, and filled in 100 % of rows"]


def test_p06_an_incomplete_listing_neither_tells_nor_counts(database_url: str):
    with opened(database_url) as store:
        commit(store, shaped(20))
        assert commit(store, shaped(0, complete=False)) == []
        assert commit(store, shaped(0)) == LOST


def test_p06_a_listing_that_shrank_tells_and_is_not_the_measure(database_url: str):
    everyone = tuple(f"m{number:02}" for number in range(30))
    with opened(database_url) as store:
        commit(store, shaped(20, names=everyone))
        assert commit(store, shaped(0, names=everyone[:9])) == LOST  # of 30 models 21 are gone: that is held
        assert commit(store, shaped(20, names=everyone)) == []
        assert commit(store, shaped(0, names=everyone)) == LOST


def test_i10_the_measure_moves_with_the_catalog_or_not_at_all(database_url: str):
    with opened(database_url) as store:
        commit(store, shaped(20))
        before = everything(database_url)["provider_state"][0]["wire_fields"]
        lease = lease_for(store)
        raise_on(database_url, "sync_results", "INSERT")
        with pytest.raises(DatabaseError):
            store.commit(lease, Commit(FIRST, shaped(0), None), 0.0)
        raise_no_more(database_url, "sync_results")
        (row,) = everything(database_url)["provider_state"]
        assert (row["wire_fields"], row["drift"], row["drift_at"]) == (before, None, None)
        assert store.commit(lease, Commit(FIRST, shaped(0), None), 0.0).warnings == tuple(LOST)


def test_p06_what_another_version_remembered_otherwise_is_no_obstacle(database_url: str):
    with opened(database_url) as store:
        commit(store, shaped(20))
        execute(database_url, """UPDATE provider_state SET wire_fields = '{"rows": 3}'""")
        assert commit(store, shaped(0)) == []
        assert commit(store, shaped(20)) == ["drift: `note` is new, and filled in 100 % of rows"]


def test_i26_a_hostile_field_name_is_data(database_url: str, tmp_path: Path):
    name = "\x1b[31mred\nline"
    with opened(database_url) as store:
        commit(store, shaped(20))
        found = listing(model("a"), model("b"))
        hostile = Listing(
            models=found.models, hashes=found.hashes, wire_fields={"models": Shape(20, {name: {"string": 20}, "id": {"string": 20}})}
        )
        assert len(commit(store, hostile)) == 2
    shown = run(tmp_path, "status", env=environment_of_cli(tmp_path, database_url)).stdout
    assert SLUG in shown
    assert "\x1b" not in shown
    assert "red\nline" not in shown
