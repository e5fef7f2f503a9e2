"""Commands that only read: providers, models, runs, settings."""

import csv
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from cyclopts import Parameter

from modelsync import settings as settings_module
from modelsync.cli import output
from modelsync.cli.history import moment
from modelsync.cli.opening import Opened, load, opened
from modelsync.cli.parameters import FLAG, Database, Dollars, Json, Number, Rows, Slugs
from modelsync.errors import UsageError
from modelsync.formats import table, text
from modelsync.model.records import RecordedModel, RecordedResult
from modelsync.planning import guard as guarding
from modelsync.queries.catalog import Catalog, ProviderRecord
from modelsync.queries.filters import BY_PROVIDER, ModelFilter
from modelsync.queries.history import History
from modelsync.queries.rows import ModelRow
from modelsync.queries.status import SOON

SHOWN = 50
"""Models that a terminal shows unless it is told otherwise."""


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
    made = output.table("provider", "key", "price unit", "models", "last success", *(["guard"] if guarded else []), right=("models",))
    for slug, provider in chosen.providers.items():
        row, credential = known.get(slug) or ProviderRecord(slug=slug), chosen.credentials.get(slug)
        needed = f"needs {provider.auth.variables[0]}" if provider.needs_key else "not needed"
        key = f"set ({credential.variable})" if credential else needed
        name = slug if slug in chosen.enabled else f"{slug} (off)"
        guard = [guarding.limits_text(row.guard) or text.UNKNOWN] if guarded else []
        made.add_row(name, key, provider.price_unit, text.number(row.models), output.ago(row.last_success_at, now), *guard)
    output.stdout().print(made)
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


def models(
    *query: str,
    provider: Slugs = None,
    modality: str | None = None,
    status: str | None = None,
    min_context: Number | None = None,
    max_price: Dollars | None = None,
    free: Annotated[bool, FLAG] = False,
    vision: Annotated[bool, FLAG] = False,
    tools: Annotated[bool, FLAG] = False,
    reasoning: Annotated[bool, FLAG] = False,
    inactive: Annotated[bool, FLAG] = False,
    as_of: str | None = None,
    limit: Annotated[Number | None, Parameter(help="At most this many (0: all): 50 for people, all as JSON or CSV.")] = None,
    json: Annotated[bool, FLAG] = False,
    csv: Annotated[bool, FLAG] = False,
    database: Database = None,
) -> int:
    """Search the catalog. All words and all filters must match; prices are USD per million tokens.

    Parameters
    ----------
    query:
        Words looked for in ids and names.
    modality:
        Exactly this modality, such as "text+image->text".
    status:
        active, missing or retired.
    min_context:
        At least this context length, in tokens.
    max_price:
        At most this price of a million prompt tokens, in USD; models without a known price are left out.
    free:
        Only models stated to be free.
    vision:
        Only models stated to take images.
    tools:
        Only models stated to call functions.
    reasoning:
        Only models stated to reason.
    inactive:
        Also retired models, and those that their provider lists but does not serve.
    as_of:
        As the catalog stood then: 2026-11-22, 2026-11-22T10:00, or 24h, 7d, 2w ago. Models that were purged since are not in it.
    json:
        Print one JSON document with every field.
    csv:
        Print CSV; prices in USD per token.
    """
    model_filter = ModelFilter(
        providers=tuple(provider or ()),
        query=" ".join(query),
        modality=modality,
        status=_checked(status),
        active=None if inactive or status == "retired" else True,
        min_context=min_context,
        max_price=max_price,
        free=free or None,
        supports=_stated(vision=vision, function_calling=tools, reasoning=reasoning),
        limit=SHOWN if limit is None and not (json or csv) else limit or None,
    )
    then = _past_moment(as_of) if as_of is not None else None
    with opened(database, provider) as db:
        rows, total = _present(db, model_filter) if then is None else _past(db, then, model_filter)
        _show_models(db, rows, total, then, json=json, csv=csv)
    return 0


def _checked(status: str | None) -> str | None:
    if status not in (None, "active", "missing", "retired"):
        raise UsageError(f"Unknown status {status}", "Use active, missing or retired")
    return status


def _stated(**abilities: bool) -> dict[str, bool]:
    """The columns of the abilities that are asked for, each to be stated as true."""
    return {f"supports_{name}": True for name, is_needed in abilities.items() if is_needed}


def _past_moment(as_of: str) -> datetime:
    then = moment(as_of)
    if then > datetime.now(UTC):
        raise UsageError(f"{as_of} is in the future", "Give an earlier time, or leave --as-of out")
    return then


Matches = tuple[Iterable[RecordedModel], int | None]
"""Models that are shown, and how many match; None where these are all."""


def _present(db: Opened, model_filter: ModelFilter) -> Matches:
    if model_filter.limit is None:
        return map(_with_short_times, db.reader.matching(model_filter)), None
    page = db.reader.models(model_filter, BY_PROVIDER)
    return map(_with_short_times, page.rows), page.total


