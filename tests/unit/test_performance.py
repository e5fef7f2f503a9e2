"""The page about performance is what its record renders to; what got worse is told; a broken part leaves the others alone."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = str(ROOT / "benchmarks")


@pytest.fixture(scope="module", autouse=True)
def _benchmarks() -> Iterator[None]:
    sys.path.insert(0, BENCHMARKS)
    yield
    sys.path.remove(BENCHMARKS)


def module(name):
    return importlib.import_module(name)


def figure(what="first load, × the plain driver", rounds=(2.0, 2.1, 2.2), **more):
    more = {"goal": 1.15, "benchmark": "database", "database": "SQLite", "models": 10_000} | more
    return module("measure").Figure(what, sorted(rounds)[len(rounds) // 2], rounds=tuple(rounds), **more)


def made(*figures, **more):
    machine = module("record").Machine(cpu="a processor", cores=2, system="Linux x", python="3.11.1", sqlite="3.40.1", postgres="15.1")
    facts = {"scale": "quick", "rounds": 3, "models": 10_000, "seconds": 90.0, "date": "2026-11-29", "machine": machine} | more
    return module("record").Record(figures=figures, **facts)


# The page


def test_the_page_and_its_pictures_are_what_the_record_renders_to():
    document, record = module("document"), module("record")
    text = document.FIGURES.read_text("utf-8")
    kept = record.read(text)
    assert record.written(kept) == text
    assert kept.broken == {}
    for name, expected in document.files(kept).items():
        assert (document.DOCS / name).read_text("utf-8") == expected, "run ./run bench --render"


def test_a_record_comes_back_as_it_was_written():
    record = module("record")
    one = made(figure(note="a | b", hard=True), broken={"serving": "ValueError: no"})
    assert record.read(record.written(one)) == one
    assert '"ok": false' in record.written(one)


def test_what_was_counted_is_written_as_it_will_be_read():
    record, measure = module("record"), module("measure")
    text = record.written(made(measure.count("models", 7, 7)))
    assert record.written(record.read(text)) == text


def test_a_page_has_a_column_for_each_size_and_says_where_a_goal_is_missed():
    page = module("document").page(made(figure(rounds=(1.0, 1.1, 1.12)), figure(models=100_000), broken={"serving": "ValueError: no"}))
    assert "| what | database | 10,000 models | 100,000 models | goal | |" in page
    row = "| first load, × the plain driver | SQLite | 1.10 × (1.00 to 1.12) | 2.10 × (2.00 to 2.20) | ≤ 1.15 × | missed at 100,000 |"
    assert row in page
    assert "**quick form**" in page
    assert "**serving did not come to its end**: ValueError: no" in page


def test_pictures_are_well_formed_and_show_every_ratio_with_a_goal():
    plots = module("plots")
    figures = (figure(), figure(models=100), figure("kept < page", least=True, benchmark="serving"), figure("seconds", unit="s"))
    for picture in (plots.goals(figures), plots.growth(figures)):
        assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert plots.goals(figures).count("<circle") == 2
    assert "SQLite: kept &lt; page" in plots.goals(figures)
    assert plots.growth(figures).count("<circle") == 2 + 1
    assert "nothing measured" in plots.goals(()) + plots.growth(())


def test_a_value_further_right_is_more_of_the_goal():
    across = module("plots").around([0.5, 1.0, 8.0], 0, 100)
    assert across.low <= 0.5
    assert across.high >= 8.0
    assert across.at(0.5) < across.at(1.0) < across.at(8.0) <= 100
    assert across.marks() == [1.0, 10.0]


# On paper


@pytest.mark.parametrize(("slower", "expected"), [(1.0, 100.0), (0.8, 100.0), (19.0, 1000.0)])
def test_time_that_grows_with_each_page_grows_with_the_square(slower, expected):
    assert module("paper").paged_seconds(10.0, slower, 1_000_000) == pytest.approx(expected)


def test_slopes_are_drawn_to_ten_million_models():
    alike = {"goal": None, "benchmark": "memory", "models": 1_000_000, "rounds": ()}
    names = {"memory over baseline": 90.0, "seconds": 100.0, "last tenth of the pages, × the first": 1.0}
    paged = [module("measure").Figure(f"page by page: {name}", value, **alike, database="SQLite") for name, value in names.items()]
    text = "\n".join(module("paper").section([*paged, figure(seconds=1.0)]))
    assert "| SQLite: memory of one list, page by page | 90.0 MB at 1,000,000 models | **900 MB** |" in text
    assert "| SQLite: its first load | 100 s at 1,000,000 models | **17 minutes** |" in text
    assert "| SQLite: first load, in the database | 1 s at 10,000 models | **17 minutes** |" in text


# What got worse


@pytest.mark.parametrize(
    ("then", "now", "least", "is_worse"),
    [
        ((2.0, 2.1, 2.2), (2.4, 2.5, 2.6), False, True),
        ((2.0, 2.1, 2.2), (2.4, 2.5, 2.6), True, False),
        ((2.0, 2.1, 2.2), (2.15, 2.5, 2.6), False, False),  # one round was as before
        ((2.0, 2.1, 2.4), (2.41, 2.5, 2.6), False, False),  # what two runs differ by anyway
        ((2.0, 2.1, 2.2), (1.0, 1.1, 1.2), True, True),
        ((2.0, 2.1, 2.2), (1.0, 1.1, 1.2), False, False),
        ((2.0, 2.1, 2.2), (1.92, 1.93, 1.95), True, False),
    ],
)
def test_a_ratio_is_worse_when_its_best_round_is_worse_than_the_worst_one_before(then, now, least, is_worse):
    compare = module("compare")
    found = list(compare.regressions(made(figure(rounds=then, least=least)), made(figure(rounds=now, least=least))))
    assert bool(found) is is_worse
    if is_worse and not least:
        assert found == [
            "SQLite, first load, × the plain driver (10,000 models): 2.50 ×, was 2.10 ×; rounds 2.40 to 2.60, then 2.00 to 2.20"
        ]


def test_only_ratios_of_the_same_thing_at_the_same_size_are_compared():
    compare = module("compare")
    then = made(figure(), figure("status", unit="s"), figure("counted", unit="rows"))
    now = made(figure(models=100_000, rounds=(9, 9, 9)), figure("status", unit="s", rounds=(9, 9, 9)), figure(database="Postgres"))
    assert compare.compared(then, now) == 0
    assert list(compare.regressions(then, now)) == []


def test_a_comparison_says_so_and_ends_with_2():
    run, told = module("run"), []
    assert run.comparison(made(figure()), made(figure()), told.append) == 0
    assert "1 ratios, 0 worse" in told[-1]
    assert run.comparison(made(figure()), made(figure(rounds=(3, 3, 3))), told.append) == 2
    assert "3.00 ×, was 2.10 ×" in told[-1]


# A run


def test_a_broken_part_is_told_in_two_lines_and_the_others_go_on():
    run, told = module("run"), []

    def breaks(_scale):
        yield figure()
        raise ValueError("a server said\n500")

    figures, broken = run.run({"one": breaks, "two": lambda _scale: iter([figure()])}, module("measure").TINY, told.append)
    assert [each.benchmark for each in figures] == ["one", "two"]
    assert re.fullmatch(r"ValueError: a server said 500 \(run\.py:\d+\)", broken.pop("one"))
    assert broken == {}
    line = next(each for each in told if "broken" in each)
    assert re.fullmatch(r"\[red\]broken\[/\]  ValueError: a server said 500 \(.*\)\n        its other figures are left out", line)
    broken = {"one": "why"}
    assert run.ended(made(*figures, broken=broken)) == 1
    assert run.ended(made(*figures)) == 0
    assert "1 parts broken: one" in run.summary(made(*figures, broken=broken))


def test_what_is_counted_wrong_ends_with_1_and_a_missed_goal_does_not():
    run, measure = module("run"), module("measure")
    assert run.ended(made(measure.count("rows", 1, 1), figure())) == 0
    assert run.ended(made(measure.count("rows", 1, 2))) == 1


def test_a_line_has_what_was_reached_the_goal_and_the_rounds():
    line = module("lines").line(figure(seconds=0.5, note="told"))
    assert " ".join(line.split()) == "missed first load, × the plain driver 2.10 × ≤ 1.15 × rounds 2.00 to 2.20, 0.50 s, told"
    assert module("lines").line(msgspec.structs.replace(figure(), goal=None)).startswith("        first load")
    assert module("lines").heading(figure()) == "SQLite, 10,000 models"


def test_ratios_are_those_of_each_round_and_the_first_one_is_not_measured():
    measure = module("measure")
    times = {"ours": iter([100.0, 2.0, 6.0, 4.0]), "floor": iter([1.0, 1.0, 2.0, 4.0]), "other": iter([1.0] * 4)}
    rounds = measure.alternate(3, {name: lambda name=name: next(times[name]) for name in times})
    assert rounds.ratios("ours", "floor") == [2.0, 3.0, 1.0]
    assert rounds.ratios("ours", "floor", "other") == [1.0, 2.0, 0.8]
    assert measure.ratio("it", rounds.ratios("ours", "floor")).reached == 2.0
