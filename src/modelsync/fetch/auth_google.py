"""Bearer tokens for Google Cloud. google-auth does all of the OAuth; requests go through our own HTTP client and rules."""

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

import google.auth.exceptions
import google.auth.transport
import httpx2
from google.auth import compute_engine, identity_pool
from google.oauth2 import credentials as user_account
from google.oauth2 import service_account

from modelsync.errors import Failure, FailureKind
from modelsync.fetch.auth import Authorization
from modelsync.fetch.google_account import GoogleCredential
from modelsync.fetch.origins import is_safe_for_keys

LATER = "Nothing was changed; try again later"
Route = Callable[[str], str]
"""From the address to ask to the address really asked."""

LARGEST, SLOWEST = 1024 * 1024, 20.0
"""Most bytes of a token answer, and the seconds it may take."""

_METADATA_HOSTS = ("metadata.google.internal", "169.254.169.254")


class _Response(google.auth.transport.Response):
    def __init__(self, response: httpx2.Response, body: bytes) -> None:
        self._response = response
        self._body = body

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def data(self) -> bytes:
        return self._body


async def _bounded(response: httpx2.Response) -> bytes:
    """The body of a token answer: small and plain."""
    body = bytearray()
    if response.headers.get("content-encoding", "identity") != "identity":
        raise google.auth.exceptions.TransportError("an encoding that was not asked for")
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LARGEST:
            raise google.auth.exceptions.TransportError("an answer that does not end")
    return bytes(body)


class _Transport(google.auth.transport.Request):
    """google-auth's way to make requests: TLS only (the metadata server and loopback aside), no redirects, routed like all others.

    google-auth blocks and is called in a thread; its requests are made in the event loop, so that they end when the fetch is cancelled.
    """

    def __init__(self, http: httpx2.AsyncClient, connect_timeout: float, route: Route) -> None:
        self._http = http
        self._connect_timeout = connect_timeout
        self._route = route
        self._loop = asyncio.get_running_loop()
        self._requests: set[Future[_Response]] = set()
        self._closed = False

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: object,
    ) -> _Response:
        target = self._route(url)
        if not is_safe_for_keys(target) and urlsplit(target).hostname not in _METADATA_HOSTS:
            raise google.auth.exceptions.TransportError("the token address is not https")
        answer = self._answer(target, method, body, headers or {}, timeout or SLOWEST)
        request = asyncio.run_coroutine_threadsafe(answer, self._loop)
        self._requests.add(request)
        if self._closed:
            request.cancel()
        return request.result()

    async def _answer(self, target: str, method: str, body: bytes | None, headers: Mapping[str, str], seconds: float) -> _Response:
        plain = {**headers, "Accept-Encoding": "identity"}
        timeout = httpx2.Timeout(seconds, connect=min(seconds, self._connect_timeout))
        try:
            async with (
                asyncio.timeout(SLOWEST),
                self._http.stream(method, target, content=body, headers=plain, timeout=timeout) as response,
            ):
                return _Response(response, await _bounded(response))
        except TimeoutError as error:
            raise google.auth.exceptions.TransportError("an answer that does not end") from error
        except httpx2.HTTPError as error:
            raise google.auth.exceptions.TransportError(type(error).__name__) from error

    def close(self) -> None:
        """End what is under way, and begin nothing more."""
        self._closed = True
        for request in list(self._requests):
            request.cancel()


async def authorization(
    credential: GoogleCredential, http: httpx2.AsyncClient, connect_timeout: float, route: Route
) -> Authorization | Failure:
    """The headers that authorize a call: a fresh bearer token, and a user account's quota project."""
    transport = _Transport(http, connect_timeout, route)
    try:
        return await asyncio.to_thread(_authorized, credential, transport)
    finally:
        transport.close()


def _authorized(credential: GoogleCredential, transport: _Transport) -> Authorization | Failure:
    try:
        account = _load(credential)
    except (ValueError, TypeError, AttributeError, OSError, KeyError, google.auth.exceptions.GoogleAuthError) as error:
        hint = f"Put a service account's JSON into {credential.variable}, or name its file in GOOGLE_APPLICATION_CREDENTIALS"
        return Failure(FailureKind.CONFIG, f"the Google credentials cannot be read ({type(error).__name__})", hint)
    try:
        account.refresh(transport)
    except google.auth.exceptions.TransportError as error:
        return Failure(FailureKind.TRANSIENT, f"Google's token server cannot be reached ({error})", LATER)
    except (ValueError, TypeError, AttributeError, KeyError, google.auth.exceptions.GoogleAuthError) as error:
        if _refused(error):
            hint = f"Check the credentials in {credential.variable}: the account may be deleted, disabled or without access"
            return Failure(FailureKind.CONFIG, "Google refused the credentials", hint)
        return Failure(FailureKind.TRANSIENT, "Google's token server answered without a token", LATER)
    headers: dict[str, str] = {}
    account.apply(headers)
    return Authorization(headers)


def _refused(error: Exception) -> bool:
    """Whether the token server said no in OAuth's words, as opposed to failing or answering with something else."""
    codes = (argument.get("error") for argument in error.args if isinstance(argument, dict))
    return not getattr(error, "retryable", False) and any(isinstance(word, str) for word in codes)


def _load(credential: GoogleCredential) -> Any:
    """A google-auth credentials object. ValueError, OSError or KeyError when there is nothing usable."""
    text = credential.json_text
    if text is None and credential.path is None:
        return compute_engine.Credentials(scopes=[credential.scope])
    if text is None and credential.path is not None:
        text = credential.path.read_text("utf-8")
    info = json.loads(text or "")
    match info["type"]:
        case "service_account":
            return service_account.Credentials.from_service_account_info(info, scopes=[credential.scope])
        case "authorized_user":
            return user_account.Credentials.from_authorized_user_info(info, scopes=[credential.scope])
        case "external_account":
            return identity_pool.Credentials.from_info(info, scopes=[credential.scope])
        case _:
            raise ValueError("unknown type of credentials")
