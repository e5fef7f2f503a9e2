"""The documents say what the program does: generated parts are fresh, nothing is left out, links lead somewhere, examples parse."""

import functools
import importlib.util
import itertools
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from modelsync import cli, settings
from modelsync.cli.program import app
from modelsync.database import schema
from modelsync.planning.outcome import exit_code
from modelsync.providers import registry
from support.store import opened
from support.sync import query

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS, PROVIDERS, SETTINGS, DATABASE, TROUBLES, SCHEDULING = (
    (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    for name in ("commands", "providers", "settings", "database_schema", "troubleshooting", "scheduling")
)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OF_RUN_ITSELF = {"test", "check", "bench", "soak", "mutate", "docs", "lock"}
NAMES_OF_DOCUMENTS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


@functools.cache
def generator():
    """The script, in this process and once: what it has made is looked at by several tests."""
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(text, title):
    """The part of a Markdown text under a heading, to the next heading of its level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {title}"
    return found[2]


def block(name, text):
    return re.search(rf"<!-- generated: {name} -->\n(.*?)<!-- /generated -->", text, re.DOTALL)[1]


# Generated parts


def test_generated_parts_are_fresh(capsys):
    program = generator()
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    found = [block["name"] for block in program.BLOCK.finditer(README + contributing + COMMANDS + PROVIDERS + SETTINGS + SCHEDULING)]
    assert sorted(found) == sorted(program.BLOCKS)
    assert (program.main(["--check"]), capsys.readouterr().err) == (0, "")


def test_every_block_of_every_document_can_be_made():
    program = generator()
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        found = [block["name"] for block in program.BLOCK.finditer(text)]
        assert len(found) == text.count("<!-- generated: "), path
        with_their_own = (program.README, program.CONTRIBUTING, program.COMMANDS, program.PROVIDERS, program.SETTINGS, program.SCHEDULING)
        if path not in with_their_own:
            assert all(name.partition(" ")[0] in program.PARTS for name in found), path
        assert (found != []) == (path in program.WITH_BLOCKS), path


def test_a_stale_part_is_noticed_and_durations_are_not():
    program = generator()
    stale = PROVIDERS.replace("| `groq` | **needed** |", "| `groq` | optional |")
    assert program.without_moments(stale) != program.without_moments(PROVIDERS)
    slower = re.sub(r"( +)[01]\.\d s$", r"\g<1>9.9 s", README, flags=re.MULTILINE)
    assert slower != README
    assert program.without_moments(slower) == program.without_moments(README)


def test_lines_are_left_out_of_the_capture_only_where_it_says_so():
    capture = block("capture", README).splitlines()
    printed = generator().modelsync("demo").splitlines()
    moments = generator().without_moments
    have = {moments(line) for line in printed}
    assert [line for line in capture[1:-1] if line != "…" and moments(line) not in have] == []
    assert "…" in capture


# Nothing is left out


def test_every_provider_and_every_key_variable_is_in_the_table():
    rows = {line.split("|")[1].strip(): line for line in block("providers", PROVIDERS).splitlines()[2:]}
    assert list(rows) == [f"`{slug}`" for slug in registry.load()]
    for slug, provider in registry.load().items():
        row = rows[f"`{slug}`"]
        assert all(f"`{name}`" in row for name in provider.auth.variables)
        assert provider.verified in row


def test_every_setting_is_documented(tmp_path):
    shown = settings.load({}, tmp_path).shown
    assert len(shown) > 40
    assert [row.name for row in shown if f"`{row.name}`" not in (PROVIDERS if row.help.startswith("key of") else SETTINGS)] == []


def test_settings_in_examples_are_settings(tmp_path):
    names = {row.name for row in settings.load({}, tmp_path).shown}
    pages = [path.read_text("utf-8") for path in DOCUMENTS]
    blocks_of_settings = [found for text in pages for found in re.findall(r"^```ini\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    lines = "".join(blocks_of_settings).splitlines()
    assert len(lines) > 8
    assert [line for line in lines if line.partition("=")[0] not in names] == []


def test_every_command_is_in_the_table_of_commands():
    commands = re.findall(r"^\| `(\w+)` \|", COMMANDS, re.MULTILINE)
    assert sorted(commands) == sorted(cli.COMMANDS)


def test_every_exit_code_of_the_help_and_of_the_code_is_in_the_table():
    text = cli.EXIT_CODES + (exit_code.__doc__ or "")
    named = {int(number) for number in re.findall(r"(?<![\w.])\d{1,2}(?![\w.])", text)}
    table = {
        int(number) for line in re.findall(r"^\| ([\d, ]+) \|", section(COMMANDS, "Exit codes"), re.MULTILINE) for number in line.split(",")
    }
    assert named == {0, 1, 3, 4, 64}
    assert table == named | {130, 143}
    assert " ".join(cli.EXIT_CODES.split()) in README


def test_every_table_and_column_is_described():
    for table in schema.metadata.tables.values():
        described = set(re.findall(r"`(\w+)`", section(DATABASE, table.name)))
        assert {column.name for column in table.columns} - described == set(), table.name
    assert set(re.findall(r"^## (\w+)$", DATABASE, re.MULTILINE)) == set(schema.metadata.tables)


def test_types_and_indexes_of_the_page_are_those_of_a_real_database(database_url):
    with opened(database_url):
        for name in schema.metadata.tables:
            text = section(DATABASE, name)
            rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in re.findall(r"^\| `\w+` \| `.*$", text, re.MULTILINE)]
            place = 2 if database_url.startswith("sqlite") else 1
            shown = {row[0]: (row[place], row[3] != "may be") for row in rows if len(row) == 5}
            assert shown == columns_of(database_url, name), name
            indexes = re.findall(r"^- index `(\w+)`.*?(?:\((Postgres|SQLite)\))?$", text, re.MULTILINE)
            here = ("", "SQLite" if place == 2 else "Postgres")
            assert {index for index, only in indexes if only in here} == indexes_of(database_url, name), name


def columns_of(database_url, table):
    """A real table's columns: type, and whether they are NOT NULL. Computed columns of SQLite are not among them."""
    if database_url.startswith("sqlite"):
        found = query(database_url, f"SELECT name, lower(type) AS type, \"notnull\" AS needed FROM pragma_table_info('{table}')")
    else:
        found = query(
            database_url,
            "SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS needed FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped",
        )
    return {row["name"]: (row["type"], bool(row["needed"])) for row in found}


def indexes_of(database_url, table):
    if database_url.startswith("sqlite"):
        found = query(database_url, f"SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}'")
    else:
        found = query(database_url, f"SELECT indexname AS name FROM pg_indexes WHERE tablename = '{table}'")
    return {row["name"] for row in found if row["name"].startswith("ix_") and not row["name"].endswith("_real")}


@pytest.mark.parametrize(
    "words",
    [
        *("API key not configured", "rejected the key", "cannot connect to", "the list is empty", "is locked by another", "is read-only"),
        *("cannot be opened", "no space left", "refused the user or password", "modelsync db upgrade", "already being synced by run"),
        *("Unknown provider: ", "Did you mean ", "of\nanother program", "Skipping "),
    ],
)
def test_messages_quoted_under_troubleshooting_are_those_of_the_program(words):
    assert words in TROUBLES
    assert any(words.replace("\n", " ") in path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))


