"""How the house is built: what import-linter's contracts cannot say."""

import ast
import functools
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "modelsync"


def house():
    spec = importlib.util.spec_from_file_location("house", ROOT / "scripts" / "house.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def figures():
    return house().figures(ROOT)


@functools.cache
def parsed():
    return {path: ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}


def test_no_room_is_in_a_circle_and_the_top_is_not_crowded():
    found = figures()  # which ends at a circle
    assert found["modules at the top"] <= 6
    assert found["floors"] <= 13


def test_every_floor_says_what_it_is_for():
    told = house().floors(ROOT)
    assert len(told) == len({where for where, _ in told}) > 15
    assert [where for where, what in told if not what.endswith(".")] == []


OPENING = {"connect", "create_engine", "create_pool"}


def test_no_file_outside_the_database_opens_a_connection():
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path, tree in parsed().items()
        if path.relative_to(PACKAGE).parts[0] != "database"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OPENING
    ]
    assert found == []


SHOWN = ("simulator", "builtin", "versions", "schemas.py", "bodies.py", "programs", "aio.py")
"""What stands for itself: wire rows of providers, older tables, the API's documents, whose names are those of what they show, and what
programs call, where an async twin has the name of the other."""


def test_a_class_has_a_name_of_its_own():
    names = [
        node.name
        for path, tree in parsed().items()
        if not set(SHOWN) & set(path.relative_to(PACKAGE).parts)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_signatures_say_what_they_take():
    assert figures()["Any in signatures"] < 60
