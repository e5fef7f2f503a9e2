"""As many providers as are built in, all at once against the slowest of them alone, and how long the event loop stands still meanwhile."""

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import catalogs
import msgspec
import slow_server
from measure import Figure, Rounds, Scale, alternate, count, of, ratio

from modelsync.fetch import Fetcher, FetchLimits, Origins
from modelsync.planning.outcome import Planned, ProviderResult
from modelsync.providers import registry
from modelsync.providers.builtin import openrouter
from modelsync.sync.pipeline import Job, Step, plan_all
from modelsync.sync.store import Store

TICK = 0.001


class Run(msgspec.Struct, frozen=True):
    """One dry run: its seconds, the longest time that the event loop did not come round, and what was planned."""

    seconds: float
    gap: float
    providers: int
    created: int


def measure(scale: Scale) -> Iterator[Figure]:
    """Dry runs against an empty catalog: everything but writing."""
    slugs = list(registry.load())
    runs: list[Run] = []

    def all_at_once() -> float:
        runs.append(_run(slugs, origin))
        return runs[-1].seconds

    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as folder:
        rows = _write_answers(Path(folder), slugs, scale.megabytes)
        with slow_server.running(Path(folder), scale.delay) as origin:
            rounds = alternate(scale.rounds, {"alone": lambda: _run(slugs[:1], origin).seconds, "all": all_at_once})
    yield from of(_figures(rounds, runs, len(slugs), rows), "", rows)


def _figures(rounds: Rounds, runs: Sequence[Run], providers: int, rows: int) -> Iterator[Figure]:
    yield count("providers planned at once", min(run.providers for run in runs), providers, "providers")
    yield count("models planned at once", min(run.created for run in runs), rows, "models")
    seconds, note = rounds.median("all"), "fetching, decoding and planning"
    yield ratio("all providers at once, × the slowest alone", rounds.ratios("all", "alone"), 1.4, note=note, seconds=seconds)
    yield Figure("the slowest provider alone", rounds.median("alone"), unit="s", rounds=tuple(rounds.seconds["alone"]))
    gaps = [run.gap * 1000 for run in runs[1:]]
    yield Figure("event loop blocked, longest", statistics.median(gaps), 20.0, "ms", rounds=tuple(gaps))


def _write_answers(folder: Path, slugs: Sequence[str], megabytes: Sequence[float]) -> int:
    """An answer for each provider; how many models they have together."""
    row, models = len(catalogs.openrouter_body(100)) / 100, 0
    for number, slug in enumerate(slugs):
        rows = int(megabytes[min(number, len(megabytes) - 1)] * 1e6 / row)
        (folder / slug).write_bytes(catalogs.openrouter_body(rows))
        models += rows
    return models


def _run(slugs: Sequence[str], origin: str) -> Run:
    """One run of these providers."""
    jobs = [Job(replace(openrouter.PROVIDER, slug=slug), openrouter.PROVIDER.options(), "benchmark") for slug in slugs]
    with tempfile.TemporaryDirectory(prefix="modelsync-bench-") as folder:
        store = Store.open(f"sqlite:///{folder}/catalog.db", {job.slug: job.provider for job in jobs}, read_only=True)
        started = time.perf_counter()
        gap, results = asyncio.run(_watched(jobs, Fetcher(FetchLimits(), Origins(everywhere=origin), {}), store))
        seconds = time.perf_counter() - started
        store.close()
    planned = [result.outcome for result in results if isinstance(result.outcome, Planned)]
    return Run(seconds, gap, len(planned), sum(outcome.counts.created for outcome in planned))


async def _watched(jobs: Sequence[Job], fetcher: Fetcher, store: Store) -> tuple[float, list[ProviderResult]]:
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
    return longest, results
