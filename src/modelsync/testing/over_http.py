"""The part of the contract that is about facts, and about what comes over HTTP: samples, keys, and answers that are no lists."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import msgspec

from modelsync.errors import Failure, FailureKind
from modelsync.fetch import Credential, Fetched, GoogleCredential, KeyCredential, NeedsKey
from modelsync.model.model import PER_TOKEN, PRICE_FIELDS, Prices, Tier
from modelsync.model.points import numbers
from modelsync.model.prices import Price
from modelsync.planning.outcome import Failed, Held
from modelsync.providers.base import Endpoint, GoogleAccount, KeyUse
from modelsync.simulator.account import ServiceAccount
from modelsync.simulator.wires import Key
from modelsync.testing import document
from modelsync.testing.price_keys import merged, placed
from modelsync.testing.subject import Subject

NO_LISTS: tuple[tuple[str, dict[str, Any]], ...] = (("status", {"status": 500}), ("html", {}), ("cut_json", {}))
OTHER_NAMES = {"google-vertex": ["/v1beta1/publishers/google/models"]}
"""Where a path on the wire is one of many."""


# Facts


def every_address_is_https(subject: Subject) -> None:
    """Pages for people too."""
    provider = subject.provider
    pages = [getattr(provider, name) for name in provider.__dataclass_fields__ if name.endswith("_url") and getattr(provider, name)]
    addresses = [endpoint.at(provider.options()) for endpoint in provider.endpoints] + pages
    assert len(addresses) >= 4
    assert [address for address in addresses if not address.startswith("https://")] == []


def every_price_field_has_a_unit_of_its_own_dimension(subject: Subject) -> None:
    """A price per token in a unit per token, and so on."""
    dimensions = {**dict.fromkeys(PER_TOKEN, "token"), "request": "request", "image": "image", "web_search": "search"}
    for endpoint in subject.provider.endpoints:
        for name, price in endpoint.units.items():
            assert isinstance(price, Price), name
            assert price.unit.usd > 0, name
            assert price.to in (*PRICE_FIELDS, "per_unit"), name
            assert price.unit.per == dimensions.get(price.to, price.unit.per), name
            assert price.unit.per in price.unit.name or price.unit.per == "token", name


def options_have_defaults_that_are_sound(subject: Subject) -> None:
    """They can be read back from settings."""
    options = subject.provider.options
    assert msgspec.convert(msgspec.to_builtins(options()), options) == options()


# The sample over HTTP


def a_sample_and_a_day_are_there_for_every_list(subject: Subject) -> None:
    """Rows of each list, and a day that adds, removes and changes."""
    assert {endpoint.name for endpoint in subject.provider.endpoints} <= subject.trial.sample["lists"].keys()
    assert all(subject.trial.sample["lists"].values())
    assert subject.trial.sample["days"]
    assert {"add", "remove", "change"} <= subject.trial.sample["days"][0]["models"].keys()


def the_sample_is_read_whole_and_the_same_each_time(subject: Subject) -> None:
    """Whatever the order of its rows; a day later something else."""
    first, second = subject.listed(), subject.listed()
    assert len(first.models) >= 4
    assert first.rejected == ()
    assert [name for name, model in first.models.items() if model.id != name] == []
    assert (first.models, first.hashes, first.duplicates) == (second.models, second.hashes, second.duplicates)

    subject.simulator.set_day(1)
    a_day_later = subject.listed()
    subject.simulator.set_day(2)  # the same rows in another order
    assert subject.listed().hashes == a_day_later.hashes != first.hashes


def prices_lie_inside_the_bounds(subject: Subject) -> None:
    """And some model has one, unless the provider's `price_unit` says that it states none."""
    low, high = Decimal("0.00000000001"), Decimal("0.01")
    priced = 0
    for model in subject.listed().models.values():
        prices: list[Prices | Tier] = [model.prices, *model.prices.tiers]
        amounts = [amount for each in prices for name in PER_TOKEN if (amount := getattr(each, name)) is not None]
        assert all(amount == 0 or low <= amount <= high for amount in amounts), model.id
        assert all(unit.usd > 0 for unit in model.prices.per_unit), model.id
        priced += bool(amounts or model.prices.per_unit or model.prices.image)
    states_none = subject.provider.price_unit.startswith(("none:", "none (", "unknown"))
    assert (priced == 0) is states_none


