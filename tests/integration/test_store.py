"""The one transaction of a sync, on real databases: what it writes, what it leaves alone, and what it gives back exactly."""

import contextlib
import dataclasses
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
import sqlalchemy as sa

from modelsync.database.tables.leases import Lease
from modelsync.errors import DatabaseError
from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices, Tier, UnitPrice
from modelsync.model.records import Counts
from modelsync.operations import decisions
from modelsync.operations.models import pin
from modelsync.planning.outcome import Busy, NotModified, ProviderResult, Superseded, Synced
from modelsync.planning.plan import ChangeKind
from modelsync.queries.catalog import Catalog
from modelsync.queries.filters import ModelFilter
from modelsync.queries.reader import Reader
from modelsync.sync.context import full_rows
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support.store import (
    PROVIDER,
    SLUG,
    commit,
    lease_for,
    listing,
    model,
    opened,
    raise_no_more,
    raise_on,
    seen,
    touched,
    watch_rows,
)
from support.sync import changes_of, everything, execute, models_of, query, table

D = Decimal


# What is written


def test_i10_a_commit_writes_everything_together(database_url: str) -> None:
    with opened(database_url) as store:
        result = commit(store, model("b", D("0.000001")), model("a"), seen=seen("d1", Counts(fetched=2)))

    assert result.outcome == Synced(Counts(fetched=2, transformed=2, synced=2, created=2), 2)
    (provider,) = table(database_url, "providers")
    assert (provider["id"], provider["slug"], provider["name"]) == (result.provider_id, SLUG, "OpenRouter")
    (run,) = table(database_url, "sync_runs")
    assert [(row["provider_model_id"], row["model_id"], row["status"]) for row in table(database_url, "models")] == [
        ("a", "a", "active"),
        ("b", "b", "active"),
    ]
    changes = changes_of(database_url, SLUG)
    assert [(row["kind"], row["provider_model_id"], row["run_id"], row["fields"]) for row in changes] == [
        ("added", "a", run["id"], {}),
        ("added", "b", run["id"], {}),
    ]
    (stored,) = table(database_url, "sync_results")
    assert (stored["run_id"], stored["outcome"], stored["created"], stored["synced"]) == (run["id"], "synced", 2, 2)
    (state,) = table(database_url, "provider_state")
    assert (state["digest"], state["scope"], state["normalizer_version"], state["listed"]["fetched"]) == ("d1", "a", 1, 2)
    assert (state["committed_seq"], state["complete_seq"], state["ticket_token"]) == (1, 1, None)
    times = {state["last_success_at"], state["last_complete_at"], stored["finished_at"], *(row["changed_at"] for row in changes)}
    times |= {row[name] for row in table(database_url, "models") for name in ("created_at", "updated_at", "first_seen_at")}
    assert len(times) == 1


@pytest.mark.parametrize(
    ("name", "event"),
    [("models", "INSERT"), ("models", "UPDATE"), ("model_changes", "INSERT"), ("sync_results", "INSERT"), ("provider_state", "UPDATE")],
)
def test_a_failure_anywhere_leaves_nothing(database_url: str, name: str, event: str) -> None:
    with opened(database_url) as store:
        commit(store, model("a", D("0.000001")), model("b"), seen=seen("d1"))
        lease = lease_for(store)
        before = everything(database_url)
        raise_on(database_url, name, event)
        wanted = Commit(PROVIDER, listing(model("a", D("0.000002")), model("c")), seen("d2"))
        with pytest.raises(DatabaseError):
            store.commit(lease, wanted, 0.0)
        assert everything(database_url) == before

        raise_no_more(database_url, name)
        result = store.commit(lease, wanted, 0.0)
        assert isinstance(result.outcome, Synced)
        assert (result.counts.created, result.counts.updated, result.counts.missing) == (1, 1, 1)


