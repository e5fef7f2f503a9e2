"""How the house is built, in figures: `python scripts/house.py [TREE] [--json]`, to be compared before and after walls are moved.

A room is a folder with modules in it, or a module at the top. An arrow is one room that imports another, a floor the longest way down.
"""

import ast
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONG = 40
"""Lines of a function that no longer fits a screen."""

RUN = 6
"""Lines that two places share, to be worth a look."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def figures(tree: Path) -> dict[str, int | float | str]:
    """Everything that is counted of a checkout."""
    package = tree / "src" / "modelsync"
    files = {path: path.read_text("utf-8") for path in sorted(package.rglob("*.py"))}
    lines = {path: text.count("\n") for path, text in files.items()}
    parsed = {path: ast.parse(text) for path, text in files.items()}
    functions = [node for each in parsed.values() for node in ast.walk(each) if isinstance(node, Function)]
    of_folder: Counter[str] = Counter()
    for path, count in lines.items():
        of_folder[path.relative_to(package).parts[0] if path.parent != package else "the top"] += count
    biggest, most = of_folder.most_common(1)[0]
    rooms, arrows, floors = _imports(tree)
    total = sum(lines.values())
    return {
        "modules at the top": sum(path.parent == package and not path.name.startswith("__") for path in files),
        "folders": len({path.parent for path in files} - {package}),
        "rooms": rooms,
        "import arrows": arrows,
        "floors": floors,
        "biggest folder": f"{biggest}, {most / total:.0%}",
        "lines": total,
        "files over 300 lines": sum(count > 300 for count in lines.values()),
        "functions": len(functions),
        f"functions over {LONG} lines": sum((node.end_lineno or 0) - node.lineno + 1 > LONG for node in functions),
        "Any in signatures": sum(map(_any_in_signature, functions)),
        f"runs of {RUN} lines that are there twice": _twice(files.values()),
    }


def _imports(tree: Path) -> tuple[int, int, int]:
    """Rooms, arrows between them, and floors: from grimp, which import-linter builds on."""
    import grimp

    sys.path.insert(0, str(tree / "src"))
    graph = grimp.build_graph("modelsync")
    packages = {module for module in graph.modules if graph.find_children(module)}

    def room(module: str) -> str:
        parent = module.rpartition(".")[0]
        return module if module in packages or parent == "modelsync" else parent

    below: dict[str, set[str]] = {room(module): set() for module in graph.modules if module != "modelsync"}
    for module in graph.modules - {"modelsync"}:
        below[room(module)] |= {room(each) for each in graph.find_modules_directly_imported_by(module) if each != "modelsync"}
    for name, others in below.items():  # a folder and a folder in it are one house: `api` includes the routes that use it
        others -= {other for other in others if f"{other}.".startswith(f"{name}.") or f"{name}.".startswith(f"{other}.")}
    return len(below), sum(map(len, below.values())), _floors(below)


def _floors(below: dict[str, set[str]]) -> int:
    """The longest way down; a circle ends the count, with its rooms."""
    height: dict[str, int] = {}
    while len(height) < len(below):
        ready = [name for name, others in below.items() if name not in height and others <= height.keys()]
        if not ready:
            raise SystemExit(f"a circle among {', '.join(sorted(below.keys() - height.keys()))}")
        height |= {name: 1 + max((height[other] for other in below[name]), default=0) for name in ready}
    return max(height.values())


def _any_in_signature(node: Function) -> int:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    told = [each.annotation for each in arguments if each is not None] + [node.returns]
    names = (part for each in told if each is not None for part in ast.walk(each))
    return sum(isinstance(part, ast.Name) and part.id == "Any" for part in names)


def _twice(texts: Sequence[str] | Iterator[str]) -> int:
    """How many runs of lines, without imports and blank ones, occur in more than one place."""
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        lines = [line.strip() for line in text.splitlines()]
        kept = [line for line in lines if len(line) > 3 and not line.startswith(("import ", "from ", "#", '"'))]
        seen.update({tuple(kept[start : start + RUN]) for start in range(len(kept) - RUN + 1)})
    return sum(count > 1 for count in seen.values())


# The floors


def floors(tree: Path = ROOT) -> list[tuple[str, str]]:
    """Top to bottom: what lies on one floor, and what it is for. From import-linter's contract and the folders' own words."""
    contracts = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    found = []
    for layer in layers:
        for name in layer.replace(":", "|").split("|"):
            path = tree / "src" / "modelsync" / name.strip()
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            said = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
            shown = f"[{path.name}/](src/modelsync/{path.name})" if path.is_dir() else f"[{file.name}](src/modelsync/{file.name})"
            found.append((shown, said.partition("\n")[0]))
    return found


def promises(tree: Path = ROOT) -> list[str]:
    """What the contracts say."""
    contracts = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    return [contract["name"] for contract in contracts]


def main(arguments: Sequence[str]) -> int:
    """Print the figures of a checkout, this one unless another is named."""
    named = [each for each in arguments if not each.startswith("--")]
    found = figures(Path(named[0]).resolve() if named else ROOT)
    if "--json" in arguments:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{value!s:>16}  {name}\n" for name, value in found.items())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
