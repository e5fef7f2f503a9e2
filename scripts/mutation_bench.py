"""Where mutants are tried: copies of the tree, in which tests run with a time limit. Nothing here writes into the tree that is copied."""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
LEFT_OUT = (".git", ".venv*", ".environments", "__pycache__", ".mutate", ".hypothesis", ".*_cache", "*.db", "*.log", "dist")
PATIENCE = 10.0
"""Seconds that tests have for taking down what they started, before they are killed."""


class Ended(NamedTuple):
    """How a run of tests ended: pytest's code (None: not within the time), the tests that failed, and each test's seconds."""

    code: int | None
    failed: list[str]
    seconds: dict[str, float | None]


class Bench:
    """One copy of the tree."""

    def __init__(self, tree: Path, environment: dict[str, str]) -> None:
        self.tree = tree
        self.notes = tree / ".watched"
        self._environment = environment

    async def run(self, files: Sequence[str], limit: float, only: Sequence[str] | None = None, *, first: bool = False) -> Ended:
        """Run test files, or `only` some of their tests, at most `limit` seconds; up to the `first` failure."""
        shutil.rmtree(self.notes, ignore_errors=True)
        self.notes.mkdir()
        if only is not None:
            (self.notes / "only").write_text(json.dumps(list(only)), "utf-8")
        options = ["-q", "-p", "no:cacheprovider", "-p", "mutation_plugin", "-m", "not soak", *(["-x"] if first else [])]
        with (self.notes / "printed").open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pytest", *options, *files),
                cwd=self.tree,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            code = await _within(process, limit)
        failed, seconds = self.notes / "failed", self.notes / "seconds"
        return Ended(
            code,
            failed.read_text("utf-8").splitlines() if failed.exists() else [],
            json.loads(seconds.read_text("utf-8")) if seconds.exists() else {},
        )

    @contextlib.contextmanager
    def holding(self, file: str, text: str) -> Iterator[None]:
        """With another text in the place of a file, in this copy."""
        path = self.tree / file
        original = path.read_bytes()
        try:
            _write(path, text.encode())
            yield
        finally:
            _write(path, original)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """With every process noting which functions are called."""
        begin = self.tree / "src" / "sitecustomize.py"
        begin.write_text("import mutation_watch\n\nmutation_watch.begin()\n", "utf-8")
        try:
            yield
        finally:
            begin.unlink()

    def calls(self) -> Iterator[tuple[str, str, str]]:
        """What was called: the test, or what else was going on; the file; the function."""
        path = self.notes / "calls"
        for line in path.read_text("utf-8").splitlines() if path.exists() else []:
            test, file, function = line.split("\t")
            yield test, file, function


async def _within(process: asyncio.subprocess.Process, limit: float) -> int | None:
    """The code it ends with; None when it took too long. However this ends, it and its children have ended."""
    try:
        async with asyncio.timeout(limit):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(TimeoutError, ProcessLookupError):
                process.send_signal(signal.SIGINT)
                await asyncio.shield(asyncio.wait_for(process.wait(), PATIENCE))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _write(path: Path, content: bytes) -> None:
    """Write it; and forget what was compiled, as Python compares only seconds and sizes."""
    path.write_bytes(content)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


@contextlib.contextmanager
def benches(root: Path, count: int) -> Iterator[list[Bench]]:
    """Copies of the tree, gone at the end, with one Postgres server for all when the tree's tests know how to start it."""
    with tempfile.TemporaryDirectory(prefix="modelsync-mutate-", ignore_cleanup_errors=True) as folder, _postgres(root) as address:
        made = []
        for number in range(count):
            tree, home = Path(folder, str(number), "tree"), Path(folder, str(number), "home")
            shutil.copytree(root, tree, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
            home.mkdir()
            for helper in ("mutation_watch.py", "mutation_plugin.py"):
                shutil.copy(HERE / helper, tree / "src" / helper)
            known = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
            own = {"HOME": str(home), "PYTHONPATH": str(tree / "src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            made.append(Bench(tree, {**known, **own, **({"MODELSYNC_TEST_POSTGRES": address} if address else {})}))
        yield made


@contextlib.contextmanager
def _postgres(root: Path) -> Iterator[str | None]:
    spec = importlib.util.spec_from_file_location("postgres", root / "tests" / "support" / "postgres.py")
    if spec is None or spec.loader is None or not (root / "tests" / "support" / "postgres.py").exists():
        yield None
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.server() as address:
        yield address
