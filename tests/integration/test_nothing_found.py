"""What a list says when nothing is in it: a filter that leaves nothing is not a catalog that has nothing."""

from pathlib import Path

import pytest

from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.operations import models
from support import catalog
from support.cli import environment, run
from support.store import opened

ADA = Person("ada", "ours")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog: one hold (groq, empty), two pins of openrouter, changes today, and three acts, of `tests` and of ada."""
    made = tmp_path_factory.mktemp("filled")
    catalog.fill(f"sqlite:///{made}/modelsync.db")
    with opened(f"sqlite:///{made}/modelsync.db") as store:
        models.pin(store, "openrouter", "acme/alpha", [Pin("context_length", 8), Pin("model_name", "A")], ADA)
    return made


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("pins --moved", "2 values are pinned; no provider's value moved since."),
        ("pins --moved --provider openrouter", "2 values of openrouter are pinned; no provider's value moved since."),
        ("pins --provider groq", "Nothing of groq is pinned."),
        ("pins --provider groq near --moved", "Nothing of groq, near is pinned."),
        ("held --kind price", "Nothing of kind price is held; without the filters: 1."),
        ("held --provider near", "Nothing of near is held; without the filters: 1."),
        ("held --provider near --kind empty", "Nothing of kind empty of near is held; without the filters: 1."),
        ("confirm --kind price --reason r", "Nothing of kind price is held; without the filters: 1."),
        ("reject --provider near --reason r", "Nothing of near is held; without the filters: 1."),
        ("changes --kind revived", "No change since 2026-01-01 00:00 UTC matches the filters."),
        ("changes --field pricing.tiers", "No change since 2026-01-01 00:00 UTC matches the filters."),
        ("changes --model nothing --collapse", "No change since 2026-01-01 00:00 UTC matches the filters."),
        ("changes --provider fal", "No change since 2026-01-01 00:00 UTC matches the filters."),
        ("audit --actor nobody", "No act matches the filters."),
        ("audit --since 0h", "No act matches the filters."),
        ("models nothing", "No model matches. `modelsync status` shows what the catalog holds."),
        ("purge --provider groq", "Nothing of groq to delete."),
        ("diff 2020-01-01 2020-01-02 --provider groq", "0 models of groq before, 0 after, 0 differ"),
    ],
)
def test_a_filter_that_leaves_nothing_is_named(folder: Path, arguments: str, told: str):
    since = ["--since", "2026-01-01"] if arguments.startswith("changes") else []
    done = run(folder, *arguments.split(), *since, env=environment(folder))
    assert (done.stdout, done.stderr, done.returncode) == (f"{told}\n", "", 0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("pins --moved", "Nothing is pinned."),
        ("pins", "Nothing is pinned."),
        ("held", "Nothing is held."),
        ("held --kind price", "Nothing is held."),
        ("confirm --kind price --reason r", "Nothing is held."),
        ("changes --since 2026-01-01", "Nothing changed since 2026-01-01 00:00 UTC."),
        ("audit", "Nothing was decided."),
        ("runs", "No runs yet. Run: modelsync sync"),
        ("models", "No model matches. `modelsync status` shows what the catalog holds."),
        ("keys", "No keys were handed out. Run: modelsync keys create --help"),
        ("purge", "Nothing to delete."),
    ],
)
def test_where_there_is_nothing_that_is_what_is_said(tmp_path: Path, arguments: str, told: str):
    done = run(tmp_path, *arguments.split(), env=environment(tmp_path))
    assert (done.stdout, done.stderr, done.returncode) == (f"{told}\n", "", 0)


def test_one_pin_is_one_value(tmp_path: Path):
    catalog.fill(f"sqlite:///{tmp_path}/modelsync.db")
    with opened(f"sqlite:///{tmp_path}/modelsync.db") as store:
        models.pin(store, "openrouter", "acme/alpha", [Pin("context_length", 8)], ADA)
    done = run(tmp_path, "pins", "--moved", env=environment(tmp_path))
    assert done.stdout == "1 value is pinned; the provider's value did not move since.\n"
