"""What a sync leaves for the collector of garbage: nothing of what it read or planned, for the oldest is hardly ever collected."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync import app
from modelsync.settings import load
from modelsync.simulator.server import Simulator

SLUGS = ("openrouter", "featherless", "near", "fal", "deepinfra", "novita")
LONG = 2_000
"""Items of a container that is no longer small."""

SMALL = {"Asker", "Authorization", "Failure", "Fetcher", "Origins", "Request", "RequestFailed"}
"""What a failed request leaves: a few objects, whatever it was about."""


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """Nothing is collected by itself, and what would be is kept to be looked at; what is there already is left out."""
    gc.collect()
    gc.freeze()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.unfreeze()
    gc.enable()


def garbage() -> Counter[str]:
    """What only a collection would free: of ours all that is not small, of others what is long."""
    gc.collect()
    found = Counter(
        kind.__qualname__
        for each in gc.garbage
        if ((kind := type(each)).__module__.startswith("modelsync") and kind.__qualname__ not in SMALL)
        or (isinstance(each, list | dict | tuple) and len(each) >= LONG)
    )
    gc.garbage.clear()
    return found


@pytest.fixture
def program(simulator: Simulator, tmp_path: Path) -> app.App:
    """One that has synced before."""
    settings = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/catalog.db",
        "MODELSYNC_ORIGIN": simulator.origin,
        "MODELSYNC_ATTEMPTS": "1",
        "MODELSYNC_DEADLINE": "3",
    }
    program = app.build(load(settings, tmp_path))
    program.sync(SLUGS)
    garbage()
    return program


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("fault", [None, "truncated", "not_json", "wrong_types", "empty"])
def test_a_sync_leaves_nothing_that_only_a_collection_would_free(program: app.App, fault: str | None, dry_run: bool, simulator: Simulator):
    if fault:
        simulator.add_fault("*", fault)
    program.sync(SLUGS, dry_run=dry_run)
    assert garbage() == {}


TWICE = '{"data": [], "links": {"next": "/api/v1/more"}}'


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("last", "status", "seconds"), [("no", 500, 0), (TWICE, 200, 0), ("{}", 200, 30)], ids=["fails", "turns back", "hangs"]
)
def test_nor_does_one_whose_last_page_fails(program: app.App, last: str, status: int, seconds: float, dry_run: bool, simulator: Simulator):
    """The first page is in memory then."""
    simulator.set_answer("openrouter", "/api/v1/models?output_modalities=all", '{"data": [{"id": "a"}], "links": {"next": "/api/v1/more"}}')
    simulator.set_answer("openrouter", "/api/v1/more", last, status=status)
    if seconds:
        simulator.add_fault("openrouter", "delay", path="/api/v1/more", seconds=seconds)
    (result,) = program.sync(["openrouter"], dry_run=dry_run).results
    assert not result.succeeded
    assert garbage() == {}
