"""What a run measured, as one document: docs/performance.json, and what `--json` prints."""

import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from measure import Figure, Scale

from support import postgres


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    cpu: str
    cores: int
    system: str
    python: str
    sqlite: str
    postgres: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its scale, where and when, and every figure. `broken` has the parts that did not come to their end, with the reason."""

    version: int = 1
    scale: str
    rounds: int
    models: int
    """Models of the largest catalog that was written."""
    seconds: float
    date: str
    machine: Machine
    figures: tuple[Figure, ...]
    broken: dict[str, str] = {}


def record(scale: Scale, figures: Sequence[Figure], broken: dict[str, str], seconds: float) -> Record:
    """The record of a run that ends now."""
    return Record(
        scale=scale.name,
        rounds=scale.rounds,
        models=scale.sizes[-1],
        seconds=float(round(seconds)),  # so that it is written as it is read
        date=datetime.now(UTC).date().isoformat(),
        machine=machine(),
        figures=tuple(map(_rounded, figures)),
        broken=broken,
    )


def machine() -> Machine:
    """This one."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        postgres=_postgres(),
    )


def _cpu() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text("utf-8", errors="replace").splitlines() if told.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _postgres() -> str:
    """The server's version as its binaries say it."""
    found = postgres.binaries()
    if found is None:
        return "none"
    told = subprocess.run([found / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    return told.split()[2]


def _rounded(figure: Figure) -> Figure:
    """With four digits: the others are noise."""
    exact = figure.exact or figure.hard
    return msgspec.structs.replace(
        figure,
        reached=figure.reached if exact else _digits(figure.reached),
        rounds=tuple(map(_digits, figure.rounds)),
        seconds=_digits(figure.seconds),
    )


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def written(made: Record) -> str:
    """As the text of a JSON document; each figure also says whether its goal is met."""
    made = msgspec.convert(msgspec.to_builtins(made), Record)  # what was counted is a whole number before it is read again, and none after
    document = msgspec.to_builtins(made)
    document["figures"] = [{**plain, "ok": figure.ok} for plain, figure in zip(document["figures"], made.figures, strict=True)]
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"


def read(text: str) -> Record:
    """Such a document. msgspec.ValidationError for what is none."""
    return msgspec.json.decode(text, type=Record)
