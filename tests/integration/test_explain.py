"""How a stored value came to be: every layer it can come from, on real databases and as the command tells it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices
from modelsync.operations import decisions
from modelsync.operations import models as operators
from modelsync.operations.rollback import rollback
from modelsync.planning.outcome import ProviderResult
from modelsync.planning.policy import Rules
from modelsync.providers import registry
from modelsync.queries.explain import Explanation, explain_field, overview
from modelsync.queries.explain_rows import ExplanationReader
from modelsync.queries.reasons import Absent, Frozen, HeldPrice, NotStated, PerhapsNotStated, Pinned
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support import samples
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, seen
from support.sync import environment as settings
from support.sync import execute, program, table

ADA = Person("ada", "our contract")
AT_ONCE = Rules(retire_after_hours=0)


def dollars(row_id: str, prompt: Any = None, **values: Any) -> Model:
    return model(row_id, None if prompt is None else D(prompt) / 1_000_000, **values)


def sync(store: Store, *models: Model, whole: bool = True) -> ProviderResult:
    return store.commit(lease_for(store), Commit(PROVIDER, listing(*models), seen("d"), AT_ONCE, whole=whole), 0.0)


def explained(store: Store, field: str, row_id: str = "m") -> Explanation:
    known = ExplanationReader(store).known(PROVIDER, row_id)
    assert known is not None
    return explain_field(known, field)


def times(database_url: str) -> dict[int, datetime]:
    """When each run's changes were recorded."""
    return {change["run_id"]: change["changed_at"] for change in table(database_url, "model_changes")}


# Where values are from


def test_a_stated_value_is_the_providers_since_its_last_change(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, context_length=8))
        sync(store, dollars("m", 2, context_length=8))
        price, length = explained(store, "pricing_prompt"), explained(store, "context_length")
    at = times(database_url)
    assert (price.source, price.value, price.stated, price.since) == ("provider", "0.000002", "0.000002", at[2])
    assert (price.last_change.run_id, price.last_change.old, price.last_change.new) == (2, "0.000001", "0.000002")
    assert (price.declared_unit, price.price_stated_at, price.reasons) == ("USD per token (decimal strings)", at[2], ())
    assert (length.source, length.value, length.since, length.model_updated_at) == ("provider", 8, at[1], at[2])
    assert (length.last_change.run_id, length.last_change.kind, length.declared_unit) == (1, "added", None)


def test_a_held_price_shows_what_is_stated_and_why_it_waits(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, context_length=8))
        sync(store, dollars("m", 1000, context_length=16))
        price, length = explained(store, "pricing_prompt"), explained(store, "context_length")
        (reason,) = price.reasons
        assert isinstance(reason, HeldPrice)
        decisions.decide(store, [1], "reject", Person("ada", "a slip"))
        (rejected,) = explained(store, "pricing_prompt").reasons
    assert (price.source, price.value, price.stated, price.since) == ("held", "0.000001", "0.001", times(database_url)[1])
    assert (reason.id, reason.status, reason.rejected_by) == (1, "open", None)
    assert "$1 → $1,000 per 1M tokens (×1,000 at once)" in reason.message
    assert "confirm or reject it" in reason.hint
    assert isinstance(rejected, HeldPrice)
    assert (rejected.status, rejected.rejected_by, rejected.reason) == ("rejected", "ada", "a slip")
    assert (length.source, length.value, length.reasons) == ("provider", 16, ())


def test_a_pin_names_its_author_and_what_lies_beneath(database_url: str):
    until = datetime(2999, 1, 1, tzinfo=UTC)
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        operators.pin(store, SLUG, "m", [Pin("pricing_prompt", D("0.0000005"))], ADA, until)
        sync(store, dollars("m", 2))
        price = explained(store, "pricing_prompt")
        (reason,) = price.reasons
        assert isinstance(reason, Pinned)
        assert (reason.author, reason.reason, reason.until, reason.ended) == ("ada", "our contract", until, False)
        assert (price.source, price.value, price.stated) == ("pinned", "0.0000005", "0.000002")
        assert price.last_change is not None
        assert (price.last_change.trigger, price.last_change.run_id) == ("pin", 2)
        execute(database_url, "UPDATE pins SET expires_at = '2026-01-01T00:00:00.000000Z'")
        (ended,) = explained(store, "pricing_prompt").reasons
    assert isinstance(ended, Pinned)
    assert ended.ended


