"""Every command in README.md and the pages for operators runs: each block in a real shell, against the simulator, in a folder of its own.

The catalog in that folder is one of two days: of the first, eight days ago, and of the second, three days ago. For each heading one fact
is named here that was worked out by hand from the samples, or who else runs its commands.
"""

import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from modelsync.database.migrate import Schema
from support import postgres
from support.api import free_port
from support.cli import ROOT
from support.shell import Played, Shell, catalog_in
from support.sync import query


class Recipe(NamedTuple):
    """What a heading's commands must have said, and what is so before them."""

    told: str
    before: str = ""
    """Commands that make what the recipe is about."""
    fails: tuple[str, ...] = ()
    """Commands with an exit code other than 0 that is right."""
    files: Mapping[str, str] = {}
    """Files that they make, and what must be in them."""
    program: str = ""
    """What has to be installed."""


OLD_KEY = "k" * 32
HELD = "4 ./run held"
FEW = "echo MODELSYNC_PROVIDERS=openrouter,deepinfra,helicone >>.env"
"""Fewer providers, for haste."""
PINNED = './run pin openrouter acme/scribe-2 pricing_prompt=0.80/M --reason "r"'
OTHER_DAY = """curl --silent -d '{"day": 0}' "$MODELSYNC_ORIGIN/_simulator/day" """
"""The provider says again what it said on the first day."""

OF_COOKBOOK = {
    "Try it all without touching anything": Recipe("larkfield/Quill-8B-Turbo deepinfra 0.03 0.05 131k"),
    # DeepInfra 0.01, Together 0.016
    "Find the cheapest offer of a model": Recipe("modality status otterden/Pebble-Embed-v2 deepinfra 0.01 — 8,192"),
    "Find free models": Recipe("6 of 6 models"),
    # strata-4-free 0, quill-5-nano 0.05, Pippin-70B 0.13, pulp-2 0.20, Quill-Vista 0.30
    "Find models with tools and 128k of context under a price": Recipe("5 of 5 models"),
    "See which models end soon": Recipe("accounts/fireworks/models/quill-v2p1 fireworks 0.40 1.60"),
    "See which models are gone from their lists": Recipe("21 of 21 models"),
    "Get a CSV of all models": Recipe("", files={"models.csv": "\nopenrouter,acme/scribe-2,acme/scribe-2,"}),
    "Use only some providers": Recipe("2 of 2 providers up to date"),
    "See which keys are set and which providers work": Recipe("✓ groq answers within"),
    "See what changed this week": Recipe(
        "openrouter acme/scribe-2 prompt 1.25 → 1.00 $/1M (-20%), completion 10.00 → 8.00 $/1M (-20%) (run 2)"
    ),
    "See only prices that changed": Recipe("xai brook-5 prompt 3.00 → 2.00 $/1M (-33%)"),
    # 0.000001 / 0.00000125
    "Get a CSV of changes for finance": Recipe(
        "", files={"changes.csv": "openrouter,acme/scribe-2,updated,pricing_prompt,0.00000125,0.000001,0.8,2,sync\n"}
    ),
    "Compare the catalog at two dates": Recipe("5 models of openrouter before, 6 after, 3 differ"),
    "See the catalog as it stood at a time": Recipe("acme/scribe-2 openrouter 1.25 10.00"),
    "See everything that happened to one model": Recipe("openrouter acme/scribe-2 new in 1.25 out 10.00 $/1M ctx 400k (run 1)"),
    "Follow new models in a feed reader": Recipe("acme/scribe-3"),
    "Find out why a model has no price": Recipe('completion = "0.8", prompt = "0.2" are stated by the provider and not read'),
    "Find out where a price comes from": Recipe("the provider on the wire: prompt = 0.000001 USD per token"),
    "Set a price that is better known here, until a date": Recipe("acme/scribe-2 openrouter 0.80 6.40"),
    "See pinned prices that the provider has moved since": Recipe(
        "pricing_prompt = 0.80 $/1M (0.0000008 USD per token) (the provider's value: 1.25 $/1M",
        before=f"{PINNED}\n{OTHER_DAY}\n./run sync --providers openrouter",
    ),
    "Give a pinned price back to the provider": Recipe("Unpinned pricing_prompt of openrouter acme/scribe-2.", before=PINNED),
    "See what needs review, and decide it": Recipe("Confirmed 1: helicone price, moss-nemo", fails=(HELD,)),
    "Refuse what is held": Recipe("Rejected 1: helicone price, moss-nemo"),
    "Take a decision back": Recipe("Open again: 1: helicone price, moss-nemo", before='./run reject 1 --reason "r"'),
    "Hide a model": Recipe("Pinned groq whisper-petite-v9: is_active = no"),
    "Keep a model that the provider does not list any more": Recipe("Pinned openrouter orchard/pip-7b: is_active = yes"),
    "Add a model that is not listed": Recipe("acme/private-1 openrouter 1.00 4.00 128k"),
    "Let a provider drop many models this week": Recipe("shrink 0.4 "),
    "See who decided what": Recipe("pin groq whisper-petite-v9 is_active (r)", before='./run hide groq whisper-petite-v9 --reason "r"'),
    "Look first, then do exactly that": Recipe("acme/scribe-2 prompt 1.00 → 1.25 $/1M (+25%)", before=OTHER_DAY),
    "Pause everything, and go on": Recipe("Every provider syncs again from the next run on."),
    "Go back to an earlier run": Recipe("openrouter: 2 models are as they were after run 1 (run 3)"),
    "See what a run did": Recipe("openrouter synced 5 0 1 1 3 1"),
    "Keep the providers' answers, and read them again": Recipe("Plan: 0 new, 0 updated, 5 unchanged, 1 missing", before=OTHER_DAY),
    "Rotate a provider's key": Recipe("key set in GROQ_API_KEY", before="sed -i s/demo-groq/the-old-key/ .env"),
    "Rotate a key of the REST API": Recipe("Key 1 is revoked.", before='./run keys create ci --reason "r"'),
    "Rotate the server's own key": Recipe(
        "ADMIN_API_KEY ***", before=f"echo ADMIN_API_KEY={OLD_KEY} >>.env", files={".env": f",{OLD_KEY}\n"}
    ),
    "Know that everything is fresh": Recipe("", files={"status.json": '"total": 132,'}),
    "Watch it with Prometheus": Recipe('modelsync_models{provider="openrouter",status="missing"} 1.0'),
    "Back up and restore": Recipe("models 132, "),
    "Upgrade": Recipe(f"schema {Schema.head}; this program needs {Schema.head}"),
    "Make room": Recipe("Nothing to delete."),
    "Sync every night with cron": Recipe("&& { ./run sync >sync.log 2>&1", files={"modelsync.cron": "HERE && { ./run sync"}),
    "Sync every night with a systemd timer": Recipe("not run here: systemctl list-timers modelsync-*"),
    "Sync with GitHub Actions": Recipe("", files={".github/workflows/sync.yml": "workflow_dispatch:"}),
    "Put nginx in front": Recipe("not run here: nginx -s reload"),
    "Move from SQLite to Postgres": Recipe("Run 3: 3 of 3 providers up to date; 0 new, 0 updated, 16 unchanged, 3 missing", before=FEW),
    "Query it with SQL": Recipe("openrouter|acme/scribe-2:free|0", program="sqlite3"),
    "Make a dashboard": Recipe("'provider': 'openrouter', 'models': 5, 'priced': 3"),
    "Read it from Python": Recipe("acme/scribe-2 0.000001 False"),
    "Read it over HTTP": Recipe('"provider_model_id":"acme/scribe-3"'),
}

