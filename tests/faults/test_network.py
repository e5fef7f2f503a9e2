"""N: networks that fail below HTTP. Each test is a whole sync in which some providers fail and all others are in step."""

import asyncio
import contextlib
import itertools
import math
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from modelsync.errors import FailureKind
from modelsync.planning.outcome import Synced
from support.faults import Authority, Bench, Served, Servers, and_more, failing, groq, hang, reset
from support.proxy import Proxy, Toxics
from support.raw import answering, http
from support.sync import models_of, query

CAUTIOUS = {"MODELSYNC_ATTEMPTS": "3"}


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def gaps(served: Served) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(served.times)]


# No connection


def test_n01_refused_port_unknown_name_and_no_route(each_bench: Bench) -> None:
    each_bench.point("groq", f"http://127.0.0.1:{closed_port()}")
    each_bench.point("novita", "http://nosuch.invalid")  # a provider that is asked without a key
    each_bench.point("cerebras", "http://255.255.255.255")  # which no system routes for TCP
    began = time.monotonic()
    failures = each_bench.failures("groq", "novita", "cerebras", **CAUTIOUS, MODELSYNC_CONNECT_TIMEOUT="5")
    # Three tries: waits of 0.5 to 1 and 1 to 1.5 seconds between them. A resolver that is not reachable takes its timeout for each.
    assert 1.5 <= time.monotonic() - began < 20
    assert {failure.kind for failure in failures.values()} == {FailureKind.TRANSIENT}
    assert failures["groq"].message.startswith("cannot connect to 127.0.0.1:")
    assert "nosuch.invalid" in failures["novita"].message
    assert failures["cerebras"].message.startswith("cannot connect to 255.255.255.255")


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port that drops every SYN, because its queue of connections nobody accepts is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        port = listener.getsockname()[1]
        for _ in range(10):
            connection = waiting.enter_context(socket.socket())
            connection.settimeout(0.2)
            try:
                connection.connect(("127.0.0.1", port))
            except TimeoutError:
                yield port
                return
        pytest.skip("this system's queue of connections cannot be filled")


def test_n02_a_connection_that_hangs_ends_with_the_connect_timeout(bench: Bench) -> None:
    with full_backlog() as port:
        bench.point("groq", f"http://127.0.0.1:{port}")
        began = time.monotonic()
        failure = bench.failure("groq", MODELSYNC_CONNECT_TIMEOUT="0.5")
        assert 0.5 <= time.monotonic() - began < 8
    assert (failure.kind, failure.message) == (FailureKind.TRANSIENT, f"no connection to 127.0.0.1:{port} within 0.5 s")


# Time


