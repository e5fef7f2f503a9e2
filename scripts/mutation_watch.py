"""Which function is called for which test: `./run mutate` puts this into copies of the tree, as `sitecustomize` of every process there.

Each call is noted as soon as it is made, because tests kill processes. The files are in the folder `.watched` of the copy; `now` says what
is going on: the test that runs, or one of the words below.
"""

import contextlib
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

IMPORTING, SETTING_UP = "*importing", "*setting up"
"""Stand in the place of a test for what is called for all tests of a file."""

SOURCE = Path(__file__).resolve().parent
FOLDER = SOURCE.parent / ".watched"
IS_FUNCTION = 1  # inspect.CO_OPTIMIZED; the bodies of modules and classes do not have it

_files: dict[str, str | None] = {}
_seen: set[tuple[str, str]] = set()


def begin() -> None:
    """Watch this process, its threads and the children it forks."""
    os.register_at_fork(after_in_child=_seen.clear)
    threading.settrace(_called)
    sys.settrace(_called)


def going_on(what: str) -> None:
    """From now on, calls are made for this."""
    (FOLDER / "now").write_text(what, "utf-8")
    _seen.clear()


def _called(frame: FrameType, _event: str, _argument: Any) -> None:
    code = frame.f_code
    try:
        file = _files[code.co_filename]
    except KeyError:
        path = Path(code.co_filename)
        mine = path.is_relative_to(SOURCE) and path.parent != SOURCE
        file = _files[code.co_filename] = path.relative_to(SOURCE.parent).as_posix() if mine else None
    if file is None or not code.co_flags & IS_FUNCTION:
        return
    call = (file, code.co_qualname.partition(".<locals>")[0])
    if call not in _seen:
        _seen.add(call)
        with contextlib.suppress(OSError):  # a test may have taken away the right to write
            _note("\t".join([(FOLDER / "now").read_text("utf-8"), *call]))


def _note(line: str) -> None:
    handle = os.open(FOLDER / "calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)
