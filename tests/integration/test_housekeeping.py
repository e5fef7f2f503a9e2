"""What may be deleted: a purge, looked at first and then done exactly so; the age of runs and results; the audit log."""

import json
import random
import re
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from modelsync.database.tables.leases import Lease
from modelsync.errors import DatabaseError, ModelsyncError
from modelsync.operations.purge import Housekeeping, KeptModel, Purge, Records
from modelsync.planning.outcome import ProviderResult, Report
from modelsync.planning.policy import Rules
from modelsync.providers import registry
from modelsync.queries.history import ChangeFilter, History
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support.cli import environment as process_environment
from support.cli import run, run_json
from support.store import SLUG, lease_for, listing, model, opened, raise_on
from support.sync import environment, everything, execute, models_of, program, query, sqlite_path, table

AT_ONCE = Rules(retire_after_hours=0, shrink_models=1000)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def sync(store: Store, *names: str, slug: str = SLUG, prompt: str | None = None) -> ProviderResult:
    lease = store.take_lease(slug, store.begin_run("test"), 60)
    assert isinstance(lease, Lease)
    found = listing(*(model(name, None if prompt is None else Decimal(prompt), context_length=8) for name in names))
    result = store.commit(lease, Commit(registry.load()[slug], found, None, AT_ONCE), 0.0)
    now = datetime.now(UTC)
    store.finish_run(Report(run_id=lease.run_id, dry_run=False, started_at=now, finished_at=now, seconds=0.0, results=(result,)))
    return result


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def aged(database_url: str, *tables: str, days: float = 400, where: str = "1 = 1") -> None:
    """Let rows be this much older than they are."""
    columns = {"sync_runs": "started_at", "sync_results": "finished_at", "model_changes": "changed_at"}
    for name in tables or columns:
        for row in query(database_url, f"SELECT id, {columns[name]} FROM {name} WHERE {where}"):
            moment = row[columns[name]] - timedelta(days=days)
            execute(database_url, f"UPDATE {name} SET {columns[name]} = '{text(moment)}' WHERE id = {row['id']}")


def years_ago(database_url: str) -> None:
    """Four old runs, in which b, c and d were retired, and a new one.

    Run 1 adds a, b, c, d; run 2 misses b, c, d; run 3 changes nothing; run 4 retires b, c, d; then, lately, run 5 reprices a.
    """
    with opened(database_url) as store:
        sync(store, "a", "b", "c", "d")
        for _ in range(3):
            sync(store, "a")
        aged(database_url)
        sync(store, "a", prompt="0.000001")


def pin(database_url: str, row_id: str) -> None:
    execute(
        database_url,
        "INSERT INTO pins (provider, provider_model_id, field, author, reason, created_at) "
        f"VALUES ('{SLUG}', '{row_id}', 'model_name', 'ann', 'better', '{text(LONG_AGO)}')",
    )


def hold(database_url: str, row_id: str, status: str = "open") -> None:
    execute(
        database_url,
        "INSERT INTO holds (provider, kind, status, message, hint, ids, times_seen, created_at, last_seen_at) "
        f"VALUES ('{SLUG}', 'price', '{status}', 'm', 'h', '[\"{row_id}\"]', 1, '{text(LONG_AGO)}', '{text(LONG_AGO)}')",
    )


def names(plan: Any) -> list[str]:
    return [each.provider_model_id for each in plan.models]


# Purge: the plan


def test_a_plan_names_what_is_old_and_needed_by_nothing(database_url: str) -> None:
    years_ago(database_url)
    before = everything(database_url)
    with opened(database_url, read_only=True) as store:
        plan = Housekeeping(store).plan(Purge())
    assert [(each.provider, each.provider_model_id, each.changes) for each in plan.models] == [
        (SLUG, "b", 3),
        (SLUG, "c", 3),
        (SLUG, "d", 3),
    ]
    assert plan.records == Records(runs=(3,), results=(3,))  # of the other old runs history tells
    assert (plan.changes, plan.counts) == (9, "3 models, 9 changes, 1 run, 1 result")
    assert everything(database_url) == before


