"""./run mutate on a tiny package: a weak test lets faults survive, a strong one none; and the tree is left as it was, whatever happens."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "mutate.py"
FILE = "src/tiny/limit.py"
MODULE = "def fits(size, most):\n    return 0 < size <= most\n"
WEAK = "from tiny.limit import fits\n\ndef test_fits():\n    assert fits(2, 4)\n    assert not fits(5, 4)\n"
STRONG = WEAK + "    assert fits(1, 1)\n    assert not fits(0, 1)\n"
SURVIVORS = [
    "fits: return 0 < size <= most → return (-1) < size <= most",
    "fits: return 0 < size <= most → return (0 < size < most)",
    "fits: return 0 < size <= most → return (0 <= size <= most)",
    "fits: return 0 < size <= most → return (1) < size <= most",
]


class Tree:
    """A package with one module and one test, and a place for copies."""

    def __init__(self, folder: Path) -> None:
        self.root, self.copies, self.report, self.equivalents = (folder / name for name in ("tree", "tmp", "report", "equivalents.toml"))
        self.copies.mkdir()
        self.write("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["src"]\nmarkers = ["soak: long"]\n')
        self.write("src/tiny/__init__.py", "")
        self.write(FILE, MODULE)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def begin(self, *arguments: str, **more: object) -> "subprocess.Popen[str]":
        options = ("--root", self.root, "--jobs", "1", "--report", self.report, "--equivalents", self.equivalents)
        env = {**os.environ, "TMPDIR": str(self.copies)}
        command = [sys.executable, SCRIPT, FILE, *options, *arguments]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)  # type: ignore[call-overload]

    def run(self, *arguments: str) -> tuple[int, str, dict[str, object]]:
        """The exit code, what was printed, and the figures."""
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out + err, json.loads(self.report.read_text()).get(FILE, {})

    def files(self) -> dict[str, str]:
        """Every file of the tree, but for what is known already."""
        found = (path for path in self.root.rglob("*") if path.is_file() and ".mutate" not in path.parts)
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_weak_test_has_survivors_and_a_stronger_one_has_none(tree):
    tree.write("tests/test_limit.py", WEAK)
    before = tree.files()
    code, printed, told = tree.run()
    assert code == 1
    assert (told["mutants"], told["tried"], told["noticed"], told["survivors"]) == (5, 5, 1, SURVIVORS)
    assert f"{FILE}:2 in fits, after 1 tests\n- return 0 < size <= most\n+ return (0 < size < most)\n" in printed
    assert tree.files() == before
    assert list(tree.copies.iterdir()) == []
    # What is known is not tried again, until a test changes; then it is what survived.
    code, printed, again = tree.run()
    assert (code, again) == (1, told)
    assert "0 mutants of 1 files to try" in printed
    tree.write("tests/test_limit.py", STRONG)
    code, printed, told = tree.run()
    assert "4 mutants of 1 files to try" in printed
    assert (code, told["tried"], told["noticed"], told["survivors"]) == (0, 5, 5, [])
    assert "100.0%" in printed
    # The word of a test that is gone counts no more.
    tree.write("tests/test_limit.py", STRONG.replace("test_fits", "test_it_fits"))
    assert "5 mutants of 1 files to try" in tree.run()[1]


def test_what_a_test_does_in_another_process_counts(tree):
    begin = "import subprocess, sys, pathlib\n\nSRC = str(pathlib.Path(__file__).parents[1] / 'src')\n\n"
    call = "from tiny.limit import fits; sys.exit(not (fits(1, 1) and fits(2, 3) and not fits(0, 1) and not fits(5, 4)))"
    run = f"subprocess.run([sys.executable, '-c', 'import sys; {call}'], env={{'PYTHONPATH': SRC}})"
    tree.write("tests/test_limit.py", f"{begin}def test_fits():\n    assert {run}.returncode == 0\n")
    code, _, told = tree.run()
    assert (code, told["tried"], told["survivors"]) == (0, 5, [])


def test_a_mutant_is_put_to_the_tests_that_call_it_and_code_that_none_calls_survives(tree):
    tree.write(FILE, MODULE + "\n\ndef unused(a):\n    return a\n")
    tree.write("tests/test_limit.py", STRONG)
    tree.write("tests/test_other.py", "def test_other():\n    assert True\n")
    code, printed, told = tree.run()
    assert (code, told["survivors"]) == (1, ["unused: return a → return None"])
    assert "in unused, which no test calls" in printed


def test_equivalents_are_not_tried_and_stale_ones_are_told(tree):
    tree.write("tests/test_limit.py", WEAK)
    listed = [*SURVIVORS, "gone: return a → return None"]
    tree.equivalents.write_text("".join(f'[[equivalent]]\nfile = "{FILE}"\nmutant = "{key}"\nreason = "known"\n' for key in listed))
    code, printed, told = tree.run()
    assert (code, told["mutants"], told["equivalent"], told["tried"], told["noticed"]) == (0, 5, 4, 1, 1)
    assert f"An equivalent that is no mutant any more: {FILE}: gone: return a → return None" in printed


def test_a_mutant_that_never_ends_is_noticed_by_the_time_and_one_that_cannot_be_imported_is_none(tree):
    tree.write(FILE, "STEP = int(1 * '1')\n\n\ndef down(n):\n    while n > 0:\n        n -= STEP\n    return n\n")
    tree.write("tests/test_limit.py", "from tiny.limit import down\n\ndef test_down():\n    assert down(3) == 0\n")
    _, _, told = tree.run("--start", "3")
    # STEP: 1 / '1' cannot be imported; 2 * '1' is 11, 0 * '1' is no number. down: >=, 1, -1, pass (never ends), None.
    assert (told["mutants"], told["tried"], told["noticed"], told["survivors"]) == (6, 6, 6, [])


def test_a_sample_is_the_same_each_time_and_grows(tree):
    tree.write("tests/test_limit.py", WEAK)
    _, printed, told = tree.run("--only", "2")
    assert told["tried"] == 2
    assert "2 mutants of 1 files to try" in printed
    _, printed, more = tree.run("--only", "3")
    assert more["tried"] == 3
    assert "\n1 mutants of 1 files to try" in "\n" + printed
    assert set(told["survivors"]) <= set(more["survivors"])
    assert tree.run("--seconds", "0")[2]["tried"] == 3


def test_a_test_that_fails_without_a_fault_notices_nothing(tree):
    """It passed while calls were noted, and fails from then on."""
    marker = tree.root.parent / "ran"
    flaky = f"import pathlib\n\ndef test_flaky():\n    assert fits(1, 1) is True\n    path = pathlib.Path({str(marker)!r})\n"
    tree.write("tests/test_limit.py", f"from tiny.limit import fits\n{flaky}    assert not path.exists()\n    path.touch()\n")
    _, printed, told = tree.run()
    assert "tests/test_limit.py::test_flaky fails without a fault, too: what it noticed counts no more" in printed
    assert told == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_behind_and_goes_on_later(tree, number):
    tree.write("tests/test_limit.py", STRONG + "    __import__('time').sleep(3)\n")
    before = tree.files()
    process = tree.begin()
    line = ""
    while "mutants of 1 files to try" not in line:
        line = process.stderr.readline()
        assert line, process.stdout.read()
    time.sleep(1.5)  # a mutant is in a copy now
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert tree.files() == before
    assert list(tree.copies.iterdir()) == []
    left = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tree.copies) not in left
    tree.write("tests/test_limit.py", STRONG)
    assert tree.run()[2]["survivors"] == []