# Links


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES_OF_DOCUMENTS)
def test_links_to_files_and_headings_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        place, _, heading = link.partition("#")
        if "://" in place:
            continue
        target = path.parent / place if place else path
        if not target.exists() or (heading and heading not in anchors(target)):
            dead.append(link)
    assert dead == []


def anchors(path):
    titles = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", NAMES_OF_DOCUMENTS)
def test_files_named_in_the_text_exist(name):
    text = (ROOT / name).read_text("utf-8")
    named = set(re.findall(r"(?:src|scripts|docs|deploy|tests)/[\w./-]+\.(?:py|md|yml|json|service|timer)\b", text))
    invented = {path for path in named if "acme" in path}
    assert [path for path in sorted(named - invented) if not (ROOT / path).exists()] == []
    assert all((ROOT / path.replace("acme", "groq")).exists() for path in invented)


# Examples


def code_lines(text):
    """Lines of code blocks, fenced (but not what a program printed) or indented."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (\S.*)$", rest, re.MULTILINE)
    return [*itertools.chain.from_iterable(code.splitlines() for kind, code in fenced if kind != "text"), *indented]


def examples(text):
    """Command lines of ours, in code blocks and in backticks, as the arguments of `modelsync`."""
    quoted = [code for code in re.findall(r"`([^`\n]+)`", text) if code.startswith(("./run ", "modelsync "))]
    for line in [*code_lines(text), *quoted]:
        for call, rest in OURS.findall(line):
            arguments = shlex.split(rest, comments=True)
            yield (line, ["sync", *arguments] if call.endswith("sync_models.py") else arguments)


OURS = re.compile(r"(\./run|/opt/modelsync/run|^modelsync|(?<= )modelsync|scripts/sync_models\.py)(?= |$)([^;&|>]*)")

EXAMPLES = [
    (name, line, arguments)
    for name, path in zip(NAMES_OF_DOCUMENTS, DOCUMENTS, strict=True)
    for line, arguments in examples(path.read_text("utf-8"))
    if "COMMAND" not in arguments and "acme" not in arguments
]


def test_there_are_examples():
    counted = Counter(name for name, *_ in EXAMPLES)
    assert (counted["README.md"] > 12, counted["docs/commands.md"] > 20, counted["docs/cookbook.md"] > 60) == (True, True, True), counted


@pytest.mark.parametrize(("name", "line", "arguments"), EXAMPLES)
def test_example_commands_parse(name, line, arguments):
    if arguments[:1] and arguments[0] in OF_RUN_ITSELF:
        return
    command, *_ = parsed(arguments)
    assert callable(command), line


def parsed(arguments):
    """What the command line would call; raises for a wrong option."""
    return app.parse_args(arguments, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("arguments", [["sync", "--provder", "xai"], ["sync", "xai"], ["syncc"], ["models", "--max-price", "low"]])
def test_a_wrong_example_would_be_noticed(arguments):
    with pytest.raises(CycloptsError):
        parsed(arguments)


# Decisions and changelog


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda path: path.name)
def test_decisions_are_short_and_say_why(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 40
    assert re.match(rf"# {int(path.name[:4])}\. ", text)
    for part in ("**Context.**", "**Decision.**", "**Consequences.**", "**Alternatives.**"):
        assert part in text


def test_every_dependency_has_its_line():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    named = re.findall(r'^    "([a-z0-9-]+)', section_of_toml(project, "dependencies"), re.MULTILINE)
    text = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text("utf-8").lower()
    assert len(named) > 10
    assert [name for name in named if name not in text] == []


def section_of_toml(text, name):
    return re.search(rf"^{name} = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]


def test_the_changelog_begins_with_what_is_not_released():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[0] == "[Unreleased]"
