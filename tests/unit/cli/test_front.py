"""The front page is drawn without what draws the others, and looks just like them."""

import io
import os
import pty
import subprocess
import sys

import pytest
from rich.console import Console

from modelsync import cli
from modelsync.cli import front
from modelsync.cli.program import app

PLAIN = {name: value for name, value in os.environ.items() if name not in {*front.OF_RICH, "COLUMNS", "COLORTERM"}} | {"PYTHONUTF8": "1"}
HEAVY = {
    "sqlalchemy",
    "alembic",
    "psycopg",
    "sqlite3",
    "httpx2",
    "starlette",
    "uvicorn",
    "cyclopts",
    "rich",
    "msgspec",
    "asyncio",
    "structlog",
}


@pytest.mark.parametrize("coloured", [False, True])
@pytest.mark.parametrize("width", [*range(60, 100), 120, 133, 300])
def test_it_is_what_cyclopts_would_draw(width: int, coloured: bool):
    told = io.StringIO()
    console = Console(file=told, width=width, force_terminal=coloured, color_system="standard" if coloured else None, _environ={})
    app.help_print([], console=console)
    assert "".join(front.page(width, coloured=coloured)) == told.getvalue()


def shown(*arguments: str, **env: str) -> bytes:
    command = [sys.executable, "-m", "modelsync", *arguments]
    return subprocess.run(command, env=PLAIN | env, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout


def test_no_arguments_and_both_options_show_it():
    assert (
        shown() == shown("-h") == shown("--help") == shown("--help", TTY_COMPATIBLE="0") == "".join(front.page(80, coloured=False)).encode()
    )
    assert shown("--help", COLUMNS="66") == "".join(front.page(66, coloured=False)).encode()


@pytest.mark.parametrize("env", [{"COLUMNS": "40"}, {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, {"FORCE_COLOR": "1"}])
def test_what_is_unusual_is_left_to_rich(env: dict[str, str]):
    assert b"Bring" in shown("--help", **env)
    assert shown("--help", **env) != shown("--help")


@pytest.mark.parametrize("env", [{"TERM": "xterm"}, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, {"TERM": "dumb"}])
def test_on_a_terminal_it_looks_the_same(env: dict[str, str]):
    assert on_a_terminal(env) == on_a_terminal(env | {"TTY_INTERACTIVE": "1"})  # which rich decides by


def on_a_terminal(env: dict[str, str]) -> bytes:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "modelsync", "--help"], env=PLAIN | env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        told = b""
        try:
            while some := os.read(ours, 65536):
                told += some
        except OSError:  # Linux says so when the other end is closed
            pass
    os.close(ours)
    return told


def test_it_loads_nothing_that_takes_long():
    program = "import sys\nfrom modelsync import cli\ncli.run(['--help'])\nprint(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", program], env=PLAIN, check=True, capture_output=True, text=True).stderr.split()
    assert "modelsync.cli.front" in loaded
    assert sorted(HEAVY & set(loaded)) == []


def test_whoever_stops_reading_it_sees_no_error():
    command = f"{sys.executable} -m modelsync --help | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], env=PLAIN, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Usage: modelsync COMMAND\n", "")
    assert cli.run(["--help"]) == 0
