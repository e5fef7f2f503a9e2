"""The command line, run as real processes against the simulator, with its output looked at."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pexpect
import pytest

from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from modelsync.simulator.wires import WIRES, Wires
from support import samples
from support.api import free_port
from support.cli import ROOT, environment, run, run_json, run_python

EVERY = len(registry.load())

SCRIPT = str(ROOT / "scripts" / "sync_models.py")


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with samples.simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: Simulator) -> Simulator:
    shared.reset()
    return shared


@pytest.mark.parametrize(
    "command", ["pin near m context_length=5 --reason", "models", "confirm 1 --reason", "history near", "sync --providers"]
)
def test_bytes_that_are_no_text_are_a_mistake_and_no_traceback(tmp_path: Path, command: str):
    done = run_python(tmp_path, "-m", "modelsync", *command.split(), "a\udcff", env=environment(tmp_path))
    place = len(command.split()) + 1
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"modelsync: Argument {place} is not text in UTF-8. Nothing was done; ")


def test_a_sync_ends_in_a_table_with_a_row_per_provider(simulator: Simulator, tmp_path: Path):
    done = run_python(tmp_path, "-m", "modelsync", "sync", env=environment(tmp_path, simulator))
    assert done.returncode == 4, done.stdout + done.stderr  # Helicone's registry lists a price of $20,000 per 1M tokens
    table = [line.split() for line in done.stdout.splitlines() if re.match(r"[✓◐] \S+ +\d", line)]
    assert [row[1] for row in table] == list(registry.load())
    assert [row[1] for row in table if row[0] == "◐"] == ["helicone"]
    assert "◐ helicone: moss-nemo: pricing_prompt unknown → $20,000 per 1M tokens" in done.stdout
    heads = done.stdout.splitlines()[0].split()
    assert heads == ["provider", "fetched", "transformed", "skipped", "created", "updated", "unchanged", "missing", "time"]
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("✓ openrouter"))
    assert row[2:9] == ["5", "5", "0", "5", "0", "0", "0"]
    assert str(tmp_path / "modelsync.db") in done.stdout
    assert len(done.stderr.splitlines()) == EVERY  # progress: a line per finished provider


def test_json_is_one_document_on_stdout_and_nothing_else(simulator: Simulator, tmp_path: Path):
    done = run(tmp_path, "sync", "--json", "--providers", "openrouter", "groq", env=environment(tmp_path, simulator))
    report = json.loads(done.stdout)
    assert (report["version"], report["success"], done.stderr) == (1, True, "")
    assert report["message"] == "Processed 2 providers. Success: 2, Errors: 0. Total synced: 11 models"
    assert [result["provider"] for result in report["details"]["results"]] == ["groq", "openrouter"]


def test_the_script_takes_the_same_options_and_a_dry_run_leaves_the_file_as_it_was(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator)
    assert run_python(tmp_path, SCRIPT, "--providers", "openrouter", "deepinfra", env=env).returncode == 0
    file = tmp_path / "modelsync.db"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    simulator.set_day(1)
    done = run_python(tmp_path, SCRIPT, "--providers", "openrouter", "deepinfra", "--dry-run", "--verbose", env=env)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["modelsync.db"]
    plan = [line.strip() for line in done.stdout.splitlines()]
    assert "~ acme/scribe-2  prompt 1.25 → 1.00 $/1M (-20%), completion 10.00 → 8.00 $/1M (-20%)" in plan
    assert "+ acme/scribe-3  in 2.00 out 12.00 $/1M  ctx 1.0M" in plan
    assert "- orchard/pip-7b  missing from the list; stays active" in plan
    assert re.search(r"\[openrouter\] answered url=\S+/openrouter/api/v1/models\?output_modalities=all status=200", done.stderr)


def without_packages(*command: str) -> tuple[int, str, str]:
    """What a command comes to with an environment that has a PATH and nothing else, as that of cron."""
    env = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath])}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("by", [(), ("sh",), (sys.executable,)], ids=["itself", "sh", "python"])
def test_the_script_runs_as_a_file_by_a_shell_and_in_the_environment_of_cron(by: tuple[str, ...]):
    code, out, err = without_packages(*by, SCRIPT, "--providers", "a b")
    assert (code, out) == (64, "")
    assert err.startswith(f"modelsync: Unknown provider: a b. Known providers: {next(iter(registry.load()))}")


def test_without_its_packages_one_sentence_says_what_to_do():
    code, out, err = without_packages(sys.executable, "-S", SCRIPT)
    assert (code, out) == (1, "")
    asked = f"Use {sys.executable} -m pip install -r requirements.txt, or ./run in the checkout, which sets itself up\n"
    assert err == f"modelsync: cyclopts is not installed for this Python. Nothing was done. {asked}"


def older_python() -> str:
    installed = [shutil.which(f"python3.{version}") for version in range(10, 6, -1)]
    for found in [*filter(None, installed), *Path.home().glob(".pyenv/versions/3.10.*/bin/python")]:
        if subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(found)
    pytest.skip("no Python older than 3.11 is here")


def test_an_older_python_is_told_so_in_one_sentence():
    code, out, err = without_packages(older_python(), SCRIPT)
    assert (code, out) == (1, "")
    assert re.fullmatch(r"modelsync: Python 3\.11 or newer is needed; this is 3\.\d+ \(\S+\)\. Nothing was done\. Use a newer one.+\n", err)


def test_a_dry_run_without_a_catalog_makes_none(simulator: Simulator, tmp_path: Path):
    done = run(tmp_path, "sync", "--dry-run", env=environment(tmp_path, simulator))
    assert done.returncode == 4
    assert list(tmp_path.iterdir()) == []


def test_verbose_names_every_skipped_row(simulator: Simulator, tmp_path: Path):
    rows = [{"id": "good/one", "pricing": {"prompt": "0.000001"}}, {"id": "", "pricing": {}}, {"id": "good/one", "pricing": {}}]
    simulator.set_list("openrouter", "models", [row | {"architecture": {"output_modalities": ["text"]}} for row in rows])
    env = environment(tmp_path, simulator)
    for changed in (True, False):  # the second time the answer is the same
        for arguments in (("--verbose", "--json", "--dry-run"), ("--verbose", "--json")):
            done = run(tmp_path, "sync", "--providers", "openrouter", *arguments, env=env)
            assert done.stderr.count("Skipping row 1: the id is empty") == 1
            assert done.stderr.count("Skipping good/one: listed twice, the first one counts") == 1
            (result,) = json.loads(done.stdout)["details"]["results"]
            assert result["warnings"][:2] == ["skipped row 1: the id is empty", "skipped good/one: listed twice, the first one counts"]
        assert (result["status"] == "synced") == changed, result["status"]


def test_no_key_is_ever_shown(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator, GROQ_API_KEY="sk-canary-secret-value", XAI_API_KEY="sk-canary-secret-other")
    done = run(tmp_path, "sync", "--verbose", env=env)
    everything = done.stdout + done.stderr + (tmp_path / "modelsync.db").read_bytes().decode("latin-1")
    assert "canary" not in everything
    assert "groq rejected" in everything or "rejected the key (401). Check the key in GROQ_API_KEY" in everything
    assert done.returncode == 3


def test_a_missing_key_skips_its_provider_by_name(simulator: Simulator, tmp_path: Path):
    env = {name: value for name, value in environment(tmp_path, simulator).items() if name != "GROQ_API_KEY"}
    done = run(tmp_path, "sync", env=env)
    assert done.returncode == 4
    assert "Skipped: groq (set GROQ_API_KEY)" in done.stdout
    assert run(tmp_path, "sync", "--providers", "groq", env=env).returncode == 1  # asked for by name


@pytest.mark.parametrize(
    "named", [["--providers", "near", "groq"], ["--providers", "near,groq"], ["--provider", "near", "--provider", "groq"]]
)
@pytest.mark.parametrize("command", ["sync --dry-run", "doctor", "models", "changes", "held", "pins"])
def test_providers_are_named_alike_everywhere(simulator: Simulator, tmp_path: Path, command: str, named: list[str]):
    env = environment(tmp_path, simulator)
    run(tmp_path, "sync", "--providers", "near", "groq", "chutes", env=env)
    shown = run(tmp_path, *command.split(), *named, env=env)
    assert (shown.returncode, shown.stderr.count("modelsync:")) == (0, 0), shown.stderr
    assert "chutes" not in shown.stdout


def test_models_are_sorted_and_priced_as_asked(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator)
    assert run(tmp_path, "sync", "--providers", "openrouter", env=env).returncode == 0
    models = run_json(tmp_path, "models", env=env)["models"]
    for sort, field in (("price", "pricing_prompt"), ("context", "context_length"), ("ends", "expires_at")):
        for reverse in ([], ["--reverse"]):
            found = [row[field] for row in run_json(tmp_path, "models", "--sort", sort, *reverse, env=env)["models"]]
            known = [Decimal(value) if sort == "price" else value for value in found if value is not None]
            assert known == sorted(known, reverse=(sort == "context") != bool(reverse))
            assert found[len(known) :] == [None] * (len(models) - len(known))
    (cheapest,) = run_json(tmp_path, "models", "scribe-2", "--provider", "openrouter", "--limit", "1", env=env)["models"]
    per_token = Decimal(cheapest["pricing_prompt"])
    for unit, count in (("1M", 1_000_000), ("1K", 1000), ("token", 1)):
        shown = run(tmp_path, "models", "scribe-2", "--limit", "1", "--price-unit", unit, env=env).stdout
        assert f" {(per_token * count).normalize():f}" in shown
        assert f"in {'$/token' if unit == 'token' else f'$/{unit}'}" in shown


def test_failures_of_one_cause_are_one_sentence_whatever_their_hosts(tmp_path: Path):
    origins = {"MODELSYNC_ORIGIN_CHUTES": "http://127.0.0.1:9", "MODELSYNC_ORIGIN_NEAR": "http://127.0.0.2:9", "MODELSYNC_ATTEMPTS": "1"}
    done = run(tmp_path, "sync", "--providers", "chutes", "near", "groq", env=environment(tmp_path, **origins))
    (told,) = [line for line in done.stdout.splitlines() if "cannot connect" in line]
    assert told.startswith("✗ 2 providers: cannot connect to the provider (")
    assert told.endswith("Nothing was changed; check the network and try again (chutes, near)")
    assert "✗ chutes: cannot connect to 127.0.0.1:9 (" in done.stderr
    alone = run(tmp_path, "sync", "--providers", "near", env=environment(tmp_path, **origins))
    assert "\n✗ near: cannot connect to 127.0.0.2:9 (" in alone.stdout


def test_without_network_public_providers_fail_and_keyed_ones_are_skipped(tmp_path: Path):
    report = run_json(tmp_path, "sync", env=environment(tmp_path, MODELSYNC_ORIGIN="http://127.0.0.1:9", MODELSYNC_ATTEMPTS="1"))
    errors = {error["provider"]: error["error"] for error in report["details"]["errors"]}
    assert set(errors) == set(registry.load())
    for slug, provider in registry.load().items():
        wanted = "API key not configured (set " if provider.needs_key else "cannot connect to 127.0.0.1:9"
        assert errors[slug].startswith(wanted), errors[slug]
    assert (report["success"], report["details"]["status"]) == (False, "failed")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["sync", "--providers", "opnrouter"], 64, "Unknown provider: opnrouter. Did you mean openrouter?"),
        (["sync", "--nonsense"], 64, "Unknown option: --nonsense"),
        (["sync", "--providers"], 64, "requires at least 1 element"),
        (["sync", "--database", "nosuch/folder/x.db"], 1, "cannot be opened. Check that its folder exists"),
        (["sync", "--database", "mysql://a:secretpw@h/d"], 64, "The address of the database cannot be read"),
        (["sync", "--database", "postgresql://u:secretpw@127.0.0.1:9/d"], 1, "postgresql://u:***@127.0.0.1:9/d"),
        (["runs", "7"], 64, "There is no run 7"),
        (["models", "--status", "gone"], 64, 'Choose from: "active", "missing", "retired"'),
    ],
)
def test_a_mistake_ends_in_one_line_and_an_instruction(tmp_path: Path, arguments: list[str], code: int, told: str):
    done = run(tmp_path, *arguments, env=environment(tmp_path))
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "secretpw" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path):
    file = tmp_path / "notes.db"
    file.write_bytes(b"these are my notes, not a database\n" * 100)
    done = run(tmp_path, "sync", "--database", str(file), env=environment(tmp_path))
    assert done.returncode == 1
    assert "is not a usable SQLite database. Nothing was written" in done.stderr
    assert file.read_bytes() == b"these are my notes, not a database\n" * 100


def test_models_are_searched_filtered_and_exported(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator)
    run(tmp_path, "sync", "--providers", "openrouter", env=env)
    found = run_json(tmp_path, "models", "scribe", "--max-price", "1", env=env)["models"]
    assert [model["provider_model_id"] for model in found] == ["acme/scribe-2:free"]
    assert run_json(tmp_path, "models", "--vision", env=env)["models"][0]["pricing_prompt"] == "0.00000125"
    rows = list(csv.DictReader(io.StringIO(run(tmp_path, "models", "--csv", env=env).stdout)))
    prices = {row["provider_model_id"]: (row["pricing_prompt"], row["dynamic_price"]) for row in rows}
    assert prices["openrouter/auto"] == ("", "true")
    assert prices["lyra/chorus-1"] == ("", "false")
    assert prices["acme/scribe-2:free"] == ("0", "false")
    shown = run(tmp_path, "models", env=env).stdout
    assert re.search(r"acme/scribe-2 +openrouter +1\.25 +10\.00 +400k +128k", shown)
    assert re.search(r"acme/scribe-2:free +openrouter +free +free", shown)
    assert re.search(r"openrouter/auto +openrouter +varies +varies", shown)
    assert re.search(r"lyra/chorus-1 +openrouter +— +—", shown)


def test_a_formula_in_a_name_is_defused_in_csv_and_control_bytes_on_the_screen(simulator: Simulator, tmp_path: Path):
    text = ["text"]
    row = {"id": "=cmd|evil", "name": "\x1b]0;owned\x07 name", "architecture": {"input_modalities": text, "output_modalities": text}}
    simulator.set_list("openrouter", "models", [row])
    env = environment(tmp_path, simulator)
    run(tmp_path, "sync", "--providers", "openrouter", env=env)
    assert "openrouter,'=cmd|evil," in run(tmp_path, "models", "--csv", env=env).stdout
    assert "\x1b" not in run(tmp_path, "models", env=env).stdout


def test_status_runs_providers_settings_and_db_tell_the_same_story(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator)
    assert run(tmp_path, "status", env=env).returncode == 0
    run(tmp_path, "sync", env=env)
    simulator.add_fault("near", "status", status=500)
    assert run(tmp_path, "sync", "--providers", "near", "openrouter", env=env | {"MODELSYNC_ATTEMPTS": "1"}).returncode == 1
    status = run_json(tmp_path, "status", env=env)
    states = {row["provider"]: row["state"] for row in status["freshness"]}
    assert (states["near"], states["openrouter"]) == ("failing", "fresh")
    assert run(tmp_path, "status", env=env).returncode == 3
    runs = run_json(tmp_path, "runs", env=env)["runs"]
    assert [(row["id"], row["status"]) for row in runs] == [(2, "partial"), (1, "succeeded")]
    assert "near  " in run(tmp_path, "runs", "2", env=env).stdout
    provider = next(row for row in run_json(tmp_path, "providers", env=env)["providers"] if row["slug"] == "groq")
    assert (provider["key_set"], provider["key_variable"], provider["models"]) == (True, "GROQ_API_KEY", 6)
    assert "demo-groq" not in run(tmp_path, "settings", env=env).stdout
    assert "schema 0012; this program needs 0012" in run(tmp_path, "db", "current", env=env).stdout
    assert "CREATE TABLE models" in run(tmp_path, "db", "upgrade", "--sql", "--database", "other.db", env=env).stdout


def test_i29_what_is_failing_stale_or_held_shows_in_the_status_and_its_exit_code(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator, MODELSYNC_ATTEMPTS="1")
    assert run(tmp_path, "sync", "--providers", "near", "openrouter", env=env).returncode == 0
    assert run(tmp_path, "status", env=env).returncode == 0
    simulator.add_fault("near", "status", status=500)
    simulator.add_fault("openrouter", "empty")
    codes = [run(tmp_path, "sync", "--providers", slug, env=env).returncode for slug in ("near", "near", "near", "openrouter")]
    assert codes == [1, 1, 1, 4]
    shown = run(tmp_path, "status", env=env)
    assert (shown.returncode, "1 needs review" in shown.stdout) == (3, True)
    states = {row["provider"]: (row["state"], row["held"]) for row in run_json(tmp_path, "status", env=env)["freshness"]}
    assert states == {"near": ("failing", 0), "openrouter": ("fresh", 1)}

    simulator.clear_faults()
    assert run(tmp_path, "sync", "--providers", "near", "openrouter", env=env).returncode == 0
    assert run(tmp_path, "status", env=env).returncode == 0
    with closing(sqlite3.connect(tmp_path / "modelsync.db")) as catalog, catalog:
        catalog.execute("UPDATE provider_state SET last_success_at = '2026-01-01T00:00:00.000000Z' WHERE provider = 'near'")
    states = {row["provider"]: row["state"] for row in run_json(tmp_path, "status", env=env)["freshness"]}
    assert states == {"near": "stale", "openrouter": "fresh"}
    assert run(tmp_path, "status", env=env).returncode == 3


def test_doctor_names_what_is_broken(simulator: Simulator, tmp_path: Path):
    simulator.add_fault("chutes", "html")
    env = environment(tmp_path, simulator, GROQ_API_KEY="wrong")
    checks = {check["check"]: check for check in run_json(tmp_path, "doctor", env=env)["checks"]}
    assert checks["groq"]["state"] == "failed"
    assert "GROQ_API_KEY" in checks["groq"]["found"]
    assert checks["openrouter"]["state"] == "ok"
    assert checks["database"]["state"] == "ok"
    assert checks["chutes"]["state"] == "failed"
    assert "HTML" in checks["chutes"]["found"]
    assert len(simulator.requests("fal")) == 1  # one light request each


def test_the_demo_shows_two_syncs_of_every_provider_that_has_a_sample_here(tmp_path: Path):
    done = run(tmp_path, "demo", "--keep", "demo.db", env=environment(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    shown = len(Wires(WIRES).slugs)
    assert done.stdout.count(f"{shown} of {shown} providers up to date") == 2
    with sqlite3.connect(tmp_path / "demo.db") as catalog:
        first, second = catalog.execute("SELECT created, updated FROM sync_runs ORDER BY id").fetchall()
    catalog.close()
    assert first[0] > 100
    assert second[0] < 30


def test_the_simulator_takes_along_the_provider_of_a_test(tmp_path: Path):
    file = ROOT / "tests" / "unit" / "providers" / "test_trial.py"
    command = [sys.executable, "-m", "modelsync", "simulate", "--port", str(free_port()), "--sample", str(file)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        told = running.stderr.readline()
        running.terminate()
    assert told.startswith(f"Simulating {len(Wires(WIRES).slugs) + 1} providers: ")
    wrong = run(tmp_path, "simulate", "--sample", str(ROOT / "README.md"), env=environment(tmp_path))
    assert (wrong.returncode, "README.md cannot be run (" in wrong.stderr) == (64, True)


def on_a_terminal(folder: Path, simulator: Simulator, *arguments: str, columns: int = 80, code: int = 0) -> str:
    """The raw bytes of a command on a pseudo-terminal, as text."""
    env = environment(folder, simulator, TERM="xterm-256color")
    child = pexpect.spawn(sys.executable, ["-m", "modelsync", *arguments], cwd=str(folder), env=env, dimensions=(50, columns), timeout=60)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code, child.before
    return str(child.before.decode())


def test_on_a_terminal_progress_is_live_and_the_table_fits(simulator: Simulator, tmp_path: Path):
    simulator.add_fault("openrouter", "delay", seconds=1.0)
    raw = on_a_terminal(tmp_path, simulator, "sync", code=4)
    assert "\x1b[" in raw  # colours and a live display
    assert "fetching" in raw
    assert re.search(rf"\d+/{EVERY} providers", raw)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", raw)
    table = plain[plain.rindex("provider  ") :].splitlines()
    assert all(len(line) <= 80 for line in table[:22])
    assert len([line for line in table if re.match(r"[✓◐] \S+ +\d", line)]) == EVERY  # no name is wrapped


def test_verbose_turns_the_live_display_off(simulator: Simulator, tmp_path: Path):
    raw = on_a_terminal(tmp_path, simulator, "sync", "--providers", "groq", "--verbose")
    assert "fetching" not in raw  # no live display between log lines
    assert "[groq] answered" in raw


def test_pipes_get_no_colours(simulator: Simulator, tmp_path: Path):
    done = run(tmp_path, "sync", env=environment(tmp_path, simulator))
    assert "\x1b" not in done.stdout + done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator)
    run(tmp_path, "sync", env=env)
    pipe = f"{sys.executable} -m modelsync models --csv | head -n 1"
    done = subprocess.run(["sh", "-c", pipe], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("provider,provider_model_id,")
    assert done.stderr == ""


def test_the_python_api_goes_by_the_names_users_know(simulator: Simulator, tmp_path: Path):
    code = """
