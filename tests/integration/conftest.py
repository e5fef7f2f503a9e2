"""What every test here ends with, and a shell for those that play documents."""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelsync.simulator.server import Simulator
from support import shell
from support.client import Raw
from support.copies import Places, lived


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every raw connection ends with its test."""
    yield
    while Raw.made:
        Raw.made.pop().close()


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[shell.Commands]:
    """What `./run` and `modelsync` of all shells are."""
    if not Path("/proc/self/fd").exists() or shutil.which("bash") is None or shutil.which("curl") is None:
        pytest.skip("needs bash, curl, and open files in /proc")
    with shell.commands(tmp_path_factory.mktemp("commands")) as found:
        yield found


@pytest.fixture(scope="session")
def filled(running_simulator: Simulator, commands: shell.Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and a catalog of two days."""
    folder = tmp_path_factory.mktemp("filled")
    running_simulator.reset()
    shell.filled(folder, running_simulator, commands)
    return folder


@pytest.fixture
def played(filled: Path, commands: shell.Commands, simulator: Simulator, tmp_path: Path) -> shell.Shell:
    """A shell in a copy of that folder, while the simulator shows the second day."""
    shutil.copytree(filled, tmp_path, symlinks=True, dirs_exist_ok=True)
    simulator.set_day(1)
    return shell.Shell(tmp_path, commands, {"MODELSYNC_ORIGIN": simulator.origin})


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    """Databases of either kind, to copy catalogs between."""
    made = Places(request, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def lived_catalogs(
    request: pytest.FixtureRequest, running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """The address of a catalog of either kind in which much has happened: to be copied as files, and not to be changed."""
    folder = tmp_path_factory.mktemp("lived")
    made = Places(request, folder)

    @functools.cache
    def catalog(kind: str) -> str:
        address = made.catalog(kind)
        lived(address, running_simulator, folder)
        return address

    return catalog