def test_pinned_and_held_models_stay(database_url: str) -> None:
    years_ago(database_url)
    pin(database_url, "c")
    hold(database_url, "d")
    hold(database_url, "b", status="released")
    with opened(database_url, read_only=True) as store:
        plan = Housekeeping(store).plan(Purge())
    assert names(plan) == ["b"]
    assert plan.kept == (KeptModel(SLUG, "c", "pinned"), KeptModel(SLUG, "d", "held"))


def test_the_age_of_a_retirement_is_that_of_the_last_change(database_url: str) -> None:
    years_ago(database_url)  # 400 days ago
    aged(database_url, "model_changes", where="provider_model_id = 'd'", days=-36)
    with opened(database_url, read_only=True) as store:
        rooms = Housekeeping(store)
        assert names(rooms.plan(Purge())) == ["b", "c"]
        assert names(rooms.plan(Purge(retired_for=timedelta(days=363)))) == ["b", "c", "d"]
        assert names(rooms.plan(Purge(retired_for=timedelta(days=401)))) == []
        assert rooms.plan(Purge(retired_for=timedelta(days=401), runs_older_than=timedelta(days=401))).counts == "nothing"


def test_what_is_missing_and_not_retired_stays(database_url: str) -> None:
    with opened(database_url) as store:
        sync(store, "a", "b")
        sync(store, "a")
        aged(database_url)
        sync(store, "a")
        assert models_of(database_url, SLUG)["b"]["status"] == "missing"
        assert names(Housekeeping(store).plan(Purge())) == []


def test_the_last_week_stays_whatever_is_asked_for(database_url: str) -> None:
    with opened(database_url) as store:
        sync(store, "a", "b")
        for _ in range(3):
            sync(store, "a")
        aged(database_url, days=7.9)
        asked = Purge(retired_for=timedelta(0), runs_older_than=timedelta(0))
        assert not Housekeeping(store).plan(asked)
        aged(database_url, days=0.2)
        plan = Housekeeping(store).plan(asked)
        assert (names(plan), plan.records) == (["b"], Records(runs=(3,), results=(3,)))


def test_a_provider_that_is_being_synced_keeps_its_models(database_url: str) -> None:
    years_ago(database_url)
    with opened(database_url) as store:
        rooms, plan_id = Housekeeping(store), Housekeeping(store).plan(Purge()).id
        lease_for(store, seconds=60)
        plan = rooms.plan(Purge())
        assert (names(plan), {each.why for each in plan.kept}) == ([], {"its provider is being synced"})
        with pytest.raises(ModelsyncError, match="no longer what it was"):
            rooms.purge(Purge(), plan_id, "ann", "old")
        execute(database_url, f"UPDATE provider_state SET ticket_until = '{text(LONG_AGO)}'")  # its program died
        assert names(rooms.plan(Purge())) == ["b", "c", "d"]


def test_only_the_named_providers_are_looked_at(database_url: str) -> None:
    years_ago(database_url)
    with opened(database_url) as store:
        sync(store, "a", "b", slug="groq")
        for _ in range(3):
            sync(store, "a", slug="groq")
        sync(store, "a", prompt="0.000001", slug="groq")
        aged(database_url)
        rooms = Housekeeping(store)
        both, groq, near = (rooms.plan(Purge(providers=slugs)) for slugs in ((), ("groq",), ("near",)))
    assert [(each.provider, each.provider_model_id) for each in both.models] == [
        *(("groq", "b"),),
        *((SLUG, name) for name in ("b", "c", "d")),
    ]
    assert [(each.provider, each.provider_model_id) for each in groq.models] == [("groq", "b")]
    # Runs 1 to 5 are openrouter's, 6 to 10 groq's; 3 and 8 changed nothing.
    assert (both.records, groq.records) == (Records((3, 8), (3, 8)), Records((8,), (8,)))
    assert not near


