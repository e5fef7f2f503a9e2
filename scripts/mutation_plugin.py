"""A plugin of pytest in the copies of the tree that `./run mutate` makes: only the tests that are wanted, and what came of each."""

import contextlib
import json
import resource
from collections.abc import Iterator

import mutation_watch
import pytest

MOST_MEMORY = 4 << 30
"""Bytes of memory for a process of the tests: a mutant that allocates for ever fails."""

_seconds: dict[str, float | None] = {}


def pytest_configure() -> None:
    """Before anything is imported."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    mutation_watch.going_on(mutation_watch.IMPORTING)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only the tests that the file `only` names, in its order; all when there is no such file."""
    with contextlib.suppress(FileNotFoundError):
        wanted = {name: at for at, name in enumerate(json.loads((mutation_watch.FOLDER / "only").read_text("utf-8")))}
        items[:] = sorted((item for item in items if item.nodeid in wanted), key=lambda item: wanted[item.nodeid])
    mutation_watch.going_on(mutation_watch.SETTING_UP)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Calls are this test's while it runs."""
    mutation_watch.going_on(item.nodeid)
    try:
        yield
    finally:
        mutation_watch.going_on(mutation_watch.SETTING_UP)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """How long each test takes, None when it did not pass; and which failed, in their order."""
    known = _seconds.get(report.nodeid, 0.0)
    _seconds[report.nodeid] = known + report.duration if report.passed and known is not None else None
    if report.failed:
        with (mutation_watch.FOLDER / "failed").open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


def pytest_sessionfinish() -> None:
    """Leave the durations behind."""
    (mutation_watch.FOLDER / "seconds").write_text(json.dumps(_seconds), "utf-8")