def test_hidden_and_kept_models_say_so(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        operators.pin(store, SLUG, "m", [Pin("is_active", False)], Person("ada", "not for us"))
        hidden = explained(store, "is_active")
    assert (hidden.source, hidden.value, hidden.stated) == ("pinned", False, True)
    assert [reason.reason for reason in hidden.reasons if isinstance(reason, Pinned)] == ["not for us"]


def test_a_price_that_is_not_stated_any_more_is_carried_over_since_then(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        before = datetime.now(UTC)
        sync(store, dollars("m"), dollars("n", 1))
        price = explained(store, "pricing_prompt")
    (reason,) = price.reasons
    assert isinstance(reason, NotStated)
    assert reason.since is not None
    assert abs(reason.since - before) < timedelta(minutes=1)
    assert (price.source, price.value, price.stated) == ("carried over", "0.000001", None)


def test_a_fact_that_is_carried_over_beneath_a_pin_says_so(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, description="Old words"))
        operators.pin(store, SLUG, "m", [Pin("context_length", 5)], ADA)
        sync(store, dollars("m", 1))
        found = explained(store, "description")
    assert (found.source, found.value, found.stated, found.reasons) == ("carried over", "Old words", None, (NotStated(since=None),))


def test_where_single_silent_facts_are_not_kept_it_says_perhaps_and_only_then(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, description="Old words", context_length=8))
        assert explained(store, "description").reasons == ()
        sync(store, dollars("m", 1, context_length=8))
        found = explained(store, "description")
        assert (found.value, found.stated, found.reasons) == ("Old words", None, (PerhapsNotStated(),))
        assert explained(store, "hugging_face_id").reasons == ()  # nothing stands there


def test_missing_and_retired_models_say_since_when(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        sync(store, dollars("n", 1))
        missing = explained(store, "status")
        for _ in range(2):
            sync(store, dollars("n", 1))
        retired, active = explained(store, "status"), explained(store, "is_active")
    at = times(database_url)
    assert (missing.source, missing.value, missing.reasons) == ("derived", "missing", (Absent(status="missing", since=at[2]),))
    assert (missing.since, missing.last_change.kind) == (at[2], "missing")
    assert (retired.value, retired.reasons, retired.since) == ("retired", (Absent(status="retired", since=at[4]),), at[4])
    assert (active.source, active.value, active.since) == ("derived", False, at[4])


def test_a_value_that_a_rollback_brought_back_says_so_and_that_the_provider_is_frozen(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, context_length=8))
        sync(store, dollars("m", 2, context_length=8))
        rollback(store, SLUG, 1, Person("ada", "their list was wrong"))
        price, length = explained(store, "pricing_prompt"), explained(store, "context_length")
    (reason,) = price.reasons
    assert isinstance(reason, Frozen)
    assert reason.reason == "rolled back to run 1: their list was wrong"
    assert (price.source, price.value, price.last_change.trigger, price.last_change.run_id) == ("rolled back", "0.000001", "rollback", 3)
    assert length.source == "provider"


def test_a_model_of_ones_own_is_pinned_and_not_stated(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("n", 1))
        operators.add(store, SLUG, "m", [Pin("context_length", 8)], ADA)
        found, name = explained(store, "context_length"), explained(store, "model_name")
    assert (found.source, found.value, found.stated) == ("pinned", 8, None)
    assert (name.source, name.value) == (None, None)


def test_derived_columns_move_with_what_they_are_made_of(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, input_modalities=("text",), output_modalities=("text",)))
        sync(store, dollars("m", 1, input_modalities=("text", "image"), output_modalities=("text",)))
        modality, alias = explained(store, "modality"), explained(store, "model_id")
    assert (modality.source, modality.value, modality.since) == ("derived", "text+image->text", times(database_url)[2])
    assert (alias.source, alias.value, alias.since) == ("derived", "m", times(database_url)[1])


