"""What a person decides while a sync is under way counts: the sync neither undoes it nor takes its answer for unchanged (I14, I38)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelsync.model.fields import Pin
from modelsync.operations import decisions, models
from modelsync.operations.rollback import rollback
from modelsync.planning.outcome import Disabled, Failed, NotModified, Synced
from modelsync.queries.catalog import Catalog
from modelsync.simulator.server import Simulator
from modelsync.sync.pipeline import Step
from support.prices import ADA
from support.store import opened
from support.sync import environment, execute, models_of, outcomes, program, query, table

SLUG = "openrouter"


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"m{n}", "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]}} for n in range(count)]


@pytest.fixture
def modelsync(simulator: Simulator, database_url: str, tmp_path: Path) -> Any:
    """A catalog of twenty models, synced twice from an answer that did not change."""
    found = program(environment(simulator) | {"MODELSYNC_RETIRE_AFTER_HOURS": "0"}, database_url, tmp_path)
    simulator.set_list(SLUG, "models", rows(20))
    for _ in range(2):
        found.sync([SLUG])
    return found


def synced(modelsync: Any, step: Step, act: Callable[[], object]) -> Any:
    """The outcome of a sync at one step of which somebody acted, once."""
    acted: list[object] = []

    def watch(_: str, event: object) -> None:
        if event is step and not acted:
            acted.append(act())

    found = outcomes(modelsync.sync([SLUG], watch=watch))[SLUG]
    assert acted
    return found


STEPS = [Step.FETCHING, Step.WRITING]


@pytest.mark.parametrize("step", STEPS)
def test_i14_a_rollback_while_a_sync_is_under_way_stands(modelsync: Any, simulator: Simulator, database_url: str, step: Step):
    simulator.set_list(SLUG, "models", rows(25))
    first = query(database_url, "SELECT min(id) AS id FROM sync_runs")[0]["id"]
    with opened(database_url) as store:
        outcome = synced(modelsync, step, lambda: rollback(store, SLUG, first, ADA))
    assert outcome == Disabled('paused, rolled back to run 1: they told us. `modelsync resume openrouter --reason "…"` lets it sync again')
    assert len(models_of(database_url, SLUG)) == 20


@pytest.mark.parametrize("step", STEPS)
def test_a_provider_that_is_switched_off_while_it_is_synced_is_left_as_it_was(
    modelsync: Any, simulator: Simulator, database_url: str, step: Step
):
    simulator.set_list(SLUG, "models", rows(25))
    off = {"sqlite": "0", "postgr": "false"}[database_url[:6]]
    outcome = synced(modelsync, step, lambda: execute(database_url, f"UPDATE providers SET is_active = {off} WHERE slug = '{SLUG}'"))
    assert outcome == Disabled("switched off in the catalog (`providers.is_active`)")
    assert len(models_of(database_url, SLUG)) == 20
    assert table(database_url, "provider_state")[0]["ticket_token"] is None


@pytest.mark.parametrize("step", STEPS)
def test_i27_a_model_that_is_let_go_while_the_answer_is_on_its_way_goes(
    modelsync: Any, simulator: Simulator, database_url: str, step: Step
):
    simulator.set_list(SLUG, "models", rows(19))
    with opened(database_url) as store:
        models.pin(store, SLUG, "m19", [Pin("is_active", True)], ADA)
        for _ in range(2):
            last = outcomes(modelsync.sync([SLUG]))[SLUG]
        assert isinstance(last, NotModified)
        outcome = synced(modelsync, step, lambda: models.unpin(store, SLUG, "m19", [], ADA))
    assert isinstance(outcome, Synced)
    assert models_of(database_url, SLUG)["m19"]["status"] == "missing"
    for _ in range(2):
        modelsync.sync([SLUG])
    assert models_of(database_url, SLUG)["m19"]["status"] == "retired"


def confirmed_shrink(modelsync: Any, simulator: Simulator, store: Any) -> None:
    """Twelve of twenty are gone, as a person confirmed, and due to be retired by the next listing."""
    simulator.set_list(SLUG, "models", rows(8))
    modelsync.sync([SLUG])
    decisions.decide(store, [1], "confirm", ADA)
    for _ in range(2):
        modelsync.sync([SLUG])


@pytest.mark.parametrize("step", STEPS)
def test_i38_an_absence_that_is_taken_back_while_a_sync_is_under_way_retires_nobody(
    modelsync: Any, simulator: Simulator, database_url: str, step: Step
):
    with opened(database_url) as store:
        confirmed_shrink(modelsync, simulator, store)
        outcome = synced(modelsync, step, lambda: decisions.reopen(store, 1, ADA))
        assert isinstance(outcome, Synced)
        assert [(row.id, row.status) for row in Catalog(store).holds()] == [(1, "open")]
    assert {row["status"] for row in models_of(database_url, SLUG).values()} == {"active", "missing"}


def test_i40_a_plan_of_an_unchanged_answer_is_stale_once_a_decision_behind_it_was_taken_back(
    modelsync: Any, simulator: Simulator, database_url: str, tmp_path: Path
):
    file = tmp_path / "plan.json"
    with opened(database_url) as store:
        confirmed_shrink(modelsync, simulator, store)
        modelsync.sync([SLUG], dry_run=True, save=file)
        decisions.reopen(store, 1, ADA)
        outcome = outcomes(modelsync.apply(file))[SLUG]
        assert isinstance(outcome, Failed)
        assert outcome.failure.message == "the catalog has moved on since the plan was made"
        assert [(row.id, row.status) for row in Catalog(store).holds()] == [(1, "open")]
    assert {row["status"] for row in table(database_url, "models")} == {"active", "missing"}
