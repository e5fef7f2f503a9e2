"""What holds for every provider there is, over its own wire format: `check(TRIAL)` in a provider's test."""

import asyncio
import contextlib
import functools
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

import msgspec

from modelsync import app, settings
from modelsync.errors import Failure, Kind
from modelsync.fetch import Credential, Fetched, Fetcher, GoogleCredential, KeyCredential, Limits, NeedsKey, Origins
from modelsync.fetch.results import FetchResult
from modelsync.model.model import KNOWN_MODALITIES, PER_TOKEN, PRICE_FIELDS, Model, Prices, Tier
from modelsync.model.prices import Price
from modelsync.planning.listing import Listing, wire_id_field
from modelsync.planning.outcome import Failed, Held, Outcome
from modelsync.providers import registry
from modelsync.providers.base import Endpoint, GoogleAccount, KeyUse, Provider
from modelsync.providers.parsing import Count
from modelsync.simulator.account import ServiceAccount
from modelsync.simulator.server import Simulator
from modelsync.simulator.wires import Key
from modelsync.testing import document, good
from modelsync.testing.price_keys import merged, other_amounts, placed
from modelsync.testing.trial import Trial

SINGLE_LIMITS = Limits(deadline=20, attempts=1)
NO_LISTS: tuple[tuple[str, dict[str, Any]], ...] = (("status", {"status": 500}), ("html", {}), ("cut_json", {}))
OTHER_NAMES = {"google-vertex": ["/v1beta1/publishers/google/models"]}
"""Where a path on the wire is one of many."""


@dataclass(frozen=True)
class Subject:
    """A provider on trial, and the simulator that lists it."""

    trial: Trial
    simulator: Simulator

    @property
    def provider(self) -> Provider[Any]:
        """The provider."""
        return self.trial.provider

    @property
    def slug(self) -> str:
        """The provider's."""
        return self.provider.slug

    def rows(self, endpoint: Endpoint) -> list[dict[str, Any]]:
        """The sample's rows of one list on day 0."""
        found: list[dict[str, Any]] = self.trial.sample["lists"][endpoint.name]
        return found

    def read(self, change: Callable[[Endpoint, dict[str, Any]], Any] = lambda _, row: row) -> Listing:
        """The sample, read without HTTP; each row is changed before."""
        endpoints = self.provider.endpoints
        return good(self.provider, {each.name: document(each, [change(each, row) for row in self.rows(each)]) for each in endpoints})

    def fetched(self, credentials: Mapping[str, Credential]) -> FetchResult:
        """What comes over HTTP with these keys."""

        async def run() -> FetchResult:
            async with Fetcher(SINGLE_LIMITS, Origins(everywhere=self.simulator.origin), credentials) as fetcher:
                return await fetcher.fetch(self.provider, self.provider.options())

        return asyncio.run(run())

    def listed(self) -> Listing:
        """What is listed over HTTP with the right key."""
        with self._program() as program:
            return program.fetch(self.slug)

    def synced(self) -> Outcome:
        """What would come of a sync."""
        with self._program() as program:
            (result,) = program.sync([self.slug], dry_run=True).results
            return result.outcome

    @contextlib.contextmanager
    def _program(self) -> Iterator[app.App]:
        google, variable = isinstance(self.provider.auth, GoogleAccount), self.provider.auth.variables[0]
        with tempfile.TemporaryDirectory() as folder:
            values = {
                variable: self.simulator.service_account() if google else self.simulator.key(self.slug),
                "DATABASE_URL": f"sqlite:///{folder}/never.db",
                "MODELSYNC_ORIGIN": self.simulator.origin,
                "MODELSYNC_DEADLINE": "20",
                "MODELSYNC_ATTEMPTS": "1",
            }
            yield app.build(settings.load(values, Path(folder), providers=registry.load(registry.Made((self.provider,)))))


def check(trial: Trial) -> None:
    """Hold a provider to all of CHECKS, and to PRICE_CHECKS."""
    with Simulator(more=(trial.simulated,)) as simulator:
        for each in (*CHECKS, *PRICE_CHECKS):
            simulator.reset()
            each(Subject(trial, simulator))


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


def _of_new_type(row: dict[str, Any], endpoint: Endpoint, way: str) -> dict[str, Any]:
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
    came = subject.fetched({})
    if subject.provider.needs_key:
        assert came == NeedsKey(subject.provider.auth.variables)
        assert subject.simulator.requests() == []
    else:
        assert isinstance(came, Fetched), came
        assert {(seen.key, seen.provider) for seen in subject.simulator.requests()} == {("none", subject.slug)}


