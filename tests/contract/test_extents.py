"""I41 over every provider's wire: a list that says that it is longer than what came counts as whole nowhere."""

import json
from typing import Any

import pytest

from modelsync.planning.listing import Listing, read
from modelsync.providers import registry
from modelsync.providers.base import Answer, Endpoint, Request
from modelsync.testing import answer

Answers = list[tuple[Request, Answer]]

LISTS = [
    (slug, endpoint.name, path)
    for slug, provider in registry.load().items()
    for endpoint in provider.endpoints
    if set(endpoint.rows) - {"", "."}
    for path in (*endpoint.totals, *endpoint.further)
]


def saying(document: Any, path: str, value: object) -> Any:
    """The document with a value at a dotted path."""
    name, dot, rest = path.partition(".")
    inner = document.get(name) if isinstance(document.get(name), dict) else {}
    return {**document, name: saying(inner, rest, value) if dot else value}


def last_of(wire: Answers, name: str) -> int | None:
    places = [place for place, (request, _) in enumerate(wire) if request.endpoint.name == name]
    return places[-1] if places else None


def read_saying(slug: str, wire: Answers, endpoint: str, path: str, value: object) -> Listing:
    """What is read of a provider's answers when the last one of a list says something more."""
    provider, place = registry.load()[slug], last_of(wire, endpoint)
    if place is None:
        pytest.skip("the list is not asked for by default")
    request, came = wire[place]
    if isinstance(json.loads(came.body), list):
        pytest.skip("the list has no envelope here")
    said = (request, answer(saying(json.loads(came.body), path, value), came.url))
    listing = read(provider, provider.options(), [*wire[:place], said, *wire[place + 1 :]])
    assert isinstance(listing, Listing)
    return listing


def named(slug: str, name: str) -> Endpoint:
    return next(endpoint for endpoint in registry.load()[slug].endpoints if endpoint.name == name)


@pytest.mark.parametrize(("slug", "endpoint", "path"), LISTS)
def test_i41_a_list_that_says_that_it_is_longer_is_not_complete(wire: dict[str, Answers], slug: str, endpoint: str, path: str):
    total = path in named(slug, endpoint).totals
    listing = read_saying(slug, wire[slug], endpoint, path, 1_000_000 if total else "more")
    assert not listing.complete
    assert (listing.shortfall > 900_000) if total else (listing.shortfall == 1)
    assert sum("so absent models are left as they are" in warning for warning in listing.warnings) >= 1


@pytest.mark.parametrize(("slug", "endpoint", "path"), LISTS)
def test_a_list_that_says_that_it_is_shorter_is_whole_and_warned_of(wire: dict[str, Answers], slug: str, endpoint: str, path: str):
    total = path in named(slug, endpoint).totals
    listing = read_saying(slug, wire[slug], endpoint, path, 1 if total else None)
    sound = read(registry.load()[slug], registry.load()[slug].options(), wire[slug])
    assert isinstance(sound, Listing)
    assert (listing.shortfall, sound.shortfall) == (0, 0)
    assert listing.complete == sound.complete
    assert len(listing.warnings) - len(sound.warnings) in ((0, 1) if total else (0,))