# Purge: the deed


def test_i07_i28_a_purge_deletes_exactly_its_plan_and_is_written_down(database_url: str) -> None:
    years_ago(database_url)
    pin(database_url, "c")
    execute(
        database_url,
        "INSERT INTO upstream_values SELECT provider_id, provider_model_id, '{}', '{}', '{}' FROM models WHERE provider_model_id <> 'd'",
        "INSERT INTO answers (run_id, provider, position, endpoint, url, scope, whole, digest, bytes, received_at) "
        f"VALUES (3, '{SLUG}', 0, 'models', 'u', 'x', true, 'd', 1, '{text(LONG_AGO)}'), "
        f"(4, '{SLUG}', 0, 'models', 'u', 'x', true, 'd', 1, '{text(LONG_AGO)}')",
    )
    before = everything(database_url)
    with opened(database_url) as store:
        rooms = Housekeeping(store)
        plan = rooms.plan(Purge())
        assert plan.counts == "2 models, 6 changes, 1 run, 1 result, 1 kept answer"
        assert rooms.purge(Purge(), plan.id, "ann", "two years old") == plan
    after = everything(database_url)

    gone = {"b", "d"}
    for name in ("models", "model_changes", "upstream_values"):
        assert after[name] == [row for row in before[name] if row["provider_model_id"] not in gone], name
    assert after["sync_runs"] == [row for row in before["sync_runs"] if row["id"] != 3]
    assert after["sync_results"] == [row for row in before["sync_results"] if row["run_id"] != 3]
    assert after["answers"] == [row for row in before["answers"] if row["run_id"] != 3]
    assert [row["revision"] for row in after["provider_state"]] == [before["provider_state"][0]["revision"] + 1]
    for name in ("providers", "pins", "holds"):
        assert after[name] == before[name]
    (row,) = after["audit_log"]
    assert (row["actor"], row["action"], row["reason"]) == ("ann", "purge", "two years old")
    assert row["target"] == f"plan {plan.id}: {plan.counts}; models: openrouter b, openrouter d; runs 3 to 3"
    assert abs(datetime.fromisoformat(str(row["at"])) - datetime.now(UTC)) < timedelta(minutes=1)


def unpinned(database_url: str) -> None:
    execute(database_url, "DELETE FROM pins")


def younger(database_url: str) -> None:
    aged(database_url, "model_changes", where="provider_model_id = 'b'", days=-400)


def revived(database_url: str) -> None:
    with opened(database_url) as store:
        sync(store, "a", "b", prompt="0.000001")


def pruned(database_url: str) -> None:
    with opened(database_url) as store:
        assert Housekeeping(store).prune(90) == Records((3,), (3,))


def one_more_answer(database_url: str) -> None:
    execute(
        database_url,
        "INSERT INTO answers (run_id, provider, position, endpoint, url, scope, whole, digest, bytes, received_at) "
        f"VALUES (3, '{SLUG}', 0, 'models', 'u', 'x', true, 'd', 1, '{text(LONG_AGO)}')",
    )


@pytest.mark.parametrize("meanwhile", [unpinned, younger, revived, pruned, one_more_answer])
def test_a_plan_that_is_no_longer_true_is_refused(database_url: str, meanwhile: Any) -> None:
    years_ago(database_url)
    pin(database_url, "c")
    with opened(database_url) as store:
        plan_id = Housekeeping(store).plan(Purge()).id
    meanwhile(database_url)
    before = everything(database_url)
    with opened(database_url) as store, pytest.raises(ModelsyncError) as caught:
        Housekeeping(store).purge(Purge(), plan_id, "ann", "old")
    assert str(caught.value) == "The plan is no longer what it was. Nothing was deleted; look again: modelsync purge"
    assert everything(database_url) == before


