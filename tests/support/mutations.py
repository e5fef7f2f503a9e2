"""A corpus of what can be wrong with an answer, and ways to put it into a real one: structure, numbers, texts, times, bytes."""

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from modelsync.planning.cases import Evidence
from modelsync.planning.listing import Listing
from modelsync.planning.plan import Plan, Stored, StoredModel, make_plan
from modelsync.planning.policy import DEFAULT_RULES, Context, decide

RAW = {  # written into the JSON as they are: tokens that a JSON library would not write, or not so
    "@raw:nan@": "NaN",
    "@raw:inf@": "Infinity",
    "@raw:-inf@": "-Infinity",
    "@raw:1e400@": "1e400",
    "@raw:-0@": "-0",
    "@raw:tiny@": "1e-324",
    "@raw:4000@": "9" * 4000,
    "@raw:5000@": "9" * 5000,
    "@raw:point@": "0." + "3" * 60,
    "@raw:twice@": '{"id": "a", "id": "b", "pricing": {"prompt": "1", "prompt": "2"}}',
    "@raw:900@": "[" * 900 + "]" * 900,
    "@raw:100000@": "[" * 100_000 + "]" * 100_000,
    "@raw:surrogate@": '"\\ud800"',
}
NUMBERS = [
    *(
        "NaN",
        "Infinity",
        "-1",
        "0",
        "1e400",
        "5e-07",
        "0.0000005",
        "$0.5",
        "$0.5 / 1M",
        "0,15",
        "1,234.5",
        " 1_000 ",
        "１２",
        "١٢",
        "free",
        "",
    ),
    *("9" * 4000, "0x10", "1e-30", "-0.0", "+1", ".5", "5."),
    *(-1, -0.0, 0, 1, 1e-324, 1e308, 9 * 10**18, 2**63, 10**40, 0.1, True, False, None),
]
TEXTS = [
    *("", "   ", "\0", "a\u0000b", "\u202e", "\u200d", "e\u0301", "\u00e9", "x" * 100_000, "../../etc/passwd", "<script>", "=HYPERLINK(1)"),
    *("\x1b]0;x\x07", "%00", "{{7*7}}", "'; DROP TABLE models", "line\nERROR forged", "javascript:alert(1)", "İ", "ß", '"><img onerror>'),
]
TIMES = [
    0,
    -1,
    10**18,
    1_790_000_000_000,
    "2025-02-30",
    "2026-01-01T00:00:00",
    "9999-12-31T23:59:59Z",
    "-0001-01-01",
    "10000-01-01T00:00:00Z",
]
SHAPES: list[Any] = [[], {}, [[]], [None], {"": None}, [1, "a", {}], "text", 3, 3.5, True, None]
MOST = 20_000_000
"""Bytes that one mutation adds at most: a fetch ends at three times as many, so reading need not bear more."""

RARE = 0.001
"""The share of mutations that make an answer large."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a JSON value."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def mutated(document: Any, others: list[Any], chance: random.Random) -> bytes:
    """The document with one to three things wrong in it, as bytes; now and then another provider's document."""
    broken = copy.deepcopy(chance.choice(others) if chance.random() < 0.01 else document)
    for _ in range(chance.randint(1, 3)):
        spots = list(places(broken))
        if not spots:
            break
        _break(*chance.choice(spots), chance)
    text = json.dumps(broken, ensure_ascii=chance.random() < 0.5)
    for mark, token in RAW.items():
        text = text.replace(f'"{mark}"', token)
    body = text.encode("utf-8", "surrogatepass")
    return _damaged(body, chance) if chance.random() < 0.15 else body


def _break(container: Any, key: Any, chance: random.Random) -> None:
    value = container[key]
    wrong: list[Callable[[], Any]] = [
        *(lambda pool=pool: copy.deepcopy(chance.choice(pool)) for pool in (NUMBERS, TEXTS, TIMES, SHAPES, list(RAW))),
        lambda: [value],
        lambda: {"value": value},
        lambda: next(iter(value.values()), None) if isinstance(value, dict) else value,
        lambda: _twin(value, chance),
        lambda: "\ud800",
        lambda: chance.choice(["x" * 1_000_000, _copies(value)]) if chance.random() < 10 * RARE else str(value)[:MOST],
    ]
    act = chance.randrange(len(wrong) + 4)
    if act < len(wrong):
        container[key] = wrong[act]()
    elif act == len(wrong):
        del container[key]
    elif isinstance(container, list):
        copies = _copies(value) if chance.random() < RARE else [copy.deepcopy(value)]
        container[0:0] = copies
        if len(copies) == 1:
            chance.shuffle(container)
            del container[: len(container) // 2 if chance.random() < 0.2 else 0]


def _copies(value: Any) -> list[Any]:
    """A value as often as it can be there without an answer that is longer than one that is read.

    None of them is another one: what is broken next is broken in one place, and not ten thousand times.
    """
    text = json.dumps(value)
    often = max(1, min(10_000, MOST // len(text)))
    copies: list[Any] = json.loads(f"[{','.join([text] * often)}]")
    return copies


def _twin(value: Any, chance: random.Random) -> Any:
    """A text that is nearly the same: in another case, with blanks around it, composed otherwise, of another beginning."""
    if not isinstance(value, str) or len(value) > 1000:
        return str(value)[:1000]
    return chance.choice([value.upper(), f" {value} ", f"{value}\u0301", f"prefix/{value}", value.replace("e", "\u0435"), value[:-1]])


def _damaged(text: bytes, chance: random.Random) -> bytes:
    """Bytes that may be no JSON any more."""
    cut = chance.randrange(len(text) + 1)
    flipped = bytearray(text)
    for _ in range(chance.randint(1, 3) if flipped else 0):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    said = text.decode("utf-8", "replace")
    return chance.choice(
        [
            text[:cut],
            text[:cut] + text[cut + 1 :],
            bytes(flipped),
            b"\xef\xbb\xbf" + text,
            said.encode("utf-16"),
            said.encode("latin-1", "replace"),
            gzip.compress(gzip.compress(text, 1), 1),
            text + text,
            text + b"\n" + text + b"\n",
            b"callback(" + text + b");",
            b"<!doctype html><html>" + text,
            text + b"\0",
            b"[" * 50_000,
            b"",
        ]
    )


# What is made of it


def catalog_of(listing: Listing) -> tuple[Stored, Context]:
    """A catalog in step with a listing."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    models = {
        row_id: StoredModel(model, moment, moment, content_hash=listing.hashes[row_id], alias=row_id)
        for row_id, model in listing.models.items()
    }
    priced = sum(model.prices.stated for model in listing.models.values())
    return Stored(listing.hashes, models=models), Context(most_listed=len(models), prices=Evidence(now=moment, priced=priced))


def planned(listing: Listing, known: tuple[Stored, Context]) -> Plan:
    """What is made of a listing of the provider of that catalog."""
    stored, context = known
    return decide(make_plan(listing, stored), listing, stored, context, DEFAULT_RULES).plan
