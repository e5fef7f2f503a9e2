"""Reports: what scripts read. The names and wordings are those of the REST contract, word by word."""

import itertools
import json
from datetime import UTC, datetime

import msgspec
import pytest

from modelsync.errors import Failure
from modelsync.errors import FailureKind as Whose
from modelsync.model.model import Model, Prices, Tier
from modelsync.model.records import Counts
from modelsync.planning.decoding import Rejected
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import (
    Busy,
    Cancelled,
    Disabled,
    Failed,
    Held,
    NoKey,
    NotModified,
    Planned,
    ProviderResult,
    Report,
    Superseded,
    Synced,
    counts_of,
    details,
    document,
    exit_code,
    of_one,
    plain,
    run_status,
)
from modelsync.planning.plan import Change, ChangeKind, FieldChange, Plan
from modelsync.testing import D

COUNTS = Counts(fetched=150, transformed=148, skipped=2, synced=148, created=3, updated=5, unchanged=140, missing=1)
FAILURE = Failure(Whose.TRANSIENT, "api.test.invalid answered 503", "Nothing was changed; try again later")
OUTCOMES = {
    "ok": Synced(COUNTS, 8),
    "same": NotModified(COUNTS),
    "plan": Planned(COUNTS, Plan()),
    "fail": Failed(FAILURE),
    "busy": Busy(7),
    "stop": Cancelled(),
    "old": Superseded(),
    "held": Held("empty", "the list is empty", "Nothing was changed"),
    "nokey": NoKey(("GROQ_API_KEY", "GROQ_KEY")),
    "off": Disabled("switched off by MODELSYNC_PROVIDERS"),
}


def result(slug, outcome, **facts):
    return ProviderResult(slug=slug, outcome=OUTCOMES[outcome] if isinstance(outcome, str) else outcome, seconds=1.23456, **facts)


def report(*outcomes, dry_run=False):
    return Report(
        run_id=None if dry_run else 42,
        dry_run=dry_run,
        started_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        finished_at=datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC),
        seconds=5.00049,
        results=tuple(result(f"p{number}", outcome) for number, outcome in enumerate(outcomes)),
    )


# Status


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ("ok", "succeeded"),
        ("same", "succeeded"),
        ("plan", "succeeded"),
        ("fail", "failed"),
        ("busy", "failed"),
        ("held", "failed"),  # nothing succeeded
        ("old", "failed"),
        ("", "failed"),
        ("ok same plan", "succeeded"),
        ("ok fail", "partial"),
        ("ok busy", "partial"),
        ("ok held", "succeeded"),  # none failed
        ("ok old", "succeeded"),
        ("fail fail", "failed"),
        ("fail held", "failed"),
        ("nokey", "failed"),  # nothing succeeded
        ("off", "failed"),
        ("held nokey", "failed"),
        ("ok nokey", "succeeded"),  # a missing key counts as neither
        ("ok off", "succeeded"),
        ("ok fail nokey off", "partial"),
        ("fail nokey", "failed"),
        ("stop", "cancelled"),
        ("ok stop", "cancelled"),
        ("fail stop", "cancelled"),
    ],
)
def test_run_status(outcomes, status):
    made = report(*outcomes.split())
    assert run_status(made.results) == status
    assert made.status == status


# Exit codes: the first that applies


@pytest.mark.parametrize(
    ("outcomes", "named", "code"),
    [
        # 1: nothing succeeded
        ("fail", False, 1),
        ("busy", False, 1),
        ("old", False, 1),
        ("stop", False, 1),
        ("fail fail", False, 1),
        ("fail held", False, 1),
        ("nokey", False, 1),
        ("off", False, 1),
        ("nokey off", False, 1),
        ("", False, 1),
        # 1: a provider asked for by name failed or lacks its key
        ("fail", True, 1),
        ("ok fail", True, 1),
        ("ok busy", True, 1),
        ("ok nokey", True, 1),
        ("ok off", True, 1),
        ("ok stop", True, 1),
        ("ok held fail", True, 1),
        # 3: some failed
        ("ok fail", False, 3),
        ("ok busy", False, 3),
        ("same fail nokey", False, 3),
        ("plan fail", False, 3),
        ("ok fail held", False, 3),
        # 4: something needs review
        ("ok held", False, 4),
        ("ok held", True, 4),
        ("same held nokey", False, 4),
        ("held", False, 4),
        ("held", True, 4),
        # 0
        ("ok", False, 0),
        ("ok", True, 0),
        ("same", True, 0),
        ("plan", True, 0),
        ("ok nokey", False, 0),
        ("ok off nokey", False, 0),
        ("ok old", False, 0),
        ("ok old", True, 0),
    ],
)
def test_exit_code(outcomes, named, code):
    assert exit_code(report(*outcomes.split()), named=named) == code


