"""A stranger's provider on trial: the simulator lists it as its endpoint says, and the contract notices what is wrong with it."""

import dataclasses
from pathlib import Path

import msgspec
import pytest

from modelsync.errors import UsageError
from modelsync.model.model import Model
from modelsync.model.prices import USD_PER_1M_TOKENS, USD_PER_TOKEN, Price, read_prices
from modelsync.providers import openai_like
from modelsync.providers.base import ApiKey, Documented, Endpoint, GoogleAccount, KeyUse, Provider, TokenUnits
from modelsync.providers.parsing import Count, count, unix_time
from modelsync.simulator.server import Simulator
from modelsync.simulator.wires import Key, Wire
from modelsync.testing import contract
from modelsync.testing.subject import Subject
from modelsync.testing.trial import Trial, trial_in, wire_of

PRICES = {"input": Price("prompt", USD_PER_1M_TOKENS), "output": Price("completion", USD_PER_1M_TOKENS)}
TOKEN_UNITS = TokenUnits(field="type", types=frozenset({"chat"}))


class Row(openai_like.Row, frozen=True):
    type: str | None = None
    context_length: Count | None = None
    modalities: openai_like.Modalities = openai_like.Modalities()
    pricing: dict[str, msgspec.Raw] = {}  # noqa: RUF012 - msgspec copies it


class Loose(openai_like.Row, frozen=True):
    context_length: int | None = None
    pricing: dict[str, msgspec.Raw] = {}  # noqa: RUF012 - msgspec copies it


def normalize(row):
    return Model(
        id=row.id,
        model_name=row.name,
        context_length=count(row.context_length),
        released_at=unix_time(row.created),
        prices=read_prices(PRICES, row.pricing, per_token=TOKEN_UNITS.hold_for(row.type)),
        **openai_like.modalities(row.modalities.input_modalities, row.modalities.output_modalities),
    )


def told(prices):
    """The same with its prices read in another way."""
    return lambda row: msgspec.structs.replace(normalize(row), prices=prices(row))


STREAMS = Documented("supports_streaming", "https://acme.test/docs/streaming")


def streaming(streams):
    """A provider with a page about streaming, which is read as `streams` tells of the model that there was without."""

    def read(row):
        model = normalize(row)
        return msgspec.structs.replace(model, supports_streaming=streams(model))

    return other(normalize=read, documented=(STREAMS,))


def documented(model):
    return STREAMS.of(model.input_modalities, model.output_modalities)


def textless(row):
    return msgspec.structs.replace(normalize(row).prices, raw={})


def half_textless(row):
    prices = normalize(row).prices
    return msgspec.structs.replace(prices, raw=dict([*prices.raw.items()][:1]))


LIST = Endpoint(url="https://api.acme.test/v1/models", row=Row, key=KeyUse.REQUIRED, units=PRICES)
PROVIDER = Provider(
    slug="acme-of-this-test",
    name="Acme",
    description="Models of a test",
    site_url="https://acme.test",
    docs_url="https://acme.test/docs",
    privacy_policy_url="https://acme.test/privacy",
    base_url="https://api.acme.test/v1",
    price_unit="USD per 1M tokens (numbers)",
    token_units=TOKEN_UNITS,
    verified="invented",
    auth=ApiKey(("ACME_API_KEY",), header="X-Key", scheme=""),
    endpoints=(LIST,),
    normalize=normalize,
)


def row(name, **more):
    shown = {"input_modalities": ["text"], "output_modalities": ["text"]}
    return {"id": name, "type": "chat", "context_length": 8192, "modalities": shown, "pricing": {"input": 0.5, "output": 1.5}} | more


SAMPLE = {
    "lists": {"models": [row("a"), row("b", pricing={"input": 0, "output": 0}), row("c", pricing=None), row("d", type="speech")]},
    "days": [{"models": {"add": [row("e")], "remove": ["b"], "change": {"a": {"pricing.input": 0.4}}}}],
}
del SAMPLE["lists"]["models"][2]["pricing"]
TRIAL = Trial(provider=PROVIDER, sample=SAMPLE)


def other(**facts):
    return dataclasses.replace(PROVIDER, **facts)


def listed(**facts):
    return other(endpoints=(dataclasses.replace(LIST, **facts),))


def sampled(*rows, days=None):
    return {"lists": {"models": list(rows)}, "days": SAMPLE["days"] if days is None else days}


def test_a_sound_provider_holds_to_the_contract():
    contract.check(TRIAL)


def test_one_with_documented_capabilities_too():
    contract.check(dataclasses.replace(TRIAL, provider=streaming(documented), sample=sampled(*ROWS, DRAWS)))


def test_a_row_may_say_itself_what_is_documented_of_others():
    provider = streaming(lambda model: True if model.id == "z" else documented(model))
    contract.check(dataclasses.replace(TRIAL, provider=provider, sample=sampled(*ROWS, DRAWS | {"name": "Streams pictures"})))


@pytest.mark.parametrize("auth", [ApiKey(("ACME_API_KEY",)), ApiKey(("ACME_API_KEY",), scheme="Key")])
@pytest.mark.parametrize("key", KeyUse)
def test_any_key_and_any_envelope_is_simulated(auth, key):
    bare = dataclasses.replace(LIST, key=key, rows=("",), method="POST", body=b"{}")
    contract.check(dataclasses.replace(TRIAL, provider=other(auth=auth, endpoints=(bare,))))


