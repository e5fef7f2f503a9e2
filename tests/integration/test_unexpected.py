"""A bug in one provider's code, met over real HTTP: it stays that provider's own, in a sync and in a dry run."""

import functools
import importlib
import json
import sys

import pytest

from modelsync.providers import registry
from support.cli import environment, run
from support.sync import SLUGS, models_of, query, table

SECRET = "text of the exception 6f1d"

# A module that takes the place of Groq's own.
MODULE = f"""
import dataclasses
from modelsync.providers.builtin import groq

def failing(*arguments):
    raise RuntimeError({SECRET!r})

def failing_flow(provider, options, has_key):
    yield from groq.PROVIDER.flow(options, has_key)
    raise RuntimeError({SECRET!r})

PROVIDER = dataclasses.replace(groq.PROVIDER, FIELD)
"""
# Where it happens: while rows are read, and while answers are fetched.
BUGS = {"reading": "normalize=failing", "fetching": "requests=failing_flow"}


def take_its_place(folder):
    """In a process that has everything imported: have the registry find the module in the folder when it looks again."""
    sys.path.append(str(folder))
    sys.modules["modelsync.providers.builtin.groq"] = importlib.import_module("zz_groq")
    registry._builtin.cache_clear()


@pytest.fixture(params=sorted(BUGS))
def broken(request, tmp_path, simulator, database_url):
    """Runs a command with a bug in Groq's code, for as long as `broken` is asked."""
    folder = tmp_path / "more_providers"
    folder.mkdir()
    (folder / "zz_groq.py").write_text(MODULE.replace("FIELD", BUGS[request.param]))
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    return lambda *arguments: run(tmp_path, *arguments, env=env, first=functools.partial(take_its_place, folder))


def outcomes(done):
    return {result["provider"]: result for result in json.loads(done.stdout)["details"]["results"]}


def quiet(done):
    """Nothing of the exception itself is shown."""
    assert "Traceback" not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_i16_an_exception_nobody_expected_stays_its_providers_own(broken, tmp_path, simulator, database_url):
    done = broken("sync")
    quiet(done)
    assert done.returncode == 3
    assert "a bug in modelsync (RuntimeError)" in done.stdout + done.stderr
    assert models_of(database_url, "groq") == {}
    assert [slug for slug in SLUGS if slug != "groq" and not models_of(database_url, slug)] == []
    (run_row,) = table(database_url, "sync_runs")
    assert (run_row["status"], run_row["finished_at"] is not None) == ("partial", True)
    statuses = {row["provider"]: (row["outcome"], row["error"]) for row in table(database_url, "sync_results")}
    assert len(statuses) == len(registry.load())
    assert [slug for slug, (status, _) in statuses.items() if status == "failed"] == ["groq"]
    assert "a bug in modelsync (RuntimeError)" in statuses["groq"][1]
    assert SECRET not in statuses["groq"][1]
    # The lease was given back: the mended program need not wait for anything.
    assert query(database_url, "SELECT provider FROM provider_state WHERE ticket_token IS NOT NULL") == []
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    assert run(tmp_path, "sync", "--providers", "groq", env=env).returncode == 0
    assert len(models_of(database_url, "groq")) == 6


def test_i16_so_it_does_in_a_dry_run(broken, tmp_path, simulator, database_url):
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    assert run(tmp_path, "sync", "--providers", "near", env=env).returncode == 0
    before = table(database_url, "models"), table(database_url, "sync_runs")
    done = broken("sync", "--dry-run", "--json")
    quiet(done)
    assert done.returncode == 3
    results = outcomes(done)
    assert [slug for slug, result in results.items() if result["status"] == "failed"] == ["groq"]
    (told,) = results["groq"]["errors"]
    assert told.startswith("a bug in modelsync (RuntimeError). Nothing of this provider was changed")
    assert results["xai"]["models_created"] == 6
    assert (table(database_url, "models"), table(database_url, "sync_runs")) == before