OF_ITS_OWN = "told by a test of its own, in test_postgres_page.py or test_postgres_roles.py"

AGED = """modelsync sync --providers groq
modelsync sync --providers groq
python - <<'END'
import contextlib, sqlite3
with contextlib.closing(sqlite3.connect("modelsync.db")) as file, file:
    for table, column, number in (("sync_runs", "started_at", "id"), ("sync_results", "finished_at", "run_id")):
        file.execute(f"UPDATE {table} SET {column} = '2020-01-01T00:00:00.000000Z' WHERE {number} = 3")
END
"""
"""A run of long ago that changed nothing."""

TABLES: dict[str, dict[str, Recipe]] = {
    "README.md": {
        "modelsync": Recipe("Run 3: 3 of 3 providers up to date; 0 new, 0 updated, 16 unchanged, 3 missing", before=FEW),
        "Install": Recipe("not run here: pip install --no-deps ."),
        "First steps": Recipe(
            "Run 4: 2 of 2 providers up to date; 0 new, 0 updated, 12 unchanged, 2 missing", before=FEW, fails=("4 ./run status",)
        ),
        "Reading prices rightly": Recipe("'model': 'quill-5-nano', 'context_length': 200000, 'prompt_usd_per_million': 0.05"),
    },
    "docs/cookbook.md": OF_COOKBOOK,
    "docs/commands.md": {"The command sync": Recipe("Plan: 0 new, 0 updated, 5 unchanged, 1 missing (1 of 1 providers up to date)")},
    "docs/postgres.md": {
        "A Postgres to try it": Recipe("Run 1: 3 of 3 providers up to date; 16 new", before=FEW),
        "Roles with no more rights than they need": Recipe(OF_ITS_OWN),
        "Backup and restore": Recipe(OF_ITS_OWN),
        "What roles.sql says": Recipe(OF_ITS_OWN),
    },
    "docs/rest.md": {"The REST API": Recipe('"status":')},
    "docs/deploy.md": {
        "With systemd": Recipe(
            "not run here: systemctl start modelsync-sync.service",
            before="mkdir -p etc/systemd/system",
            files={"etc/systemd/system/modelsync-sync.timer": "OnCalendar=", "etc/modelsync/environment": "GROQ_API_KEY="},
        ),
        "The scheduler and the server with systemd": Recipe(
            "not run here: systemctl enable --now modelsync-scheduler.service modelsync.service"
        ),
        "In a container": Recipe("not run here: docker run --rm --read-only"),
        "With Compose": Recipe("up --detach --build", files={".env": "\nPOSTGRES_PASSWORD="}),
        "With Kubernetes": Recipe("not run here: kubectl --namespace=catalog wait"),
        "The server on a network": Recipe('"status":'),
    },
    "docs/housekeeping.md": {
        "Stopping every sync for a while": Recipe("Every provider syncs again from the next run on.", fails=("4 modelsync status",)),
        "Backup and restore: SQLite": Recipe("models 132, ", before="mkdir backups srv"),
        "Backup and restore: Postgres": Recipe(OF_ITS_OWN),
        "Moving to another database": Recipe("models 132, ", before="mkdir srv"),
        "Deleting for good": Recipe("1 run", before=AGED),
        "Who decided what": Recipe("(r)", before='modelsync hide groq whisper-petite-v9 --reason "r"'),
    },
    "docs/simulator.md": {
        "The simulator": Recipe('"endpoint_id":"fal-ai/lumen/dev"'),
        "Settings": Recipe('"near":{"models":1}'),
        "Faults": Recipe('"fault":"status"'),
        "From Python": Recipe("http://127.0.0.1:"),
    },
    "docs/admin_api.md": {},
    "docs/models_catalog_management.md": {},
    "docs/providers_management.md": {},
    "docs/providers.md": {},
    "docs/settings.md": {},
    "docs/troubleshooting.md": {},
    "docs/upgrading.md": {},
}

