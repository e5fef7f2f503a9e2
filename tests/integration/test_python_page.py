"""docs/python.md: every example is run, in order, against the simulator; the one for notebooks in a real kernel."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelsync.simulator.server import Simulator
from support import cli
from support.sync import table

PAGE = (cli.ROOT / "docs" / "python.md").read_text("utf-8")
NOTEBOOK = "## In a notebook\n"


def examples(text: str) -> list[tuple[str, str | None]]:
    """Each Python block, and what the page says that it prints."""
    found = re.findall(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```$)?", text, re.MULTILINE | re.DOTALL)
    return [(code, printed or None) for code, printed in found]


def parts() -> tuple[list[tuple[str, str | None]], list[tuple[str, str | None]]]:
    """The examples for programs, and those for notebooks."""
    before, notebook, after = re.split(rf"(?<=\n)(?={NOTEBOOK})|(?<=\n)(?=## Errors\n)", PAGE)
    return examples(before) + examples(after), examples(notebook)


RUNNER = """
import contextlib, io, json
space = {"__name__": "__main__"}
printed = []
for number, code in enumerate(EXAMPLES):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, f"example {number}", "exec"), space)
    printed.append(out.getvalue())
print(json.dumps(printed))
"""


def test_every_example_prints_what_the_page_says(simulator: Simulator, tmp_path: Path) -> None:
    programs, notebooks = parts()
    assert len(programs) + len(notebooks) == PAGE.count("```python\n")
    script = tmp_path / "runner.py"
    script.write_text(RUNNER.replace("EXAMPLES", repr([code for code, _ in programs])))
    done = cli.run_python(tmp_path, str(script), env=cli.environment(tmp_path, simulator))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [printed for _, printed in programs]


class Kernel:
    """A running kernel, which is told code as a notebook's cells."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        self._client = manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def begin(self, code: str) -> None:
        """Let a cell begin."""
        self._client.execute(code)

    def printed(self) -> str:
        """What the cell printed when it has ended, and the error that ended it."""
        said = ""
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                said += content["text"]
            elif message["msg_type"] == "error":
                said += f"{content['ename']}: {content['evalue']}"
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return said

    def cell(self, code: str) -> str:
        """What a cell prints."""
        self.begin(code)
        return self.printed()

    def close(self) -> None:
        """No more cells."""
        self._client.stop_channels()


@pytest.fixture
def kernel(simulator: Simulator, tmp_path: Path) -> Iterator[Kernel]:
    """A Jupyter kernel in a folder of its own, set to the simulator."""
    pytest.importorskip("ipykernel")
    client = pytest.importorskip("jupyter_client")
    manager = client.KernelManager(kernel_name="python3")
    env = cli.environment(tmp_path, simulator) | {"IPYTHONDIR": str(tmp_path / "ipython"), "PYTHONWARNINGS": ""}  # Jupyter's are not ours
    manager.start_kernel(env=env, cwd=str(tmp_path))
    try:
        running = Kernel(manager)
        yield running
        running.close()
    finally:
        manager.shutdown_kernel(now=True)


def runs(folder: Path) -> list[str]:
    return [run["status"] for run in table(f"sqlite:///{folder}/modelsync.db", "sync_runs")]


def test_the_example_for_notebooks_runs_in_a_kernel(kernel: Kernel, tmp_path: Path) -> None:
    _, [(code, printed)] = parts()
    assert kernel.cell(code) == printed
    assert "UsageError" in (refused := kernel.cell("modelsync.sync_provider_models('groq')"))
    assert "Write await modelsync.aio.sync_provider_models(…)" in refused
    assert kernel.cell("with modelsync.Catalog() as catalog: print(len(catalog.models()))") == "10\n"
    assert runs(tmp_path) == ["succeeded"]


def test_an_interrupted_cell_leaves_nothing_under_way(kernel: Kernel, simulator: Simulator, tmp_path: Path) -> None:
    simulator.add_fault("openrouter", "delay", seconds=30)
    kernel.begin("import modelsync; await modelsync.aio.sync_provider_models('openrouter')")
    ends_at = time.monotonic() + 30
    while not simulator.requests("openrouter"):
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    kernel.manager.interrupt_kernel()
    assert kernel.printed().startswith(("CancelledError", "KeyboardInterrupt"))
    assert runs(tmp_path) == ["cancelled"]
