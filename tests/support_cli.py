"""Running modelsync as a user does: as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from modelsync.registry import all_providers
from modelsync.simulator.server import Simulator

ROOT = Path(__file__).resolve().parent.parent


def environment(folder: Path, simulator: Simulator | None = None, **more: str) -> dict[str, str]:
    """A clean environment, with the simulator's keys when there is one."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "error", "LANG": "C.UTF-8"}
    if simulator:
        env |= {provider.auth.variables[0]: simulator.key(slug).removeprefix("Key ") for slug, provider in all_providers().items()}
        env |= {"GOOGLE_VERTEX_CREDENTIALS_JSON": simulator.service_account(), "MODELSYNC_ORIGIN": simulator.origin}
    return env | more


def run(folder: Path, *arguments: str, env: dict[str, str], script: bool = False) -> "subprocess.CompletedProcess[str]":
    """`modelsync <arguments>` (or scripts/sync_models.py) in `folder`."""
    command = [sys.executable, str(ROOT / "scripts" / "sync_models.py")] if script else [sys.executable, "-m", "modelsync"]
    return subprocess.run([*command, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def run_json(folder: Path, *arguments: str, env: dict[str, str]) -> Any:
    """The JSON document that a command prints."""
    done = run(folder, *arguments, "--json", env=env)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
