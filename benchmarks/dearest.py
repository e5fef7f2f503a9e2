"""The dearest public request there is: a search over all that can be asked without a key, and what many clients do to others with it.

Requests are made by chance from every public page and parameter; of the dearest ones, one parameter after the other is changed. None is
asked twice, so that no answer lies ready.
"""

import contextlib
import http.client
import itertools
import json
import random
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import catalogs
import msgspec
import syncs
from databases import both, opened
from measure import Figure, Scale, count, of
from servers import process, ready
from serving import p99

GOAL_MS = 1000.0
BUSY = 503
"""That one has to wait: no fault."""

Parameters = Mapping[str, str]
Make = Callable[[random.Random], str]


class Request(msgspec.Struct, frozen=True):
    """A page and what is asked of it."""

    path: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> str:
        """As it is written in a request's first line."""
        return f"{self.path}?{urlencode(self.parameters)}" if self.parameters else self.path


def words(chance: random.Random) -> str:
    """From one letter that everything has to as many words as fit."""
    letters = "adeklmor1234-"
    made = ["".join(chance.choices(letters, k=chance.choice((1, 1, 2, 3)))) for _ in range(chance.choice((1, 4, 8, 100)))]
    return " ".join(made)[:200].strip()


def number(*those: int) -> Make:
    """One of these, moved a little so that it is another one each time."""
    return lambda chance: str(max(0, chance.choice(those) + chance.randrange(1, 400)))


def one_of(*those: str) -> Make:
    """One of these."""
    return lambda chance: chance.choice(those)


FLAG = one_of("true", "false")
FILTERS: dict[str, Make] = {
    "q": words,
    "modality": one_of("text->text", "text+image->text"),
    "input_modality": one_of("text", "image"),
    "output_modality": one_of("text", "audio"),
    "supports_vision": FLAG,
    "supports_reasoning": FLAG,
    "supports_function_calling": FLAG,
    "is_active": one_of("all", "true", "false"),
    "status": one_of("active", "missing", "retired"),
    "min_context": number(0, 8192, 100_000),
    "max_context": number(8192, 10**9),
    "min_price": lambda chance: f"{chance.random() / 1000:.9f}",
    "max_price": lambda chance: f"{1000 + chance.random():.9f}",
    "free": FLAG,
    "changed_since": lambda chance: f"20{chance.randrange(10, 26)}-01-01T00:00:00Z",
    "provider": one_of("openrouter", "groq"),
}
ORDER: dict[str, Make] = {"sort": one_of("provider", "name", "price", "context", "changed"), "order": one_of("asc", "desc")}
PAGED: dict[str, Make] = {"limit": number(100, 99), "offset": number(0, 5_000, 15_000, 190_000)}
CHANGES: dict[str, Make] = {
    "since": FILTERS["changed_since"],
    "model": lambda chance: f"maker-{chance.randrange(97)}/model-{chance.randrange(20_000)}",
    "field": one_of("pricing_prompt", "context_length", "nothing"),
    "kind": one_of("added", "updated", "retired"),
    "before": number(10**6),
    "limit": number(100),
}
PAGES: dict[str, dict[str, Make]] = {
    "/models": FILTERS | ORDER | PAGED,
    "/models.csv": FILTERS | ORDER,
    "/models.ndjson": FILTERS | ORDER,
    "/models/search": {"q": words} | PAGED,
    "/models/stats": {"provider_id": number(0)},
    "/providers": {"q": words} | PAGED,
    "/changes": CHANGES,
    "/changes/feed.atom": CHANGES,
    "/changes/feed.json": CHANGES,
    "/v1/models": {},
    "/metrics": {},
    "/health/ready": {},
    "/openapi.json": {},
    "/docs": {},
}
NEEDED = {"/models/search": "q"}


def any_request(chance: random.Random) -> Request:
    """Some page with some parameters."""
    path = chance.choice([*PAGES, "/models", "/models", "/models", "/changes"])
    made = PAGES[path]
    chosen = {name for name in made if chance.random() < 0.3} | {NEEDED[path] for _ in range(path in NEEDED)}
    return Request(path, tuple((name, made[name](chance)) for name in made if name in chosen))


def another(request: Request, chance: random.Random) -> Request:
    """The same with one or two parameters more, fewer or otherwise, and everything that can be new made anew."""
    made, given = PAGES[request.path], dict(request.parameters)
    for name in chance.sample(list(made), min(len(made), 2)):
        if name in given and name != NEEDED.get(request.path) and chance.random() < 0.4:
            del given[name]
        else:
            given[name] = made[name](chance)
    return Request(request.path, tuple((name, given[name]) for name in made if name in given))


