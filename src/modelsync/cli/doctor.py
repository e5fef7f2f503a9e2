"""`modelsync doctor`: what stands in the way of a good sync."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from rich.text import Text

from modelsync import app
from modelsync.cli import output
from modelsync.cli.opening import load
from modelsync.cli.parameters import FLAG, Database, Json, Slugs
from modelsync.cli.stopping import at_ctrl_c
from modelsync.database.errors import RIGHTS
from modelsync.errors import Failure, ModelsyncError
from modelsync.fetch import Fetched, Fetcher, NeedsKey, Unfollowed
from modelsync.planning.decoding import rows_of
from modelsync.queries.catalog import Catalog
from modelsync.settings import Settings
from modelsync.sync.pipeline import Job
from modelsync.sync.store import Store

if TYPE_CHECKING:
    from modelsync.database.protection import Protection

CLOCK_TOLERANCE = 120.0

Check = tuple[str, str, str]
"""What was checked, "ok", "warning", "failed" or "skipped", and what was found."""


def doctor(
    *,
    providers: Slugs = None,
    offline: Annotated[bool, FLAG] = False,
    json: Json = False,
    database: Database = None,
) -> int:
    """Check keys, endpoints (one light request each), database, clock and schema. Writes nothing. Exit code 1 when something is broken.

    Parameters
    ----------
    offline:
        Make no requests.
    """
    chosen = load(database)
    program = app.build(chosen)
    checks = [*_settings_checks(chosen), *_database_checks(program)]
    with at_ctrl_c():
        checks += _key_checks(program, providers) if offline else asyncio.run(_endpoint_checks(program, providers))
    if json:
        output.print_json({"version": 1, "checks": [dict(zip(("check", "state", "found"), check, strict=True)) for check in checks]})
    else:
        marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("○", "dim")}
        columns = [output.Column(""), output.Column("check"), output.Column("found", wraps=True)]
        rows = [(Text(sign, style=style), name, output.safe(found)) for name, state, found in checks for sign, style in (marks[state],)]
        output.show_table(columns, rows)
    return 1 if any(state == "failed" for _, state, _ in checks) else 0


def _settings_checks(chosen: Settings) -> Iterable[Check]:
    for name in chosen.unknown:
        yield (name, "warning", "no such setting; see `modelsync settings`")
    if chosen.origins.everywhere or chosen.origins.by_slug:
        yield ("MODELSYNC_ORIGIN", "warning", "requests do not go to the providers themselves")


def _database_checks(program: app.App) -> Iterable[Check]:
    try:
        store = program.open_store(read_only=True)
        catalog = Catalog(store)
        now, known = catalog.now(), catalog.providers()
    except ModelsyncError as error:
        yield ("database", "failed", str(error))
        return
    state = f"{sum(row.models for row in known.values()):,} models" if known else "empty; the first sync fills it"
    yield ("database", "ok", f"{store.shown}: schema up to date, {state}")
    skew = abs((datetime.now(UTC) - now).total_seconds())
    yield ("clock", "ok" if skew < CLOCK_TOLERANCE else "failed", f"this machine and the database differ by {skew:.0f} s")
    if store.dialect == "postgresql":
        yield from _protection_checks(store)
    store.close()


def _protection_checks(store: Store) -> Iterable[Check]:
    from modelsync.database.protection import protection  # with the driver, which a catalog in SQLite does not need

    with store.reading() as connection:
        found = protection(connection)
    yield ("row level security", *_row_level_security(found))
    yield ("TLS", *_tls(found.sslmode))


def _row_level_security(found: "Protection") -> tuple[str, str]:
    if not found.unsecured:
        return "ok", f"on for all {found.tables} tables"
    off = f"off for {', '.join(found.unsecured)}"
    if not found.of_the_web and not found.open_to:
        return "ok", f"{off}; no role here stands for anybody, so nobody comes in by that"
    if found.open_to:
        who = f"{' and '.join(found.open_to).replace('public', 'everybody')} may read or write them"
    else:
        who = f"{' and '.join(found.of_the_web)} (anybody on Supabase's web API) have no right to them yet"
    return "warning", f"{off}; {who}. To close them, {RIGHTS}"


def _tls(sslmode: str | None) -> tuple[str, str]:
    verified = "set sslmode=verify-full&sslrootcert=FILE in DATABASE_URL, FILE with the certificate of its CA"
    match sslmode:
        case None:
            return "ok", "not needed, the server is on this machine"
        case "verify-full":
            return "ok", "encrypted, and the server's certificate is checked"
        case "require" | "verify-ca":
            return "warning", f"encrypted, but another server could pretend to be this one: {verified}"
        case _:
            return "warning", f"encryption is not required (sslmode={sslmode}): {verified}"


def _key_checks(program: app.App, slugs: list[str] | None) -> list[Check]:
    return [_key_check(program, job) for job in _jobs(program, slugs)]


def _jobs(program: app.App, slugs: list[str] | None) -> list[Job]:
    """The providers that are named, or else those that the settings do not leave out."""
    return [job for job in program.jobs(slugs) if slugs or job.enabled]


def _key_check(program: app.App, job: Job) -> Check:
    credential = program.settings.credentials.get(job.slug)
    if credential:
        return (job.slug, "ok", f"key set in {credential.variable}")
    if job.provider.needs_key:
        return (job.slug, "skipped", f"needs a key: set {job.provider.auth.variables[0]}")
    return (job.slug, "ok", "needs no key")


async def _endpoint_checks(program: app.App, slugs: list[str] | None) -> list[Check]:
    async with program.fetcher() as fetcher:
        return list(await asyncio.gather(*(_endpoint_check(program, fetcher, job) for job in _jobs(program, slugs))))


async def _endpoint_check(program: app.App, fetcher: Fetcher, job: Job) -> Check:
    """One light request: the first page only."""
    began = time.monotonic()
    result = await fetcher.fetch(job.provider, job.options, first_only=True)
    match result:
        case NeedsKey():
            return _key_check(program, job)
        case Failure():
            return (job.slug, "failed", str(result))
        case Unfollowed(failure):
            return (job.slug, "failed", str(failure))
        case Fetched():
            request, answer = result.answers[0]
            rows = rows_of(request.endpoint, answer)
            if isinstance(rows, Failure):
                return (job.slug, "failed", str(rows))
            size = len(answer.body)
            return (job.slug, "ok", f"answers within {time.monotonic() - began:.1f} s ({size:,} bytes); {_key_check(program, job)[2]}")
        case _:
            return (job.slug, "ok", "answers")
