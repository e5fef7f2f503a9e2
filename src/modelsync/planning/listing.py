"""From answers to a listing: bytes in, models out, row by row. A bad row is rejected with its reason, the rest go on."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from modelsync.errors import Failure, FailureKind
from modelsync.model.limits import printable, within_limits, without_nul
from modelsync.model.mistakes import plain_words
from modelsync.model.model import NO_PRICES, Model, content_hash, price_facts
from modelsync.model.prices import excerpt
from modelsync.planning.drift import Shape, Tally, shapes
from modelsync.planning.extent import shortfall
from modelsync.planning.incomplete import incomplete_warnings
from modelsync.providers.base import Answer, Endpoint, Provider, Request, Wire
from modelsync.providers.document import UNEXPECTED, NotJson, is_mended, mended


class Rejected(msgspec.Struct, frozen=True):
    """A row that is no model. With a readable id it still counts as seen: it is not absent."""

    position: int
    id: str | None
    reason: str
    excerpt: str


MOST_SKIPS = 40
"""Reasons that are given of the rejected rows of one listing, and as many of its duplicates; the others are counted."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider lists. Only in a `complete` listing does absence mean something.

    `duplicates` are the ids that came again; `left_out` counts rows that a setting or the provider's nature keeps out of the catalog.
    `warnings` are for people: rows that were skipped, values that were not understood, calls that failed and were not needed. `hashes` are
    the content hashes. `wire_fields` say by endpoint which fields the rows had. `shortfall` is how many rows the provider says that it has
    and did not send (1 where it only says that there is a further page), 0 for a list that came whole; with one, the listing is not
    `complete`.
    """

    models: dict[str, Model]
    hashes: dict[str, str]
    rejected: tuple[Rejected, ...] = ()
    duplicates: tuple[str, ...] = ()
    left_out: int = 0
    complete: bool = True
    shortfall: int = 0
    warnings: tuple[str, ...] = ()
    wire_fields: Mapping[str, Shape] = {}

    @property
    def fetched(self) -> int:
        """Rows the provider sent, left-out ones aside."""
        return len(self.models) + len(self.rejected) + len(self.duplicates)

    @property
    def skips(self) -> tuple[str, ...]:
        """The rows that are no models of their own, with the reason: the first MOST_SKIPS of each kind, and how many more there are."""
        unread = [f"{row.id[:120] if row.id else f'row {row.position}'}: {row.reason}" for row in self.rejected[:MOST_SKIPS]]
        twice = [f"{row_id}: listed twice, the first one counts" for row_id in self.duplicates[:MOST_SKIPS]]
        more = (
            (len(self.rejected) - MOST_SKIPS, "more rows that cannot be read"),
            (len(self.duplicates) - MOST_SKIPS, "more rows that are listed twice"),
        )
        return (*map(printable, (*unread, *twice)), *(f"{count:,} {what}" for count, what in more if count > 0))

    @property
    def seen(self) -> set[str]:
        """Ids that are not absent: those of models, and the readable ones of rejected rows."""
        return self.models.keys() | {row.id for row in self.rejected if row.id is not None}


def read(provider: Provider, options: msgspec.Struct, answers: Sequence[tuple[Request, Answer]]) -> Listing | Failure:
    """All answers of one sync as a listing, or why they cannot be used at all."""
    lists: list[tuple[Endpoint, list[msgspec.Raw]]] = []
    lengths: list[tuple[Request, Answer, int]] = []
    rejected: list[Rejected] = []
    warnings: list[str] = []
    for request, answer in answers:
        rows = rows_of(request.endpoint, answer)
        if isinstance(rows, Failure):
            if not request.endpoint.fills:
                return rows
            warnings.append(f"{request.endpoint.name}: {rows.message}")
        else:
            lists.append((request.endpoint, rows))
            lengths.append((request, answer, len(rows)))
    lacking = shortfall(lengths, warnings)
    tallies = _tallies(lists)
    decoded = (
        (endpoint, wire) for endpoint, raws in lists for wire in readable(endpoint, raws, rejected, warnings, tallies[endpoint.name])
    )
    listing = _combined(provider, options, decoded, rejected, warnings)
    skipped = (f"skipped {line}" for line in listing.skips)
    return msgspec.structs.replace(
        listing,
        complete=listing.complete and not lacking,
        shortfall=lacking,
        wire_fields=shapes(tallies),
        warnings=(*skipped, *map(printable, listing.warnings)),
    )


def _combined(
    provider: Provider,
    options: msgspec.Struct,
    decoded: Iterable[tuple[Endpoint, Wire]],
    rejected: list[Rejected],
    warnings: list[str],
) -> Listing:
    """The rows of all endpoints as one listing."""
    if not provider.combine and not provider.partial:  # one row after the other, so that few are in memory at once
        first = (wire for endpoint, wire in decoded if endpoint.name == provider.endpoints[0].name)
        return collect(provider, first, rejected, warnings, complete=True)
    rows: dict[str, list[Wire]] = {endpoint.name: [] for endpoint in provider.endpoints}
    for endpoint, wire in decoded:
        rows[endpoint.name].append(wire)
    wires = provider.combine(rows, options) if provider.combine else next(iter(rows.values()))
    partial = provider.partial(rows, options) if provider.partial else None
    if partial:
        warnings.append(partial)
    return collect(provider, wires, rejected, warnings, complete=not partial)


def _tallies(lists: Sequence[tuple[Endpoint, list[msgspec.Raw]]]) -> dict[str, Tally]:
    totals: dict[str, int] = {}
    for endpoint, raws in lists:
        totals[endpoint.name] = totals.get(endpoint.name, 0) + len(raws)
    return {name: Tally(total) for name, total in totals.items()}


def readable(
    endpoint: Endpoint, raws: Sequence[msgspec.Raw], rejected: list[Rejected], warnings: list[str], tally: Tally
) -> Iterator[Wire]:
    """The rows that can be decoded; the others become rejected, or warnings where an endpoint only fills."""
    for wire in decode_rows(endpoint, raws, warnings, tally):
        if isinstance(wire, Wire):
            yield wire
        elif endpoint.fills:
            warnings.append(f"{endpoint.name} row {wire.position}: {wire.reason}")
        else:
            rejected.append(wire)


def collect(provider: Provider, wires: Iterable[Wire], rejected: list[Rejected], warnings: list[str], *, complete: bool) -> Listing:
    """Normalize every row; the first of several with one id wins, and each of the others is reported."""
    models: dict[str, Model] = {}
    duplicates: list[str] = []
    left_out = 0
    for wire in wires:
        model = normalize(provider, wire, warnings)
        if model is None:
            left_out += 1
        elif isinstance(model, Rejected):
            rejected.append(model)
        elif model.id not in models:
            models[model.id] = model
        else:
            duplicates.append(model.id)
            first = models[model.id]
            if price_facts(first.prices) != price_facts(model.prices):
                warnings.append(f"{model.id}: listed twice with different prices; its price is not stated")
                models[model.id] = msgspec.structs.replace(first, prices=NO_PRICES)
    return Listing(
        models=models,
        hashes={row_id: content_hash(model) for row_id, model in models.items()},
        rejected=tuple(rejected),
        duplicates=tuple(duplicates),
        left_out=left_out,
        complete=complete,
        warnings=(*warnings, *incomplete_warnings(models.values())),
    )


def normalize(provider: Provider, wire: Wire, warnings: list[str]) -> Model | Rejected | None:
    """One row through the provider's `normalize` and the limits that hold for every provider."""
    try:
        model = provider.normalize(wire.row)
        if model is None:
            return None
        rest = {name: value for name, value in model.metadata.items() if value is not None}
        checked = within_limits(msgspec.structs.replace(model, metadata={**wire.rest, **rest}), warnings)
    except (ValueError, ArithmeticError, LookupError, TypeError, msgspec.MsgspecError) as error:
        return Rejected(wire.position, _wire_id(wire.row), f"{error}" or type(error).__name__, "")
    warnings.extend(f"{checked.id}: {problem}" for problem in checked.prices.problems)
    return checked


