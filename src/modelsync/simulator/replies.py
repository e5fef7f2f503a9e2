"""One answer as a value, and how it is sent: whole, cut off, drop by drop, or not at all."""

import asyncio
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec
from starlette.types import Receive, Scope, Send

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}
SMALL, LARGE = 500, 200_000
"""Bodies below SMALL bytes are not compressed; those above LARGE are compressed beside the event loop."""
NO_BODY = frozenset({204, 304})
UNSENT = frozenset({"content-length", "transfer-encoding", "connection"})

_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered. With `cut`, that part of the body is sent under the length of all of it; with `pause`, a byte each so many seconds.

    `reset` ends the connection without an answer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: float | None = None
    pause: float = 0.0
    reset: bool = False


def json_reply(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON document."""
    return Reply(status=status, body=_encoder.encode(document), headers={**JSON, **(headers or {})})


async def compressed(reply: Reply, accepted: str) -> Reply:
    """The same answer in gzip, if the client takes it and it is worth it."""
    if "gzip" not in accepted or "content-encoding" in reply.headers or len(reply.body) < SMALL:
        return reply
    if len(reply.body) > LARGE:
        body = await asyncio.to_thread(gzip.compress, reply.body, 1)
    else:
        body = gzip.compress(reply.body, 1)
    return replace(reply, body=body, headers={**reply.headers, "content-encoding": "gzip", "vary": "accept-encoding"})


async def send_reply(reply: Reply, scope: Scope, receive: Receive, send: Send, abort: Callable[[Scope], None]) -> None:
    """Send an answer over ASGI; `abort` cuts the connection that the request came over."""
    if reply.reset:
        abort(scope)
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    body = b"" if reply.status in NO_BODY else reply.body
    headers = {name.lower(): value for name, value in reply.headers.items() if name.lower() not in UNSENT}
    if reply.status not in NO_BODY:
        headers["content-length"] = str(len(body))
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    if reply.pause:
        for position in range(len(body)):
            await send({"type": "http.response.body", "body": body[position : position + 1], "more_body": True})
            await asyncio.sleep(reply.pause)
        body = b""
    if reply.cut is None:
        await send({"type": "http.response.body", "body": body, "more_body": False})
    else:
        # An answer left unfinished makes the server close the connection.
        await send({"type": "http.response.body", "body": body[: int(len(body) * reply.cut)], "more_body": True})
