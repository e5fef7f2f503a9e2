"""Which tests call which function, noted once for each test file and kept in `.mutate/calls`. Functions are told by name, not by line."""

import asyncio
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from mutants import MODULE
from mutation_bench import Bench
from mutation_watch import IMPORTING, SETTING_UP

QUICK = 5.0
"""Seconds of tests that are tried before all others."""

LONGEST = 1200.0
"""Seconds for a test file that is watched."""


class Chosen(NamedTuple):
    """Tests that may notice a fault, in the order in which they are tried, with their seconds; and how many there are in all."""

    tests: dict[str, float]
    of: int

    def parts(self) -> Iterator[dict[str, float]]:
        """The first seconds' worth of tests, and the others."""
        passed, quick, slow = 0.0, {}, {}
        for name, seconds in self.tests.items():
            passed += seconds
            (quick if passed <= QUICK or not quick else slow)[name] = seconds
        yield from (part for part in (quick, slow) if part)

    def told(self) -> str:
        """How many tests saw nothing."""
        if not self.of:
            return "which no test calls"
        return f"after {len(self.tests):,} tests" + (f" of the {self.of:,} that call it" if len(self.tests) < self.of else "")


class Map:
    """What each test file calls."""

    def __init__(self, root: Path, roots: Sequence[str]) -> None:
        self._folder = root / ".mutate" / "calls"
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = [root / name for name in roots]
        found = [file for path in paths for file in (path.rglob("test_*.py") if path.is_dir() else [path])]
        self._files = {file.relative_to(root).as_posix(): self._kept(file) for file in sorted(found)}

    def _kept(self, file: Path) -> Path:
        """Where it is kept what a test file, as it is now, calls."""
        return self._folder / f"{file.stem}-{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}.json"

    async def complete(self, made: Sequence[Bench], say: Callable[[str], None], until: float) -> None:
        """Watch every test file that has not been."""
        queue = iter([file for file, kept in self._files.items() if not kept.exists()])

        async def at(bench: Bench) -> None:
            for file in queue:
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    return
                say(f"watching {file} …\n")
                with bench.watched():
                    ended = await bench.run([file], min(LONGEST, left))
                if ended.code in (0, 1):
                    self._files[file].write_text(json.dumps(noted(bench, ended.seconds)), "utf-8")
                else:
                    say(f"{file} cannot be used: pytest's end {ended.code}\n")

        async with asyncio.TaskGroup() as group:
            for bench in made:
                group.create_task(at(bench))

    @functools.cached_property
    def _known(self) -> list[dict[str, Any]]:
        return [json.loads(kept.read_text("utf-8")) for kept in self._files.values() if kept.exists()]

    def covering(self, file: str, function: str, budget: float) -> Chosen:
        """The tests that call a function, or anything of the file when the fault is in no function; up to `budget` seconds of them.

        Those that call it themselves come before those whose fixtures do, and these before those that only import what calls it.
        """
        ranked: list[tuple[int, float, str]] = []
        for known in self._known:
            functions = known["calls"].get(file, {})
            called = set(functions.get(function, ()) if is_function(function) else chain.from_iterable(functions.values()))
            for name, seconds in known["tests"].items():
                ranks = [rank for rank, caller in enumerate((name, SETTING_UP, IMPORTING)) if caller in called]
                ranked += [(rank, seconds, name) for rank in ranks[:1]]
        tests: dict[str, float] = {}
        total = 0.0
        for _, seconds, name in sorted(ranked):
            if total + seconds <= budget or not tests:
                tests[name] = seconds
                total += seconds
        return Chosen(tests, len(ranked))


def is_function(name: str) -> bool:
    """Whether this is the name of a function, and not of a class or module."""
    return name.rpartition(".")[2].strip("_<")[:1].islower() and name != MODULE


def noted(bench: Bench, seconds: dict[str, float | None]) -> dict[str, Any]:
    """The tests that passed, and what was called for which."""
    calls: dict[str, dict[str, list[str]]] = {}
    for test, file, function in sorted(set(bench.calls())):
        calls.setdefault(file, {}).setdefault(function, []).append(test)
    return {"tests": {name: time for name, time in seconds.items() if time is not None}, "calls": calls}