class Asked(msgspec.Struct, frozen=True):
    """How long one request took, and how it was answered."""

    request: Request
    seconds: float
    status: int


def ask(port: int, request: Request, host: str = "127.0.0.1") -> Asked:
    """Over a connection of its own, from an address of this machine, to the last byte."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120, source_address=(host, 0))
    with contextlib.closing(connection):
        connection.request("GET", request.target, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
    return Asked(request, time.perf_counter() - began, answer.status)


def search(port: int, chance: random.Random, tries: int, pages: Container[str] = PAGES) -> list[Asked]:
    """The requests that are answered, the dearest first: by chance, then by changing the best ones."""
    some = [any_request(chance) for _ in range(tries)]
    best = _dearest(ask(port, request) for request in some if request.path in pages)
    for _ in range(tries):
        best = _dearest([*best, ask(port, another(chance.choice(best[:8]).request, chance))])
    return best


def _dearest(asked: Iterable[Asked]) -> list[Asked]:
    return sorted((each for each in asked if each.status == 200), key=lambda each: -each.seconds)


def beside(port: int, dearest: Request, scale: Scale) -> tuple[list[Asked], list[float]]:
    """What many clients have of the dearest request, each another one like it; and what a plain page takes meanwhile, in seconds."""
    ends_at = time.monotonic() + scale.seconds
    plain: list[float] = []

    def one_of_many(client: int) -> list[Asked]:
        mine, found = random.Random(client), list[Asked]()
        while time.monotonic() < ends_at:
            found.append(ask(port, fresh(dearest, mine), f"127.0.7.{client + 1}"))
            if found[-1].status != 200:
                time.sleep(0.2)
        return found

    with ThreadPoolExecutor(scale.clients) as threads:
        waiting = [threads.submit(one_of_many, client) for client in range(scale.clients)]
        while time.monotonic() < ends_at:
            plain.append(ask(port, Request("/models", (("limit", "100"),))).seconds)
            time.sleep(0.05)
        return list(itertools.chain.from_iterable(each.result() for each in waiting)), plain


def fresh(request: Request, chance: random.Random) -> Request:
    """The same question with other values."""
    made = PAGES[request.path]
    return Request(request.path, tuple((name, made[name](chance)) for name, _ in request.parameters))


def measure(scale: Scale) -> Iterator[Figure]:
    """At each size, on one database after the other."""
    with both() as found:
        for models in scale.searched:
            base = catalogs.listing(catalogs.openrouter_body(models))
            for database in found:
                address = database.fresh()
                with contextlib.closing(opened(address)) as store:
                    syncs.commit(store, base)
                with process(["-m", "modelsync", "serve"], address) as port:
                    ready(port)
                    yield from of(_figures(port, scale), database.name, models)


def _figures(port: int, scale: Scale) -> Iterator[Figure]:
    chance = random.Random(20261128)
    best = search(port, chance, scale.tries)
    pages = search(port, chance, scale.tries, ("/models", "/models/search", "/changes", "/providers"))
    yield Figure("answers of the search", len(best) + len(pages), 2, "answers", least=True, hard=True)
    dearest = {"dearest request": best[0], "dearest page": pages[0]}
    for what, found in dearest.items():
        yield Figure(f"{what} of {4 * scale.tries}", found.seconds * 1000, None, "ms", note=found.request.target[:90])
    for what, found in dearest.items():
        yield from _beside(port, what, found.request, scale)


def _beside(port: int, what: str, dearest: Request, scale: Scale) -> Iterator[Figure]:
    asked, plain = beside(port, dearest, scale)
    told = ", ".join(f"{status}: {sum(each.status == status for each in asked)}" for status in sorted({each.status for each in asked}))
    faults = sum(each.status >= 500 and each.status != BUSY for each in asked)
    yield count(f"answers to clients of the {what} that are faults", faults, 0, "answers")
    yield Figure(f"{what} beside {scale.clients} clients of it, p99", p99([each.seconds for each in asked]) * 1000, None, "ms", note=told)
    yield Figure(f"a plain page beside clients of the {what}, p99", p99(plain) * 1000, GOAL_MS, "ms", note=f"{len(plain)} pages")


if __name__ == "__main__":  # one server that is there already: dearest.py PORT [TRIES]
    import sys

    for each in search(int(sys.argv[1]), random.Random(1), int(sys.argv[2]) if len(sys.argv) > 2 else 200)[:15]:
        sys.stdout.write(json.dumps({"ms": round(each.seconds * 1000), "target": each.request.target}) + "\n")
