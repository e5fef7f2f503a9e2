"""Write the parts of the documents that come from the program, and the examples of the REST API.

    python scripts/generate_docs.py           rewrite them
    python scripts/generate_docs.py --check   only say whether one is stale; exit code 1 then

A block stands between `<!-- generated: NAME -->` and `<!-- /generated -->`. They are what the program prints, its settings and its
providers; `table NAME` is a table of the database, and `routes TAG`, `parameters OPERATION` and `body OPERATION` are parts of the
OpenAPI document.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "scripts"), str(ROOT / "benchmarks")]

import api_examples  # noqa: E402 - works without an installation
import house  # noqa: E402
import schedules_on_paper  # noqa: E402

from modelsync import settings  # noqa: E402
from modelsync.database import schema  # noqa: E402
from modelsync.providers import registry  # noqa: E402
from modelsync.providers.base import KeyUse, Provider  # noqa: E402
from modelsync.server import access  # noqa: E402

README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
COMMANDS = ROOT / "docs" / "commands.md"
PROVIDERS = ROOT / "docs" / "providers.md"
SETTINGS = ROOT / "docs" / "settings.md"
DATABASE = ROOT / "docs" / "database_schema.md"
DEPLOY = ROOT / "docs" / "deploy.md"
OF_API = tuple(ROOT / "docs" / name for name in ("providers_management.md", "models_catalog_management.md", "admin_api.md"))
SCHEDULING, PICTURE = ROOT / "docs" / "scheduling.md", ROOT / "docs" / "scheduling.svg"
WITH_BLOCKS = (README, CONTRIBUTING, COMMANDS, PROVIDERS, SETTINGS, DATABASE, DEPLOY, SCHEDULING, *OF_API)
EXAMPLES = ROOT / "src" / "modelsync" / "api" / "examples.json"
SHOWN_IN_CAPTURE = ("openrouter", "xai")
NOT_IN_CAPTURE = re.compile(r"\d+ warnings?;|Alarm: |That was ")
BLOCK = re.compile(r"(?P<start><!-- generated: (?P<name>[a-z0-9_ -]+?) -->\n).*?(?P<end><!-- /generated -->)", re.DOTALL)


@cache
def modelsync(*arguments: str) -> str:
    """What a command prints, away from this machine's settings and window size."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "PATH": "/usr/bin:/bin", "HOME": folder}
        command = [sys.executable, "-m", "modelsync", *arguments]
        return subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True, text=True).stdout


def fenced(text: str) -> str:
    """Text as a code block."""
    return "```text\n" + "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n```\n"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(header), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def providers() -> str:
    """Every provider: whether it needs a key, in which variable, its price unit, and what its reading was checked against."""
    header = ("provider", "key", "variables, the first that is set", "price unit on the wire", "checked against")
    return table(header, (provider_row(provider) for provider in registry.load().values()))


def provider_row(provider: Provider) -> tuple[str, ...]:
    """One provider's cells."""
    variables = ", ".join(f"`{name}`" for name in provider.auth.variables)
    return (f"`{provider.slug}`", key_use(provider), variables, provider.price_unit, provider.verified)


def key_use(provider: Provider) -> str:
    """needed, optional or not used."""
    if provider.needs_key:
        return "**needed**"
    return "not used" if all(endpoint.key is KeyUse.NEVER for endpoint in provider.endpoints) else "optional"


def general_settings() -> str:
    """Every setting but the providers' keys, which stand in the table of providers."""
    with tempfile.TemporaryDirectory() as folder:
        found = settings.load({}, Path(folder)).shown
    rows = [(f"`{row.name}`", explained(row.help)) for row in found if not row.help.startswith("key of")]
    one = ("`MODELSYNC_ORIGIN_<SLUG>`", "the same for one provider: replaces its scheme, host and port (`MODELSYNC_ORIGIN_GOOGLE_VERTEX`)")
    other = ("`MODELSYNC_SCHEDULE_<SLUG>`", "the same for one provider (`MODELSYNC_SCHEDULE_GROQ=1h`)")
    beneath = {"`MODELSYNC_ORIGIN`": [one], "`MODELSYNC_SCHEDULE`": [other]}
    return table(("variable", "what it is"), [each for row in rows for each in (row, *beneath.get(row[0], ()))])


