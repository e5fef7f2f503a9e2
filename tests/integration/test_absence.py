"""Absence on real databases: missing, retired, revived; lists that shrink; and what a person decides."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.database.tables.runs import Seen
from modelsync.errors import UsageError
from modelsync.model.actors import Person
from modelsync.model.model import Model
from modelsync.model.records import Counts
from modelsync.operations import decisions
from modelsync.planning.decoding import Rejected
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Held, ProviderResult, Synced
from modelsync.planning.policy import Rules
from modelsync.queries.catalog import Catalog
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, sync_unchanged
from support.sync import execute, models_of, query

AT_ONCE = Rules(retire_after_hours=0)
LATER = Rules()


def models(*names: str) -> list[Model]:
    return [model(name, None, context_length=8) for name in names]


def many(count: int, prefix: str = "m") -> list[str]:
    return [f"{prefix}{number:03}" for number in range(count)]


def sync(
    store: Store, *names: str, rules: Rules = AT_ONCE, rejected: tuple[str, ...] = (), complete: bool = True, scope: str = ""
) -> ProviderResult:
    found = listing(*models(*names), complete=complete)
    rows = tuple(Rejected(position, name, "unreadable", "") for position, name in enumerate(rejected))
    wanted = Listing(models=found.models, hashes=found.hashes, rejected=rows, complete=complete)
    counts = Counts(fetched=len(names), transformed=len(names))
    seen = Seen(scope=scope, version=PROVIDER.version, digest="d", validators=None, listed=counts) if complete and not rejected else None
    return store.commit(lease_for(store), Commit(PROVIDER, wanted, seen, rules, scope), 0.0)


def statuses(database_url: str) -> dict[str, tuple[str, bool]]:
    return {name: (row["status"], row["is_active"]) for name, row in models_of(database_url, SLUG).items()}


def kinds(database_url: str, name: str) -> list[str]:
    return [row["kind"] for row in query(database_url, "SELECT * FROM model_changes ORDER BY id") if row["provider_model_id"] == name]


def made_older(database_url: str, hours: float) -> None:
    """Let every absence have begun earlier than it did."""
    for row in models_of(database_url, SLUG).values():
        if row["missing_since"]:
            since: datetime = row["missing_since"] - timedelta(hours=hours)
            text = since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            execute(database_url, f"UPDATE models SET missing_since = '{text}' WHERE id = {row['id']}")


def test_i06_s05_a_model_is_retired_at_its_third_absence_and_not_before(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b")
        assert [sync(store, "a").counts.retired for _ in range(3)] == [0, 0, 1]
        assert statuses(database_url) == {"a": ("active", True), "b": ("retired", False)}
        assert sync(store, "a").counts.missing == 0  # retired models count no more
    assert kinds(database_url, "b") == ["added", "missing", "retired"]


def test_i06_three_absences_within_a_day_are_not_enough(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b", rules=LATER)
        for _ in range(5):
            sync(store, "a", rules=LATER)
        assert statuses(database_url)["b"] == ("missing", True)
        made_older(database_url, hours=23.9)
        assert sync(store, "a", rules=LATER).counts.retired == 0
        made_older(database_url, hours=0.2)
        assert sync(store, "a", rules=LATER).counts.retired == 1


def test_i06_one_sighting_begins_the_count_anew(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b")
        for names in (["a"], ["a"], ["a", "b"], ["a"], ["a"]):
            sync(store, *names)
        assert statuses(database_url)["b"] == ("missing", True)
        sync(store, "a")
        assert statuses(database_url)["b"] == ("retired", False)


def test_a_retired_model_that_is_listed_again_is_active_again(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b")
        for _ in range(3):
            sync(store, "a")
        assert sync(store, "a", "b").counts.updated == 1
        assert statuses(database_url)["b"] == ("active", True)
    assert kinds(database_url, "b") == ["added", "missing", "retired", "revived"]


def test_i04_a_row_that_cannot_be_read_is_no_absence(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b")
        for _ in range(4):
            sync(store, "a", rejected=("b",))
        assert statuses(database_url)["b"] == ("active", True)


def test_i01_i08_incomplete_listings_and_failures_count_no_absence(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b")
        for _ in range(4):
            sync(store, "a", complete=False)
        assert statuses(database_url)["b"] == ("active", True)


def test_i08_a_changed_scope_makes_nothing_missing(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(30), "gone", scope="key one")
        sync(store, *many(30), scope="key one")  # absent once in the old scope
        for _ in range(4):
            (hold,) = sync(store, *many(10), scope="key two").holds
            assert (hold.kind, hold.ids) == ("scope", ("gone", *many(30)[10:]))
        assert {name: status for name, (status, _) in statuses(database_url).items() if status != "active"} == {"gone": "missing"}
        (hold,) = sync(store, *many(12), scope="key two").holds  # two of them are in this scope after all
        assert hold.ids == ("gone", *many(30)[12:])
        assert [row["status"] for row in query(database_url, "SELECT status FROM holds ORDER BY id")] == ["superseded", "open"]
        for _ in range(3):
            sync(store, *many(10), scope="key two")
        retired = [name for name, (status, _) in statuses(database_url).items() if status == "retired"]
        assert sorted(retired) == many(12)[10:]


def test_i08_the_excuse_of_a_scope_holds_while_the_answer_does_not_change(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b", scope="one")
        sync(store, "a", scope="one")
        sync(store, "a", scope="two")
        for _ in range(4):
            sync(store, "a", scope="two")
        assert statuses(database_url)["b"] == ("missing", True)


def test_retirement_goes_on_while_the_answer_does_not_change(database_url: str):
    with opened(database_url) as store:
        sync(store, "a", "b")
        sync(store, "a")
        results = [sync_unchanged(store, AT_ONCE) for _ in range(3)]
        assert [(result.counts.missing, result.counts.retired) for result in results] == [(1, 0), (1, 1), (0, 0)]
        assert statuses(database_url)["b"] == ("retired", False)
    assert kinds(database_url, "b") == ["added", "missing", "retired"]


@pytest.fixture
def shrunk(database_url: str) -> Any:
    """A catalog of 30 models whose provider then listed 20 of them, one changed and one new."""
    with opened(database_url) as store:
        sync(store, *many(30))
        yield store, sync(store, *many(20), "new")


def test_i05_a_list_that_shrank_is_held_and_its_news_applied(database_url: str, shrunk: tuple[Store, ProviderResult]):
    store, result = shrunk
    assert isinstance(result.outcome, Synced)
    assert (result.counts.created, result.counts.held, result.counts.missing) == (1, 10, 10)
    assert {status for status, _ in statuses(database_url).values()} == {"active"}
    (hold,) = Catalog(store).holds()
    assert (hold.kind, list(hold.ids), hold.times_seen) == ("shrink", many(30)[20:], 1)
    for _ in range(4):
        sync(store, *many(20), "new")
    assert {status for status, _ in statuses(database_url).values()} == {"active"}
    assert Catalog(store).holds()[0].times_seen == 5
    assert query(database_url, "SELECT complete_seq FROM provider_state")[0]["complete_seq"] == 1


def test_i05_a_hold_ends_by_itself_when_the_models_are_back(shrunk: tuple[Store, ProviderResult]):
    store, _ = shrunk
    sync(store, *many(30), "new")
    assert Catalog(store).holds() == []


def test_i05_a_confirmed_hold_lets_the_models_go(database_url: str, shrunk: tuple[Store, ProviderResult]):
    store, _ = shrunk
    decisions.decide(store, [1], "confirm", Person("ada", "they told us"))
    results = [sync(store, *many(20), "new") for _ in range(3)]
    assert [(result.counts.held, result.counts.missing, result.counts.retired) for result in results] == [
        (0, 10, 0),
        (0, 10, 0),
        (0, 10, 10),
    ]
    assert sum(status == "retired" for status, _ in statuses(database_url).values()) == 10
    assert sync(store, *many(20), "new").holds == ()
    (audit,) = query(database_url, "SELECT * FROM audit_log")
    assert (audit["actor"], audit["action"], audit["target"], audit["reason"]) == (
        "ada",
        "confirm hold",
        "openrouter shrink 1",
        "they told us",
    )
    (hold,) = query(database_url, "SELECT * FROM holds")
    assert (hold["status"], hold["resolved_by"]) == ("closed", "ada")


def test_i05_a_rejected_hold_keeps_the_models_as_they_are(database_url: str, shrunk: tuple[Store, ProviderResult]):
    store, _ = shrunk
    decisions.decide(store, [1], "reject", Person("ada", "their API is broken"))
    for _ in range(4):
        result = sync(store, *many(20), "new")
        assert (result.counts.missing, result.holds) == (0, ())
    assert {status for status, _ in statuses(database_url).values()} == {"active"}
    assert [row["status"] for row in query(database_url, "SELECT * FROM holds")] == ["rejected"]
    sync(store, *many(30), "new")  # back again: the decision is over
    assert [row["status"] for row in query(database_url, "SELECT * FROM holds")] == ["released"]


def test_s02_fifteen_percent_less_each_time_does_not_pass(database_url: str):
    quick = Rules(retire_after_listings=2, retire_after_hours=0)
    with opened(database_url) as store:
        sync(store, *many(100), rules=quick)
        for left in (85, 72, 61, 52, 44):
            for _ in range(2):
                sync(store, *many(left), rules=quick)
        holds = Catalog(store).holds()
        assert sum(status == "retired" for status, _ in statuses(database_url).values()) == 15
        assert [len(hold.ids) for hold in holds] == [13, 11, 9, 8]  # each as it was first shown
        assert holds[0].message == "13 models are absent and 15 were retired; the most listed in the last seven days was 100"
        execute(database_url, "UPDATE model_changes SET changed_at = '2026-01-01T00:00:00.000000Z' WHERE kind = 'retired'")
        execute(database_url, "UPDATE sync_results SET finished_at = '2026-01-01T00:00:00.000000Z'")
        sync(store, *many(70), rules=quick)  # 15 of the 85 that are left: a week later this is no drip any more
        assert Catalog(store).holds() == []


def test_s06_another_providers_list_changes_nothing_until_it_is_confirmed(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20))
        result = sync(store, *many(20, "other/"))
        assert isinstance(result.outcome, Held)
        assert sorted(statuses(database_url)) == many(20)
        decisions.decide(store, [Catalog(store).holds()[0].id], "confirm", Person("ada", "they renamed everything"))
        assert sync(store, *many(20, "other/")).counts.created == 20
        for _ in range(2):
            sync(store, *many(20, "other/"))
        assert {name[:5]: status for name, (status, _) in statuses(database_url).items()} == {
            **{name[:5]: "retired" for name in many(20)},
            "other": "active",
        }


def test_s06_a_confirmed_list_that_does_not_change_still_lets_the_models_go(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20))
        sync(store, *many(20, "other/"))
        decisions.decide(store, [1], "confirm", Person("ada", "they renamed everything"))
        sync(store, *many(20, "other/"))
        for _ in range(2):  # their bytes are the same: no list is read
            sync_unchanged(store, AT_ONCE)
        assert {name[:5]: status for name, (status, _) in statuses(database_url).items()} == {
            **{name[:5]: "retired" for name in many(20)},
            "other": "active",
        }
        assert [row["status"] for row in query(database_url, "SELECT status FROM holds")] == ["confirmed"]
        assert sync(store, *many(20, "other/")).holds == ()
        assert [row["status"] for row in query(database_url, "SELECT status FROM holds")] == ["closed"]


def test_s06_a_rejected_list_stays_rejected_while_fewer_and_then_more_of_its_models_are_gone(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20))
        sync(store, *many(20, "other/"))
        decisions.decide(store, [1], "reject", Person("ada", "a mix-up at theirs"))
        for listed in (many(20, "other/") + many(3), many(20, "other/")):  # 17 of the 20 are gone, then all again: the same mix-up
            assert isinstance(sync(store, *listed).outcome, Held)
            assert Catalog(store).holds() == []


def test_i02_s01_an_empty_list_is_held_and_released_by_the_next_good_one(database_url: str):
    with opened(database_url) as store:
        sync(store, "a")
        assert isinstance(sync(store).outcome, Held)
        assert [hold.kind for hold in Catalog(store).holds()] == ["empty"]
        with pytest.raises(UsageError, match="nothing to confirm"):
            decisions.decide(store, [1], "confirm", Person("ada", ""))
        sync(store, "a")
        assert Catalog(store).holds() == []
        with pytest.raises(UsageError, match="There is no open hold 1"):
            decisions.decide(store, [1], "reject", Person("ada", ""))


def test_the_commands_show_and_decide_what_is_held(tmp_path: Path):
    rows = [{"id": name, "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]}} for name in many(20)]
    with Simulator() as simulator:
        env = environment(tmp_path, simulator)
        simulator.set_list("openrouter", "models", rows)
        assert run(tmp_path, "sync", "--providers", "openrouter", env=env).returncode == 0
        assert run(tmp_path, "held", env=env).stdout == "Nothing is held.\n"
        simulator.set_list("openrouter", "models", rows[:10])
        done = run(tmp_path, "sync", "--providers", "openrouter", env=env)
        assert done.returncode == 4
        assert "◐ openrouter: 10 models are absent; the most listed in the last seven days was 20." in done.stdout
        assert run(tmp_path, "sync", "--dry-run", "--providers", "openrouter", env=env).returncode == 4
        shown = run(tmp_path, "held", "--ids", env=env)
        assert shown.returncode == 4
        assert "1  openrouter  shrink: 10 models are absent" in shown.stdout
        assert "   - m019" in shown.stdout
        assert "1 needs review" in run(tmp_path, "status", env=env).stdout
        assert run(tmp_path, "confirm", "1", env=env).returncode == 64  # no reason given
        assert "Say which holds" in run(tmp_path, "confirm", "--reason", "x", env=env).stderr
        done = run(tmp_path, "confirm", "--provider", "openrouter", "--reason", "they told us", env=env)
        assert done.stdout.startswith("Confirmed 1: openrouter shrink, 10 models are absent")
        quick = env | {"MODELSYNC_RETIRE_AFTER_HOURS": "0"}
        assert [run(tmp_path, "sync", "--providers", "openrouter", env=quick).returncode for _ in range(3)] == [0, 0, 0]
        assert len(run_json(tmp_path, "models", "--status", "retired", env=env)["models"]) == 10
        assert run_json(tmp_path, "held", env=env)["held"] == []
