"""The register of promises is complete, and docs/safety.md is what it and the tests say."""

import importlib.util
import json
import subprocess
import sys

import pytest

from support.promises import FAULTS, OPEN, PROMISES, ROOT, ids_of, shown_by, written


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("write_safety", ROOT / "scripts" / "write_safety.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shown():
    return shown_by(written())


def test_every_promise_has_a_test_that_carries_its_number(shown):
    assert [promise for promise in {**PROMISES, **FAULTS} if promise not in shown and promise not in OPEN] == []


def test_what_is_said_to_be_open_is(shown):
    assert [promise for promise in OPEN if promise in shown or promise not in {**PROMISES, **FAULTS}] == []


def test_every_number_in_a_test_is_that_of_a_promise(shown):
    assert [promise for promise in shown if promise not in {**PROMISES, **FAULTS}] == []


def test_the_page_is_what_the_script_writes(script, shown):
    figures = json.loads(script.FIGURES.read_text("utf-8"))
    assert script.page(shown, figures, script.kept(script.MUTATION)) == script.PAGE.read_text("utf-8"), "run scripts/write_safety.py"
    assert script.broken(figures) == []


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("test_i05_a_list_that_shrank", ["I5"]),
        ("test_d03_d05_a_lock", ["D3", "D5"]),
        ("test_i10", []),
        ("test_s7_a_length", []),
        ("test_of_i05_nothing", []),
    ],
)
def test_the_numbers_in_a_name(name, ids):
    assert ids_of(name) == ids


def test_campaigns_that_ran_replace_their_figures_and_the_others_stay(script):
    known = {"kill loop on sqlite": {"date": "2026-01-01", "torn": 0}, "mutations": {"date": "2026-01-01", "payloads": 5}}
    lines = ['{"campaign": "kill loop", "database": "postgres", "torn": 1}', '{"campaign": "mutations", "payloads": 7, "uncaught": 0}']
    figures = script.merged(known, iter(lines), "2026-02-02")
    assert figures == {
        "kill loop on postgres": {"date": "2026-02-02", "torn": 1},
        "kill loop on sqlite": {"date": "2026-01-01", "torn": 0},
        "mutations": {"date": "2026-02-02", "payloads": 7, "uncaught": 0},
    }
    assert script.broken(figures) == ["kill loop on postgres: torn = 1"]


def test_a_figure_that_must_be_zero_fails_and_writes_nothing(script, tmp_path):
    before = script.PAGE.read_bytes(), script.FIGURES.read_bytes()
    report = tmp_path / "report"
    report.write_text('{"campaign": "kill loop", "database": "sqlite", "torn": 1}\n')
    command = [sys.executable, ROOT / "scripts" / "write_safety.py", "--soak", report]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "These must be 0:\nkill loop on sqlite: torn = 1\n")
    assert (script.PAGE.read_bytes(), script.FIGURES.read_bytes()) == before


def sample(tried, noticed, of="a1"):
    return {"date": "2026-02-02", "of": of, "mutants": 30, "equivalent": 2, "tried": tried, "noticed": noticed, "survivors": []}


def test_mutants_that_were_tried_replace_a_files_figures_unless_they_are_a_smaller_sample_of_the_same_text(script):
    known = {"src/a.py": sample(20, 19), "src/b.py": sample(20, 19), "src/c.py": sample(20, 19)}
    report = {"src/a.py": sample(21, 20), "src/b.py": sample(5, 5), "src/c.py": sample(5, 5, of="b2"), "src/d.py": sample(1, 0)}
    assert script.renewed(known, report) == {**report, "src/b.py": known["src/b.py"]}
    assert script.renewed(known, {"src/a.py": sample(20, 20)})["src/a.py"]["noticed"] == 20
    one_is_no_fault = {"src/a.py": {**sample(19, 19), "equivalent": 3}}
    assert script.renewed(known, one_is_no_fault)["src/a.py"]["tried"] == 19


def test_the_page_tells_the_share_of_noticed_mutants(script):
    text = script.page({}, {}, {"src/a.py": sample(20, 19), "src/b.py": sample(5, 5)})
    assert text.endswith(
        "| [a](../src/a.py) | 2026-02-02 | 28 | 20 | 19 | 1 | 95.0% |\n"
        "| [b](../src/b.py) | 2026-02-02 | 28 | 5 | 5 | 0 | 100.0% |\n"
        "| all of these |  | 56 | 25 | 24 | 1 | 96.0% |\n"
    )
