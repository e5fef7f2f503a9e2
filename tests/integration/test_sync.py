"""Whole syncs over real HTTP into real databases: day after day, without keys, dry, and two at once."""

import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from modelsync.errors import UsageError
from modelsync.model.records import Counts
from modelsync.planning.outcome import Disabled, NoKey, NotModified, Planned, ProviderResult, Synced, plan_line
from modelsync.simulator.server import Simulator
from modelsync.sync.pipeline import Step
from support.sync import (
    DAYS,
    MONEY,
    SLUGS,
    TABLES,
    changes_of,
    counts,
    environment,
    errors,
    everything,
    models_of,
    outcomes,
    program,
    query,
    sqlite_path,
    table,
)

MODELS = sum(models for models, _, _ in DAYS.values())

# What day 1 of a few samples changes, worked out by hand from the sample and the provider's unit: the fields of each change.
DAY_ONE: dict[str, dict[tuple[str, str], dict[str, list[object]]]] = {
    "openrouter": {  # USD per token
        ("updated", "acme/scribe-2"): {
            "pricing_prompt": ["0.00000125", "0.000001"],
            "pricing_completion": ["0.00001", "0.000008"],
        },
        ("added", "acme/scribe-3"): {},
        ("missing", "orchard/pip-7b"): {},
    },
    "xai": {  # 1e-10 USD per token: 30000 to 20000, 150000 to 100000
        ("updated", "brook-5"): {"pricing_prompt": ["0.000003", "0.000002"], "pricing_completion": ["0.000015", "0.00001"]},
        ("added", "brook-6"): {},
        ("missing", "brook-4"): {},
    },
    "near": {  # amount / 10^9: 850 to 700, 3300 to 2800
        ("updated", "harbor/Beacon-2-FP8"): {
            "pricing_prompt": ["0.00000085", "0.0000007"],
            "pricing_completion": ["0.0000033", "0.0000028"],
        },
        ("added", "harbor/Beacon-3-FP8"): {},
        ("missing", "harbor/elder-1"): {},
    },
    "novita": {  # 1/10,000 USD per 1M tokens: 14000 to 12000, 44000 to 40000; status 4 is off the shelf
        ("updated", "acme/quill-120b"): {
            "pricing_prompt": ["0.0000014", "0.0000012"],
            "pricing_completion": ["0.0000044", "0.000004"],
        },
        ("updated", "acme/gift-3b"): {"is_active": [True, False]},
        ("added", "acme/quill-400b"): {},
        ("missing", "Pippin/L9-8B-Mixed-v3.2"): {},
    },
    "groq": {
        ("updated", "orchard/gpt-oss-77b"): {"context_length": [131072, 262144]},
        ("updated", "lyra/unheard-of-3b"): {"pricing_prompt": ["0.00000015", "0.0000001"]},
        ("added", "orchard/gpt-oss-7b"): {},
        ("missing", "acme/acme-prompt-guard-9m"): {},
    },
    "huggingface": {  # USD per 1M tokens, of the cheapest live offer; the only offer of lyra/Away comes to life
        ("updated", "acme/Quill-V9"): {"pricing_prompt": ["0.0000009", "0.0000008"]},
        ("updated", "lyra/Away"): {
            "context_length": [None, 131072],
            "supports_function_calling": [None, True],
            "supports_structured_output": [None, True],
            "is_active": [False, True],
            "pricing_prompt": [None, "0.0000005"],
            "pricing_completion": [None, "0.0000015"],
        },
        ("added", "acme/Quill-V10"): {},
        ("missing", "orchard/Pip-7B"): {},
    },
    "google-vertex": {  # the launch stage is metadata: the row is written, history is not
        ("added", "publishers/google/models/juniper-2.5-flash"): {},
        ("missing", "publishers/anthropic/models/verse-haiku-9"): {},
    },
}


