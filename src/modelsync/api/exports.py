"""CSV, NDJSON and OpenAI's list: many rows, from one state of the catalog.

They are made as files of this machine, so that a slow reader holds neither the database nor memory, and the last ones are kept until the
catalog changes: whoever asks for the same reads the same file.
"""

import asyncio
import csv
import io
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from modelsync.api.parameters import ModelQuery
from modelsync.formats import table
from modelsync.queries.filters import ModelFilter, Order
from modelsync.queries.reader import PAGE, Reader, Revision
from modelsync.queries.rows import ModelRow
from modelsync.server.cache import dated, etag_of, is_known
from modelsync.server.clients import host_of
from modelsync.server.responses import error, shown_time
from modelsync.server.spools import PIECE, Spool, StoredExport
from modelsync.server.state import Service

log = structlog.get_logger("modelsync.api")

CSV, NDJSON = "text/csv", "application/x-ndjson"
OFFERED = {CSV: CSV, NDJSON: NDJSON, "application/json": None, "application/*": None, "*/*": None}


def preferred_media(accept: str) -> str | None:
    """CSV or NDJSON, when an Accept header would rather have it than JSON (RFC 9110 12.5.1); of equal wishes the first counts."""
    wishes = [(_quality(more), media.strip().lower()) for media, _, more in (part.partition(";") for part in accept.split(","))]
    known = [wish for wish in wishes if wish[1] in OFFERED and wish[0] > 0]
    return OFFERED[max(known, key=lambda wish: wish[0])[1]] if known else None


def _quality(parameters: str) -> float:
    """How much something is wished for, 0 to 1; 1 where that is not stated or cannot be read."""
    stated = re.search(r"(?:^|;)\s*q=([01](?:\.\d{0,3})?)\s*(?:;|$)", parameters, re.IGNORECASE)
    return float(stated[1]) if stated else 1.0


# What an export holds

Rows = Iterator[ModelRow]
Snapshot = tuple[Revision, Rows]


class Format(msgspec.Struct, frozen=True):
    """How rows become bytes, and how an answer names these."""

    media: str
    written: Callable[[Rows], Iterator[bytes]]
    name: str | None = None


def _lines(rows: Rows) -> Iterator[bytes]:
    return (msgspec.json.encode(row) + b"\n" for row in rows)


def _csv(rows: Rows) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow(table.COLUMNS)
    for row in rows:
        writer.writerow(table.cells(row))
        if text.tell() > PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


FORMATS = {
    CSV: Format(f"{CSV}; charset=utf-8", _csv, "models.csv"),
    NDJSON: Format(NDJSON, _lines, "models.ndjson"),
}


async def exported(request: Request, server: Service, query: ModelQuery, media: str) -> Response:
    """All models that match, or a page of them when there is a limit, an offset or a cursor; 304 for whoever has them already."""

    def rows(reader: Reader) -> Snapshot:
        if query.limit is not None or query.offset or query.cursor:
            page = reader.models(query.filter(query.limit or PAGE), query.sorting, query.offset, query.cursor)
            return page.revision, iter(page.rows)
        return every(reader, query.filter(None), query.sorting)

    return await sent(request, server, FORMATS[media], rows)


def every(reader: Reader, model_filter: ModelFilter, order: Order) -> Snapshot:
    """All models that match, and the state of the catalog that they are of."""
    rows = reader.every_model(model_filter, order)
    revision = next(rows)
    assert isinstance(revision, Revision)  # noqa: S101 - it comes first
    return revision, (row for row in rows if isinstance(row, ModelRow))


# Answers


async def sent(request: Request, server: Service, form: Format, rows: Callable[[Reader], Snapshot]) -> Response:
    """An export as an answer; it counts as one of those under way until it is sent. Raises TooBusy when too many are."""
    known, accept = request.headers.get("if-none-match", ""), form.media.partition(";")[0]
    present = await server.revision()
    headers = headers_of(request, present, accept)
    if is_known(known, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    packs = "gzip" in request.headers.get("accept-encoding", "")
    key = (request.url.path, dated(request.scope["query_string"]), accept, packs)
    with ExitStack() as ending:
        ending.enter_context(server.exports.one(server.clients.of(host_of(request.scope))))
        kept = server.spools.get(key, present)
        if kept is None:
            try:
                kept = await server.export(_made, server.exporting, form, rows, packs)
            except OSError as problem:
                log.warning(f"an export could not be written to {tempfile.gettempdir()}: {problem.strerror}")
                return error(503, "The export could not be written on the server; its log tells why", **{"Retry-After": "60"})
            server.spools.keep(key, kept)
            server.showed(kept.revision)
        headers = headers_of(request, kept.revision, accept) | {"Content-Length": str(kept.spool.size)}
        if packs:
            headers["Content-Encoding"] = "gzip"
        if form.name:
            headers["Content-Disposition"] = f'inline; filename="{form.name}"'
        return _Sent(kept.spool, ending.pop_all(), form.media, headers)


def _made(reader: Reader, form: Format, rows: Callable[[Reader], Snapshot], packs: bool) -> StoredExport:
    revision, models = rows(reader)
    return StoredExport(revision, Spool(form.written(models), packs=packs))


def headers_of(request: Request, revision: Revision, media: str) -> dict[str, str]:
    """What says of which state of the catalog an export is."""
    return {
        "Cache-Control": "no-cache",
        "ETag": etag_of(revision, request.url.path, dated(request.scope["query_string"]), media),
        "Vary": "Accept, Accept-Encoding",
        "X-Catalog-Revision": str(revision.number),
        "X-Catalog-As-Of": shown_time(revision.as_of) or "never",
    }


class _Sent(StreamingResponse):
    """A file, piece by piece as the client takes it; at the end, whatever it is, `ending` is closed."""

    def __init__(self, spool: Spool, ending: ExitStack, media: str, headers: Mapping[str, str]) -> None:
        self._spool = spool
        self._ending = ending
        super().__init__(self._pieces(), media_type=media, headers=headers)

    async def _pieces(self) -> AsyncIterator[bytes]:
        for start in range(0, self._spool.size, PIECE):
            yield await asyncio.to_thread(self._spool.piece, start)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._ending:
            await super().__call__(scope, receive, send)
