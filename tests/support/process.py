"""Commands as processes of their own, forked off a server that has everything imported: a start takes hundredths of a second.

What begins is modelsync's own entry, with an environment, a folder and files of its own; it can be signalled, limited and killed.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from modelsync import cli

SOURCE = str(Path(cli.__file__).parents[2])
TESTS = str(Path(__file__).parents[1])


@functools.cache
def _forking() -> Any:
    """Start the server that children are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["support.preloaded"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([SOURCE, TESTS])
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        os.environ.update({"PYTHONPATH": before} if before else {})
    return context


def start(
    environment: Mapping[str, str], folder: Path, arguments: Sequence[str], out: Path, err: Path, first: Callable[[], None] | None = None
) -> ForkServerProcess:
    """`modelsync <arguments>` in `folder`, with nothing else in its environment; `first` is called in it before.

    What it prints is added to the files `out` and `err`.
    """
    work = (dict(environment), folder, list(arguments), out, err, first)
    process: ForkServerProcess = _forking().Process(target=_command, args=work, daemon=True)
    process.start()
    return process


def _command(
    environment: dict[str, str], folder: Path, arguments: list[str], out: Path, err: Path, first: Callable[[], None] | None
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if "TZ" in environment:
        time.tzset()
    if environment.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    sys.stdout, sys.stderr = _written(out, 1, "strict"), _written(err, 2, "backslashreplace")
    if first:
        first()
    code = cli.run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: a signal that comes late must not find multiprocessing tidying up, which the program itself does not do


def _written(path: Path, number: int, errors: str) -> TextIO:
    """A file in the place of a standard stream."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, number)
    os.close(file)
    return open(number, "w", encoding="utf-8", errors=errors, closefd=False)


def code_of(process: ForkServerProcess, seconds: float = 120.0) -> int:
    """How a process ended; a negative number is the signal that ended it."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode is not None, "it did not end"
    return process.exitcode


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Running:
    """A command under way, to be signalled and waited for."""

    def __init__(self, process: ForkServerProcess, out: Path, err: Path) -> None:
        self._process, self._out, self._err = process, out, err

    @property
    def pid(self) -> int:
        """Its number, as long as it runs."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is no more."""
        return self._process.exitcode is not None

    @property
    def progress(self) -> str:
        """What it told on stderr until now."""
        return self._err.read_text("utf-8") if self._err.exists() else ""

    def send(self, number: int) -> None:
        """Send a signal; one that comes too late goes nowhere."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, seconds: float) -> Ended:
        """Wait for its end, for so many seconds at most."""
        return Ended(code_of(self._process, seconds), self._out.read_text("utf-8"), self._err.read_text("utf-8"))


@contextlib.contextmanager
def running(environment: Mapping[str, str], folder: Path, *arguments: str) -> Iterator[Running]:
    """A running `modelsync <arguments>`, which does not outlive the block."""
    with tempfile.TemporaryDirectory() as printed:
        out, err = Path(printed, "out"), Path(printed, "err")
        found = Running(start(environment, folder, arguments, out, err), out, err)
        try:
            yield found
        finally:
            found.send(signal.SIGKILL)
            found._process.join(20)
