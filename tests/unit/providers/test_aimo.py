"""AiMo Network: the unit of its prices is not known, so no amount may appear anywhere but as received."""

import pytest

from modelsync.model.model import NO_PRICES, Model, Prices
from modelsync.model.prices import USD_PER_1M_TOKENS, Price
from modelsync.providers.base import KeyUse
from modelsync.providers.builtin.aimo import PROVIDER, price_table
from modelsync.testing import answer, drive, good, one, sample

ONE, TWO = "4aHostOneKey11111111111111111111111111111111", "9vHostTwoKey22222222222222222222222222222222"


def test_the_sample_reads_to_these_models():
    models = good(PROVIDER, {"models": {"data": sample("aimo")["lists"]["models"]}}).models
    assert models["meadow/larkspur-3"] == Model(
        id="meadow/larkspur-3",
        model_name="Larkspur 3",
        context_length=131072,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supports_vision=True,
        metadata={
            "providers": [  # the cheapest first
                {"id": ONE, "name": "Host One", "pricing": {"prompt": "0.5", "completion": "2"}},
                {"id": TWO, "name": "Host Two", "pricing": {"prompt": "0.6", "completion": "2.4"}},
            ]
        },
        prices=Prices(others={"prompt": "0.5", "completion": "2"}, incomplete=("completion", "prompt")),
    )
    assert models["Basalt-V2"] == Model(
        id="Basalt-V2",
        model_name="Basalt V2",
        context_length=65536,
        input_modalities=("text",),
        output_modalities=("text",),
        supports_vision=False,
        metadata={"providers": [{"id": ONE, "name": "Host One", "pricing": {"prompt": '"0.2"', "completion": '"0.8"'}}]},
        prices=Prices(others={"prompt": '"0.2"', "completion": '"0.8"'}, incomplete=("completion", "prompt")),
    )


def test_no_amount_is_stated_while_the_unit_is_unknown():
    models = good(PROVIDER, {"models": {"data": sample("aimo")["lists"]["models"]}}).models
    assert {(model.prices.prompt, model.prices.completion) for model in models.values()} == {(None, None)}
    assert (models["meadow/quiet-1"].prices, models["meadow/no-host-1"].prices) == (NO_PRICES, NO_PRICES)


def test_the_unit_is_one_constant():
    assert price_table(None) == {}
    assert price_table(USD_PER_1M_TOKENS) == {
        "prompt": Price("prompt", USD_PER_1M_TOKENS),
        "completion": Price("completion", USD_PER_1M_TOKENS),
    }


@pytest.mark.parametrize("reverse", [False, True])
def test_the_order_of_hosts_changes_nothing(reverse):
    hosts = [
        {"id": "c", "pricing": {"prompt": "free", "completion": 0}},
        {"id": "b", "pricing": {"prompt": 1, "completion": 2}},
        {"id": "a", "pricing": {"prompt": 2, "completion": 1}},
        {"id": "d"},
    ]
    model = one(PROVIDER, {"models": {"data": [{"name": "x", "providers": hosts[::-1] if reverse else hosts}]}})
    assert [host["id"] for host in model.metadata["providers"]] == ["a", "b", "c", "d"]
    assert model.prices.others == {"prompt": "2", "completion": "1"}


def test_ids_that_differ_only_in_case_are_different_models():
    assert set(good(PROVIDER, {"models": {"data": [{"name": "Larch"}, {"name": "larch"}]}}).models) == {"Larch", "larch"}


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://beta.aimo.network/api/v1/models"),
        ({"base_url": "https://devnet.aimo.network/api/v1/"}, "https://devnet.aimo.network/api/v1/models"),
    ],
)
def test_the_base_url_is_an_option(options, url):
    requests = [request for request, _ in drive(PROVIDER, lambda _: answer({"data": []}), has_key=False, **options)]
    assert [(request.url, request.endpoint.key) for request in requests] == [(url, KeyUse.OPTIONAL)]
