"""Commands about the past: changes, history, diff."""

import csv as csv_module
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.text import Text

from modelsync.cli import output
from modelsync.cli.opening import opened
from modelsync.cli.parameters import FLAG, Database, Json, ModelId, Number, ProviderSlug, Slugs
from modelsync.errors import UsageError
from modelsync.formats import table, text
from modelsync.model import times
from modelsync.model.fields import BESIDE, is_price
from modelsync.model.timeline import Line, Past, collapsed, differing, row_of, tells_of
from modelsync.queries.history import ChangeFilter

SHOWN = 100
"""Changes that are listed unless it is told otherwise."""

SIGNS = {"retired": ("-", "red"), "added": ("+", "green"), "missing": ("-", "red"), "revived": ("~", "yellow"), "updated": ("~", "yellow")}
WORDS = {"added": "new", "missing": "missing from the list", "retired": "retired", "revived": "back again"}


def moment(written: str) -> datetime:
    """A time as people write it: 2026-11-22, 2026-11-22T10:00 (UTC unless it names a zone), or how long ago: 90min, 24h, 7d, 2w."""
    return _time(written, -1, "for how long ago")


def deadline(written: str) -> datetime:
    """The same of a time to come; 30d is in thirty days."""
    return _time(written, 1, "from now on")


def _time(written: str, direction: int, spans: str) -> datetime:
    try:
        if times.AGO.fullmatch(written.strip()):
            return times.within(datetime.now(UTC) + direction * times.span(written))
        return times.moment(written)
    except ValueError as error:
        what, _, _ = str(error).removeprefix("it ").partition(" such as ")
        raise UsageError(f"{written} {what}", f"Use {times.EXAMPLES} (UTC where no zone is named), or 24h, 7d {spans}") from None


def changes(
    *,
    since: str = "7d",
    provider: Slugs = None,
    model: str | None = None,
    field: str | None = None,
    kind: str | None = None,
    collapse: Annotated[bool, FLAG] = False,
    limit: Annotated[Number | None, Parameter(help="At most this many (0: all): 100 for people and as JSON, all as CSV.")] = None,
    json: Json = False,
    csv: Annotated[bool, FLAG] = False,
    database: Database = None,
) -> int:
    """List what changed, newest first.

    Parameters
    ----------
    since:
        From this time on: 2026-11-22, 2026-11-22T10:00, or 24h, 7d, 2w ago.
    model:
        Only the model with this id.
    field:
        Only changes of this field, such as pricing_prompt, context_length or pricing.cache_read.
    kind:
        added, updated, missing, retired or revived.
    collapse:
        Show all changes of one field of a model as one, first old to last new. JSON always has each change.
    csv:
        Print CSV, a line for each field: old, new, by what factor a price moved, and who moved it. Prices in USD per token.
    """
    if json and csv:
        raise UsageError("--json and --csv are two forms of one answer", "Give one of them")
    if kind is not None and kind not in SIGNS:
        raise UsageError(f"Unknown kind {kind}", f"Use one of {', '.join(SIGNS)}")
    change_filter = ChangeFilter(since=moment(since), providers=tuple(provider or ()), model=model)
    most = (None if csv else SHOWN) if limit is None else limit or None
    narrowed = msgspec.structs.replace(change_filter, field=field, kind=kind, limit=most)
    together = collapse and not json
    with opened(database, provider) as db:
        recorded = db.history.changes(change_filter if together else narrowed)
    if json:
        output.print_json({"version": 1, "changes": recorded})
    elif csv:
        _print_csv(_chosen(collapsed(recorded) if together else [Line(row, row.fields) for row in recorded], narrowed), field)
    else:
        _print_changes(collapsed(recorded) if together else [Line(row, row.fields) for row in recorded], narrowed)
    return 0


def _print_changes(lines: Sequence[Line], shown: ChangeFilter) -> None:
    """Those lines that a filter chooses: after changes were put together, for before that it would cut off their beginning."""
    since = f"since {output.utc(shown.since)}"
    is_filtered = any((shown.providers, shown.model, shown.field, shown.kind))
    _print(_chosen(lines, shown), f"No change {since} matches the filters." if is_filtered else f"Nothing changed {since}.")


def _chosen(lines: Sequence[Line], shown: ChangeFilter) -> Sequence[Line]:
    field, kind = shown.field, shown.kind
    chosen = [line for line in lines if (not field or tells_of(line.fields, field)) and (not kind or kind == line.row.kind)]
    return chosen[: shown.limit]


