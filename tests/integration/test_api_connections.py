"""Connections as a careful reader of the code takes them apart: held for ever, cut off without need, believed in what they say last."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync.model.model import Model
from support.api import Served, serving
from support.catalog import synced
from support.client import LIMITS, SIGN_IN, Raw
from support.store import opened

PAGE = b"GET /models?limit=%d HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A catalog of models of some 3 kB each."""
    url = f"sqlite:///{tmp_path_factory.mktemp('wide')}/catalog.db"
    with opened(url) as store:
        synced(store, "openrouter", [Model(id=f"maker/m{number:05}", description="long " * 400) for number in range(1_000)])
    return url


@pytest.fixture(scope="module")
def quick(wide: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that waits for nobody longer than a second."""
    with serving(tmp_path_factory.mktemp("quick"), wide, **LIMITS, **SIGN_IN) as served:
        yield served


def test_i42_whoever_reads_nothing_of_a_last_answer_is_cut_off(quick: Served):
    """An answer after which the server closes, whatever of it the system has taken: to HTTP/1.0, with another request behind it."""
    held = []
    for limit in (30, 40, 50, 60, 70, 80):
        held.append(Raw(quick))
        first = PAGE.replace(b"1.1", b"1.0") % limit
        held[-1].send(first.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n") + PAGE % 1)
    time.sleep(5)
    assert [connection.ends_without_reading(1) for connection in held] == [True] * len(held)


def test_i42_whoever_reads_a_page_slowly_and_steadily_has_all_of_it(wide: str, tmp_path: Path):
    """It takes longer than a connection may be without a request, and the end of it comes out of the server's own memory."""
    with serving(tmp_path, wide, MODELSYNC_IDLE_SECONDS="1", MODELSYNC_HEAD_SECONDS="1", MODELSYNC_STALL_SECONDS="5") as served:
        connection = Raw(served, buffer=65536)
        connection.send(PAGE % 175)
        head = connection.socket.recv(2_000)
        start, length = head.index(b"\r\n\r\n") + 4, int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        assert 450_000 < length < 520_000  # two pieces, of which the last is nearly as long as the first
        came = len(head) - start
        while came < length:
            part = connection.socket.recv(25_000)
            assert part, f"{came:,} of {length:,} bytes"
            came += len(part)
            time.sleep(0.3)
        assert came == length


@pytest.mark.parametrize("name", [b"X-Forwarded-User", b"x-forwarded-user"])
def test_i30_a_trailer_is_no_header(quick: Served, name: bytes):
    def status(path: bytes, headers: bytes, trailer: bytes) -> int:
        connection = Raw(quick)
        body = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + b'{"reason":"rrr"}' + b"\r\n0\r\n"
        connection.send(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\n" + headers + body + trailer + b"\r\n")
        return connection.status()

    said = name + b": boss\r\n"
    assert status(b"/admin/pause", b"", said) == 401
    assert status(b"/admin/pause", said, b"") == 200
    assert status(b"/admin/resume", said, b"X-Request-ID: mine\r\n") == 200  # a trailer does no harm


def test_i42_a_body_of_tiny_pieces_is_cut_off(quick: Served):
    connection = Raw(quick)
    connection.send(b"POST /providers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        connection.send(b"1\r\nx\r\n" * 20_000)
    assert connection.is_cut_off(0.7)  # and not for taking longer than a second


def test_a_body_that_is_too_long_is_told_so(quick: Served):
    """Though the answer is there before all of it was sent."""
    for length in (2_000_000, 8_000_000):
        connection = Raw(quick)
        connection.send(b"POST /providers HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: ada\r\nContent-Length: %d\r\n\r\n" % length)
        connection.send(b"x" * length)
        assert connection.status() == 413


def test_i42_a_body_that_was_refused_is_not_read_for_ever(quick: Served):
    connection = Raw(quick)
    connection.send(b"POST /providers HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
    ends_at, cut = time.monotonic() + 0.9, False
    while time.monotonic() < ends_at and not cut:
        try:
            connection.send(b"x" * 100_000)
        except ConnectionError:
            cut = True
    assert cut


def test_i42_long_answers_that_one_client_does_not_read_are_in_nobody_elses_way(quick: Served):
    """A quarter of what may wait is one client's: two answers of 1.6 MB, and no third."""
    held = [Raw(quick, "127.0.0.3") for _ in range(12)]
    for number, connection in enumerate(held):
        connection.send(b"GET /models?limit=500&offset=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    time.sleep(0.8)
    answer = quick.client.get("/models?limit=500&offset=99", headers={"Accept-Encoding": "identity"})
    assert (answer.status_code, len(answer.json()["data"])) == (200, 500)
    statuses = [connection.status() for connection in held]
    assert 503 in statuses, statuses


def test_packed_only_for_whoever_takes_it(quick: Served):
    for accepted, packed in (
        ("gzip", True),
        ("gzip;q=0.5, br", True),
        ("gzip;q=0", False),
        ("br, gzip; q=0.000", False),
        ("identity", False),
    ):
        for page in ("/models", "/models.ndjson", "/openapi.json", "/models/stats"):
            answer = quick.client.get(page, headers={"Accept-Encoding": accepted})
            assert answer.status_code == 200
            assert (answer.headers.get("content-encoding") == "gzip") is (packed and len(answer.content) > 1024), (page, accepted)
            again = quick.client.get(page, headers={"Accept-Encoding": accepted})  # which may be kept
            assert (again.content, {*again.headers}) == (answer.content, {*answer.headers})
            if page in ("/models", "/models/stats"):
                assert again.headers.get_list("vary") == answer.headers.get_list("vary") == ["Accept, Accept-Encoding"]
                known = quick.client.get(page, headers={"Accept-Encoding": accepted, "If-None-Match": answer.headers["etag"]})
                assert (known.status_code, known.content, "content-length" in known.headers) == (304, b"", False)


def test_i30_a_name_is_read_as_proxies_write_it(quick: Served):
    for name, shown in (("Łukasz Ágnes".encode(), "Łukasz Ágnes"), (b"J\xfcrgen", "Jürgen")):
        connection = Raw(quick)
        body = b"Content-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"reason":"rrr"}'
        connection.send(b"POST /admin/pause HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: " + name + b"\r\n" + body)
        assert connection.status() == 200
        assert quick.admin.get("/admin/audit").json()["data"][0]["actor"] == f"proxy:{shown}"
        assert quick.admin.post("/admin/resume", json={"reason": "r"}).status_code == 200