def of_limits(kind: str) -> str:
    """Settings of the server: what a client may take of it, or who a client is."""
    serving = [entry for entry in settings.TABLE if entry.into is settings.Serving]
    limits = [entry for entry in serving if isinstance(entry.read, settings.Number)]
    chosen = limits if kind == "limits" else [entry for entry in serving if "PROXIES" in entry.name or "SIGN_IN" in entry.name]
    return table(("variable", "what it is"), ((f"`{entry.name}`", entry.help) for entry in chosen))


def explained(text: str) -> str:
    """A setting's help with commas that a line may break at, without a default that is nothing."""
    return re.sub(r",(?=\S)", ", ", text.removesuffix("; default ")).replace("<", "`<", 1).replace("<path>", "<path>`", 1)


def sync_help() -> str:
    """`modelsync sync --help`."""
    return fenced(modelsync("sync", "--help"))


def capture() -> str:
    """`modelsync demo`, with a few providers and one of its two tables only; `…` stands where lines are left out."""
    kept, left_out, shown, tables = [], False, True, 0
    for line in modelsync("demo").splitlines():
        name = re.fullmatch(r"(?:[✓○◐✗] )?([a-z][a-z-]+)(?:  +[0-9].*)?", line)
        in_table = bool(re.search(r" \d+\.\d s$", line)) and name is not None
        tables += line.startswith("provider  ")
        if name:  # the line of a provider in a table, or the head of its plan
            shown = name[1] in SHOWN_IN_CAPTURE and not (in_table and tables > 1)
        elif not line.startswith("  "):
            shown = not NOT_IN_CAPTURE.match(line) and not (line.startswith("provider  ") and tables > 1)
        if shown and not (line == "" and kept[-1:] == [""]):
            kept += ["…"] * left_out + [line]
            left_out = False
        elif line:
            left_out = True
    return fenced("\n".join(kept + ["…"] * left_out))


def floors() -> str:
    """The house from top to bottom, and what import-linter watches over."""
    return table(("where", "what for"), house.floors()) + "\n" + "".join(f"- {promise}\n" for promise in house.promises())


def schedules() -> str:
    """What schedules cost and find in a hundred days."""
    return table(schedules_on_paper.HEADER, schedules_on_paper.rows())


BLOCKS: dict[str, Callable[[], str]] = {
    "floors": floors,
    "capture": capture,
    "providers": providers,
    "settings": general_settings,
    "sync-help": sync_help,
    "schedules": schedules,
}


# The database


def of_table(name: str) -> str:
    """A table's columns with their types and keys, and its indexes."""
    found = schema.metadata.tables[name]
    header = ("column", "Postgres", "SQLite", "NULL", "key")
    columns = table(header, (column_row(column) for column in found.columns))
    indexes = "".join(f"- {line}\n" for line in sorted(map(index_line, found.indexes)))
    unique = "".join(f"- unique: {names}\n" for names in sorted(unique_columns(found)) if "," in names)
    return columns + ("\n" if indexes or unique else "") + unique + indexes


def column_row(column: sa.Column[Any]) -> tuple[str, ...]:
    """One column's cells."""
    types = [f"`{column.type.compile(dialect=dialect).lower()}`" for dialect in (postgresql.dialect(), sqlite.dialect())]
    keys = ["primary key"] * column.primary_key + [f"`{key.target_fullname}`" for key in column.foreign_keys]
    keys += ["unique"] * (f"`{column.name}`" in unique_columns(column.table))
    return (f"`{column.name}`", *types, "may be" if column.nullable else "", ", ".join(keys))


def unique_columns(found: sa.Table) -> set[str]:
    """What is unique: a column, or several together."""
    together = (constraint.columns for constraint in found.constraints if isinstance(constraint, sa.UniqueConstraint))
    return {", ".join(f"`{column.name}`" for column in columns) for columns in together}


def index_line(index: sa.Index) -> str:
    """An index, and where it is not everywhere."""
    condition = index.dialect_options["postgresql"]["where"]
    only = "" if condition is None else f", only where `{condition}`"
    names = ", ".join(f"`{column.name}`" for column in index.columns)
    return f"index `{index.name}`: {names}{only}{ONLY_IN.get(str(index.name), '')}"


ONLY_IN = {
    **dict.fromkeys(("ix_models_pricing_prompt", "ix_models_pricing_completion", "ix_models_is_active"), " (Postgres)"),
    "ix_models_listed": " (SQLite)",
}
"""SQLite has those of prices over the prices as numbers: see the top of the page."""


# The REST API


