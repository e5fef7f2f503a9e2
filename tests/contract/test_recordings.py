"""Recorded answers of real providers, served over HTTP at the providers' own paths: counts and prices are the file's own."""

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import modelsync
from modelsync.planning.outcome import NotModified, Synced
from modelsync.simulator.server import Simulator
from support.recordings import body, needs_recordings, price, rows, upside_down
from support.sync import changes_of, counts, environment, errors, model_versions, models_of, outcomes, program

pytestmark = needs_recordings

Row = dict[str, Any]
Expected = dict[str, Decimal | None]

PATHS = {
    "openrouter": "/api/v1/models",
    "deepinfra": "/v1/openai/models",
    "featherless": "/v1/models",
    "groq": "/openai/v1/models",
    "novita": "/openai/v1/models",
    "huggingface": "/api/models",
    "chutes": "/v1/models",
    "cerebras": "/public/v1/models",
}
EMPTY: dict[str, dict[str, str]] = {"deepinfra": {"/models/list": "[]"}, "huggingface": {"/v1/models": '{"data": []}'}}


def openrouter(row: Row) -> Expected:
    """USD per token; -1 varies by request; 0 is free, but not for what makes more than text."""
    makes_more, wire = row["architecture"]["output_modalities"] != ["text"], row["pricing"]
    paid = {"pricing_prompt": wire["prompt"], "pricing_completion": wire["completion"]}
    found = {name: None if text == "-1" else price(text, "1") for name, text in paid.items()}
    found["cache_read"] = price(wire.get("input_cache_read"), "1") or None
    if makes_more and not row["id"].endswith(":free"):
        return {name: amount or None for name, amount in found.items()}
    return found


def deepinfra(row: Row) -> Expected:
    """USD per 1M tokens; the cached price is a rounded product, good to 1e-12 USD."""
    wire = (row["metadata"] or {}).get("pricing") or {}
    cached = price(wire.get("cache_read_tokens"), "1e-6")
    return {
        "pricing_prompt": price(wire.get("input_tokens"), "1e-6"),
        "pricing_completion": price(wire.get("output_tokens"), "1e-6"),
        "cache_read": cached and cached.quantize(Decimal("1e-12")),
    }


def novita(row: Row) -> Expected:
    """1/10,000 USD per 1M tokens."""
    return {
        "pricing_prompt": price(row["input_token_price_per_m"], "1e-10"),
        "pricing_completion": price(row["output_token_price_per_m"], "1e-10"),
    }


def chutes(row: Row) -> Expected:
    """USD per 1M tokens."""
    wire = row["pricing"]
    return {
        "pricing_prompt": price(wire["prompt"], "1e-6"),
        "pricing_completion": price(wire["completion"], "1e-6"),
        "cache_read": price(wire.get("input_cache_read"), "1e-6"),
    }


def unpriced(_row: Row) -> Expected:
    return {"pricing_prompt": None, "pricing_completion": None}


class Recording(NamedTuple):
    file: str
    slug: str
    models: int
    prices: Callable[[Row], Expected]
    context: str | None = "context_length"
    duplicates: int = 0


COMPLETE = [
    Recording("openrouter--2025-05-23.json", "openrouter", 321, openrouter),
    Recording("openrouter--2026-01-19.json", "openrouter", 340, openrouter),
    Recording("deepinfra-openai-models--2026-02-23.json", "deepinfra", 142, deepinfra, context=None),
    Recording("featherless--2026-04.json", "featherless", 15_695, unpriced, duplicates=3),
    Recording("groq--2025-09-11.json", "groq", 23, unpriced, context="context_window"),
    Recording("groq--2025-10.json", "groq", 19, unpriced, context="context_window"),
    Recording("novita--2024.json", "novita", 18, novita, context="context_size"),
    Recording("huggingface-hub--2024-12.json", "huggingface", 10, unpriced, context=None),
]


def amount(model: Row, name: str) -> Decimal | None:
    """A price as it is stored: in its own column, or in the price document."""
    if name.startswith("pricing_"):
        return model[name]
    text = model["pricing"].get(name)
    return None if text is None else Decimal(text)


@pytest.mark.parametrize("recording", COMPLETE, ids=lambda recording: recording.file.removesuffix(".json"))
def test_a_complete_recording(simulator: Simulator, database_url: str, tmp_path: Path, recording: Recording) -> None:
    slug = recording.slug
    for path, document in EMPTY.get(slug, {}).items():
        simulator.set_answer(slug, path, document)
    simulator.set_answer(slug, PATHS[slug], body(recording.file))
    program_ = program(environment(simulator), database_url, tmp_path, HUGGINGFACE_HUB_LIMIT="1000")
    report = program_.sync([slug])

    wire = rows(recording.file)
    found = counts(report)[slug]
    assert errors(report) == {}
    assert (found.created, found.synced, found.skipped) == (recording.models, recording.models, recording.duplicates)
    assert found.fetched == len(wire) == recording.models + recording.duplicates
    told = [warning for result in report.results for warning in result.warnings if slug != "huggingface"]
    known = (" is more than context_length = ", "price incomplete: `", ": listed twice, the first one counts")  # which some rows do say
    assert [warning for warning in told if not any(part in warning for part in known)] == []

    stored = models_of(database_url, slug)
    assert stored.keys() == {row["id"] for row in wire}
    for row in wire:
        model = stored[row["id"]]
        for name, expected in recording.prices(row).items():
            assert amount(model, name) == expected, (row["id"], name)
        if recording.context:
            assert model["context_length"] == row[recording.context], row["id"]
        assert model["pricing"].get("dynamic", False) is (row.get("pricing", {}).get("prompt") == "-1")

    before = model_versions(database_url)
    again = program_.sync([slug])
    assert isinstance(outcomes(again)[slug], Synced if slug == "huggingface" else NotModified)  # the Hub's list is never complete
    simulator.set_answer(slug, PATHS[slug], upside_down(recording.file))
    third = program_.sync([slug])
    assert isinstance(outcomes(third)[slug], Synced)
    for report in (again, third):
        found = counts(report)[slug]
        assert (found.created, found.updated, found.missing, found.unchanged) == (0, 0, 0, recording.models)
    assert model_versions(database_url) == before
    assert len(changes_of(database_url, slug)) == recording.models


