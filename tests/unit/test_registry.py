"""The registry: every provider by its slug, and errors that help."""

import pytest

from modelsync.errors import UsageError
from modelsync.registry import all_providers, select

SLUGS = [
    *("aihubmix", "aimo", "alibaba", "anannas", "cerebras", "chutes", "deepinfra", "fal", "featherless", "fireworks", "google-vertex"),
    *("groq", "helicone", "huggingface", "near", "nebius", "novita", "openrouter", "together", "vercel-ai-gateway", "xai"),
]


def test_these_are_the_providers_in_this_order():
    assert list(all_providers()) == SLUGS
    assert all(slug == provider.slug for slug, provider in all_providers().items())


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        all_providers()["mine"] = None


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_none_named_means_all(nothing):
    assert [provider.slug for provider in select(nothing)] == SLUGS


def test_named_ones_come_once_and_in_order():
    assert [provider.slug for provider in select(["xai", "groq", "xai"])] == ["groq", "xai"]
    assert [provider.slug for provider in select(slug for slug in ("near", "fal"))] == ["fal", "near"]


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
        select(["groq", asked])
    assert caught.value.message == f"Unknown provider: {asked}"
    assert caught.value.hint.startswith(near.rstrip("?"))
    assert caught.value.exit_code == 64
    assert str(caught.value) == f"{caught.value.message}. {caught.value.hint}"


def test_a_name_like_no_other_is_answered_with_all_of_them():
    with pytest.raises(UsageError) as caught:
        select(["zzzzqqqq"])
    assert caught.value.hint == f"Known providers: {', '.join(SLUGS)}"


def test_several_unknown_names_are_all_named():
    with pytest.raises(UsageError, match=r"^Unknown provider: foo1, grok\. Did you mean groq"):
        select(["grok", "groq", "foo1"])