def test_an_identical_listing_writes_no_model(database_url: str) -> None:
    models = [model(f"m{number}", D(number) / 1_000_000) for number in range(1, 51)]
    with opened(database_url) as store:
        commit(store, *models)
        watch_rows(database_url)
        result = commit(store, *reversed(models))
        assert result.outcome == Synced(Counts(fetched=50, transformed=50, synced=50, unchanged=50), 0)
        assert touched(database_url) == []

        models[6] = model("m7", D("3.5") / 1_000_000)
        result = commit(store, *models)
        assert (result.counts.updated, result.counts.unchanged) == (1, 49)
        assert touched(database_url) == ["m7"]

        result = commit(store, *models[1:])
        assert (result.counts.unchanged, result.counts.missing) == (49, 1)
        assert touched(database_url) == ["m1"]
        assert commit(store, *models[1:]).counts.missing == 1  # still missing costs no write
        assert touched(database_url) == []
        assert commit(store, *models).counts.updated == 1
        assert touched(database_url) == ["m1"]
    assert [change["kind"] for change in changes_of(database_url, SLUG)[50:]] == ["updated", "missing", "revived"]


def test_thousands_of_changes_at_once(database_url: str) -> None:
    with opened(database_url) as store:
        commit(store, *(model(f"m{number:05}", D("0.000001")) for number in range(2345)))
        result = commit(store, *(model(f"m{number:05}", D("0.000002")) for number in range(1, 2346)))
    assert (result.counts.created, result.counts.updated, result.counts.missing) == (1, 2344, 1)
    assert len(changes_of(database_url, SLUG)) == 2345 + 2346
    assert {row["pricing_prompt"] for name, row in models_of(database_url, SLUG).items() if name != "m00000"} == {D("0.000002")}


def test_an_incomplete_listing_says_nothing_of_what_is_absent(database_url: str) -> None:
    with opened(database_url) as store:
        commit(store, model("a"), model("b"))
        result = commit(store, model("b"), complete=False)
    assert (result.counts.missing, models_of(database_url, SLUG)["a"]["status"]) == (0, "active")
    (state,) = table(database_url, "provider_state")
    assert (state["complete_seq"], state["committed_seq"], state["digest"]) == (1, 2, None)


def test_a_confirmed_listing_counts_those_that_are_missing(database_url: str) -> None:
    with opened(database_url) as store:
        commit(store, model("a"), model("b"))
        commit(store, model("a"), seen=seen("d", Counts(fetched=1)))
        known = store.seen(SLUG, "a", 1)
        assert known == seen("d", Counts(fetched=1))
        assert (store.seen(SLUG, "another scope", 1), store.seen(SLUG, "a", 2)) == (None, None)
        watch_rows(database_url)
        told = ProviderResult(slug=SLUG, outcome=NotModified(Counts(fetched=1, unchanged=1)), seconds=0.0)
        result = store.confirm(lease_for(store), known, told)
    assert result.outcome == NotModified(Counts(fetched=1, unchanged=1, missing=1))
    assert touched(database_url) == []
    (state,) = table(database_url, "provider_state")
    assert (state["complete_seq"], state["digest"], state["ticket_token"]) == (3, "d", None)


# Exactly


EXACT = ["0", "0.00000125", "0.0000000000123456789012345678", "0.001", "0.1", "1E-11", "1.10", "99999.000000001"]


def test_prices_come_back_digit_by_digit(database_url: str) -> None:
    per_token = {text: D(text) if D(text) <= D("0.001") else D(0) for text in EXACT}
    models = {text: Model(id=text, prices=Prices(prompt=per_token[text], image=D(text), request=D(0))) for text in EXACT}
    with opened(database_url) as store:
        commit(store, *models.values(), model("unpriced"))
        dear = [row.id for row in Catalog(store).holds()]  # nobody charges more than 1 USD for a picture
        decisions.decide(store, dear, "confirm", Person("ada", "it is a test"))
        commit(store, *models.values(), model("unpriced"))
        catalog = {row.provider_model_id: row for row in Reader(store).matching(ModelFilter())}
    stored = models_of(database_url, SLUG)
    for text in EXACT:
        assert stored[text]["pricing_prompt"] == D(catalog[text].pricing_prompt) == per_token[text]
        assert stored[text]["pricing_image"] == D(text)
        assert (stored[text]["pricing_completion"], stored[text]["pricing_request"]) == (None, 0)
        assert D(stored[text]["pricing"]["image"]) == D(text)
        assert "E" not in stored[text]["pricing"]["image"]
    assert (stored["unpriced"]["pricing_prompt"], stored["unpriced"]["pricing"]) == (None, {})
    raw = query(database_url, "SELECT CAST(pricing_prompt AS TEXT) AS digits FROM models WHERE pricing_prompt IS NOT NULL")
    assert all(set(row["digits"]) <= set("0123456789.") for row in raw)


