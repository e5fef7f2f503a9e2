"""Together AI: expected values are its prices, USD per 1M tokens, divided by a million by hand."""

from datetime import UTC, datetime

import pytest

from modelsync.errors import Failure
from modelsync.model.model import Model, Prices
from modelsync.providers.builtin.together import PROVIDER
from modelsync.testing import D, answer, drive, good, listing, one, sample

ROW = {"id": "x/y", "object": "model", "created": 0, "type": "chat", "pricing": {"hourly": 0, "input": 0.88, "output": 0.88, "base": 0}}


def models():
    return good(PROVIDER, {"models": sample("together")["lists"]["models"]}).models


def test_the_sample_reads_to_these_models():
    listed = models()
    turbo = listed["larkfield/Quill-70B-Instruct-Turbo"]
    assert turbo == Model(
        id="larkfield/Quill-70B-Instruct-Turbo",
        model_name="Quill 70B Instruct Turbo",
        context_length=131072,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_streaming=True,
        released_at=datetime(2026, 3, 1, tzinfo=UTC),
        metadata={
            "object": "model",
            "type": "chat",
            "organization": "Larkfield",
            "link": "https://huggingface.co/larkfield/Quill-70B-Instruct-Turbo",
            "license": "apache-2.0",
            "config": {"chat_template": None, "stop": ["<|end|>"], "bos_token": "<|s|>", "eos_token": "<|end|>"},
        },
        prices=Prices(prompt=D("0.00000092"), completion=D("0.0000011"), cache_read=D("0.00000023"), raw=turbo.prices.raw),
    )
    embed = listed["otterden/Pebble-Embed-v2"]
    assert embed == Model(
        id="otterden/Pebble-Embed-v2",
        model_name="Pebble Embed v2",
        context_length=8192,
        input_modalities=("text",),
        output_modalities=("embeddings",),
        released_at=datetime(2025, 1, 1, tzinfo=UTC),
        metadata={
            "object": "model",
            "type": "embedding",
            "organization": "Otterden",
            "link": "https://huggingface.co/otterden/Pebble-Embed-v2",
            "license": "apache-2.0",
        },
        prices=Prices(prompt=D("0.000000016"), raw=embed.prices.raw),  # 0.016 / 1,000,000; the output of 0 is no price
    )


def test_prices_are_per_million_tokens():
    assert one(PROVIDER, {"models": [ROW]}).prices.prompt == D("0.00000088")  # 0.88 / 1,000,000


def test_zero_is_free_only_for_text_models_that_are_called_free():
    listed = models()
    assert listed["larkfield/Quill-70B-Instruct-Turbo-Free"].prices.prompt == 0
    assert listed["larkfield/Quill-70B-Instruct-Turbo-Free"].prices.completion == 0
    assert listed["otterden/Ternbell-27B"].prices.prompt is None
    assert listed["larkfield/brush-1-schnell-Free"].prices.prompt is None
    assert listed["saltmarsh/Hark-large"].prices.prompt is None


def test_prices_of_other_things_than_a_call_are_kept_as_received():
    prices = one(PROVIDER, {"models": [ROW | {"pricing": {"hourly": 2.5, "input": 0.88, "finetune": 3, "base": 0}}]}).prices
    assert (prices.others, prices.incomplete) == ({"hourly": "2.5", "finetune": "3"}, ())


def test_a_new_price_makes_the_price_incomplete():
    prices = one(PROVIDER, {"models": [ROW | {"pricing": {"input": 0.88, "per_minute": 0.0015}}]}).prices
    assert (prices.prompt, prices.incomplete) == (D("0.00000088"), ("per_minute",))


@pytest.mark.parametrize(
    ("kind", "pricing", "incomplete"),
    [
        ("audio", {"input": 65, "output": 0}, ("input",)),  # cartesia/sonic: dollars per million characters
        ("transcribe", {"input": 0.27, "output": 0.85}, ("input", "output")),
        ("image", {"input": 2.7}, ("input",)),
        ("video", {"input": 2.7}, ("input",)),
        ("hologram", {"input": 2.7, "cached_input": 1}, ("cached_input", "input")),
        (None, {"input": 2.7}, ("input",)),
    ],
)
def test_what_is_not_billed_by_the_token_has_no_price_per_token(kind, pricing, incomplete):
    prices = one(PROVIDER, {"models": [ROW | {"type": kind, "pricing": pricing}]}).prices
    assert (prices.stated, prices.incomplete, tuple(sorted(prices.others))) == (False, incomplete, incomplete)


@pytest.mark.parametrize("kind", ["chat", "language", "code", "embedding", "moderation", "rerank"])
def test_what_is_billed_by_the_token(kind):
    assert one(PROVIDER, {"models": [ROW | {"type": kind}]}).prices.prompt == D("0.00000088")


@pytest.mark.parametrize(
    ("kind", "modality"),
    [("chat", "text->text"), ("code", "text->text"), ("image", "text->image"), ("transcribe", "audio->text"), ("rerank", "text->rerank")],
)
def test_the_type_says_the_modality_and_nothing_says_whether_a_chat_model_sees(kind, modality):
    model = one(PROVIDER, {"models": [ROW | {"type": kind}]})
    assert (model.modality, model.supports_vision) == (modality, None)


def test_a_new_type_is_kept():
    model = one(PROVIDER, {"models": [ROW | {"type": "hologram"}]})
    assert (model.modality, model.metadata["type"]) == (None, "hologram")


def test_whether_an_instance_is_up_is_not_kept():
    assert "running" not in one(PROVIDER, {"models": [ROW | {"running": True}]}).metadata


def test_the_list_may_come_in_an_object_and_with_an_empty_config():
    assert one(PROVIDER, {"models": {"data": [ROW | {"config": None}]}}).id == "x/y"


def test_rows_of_the_old_shape_are_rejected():
    result = good(PROVIDER, {"models": [{"name": "x/y", "pricing": {"input": 75}}]})
    assert (result.models, len(result.rejected)) == ({}, 1)


def test_an_error_object_is_no_list():
    assert isinstance(listing(PROVIDER, {"models": {"error": {"message": "no", "type": "x", "param": None, "code": None}}}), Failure)


def test_one_answer_holds_everything_and_needs_a_key():
    assert PROVIDER.needs_key
    asked = drive(PROVIDER, lambda request: answer([ROW]))
    assert [request.url for request, _ in asked] == ["https://api.together.xyz/v1/models"]
    assert drive(PROVIDER, lambda request: answer([ROW]), has_key=False) == []