def a_wrong_key_is_named_by_its_variable_and_never_shown(subject: Subject) -> None:
    """Where the list minds at all."""
    auth, first = subject.provider.auth, subject.provider.endpoints[0]
    wrong: Credential
    if isinstance(auth, GoogleAccount):  # a real key, of an account that is not known there
        wrong = GoogleCredential(auth.variables[0], auth.scope, json_text=ServiceAccount().document())
    else:
        wrong = KeyCredential("sk-not-this-one", auth.variables[0], auth.scheme)
    came = subject.fetched({subject.slug: wrong})
    minds = any(wire.name == first.name and wire.key is not Key.IGNORED for wire in subject.simulator.wires.of(subject.slug))
    if first.key is KeyUse.NEVER or not minds:
        assert isinstance(came, Fetched)
        return
    assert isinstance(came, Failure)
    assert came.kind is Kind.CONFIG
    assert auth.variables[0] in came.hint
    assert "not-this-one" not in str(came)


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
        assert outcome.failure.kind in (Kind.UPSTREAM, Kind.TRANSIENT), fault
        assert outcome.failure.hint == "Nothing was changed; try again later", fault


# Counts and words


def _fields_of(kind: Any) -> Iterator[tuple[str, Any]]:
    """The wire fields of a row's type and of the structs in it, by their names on the wire, with their types."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for each in msgspec.structs.fields(kind):
            yield each.encode_name, each.type
            yield from _fields_of(each.type)
    else:
        for part in get_args(kind):
            yield from _fields_of(part)


def _wire_fields(subject: Subject) -> list[tuple[str, Any]]:
    return [each for endpoint in subject.provider.endpoints for each in _fields_of(endpoint.row)]


def _counts(subject: Subject) -> set[str]:
    return {name for name, kind in _wire_fields(subject) if kind == Count | None}


def _replaced(value: Any, at: Callable[[str], bool], by: Callable[[Any], Any]) -> Any:
    """The same JSON with the values of some fields replaced, wherever they are."""
    if isinstance(value, list):
        return [_replaced(each, at, by) for each in value]
    if isinstance(value, dict):
        return {name: by(each) if at(name) else _replaced(each, at, by) for name, each in value.items()}
    return value


def _read_with(subject: Subject, names: set[str], by: Callable[[Any], Any]) -> Listing:
    return subject.read(lambda _, row: _replaced(row, names.__contains__, by))


def every_number_of_things_is_declared_as_a_count(subject: Subject) -> None:
    """So that it is read however it is written."""
    numbers = {name for name, kind in _wire_fields(subject) if int in (kind, *get_args(kind)) and kind != Count | None}
    assert numbers == subject.trial.no_counts.keys()


def a_count_is_the_same_number_however_it_is_written(subject: Subject) -> None:
    """131072, 131072.0 or "131072"."""
    counts, changed = _counts(subject), []

    def rewritten(otherwise: Callable[[int], Any], value: Any) -> Any:
        if isinstance(value, int):
            changed.append(value)
            return otherwise(value)
        return value

    before = subject.read()
    for otherwise in (str, float):
        after = _read_with(subject, counts, functools.partial(rewritten, otherwise))
        assert after.models == before.models
        assert after.hashes == before.hashes
        assert after.warnings == before.warnings
        assert all(type(model.context_length) in (int, type(None)) for model in after.models.values())
    assert bool(changed) is bool(counts)


def a_count_that_is_none_costs_its_own_field_only(subject: Subject) -> None:
    """And a warning."""
    counts = _counts(subject)
    before, after = subject.read(), _read_with(subject, counts, lambda _: "128k")
    assert after.models.keys() == before.models.keys()
    assert after.rejected == ()
    for name, model in after.models.items():
        known = before.models[name]
        assert (model.context_length, model.max_output_tokens) == (None, None)
        assert (model.model_name, model.modality) == (known.model_name, known.modality)
        assert [getattr(model.prices, each) for each in PER_TOKEN] == [getattr(known.prices, each) for each in PER_TOKEN]
    assert any("unreadable" in warning for warning in after.warnings) is bool(counts)


def _smelling(value: Any) -> Any:
    """A field of modalities whose first word nobody has heard of, whether it is text, a list, or a list for each side."""
    if isinstance(value, str):
        return re.sub(r"\w+", "smell", value, count=1)
    if isinstance(value, dict):
        return {name: _smelling(each) for name, each in value.items()}
    return ["smell", *value[1:]] if value else value


def an_unknown_modality_is_a_warning_and_in_no_model(subject: Subject) -> None:
    """Each row that has one is told of."""
    changed = set()

    def change(endpoint: Endpoint, row: dict[str, Any]) -> Any:
        worse = _replaced(row, lambda name: "modalit" in name.lower(), _smelling)
        if "smell" in str(worse):
            changed.add(row[wire_id_field(endpoint.row)])
        return worse

    before, after = subject.read(), subject.read(change)
    assert [warning for warning in before.warnings if "unknown modality" in warning] == []
    warned = {warning.partition(": unknown modality")[0] for warning in after.warnings if ": unknown modality `smell`" in warning}
    assert warned == changed
    assert after.models.keys() == before.models.keys()
    for model in after.models.values():
        assert KNOWN_MODALITIES.issuperset((*(model.input_modalities or ()), *(model.output_modalities or ())))
        assert () not in (model.input_modalities, model.output_modalities)
    assert bool(changed) is any("modalit" in name.lower() for name, _ in _wire_fields(subject))


# Prices


def _with_row(subject: Subject, endpoint: Endpoint, position: int, row: Any) -> dict[str, Model]:
    """The models of the sample with one row in the place of another."""
    rows = {each.name: [*subject.rows(each)] for each in subject.provider.endpoints}
    rows[endpoint.name][position] = row
    return good(subject.provider, {each.name: document(each, rows[each.name]) for each in subject.provider.endpoints}).models


def _amounts(subject: Subject) -> Iterator[tuple[Endpoint, int, str, Any]]:
    """For each amount of a model that is called a price: its list, the place of its row, its way, and the row with twice as much."""
    models = subject.read().models
    for endpoint in subject.provider.endpoints:
        for position, row in enumerate(subject.rows(endpoint)):
            for way, other in other_amounts(row) if row.get(wire_id_field(endpoint.row)) in models else ():
                if not any(fnmatchcase(way, key.replace("[]", "[[]]")) for key in subject.trial.no_prices):
                    yield endpoint, position, way, other


def every_amount_of_the_sample_is_read_or_kept(subject: Subject) -> None:
    """What is called a price and is twice as much makes another price, or another text of what was not read."""
    before = subject.read().models
    unseen = {
        f"{endpoint.name}: {way}"
        for endpoint, position, way, other in _amounts(subject)
        if all(model.prices == before[name].prices for name, model in _with_row(subject, endpoint, position, other).items())
    }
    assert unseen == set()


def what_no_call_pays_is_declared_with_its_reason(subject: Subject) -> None:
    """Else it makes the price incomplete."""
    ignored = {name: why for endpoint in subject.provider.endpoints for name, why in endpoint.ignored.items()}
    assert all(ignored.values())
    silent = {name for model in subject.read().models.values() if not model.prices.incomplete for name in model.prices.others}
    assert not silent or ignored, silent


def a_new_price_beside_the_known_ones_is_told(subject: Subject) -> None:
    """It makes a model's price incomplete, in one of the objects that its prices are in."""
    before, told, rows = subject.read().models, set[tuple[str, int]](), set[tuple[str, int]]()
    for endpoint, position, way, _ in _amounts(subject):
        rows.add((endpoint.name, position))
        for beside in _around(way):
            row = merged(subject.rows(endpoint)[position], placed(f"{beside}.brand_new_price".removeprefix("."), 7))
            after = _with_row(subject, endpoint, position, row)
            if any({*model.prices.incomplete} - {*before[name].prices.incomplete} for name, model in after.items()):
                told.add((endpoint.name, position))
    assert told == rows