def every_number_comes_with_its_text(subject: Subject) -> None:
    """Else nobody could tell a mended reading from a price that moved."""
    of_models = ((name, model.prices) for name, model in subject.listed().models.items())
    assert [name for name, prices in of_models if len(numbers(prices)) > len(prices.raw)] == []


def a_row_of_a_new_type_has_no_price_per_token(subject: Subject) -> None:
    """What the units hold for is a list of types; of any other the price is kept as received."""
    units, wires = subject.provider.token_units, {wire.name: wire for wire in subject.simulator.wires.of(subject.slug)}
    if not units.field:
        assert units.reason
        return
    before, priced = subject.listed().models, 0
    for endpoint in subject.provider.endpoints:
        rows = [_of_new_type(row, endpoint, units.field) for row in subject.rows(endpoint)]
        subject.simulator.set_answer(subject.slug, wires[endpoint.name].path, json.dumps(document(endpoint, rows)))
    for name, model in subject.listed().models.items():
        assert not model.prices.tiers, name
        assert not [each for each in PER_TOKEN if getattr(model.prices, each) is not None], name
        had_any = any(getattr(before[name].prices, each) for each in PER_TOKEN)
        assert bool(model.prices.incomplete) >= had_any, name
        priced += had_any
    assert priced


def _of_new_type(row: dict[str, object], endpoint: Endpoint, way: str) -> dict[str, object]:
    """A row whose type is a word that nobody has heard of, as text or in a list, whichever the row can be decoded with."""
    for word in ("hologram", ["hologram"]):
        changed: dict[str, Any] = merged(row, placed(way, word))
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(changed), type=endpoint.row)
            return changed
    raise AssertionError(f"{way} cannot be stated")


# Keys


def without_a_key_nothing_is_asked_that_needs_one(subject: Subject) -> None:
    """And whatever needs none is asked without."""
    result = subject.fetched({})
    if subject.provider.needs_key:
        assert result == NeedsKey(subject.provider.auth.variables)
        assert subject.simulator.requests() == []
    else:
        assert isinstance(result, Fetched), result
        assert {(seen.key, seen.provider) for seen in subject.simulator.requests()} == {("none", subject.slug)}


def a_wrong_key_is_named_by_its_variable_and_never_shown(subject: Subject) -> None:
    """Where the list minds at all."""
    auth, first = subject.provider.auth, subject.provider.endpoints[0]
    wrong: Credential
    if isinstance(auth, GoogleAccount):  # a real key, of an account that is not known there
        wrong = GoogleCredential(auth.variables[0], auth.scope, json_text=ServiceAccount().document())
    else:
        wrong = KeyCredential("sk-not-this-one", auth.variables[0], auth.scheme)
    result = subject.fetched({subject.slug: wrong})
    minds = any(wire.name == first.name and wire.key is not Key.IGNORED for wire in subject.simulator.wires.of(subject.slug))
    if first.key is KeyUse.NEVER or not minds:
        assert isinstance(result, Fetched)
        return
    assert isinstance(result, Failure)
    assert result.kind is FailureKind.CONFIG
    assert auth.variables[0] in result.hint
    assert "not-this-one" not in str(result)


def a_key_is_sent_only_where_it_is_declared(subject: Subject) -> None:
    """Nowhere at a provider whose lists are all public."""
    subject.listed()
    sent = {seen.key for seen in subject.simulator.requests(subject.slug) if seen.path != "/token"}
    public = {endpoint.key for endpoint in subject.provider.endpoints} == {KeyUse.NEVER}
    assert sent == ({"none"} if public else {"right"})


# Answers that are none


def an_empty_list_is_held(subject: Subject) -> None:
    """It is no proof that there are no models any more."""
    subject.simulator.add_fault(subject.slug, "empty")
    outcome = subject.synced()
    assert isinstance(outcome, Held), outcome
    assert outcome.reason == "empty"
    assert "Nothing was changed" in outcome.hint


def an_answer_that_is_no_list_is_never_applied(subject: Subject) -> None:
    """Errors, web pages, half a document."""
    paths = OTHER_NAMES.get(subject.slug) or [wire.path for wire in subject.simulator.wires.of(subject.slug)]
    for fault, details in NO_LISTS:
        subject.simulator.clear_faults()
        for path in paths:
            subject.simulator.add_fault(subject.slug, fault, path=path, **details)
        outcome = subject.synced()
        assert isinstance(outcome, Failed), (fault, outcome)
        assert outcome.failure.kind in (FailureKind.UPSTREAM, FailureKind.TRANSIENT), fault
        assert outcome.failure.hint == "Nothing was changed; try again later", fault
