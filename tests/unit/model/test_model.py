"""Models as values: what is a fact, what is not, and how modalities are written."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from modelsync.model.model import (
    NO_PRICES,
    PER_TOKEN,
    PRICE_FIELDS,
    Model,
    Prices,
    Tier,
    UnitPrice,
    claimed,
    condition_of,
    content_hash,
    modalities,
    price_facts,
    tier_of,
)
from modelsync.testing import D

WHEN, LATER = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
PRICES = Prices(
    **{name: D("0.000001") for name in PER_TOKEN},
    request=D("0.01"),
    image=D("0.02"),
    web_search=D("0.03"),
    per_unit=(UnitPrice("second", D("0.002"), "video"),),
    tiers=(Tier(above=200_000, prompt=D("0.000002")),),
    others={"new": "1"},
    incomplete=("surcharge",),
)
MODEL = Model(
    id="acme/quill",
    model_name="Quill",
    description="Writes.",
    context_length=8192,
    max_output_tokens=1024,
    input_modalities=("text",),
    output_modalities=("text",),
    supports_streaming=True,
    supports_function_calling=True,
    supports_vision=True,
    supports_reasoning=True,
    supports_structured_output=True,
    released_at=WHEN,
    expires_at=WHEN,
    hugging_face_id="acme/quill",
    metadata={"owner": "acme", "tags": ["a", "b"]},
    prices=PRICES,
)


def other(value):
    """A different value of the same kind."""
    match value:
        case bool():
            return not value
        case datetime():
            return LATER
        case str() | int() | Decimal():
            return value + type(value)(1)
        case tuple() as several:
            return (*several, several[0])
        case dict():
            return {**value, "more": "1"}
    raise AssertionError(value)


MODEL_FACTS = [name for name in Model.__struct_fields__ if name != "prices"]


def test_the_example_states_every_field():
    assert all(getattr(MODEL, name) is not None for name in Model.__struct_fields__)
    assert all(value not in (None, (), {}) for value in price_facts(PRICES))
    assert (
        tuple(name for name in Prices.__struct_fields__ if name not in ("raw", "problems", "implausible", "implausible_units"))
        == PRICE_FIELDS
    )


@pytest.mark.parametrize("name", MODEL_FACTS)
def test_every_fact_of_a_model_is_in_the_hash(name):
    changed = msgspec.structs.replace(MODEL, **{name: other(getattr(MODEL, name))})
    assert content_hash(changed) != content_hash(MODEL)


@pytest.mark.parametrize("name", [name for name in MODEL_FACTS if name not in ("id", "available", "metadata")])
def test_not_stated_is_not_the_same_as_any_value(name):
    assert content_hash(msgspec.structs.replace(MODEL, **{name: None})) != content_hash(MODEL)


@pytest.mark.parametrize("name", PRICE_FIELDS)
def test_every_price_is_in_the_hash(name):
    changed = msgspec.structs.replace(PRICES, **{name: other(getattr(PRICES, name))})
    assert content_hash(msgspec.structs.replace(MODEL, prices=changed)) != content_hash(MODEL)


def test_free_and_unknown_and_dynamic_have_three_hashes():
    three = [Prices(prompt=D(0), completion=D(0)), NO_PRICES, Prices(dynamic=True)]
    assert len({content_hash(msgspec.structs.replace(MODEL, prices=prices)) for prices in three}) == 3


def test_no_two_facts_can_change_places():
    swapped = [
        msgspec.structs.replace(MODEL, prices=Prices(prompt=D("0.000001"))),
        msgspec.structs.replace(MODEL, prices=Prices(completion=D("0.000001"))),
        msgspec.structs.replace(MODEL, prices=NO_PRICES, supports_vision=None),
        msgspec.structs.replace(MODEL, prices=NO_PRICES, supports_reasoning=None),
    ]
    assert len({content_hash(model) for model in swapped}) == 4


def test_how_a_price_was_written_is_no_fact():
    prices = msgspec.structs.replace(PRICES, raw={"in": "1 USD per 1M tokens"}, problems=("price out = x: no",))
    assert content_hash(msgspec.structs.replace(MODEL, prices=prices)) == content_hash(MODEL)
    assert price_facts(prices) == price_facts(PRICES)


def test_the_order_of_keys_is_no_fact():
    metadata = {"a": {"x": 1, "y": [{"p": 1, "q": 2}]}, "b": None}
    turned = {"b": None, "a": {"y": [{"q": 2, "p": 1}], "x": 1}}
    one, two = (msgspec.structs.replace(MODEL, metadata=value) for value in (metadata, turned))
    assert content_hash(one) == content_hash(two)
    prices = [msgspec.structs.replace(PRICES, others=others) for others in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"})]
    assert len({content_hash(msgspec.structs.replace(MODEL, prices=each)) for each in prices}) == 1


def test_the_hash_is_32_hex_digits_and_stays_the_same_between_processes():
    facts = '["a",' + "null," * 11 + "true," + "null," * 3 + '{"k":1},"0.000001",' + "null," * 13 + "[],[],false,{}]"
    expected = hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()
    assert len(expected) == 32
    assert content_hash(Model(id="a", metadata={"k": 1}, prices=Prices(prompt=D("0.000001")))) == expected


@pytest.mark.parametrize(
    ("prices", "stated"),
    [
        (NO_PRICES, False),
        (Prices(prompt=D(0)), True),
        (Prices(request=D("0.01")), True),
        (Prices(dynamic=True), True),
        (Prices(per_unit=(UnitPrice("second", D(0)),)), True),
        (Prices(tiers=(Tier(above=1, prompt=D(0)),)), True),
        (Prices(others={"new": "1"}), False),
        (Prices(raw={"in": "x"}, problems=("no",)), False),
    ],
)
def test_free_is_stated_and_what_was_not_understood_is_not(prices, stated):
    assert prices.stated is stated


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["image", "text"], ("text", "image")),
        (["video", "audio", "file", "image", "text"], ("text", "image", "file", "audio", "video")),
        (["3d", "moderation", "rerank", "embeddings"], ("embeddings", "rerank", "moderation", "3d")),
        (["zebra", "ape", "text"], ("text", "ape", "zebra")),
        ([" Text ", "TEXT", "text"], ("text",)),
        (["", " "], None),
        ([], None),
        (None, None),
        ({"image": 1, "text": 2}, ("text", "image")),
        (iter(["image", "text"]), ("text", "image")),
    ],
)
def test_modalities_have_one_order_and_no_doubles(names, ordered):
    assert modalities(names) == ordered


@pytest.mark.parametrize(
    ("inputs", "outputs", "modality"),
    [
        (("text",), ("text",), "text->text"),
        (("text", "image"), ("text",), "text+image->text"),
        (("text",), ("text", "audio"), "text->text+audio"),
        (None, ("text",), None),
        (("text",), None, None),
        ((), ("text",), None),
    ],
)
def test_modality_in_one_word(inputs, outputs, modality):
    assert Model(id="a", input_modalities=inputs, output_modalities=outputs).modality == modality


def test_a_tier_takes_the_prices_per_token_and_nothing_else():
    tier = tier_of(PRICES, above=200_000)
    assert {getattr(tier, name) for name in PER_TOKEN} == {D("0.000001")}
    assert (tier.above, tier.utc_start, tier.utc_end, tier.utc_days) == (200_000, None, None, ())
    assert set(PER_TOKEN) | {"above", "utc_start", "utc_end", "utc_days"} == set(Tier.__struct_fields__)


@pytest.mark.parametrize(
    ("tier", "told"),
    [
        (Tier(above=200_000), "above 200000"),
        (Tier(utc_start=1600, utc_end=100), "1600-100 UTC"),
        (Tier(utc_days=("saturday", "sunday")), "saturday+sunday"),
        (Tier(above=0, utc_start=0, utc_end=600, utc_days=("monday",)), "above 0, 0-600 UTC, monday"),
    ],
)
def test_a_tier_is_named_by_all_of_its_conditions(tier, told):
    assert condition_of(tier) == told


def test_values_cannot_be_changed():
    with pytest.raises(AttributeError):
        MODEL.id = "b"
    with pytest.raises(AttributeError):
        PRICES.prompt = D(0)


HD, UHD, VOICE = UnitPrice("image", D("0.04"), "hd"), UnitPrice("image", D(5000), "uhd"), UnitPrice("character", D("0.00003"), "voice")


@pytest.mark.parametrize(
    ("per_unit", "implausible_units", "together"),
    [
        ((HD, VOICE), (UHD,), (HD, UHD, VOICE)),  # in the order of what is counted
        ((), (UHD,), (UHD,)),
        ((HD,), (), (HD,)),
    ],
)
def test_what_is_claimed_has_plausible_and_implausible_prices_side_by_side(per_unit, implausible_units, together):
    prices = Prices(
        prompt=D("0.000001"), per_unit=per_unit, implausible={"request": D(9), "completion": D(2)}, implausible_units=implausible_units
    )
    assert claimed(prices) == Prices(prompt=D("0.000001"), completion=D(2), request=D(9), per_unit=together)


def test_an_implausible_unit_price_alone_is_claimed_too():
    assert claimed(Prices(image=D("0.1"), per_unit=(HD,), implausible_units=(UHD,))) == Prices(image=D("0.1"), per_unit=(HD, UHD))


def test_without_anything_implausible_the_claim_is_the_price():
    prices = Prices(prompt=D("0.000001"), per_unit=(VOICE, HD))  # in the provider's own order, which is kept
    assert claimed(prices) is prices


def test_each_kind_of_implausible_price_is_in_the_hash():
    """Else a claim that became another would be taken for the listing that is known."""
    claims = [{}, {"implausible": {"request": D(9)}}, {"implausible": {"request": D(8)}}, {"implausible_units": (UHD,)}]
    claims += [{"implausible": {"request": D(9)}, "implausible_units": (UHD,)}, {"incomplete": ("image",)}]
    assert len({content_hash(msgspec.structs.replace(MODEL, prices=msgspec.structs.replace(PRICES, **claim))) for claim in claims}) == 6
