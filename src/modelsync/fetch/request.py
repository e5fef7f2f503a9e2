"""One request to a provider: sent, retried where that can help, its answer bounded, its failure classified."""

import asyncio
import email.utils
import hashlib
import math
import re
import ssl
import time
from collections.abc import Mapping, Set
from concurrent.futures import Executor
from urllib.parse import unquote, urljoin, urlsplit

import httpx2
import msgspec
import stamina
import structlog

from modelsync.errors import Failure, FailureKind
from modelsync.fetch.auth import Authorization
from modelsync.fetch.body import BadEncoding, TooLarge, read_body
from modelsync.fetch.origins import Origins, is_safe_for_keys, shown
from modelsync.fetch.results import FetchLimits
from modelsync.providers.base import Answer, Request
from modelsync.redaction import redacted, repeats

log = structlog.get_logger("modelsync.fetch")

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
LATER = "Nothing was changed; try again later"


class Unanswered(msgspec.Struct, frozen=True):
    """A request that failed for good: why, and the HTTP status when there was one."""

    failure: Failure
    status: int | None = None


class RequestFailed(Exception):
    """One try's failure, on its way to whoever decides about the next."""

    def __init__(self, failure: Failure, *, retry: bool = False, status: int | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.retry = retry
        self.status = status


class Answered304(Exception):
    """The answer was 304 to our conditional request."""


class Asker:
    """Sends requests of one provider. `ends_at` is its deadline on the monotonic clock, `key_variable` names where its key comes from;
    bodies are looked through in `threads`.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        limits: FetchLimits,
        origins: Origins,
        slug: str,
        key_variable: str | None,
        ends_at: float,
        threads: Executor,
    ) -> None:
        self._http = http
        self._limits = limits
        self._origins = origins
        self._slug = slug
        self._key_variable = key_variable
        self._ends_at = ends_at
        self._threads = threads
        self._bytes_left = limits.max_bytes
        self._sent: set[str] = set()

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return max(0.0, self._ends_at - time.monotonic())

    async def ask(self, request: Request, authorization: Authorization, conditional: Mapping[str, str]) -> Answer | Unanswered:
        """The answer to a request to the provider's own address, with `conditional` headers under a condition; or why there is none.

        Raises Answered304 for a 304 to a request under a condition.
        """
        retries = stamina.retry_context(
            on=self._backoff,
            attempts=self._limits.attempts,
            timeout=None,
            wait_initial=self._limits.first_wait,
            wait_jitter=self._limits.first_wait,
            wait_max=10.0,
        )
        # What the retries saw they keep until garbage is collected, and an error keeps the frames that it passed through with all that came
        # before. So none of theirs leaves this function.
        try:
            async for attempt in retries:
                with attempt:
                    return await self._once(request, authorization, conditional, attempt.num)
        except RequestFailed as failed:
            return Unanswered(self.without_secrets(failed.failure), failed.status)
        except asyncio.CancelledError:
            raise asyncio.CancelledError from None
        raise AssertionError("a retry context returns or raises")

    def without_secrets(self, failure: Failure) -> Failure:
        """A failure that shows nothing of what was sent to authorize us, even if the provider put it where a host name belongs."""
        shown = {"message": redacted(failure.message, self._sent), "hint": redacted(failure.hint, self._sent)}
        return msgspec.structs.replace(failure, **shown)

    def _backoff(self, error: Exception) -> bool | float:
        """Whether to try again, or after how many seconds: what the server asked for, when the deadline allows it."""
        if not isinstance(error, RequestFailed) or not error.retry:
            return False
        wait = error.failure.retry_after
        if wait is None:
            return True
        return wait if time.monotonic() + wait < self._ends_at else False

    async def _once(self, request: Request, authorization: Authorization, conditional: Mapping[str, str], number: int) -> Answer:
        target, started = self._origins.route(self._slug, request.url), time.monotonic()
        self._sent |= {*authorization.secrets, *_user_information(target)} - {""}
        if authorization.secrets and not is_safe_for_keys(target):
            hint = "Use https, or a loopback address, in MODELSYNC_ORIGIN"
            raise RequestFailed(Failure(FailureKind.CONFIG, "a key would be sent over plain http", hint))
        place = redacted(shown(target), self._sent)
        try:
            headers = {**request.endpoint.headers, **conditional, **authorization.headers}
            async with self._http.stream(request.endpoint.method, target, headers=headers, content=request.content) as response:
                log.debug("answered", provider=self._slug, url=place, status=response.status_code, attempt=number)
                self._check_status(response, target, conditional=bool(conditional), keyed=bool(authorization.secrets))
                body = await read_body(response, self._bytes_left)
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeEncodeError, BadEncoding, TooLarge, ssl.SSLError, OSError) as error:
            raise self._unreachable(error, target) from error
        received_at = time.time()
        loop, sent = asyncio.get_running_loop(), frozenset(self._sent)
        repeated, digest = await loop.run_in_executor(self._threads, _looked_through, body, sent)
        if repeated:
            hint = f"Nothing of it was kept. Renew the key in {self._key_variable or 'MODELSYNC_ORIGIN'}, and tell the provider"
            raise RequestFailed(Failure(FailureKind.UPSTREAM, f"the answer of {_host(target)} repeats the key it was asked with", hint))
        self._bytes_left -= len(body)
        log.debug("received", provider=self._slug, url=place, bytes=len(body), seconds=round(time.monotonic() - started, 3))
        received = {name.lower(): value for name, value in response.headers.items()}
        return Answer(url=request.url, body=body, sha256=digest, headers=received, received_at=received_at)

    def _check_status(self, response: httpx2.Response, target: str, *, conditional: bool, keyed: bool) -> None:
        """Raise for every status but 200."""
        status, host = response.status_code, _host(target)
        if status == 200:
            return
        if status == 304 and conditional:
            raise Answered304
        if status in (401, 403):
            raise RequestFailed(self._rejected(status, host, keyed=keyed), status=status)
        if status in RETRIED_STATUSES:
            wait = retry_after(response.headers.get("retry-after"), time.time())
            wait_text = f" and asked to wait {wait:.0f} s" if wait else ""
            failure = Failure(FailureKind.TRANSIENT, f"{host} answered {status}{wait_text}", LATER, wait)
            raise RequestFailed(failure, retry=True, status=status)
        if 300 <= status < 400 and status != 304:
            place = _place(target, response.headers.get("location", ""))
            hint = f"Redirects are not followed. Nothing was changed; check whether the provider moved its API to {place}"
            raise RequestFailed(Failure(FailureKind.UPSTREAM, f"{host} redirects to {place}", hint), status=status)
        raise RequestFailed(Failure(FailureKind.UPSTREAM, f"{host} answered {status} instead of a list", LATER), status=status)

    def _rejected(self, status: int, host: str, *, keyed: bool) -> Failure:
        if not keyed:
            hint = "Nothing was changed; a proxy or the provider may keep this machine out"
            more = f", or a key is needed by now: set {self._key_variable}" if self._key_variable else ""
            return Failure(FailureKind.CONFIG, f"{host} answered {status} to a request without a key", hint + more)
        hint = f"Check the key in {self._key_variable}: it may be revoked, expired, of another region, or without the right to list models"
        return Failure(FailureKind.CONFIG, f"{host} rejected the key ({status})", hint)

    def _unreachable(self, error: Exception, target: str) -> RequestFailed:
        """What an error of the transport means."""
        host = _host(target)
        untrusted = _untrusted(error)
        if untrusted is not None:
            hint = "Nothing was changed; check this machine's clock and certificates, or SSL_CERT_FILE behind a company proxy"
            text = f"no trusted TLS connection to {host} ({untrusted.reason or 'handshake failed'})"
            return RequestFailed(Failure(FailureKind.CONFIG, text, hint))
        match error:
            case TooLarge():
                text = f"the answers of {host} are larger than {self._limits.max_bytes:,} bytes"
                return RequestFailed(Failure(FailureKind.UPSTREAM, text, "Nothing was changed; raise MODELSYNC_MAX_BYTES if that is right"))
            case BadEncoding():
                return RequestFailed(Failure(FailureKind.UPSTREAM, f"the answer of {host} cannot be decoded: {error}", LATER))
            case httpx2.ProxyError():
                return RequestFailed(Failure(FailureKind.CONFIG, "the proxy refused the connection", "Check HTTPS_PROXY and NO_PROXY"))
            case httpx2.ConnectTimeout():
                text = f"no connection to {host} within {self._limits.connect_timeout:g} s"
                return RequestFailed(Failure(FailureKind.TRANSIENT, text, LATER), retry=True)
            case httpx2.ConnectError():
                text = f"cannot connect to {host} ({str(error) or type(error).__name__})"
                return RequestFailed(
                    Failure(FailureKind.TRANSIENT, text[:300], "Nothing was changed; check the network and try again"), retry=True
                )
            case httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol() | httpx2.InvalidURL() | UnicodeEncodeError():
                hint = f"Check the value of {self._key_variable or 'MODELSYNC_ORIGIN'}: it has characters that cannot be sent"
                return RequestFailed(Failure(FailureKind.CONFIG, f"the request to {host} cannot be sent", hint))
            case _:
                text = f"the connection to {host} broke off ({type(error).__name__})"
                return RequestFailed(Failure(FailureKind.TRANSIENT, text, LATER), retry=True)


def _looked_through(body: bytes, secrets: Set[str]) -> tuple[bool, str]:
    """Whether a body repeats one of `secrets`, and its SHA-256 as hex. In a thread, because a body may be long."""
    return any(repeats(body, secret) for secret in secrets), hashlib.sha256(body).hexdigest()


_INTERRUPTED = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLZeroReturnError, ssl.SSLEOFError)
"""What the ssl module raises when the other side is slow or gone: in a handshake too, this says nothing about trust."""


def _untrusted(error: BaseException) -> ssl.SSLError | None:
    """The TLS error behind an error of the transport."""
    cause: BaseException | None = error
    while cause is not None and (not isinstance(cause, ssl.SSLError) or isinstance(cause, _INTERRUPTED)):
        cause = cause.__cause__ or cause.__context__
    return cause


def _user_information(url: str) -> list[str]:
    """What is secret before the host of an address: all of it, and its password, or its only part."""
    written = urlsplit(url).netloc.rpartition("@")[0]
    return [unquote(part) for part in (written, written.partition(":")[2])]


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _place(url: str, location: str) -> str:
    """The host that a redirect leads to, for people."""
    try:
        host = _host(urljoin(url, location))
    except ValueError:
        return "another place"
    return host if may_be_host(host) else "another place"


def may_be_host(text: str) -> bool:
    """Whether a host that a provider named may be shown: anything else is not repeated, not even in part."""
    return _host_and_port.fullmatch(text) is not None


_host_and_port = re.compile(r"(?:[\w.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110: seconds, or a date); None when it is missing, negative or unreadable."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdecimal() else email.utils.parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 and math.isfinite(seconds) else None
