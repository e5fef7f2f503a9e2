"""CSV and NDJSON: many rows, from one state of the catalog, made in a file of this machine first so that a slow reader holds nothing up."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from modelsync import spreadsheet
from modelsync.api.answers import error, shown_time
from modelsync.api.asked import PAGE, ModelQuery
from modelsync.api.pages import etag_of, is_known
from modelsync.api.service import Service
from modelsync.store import Revision, Row, Serving, is_dynamic

CSV, NDJSON = "text/csv", "application/x-ndjson"
IN_MEMORY = 8 * 1024 * 1024
PIECE = 256 * 1024


OFFERED = {CSV: CSV, NDJSON: NDJSON, "application/json": None, "application/*": None, "*/*": None}


def wanted_media(accept: str) -> str | None:
    """CSV or NDJSON, when an Accept header would rather have it than JSON (RFC 9110 12.5.1); of equal wishes the first counts."""
    wishes = [(_quality(more), media.strip().lower()) for media, _, more in (part.partition(";") for part in accept.split(","))]
    known = [wish for wish in wishes if wish[1] in OFFERED and wish[0] > 0]
    return OFFERED[max(known, key=lambda wish: wish[0])[1]] if known else None


def _quality(parameters: str) -> float:
    """How much something is wished for, 0 to 1; what cannot be read is wished for as if nothing were said."""
    found = re.search(r"(?:^|;)\s*q=([01](?:\.\d{0,3})?)\s*(?:;|$)", parameters, re.IGNORECASE)
    return float(found[1]) if found else 1.0


async def exported(request: Request, server: Service, query: ModelQuery, media: str) -> Response:
    """All rows that match, or a page of them when there is a limit, an offset or a cursor; 304 for whoever has them already."""
    present = headers_of(request, await server.revision(), media)
    if is_known(request.headers.get("if-none-match", ""), present["ETag"]):
        return Response(status_code=304, headers=present)
    if server.exports.locked():
        return error(429, "Others are exporting already; try again in a moment", **{"Retry-After": "2"})
    async with server.exports:
        file, revision = await server.do(_made, server.serving, query, media)
    server.showed(revision)
    headers = headers_of(request, revision, media)
    headers["Content-Disposition"] = f'inline; filename="models.{"csv" if media == CSV else "ndjson"}"'
    return _Sent(file, media_type=f"{media}; charset=utf-8" if media == CSV else media, headers=headers)


def headers_of(request: Request, revision: Revision, media: str) -> dict[str, str]:
    """What says of which state of the catalog an export is."""
    return {
        "Cache-Control": "no-cache",
        "ETag": etag_of(revision, request.url.path, request.scope["query_string"], media),
        "Vary": "Accept",
        "X-Catalog-Revision": str(revision.number),
        "X-Catalog-As-Of": shown_time(revision.as_of) or "never",
    }


class _Sent(StreamingResponse):
    """A file that is closed once it was sent, or nobody wanted it any more."""

    def __init__(self, file: SpooledTemporaryFile[bytes], **more: Any) -> None:
        self._file = file
        super().__init__(self._pieces(), **more)

    async def _pieces(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._file.read, PIECE):
            yield piece

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _made(serving: Serving, query: ModelQuery, media: str) -> tuple[SpooledTemporaryFile[bytes], Revision]:
    revision, rows = _rows(serving, query)
    with ExitStack() as closing:
        file = closing.enter_context(SpooledTemporaryFile[bytes](IN_MEMORY))
        for piece in _csv(rows) if media == CSV else map(_line, rows):
            file.write(piece)
        file.seek(0)
        closing.pop_all()  # whoever sends it closes it
    return file, revision


def _rows(serving: Serving, query: ModelQuery) -> tuple[Revision, Iterator[Row]]:
    if query.limit is not None or query.offset or query.cursor:
        page = serving.models(query.filter(query.limit or PAGE), query.sorting, query.offset, query.cursor)
        return page.revision, iter(page.rows)
    found = serving.every_model(query.filter(None), query.sorting)
    revision = next(found)
    assert isinstance(revision, Revision)  # noqa: S101 - it comes first
    return revision, (row for row in found if isinstance(row, dict))


def _line(row: Row) -> bytes:
    return msgspec.json.encode(row) + b"\n"


def _csv(rows: Iterator[Row]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow(spreadsheet.COLUMNS)
    for row in rows:
        writer.writerow(spreadsheet.cells(row, dynamic_price=is_dynamic(row), price_incomplete=row["price_incomplete"]))
        if text.tell() > PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()
