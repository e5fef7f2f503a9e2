"""From answers to a listing: bytes in, models out, row by row. A bad row is rejected with its reason, the rest go on."""

from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from modelsync.errors import Failure
from modelsync.model.limits import limited, printable
from modelsync.model.model import NO_PRICES, Model, content_hash, price_facts
from modelsync.planning.decoding import RawRows, Rejected, carefully, decode_rows, id_field, rows_of
from modelsync.planning.drift import Shape, Tally, shapes
from modelsync.planning.extent import shortfall
from modelsync.planning.incomplete import incomplete_warnings, unread_fields
from modelsync.planning.known import MOST, Clean, Incomplete, KnownRows, KnownRun, Models
from modelsync.planning.row_reader import RowReader
from modelsync.providers.base import Answer, Provider, Request, Wire

MOST_SKIPS = 40
"""Reasons that are given of the rejected rows of one listing, and as many of its duplicates; the others are counted."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider lists. Only in a `complete` listing does absence mean something.

    `duplicates` are the ids that came again; `left_out` counts rows that a setting or the provider's nature keeps out of the catalog.
    `warnings` are for people: rows that were skipped, values that were not understood, calls that failed and were not needed. `hashes` are
    the content hashes. `wire_fields` say by endpoint which fields the rows had. `shortfall` is how many rows the provider says that it has
    and did not send (1 where it only says that there is a further page), 0 for a list that came whole; with one, the listing is not
    `complete`. `clean` are the rows that the next listing need not read again.
    """

    models: Mapping[str, Model]
    hashes: dict[str, str]
    rejected: tuple[Rejected, ...] = ()
    duplicates: tuple[str, ...] = ()
    left_out: int = 0
    complete: bool = True
    shortfall: int = 0
    warnings: tuple[str, ...] = ()
    wire_fields: Mapping[str, Shape] = {}
    clean: Clean = Clean()

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
    def seen(self) -> Set[str]:
        """Ids that are not absent: those of models, and the readable ones of rejected rows."""
        rejected = {row.id for row in self.rejected if row.id is not None}
        return self.models.keys() | rejected if rejected else self.models.keys()


def read(
    provider: Provider, options: msgspec.Struct, answers: Sequence[tuple[Request, Answer]], known: KnownRows | None = None
) -> Listing | Failure:
    """All answers of one sync as a listing, or why they cannot be used at all. Rows that are `known` are only read when they are asked for;
    without it, none is remembered either.
    """
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
    if not provider.reads_rows_alone or sum(len(raws.rows) for raws in lists) > MOST:
        known = None
    decoded = ((raws.endpoint.name, decode_rows(raws, rejected, warnings, tallies[raws.endpoint.name], known)) for raws in lists)
    if provider.reads_rows_alone:  # one after the other, so that few are in memory at once
        first = (row for name, rows in decoded for row in rows if name == provider.endpoints[0].name)
        listing = collect(provider, first, rejected, warnings, complete=True, known=known)
    else:
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
    decoded: Iterable[tuple[str, Iterable[Wire | KnownRun]]],
    rejected: list[Rejected],
    warnings: list[str],
) -> Listing:
    """The rows of all endpoints as one listing."""
    rows: dict[str, list[Wire]] = {endpoint.name: [] for endpoint in provider.endpoints}
    for name, some in decoded:
        rows[name] += (row for row in some if isinstance(row, Wire))
    wires = provider.combine(rows, options) if provider.combine else next(iter(rows.values()))
    partial = provider.partial(rows, options) if provider.partial else None
    if partial:
        warnings.append(partial)
    return collect(provider, wires, rejected, warnings, complete=not partial)


def _tallies(lists: Sequence[RawRows]) -> dict[str, Tally]:
    totals: dict[str, int] = {}
    for raws in lists:
        totals[raws.endpoint.name] = totals.get(raws.endpoint.name, 0) + len(raws.rows)
    return {name: Tally(total) for name, total in totals.items()}


def collect(
    provider: Provider,
    rows: Iterable[Wire | KnownRun],
    rejected: list[Rejected],
    warnings: list[str],
    *,
    complete: bool,
    known: KnownRows | None = None,
) -> Listing:
    """Normalize every row that is not known; one of several with one id counts, and each of the others is reported."""
    found = _Found(provider, known or KnownRows(), rejected, warnings)
    for row in rows:
        if isinstance(row, KnownRun):
            found.add_known(row)
        else:
            found.add(row)
    return found.listing(complete=complete)


