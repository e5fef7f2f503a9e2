"""What clients without a key, or without manners, can do to a server: nothing that others notice. Raw sockets against a real server."""

import contextlib
import re
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from modelsync.model.model import Model
from support.api import ADMIN, Served, serving, started
from support.catalog import synced
from support.cli import environment
from support.client import AT_WORK, EXPORT, GET, LIMITS, SIGN_IN, SOON, Raw
from support.store import opened


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A catalog that is longer than what the system takes for a socket that nobody reads."""
    url = f"sqlite:///{tmp_path_factory.mktemp('big')}/catalog.db"
    with opened(url) as store:
        synced(store, "openrouter", [Model(id=f"maker/m{number:05}", description="long " * 400) for number in range(8_000)])
    return url


@pytest.fixture(scope="module")
def quick(big: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that waits for nobody longer than a second."""
    with serving(tmp_path_factory.mktemp("quick"), big, **LIMITS, MODELSYNC_EXPORTS="3", MODELSYNC_CLIENT_EXPORTS="1") as served:
        yield served


# Time


@pytest.mark.parametrize("said", [b"", b"GET /models HTTP/1.1\r\nHost: x\r\nX-Long: "])
def test_i42_a_request_that_never_ends_is_cut_off(quick: Served, said: bytes):
    connection = Raw(quick)
    connection.send(said)
    assert connection.is_cut_off()


def dripping(connection: Raw, within: float = SOON) -> bool:
    """Whether a client is cut off that sends one byte after the other."""
    ends_at = time.monotonic() + within
    while time.monotonic() < ends_at:
        try:
            connection.send(b"x")
        except ConnectionError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    "said",
    [
        b"GET /models HTTP/1.1\r\nHost: x\r\nX-Long: ",
        AT_WORK,
        b"POST /providers HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",  # which has its 401 at once
        b"POST /providers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        GET + b"GET /models HTTP/1.1\r\nX-Long: ",
    ],
    ids=["head", "body", "body without a key", "chunks", "second head"],
)
def test_i42_whoever_sends_byte_by_byte_is_cut_off(quick: Served, said: bytes):
    connection = Raw(quick)
    connection.send(said)
    assert dripping(connection)


def test_i42_what_was_cut_off_is_counted(quick: Served):
    def counted() -> dict[str, float]:
        time.sleep(1.1)  # numbers are made once a second
        lines = re.findall(
            r'^modelsync_http_connections_cut_off_total\{why="([a-z ]+)"\} ([0-9.]+)$', quick.client.get("/metrics").text, re.MULTILINE
        )
        return {why: float(number) for why, number in lines}

    before = counted()
    for said in (b"GET / HTTP/1.1\r\nX: ", AT_WORK, GET * 20_000):
        connection = Raw(quick)
        with contextlib.suppress(ConnectionError):
            connection.send(said)
        assert connection.is_cut_off()
    after = counted()
    for why in ("head", "body", "pipeline"):
        assert after[why] == before.get(why, 0) + 1, why


def test_i42_a_connection_that_is_not_used_is_closed(quick: Served):
    connection = Raw(quick)
    connection.send(GET)
    assert connection.status() == 200
    assert connection.is_cut_off()


def test_i42_whoever_does_not_read_an_export_is_cut_off_and_makes_room(quick: Served):
    connection = Raw(quick)
    connection.send(EXPORT)
    time.sleep(0.5)
    refused = quick.client.get("/models.ndjson")
    assert (refused.status_code, "exports of yours are under way" in refused.json()["detail"]) == (429, True)
    assert connection.ends_without_reading()
    time.sleep(0.5)
    assert quick.client.get("/models.ndjson").status_code == 200


def test_i42_whoever_reads_slowly_and_steadily_is_served(quick: Served):
    """Some hundred kilobytes a second, for four times as long as one may read nothing at all.

    The system takes more of an answer only when 64 KiB of it are gone: so much has to be read in that time.
    """
    connection = Raw(quick, buffer=65536)
    connection.send(EXPORT)
    came, ends_at = 0, time.monotonic() + 4
    while time.monotonic() < ends_at:
        came += len(connection.socket.recv(30_000))
        time.sleep(0.1)
    assert came > 300_000
    assert connection.socket.recv(10_000)


def test_i42_a_request_that_takes_its_time_is_let_be(quick: Served):
    connection = Raw(quick)
    for part in (GET[:10], GET[10:]):
        time.sleep(0.6)
        connection.send(part)
        if part is GET[10:]:
            assert connection.status() in (0, 200)
    slow = Raw(quick)
    slow.send(AT_WORK)
    time.sleep(0.5)
    slow.send(b'"' + b" " * 98)
    assert slow.status() == 422


# Size


