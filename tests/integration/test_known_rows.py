"""Rows that are known are not read again, and nobody can see that: not in the catalog, its history, or what is told."""

from pathlib import Path
from typing import Any

import pytest

from modelsync.planning.known import KnownRows
from modelsync.planning.outcome import Report
from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from modelsync.sync.store import Store
from support.sync import environment, everything, execute, program, table

PROVIDERS = registry.load()
ALONE = ("featherless", "helicone", "openrouter", "together")
RANDOM = {"edition", "ticket_token", "seconds", "duration_seconds", "received_at", "stated_at", "since", "missing_since", "at"}


def told(report: Report) -> list[Any]:
    return [(result.slug, result.outcome, result.counts, result.warnings) for result in report.results]


def without_times(value: Any) -> Any:
    """What two runs of the same have in common: no times, no random numbers."""
    if isinstance(value, dict):
        return {name: without_times(part) for name, part in value.items() if name not in RANDOM and not name.endswith("_at")}
    return [without_times(part) for part in value] if isinstance(value, list) else value


def catalog(database_url: str) -> Any:
    return without_times({name: rows for name, rows in everything(database_url).items() if name != "known_rows"})


def known(database_url: str, slug: str = "openrouter", version: int | None = None) -> KnownRows:
    store = Store.open(database_url, PROVIDERS, read_only=True)
    try:
        return store.known(slug, version or PROVIDERS[slug].version)
    finally:
        store.close()


def test_a_series_of_syncs_comes_to_the_same_with_and_without(
    simulator: Simulator, two_database_urls: tuple[str, str], tmp_path: Path
) -> None:
    with_it, without = (program(environment(simulator), address, tmp_path) for address in two_database_urls)
    for day in (0, 1, 0, 2, 1):
        simulator.set_day(day)
        execute(two_database_urls[1], "DELETE FROM known_rows")
        for slug in ALONE:  # one after the other, so that numbers are given in one order
            assert told(with_it.sync([slug])) == told(without.sync([slug]))
        assert catalog(two_database_urls[0]) == catalog(two_database_urls[1])
    assert all(known(two_database_urls[0], slug).ids for slug in ALONE)


def test_it_is_written_only_when_the_catalog_was(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    ours = program(environment(simulator), database_url, tmp_path)
    ours.sync(["openrouter"])
    (first,) = table(database_url, "known_rows")
    simulator.set_day(1)
    assert ours.sync(["openrouter"]).counts.updated == 1
    (second,) = table(database_url, "known_rows")
    assert second["edition"] != first["edition"]
    simulator.set_day(2)  # the same rows in another order: another answer, of which nothing is new
    assert ours.sync(["openrouter"]).counts.unchanged == 5
    assert table(database_url, "known_rows") == [second]


@pytest.mark.parametrize("statement", ["UPDATE provider_state SET edition = edition + 1", "UPDATE known_rows SET reader = '0 in 0.0.1'"])
def test_nothing_is_known_of_a_catalog_that_somebody_wrote_or_another_program_read(
    simulator: Simulator, database_url: str, tmp_path: Path, statement: str
) -> None:
    program(environment(simulator), database_url, tmp_path).sync(["openrouter"])
    assert known(database_url).ids
    assert known(database_url, version=PROVIDERS["openrouter"].version + 1) == KnownRows()
    execute(database_url, statement)
    assert known(database_url) == KnownRows()
    simulator.set_day(1)
    program(environment(simulator), database_url, tmp_path).sync(["openrouter"])
    assert known(database_url).ids


@pytest.mark.parametrize("damage", ["digests = substr(digests, 1, 7)", "incomplete = '[null]'"])
def test_a_damaged_memory_costs_no_sync(damage: str, simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    ours = program(environment(simulator), database_url, tmp_path)
    ours.sync(["openrouter"])
    execute(database_url, f"UPDATE known_rows SET {damage}")
    simulator.set_day(1)
    (result,) = ours.sync(["openrouter"]).results
    assert (result.error, result.counts.updated > 0) == (None, True)
    assert known(database_url).ids
