"""Clocks that jump, and zones: order comes from sequence numbers, durations from the monotonic clock, times are UTC (T1, I6, I14).

No wall clock is moved here; what a jump leaves behind is: rows whose times are an hour or a year in the future or in the past.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.simulator.server import Simulator
from support import crash
from support.crash import output, start
from support.process import code_of
from support.sync import changes_of, environment, execute, models_of, program, query, table

SLUG = "openrouter"
JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=366), timedelta(days=-366)]
WRITTEN_BY_SYNCS = [
    ("sync_runs", "started_at"),
    ("sync_runs", "finished_at"),
    ("sync_results", "finished_at"),
    ("model_changes", "changed_at"),
]


def moved(database_url: str, by: timedelta) -> None:
    """Every stored time as a clock that was wrong by this much would have written it."""
    seconds = int(by.total_seconds())
    for name, its in crash.columns(database_url).items():
        ours = set(its) - crash.FACTS
        times = sorted(column for column in ours if column.endswith(("_at", "_until")) or column == "missing_since")
        if times:
            execute(database_url, f"UPDATE {name} SET " + ", ".join(f"{time} = {_shifted(database_url, time, seconds)}" for time in times))


def _shifted(database_url: str, column: str, seconds: int) -> str:
    if database_url.startswith("sqlite"):
        return f"strftime('%Y-%m-%dT%H:%M:%f', {column}, '{seconds:+} seconds') || '000Z'"
    return f"{column} + interval '{seconds} seconds'"


def database_now(database_url: str) -> datetime:
    if database_url.startswith("sqlite"):
        return datetime.now(UTC)
    return query(database_url, "SELECT now() AS moment")[0]["moment"]


@pytest.mark.parametrize("by", JUMPS, ids=str)
def test_t01_syncs_after_a_jump_of_the_clock(simulator: Simulator, database_url: str, tmp_path: Path, by: timedelta) -> None:
    """The last sync was long ago or is still to come: the next one counts, orders and keeps history as ever."""
    synced = program(environment(simulator), database_url, tmp_path)
    synced.sync([SLUG])
    moved(database_url, by)
    simulator.set_day(1)
    report = synced.sync([SLUG])
    assert (report.status, report.counts.created, report.counts.updated, report.counts.missing) == ("succeeded", 1, 1, 1)
    assert 0 <= report.seconds < 60
    assert all(0 <= result.seconds < 60 for result in report.results)
    again = synced.sync([SLUG])
    assert (again.status, again.counts.unchanged, again.counts.missing, again.counts.retired) == ("succeeded", 5, 1, 0)

    (state,) = table(database_url, "provider_state")
    assert (state["complete_seq"], state["committed_seq"], state["ticket_seq"], state["ticket_token"]) == (3, 3, 3, None)
    assert abs(state["last_success_at"] - database_now(database_url)) < timedelta(minutes=1)
    changes = changes_of(database_url, SLUG)
    assert [change["run_id"] for change in changes] == [1] * 5 + [2] * 3
    assert [run["status"] for run in table(database_url, "sync_runs")] == ["succeeded"] * 3
    durations = query(database_url, "SELECT duration_seconds FROM sync_runs UNION ALL SELECT duration_seconds FROM sync_results")
    assert all(0 <= row["duration_seconds"] < 60 for row in durations)


def listed_without(simulator: Simulator, gone: str) -> None:
    simulator.set_list(SLUG, "models", [row for row in simulator.lists(SLUG)["models"] if row["id"] != gone])


def status_of(database_url: str, name: str) -> tuple[str, bool]:
    row = models_of(database_url, SLUG)[name]
    return row["status"], row["is_active"]


def test_t01_a_clock_that_ran_ahead_retires_nothing_early(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """Absence needs three complete listings and a day: a jump gives the day, but not the listings; and the other way round."""
    synced = program(environment(simulator), database_url, tmp_path)
    synced.sync([SLUG])
    listed_without(simulator, "orchard/pip-7b")
    synced.sync([SLUG])
    moved(database_url, timedelta(days=-366))  # as if a year had passed
    assert synced.sync([SLUG]).counts.retired == 0
    assert status_of(database_url, "orchard/pip-7b") == ("missing", True)
    moved(database_url, timedelta(days=2 * 366))  # and then the clock is a year behind
    for _ in range(4):
        assert synced.sync([SLUG]).counts.retired == 0
    assert status_of(database_url, "orchard/pip-7b") == ("missing", True)
    moved(database_url, timedelta(days=-366 - 2))  # two days have really passed
    assert synced.sync([SLUG]).counts.retired == 1
    assert status_of(database_url, "orchard/pip-7b")[0] == "retired"


def test_t01_a_ticket_from_a_clock_that_ran_ahead_ends(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    """A process took a lease while the clock was a year ahead, and died; no lease lives longer than an hour."""
    values = environment(simulator)
    program(values, database_url, tmp_path).sync([SLUG])
    simulator.set_day(1)
    ahead = "'2199-01-01T00:00:00.000000Z'"
    lease = f"ticket_token = 'dead', ticket_run_id = 1, ticket_seq = ticket_seq + 1, ticket_until = {ahead}"
    execute(database_url, f"UPDATE provider_state SET {lease}")
    report = program(values, database_url, tmp_path, MODELSYNC_DEADLINE="2").sync([SLUG])
    assert (report.status, report.counts.created) == ("succeeded", 1)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Pacific/Apia"])
def test_t01_times_are_utc_in_any_zone(simulator: Simulator, database_url: str, tmp_path: Path, zone: str) -> None:
    values = environment(simulator)
    arguments = ("sync", "--database", database_url, "--providers", SLUG)
    zones: list[dict[str, Any]] = [{}, {"TZ": zone}, {"TZ": "UTC"}]
    began = datetime.now(UTC)
    for day, more in enumerate(zones):
        simulator.set_day(day % 2)
        assert code_of(start({**values, **more}, tmp_path, *arguments)) == 0, output(tmp_path)
    for name, column in WRITTEN_BY_SYNCS:
        moments = [row[column] for row in table(database_url, name)]
        assert moments == sorted(moments)
        assert moments[0] >= began - timedelta(seconds=1)
        assert moments[-1] <= datetime.now(UTC) + timedelta(seconds=1)
        assert {moment.utcoffset() for moment in moments} == {timedelta(0)}
    assert [run["status"] for run in table(database_url, "sync_runs")] == ["succeeded"] * 3