def test_i42_a_head_has_32_kibibytes_at_most(quick: Served):
    fits = Raw(quick)
    fits.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 30_000 + b"\r\n\r\n")
    assert fits.status() == 200
    endless = Raw(quick)
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        endless.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: ")
        for _ in range(1000):
            endless.send(b"x" * 65536)
    assert time.monotonic() - began < SOON
    assert endless.is_cut_off(0.5)


def flooding(connection: Raw, piece: bytes) -> int:
    """Bytes that a client can send before it is cut off; 40 MB when it is not."""
    sent = 0
    connection.socket.settimeout(0.5)
    while sent < 40_000_000:
        try:
            sent += connection.socket.send(piece)
        except TimeoutError:
            if connection.ends_without_reading(SOON):
                return sent
        except ConnectionError:
            return sent
    return sent


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        (b"GET /models HTTP/1.1\r\n", b"a:\r\n" * 16384),
        (b"GET /" + b"x" * 100, b"x" * 65536),
        (EXPORT + b"GET /models HTTP/1.1\r\n", b"a:\r\n" * 16384),  # while an answer is under way
        (b"POST /providers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a:\r\n" * 16384),  # after a body
        (b"POST /providers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 65536),
    ],
    ids=["headers", "line", "second head", "trailers", "chunk extension"],
)
def test_i42_no_part_of_a_request_is_endless(quick: Served, said: bytes, piece: bytes):
    connection = Raw(quick)
    connection.send(said)
    assert flooding(connection, piece) < 8_000_000


@pytest.mark.parametrize(("headers", "status"), [(99, 200), (100, 0)])
def test_i42_a_request_has_a_hundred_headers_at_most(quick: Served, headers: int, status: int):
    connection = Raw(quick)
    connection.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * headers + b"\r\n")
    assert connection.status() == status


def test_i42_what_is_no_request_does_not_spoil_the_answer_before_it(quick: Served):
    connection = Raw(quick)
    connection.send(b"GET /models.ndjson?limit=300 HTTP/1.1\r\nHost: x\r\n\r\n\0\0\0 garbage \r\n\r\n")
    assert connection.is_cut_off()
    assert "Traceback" not in quick.log.read_text("utf-8")


def test_i42_only_a_few_requests_are_taken_before_they_are_answered(quick: Served):
    few = Raw(quick)
    few.send(GET * 10)
    came, ends_at = b"", time.monotonic() + SOON
    while came.count(b"HTTP/1.1 200 OK") < 10 and time.monotonic() < ends_at:
        came += few.socket.recv(65536)
    assert came.count(b"HTTP/1.1 200 OK") == 10
    many = Raw(quick)
    with contextlib.suppress(ConnectionError):
        many.send(GET * 20_000)
    assert many.is_cut_off()


# Number


def test_i42_a_client_has_so_many_connections(big: str, tmp_path: Path):
    with serving(tmp_path, big, MODELSYNC_CLIENT_CONNECTIONS="4") as served:
        served.client.close()
        held = [Raw(served) for _ in range(8)]
        cut = [connection.is_cut_off(0.5) for connection in held]
        assert cut.count(True) >= 4
        other = Raw(served, "127.0.0.2")
        other.send(GET)
        assert other.status() == 200
        for connection in held:
            connection.close()
        time.sleep(0.2)
        again = Raw(served)
        again.send(GET)
        assert again.status() == 200


def test_i42_when_there_is_no_room_whoever_says_nothing_makes_it(big: str, tmp_path: Path):
    with serving(tmp_path, big, MODELSYNC_CONNECTIONS="6") as served:
        served.client.close()
        silent = [Raw(served, f"127.0.0.{number}") for number in range(2, 8)]
        time.sleep(0.2)
        late = Raw(served, "127.0.0.9")
        late.send(GET)
        assert late.status() == 200
        assert silent[0].is_cut_off(0.5)  # the one that has been silent for longest
        assert not silent[5].is_cut_off(0.2)


def test_i42_whoever_is_at_work_keeps_its_place(big: str, tmp_path: Path):
    with serving(tmp_path, big, MODELSYNC_CONNECTIONS="3") as served:
        served.client.close()
        working = [Raw(served, f"127.0.0.{number}") for number in range(2, 5)]
        for connection in working:
            connection.send(AT_WORK)
        time.sleep(0.3)
        late = Raw(served, "127.0.0.9")
        assert late.is_cut_off(1)
        working[0].send(b'"' + b" " * 98)
        assert working[0].status() == 422


