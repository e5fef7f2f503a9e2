"""A real shell that plays what documents show, in a folder of its own; `./run` and `modelsync` there are this program.

They are small programs that let `support.process` start the command: with their folder, environment, arguments and files.
"""

import ast
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from support import process
from support.cli import ROOT, ZONE, environment
from support.sync import execute

CALLED = """#!{python} -IS
import _socket, os, sys
there = _socket.socket(_socket.AF_UNIX)
there.connect({address!r})
there.sendall(repr((os.getpid(), os.getcwd(), dict(os.environ), sys.argv[1:])).encode() + b"\\n")
sys.exit(int(there.recv(16) or b"1"))
"""
"""What `./run` is: it starts in an instant, because it imports next to nothing."""

SCRIPT = """set -E -o pipefail
trap 'code=$?; echo "$code $BASH_COMMAND" >>{failures}' ERR
{block}
"""
"""A block as it is, and beside it a list of the commands that failed."""

STUB = """#!/bin/sh
echo "not run here: ${0##*/} $*"
[ "$*" != - ] || cat
"""


STUBS = {
    "apt-get": "would install a package",
    "crontab": "would change who runs this test; test_deploy.py runs the lines",
    "docker": "would fetch an image, and needs an engine; test_deploy_containers.py performs the files",
    "git": "would fetch; the new version is the one that is tested",
    "journalctl": "needs a running systemd",
    "kubectl": "needs a cluster; test_deploy_containers.py reads the file",
    "nginx": "would need to be root; test_deploy_proxies.py runs it where it is installed",
    "pip": "would install; test_environment.py makes an environment of a lock file",
    "su": "needs another user, and createuser asks at the terminal",
    "systemctl": "needs a running systemd; test_deploy.py has the units verified and run",
    "useradd": "would change this machine",
}
"""Programs that are not run, and why. Their commands are played all the same, up to the program itself."""


class Played(NamedTuple):
    """What a block printed, and which of its commands failed, each after its exit code."""

    printed: str
    failed: list[str]


class Commands:
    """Starts modelsync for the shells: one process a call, forked off a server that has everything imported."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "commands")
        self._running: list[ForkServerProcess] = []
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.address)
        self._socket.listen(16)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                caller, _ = self._socket.accept()
                threading.Thread(target=self._run, args=(caller,), daemon=True).start()

    def _run(self, caller: socket.socket) -> None:
        with caller, caller.makefile("rb") as told:
            number, folder, environment, arguments = ast.literal_eval(told.readline().decode())
            files = Path(f"/proc/{number}/fd")
            with self._lock:
                started = process.start(environment, Path(folder), arguments, files / "1", files / "2")
                self._running.append(started)
            started.join()
            caller.sendall(b"%d" % (started.exitcode or 0))

    def end(self) -> None:
        """End what is still running: servers in the background."""
        with self._lock:
            for each in self._running:
                each.terminate()
            while self._running:
                process.code_of(self._running.pop(), 20)

    def close(self) -> None:
        """No more commands."""
        self.end()
        self._socket.close()


@contextlib.contextmanager
def commands(folder: Path) -> Iterator[Commands]:
    """Commands for the shells of some folders."""
    made = Commands(folder)
    try:
        yield made
    finally:
        made.close()


class Shell:
    """A shell in a folder that looks like a checkout."""

    def __init__(self, folder: Path, commands: Commands, env: Mapping[str, str]) -> None:
        self.folder = folder
        self._commands = commands
        bin_ = folder / ".bin"
        bin_.mkdir(exist_ok=True)
        ours = CALLED.format(python=sys.executable, address=commands.address)
        programs = {folder / "run": ours, bin_ / "modelsync": ours, **{bin_ / name: STUB for name in STUBS}}
        for path, text in programs.items():
            path.write_text(text)
            path.chmod(0o755)
        for name in ("scripts", "deploy"):
            if not (folder / name).exists():
                (folder / name).symlink_to(ROOT / name)
        path = os.pathsep.join([str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.env = {"PATH": path, "HOME": str(folder), "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error", "LANG": "C.UTF-8"}
        self.env |= {"TZ": ZONE, "COLUMNS": "200", "NO_PROXY": "*", **env}

    def play(self, block: str) -> Played:
        """Play a block of commands, as they are, to their end."""
        printed, failures = self.folder / ".printed", self.folder / ".failures"
        for path in (printed, failures):
            path.write_bytes(b"")
        script = SCRIPT.format(failures=failures, block=block)
        with printed.open("ab") as out:  # no pipe: a server in the background would hold it open
            subprocess.run(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=240,
                check=False,
            )
        self._commands.end()
        return Played(words(printed.read_text("utf-8")), failures.read_text("utf-8").splitlines())


def words(text: str) -> str:
    """A text without the widths of its columns."""
    return re.sub(r"[ \n]+", " ", text)


def filled(folder: Path, simulator: Simulator, commands: Commands) -> None:
    """Put the keys into .env, and sync two days: the first eight days ago, the second three days ago.

    Only of the providers that have a sample in the package: what pages say of numbers is said of these.
    """
    keys = environment(folder, simulator)
    slugs = sorted(path.stem for path in (ROOT / "src" / "modelsync" / "simulator" / "samples").glob("*.json"))
    names = [provider.auth.variables[0] for provider in registry.load().values()] + ["GOOGLE_VERTEX_CREDENTIALS_JSON"]
    quoted = {name: f"'{keys[name]}'" if "{" in keys[name] else keys[name] for name in names}
    quoted["MODELSYNC_PROVIDERS"] = ",".join(slugs)
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in quoted.items()))
    shell = Shell(folder, commands, {"MODELSYNC_ORIGIN": simulator.origin})
    for day, days_ago in enumerate((8, 3)):
        simulator.set_day(day)
        assert f"{len(slugs)} of {len(slugs)} providers up to date" in shell.play("./run sync").printed
        at = f"{datetime.now(UTC) - timedelta(days=days_ago):%Y-%m-%dT%H:%M:%S.%fZ}"
        execute(catalog_in(folder), f"UPDATE model_changes SET changed_at = '{at}' WHERE run_id = {day + 1}")
    ends = f"{datetime.now(UTC) + timedelta(days=16):%Y-%m-%dT00:00:00.000000Z}"
    execute(catalog_in(folder), f"UPDATE models SET expires_at = '{ends}' WHERE provider_model_id LIKE '%quill-v2p1'")


def catalog_in(folder: Path) -> str:
    """The address of the catalog that commands in a folder use."""
    return f"sqlite:///{folder}/modelsync.db"
