"""Answers with something wrong in them: every provider's real wire, broken at random places in the ways of a corpus.

Whatever is broken, reading ends in a listing that holds to its rules or in one failure; it never raises. And whatever is read, no plan
made of it believes a price that no provider means.
"""

import contextlib
import json
import os
import random
import resource
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelsync.errors import Failure
from modelsync.model.limits import check_id, without_nul
from modelsync.model.model import PER_TOKEN
from modelsync.model.prices import HIGHEST_PER_TOKEN, HIGHEST_PER_UNIT, LOWEST_PER_TOKEN
from modelsync.planning.known import Clean, KnownRows, Models, known, remembered
from modelsync.planning.listing import Listing, read
from modelsync.planning.plan import ChangeKind, Plan
from modelsync.providers import registry
from modelsync.providers.base import Answer, Provider, Request
from modelsync.providers.document import NotJson
from modelsync.testing import answer
from support.mutations import catalog_of, mutated, planned
from support.soak import note_figures

Answers = list[tuple[Request, Answer]]
MOST_MEMORY = 4 * 1024**3
"""Bytes of address space that a campaign may take: an answer that takes more is told, instead of taking the machine along."""

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "5000"))


def holds(provider: Provider, outcome: Listing | Failure) -> None:
    """What is true of every reading (I20, I24, I25, I41)."""
    if isinstance(outcome, Failure):
        assert outcome.message
        assert outcome.hint
        storable(outcome)
        return
    assert outcome.fetched == len(outcome.models) + len(outcome.rejected) + len(outcome.duplicates)
    assert all(row.reason for row in outcome.rejected)
    for row_id, model in outcome.models.items():
        assert model.id == row_id
        check_id(row_id)
        assert model.context_length is None or 0 < model.context_length <= 10**9
        prices = model.prices
        for part in (prices, *prices.tiers):
            for name in PER_TOKEN:
                price = getattr(part, name)
                assert price is None or price == 0 or LOWEST_PER_TOKEN <= price <= HIGHEST_PER_TOKEN, (provider.slug, name, price)
        for price in (prices.request, prices.image, prices.web_search, *(unit.usd for unit in prices.per_unit)):
            assert price is None or (isinstance(price, Decimal) and 0 <= price <= HIGHEST_PER_UNIT)
    storable([*outcome.models.values()], outcome.skips, outcome.warnings, outcome.shortfall, outcome.wire_fields)


def storable(*kept: Any) -> None:
    """What a database keeps of an answer is JSON, without the one character that Postgres takes in no text."""
    encoded = msgspec.json.encode(kept)
    assert without_nul(encoded) == encoded


def holds_planned(plan: Plan, listing: Listing) -> None:
    """What is true of every plan against a catalog in step (I4, I20, I22)."""
    if plan.refused:
        assert plan.changes == ()
        return
    assert plan.count(ChangeKind.ADDED, ChangeKind.UPDATED) + plan.unchanged == len(listing.models)
    for change in plan.changes:
        assert change.kind is not ChangeKind.MISSING or change.id not in listing.seen
        old, new = change.before.model.prices if change.before else None, change.model.prices
        for name in (*PER_TOKEN, "request", "image", "web_search"):
            before, after = getattr(old, name, None), getattr(new, name)
            dynamic = after is None and new.dynamic  # some providers say so with a price of -1
            assert not before or dynamic or (after is not None and before / 10 < after < before * 10), (change.id, name, before, after)


def carefully(answers: Answers) -> Answers:
    """The same answers as if something in each of them had been mended, so that no row is read the quick way."""
    slow = [(request, msgspec.structs.replace(came)) for request, came in answers]
    for _, came in slow:
        with contextlib.suppress(NotJson):
            came.__dict__["document"] = msgspec.structs.replace(came.document, sound=False)
    return slow


def known_of(provider: Provider, answers: Answers) -> KnownRows:
    """What is known of these answers once they are in the catalog."""
    listing = read(provider, provider.options(), answers, KnownRows())
    assert isinstance(listing, Listing)
    found = known(remembered(listing.clean, listing.hashes), listing.hashes, 1)
    clean = provider.reads_rows_alone and {row_id for row_id in listing.models if row_id in listing.clean.digests}
    assert {*found.ids.values()} == (clean or set())
    again = read(provider, provider.options(), answers, found)
    assert isinstance(again, Listing)
    assert isinstance(again.models, Models) == bool(clean), "some row of it is not read again"
    return found


def assert_the_same(plain: Listing | Failure, *others: Listing | Failure) -> None:
    """That rows are known, or will be, cannot be seen: in no model, hash, warning, rejected row, or field of the wire."""
    for other in others:
        if isinstance(other, Listing):
            other = msgspec.structs.replace(other, models=dict(other.models), clean=Clean())
        assert other == plain
    clean = [other.clean for other in others if isinstance(other, Listing)]
    assert clean == clean[:1] * len(clean)


@contextlib.contextmanager
def memory_at_most(size: int) -> Iterator[None]:
    """Whatever takes so many more bytes fails with MemoryError."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def campaign(provider: Provider, wire: dict[str, Answers], rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    answers, options = wire[provider.slug], provider.options()
    documents = [json.loads(came.body) for _, came in answers]
    others = [json.loads(came.body) for slug, theirs in wire.items() if slug != provider.slug for _, came in theirs]
    sound = read(provider, options, answers)
    assert isinstance(sound, Listing)
    answers = [(request, answer(json.dumps(each).encode())) for (request, _), each in zip(answers, documents, strict=True)]
    stored, knew = catalog_of(sound), known_of(provider, answers)
    for number in range(rounds):
        which = chance.randrange(len(answers))
        body = mutated(documents[which], others, chance)
        broken = [*answers[:which], (answers[which][0], answer(body)), *answers[which + 1 :]]
        try:
            first = read(provider, options, broken)
            assert first == read(provider, options, carefully(broken))
            assert_the_same(first, read(provider, options, broken, knew), read(provider, options, broken, KnownRows()))
            holds(provider, first)
            if isinstance(first, Listing):
                holds_planned(planned(first, stored), first)
        except Exception as error:
            raise AssertionError(f"{provider.slug}, seed {seed}, round {number}: {body[:2000]!r}") from error


@pytest.mark.parametrize("slug", registry.load())
def test_i01_i24_a_broken_answer_ends_in_a_listing_or_a_failure(slug: str, wire: dict[str, Answers]):
    campaign(registry.load()[slug], wire, rounds=150, seed=20261122)


@pytest.mark.soak
def test_i01_i24_a_hundred_thousand_broken_answers(wire: dict[str, Answers]):
    began, seed = time.monotonic(), random.SystemRandom().randrange(2**32)
    with memory_at_most(MOST_MEMORY):
        for provider in registry.load().values():
            campaign(provider, wire, ROUNDS, seed)
    seconds = round(time.monotonic() - began)
    note_figures(
        "mutations", payloads=ROUNDS * len(registry.load()), providers=len(registry.load()), uncaught=0, seed=seed, seconds=seconds
    )
