"""Commands that only read: providers, models, runs, settings."""

from modelsync import settings as settings_module
from modelsync.cli import output
from modelsync.cli.opening import load, opened
from modelsync.cli.parameters import Database, Json, Number, Rows
from modelsync.database.engine import shown_address
from modelsync.errors import SettingsError, UsageError
from modelsync.formats import text
from modelsync.model.records import RecordedResult, RecordedRun
from modelsync.planning import guard as guarding
from modelsync.queries.catalog import Catalog, ProviderRecord


def providers(*, json: Json = False, database: Database = None) -> int:
    """List providers: whether a key is needed and set, the declared price unit, the last sync."""
    with opened(database) as db:
        chosen, catalog = db.settings, db.catalog
        now, known = catalog.now(), catalog.providers()
    if json:
        rows = [_provider(chosen, slug, known.get(slug) or ProviderRecord(slug=slug)) for slug in chosen.providers]
        output.print_json({"version": 1, "providers": rows})
        return 0
    guarded = any(row.guard.limits for row in known.values())
    lines = []
    for slug, provider in chosen.providers.items():
        row, credential = known.get(slug) or ProviderRecord(slug=slug), chosen.credentials.get(slug)
        needed = f"needs {provider.auth.variables[0]}" if provider.needs_key else "not needed"
        key = f"set ({credential.variable})" if credential else needed
        name = slug if slug in chosen.enabled else f"{slug} (off)"
        guard = guarding.limits_text(row.guard) or text.UNKNOWN
        lines.append((name, key, provider.price_unit, text.number(row.models), output.ago(row.last_success_at, now), guard))
    columns = (
        output.Column("provider"),
        output.Column("key"),
        output.Column("price unit", wraps=True, drop=1),
        output.Column("models", right=True),
        output.Column("last success"),
        output.Column("guard", wraps=True) if guarded else None,
    )
    output.show_table(columns, lines)
    return 0


def _provider(chosen: settings_module.Settings, slug: str, known: ProviderRecord) -> dict[str, object]:
    provider, credential = chosen.providers[slug], chosen.credentials.get(slug)
    return {
        "slug": slug,
        "name": provider.name,
        "enabled": slug in chosen.enabled,
        "key_needed": provider.needs_key,
        "key_set": credential is not None,
        "key_variable": credential.variable if credential else None,
        "key_variables": list(provider.auth.variables),
        "price_unit": provider.price_unit,
        "verified": provider.verified,
        "site_url": provider.site_url,
        "docs_url": provider.docs_url,
        "id": known.id,
        "models": known.models,
        "last_success_at": known.last_success_at,
        "last_attempt_at": known.last_attempt_at,
        "failures_in_a_row": known.failures_in_a_row,
        "last_error": known.last_error,
        "guard": known.guard.limits,
    }


def runs(run: Number | None = None, /, *, limit: Rows = 20, json: Json = False, database: Database = None) -> int:
    """List past runs, or show one with each provider's result.

    Parameters
    ----------
    run:
        The number of a run.
    """
    with opened(database) as db:
        if run is not None:
            return _one_run(db.catalog, run, json=json)
        rows, _ = db.catalog.runs(limit or None)
    if json:
        output.print_json({"version": 1, "runs": rows})
        return 0
    if not rows:
        output.stdout().print("No runs yet. Run: modelsync sync")
        return 0
    drops = {"by": 4, "providers": 3, "fetched": 2, "time": 1}
    texts = ("run", "started", "status", "by")
    names = (*texts, "providers", "fetched", "created", "updated", "missing", "time")
    output.show_table([output.Column(name, name not in texts[1:], drops.get(name, 0)) for name in names], list(map(_run_cells, rows)))
    return 0


def _run_cells(row: RecordedRun) -> list[str]:
    counts = [text.number(getattr(row, name)) for name in ("providers_processed", "fetched", "created", "updated", "missing")]
    took = output.seconds(row.duration_seconds) if row.duration_seconds is not None else text.UNKNOWN
    return [str(row.id), output.utc(row.started_at), row.status, row.trigger, *counts, took]


def _one_run(catalog: Catalog, run: int, *, json: bool) -> int:
    recorded = catalog.run(run)
    if recorded is None:
        raise UsageError(f"There is no run {run}", "`modelsync runs` lists them")
    row, results = recorded
    if json:
        output.print_json({"version": 1, "run": row, "results": results})
        return 0
    console = output.stdout()
    console.print(f"Run {row.id}: {row.status}, started {output.utc(row.started_at)} by {row.trigger}")
    counted = ("fetched", "skipped", "created", "updated", "unchanged", "missing")
    rows = [
        [
            result.provider,
            result.outcome.replace("_", " "),
            *(text.number(getattr(result, name)) for name in counted),
            output.seconds(result.duration_seconds),
            output.safe(_problem(result)),
        ]
        for result in results
    ]
    drops = {"skipped": 3, "unchanged": 2, "time": 1}
    numbers = [output.Column(name, right=True, drop=drops.get(name, 0)) for name in (*counted, "time")]
    error = output.Column("error", wraps=True) if any(row[-1] for row in rows) else None
    output.show_table([output.Column("provider"), output.Column("outcome"), *numbers, error], rows)
    return 0


def _problem(result: RecordedResult) -> str:
    """Why a result is none; a list that a person has rejected is no error."""
    if result.error is None and result.outcome == "held":
        return "a person has rejected this list: see `modelsync held --status rejected`"
    return result.error or ""


def settings(*, json: Json = False, database: Database = None) -> int:
    """List every setting, its value (secrets masked) and where it came from."""
    chosen = load(database)
    if json:
        rows = [{"name": row.name, "value": row.value or None, "source": row.source, "help": row.help} for row in chosen.shown]
        output.print_json({"version": 1, "settings": rows})
        _warn_of_address(chosen.database_url)
        return 0
    lines = [
        (row.name, output.safe(row.value) or text.UNKNOWN, row.source, row.help.replace(",", ", ").replace(",  ", ", "))
        for row in chosen.shown
    ]
    names = (output.Column("name"), output.Column("value", folds=True), output.Column("from"))
    output.show_table([*names, output.Column("what it is", wraps=True, drop=1)], lines)
    _warn_of_address(chosen.database_url)
    return 0


def _warn_of_address(address: str) -> None:
    """Say why every other command would refuse the database's address, if it would."""
    try:
        shown_address(address)
    except SettingsError as error:
        output.say(output.stderr(), f"modelsync: {error}")
