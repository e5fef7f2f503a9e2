"""Who a request is from, behind proxies, and who a proxy says has signed in there."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from modelsync.operations.api_keys import ApiKeyHolder
from modelsync.server.access import READING
from modelsync.server.clients import Clients, plain_host
from modelsync.settings import Serving

PEER = "modelsync.peer"
"""Under this name a request says which machine the connection is from, whatever a proxy says."""

_name = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")


class Forwarded:
    """ASGI middleware: the address that a trusted proxy forwards for counts as the client's."""

    def __init__(self, app: ASGIApp, proxies: tuple[str, ...]) -> None:
        self._app: ASGIApp = ProxyHeadersMiddleware(app, trusted_hosts=list(proxies)) if proxies else app  # type: ignore[arg-type, assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the peer, and go on."""
        if scope["type"] == "http" and scope.get("client"):
            host, port = scope["client"]
            scope[PEER] = plain_host(host)
            scope["client"] = (scope[PEER], port)
        await self._app(scope, receive, send)


class SignIn:
    """Who signed in at a proxy, when the settings name a header and the proxies that may send it."""

    def __init__(self, settings: Serving) -> None:
        self._header = settings.sign_in_header
        self._scope = settings.sign_in_scope
        self._proxies = Clients(settings.sign_in_proxies)

    def holder(self, scope: Scope, headers: Headers) -> ApiKeyHolder | None:
        """The person, with the scope of the settings; None when nobody has signed in, or not so that it can be trusted.

        A header that comes twice is not trusted: one of them may be the client's. Nor is a request that changes something and that another
        site's page made: a browser sends whatever shows the proxy who it is along with that, too (CSRF).
        """
        if not self._header or not self._proxies.is_proxy(scope.get(PEER, "")):
            return None
        values = headers.getlist(self._header)
        if len(values) != 1 or not _name.fullmatch(name := _text(values[0]).strip()):
            return None
        if scope["method"] not in READING and not _is_own_page(headers):
            return None
        return ApiKeyHolder(f"proxy:{name}", self._scope)


def _is_own_page(headers: Headers) -> bool:
    """Whether no page of another site made a request: browsers say where it is from (Fetch Metadata; RFC 6454), programs say nothing."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _text(value: str) -> str:
    """A header's value as a proxy means it: in UTF-8 where it is that, and otherwise in Latin-1, as it was read."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
