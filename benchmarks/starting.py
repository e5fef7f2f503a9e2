"""`modelsync --help` against an empty Python program."""

import subprocess
import sys
from collections.abc import Iterator

from measure import Figure, Scale, alternate, timed


def measure(scale: Scale) -> Iterator[Figure]:
    """What the program's own imports cost."""
    medians = alternate(
        scale.rounds,
        {
            "floor": timed(lambda: _python("-c", "pass")),
            "help": timed(lambda: _python("-m", "modelsync", "--help")),
        },
    )
    yield Figure("modelsync --help, over an empty program", medians["help"] - medians["floor"], 0.3, "s")


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
