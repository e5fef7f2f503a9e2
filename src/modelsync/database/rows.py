"""Between a model and its row."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import models, time_text
from modelsync.model import times
from modelsync.model.fields import MODEL_COLUMNS, is_price
from modelsync.model.model import Model, Prices
from modelsync.model.points import DYNAMIC, FLAT
from modelsync.model.prices import plain, plain_decimals
from modelsync.planning.layers import Unstated, Upstream
from modelsync.planning.plan import Change, ChangeKind, StoredModel

COLUMNS = tuple(column.name for column in models.columns if column.name != "id")
"""The columns of an incoming row, in order."""

KEPT = frozenset({"provider_id", "provider_model_id", "first_seen_at", "created_at"})
"""Columns that an existing row keeps."""

STATUSES = {ChangeKind.MISSING: "missing", ChangeKind.RETIRED: "retired"}
"""The status that a change leaves behind; an update leaves it as it is, and every other makes it active."""

_facts, _in_order = attrgetter(*MODEL_COLUMNS), itemgetter(*COLUMNS)


def incoming(change: Change, provider_id: int, seq: int, now: datetime) -> tuple[object, ...]:
    """The row that a change leaves behind, in the order of COLUMNS, still with Python values."""
    model = change.model
    values: dict[str, Any] = dict(zip(MODEL_COLUMNS, _facts(model), strict=True))
    values |= {
        "provider_id": provider_id,
        "provider_model_id": model.id,
        "model_id": change.alias or model.id,
        "modality": model.modality,
        "pricing_prompt": model.prices.prompt,
        "pricing_completion": model.prices.completion,
        "pricing_image": model.prices.image,
        "pricing_request": model.prices.request,
        "pricing": price_document(
            model.prices, change.priced_at or now, by_operator=any(map(is_price, change.pinned)), reader=change.reader
        ),
        "is_active": model.available,
        **_standing(change, seq, now),
        "content_hash": change.content_hash,
        "first_seen_at": now,
        "created_at": now,
        "updated_at": change.updated_at or now,
    }
    row: tuple[object, ...] = _in_order(values)
    return row


def _standing(change: Change, seq: int, now: datetime) -> dict[str, object]:
    """The columns of a change about presence and absence."""
    if change.kind is ChangeKind.UPDATED and change.before is not None:
        before = change.before
        return {"status": before.status, "missing_since": before.missing_since, "missing_since_seq": before.missing_since_seq}
    newly = change.kind is ChangeKind.MISSING
    status = STATUSES.get(change.kind, "active")
    return {"status": status, "missing_since": now if newly else None, "missing_since_seq": seq if newly else None}


def price_document(prices: Prices, stated_at: datetime, *, by_operator: bool = False, reader: int | None = None) -> dict[str, object]:
    """The whole price document as JSON values: decimals as plain digits, with the time since when the price stands so.

    `reader` is the version of the provider's module that read it.
    """
    document: dict[str, Any] = msgspec.to_builtins(prices, builtin_types=(Decimal,))
    document.pop("problems", None)
    for name, value in document.items():
        if name not in _TEXTS:
            document[name] = plain_decimals(value)
    source = "operator" if by_operator else "provider"
    read_by = {"reader": reader} if reader is not None else {}
    return {**document, "source": source, "stated_at": time_text(stated_at), **read_by} if document else {}


_TEXTS = frozenset({"others", "incomplete", "raw"})
"""The fields of `Prices` without a number in them."""

_NO_PRICE = ("source", "stated_at", "reader")


def stored_model(row: sa.RowMapping, upstream_of: Upstream | None = None, last: Mapping[str, Decimal] | None = None) -> StoredModel:
    """A row as it was planned once, with the prices that were believed last and do not stand now."""
    fields = {name: row[name] for name in MODEL_COLUMNS}
    for name in ("input_modalities", "output_modalities"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    document: Mapping[str, Any] = row["pricing"]
    stated_at = document.get("stated_at")
    model = Model(
        id=row["provider_model_id"],
        available=row["is_active"],
        prices=msgspec.convert({name: document[name] for name in document if name not in _NO_PRICE}, Prices),
        **fields,
    )
    return StoredModel(
        model,
        row["updated_at"],
        datetime.fromisoformat(stated_at) if stated_at else None,
        upstream_of,
        status=row["status"],
        missing_since=row["missing_since"],
        missing_since_seq=row["missing_since_seq"],
        content_hash=row["content_hash"],
        alias=row["model_id"],
        last=last or {},
        reader=document.get("reader"),
    )


def upstream_of(row: sa.RowMapping) -> Upstream:
    """A model's upstream values, from its row of the table."""
    unstated = {_POINTS.get(name, name): since for name, since in msgspec.convert(row["silent"], dict[str, Unstated]).items()}
    return Upstream(msgspec.convert(row["stated"], Model), msgspec.convert(row["believed"], Model), unstated)


_POINTS = {**{name: point for point, name in FLAT.items()}, "dynamic": DYNAMIC}
"""How schema 0005 and older named what is not stated any more."""


def upstream_row(provider_id: int, row_id: str, upstream_now: Upstream) -> dict[str, object]:
    """The row of a model's upstream values."""
    facts = {"stated": plain(upstream_now.stated), "believed": plain(upstream_now.believed), "silent": plain(upstream_now.unstated)}
    return {"provider_id": provider_id, "provider_model_id": row_id, **facts}


def change_fields(change: Change) -> dict[str, list[object]]:
    """`{field: [old, new]}` as JSON values; an added model carries none, because the past is read backwards from the present."""
    if change.kind is ChangeKind.ADDED:
        return {}
    return {field.field: [json_value(field.old), json_value(field.new)] for field in change.fields}


def json_value(value: object) -> object:
    """A fact as a JSON value."""
    return plain_decimals(msgspec.to_builtins(value, builtin_types=(Decimal,)))


_Forms = Mapping[type, Callable[[Any], Any]]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


_POSTGRES: _Forms = {dict: _json, list: _json, tuple: _json, datetime: times.aware}
_SQLITE: _Forms = {**_POSTGRES, datetime: time_text, Decimal: "{:f}".format}


def sqlite_values(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """Rows as SQLite's driver takes them: times, decimals and documents as text."""
    return _formed(rows, _SQLITE)


def postgres_values(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """Rows as COPY takes them: documents as JSON text, the rest by the driver's own types. ValueError for a time without a zone."""
    return _formed(rows, _POSTGRES)


def _formed(rows: Iterable[tuple[object, ...]], forms: _Forms) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield tuple([forms[type(value)](value) if type(value) in forms else value for value in row])
