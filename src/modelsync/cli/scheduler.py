"""`modelsync scheduler`, which syncs what is due, and `modelsync workers`, which lists the processes that do."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Annotated

from modelsync import app as programs
from modelsync.cli import interpreter, output
from modelsync.cli.opening import load, opened, warn_of_unknown
from modelsync.cli.parameters import FLAG, Database, Json
from modelsync.queries.workers import ShownWorker, shown_workers
from modelsync.scheduler.loop import AT_ONCE, DRAINING, Scheduler


def workers(*, json: Json = False, database: Database = None) -> int:
    """List the processes that sync by themselves, on every machine: whether each is alive, what it syncs now, and what it leaves to others.

    A worker is `modelsync scheduler`, or `modelsync serve --with-scheduler`. It leaves a provider to others while its options, key or
    address for it are not those that the provider is synced with.
    """
    with opened(database) as db:
        rows = shown_workers(db.store)
    if json:
        output.print_json({"version": 1, "workers": rows})
        return 0
    if not rows:
        output.say(output.stdout(), "Nothing syncs by itself. Run: modelsync scheduler")
        return 0
    columns = [output.Column(name, wraps=name in ("syncs now", "refuses")) for name in _WORKER_COLUMNS]
    output.show_table(columns, [_worker_cells(row) for row in rows])
    return 0


_WORKER_COLUMNS = ("worker", "since", "heard of", "can sync", "syncs now", "refuses")


def _worker_cells(worker: ShownWorker) -> tuple[str, ...]:
    now = ", ".join(worker.syncing) if worker.alive else "dead"
    count = f"{len(worker.offers) - len(worker.refuses)} providers"
    refuses = "; ".join(f"{slug}: {why}" for slug, why in sorted(worker.refuses.items()))
    return output.safe(worker.place), output.utc(worker.started_at), output.utc(worker.heartbeat_at), count, now, output.safe(refuses)


def scheduler(*, verbose: Annotated[bool, FLAG] = False, database: Database = None) -> int:
    """Sync each provider when it is due, for as long as this runs.

    Any number of these can run at one catalog, in `modelsync serve --with-scheduler` too: each due sync is made once. SIGTERM and Ctrl-C
    let what is under way end, within 20 seconds; a second one stops it, and it stays due.

    Parameters
    ----------
    verbose:
        Also log what is asked of providers.
    """
    chosen = load(database)
    warn_of_unknown(chosen)
    program = programs.build(chosen, verbose=verbose, serving=True)
    with contextlib.closing(program.open_store()) as store:
        running = Scheduler(program, store)
        _introduce(program, running)
        interpreter.settle()
        with _ended_by_signals(lambda: _stop(running), running.stop_now):
            all_ended = running.run()
        if not all_ended:
            output.say(output.stderr(), "A sync hangs and was left; what it was at is due again within a minute.")
            os._exit(1)  # Python would wait for its thread for ever
    return 0


def _introduce(program: programs.App, running: Scheduler) -> None:
    """Say what will be synced, and what will not for want of a key."""
    without = f" Without a key, and so never synced here: {', '.join(sorted(running.lacking))}." if running.lacking else ""
    count = f"Syncing {len(running.offered)} providers of {program.database_shown()} when they are due, {AT_ONCE} at once"
    output.say(output.stderr(), f"{count} (Ctrl-C ends it); `modelsync schedule` shows when.{without}")


def _stop(running: Scheduler) -> None:
    """Begin nothing more, and say what is waited for."""
    running.stop()
    if running.under_way:
        waits = f"Letting {', '.join(running.under_way)} end, for {DRAINING:g} seconds at most; once more stops at once, and it stays due."
        output.say(output.stderr(), waits)


@contextlib.contextmanager
def _ended_by_signals(*steps: Callable[[], None]) -> Iterator[None]:
    """Within the block, each SIGINT or SIGTERM takes the next step; when none is left, it ends the process as a kill would."""
    left = list(steps)

    def signalled(number: int, _frame: object) -> None:
        if not left:
            os._exit(128 + number)
        left.pop(0)()

    before = {number: signal.signal(number, signalled) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