@pytest.mark.parametrize(
    ("limit", "each"), [({"MODELSYNC_CLIENT_EXPORTS": "2"}, "yours"), ({"MODELSYNC_EXPORTS": "2"}, "as many as may be")]
)
def test_i42_exports_count_until_they_are_sent(big: str, tmp_path: Path, limit: dict[str, str], each: str):
    with serving(tmp_path, big, **limit) as served:
        held = [Raw(served, "127.0.0.1" if each == "yours" else f"127.0.0.{number}") for number in (2, 3)]
        for connection in held:
            connection.send(EXPORT)
        time.sleep(1.5)
        refused = served.client.get("/models.csv")
        assert (refused.status_code, each in refused.json()["detail"]) == (429 if each == "yours" else 503, True)
        assert int(refused.headers["Retry-After"]) > 0
        assert served.client.get("/models").status_code == 200
        for connection in held:
            connection.close()
        time.sleep(0.5)
        assert served.client.get("/models.csv").status_code == 200


# Questions


@pytest.mark.parametrize("page", ["/models", "/models/search", "/models.csv", "/providers", "/providers/search"])
def test_i36_a_search_has_eight_words_at_most(quick: Served, page: str):
    for words in ("a " * 8, "  a b c d e f g h  ", "\u00a0".join("abcdefgh"), "%", "_ \\"):
        assert quick.client.get(page, params={"q": words}).status_code == 200, words
    for words in ("a " * 9, "a b c d e f g h i", "\u3000".join("abcdefghi"), "+".join("abcdefghi").replace("+", " ")):
        answer = quick.client.get(page, params={"q": words})
        assert (answer.status_code, answer.json()["detail"]) == (422, "q: these are more than 8 words; leave some out"), words


@pytest.fixture
def locked(database_url: str, tmp_path: Path) -> Iterator[Served]:
    """A server whose database takes for ever about models."""
    if database_url.startswith("sqlite"):
        pytest.skip("nobody can keep a reader of SQLite waiting; test_serving stops one")
    with opened(database_url) as store:
        synced(store, "openrouter", [Model(id="m")])
        with (
            serving(tmp_path, database_url, MODELSYNC_QUERY_SECONDS="0.5", MODELSYNC_CLIENT_SEARCHES="3") as served,
            store.writing() as other,
        ):
            assert served.client.get("/models/stats").status_code == 200
            other.exec_driver_sql("LOCK TABLE models IN ACCESS EXCLUSIVE MODE")
            yield served


def test_i42_a_question_that_takes_too_long_is_stopped_and_says_what_to_do(locked: Served):
    answer = locked.client.get("/models", params={"q": "word"})
    assert (answer.status_code, "ask with fewer words" in answer.json()["detail"]) == (503, True)
    assert locked.client.get("/models?offset=5").status_code == 503  # a plain page does not wait for ever either
    assert locked.client.get("/health/live").status_code == 200