async def drip_body(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(http(b"", "Content-Length: 10000"))
    await drip(writer)


async def drip_head(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    await drip(writer)


async def drip(writer: asyncio.StreamWriter) -> None:
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


def test_n03_a_server_that_never_answers_ends_at_the_deadline(bench: Bench) -> None:
    served = bench.serve("groq", hang)
    began = time.monotonic()
    failure = bench.failure("groq", **CAUTIOUS, MODELSYNC_DEADLINE="1")
    assert 1 <= time.monotonic() - began < 20
    assert (failure.kind, failure.message) == (FailureKind.TRANSIENT, "no complete answer from api.groq.com within 1 s")
    assert len(served.requests) == 1


def test_n04_drips_of_a_body_and_of_a_header_end_at_the_deadline(bench: Bench) -> None:
    """Every byte in time, all of them never."""
    bench.serve("groq", drip_body)
    bench.serve("chutes", drip_head)
    began = time.monotonic()
    failures = bench.failures("groq", "chutes", **CAUTIOUS, MODELSYNC_DEADLINE="1")
    assert 1 <= time.monotonic() - began < 20
    for failure in failures.values():
        assert failure.kind is FailureKind.TRANSIENT
        assert failure.message.endswith("within 1 s")


# Connections that break off


async def reset_in_the_body(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(http(b'{"data": [', "Content-Length: 1000"))
    await writer.drain()
    await asyncio.sleep(0.02)
    reset(writer)


SHORT_CHUNK = http(b'64\r\n{"data": [', "Transfer-Encoding: chunked")
NO_LAST_CHUNK = http(b"c\r\n" + b'{"data": []}' + b"\r\n", "Transfer-Encoding: chunked")  # whole, but for the chunk that says so


def test_n05_a_body_that_breaks_off_is_asked_for_three_times(bench: Bench) -> None:
    served = {
        "groq": bench.serve("groq", reset_in_the_body),
        "nebius": bench.serve("nebius", answering(http(b'{"data": [', "Content-Length: 1000"))),
        "chutes": bench.serve("chutes", answering(SHORT_CHUNK)),
        "cerebras": bench.serve("cerebras", answering(NO_LAST_CHUNK)),
    }
    failures = bench.failures(*served, **CAUTIOUS)
    for slug, failure in failures.items():
        assert failure.kind is FailureKind.TRANSIENT
        assert failure.message.startswith(f"the connection to 127.0.0.1:{served[slug].port} broke off (")
        first, second = gaps(served[slug])
        assert 0.45 <= first < 10
        assert 0.95 <= second < 10
    waits = [gaps(each) for each in served.values()]
    assert any(max(same) - min(same) > 0.05 for same in zip(*waits, strict=True))  # they do not all come back at once


INTERRUPTIONS = {
    "closed in the body": Toxics(limit_data=5000),
    "closed before the answer": Toxics(limit_data=1500),
    "closed in the handshake": Toxics(limit_data=100),
    "reset in the handshake": Toxics(reset_peer=0.05),
    "silent in the handshake": Toxics(timeout=math.inf),
}


@pytest.mark.parametrize("toxics", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_n05_tls_that_breaks_off_says_nothing_about_trust(bench: Bench, servers: Servers, authority: Authority, toxics: Toxics) -> None:
    body = and_more(bench, "groq", *(f"model-{number}" for number in range(1000)))
    served = servers.serve(answering(http(body)), authority.context("127.0.0.1"))
    with Proxy("127.0.0.1", served.port) as proxy:
        bench.point("groq", proxy.origin.replace("http:", "https:"))
        proxy.downstream = toxics
        failure = bench.failure("groq", MODELSYNC_ATTEMPTS="2", MODELSYNC_CONNECT_TIMEOUT="0.5")
        assert (failure.kind, proxy.accepted) == (FailureKind.TRANSIENT, 2), failure
        proxy.heal()
        assert isinstance(bench.outcome("groq"), Synced)


@pytest.mark.parametrize(
    "toxics",
    [Toxics(latency=0.1), Toxics(bandwidth=100_000), Toxics(slice_size=100, slice_delay=0.001), Toxics(slow_close=0.5)],
    ids=lambda toxics: next(name for name in toxics.__struct_fields__ if getattr(toxics, name)),
)
def test_n05_a_connection_that_is_only_bad_breaks_nothing(bench: Bench, servers: Servers, toxics: Toxics) -> None:
    served = servers.serve(answering(http(and_more(bench, "groq", *(f"model-{number}" for number in range(1000))))))
    with Proxy("127.0.0.1", served.port) as proxy:
        proxy.downstream = toxics
        bench.point("groq", proxy.origin)
        outcome = bench.outcome("groq")
    assert isinstance(outcome, Synced)
    assert outcome.counts.created == 1000


def test_n06_a_body_whose_end_nobody_announces_is_no_json_when_it_is_cut(bench: Bench) -> None:
    body = and_more(bench, "groq", "a", "b", "c")
    for at in (1, 20, len(body) // 2, len(body) - 1):
        bench.serve("groq", answering(b"HTTP/1.1 200 OK\r\n\r\n" + body[:at]))
        failure = bench.failure("groq")
        assert failure.kind is FailureKind.UPSTREAM
        assert "cut off" in failure.message
    served = bench.serve("groq", answering(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert "the answer is empty" in bench.failure("groq").message
    served.handler = answering(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    assert isinstance(bench.outcome("groq"), Synced)


def test_n06_a_shorter_list_that_is_still_json_is_held(bench: Bench) -> None:
    """Of 30, six may be gone at once, a fifth; seven may not."""
    ids = [*models_of(bench.database_url, "groq"), *(f"model-{number:02}" for number in range(24))]
    served = bench.serve("groq", answering(b"HTTP/1.1 200 OK\r\n\r\n" + groq(*ids)))
    bench.sync("groq")
    served.handler = answering(b"HTTP/1.1 200 OK\r\n\r\n" + groq(*ids[:23]))
    outcome = bench.outcome("groq")
    assert isinstance(outcome, Synced)
    assert [(hold.kind, len(hold.ids)) for hold in outcome.holds] == [("shrink", 7)]
    stored = models_of(bench.database_url, "groq")
    assert {stored[row_id]["missing_since"] for row_id in ids} == {None}
    (kept,) = query(bench.database_url, "SELECT provider, kind, status FROM holds")
    assert kept == {"provider": "groq", "kind": "shrink", "status": "open"}


# TLS


@contextlib.contextmanager
def old_version(authority: Authority) -> Iterator[int]:
    """The port of a server that speaks TLS 1.1 and says so. With blocking sockets: asyncio's servers close without a word."""
    context = authority.context("127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(ssl.SSLError):
                    context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_n07_tls_that_cannot_be_trusted_is_the_operators_turn(bench: Bench, servers: Servers, authority: Authority) -> None:
    contexts = {
        "groq": authority.context("127.0.0.1", days=-1),
        "nebius": authority.context("elsewhere.invalid"),
        "together": authority.context("127.0.0.1", self_signed=True),
    }
    served = {slug: servers.serve(answering(http()), context) for slug, context in contexts.items()}
    ports = {slug: each.port for slug, each in served.items()}
    ports["aimo"] = int(bench.values["MODELSYNC_ORIGIN"].rpartition(":")[2])  # the simulator: no TLS at all where it is expected
    with contextlib.ExitStack() as stack:
        ports["anannas"] = stack.enter_context(old_version(authority))
        proxies = {slug: stack.enter_context(Proxy("127.0.0.1", port)) for slug, port in ports.items()}
        for slug, proxy in proxies.items():
            bench.point(slug, proxy.origin.replace("http:", "https:"))
        failures = bench.failures(*ports, **CAUTIOUS)
        assert {slug: proxy.accepted for slug, proxy in proxies.items()} == dict.fromkeys(ports, 1)
    for slug, failure in failures.items():
        assert failure.kind is FailureKind.CONFIG
        assert failure.message.startswith(f"no trusted TLS connection to 127.0.0.1:{proxies[slug].port} (")
        assert "SSL_CERT_FILE" in failure.hint
    assert [each.requests for each in served.values()] == [[]] * 3


def test_n07_a_certificate_of_the_authority_in_ssl_cert_file_is_trusted(
    bench: Bench, servers: Servers, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = servers.serve(answering(http(and_more(bench, "groq", "a"))), authority.context("127.0.0.1"))
    bench.point("groq", served.origin)
    assert isinstance(bench.outcome("groq"), Synced)
    monkeypatch.delenv("SSL_CERT_FILE")
    assert bench.failure("groq").kind is FailureKind.CONFIG
    assert len(served.requests) == 1


# Networks that half work


def test_n08_a_server_that_fails_twice_and_then_works(bench: Bench) -> None:
    wrong = {"groq": http(status="503 Later"), "nebius": b"", "chutes": SHORT_CHUNK}
    served = {slug: bench.serve(slug, failing(2, answer, http(and_more(bench, slug, "a", "b")))) for slug, answer in wrong.items()}
    report = bench.sync(*served, **CAUTIOUS)
    assert (report.status, len(report.succeeded)) == ("succeeded", 3)
    for slug, each in served.items():
        assert len(each.requests) == 3
        assert {"a", "b"} <= models_of(bench.database_url, slug).keys()


def both_families(name: str, known: Any = socket.getaddrinfo) -> Any:
    """The system's resolver, for which `name` has the addresses ::1 and 127.0.0.1, in this order."""

    def resolve(host: str | bytes | None, port: Any, *args: Any, **options: Any) -> Any:
        if host not in (name, name.encode()):
            return known(host, port, *args, **options)
        v6 = (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", int(port), 0, 0))
        return [v6, *known("127.0.0.1", port, type=socket.SOCK_STREAM)]

    return resolve


def test_n09_a_name_whose_ipv6_address_is_dead_is_reached_by_ipv4(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", both_families("both.invalid"))
    served = bench.serve("cerebras", answering(http(and_more(bench, "cerebras", "a"))))
    bench.point("cerebras", f"http://both.invalid:{served.port}")
    assert isinstance(bench.outcome("cerebras"), Synced)
    assert f"host: both.invalid:{served.port}" in served.requests[0].lower()


# Proxies

REAL = "https://api.groq.com"


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_n10_a_proxy_that_is_not_there(bench: Bench, no_proxies: pytest.MonkeyPatch) -> None:
    """What goes to this machine passes it by, so that the others are up to date."""
    no_proxies.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    no_proxies.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    bench.point("groq", REAL)
    failure = bench.failure("groq")
    assert (failure.kind, failure.message[:30]) == (FailureKind.TRANSIENT, "cannot connect to api.groq.com")


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
def test_n10_a_proxy_that_refuses(bench: Bench, servers: Servers, no_proxies: pytest.MonkeyPatch, status: str) -> None:
    proxy = servers.serve(answering(http(b"", status=status)))
    no_proxies.setenv("HTTPS_PROXY", f"http://someone:PASSWORD-77@127.0.0.1:{proxy.port}")
    bench.point("groq", REAL)
    failure = bench.failure("groq", **CAUTIOUS)
    assert (failure.kind, failure.message) == (FailureKind.CONFIG, "the proxy refused the connection")
    (request,) = proxy.requests
    assert request.startswith("CONNECT api.groq.com:443 HTTP/1.1\r\n")
    assert bench.values["GROQ_API_KEY"] not in request
    assert "PASSWORD-77" not in str(failure)


def test_n10_no_proxy_is_honoured(bench: Bench, no_proxies: pytest.MonkeyPatch) -> None:
    served = bench.serve("chutes", answering(http(and_more(bench, "chutes", "a"))))
    bench.point("chutes", f"http://127.0.0.2:{closed_port()}")
    no_proxies.setenv("HTTP_PROXY", served.origin)
    assert isinstance(bench.outcome("chutes"), Synced)  # answered by what stands where the proxy would
    assert served.requests[0].startswith("GET http://127.0.0.2:")
    no_proxies.setenv("NO_PROXY", "127.0.0.2")
    assert bench.failure("chutes").message.startswith("cannot connect to 127.0.0.2:")
    assert len(served.requests) == 1