def test_sqlite_sorts_prices_as_numbers(database_url: str) -> None:
    prices = ["0.000002", "0.00001", "0", "0.0000005", "0.0001"]
    with opened(database_url) as store:
        commit(store, *(Model(id=text, prices=Prices(prompt=D(text), completion=D(text))) for text in prices), model("unpriced"))
        cheap = [row.provider_model_id for row in Reader(store).matching(ModelFilter(max_price=2))]
        free = [row.provider_model_id for row in Reader(store).matching(ModelFilter(free=True))]
    assert (sorted(cheap, key=D), free) == (["0", "0.0000005", "0.000002"], ["0"])
    if database_url.startswith("sqlite"):
        found = query(database_url, "SELECT provider_model_id FROM models WHERE pricing_prompt_real > 0 ORDER BY pricing_prompt_real")
        assert [row["provider_model_id"] for row in found] == ["0.0000005", "0.000002", "0.00001", "0.0001"]
        plan = query(database_url, "EXPLAIN QUERY PLAN SELECT id FROM models WHERE pricing_completion_real < 1")
        assert "ix_models_pricing_completion_real" in plan[0]["detail"]


FULL = Model(
    id='acme/it\'s "all" \U0001f680\u202e%_\\',
    model_name="N\u00e4me",
    description="two\nlines\t; DROP TABLE models --",
    context_length=1_000_000_000,
    max_output_tokens=1,
    input_modalities=("text", "image"),
    output_modalities=("text",),
    supports_streaming=True,
    supports_function_calling=False,
    supports_vision=None,
    supports_reasoning=True,
    supports_structured_output=False,
    available=False,
    released_at=datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
    expires_at=datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    hugging_face_id="a/b",
    metadata={"list": [1, "two", None, {"deep": 1.5}], "text": "\U0001f680", "big": 9_007_199_254_740_993},
    prices=Prices(
        prompt=D("0.000001"),
        per_unit=(UnitPrice("second", D("0.05"), "video"),),
        tiers=(Tier(above=200_000, prompt=D("0.000002")),),
        dynamic=True,
        others={"odd": "1"},
        raw={"prompt": "1 USD per 1M tokens"},
    ),
)


def test_every_fact_comes_back(database_url: str) -> None:
    with opened(database_url) as store:
        commit(store, FULL)
        with store.reading() as connection:
            stored = full_rows(connection, 1, [FULL.id])
    assert stored[FULL.id].model == FULL
    (row,) = models_of(database_url, SLUG).values()
    assert (row["modality"], row["is_active"], row["supports_vision"]) == ("text+image->text", False, None)
    assert (row["released_at"], row["expires_at"]) == (FULL.released_at, FULL.expires_at)
    assert row["metadata"] == FULL.metadata
    assert row["pricing"]["tiers"] == [{"above": 200000, "prompt": "0.000002"}]
    assert row["pricing"]["source"] == "provider"


def test_times_are_aware_and_utc_whatever_the_server_prefers(database_url: str) -> None:
    if not database_url.startswith("sqlite"):
        name = database_url.rpartition("/")[2]
        execute(database_url, f"ALTER DATABASE \"{name}\" SET timezone TO 'Asia/Kolkata'")
        execute(database_url, f"ALTER DATABASE \"{name}\" SET datestyle TO 'German'")
    began = datetime.now(UTC)
    with opened(database_url) as store:
        commit(store, FULL)
        commit(store, msgspec.structs.replace(FULL, model_name="other"))
        (row,) = Reader(store).matching(ModelFilter())
        times = {name: datetime.fromisoformat(getattr(row, name)) for name in ("updated_at", "created_at", "released_at", "expires_at")}
        moments = list(times.values())
        moments += [Catalog(store).now(), *(run.started_at for run in Catalog(store).runs(5)[0])]
    assert [moment.utcoffset() for moment in moments] == [timedelta(0)] * len(moments)
    assert times["released_at"] == FULL.released_at
    assert abs(times["created_at"] - began) < timedelta(seconds=30)
    assert times["created_at"] < times["updated_at"]


