"""I40: what a dry run shows is what the sync does with the same answer, changed or not; and plans that came too late are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelsync.planning.outcome import Failed, NotModified, Planned, Report, Synced, details
from modelsync.simulator.server import Simulator
from support.cli import environment as clean
from support.cli import run, run_json
from support.sync import environment, everything, models_of, outcomes, program, table

SLUG = "openrouter"
COUNTS = ("models_fetched", "models_transformed", "models_skipped", "models_created", "models_updated", "models_unchanged")
ABSENCE = ("models_missing", "models_retired", "models_held")


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"m{n}", "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]}} for n in range(count)]


def numbers(report: Report) -> dict[str, Any]:
    (result,) = report.results
    found = details(report, result)
    return {name: found[name] for name in (*COUNTS, *ABSENCE, "provider_id")}


@pytest.fixture
def due(simulator: Simulator, database_url: str, tmp_path: Path) -> Any:
    """A catalog of five models one of which was absent twice; the next listing like the last one retires it."""
    settings = environment(simulator) | {"MODELSYNC_RETIRE_AFTER_HOURS": "0"}
    modelsync = program(settings, database_url, tmp_path)
    simulator.set_list(SLUG, "models", rows(5))
    modelsync.sync([SLUG])
    simulator.set_list(SLUG, "models", rows(4))
    for _ in range(2):
        modelsync.sync([SLUG])
    return modelsync


def test_i40_an_unchanged_answer_retires_in_the_dry_run_what_the_sync_retires(database_url: str, due: Any):
    before = everything(database_url)
    planned = due.sync([SLUG], dry_run=True)
    assert everything(database_url) == before
    assert isinstance(outcomes(planned)[SLUG], Planned)
    assert (planned.counts.missing, planned.counts.retired, planned.counts.synced) == (1, 1, 0)
    assert [(change.kind.value, change.id) for change in outcomes(planned)[SLUG].plan.changes] == [("retired", "m4")]
    synced = due.sync([SLUG])
    assert isinstance(outcomes(synced)[SLUG], NotModified)
    assert numbers(planned) == numbers(synced)
    assert models_of(database_url, SLUG)["m4"]["status"] == "retired"


def test_i40_a_dry_run_of_an_unchanged_answer_syncs_nothing_and_knows_the_provider(simulator: Simulator, tmp_path: Path):
    env = clean(tmp_path, simulator)
    assert run(tmp_path, "sync", "--providers", SLUG, env=env).returncode == 0
    synced = run_json(tmp_path, "sync", "--providers", SLUG, env=env)
    planned = run_json(tmp_path, "sync", "--providers", SLUG, "--dry-run", env=env)
    (one,), (other,) = synced["details"]["results"], planned["details"]["results"]
    assert (other["models_synced"], other["status"], planned["details"]["total_models_synced"]) == (0, "not_modified", 0)
    assert {name: one[name] for name in (*COUNTS, *ABSENCE, "provider_id")} == {
        name: other[name] for name in (*COUNTS, *ABSENCE, "provider_id")
    }


def test_i40_a_plan_of_an_unchanged_answer_is_saved_and_applied(database_url: str, due: Any, tmp_path: Path):
    """It was "a bug in modelsync (KeyError)" for every provider."""
    file = tmp_path / "plan.json"
    planned = due.sync([SLUG], dry_run=True, save=file)
    applied = due.apply(file)
    assert numbers(applied) == numbers(planned)
    assert models_of(database_url, SLUG)["m4"]["status"] == "retired"
    again = due.apply(file)
    assert isinstance(outcomes(again)[SLUG], Failed)
    assert "the catalog has moved on since the plan was made" in str(outcomes(again)[SLUG].failure)


def test_i40_all_providers_unchanged_can_be_saved_and_applied(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(environment(simulator), database_url, tmp_path)
    file = tmp_path / "plan.json"
    modelsync.sync()
    planned = modelsync.sync(dry_run=True, save=file)
    before = models_of(database_url, SLUG)
    applied = modelsync.apply(file)
    assert not applied.failed
    assert len(applied.succeeded) == len(planned.succeeded)
    assert models_of(database_url, SLUG) == before


def test_i14_a_plan_fetched_before_a_newer_sync_is_refused(simulator: Simulator, database_url: str, tmp_path: Path):
    """The newer sync wrote nothing: what it knew is newer all the same."""
    modelsync = program(environment(simulator), database_url, tmp_path)
    file = tmp_path / "plan.json"
    simulator.set_list(SLUG, "models", rows(5))
    modelsync.sync([SLUG])
    simulator.set_list(SLUG, "models", [*rows(5), {"id": "soon gone"}])
    modelsync.sync([SLUG], dry_run=True, save=file)
    simulator.set_list(SLUG, "models", rows(5))
    modelsync.sync([SLUG])
    before = models_of(database_url, SLUG)
    outcome = outcomes(modelsync.apply(file))[SLUG]
    assert isinstance(outcome, Failed)
    assert "Nothing of it was changed; make a new plan" in str(outcome.failure)
    assert models_of(database_url, SLUG) == before


def test_i16_what_goes_wrong_with_a_plan_is_recorded_and_leaves_the_provider_free(simulator: Simulator, database_url: str, tmp_path: Path):
    """A file that somebody edited: the second provider's plan is applied, and the first one can be synced at once."""
    modelsync = program(environment(simulator), database_url, tmp_path)
    file = tmp_path / "plan.json"
    modelsync.sync(["groq", "xai"], dry_run=True, save=file)
    document = json.loads(file.read_text("utf-8"))
    (plan,) = (plan for plan in document["plans"] if plan["slug"] == "groq")
    plan["listing"]["models"].popitem()
    file.write_text(json.dumps(document), "utf-8")
    applied = modelsync.apply(file)
    assert {slug: type(outcome) for slug, outcome in outcomes(applied).items()} == {"groq": Failed, "xai": Synced}
    recorded = {row["provider"]: row["outcome"] for row in table(database_url, "sync_results")}
    assert recorded == {"groq": "failed", "xai": "synced"}
    assert [row["ticket_token"] for row in table(database_url, "provider_state")] == [None, None]
    assert isinstance(outcomes(modelsync.sync(["groq"], wait=False))["groq"], Synced)
