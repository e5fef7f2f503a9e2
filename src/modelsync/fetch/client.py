"""Fetching one provider: drives its flow over HTTP, within a deadline, and says what came of it."""

import asyncio
import functools
import os
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx2
import msgspec

from modelsync.errors import Failure, FailureKind
from modelsync.fetch.auth import NOBODY, Authorization, Credential, authorized
from modelsync.fetch.google_account import GoogleCredential
from modelsync.fetch.origins import Origins
from modelsync.fetch.request import LATER, Answered304, Asker, Unanswered
from modelsync.fetch.results import Fetched, FetchLimits, FetchResult, NeedsKey, Unfollowed, Unmodified, Validators
from modelsync.providers.addresses import root, strays
from modelsync.providers.base import Answer, ApiKey, Flow, KeyUse, PagingError, Provider, Request, UnreadablePage


def authorities() -> ssl.SSLContext:
    """The certificate authorities to trust: certifi's, or those in SSL_CERT_FILE or SSL_CERT_DIR.

    Reading them takes some 40 ms: a process does it once, and again when the file or the folder is another.
    """
    return _read(*(_state(os.environ.get(name)) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")))


@functools.lru_cache(maxsize=1)
def _read(*_: tuple[str, int, int] | None) -> ssl.SSLContext:
    return httpx2.create_ssl_context()


def _state(path: str | None) -> tuple[str, int, int] | None:
    """What tells a file from the one that was there: its path, when it was written (ns), its size."""
    if not path:
        return None
    try:
        found = Path(path).stat()
    except OSError:
        return path, 0, 0
    return path, found.st_mtime_ns, found.st_size


THREADS = 4
"""For looking through answers, which is short."""


class Fetcher:
    """An HTTP client for all providers of one run. Use as an async context manager."""

    def __init__(
        self, limits: FetchLimits, origins: Origins, credentials: Mapping[str, Credential], trusted: ssl.SSLContext | None = None
    ) -> None:
        self._limits = limits
        self._origins = origins
        self._credentials = credentials
        # Of their own: what runs within a provider's deadline never waits behind a commit for a thread.
        self._threads = ThreadPoolExecutor(THREADS, "fetch")
        self._http = httpx2.AsyncClient(
            verify=trusted or authorities(),
            follow_redirects=False,
            timeout=httpx2.Timeout(300, connect=limits.connect_timeout),  # the deadline of the whole sync is what ends slow answers
            limits=httpx2.Limits(max_connections=None),
            mounts={f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")},  # this machine is never behind a proxy
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "modelsync"},
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.__aexit__(kind, error, trace)
        self._threads.shutdown(wait=False)

    def deadline(self, provider: Provider) -> float:
        """Seconds one provider gets in all."""
        return self._limits.deadline or provider.deadline

    async def fetch(
        self, provider: Provider, options: msgspec.Struct, validators: Validators | None = None, *, first_only: bool = False
    ) -> FetchResult:
        """Everything one provider lists, or why not; with `first_only` just the first answer, to see whether it comes.

        Never raises for anything a provider does, never takes longer than its deadline.
        """
        credential = self._credentials.get(provider.slug)
        if provider.needs_key and credential is None:
            return NeedsKey(provider.auth.variables)
        deadline = self.deadline(provider)
        takes_key = any(endpoint.key is not KeyUse.NEVER for endpoint in provider.endpoints)
        variable = (credential.variable if credential else provider.auth.variables[0]) if takes_key else None
        asker = Asker(self._http, self._limits, self._origins, provider.slug, variable, time.monotonic() + deadline, self._threads)
        try:
            async with asyncio.timeout(deadline):
                came = await self._drive(provider, options, credential, validators, asker, first_only=first_only)
        except TimeoutError:
            message = f"no complete answer from {_host(provider.endpoints[0].at(options))} within {deadline:g} s"
            return Failure(FailureKind.TRANSIENT, message, f"{LATER}, or raise MODELSYNC_DEADLINE")
        except Answered304:
            return Unmodified()
        if isinstance(came, Unanswered):
            lacking = came.status == 401 and credential is None and takes_key
            return NeedsKey(provider.auth.variables) if lacking else came.failure
        return came

    async def _drive(
        self,
        provider: Provider,
        options: msgspec.Struct,
        credential: Credential | None,
        validators: Validators | None,
        asker: Asker,
        *,
        first_only: bool,
    ) -> Fetched | Unfollowed | Unanswered | Failure:
        """Run the provider's flow to its end, or to the first request that it cannot do without and that is not answered."""
        authorization = await self._authorization(provider, credential)
        if isinstance(authorization, Failure):
            return authorization
        flow = provider.flow(options, credential is not None)
        answers: list[tuple[Request, Answer]] = []
        notes: list[str] = []
        try:
            loop = asyncio.get_running_loop()
            request = await loop.run_in_executor(self._threads, _advance, flow, None)
            while request is not None:
                came = await self._ask(request, options, authorization, validators, asker)
                if isinstance(came, Unanswered):
                    return came
                if isinstance(came, Answer):
                    answers.append((request, came))
                else:
                    notes.append(f"{request.endpoint.name}: {came}")
                request = None if first_only else await loop.run_in_executor(self._threads, _advance, flow, came)
        except PagingError as error:
            # A page that is no JSON gets the message of reading, which would have met it next.
            unread = isinstance(error, UnreadablePage) and answers
            what = answers[-1][0].endpoint.name if unread else "the pages of the list cannot be followed"
            failure = Failure(FailureKind.UPSTREAM, f"{what}: {error}", LATER)
            return Unfollowed(asker.without_secrets(failure), tuple(answers))
        return Fetched(tuple(answers), tuple(notes))

    async def _ask(
        self, request: Request, options: msgspec.Struct, authorization: Authorization, validators: Validators | None, asker: Asker
    ) -> Answer | Failure | Unanswered:
        """The answer, or why the flow goes on without it, or cannot."""
        endpoint = request.endpoint
        astray = strays(request.url, root(endpoint.at(options)))  # the key goes to this host only, and under an origin to this provider
        if astray:
            raise PagingError(f"the link to the next page {astray}")
        conditional = validators.headers if validators and validators.url == request.url else {}
        keyed = NOBODY if endpoint.key is KeyUse.NEVER else authorization
        # What only fills may use up half of the time that is left, so that it cannot cost the provider its sync.
        patience = asker.seconds_left / 2 if endpoint.fills else None
        try:
            async with asyncio.timeout(patience):
                came = await asker.ask(request, keyed, conditional)
        except TimeoutError:
            return Failure(FailureKind.TRANSIENT, f"no complete answer from {_host(request.url)} within {patience:.0f} s", LATER)
        if isinstance(came, Unanswered) and (endpoint.fills or (endpoint.may_be_absent and came.status == 404)):
            return came.failure
        return came

    async def _authorization(self, provider: Provider, credential: Credential | None) -> Authorization | Failure:
        """What carries the provider's key; nobody's without a key."""
        if credential is None:
            return NOBODY
        if isinstance(credential, GoogleCredential):
            from modelsync.fetch import auth_google  # slow to import, and only one provider needs it

            route = _routing(self._origins, provider.slug)
            return await auth_google.authorization(credential, self._http, self._limits.connect_timeout, route)
        header = provider.auth.header if isinstance(provider.auth, ApiKey) else "Authorization"
        return authorized(header, credential.scheme, credential.key)


def _advance(flow: Flow, came: Answer | Failure | None) -> Request | None:
    """The flow's next request; None at its end. In a thread, because a flow reads whole answers to find the next page."""
    try:
        return next(flow) if came is None else flow.send(came)
    except StopIteration:
        return None


def _routing(origins: Origins, slug: str) -> Callable[[str], str]:
    return lambda url: origins.route(slug, url)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]
