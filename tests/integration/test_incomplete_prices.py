"""Prices that are not the whole price, seen everywhere; and what is remembered of prices that do not stand, and of corrected readings."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelsync.model.actors import Person
from modelsync.model.model import Model, Prices
from modelsync.operations import decisions
from modelsync.planning.policy import Rules
from modelsync.queries.explain import explain_field, overview
from modelsync.queries.explain_rows import ExplanationReader
from modelsync.queries.reasons import LastBelieved, NotStated
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.api import Served, got, serving
from support.catalog import synced
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, seen
from support.sync import table

AUDIO = {"others": {"audio": "0.000064"}, "incomplete": ("audio",)}
WHOLE = Model(id="whole", prices=Prices(prompt=D("0.000001"), completion=D("0.000002")))
PART = Model(id="part", prices=Prices(prompt=D("0.000001"), completion=D("0.000002"), **AUDIO))
LESS = Model(
    id="less",
    prices=Prices(prompt=D("0.000003"), others={"audio": "0.5"}, incomplete=("audio", "overrides[min_seats 5]")),
)
GONE = Model(id="gone", prices=Prices(prompt=D("0.000004"), **AUDIO))


@pytest.fixture(scope="module")
def catalog(shared_database_url: str) -> str:
    """openrouter has a whole price, two that are not, and a retired one that was not either; groq has one more."""
    with opened(shared_database_url) as store:
        synced(store, SLUG, (WHOLE, PART, LESS, GONE))
        synced(store, "groq", (msgspec.structs.replace(PART, id="theirs"),))
        for _ in range(3):
            lease = lease_for(store)
            store.commit(lease, Commit(PROVIDER, listing(WHOLE, PART, LESS), None, Rules(retire_after_hours=0)), 0.0)
    return shared_database_url


@pytest.fixture
def env(catalog: str, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, DATABASE_URL=catalog)


@pytest.fixture(scope="module")
def served(catalog: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), catalog) as found:
        yield found


EXPECTED = {
    "groq": {"models": 1, "fields": {"audio": 1}},
    "openrouter": {"models": 2, "fields": {"audio": 2, "overrides[min_seats 5]": 1}},
}
"""The retired one counts for nobody."""
INCOMPLETE = {"whole": False, "part": True, "less": True, "theirs": True}


def test_status_counts_them_by_provider_and_field(tmp_path: Path, env: dict[str, str]):
    assert run_json(tmp_path, "status", env=env)["incomplete_prices"] == EXPECTED
    told = run(tmp_path, "status", env=env).stdout
    assert "The price of 3 models is not whole: these fields are stated and not read" in told
    assert "  groq: 1 model (audio 1)\n  openrouter: 2 models (audio 2, overrides[min_seats 5] 1)\n" in told


def test_status_and_metrics_count_them_over_http(served: Served):
    assert got(served.admin.get("/admin/model-sync/status"))["incomplete_prices"] == EXPECTED
    metrics = served.client.get("/metrics").text
    assert 'modelsync_models_incomplete_price{provider="openrouter"} 2.0\n' in metrics
    assert 'modelsync_models_incomplete_price{provider="groq"} 1.0\n' in metrics


def test_rows_and_exports_say_so(served: Served):
    rows = {row["provider_model_id"]: row for row in served.get("/models", limit=500)["data"]}
    assert {name: row["price_incomplete"] for name, row in rows.items()} == INCOMPLETE
    assert rows["less"]["pricing"]["incomplete"] == ["audio", "overrides[min_seats 5]"]
    assert served.get(f"/models/{rows['part']['id']}")["price_incomplete"] is True
    lines = served.client.get("/models.ndjson").text.splitlines()
    assert {row["provider_model_id"]: row["price_incomplete"] for row in map(json.loads, lines)} == INCOMPLETE
    cells = csv.DictReader(io.StringIO(served.client.get("/models.csv").text))
    assert {row["provider_model_id"]: row["price_incomplete"] == "true" for row in cells} == INCOMPLETE
    listed = served.get("/v1/models")["data"]
    assert {row["id"].rpartition("/")[2]: row["pricing"]["incomplete"] for row in listed} == INCOMPLETE


def test_models_on_the_command_line_say_so(tmp_path: Path, env: dict[str, str]):
    lines = {line.split()[0]: line for line in run(tmp_path, "models", env=env).stdout.splitlines() if line}
    assert lines["model"].split()[-1] == "price"
    assert {name: lines[name].endswith("incomplete") for name in INCOMPLETE} == INCOMPLETE
    assert " price" not in run(tmp_path, "models", "whole", env=env).stdout  # no row with one
    found = {row["provider_model_id"]: row["price_incomplete"] for row in run_json(tmp_path, "models", env=env)["models"]}
    assert found == INCOMPLETE
    cells = csv.DictReader(io.StringIO(run(tmp_path, "models", "--csv", env=env).stdout))
    assert {row["provider_model_id"]: row["price_incomplete"] == "true" for row in cells} == INCOMPLETE


def test_explain_says_what_is_stated_and_not_read(served: Served, tmp_path: Path, env: dict[str, str]):
    told = run(tmp_path, "explain", SLUG, "less", "pricing_prompt", env=env).stdout
    words = "audio = 0.5, overrides[min_seats 5] are stated by the provider and not read, so a call may pay more"
    assert f"why: the price is not whole: {words}\n" in told
    assert run(tmp_path, "explain", SLUG, "part", env=env).stdout.count("audio = 0.000064 is stated by the provider and not read") == 1
    assert "not whole" not in run(tmp_path, "explain", SLUG, "whole", env=env).stdout
    query = {"provider": SLUG, "model": "part", "field": "pricing_prompt"}
    (field,) = got(served.admin.get("/admin/explain", params=query))["fields"]
    assert field["reasons"] == [{"kind": "incomplete", "unread": [{"name": "audio", "text": "0.000064"}]}]


# What is remembered


def sync(store: Store, *models: Model, read_by: int = 1, rules: Rules | None = None) -> None:
    provider = dataclasses.replace(PROVIDER, version=read_by)
    store.commit(lease_for(store), Commit(provider, listing(*models), seen("d"), rules or Rules(), whole=True), 0.0)


def explained(store: Store, field: str) -> Any:
    known = ExplanationReader(store).known(PROVIDER, "m")
    assert known is not None
    return explain_field(known, field)


def test_a_price_that_does_not_stand_is_explained_by_the_last_one_that_was_believed(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    with opened(database_url) as store:
        sync(store, model("m", D("0.00000125")))
        sync(store, Model(id="m", prices=Prices(dynamic=True)))
        found = explained(store, "pricing_prompt")
        (row,) = table(database_url, "last_prices")
        assert found.value is None
        since = datetime.fromisoformat(row["since"]) if isinstance(row["since"], str) else row["since"]
        assert found.reasons == (LastBelieved(point="pricing_prompt", usd="0.00000125", until=since),)
        known = ExplanationReader(store).known(PROVIDER, "m")
        assert known is not None
        assert "pricing_prompt" in [each.field for each in overview(known)]
        assert explained(store, "pricing_completion").reasons == ()
    told = run(tmp_path, "explain", SLUG, "m", "pricing_prompt", env=env).stdout
    assert "why: the last believed pricing_prompt was 1.25 $/1M (0.00000125 USD per token), until 20" in told
    assert "; a new one is compared with it\n" in told


def test_a_silent_price_says_since_when(database_url: str):
    with opened(database_url) as store:
        sync(store, Model(id="m", prices=Prices(prompt=D("0.000001"), cache_read=D("0.0000001"))))
        sync(store, model("m", D("0.000001")))
        (lying,) = table(database_url, "upstream_values")
        (reason,) = explained(store, "pricing.cache_read").reasons
    assert isinstance(reason, NotStated)
    assert reason.since is not None
    assert lying["silent"]["pricing.cache_read"]["since"].startswith(f"{reason.since:%Y-%m-%dT%H:%M:%S}")


def test_a_correction_is_told_in_words_everywhere(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    raw = {"prompt": "1.25 USD per 1M tokens"}
    with opened(database_url) as store:
        sync(store, Model(id="m", prices=Prices(prompt=D("0.0000000125"), raw=raw)))
        sync(store, Model(id="m", prices=Prices(prompt=D("0.00000125"), raw=raw)), read_by=2)
        last = explained(store, "pricing_prompt").last_change
        assert (last.old, last.new, last.corrected) == ("0.0000000125", "0.00000125", (1, 2))
        assert explained(store, "context_length").last_change.corrected is None
    words = "a correction: version 2 of the provider's module reads the same text otherwise than version 1 did"
    for command in (("changes",), ("changes", "--collapse"), ("history", SLUG, "m"), ("explain", SLUG, "m", "pricing_prompt")):
        assert run(tmp_path, *command, env=env).stdout.count(words) == 1, command
    (change, _) = run_json(tmp_path, "history", SLUG, "m", env=env)["changes"]
    assert change["fields"]["pricing.reader"] == [1, 2]


def test_a_rejected_price_and_a_rejected_absence_are_explained_with_the_way_back(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    others = [model(f"n{number}", D("0.000001")) for number in range(10)]
    gone = [model(f"o{number}", D("0.000001")) for number in range(8)]
    with opened(database_url) as store:
        sync(store, model("m", D("0.000001")), *others, *gone)
        sync(store, model("m", D("0.001")), *others)  # hold 1: shrink; hold 2: price
        numbers = {row["kind"]: row["id"] for row in table(database_url, "holds")}
        waiting = run(tmp_path, "explain", SLUG, "m", "pricing_prompt", env=env).stdout
        decisions.decide(store, numbers.values(), "reject", Person("ada", "a slip"))
    number = numbers["price"]
    assert f'`modelsync confirm {number} --reason "…"` or `modelsync reject {number} --reason "…"`' in waiting
    told = run(tmp_path, "explain", SLUG, "m", "pricing_prompt", env=env).stdout
    assert "why: ada rejected the stated price on 20" in told
    assert f'`modelsync reopen {number} --reason "…"` takes that back' in told
    told = run(tmp_path, "explain", SLUG, "o3", "status", env=env).stdout
    assert "why: ada rejected that it is gone on 20" in told
    assert f'`modelsync reopen {numbers["shrink"]} --reason "…"` takes that back' in told
    assert "that it is gone" not in run(tmp_path, "explain", SLUG, "n3", "status", env=env).stdout


def test_models_that_a_rejection_leaves_in_place_are_counted(database_url: str, tmp_path: Path):
    env = environment(tmp_path, DATABASE_URL=database_url)
    everyone = [model(f"m{number:02}", D("0.000001")) for number in range(20)]
    with opened(database_url) as store:
        sync(store, *everyone)
        sync(store, *everyone[8:])
        decisions.decide(store, [1], "reject", Person("ada", "a slip"))
        sync(store, everyone[0], *everyone[8:])  # one of the eight is back
        sync(store, *everyone[:1], msgspec.structs.replace(everyone[8], prices=Prices(prompt=D("0.001"))), *everyone[9:])
    document = run_json(tmp_path, "status", env=env)
    assert (document["rejected"]["total"], document["rejected"]["left_in_place"]) == (1, {"openrouter": 7})
    assert document["held_by_kind"] == {"price": 1}
    told = run(tmp_path, "status", env=env).stdout
    assert "Not listed, and left in place by them: 7 models (openrouter 7)\n" in told
    with serving(tmp_path, database_url) as served:
        status = got(served.admin.get("/admin/model-sync/status"))
        assert status["rejected"]["left_in_place"] == {"openrouter": 7}
        assert [row["id"] for row in status["rejected"]["data"]] == [1]
        assert status["held"] == {"total": 1, "by_kind": {"price": 1}}
        metrics = served.client.get("/metrics").text
    assert 'modelsync_rejections{kind="shrink",provider="openrouter"} 1.0\n' in metrics
    assert 'modelsync_models_left_in_place{provider="openrouter"} 7.0\n' in metrics
    assert 'modelsync_holds{kind="price",provider="openrouter"} 1.0\n' in metrics
