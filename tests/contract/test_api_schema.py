"""The REST API against its own OpenAPI document, by schemathesis: no answer that is not documented, no bad request that gets through."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelsync.simulator.server import Simulator
from support.api import ADMIN, Served, serving
from support.cli import ROOT
from support.soak import note_figures

CONFIG = ROOT / "tests" / "schemathesis.toml"
HOOKS = ROOT / "tests" / "schemathesis_hooks.py"
SOAK_EXAMPLES = os.environ.get("SOAK_API_EXAMPLES", "100")


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator):
    with serving(tmp_path, database_url, simulator) as found:
        assert found.admin.post("/admin/model-sync/all").status_code == 200
        yield found


PHASES = "examples,coverage,fuzzing,stateful"
FEWER = "examples,fuzzing"
"""What Postgres is asked in `./run test`: what a request may be is the same on both, and only the answers come from elsewhere."""


def tried(served: Served, folder: Path, *more: str, phases: str = PHASES) -> str:
    """What schemathesis says of these phases and all its checks."""
    command = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIG), "--no-color", "run"]
    chosen = ["--checks", "all", "--phases", phases, "--continue-on-failure", *more]
    key = ["--header", f"Authorization: Bearer {ADMIN}"]
    asked = [*command, f"{served.base}/openapi.json", *key, *chosen]
    env = {**os.environ, "SCHEMATHESIS_HOOKS": HOOKS.stem, "PYTHONPATH": str(HOOKS.parent)}
    done = subprocess.run(asked, cwd=folder, env=env, capture_output=True, text=True, timeout=1800, check=False)
    log = served.log.read_text("utf-8")
    assert done.returncode == 0, done.stdout[done.stdout.find("= FAILURES =") :][:8000] + done.stderr[-2000:]
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    return done.stdout


def test_every_answer_is_as_documented(served: Served, tmp_path: Path, database_url: str):
    phases = PHASES if database_url.startswith("sqlite") else FEWER
    found = tried(served, tmp_path, "--max-examples", "1", "--generation-deterministic", phases=phases)
    assert re.search(r"Operations:\s+Selected: (\d+)/\1\s+Tested: \1\b", found), found


@pytest.mark.soak
def test_every_answer_is_as_documented_for_long(served: Served, tmp_path: Path, database_url: str):
    found = tried(served, tmp_path, "--max-examples", SOAK_EXAMPLES)
    cases = re.search(r"(\d[\d,]*) generated, (\d[\d,]*) passed", found)
    assert cases, found[-3000:]
    number = int(cases[1].replace(",", ""))
    note_figures("REST API", database=database_url.partition(":")[0].replace("postgresql", "postgres"), requests=number, failures=0)