def _print_csv(lines: Iterable[Line], field: str | None) -> None:
    """A line for each fact that changed, and one for a model that came, went or returned without. With a `field` only that, and then what
    stands beside facts too: what a pin hides, a correction.
    """
    writer = csv_module.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("changed_at", "provider", "model", "kind", "field", "old", "new", "factor", "run", "by"))
    for line in lines:
        row = line.row
        by = row.trigger if row.trigger in text.BY_PERSONS else "sync"
        whose = (output.json_time(row.changed_at), row.provider, row.provider_model_id, row.kind)
        fields = {name: both for name, both in line.fields.items() if name == field or (field is None and name not in BESIDE)}
        if not fields and field is None and row.kind != "updated":  # it came, went or returned
            fields = {"": (None, None)}
        for name, (old, new) in fields.items():
            cells = (
                *whose,
                name,
                table.json_cell(old),
                table.json_cell(new),
                text.factor(old, new) if is_price(name) else "",
                row.run_id,
                by,
            )
            writer.writerow([table.cell(cell) for cell in cells])


def history(provider: ProviderSlug, model: ModelId, /, *, json: Json = False, database: Database = None) -> int:
    """Show everything that ever happened to one model, newest first."""
    with opened(database, [provider]) as db:
        recorded = db.history.changes(ChangeFilter(providers=(provider,), model=model))
        first = recorded[-1].changed_at if recorded and recorded[-1].kind == "added" else None
        states = db.history.at([first], (provider,)) if first is not None and not json else [{}]
    if not recorded:
        raise UsageError(f"{provider} has no model {model} in the catalog", "`modelsync models` finds ids")
    if json:
        output.print_json({"version": 1, "changes": recorded})
    else:
        began = states[0].get((provider, model))
        _print([Line(row, row.fields) for row in recorded], "", _facts(began) if began else "")
    return 0


def _facts(began: Past) -> str:
    """The price and the length that a model had when it was added."""
    row = row_of(began)
    prompt, completion = (None if price is None else Decimal(price) for price in (row.pricing_prompt, row.pricing_completion))
    return text.facts(prompt, completion, row.context_length, dynamic=row.dynamic_price)


def diff(
    before: str,
    after: str,
    /,
    *,
    provider: Slugs = None,
    json: Json = False,
    database: Database = None,
) -> int:
    """Compare the catalog at two times.

    Parameters
    ----------
    before:
        The earlier time: 2026-11-22, 2026-11-22T10:00, or 24h, 7d, 2w ago.
    after:
        The later time, likewise, or `now`.
    """
    moments = [moment(written) if written != "now" else datetime.now(UTC) for written in (before, after)]
    if moments[0] > moments[1]:
        raise UsageError("The first time is later than the second", "Give the earlier one first")
    with opened(database, provider) as db:
        old, new = db.history.at(moments, tuple(provider or ()))
    differences = differing(old, new)
    if json:
        output.print_json({"version": 1, "before": moments[0], "after": moments[1], "differences": [each.shown() for each in differences]})
        return 0
    console = output.stdout()
    for each in differences:
        output.say(console, _line(each.kind, f"{each.provider}  {each.provider_model_id}", text.changes_text(each.fields)))
    output.say(console, f"{len(old):,} models{output.of(provider)} before, {len(new):,} after, {len(differences):,} differ")
    return 0


def _print(lines: Sequence[Line], nothing: str, began: str = "") -> None:
    """Changes, newest first; what a model `began` with stands with the line in which it is new."""
    console = output.stdout()
    if not lines:
        output.say(console, nothing)
    for line in lines:
        row = line.row
        word = WORDS.get(row.kind, "")
        happened = ", ".join(part for part in (f"{word}  {began}".strip() if row.kind == "added" else word, *_field_texts(line)) if part)
        by = f", by {row.trigger}" if row.trigger in text.BY_PERSONS else ""
        name = f"{output.utc(row.changed_at)}  {row.provider}  {row.provider_model_id}"
        output.say(console, _line(row.kind, name, f"{happened}  (run {row.run_id}{by})"))


def _field_texts(line: Line) -> Iterator[str]:
    """The fields of a line; one that changed several times with their number, and whether it is back where it was."""
    for field, words in text.told(text.recorded(line.fields)):
        count, (old, new) = line.counts.get(field, 1), line.fields[field]
        back = ", back where it was" if count > 1 and old == new else ""
        yield words + (f" ({count} changes{back})" if count > 1 else "")


def _line(kind: str, name: str, happened: str) -> Text:
    sign, style = SIGNS[kind]
    return Text(f"{sign} ", style=style).append(output.safe("  ".join(filter(None, (name, happened)))), style="default")
