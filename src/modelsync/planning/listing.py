"""From answers to a listing: bytes in, models out, row by row. A bad row is rejected with its reason, the rest go on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from modelsync.errors import Failure
from modelsync.model.limits import limited, printable
from modelsync.model.model import NO_PRICES, Model, content_hash, price_facts
from modelsync.planning.decoding import Rejected, decode_rows, id_field, rows_of
from modelsync.planning.drift import Shape, Tally, shapes
from modelsync.planning.extent import shortfall
from modelsync.planning.incomplete import incomplete_warnings
from modelsync.providers.base import Answer, Endpoint, Provider, Request, Wire

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
    lists: list[RawRows] = []
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
            lists.append(RawRows(request.endpoint, rows, answer.document.sound))
            lengths.append((request, answer, len(rows)))
    lacking = shortfall(lengths, warnings)
    tallies = _tallies(lists)
    decoded = ((raws.endpoint, wire) for raws in lists for wire in readable(raws, rejected, warnings, tallies[raws.endpoint.name]))
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


class RawRows(msgspec.Struct, frozen=True):
    """The rows of one answer as they came, and whether its document is sound."""

    endpoint: Endpoint
    rows: list[msgspec.Raw]
    sound: bool


def _tallies(lists: Sequence[RawRows]) -> dict[str, Tally]:
    totals: dict[str, int] = {}
    for raws in lists:
        totals[raws.endpoint.name] = totals.get(raws.endpoint.name, 0) + len(raws.rows)
    return {name: Tally(total) for name, total in totals.items()}


def readable(raws: RawRows, rejected: list[Rejected], warnings: list[str], tally: Tally) -> Iterator[Wire]:
    """The rows that can be decoded; the others become rejected, or warnings where an endpoint only fills."""
    endpoint = raws.endpoint
    for wire in decode_rows(endpoint, raws.rows, warnings, tally, sound=raws.sound):
        if isinstance(wire, Wire):
            yield wire
        elif endpoint.fills:
            warnings.append(f"{endpoint.name} row {wire.position}: {wire.reason}")
        else:
            rejected.append(wire)


def collect(provider: Provider, wires: Iterable[Wire], rejected: list[Rejected], warnings: list[str], *, complete: bool) -> Listing:
    """Normalize every row; the first of several with one id wins, and each of the others is reported."""
    models: dict[str, Model] = {}
    hashes: dict[str, str] = {}
    duplicates: list[str] = []
    left_out = 0
    for wire in wires:
        read = normalize(provider, wire, warnings)
        if read is None:
            left_out += 1
            continue
        if isinstance(read, Rejected):
            rejected.append(read)
            continue
        model, digest = read
        if model.id not in models:
            models[model.id], hashes[model.id] = model, digest
        else:
            duplicates.append(model.id)
            first = models[model.id]
            if price_facts(first.prices) != price_facts(model.prices):
                warnings.append(f"{model.id}: listed twice with different prices; its price is not stated")
                models[model.id] = msgspec.structs.replace(first, prices=NO_PRICES)
                hashes[model.id] = content_hash(models[model.id])
    return Listing(
        models=models,
        hashes=hashes,
        rejected=tuple(rejected),
        duplicates=tuple(duplicates),
        left_out=left_out,
        complete=complete,
        warnings=(*warnings, *incomplete_warnings(models.values())),
    )


def normalize(provider: Provider, wire: Wire, warnings: list[str]) -> tuple[Model, str] | Rejected | None:
    """One row through the provider's `normalize` and the limits that hold for every provider; with its content hash."""
    try:
        model = provider.normalize(wire.row)
        if model is None:
            return None
        metadata = {**wire.rest, **model.metadata}
        if None in metadata.values():
            metadata = {**wire.rest, **{name: value for name, value in model.metadata.items() if value is not None}}
        checked, digest = limited(msgspec.structs.replace(model, metadata=metadata), warnings)
    except (ValueError, ArithmeticError, LookupError, TypeError, msgspec.MsgspecError) as error:
        return Rejected(wire.position, _wire_id(wire.row), f"{error}" or type(error).__name__, "")
    warnings.extend(f"{checked.id}: {problem}" for problem in checked.prices.problems)
    return checked, digest


def _wire_id(row: msgspec.Struct) -> str | None:
    """The id of a decoded row, also of one that `combine` wrapped around others."""
    value = getattr(row, id_field(type(row)), None)
    return _wire_id(value) if isinstance(value, msgspec.Struct) else value if isinstance(value, str) else None
