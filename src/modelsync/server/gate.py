"""The outermost layer: request ids, limits, who may, headers for browsers, one line of log and a few numbers per request."""

import asyncio
import os
import re
import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelsync.errors import DatabaseError, ModelsyncError
from modelsync.model.actors import Scope as Permit
from modelsync.operations.api_keys import ApiKeyHolder
from modelsync.server import access
from modelsync.server.clients import host_of
from modelsync.server.forwarded import SignIn
from modelsync.server.responses import error, failed
from modelsync.server.spools import PIECE
from modelsync.server.state import Service

log = structlog.get_logger("modelsync.api")

MOST_TARGET = 8 * 1024
"""Bytes of a request's path and query."""

HOLDER = "modelsync.holder"
"""Under this name a request says who made it."""

_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", _POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"interest-cohort=()"),
    (b"cache-control", b"no-store"),
)
"""On every answer that does not say otherwise."""

_request_id = re.compile(r"[A-Za-z0-9._-]{1,64}")
_no_gzip = re.compile(r"\bgzip\s*;\s*q=0(?:\.0*)?\s*(?:,|$)", re.IGNORECASE)  # RFC 9110 12.4.2: not acceptable


class BodyTooLarge(Exception):
    """A body that is longer than it may be."""


class Gate:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._sign_in = SignIn(service.settings)
        self._log = log.bind()  # once, and not for each request
        self._noting: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not; whatever happens, answer, and write it down."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _no_gzip.search(headers.get("accept-encoding", "")):  # below here it is packed for whoever names it
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        given = headers.get("x-request-id", "")
        request_id = given if _request_id.fullmatch(given) else os.urandom(16).hex()
        began, status = time.monotonic(), 0

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                more = [(name, value) for name, value in HEADERS if name not in present]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode()), *more]}
            if len(message.get("body", b"")) > PIECE:
                message = await _in_pieces(message, send)
            await send(message)

        try:
            await self._let_in(scope, receive, marked)
        except Exception as problem:
            log.exception("a bug in modelsync", request_id=request_id, path=scope["path"], exc_info=problem)
            if status:
                raise
            await error(500, f"This is a fault of modelsync's; its log tells more of request {request_id}")(scope, receive, marked)
        finally:
            self._note(scope, status, time.monotonic() - began, request_id)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "path_format", "none")
        self._service.metrics.answered(scope["method"] if route != "none" else "any", route, status, seconds)
        holder: ApiKeyHolder | None = scope.get(HOLDER)
        facts = {"status": status, "ms": round(seconds * 1000, 1), "by": holder.name if holder else None, "client": host_of(scope)}
        self._log.info(
            f"{scope['method']} {scope['path']}", request_id=request_id, **{name: value for name, value in facts.items() if value}
        )

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MOST_TARGET:
            await error(414, "The address is too long")(scope, receive, send)
            return
        wait = self._service.buckets.wait(self._service.clients.of(host_of(scope)))
        if wait:
            await self._too_many(wait)(scope, receive, send)
            return
        needed = access.needed(scope["method"], scope["path"], public=self._service.settings.public)
        if needed is not None:
            try:
                refusal = await self._refusal(scope, headers, needed)
            except DatabaseError as problem:
                refusal = failed(problem)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._limited(scope, receive, send, headers)

    async def _refusal(self, scope: Scope, headers: Headers, needed: Permit) -> ASGIApp | None:
        """Why a request is not let in; None when it is, and then it says who made it."""
        client = host_of(scope)
        key = access.bearer(headers.get("authorization", ""))
        signed_in = self._sign_in.holder(scope, headers) if key is None else None
        if signed_in is not None:
            verdict = access.permitted(needed, signed_in, "Signing in at the proxy")
        else:
            verdict = access.refused(needed, key, await self._service.valid_keys())
        if isinstance(verdict, ApiKeyHolder):
            scope[HOLDER] = verdict
            if key is not None:
                task = asyncio.create_task(self._service.note_use(key))
                self._noting.add(task)
                task.add_done_callback(self._noting.discard)
            return None
        self._service.metrics.refused.labels(str(verdict.status)).inc()
        if verdict.status == 401:
            log.warning("a request without a valid key", path=scope["path"], client=client)
            wait = self._service.attempts.wait(self._service.clients.of(client))
            if wait:
                return self._too_many(wait)
            return error(401, verdict.detail, **{"WWW-Authenticate": 'Bearer realm="modelsync"'})
        return error(verdict.status, verdict.detail)

    def _too_many(self, wait: float) -> ASGIApp:
        return error(429, f"Too many requests; try again in {max(wait, 0.1):.1f} seconds", **{"Retry-After": str(access.retry_after(wait))})

    async def _limited(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        """The request with a body of at most so many bytes, whatever it says of its length."""
        most = self._service.settings.body_bytes
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > most:
            await error(413, f"The body is longer than {most:,} bytes")(scope, receive, send)
            return
        came, began = 0, False

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > most and began:  # nothing else can be said any more
                return {"type": "http.disconnect"}
            if came > most:
                raise BodyTooLarge
            return message

        async def beginning(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, counted, beginning)
        except BodyTooLarge:
            await error(413, f"The body is longer than {most:,} bytes")(scope, receive, send)
        except ModelsyncError as problem:
            if isinstance(problem, DatabaseError):
                log.warning(f"the database: {problem}")
            await failed(problem)(scope, receive, send)


async def _in_pieces(message: Message, send: Send) -> Message:
    """Send a long body as its client takes it, and give what is left to say: the server would hold all of it for each client that waits."""
    body = message["body"]
    last = (len(body) - 1) // PIECE * PIECE
    for start in range(0, last, PIECE):
        await send({**message, "body": body[start : start + PIECE], "more_body": True})
    return {**message, "body": body[last:]}