# Envelope and rows


def rows_of(endpoint: Endpoint, answer: Answer) -> list[msgspec.Raw] | Failure:
    """The raw rows of one answer, found at the endpoint's path."""
    try:
        document = answer.document
    except NotJson as error:
        return Failure(FailureKind.UPSTREAM, f"{endpoint.name}: {error}", "Nothing was changed; try again later")
    for path in endpoint.rows:
        try:
            return _rows_at(document.top, path)
        except KeyError:
            if endpoint.leaves_out_empty and b'"error"' not in answer.body:
                return []
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
    return Failure(FailureKind.UPSTREAM, f"{endpoint.name}: {document.why_no_list}", "Nothing was changed; try again later")


def _rows_at(top: dict[str, msgspec.Raw] | list[msgspec.Raw], path: str) -> list[msgspec.Raw]:
    """The rows at a path as Endpoint.rows gives it. KeyError when the path ends at nothing, a DecodeError when it ends at no list."""
    if isinstance(top, list) != (path == ""):
        raise msgspec.ValidationError(UNEXPECTED)
    if isinstance(top, list):
        return top
    if path == ".":
        return [msgspec.Raw(msgspec.json.encode(top))]
    *outer, last = path.split(".")
    for name in outer:
        top = msgspec.json.decode(_succeeded(top)[name], type=dict[str, msgspec.Raw])
    return msgspec.json.decode(_succeeded(top)[last], type=list[msgspec.Raw])


def _succeeded(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if fields.get("success") == msgspec.Raw(b"false"):
        raise msgspec.ValidationError("the provider says that it failed")
    return fields


def decode_rows(endpoint: Endpoint, raws: Sequence[msgspec.Raw], warnings: list[str], tally: Tally) -> Iterator[Wire | Rejected]:
    """Each raw row in its wire type, with the fields that type does not declare beside it; all of its fields are tallied."""
    typed = msgspec.json.Decoder(endpoint.row)
    declared = {field.encode_name for field in msgspec.structs.fields(endpoint.row)}
    for position, wire in enumerate(raws):
        try:
            raw, rest, unreadable = _whole(endpoint, wire, warnings)
            tally.see(rest)
            row = _typed_row(typed, raw, warnings)
        except _UNREADABLE as error:
            yield Rejected(position, _readable_id(endpoint, wire), _reason(error), excerpt(bytes(wire)[:400]))
            continue
        warnings.extend(
            f"{_name(rest, endpoint.row)}: unreadable {name}: {reason}; not stated" for name, reason in unreadable if name not in declared
        )
        yield Wire(row, {name: value for name, value in rest.items() if name not in declared and value is not None}, position)


_UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError, NotJson)


def _whole(endpoint: Endpoint, wire: msgspec.Raw, warnings: list[str]) -> tuple[msgspec.Raw, dict[str, object], list[tuple[str, str]]]:
    """A row without what no text can hold, its fields, and those that hold a number out of any range."""
    text = bytes(wire)
    raw = _without_nul(endpoint, wire) if b"\\u0000" in text else wire
    try:
        rest, unreadable = _values(raw)
    except _UNREADABLE as error:
        text = mended(bytes(raw), error)
        raw = msgspec.Raw(text)
        rest, unreadable = _values(raw)
    if is_mended(text):
        if "\ufffd" in str(rest.get(wire_id_field(endpoint.row))):
            raise msgspec.ValidationError("the id has bytes that are no text")
        if any("\ufffd" in name for name in rest):
            raise msgspec.ValidationError("the name of a field has bytes that are no text")
        warnings.append(f"{_name(rest, endpoint.row)}: what could not be read as text in it is replaced by U+FFFD")
    return raw, rest, unreadable


def _without_nul(endpoint: Endpoint, raw: msgspec.Raw) -> msgspec.Raw:
    """A row without NUL characters, which Postgres holds in no text. An id is never altered: with one in it the row is rejected."""
    if "\0" in (_readable_id(endpoint, raw) or ""):
        raise msgspec.ValidationError("the id has control characters, or blanks around it")
    return msgspec.Raw(without_nul(bytes(raw)))


def _values(raw: msgspec.Raw) -> tuple[dict[str, object], list[tuple[str, str]]]:
    """The fields of a row, and those that hold a number out of any range (1e400, 5,000 digits) with the reason."""
    try:
        return _any_object.decode(raw), []
    except msgspec.ValidationError:
        values: dict[str, object] = {}
        unreadable: list[tuple[str, str]] = []
        for name, value in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
            try:
                values[name] = msgspec.json.decode(value)
            except msgspec.ValidationError as error:
                unreadable.append((name, in_words(error)))
        return values, unreadable


