"""One environment of ./run, built aside and put in place whole: `environment.py FOLDER LOCK`.

It needs nothing but Python. Each is built where it stays, in .environments/, and FOLDER is a link to it: what ./run started goes on in the
one before, and a build that fails leaves that in place. Only one is built at a time.
"""

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import venv
from errno import EACCES, EPERM, EROFS
from pathlib import Path
from typing import TextIO


def main(name: str, lock: str) -> None:
    """Let the link `name` be to an environment with exactly what the file `lock` says, beside each other in the checkout."""
    root = Path(__file__).resolve().parent.parent
    link, wanted = root / name, (root / lock).read_bytes()
    home = root / ".environments"
    home.mkdir(exist_ok=True)
    with (home / f"{name}.lock").open("w") as mine:
        _take(mine, name)
        folder = home / f"{name.strip('.')}-{hashlib.sha256(wanted).hexdigest()[:12]}"
        if not _is_whole(folder, wanted):
            _build(link, folder, wanted, mine)
        _point(link, folder)


def _take(mine: TextIO, name: str) -> None:
    try:
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(f"another ./run is setting up {name}; waiting for it …")
        fcntl.flock(mine, fcntl.LOCK_EX)


def _is_whole(folder: Path, wanted: bytes) -> bool:
    stamp = folder / ".installed"
    return (folder / "bin" / "python").exists() and stamp.is_file() and stamp.read_bytes() == wanted


def _build(link: Path, folder: Path, wanted: bytes, mine: TextIO) -> None:
    _say(f"setting up {link.name} (once) …")
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"run: {sys.executable} comes without venv: on Debian and Ubuntu `apt install python3-venv` brings it. Then call ./run again"
        )
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True, symlinks=True)
        (folder / "lock.txt").write_bytes(wanted)  # the file itself may be another one by the time pip reads it
        _pip(folder, mine, "install", "--quiet", "--require-hashes", "-r", str(folder / "lock.txt"))
        _pip(folder, mine, "check", "--quiet")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, subprocess.CalledProcessError):
            sys.stderr.write((error.output or b"").decode(errors="replace"))  # ensurepip's; pip has spoken already
            sys.exit(f"run: {link.name} could not be set up: {_left(link)}")
        raise
    (folder / "lock.txt").rename(folder / ".installed")


def _pip(folder: Path, mine: TextIO, *arguments: str) -> None:
    """Run pip. It holds the lock as well, for when this process is killed, and sees no packages of its caller's (-I)."""
    command = [str(folder / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check", *arguments]
    subprocess.run(command, stdout=sys.stderr, check=True, pass_fds=(mine.fileno(),))


def _left(link: Path) -> str:
    stays = "the one before stays as it was" if link.exists() else "there was none before"
    return f"pip said why above; {stays}. Call ./run again once that is mended; it installs from the package index that pip is set to"


def _point(link: Path, folder: Path) -> None:
    """Let the link be to this folder, in one step. The one before stays, and a folder in its place, as there was once, is put aside."""
    if link.is_dir() and not link.is_symlink():
        aside = folder.parent / f"{link.name.strip('.')}-{'0' * 12}"
        shutil.rmtree(aside, ignore_errors=True)
        link.rename(aside)
    before = link.resolve()
    new = link.with_name(f"{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(folder.relative_to(link.parent))
    new.replace(link)
    if before != folder:
        for old in folder.parent.glob(f"{link.name.strip('.')}-{'[0-9a-f]' * 12}"):
            if old not in (folder, before):
                shutil.rmtree(old, ignore_errors=True)


def _say(what: str) -> None:
    sys.stderr.write(f"run: {what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as problem:
        what = f"{problem.filename or 'an environment'}: {problem.strerror}"
        hint = (
            "Let the owner of the checkout call ./run once"
            if problem.errno in (EACCES, EPERM, EROFS)
            else "Mend that, and call ./run again"
        )
        sys.exit(f"run: the environment cannot be set up: {what}. {hint}; nothing else was changed")
