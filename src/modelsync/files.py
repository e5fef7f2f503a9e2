"""Files that this program makes: nobody but their owner reads them, and each is there as a whole or not at all."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

OURS = 0o600
"""The mode of a new file. One that exists keeps its own."""


def claim(path: Path) -> None:
    """An empty file of our own. FileExistsError when something is there."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OURS))


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they do not exist."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)


def write(path: Path, data: bytes) -> None:
    """Write a file beside `path` and rename it to that: an older one stays until then, and stays when that fails (OSError)."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=".modelsync.", suffix=".partial", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        keep_mode(target, Path(name))
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def keep_mode(old: Path, new: Path) -> None:
    """Give a file the mode of the one that it is to replace, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        new.chmod(stat.S_IMODE(old.stat().st_mode))
