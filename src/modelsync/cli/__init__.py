"""The command line. What it needs is loaded when it is needed, so that `--help` is there at once."""

import os
import sys
from collections.abc import Sequence

from modelsync.cli import front
from modelsync.cli.commands import COMMANDS, EXIT_CODES, GROUPS

__all__ = ["COMMANDS", "EXIT_CODES", "GROUPS", "main", "run"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    raise SystemExit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    try:
        if arguments in front.ASKED and front.can_be_drawn():
            front.draw()
            return 0
        from modelsync.cli import program  # takes ten times as long as the front page

        return program.run(arguments)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing may be written to it again, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
