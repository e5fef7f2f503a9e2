"""`modelsync schedule`: when each provider is synced by itself."""

from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from modelsync.cli import output
from modelsync.cli.opening import opened
from modelsync.cli.operators import person
from modelsync.cli.parameters import Database, Json, ProviderSlug, Reason, Slugs
from modelsync.errors import UsageError
from modelsync.formats import text
from modelsync.model.times import span
from modelsync.operations.schedules import ON, write_schedule
from modelsync.planning.schedule import interval_text
from modelsync.queries.schedules import Advice, ScheduledProvider, advice, scheduled

EPILOGUE = """Examples:
  modelsync schedule
  modelsync schedule set openrouter 1h --reason "we sell it"
  modelsync schedule set xai "0 6 * * 1-5 Europe/Berlin" --reason "at work"
  modelsync schedule off aimo --reason "they moved"
  modelsync schedule advise --within 3h"""
app = App(name="schedule", help="When each provider is synced by itself.", help_format="plaintext", help_epilogue=EPILOGUE)


@app.default
def listed(*, providers: Slugs = None, json: Json = False, database: Database = None) -> int:
    """List each provider's schedule: where it is from, the last attempt, the next, and why then."""
    with opened(database, providers) as db:
        given = db.settings.schedules
        now, rows = scheduled(db.store, {slug: given[slug] for slug in providers or given})
    if json:
        output.print_json({"version": 1, "now": now, "providers": rows})
        return 0
    drops = {"from": 2, "last attempt": 1}
    columns = [output.Column(name, drop=drops.get(name, 0), wraps=name == "why") for name in _COLUMNS]
    output.show_table(columns, [_cells(row, now) for row in rows])
    return 0


_COLUMNS = ("provider", "schedule", "from", "last attempt", "next", "why")


def _cells(row: ScheduledProvider, now: datetime) -> tuple[str, ...]:
    last = output.utc(row.last_attempt_at) if row.last_attempt_at else text.UNKNOWN
    return row.provider, row.schedule, row.source, last, _next(row, now), output.safe(row.kept_out or row.why)


def _next(row: ScheduledProvider, now: datetime) -> str:
    if row.running is not None:
        return f"running, run {row.running}"
    if row.next_at is None or row.kept_out is not None:
        return text.UNKNOWN
    return "due" if row.next_at <= now else output.utc(row.next_at)


@app.command(name="set")
def set_(provider: ProviderSlug, when: str, /, *, reason: Reason, database: Database = None) -> int:
    """Set when a provider is synced by itself; that stands over the settings.

    Parameters
    ----------
    when:
        An interval (30min, 6h, 2d), a cron expression with its time zone ("0 6 * * 1-5 Europe/Berlin"), adaptive, off, or default: what the
        settings say.
    """
    with opened(database, [provider], writing=True) as db:
        write_schedule(db.store, provider, when, person(reason))
        now, (row,) = scheduled(db.store, {provider: db.settings.schedules[provider]})
    coming = "" if row.next_at is None else f", next {'now' if row.next_at <= now else output.utc(row.next_at)}"
    output.say(output.stdout(), output.safe(f"{row.provider}: {row.schedule} (from {row.source}){coming}."))
    return 0


@app.command
def off(provider: ProviderSlug, /, *, reason: Reason, database: Database = None) -> int:
    """Do not sync a provider by itself any more; `modelsync sync` still does."""
    return set_(provider, "off", reason=reason, database=database)


@app.command
def on(provider: ProviderSlug, /, *, reason: Reason, database: Database = None) -> int:
    """Take `off` back: the schedule that the provider had counts again."""
    return set_(provider, ON, reason=reason, database=database)


@app.command
def advise(
    *,
    within: Annotated[str | None, Parameter(help="How late half of the changes may be found: 3h.")] = None,
    providers: Slugs = None,
    json: Json = False,
    database: Database = None,
) -> int:
    """Say how often each provider's list changes, by what its syncs found, and which interval that suggests.

    A change comes at any time between two syncs, so half of all changes are found within half of the interval: `--within 3h` needs one of
    6h, however often the list changes. How often it does says what that costs: how many syncs there are for each change.
    """
    delay = _delay(within)
    with opened(database, providers) as db:
        rows = advice(db.store, providers or db.settings.providers)
    if json:
        output.print_json({"version": 1, "within_seconds": delay.total_seconds() if delay else None, "providers": rows})
        return 0
    names = ("provider", "changes a day", "95 % between", "from", "adaptive")
    columns = [output.Column(name) for name in names]
    if delay is not None:
        columns.append(output.Column(f"syncs a change, every {interval_text(2 * delay)}", right=True))
    output.show_table(columns, [_advice_cells(row, delay) for row in rows])
    return 0


def _delay(within: str | None) -> timedelta | None:
    if within is None:
        return None
    try:
        delay = span(within)
    except ValueError as error:
        raise UsageError(f"--within cannot be {within}: {error}", "Write for example 90min, 3h or 1d") from None
    if not delay:
        raise UsageError(f"--within cannot be {within}: no sync is as quick as the change", "Write for example 90min, 3h or 1d")
    return delay


def _advice_cells(row: Advice, delay: timedelta | None) -> tuple[str, ...]:
    if row.changes_per_day is None or row.low is None:
        cells = (row.provider, text.UNKNOWN, text.UNKNOWN, "too few syncs", row.interval)
    else:
        high = text.UNKNOWN if row.high is None else f"{row.high:.2g}"
        found = f"{row.changed} of {row.polls} syncs in {row.days:.1f} days"
        cells = (row.provider, f"{row.changes_per_day:.2g}", f"{row.low:.2g} and {high}", found, row.interval)
    if delay is None:
        return cells
    return (*cells, f"{timedelta(days=1) / (2 * delay) / row.changes_per_day:.1f}" if row.changes_per_day else text.UNKNOWN)
