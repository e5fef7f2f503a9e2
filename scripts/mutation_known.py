"""What `./run mutate` knows already: verdicts, in `.mutate/verdicts.jsonl`; and the kept list of mutants that change nothing."""

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mutants import Mutant, mutants


class Verdict(NamedTuple):
    """What came of a mutant, and by which test, or why. A stillborn one could not even be imported, and does not count."""

    kind: Literal["noticed", "survived", "stillborn", "unjudged"]
    by: str


def digest(text: str) -> str:
    """A short name for just this text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Known:
    """Verdicts on mutants of files as they are now, written down one by one.

    Those on survivors hold as long as no test changes, the others as long as there is a test of the name that noticed.
    """

    def __init__(self, root: Path, texts: dict[str, str]) -> None:
        self._path = root / ".mutate" / "verdicts.jsonl"
        self._path.parent.mkdir(exist_ok=True)
        self._of = {file: digest(text) for file, text in texts.items()}
        tests = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in sorted((root / "tests").rglob("*.py"))}
        self._tests = digest("".join(tests.values()))
        self._test_names = {f"{file}::{name}" for file, text in tests.items() for name in re.findall(r"def (test_\w+)", text)}
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in lines]
        self._verdicts: dict[tuple[str, str], dict[str, Any]] = {}
        for line in self.lines:
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        if line["of"] == self._of.get(line["file"]):
            self._verdicts[line["file"], line["key"]] = line

    def of(self, file: str, mutant: Mutant) -> Verdict | None:
        """The verdict on a mutant, if there is one."""
        line = self._verdicts.get((file, mutant.key))
        if line is None or line["kind"] == "unjudged" or not self._stands(line):
            return None
        return Verdict(line["kind"], line["by"])

    def _stands(self, line: dict[str, Any]) -> bool:
        file, separator, name = line["by"].partition("[")[0].partition("::")
        return line["kind"] != "noticed" or not separator or f"{file}::{name.rpartition('::')[2]}" in self._test_names

    def is_open(self, file: str, mutant: Mutant, *, again: bool) -> bool:
        """Whether it is to be tried."""
        verdict = self.of(file, mutant)
        if verdict is None:
            return True
        return verdict.kind == "survived" and (again or self._verdicts[file, mutant.key]["tests"] != self._tests)

    def add(self, file: str, mutant: Mutant, verdict: Verdict) -> None:
        """Write a verdict down."""
        self._write({"file": file, "of": self._of[file], "key": mutant.key, "tests": self._tests, "kind": verdict.kind, "by": verdict.by})

    def _write(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        self._take(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def noticing(self, since: int) -> set[str]:
        """The tests whose word verdicts since a line rest on."""
        return {line["by"] for line in self.lines[since:] if line["kind"] == "noticed"}

    def take_back(self, test: str) -> None:
        """What this test noticed is not known any more."""
        for line in [line for line in self._verdicts.values() if line["kind"] == "noticed" and line["by"] == test]:
            self._write({**line, "kind": "unjudged"})


class Equivalents:
    """The mutants that change nothing anybody could see, each with the reason. They are told by their function and text, not by lines."""

    def __init__(self, path: Path) -> None:
        listed = tomllib.loads(path.read_text("utf-8"))["equivalent"] if path.exists() else []
        self.reasons = {(one["file"], one["mutant"]): one["reason"] for one in listed}

    def has(self, file: str, mutant: Mutant) -> bool:
        """Whether a mutant is one of them."""
        return (file, mutant.key) in self.reasons

    def stale(self, texts: dict[str, str]) -> list[str]:
        """Those that are no mutants of these files any more."""
        present = {(file, mutant.key) for file, text in texts.items() for mutant in mutants(text)}
        return [f"{file}: {key}" for file, key in self.reasons if file in texts and (file, key) not in present]
