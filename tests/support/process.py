"""Commands as processes of their own, forked off a server that has everything imported: a start takes hundredths of a second.

What begins is modelsync's own entry, with an environment, a folder and files of its own; it can be signalled, limited and killed.
"""

import functools
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TextIO

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
    raise SystemExit(cli.run(arguments))


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
