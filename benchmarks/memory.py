"""Peak memory, each in a process of its own: a whole sync of Featherless's answer, and a million models page by page.

`python memory.py featherless FILE DATABASE-FOLDER` and `python memory.py paged MODELS` print what they measured as JSON.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import catalogs
import msgspec
import slow_server
from measure import Figure, Scale, count, peak_memory

from modelsync import app
from modelsync.planning.outcome import Synced
from modelsync.settings import load

RECORDED = "featherless--2026-04.json"
GENERATED_ROWS = 16_000
PAGE = 1000


class Measured(msgspec.Struct, frozen=True):
    """What a child process says: MB before and at most, models kept, and seconds of the first and the last tenth of its pages."""

    before: float
    peak: float
    models: int
    first: float = 0.0
    last: float = 0.0


def measure(scale: Scale) -> Iterator[Figure]:
    """Both, in turn."""
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as folder:
        file, source = _featherless_answer(Path(folder), scale.payloads)
        rows = len(msgspec.json.decode(file.read_bytes(), type=catalogs.Rows).data)
        found = _child("featherless", str(file), folder)
    yield Figure(f"Featherless, {rows:,} rows into SQLite: peak memory", found.peak, 300.0, "MB", note=source)
    yield Figure("Featherless: of which before the sync", found.before, unit="MB")
    paged = _child("paged", str(scale.paged))
    grown = paged.peak - paged.before
    yield count("paged: models kept as id and hash", paged.models, scale.paged, "models")
    yield Figure(f"{scale.paged:,} models page by page: memory over baseline", grown, 200.0, "MB", note="reading alone, no database")
    yield Figure("paged: last tenth of the pages, × the first", paged.last / paged.first, 1.3)


def _featherless_answer(folder: Path, payloads: Path | None) -> tuple[Path, str]:
    if payloads:
        return payloads / RECORDED, "recorded answer"
    file = folder / "answer.json"
    file.write_bytes(catalogs.document(catalogs.featherless_row(number) for number in range(GENERATED_ROWS)))
    return file, "generated answer"


def _child(*arguments: str) -> Measured:
    output = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True).stdout
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


def paged(models: int) -> Measured:
    """Every page read by itself, only ids and hashes kept."""
    before = peak_memory()
    hashes: dict[str, str] = {}
    seconds: list[float] = []
    for first in range(0, models, PAGE):
        body = catalogs.openrouter_body(PAGE, first=first)
        started = time.process_time()
        hashes |= catalogs.listing(body).hashes
        seconds.append(time.process_time() - started)
    tenth = max(1, len(seconds) // 10)
    return Measured(before, peak_memory(), len(hashes), sum(seconds[:tenth]), sum(seconds[-tenth:]))


if __name__ == "__main__":
    found = featherless(Path(sys.argv[2]), Path(sys.argv[3])) if sys.argv[1] == "featherless" else paged(int(sys.argv[2]))
    print(msgspec.json.encode(found).decode())
