"""I18: a dry run is a plan; applying it does exactly that, or nothing where the catalog has moved on."""

import json
from pathlib import Path

import pytest

from modelsync.errors import UsageError
from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.operations import models
from modelsync.operations.rollback import rollback
from modelsync.planning.outcome import Disabled, Failed, Planned, Synced
from modelsync.planning.plan import Plan
from modelsync.simulator.server import Simulator
from support.cli import environment as clean
from support.cli import run
from support.store import opened
from support.sync import changes_of, environment, everything, models_of, outcomes, program, table

ADA = Person("ada", "why not")
STALE = "the catalog has moved on since the plan was made. Nothing of it was changed; make a new plan: modelsync sync --dry-run --save FILE"


def test_i18_a_plan_is_applied_exactly_as_it_was_shown(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    file = tmp_path / "plan.json"
    modelsync.sync(["groq", "xai"])
    simulator.set_day(1)
    before = everything(database_url)
    planned = modelsync.sync(["groq", "xai"], dry_run=True, save=file)
    assert everything(database_url) == before
    simulator.set_day(0)  # what the providers say now does not matter any more
    simulator.clear_requests()

    applied = modelsync.apply(file)

    assert simulator.requests() == []
    for slug, outcome in outcomes(applied).items():
        plan = outcomes(planned)[slug]
        assert isinstance(outcome, Synced)
        assert isinstance(plan, Planned)
        recorded = [(change["kind"], change["provider_model_id"]) for change in changes_of(database_url, slug, run_id=applied.run_id)]
        assert recorded == [(change.kind.value, change.id) for change in plan.plan.changes]
    assert applied.run_id is not None
    simulator.set_day(1)
    assert all(result.counts.created + result.counts.updated == 0 for result in modelsync.sync(["groq", "xai"]).results)


def test_i18_the_catalog_of_a_sync_and_of_an_applied_plan_are_the_same(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    file = tmp_path / "plan.json"
    modelsync.sync(dry_run=True, save=file)
    modelsync.apply(file)
    other = program(environment(simulator), f"sqlite:///{tmp_path}/other.db", tmp_path)
    other.sync()
    for slug in ("openrouter", "fal", "helicone", "featherless"):
        ours, theirs = models_of(database_url, slug), models_of(f"sqlite:///{tmp_path}/other.db", slug)
        assert {name: _facts(row) for name, row in ours.items()} == {name: _facts(row) for name, row in theirs.items()}


def _facts(row: dict[str, object]) -> dict[str, object]:
    prices = dict(row["pricing"])  # type: ignore[call-overload]
    prices.pop("stated_at", None)
    moving = ("id", "provider_id", "pricing", "first_seen_at", "created_at", "updated_at", "pricing_prompt_real", "pricing_completion_real")
    return {**{name: value for name, value in row.items() if name not in moving}, "pricing": prices}


@pytest.mark.parametrize("what", ["sync", "pin", "rollback"])
def test_i18_a_stale_plan_is_refused(simulator: Simulator, database_url: str, tmp_path: Path, what: str) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    file = tmp_path / "plan.json"
    first = modelsync.sync(["groq", "xai"]).run_id
    assert first is not None
    simulator.set_day(1)
    modelsync.sync(["groq", "xai"], dry_run=True, save=file)
    if what == "sync":
        modelsync.sync(["groq"])
    else:
        with opened(database_url) as store:
            if what == "pin":
                models.pin(store, "groq", next(iter(models_of(database_url, "groq"))), [Pin("context_length", 7)], ADA)
            else:
                rollback(store, "groq", first, ADA)
    before = models_of(database_url, "groq"), changes_of(database_url, "groq")

    report = modelsync.apply(file)

    refused = outcomes(report)["groq"]
    if what == "rollback":
        assert isinstance(refused, Disabled)
    else:
        assert isinstance(refused, Failed)
        assert str(refused.failure) == STALE
    assert isinstance(outcomes(report)["xai"], Synced)
    assert (models_of(database_url, "groq"), changes_of(database_url, "groq")) == before
    recorded = [row for row in table(database_url, "sync_results") if row["run_id"] == report.run_id]
    assert {row["provider"]: row["outcome"] for row in recorded} == {"groq": type(refused).__struct_config__.tag, "xai": "synced"}


def test_a_plan_is_applied_once(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    file = tmp_path / "plan.json"
    modelsync.sync(["groq"], dry_run=True, save=file)
    assert modelsync.apply(file).status == "succeeded"
    assert modelsync.apply(file).status == "failed"
    assert len(changes_of(database_url, "groq")) == 6


def test_a_plan_of_other_settings_is_refused(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    program(environment(simulator), database_url, tmp_path).sync(["alibaba"], dry_run=True, save=file)
    report = program(environment(simulator), database_url, tmp_path, ALIBABA_REGION="beijing").apply(file)
    assert "made with other settings" in str(report.results[0].error)
    assert models_of(database_url, "alibaba") == {}


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"{}", "That is no saved plan"),
        (b"[[", "That is no saved plan"),
        (b"\xff", "That is no saved plan"),
        (b'{"modelsync_plan": 1, "made_at": "2026-11-22T00:00:00Z", "plans": []}', "another version of modelsync"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(simulator: Simulator, tmp_path: Path, data: bytes, wanted: str) -> None:
    (tmp_path / "plan.json").write_bytes(data)
    with pytest.raises(UsageError, match=wanted):
        program(environment(simulator), f"sqlite:///{tmp_path}/never.db", tmp_path).apply(tmp_path / "plan.json")
    assert not (tmp_path / "never.db").exists()


def test_prices_survive_a_file_digit_by_digit(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    program(environment(simulator), f"sqlite:///{tmp_path}/x.db", tmp_path).sync(["openrouter"], dry_run=True, save=file)
    (plan,) = json.loads(file.read_bytes())["plans"]
    prices = [model["prices"]["prompt"] for model in plan["listing"]["models"].values() if "prompt" in model["prices"]]
    assert prices
    assert all(isinstance(price, str) and set(price) <= set("0123456789.") for price in prices)


def test_the_digest_of_a_plan_tells_plans_apart() -> None:
    assert Plan(unchanged=1).digest == Plan(unchanged=1).digest != Plan(unchanged=2).digest


def test_save_and_apply_on_the_command_line(simulator: Simulator, tmp_path: Path) -> None:
    env = clean(tmp_path, simulator)
    done = run(tmp_path, "sync", "--providers", "groq", "--dry-run", "--save", "plan.json", env=env)
    assert (done.returncode, [path.name for path in tmp_path.iterdir()]) == (0, ["plan.json"])
    done = run(tmp_path, "apply", "plan.json", env=env)
    assert (done.returncode, "6 new" in done.stdout) == (0, True)
    again = run(tmp_path, "apply", "plan.json", env=env)
    assert (again.returncode, "moved on since the plan was made" in " ".join(again.stdout.split())) == (1, True)
    assert run(tmp_path, "sync", "--save", "x", env=env).returncode == 64
    missing = run(tmp_path, "apply", "nothing.json", env=env)
    assert (missing.returncode, "nothing.json cannot be read" in missing.stderr) == (64, True)
