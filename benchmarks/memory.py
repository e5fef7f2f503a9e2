"""Peak memory, each in a process of its own: a whole sync of Featherless's answer, and a catalog that comes page by page.

`python memory.py featherless FILE DATABASE-FOLDER` and `python memory.py paged MODELS PAGE DATABASE-URL` print what they measured as JSON.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import catalogs
import msgspec
import slow_server
import syncs
from databases import Database, both, opened
from measure import Figure, Scale, count, of, peak_memory

from modelsync import app
from modelsync.cli import interpreter
from modelsync.planning.outcome import Synced
from modelsync.settings import load

RECORDED = "featherless--2026-04.json"


class Measured(msgspec.Struct, frozen=True):
    """What a child process says: MB before and at most, models written, and its seconds: all, the first and the last tenth of the pages."""

    before: float
    peak: float
    models: int
    seconds: float = 0.0
    first: float = 0.0
    last: float = 0.0


def measure(scale: Scale) -> Iterator[Figure]:
    """Both, in turn."""
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as folder:
        file, source = _featherless_answer(Path(folder), scale)
        rows = len(msgspec.json.decode(file.read_bytes(), type=catalogs.Rows).data)
        yield from of(_featherless(file, Path(folder), source, rows), "SQLite", rows)
    with both() as found, ThreadPoolExecutor(len(found)) as together:  # on two cores: neither waits for the other
        measured = {database: together.submit(_pages, database, scale) for database in found}
        for database, pages in measured.items():
            yield from of(_paged(database, scale, pages.result()), database.name, scale.paged[database.name])


def _featherless_answer(folder: Path, scale: Scale) -> tuple[Path, str]:
    if scale.payloads:
        return scale.payloads / RECORDED, "recorded answer"
    file = folder / "answer.json"
    file.write_bytes(catalogs.document(catalogs.featherless_row(number) for number in range(scale.featherless)))
    return file, "generated answer"


def _featherless(file: Path, folder: Path, source: str, rows: int) -> Iterator[Figure]:
    found = _child("featherless", str(file), str(folder))
    if source == "generated answer":
        yield count("Featherless: models written", found.models, rows, "models")
    note = f"{source}, from HTTP to the commit; before it {found.before:.0f} MB"
    yield Figure("Featherless: peak memory of a sync", found.peak, 300.0, "MB", note=note)


def _pages(database: Database, scale: Scale) -> Measured:
    return _child("paged", str(scale.paged[database.name]), str(scale.page), database.fresh())


def _paged(database: Database, scale: Scale, found: Measured) -> Iterator[Figure]:
    models = scale.paged[database.name]
    yield count("page by page: models written", database.stored()[0], models, "models")
    note = f"reading and writing, pages of {scale.page:,}, each committed; before it {found.before:.0f} MB"
    yield Figure("page by page: memory over baseline", found.peak - found.before, 150.0, "MB", note=note)
    yield Figure("page by page: seconds", found.seconds, unit="s", note=f"{models / found.seconds:,.0f} models/s")
    yield Figure("page by page: last tenth of the pages, × the first", found.last / found.first, 1.3, note="the time is linear in models")


def _child(*arguments: str) -> Measured:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    output = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, env=env).stdout
    return msgspec.json.decode(output, type=Measured)


def featherless(file: Path, folder: Path) -> Measured:
    """A sync as users run it, from the HTTP answer to the committed catalog."""
    answers = folder / "answers"
    answers.mkdir()
    (answers / "featherless").write_bytes(file.read_bytes())
    before = peak_memory()
    with slow_server.running(answers, 0.0) as origin:
        environment = {"DATABASE_URL": f"sqlite:///{folder}/catalog.db", "MODELSYNC_ORIGIN": origin}
        report = app.build(load(environment, folder)).sync(["featherless"])
    assert isinstance(report.results[0].outcome, Synced), report
    return Measured(before, peak_memory(), report.counts.synced)


def paged(models: int, page: int, address: str) -> Measured:
    """Every page read and committed by itself into one catalog."""
    before, written = peak_memory(), 0
    seconds: list[float] = []
    store = opened(address)
    for first in range(0, models, page):
        body = catalogs.openrouter_body(min(page, models - first), first=first)
        started = time.perf_counter()
        written += len(syncs.commit_page(store, body).models)
        seconds.append(time.perf_counter() - started)
    store.close()
    tenth = max(1, len(seconds) // 10)
    return Measured(before, peak_memory(), written, sum(seconds), sum(seconds[:tenth]), sum(seconds[-tenth:]))


if __name__ == "__main__":
    interpreter.settle()
    name, *rest = sys.argv[1:]
    measured = featherless(Path(rest[0]), Path(rest[1])) if name == "featherless" else paged(int(rest[0]), int(rest[1]), rest[2])
    print(msgspec.json.encode(measured).decode())