# Prices on the wire


def priced(raw: dict[str, str], **prices: Any) -> Model:
    return Model(id="m", prices=Prices(raw=raw, **prices))


def test_the_wire_text_of_a_price_is_the_one_that_the_declared_unit_turns_into_it(database_url: str):
    raw = {"prompt": "0.0000010 USD per token", "completion": "0.000002 USD per token", "request": "0.5 USD per request"}
    with opened(database_url) as store:
        sync(store, priced(raw, prompt=D("0.000001"), completion=D("0.000002"), request=D("0.5")))
        prompt, request = explained(store, "pricing_prompt"), explained(store, "pricing_request")
    assert [(each.field, each.text) for each in prompt.wire] == [("prompt", "0.0000010 USD per token")]
    assert [(each.field, each.text) for each in request.wire] == [("request", "0.5 USD per request")]


def test_without_such_a_text_all_are_shown(database_url: str):
    raw = {"prompt": "0.000009 USD per token", "unknown": "1 USD per token"}
    with opened(database_url) as store:
        sync(store, priced(raw, prompt=D("0.000001")))
        prompt = explained(store, "pricing_prompt")
    assert {each.field for each in prompt.wire} == {"prompt", "unknown"}
    assert prompt.wire_is_whole_price


def test_a_held_price_has_both_wire_texts(database_url: str):
    with opened(database_url) as store:
        sync(store, priced({"prompt": "0.000001 USD per token"}, prompt=D("0.000001")))
        sync(store, priced({"prompt": "0.001 USD per token"}, prompt=D("0.001")))
        found = explained(store, "pricing_prompt")
    assert [each.text for each in found.wire] == ["0.000001 USD per token"]
    assert [each.text for each in found.stated_wire] == ["0.001 USD per token"]


def test_a_first_price_out_of_all_bounds_is_stated_held_and_unknown(database_url: str):
    raw = {"prompt": "0.02 USD per token"}
    with opened(database_url) as store:
        sync(store, priced(raw, implausible={"prompt": D("0.02")}))
        found = explained(store, "pricing_prompt")
        known = ExplanationReader(store).known(PROVIDER, "m")
    assert known is not None
    assert (found.source, found.value, found.stated) == ("held", None, "0.02")
    assert [(each.field, each.text) for each in found.stated_wire] == [("prompt", "0.02 USD per token")]
    assert "pricing_prompt" in [each.field for each in overview(known)]


def test_every_flat_price_of_every_provider_has_its_wire_text_and_nothing_is_doubted(database_url: str, tmp_path: Path):
    with samples.simulator() as simulator:
        modelsync = program(settings(simulator), database_url, tmp_path)
        modelsync.sync()
    store = modelsync.open_store(read_only=True)
    without, doubted, flat = [], [], 0
    for slug, provider in registry.load().items():
        for row_id in ExplanationReader(store).ids(slug):
            known = ExplanationReader(store).known(provider, row_id)
            assert known is not None
            for found in overview(known):
                doubted += [(slug, row_id)] if PerhapsNotStated() in found.reasons else []
                if found.field.startswith("pricing") and found.value is not None and isinstance(found.value, str):
                    flat += 1
                    without += [(slug, found.field)] if found.wire_is_whole_price or not found.wire else []
    store.close()
    assert flat > 100
    assert set(without) == {("deepinfra", "pricing.cache_read")}  # a share of the input price, multiplied
    assert doubted == []