# Leases


def test_a_valid_ticket_keeps_others_out(database_url: str) -> None:
    with opened(database_url) as store:
        first = lease_for(store)
        second = store.take_lease(SLUG, store.begin_run("test"), 60.0)
        assert second == Busy(first.run_id)
        other = store.take_lease("groq", store.begin_run("test"), 60.0)
        assert isinstance(other, Lease)
        store.give_up(first.run_id, ProviderResult(slug=SLUG, outcome=Busy(None), seconds=0.0), first)
        third = lease_for(store)
        assert (third.seq, third.token != first.token) == (first.seq + 1, True)


def test_i14_i15_a_ticket_that_was_taken_over_commits_nothing(database_url: str) -> None:
    with opened(database_url) as store:
        slow = lease_for(store, seconds=0.05)
        time.sleep(0.1)
        quick = lease_for(store)
        before = everything(database_url)
        late = store.commit(slow, Commit(PROVIDER, listing(model("old")), seen("old")), 0.0)
        assert late.outcome == Superseded()
        told = ProviderResult(slug=SLUG, outcome=NotModified(Counts()), seconds=0.0)
        assert store.confirm(slow, seen("old"), told).outcome == Superseded()
        (told_so,) = table(database_url, "sync_results")
        assert told_so["outcome"] == "superseded"
        assert everything(database_url) == {**before, "sync_results": [told_so]}

        store.give_up(slow.run_id, late, slow)  # and takes nothing away from the one who holds it now
        result = store.commit(quick, Commit(PROVIDER, listing(model("new")), seen("new")), 0.0)
        assert isinstance(result.outcome, Synced)
        again = store.commit(slow, Commit(PROVIDER, listing(model("old")), seen("old")), 0.0)
        assert again.outcome == Superseded()
    assert list(models_of(database_url, SLUG)) == ["new"]


def test_an_expired_ticket_that_nobody_wanted_still_commits(database_url: str) -> None:
    with opened(database_url) as store:
        slow = lease_for(store, seconds=0.01)
        time.sleep(0.05)
        assert isinstance(store.commit(slow, Commit(PROVIDER, listing(model("a")), None), 0.0).outcome, Synced)
        assert store.commit(slow, Commit(PROVIDER, listing(model("b")), None), 0.0).outcome == Superseded()  # once