class _KnownReading:
    """Reads known rows that somebody asks for. `precedence` says by id which of several rows of one model counts."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._reader = RowReader(provider.endpoints[0].row)
        self.precedence: dict[str, float] = {}

    def wire(self, row: msgspec.Raw) -> Wire:
        """A row that was known. Where it stood in its list matters only to rows that cannot be read."""
        wire = self._reader.read(row, 0) or carefully(self._provider.endpoints[0], row, 0, [], Tally(0))
        assert isinstance(wire, Wire)  # noqa: S101 - the same bytes were read before, by the same program
        return wire

    def model(self, row: msgspec.Raw) -> Model:
        """Its model: clean, so that nothing is to be told of it."""
        wire = self.wire(row)
        read = normalize(self._provider, wire, [])
        assert isinstance(read, tuple)  # noqa: S101 - as above
        if self._provider.precedence:
            self.precedence[read[0].id] = self._provider.precedence(wire.row)
        return read[0]


class _Found:
    """The models of a list as far as it has been read."""

    def __init__(self, provider: Provider, known: KnownRows, rejected: list[Rejected], warnings: list[str]) -> None:
        self._provider, self._known, self._rejected, self._warnings = provider, known, rejected, warnings
        self._reading = _KnownReading(provider)  # which knows nothing of this, or neither would go before garbage is collected
        self._models = Models(self._reading.model)
        self._hashes: dict[str, str] = {}
        self._digests: dict[str, bytes] = {}
        self._unread: dict[str, Incomplete] = {}
        self._duplicates: list[str] = []
        self._left_out = 0

    def add_known(self, run: KnownRun) -> None:
        """Rows that are read only if somebody asks, or if one is not the only one of its model."""
        ids, incomplete = run.ids, self._known.incomplete
        if len(set(ids)) == len(ids) and self._models.keys().isdisjoint(ids):
            self._models.add_known(ids, run.rows)
            self._hashes.update(zip(ids, map(self._known.hashes.__getitem__, ids), strict=True))
            self._digests.update(zip(ids, run.digests, strict=True))
            if incomplete:
                self._unread.update((row_id, incomplete[row_id]) for row_id in ids if row_id in incomplete)
        elif len(ids) == 1:
            self.add(self._reading.wire(run.rows[0]))
        else:
            for single in run.singles:
                self.add_known(single)

    def add(self, wire: Wire) -> None:
        """A row that was decoded."""
        told = len(self._warnings)
        read = normalize(self._provider, wire, self._warnings)
        if read is None:
            self._left_out += 1
        elif isinstance(read, Rejected):
            self._rejected.append(read)
        elif read[0].id in self._models:
            self._add_again(wire, *read)
        else:
            self._keep(wire, *read)
            if wire.digest and len(self._warnings) == told:  # a digest is only of what was decoded without a warning
                self._digests[read[0].id] = wire.digest

    def _keep(self, wire: Wire, model: Model, content: str) -> None:
        self._models.add(model)
        self._hashes[model.id] = content
        self._unread.pop(model.id, None)
        if model.prices.incomplete:
            self._unread[model.id] = unread_fields(model.prices)
        if self._provider.precedence:
            self._reading.precedence[model.id] = self._provider.precedence(wire.row)

    def _add_again(self, wire: Wire, model: Model, content: str) -> None:
        """A further row of a model. When prices differ nobody knows which is right."""
        first = self._models[model.id]
        self._duplicates.append(model.id)
        self._digests.pop(model.id, None)
        if self._provider.precedence and self._provider.precedence(wire.row) < self._reading.precedence[model.id]:
            self._keep(wire, model, content)
        if price_facts(first.prices) != price_facts(model.prices):
            self._warnings.append(f"{model.id}: listed twice with different prices; its price is not stated")
            chosen = msgspec.structs.replace(self._models[model.id], prices=NO_PRICES)
            self._models.add(chosen)
            self._hashes[model.id] = content_hash(chosen)
            self._unread.pop(model.id, None)

    def listing(self, *, complete: bool) -> Listing:
        """All of it."""
        return Listing(
            models=self._models.as_read(),
            hashes=self._hashes,
            rejected=tuple(self._rejected),
            duplicates=tuple(self._duplicates),
            left_out=self._left_out,
            complete=complete,
            warnings=(*self._warnings, *incomplete_warnings(self._unread)),
            clean=Clean(self._digests, {row_id: self._unread[row_id] for row_id in self._digests if row_id in self._unread}),
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
    except (ValueError, ArithmeticError, LookupError, TypeError, RecursionError, StopIteration, msgspec.MsgspecError) as error:
        return Rejected(wire.position, _wire_id(wire.row), f"{error}" or type(error).__name__, "")
    warnings.extend(f"{checked.id}: {problem}" for problem in checked.prices.problems)
    return checked, digest


def _wire_id(row: msgspec.Struct) -> str | None:
    """The id of a decoded row, also of one that `combine` wrapped around others."""
    value = getattr(row, id_field(type(row)), None)
    return _wire_id(value) if isinstance(value, msgspec.Struct) else value if isinstance(value, str) else None