def test_the_same_plan_is_not_done_twice(database_url: str) -> None:
    years_ago(database_url)
    with opened(database_url) as store:
        rooms = Housekeeping(store)
        nothing = rooms.plan(Purge(providers=("near",))).id
        plan_id = rooms.plan(Purge()).id
        rooms.purge(Purge(), plan_id, "ann", "old")
        for again in (plan_id, nothing):
            with pytest.raises(ModelsyncError, match="no longer what it was"):
                rooms.purge(Purge(), again, "ann", "old")
    assert len(table(database_url, "audit_log")) == 1


@pytest.mark.parametrize("broken", ["model_changes", "models", "sync_results", "sync_runs"])
def test_a_purge_that_fails_deletes_nothing(database_url: str, broken: str) -> None:
    years_ago(database_url)
    raise_on(database_url, broken, "DELETE")
    before = everything(database_url)
    with opened(database_url) as store:
        rooms = Housekeeping(store)
        with pytest.raises(DatabaseError):
            rooms.purge(Purge(), rooms.plan(Purge()).id, "ann", "old")
    assert everything(database_url) == before


def test_a_model_that_was_purged_comes_back_as_a_new_one(database_url: str) -> None:
    years_ago(database_url)
    with opened(database_url) as store:
        rooms = Housekeeping(store)
        rooms.purge(Purge(), rooms.plan(Purge()).id, "ann", "old")
        counts = sync(store, "a", "b", prompt="0.000001").counts
        assert (counts.created, counts.updated, counts.unchanged, counts.missing) == (1, 0, 1, 0)
        assert [row.kind for row in History(store).changes(ChangeFilter(model="b"))] == ["added"]


