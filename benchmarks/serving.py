"""Reading over HTTP: kept pages beside a trivial endpoint, built pages beside a pydantic handler, any filter while syncs commit."""

import contextlib
import itertools
import json
import statistics
from collections.abc import Iterator, Sequence
from urllib.request import urlopen

import catalogs
import msgspec
from databases import Database, both, opened
from hammer import hammer
from measure import Figure, Rounds, Scale, Way, alternate, count, of, ratio
from servers import FLOORS, process, ready, writing
from syncs import commit

FILTERS = (
    *("", "&q=model-1&sort=name", "&input_modality=image", "&supports_function_calling=true", "&min_price=1&max_price=20"),
    *("&free=true", "&min_context=100000&sort=context&order=desc", "&sort=price", "&sort=changed&order=desc", "&offset=15000"),
)
P99 = {"SQLite": 50.0, "Postgres": 100.0}
LARGER = 3.0
"""How much longer ten times as many models may take."""


class Pages(msgspec.Struct, frozen=True):
    """What pages took, round by round: ms of those with any filter, and seconds of those that were built."""

    filtered: Sequence[Sequence[float]]
    built: Sequence[float]


class Asked(msgspec.Struct, frozen=True):
    """A catalog and who answers for it: the program, and the floors."""

    database: Database
    address: str
    port: int
    floor: int


def measure(scale: Scale) -> Iterator[Figure]:
    """Everything, on one database after the other; its catalog grows from one size to the next."""
    with both() as found:
        for database in found:
            address, taken = database.fresh(), list[Pages]()
            with process(["-m", "modelsync", "serve"], address) as port, process(["-c", FLOORS], address) as floor:
                ready(port, floor)
                for models in scale.served:
                    yield from of(_measured(Asked(database, address, port, floor), scale, models, taken), database.name, models)
                    if len(taken) > 1:
                        yield from of(_larger(taken[-1], taken[0], scale.served[0]), database.name, models)


def _measured(asked: Asked, scale: Scale, models: int, taken: list[Pages]) -> Iterator[Figure]:
    with contextlib.closing(opened(asked.address)) as store:
        commit(store, catalogs.listing(catalogs.openrouter_body(models)))
    yield from _totals(asked.port, models)
    rounds = alternate(scale.rounds, _ways(asked.port, asked.floor, scale.requests, models))
    yield from _rates(rounds, scale.requests)
    with writing(asked.address, models) as writer:
        taken.append(Pages(_filtered(asked.port, scale), rounds.seconds["built"]))
    yield Figure("commits while pages were asked for", writer.commits, 1, "commits", least=True, hard=True)
    yield _slowest(taken[-1].filtered, P99[asked.database.name])


def _totals(port: int, models: int) -> Iterator[Figure]:
    """That pages show what is in the catalog."""
    for what, query, expected in (("models", "limit=1", models), ("models with images", "limit=1&input_modality=image", -(-models // 3))):
        with urlopen(f"http://127.0.0.1:{port}/models?{query}", timeout=60) as answer:
            yield count(f"{what}, as a page counts them", json.load(answer)["total"], expected, "models")


# Requests per second


def _ways(port: int, floor: int, requests: int, models: int) -> dict[str, Way]:
    fresh = itertools.count()

    def pages(path: str, number: int) -> list[str]:
        return [f"{path}offset={next(fresh) % (models * 3 // 4)}" for _ in range(number)]

    return {
        "trivial": lambda: hammer(floor, ["/trivial"], requests * 4),
        "small": lambda: hammer(port, ["/health/live"], requests * 4),
        "kept": lambda: hammer(port, ["/models?limit=100"], requests * 4),
        "pydantic": lambda: hammer(floor, pages("/pydantic?", requests // 4), requests // 4),
        "built": lambda: hammer(port, pages("/models?limit=100&", requests), requests),
    }


def _rates(rounds: Rounds, requests: int) -> Iterator[Figure]:
    """Requests per second, as ratios within one run."""
    asked = {"trivial": requests * 4, "small": requests * 4, "kept": requests * 4, "pydantic": requests // 4, "built": requests}
    for what, ours, floor, goal in (
        ("small answer, × trivial endpoint", "small", "trivial", None),
        ("kept page, × trivial endpoint", "kept", "trivial", 0.4),
        ("built page, × pydantic handler", "built", "pydantic", 2.0),
    ):
        faster = [each * asked[ours] / asked[floor] for each in rounds.ratios(floor, ours)]
        note = " to ".join(f"{asked[way] / rounds.median(way):,.0f}/s" for way in (ours, floor))
        yield ratio(what, faster, goal, least=True, note=note)


# The slowest pages


def _filtered(port: int, scale: Scale) -> list[list[float]]:
    """What each page takes in ms, in rounds, whatever is asked; none is asked for twice."""
    numbers = itertools.count(10**8)
    each = max(1, scale.requests // 100)

    def asked(chosen: str) -> float:
        return hammer(port, [f"/models?limit=100&max_context={next(numbers)}{chosen}"], 1, connections=1) * 1000

    return [[asked(chosen) for _ in range(each) for chosen in FILTERS] for _ in range(scale.rounds)]


def _slowest(filtered: Sequence[Sequence[float]], goal: float) -> Figure:
    pages = list(itertools.chain.from_iterable(filtered))
    note = f"{len(pages):,} different pages, median {statistics.median(pages):.0f} ms"
    return Figure("any filter while syncs commit, p99", p99(pages), goal, "ms", note=note, rounds=tuple(map(p99, filtered)))


def p99(values: Sequence[float]) -> float:
    """What all but the slowest one of a hundred stay below."""
    return statistics.quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]


def _larger(pages: Pages, smaller: Pages, models: int) -> Iterator[Figure]:
    slower = [p99(one) / p99(other) for one, other in zip(pages.filtered, smaller.filtered, strict=True)]
    yield ratio(f"any filter, p99, × that at {models:,} models", slower, LARGER)
    slower = [one / other for one, other in zip(pages.built, smaller.built, strict=True)]
    yield ratio(f"built page, × that at {models:,} models", slower, LARGER)
