"""I42: clients without manners on all sides, while providers are synced, a person decides thousands of holds, and somebody reads a page."""

import contextlib
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from modelsync.fetch import authorities
from modelsync.model.model import Model, Prices
from modelsync.simulator.server import Simulator
from modelsync.sync.store import Store
from modelsync.testing import D
from support.api import AS_ADMIN, Served, serving
from support.catalog import synced
from support.cli import ROOT
from support.process import code_of
from support.soak import note_figures
from support.store import opened

SYNCED = ("near", "chutes", "cerebras", "groq")
DECIDED = "featherless"
PAGE = "/models?limit=100"
MOST_BYTES = 200 * 1024 * 1024


class Scale(NamedTuple):
    """For how long, on how many models, how many holds are decided at once, how many attack in which way, and within how many
    seconds 99 of 100 pages must come.
    """

    seconds: float
    models: int
    holds: int
    attackers: Mapping[str, int]
    page: float


SHORT = Scale(8, 3_000, 100, {"heads": 40, "bodies": 20, "readers": 20, "searches": 10, "idle": 150, "pipelines": 3, "pages": 4}, page=10)
"""With whatever else this machine does meanwhile: it tells a server that stands still from one that is busy, not a fast from a slow one."""

LONG = Scale(
    300, 20_000, 2_000, {"heads": 240, "bodies": 80, "readers": 80, "searches": 40, "idle": 1_000, "pipelines": 20, "pages": 16}, page=1
)


def rows(count: int) -> Iterator[Model]:
    """Models as long as a long catalog has them, with all that can be looked for."""
    for number in range(count):
        price = D(number % 997 + 1) / 10_000_000
        kinds = ("text", "image") if number % 3 else ("text",)
        yield Model(
            id=f"maker-{number % 97}/model-{number}",
            model_name=f"Maker {number % 97}: Model {number}",
            description="A model for dialogue, code and long documents. " * 12,
            context_length=8192 << number % 6,
            input_modalities=kinds,
            output_modalities=("text",),
            prices=Prices(prompt=price, completion=price * 4),
        )


def asked_about(count: int, *, moved: bool) -> list[Model]:
    """Models whose prices move by so different factors that each of them is a question of its own."""
    price = D("0.0000001")
    return [Model(id=f"m{number:05}", prices=Prices(prompt=price * (20 + number % 71 if moved else 1))) for number in range(count)]


