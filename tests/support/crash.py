"""Programs that die: commands as processes that end at a chosen moment, and what a catalog may look like afterwards.

The moments are found in the database drivers and set by the system's own limits; nothing of modelsync is replaced.
"""

import functools
import itertools
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from psycopg.rows import dict_row

from modelsync.providers import registry
from modelsync.queries.history import History
from modelsync.sync.store import Store
from support import process, sync

DIED = 9
LONG_AGO = "2020-01-01T00:00:00.000000Z"

# Processes


def start(values: Mapping[str, str], folder: Path, *arguments: str, first: Callable[[], None] | None = None) -> ForkServerProcess:
    """`modelsync <arguments>` as a process of its own; `first` is called in it before. What it prints goes to `output` in the folder."""
    output = folder / "output"
    return process.start({**values, "HOME": str(folder)}, folder, arguments, output, output, first)


def output(folder: Path) -> str:
    """What the processes of a folder printed since the last look."""
    path = folder / "output"
    text = path.read_text()
    path.write_text("")
    return text


def until(condition: Callable[[], object], seconds: float = 15.0, every: float = 0.02) -> None:
    """Wait for something that another process does."""
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(every)


# Moments. Each is called in the process that is to die.


def die_before_statement(number: int) -> None:
    """End before the given statement is sent; in SQLite every row of a bulk statement is one, in Postgres every part of a COPY."""
    counter = itertools.count(1)

    def pass_or_die(*_: object) -> None:
        if next(counter) == number:
            os._exit(DIED)

    _trace_sqlite(pass_or_die)
    wait = psycopg.Connection.wait

    def waiting(connection: Any, conversation: Any, *arguments: Any, **named: Any) -> Any:
        pass_or_die()
        return wait(connection, conversation, *arguments, **named)

    psycopg.Connection.wait = waiting  # type: ignore[method-assign]


def die_having_sent(number: int) -> None:
    """End with the given statement on its way to Postgres, whose answer is never read."""
    counter = itertools.count(1)
    wait = psycopg.Connection.wait

    def waiting(connection: Any, conversation: Any, *arguments: Any, **named: Any) -> Any:
        if next(counter) == number:
            next(conversation, None)
            os._exit(DIED)
        return wait(connection, conversation, *arguments, **named)

    psycopg.Connection.wait = waiting  # type: ignore[method-assign]


