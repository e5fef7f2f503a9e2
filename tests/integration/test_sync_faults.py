"""One provider broken in every way the simulator knows: it fails or is held, with its own words; the other 20 are in step."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelsync.errors import FailureKind
from modelsync.planning.outcome import Failed, Held, ProviderResult, Synced
from modelsync.simulator.server import Simulator
from support.store import raise_no_more, raise_on
from support.sync import (
    DAYS,
    SLUGS,
    changes_of,
    counts,
    environment,
    errors,
    everything,
    models_of,
    outcomes,
    program,
    query,
    table,
)

LATER = "Nothing was changed; try again later"

# The provider that is broken, how, and what people are told; {host} is the simulator's.
FAULTS: dict[str, tuple[str, str, dict[str, Any], FailureKind | None, str]] = {
    "401": (
        "openrouter",
        "status",
        {"status": 401},
        FailureKind.CONFIG,
        "{host} rejected the key (401). Check the key in OPENROUTER_API_KEY",
    ),
    "403": ("groq", "status", {"status": 403}, FailureKind.CONFIG, "{host} rejected the key (403). Check the key in GROQ_API_KEY"),
    "401 without a key": (
        "cerebras",
        "status",
        {"status": 401},
        FailureKind.CONFIG,
        "{host} answered 401 to a request without a key. Nothing was changed; a proxy or the provider may keep this machine out",
    ),
    "404": ("xai", "status", {"status": 404}, FailureKind.UPSTREAM, f"{{host}} answered 404 instead of a list. {LATER}"),
    "429": (
        "openrouter",
        "status",
        {"status": 429, "retry_after": 3600},
        FailureKind.TRANSIENT,
        f"{{host}} answered 429 and asked to wait 3600 s. {LATER}",
    ),
    "500": ("near", "status", {"status": 500}, FailureKind.TRANSIENT, f"{{host}} answered 500. {LATER}"),
    "html": ("chutes", "html", {}, FailureKind.UPSTREAM, f"models: the answer is an HTML page, not JSON. {LATER}"),
    "not_json": (
        "nebius",
        "not_json",
        {},
        FailureKind.UPSTREAM,
        f"models: the answer is not valid JSON at byte 0 (invalid character). {LATER}",
    ),
    "cut_json": ("together", "cut_json", {}, FailureKind.UPSTREAM, f"models: the answer is cut off: its JSON does not end. {LATER}"),
    "cut_json of a page": (
        "alibaba",
        "cut_json",
        {},
        FailureKind.UPSTREAM,
        f"models: the answer is cut off: its JSON does not end. {LATER}",
    ),
    "truncated": (
        "helicone",
        "truncated",
        {},
        FailureKind.TRANSIENT,
        f"the connection to {{host}} broke off (RemoteProtocolError). {LATER}",
    ),
    "reset": ("fireworks", "reset", {}, FailureKind.TRANSIENT, f"the connection to {{host}} broke off (RemoteProtocolError). {LATER}"),
    "redirect": (
        "novita",
        "redirect",
        {},
        FailureKind.UPSTREAM,
        "{host} redirects to elsewhere.invalid. Redirects are not followed. Nothing was changed; check whether the provider moved",
    ),
    "redirect to no address": (
        "novita",
        "redirect",
        {"location": "http://[elsewhere"},
        FailureKind.UPSTREAM,
        "{host} redirects to another place. Redirects are not followed. Nothing was changed; check whether the provider moved",
    ),
    "garbage_gzip": (
        "aimo",
        "garbage_gzip",
        {},
        FailureKind.UPSTREAM,
        f"the answer of {{host}} cannot be decoded: the gzip data is damaged. {LATER}",
    ),
    "gzip_bomb": (
        "anannas",
        "gzip_bomb",
        {},
        FailureKind.UPSTREAM,
        "the answers of {host} are larger than 8,000,000 bytes. Nothing was changed; raise MODELSYNC_MAX_BYTES",
    ),
    "huge answer": (
        "vercel-ai-gateway",
        "huge_string",
        {},
        FailureKind.UPSTREAM,
        "the answers of {host} are larger than 8,000,000 bytes. Nothing was changed; raise MODELSYNC_MAX_BYTES",
    ),
    "google 500": (
        "google-vertex",
        "status",
        {"status": 500, "path": "/v1beta1/publishers/qwen/models"},
        FailureKind.TRANSIENT,
        f"{{host}} answered 500. {LATER}",
    ),
    "empty": ("featherless", "empty", {}, None, "the list is empty. Nothing was changed; the last listing stays in place"),
    "no row is readable": ("groq", "list", {}, None, "none of the 2 rows could be read (the first: Object missing required field `id`)."),
}


def halves(names: Iterable[str]) -> Iterator[Any]:
    """Each on one of the two databases in `./run test`, and on the other one too in `./run soak`."""
    for number, name in enumerate(names):
        for database in ("sqlite", "postgres"):
            other = (database == "sqlite") == bool(number % 2)
            yield pytest.param(name, database, marks=[pytest.mark.soak] if other else [], id=f"{database}-{name}")


@pytest.mark.parametrize(("name", "database_url"), [*halves(FAULTS)], indirect=["database_url"])
def test_i16_a_broken_provider_is_left_as_it_was_and_alone(simulator: Simulator, database_url: str, tmp_path: Path, name: str) -> None:
    slug, fault, details, kind, message = FAULTS[name]
    modelsync = program(environment(simulator), database_url, tmp_path, MODELSYNC_MAX_BYTES="8000000")
    modelsync.sync()
    before, history = models_of(database_url, slug), changes_of(database_url, slug)
    simulator.set_day(1)
    if fault == "list":
        simulator.set_list(slug, "models", [{"name": "a"}, {"name": "b"}])
    else:
        simulator.add_fault(slug, fault, **details)
    report = modelsync.sync()

    assert list(errors(report)) == [slug]
    assert errors(report)[slug].startswith(message.format(host=simulator.origin.removeprefix("http://")))
    outcome = outcomes(report)[slug]
    if kind is None:
        assert isinstance(outcome, Held)
        assert (report.status, outcome.hint[:19]) == ("succeeded", "Nothing was changed")
    else:
        assert isinstance(outcome, Failed)
        assert (report.status, outcome.failure.kind) == ("partial", kind)
    assert (models_of(database_url, slug), changes_of(database_url, slug)) == (before, history)
    _others_are_in_step(report, slug)

    (result,) = query(database_url, f"SELECT * FROM sync_results WHERE run_id = {report.run_id} AND provider = '{slug}'")
    assert (result["outcome"], result["error"]) == ("held" if kind is None else "failed", errors(report)[slug])
    assert result["error_kind"] == (kind.value if kind else None)
    (state,) = (row for row in table(database_url, "provider_state") if row["provider"] == slug)
    assert (state["failures_in_a_row"], state["ticket_token"], state["committed_seq"]) == (1 if kind else 0, None, 1)

    simulator.clear_faults()
    simulator.clear_lists()
    again = modelsync.sync([slug])
    assert counts(again)[slug].created == DAYS[slug][1]  # nothing of the broken answer is believed to have been seen


def _others_are_in_step(report: Any, slug: str) -> None:
    for other in SLUGS:
        if other != slug:
            found = counts(report)[other]
            assert (found.created, found.updated, found.missing) == (*DAYS[other][1:], 1), other


def test_a_commit_that_the_database_refuses_is_that_providers_own(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync()
    before = models_of(database_url, "openrouter")
    raise_on(database_url, "models", "INSERT", "NEW.provider_model_id = 'acme/scribe-3'")
    simulator.set_day(1)
    report = modelsync.sync()

    assert list(errors(report)) == ["openrouter"]
    outcome = outcomes(report)["openrouter"]
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.INTERNAL
    assert "on purpose" in outcome.failure.message
    assert "bug" not in outcome.failure.message
    assert models_of(database_url, "openrouter") == before
    _others_are_in_step(report, "openrouter")

    raise_no_more(database_url, "models")
    assert counts(modelsync.sync(["openrouter"]))["openrouter"].created == 1  # the lease is free, the answer not taken as seen


def test_i16_a_provider_that_is_slower_than_its_deadline_fails_alone(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    values = environment(simulator)
    program(values, database_url, tmp_path).sync()
    simulator.set_day(1)
    simulator.add_fault("openrouter", "delay", seconds=30)
    report = program(values, database_url, tmp_path, MODELSYNC_DEADLINE="6").sync()

    assert errors(report) == {
        "openrouter": "no complete answer from openrouter.ai within 6 s. Nothing was changed; try again later, or raise MODELSYNC_DEADLINE"
    }
    assert 6 <= report.seconds < 11  # the deadline, and five more at most
    _others_are_in_step(report, "openrouter")


def test_a_call_that_only_fills_and_hangs_costs_no_sync(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    values = environment(simulator)
    program(values, database_url, tmp_path).sync(["deepinfra"])
    before = models_of(database_url, "deepinfra")
    simulator.add_fault("deepinfra", "delay", path="/models/list", seconds=30)
    report = program(values, database_url, tmp_path, MODELSYNC_DEADLINE="4").sync(["deepinfra"])

    (result,) = report.results
    assert result.error is None
    assert any("details: no complete answer from api.deepinfra.com within 2 s" in warning for warning in result.warnings)
    after = models_of(database_url, "deepinfra")
    assert {name: row["pricing_prompt"] for name, row in after.items()} == {name: row["pricing_prompt"] for name, row in before.items()}


def test_a_slow_provider_keeps_no_other_from_being_committed(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    simulator.add_fault("near", "delay", seconds=4, times=1)
    done: dict[str, bool] = {}
    all_others = threading.Event()

    def watch(slug: str, event: object) -> None:
        if isinstance(event, ProviderResult):
            done[slug] = bool(models_of(database_url, slug))  # committed by the time it is told
            if len(done) == len(SLUGS) - 1:
                all_others.set()

    modelsync = program(environment(simulator), database_url, tmp_path)
    runner = threading.Thread(target=modelsync.sync, kwargs={"watch": watch})
    runner.start()
    assert all_others.wait(3.7)
    assert ("near" in done, models_of(database_url, "near"), all(done.values())) == (False, {}, True)
    runner.join(20)
    assert len(models_of(database_url, "near")) == 5


@pytest.mark.parametrize("fault", ["wrong_types", "huge_string", "nan", "negative"])
def test_unreadable_values_are_warned_of_and_erase_nothing(simulator: Simulator, database_url: str, tmp_path: Path, fault: str) -> None:
    """A bad optional value is "not stated", and what is not stated any more keeps its last value."""
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync(["openrouter"])
    before = models_of(database_url, "openrouter")
    simulator.add_fault("openrouter", fault)
    report = modelsync.sync(["openrouter"])

    (result,) = report.results
    assert isinstance(result.outcome, Synced)
    assert result.counts.transformed == 5
    assert result.warnings
    touched = {"content_hash", "metadata", "updated_at", "pricing"}
    touched |= {"huge_string": {"description"}, "wrong_types": {"hugging_face_id"}}.get(fault, set())  # a string instead of null is none
    after = models_of(database_url, "openrouter")
    for name, row in after.items():
        assert {key: row[key] for key in row if key not in touched} == {key: before[name][key] for key in row if key not in touched}, name
        kept = ("prompt", "completion", "cache_read", "cache_write", "web_search", "tiers", "dynamic")
        assert {key: row["pricing"].get(key) for key in kept} == {key: before[name]["pricing"].get(key) for key in kept}
        assert len(row["description"]) <= 20_000
    (stored,) = query(database_url, f"SELECT warnings FROM sync_results WHERE run_id = {report.run_id}")
    assert stored["warnings"] == list(result.warnings)[:100]


HOSTILE = 'it\'s "quoted"\\ \u0000 \U0001f680\u202e -- ; DROP TABLE models'


def test_hostile_text_is_only_text(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    row = {
        "id": 'acme/it\'s-"quoted"-\U0001f680',
        "name": HOSTILE,
        "description": HOSTILE,
        "hugging_face_id": HOSTILE,
        "context_length": 1000,
        "architecture": {"input_modalities": ["text", HOSTILE], "output_modalities": ["text"], "tokenizer": HOSTILE},
        "pricing": {"prompt": "0.000001", "completion": HOSTILE, HOSTILE: "0.5"},
        "supported_parameters": ["tools", HOSTILE],
        HOSTILE: {HOSTILE: [HOSTILE]},
    }
    unreadable = {"id": "acme/\u0000", "name": 7}
    simulator.set_list("openrouter", "models", [row, unreadable, {**row, "id": HOSTILE, "created": "soon"}])
    modelsync = program(environment(simulator), database_url, tmp_path)
    report = modelsync.sync(["openrouter"])

    assert errors(report) == {}
    found = models_of(database_url, "openrouter")
    assert list(found) == [row["id"]]
    clean = HOSTILE.replace("\u0000", "")
    model = found[str(row["id"])]
    assert (model["model_name"], model["description"]) == (clean, clean)
    assert "\u0000" not in str(everything(database_url))
    assert counts(report)["openrouter"].skipped == 2
    again = modelsync.sync(["openrouter"])
    assert counts(again)["openrouter"].unchanged == 1


ANYWHERE = ("id", "name", "description", "hugging_face_id", "expiration_date", "extra")


@pytest.mark.parametrize("field", [*ANYWHERE, "pricing", "modality", "parameter", "key"])
@pytest.mark.parametrize("text", ["a\u0000b", "\u001b]0;x‮\n"], ids=["NUL", "controls"])
def test_i41_no_character_of_one_row_costs_another_one(
    simulator: Simulator, database_url: str, tmp_path: Path, field: str, text: str
) -> None:
    """Postgres holds no NUL in any text or document: neither in a row, nor in what is said of one that was skipped."""
    odd: dict[str, Any] = {"id": "acme/odd", "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]}}
    match field:
        case "pricing":
            odd["pricing"] = {"prompt": text, text: "0.5"}
        case "modality":
            odd["architecture"]["input_modalities"] = ["text", text]
        case "parameter":
            odd["supported_parameters"] = [text]
        case "key":
            odd[text] = {text: [text]}
        case _:
            odd[field] = text
    simulator.set_list("openrouter", "models", [{"id": "acme/first"}, odd, {"id": "acme/last"}, odd])
    report = program(environment(simulator), database_url, tmp_path).sync(["openrouter"])
    assert errors(report) == {}
    found = models_of(database_url, "openrouter")
    assert {"acme/first", "acme/last"} <= found.keys() <= {"acme/first", "acme/odd", "acme/last"}
    assert "\\u0000" not in str(everything(database_url))