ROWS = SAMPLE["lists"]["models"]
PICTURES = {"input_modalities": ["text"], "output_modalities": ["image"]}
DRAWS = row("z", modalities=PICTURES)
FREE = row("z", pricing={"input": 0.5, "output": 1.5, "fee": 3})
PRICED = {"units": {"input": Price("prompt", USD_PER_TOKEN)}}


@pytest.mark.parametrize(
    ("by", "wrong"),
    [
        ("every_address_is_https", {"provider": other(docs_url="http://acme.test/docs")}),
        ("every_price_field_has_a_unit_of_its_own_dimension", {"provider": listed(units={"input": USD_PER_1M_TOKENS})}),
        ("a_sample_and_a_day_are_there_for_every_list", {"sample": sampled(*ROWS, days=[])}),
        ("the_sample_is_read_whole_and_the_same_each_time", {"sample": sampled(*ROWS[:3])}),
        ("the_sample_is_read_whole_and_the_same_each_time", {"sample": sampled(*ROWS, {"name": "no id"})}),
        ("prices_lie_inside_the_bounds", {"provider": other(price_unit="none: a subscription")}),
        ("prices_lie_inside_the_bounds", {"provider": other(normalize=told(lambda row: read_prices(PRICES, {})))}),
        *(("every_number_comes_with_its_text", {"provider": other(normalize=told(each))}) for each in (textless, half_textless)),
        ("a_row_of_a_new_type_has_no_price_per_token", {"provider": other(normalize=told(lambda row: read_prices(PRICES, row.pricing)))}),
        ("every_number_of_things_is_declared_as_a_count", {"provider": listed(row=Loose)}),
        ("every_number_of_things_is_declared_as_a_count", {"no_counts": {"year": "a part of a date"}}),
        ("what_documentation_states_is_said_of_chat_models_only", {"provider": other(documented=(STREAMS,))}),
        ("what_documentation_states_is_said_of_chat_models_only", {"provider": streaming(lambda _: True), "sample": sampled(*ROWS, DRAWS)}),
        (
            "what_documentation_states_is_said_of_chat_models_only",
            {"provider": streaming(documented), "sample": sampled(*(each | {"modalities": PICTURES} for each in ROWS))},
        ),
        ("every_amount_of_the_sample_is_read_or_kept", {"sample": sampled(*ROWS, row("z", fee_per_call=3))}),
        (
            "what_no_call_pays_is_declared_with_its_reason",
            {
                "sample": sampled(*ROWS, FREE),
                "provider": other(
                    normalize=told(lambda row: read_prices(PRICES, row.pricing, per_token=TOKEN_UNITS.hold_for(row.type), ignored={"fee"}))
                ),
            },
        ),
        (
            "a_new_price_beside_the_known_ones_is_told",
            {"provider": other(normalize=told(lambda row: read_prices(PRICES, row.pricing, structure={"brand_new_price"})))},
        ),
    ],
)
def test_what_is_wrong_is_noticed(by, wrong):
    trial = dataclasses.replace(TRIAL, **wrong)
    (held,) = (each for each in (*contract.CHECKS, *contract.PRICE_CHECKS) if each.__name__ == by)
    with Simulator(more=[trial.simulated]) as simulator, pytest.raises(AssertionError):
        held(Subject(trial, simulator))


@pytest.mark.parametrize(
    ("by", "wire"),
    [
        ("without_a_key_nothing_is_asked_that_needs_one", {"path": "/v1/moved"}),
        ("a_key_is_sent_only_where_it_is_declared", {"path": "/v1/models", "key": Key.OPTIONAL, "header": "X-Other"}),
    ],
)
def test_a_list_that_is_said_to_be_otherwise_is_simulated_so(by, wire):
    trial = dataclasses.replace(TRIAL, wires=(Wire(slug=PROVIDER.slug, **wire),), provider=listed(key=KeyUse.OPTIONAL))
    (held,) = (each for each in contract.CHECKS if each.__name__ == by)
    with Simulator(more=[trial.simulated]) as simulator, pytest.raises(AssertionError):
        held(Subject(trial, simulator))


def test_a_price_that_is_stated_elsewhere_too_may_be_left_alone():
    sample = sampled(*ROWS, row("z", price_per_thousand=0.0005))
    contract.check(dataclasses.replace(TRIAL, sample=sample, no_prices={"price_per_*": "`pricing` again"}))


def test_a_wire_is_what_the_endpoint_says():
    endpoint = dataclasses.replace(LIST, name="more", url=lambda options: "https://a.test/x/list?all=1", rows=("data.models", "data"))
    assert wire_of(PROVIDER, endpoint) == Wire(
        slug=PROVIDER.slug, name="more", path="/x/list", rows="data.models", key=Key.REQUIRED, header="X-Key", scheme=""
    )
    assert wire_of(other(auth=GoogleAccount()), LIST).key is Key.TOKEN


def test_a_trial_is_found_in_its_file(tmp_path: Path):
    assert trial_in(Path(__file__)).sample == SAMPLE
    (tmp_path / "test_none.py").write_text("TRIAL = 1")
    (tmp_path / "test_import.py").write_text("import a_package_that_is_nowhere")
    for name, words in (("test_none.py", "has no TRIAL"), ("test_nowhere.py", "cannot be run"), ("test_import.py", "cannot be run")):
        with pytest.raises(UsageError, match=words):
            trial_in(tmp_path / name)
