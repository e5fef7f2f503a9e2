"""What operators decide, on real databases: it wins over every sync, and what the provider says shows as soon as it is withdrawn."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.errors import DatabaseError, UsageError
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices
from modelsync.model.timeline import differing
from modelsync.operations import decisions
from modelsync.operations import models as operators
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.outcome import Disabled, Synced
from modelsync.queries.catalog import Catalog
from modelsync.queries.filters import ModelFilter
from modelsync.queries.history import ChangeFilter, History
from modelsync.queries.reader import Reader
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.cli import environment, run, run_json
from support.pins import ADA, dollars, pin, row, sync, sync_number
from support.store import PROVIDER, SLUG, lease_for, listing, opened
from support.sync import changes_of, execute, outcomes, program, query, table
from support.sync import environment as settings


def test_i27_a_pin_wins_over_any_number_of_syncs_and_reveals_the_latest_value(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, context_length=8))
        pin(store, "m", pricing_prompt=D("0.0000005"), context_length=16, model_name="Mine")
        for number in range(2, 6):
            sync(store, dollars("m", number, context_length=8, model_name="Theirs"))
            found = row(database_url)
            assert (found["pricing_prompt"], found["context_length"], found["model_name"]) == (D("0.0000005"), 16, "Mine")
        operators.unpin(store, SLUG, "m", ["pricing_prompt"], ADA)
        found = row(database_url)
        assert (found["pricing_prompt"], found["context_length"], found["model_name"]) == (D("0.000005"), 16, "Mine")
        operators.unpin(store, SLUG, "m", [], ADA)
    found = row(database_url)
    assert (found["pricing_prompt"], found["context_length"], found["model_name"]) == (D("0.000005"), 8, "Theirs")


def test_a_pin_is_a_recorded_change_of_a_run_of_its_own(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        pin(store, "m", pricing_prompt=D("0.000002"))
        sync(store, dollars("m", 3))  # nothing that is visible changes
        operators.unpin(store, SLUG, "m", [], ADA)
    assert [(change["kind"], change["fields"]) for change in changes_of(database_url, SLUG)] == [
        ("added", {}),
        ("updated", {"pricing_prompt": ["0.000001", "0.000002"], "beneath": [{"pricing_prompt": "0.000001"}] * 2}),
        ("updated", {"beneath": [{"pricing_prompt": "0.000001"}, {"pricing_prompt": "0.000003"}]}),
        ("updated", {"pricing_prompt": ["0.000002", "0.000003"], "beneath": [{"pricing_prompt": "0.000003"}] * 2}),
    ]
    assert [run["trigger"] for run in table(database_url, "sync_runs")] == ["test", "pin", "test", "unpin"]
    assert [(line["action"], line["target"], line["actor"], line["reason"]) for line in table(database_url, "audit_log")] == [
        ("pin", f"{SLUG} m pricing_prompt", "ada", "our contract"),
        ("unpin", f"{SLUG} m pricing_prompt", "ada", "our contract"),
    ]


def test_a_notice_says_that_the_provider_moved_under_a_pin(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        pin(store, "m", pricing_prompt=D("0.0000005"))
        assert sync(store, dollars("m", 1)).warnings == ()
        result = sync(store, dollars("m", 2))
        assert result.warnings == ("m: pricing_prompt is pinned to 0.0000005; the provider moved from 0.000001 to 0.000002",)
        assert sync(store, dollars("m", 2)).warnings == ()
        (found,) = Catalog(store).pins()
    assert (found.value, found.beneath, found.upstream, found.moved) == ("0.0000005", "0.000001", "0.000002", True)


def test_beneath_a_name_of_ones_own_lies_the_providers(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        for number, name in enumerate(("house/best", "house/good"), start=2):
            pin(store, "m", model_id=name)
            assert sync(store, dollars("m", number)).warnings == ()
            (found,) = Catalog(store).pins()
            assert (found.value, found.beneath, found.upstream, found.moved) == (name, "m", "m", False)
            assert row(database_url)["model_id"] == name
        operators.unpin(store, SLUG, "m", ["model_id"], ADA)
        assert row(database_url)["model_id"] == "m"


def test_a_pinned_model_costs_no_write_when_nothing_changed(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        pin(store, "m", pricing_prompt=D("0.0000005"))
        before = row(database_url)
        result = sync(store, dollars("m", 1))
        assert isinstance(result.outcome, Synced)
        assert (result.outcome.changes, result.counts.unchanged, row(database_url)) == (0, 1, before)
        assert store.seen(SLUG, "a", 1) is not None  # and an unchanged answer may be taken as such


@pytest.mark.parametrize(
    ("field", "value", "column", "stored"),
    [
        ("supports_vision", True, "supports_vision", True),
        ("input_modalities", ("text", "image"), "modality", "text+image->text"),
        ("expires_at", datetime(2027, 1, 1, tzinfo=UTC), "expires_at", datetime(2027, 1, 1, tzinfo=UTC)),
        ("context_length", None, "context_length", None),
        ("model_id", "house/best", "model_id", "house/best"),
        ("pricing.cache_read", D("0.0000001"), "pricing", "0.0000001"),
        ("metadata.notes", "ask first", "metadata", {"notes": "ask first", "tag": "x"}),
    ],
)
def test_i27_any_field_can_be_pinned(database_url: str, field: str, value: Any, column: str, stored: Any):
    theirs = dollars("m", 1, context_length=8, output_modalities=("text",), metadata={"tag": "x"})
    with opened(database_url) as store:
        sync(store, theirs)
        before = row(database_url)
        operators.pin(store, SLUG, "m", [Pin(field, value)], ADA)
        sync(store, theirs, dollars("n", 1))
        found = row(database_url)[column]
        assert (found["cache_read"] if column == "pricing" else found) == stored
        operators.unpin(store, SLUG, "m", [field], ADA)
        sync(store, theirs, dollars("n", 1))
    after = row(database_url)
    ignored = {"updated_at", "pricing"}
    assert {name: after[name] for name in after.keys() - ignored} == {name: before[name] for name in before.keys() - ignored}
    assert after["pricing"]["prompt"] == before["pricing"]["prompt"]


def test_a_hidden_model_stays_hidden_and_absence_goes_on_beneath(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        pin(store, "m", is_active=False)
        sync(store, dollars("m", 2), dollars("n", 1))
        assert (row(database_url)["is_active"], row(database_url)["status"]) == (False, "active")
        for _ in range(3):
            sync(store, dollars("n", 1))
        assert (row(database_url)["is_active"], row(database_url)["status"]) == (False, "retired")
        sync(store, dollars("m", 2), dollars("n", 1))
        assert (row(database_url)["is_active"], row(database_url)["status"]) == (False, "active")
        operators.unpin(store, SLUG, "m", [], ADA)
        assert row(database_url)["is_active"] is True


def test_a_kept_model_is_never_missing_and_a_retired_one_comes_back(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        pin(store, "m", is_active=True)
        for _ in range(4):
            assert sync(store, dollars("n", 1)).counts.missing == 0
        assert (row(database_url)["is_active"], row(database_url)["status"]) == (True, "active")
        operators.unpin(store, SLUG, "m", [], ADA)
        for _ in range(3):
            sync(store, dollars("n", 1))
        assert (row(database_url)["is_active"], row(database_url)["status"]) == (False, "retired")
        pin(store, "m", is_active=True)
        assert (row(database_url)["is_active"], row(database_url)["status"]) == (True, "active")
        for _ in range(3):
            sync(store, dollars("n", 1))
        assert (row(database_url)["is_active"], row(database_url)["status"]) == (True, "active")


def test_a_model_of_ones_own_stays_until_it_is_let_go(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("n", 1))
        operators.add(store, SLUG, "acme/private", [Pin("pricing_prompt", D("0.000001")), Pin("context_length", 8)], ADA)
        for _ in range(4):
            sync(store, dollars("n", 1))
        found = row(database_url, "acme/private")
        assert (found["pricing_prompt"], found["context_length"], found["is_active"], found["status"]) == (D("0.000001"), 8, True, "active")
        with pytest.raises(UsageError, match="already has a model acme/private"):
            operators.add(store, SLUG, "acme/private", [], ADA)

        sync(store, dollars("n", 1), dollars("acme/private", 3, context_length=16, model_name="Public"))  # now they list it
        found = row(database_url, "acme/private")
        assert (found["pricing_prompt"], found["context_length"], found["model_name"]) == (D("0.000001"), 8, "Public")
        operators.unpin(store, SLUG, "acme/private", [], ADA)
        found = row(database_url, "acme/private")
        assert (found["pricing_prompt"], found["context_length"], found["is_active"]) == (D("0.000003"), 16, True)


def test_an_expired_pin_is_gone_at_the_next_sync(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        pin(store, "m", until=datetime.now(UTC) + timedelta(hours=1), pricing_prompt=D("0.0000005"), model_id="mine")
        sync(store, dollars("m", 1))
        assert (row(database_url)["pricing_prompt"], row(database_url)["model_id"]) == (D("0.0000005"), "mine")
        assert store.seen(SLUG, "a", 1) is None  # an unchanged answer is looked at anew, because the pin will end
        execute(database_url, "UPDATE pins SET expires_at = '2026-01-01T00:00:00.000000Z'")
        sync(store, dollars("m", 1))
        assert (row(database_url)["pricing_prompt"], row(database_url)["model_id"]) == (D("0.000001"), "m")
        assert Catalog(store).pins() == []
    *_, last = table(database_url, "audit_log")
    assert (last["actor"], last["reason"]) == ("sync", "the pin expired")


def test_an_expired_pin_ends_on_a_model_whose_absence_is_held(database_url: str):
    with opened(database_url) as store:
        theirs = [dollars(f"m{number:02}", 1) for number in range(12)]
        sync(store, *theirs)
        pin(store, "m00", until=datetime.now(UTC) + timedelta(hours=1), pricing_prompt=D("0.0000005"))
        execute(database_url, "UPDATE pins SET expires_at = '2026-01-01T00:00:00.000000Z'")
        assert [hold.kind for hold in sync(store, *theirs[6:]).holds] == ["shrink"]
    assert row(database_url, "m00")["pricing_prompt"] == D("0.000001")


def test_a_pin_over_a_held_price_leaves_the_hold_as_it_is(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))
        pin(store, "m", pricing_prompt=D("0.000002"))
        assert [hold.kind for hold in sync(store, dollars("m", 1000)).holds] == ["price"]
        operators.unpin(store, SLUG, "m", [], ADA)
        assert row(database_url)["pricing_prompt"] == D("0.000001")  # the one that is believed, not the candidate
        assert [hold.kind for hold in sync(store, dollars("m", 1000)).holds] == ["price"]
        decisions.decide(store, [1], "confirm", ADA)
    assert row(database_url)["pricing_prompt"] == D("0.001")


def test_a_pinned_price_that_falls_silent_upstream_stays(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        pin(store, "m", pricing_prompt=D("0.000002"))
        for _ in range(5):
            sync(store, dollars("m"))
        assert row(database_url)["pricing_prompt"] == D("0.000002")
        operators.unpin(store, SLUG, "m", [], ADA)
    assert row(database_url)["pricing_prompt"] is None  # three listings, and AT_ONCE asks for no hours


def test_what_cannot_be_pinned_says_why(database_url: str):
    with opened(database_url) as store:
        with pytest.raises(UsageError, match="nothing of openrouter yet"):
            pin(store, "m", context_length=8)
        sync(store, dollars("m", 1))
        with pytest.raises(UsageError, match="has no model x"):
            pin(store, "x", context_length=8)
    assert table(database_url, "pins") == []
    assert table(database_url, "audit_log") == []


# Going back


def at_end_of(store: Store, run_id: int) -> dict[Any, Any]:
    return History(store).at([datetime.now(UTC)])[0]


def test_rollback_is_a_new_change_that_brings_back_an_earlier_run(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("a", 1, context_length=8), dollars("b", 2), dollars("c", 3))
        good = at_end_of(store, 1)
        sync(store, dollars("a", 5, model_name="A"), dollars("b", 2), dollars("new", 1))
        sync(store, dollars("a", 6), dollars("b", 2), dollars("new", 1))
        sync(store, dollars("a", 6), dollars("b", 2), dollars("new", 1))  # c is retired
        assert row(database_url, "c")["status"] == "retired"
        assert rollback(store, SLUG, 1, ADA) == (5, 3)

        now = at_end_of(store, 5)
        # what is new cannot be unmade, but it is retired
        assert [(each.kind, each.provider_model_id) for each in differing(good, now)] == [("added", "new")]
        assert (row(database_url, "new")["status"], row(database_url, "new")["is_active"]) == ("retired", False)
        assert (row(database_url, "c")["status"], row(database_url, "c")["is_active"]) == ("active", True)
        assert (row(database_url, "a")["pricing_prompt"], row(database_url, "a")["model_name"]) == (D("0.000001"), None)
        assert [change["kind"] for change in changes_of(database_url, SLUG, run_id=5)] == ["updated", "revived", "retired"]


def test_rollback_leaves_alone_what_is_as_it_was_and_what_is_only_missing(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("a", 1), dollars("b", 2))
        sync(store, dollars("a", 4), dollars("c", 3))  # b is missing
        sync(store, dollars("a", 4))  # and c, which came later
        before = {name: row(database_url, name) for name in "abc"}
        assert [before[name]["status"] for name in "abc"] == ["active", "missing", "missing"]
        assert rollback(store, SLUG, 1, ADA) == (4, 2)
        assert (row(database_url, "a")["pricing_prompt"], row(database_url, "c")["status"]) == (D("0.000001"), "retired")
        assert row(database_url, "b") == before["b"]
        assert thaw(store, SLUG, ADA)
        assert rollback(store, SLUG, 1, ADA) == (None, 0)


def test_a_frozen_provider_is_left_alone_until_it_is_thawed(simulator: Simulator, database_url: str, tmp_path: Path):
    modelsync = program(settings(simulator), database_url, tmp_path)
    first = modelsync.sync(["groq"]).run_id
    assert first is not None
    simulator.set_day(1)
    modelsync.sync(["groq"])
    with opened(database_url) as store:
        before = History(store).at([datetime.now(UTC)])[0]
        rollback(store, "groq", first, ADA)
        rolled_back = History(store).at([datetime.now(UTC)])[0]
        assert rolled_back != before
        with pytest.raises(DatabaseError, match="paused"):
            store.bulk_upsert_models("groq", [dollars("x", 1)])
    outcome = outcomes(modelsync.sync(["groq"]))["groq"]
    assert outcome == Disabled('paused, rolled back to run 1: our contract. `modelsync resume groq --reason "…"` lets it sync again')
    with opened(database_url) as store:
        assert History(store).at([datetime.now(UTC)])[0] == rolled_back
        assert thaw(store, "groq", ADA)
        assert not thaw(store, "groq", ADA)
    assert isinstance(outcomes(modelsync.sync(["groq"]))["groq"], Synced)
    with opened(database_url) as store:
        assert differing(History(store).at([datetime.now(UTC)])[0], before) == []
    assert [line["action"] for line in table(database_url, "audit_log")] == ["rollback", "thaw"]


def test_a_sync_under_way_does_not_undo_a_rollback(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("a", 1))
        sync(store, dollars("a", 2))
        lease = lease_for(store)
        rollback(store, SLUG, 1, ADA)
        result = store.commit(lease, Commit(PROVIDER, listing(dollars("a", 3)), None), 0.0)
        assert isinstance(result.outcome, Disabled)
    assert row(database_url, "a")["pricing_prompt"] == D("0.000001")


def test_rollback_keeps_pins(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("a", 1, context_length=8))
        sync(store, dollars("a", 2, context_length=16))
        pin(store, "a", pricing_prompt=D("0.000009"))
        rollback(store, SLUG, 1, ADA)
        found = row(database_url, "a")
        assert (found["pricing_prompt"], found["context_length"]) == (D("0.000009"), 8)


@pytest.mark.parametrize("price", [1, None], ids=["priced", "with a price that varies, and one believed before"])
def test_a_rollback_believes_nothing_that_only_a_pin_showed_whose_time_has_come(database_url: str, price: int | None):
    now = Model(id="a", prices=Prices(dynamic=True)) if price is None else dollars("a", price)
    with opened(database_url) as store:
        sync(store, dollars("a", 1), dollars("b", 1))
        sync(store, now, dollars("b", 1))
        pin(store, "a", until=datetime.now(UTC) + timedelta(hours=1), is_active=False)
        last = sync(store, now, dollars("b", 2))
        assert isinstance(last.outcome, Synced)
        execute(database_url, "UPDATE pins SET expires_at = '2020-01-01T00:00:00.000000Z'")
        rollback(store, SLUG, query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"], ADA)
        thaw(store, SLUG, ADA)
        sync(store, dollars("b", 2))
        assert row(database_url, "a")["is_active"] in (True, 1)


@pytest.mark.parametrize("ended", ["unseen", "seen by a sync", "unpinned"])
@pytest.mark.parametrize(
    "moves", [{"pricing_prompt": D("0.00000005")}, {"is_active": False}, {"context_length": 5}], ids=lambda moves: next(iter(moves))
)
def test_i37_a_rollback_takes_no_value_of_a_pin_for_what_the_provider_said(database_url: str, moves: dict[str, Any], ended: str):
    """The run went by under a pin that has ended since; the model is another one by now, so that it is brought back."""
    with opened(database_url) as store:
        sync(store, dollars("a", 1, context_length=8), dollars("b", 1))
        pin(store, "a", until=datetime.now(UTC) + timedelta(hours=1), **moves)
        sync(store, dollars("a", 1, context_length=8), dollars("b", 2))
        under_it = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        if ended == "unpinned":
            operators.unpin(store, SLUG, "a", [], ADA)
        else:
            execute(database_url, "UPDATE pins SET expires_at = '2020-01-01T00:00:00.000000Z'")
        if ended == "seen by a sync":
            sync(store, dollars("a", 1, context_length=8), dollars("b", 2))
        sync(store, dollars("a", 1, context_length=8, max_output_tokens=4), dollars("b", 2))
        rollback(store, SLUG, under_it, ADA)
        found = row(database_url, "a")
        shown = (found["pricing_prompt"], bool(found["is_active"]), found["context_length"], found["max_output_tokens"])
        assert shown == (D("0.000001"), True, 8, None)
        thaw(store, SLUG, ADA)
        assert sync(store, dollars("a", 1, context_length=8, max_output_tokens=4), dollars("b", 2)).holds == ()


def test_a_rollback_believes_a_pinned_value_that_the_provider_came_to_say(database_url: str):
    """The usual life of a pin: correct the price, wait for the provider, unpin. Nothing shows its end."""
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        pin(store, "m", pricing_prompt=D("0.000005"))
        sync(store, dollars("m", 5), dollars("n", 1))
        operators.unpin(store, SLUG, "m", [], ADA)
        run_id = sync_number(store, database_url, dollars("m", 5), dollars("n", 2))
        sync(store, dollars("m", 5, context_length=8), dollars("n", 2))
        rollback(store, SLUG, run_id, ADA)
        assert (row(database_url, "m")["pricing_prompt"], row(database_url, "m")["context_length"]) == (D("0.000005"), None)


def test_a_model_that_is_retired_again_is_not_active(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        pin(store, "m", is_active=False)
        for _ in range(3):
            sync(store, dollars("n", 1))
            execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        run_id = sync_number(store, database_url, dollars("n", 2))
        assert row(database_url, "m")["status"] == "retired"
        operators.unpin(store, SLUG, "m", [], ADA)
        sync(store, dollars("m", 1), dollars("n", 2))
        rollback(store, SLUG, run_id, ADA)
        assert (row(database_url, "m")["status"], bool(row(database_url, "m")["is_active"])) == ("retired", False)


def test_a_rollback_to_nowhere_says_so(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("a", 1))
        with pytest.raises(UsageError, match="Run 7 committed nothing of openrouter"):
            rollback(store, SLUG, 7, ADA)
        with opened(database_url) as other:
            assert other.kept_out(SLUG) is None


def test_history_unwinds_through_every_act(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("a", 1, context_length=8), dollars("b", 2))
        pin(store, "a", pricing_prompt=D("0.000005"), model_id="alias", is_active=False)
        sync(store, dollars("a", 1000), dollars("b", 3))
        operators.add(store, SLUG, "own", [Pin("context_length", 4)], ADA)
        decisions.decide(store, [1], "confirm", ADA)
        operators.unpin(store, SLUG, "a", [], ADA)
        rollback(store, SLUG, 1, ADA)
        past = History(store)
        assert past.at([datetime(2026, 1, 1, tzinfo=UTC)]) == [{}]
        assert [change.kind for change in past.changes(ChangeFilter(model="own"))] == ["added"]
        assert len(list(Reader(store).matching(ModelFilter()))) == 3


# As a user types it


def test_pins_on_the_command_line(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator)
    assert run(tmp_path, "sync", "--providers", "groq", env=env).returncode == 0
    row_id = run_json(tmp_path, "models", "--provider", "groq", env=env)["models"][0]["provider_model_id"]
    pinned = run(tmp_path, "pin", "groq", row_id, "pricing_prompt=2.5/M", "context_length=4096", "--reason", "our contract", env=env)
    assert (pinned.returncode, pinned.stderr) == (0, "")
    model = run_json(tmp_path, "models", "--provider", "groq", env=env)["models"][0]
    assert (D(model["pricing_prompt"]), model["context_length"]) == (D("0.0000025"), 4096)
    listed = run_json(tmp_path, "pins", env=env)["pins"]
    assert [(pin["field"], pin["value"], pin["reason"]) for pin in listed] == [
        ("context_length", 4096, "our contract"),
        ("pricing_prompt", "0.0000025", "our contract"),
    ]
    assert "pricing_prompt = 2.50 $/1M (0.0000025 USD per token) (the provider's value: " in run(tmp_path, "pins", env=env).stdout
    assert run(tmp_path, "pins", "--moved", env=env).stdout == "2 values are pinned; no provider's value moved since.\n"
    assert run(tmp_path, "hide", "groq", row_id, "--reason", "not for us", env=env).returncode == 0
    assert run(tmp_path, "unpin", "groq", row_id, "--reason", "it ended", env=env).returncode == 0
    assert run(tmp_path, "unpin", "groq", row_id, "--reason", "it ended", env=env).returncode == 64
    assert query(f"sqlite:///{tmp_path}/modelsync.db", "SELECT count(*) AS n FROM audit_log")[0]["n"] == 6


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("pricing_prompt=2.5", "pricing_prompt cannot be 2.5: 2.5 USD per token is outside 0.00000000001 to 0.01. Write 2.5/M"),
        ("pricing_prompt=cheap", "pricing_prompt cannot be cheap: it is no number. Write 2.5/M"),
        ("context_length=many", "context_length cannot be many"),
        ("context_length=-5", "context_length cannot be -5: it is outside 1 to 1,000,000,000"),
        ("pricing_image=-1", "pricing_image cannot be -1: negative"),
        ("model_id= x", "model_id cannot be  x: the id has control characters, or blanks around it"),
        ("colour=red", "colour=red is no FIELD=VALUE. The fields are"),
        ("pricing_prompt", "pricing_prompt is no FIELD=VALUE"),
    ],
)
def test_a_pin_that_cannot_be_is_refused_with_a_hint(simulator: Simulator, tmp_path: Path, value: str, wanted: str):
    env = environment(tmp_path, simulator)
    done = run(tmp_path, "pin", "groq", "x", value, "--reason", "r", env=env)
    assert done.returncode == 64
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr
