"""From an answer's bytes to its rows, each decoded once: into its wire type, with the fields beside it that this type does not declare."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from modelsync.errors import Failure, FailureKind
from modelsync.model.limits import without_nul
from modelsync.model.mistakes import plain_words
from modelsync.model.prices import excerpt
from modelsync.planning.drift import Tally
from modelsync.planning.known import KnownRows, KnownRun, digest_of
from modelsync.planning.row_reader import RowReader
from modelsync.providers.base import Answer, Endpoint, Wire
from modelsync.providers.document import UNEXPECTED, NotJson, is_mended, mended


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A row that is no model. With a readable id it still counts as seen: it is not absent."""

    position: int
    id: str | None
    reason: str
    excerpt: str


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


class RawRows(msgspec.Struct, frozen=True):
    """The rows of one answer as they came. `sound` ones are of a document that is: what can be decoded of them is as it stands there."""

    endpoint: Endpoint
    rows: list[msgspec.Raw]
    sound: bool = False


def decode_rows(
    raws: RawRows, rejected: list[Rejected], warnings: list[str], tally: Tally, known: KnownRows | None = None
) -> Iterator[Wire | KnownRun]:
    """Each raw row in its wire type, with the fields that type does not declare beside it; the fields of a sample are tallied.

    With `known` those that are known are not decoded, and the others have their digests. Rows that cannot be decoded become rejected, or
    warnings where an endpoint only fills.
    """
    read, looked_up, start = RowReader(raws.endpoint.row).read, _looked_up(raws, known), 0
    for position, (row_id, digest, raw) in enumerate(zip(*looked_up, strict=True)):
        if row_id is not None:
            continue
        if start < position:
            yield _run(looked_up, slice(start, position), tally)
        start = position + 1
        wire = read(raw, position, digest) if raws.sound else None
        if wire is not None:
            if tally.is_due():
                tally.look(_values(raw)[0])
            yield wire
            continue
        mended_row = carefully(raws.endpoint, raw, position, warnings, tally)
        if isinstance(mended_row, Wire):
            yield mended_row
        elif raws.endpoint.fills:
            warnings.append(f"{raws.endpoint.name} row {position}: {mended_row.reason}")
        else:
            rejected.append(mended_row)
    if start < len(raws.rows):
        yield _run(looked_up, slice(start, None), tally)


_LookedUp = tuple[list[str | None], list[bytes], list[msgspec.Raw]]
"""Of each row: the id of its model, None where it is not known, its digest, empty where it may not become known, and its bytes."""


def _looked_up(raws: RawRows, known: KnownRows | None) -> _LookedUp:
    if known is None or not raws.sound:
        return [None] * len(raws.rows), [b""] * len(raws.rows), raws.rows
    digests = list(map(digest_of, raws.rows))
    return list(map(known.ids.get, digests)), digests, raws.rows


def _run(looked_up: _LookedUp, part: slice, tally: Tally) -> KnownRun:
    """The rows of one part, which are all known."""
    ids, digests, rows = looked_up
    run = KnownRun(cast("list[str]", ids[part]), digests[part], rows[part])
    for position in tally.due(len(run.rows)):
        tally.look(_values(run.rows[position])[0])
    return run


def carefully(endpoint: Endpoint, wire: msgspec.Raw, position: int, warnings: list[str], tally: Tally) -> Wire | Rejected:
    """A row that may hold what no text can, or a value that is not of its type: every loss is a warning, or the row is rejected."""
    declared = {field.encode_name for field in msgspec.structs.fields(endpoint.row)}
    try:
        raw, rest, unreadable = _whole(endpoint, wire, warnings)
        tally.see(rest)
        row = _typed_row(msgspec.json.Decoder(endpoint.row), raw, warnings)
    except _UNREADABLE as error:
        return Rejected(position, readable_id(endpoint, wire), _reason(error), excerpt(bytes(wire)[:400]))
    warnings.extend(
        f"{_name(rest, endpoint.row)}: unreadable {name}: {reason}; not stated" for name, reason in unreadable if name not in declared
    )
    return Wire(row, {name: rest[name] for name in sorted(rest) if name not in declared and rest[name] is not None}, position)


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
    if "\0" in (readable_id(endpoint, raw) or ""):
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


def readable_id(endpoint: Endpoint, raw: msgspec.Raw) -> str | None:
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


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    what, _, place = str(error).partition(" - at `$")
    plain = plain_words(what)
    field = place.strip(".`")
    return str(error) if plain is None else f"{field}: {plain}" if field else plain