import asyncio
from modelsync import fetch_models, sync_all_providers, sync_provider_models
from modelsync import app
assert (app.fetch_models, app.sync_all_providers, app.sync_provider_models) == (fetch_models, sync_all_providers, sync_provider_models)
from modelsync.errors import ModelsyncError, UsageError
print(len(fetch_models("openrouter").models))
print(sync_provider_models("openrouter", dry_run=True).counts.created, sync_provider_models("openrouter").counts.synced)
print(sync_all_providers(["groq", "openrouter"]).counts.synced)
for call in (lambda: fetch_models("opnrouter"), lambda: fetch_models("xai")):
    try:
        call()
    except ModelsyncError as error:
        print(type(error).__name__, error)
async def inside():
    sync_all_providers()
try:
    asyncio.run(inside())
except UsageError as error:
    print(error)
"""
    env = {name: value for name, value in environment(tmp_path, simulator).items() if name != "XAI_API_KEY"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [
        "5",
        "5 5",
        "11",
        "NotThere Unknown provider: opnrouter. Did you mean openrouter?",
        "ModelsyncError xai: API key not configured. Set XAI_API_KEY",
        "This function blocks, and here an event loop runs, as in a notebook. Write await modelsync.aio.sync_all_providers(…)",
    ], done.stdout + done.stderr


def test_a_setting_that_does_not_exist_is_told_by_what_it_would_change(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator) | {"MODELSYNC_PROVIDER": "groq", "MODELSYNC_ZZZ": "1"}
    done = run(tmp_path, "sync", "--providers", "openrouter", "--dry-run", env=env)
    assert done.returncode == 0
    assert done.stderr.splitlines()[:2] == [
        "MODELSYNC_PROVIDER is no setting and does nothing. Did you mean MODELSYNC_PROVIDERS?",
        "MODELSYNC_ZZZ is no setting and does nothing. `modelsync settings` lists those that there are",
    ]