def test_i16_exit_code_and_status_agree_in_every_combination_of_three():
    for outcomes in itertools.product(OUTCOMES, repeat=3):
        made = report(*outcomes)
        code = exit_code(made, named=False)
        assert (code == 3) == (bool(made.failed) and bool(made.succeeded)), outcomes
        if made.status == "partial":
            assert code == 3, outcomes
        if made.status == "succeeded" and made.succeeded:
            assert code in (0, 4), outcomes
        if code == 0:
            assert made.status == "succeeded", outcomes
            assert made.succeeded, outcomes
        assert exit_code(made, named=True) in (code, 1), outcomes


# Words


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("ok", None),
        ("same", None),
        ("plan", None),
        ("nokey", "API key not configured (set GROQ_API_KEY)"),
        ("off", "switched off by MODELSYNC_PROVIDERS"),
        ("busy", "already being synced by run 7; nothing was changed by this one"),
        (Busy(None), "already being synced"),
        ("old", "a newer sync was committed meanwhile; this answer was discarded"),
        ("held", "the list is empty. Nothing was changed"),
        ("stop", "stopped before anything of it was written"),
        ("fail", "api.test.invalid answered 503. Nothing was changed; try again later"),
    ],
)
def test_why_a_provider_did_not_succeed(outcome, error):
    made = result("groq", outcome)
    assert made.error == error
    assert made.succeeded is (error is None)


def test_the_message_of_a_run():
    assert report(*["ok"] * 3, "fail", "nokey").message == "Processed 5 providers. Success: 3, Errors: 2. Total synced: 444 models"
    assert report("ok").message == "Processed 1 provider. Success: 1, Errors: 0. Total synced: 148 models"
    assert report().message == "Processed 0 providers. Success: 0, Errors: 0. Total synced: 0 models"


def test_the_message_of_a_dry_run():
    planned = Planned(msgspec.structs.replace(COUNTS, synced=0), Plan())
    message = report(planned, "held", dry_run=True).message
    assert message == "[DRY RUN] Processed 2 providers. Success: 1, Errors: 1. Total synced: 0 models"


def test_counts_are_summed_and_nothing_read_counts_nothing():
    made = report("ok", "fail", "held", "same")
    assert made.counts == Counts(fetched=300, transformed=296, skipped=4, synced=296, created=6, updated=10, unchanged=280, missing=2)
    assert [each.counts == Counts() for each in made.results] == [False, True, True, False]


@pytest.mark.parametrize(
    ("missing", "alarm"),
    [((10, 10), None), ((11, 12), "23 of 223 models are absent over all providers"), ((30,), None), ((3, 3), None)],
)
def test_i05_an_alarm_when_more_than_a_tenth_is_absent_over_all_providers(missing, alarm):
    """100 models are listed by each; one provider alone has its own guard."""
    made = report(*(Synced(Counts(fetched=100, transformed=100, missing=count), 0) for count in missing))
    assert (made.alarm or "").startswith(alarm or "")
    assert bool(made.alarm) is bool(alarm)


# Counts of a plan


def test_counts_of_a_plan():
    models = {row_id: Model(id=row_id) for row_id in "abcdefg"}
    rejected = (Rejected(0, "r", "no", ""), Rejected(1, None, "no", ""), Rejected(2, "s", "no", ""))
    changes = [
        *((ChangeKind.ADDED, row_id) for row_id in "ab"),
        *((ChangeKind.UPDATED, row_id) for row_id in "c"),
        *((ChangeKind.REVIVED, row_id) for row_id in "dr"),  # r came back as a row that was rejected
        *((ChangeKind.MISSING, row_id) for row_id in "xy"),
    ]
    plan = Plan(
        tuple(Change(kind, row_id, Model(id=row_id), "hash") for kind, row_id in changes), unchanged=3, gone=("v", "w", "x", "y", "z")
    )
    listing = Listing(models=models, hashes={}, rejected=rejected, duplicates=("a", "a"))
    expected = {"fetched": 12, "transformed": 7, "skipped": 5, "created": 2, "updated": 2, "unchanged": 3, "missing": 5}
    assert counts_of(listing, plan, applied=True) == Counts(**expected, synced=7)
    assert counts_of(listing, plan, applied=False) == Counts(**expected, synced=0)


# Documents

SINGLE = {  # API.md, `SyncResponse`, single
    *("provider", "provider_id", "models_fetched", "models_transformed", "models_skipped", "models_synced"),
    *("dry_run", "run_id", "status", "models_created", "models_updated", "models_unchanged", "models_missing", "models_retired"),
    *("models_held", "duration_seconds", "errors"),
}
ALL = {  # API.md, `SyncResponse`, all
    *("providers_processed", "total_models_fetched", "total_models_transformed", "total_models_skipped", "total_models_synced"),
    *("errors", "run_id", "status", "results", "dry_run", "synced_at"),
}


