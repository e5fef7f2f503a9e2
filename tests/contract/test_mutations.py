"""Answers with something wrong in them: every provider's real wire, broken at random places in the ways of a corpus.

Whatever is broken, reading ends in a listing that holds to its rules or in one failure; it never raises.
"""

import asyncio
import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from modelsync.errors import Failure
from modelsync.fetch import Fetched, Fetcher, Limits, Origins
from modelsync.limits import check_id
from modelsync.model import PER_TOKEN
from modelsync.money import HIGHEST_PER_TOKEN, HIGHEST_PER_UNIT, LOWEST_PER_TOKEN
from modelsync.provider import Answer, Provider, Request
from modelsync.reading import Listing, read
from modelsync.registry import all_providers
from modelsync.settings import load
from modelsync.simulator.server import Simulator
from support import answer
from support_cli import environment

Answers = list[tuple[Request, Answer]]

NUMBERS = [
    *("NaN", "Infinity", "-1", "0", "1e400", "5e-07", "$0.5", "0,15", "1,234.5", " 1_000 ", "１２", "١٢", "free", "", "9" * 4000),
    *(-1, -0.0, 0, 1, 1e-324, 1e308, 9 * 10**18, 2**63, 10**40, 0.1, True, False, None),
]
TEXTS = [
    *("", "   ", "\0", "a\u0000b", "\u202e", "\u200d", "e\u0301", "x" * 100_000, "../../etc/passwd", "<script>", "=HYPERLINK(1)"),
    *("\x1b]0;x\x07", "%00", "{{7*7}}", "'; DROP TABLE models", "line\nERROR forged", "javascript:alert(1)", "İ", "ß"),
]
TIMES = [0, -1, 10**18, 1_790_000_000_000, "2025-02-30", "2026-01-01T00:00:00", "9999-12-31T23:59:59Z", "-0001-01-01"]
SHAPES: list[Any] = [[], {}, [[]], [None], {"": None}, [1, "a", {}], "text", 3, 3.5, True, None]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a JSON value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def mutated(document: Any, chance: random.Random) -> bytes:
    """The document with one to three things wrong in it, as bytes."""
    broken = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        spots = list(places(broken))
        if not spots:
            break
        container, key = chance.choice(spots)
        _break(container, key, chance)
    text = json.dumps(broken, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return _damaged(text, chance) if chance.random() < 0.15 else text


def _break(container: Any, key: Any, chance: random.Random) -> None:
    wrong: list[Callable[[], Any]] = [
        *(lambda pool=pool: copy.deepcopy(chance.choice(pool)) for pool in (NUMBERS, TEXTS, TIMES, SHAPES)),
        lambda: [container[key]],
        lambda: {"value": container[key]},
        lambda: str(container[key]),
        lambda: "\ud800",
    ]
    act = chance.randrange(len(wrong) + 3)
    if act < len(wrong):
        container[key] = wrong[act]()
    elif act == len(wrong):
        del container[key]
    elif isinstance(container, list):
        container.insert(0, copy.deepcopy(container[key]))
        chance.shuffle(container)


def _damaged(text: bytes, chance: random.Random) -> bytes:
    """Bytes that may be no JSON any more."""
    cut = chance.randrange(len(text) + 1)
    wrong = [
        text[:cut],
        b"\xef\xbb\xbf" + text,
        text + text,
        text.decode("utf-8", "replace").encode("utf-16"),
        b"<html>" + text,
        b"[" * 50_000,
    ]
    flipped = bytearray(text)
    if flipped:
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return chance.choice([*wrong, bytes(flipped)])


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answers]:
    """Every provider's answers as they come over HTTP from the simulator."""
    with Simulator() as simulator:
        settings = load(environment(tmp_path_factory.mktemp("keys"), simulator), tmp_path_factory.mktemp("empty"))

        async def fetch_all() -> dict[str, Answers]:
            async with Fetcher(Limits(), Origins(simulator.origin), settings.credentials) as fetcher:
                found = {slug: await fetcher.fetch(provider, settings.options[slug]) for slug, provider in all_providers().items()}
            assert all(isinstance(came, Fetched) for came in found.values()), found
            return {slug: list(came.answers) for slug, came in found.items() if isinstance(came, Fetched)}

        return asyncio.run(fetch_all())


def holds(provider: Provider[Any], outcome: Listing | Failure) -> None:
    """What is true of every reading."""
    if isinstance(outcome, Failure):
        assert outcome.message
        assert outcome.hint
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
    msgspec.json.encode([msgspec.structs.asdict(model) for model in outcome.models.values()])


def campaign(provider: Provider[Any], answers: Answers, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    options = provider.options()
    documents = [json.loads(came.body) for _, came in answers]
    for number in range(rounds):
        which = chance.randrange(len(answers))
        body = mutated(documents[which], chance)
        broken = [*answers[:which], (answers[which][0], answer(body)), *answers[which + 1 :]]
        try:
            first, second = read(provider, options, broken), read(provider, options, broken)
            holds(provider, first)
        except Exception as error:
            raise AssertionError(f"{provider.slug}, seed {seed}, round {number}: {body[:2000]!r}") from error
        assert first == second


@pytest.mark.parametrize("slug", all_providers())
def test_a_broken_answer_ends_in_a_listing_or_a_failure(slug: str, wire: dict[str, Answers]):
    campaign(all_providers()[slug], wire[slug], rounds=150, seed=20261122)


@pytest.mark.soak
@pytest.mark.parametrize("slug", all_providers())
def test_broken_answers_by_the_thousand(slug: str, wire: dict[str, Answers]):
    campaign(
        all_providers()[slug], wire[slug], rounds=int(os.environ.get("SOAK_ROUNDS", "5000")), seed=random.SystemRandom().randrange(2**32)
    )