@pytest.mark.parametrize("seed", range(3))
def test_i19_what_is_left_still_has_its_whole_past(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    with opened(database_url) as store:
        times, states = [datetime(2001, 1, 1, tzinfo=UTC)], []
        for number in range(14):
            kept = [f"m{index}" for index in range(10) if index < 7 or number < 6 + index % 3]  # m7, m8, m9 leave early, and are retired
            found = [name for name in kept if name in ("m0", "m7", "m8", "m9") or chance.random() < 0.8]
            sync(store, *found, prompt=chance.choice(["0.000001", "0.000002", "0.0000015"]))
            time.sleep(0.003)
            times.append(datetime.now(UTC))
            time.sleep(0.003)
        aged(database_url, "model_changes")
        times = [moment - timedelta(days=400) for moment in times]
        past = History(store)
        states = past.at(times)
        rooms = Housekeeping(store)
        plan = rooms.plan(Purge())
        assert {"m7", "m8", "m9"} <= set(names(plan))
        assert "m0" not in names(plan)
        rooms.purge(Purge(), plan.id, "ann", "old")

        gone = {(SLUG, name) for name in names(plan)}
        assert past.at(times) == [{key: state[key] for key in state if key not in gone} for state in states]
        assert states[0] == {}
        assert sum(len(state) for state in past.at(times)) > 50


def test_a_purge_and_a_sync_at_once_make_no_mixture(database_url: str) -> None:
    """Either the purge was first, and the model that comes back is a new one; or the sync was, and the plan is stale."""
    for _ in range(4):
        with opened(database_url) as store:
            sync(store, "a", "b")
            for _ in range(3):
                sync(store, "a")
            aged(database_url)
            rooms = Housekeeping(store)
            plan = rooms.plan(Purge())
            assert names(plan) == ["b"]
            ready, stale = threading.Barrier(2), []

            def purge(plan_id: str = plan.id, rooms: Housekeeping = rooms, ready: Any = ready, stale: Any = stale) -> None:
                ready.wait()
                try:
                    rooms.purge(Purge(), plan_id, "ann", "old")
                except ModelsyncError as error:
                    stale.append(error.message)

            thread = threading.Thread(target=purge)
            thread.start()
            ready.wait()
            sync(store, "a", "b")
            thread.join(30)
            kinds = [row.kind for row in History(store).changes(ChangeFilter(model="b"))][::-1]
            assert stale in ([], ["The plan is no longer what it was"])
            assert kinds[0] == "added"
            assert kinds[1:][-3:] == (["missing", "retired", "revived"] if stale else [])
            assert models_of(database_url, SLUG)["b"]["status"] == "active"
            assert History(store).at([datetime(2001, 1, 1, tzinfo=UTC)]) == [{}]
        aged(database_url)  # for the next round: what is young would keep b


# Retention


def old_run(database_url: str, run_id: int, *slugs: str, status: str = "succeeded", days: float = 100) -> None:
    then = text(datetime.now(UTC) - timedelta(days=days))
    execute(
        database_url,
        f"INSERT INTO sync_runs (id, status, trigger, started_at) VALUES ({run_id}, '{status}', 'cli', '{then}')",
        *(
            "INSERT INTO sync_results (id, run_id, provider, outcome, warnings, duration_seconds, finished_at) "
            f"VALUES ({run_id * 10 + position}, {run_id}, '{slug}', 'synced', '[]', 1, '{then}')"
            for position, slug in enumerate(slugs)
        ),
    )


def change(database_url: str, run_id: int, slug: str) -> None:
    execute(
        database_url,
        "INSERT INTO model_changes (run_id, provider_id, provider_model_id, kind, fields, changed_at) "
        f"SELECT {run_id}, id, 'a', 'added', '{{}}', '{text(LONG_AGO)}' FROM providers WHERE slug = '{slug}'",
    )


def records(database_url: str) -> tuple[list[int], list[int]]:
    return [row["id"] for row in table(database_url, "sync_runs")], [row["id"] for row in table(database_url, "sync_results")]


def old_records(database_url: str) -> None:
    with opened(database_url) as store:
        for slug in ("openrouter", "groq", "xai"):
            store.ensure_provider_exists(slug)
    old_run(database_url, 1, "openrouter", "groq")  # needed by nothing
    old_run(database_url, 2, "openrouter", "groq")  # changed openrouter: that result and the run stay
    change(database_url, 2, "openrouter")
    old_run(database_url, 3, "openrouter", status="running")
    old_run(database_url, 4, "openrouter", "xai")  # the latest of xai stays, and with it the run
    old_run(database_url, 5)  # stopped before its first provider
    old_run(database_url, 6, "openrouter", "groq", days=89)
    old_run(database_url, 7, "openrouter", "groq", status="failed")  # the latest results
    old_run(database_url, 8)  # history names it
    change(database_url, 8, "openrouter")
    old_run(database_url, 9, status="failed")  # the latest run
    execute(
        database_url,
        "INSERT INTO answers (run_id, provider, position, endpoint, url, scope, whole, digest, bytes, received_at) "
        f"VALUES (1, 'groq', 0, 'models', 'u', 'x', true, 'd', 1, '{text(LONG_AGO)}'), "
        f"(2, 'groq', 0, 'models', 'u', 'x', true, 'd', 1, '{text(LONG_AGO)}')",
    )


def test_runs_and_results_beyond_their_days_go_but_for_those_that_are_needed(database_url: str) -> None:
    old_records(database_url)
    with opened(database_url) as store:
        rooms = Housekeeping(store)
        assert rooms.prune(0) == rooms.prune(101) == Records()
        assert rooms.prune(90) == Records(runs=(1, 5), results=(10, 11, 21, 40))
        assert records(database_url) == ([2, 3, 4, 6, 7, 8, 9], [20, 30, 41, 60, 61, 70, 71])
        assert [row["run_id"] for row in table(database_url, "answers")] == [2]
        assert rooms.prune(90) == Records()
        assert rooms.prune(8) == Records(runs=(6,), results=(60, 61))
    assert table(database_url, "audit_log") == []


def test_a_run_with_a_ticket_stays(database_url: str) -> None:
    """It was taken for dead, and is not."""
    with opened(database_url) as store:
        store.take_lease("groq", store.begin_run("test"), 60)
        store.begin_run("test")
        execute(database_url, f"UPDATE sync_runs SET status = 'interrupted', started_at = '{text(LONG_AGO)}'")
        assert Housekeeping(store).prune(90) == Records()


def test_nothing_is_locked_when_nothing_is_due(database_url: str) -> None:
    with opened(database_url) as store:
        sync(store, "a")
        if database_url.startswith("sqlite"):
            other: Any = sqlite3.connect(sqlite_path(database_url), isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
        else:
            other = psycopg.connect(database_url)
            other.execute("SELECT pg_advisory_xact_lock(7290512)")
        began = time.monotonic()
        assert Housekeeping(store).prune(90) == Records()
        assert time.monotonic() - began < 15  # a lock would be waited for 30 seconds
        other.close()


def test_two_that_prune_at_once_do_it_once(database_url: str) -> None:
    with opened(database_url):
        pass
    for number in range(1, 301):
        old_run(database_url, number)
    old_run(database_url, 301, days=0)
    ready, done = threading.Barrier(2), []

    def prune() -> None:
        with opened(database_url) as store:
            ready.wait()
            done.append(len(Housekeeping(store).prune(90).runs))

    threads = [threading.Thread(target=prune) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [0, 300]
    assert records(database_url)[0] == [301]


def test_a_sync_prunes_at_its_end_and_a_dry_run_does_not(
    simulator: Simulator, database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program(environment(simulator), database_url, tmp_path).sync(["near"])
    old_records_of_near(database_url)
    for values, dry_run, left in (({"MODELSYNC_KEEP_RUNS_DAYS": "0"}, False, True), ({}, True, True), ({}, False, False)):
        program(environment(simulator), database_url, tmp_path, **values).sync(["near"], dry_run=dry_run)
        assert (500 in records(database_url)[0]) is left, values
    assert capfd.readouterr().err == ""


def old_records_of_near(database_url: str) -> None:
    old_run(database_url, 500, "near")
    old_run(database_url, 501, "near", days=1)
    if not database_url.startswith("sqlite"):
        execute(database_url, "ALTER TABLE sync_runs ALTER id RESTART WITH 600", "ALTER TABLE sync_results ALTER id RESTART WITH 6000")


def test_a_sync_stands_when_pruning_fails(
    simulator: Simulator, database_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    modelsync = program(environment(simulator), database_url, tmp_path)
    modelsync.sync(["near"])
    old_records_of_near(database_url)
    raise_on(database_url, "sync_runs", "DELETE")
    report = modelsync.sync(["near"])
    assert (report.status, 500 in records(database_url)[0]) == ("succeeded", True)
    assert "WARNING old runs and answers were not removed" in capfd.readouterr().err


# The audit log


def test_i28_rows_of_the_audit_log_cannot_be_changed_by_anybody(database_url: str) -> None:
    years_ago(database_url)
    with opened(database_url) as store:
        rooms = Housekeeping(store)
        rooms.purge(Purge(), rooms.plan(Purge()).id, "ann", "old")
    before = table(database_url, "audit_log")
    attempts = ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"]
    for attempt in [*attempts, *([] if database_url.startswith("sqlite") else ["TRUNCATE audit_log"])]:
        with pytest.raises((sqlite3.Error, psycopg.Error), match="audit_log: rows are only added"):
            execute(database_url, attempt)
    assert table(database_url, "audit_log") == before


# The commands


def command(tmp_path: Path, database_url: str, *arguments: str) -> Any:
    return run(tmp_path, *arguments, "--database", database_url, env=process_environment(tmp_path))


def test_the_commands_show_do_and_tell(database_url: str, tmp_path: Path) -> None:
    years_ago(database_url)
    pin(database_url, "c")
    shown = command(tmp_path, database_url, "purge", "--retired-for", "52w", "--provider", SLUG)
    lines = shown.stdout.splitlines()
    assert shown.returncode == 0, shown.stderr
    assert re.fullmatch(r"- openrouter  b  retired \d{4}-\d\d-\d\d \d\d:\d\d UTC, 3 changes", lines[0]), lines
    assert lines[2:6] == [
        "- runs: 1, from 3 to 3",
        "- results of single providers: 1",
        "  kept, pinned: openrouter  c",
        "This would delete 2 models, 6 changes, 1 run, 1 result, for good. To do exactly that:",
    ]
    found = re.fullmatch(r"  modelsync purge (.*) --plan ([0-9a-f]{16}) --reason \"why\"", lines[6])
    assert found, lines
    assert found[1] == f"--retired-for 52w --runs-older-than 90d --provider {SLUG} --database {database_url}"

    options = ("--retired-for", "52w", "--provider", SLUG)
    document = json.loads(command(tmp_path, database_url, "purge", *options, "--json").stdout)
    assert (document["version"], document["purged"], document["plan"], document["changes"]) == (1, False, found[2], 6)
    assert [(row["provider"], row["provider_model_id"]) for row in document["models"]] == [(SLUG, "b"), (SLUG, "d")]
    assert (document["runs"], document["results"], [row["why"] for row in document["kept"]]) == ([3], [3], ["pinned"])

    stale = command(tmp_path, database_url, "purge", *options, "--plan", "0" * 16, "--reason", "old")
    assert (stale.returncode, stale.stderr) == (
        1,
        "modelsync: The plan is no longer what it was. Nothing was deleted; look again: modelsync purge\n",
    )
    done = command(tmp_path, database_url, "purge", *options, "--plan", found[2], "--reason", "two\x1b years")
    assert (done.returncode, done.stdout) == (
        0,
        "Deleted 2 models, 6 changes, 1 run, 1 result. `modelsync audit` has it.\n",
    )
    assert command(tmp_path, database_url, "purge").stdout.splitlines() == ["  kept, pinned: openrouter  c", "Nothing to delete."]

    (line,) = command(tmp_path, database_url, "audit").stdout.splitlines()
    assert f"  purge  plan {found[2]}: 2 models, 6 changes, 1 run, 1 result; models: openrouter b, openrouter d; runs 3 to 3  (two" in line
    assert "\x1b" not in line
    (row,) = run_json(tmp_path, "audit", "--since", "1h", "--database", database_url, env=process_environment(tmp_path))["audit"]
    assert (row["action"], row["reason"]) == ("purge", "two\x1b years")
    assert command(tmp_path, database_url, "audit", "--actor", "nobody else").stdout == "No act matches the filters.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--plan", "0123456789abcdef"], "A purge needs both --plan and --reason"),
        (["--reason", "old"], "A purge needs both --plan and --reason"),
        (["--plan", "0123456789abcdef", "--reason", " "], "A purge needs both --plan and --reason"),
        (["--retired-for", "7d"], "--retired-for 7d is too short. The guards need what is younger than 8d"),
        (["--runs-older-than", "a while"], "--runs-older-than a while is not an age. Use for example 365d, 52w"),
        (["--provider", "opnrouter"], "Unknown provider: opnrouter. Did you mean openrouter?"),
    ],
)
def test_a_purge_that_cannot_be_meant_is_refused(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = run(tmp_path, "purge", *arguments, env=process_environment(tmp_path))
    assert (done.returncode, told in done.stderr) == (64, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_looking_makes_no_catalog(tmp_path: Path) -> None:
    env = process_environment(tmp_path)
    assert run(tmp_path, "purge", env=env).stdout == "Nothing to delete.\n"
    assert run(tmp_path, "audit", env=env).stdout == "Nothing was decided.\n"
    assert list(tmp_path.iterdir()) == []
