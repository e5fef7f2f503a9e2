"""A provider that states its prices in another unit, for one model or for its whole list: no such price is believed.

Which fields of a wire are prices is found out by trying: a number is one if the model's price follows it.
"""

import copy
import functools
import itertools
import json
import operator
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from modelsync.model.model import PER_TOKEN, Prices, claimed
from modelsync.planning.holding import PRICE, UNIT_CHANGE
from modelsync.planning.listing import Listing, read
from modelsync.planning.plan import Plan
from modelsync.providers import registry
from modelsync.providers.base import Answer, Provider, Request
from modelsync.testing import answer
from support.mutations import catalog_of, planned
from support.soak import note_figures

Answers = list[tuple[Request, Answer]]
Place = tuple[int, tuple[Any, ...]]
"""The number of a document, and the way to a value in it."""

FACTORS = {"×1e3": Decimal(1000), "×1e6": Decimal(10**6), "÷1e3": Decimal("1e-3"), "÷1e6": Decimal("1e-6")}
INEXPRESSIBLE = {("fireworks", "÷1e6")}
"""A wire that ends at 1e-9 USD cannot make this mistake with the prices of the sample."""

UNPRICED = ("aimo", "featherless", "google-vertex")
"""Providers whose lists state no price."""


class Exact(float):
    """A number with a fraction that knows how it was written."""

    def __new__(cls, text: str) -> "Exact":
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


OFFERS = ("helicone", "huggingface")
"""Providers that list several offers of a model, of which one counts."""


class Wire:
    """One provider's answers, in which single numbers can be changed exactly."""

    def __init__(self, provider: Provider, answers: Answers) -> None:
        self.provider, self.answers = provider, answers
        self.documents = [json.loads(came.body, parse_float=Exact) for _, came in answers]
        self.sound = self.read({})

    def numbers(self) -> Iterator[Place]:
        """Where numbers are, as such or in strings."""
        for which, document in enumerate(self.documents):
            for way, value in leaves(document, ()):
                if number(value) and way[-1] not in ("units", "threshold"):
                    yield which, way

    def read(self, changed: Mapping[Place, Decimal]) -> Listing:
        """The listing with these numbers multiplied."""
        answers = []
        for which, (request, _) in enumerate(self.answers):
            document, marks = copy.deepcopy(self.documents[which]), dict[str, str]()
            for (_, way), factor in ((place, factor) for place, factor in changed.items() if place[0] == which):
                multiply(functools.reduce(operator.getitem, way[:-1], document), way[-1], factor, marks)
            text = json.dumps(document)
            for mark, told in marks.items():
                text = text.replace(f'"{mark}"', told)
            answers.append((request, answer(text.encode())))
        found = read(self.provider, self.provider.options(), answers)
        assert isinstance(found, Listing), found
        return found

    def prices(self) -> dict[str, set[Place]]:
        """By model, the numbers that its prices follow: doubled, a price doubles; and where one of several offers counts, all of them."""
        found: dict[str, set[Place]] = {}
        numbers = list(self.numbers())
        for place, factor in itertools.product(numbers, (Decimal(2), Decimal("0.5"))):
            other = self.read({place: factor}).models
            for row_id, model in self.sound.models.items():
                old, new = amounts(model.prices), amounts(other[row_id].prices) if row_id in other else {}
                if any(new.get(name) == value * factor for name, value in old.items() if value):
                    found.setdefault(row_id, set()).add(place)
        if self.provider.slug in OFFERS:
            for places in found.values():
                rows = {row_of(place) for place in places}
                places |= {place for place in numbers if row_of(place) in rows and "pricing" in place[1]}
        return found


def row_of(place: Place) -> tuple[Any, ...]:
    """The way to the row that a value is in: down to the first number of a list."""
    which, way = place
    return which, *itertools.takewhile(lambda key: not isinstance(key, int), way), next((key for key in way if isinstance(key, int)), None)


