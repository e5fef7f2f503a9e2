"""What holds for every provider there is, over its own wire format; a new provider is held to it by being there."""

import asyncio
import contextlib
import importlib
import json
import pkgutil
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelsync.app import App
from modelsync.errors import Failure, Kind
from modelsync.fetch import Credential, Fetched, Fetcher, GoogleCredential, KeyCredential, Limits, NeedsKey, Origins
from modelsync.fetch.results import FetchResult
from modelsync.model.model import PER_TOKEN, PRICE_FIELDS, Prices, Tier
from modelsync.model.prices import Price
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Failed, Held
from modelsync.providers import builtin, registry
from modelsync.providers.base import Endpoint, GoogleAccount, KeyUse, Provider
from modelsync.simulator.account import ServiceAccount
from modelsync.simulator.server import Simulator
from modelsync.simulator.wires import WIRES, Key
from modelsync.testing import sample
from support.sync import SLUGS, environment, outcomes, program

MODULES = [importlib.import_module(f"{builtin.__name__}.{module.name}") for module in pkgutil.iter_modules(builtin.__path__)]
SINGLE_LIMITS = Limits(deadline=20, attempts=1)

every_provider = pytest.mark.parametrize("slug", SLUGS)


def provider_of(slug: str) -> Provider[Any]:
    return registry.load()[slug]


def offline(simulator: Simulator, folder: Path) -> App:
    return program(environment(simulator), f"sqlite:///{folder}/never.db", folder)


def listed(simulator: Simulator, folder: Path, slug: str) -> Listing:
    return offline(simulator, folder).fetch(slug)


def fetched(simulator: Simulator, slug: str, credentials: Mapping[str, Credential]) -> FetchResult:
    provider = provider_of(slug)

    async def run() -> FetchResult:
        async with Fetcher(SINGLE_LIMITS, Origins(everywhere=simulator.origin), credentials) as fetcher:
            return await fetcher.fetch(provider, provider.options())

    return asyncio.run(run())


# Facts


