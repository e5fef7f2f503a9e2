"""What many wires have in common: counts however they are written, and words for modalities."""

import msgspec
import pytest

from modelsync.providers import registry
from modelsync.providers.parsing import Count, count, in_our_words, sees, sides
from modelsync.testing import good, one


class Row(msgspec.Struct):
    tokens: Count | None = None


@pytest.mark.parametrize(
    ("wire", "number"),
    [
        (b"131072", 131072),
        (b'"131072"', 131072),
        (b"131072.0", 131072),
        (b"1.31072e5", 131072),
        (b"0", 0),
        (b"0.0", 0),
        (b'"0"', 0),
        (b'"007"', 7),
        (b"-1", -1),  # what that means is the limits' affair
        (b"null", None),
        (b'"999999999999999"', 999_999_999_999_999),
        (b"1e15", 1_000_000_000_000_000),
    ],
)
def test_a_count_is_a_whole_number_however_it_is_written(wire, number):
    found = count(msgspec.json.decode(b'{"tokens": %b}' % wire, type=Row).tokens)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(
    "wire",
    [
        *(b'"128k"', b'"1.5"', b'"131072.0"', b'""', b'" 1"', b'"1\\n"', b'"-1"', b'"+1"', b'"1,000"', b'"1_000"', b'"0x10"', b'"1e5"'),
        *('"１２"'.encode(), '"²"'.encode(), b'"1000000000000000"', b"1.5", b"-1.0", b"1e16", b"1e400", b"true", b"false", b"[1]", b"{}"),
    ],
    ids=repr,
)
def test_what_is_no_count_is_unreadable(wire):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"tokens": %b}' % wire, type=Row)


# One row of each provider that states counts: context length as text, and the longest answer as a float.
ROWS = {
    "aihubmix": ({"model_id": "m", "context_length": "131072", "max_output": 8192.0}, 8192),
    "aimo": ({"name": "m", "context_length": "131072"}, None),
    "alibaba": ({"model": "m", "model_info": {"context_window": "131072", "max_output_tokens": 8192.0}}, 8192),
    "anannas": ({"id": "m", "context_length": "131072", "max_output": 8192.0}, 8192),
    "cerebras": ({"id": "m", "limits": {"max_context_length": "131072", "max_completion_tokens": 8192.0}}, 8192),
    "chutes": ({"id": "m", "context_length": "131072", "max_output_length": 8192.0}, 8192),
    "deepinfra": ({"id": "m", "metadata": {"context_length": "131072"}}, None),
    "featherless": ({"id": "m", "context_length": "131072", "max_completion_tokens": 8192.0}, 8192),
    "fireworks": ({"name": "m", "contextLength": "131072", "supportsServerless": True}, None),
    "groq": ({"id": "m", "context_window": "131072", "max_completion_tokens": 8192.0}, 8192),
    "helicone": ({"id": "m", "contextLength": "131072", "maxOutput": 8192.0}, 8192),
    "huggingface": ({"id": "m", "providers": [{"provider": "p", "status": "live", "context_length": "131072"}]}, None),
    "near": ({"modelId": "m", "metadata": {"contextLength": "131072", "maxOutputLength": 8192.0}}, 8192),
    "nebius": ({"id": "m", "context_length": "131072"}, None),
    "novita": ({"id": "m", "context_size": "131072", "max_output_tokens": 8192.0}, 8192),
    "openrouter": ({"id": "m", "context_length": "131072", "top_provider": {"max_completion_tokens": 8192.0}}, 8192),
    "together": ({"id": "m", "context_length": "131072"}, None),
    "vercel-ai-gateway": ({"id": "m", "context_window": "131072", "max_tokens": 8192.0}, 8192),
    "xai": ({"id": "m", "context_length": "131072"}, None),
}


def document(provider, row):
    found = [row]
    for step in reversed([step for step in provider.endpoints[0].rows[0].split(".") if step]):
        found = {step: found}
    return {provider.endpoints[0].name: found}


@pytest.mark.parametrize("slug", ROWS)
def test_each_provider_reads_counts_as_text_and_as_a_float(slug):
    row, output = ROWS[slug]
    provider = registry.load()[slug]
    model = one(provider, document(provider, row))
    assert (model.context_length, model.max_output_tokens) == (131072, output)
    assert not [warning for warning in good(provider, document(provider, row)).warnings if "unreadable" in warning]


# Words

OWN = {"vision": "image"}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (None, None),
        ((), None),
        (("",), None),
        (("Image", " TEXT "), ("text", "image")),
        (("pdf", "file"), ("file",)),
        (("embedding",), ("embeddings",)),
        (("vision", "text"), ("text", "image")),
        (("text", "smell"), ("text", "smell")),  # told and left out where the limits are
    ],
)
def test_words_of_the_wire_become_our_own(names, found):
    assert in_our_words(names, OWN) == found


def test_the_words_of_one_provider_are_not_those_of_another():
    assert in_our_words(["vision"]) == ("vision",)


@pytest.mark.parametrize(
    ("inputs", "sight"),
    [
        (None, None),
        (("text",), False),
        (("text", "image"), True),
        (("image", "smell"), True),
        (("text", "smell"), None),  # who knows what that word means
        (("smell",), None),
    ],
)
def test_whether_a_model_sees(inputs, sight):
    assert sees(inputs) is sight


def test_both_sides_of_an_arrow_are_read():
    assert sides("text + vision -> embedding", OWN) == (("text", "image"), ("embeddings",))
    assert sides("text") == (("text",), None)
    assert sides(None) == (None, None)


@pytest.mark.parametrize(
    ("slug", "row", "modality"),
    [
        ("aihubmix", {"model_id": "m", "types": "llm", "input_modalities": "text,pdf"}, "text+file->text"),
        ("nebius", {"id": "m", "architecture": {"modality": "text->embedding"}}, "text->embeddings"),
        (
            "openrouter",
            {"id": "m", "architecture": {"input_modalities": ["audio"], "output_modalities": ["transcription"]}},
            "audio->text",
        ),
        ("openrouter", {"id": "m", "architecture": {"input_modalities": ["text"], "output_modalities": ["speech"]}}, "text->audio"),
        ("openrouter", {"id": "m", "architecture": {"input_modalities": ["text"], "output_modalities": ["rerank"]}}, "text->rerank"),
        ("vercel-ai-gateway", {"id": "m", "modalities": {"input": ["text", "PDF"], "output": ["embedding"]}}, "text+file->embeddings"),
        (
            "alibaba",
            {"model": "m", "inference_metadata": {"request_modality": ["Text", "Video"], "response_modality": ["Embeddings"]}},
            "text+video->embeddings",
        ),
    ],
)
def test_each_providers_own_words_are_read(slug, row, modality):
    provider = registry.load()[slug]
    listing = good(provider, document(provider, row))
    assert listing.models["m"].modality == modality
    assert not [warning for warning in listing.warnings if "modality" in warning]