class Seen:
    """What was seen of the server while it lasted."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.failed_pages: list[object] = []
        self.failed_syncs: list[object] = []
        self.syncs = self.decided = self.bytes = self.handles = 0


def read_pages(served: Served, seen: Seen) -> None:
    """A page over a new connection, as somebody has it who comes for the first time."""
    began = time.monotonic()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(served.base.rpartition(":")[2]), timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", PAGE)
            answer = connection.getresponse()
            answer.read()
        if answer.status != 200:
            seen.failed_pages.append(answer.status)
    except OSError as problem:
        seen.failed_pages.append(repr(problem))
    seen.seconds.append(time.monotonic() - began)
    time.sleep(0.05)


def sync(served: Served, seen: Seen) -> None:
    """Providers, one after the other."""
    slug = SYNCED[seen.syncs % len(SYNCED)]
    answer = post(served, f"/admin/model-sync/provider/{slug}")
    if answer.status_code != 200 or not answer.json()["success"]:
        seen.failed_syncs.append((slug, answer.status_code, answer.text))
    seen.syncs += 1
    time.sleep(0.2)


def post(served: Served, path: str, body: object = None) -> httpx2.Response:
    """As a program does it that comes now and then: over a new connection. One that is kept makes room for others when there are many."""
    return httpx2.post(f"{served.base}{path}", json=body, headers=AS_ADMIN, timeout=300, verify=authorities())


def decide(served: Served, seen: Seen, store: Store, count: int) -> None:
    """Thousands of prices that are held, confirmed at once; and back again."""
    for moved in (True, False):
        synced(store, DECIDED, asked_about(count, moved=moved))
        answer = post(served, "/admin/held/confirm", {"provider": [DECIDED], "reason": "they told us"})
        if answer.status_code != 200 or len(answer.json()["data"]) != count:
            seen.failed_syncs.append(("decisions", answer.status_code, answer.text[:300]))
        else:
            seen.decided += count


def look(served: Served, seen: Seen) -> None:
    """What the server takes of the machine."""
    here = Path(f"/proc/{served.process.pid}")
    seen.bytes = max(seen.bytes, memory(here))
    seen.handles = max(seen.handles, len(list((here / "fd").iterdir())))
    time.sleep(0.2)


def memory(here: Path) -> int:
    """Bytes of a process that are in memory."""
    lines = (here / "status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024


@contextlib.contextmanager
def going_on(*acts: Callable[[], object]) -> Iterator[None]:
    """Each again and again, in a thread of its own, until the end of this."""
    over = threading.Event()
    problems: list[BaseException] = []

    def repeated(act: Callable[[], object]) -> None:
        while not over.is_set():
            try:
                act()
            except BaseException as problem:
                problems.append(problem)
                raise

    threads = [threading.Thread(target=repeated, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(300)
    assert problems == []


def attacked(database_url: str, simulator: Simulator, folder: Path, scale: Scale) -> dict[str, Any]:
    """Everything at once; what came of it."""
    seen = Seen()
    with opened(database_url) as store:
        synced(store, "openrouter", list(rows(scale.models)))
        synced(store, DECIDED, asked_about(scale.holds, moved=False))
        with serving(folder, database_url, simulator, MODELSYNC_RATE="100") as served:
            for path in (PAGE, "/models.ndjson", "/models?q=model&sort=name", "/v1/models"):
                assert served.client.get(path).status_code == 200
            base = memory(Path(f"/proc/{served.process.pid}"))
            acts = (read_pages, sync, look)
            with going_on(*(lambda act=act: act(served, seen) for act in acts), lambda: decide(served, seen, store, scale.holds)):
                said = let_loose(served, scale)
            log = served.log.read_text("utf-8")
            assert served.process.exitcode is None
            served.process.terminate()
            code_of(served.process, 20)
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    return {
        "seconds": scale.seconds,
        "pages": len(seen.seconds),
        "failed_pages": len(seen.failed_pages),
        "p99_ms": round(statistics.quantiles(seen.seconds, n=100)[98] * 1000),
        "slowest_ms": round(max(seen.seconds) * 1000),
        "more_memory_mib": round((seen.bytes - base) / 1024**2),
        "most_handles": seen.handles,
        "syncs": seen.syncs,
        "failed_syncs": len(seen.failed_syncs),
        "decisions": seen.decided,
        "cut_off": said.get("cut off", 0),
        "searches_answered": said.get("200", 0),
        "told": [*seen.failed_pages[:3], *seen.failed_syncs[:3]],
    }


def let_loose(served: Served, scale: Scale) -> dict[str, int]:
    """The attackers, as a program of their own: what they say in the end."""
    kinds = [f"{name}={count}" for name, count in scale.attackers.items()]
    command = [sys.executable, str(ROOT / "tests" / "support" / "attackers.py"), served.base.rpartition(":")[2], str(scale.seconds), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=scale.seconds + 120)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, int] = json.loads(done.stdout)
    return found


def held(found: Mapping[str, Any], scale: Scale) -> None:
    """What I42 says."""
    assert found["failed_pages"] == found["failed_syncs"] == 0, found
    assert found["pages"] > found["seconds"] > 0, found
    assert found["p99_ms"] < scale.page * 1000, found
    assert found["more_memory_mib"] * 1024**2 < MOST_BYTES, found
    assert found["most_handles"] < 512 + 64 + 288, found  # connections, those that make room, and what the server keeps for itself
    assert found["syncs"] > 0, found
    assert found["decisions"] > 0, found
    assert found["cut_off"] > 0, found
    assert found["searches_answered"] > 0, found


def test_i42_nobody_stalls_the_server(database_url: str, simulator: Simulator, tmp_path: Path):
    held(attacked(database_url, simulator, tmp_path, SHORT), SHORT)


@pytest.mark.soak
def test_i42_nobody_stalls_the_server_for_long(database_url: str, simulator: Simulator, tmp_path: Path):
    found = attacked(database_url, simulator, tmp_path, LONG)
    held(found, LONG)
    database = database_url.partition(":")[0].replace("postgresql", "postgres")
    note_figures("attack", database=database, **{name: value for name, value in found.items() if name != "told"})