def _around(way: str) -> Iterator[str]:
    """The objects that a value is in, from the innermost to the row itself."""
    while way:
        way = way.rpartition(".")[0]
        yield way


CHECKS: tuple[Callable[[Subject], None], ...] = (
    every_address_is_https,
    every_price_field_has_a_unit_of_its_own_dimension,
    options_have_defaults_that_are_sound,
    a_sample_and_a_day_are_there_for_every_list,
    the_sample_is_read_whole_and_the_same_each_time,
    prices_lie_inside_the_bounds,
    a_row_of_a_new_type_has_no_price_per_token,
    without_a_key_nothing_is_asked_that_needs_one,
    a_wrong_key_is_named_by_its_variable_and_never_shown,
    a_key_is_sent_only_where_it_is_declared,
    an_empty_list_is_held,
    an_answer_that_is_no_list_is_never_applied,
    every_number_of_things_is_declared_as_a_count,
    a_count_is_the_same_number_however_it_is_written,
    a_count_that_is_none_costs_its_own_field_only,
    an_unknown_modality_is_a_warning_and_in_no_model,
)

PRICE_CHECKS: tuple[Callable[[Subject], None], ...] = (
    every_amount_of_the_sample_is_read_or_kept,
    what_no_call_pays_is_declared_with_its_reason,
    a_new_price_beside_the_known_ones_is_told,
)
