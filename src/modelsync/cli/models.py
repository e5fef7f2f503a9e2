"""`modelsync models`: a search of the catalog, now or as it stood."""

import csv as csv_module
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from modelsync.cli import output
from modelsync.cli.history import moment
from modelsync.cli.opening import Opened, opened
from modelsync.cli.parameters import FLAG, Database, Dollars, Number, Slugs
from modelsync.errors import UsageError
from modelsync.formats import table, text
from modelsync.model import times
from modelsync.model.model import Prices
from modelsync.model.records import RecordedModel
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.history import History, ordered
from modelsync.queries.rows import ModelRow
from modelsync.queries.status import SOON

SHOWN = 50
"""Models that a terminal shows unless it is told otherwise."""


Sort = Annotated[
    Literal["provider", "name", "price", "context", "changed", "ends"],
    Parameter(help="By this: the cheapest, the longest context, the last changed, what ends soonest first; unknown comes last."),
]
PriceUnit = Annotated[Literal["1M", "1K", "token"], Parameter(help="Show prices in USD per so many tokens.")]
TOKENS = {"1M": 1_000_000, "1K": 1000, "token": 1}


def models(
    *query: str,
    provider: Slugs = None,
    modality: str | None = None,
    status: Literal["active", "missing", "retired"] | None = None,
    min_context: Number | None = None,
    max_price: Dollars | None = None,
    free: Annotated[bool, FLAG] = False,
    vision: Annotated[bool, FLAG] = False,
    tools: Annotated[bool, FLAG] = False,
    reasoning: Annotated[bool, FLAG] = False,
    ending: str | None = None,
    inactive: Annotated[bool, FLAG] = False,
    as_of: str | None = None,
    sort: Sort = "provider",
    reverse: Annotated[bool, FLAG] = False,
    price_unit: PriceUnit = "1M",
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
        Only models in the list, missing from it, or retired.
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
    ending:
        Only models announced to end within this time: 30d, 2w.
    inactive:
        Also retired models, and those that their provider lists but does not serve.
    as_of:
        As the catalog stood then: 2026-11-22, 2026-11-22T10:00, or 24h, 7d, 2w ago. Models that were purged since are not in it.
    reverse:
        Sort the other way round.
    json:
        Print one JSON document with every field.
    csv:
        Print CSV; prices in USD per token.
    """
    if json and csv:
        raise UsageError("--json and --csv are two forms of one answer", "Give one of them")
    then = _past_moment(as_of) if as_of is not None else None
    model_filter = ModelFilter(
        providers=tuple(provider or ()),
        query=" ".join(query),
        modality=modality,
        status=status,
        active=None if inactive or status is not None else True,
        min_context=min_context,
        max_price=max_price,
        free=free or None,
        supports=_stated(vision=vision, function_calling=tools, reasoning=reasoning),
        ends=_ending(ending, then or datetime.now(UTC)) if ending else None,
        limit=SHOWN if limit is None and not (json or csv) else limit or None,
    )
    order = Order(sort, (sort in ("context", "changed")) != reverse)
    with opened(database, provider) as db:
        rows, total = _present(db, model_filter, order) if then is None else _past(db, then, model_filter, order)
        if json:
            _print_json(rows, then)
        elif csv:
            _print_csv(rows)
        else:
            if then is not None:
                output.say(output.stdout(), _as_of_text(db.history, then))
            _print_models(list(rows), total, db.catalog.now(), price_unit)
    return 0


def _ending(span: str, now: datetime) -> tuple[datetime, datetime]:
    try:
        return now, now + times.span(span)
    except ValueError as error:
        raise UsageError(f"--ending {span}: {error}", "Give for example 30d") from None


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


def _present(db: Opened, model_filter: ModelFilter, order: Order) -> Matches:
    if model_filter.limit is None:
        return map(_with_short_times, db.reader.matching(model_filter, order)), None
    page = db.reader.models(model_filter, order)
    return map(_with_short_times, page.rows), page.total


_TIMES = ("missing_since", "released_at", "expires_at", "first_seen_at", "created_at", "updated_at")


def _with_short_times(row: ModelRow) -> ModelRow:
    """A model with its times as this command writes them: without a fraction that is zero."""
    texts = {name: getattr(row, name) for name in _TIMES}
    short = {name: text.replace(".000000Z", "Z") for name, text in texts.items() if text and text.endswith(".000000Z")}
    return msgspec.structs.replace(row, **short) if short else row


def _past(db: Opened, then: datetime, model_filter: ModelFilter, order: Order) -> Matches:
    if order.by == "changed":
        raise UsageError("History does not tell when a model had changed by then", "Sort by provider, name, price, context or ends")
    rows = ordered(db.history.models_at(then, model_filter), order)
    return rows[: model_filter.limit], len(rows)


def _as_of_text(history: History, then: datetime) -> str:
    began = history.began_at()
    before = f"; history begins at {output.utc(began)}" if began is None or then < began else ""
    return f"As of {output.utc(then)}{before}"


def _print_json(rows: Iterable[RecordedModel], then: datetime | None) -> None:
    as_of = {"as_of": then} if then is not None else {}
    output.print_json({"version": 1, "units": "USD per token", **as_of, "models": [_plain(row) for row in rows]})


def _plain(row: RecordedModel) -> dict[str, object]:
    return msgspec.structs.asdict(row) | {"price_incomplete": row.price_incomplete}


def _print_csv(rows: Iterable[RecordedModel]) -> None:
    writer = csv_module.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.COLUMNS)
    writer.writerows(map(table.cells, rows))


def _print_models(rows: Sequence[RecordedModel], total: int | None, now: datetime, price_unit: str) -> None:
    console = output.stdout()
    if not rows and not total:
        console.print("No model matches. `modelsync status` shows what the catalog holds.")
        return
    output.show_table(_columns(rows, now, price_unit), [_cells(row, price_unit) for row in rows])
    shown, total = len(rows), len(rows) if total is None else total
    console.print(f"\n{shown:,} of {total:,} models" + (f"; --limit {total} shows all" if shown < total else ""))


def _columns(rows: Sequence[RecordedModel], now: datetime, price_unit: str) -> list[output.Column | None]:
    """What is shown, and on a narrow terminal left out first. Ends and incomplete prices only where there are any."""
    unit = "$/token" if price_unit == "token" else f"$/{price_unit}"
    return [
        output.Column("model", folds=True),
        output.Column("provider"),
        output.Column(f"in {unit}", right=True),
        output.Column(f"out {unit}", right=True),
        output.Column("context", right=True, drop=3),
        output.Column("max out", right=True, drop=5),
        output.Column("modality", drop=6),
        output.Column("status", drop=4),
        output.Column("price", drop=2) if any(map(_further_price, rows)) else None,
        output.Column("ends", drop=1) if any(_ends_soon(row, now) for row in rows) else None,
    ]


def _cells(row: RecordedModel, price_unit: str) -> list[str]:
    """A model's cells, in the order of the columns."""
    prices = ["varies"] * 2 if row.dynamic_price else [_price(each, price_unit) for each in (row.pricing_prompt, row.pricing_completion)]
    lengths = [text.tokens(row.context_length), text.tokens(row.max_output_tokens)]
    state = row.status if row.is_active or row.status == "retired" else "not served"
    end = _end(row)
    name = output.safe(row.provider_model_id)
    ends = f"{end:%Y-%m-%d}" if end else text.UNKNOWN
    return [name, row.provider, *prices, *lengths, row.modality or text.UNKNOWN, state, _further_price(row), ends]


def _further_price(row: RecordedModel) -> str:
    """What is to be said of a price beside that of tokens: another one where there is none, and that it is not the whole one."""
    untokened = row.pricing_prompt is None and row.pricing_completion is None
    other = text.other_price(msgspec.json.decode(row.pricing, type=Prices)) if untokened else ""
    return ", ".join(part for part in (output.safe(other), "incomplete" if row.price_incomplete else "") if part)


def _price(price: str | None, unit: str) -> str:
    return text.per_tokens(Decimal(price) if price is not None else None, TOKENS[unit])


def _end(row: RecordedModel) -> datetime | None:
    """The announced end of a model."""
    return None if row.expires_at is None else datetime.fromisoformat(row.expires_at)


def _ends_soon(row: RecordedModel, now: datetime) -> bool:
    end = _end(row)
    return end is not None and row.status != "retired" and end <= now + SOON