_TIMES = ("missing_since", "released_at", "expires_at", "first_seen_at", "created_at", "updated_at")


def _with_short_times(row: ModelRow) -> ModelRow:
    """A model with its times as this command writes them: without a fraction that is zero."""
    texts = {name: getattr(row, name) for name in _TIMES}
    short = {name: text.replace(".000000Z", "Z") for name, text in texts.items() if text and text.endswith(".000000Z")}
    return msgspec.structs.replace(row, **short) if short else row


def _past(db: Opened, then: datetime, model_filter: ModelFilter) -> Matches:
    rows = db.history.models_at(then, model_filter)
    return rows[: model_filter.limit], len(rows)


def _as_of_text(history: History, then: datetime) -> str:
    began = history.began_at()
    before = f"; history begins at {output.utc(began)}" if began is None or then < began else ""
    return f"As of {output.utc(then)}{before}"


def _show_models(db: Opened, rows: Iterable[RecordedModel], total: int | None, then: datetime | None, *, json: bool, csv: bool) -> None:
    """Models as one JSON document, as CSV, or as a table; of the past with the time that they are of."""
    if json:
        as_of = {"as_of": then} if then is not None else {}
        output.print_json({"version": 1, "units": "USD per token", **as_of, "models": [_plain(row) for row in rows]})
    elif csv:
        _print_csv(rows)
    else:
        if then is not None:
            output.say(output.stdout(), _as_of_text(db.history, then))
        _print_models(list(rows), total, db.catalog.now())


def _plain(row: RecordedModel) -> dict[str, object]:
    return msgspec.structs.asdict(row) | {"price_incomplete": row.price_incomplete}


def _print_csv(rows: Iterable[RecordedModel]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.COLUMNS)
    writer.writerows(map(table.cells, rows))


def _print_models(rows: Sequence[RecordedModel], total: int | None, now: datetime) -> None:
    console = output.stdout()
    if not rows and not total:
        console.print("No model matches. `modelsync status` shows what the catalog holds.")
        return
    shows_ends, shows_parts = any(_ends_soon(row, now) for row in rows), any(row.price_incomplete for row in rows)
    numbers = ("in $/1M", "out $/1M", "context", "max out")
    more = [*(["price"] if shows_parts else []), *(["ends"] if shows_ends else [])]
    made = output.table("model", "provider", *numbers, "modality", "status", *more, right=numbers)
    for row in rows:
        prices = ["varies"] * 2 if row.dynamic_price else [_per_million(row.pricing_prompt), _per_million(row.pricing_completion)]
        lengths = [text.tokens(row.context_length), text.tokens(row.max_output_tokens)]
        state = row.status if row.is_active or row.status == "retired" else "not served"
        end = _end(row)
        ends = [(f"{end:%Y-%m-%d}" if end else text.UNKNOWN)] if shows_ends else []
        parts = ["incomplete" if row.price_incomplete else ""] if shows_parts else []
        facts = [*prices, *lengths, row.modality or text.UNKNOWN, state, *parts, *ends]
        made.add_row(output.safe(row.provider_model_id), row.provider, *facts)
    console.print(made)
    shown, total = len(rows), len(rows) if total is None else total
    console.print(f"\n{shown:,} of {total:,} models" + (f"; --limit {total} shows all" if shown < total else ""))


def _per_million(price: str | None) -> str:
    return text.per_million(Decimal(price) if price is not None else None)


def _end(row: RecordedModel) -> datetime | None:
    """The announced end of a model."""
    return None if row.expires_at is None else datetime.fromisoformat(row.expires_at)


def _ends_soon(row: RecordedModel, now: datetime) -> bool:
    end = _end(row)
    return end is not None and row.status != "retired" and end <= now + SOON


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
    numbers = ("run", "providers", "fetched", "created", "updated", "missing", "time")
    made = output.table("run", "started", "status", "by", *numbers[1:], right=numbers)
    for row in rows:
        counts = [text.number(getattr(row, name)) for name in ("providers_processed", "fetched", "created", "updated", "missing")]
        took = output.seconds(row.duration_seconds) if row.duration_seconds is not None else text.UNKNOWN
        made.add_row(str(row.id), output.utc(row.started_at), row.status, row.trigger, *counts, took)
    output.stdout().print(made if rows else "No runs yet. Run: modelsync sync")
    return 0


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
    numbers = ("fetched", "skipped", "created", "updated", "unchanged", "missing", "time")
    made = output.table("provider", "outcome", *numbers, "error", right=numbers)
    for result in results:
        counts = [text.number(getattr(result, name)) for name in numbers[:-1]]
        outcome = result.outcome.replace("_", " ")
        made.add_row(result.provider, outcome, *counts, output.seconds(result.duration_seconds), output.safe(_problem(result)))
    console.print(made)
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
        return 0
    made = output.table("name", "value", "from", "what it is")
    for row in chosen.shown:
        made.add_row(row.name, output.safe(row.value) or text.UNKNOWN, row.source, row.help)
    output.stdout().print(made)
    return 0
