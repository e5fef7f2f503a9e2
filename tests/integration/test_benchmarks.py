"""Every benchmark runs, at a tiny size: what it counts is right. How long it takes is nobody's test."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import postgres

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("reading", "database", "fetching", "memory", "serving", "dearest", "start-up")
ON_BOTH = ("database", "memory", "serving", "dearest", "start-up")


@pytest.fixture(scope="module", autouse=True)
def _benchmarks() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


def test_none_is_left_out():
    assert tuple(importlib.import_module("run").BENCHMARKS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_counts_what_it_should(name: str):
    run, measure = importlib.import_module("run"), importlib.import_module("measure")
    told: list[str] = []
    figures, broken = run.run({name: run.BENCHMARKS[name].measure}, measure.TINY, told.append)
    assert broken == {}
    assert [figure.what for figure in figures if figure.hard and not figure.ok] == []
    assert {figure.benchmark for figure in figures} == {name}
    assert any(figure.hard for figure in figures)
    if name in ON_BOTH and postgres.binaries():
        assert {figure.database for figure in figures} >= {"SQLite", "Postgres"}