def test_the_document_of_a_run():
    made = document(report("ok", "nokey", "fail"))
    assert made.keys() == {"version", "success", "message", "details"}
    assert (made["version"], made["success"]) == (1, True)
    assert made["message"] == "Processed 3 providers. Success: 1, Errors: 2. Total synced: 148 models"
    assert made["details"].keys() >= ALL
    assert {name: value for name, value in made["details"].items() if name != "results"} == {
        "run_id": 42,
        "status": "partial",
        "dry_run": False,
        "synced_at": "2026-03-01T12:00:05Z",
        "duration_seconds": 5.0,
        "providers_processed": 3,
        "total_models_fetched": 150,
        "total_models_transformed": 148,
        "total_models_skipped": 2,
        "total_models_synced": 148,
        "alarm": None,
        "errors": [
            {"provider": "p1", "error": "API key not configured (set GROQ_API_KEY)"},
            {"provider": "p2", "error": "api.test.invalid answered 503. Nothing was changed; try again later"},
        ],
    }
    assert [each["provider"] for each in made["details"]["results"]] == ["p0", "p1", "p2"]


ONE = [
    ("ok", False, "Synced 148 models from p0. Fetched: 150, Transformed: 148, Skipped: 2"),
    (
        NotModified(Counts(fetched=150, transformed=148, skipped=2, synced=148, unchanged=148)),
        False,
        "Synced 148 models from p0. Fetched: 150, Transformed: 148, Skipped: 2",
    ),
    (
        Planned(Counts(fetched=150, transformed=148, skipped=2, created=3, updated=5, unchanged=140), Plan()),
        True,
        "[DRY RUN] Synced 148 models from p0. Fetched: 150, Transformed: 148, Skipped: 2",
    ),
    ("nokey", False, "p0: API key not configured (set GROQ_API_KEY)"),
    ("nokey", True, "[DRY RUN] p0: API key not configured (set GROQ_API_KEY)"),
]


@pytest.mark.parametrize(("outcome", "dry_run", "message"), ONE)
def test_the_message_of_one_provider(outcome, dry_run: bool, message: str):
    made = of_one(report(outcome, dry_run=dry_run))
    assert (made["message"], made["success"]) == (message, outcome != "nokey")


def test_the_details_of_one_provider():
    made = report("ok")
    single = details(made, result("groq", "ok", provider_id=9, warnings=("a: no",)))
    assert single.keys() >= SINGLE
    assert single == {
        "provider": "groq",
        "provider_id": 9,
        "status": "synced",
        "dry_run": False,
        "run_id": 42,
        "models_fetched": 150,
        "models_transformed": 148,
        "models_skipped": 2,
        "models_synced": 148,
        "models_created": 3,
        "models_updated": 5,
        "models_unchanged": 140,
        "models_missing": 1,
        "models_retired": 0,
        "models_held": 0,
        "duration_seconds": 1.235,
        "errors": [],
        "warnings": ["a: no"],
    }


STATUSES = {
    "ok": "synced",
    "same": "not_modified",
    "plan": "planned",
    "fail": "failed",
    "busy": "busy",
    "stop": "cancelled",
    "old": "superseded",
    "held": "held",
    "nokey": "no_key",
    "off": "disabled",
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_details_of_every_outcome(outcome):
    single = details(report("ok"), result("groq", outcome))
    assert single["status"] == STATUSES[outcome]
    assert single.keys() >= SINGLE
    assert len(single["errors"]) == (outcome not in ("ok", "same", "plan"))
    json.dumps(single)  # every value is JSON


@pytest.mark.parametrize(("outcomes", "success"), [("ok fail", True), ("same", True), ("fail", False), ("nokey", False), ("held", False)])
def test_success_means_that_at_least_one_provider_succeeded(outcomes, success):
    assert document(report(*outcomes.split()))["success"] is success


def test_a_dry_run_has_no_run_and_lists_its_changes():
    fields = (FieldChange("pricing_prompt", D("5E-7"), None), FieldChange("released_at", None, datetime(2026, 3, 1, tzinfo=UTC)))
    model = Model(id="a/b", prices=Prices(prompt=D("5E-7")), metadata={"a": [1]})
    new = Model(id="c", context_length=8192, prices=Prices(completion=D(0)))
    plan = Plan((Change(ChangeKind.UPDATED, "a/b", model, "h", fields), Change(ChangeKind.ADDED, "c", new, "h")), unchanged=1)
    made = document(report(Planned(COUNTS, plan), dry_run=True))
    assert (made["details"]["run_id"], made["details"]["dry_run"]) == (None, True)
    (single,) = made["details"]["results"]
    assert single["changes"] == [
        {
            "kind": "updated",
            "provider_model_id": "a/b",
            "fields": {
                "pricing_prompt": {"old": "0.0000005", "new": None},
                "released_at": {"old": None, "new": "2026-03-01T00:00:00Z"},
            },
        },
        {
            "kind": "added",
            "provider_model_id": "c",
            "fields": {
                "context_length": {"old": None, "new": 8192},
                "pricing_completion": {"old": None, "new": "0"},
            },
        },
    ]
    json.dumps(made)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (8192, 8192),
        ("x", "x"),
        (D("5E-7"), "0.0000005"),
        (D("1E+2"), "100"),
        (D(0), "0"),
        (("text", "image"), ["text", "image"]),
        ((Tier(above=1, prompt=D("2E-7")),), [{"above": 1, "prompt": "0.0000002"}]),
        ({"new": "1"}, {"new": "1"}),
        (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00Z"),
    ],
)
def test_facts_as_json(value, expected):
    assert plain(value) == expected
