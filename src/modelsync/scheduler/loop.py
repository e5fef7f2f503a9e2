"""Syncs what is due, for as long as it is let: looks at the schedules every few seconds, and syncs in threads of its own.

Any number of these can run at one catalog, in whatever processes: whether a provider is due is decided with its lease (`Store.claim`).
Nothing that happens to one sync, or to one look, ends the loop: a catalog that nobody brings up to date any more looks like one that is.
"""

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

import structlog

from modelsync.app import App
from modelsync.errors import DatabaseError
from modelsync.operations.workers import beat, leave
from modelsync.planning.outcome import ProviderResult, tag
from modelsync.planning.schedule import GivenSchedule, Off
from modelsync.queries.schedules import ScheduledProvider, scheduled
from modelsync.queries.workers import refusals
from modelsync.sync.run import Handle, Stopped
from modelsync.sync.store import Store

log = structlog.get_logger("modelsync.scheduler")

TICK = 5.0
"""Seconds between two looks at the schedules: others change them, and die at their syncs."""

AT_ONCE = 4
"""Providers that are synced at the same time."""

DRAINING, STOPPING = 20.0, 5.0
"""Seconds that syncs under way have at the end before they are stopped, which leaves them due, and then to stop: Kubernetes kills after
thirty in all."""

LEFT_ALONE = 60.0
"""Seconds for which a provider is not tried again whose sync could not begin: others wait for their turn."""


class Scheduler:
    """The syncs of one process that nobody asked for."""

    def __init__(self, program: App, store: Store) -> None:
        self._program = program
        self._store = store
        self._threads = ThreadPoolExecutor(AT_ONCE, "scheduled")
        self._under_way: dict[str, tuple[Handle, Future[None]]] = {}
        self._left_alone: dict[str, float] = {}
        self._over, self._stopping_now = threading.Event(), threading.Event()
        self._number: int | None = None
        self._refused: Mapping[str, str] = {}
        self._broken = False

    @property
    def offered(self) -> Mapping[str, GivenSchedule]:
        """The schedules of the providers that this process can sync, and that its settings do not say `off` of."""
        schedules = self._program.settings.schedules
        scheduled = self._program.settings.enabled - self.lacking
        return {slug: schedules[slug] for slug in sorted(scheduled) if not isinstance(schedules[slug].schedule, Off)}

    @property
    def lacking(self) -> Set[str]:
        """The providers that are on, and whose keys this process does not have."""
        settings = self._program.settings
        return {slug for slug in settings.enabled if settings.providers[slug].needs_key and slug not in settings.credentials}

    @property
    def under_way(self) -> Sequence[str]:
        """The providers that are synced now."""
        return sorted(slug for slug, (_, future) in self._under_way.items() if not future.done())

    def run(self) -> bool:
        """Sync what is due until `stop` is called, then let what is under way end. Whether it all has: a hanging thread cannot be ended."""
        while not self._over.is_set():
            try:
                self._look()
                self._broken = False
            except Exception as error:  # noqa: BLE001 - told, and tried again
                self._tell_broken(error)
            self._over.wait(TICK)
        return self._drain()

    def stop(self) -> None:
        """Begin nothing more."""
        self._over.set()

    def stop_now(self) -> None:
        """Stop what is under way, too: it changes nothing, and stays due."""
        self._over.set()
        self._stopping_now.set()
        for handle, _ in list(self._under_way.values()):
            handle.stop()

    def _look(self) -> None:
        """Give a sign of life, leave to others what is theirs, and begin what is due."""
        self._under_way = {slug: each for slug, each in self._under_way.items() if not each[1].done()}
        offered, settings = self.offered, self._program.settings
        scopes = {slug: settings.scope(settings.providers[slug]) for slug in offered}
        self._number = beat(self._store, self._number, scopes, sorted(self._under_way))
        refused = refusals(self._store, scopes)
        self._tell_refused(refused)
        now, rows = scheduled(self._store, {slug: given for slug, given in offered.items() if slug not in refused})
        self._begin(now, rows)

    def _begin(self, now: datetime, rows: Iterable[ScheduledProvider]) -> None:
        """Begin as many syncs of providers that are due as there is room for, those that have waited longest first."""
        self._left_alone = {slug: until for slug, until in self._left_alone.items() if until > time.monotonic()}
        ready = (row for row in rows if row.is_due(now) and row.provider not in self._under_way | self._left_alone.keys())
        waiting = sorted((row.next_at or now, row.provider) for row in ready)
        for _, slug in waiting[: AT_ONCE - len(self._under_way)]:
            if self._over.is_set():
                return
            handle = Handle()
            self._under_way[slug] = handle, self._threads.submit(self._attend, slug, handle)
            if self._stopping_now.is_set():
                handle.stop()

    def _attend(self, slug: str, handle: Handle) -> None:
        """Sync a provider if it is due still."""
        try:
            report = self._program.attend(slug, self._store, handle=handle)
        except Stopped:
            log.info("stopped; it stays due", provider=slug)
        except Exception as error:
            self._left_alone[slug] = time.monotonic() + LEFT_ALONE
            known = error if isinstance(error, DatabaseError) else None
            log.warning(f"not synced: {known or 'a bug in modelsync'}", provider=slug, exc_info=None if known else error)
        else:
            for result in report.results if report else ():
                _log_result(report.run_id if report else None, result)

    def _drain(self) -> bool:
        """Wait for what is under way, and stop what takes too long."""
        futures = [future for _, future in self._under_way.values()]
        wait(futures, timeout=0 if self._stopping_now.is_set() else DRAINING)
        self.stop_now()
        hanging = wait(futures, timeout=STOPPING).not_done
        self._threads.shutdown(wait=False)
        if self._number is not None:
            with contextlib.suppress(DatabaseError):  # it is taken for dead soon
                leave(self._store, self._number)
        return not hanging

    def _tell_refused(self, refused: Mapping[str, str]) -> None:
        """Say once of each provider that it is left to others."""
        for slug in sorted(refused.keys() - self._refused.keys()):
            log.warning(f"left to others: {refused[slug]}", provider=slug)
        self._refused = refused

    def _tell_broken(self, error: Exception) -> None:
        """Once for each time that it breaks: it is tried again every few seconds."""
        if self._broken:
            return
        self._broken = True
        known = error if isinstance(error, DatabaseError) else None
        what = (
            f"the schedules cannot be read: {known or 'a bug in modelsync'}. Nothing is synced until they can; tried again every {TICK:g} s"
        )
        with contextlib.suppress(Exception):  # the disk of the log may be full
            log.warning(what, exc_info=None if known else error)


class Background:
    """A scheduler in a thread of its own, with the catalog open for itself. Raises DatabaseError when that cannot be opened."""

    def __init__(self, program: App) -> None:
        self._store = program.open_store()
        self._scheduler = Scheduler(program, self._store)
        self._thread = threading.Thread(target=self._run, name="scheduler")

    def start(self) -> None:
        """Begin to sync what is due."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more, and stop what is under way: it stays due."""
        self._scheduler.stop_now()

    def join(self) -> None:
        """Wait until it has stopped."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._store):
            self._scheduler.run()


def _log_result(run_id: int | None, result: ProviderResult) -> None:
    facts = {"provider": result.slug, "run": run_id, "outcome": tag(result.outcome), "seconds": round(result.seconds, 2)}
    if result.error:
        log.warning(result.error, **facts)
    else:
        counts = result.counts
        log.info("synced", **facts, models=counts.synced, created=counts.created, updated=counts.updated, held=len(result.holds))
