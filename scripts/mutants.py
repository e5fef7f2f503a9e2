"""Small faults in a Python module, one at a time: what `./run mutate` puts into the code to see whether a test notices.

Texts for people (f-strings, docstrings), annotations and decorators are left alone.
"""

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
TYPES = {"str", "int", "float", "bool", "bytes", "dict", "list", "tuple", "set", "object", "type"}
NOT_CODE = {"annotation", "returns", "decorator_list", "bases", "type_params"}
DELETED = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Delete)

MODULE = "<module>"
"""Stands for the function of what is in none."""

Change = tuple[ast.expr | ast.stmt, str]
"""A node, and the text that takes its place."""


class Mutant(NamedTuple):
    """A module with one fault. `function` is the function or class it is in; `was` and `becomes` are the lines that differ, in one."""

    function: str
    line: int
    was: str
    becomes: str
    nth: int
    text: str

    @property
    def key(self) -> str:
        """Tells this mutant among those of its file, wherever its line may move."""
        return f"{self.function}: {self.was} → {self.becomes}" + (f" ({self.nth})" if self.nth > 1 else "")


def mutants(text: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    found: list[Mutant] = []
    alike: dict[tuple[str, str, str], int] = {}
    texts = {text}
    for function, node in _nodes(ast.parse(text), ""):
        for target, replacement in _changes(node):
            was, becomes, whole = _replaced(text, target, replacement)
            if whole in texts or not _compiles(whole):
                continue
            texts.add(whole)
            nth = alike[function, was, becomes] = alike.get((function, was, becomes), 0) + 1
            found.append(Mutant(function or MODULE, target.lineno, was, becomes, nth, whole))
    return sorted(found, key=lambda mutant: mutant.line)


def _nodes(parent: ast.AST, owner: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node that may be changed, with the outermost function, or else the class, that it is in."""
    for field, value in ast.iter_fields(parent):
        for node in value if isinstance(value, list) else [value]:
            declared = isinstance(parent, ast.ClassDef) and field == "keywords"  # frozen=True and such
            if not isinstance(node, ast.AST) or field in NOT_CODE or declared or isinstance(node, ast.JoinedStr):
                continue
            name = owner
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and isinstance(parent, ast.Module | ast.ClassDef):
                name = f"{owner}.{node.name}".lstrip(".")
            yield name, node
            yield from _nodes(node, name)


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare() | ast.BoolOp() | ast.BinOp():
            yield from _operators(node)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() | float() as value):
            yield from ((node, f"({value + step})") for step in (1, -1))
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Constant):
            yield from ((test, word) for word in ("True", "False"))
        case ast.comprehension(ifs=conditions):
            yield from ((condition, "True") for condition in conditions)
        case ast.Call(func=ast.Name(id=name) as function) if name in FUNCTIONS:
            yield function, FUNCTIONS[name]
        case ast.ExceptHandler(type=ast.Tuple(elts=kinds) as caught):
            yield from ((caught, f"({', '.join(ast.unparse(kind) for kind in kinds if kind is not one)},)") for one in kinds)
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield value, "None"
        case _:
            yield from _deleted(node)


def _operators(node: ast.Compare | ast.BoolOp | ast.BinOp) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            other = copy.deepcopy(node)
            other.ops[at] = COMPARISONS[type(operator)]()
            yield node, f"({ast.unparse(other)})"
    elif isinstance(node, ast.BoolOp):
        yield node, f"({ast.unparse(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))})"
    elif type(node.op) in OPERATIONS and not (_is_type(node.left) or _is_type(node.right)):
        yield node, f"({ast.unparse(ast.BinOp(node.left, OPERATIONS[type(node.op)](), node.right))})"


def _is_type(node: ast.expr) -> bool:
    """`str | None` is no sum, and a text has no difference."""
    match node:
        case ast.Constant(value=value):
            return value is None or isinstance(value, str)
        case ast.Name(id=name):
            return name in TYPES or _is_class(name)
        case ast.Attribute(attr=name):
            return _is_class(name)
        case ast.Subscript(value=value):
            return _is_type(value)
    return isinstance(node, ast.JoinedStr)


def _is_class(name: str) -> bool:
    return name[:1].isupper() and not name.isupper()


def _deleted(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield node, "pass"
        case ast.stmt() if isinstance(node, DELETED):
            yield node, "pass"


def _replaced(text: str, node: ast.expr | ast.stmt, replacement: str) -> tuple[str, str, str]:
    """The lines of a node as one, the same with the replacement, and the whole text with it."""
    lines = text.splitlines(keepends=True)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()  # columns are counted in bytes
    after = lines[last].encode()[node.end_col_offset :].decode()
    changed = before + replacement + after
    was = " ".join("".join(lines[first : last + 1]).split())
    return was, " ".join(changed.split()), "".join([*lines[:first], changed, *lines[last + 1 :]])


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True
