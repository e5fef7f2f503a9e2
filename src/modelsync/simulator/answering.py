"""From a request to its answer: the key, the list, the page, the validators, and whatever is to go wrong with it."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import Literal
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from modelsync.simulator.account import TokenRefused
from modelsync.simulator.faults import Fault
from modelsync.simulator.pages import ListRequest, Refused
from modelsync.simulator.refusals import HTML_NOT_FOUND, refusal
from modelsync.simulator.replies import HTML, Reply, compressed, json_reply, send_reply
from modelsync.simulator.wires import Key, Wire
from modelsync.simulator.world import Seen, World

TOKEN_PATH = "/token"  # noqa: S105
_secret = re.compile(r"(?<![^&])((?:api_?key|key|access_token|token)=)[^&]*", re.IGNORECASE)

KeySent = Literal["none", "right", "wrong"]


def key_of(slug: str) -> str:
    """The only right key of a provider."""
    return f"demo-{slug}"


class Providers:
    """The ASGI application that answers for all providers, at `/<slug><the provider's own path>`."""

    def __init__(self, world: World, abort: Callable[[Scope], None]) -> None:
        """`abort` cuts the connection a request came over."""
        self._world = world
        self._abort = abort

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        slug, _, rest = str(scope["path"]).removeprefix("/").partition("/")
        if slug in self._world.wires.slugs:
            reply = await self._reply(slug, f"/{rest}", request)
        else:
            reply = json_reply({"error": f"no provider is called {slug}", "providers": self._world.wires.slugs}, 404)
        reply = await compressed(reply, request.headers.get("accept-encoding", ""))
        await send_reply(reply, scope, receive, send, self._abort)

    async def _reply(self, slug: str, path: str, request: Request) -> Reply:
        sent = key_sent(self._world, slug, request)
        query = _secret.sub(r"\1***", query_of(request))
        self._world.note(Seen(slug, request.method, path, query, tuple(sorted(request.headers.keys())), sent))
        fault = self._world.next_fault(slug, path)
        if fault and fault.fault != "drip":
            await asyncio.sleep(fault.seconds)
        reply = await answer(self._world, slug, path, request, sent, fault)
        return fault.spoil(reply, slug) if fault else reply


def query_of(request: Request) -> str:
    """The query as it was sent."""
    return bytes(request.scope["query_string"]).decode("latin-1")


def key_sent(world: World, slug: str, request: Request) -> KeySent:
    """Whether a request carries the right key, in the provider's own scheme."""
    wire, *_ = world.wires.of(slug)
    sent = request.headers.get(wire.header)
    if not sent:
        return "none"
    scheme, _, key = sent.rpartition(" ")
    right = world.account.accepts(key) if world.wires.takes_tokens(slug) else key == key_of(slug)
    return "right" if right and scheme == wire.scheme else "wrong"


async def answer(world: World, slug: str, path: str, request: Request, sent: KeySent, fault: Fault | None) -> Reply:
    """The right answer, but for rows that a fault spoils."""
    verbatim = world.answer(slug, path, query_of(request))
    if verbatim:
        return Reply(status=verbatim.status, body=verbatim.body, headers=verbatim.headers)
    if world.wires.takes_tokens(slug) and path == TOKEN_PATH:
        return await token(world, request)
    try:
        return listed(world, slug, path, request, sent, fault)
    except Refused as refused:
        return json_reply(refusal(slug, refused.status, refused.message), refused.status)


def listed(world: World, slug: str, path: str, request: Request, sent: KeySent, fault: Fault | None) -> Reply:
    """One page of a list, in the provider's envelope."""
    served = world.wires.at(slug, path)
    if served is None:
        if slug in HTML_NOT_FOUND:
            return Reply(status=404, body=b"<!doctype html><title>Not found</title><h1>Not found</h1>", headers=HTML)
        raise Refused(404, "there is nothing at this path")
    wire, matched = served
    if request.method != wire.method:
        raise Refused(405, f"only {wire.method} is served here")
    check_key(wire, sent)
    query = request.query_params.multi_items()
    list_request = ListRequest(path=path, query=query, matched=matched, lists=world.lists(slug), cap=world.page_size)
    rows = wire.select(list_request.lists[wire.name], list_request)
    page = wire.paging(fault.spoil_rows(rows, wire.id) if fault else rows, list_request)
    reply = json_reply(wire.document(page), headers={**wire.headers, **page.headers})
    return validated(reply, request.headers.get("if-none-match", "")) if wire.etag else reply


def check_key(wire: Wire, sent: KeySent) -> None:
    """Refuse a request whose key this list does not take."""
    if wire.key is Key.IGNORED or sent == "right" or (wire.key is Key.OPTIONAL and sent == "none"):
        return
    raise Refused(401, "a key is needed" if sent == "none" else "the key is not valid")


def validated(reply: Reply, known: str) -> Reply:
    """The same with an ETag of its content, or 304 if the client knows it."""
    etag = f'"{hashlib.sha256(reply.body).hexdigest()[:32]}"'
    headers = {**reply.headers, "etag": etag}
    if known.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Reply(status=304, headers=headers)
    return Reply(body=reply.body, headers=headers)


async def token(world: World, request: Request) -> Reply:
    """Vertex's token endpoint: a signed assertion in, an access token out."""
    if request.method != "POST":
        return json_reply({"error": "invalid_request", "error_description": "only POST is served here"}, 405)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    try:
        granted = await asyncio.to_thread(world.account.exchange, form.get("grant_type", [""])[-1], form.get("assertion", [""])[-1])
    except TokenRefused as refused:
        return json_reply({"error": refused.error, "error_description": str(refused)}, 400)
    return json_reply(granted)