def test_each_file_is_one_provider_under_its_own_name() -> None:
    assert {module.__name__.rpartition(".")[2].replace("_", "-"): module.PROVIDER.slug for module in MODULES} == {
        slug: slug for slug in SLUGS
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_first_line_names_the_provider_and_its_price_unit(module: Any) -> None:
    first = module.__doc__.splitlines()[0]
    name, _, about = first.partition(". Prices: ")
    assert module.PROVIDER.name.split()[0].lower() in name.lower()
    assert about.endswith(".")
    words = ("USD", "US cents", "none", "not known", "unknown")
    assert any(word in about for word in words)
    assert any(word in module.PROVIDER.price_unit for word in words)


@every_provider
def test_every_address_is_https(slug: str) -> None:
    provider = provider_of(slug)
    addresses = [endpoint.at(provider.options()) for endpoint in provider.endpoints]
    addresses += [getattr(provider, name) for name in msgspec_names(provider) if name.endswith("_url") and getattr(provider, name)]
    assert len(addresses) >= 4
    assert all(address.startswith("https://") for address in addresses)


def msgspec_names(provider: Provider[Any]) -> list[str]:
    return list(provider.__dataclass_fields__)


@every_provider
def test_every_price_field_has_a_unit_of_its_own_dimension(slug: str) -> None:
    dimensions = {**dict.fromkeys(PER_TOKEN, "token"), "request": "request", "image": "image", "web_search": "search"}
    for endpoint in provider_of(slug).endpoints:
        for field, price in endpoint.units.items():
            assert isinstance(price, Price), field
            assert price.unit.usd > 0
            assert price.to in (*PRICE_FIELDS, "per_unit")
            assert price.unit.per == dimensions.get(price.to, price.unit.per), field
            assert price.unit.per in price.unit.name or price.unit.per == "token", field


# Samples over HTTP


@every_provider
def test_a_sample_and_a_day_are_there_for_every_list(slug: str) -> None:
    document = sample(slug)
    assert {endpoint.name for endpoint in provider_of(slug).endpoints} <= document["lists"].keys()
    assert all(document["lists"].values())
    assert document["days"]
    assert {"add", "remove", "change"} <= document["days"][0]["models"].keys()


@every_provider
def test_the_sample_is_read_whole_and_the_same_each_time(simulator: Simulator, tmp_path: Path, slug: str) -> None:
    first, second = (listed(simulator, tmp_path, slug) for _ in range(2))
    assert len(first.models) >= 4
    assert first.rejected == ()
    assert [name for name, model in first.models.items() if model.id != name] == []
    assert (first.models, first.hashes, first.duplicates) == (second.models, second.hashes, second.duplicates)

    simulator.set_day(1)
    a_day_later = listed(simulator, tmp_path, slug)
    simulator.set_day(2)  # the same rows in another order
    assert listed(simulator, tmp_path, slug).hashes == a_day_later.hashes != first.hashes


@every_provider
def test_prices_lie_inside_the_bounds(simulator: Simulator, tmp_path: Path, slug: str) -> None:
    low, high = Decimal("0.00000000001"), Decimal("0.01")
    priced = 0
    for model in listed(simulator, tmp_path, slug).models.values():
        prices: list[Prices | Tier] = [model.prices, *model.prices.tiers]
        amounts = [amount for each in prices for name in PER_TOKEN if (amount := getattr(each, name)) is not None]
        assert all(amount == 0 or low <= amount <= high for amount in amounts), model.id
        assert all(unit.usd > 0 for unit in model.prices.per_unit), model.id
        priced += bool(amounts or model.prices.per_unit or model.prices.image)
    states_none = provider_of(slug).price_unit.startswith(("none:", "none (", "unknown"))
    assert (priced == 0) is states_none


def of_new_type(row: Any, endpoint: Endpoint, field: str) -> Any:
    """A row whose type is a word that nobody has heard of, as text or in a list, whichever the row can be decoded with."""
    for word in ("hologram", ["hologram"]):
        changed: Any = word
        for step in reversed(field.split(".")):
            changed = {step: changed}
        first = next(iter(changed))
        if isinstance(row.get(first), dict):
            changed = {first: row[first] | changed[first]}
        with contextlib.suppress(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(row | changed), type=endpoint.row)
            return row | changed
    raise AssertionError(f"{field} cannot be stated")


@every_provider
def test_a_row_of_a_new_type_has_no_price_per_token(simulator: Simulator, tmp_path: Path, slug: str) -> None:
    units, wires = provider_of(slug).token_units, {wire.name: wire for wire in WIRES if wire.slug == slug}
    before = listed(simulator, tmp_path, slug).models
    if not units.field:
        assert units.reason
        return
    for endpoint in provider_of(slug).endpoints:
        rows = [of_new_type(row, endpoint, units.field) for row in sample(slug)["lists"][endpoint.name]]
        document: object = rows
        for step in reversed(endpoint.rows[0].split(".") if endpoint.rows[0] not in ("", ".") else []):
            document = {step: document}
        simulator.set_answer(slug, wires[endpoint.name].path, json.dumps(rows[0] if endpoint.rows[0] == "." else document))
    priced = 0
    for name, model in listed(simulator, tmp_path, slug).models.items():
        assert not model.prices.tiers, name
        assert not [field for field in PER_TOKEN if getattr(model.prices, field) is not None], name
        had_any = any(getattr(before[name].prices, field) for field in PER_TOKEN)
        assert bool(model.prices.incomplete) >= had_any, name
        priced += had_any
    assert priced


# Keys


@every_provider
def test_without_a_key_nothing_is_asked_that_needs_one(simulator: Simulator, slug: str) -> None:
    provider = provider_of(slug)
    came = fetched(simulator, slug, {})
    if provider.needs_key:
        assert came == NeedsKey(provider.auth.variables)
        assert simulator.requests() == []
    else:
        assert isinstance(came, Fetched), came
        assert {(seen.key, seen.provider) for seen in simulator.requests()} == {("none", slug)}


def wrong_key(slug: str) -> Credential:
    auth = provider_of(slug).auth
    if isinstance(auth, GoogleAccount):  # a real key, of an account that is not known there
        return GoogleCredential(auth.variables[0], auth.scope, json_text=ServiceAccount().document())
    return KeyCredential("sk-not-this-one", auth.variables[0], auth.scheme)


def minds(slug: str, endpoint: Endpoint) -> bool:
    """Whether the simulated list refuses a wrong key."""
    return any(wire.slug == slug and wire.name == endpoint.name and wire.key is not Key.IGNORED for wire in WIRES)


@every_provider
def test_a_wrong_key_is_named_by_its_variable_and_never_shown(simulator: Simulator, slug: str) -> None:
    provider = provider_of(slug)
    came = fetched(simulator, slug, {slug: wrong_key(slug)})
    first = provider.endpoints[0]
    if first.key is not KeyUse.NEVER and minds(slug, first):
        assert isinstance(came, Failure)
        assert came.kind is Kind.CONFIG
        assert provider.auth.variables[0] in came.hint
        assert "not-this-one" not in str(came)
    else:
        assert isinstance(came, Fetched)


@every_provider
def test_a_key_is_sent_only_where_it_is_declared(simulator: Simulator, tmp_path: Path, slug: str) -> None:
    listed(simulator, tmp_path, slug)
    provider = provider_of(slug)
    uses = {endpoint.key for endpoint in provider.endpoints}
    sent = {seen.key for seen in simulator.requests(slug) if seen.path != "/token"}
    if uses == {KeyUse.NEVER}:
        assert sent == {"none"}
    else:
        assert sent == {"right"}


# Answers that are none


@every_provider
@pytest.mark.parametrize(("fault", "details"), [("empty", {}), ("status", {"status": 500}), ("html", {}), ("cut_json", {})])
def test_an_answer_that_is_no_list_is_never_applied(
    simulator: Simulator, tmp_path: Path, slug: str, fault: str, details: dict[str, Any]
) -> None:
    paths = [wire.path for wire in WIRES if wire.slug == slug]
    if fault == "empty":
        simulator.add_fault(slug, fault)
    else:
        for path in paths if slug != "google-vertex" else ["/v1beta1/publishers/google/models"]:
            simulator.add_fault(slug, fault, path=path, **details)
    outcome = outcomes(offline(simulator, tmp_path).sync([slug], dry_run=True))[slug]
    if fault == "empty":
        assert isinstance(outcome, Held)
        assert outcome.reason == "empty"
        assert "Nothing was changed" in outcome.hint
    else:
        assert isinstance(outcome, Failed)
        assert outcome.failure.kind in (Kind.UPSTREAM, Kind.TRANSIENT)
        assert outcome.failure.hint == "Nothing was changed; try again later"


@every_provider
def test_options_have_defaults_that_are_sound(slug: str) -> None:
    options = provider_of(slug).options
    assert msgspec.convert(msgspec.to_builtins(options()), options) == options()
