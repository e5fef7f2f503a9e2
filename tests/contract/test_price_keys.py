"""The census of price keys: none in a sample or a recording is unknown, and each is read, ignored or told as the table says."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from price_keys import CENSUS, Census, Claim, Key

from modelsync.model.model import PRICE_FIELDS, Prices
from modelsync.providers import registry
from modelsync.testing import document, good
from modelsync.testing.price_keys import merged, placed, price_keys
from support.recordings import FOLDER, needs_recordings
from support.samples import trials

LISTS = [pytest.param(slug, name, id=f"{slug} {name}") for slug, name in CENSUS]
CASES = [pytest.param(slug, name, key, id=f"{slug} {name} {key}") for (slug, name), found in CENSUS.items() for key in found.keys]
FILES = [pytest.param(found, file, at, id=file) for found in CENSUS.values() for file, at in found.files]
FACTS = [name for name in PRICE_FIELDS if name not in ("others", "incomplete")]


def unknown(census: Census, rows: list[Any]) -> set[str]:
    there = {key for row in rows for key in price_keys(row, census.values)}
    return {key for key in there if key not in census.keys and not any(fnmatchcase(key, known) for known in census.keys if "*" in known)}


def rows_of_the_sample(slug: str, name: str) -> Iterator[Any]:
    sample = trials()[slug].sample
    yield from sample["lists"][name]
    for day in sample["days"]:
        changes = day.get(name, {})
        yield from changes.get("add", ())
        for changed in changes.get("change", {}).values():
            yield nested(changed)


def nested(changed: dict[str, Any]) -> dict[str, Any]:
    """A day's changes, which name their fields by dotted paths (`providers.1.pricing.input`), as a row."""
    row: dict[str, Any] = {}
    for way, value in changed.items():
        row = merged(row, placed(re.sub(r"\.\d+", "[]", way), value))
    return row


def test_every_list_of_every_provider_here_is_in_the_census() -> None:
    here = {slug for slug, _ in CENSUS}
    lists = {(slug, endpoint.name) for slug in here for endpoint in registry.load()[slug].endpoints}
    others = {("alibaba", "compatible"), ("fal", "models"), ("xai", "account"), ("xai", "language"), ("xai", "image"), ("xai", "video")}
    assert lists == CENSUS.keys() | others


@pytest.mark.parametrize(("slug", "name"), [*LISTS, ("alibaba", "compatible"), ("fal", "models"), ("xai", "account")])
def test_no_price_key_of_a_sample_is_unknown(slug: str, name: str) -> None:
    census = CENSUS.get((slug, name), Census({}, {}))
    assert unknown(census, list(rows_of_the_sample(slug, name))) == set()


@pytest.mark.parametrize("name", ["language", "image", "video"])
def test_no_price_key_of_a_list_by_kind_is_unknown(name: str) -> None:
    assert unknown(CENSUS["xai", "models"], list(rows_of_the_sample("xai", name))) == set()


@needs_recordings
@pytest.mark.parametrize(("census", "file", "at"), FILES)
def test_no_price_key_of_a_recording_is_unknown(census: Census, file: str, at: str) -> None:
    found = sorted(FOLDER.glob(file))
    assert found
    for path in found:
        document = json.loads(path.read_bytes())
        rows = document[at] if at and isinstance(document, dict) else document
        assert unknown(census, rows) == set(), path.name


# What is done with each


def patch(key: str, known: Key) -> dict[str, Any]:
    whole = isinstance(known.value, dict)
    return known.value if whole else placed(key, known.value)


def read_of(slug: str, name: str, row: dict[str, Any]) -> Prices:
    """The prices of the base rows of all lists of a provider, where one list has this row."""
    documents: dict[str, object] = {}
    for endpoint in registry.load()[slug].endpoints:
        base = CENSUS[slug, endpoint.name].base if (slug, endpoint.name) in CENSUS else {"endpoint_id": "m"} if slug == "fal" else None
        if endpoint.rows[0] != ".":
            documents[endpoint.name] = document(endpoint, [row] if endpoint.name == name else [base] if base else [])
    return next(iter(good(registry.load()[slug], documents).models.values())).prices


def claim_of(before: Prices, after: Prices) -> Claim:
    if set(after.incomplete) - set(before.incomplete):
        return Claim.REPORTED
    if any(getattr(before, fact) != getattr(after, fact) for fact in FACTS):
        return Claim.READ
    return Claim.IGNORED if after.others != before.others else Claim.NO_PRICE


@pytest.mark.parametrize(("slug", "name", "key"), CASES)
def test_each_price_key_is_read_ignored_or_told_as_the_census_says(slug: str, name: str, key: str) -> None:
    census = CENSUS[slug, name]
    known = census.keys[key]
    after = read_of(slug, name, merged(census.base, patch(key, known)))
    assert claim_of(read_of(slug, name, census.base), after) is known.claim
    assert known.why or known.claim is Claim.READ


@pytest.mark.parametrize(("slug", "name"), LISTS)
def test_what_is_ignored_is_declared_with_its_reason(slug: str, name: str) -> None:
    (endpoint,) = (each for each in registry.load()[slug].endpoints if each.name == name)
    says = any(known.claim is Claim.IGNORED for known in CENSUS[slug, name].keys.values())
    assert bool(endpoint.ignored) is says
    assert all(endpoint.ignored.values())
    assert not endpoint.ignored.keys() & endpoint.units.keys() - {"cents_per_sec"}  # there the price's type decides


@pytest.mark.parametrize(("slug", "name"), [each for each in LISTS if CENSUS[each.values].keys])
def test_a_new_price_field_beside_the_known_ones_is_told(slug: str, name: str) -> None:
    census = CENSUS[slug, name]
    key = next(key for key in census.keys if key.partition("=")[0] == key and "*" not in key)
    beside = f"{key.rpartition('.')[0] if slug != 'near' else ''}.brand_new_price".removeprefix(".")  # near's prices are objects
    before, after = (read_of(slug, name, row) for row in (census.base, merged(census.base, placed(beside, 7))))
    assert set(after.incomplete) - set(before.incomplete), beside