def multiply(parent: Any, key: Any, factor: Decimal, marks: dict[str, str]) -> None:
    """Put the product in a number's place, exactly: as a mark, and what the mark stands for in the JSON text."""
    value = parent[key]
    if key == "nanos":  # Fireworks: 0 and 560,000,000 is 0.56
        product = (Decimal(parent.get("units", 0)) + Decimal(value).scaleb(-9)) * factor
        parent["units"], parent["nanos"] = str(int(product)), int((product % 1).scaleb(9))
        assert product.scaleb(9) % 1 == 0 or factor < 1
        return
    mark = parent[key] = f"@{len(marks)}@"
    told = f"{number(value) * factor:f}"
    marks[mark] = f'"{told}"' if isinstance(value, str) else told


def leaves(value: Any, way: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value that is no container, and the way to it."""
    if not isinstance(value, dict | list):
        yield way, value
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(part, (*way, key))


def number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Exact | str):
        return None
    text = value.text if isinstance(value, Exact) else str(value)
    return Decimal(text) if re.fullmatch(r"\d+(\.\d+)?([eE][-+]?\d+)?", text) else None


def amounts(prices: Prices) -> dict[object, Decimal]:
    """Every amount of money in a price document, by its name."""
    parts = {"": prices, **{f"{tier.above} {tier.utc_start} ": tier for tier in prices.tiers}}
    named = {f"{prefix}{name}": getattr(part, name) for prefix, part in parts.items() for name in PER_TOKEN}
    named |= {name: getattr(prices, name) for name in ("request", "image", "web_search")}
    named |= {(unit.per, unit.what): unit.usd for unit in prices.per_unit}
    return {name: value for name, value in named.items() if value is not None}


def believed(plan: Plan) -> set[str]:
    """Models whose price would change."""
    return {change.id for change in plan.changes if change.before and amounts(change.before.model.prices) != amounts(change.model.prices)}


def inject(wire: dict[str, Answers]) -> None:
    """Every error is held, or it is no price any more: an amount for which nothing is sold, or an offer that does not count for it."""
    injected, held, none, wrong = 0, 0, Counter[str](), []
    for slug, provider in registry.load().items():
        ours = Wire(provider, wire[slug])
        known, prices = catalog_of(ours.sound), ours.prices()
        assert prices.keys() == {row_id for row_id, model in ours.sound.models.items() if any(amounts(model.prices).values())}, slug
        assert bool(prices) is (slug not in UNPRICED), slug
        errors = [({row_id}, name) for row_id, name in itertools.product(prices, FACTORS)]
        errors += [(set(prices), name) for name in FACTORS] if len(prices) > 1 else []
        for ids, name in errors:
            if (slug, name) in INEXPRESSIBLE:
                continue
            injected += 1
            listing = ours.read({place: FACTORS[name] for row_id in ids for place in prices[row_id]})
            plan = planned(listing, known)
            stated = tuple(sorted(row_id for row_id in ids if amounts(claimed(listing.models[row_id].prices))))
            expected = [(UNIT_CHANGE if len(stated) > 1 else PRICE, stated)] if stated else []
            if [(hold.kind, hold.ids) for hold in plan.holds] != expected or believed(plan):
                wrong.append((slug, sorted(ids), name, plan.holds, believed(plan)))
            elif stated:
                held += 1
            else:
                none[slug] += 1
    note_figures("unit errors", injected=injected, held=held, no_price_any_more=none.total(), believed=len(wrong))
    assert not wrong, "\n".join(map(str, wrong))
    assert not none
    assert injected == held + none.total() > 4 * len(registry.load())


def test_i22_i23_s04_every_unit_error_is_held(wire: dict[str, Answers]) -> None:
    inject(wire)


@pytest.mark.soak
def test_i22_i23_s04_every_unit_error_is_held_for_the_record(wire: dict[str, Answers]) -> None:
    inject(wire)