def test_a_first_sync_lists_every_provider(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    report = program(environment(simulator), database_url, tmp_path).sync()

    assert (report.status, errors(report), [result.slug for result in report.results]) == ("succeeded", {}, list(SLUGS))
    created = {slug: (each.created, each.updated, each.unchanged, each.missing, each.synced) for slug, each in counts(report).items()}
    assert created == {slug: (models, 0, 0, 0, models) for slug, (models, _, _) in DAYS.items()}
    assert {slug: len(models_of(database_url, slug)) for slug in SLUGS} == {slug: models for slug, (models, _, _) in DAYS.items()}

    paid = {name: (row["pricing_prompt"], row["pricing"].get("dynamic")) for name, row in models_of(database_url, "openrouter").items()}
    assert paid["acme/scribe-2:free"] == (0, None)  # stated to be free
    assert paid["lyra/chorus-1"] == (None, None)  # "0" as well, but songs are billed otherwise
    assert paid["openrouter/auto"] == (None, True)  # "-1": varies by request

    changes = table(database_url, "model_changes")
    assert [change["kind"] for change in changes] == ["added"] * MODELS
    assert {change["run_id"] for change in changes} == {report.run_id}
    (run,) = table(database_url, "sync_runs")
    assert (run["id"], run["status"], run["created"], run["synced"], run["providers_processed"]) == (
        report.run_id,
        "succeeded",
        MODELS,
        MODELS,
        len(SLUGS),
    )
    assert {row["provider"]: row["outcome"] for row in table(database_url, "sync_results")} == dict.fromkeys(SLUGS, "synced")
    for state in table(database_url, "provider_state"):
        assert (state["ticket_token"], state["committed_seq"], state["failures_in_a_row"]) == (None, 1, 0), state["provider"]
        assert began <= state["last_success_at"] <= datetime.now(UTC) + timedelta(seconds=2)


def test_a_second_sync_changes_nothing(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    first, before = modelsync.sync(), everything(database_url)
    second, after = modelsync.sync(), everything(database_url)

    for slug, outcome in outcomes(second).items():
        listed = counts(first)[slug]
        if slug == "helicone":  # a price of it is held, so that it is looked at anew
            assert isinstance(outcome, Synced), outcome
            assert (outcome.changes, len(outcome.holds), outcome.counts.unchanged) == (0, 1, listed.created)
            continue
        assert isinstance(outcome, NotModified), (slug, outcome)
        expected = Counts(
            fetched=listed.fetched,
            transformed=listed.created,
            skipped=listed.skipped,
            unchanged=listed.created,
            synced=listed.created,
        )
        assert outcome.counts == expected, slug
    for name in ("models", "model_changes", "providers"):
        assert after[name] == before[name], name
    assert [state["complete_seq"] for state in after["provider_state"]] == [2] * len(SLUGS)


def test_the_same_lists_in_another_order_change_nothing(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    simulator.set_day(1)
    modelsync.sync()
    before = everything(database_url)
    simulator.set_day(2)  # no sample changes anything on day 2, and every list begins at another row
    report = modelsync.sync()

    assert {type(outcome) for outcome in outcomes(report).values()} <= {Synced, NotModified}
    assert sum(isinstance(outcome, Synced) for outcome in outcomes(report).values()) >= 15  # read again, and found unchanged
    assert (report.counts.created, report.counts.updated, report.counts.missing, report.counts.unchanged) == (0, 0, 0, MODELS)
    after = everything(database_url)
    for name in ("models", "model_changes", "providers"):
        assert after[name] == before[name], name


def test_a_day_later_exactly_what_changed_is_written(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync()
    before = {slug: models_of(database_url, slug) for slug in SLUGS}
    simulator.set_day(1)
    report = modelsync.sync()

    assert errors(report) == {}
    for slug, (models, created, updated) in DAYS.items():
        found = counts(report)[slug]
        assert (found.created, found.updated, found.missing) == (created, updated, 1), slug
        assert found.unchanged == models - updated - 1, slug
        after = models_of(database_url, slug)
        written = {name for name in after if after[name] != before[slug].get(name)}
        assert len(written) == created + updated + 1, slug
        assert all(after[name]["updated_at"] == before[slug][name]["updated_at"] for name in after.keys() - written)
    for slug, expected in DAY_ONE.items():
        rows = changes_of(database_url, slug, run_id=report.run_id)
        assert {(row["kind"], row["provider_model_id"]): row["fields"] for row in rows} == expected, slug
        assert len(rows) == len(expected)

    scribe, pip = (models_of(database_url, "openrouter")[name] for name in ("acme/scribe-2", "orchard/pip-7b"))
    assert (scribe["pricing_prompt"], scribe["pricing_completion"]) == (Decimal("0.000001"), Decimal("0.000008"))
    assert scribe["pricing"]["cache_write"] == "0.0000015625"  # 0.00000156250000000000002 on the wire
    assert (pip["status"], pip["is_active"], pip["pricing_prompt"]) == ("missing", True, Decimal("0.0000002"))
    assert pip["missing_since"] == pip["updated_at"]


def test_a_model_that_comes_back_is_revived(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync(["openrouter"])
    first_seen = models_of(database_url, "openrouter")["orchard/pip-7b"]
    simulator.set_day(1)
    modelsync.sync(["openrouter"])
    simulator.set_day(0)
    report = modelsync.sync(["openrouter"])

    changes = changes_of(database_url, "openrouter", run_id=report.run_id)
    assert {(change["kind"], change["provider_model_id"]) for change in changes} == {
        ("updated", "acme/scribe-2"),
        ("missing", "acme/scribe-3"),
        ("revived", "orchard/pip-7b"),
    }
    pip = models_of(database_url, "openrouter")["orchard/pip-7b"]
    assert (pip["status"], pip["missing_since"], pip["missing_since_seq"]) == ("active", None, None)
    assert {name: pip[name] for name in pip if name != "updated_at"} == {name: first_seen[name] for name in pip if name != "updated_at"}


def test_304_sights_every_model_and_touches_none(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync(["aihubmix"])
    before = everything(database_url)
    simulator.clear_requests()
    report = modelsync.sync(["aihubmix"])

    (request,) = simulator.requests("aihubmix")
    assert "if-none-match" in request.headers
    assert outcomes(report)["aihubmix"] == NotModified(Counts(fetched=6, transformed=6, unchanged=6, synced=6))
    after = everything(database_url)
    assert (after["models"], after["model_changes"]) == (before["models"], before["model_changes"])
    (state,) = after["provider_state"]
    assert (state["complete_seq"], state["committed_seq"]) == (2, 2)

    simulator.set_day(1)
    assert counts(modelsync.sync(["aihubmix"]))["aihubmix"].updated == 1


def test_providers_without_a_key_are_skipped_by_name(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    report = program(environment(simulator, "groq", "xai", "openrouter"), database_url, tmp_path).sync()

    assert outcomes(report)["groq"] == NoKey(("GROQ_API_KEY",))
    assert errors(report) == {
        "groq": "API key not configured (set GROQ_API_KEY)",
        "xai": "API key not configured (set XAI_API_KEY)",
    }
    assert report.status == "succeeded"
    assert (models_of(database_url, "groq"), len(models_of(database_url, "openrouter"))) == ({}, 5)  # its list needs no key
    assert not simulator.requests("groq")
    assert {row["provider"] for row in table(database_url, "sync_results") if row["outcome"] == "no_key"} == {"groq", "xai"}


def test_a_provider_that_is_switched_off_is_not_asked(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path, MODELSYNC_PROVIDERS="groq, chutes")
    report = modelsync.sync(["groq", "near"])

    assert outcomes(report)["near"] == Disabled("switched off by MODELSYNC_PROVIDERS")
    assert (len(models_of(database_url, "groq")), models_of(database_url, "near"), simulator.requests("near")) == (6, {}, [])


def test_an_unknown_provider_is_named_with_its_neighbours(simulator: Simulator, tmp_path: Path) -> None:
    database = tmp_path / "never.db"
    with pytest.raises(UsageError) as caught:
        program(environment(simulator), f"sqlite:///{database}", tmp_path).sync(["open-router", "groq"])
    assert str(caught.value) == "Unknown provider: open-router. Did you mean openrouter?"
    assert not database.exists()
    assert simulator.requests() == []


def test_i18_a_dry_run_leaves_no_trace_and_tells_what_the_sync_does(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync()
    simulator.set_day(1)
    before, files = everything(database_url), _files(database_url)
    dry = modelsync.sync(dry_run=True)

    assert (dry.run_id, dry.counts.synced, errors(dry)) == (None, 0, {})
    assert everything(database_url) == before
    assert _files(database_url) == files

    real = modelsync.sync()
    for slug, planned in outcomes(dry).items():
        assert isinstance(planned, Planned), slug
        lines = [plan_line(change) for change in planned.plan.changes]
        told = {
            (line["kind"], line["provider_model_id"]): {name: [pair["old"], pair["new"]] for name, pair in line["fields"].items()}
            for line in lines
            if line["kind"] != "updated" or line["fields"]
        }
        there = models_of(database_url, slug)
        for kind, row_id in told:
            if kind == "added":  # history keeps no fields of these: their row has them
                fields, row = told[kind, row_id], there[row_id]
                assert {name: _fact(*fields[name]) for name in FACTS & fields.keys()} == {
                    name: (None, row[name]) for name in FACTS if row[name] is not None
                }, row_id
                told[kind, row_id] = {}
        done = {(row["kind"], row["provider_model_id"]): row["fields"] for row in changes_of(database_url, slug, run_id=real.run_id)}
        assert told == done, slug
        same = ("fetched", "transformed", "skipped", "created", "updated", "unchanged", "missing")
        assert [getattr(planned.counts, name) for name in same] == [getattr(counts(real)[slug], name) for name in same], slug


FACTS = MONEY | {"model_name", "description", "context_length", "max_output_tokens", "input_modalities", "output_modalities"}


def _fact(old: object, new: object) -> tuple[object, object]:
    return old, Decimal(new) if isinstance(new, str) and re.fullmatch(r"[0-9.]+", new) else new


def _files(database_url: str) -> dict[str, bytes]:
    """SQLite's files, byte for byte."""
    if not database_url.startswith("sqlite"):
        return {}
    path = sqlite_path(database_url)
    return {file.name: file.read_bytes() for file in path.parent.glob(f"{path.name}*")}


def test_i18_a_dry_run_into_nothing_makes_nothing(simulator: Simulator, empty_database_url: str, tmp_path: Path) -> None:
    dry = program(environment(simulator), empty_database_url, tmp_path).sync(dry_run=True)

    assert {slug: each.created for slug, each in counts(dry).items()} == {slug: models for slug, (models, _, _) in DAYS.items()}
    if empty_database_url.startswith("sqlite"):
        assert _files(empty_database_url) == {}
    else:
        assert (
            query(empty_database_url, "SELECT 1 FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
            == []
        )


def test_two_syncs_at_once_take_turns(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    program(environment(simulator), database_url, tmp_path).sync(["near"])  # so that both find the tables there
    simulator.add_fault("openrouter", "delay", seconds=0.8)
    steps: list[list[object]] = [[], []]
    reports: list[object] = [None, None]

    def run(number: int) -> None:
        watch = steps[number].append
        modelsync = program(environment(simulator), database_url, tmp_path)
        reports[number] = modelsync.sync(["openrouter"], watch=lambda _, event: watch(event))

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    waited = [Step.WAITING in each for each in steps]
    assert sorted(waited) == [False, True]
    found = {type(outcomes(report)["openrouter"]) for report in reports}  # type: ignore[arg-type]
    assert found == {Synced, NotModified}
    assert all(isinstance(each[-1], ProviderResult) for each in steps)
    assert len(changes_of(database_url, "openrouter")) == len(models_of(database_url, "openrouter")) == 5
    (state,) = (row for row in table(database_url, "provider_state") if row["provider"] == "openrouter")
    assert (state["ticket_seq"], state["committed_seq"], state["ticket_token"]) == (2, 2, None)
    assert {row["status"] for row in table(database_url, "sync_runs")} == {"succeeded"}


def test_every_table_is_looked_at(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """The tests above compare whole databases; a table they do not know would escape them."""
    program(environment(simulator), database_url, tmp_path).sync(["near"])
    if database_url.startswith("sqlite"):
        found = query(database_url, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    else:
        found = query(
            database_url,
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
        )
    assert {row["name"] for row in found} == {*TABLES, "alembic_version"}
