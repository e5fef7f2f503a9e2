"""`./run` sets itself up: aside, once for all who call it together, and what is there stays until the new one works."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import ROOT

LOCK = "requirements.txt"
MEND = "Mend that, and call ./run again; nothing else was changed"


def checkout_in(folder: Path) -> Path:
    """A checkout of a program that says where it runs, and that needs no package."""
    for name in ("run", "scripts/environment.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "src" / "modelsync").mkdir(parents=True)
    (folder / "src" / "modelsync" / "__main__.py").write_text("import sys; print(sys.prefix)\n")
    (folder / LOCK).write_text("")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One that was never set up."""
    return checkout_in(tmp_path)


@pytest.fixture(scope="module")
def first_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that was set up once: each time takes seconds, and most of these tests begin after it."""
    checkout = checkout_in(tmp_path_factory.mktemp("set-up"))
    assert run(checkout)[0] == 0
    return checkout


@pytest.fixture
def set_up(first_environment: Path, tmp_path: Path) -> Path:
    """A checkout of its own that is set up."""
    return Path(shutil.copytree(first_environment, tmp_path / "checkout", symlinks=True))


def start(checkout: Path) -> "subprocess.Popen[str]":
    env = {"PATH": os.environ["PATH"], "PYTHON": sys.executable}
    return subprocess.Popen(["sh", checkout / "run", "x"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(checkout: Path) -> tuple[int, str, str]:
    process = start(checkout)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_it_works_from_any_folder_and_through_a_link(set_up: Path, tmp_path_factory: pytest.TempPathFactory):
    """Paths that are typed are the caller's, `.env` and the catalog stay where they were, and nothing in the caller's folder is run."""
    told = "import os, sys; print(os.getcwd(), os.environ['MODELSYNC_HOME'], sys.argv[1:])\n"
    (set_up / "src" / "modelsync" / "__main__.py").write_text(told)
    elsewhere = tmp_path_factory.mktemp("else where")
    (elsewhere / "os.py").write_text("raise SystemExit('a file of the caller was run')")
    (elsewhere / "link").symlink_to(set_up / "run")
    for command in (set_up / "run", elsewhere / "link"):
        env = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "CDPATH": "/"}
        done = subprocess.run(["sh", command, "a b", "*"], cwd=elsewhere, env=env, capture_output=True, text=True, check=True)
        assert done.stdout == f"{elsewhere} {set_up} ['a b', '*']\n"


def test_who_calls_it_together_sets_it_up_once(checkout: Path):
    both = [start(checkout) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len({out for out, _ in outputs}) == 1
    told = sorted(err for _, err in outputs)
    assert told[-1] == "run: setting up .venv (once) …\n"
    assert told[0] in ("run: another ./run is setting up .venv; waiting for it …\n", "")
    assert run(checkout) == (0, outputs[0][0], "")


def test_one_that_cannot_be_set_up_leaves_the_one_before(set_up: Path):
    _, before, _ = run(set_up)
    (set_up / LOCK).write_text("a package that is none\n")
    code, out, err = run(set_up)
    assert (code, out) == (1, "")
    assert "run: .venv could not be set up: pip said why above; the one before stays as it was. Call ./run again" in err
    (set_up / LOCK).write_text("")
    assert run(set_up) == (0, before, "")


def test_who_is_at_work_in_the_one_before_goes_on(set_up: Path):
    _, before, _ = run(set_up)
    (set_up / LOCK).write_text("# another one\n")
    _, after, _ = run(set_up)
    assert before != after
    assert Path(before.strip()).is_dir()
    (set_up / LOCK).write_text("# a third one\n")
    assert run(set_up)[0] == 0
    assert not Path(before.strip()).exists()


def test_the_one_before_is_the_one_that_was_in_use_not_the_one_that_was_made_last(set_up: Path):
    made = {}
    for lock in ("", "# B\n", "", "# C\n"):
        (set_up / LOCK).write_text(lock)
        _, made[lock], _ = run(set_up)
    assert [Path(made[lock].strip()).is_dir() for lock in ("", "# B\n", "# C\n")] == [True, False, True]


def test_a_lock_that_changes_under_way_is_not_taken_for_the_one_that_is_installed(checkout: Path):
    """As a pull does beside a slow installation."""
    builds = checkout / "scripts" / "environment.py"
    builds.write_text(
        builds.read_text().replace(
            "    try:\n        venv.create",
            "    (folder.parent.parent / 'requirements.txt').write_text('# new')\n    try:\n        venv.create",
        )
    )
    run(checkout)
    (installed,) = (checkout / ".environments").glob("venv-*/.installed")
    assert installed.read_text() == ""


def test_a_python_that_is_too_old_is_told_in_a_sentence(checkout: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("bin")
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    for name in ("sh", "dirname", "readlink"):
        (folder / name).symlink_to(shutil.which(name) or "")
    done = subprocess.run(["sh", checkout / "run", "x"], env={"PATH": str(folder)}, capture_output=True, text=True, check=False)
    wanted = "run: Python 3.11 or newer is needed. Install it, or name it: PYTHON=/path/to/python3 ./run. Nothing was done\n"
    assert (done.returncode, done.stderr) == (1, wanted)


def test_a_folder_of_an_earlier_version_makes_way_as_often_as_there_is_one(checkout: Path):
    for _ in range(2):
        (checkout / ".venv").unlink(missing_ok=True)
        (checkout / ".venv" / "bin").mkdir(parents=True)
        code, out, err = run(checkout)
        assert (code, Path(out.strip()).parent) == (0, checkout / ".environments"), err


def test_a_checkout_that_cannot_be_written_is_told_in_a_sentence(checkout: Path):
    (checkout / ".environments").write_text("no folder")
    code, out, err = run(checkout)
    assert (code, out) == (1, "")
    assert err == f"run: the environment cannot be set up: {checkout}/.environments: File exists. {MEND}\n"
