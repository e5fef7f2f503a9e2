"""The program's start: `modelsync --help` against an empty Python program, and `modelsync status`."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

import catalogs
from databases import Database, both, opened
from measure import Figure, Scale, alternate, count, of, ratio, timed
from syncs import commit

SHOWN = (0, 3, 4)
"""Exit codes of a status that was shown: all is well, something is stale, something waits."""


def measure(scale: Scale) -> Iterator[Figure]:
    """What the program's own imports cost, and the whole of a command that reads."""
    ways = {"floor": timed(lambda: _python("-c", "pass")), "help": timed(lambda: _python("-m", "modelsync", "--help"))}
    rounds = alternate(scale.rounds, ways)
    over = [told - empty for told, empty in zip(rounds.seconds["help"], rounds.seconds["floor"], strict=True)]
    yield Figure("modelsync --help, over an empty program", statistics.median(over), 0.2, "s", rounds=tuple(over))
    yield ratio("modelsync --help, × an empty program", rounds.ratios("help", "floor"), seconds=rounds.median("help"))
    with both() as found:
        for database in found:
            yield from of(_status(database, scale), database.name, scale.status)


def _status(database: Database, scale: Scale) -> Iterator[Figure]:
    address = database.fresh()
    with contextlib.closing(opened(address)) as store:
        commit(store, catalogs.listing(catalogs.openrouter_body(scale.status)))
    told = json.loads(_python("-m", "modelsync", "status", "--json", address=address))
    yield count("models that modelsync status tells of", told["models"]["stats"]["active"], scale.status, "models")
    seconds = alternate(scale.rounds, {"status": timed(lambda: _python("-m", "modelsync", "status", address=address))}).seconds["status"]
    yield Figure("modelsync status", statistics.median(seconds), 0.5, "s", rounds=tuple(seconds))


def _python(*arguments: str, address: str = "") -> bytes:
    """What a Python program prints."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)} | ({"DATABASE_URL": address} if address else {})
    done = subprocess.run([sys.executable, *arguments], check=False, stdout=subprocess.PIPE, env=env)
    assert done.returncode in SHOWN, done
    return done.stdout
