"""Fixtures: servers that misbehave, and providers up to date that can be sent to them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync.simulator.server import Simulator
from support.faults import Authority, Bench, Servers, first_sync


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Servers() as running:
        yield running


@pytest.fixture(scope="session")
def in_step(running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite catalog in step with day 0, made once, to be copied."""
    running_simulator.reset()
    folder = tmp_path_factory.mktemp("in_step")
    first_sync(running_simulator, f"sqlite:///{folder}/catalog.db", folder)
    return folder / "catalog.db"


@pytest.fixture
def bench(simulator: Simulator, servers: Servers, in_step: Path, tmp_path: Path) -> Bench:
    shutil.copy(in_step, tmp_path / "bench.db")
    return Bench(simulator, servers, f"sqlite:///{tmp_path}/bench.db", tmp_path)


@pytest.fixture
def each_bench(simulator: Simulator, servers: Servers, database_url: str, tmp_path: Path) -> Bench:
    """A bench on SQLite, and one on Postgres."""
    first_sync(simulator, database_url, tmp_path)
    return Bench(simulator, servers, database_url, tmp_path)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """A certificate authority that this process trusts, as if it were a company's."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made