def _typed_row(typed: msgspec.json.Decoder[msgspec.Struct], raw: msgspec.Raw, warnings: list[str]) -> msgspec.Struct:
    """A row in its wire type; an optional value that cannot be read is not stated, with a warning. ValidationError for a required one."""
    try:
        return typed.decode(raw)
    except msgspec.ValidationError:
        values, unreadable = _values(raw)
        row = _without_unreadable_values(typed, values, warnings)
        declared = {field.encode_name for field in msgspec.structs.fields(type(row))}
        warnings.extend(
            f"{_name(values, type(row))}: unreadable {name}: {reason}; not stated" for name, reason in unreadable if name in declared
        )
        return row


def in_words(error: Exception) -> str:
    """What is wrong with a value, without the place where that is."""
    what = str(error).partition(" - at `$")[0]
    return plain_words(what) or what


_any_object = msgspec.json.Decoder(dict[str, Any])


_path = re.compile(r" - at `\$\.?([^`]+)`$")


def _without_unreadable_values(typed: msgspec.json.Decoder[msgspec.Struct], row: dict[str, object], warnings: list[str]) -> msgspec.Struct:
    """Decode a row that has values of the wrong type: each such optional value becomes "not stated", with a warning.

    The value is cut at the nearest field: a bad element of a list makes the whole list not stated.
    """
    for _ in range(50):
        try:
            return typed.decode(msgspec.json.encode(row))
        except msgspec.ValidationError as error:
            at = _path.search(str(error))
            if at is None or not _cut(row, at[1]):
                raise
            warnings.append(f"{_name(row, typed.type)}: unreadable {at[1]}: {in_words(error)}; not stated")
    raise msgspec.ValidationError("too many unreadable values")


def _cut(row: dict[str, object], path: str) -> bool:
    """Remove the field at a msgspec path like `pricing.tiers[0].cost`; False when there is nothing to remove."""
    parent: dict[str, object] | None = None
    here: Any = row
    last = ""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]", path):
        if name and isinstance(here, dict) and name in here:
            parent, last, here = here, name, here[name]
        elif index.isdigit() and isinstance(here, list) and int(index) < len(here):
            here = here[int(index)]
        else:
            break
    if parent is None:
        return False
    del parent[last]
    return True


def _name(row: Mapping[str, object], kind: type[msgspec.Struct]) -> str:
    """What to call a row in a warning: its id, when that can be read."""
    row_id = row.get(wire_id_field(kind))
    return row_id[:120] if isinstance(row_id, str) and row_id else "a row"


def _readable_id(endpoint: Endpoint, raw: msgspec.Raw) -> str | None:
    """The id of a row that cannot be decoded otherwise, so that its model still counts as seen."""
    try:
        raw_id = _fields(raw).get(wire_id_field(endpoint.row))
        return msgspec.json.decode(raw_id, type=str) if raw_id is not None and not is_mended(bytes(raw_id)) else None
    except _UNREADABLE:
        return None


def _fields(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The fields of a row, mended where a name cannot be read."""
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError as error:
        return msgspec.json.decode(mended(bytes(raw), error), type=dict[str, msgspec.Raw])


def id_field(row: type[msgspec.Struct]) -> str:
    """The attribute that holds a wire row's id: its first required field."""
    return next((field.name for field in msgspec.structs.fields(row) if field.required), "id")


def wire_id_field(row: type[msgspec.Struct]) -> str:
    """The same field by its name on the wire."""
    return next((field.encode_name for field in msgspec.structs.fields(row) if field.required), "id")


def _wire_id(row: msgspec.Struct) -> str | None:
    """The id of a decoded row, also of one that `combine` wrapped around others."""
    value = getattr(row, id_field(type(row)), None)
    return _wire_id(value) if isinstance(value, msgspec.Struct) else value if isinstance(value, str) else None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    what, _, place = str(error).partition(" - at `$")
    plain = plain_words(what)
    field = place.strip(".`")
    return str(error) if plain is None else f"{field}: {plain}" if field else plain