def test_i42_one_client_asks_so_many_dear_questions_at_once(locked: Served):
    held = [Raw(locked) for _ in range(6)]
    for number, connection in enumerate(held):
        connection.send(b"GET /models?q=word%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    assert sorted(connection.status() for connection in held) == [429] * 3 + [503] * 3
    assert locked.client.get("/models?q=again").status_code == 503  # and nothing stays counted


# Proxies


def test_i42_a_trusted_proxy_is_not_limited_and_whoever_it_speaks_for_is(big: str, tmp_path: Path):
    limits = {"MODELSYNC_RATE": "2", "MODELSYNC_CLIENT_CONNECTIONS": "2", "MODELSYNC_TRUSTED_PROXIES": "127.0.0.1"}
    with serving(tmp_path, big, **limits) as served:
        assert {served.client.get("/health/live").status_code for _ in range(30)} == {200}  # its own questions
        for client in ("203.0.113.1", "203.0.113.2", "2001:db8::1"):
            statuses = [served.client.get("/models", headers={"X-Forwarded-For": client}).status_code for _ in range(10)]
            assert (statuses[:4], 429 in statuses) == ([200] * 4, True), client
        assert served.client.get("/models", headers={"X-Forwarded-For": "2001:db8::2"}).status_code == 429  # the same network
        assert served.client.get("/models", headers={"X-Forwarded-For": "203.0.113.1, 203.0.113.9"}).status_code == 200
        assert len([connection for connection in [Raw(served) for _ in range(5)] if not connection.is_cut_off(0.2)]) == 5
        stranger = Raw(served, "127.0.0.2")
        for _ in range(6):  # whose header says nothing
            stranger.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n")
        time.sleep(0.5)
        assert b" 429 " in stranger.socket.recv(65536)


ADA = {"X-Forwarded-User": "ada@example.org"}


@pytest.fixture
def signed_in(tmp_path: Path) -> Iterator[Served]:
    """A server of a small catalog behind a proxy at which people sign in."""
    url = f"sqlite:///{tmp_path}/catalog.db"
    with opened(url) as store:
        synced(store, "openrouter", [Model(id="m")])
    with serving(tmp_path, url, **SIGN_IN) as served:
        yield served


def test_i30_whoever_signed_in_at_the_proxy_may_do_what_the_setting_says(signed_in: Served):
    assert signed_in.client.get("/admin/audit", headers=ADA).status_code == 200
    number = signed_in.get("/providers/slug/openrouter")["id"]
    changed = signed_in.client.patch(f"/providers/{number}", headers=ADA, json={"name": "Ours", "reason": "a test"})
    assert changed.status_code == 200
    assert signed_in.admin.get("/admin/audit").json()["data"][0]["actor"] == "proxy:ada@example.org"
    for odd in ({}, {"X-Forwarded-User": ""}, {"X-Forwarded-User": "x" * 201}, {"X-Remote-User": "ada"}):
        assert signed_in.client.get("/admin/audit", headers=odd).status_code == 401, odd
    twice = [("X-Forwarded-User", "ada"), ("X-Forwarded-User", "eve")]  # one of them is the client's own
    assert signed_in.client.get("/admin/audit", headers=twice).status_code == 401
    wrong = {**ADA, "Authorization": "Bearer guess"}  # a key that is given is the one that counts
    assert signed_in.client.get("/admin/audit", headers=wrong).status_code == 401


def test_i30_nobody_else_can_send_that_header(tmp_path: Path):
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", **SIGN_IN, MODELSYNC_TRUSTED_PROXIES="127.0.0.2") as served:
        for headers in (b"", b"X-Forwarded-For: 127.0.0.1\r\n"):
            stranger = Raw(served, "127.0.0.2")
            stranger.send(b"GET /admin/audit HTTP/1.1\r\nHost: x\r\nX-Forwarded-User: ada\r\n" + headers + b"\r\n")
            assert stranger.status() == 401


def test_i30_no_page_of_another_site_acts_for_whoever_signed_in(signed_in: Served):
    evil = {"Origin": "https://evil.example"}
    for page in (
        evil,
        {"Origin": "null"},
        *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site")),
        evil | {"Sec-Fetch-Site": "none"},
    ):
        assert signed_in.client.post("/admin/pause", headers=ADA | page, json={"reason": "r"}).status_code == 401, page
        assert signed_in.client.get("/admin/audit", headers=ADA | page).status_code == 200  # which no such page can read
    own = {"Origin": signed_in.base, "Sec-Fetch-Site": "same-origin"}
    assert signed_in.client.post("/admin/pause", headers=ADA | own, json={"reason": "r"}).status_code == 200


def test_i30_signing_in_is_good_for_reading_unless_a_setting_says_more(tmp_path: Path):
    more = {name: value for name, value in SIGN_IN.items() if not name.endswith("SCOPE")}
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", **more) as served:
        assert served.client.get("/admin/audit", headers=ADA).status_code == 200
        refused = served.client.post("/admin/pause", headers=ADA, json={"reason": "r"})
        assert (refused.status_code, "Signing in at the proxy is good for read" in refused.json()["detail"]) == (403, True)


# The machine


def test_i42_an_export_that_finds_no_room_is_refused_and_nothing_else_is(big: str, tmp_path: Path):
    room = tmp_path / "small"
    room.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(room)], check=False, capture_output=True).returncode
    if mounted:
        pytest.skip("no file system of a mebibyte can be made here")
    try:
        with serving(tmp_path, big, TMPDIR=str(room)) as served:
            answer = served.client.get("/models.ndjson", headers={"Accept-Encoding": "identity"})
            assert (answer.status_code, "could not be written" in answer.json()["detail"]) == (503, True)
            assert served.client.get("/models").status_code == 200
            assert served.client.get("/models.csv?limit=5").status_code == 200
            assert "No space left" in served.log.read_text("utf-8")
    finally:
        subprocess.run(["umount", "-l", str(room)], check=False)


def test_i42_no_more_connections_are_taken_than_the_system_has_handles_for(big: str, tmp_path: Path):
    """With as few as 500, 1,000 connections from many addresses leave enough for a sync, and for whoever asks."""
    env = environment(tmp_path, None, ADMIN_API_KEY=ADMIN, MODELSYNC_RATE="0", DATABASE_URL=big)
    with started(tmp_path, env, first=few_handles) as served:
        assert "500 open files: 148 connections at once instead of 512" in served.log.read_text("utf-8")
        for number in range(1000):
            with contextlib.suppress(ConnectionError):
                Raw(served, f"127.0.{number // 200 + 1}.{number % 200 + 1}")
        assert len(list(Path(f"/proc/{served.process.pid}/fd").iterdir())) < 400
        assert httpx2.get(f"{served.base}/models").status_code == 200
        assert "out of system resource" not in served.log.read_text("utf-8")


def few_handles() -> None:
    """For the server's own process."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))
