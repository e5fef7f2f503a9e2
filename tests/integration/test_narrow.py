"""Tables on narrow terminals: columns are left out, ids fold after a slash, and no word is split."""

import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from modelsync.cli.output import Column, fitted
from modelsync.simulator.server import Simulator
from support.cli import environment, run


def shown(columns: list[Column], rows: list[tuple[str | Text, ...]], width: int) -> list[str]:
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    with console.capture() as caught:
        console.print(fitted(columns, rows, width))
    return [line.rstrip() for line in caught.get().splitlines()]


COLUMNS = [Column("model", folds=True), Column("in", right=True), Column("context", right=True, drop=1), Column("status", drop=2)]
ROWS: list[tuple[str | Text, ...]] = [("accounts/fireworks/models/quill", "1.25", "131k", "missing"), ("moss", "free", "8,192", "active")]


def test_what_fits_is_shown_whole():
    assert shown(COLUMNS, ROWS, 60) == [
        "model                              in  context  status",
        "accounts/fireworks/models/quill  1.25     131k  missing",
        "moss                             free    8,192  active",
    ]


def test_columns_are_left_out_in_their_order_and_ids_fold_after_a_slash():
    assert shown(COLUMNS, ROWS, 28) == [
        "model           in  context",
        "accounts/     1.25     131k",
        "fireworks/",
        "models/quill",
        "moss          free    8,192",
    ]
    assert shown(COLUMNS, ROWS, 27)[0].split() == ["model", "in", "context"]
    assert shown(COLUMNS, ROWS, 18)[0].split() == ["model", "in"]


def test_text_wraps_between_words():
    rows: list[tuple[str | Text, ...]] = [("groq", "cannot connect to api.groq.com")]
    assert shown([Column("provider"), Column("error", wraps=True)], rows, 26) == [
        "provider  error",
        "groq      cannot connect",
        "          to api.groq.com",
    ]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow")
    with Simulator() as simulator:
        env = environment(folder, simulator)
        for day in (0, 1):
            simulator.set_day(day)
            assert run(folder, "sync", env=env).returncode in (0, 4)
    return folder


def _pieces(word: str) -> set[str]:
    """What a word may be folded into: itself, or some of its parts after slashes."""
    parts = re.findall(r"[^/]*/|[^/]+", word)
    ends = range(len(parts) + 1)
    return {"".join(parts[start:end]) for start in ends for end in ends if start < end}


TABLES = ["models --limit 0 --inactive", "providers", "status", "runs", "runs 1", "settings", "guard groq"]


@pytest.mark.parametrize("command", [*TABLES, "explain together larkfield/Quill-2-70B"])
def test_no_word_is_split_at_80_columns(catalog: Path, command: str):
    """Every word of the narrow output is one of the wide output, where nothing had to give way."""
    narrow, wide = (run(catalog, *command.split(), env=environment(catalog, COLUMNS=width)).stdout for width in ("80", "400"))
    assert narrow
    words = {piece for word in wide.split() for piece in _pieces(word)}
    assert set(narrow.split()) - words == set()
    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= 80 or command == "status"