# The command


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Three syncs of two providers with kept answers: a new day, then a price a thousand times higher."""
    folder = tmp_path_factory.mktemp("explain")
    with Simulator() as simulator:
        env = environment(folder, simulator, MODELSYNC_ARCHIVE=str(folder / "answers"))
        for day in (0, 1):
            simulator.set_day(day)
            run(folder, "sync", "--providers", "openrouter", "chutes", env=env)
        row = {"id": "acme/scribe-2", "pricing": {"prompt": "0.001", "completion": "0.008"}, "context_length": 500_000}
        row |= {"architecture": {"input_modalities": ["text"], "output_modalities": ["text"]}}
        simulator.set_list("openrouter", "models", [row])
        run(folder, "sync", "--providers", "openrouter", env=env)
    return folder, env


def test_the_command_tells_all_of_one_field(synced: tuple[Path, dict[str, str]]):
    folder, env = synced
    lines = run(folder, "explain", "openrouter", "acme/scribe-2", "pricing_prompt", env=env).stdout.splitlines()
    assert lines[0] == "openrouter  acme/scribe-2  pricing_prompt = 1.00 $/1M (0.000001 USD per token)"
    assert lines[1] == "from: what stood before; the price that the provider states now is held"
    assert lines[2] == "on the wire: prompt = 0.000001 USD per token"
    assert lines[3] == "declared unit: USD per token (decimal strings)"
    text = "\n".join(lines[4:])
    assert "run 2, updated: 1.25 $/1M (0.00000125 USD per token) → 1.00 $/1M (0.000001 USD per token)" in text
    assert "the provider said last: 1000.00 $/1M (0.001 USD per token) (prompt = 0.001 USD per token on the wire)" in text
    assert "why: hold 1, just now: acme/scribe-2: pricing_prompt $1 → $1,000 per 1M tokens (×1,000 at once)" in text
    assert lines[-2:] == [f"the answers are kept: modelsync replay {number} --provider openrouter" for number in (2, 3)]


def test_the_command_tells_the_same_in_json(synced: tuple[Path, dict[str, str]]):
    folder, env = synced
    found = run_json(folder, "explain", "openrouter", "acme/scribe-2", "pricing_prompt", env=env)
    (field,) = found["fields"]
    assert (found["version"], found["provider_model_id"], field["source"]) == (1, "acme/scribe-2", "held")
    assert (field["value"], field["stated"], field["answers_of"]) == ("0.000001", "0.001", [2, 3])
    assert (field["reasons"][0]["kind"], field["reasons"][0]["id"]) == ("hold", 1)
    assert field["last_change"]["run_id"] == 2


def test_without_a_field_it_is_a_table(synced: tuple[Path, dict[str, str]]):
    folder, env = synced
    rows = {line.split()[0]: line for line in run(folder, "explain", "openrouter", "acme/scribe-2", env=env).stdout.splitlines()}
    assert " held " in rows["pricing_prompt"]
    assert " provider " in rows["context_length"]
    assert "500000" in rows["context_length"]
    assert " carried over " in rows["description"]
    assert " derived " in rows["modality"]
    assert " provider " in rows["supports_streaming"]  # as it is documented of all chat models
    assert "expires_at" not in rows  # nobody states it
    held = run_json(folder, "explain", "openrouter", "acme/scribe-2", env=env)["fields"]
    assert {field["field"] for field in held if field["source"] == "held"} == {"pricing_prompt", "pricing_completion"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("openrouter", "acme/scribe-3x"), "openrouter has no model acme/scribe-3x in the catalog. Did you mean acme/scribe-3"),
        (("openrouter", "Auto"), "has no model Auto in the catalog. Did you mean openrouter/auto?"),
        (("openrouter", "zzz"), "has no model zzz in the catalog. `modelsync models` finds ids"),
        (("openrouter", "acme/scribe-2", "prompt"), "There is no field prompt. Did you mean pricing_prompt?"),
        (("openrouter", "acme/scribe-2", "zzz"), "There is no field zzz. The fields are model_id, "),
        (("opnrouter", "acme/scribe-2"), "Unknown provider: opnrouter. Did you mean openrouter?"),
    ],
)
def test_unknown_models_and_fields_get_a_hint(synced: tuple[Path, dict[str, str]], arguments: tuple[str, ...], told: str):
    folder, env = synced
    done = run(folder, "explain", *arguments, env=env)
    assert (done.returncode, told in done.stderr) == (64, True), done.stderr


def test_an_empty_catalog_has_no_model(tmp_path: Path):
    done = run(tmp_path, "explain", "openrouter", "m", env=environment(tmp_path))
    assert (done.returncode, "openrouter has no model m" in done.stderr) == (64, True), done.stderr
    assert list(tmp_path.iterdir()) == []
