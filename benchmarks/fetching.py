"""21 providers at once against the slowest of them alone, and how long the event loop stands still meanwhile."""

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import catalogs
import slow_server
from measure import Figure, Scale, alternate

from modelsync.fetch import Fetcher, FetchLimits, Origins
from modelsync.planning.outcome import Planned, ProviderResult
from modelsync.providers.builtin import openrouter
from modelsync.sync.pipeline import Job, Step, plan_all
from modelsync.sync.store import Store

DELAY = 0.3
MEGABYTES = {"provider-00": 8.0, "provider-01": 5.0}
"""The two long answers; the other 19 are 0.1 MB each."""

TICK = 0.001


def measure(scale: Scale) -> Iterator[Figure]:
    """Dry runs against an empty catalog: everything but writing."""
    slugs = [f"provider-{number:02}" for number in range(21)]
    gaps: list[float] = []
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as folder:
        _write_answers(Path(folder), slugs)
        with slow_server.running(Path(folder), DELAY) as origin:
            medians = alternate(scale.rounds, {"alone": lambda: _run(slugs[:1], origin)[0], "all": lambda: _run(slugs, origin, gaps)[0]})
    note = f"{medians['all']:.2f} s, the slowest alone {medians['alone']:.2f} s, decoding and planning included"
    yield Figure("21 providers, × the slowest alone", medians["all"] / medians["alone"], 1.4, note=note)
    yield Figure("event loop blocked, longest", statistics.median(gaps) * 1000, 20.0, "ms", note=f"worst round {max(gaps) * 1000:.0f} ms")


def _write_answers(folder: Path, slugs: Sequence[str]) -> None:
    row = len(catalogs.openrouter_body(100)) / 100
    for slug in slugs:
        (folder / slug).write_bytes(catalogs.openrouter_body(int(MEGABYTES.get(slug, 0.1) * 1e6 / row)))


def _run(slugs: Sequence[str], origin: str, gaps: list[float] | None = None) -> tuple[float, float]:
    """Seconds of one run, and the longest time that the event loop did not come round; also added to `gaps`."""
    jobs = [Job(replace(openrouter.PROVIDER, slug=slug), openrouter.PROVIDER.options(), "benchmark") for slug in slugs]
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as folder:
        store = Store.open(f"sqlite:///{folder}/catalog.db", {job.slug: job.provider for job in jobs}, read_only=True)
        started = time.perf_counter()
        gap = asyncio.run(_watched(jobs, Fetcher(FetchLimits(), Origins(everywhere=origin), {}), store))
        seconds = time.perf_counter() - started
        store.close()
    if gaps is not None:
        gaps.append(gap)
    return seconds, gap


async def _watched(jobs: Sequence[Job], fetcher: Fetcher, store: Store) -> float:
    longest = 0.0
    results: list[ProviderResult] = []

    def watch(_slug: str, event: Step | ProviderResult) -> None:
        if isinstance(event, ProviderResult):
            results.append(event)

    async def tick() -> None:
        nonlocal longest
        while True:
            asleep = time.perf_counter()
            await asyncio.sleep(TICK)
            longest = max(longest, time.perf_counter() - asleep - TICK)

    ticker = asyncio.create_task(tick())
    async with fetcher:
        await plan_all(jobs, fetcher, store, watch)
    ticker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await ticker
    assert len(results) == len(jobs), results
    assert all(isinstance(result.outcome, Planned) for result in results), results
    return longest
