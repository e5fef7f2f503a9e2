"""Groq: a list with a key that states neither price nor ability; modality is a table of facts."""

from datetime import UTC, datetime

import pytest

from modelsync.model.model import NO_PRICES, Model, Prices
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.groq import PROVIDER
from modelsync.testing import D, answer, drive, good, one, sample


def models():
    return good(PROVIDER, {"models": {"object": "list", "data": sample("groq")["lists"]["models"]}}).models


def test_the_sample_reads_to_these_models():
    found = models()
    assert found["orchard/gpt-oss-77b"] == Model(
        id="orchard/gpt-oss-77b",
        context_length=131072,
        max_output_tokens=65536,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_streaming=True,
        released_at=datetime(2026, 3, 1, tzinfo=UTC),
        metadata={"object": "model", "owned_by": "Orchard"},
    )
    assert found["canopylabs/orpheus-v9-welsh"] == Model(
        id="canopylabs/orpheus-v9-welsh",
        context_length=4000,
        max_output_tokens=50000,  # more than the context, and right
        input_modalities=("text",),
        output_modalities=("audio",),
        released_at=datetime(2026, 1, 1, tzinfo=UTC),
        metadata={"object": "model", "owned_by": "Canopy Labs"},
    )


def test_no_price_is_on_the_wire():
    assert models()["orchard/gpt-oss-77b"].prices is NO_PRICES


def test_extras_are_read_when_they_come():
    lyra = models()["lyra/unheard-of-3b"]
    # $0.15 and $0.60 per million; zeros state nothing
    assert lyra.prices == Prices(prompt=D("0.00000015"), completion=D("0.0000006"), raw=lyra.prices.raw)
    assert (lyra.model_name, lyra.hugging_face_id) == ("Lyra Unheard-of 3B", "lyra/unheard-of-3b")
    assert (lyra.modality, lyra.supports_vision) == ("text+image->text", True)


def test_zero_is_not_free():
    model = one(PROVIDER, {"models": {"data": [{"id": "whisper-x", "pricing": {"prompt": "0", "completion": "0"}}]}})
    assert (model.prices.prompt, model.prices.completion) == (None, None)


def test_a_model_that_is_not_active_is_listed_as_not_available():
    assert not models()["acme/llama-4-heron-17b"].available
    assert one(PROVIDER, {"models": {"data": [{"id": "a"}]}}).available


def test_the_date_that_many_models_share_is_no_date():
    assert models()["whisper-petite-v9"].released_at is None


@pytest.mark.parametrize(
    ("model_id", "modality"),
    [
        ("whisper-large-v3-turbo", "audio->text"),
        ("distil-whisper-large-v3-en", "audio->text"),
        ("playai-tts-arabic", "text->audio"),
        ("canopylabs/orpheus-v1-english", "text->audio"),
        ("meta-llama/llama-prompt-guard-2-22m", "text->moderation"),
        ("openai/gpt-oss-safeguard-20b", "text->moderation"),
        ("meta-llama/llama-4-scout-17b-16e-instruct", "text+image->text"),
        ("llama-3.3-70b-versatile", "text->text"),
        ("groq/compound-mini", "text->text"),
        ("someone/something-new", None),
    ],
)
def test_modality_is_a_fact_about_the_id_and_says_nothing_of_abilities(model_id, modality):
    model = one(PROVIDER, {"models": {"data": [{"id": model_id}]}})
    assert (model.modality, model.supports_vision) == (modality, None)


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"id": "llama-3.3-70b-versatile"}, D("0.0000006")),
        ({"id": "new/one", "output_modalities": ["text"]}, D("0.0000006")),
        ({"id": "whisper-large-v3"}, None),
        ({"id": "new/ear", "input_modalities": ["audio"], "output_modalities": ["text"]}, None),
        ({"id": "playai-tts"}, None),
        ({"id": "new/one"}, None),
        ({"id": "llama-3.3-70b-versatile", "output_modalities": ["hologram"]}, None),
    ],
)
def test_only_what_is_known_to_write_from_text_has_a_price_per_token(row, prompt):
    prices = one(PROVIDER, {"models": {"data": [row | {"pricing": {"prompt": "0.0000006", "completion": "0"}}]}}).prices
    assert (prices.prompt, prices.incomplete) == (prompt, () if prompt else ("prompt",))


def test_the_list_is_one_answer_and_needs_a_key():
    asked = drive(PROVIDER, lambda request: answer({"data": []}))
    assert [request.url for request, _ in asked] == ["https://api.groq.com/openai/v1/models"]
    assert PROVIDER.endpoints[0].key is KeyUse.REQUIRED
    assert drive(PROVIDER, lambda request: answer({"data": []}), has_key=False) == []