def _trace_sqlite(trace: Callable[[str], None]) -> None:
    def connected(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(trace)

    sa.event.listen(sa.Engine, "connect", connected)


def die_past_file_size(size: int) -> None:
    """End inside the write that would make any file longer than this; what fits is written."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit_file_size(size)


def die_inside_a_write(number: int) -> None:
    """The same, for lengths that are no whole pages of SQLite, the first after 3,001 bytes."""
    die_past_file_size(3001 * number)


def limit_file_size(size: int) -> None:
    """As `ulimit -f`: a write beyond this fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(more: int) -> None:
    """As `ulimit -v`: what the process has now, and this much more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


# What a catalog shows

LOGS = ("model_changes", "sync_results", "answers")
"""Tables that only grow; a look takes what was added since a mark."""

UNWATCHED = ("holds", "pins", "audit_log")
VOLATILE = {"id", "run_id", "duration_seconds", "missing_since", "revision", "edition", "silent", "drift", "stated_at"}

FACTS = {"released_at", "expires_at"}
"""Times that a provider states, and no clock of ours."""

Rows = dict[str, list[dict[str, Any]]]


@contextmanager
def connected(database_url: str) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """A way to ask, as any other program does: a dead one's log is read, and may be folded."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(sync.sqlite_path(database_url), isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            yield lambda statement: [dict(row) for row in connection.execute(statement)]
        return
    with psycopg.connect(database_url, row_factory=dict_row) as postgres:
        yield lambda statement: list(postgres.execute(statement))


@functools.cache
def columns(database_url: str) -> dict[str, list[str]]:
    """The tables of a catalog and their columns."""
    if database_url.startswith("sqlite"):
        statement = "SELECT m.name AS t, c.name AS c FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
    else:
        columns = "SELECT table_name AS t, column_name AS c FROM information_schema.columns"
        statement = f"{columns} WHERE table_schema = 'public' AND table_name <> 'catalog'"
    with connected(database_url) as ask:
        found = ask(statement)
    return {name: [row["c"] for row in found if row["t"] == name] for name in sorted({row["t"] for row in found})}


def marks(database_url: str) -> dict[str, int]:
    """The newest row of each log."""
    with connected(database_url) as ask:
        return {name: ask(f"SELECT coalesce(max(id), 0) AS id FROM {name}")[0]["id"] for name in LOGS if name in columns(database_url)}


def look(database_url: str, since: Mapping[str, int]) -> dict[str, Rows]:
    """Everything each provider has: by provider and table, of the logs only what is newer than `since`."""
    with connected(database_url) as ask:
        slugs = {row["id"]: row["slug"] for row in ask("SELECT id, slug FROM providers")}
        found: dict[str, Rows] = {slug: {} for slug in slugs.values()}
        for name, its in columns(database_url).items():
            key = next((column for column in ("provider_id", "provider") if column in its), "id" if name == "providers" else None)
            if key is None or name in UNWATCHED:
                continue
            for rows in found.values():
                rows[name] = []
            where = f" WHERE id > {since[name]}" if name in since else ""
            for row in ask(f"SELECT * FROM {name}{where} ORDER BY {sync.KEYS.get(name, 'id')}"):
                found[slugs.get(row[key], row[key])][name].append(row)
    return found


def _volatile(name: str) -> bool:
    return name in VOLATILE or (name.endswith(("_at", "_seq")) and name not in FACTS) or name.startswith("ticket_")


def _timeless(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without what differs from sync to sync: times, numbers of runs, sequence numbers."""
    values = {name: sync._value(name, value) for name, value in row.items() if not _volatile(name)}
    return {name: _without_times(value) for name, value in values.items()}


def _without_times(value: Any) -> Any:
    return {name: inner for name, inner in value.items() if name not in VOLATILE} if isinstance(value, dict) else value


def timeless(rows: Rows) -> Rows:
    """A provider's rows as every undisturbed sync of the same listing leaves them."""
    return {name: [_timeless(row) for row in its] for name, its in rows.items()}


def _without_ticket(rows: Rows) -> Rows:
    """Taking a lease is a transaction of its own, and says nothing about the catalog."""
    states = rows["provider_state"]
    mine = [{name: value for name, value in row.items() if not name.startswith(("ticket_", "last_attempt", "unended"))} for row in states]
    return {**rows, "provider_state": mine}


class Verdict(NamedTuple):
    """Whether a provider's catalog is the old one or the new one; when it is neither, what differs from the new one."""

    is_new: bool
    torn: str = ""


def verdict(old: Rows, found: Rows, undisturbed: Rows) -> Verdict:
    """Compare with the old rows exactly, and with what an undisturbed sync adds and leaves."""
    if _without_ticket(found) == _without_ticket(old):
        return Verdict(is_new=False)
    now = timeless(found)
    wrong = [f"{name}: {now[name]} instead of {undisturbed[name]}" for name in undisturbed if now[name] != undisturbed[name]]
    return Verdict(is_new=True, torn="; ".join(wrong))


def is_sound(database_url: str) -> bool:
    """What SQLite says of its own file."""
    if not database_url.startswith("sqlite"):
        return True
    with connected(database_url) as ask:
        return ask("PRAGMA integrity_check") == [{"integrity_check": "ok"}] and ask("PRAGMA foreign_key_check") == []


def wait_for_the_server(database_url: str) -> None:
    """Let Postgres notice that the client is gone; a commit it was sent may still be carried out."""
    if not database_url.startswith("sqlite"):
        statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'modelsync'"
        until(lambda: not sync.query(database_url, statement))


def let_time_pass(database_url: str) -> None:
    """Age the traces of dead runs: their leases run out, and they have not been heard of for long."""
    times = [name for name in columns(database_url)["sync_runs"] if name.endswith("_at") and name != "finished_at"]
    aged = ", ".join(f"{name} = '{LONG_AGO}'" for name in times)
    sync.execute(
        database_url,
        f"UPDATE provider_state SET ticket_until = '{LONG_AGO}' WHERE ticket_until IS NOT NULL",
        f"UPDATE sync_runs SET {aged} WHERE status = 'running'",
    )


def statuses(database_url: str) -> set[str]:
    """How runs ended."""
    return {row["status"] for row in sync.query(database_url, "SELECT DISTINCT status FROM sync_runs")}


def before_everything(database_url: str) -> dict[Any, Any]:
    """The catalog as its history says it began."""
    store = Store.open(database_url, registry.load(), read_only=True)
    try:
        return History(store).at([datetime(2000, 1, 1, tzinfo=UTC)])[0]
    finally:
        store.close()
