"""The faults that ./run mutate puts into code: which there are, that each is one, and that their names outlive a move of their lines."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mutants import mutants  # noqa: E402
from mutation_known import Equivalents  # noqa: E402
from mutation_map import Chosen, is_function  # noqa: E402


def becomes(*lines):
    """What the lines of a function can become."""
    text = "def f(a, b, c):\n" + "".join(f"    {line}\n" for line in lines)
    return [mutant.becomes for mutant in mutants(text)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("yield a < b", ["yield (a <= b)"]),
        ("yield a >= b", ["yield (a > b)"]),
        ("yield a == b", ["yield (a != b)"]),
        ("yield a is not b", ["yield (a is b)"]),
        ("yield a in b", ["yield (a not in b)"]),
        ("yield a < b <= c", ["yield (a <= b <= c)", "yield (a < b < c)"]),
        ("yield a and b", ["yield (a or b)"]),
        ("yield a or b or c", ["yield (a and b and c)"]),
        ("yield not a", ["yield (a)"]),
        ("yield -a", ["yield (a)"]),
        ("yield a + b", ["yield (a - b)"]),
        ("yield a // b", ["yield (a * b)"]),
        ("yield a | b", ["yield (a & b)"]),
        ("yield 7", ["yield (8)", "yield (6)"]),
        ("yield 0.5", ["yield (1.5)", "yield (-0.5)"]),
        ("yield True", ["yield False"]),
        ("yield a if b else c", ["yield a if True else c", "yield a if False else c"]),
        ("yield min(a, b)", ["yield max(a, b)"]),
        ("yield any(a)", ["yield all(a)"]),
        ("yield [x for x in a if x]", ["yield [x for x in a if True]"]),
        ("return a", ["return None"]),
        ("a()", ["pass"]),
        ("await_(a)", ["pass"]),
        ("a += b", ["pass"]),
        ("a[b] = c", ["pass"]),
        ("a.b = c", ["pass"]),
        ("del a[b]", ["pass"]),
        ("raise a", ["pass"]),
    ],
)
def test_every_kind_of_fault(line, expected):
    assert becomes(line) == expected


def test_faults_of_more_than_one_line():
    assert becomes("if a:", "    yield b") == ["if True:", "if False:"]
    assert becomes("for x in a:", "    continue") == ["pass"]
    assert becomes("while a:", "    break") == ["pass"]
    handled = becomes("try:", "    yield", "except (A, B):", "    yield")
    assert handled == ["except (B,):", "except (A,):"]
    assert becomes("return (", "    a <", "    b)") == ["None)", "(a <= b))"]


@pytest.mark.parametrize(
    "line",
    [
        "a = b",
        "return",
        "return None",
        "yield 'text'",
        "yield f'{a + 1}'",
        "yield 'a' + b",
        "x: str | None = a",
        "yield isinstance(a, str | None)",
        "'a docstring'",
        "yield 1 and None",
    ],
)
def test_texts_types_and_what_needs_no_fault_are_left_alone(line):
    assert [one for one in becomes(line) if "1" not in line] == []


def test_annotations_and_decorators_are_left_alone():
    assert mutants("@d(1)\ndef f(a: int | None) -> int | None: ...\nclass C(B[1], frozen=True):\n    x: int | None\n") == []


def test_only_the_node_itself_is_rewritten_whatever_stands_beside_it():
    text = 'def f(a, b):\n    x = "é…" if a<b else "ü"  # a comment\n'
    assert mutants(text)[-1].text == 'def f(a, b):\n    x = "é…" if (a <= b) else "ü"  # a comment\n'


def test_every_mutant_of_the_core_is_another_module_that_compiles():
    for name in ("planning/plan", "model/limits", "database/tables/leases"):
        text = (ROOT / "src" / "modelsync" / f"{name}.py").read_text("utf-8")
        found = mutants(text)
        assert len(found) > 20
        assert len({mutant.text for mutant in found} | {text}) == len(found) + 1
        assert len({mutant.key for mutant in found}) == len(found)
        for mutant in found:
            compile(mutant.text, name, "exec")  # in half the time of ast.parse, which makes Python objects of it all


TWICE = """class C:
    def m(self, a):
        if a > 1:
            return a
        if a > 1:
            return 2 * a

def g(a):
    def inner(b):
        return a - b
    return inner
"""


def test_names_tell_the_function_and_outlive_moved_lines():
    keys = [mutant.key for mutant in mutants(TWICE)]
    assert "C.m: if a > 1: → if (a >= 1):" in keys
    assert "C.m: if a > 1: → if (a >= 1): (2)" in keys
    assert "g: return a - b → return (a + b)" in keys
    moved = "import this\n\n\nX = 'text'\n" + TWICE.replace("class C:", "class C:\n    # a comment\n")
    assert [mutant.key for mutant in mutants(moved)] == keys
    assert [mutant.line for mutant in mutants(moved)] != [mutant.line for mutant in mutants(TWICE)]


def test_equivalents_are_told_by_file_and_name_and_each_has_a_reason(tmp_path):
    listed = tmp_path / "equivalents.toml"
    listed.write_text('[[equivalent]]\nfile = "g.py"\nmutant = "g: return a - b → return (a + b)"\nreason = "b is 0"\n')
    kept = Equivalents(listed)
    assert [mutant.key for mutant in mutants(TWICE) if kept.has("g.py", mutant)] == ["g: return a - b → return (a + b)"]
    assert [mutant for mutant in mutants(TWICE) if kept.has("h.py", mutant)] == []
    assert kept.stale({"g.py": TWICE}) == []
    assert kept.stale({"h.py": ""}) == []
    assert kept.stale({"g.py": TWICE.replace("a - b", "b - a")}) == ["g.py: g: return a - b → return (a + b)"]


def test_the_kept_equivalents_are_of_files_there_are_and_say_why():
    kept = Equivalents(ROOT / "scripts" / "mutation_equivalents.toml")
    assert [file for file, _ in kept.reasons if not (ROOT / file).is_file()] == []
    assert [key for key, reason in kept.reasons.items() if len(reason) < 20] == []


def test_functions_are_told_from_classes_and_modules_by_their_names():
    assert [is_function(name) for name in ("f", "_f", "C.m", "C._m", "C.__init__")] == [True] * 5
    assert [is_function(name) for name in ("<module>", "C", "_C", "C.D")] == [False] * 4


def test_quick_tests_come_first_and_what_was_left_out_is_told():
    chosen = Chosen({"a": 3.0, "b": 2.0, "c": 0.1}, 7)
    assert list(chosen.parts()) == [{"a": 3.0, "b": 2.0}, {"c": 0.1}]
    assert list(Chosen({"a": 9.0, "b": 9.0}, 2).parts()) == [{"a": 9.0}, {"b": 9.0}]
    assert list(Chosen({}, 0).parts()) == []
    assert (chosen.told(), Chosen({"a": 1.0}, 1).told()) == ("after 3 tests of the 7 that call it", "after 1 tests")
    assert Chosen({}, 0).told() == "which no test calls"