OF_API = ("docs/rest.md", "docs/admin_api.md", "docs/models_catalog_management.md", "docs/providers_management.md")
"""Whose curl commands test_api_documents.py runs."""

ELSEWHERE = ("docs/upgrading.md",)
"""Whose sentences are steps: test_upgrading_page.py takes them."""

CAPTURED = "./run demo  "
"""The line of README.md that test_docs.py runs, and holds against the capture below it."""


def headings(name: str, text: str) -> dict[str, list[tuple[str, str]]]:
    """The blocks of code that run, by the heading above them: language and text."""
    found: dict[str, list[tuple[str, str]]] = {}
    for title, part in re.findall(r"^#+ ([^\n]*)\n(.*?)(?=^#|\Z)", _hidden(text), re.MULTILINE | re.DOTALL):
        blocks = [(kind, _shown(code)) for kind, code in re.findall(r"^```(\w+)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)]
        if runnable := [
            (kind, code) for kind, code in blocks if kind in ("sh", "sql", "python") and not (name in OF_API and only_curl(code))
        ]:
            found[title] = runnable
    return found


def only_curl(code: str) -> bool:
    """Whether test_api_documents.py runs all of a block: on a server of its own, and holds the answers against OpenAPI."""
    return all(line.startswith("curl ") for line in code.replace("\\\n", "").splitlines() if line)


def _hidden(text: str) -> str:
    """Comments in blocks are no headings."""
    return re.sub(r"^```.*?^```$", lambda found: found[0].replace("\n#", "\n\0"), text, flags=re.MULTILINE | re.DOTALL)


def _shown(code: str) -> str:
    return code.replace("\0", "#")


TEXTS = {name: (ROOT / name).read_text("utf-8") for name in TABLES}
PAGES = {name: headings(name, text) for name, text in TEXTS.items()}
PLAYED = [
    pytest.param(name, title, id=f"{Path(name).stem}: {title}")
    for name, table in TABLES.items()
    for title in PAGES[name]
    if title not in table or table[title].told != OF_ITS_OWN
]


ADDRESSES = (
    "postgresql://user:password@db.example.com:5432/catalog",
    "postgresql://postgres:secret@127.0.0.1:5432/catalog",
    "postgresql://modelsync:secret@127.0.0.1:5432/catalog",
)
"""Of Postgres in the documents: a fresh database each time."""


def fresh_postgres(request: pytest.FixtureRequest) -> str:
    return postgres.new_database(request.getfixturevalue("postgres_server"), f"c{uuid.uuid4().hex[:12]}")


def placeholders(port: int) -> dict[str, str]:
    """What stands in documents for what only the reader knows, and times that pass."""
    now = datetime.now(UTC)
    return {
        "2026-11-01": f"{now - timedelta(days=5):%Y-%m-%d}",
        "2026-11-22": f"{now - timedelta(days=1):%Y-%m-%d}",
        "2027-01-31": f"{now + timedelta(days=60):%Y-%m-%d}",
        "2027-06-30": f"{now + timedelta(days=200):%Y-%m-%d}",
        "your-new-key": "demo-groq",
        "127.0.0.1:8000": f"127.0.0.1:{port}",
        "127.0.0.1:8900": f"127.0.0.1:{port}",
        "--port 8900": f"--port {port}",
        "--port 8000": f"--port {port}",
    }


def of_deploy(folder: Path) -> dict[str, str]:
    """Places of a machine, in the folder."""
    return {"/etc/": f"{folder}/etc/", "/opt/modelsync/": f"{folder}/"}


def of_housekeeping(folder: Path) -> dict[str, str]:
    """The same, and the number that the plan before ended with."""
    look = "modelsync purge --retired-for 365d --runs-older-than 90d --json"
    plan = f"{look} | python -c 'import json, sys; print(json.load(sys.stdin)[\"plan\"])'"
    return {"/backups/": f"{folder}/backups/", "/srv/": f"{folder}/srv/", "5f0c2b7d91e3a468": f'"$({plan})"'}


OF_PAGE: dict[str, Callable[[Path], dict[str, str]]] = {"docs/deploy.md": of_deploy, "docs/housekeeping.md": of_housekeeping}


def filled_in(text: str, places: Mapping[str, str], port: int) -> str:
    """A block with its placeholders filled in, and its servers in the background."""
    for shown, real in places.items():
        text = text.replace(shown, real)
    text = re.sub(r"((?:\./run|modelsync) serve)\b(?!.*--port)", rf"\1 --port {port}", text)
    until_it_answers = f"until curl --silent http://127.0.0.1:{port}/health/live; do sleep 0.05; done"
    return re.sub(r"^(.*(?:\./run|modelsync) serve\b[^&\n]*?)(?: &)?$", rf"\1 &\n{until_it_answers}", text, flags=re.MULTILINE)


def told_by(played: Shell, blocks: list[tuple[str, str]], places: Mapping[str, str], port: int) -> Played:
    """What all blocks of a heading said, one after the other."""
    script, answers = "", []
    for kind, code in blocks:
        if kind == "sql":
            answers += [str(row) for row in query(catalog_in(played.folder), code.rstrip().rstrip(";"))]
        else:
            text = filled_in("".join(line for line in code.splitlines(keepends=True) if not line.startswith(CAPTURED)), places, port)
            script += text if kind == "sh" else f"python - <<'END'\n{text}END\n"
    done = played.play(script)
    return Played(f"{done.printed} {' '.join(answers)}", done.failed)


def ensure_told(recipe: Recipe, done: Played, folder: Path) -> None:
    """Complain when commands failed, or did not say what they must."""
    assert done.failed == list(recipe.fails), done.printed
    assert recipe.told in done.printed, done.printed
    assert recipe.told or recipe.files, "a recipe without a fact"
    for name, text in recipe.files.items():
        assert text.replace("HERE", str(folder)) in (folder / name).read_text("utf-8"), name


@pytest.mark.parametrize(("name", "title"), PLAYED)
def test_commands_do_what_the_page_says(name: str, title: str, played: Shell, request: pytest.FixtureRequest) -> None:
    recipe = TABLES[name][title]
    if recipe.program and shutil.which(recipe.program) is None:
        pytest.skip(f"{recipe.program} is not installed")
    port = free_port()
    places = placeholders(port) | OF_PAGE.get(name, lambda _: {})(played.folder)
    if any(address in code for _, code in PAGES[name][title] for address in ADDRESSES):
        places |= dict.fromkeys(ADDRESSES, fresh_postgres(request))
    if recipe.before:
        assert played.play(recipe.before).failed == []
    ensure_told(recipe, told_by(played, PAGES[name][title], places, port), played.folder)


# Commands in sentences

ONLY_NAMED = {
    "./run": "the script itself",
    "./run COMMAND --help": "whatever the command is",
    "modelsync": "the program itself",
    "modelsync db backup FILE": "whatever the file is; the block beside it runs",
    "modelsync db restore FILE": "whatever the file is; the block beside it runs",
    "./run serve": "it runs until it is stopped; blocks with it run",
    "modelsync serve": "the same",
    "modelsync serve --with-scheduler": "the same; test_deploy_containers.py runs both",
    "modelsync scheduler": "the same",
    "./run serve --with-scheduler": "the same",
    "./run scheduler": "the same",
    "./run demo": "test_docs.py runs it, and holds it against the capture",
    "./run demo --keep demo.db": "the cookbook runs it",
    "modelsync simulate --sample tests/unit/providers/test_acme.py": "whatever the test is; test_simulator.py runs one",
}
"""Commands in sentences that are not run, and why."""

IN_SENTENCES = {
    "openai/gpt-5": "acme/scribe-2",
    "openai/gpt-oss-20b": "orchard/gpt-oss-7b",
    "runs 12": "runs 2",
    "replay 12": "replay 3",
    "confirm 3": "confirm 1",
    "reopen 3": "reopen 1",
}
"""Real names and numbers of the documents, as they are in the simulator."""

NEW_ANSWER = f"""echo MODELSYNC_ARCHIVE=answers >>.env
{FEW}
{OTHER_DAY}
./run sync --providers openrouter
curl --silent -d '{{"day": 1}}' "$MODELSYNC_ORIGIN/_simulator/day"
"""
"""Run 3, whose answer is kept."""

SENTENCES: dict[str, Recipe] = {
    "README.md": Recipe("1 needs review", before=FEW, fails=("4 ./run status", "4 ./run held")),
    "docs/commands.md": Recipe(
        "The key of ci (sync); it is shown this once:",
        fails=('64 ./run resume openrouter --reason "they fixed it"', "4 ./run held", "4 ./run status"),
        before=NEW_ANSWER,
    ),
    "docs/deploy.md": Recipe("1 needs review", fails=("4 modelsync status", "4 ./run status")),
    "docs/housekeeping.md": Recipe("Run 2: succeeded"),
    "docs/postgres.md": Recipe(f"schema {Schema.head}, already up to date"),
    "docs/rest.md": Recipe("No keys were handed out."),
    "docs/settings.md": Recipe("Plan: 0 new, 0 updated, 5 unchanged, 1 missing", before=NEW_ANSWER),
    "docs/troubleshooting.md": Recipe("moss-nemo", before='./run reject 1 --reason "r"', fails=("4 ./run held --ids",)),
}
"""What commands in sentences must have said, played one after the other."""


def in_sentences(text: str) -> list[str]:
    """Commands of ours in backticks, each once, in their order."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"`((?:\./run|modelsync|sqlite3)(?: [^`\n]*)?)`", prose)
    return [command for command in dict.fromkeys(found) if command not in ONLY_NAMED]


@pytest.mark.parametrize("name", SENTENCES)
def test_commands_in_sentences_run(name: str, played: Shell) -> None:
    recipe = SENTENCES[name]
    if recipe.before:
        assert played.play(recipe.before).failed == []
    ensure_told(recipe, played.play(filled_in("\n".join(in_sentences(TEXTS[name])), IN_SENTENCES, 0)), played.folder)


def test_every_page_with_commands_in_sentences_has_its_fact() -> None:
    assert sorted(SENTENCES) == sorted(name for name, text in TEXTS.items() if name not in ELSEWHERE and in_sentences(text))


def test_no_block_of_commands_is_left_out() -> None:
    """Blocks of commands are fenced and say that they are sh: neither indented, nor without a language."""
    for name, text in TEXTS.items():
        rest = re.sub(r"^```(?:sh|sql|python|text|ini|crontab|nginx|yaml)\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        ours = [line for line in rest.splitlines() if re.match(r"(?: {4}|\$ |```)", line) and not line.startswith("    header_up")]
        assert [line for line in ours if "run " in line or "modelsync" in line] == [], name


def test_every_heading_has_its_fact_and_every_fact_its_heading() -> None:
    for name, table in TABLES.items():
        assert sorted(PAGES[name]) == sorted(table), name
    assert len(OF_COOKBOOK) >= 25
