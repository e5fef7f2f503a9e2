"""Every benchmark runs, at a tiny size: what it counts is right. How long it takes is nobody's test."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _benchmarks() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("name", ["reading", "database", "fetching", "memory", "start-up"])
def test_a_benchmark_counts_what_it_should(name: str):
    run, measure = importlib.import_module("run"), importlib.import_module("measure")
    figures = list(run.BENCHMARKS[name].measure(measure.Scale(models=200, rounds=1, paged=2_000)))
    assert figures
    assert [figure.what for figure in figures if figure.hard and not figure.ok] == []
