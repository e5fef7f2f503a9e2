"""A run from its begin to its end: recorded, alive, and stopped cleanly by a signal."""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from modelsync.errors import DatabaseError, Failure, FailureKind
from modelsync.planning.outcome import Failed, ProviderResult, Report
from modelsync.sync.heartbeat import beating
from modelsync.sync.pipeline import Step, Watch
from modelsync.sync.store import Store

log = structlog.get_logger("modelsync.running")

Result = TypeVar("Result")

Story = Callable[[int, Watch], Coroutine[object, None, None]]
"""What a run does, given its number (0 for a dry run); it tells the watch each provider's result."""


class Stopped(BaseException):
    """A signal ended the run; `code` is the exit code that says which."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _ignored(_number: int | None) -> None:
    """Nobody wants to know."""


class Handle:
    """A run as others see it: `began` is called with its number, `stopping` with each signal that tells it to stop; `stop` does as well."""

    def __init__(self, began: Callable[[int | None], None] = _ignored, stopping: Callable[[int], None] = _ignored) -> None:
        self.began = began
        self.stopping = stopping
        self._stop: Callable[[], object] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End the run as a signal would: providers already committed stay so, the others are untouched."""
        with self._lock:
            self._stopped = True
            if self._stop is not None:
                self._stop()

    def attach(self, stop: Callable[[], object]) -> None:
        """From now on, `stop` ends the run."""
        with self._lock:
            self._stop = stop
            if self._stopped:
                stop()

    def detach(self) -> None:
        """The run is over."""
        with self._lock:
            self._stop = None


def run(slugs: Sequence[str], story: Story, store: Store, watch: Watch, run_id: int | None, handle: Handle) -> Report:
    """Let the story of a run happen that has begun, and say what came of it. Without a number it is a dry run: nothing is recorded."""
    started_at, started = datetime.now(UTC), time.monotonic()
    handle.began(run_id)
    results: dict[str, ProviderResult] = {}

    def keep(slug: str, event: Step | ProviderResult) -> None:
        if isinstance(event, ProviderResult):
            results[slug] = event
        watch(slug, event)

    def report() -> Report:
        return Report(
            run_id=run_id,
            dry_run=run_id is None,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            seconds=time.monotonic() - started,
            results=tuple(results[slug] for slug in sorted(results)),
        )

    try:
        with contextlib.nullcontext() if run_id is None else beating(store, run_id):
            asyncio.run(until_signal(story(run_id or 0, keep), handle))
    except Exception as error:  # nothing that a provider does: no memory for a thread, say
        hint = "Run it again with --verbose and report what that shows"
        failure = Failure(FailureKind.INTERNAL, f"the run ended by {type(error).__name__}", hint)
        for slug in slugs:
            results.setdefault(slug, ProviderResult(slug=slug, outcome=Failed(failure), seconds=0.0))
        _finish(store, report())
        raise
    except BaseException:
        _finish(store, report(), cancelled=True)
        raise
    _finish(store, report())
    return report()


def _finish(store: Store, report: Report, *, cancelled: bool = False) -> None:
    """Record a run's end. Every provider's result is in by now, and stands whatever comes of this."""
    if report.run_id is None:
        return
    try:
        store.finish_run(report, cancelled=cancelled)
    except DatabaseError as error:
        log.warning(f"the end of run {report.run_id} was not recorded: {error.message}")


async def until_signal(story: Coroutine[object, None, Result], handle: Handle) -> Result:
    """Let it happen, or stop it at the first SIGINT or SIGTERM, or by its handle: Stopped. Afterwards signals are handled as before."""
    code = 0
    task = asyncio.current_task()

    def stop(number: int) -> None:
        nonlocal code
        code = 128 + number
        if task is not None:
            task.cancel()

    def signalled(number: int) -> None:
        stop(number)
        handle.stopping(number)

    loop = asyncio.get_running_loop()
    with _handling(loop, signalled):
        handle.attach(lambda: loop.call_soon_threadsafe(stop, signal.SIGTERM))
        try:
            return await story
        except asyncio.CancelledError:
            if code:
                raise Stopped(code) from None
            raise
        finally:
            handle.detach()


@contextlib.contextmanager
def _handling(loop: asyncio.AbstractEventLoop, signalled: Callable[[int], None]) -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM call `signalled`; afterwards what they called before: it may be the program's own."""
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        try:
            loop.add_signal_handler(number, signalled, number)
        except (NotImplementedError, ValueError, RuntimeError):
            break  # not the main thread, or Windows: the signal then ends the process as usual
        before[number] = handler
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # one that was not set from Python cannot be set again
                signal.signal(number, handler)