@cache
def api() -> tuple[dict[str, Any], dict[str, Any]]:
    """The OpenAPI document of a running server, and recorded examples."""
    return api_examples.recorded()


def operations() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation."""
    paths = api()[0]["paths"].items()
    return {route["operationId"]: (method.upper(), path, route) for path, methods in paths for method, route in methods.items()}


def routes(tag: str) -> str:
    """The routes of a kind: what each does, and the key that it needs."""
    return table(("request", "what it does", "key"), (route_row(*found) for found in operations().values() if found[2]["tags"] == [tag]))


def route_row(method: str, path: str, route: dict[str, Any]) -> tuple[str, str, str]:
    """One route's cells."""
    told = [part.replace("\n", " ") for part in route["description"].split("\n\n") if not part.startswith("Needs a key")]
    return (f"`{method} {path}`", " ".join(told), str(access.needed(method, path, public=True) or "none"))


def parameters(operation: str) -> str:
    """A route's query parameters."""
    found = [each for each in operations()[operation][2]["parameters"] if each["in"] == "query"]
    return table(("parameter", "value", "what it is"), (field_row(each["name"], each["schema"], needed=each["required"]) for each in found))


def body(operation: str) -> str:
    """The fields of a route's body."""
    given = operations()[operation][2]["requestBody"]["content"]["application/json"]["schema"]
    shape = api()[0]["components"]["schemas"][given["$ref"].rpartition("/")[2]]
    needed = shape.get("required", ())
    rows = (field_row(name, each, needed=name in needed) for name, each in shape["properties"].items())
    return table(("field", "value", "what it is"), rows)


def field_row(name: str, given: dict[str, Any], *, needed: bool) -> tuple[str, str, str]:
    """One parameter's or field's cells."""
    default = given.get("default")
    shown = "" if default in (None, "", []) else f"Default `{default}`."
    parts = ("**Needed.**" if needed else "", given.get("description", ""), shown)
    return (f"`{name}`", value_of(given), " ".join(filter(None, parts)))


KINDS = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false", "object": "an object"}


def value_of(given: dict[str, Any]) -> str:
    """What a value may be, in a few words."""
    for each in given.get("anyOf", ()):
        if each.get("type") != "null":
            return value_of(each)
    if "enum" in given:
        return ", ".join(f"`{value}`" for value in given["enum"])
    if given.get("type") == "array":
        items = given["items"]
        return f"several of: {value_of(items)}" if "$ref" not in items else "a list of models"
    kind = "a time" if given.get("format") == "date-time" else KINDS[given["type"]]
    least, most = given.get("minimum"), given.get("maximum")
    if most is not None and most <= MOST_SHOWN:
        return f"{kind}, {_bound(least)} to {_bound(most)}"
    return kind


def _bound(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


MOST_SHOWN = 10_000_000
"""A bound above it is nobody's concern."""

PARTS: dict[str, Callable[[str], str]] = {"table": of_table, "routes": routes, "parameters": parameters, "body": body, "serving": of_limits}


def block(name: str) -> str:
    """One block, made anew."""
    kind, _, subject = name.partition(" ")
    return PARTS[kind](subject) if subject else BLOCKS[kind]()


def written(text: str) -> str:
    """A document with its blocks made anew."""
    return BLOCK.sub(lambda found: found["start"] + block(found["name"]) + found["end"], text)


def without_moments(text: str) -> str:
    """A document without what differs from one run to the next: durations, and the demo's own folder."""
    return re.sub(r" *\d+\.\d s\b", " 0.0 s", re.sub(r"modelsync-demo-\w+", "modelsync-demo-x", text))


def documents() -> dict[Path, str]:
    """Every file of which something is generated, as it should be."""
    made = {path: written(path.read_text("utf-8")) for path in WITH_BLOCKS}
    examples = msgspec.json.format(msgspec.json.encode(api()[1]), indent=1).decode() + "\n"
    return made | {EXAMPLES: examples, PICTURE: schedules_on_paper.picture()}


def main(arguments: list[str]) -> int:
    """Rewrite, or with --check only compare."""
    stale = []
    for path, after in documents().items():
        before = path.read_text("utf-8") if path.exists() else ""
        if without_moments(before) == without_moments(after):
            continue
        stale.append(str(path.relative_to(ROOT)))
        if arguments != ["--check"]:
            path.write_text(after, "utf-8", newline="\n")
    if stale and arguments == ["--check"]:
        sys.stderr.write(f"{', '.join(stale)}: stale. Run: python scripts/generate_docs.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
