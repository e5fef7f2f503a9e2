"""The catalog as it stood at a time, searched like the present one; and changes shown together."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.model.model import Model, Prices
from modelsync.planning.policy import Rules
from modelsync.queries.filters import ModelFilter
from modelsync.queries.history import History
from modelsync.queries.reader import Reader
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, opened, seen
from support.sync import execute, table

AT_ONCE = Rules(retire_after_hours=0)


def sync(store: Store, *models: Model) -> None:
    store.commit(lease_for(store), Commit(PROVIDER, listing(*models), seen("d"), AT_ONCE, whole=True), 0.0)


def offer(row_id: str, dollars: Any = None, **values: Any) -> Model:
    """A model with both prices in USD per 1M tokens."""
    price = None if dollars is None else D(dollars) / 1_000_000
    return Model(id=row_id, prices=Prices(prompt=price, completion=price), **values)


def move_changes(database_url: str, days_ago: dict[int, int]) -> None:
    """Let what each run recorded have happened so many days ago."""
    for run_id, days in days_ago.items():
        at = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        execute(database_url, f"UPDATE model_changes SET changed_at = '{at}' WHERE run_id = {run_id}")


VARIED = (
    offer("a/text", 1, model_name="Alpha", context_length=8000, input_modalities=("text",), output_modalities=("text",)),
    offer("b/free", 0, supports_reasoning=True, supports_vision=False),
    offer("c/off", 5, available=False, supports_function_calling=True, context_length=200_000),
    offer("d/eye", "2.5", supports_vision=True, input_modalities=("text", "image"), output_modalities=("text",)),
    offer("e/silent", model_name="Epsilon alpha"),
    Model(id="f/half", prices=Prices(completion=D(0))),
)


@pytest.mark.parametrize(
    "wanted",
    [
        *({}, {"query": "ALPHA"}, {"query": "a ALPHA"}, {"query": "no such"}, {"providers": (SLUG,)}, {"providers": ("groq",)}),
        *({"modality": "text+image->text"}, {"status": "active"}, {"status": "retired"}, {"active": True}, {"active": False}),
        *({"min_context": 8000}, {"min_context": 8001}, {"max_price": 2.5}, {"max_price": 1.0}, {"max_price": 0.0}, {"free": True}),
        *({"supports": {f"supports_{name}": stated}} for name in ("vision", "function_calling", "reasoning") for stated in (True, False)),
        *({"supports": {"supports_vision": True}, "max_price": 1.0}, {"free": False}, {"min_price": 1.0}, {"max_context": 8000}),
        *({"min_context": 1, "max_context": 10**9}, {"input_modality": "image"}, {"output_modality": "text"}, {"input_modality": "none"}),
    ],
)
def test_every_filter_chooses_in_the_past_what_it_chooses_in_the_present(database_url: str, wanted: dict[str, Any]):
    chosen = ModelFilter(**wanted)
    with opened(database_url) as store:
        sync(store, *VARIED)
        present = [row.provider_model_id for row in Reader(store).matching(chosen)]
        past = [row.provider_model_id for row in History(store).models_at(datetime.now(UTC) + timedelta(hours=1), chosen)]
    assert past == present


def test_the_filters_are_not_all_empty(database_url: str):
    with opened(database_url) as store:
        sync(store, *VARIED)
        now = datetime.now(UTC) + timedelta(hours=1)
        found = {
            name: [row.provider_model_id[0] for row in History(store).models_at(now, ModelFilter(**{name: value}))]
            for name, value in {
                "query": "alpha",
                "free": True,
                "supports": {"supports_vision": True},
                "max_price": 1.0,
                "active": False,
            }.items()
        }
    assert found == {"query": ["a", "e"], "free": ["b"], "supports": ["d"], "max_price": ["a", "b"], "active": ["c"]}


def test_a_model_repriced_and_one_retired_since_show_as_they_were(database_url: str, tmp_path: Path):
    with opened(database_url) as store:
        sync(store, offer("m", 1, context_length=8000, expires_at=datetime(2999, 1, 1, tzinfo=UTC)), offer("gone", 2))
        sync(store, offer("m", 3), offer("new", 4), offer("gone", 2))
        for _ in range(3):
            sync(store, offer("m", 3), offer("new", 4))
    move_changes(database_url, {1: 10, 2: 4, 3: 3, 4: 2, 5: 1})
    env = environment(tmp_path, DATABASE_URL=database_url)

    def prices(*arguments: str) -> dict[str, str]:
        found = run_json(tmp_path, "models", *arguments, env=env)["models"]
        return {row["provider_model_id"]: row["pricing_prompt"] for row in found}

    assert prices() == {"m": "0.000003", "new": "0.000004"}
    assert prices("--as-of", "5d") == {"m": "0.000001", "gone": "0.000002"}
    assert prices("--as-of", "5d", "--max-price", "1") == {"m": "0.000001"}
    assert prices("--as-of", "5d", "gone") == {"gone": "0.000002"}
    assert prices("--as-of", "5d", "--provider", "groq") == {}
    assert prices("--as-of", "12h") == prices()
    assert prices("--as-of", "12h", "--status", "retired") == {"gone": "0.000002"}
    assert prices("--as-of", "60h", "--status", "missing") == {"gone": "0.000002"}
    assert prices("--as-of", "2w") == {}

    document = run_json(tmp_path, "models", "--as-of", "5d", "m", env=env)
    (row,) = document["models"]
    now = run_json(tmp_path, "models", "m", env=env)["models"][0]
    assert (document["version"], document["units"]) == (1, "USD per token")
    assert abs(datetime.fromisoformat(document["as_of"]) - (datetime.now(UTC) - timedelta(days=5))) < timedelta(minutes=2)
    assert set(row) <= set(now)
    unknown = {"id", "provider_id", "content_hash", "metadata", "first_seen_at", "created_at", "updated_at", "missing_since"}
    assert set(now) - set(row) == unknown | {"missing_since_seq"}
    assert (row["context_length"], row["expires_at"], row["pricing"]["prompt"]) == (8000, "2999-01-01T00:00:00Z", "0.000001")


def test_the_table_says_as_of_when_and_where_history_begins(tmp_path: Path):
    database_url = f"sqlite:///{tmp_path}/modelsync.db"
    with opened(database_url) as store:
        sync(store, offer("m", 1, context_length=8000), offer("n", 2))
        sync(store, offer("m", 3, context_length=8000), offer("n", 2))
    move_changes(database_url, {1: 10, 2: 4})
    env = environment(tmp_path, DATABASE_URL=database_url)
    day = datetime.now(UTC) - timedelta(days=5)
    shown = run(tmp_path, "models", "--as-of", "5d", "--limit", "1", env=env).stdout.splitlines()
    assert shown[0].startswith(f"As of {day:%Y-%m-%d} ")
    assert "begins" not in shown[0]
    assert shown[2].split()[:5] == ["m", "openrouter", "1.00", "1.00", "8,000"]
    assert shown[-1] == "1 of 2 models; --limit 2 shows all"
    early = run(tmp_path, "models", "--as-of", "2020-01-01", env=env).stdout.splitlines()
    began = datetime.now(UTC) - timedelta(days=10)
    assert early[0].startswith(f"As of 2020-01-01 00:00 UTC; history begins at {began:%Y-%m-%d}")
    assert early[1].startswith("No model matches.")
    rows = list(csv.DictReader(io.StringIO(run(tmp_path, "models", "--as-of", "5d", "--csv", env=env).stdout)))
    assert [(row["provider_model_id"], row["pricing_prompt"], row["updated_at"]) for row in rows] == [
        ("m", "0.000001", ""),
        ("n", "0.000002", ""),
    ]
    for arguments, told in {("--as-of", "2999-01-01"): "2999-01-01 is in the future", ("--as-of", "once"): "once is not a time"}.items():
        done = run(tmp_path, "models", *arguments, env=env)
        assert (done.returncode, told in done.stderr) == (64, True), done.stderr


def test_an_empty_catalog_has_no_past(tmp_path: Path):
    done = run(tmp_path, "models", "--as-of", "7d", env=environment(tmp_path))
    assert (done.returncode, "No model matches." in done.stdout) == (0, True)


# Changes shown together


def test_collapse_shows_a_price_that_moves_often_once_and_loses_nothing(database_url: str, tmp_path: Path):
    with opened(database_url) as store:
        for price, length in ((1, 8), (2, 8), (1, 8), (2, 16), (1, 16)):
            sync(store, offer("m", price, context_length=length), offer("n", 1))
        sync(store, offer("m", 3, context_length=16), offer("n", 2))
    env = environment(tmp_path, DATABASE_URL=database_url)
    before = table(database_url, "model_changes")
    plain = run(tmp_path, "changes", env=env).stdout.splitlines()
    assert len(plain) == 8
    lines = [line.split("  ", 2)[2] for line in run(tmp_path, "changes", "--collapse", env=env).stdout.splitlines()]
    assert lines == [
        "n  prompt 1.00 → 2.00 $/1M (+100%), completion 1.00 → 2.00 $/1M (+100%)  (run 6)",
        "m  prompt 1.00 → 3.00 $/1M (+200%) (5 changes), completion 1.00 → 3.00 $/1M (+200%) (5 changes)  (run 6)",
        "m  context_length 8 → 16  (run 4)",
        "n  new  (run 1)",
        "m  new  (run 1)",
    ]
    assert table(database_url, "model_changes") == before
    for more in ((), ("--limit", "2"), ("--field", "context_length")):
        together = json.loads(run(tmp_path, "changes", "--collapse", "--json", *more, env=env).stdout)
        assert together == run_json(tmp_path, "changes", *more, env=env)


def test_collapse_counts_before_it_filters_and_cuts(tmp_path: Path):
    database_url = f"sqlite:///{tmp_path}/modelsync.db"
    with opened(database_url) as store:
        for price, length in ((1, 8), (2, 16), (1, 16)):
            sync(store, offer("m", price, context_length=length))
    env = environment(tmp_path, DATABASE_URL=database_url)

    def shown(*arguments: str) -> list[str]:
        return [line.split("  ", 2)[2] for line in run(tmp_path, "changes", "--collapse", *arguments, env=env).stdout.splitlines()]

    flip = "m  prompt 1.00 → 1.00 $/1M (+0%) (2 changes, back where it was), "
    flip += "completion 1.00 → 1.00 $/1M (+0%) (2 changes, back where it was)  (run 3)"
    assert shown("--limit", "1") == [flip]
    assert shown("--field", "pricing_prompt") == [flip]
    assert shown("--field", "context_length") == ["m  context_length 8 → 16  (run 2)"]
    assert shown("--kind", "added") == ["m  new  (run 1)"]