def test_i13_many_threads_get_one_ticket(database_url: str) -> None:
    with opened(database_url) as store:
        run_id, came = store.begin_run("test"), []
        threads = [threading.Thread(target=lambda: came.append(store.take_lease(SLUG, run_id, 60.0))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(type(each).__name__ for each in came) == ["Busy"] * 7 + ["Lease"]


# By hand


def test_a_provider_is_made_once_and_then_belongs_to_its_operator(database_url: str) -> None:
    with opened(database_url) as store:
        made = store.ensure_provider_exists(SLUG)
        execute(database_url, "UPDATE providers SET name = 'Ours', site_url = 'https://ours.invalid'")
        assert store.ensure_provider_exists(SLUG) == made
        commit(store, model("a", supports_vision=True))
        with pytest.raises(KeyError):
            store.ensure_provider_exists("nobody")
    (provider,) = table(database_url, "providers")
    assert (provider["name"], provider["site_url"], provider["supports_vision"]) == ("Ours", "https://ours.invalid", True)


def test_models_given_by_hand_are_a_run_of_their_own(database_url: str) -> None:
    with opened(database_url) as store:
        commit(store, model("a", D("0.000001")), model("b"), seen=seen("d"))
        counts = store.bulk_upsert_models(SLUG, [model("a", D("0.000002")), model("c")])
        assert counts == Counts(fetched=2, transformed=2, synced=2, created=1, updated=1)
        assert store.seen(SLUG, "a", 1) is None  # what was last seen does not say any more what is stored
    assert {name: row["status"] for name, row in models_of(database_url, SLUG).items()} == dict.fromkeys("abc", "active")
    assert [change["kind"] for change in changes_of(database_url, SLUG)] == ["added", "added", "updated", "added"]
    last = table(database_url, "sync_runs")[-1]
    assert (last["status"], last["trigger"], last["created"], last["updated"]) == ("succeeded", "api", 1, 1)


def test_models_given_by_hand_say_nothing_of_the_others(database_url: str) -> None:
    """A newer version of the provider's module has seen all models only when it has: until then the others count as read by the older."""
    with opened(database_url) as store:
        commit(store, model("a", D("0.000001")), model("b", D("0.000001")), model("c"))
        provider_id = store.ensure_provider_exists(SLUG)
        with store.reading() as connection:
            assert store.bulk.hashes_of(connection, provider_id, ["c", "a", "none", "'"]).keys() == {"a", "c"}
            assert store.bulk.hashes_of(connection, provider_id, []) == {}
    newer = dataclasses.replace(PROVIDER, version=PROVIDER.version + 1)
    with contextlib.closing(Store.open(database_url, {SLUG: newer})) as store:
        assert store.bulk_upsert_models(SLUG, [model("a", D("0.000001"))]).unchanged == 1
        assert read_version(database_url) == PROVIDER.version
        counts = store.bulk_upsert_models(SLUG, [model("a", D("0.000001")), model("b", D("0.000001")), model("c")])
        assert (counts.unchanged, read_version(database_url)) == (3, newer.version)


def test_models_given_by_hand_end_pins_of_others_whose_time_is_over(database_url: str) -> None:
    with opened(database_url) as store:
        commit(store, model("a", context_length=8192), model("b"))
        pin(store, SLUG, "a", [Pin("context_length", 4096)], Person("mara", "ours"), datetime(2999, 1, 1, tzinfo=UTC))
        execute(database_url, "UPDATE pins SET expires_at = '2026-01-01T00:00:00.000000Z'")
        assert models_of(database_url, SLUG)["a"]["context_length"] == 4096
        store.bulk_upsert_models(SLUG, [model("b")])
    assert models_of(database_url, SLUG)["a"]["context_length"] == 8192


def read_version(database_url: str) -> int:
    (row,) = query(database_url, "SELECT read_version FROM provider_state")
    return int(row["read_version"])


def test_models_given_by_hand_wait_for_nobody(database_url: str) -> None:
    with opened(database_url) as store:
        lease_for(store)
        with pytest.raises(DatabaseError, match=f"{SLUG} is being synced by run 1. Nothing was written"):
            store.bulk_upsert_models(SLUG, [model("a")])
    assert table(database_url, "models") == []
    assert [run["status"] for run in table(database_url, "sync_runs")] == ["running", "failed"]


def test_models_by_hand_that_cannot_be_written_leave_no_ticket(database_url: str) -> None:
    with opened(database_url) as store:
        store.ensure_provider_exists(SLUG)
        raise_on(database_url, "models", "INSERT")
        with pytest.raises(DatabaseError):
            store.bulk_upsert_models(SLUG, [model("a")])
        raise_no_more(database_url, "models")
        assert store.bulk_upsert_models(SLUG, [model("a")]).created == 1
    assert [run["status"] for run in table(database_url, "sync_runs")] == ["failed", "succeeded"]


def test_kinds_are_what_history_says(database_url: str) -> None:
    """A person reads these words by SQL."""
    assert [kind.value for kind in ChangeKind] == ["added", "updated", "missing", "retired", "revived"]
    with opened(database_url) as store, store.reading() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM model_changes")).scalar_one() == 0


def test_i11_a_run_that_died_is_interrupted_at_the_next_start(database_url: str) -> None:
    with opened(database_url) as store:
        dead, alive, young = (store.begin_run("test") for _ in range(3))
        assert isinstance(store.take_lease(SLUG, alive, 60), Lease)
        for name in ("started_at", "heartbeat_at"):
            execute(database_url, f"UPDATE sync_runs SET {name} = '2026-01-01T00:00:00.000000Z' WHERE id IN ({dead}, {alive})")
        assert Catalog(store).run(dead)[0].status == "interrupted"  # whoever looks sees it, though nobody wrote it down
        store.begin_run("test")
    statuses = {row["id"]: row["status"] for row in table(database_url, "sync_runs")}
    assert (statuses[dead], statuses[alive], statuses[young]) == ("interrupted", "running", "running")