def test_the_openrouter_files_say_what_the_prices_are(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """A few prices by hand, so that the reckoning above is not only compared with itself."""
    simulator.set_answer("openrouter", PATHS["openrouter"], body("openrouter--2026-01-19.json"))
    program(environment(simulator), database_url, tmp_path).sync(["openrouter"])
    stored = models_of(database_url, "openrouter")
    assert sum(model["pricing_prompt"] == 0 for model in stored.values()) == 31
    assert sum(model["pricing"].get("dynamic", False) for model in stored.values()) == 2
    opus = stored["anthropic/claude-opus-4.5"]
    assert (opus["pricing_prompt"], opus["pricing_completion"]) == (Decimal("0.000005"), Decimal("0.000025"))


# Answers from documentation, and reconstructions: no evidence of the wire, so they only have to be read.

READ: list[tuple[str, dict[str, str], int]] = [
    ("aihubmix", {"/api/v1/models": "aihubmix--docs-example.json"}, 5),
    ("anannas", {"/v1/models": "anannas--docs-example.json"}, 1),
    ("alibaba", {"/compatible-mode/v1/models": "alibaba-compat--reconstructed.json"}, 80),
    ("cerebras", {"/public/v1/models": "cerebras-public--docs-example.json"}, 1),
    # The list with a key, which this provider is not asked for: another endpoint's shape, whose rows have an id and nothing else.
    ("cerebras", {"/public/v1/models": "cerebras-keyed--2025-09-11.json"}, 9),
    ("fal", {"/v1/models": "fal--docs-sample-v1-models.json", "/v1/models/pricing": "fal--docs-sample-v1-models-pricing.json"}, 1),
    ("fireworks", {"/v1/accounts/fireworks/models": "fireworks-accounts--handmade.json"}, 1),
    ("huggingface", {"/v1/models": "huggingface-router--docs-example.json"}, 1),
    ("near", {"/v1/model/list": "near--constructed-model-list.json"}, 3),
    ("nebius", {"/v1/models": "nebius--reconstructed.json"}, 42),
    ("novita", {"/openai/v1/models": "novita--reconstructed.json"}, 144),
    ("together", {"/v1/models": "together--docs-example.json"}, 1),
    ("together", {"/v1/models": "together--reconstructed.json"}, 21),  # of 22 rows, one listed twice
    ("vercel-ai-gateway", {"/v1/models": "vercel-ai-gateway--items-2026.json"}, 7),
    *(
        (
            "xai",
            {
                "/v1/models": f"xai--docs-sample-v1-models-{year}.json",
                "/v1/language-models": f"xai--docs-sample-language-models-{year}.json",
                "/v1/image-generation-models": "xai--docs-sample-image-generation-models.json",
                "/v1/video-generation-models": "xai--docs-sample-video-generation-models.json",
            },
            models,
        )
        for year, models in (("2025", 8), ("2026", 4))
    ),
]


@pytest.mark.parametrize(("slug", "files", "models"), READ, ids=lambda value: str(value) if isinstance(value, str | int) else "")
def test_other_answers_are_read(simulator: Simulator, tmp_path: Path, slug: str, files: dict[str, str], models: int) -> None:
    if slug == "alibaba":
        simulator.set_answer(slug, "/api/v1/models", "{}", status=404)
    for path, file in files.items():
        simulator.set_answer(slug, path, body(file))
    listing = program(environment(simulator), f"sqlite:///{tmp_path}/no.db", tmp_path).fetch(slug)
    assert (len(listing.models), listing.rejected) == (models, ())
    if "cerebras-keyed--2025-09-11.json" in files.values():
        assert not any(model.prices.stated or model.context_length or model.released_at for model in listing.models.values())


def test_quoted_details_fill_the_rows_of_deepinfra(simulator: Simulator, tmp_path: Path) -> None:
    quoted = rows("deepinfra-models-list--quoted-items.json")
    simulator.set_answer("deepinfra", "/v1/openai/models", json.dumps({"data": [{"id": row["model_name"]} for row in quoted]}))
    simulator.set_answer("deepinfra", "/models/list", body("deepinfra-models-list--quoted-items.json"))
    listing = program(environment(simulator), f"sqlite:///{tmp_path}/no.db", tmp_path).fetch("deepinfra")
    assert len(listing.models) == len(quoted) == 8
    for row in quoted:
        cents = (row.get("pricing") or {}).get("cents_per_input_token")
        assert listing.models[row["model_name"]].prices.prompt == (price(cents, "1e-2") or None), row["model_name"]


# Size

MEASURED = """
import sys
from modelsync import app
report = app.build().sync(["featherless"])
assert report.counts.created == 15_695, report
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):  # getrusage would count what the parent had before exec
        print(int(line.split()[1]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory is read from /proc")
def test_the_largest_list_syncs_under_300_mb(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    simulator.set_answer("featherless", PATHS["featherless"], body("featherless--2026-04.json"))
    values = {**environment(simulator), "DATABASE_URL": database_url, "PYTHONPATH": str(Path(modelsync.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", MEASURED], env=values, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 300
    assert len(models_of(database_url, "featherless")) == 15_695
    assert len(changes_of(database_url, "featherless")) == 15_695
