"""The registry: every provider by its slug, and errors that help."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import modelsync
from modelsync.errors import SettingsError, UsageError
from modelsync.providers import builtin, registry
from modelsync.providers.registry import select

SLUGS = sorted(path.stem.replace("_", "-") for path in Path(builtin.__file__).parent.glob("[a-z]*.py"))


def test_each_file_is_a_provider_in_the_order_of_their_names():
    assert {"aihubmix", "google-vertex", "xai"} < set(SLUGS)
    assert list(registry.load()) == SLUGS
    assert all(slug == provider.slug for slug, provider in registry.load().items())


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        registry.load()["mine"] = None


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_none_named_means_all(nothing):
    assert [provider.slug for provider in select(registry.load(), nothing)] == SLUGS


def test_named_ones_come_once_and_in_order():
    assert [provider.slug for provider in select(registry.load(), ["xai", "groq", "xai"])] == ["groq", "xai"]
    assert [provider.slug for provider in select(registry.load(), (slug for slug in ("near", "fal")))] == ["fal", "near"]


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("opnrouter", "Did you mean openrouter?"),
        ("OPENROUTER", "Did you mean openrouter?"),
        ("google_vertex", "Did you mean google-vertex?"),
        ("vercel_ai_gateway", "Did you mean vercel-ai-gateway?"),
        ("hugging-face", "Did you mean huggingface?"),
    ],
)
def test_an_unknown_name_is_answered_with_a_near_one(asked, near):
    with pytest.raises(UsageError) as caught:
        select(registry.load(), ["groq", asked])
    assert caught.value.message == f"Unknown provider: {asked}"
    assert caught.value.hint.startswith(near.rstrip("?"))
    assert caught.value.exit_code == 64
    assert str(caught.value) == f"{caught.value.message}. {caught.value.hint}"


def test_a_name_like_no_other_is_answered_with_all_of_them():
    with pytest.raises(UsageError) as caught:
        select(registry.load(), ["zzzzqqqq"])
    assert caught.value.hint == f"Known providers: {', '.join(SLUGS)}"


def test_several_unknown_names_are_all_named():
    with pytest.raises(UsageError, match=r"^Unknown provider: foo1, grok\. Did you mean groq"):
        select(registry.load(), ["grok", "groq", "foo1"])


# Other sources


def test_a_program_can_bring_providers_of_its_own():
    stranger = dataclasses.replace(registry.load()["groq"], slug="a-stranger")
    both = registry.load(registry.BUILTIN, registry.Made((stranger,)))
    assert list(both) == sorted([*SLUGS, "a-stranger"])
    assert list(registry.load(registry.Made((stranger,)))) == ["a-stranger"]
    assert [provider.slug for provider in select(both, ["a-stranger"])] == ["a-stranger"]
    assert list(registry.load()) == SLUGS  # which nobody has changed


def test_two_providers_with_one_name_are_refused():
    with pytest.raises(SettingsError, match="There are two providers groq"):
        registry.load(registry.BUILTIN, registry.Made((registry.load()["groq"],)))


def test_installed_packages_bring_only_what_is_named(tmp_path, monkeypatch):
    (tmp_path / "acme_models.py").write_text(ACME)
    described = tmp_path / "acme_models-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-models\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[modelsync.providers]\nacme = acme_models:PROVIDER\nother = acme_models:NOT_THERE\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list(registry.load(registry.EntryPoints(("acme",)))) == ["acme"]
    with pytest.raises(SettingsError, match=r"^No installed package brings the provider nobody\. Install it; there are acme, other$"):
        registry.load(registry.EntryPoints(("nobody",)))


WATCHED = """
import types, msgspec
from msgspec._utils import get_class_annotations
looks = []
get_class_annotations.looks = looks
get_class_annotations.plain = types.FunctionType(get_class_annotations.__code__, get_class_annotations.__globals__)
def look(obj):
    get_class_annotations.looks.append(obj)
    return get_class_annotations.plain(obj)
get_class_annotations.__code__ = look.__code__
"""
"""Whatever msgspec looks at from now on is in `looks`: its C calls this very function."""


def test_the_structs_of_every_package_are_looked_at_before_there_are_threads(tmp_path):
    """msgspec dies when two threads look at one for the first time: see the registry."""
    (tmp_path / "acme_models.py").write_text(ACME)
    code = f"""
{WATCHED}
import acme_models
from modelsync.providers import registry
looks.clear()
registry.prepare(registry.load(registry.Made((acme_models.PROVIDER,))))
before = acme_models.Row in looks
looks.clear()
msgspec.json.decode(b'{{"id": "x"}}', type=acme_models.Row)
print(before, looks)
"""
    env = {"PYTHONPATH": f"{tmp_path}:{Path(modelsync.__file__).parents[1]}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True []\n", "")


@pytest.mark.parametrize("first", ["settings", "app", "api"])
def test_the_structs_of_this_program_are_looked_at_whatever_is_imported_first(first, tmp_path):
    code = f"""
{WATCHED}
import modelsync.{first}
from modelsync import settings
chosen = settings.load({{"DATABASE_URL": "sqlite:///{tmp_path}/c.db"}})
from modelsync import app
program = app.App(chosen)
from modelsync.planning.guard import Guard
assert Guard in looks
from modelsync.api import create
from modelsync.queries.rows import ProviderRow
create(program, program.open_store())
assert ProviderRow in looks
"""
    env = {"PYTHONPATH": str(Path(modelsync.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


ACME = """
import dataclasses, msgspec
from modelsync.providers import registry
from modelsync.providers.base import Provider

class Row(msgspec.Struct):
    id: str

_like = registry.load()["groq"]
_lists = tuple(dataclasses.replace(each, row=Row) for each in _like.endpoints)
PROVIDER = dataclasses.replace(_like, slug="acme", endpoints=_lists)
"""
