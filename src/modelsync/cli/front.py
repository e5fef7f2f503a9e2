"""The front page: what `modelsync --help` shows. It is drawn here just as cyclopts would draw it with rich, because loading these takes
five times as long as all of the page; a test compares both."""

import os
import sys
from collections.abc import Iterable, Iterator

from modelsync.cli.commands import COMMANDS, EPILOGUE, GROUPS, HELP

ASKED: tuple[list[str], ...] = ([], ["--help"], ["-h"])
"""Command lines that ask for this page."""

NARROWEST = 60
"""Columns in which every name, and every line of the epilogue, has room."""

OF_RICH = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JPY_PARENT_PID")
"""Variables by which rich decides how to draw. Where one of them is set, it does."""

OPTIONS = (("--help (-h)", "Display this message and exit."), ("--version", "Display application version."))


def can_be_drawn() -> bool:
    """Whether this is an ordinary terminal, file or pipe; others are left to rich, which knows them."""
    unusual = os.name == "nt" or any(name in os.environ for name in OF_RICH) or (sys.stdout.encoding or "").lower() != "utf-8"
    is_dumb = sys.stdout.isatty() and os.environ.get("TERM", "").lower() in ("", "dumb", "unknown")
    return not unusual and not is_dumb and _width() >= NARROWEST


def draw() -> None:
    """Write the page. BrokenPipeError when nobody reads it."""
    sys.stdout.write("".join(page(_width(), coloured=sys.stdout.isatty())))
    sys.stdout.flush()


def page(width: int, *, coloured: bool) -> Iterator[str]:
    """Its text for so many columns, with or without the terminal's colours."""
    usage = ("Usage: ", "modelsync COMMAND")
    yield "".join(f"\x1b[1m{part}\x1b[0m" for part in usage) if coloured else "".join(usage)
    yield "\n\n"
    yield from (f"{line}\n" for line in _wrapped(HELP, width))
    yield "\n"
    yield from _panel("Commands", OPTIONS, width, coloured=coloured)
    for title, names in GROUPS.items():
        yield from _panel(title, [(name, COMMANDS[name][1]) for name in names], width, coloured=coloured)
    yield f"\n{EPILOGUE}\n"


def _panel(title: str, rows: Iterable[tuple[str, str]], width: int, *, coloured: bool) -> Iterator[str]:
    """Names and what they do, in a box."""
    rows = list(rows)
    names = max(len(name) for name, _ in rows)
    room = width - names - 6
    yield f"╭─ {title} {'─' * (width - len(title) - 5)}╮\n"
    for name, text in rows:
        for number, line in enumerate(_wrapped(text, room)):
            parts = [name.ljust(names), "  "] if number == 0 else [" " * (names + 2)]
            shown = "".join(f"\x1b[36m{part}\x1b[0m" for part in parts) if coloured else "".join(parts)
            yield f"│ {shown}{line.ljust(room)} │\n"
    yield f"╰{'─' * (width - 2)}╯\n"


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Lines of whole words; a blank at the end of a line stays where it has room."""
    line = ""
    for word in text.split(" "):
        if line and len(line) + len(word) > width:
            yield line[:width]
            line = ""
        line += f"{word} "
    yield line[:-1]


def _width() -> int:
    """The columns of the terminal, wherever it is; of none 80. COLUMNS says otherwise."""
    stated = os.environ.get("COLUMNS", "")
    if stated.isdigit():
        return int(stated)
    for stream in (0, 1, 2):
        try:
            return os.get_terminal_size(stream).columns or 80
        except OSError:
            continue
    return 80
