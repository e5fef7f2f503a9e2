"""Running modelsync as a user does: as a process of its own, in a clean environment."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from support.process import code_of, start

ROOT = Path(__file__).resolve().parents[2]


ZONE = "NPT-5:45"
"""Where all tests run, in words that need no tables of zones: far from UTC, so that no time is right only by chance."""


def environment(folder: Path, simulator: Simulator | None = None, **more: str) -> dict[str, str]:
    """A clean environment, with the simulator's keys when there is one."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error"}
    env |= {"LANG": "C.UTF-8", "TZ": ZONE}
    if simulator:
        env |= {provider.auth.variables[0]: simulator.key(slug).removeprefix("Key ") for slug, provider in registry.load().items()}
        env |= {"GOOGLE_VERTEX_CREDENTIALS_JSON": simulator.service_account(), "MODELSYNC_ORIGIN": simulator.origin}
    return env | more


def run(
    folder: Path, *arguments: str, env: Mapping[str, str], first: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[str]":
    """`modelsync <arguments>` in `folder`; `first` is called in the process before."""
    with tempfile.TemporaryDirectory() as printed:
        out, err = Path(printed, "out"), Path(printed, "err")
        code = code_of(start(env, folder, arguments, out, err, first))
        return subprocess.CompletedProcess(arguments, code, *(path.read_text("utf-8") for path in (out, err)))


def run_python(folder: Path, *arguments: str, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """`python <arguments>` in `folder`: from the very beginning."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def run_json(folder: Path, *arguments: str, env: Mapping[str, str]) -> Any:
    """The JSON document that a command prints."""
    done = run(folder, *arguments, "--json", env=env)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
