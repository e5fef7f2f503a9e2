"""What holds for every provider there is, over its own wire format; a new provider is held to it by being there."""

import dataclasses
import importlib
import pkgutil
from typing import Any

import pytest
from price_keys import CENSUS, Claim

from modelsync.providers import builtin, registry
from modelsync.simulator.server import Simulator
from modelsync.testing.contract import CHECKS, PRICE_CHECKS
from modelsync.testing.subject import Subject
from modelsync.testing.trial import Trial
from support.samples import trials
from support.sync import SLUGS

MODULES = [importlib.import_module(f"{builtin.__name__}.{module.name}") for module in pkgutil.iter_modules(builtin.__path__)]

NO_COUNTS = {
    "fireworks": dict.fromkeys(("year", "month", "day"), "a part of a date"),
    "novita": {"status": "the code of a state"},
    "xai": {"long_context_threshold": "where a tier begins: one that cannot be read makes the price incomplete"},
}


SEVERAL_OF_ONE = {"aimo", "deepinfra", "fireworks", "helicone", "huggingface", "novita", "vercel-ai-gateway", "xai"}
"""Providers that list several offers, shapes or parts of one price, of which one counts: price_keys.py alone says which."""


def no_prices(slug: str) -> dict[str, str]:
    """What the census knows to be no price of its own."""
    keys = (key for (of, _), census in CENSUS.items() if of == slug for key in census.keys.items())
    return {key: known.why for key, known in keys if known.claim is Claim.NO_PRICE}


def trial_of(slug: str) -> Trial:
    """With what this folder knows of providers whose sample is beside the simulator."""
    found = trials()[slug]
    return dataclasses.replace(found, no_counts=NO_COUNTS.get(slug, found.no_counts), no_prices={**found.no_prices, **no_prices(slug)})


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


@pytest.mark.parametrize("slug", registry.load())
@pytest.mark.parametrize("held", CHECKS, ids=lambda held: held.__name__)
def test_the_contract(simulator: Simulator, slug: str, held: Any) -> None:
    held(Subject(trial_of(slug), simulator))


@pytest.mark.parametrize("slug", sorted(registry.load().keys() - SEVERAL_OF_ONE))
@pytest.mark.parametrize("held", PRICE_CHECKS, ids=lambda held: held.__name__)
def test_the_contract_of_prices(simulator: Simulator, slug: str, held: Any) -> None:
    held(Subject(trial_of(slug), simulator))
