"""What is due is synced by itself, once: the claim, what an attempt's end means for the next, and what persons set. On both databases."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.app import App
from modelsync.database.tables import leases
from modelsync.errors import Settled, UsageError
from modelsync.model.actors import Person
from modelsync.model.model import Model
from modelsync.operations import decisions
from modelsync.operations.schedules import write_schedule
from modelsync.planning.outcome import Report
from modelsync.planning.schedule import Every, GivenSchedule, following
from modelsync.queries.schedules import ScheduledProvider, advice, scheduled
from modelsync.simulator.server import Simulator
from modelsync.sync.run import Handle, Stopped
from modelsync.sync.store import Store
from support import crash
from support.sync import changes_of, environment, execute, program, query, table

SLUG = "groq"
MARA = Person("mara", "we sell it")
NEVER = datetime(2999, 1, 1, tzinfo=UTC)


class Subject:
    """A program, its open catalog, and the simulator that it asks."""

    def __init__(self, simulator: Simulator, database_url: str, folder: Path, **more: str) -> None:
        self.database_url, self.simulator = database_url, simulator
        self.program: App = program(environment(simulator), database_url, folder, **more)
        self.store: Store = self.program.open_store()

    def attend(self, slug: str = SLUG, handle: Handle | None = None) -> Report | None:
        return self.program.attend(slug, self.store, handle=handle)

    def row(self, slug: str = SLUG) -> ScheduledProvider:
        _, (row,) = scheduled(self.store, {slug: self.program.settings.schedules[slug]})
        return row

    def state(self) -> dict[str, Any]:
        (row,) = query(self.database_url, f"SELECT * FROM provider_state WHERE provider = '{SLUG}'")
        return row

    def let_days_pass(self, days: int = 2) -> None:
        """As if the last attempt had been so many days earlier."""
        for name in ("last_served_at", "last_attempt_at", "not_before"):
            if (moment := self.state()[name]) is not None:
                when = (moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)) - timedelta(days=days)
                text = when.isoformat(timespec="microseconds").replace("+00:00", "Z")
                execute(self.database_url, f"UPDATE provider_state SET {name} = '{text}'")


@pytest.fixture
def subject(simulator: Simulator, database_url: str, tmp_path: Path) -> Iterator[Subject]:
    found = Subject(simulator, database_url, tmp_path)
    with contextlib.closing(found.store):
        yield found


def outcome(report: Report | None) -> str | None:
    return None if report is None else str(report.results[0].outcome.__struct_config__.tag)


# Once


def test_what_is_due_is_synced_once_until_its_next_time(subject: Subject) -> None:
    assert outcome(subject.attend()) == "synced"
    assert subject.attend() is None
    assert [(row["trigger"], row["status"]) for row in table(subject.database_url, "sync_runs")] == [("schedule", "succeeded")]
    subject.let_days_pass()
    assert outcome(subject.attend()) == "not_modified"
    assert subject.attend() is None
    assert [row["outcome"] for row in table(subject.database_url, "sync_results")] == ["synced", "not_modified"]


def test_c05_of_many_at_the_same_moment_one_syncs(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    subjects = [Subject(simulator, database_url, tmp_path) for _ in range(6)]
    start, reports = threading.Barrier(len(subjects)), list[Report | None]()

    def attend(each: Subject) -> None:
        start.wait()
        reports.append(each.attend())

    for _ in range(3):
        threads = [threading.Thread(target=attend, args=(each,)) for each in subjects]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        subjects[0].let_days_pass()
    for each in subjects:
        each.store.close()
    assert len(reports) == 18
    assert len([report for report in reports if report]) == 3
    assert [row["outcome"] for row in table(database_url, "sync_results")] == ["synced", "not_modified", "not_modified"]


def test_a_sync_by_hand_serves_the_time_that_was_due(subject: Subject) -> None:
    assert subject.program.sync([SLUG]).status == "succeeded"
    assert subject.attend() is None
    assert subject.row().next_at == following(Every(24 * 3600), SLUG, last_of(subject))


def last_of(subject: Subject) -> datetime:
    last = subject.row().last_attempt_at
    assert last is not None
    return last


# How an attempt ends


def test_failures_back_off_and_a_success_ends_that(subject: Subject) -> None:
    subject.simulator.add_fault(SLUG, "status", status=500, times=2)
    assert outcome(subject.attend()) == "failed"
    assert subject.attend() is None
    row = subject.row()
    assert row.next_at is not None
    assert timedelta(minutes=10) <= row.next_at - last_of(subject) <= timedelta(minutes=11)
    assert row.why == "failed once: tried again after 10min"
    subject.let_days_pass()
    assert outcome(subject.attend()) == "failed"
    assert subject.row().why == "failed 2 times in a row: tried again after 20min"
    subject.let_days_pass()
    assert outcome(subject.attend()) == "synced"
    assert (subject.row().why, subject.state()["failures_in_a_row"]) == ("every 24h", 0)


def test_a_provider_that_answers_retry_after_is_not_asked_earlier(subject: Subject) -> None:
    subject.simulator.add_fault(SLUG, "status", status=429, retry_after=7200, times=1)
    report = subject.attend()
    assert report is not None
    assert "asked to wait 7200 s" in str(report.results[0].error)
    row = subject.row()
    assert row.next_at is not None
    assert timedelta(seconds=7190) <= row.next_at - last_of(subject) <= timedelta(seconds=7260)
    assert row.why == "the provider asked to wait until then"
    execute(subject.database_url, "UPDATE provider_state SET retries = 0")
    assert subject.attend() is None, "not even when its time comes"
    subject.let_days_pass()
    assert outcome(subject.attend()) == "synced"
    assert subject.state()["not_before"] is None


def test_no_provider_can_keep_itself_from_being_asked_for_longer_than_a_day(subject: Subject) -> None:
    subject.simulator.add_fault(SLUG, "status", status=429, retry_after=10**9, times=1)
    assert outcome(subject.attend()) == "failed"
    row = subject.row()
    assert row.next_at is not None
    assert timedelta(hours=23) < row.next_at - last_of(subject) <= timedelta(hours=24, minutes=1)


def test_syncs_by_hand_that_fail_keep_no_provider_from_its_schedule(subject: Subject) -> None:
    """An hourly job with a wrong key beside a scheduler with the right one."""
    assert outcome(subject.attend()) == "synced"
    subject.let_days_pass()
    subject.simulator.add_fault(SLUG, "status", status=401)
    for _ in range(3):
        assert subject.program.sync([SLUG]).status == "failed"
    subject.simulator.clear_faults()
    assert (subject.row().why, subject.state()["retries"]) == ("every 24h", 0)
    assert outcome(subject.attend()) == "not_modified"


def test_what_is_held_was_answered_and_is_asked_again_at_its_next_time(subject: Subject) -> None:
    assert outcome(subject.attend()) == "synced"
    subject.let_days_pass()
    subject.simulator.add_fault(SLUG, "status", status=500, times=1)
    assert outcome(subject.attend()) == "failed"
    subject.let_days_pass()
    subject.simulator.add_fault(SLUG, "empty")
    assert outcome(subject.attend()) == "held"
    assert (subject.row().why, subject.attend()) == ("every 24h", None)


def test_models_given_by_hand_serve_no_schedule(subject: Subject) -> None:
    subject.simulator.add_fault(SLUG, "status", status=429, retry_after=7200, times=1)
    assert outcome(subject.attend()) == "failed"
    before = subject.row()
    assert subject.store.bulk_upsert_models(SLUG, [Model(id="ours")]).created == 1
    after = subject.row()
    assert (after.next_at, after.why) == (before.next_at, "the provider asked to wait until then")
    (found,) = advice(subject.store, [SLUG])
    assert found.polls == 0


def test_a_time_that_somebody_wrote_without_a_zone_is_utc_and_a_row_of_nonsense_costs_its_provider_only(subject: Subject) -> None:
    for slug in (SLUG, "chutes"):
        assert outcome(subject.attend(slug)) == "synced"
    execute(subject.database_url, "UPDATE provider_state SET not_before = '2999-01-01 00:00:00' WHERE provider = 'groq'")
    subject.let_days_pass()
    assert subject.row().is_due(subject.row().next_at or NEVER)
    if subject.database_url.startswith("sqlite"):
        execute(subject.database_url, "UPDATE provider_state SET unended = 'many' WHERE provider = 'groq'")
        given = {slug: subject.program.settings.schedules[slug] for slug in (SLUG, "chutes")}
        rows = {row.provider: row for row in scheduled(subject.store, given)[1]}
        assert "its row of provider_state cannot be read" in str(rows[SLUG].kept_out)
        assert rows["chutes"].why == "every 24h"


def test_what_was_stopped_stays_due(subject: Subject) -> None:
    subject.simulator.add_fault(SLUG, "delay", seconds=20.0)
    handle = Handle()
    threading.Timer(0.5, handle.stop).start()
    with pytest.raises(Stopped):
        subject.attend(handle=handle)
    subject.simulator.clear_faults()
    assert (subject.state()["last_served_at"], subject.state()["unended"]) == (None, 0)
    assert outcome(subject.attend()) == "synced"


def test_what_died_is_made_up_for_at_once_and_not_for_ever(subject: Subject) -> None:
    assert outcome(subject.attend()) == "synced"
    subject.let_days_pass()
    for deaths in range(1, 5):
        assert subject.store.claim(SLUG, GivenSchedule(Every(86_400), "default")) is not None  # and nothing more is heard of it
        assert (subject.attend(), subject.row().running) == (None, deaths + 1)
        crash.let_time_pass(subject.database_url)
    assert subject.attend() is None, "it may be what kills its processes"
    assert subject.row().why == "its process died 4 times: tried again after 10min"
    subject.let_days_pass()
    assert outcome(subject.attend()) == "not_modified"
    assert (subject.state()["unended"], subject.row().why) == (0, "every 24h")


def test_i15_a_claim_whose_lease_was_lost_commits_nothing(subject: Subject) -> None:
    """A paused process goes on after another one has done its work: the lease has the last word."""
    lease = subject.store.claim(SLUG, subject.program.settings.schedules[SLUG])
    assert lease is not None
    crash.let_time_pass(subject.database_url)
    assert outcome(subject.attend()) == "synced"
    with subject.store.writing() as connection:
        assert leases.holds(connection, lease) is None


# What keeps it out


def test_what_is_paused_frozen_or_switched_off_is_not_synced_and_says_so(subject: Subject) -> None:
    decisions.pause(subject.store, MARA)
    assert subject.attend() is None
    assert "paused by mara" in str(subject.row().kept_out)
    decisions.resume(subject.store, MARA)
    assert outcome(subject.attend()) == "synced"
    subject.let_days_pass()
    execute(subject.database_url, "UPDATE providers SET is_active = false")
    assert subject.attend() is None
    assert "switched off in the catalog" in str(subject.row().kept_out)


# What persons set


def test_what_a_person_sets_wins_over_settings_and_can_be_taken_back(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    subject = Subject(simulator, database_url, tmp_path, MODELSYNC_SCHEDULE="12h", MODELSYNC_SCHEDULE_GROQ="2h")
    with contextlib.closing(subject.store):
        shown = [(subject.row().schedule, subject.row().source)]
        for text in ("1h", "off", "on", "0 6 * * 1-5 Europe/Berlin", "adaptive", "default"):
            write_schedule(subject.store, SLUG, text, MARA)
            shown.append((subject.row().schedule, subject.row().source))
        assert shown == [
            ("2h", "MODELSYNC_SCHEDULE_GROQ"),
            ("1h", "a person"),
            ("off", "a person"),
            ("1h", "a person"),
            ("0 6 * * 1-5 Europe/Berlin", "a person"),
            ("adaptive", "a person"),
            ("2h", "MODELSYNC_SCHEDULE_GROQ"),
        ]
        assert (subject.row("xai").schedule, subject.row("xai").source) == ("12h", "MODELSYNC_SCHEDULE")
        with pytest.raises(UsageError, match="sometimes is no schedule"):
            write_schedule(subject.store, SLUG, "sometimes", MARA)
        with pytest.raises(Settled, match="No person has switched"):
            write_schedule(subject.store, SLUG, "on", MARA)
    acts = table(database_url, "audit_log")
    assert [(row["action"], row["target"]) for row in acts] == [
        ("schedule", f"groq {text}") for text in ("1h", "off", "on", "0 6 * * 1-5 Europe/Berlin", "adaptive", "as the settings say")
    ]
    assert {(row["actor"], row["reason"]) for row in acts} == {("mara", "we sell it")}


def test_what_is_off_is_not_synced_by_itself_and_is_by_hand(subject: Subject) -> None:
    write_schedule(subject.store, SLUG, "off", MARA)
    assert subject.attend() is None
    assert subject.row().next_at is None
    assert subject.program.sync([SLUG]).status == "succeeded"
    subject.let_days_pass()
    write_schedule(subject.store, SLUG, "on", MARA)
    assert outcome(subject.attend()) == "not_modified"


def test_what_cannot_be_read_does_not_keep_a_provider_from_being_synced(subject: Subject) -> None:
    write_schedule(subject.store, SLUG, "1h", MARA)
    execute(subject.database_url, "UPDATE provider_state SET schedule = '0 6 * * * Mars/Olympus'")
    told = "default, as a person's 0 6 * * * Mars/Olympus cannot be read here"
    assert (subject.row().schedule, subject.row().source) == ("24h", told)
    assert outcome(subject.attend()) == "synced"


def test_what_is_stopped_before_it_begins_gives_its_lease_back(subject: Subject) -> None:
    handle = Handle()
    handle.stop()
    with pytest.raises(Stopped):
        subject.attend(handle=handle)
    assert (subject.row().running, subject.state()["unended"]) == (None, 0)
    assert crash.statuses(subject.database_url) == {"cancelled"}
    assert outcome(subject.attend()) == "synced"


# Adaptive


def test_adaptive_counts_what_the_list_changed_and_nothing_else(subject: Subject) -> None:
    """Six syncs, a day apart: two found a change of the list. One more found what a newer reading brought, which says nothing."""
    days = (0, 0, 1, 1, 1, 0, 0)
    for day in days:
        subject.simulator.set_day(day)
        assert subject.attend() is not None
        subject.let_days_pass(1)
        for name in ("sync_results", "sync_runs"):
            shift(subject.database_url, name)
    (found,) = advice(subject.store, [SLUG])
    assert (found.polls, found.changed) == (6, 2)
    assert found.days == pytest.approx(6.0, abs=0.05)
    assert found.changes_per_day == pytest.approx(0.3677, abs=0.005)  # -ln(4.5 / 6.5)
    execute(subject.database_url, "UPDATE sync_results SET version = version + 1 WHERE id = (SELECT max(id) FROM sync_results)")
    (fewer,) = advice(subject.store, [SLUG])
    assert (fewer.polls, fewer.changed) == (5, 2)
    write_schedule(subject.store, SLUG, "adaptive", MARA)
    assert subject.row().why.startswith("adaptive: every ")
    assert changes_of(subject.database_url, SLUG)


def shift(database_url: str, name: str) -> None:
    """All of a table a day earlier."""
    for row in table(database_url, name):
        moment = row["finished_at"]
        when = (moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)) - timedelta(days=1)
        text = when.isoformat(timespec="microseconds").replace("+00:00", "Z")
        execute(database_url, f"UPDATE {name} SET finished_at = '{text}' WHERE id = {row['id']}")


def test_adaptive_with_too_few_syncs_is_like_others_of_its_kind(subject: Subject) -> None:
    write_schedule(subject.store, SLUG, "adaptive", MARA)
    assert outcome(subject.attend()) == "synced"
    assert subject.row().why == "adaptive: every 24h, too few syncs to know how often it changes"
    (found,) = advice(subject.store, [SLUG])
    assert (found.changes_per_day, found.polls, found.interval) == (None, 0, "24h")
