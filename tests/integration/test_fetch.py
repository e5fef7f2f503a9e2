"""The client towards providers against servers that misbehave on the wire: it ends in time, once, and with its key at home."""

import asyncio
import datetime
import email.utils
import functools
import gzip
import time
import zlib

import msgspec
import pytest
import structlog

from modelsync import logs
from modelsync.errors import Failure, FailureKind
from modelsync.fetch import Fetched, FetchLimits, KeyCredential, NeedsKey, Unfollowed, Unmodified, Validators
from support.raw import CANARY, KEY, LIST, QUICK, Came, answering, fetch_from, http

URL = "https://api.groq.com/openai/v1/models"


def failed(came: Came) -> Failure:
    result = came.result.failure if isinstance(came.result, Unfollowed) else came.result
    assert isinstance(result, Failure), result
    return result


def body_of(came: Came) -> bytes:
    assert isinstance(came.result, Fetched), came.result
    ((_, answer),) = came.result.answers
    return answer.body


def test_an_answer_arrives_byte_for_byte() -> None:
    came = fetch_from(answering(http(LIST, 'ETag: "e"', "X-Odd: \xe9")))
    assert body_of(came) == LIST
    (request,) = came.requests
    assert request.startswith("GET /openai/v1/models HTTP/1.1\r\n")
    assert f"authorization: bearer {CANARY}".lower() in request.lower()


# Time


async def drip_body(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(http(b"", "Content-Length: 1000"))
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.2)


async def drip_head(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(1000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.2)


async def never(_: asyncio.StreamWriter, __: int) -> None:
    await asyncio.sleep(60)


async def endless_pages(writer: asyncio.StreamWriter, number: int) -> None:
    await asyncio.sleep(0.1)
    writer.write(http(b'{"data": [{"id": "m%d"}], "links": {"next": "/api/v1/models?offset=%d"}}' % (number, number)))


@pytest.mark.parametrize(
    ("handler", "slug"),
    [(drip_body, "groq"), (drip_head, "groq"), (never, "groq"), (endless_pages, "openrouter")],
    ids=lambda value: str(value)[:20],
)
def test_the_deadline_holds_for_everything_together(handler: object, slug: str) -> None:
    came = fetch_from(handler, slug, limits=FetchLimits(deadline=1.0))  # type: ignore[arg-type]
    assert 0.9 <= came.seconds < 20
    assert failed(came).kind is FailureKind.TRANSIENT
    assert failed(came).message.endswith("within 1 s")


# Retries


@pytest.mark.parametrize(
    ("status", "tries"),
    [(408, 3), (429, 3), (500, 3), (502, 3), (503, 3), (504, 3)] + [(each, 1) for each in (400, 401, 403, 404, 410, 422, 501)],
)
def test_only_what_may_pass_is_tried_again(status: int, tries: int) -> None:
    came = fetch_from(answering(http(b"{}", status=f"{status} Said")))
    assert len(came.requests) == tries
    assert failed(came).kind is (
        FailureKind.TRANSIENT if tries == 3 else FailureKind.CONFIG if status in (401, 403) else FailureKind.UPSTREAM
    )
    assert str(status) in failed(came).message


def test_a_network_that_breaks_off_is_tried_again() -> None:
    came = fetch_from(answering(b""))
    assert (len(came.requests), failed(came).kind) == (3, FailureKind.TRANSIENT)
    came = fetch_from(answering(b"", http(b"{", "Content-Length: 900"), http()))
    assert (len(came.requests), body_of(came)) == (3, LIST)


def test_attempts_are_a_setting() -> None:
    came = fetch_from(answering(http(status="500 No")), limits=msgspec.structs.replace(QUICK, attempts=1))
    assert len(came.requests) == 1


@pytest.mark.parametrize("value", ["1", "date"])
def test_retry_after_is_waited_for(value: str) -> None:
    if value == "date":
        moment = datetime.datetime.fromtimestamp(int(time.time()) + 2, datetime.UTC)  # 1 to 2 seconds from now
        value = email.utils.format_datetime(moment, usegmt=True)
    came = fetch_from(answering(http(b"", f"Retry-After: {value}", status="429 Slow"), http()))
    assert (len(came.requests), body_of(came)) == (2, LIST)
    assert 0.9 <= came.seconds < 10


@pytest.mark.parametrize("value", ["0", "-5", "soon", "nan", "1e400", "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Foo 2026 00:00:00 GMT", ""])
def test_retry_after_that_says_nothing_is_no_reason_to_wait(value: str) -> None:
    came = fetch_from(answering(http(b"", f"Retry-After: {value}", status="503 Later"), http()))
    assert (len(came.requests), body_of(came)) == (2, LIST)
    assert came.seconds < 4


@pytest.mark.parametrize("value", ["5", "3600", "9" * 300])
def test_retry_after_beyond_the_deadline_fails_at_once(value: str) -> None:
    came = fetch_from(
        answering(http(b"", f"Retry-After: {value}", status="429 Slow"), http()), limits=FetchLimits(deadline=4.5, first_wait=0.01)
    )
    if len(value) < 300:  # a number that is no time is as good as none
        assert (len(came.requests), failed(came).message) == (1, failed(came).message)
        assert f"answered 429 and asked to wait {value} s" in failed(came).message
    assert came.seconds < 4


# Where requests go


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    async def handle(writer: asyncio.StreamWriter, number: int) -> None:
        port = writer.get_extra_info("sockname")[1]
        writer.write(http(b"", f"Location: http://localhost:{port}/elsewhere", status=f"{status} Moved") if number == 1 else http())

    came = fetch_from(handle)
    assert len(came.requests) == 1
    assert failed(came).kind is FailureKind.UPSTREAM
    assert "redirects to localhost:" in failed(came).message


@pytest.mark.parametrize("location", ["http://[bad", "//", "\t", "http://" + "a" * 5000, None])
def test_redirects_to_nowhere_are_not_followed_either(location: str | None) -> None:
    headers = () if location is None else (f"Location: {location}",)
    came = fetch_from(answering(http(b"", *headers, status="302 Found")))
    assert len(came.requests) == 1
    assert len(failed(came).message) < 400


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.invalid/api/v1/models",
        "//elsewhere.invalid/api/v1/models",
        "https://openrouter.ai:8443/api/v1/models",
        "https://openrouter.ai@elsewhere.invalid/api/v1/models",
        "https://user@openrouter.ai/api/v1/models",
        "http://openrouter.ai/api/v1/models",
        "ftp://openrouter.ai/api/v1/models",
        "https://[bad",
        "/../deepinfra/v1/openai/models",
        "https://openrouter.ai/../deepinfra/v1/openai/models",
        "https://openrouter.ai/api/v1/../../../deepinfra/v1/openai/models",
        "/api/v1/%2e%2e/%2E%2e/../deepinfra/v1/openai/models",
        "/api/v1/..%2f..%2f..%2fdeepinfra/v1/openai/models",
        "/api/v1/%252e%252e/%252e%252e/%252e%252e/deepinfra/models",
        "/api/v1/..;/..;/..;/deepinfra/models",
        "https://openrouter.ai/api/v1/b%2fc%2fd%2fe%2ff/../../../../deepinfra/models",
        "..\\\\..\\\\..\\\\deepinfra\\\\models",
        "/deepinfra/v1/openai/models",
        "/api/v2/models",
        "/api/v1x/models",
        "/",
        "/api/v1/%252525252e",
    ],
)
@pytest.mark.parametrize("everywhere", [False, True])
def test_i33_a_next_page_anywhere_else_is_not_asked_for(link: str, everywhere: bool) -> None:
    page = b'{"data": [{"id": "a"}], "links": {"next": "%s"}}' % link.encode()
    came = fetch_from(answering(http(page)), "openrouter", everywhere=everywhere)
    assert len(came.requests) == 1
    assert failed(came).kind is FailureKind.UPSTREAM
    assert failed(came).message.startswith("the pages of the list cannot be followed: the link to the next page ")


def test_a_next_page_in_the_link_header_stays_at_home_too() -> None:
    """The hub only fills: its failure costs nothing, but no request leaves."""
    hub = fetch_hub('<https://huggingface.co/api/../deepinfra/models>; rel="next"')
    assert [request.split()[1].partition("?")[0] for request in hub] == ["/v1/models", "/api/models"]
    home = fetch_hub('<https://huggingface.co/api/models?cursor=x%3D>; rel="next"')
    assert [request.split()[1] for request in home][2:] == ["/api/models?cursor=x%3D"]


def fetch_hub(link: str) -> list[str]:
    """The requests for Hugging Face's router and hub, whose first page has this Link header."""
    pages = (http(b'{"data": [{"id": "a"}]}'), http(b"[]", f"Link: {link}"), http(b"[]"))
    return fetch_from(answering(*pages), "huggingface", credential=None, options={"hub_limit": 2000}).requests


def test_a_next_page_at_home_is() -> None:
    first = b'{"data": [{"id": "a"}], "links": {"next": "https://openrouter.ai/api/v1/models?offset=1"}}'
    came = fetch_from(answering(http(first), http(b'{"data": [{"id": "b"}], "links": {"next": null}}')), "openrouter")
    assert isinstance(came.result, Fetched)
    assert [request.split()[1] for request in came.requests] == ["/api/v1/models?output_modalities=all", "/api/v1/models?offset=1"]
    assert all(CANARY in request for request in came.requests)


@pytest.mark.parametrize(
    "origin", ["http://192.0.2.1:9", "http://example.invalid", "http://127.0.0.1.example.invalid", "http://localhost.example.invalid"]
)
def test_i33_a_key_never_goes_over_plain_http_to_another_machine(origin: str) -> None:
    came = fetch_from(answering(http()), origin=origin)
    assert failed(came) == Failure(
        FailureKind.CONFIG, "a key would be sent over plain http", "Use https, or a loopback address, in MODELSYNC_ORIGIN"
    )
    assert came.seconds < 5


def test_a_key_that_cannot_be_sent_is_named_by_its_variable() -> None:
    for key in ("bad\nkey", "bad\rkey", "schl\u00fcssel", "\U0001f511", "nul\0"):
        came = fetch_from(answering(http()), credential=KeyCredential(key, "GROQ_API_KEY"))
        assert failed(came).kind is FailureKind.CONFIG
        assert "GROQ_API_KEY" in failed(came).hint
        assert key not in str(came.result)
        assert came.requests == []


def test_no_key_is_asked_for_by_name() -> None:
    assert fetch_from(answering(http()), credential=None).result == NeedsKey(("GROQ_API_KEY",))
    came = fetch_from(answering(http(status="401 No")), "openrouter", credential=None)
    assert came.result == NeedsKey(("OPENROUTER_API_KEY",))
    came = fetch_from(answering(http(status="401 No")), "cerebras", credential=None)  # whose list takes no key
    assert "request without a key" in failed(came).message
    assert "CEREBRAS_API_KEY" not in str(failed(came))
    came = fetch_from(answering(http(status="403 No")), "openrouter", credential=None)
    assert failed(came).hint.endswith("set OPENROUTER_API_KEY")


# Statuses that are no list


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial Content", "304 Not Modified", "203 Not Quite", "100 Continue", "999 Odd"]
)
def test_other_statuses_are_no_list(status: str) -> None:
    came = fetch_from(
        answering(http(b"" if status[:3] in ("204", "304") else LIST, status=status)), limits=FetchLimits(deadline=2, first_wait=0.01)
    )
    assert failed(came).kind in (FailureKind.UPSTREAM, FailureKind.TRANSIENT)


def test_304_counts_only_when_it_was_asked_for() -> None:
    not_modified = http(b"", status="304 Not Modified")
    known = Validators(URL, etag='"e1"', last_modified="Thu, 01 Jan 2026 00:00:00 GMT")
    came = fetch_from(answering(not_modified), validators=known)
    assert came.result == Unmodified()
    assert 'if-none-match: "e1"' in came.requests[0].lower()
    assert "if-modified-since: thu, 01 jan 2026 00:00:00 gmt" in came.requests[0].lower()

    came = fetch_from(answering(not_modified), validators=Validators("https://api.groq.com/another", etag='"e1"'))
    assert "304 instead of a list" in failed(came).message
    assert "if-none-match" not in came.requests[0].lower()


# Sizes and codings


zipped = functools.partial(gzip.compress, mtime=0)  # the ids of tests are the same in every process

LIMITED = FetchLimits(deadline=10, attempts=1, max_bytes=100_000)


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


async def endless(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(http(b"", "Transfer-Encoding: chunked"))
    while True:
        writer.write(chunked(b" " * 10_000))
        await writer.drain()


def zeros(size: int) -> bytes:
    return gzip.compress(b" " * size)


def test_the_size_limit_is_of_decoded_bytes_and_of_all_pages() -> None:
    exactly = b" " * (100_000 - len(LIST)) + LIST
    assert body_of(fetch_from(answering(http(exactly)), limits=LIMITED)) == exactly
    told = "are larger than 100,000 bytes"
    assert told in failed(fetch_from(answering(http(exactly + b" ")), limits=LIMITED)).message
    assert told in failed(fetch_from(endless, limits=LIMITED)).message
    for bomb in (zeros(30_000_000), zeros(50_000) * 6, zipped(LIST) + zeros(30_000_000)):
        came = fetch_from(answering(http(bomb, "Content-Encoding: gzip")), limits=LIMITED)
        assert told in failed(came).message
        assert failed(came).hint == "Nothing was changed; raise MODELSYNC_MAX_BYTES if that is right"
        assert came.seconds < 10

    page = b'{"data": [], "links": {"next": "/api/v1/models?offset=%d"}}' + b" " * 40_000
    came = fetch_from(answering(*(http(page % number) for number in range(5))), "openrouter", limits=LIMITED)
    assert told in failed(came).message
    assert len(came.requests) == 3


GZIPPED = zipped(LIST)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", GZIPPED),
        ("x-gzip", GZIPPED),
        ("GZIP", GZIPPED),
        ("identity", LIST),
        ("", LIST),
        ("gzip", GZIPPED + b"trailing junk"),
        ("gzip", GZIPPED + b"\0" * 512),
        ("gzip", GZIPPED + b"\x1f"),
        ("gzip", zipped(LIST[:10]) + zipped(LIST[10:])),
        ("gzip", b"".join(zipped(LIST[at : at + 1]) for at in range(len(LIST)))),
    ],
)
@pytest.mark.parametrize("piecewise", [False, True], ids=["whole", "piecewise"])
def test_codings_that_are_understood(coding: str, body: bytes, *, piecewise: bool) -> None:
    answer = http(body, f"Content-Encoding: {coding}")
    if piecewise:
        parts = [body[at : at + 1] for at in range(len(body))]
        answer = http(chunked(*parts) + b"0\r\n\r\n", f"Content-Encoding: {coding}", "Transfer-Encoding: chunked")
    assert body_of(fetch_from(answering(answer))) == LIST


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("br", LIST, "content coding 'br' was not asked for"),
        ("zstd", LIST, "content coding 'zstd' was not asked for"),
        ("deflate", zlib.compress(LIST), "content coding 'deflate' was not asked for"),
        ("gzip, gzip", zipped(GZIPPED), "content coding 'gzip, gzip' was not asked for"),
        ("gzip", GZIPPED[:-9], "the gzip data ends early"),
        ("gzip", GZIPPED[:-1], "the gzip data ends early"),
        ("gzip", b"", "the gzip data ends early"),
        ("gzip", LIST, "the gzip data is damaged"),
        ("gzip", GZIPPED[:-5] + b"\0" + GZIPPED[-4:], "the gzip data is damaged"),
        ("gzip", GZIPPED + GZIPPED[:12], "the gzip data ends early"),
    ],
)
def test_codings_that_are_not(coding: str, body: bytes, reason: str) -> None:
    came = fetch_from(answering(http(body, f"Content-Encoding: {coding}")))
    assert (failed(came).kind, len(came.requests)) == (FailureKind.UPSTREAM, 1)
    assert failed(came).message.endswith(f"cannot be decoded: {reason}")


# Secrets


def test_i31_no_message_and_no_log_line_shows_a_key(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> None:
    logs.configure(verbose=True, secrets=())  # so that it is not the redaction that hides it
    request.addfinalizer(structlog.reset_defaults)
    echo = f'{{"error": "the key {CANARY} is wrong"}}'.encode()
    answers = [
        *(http(echo, status=f"{status} {CANARY}") for status in (200, 204, 301, 400, 401, 403, 404, 429, 500)),
        http(echo, f"Location: https://elsewhere.invalid/{CANARY}", status="302 Found"),
        http(echo, f"Location: https://{CANARY}@elsewhere.invalid/", status="302 Found"),
        http(echo, f"Retry-After: {CANARY}", status="503 Later"),
        http(echo, f"Content-Encoding: {CANARY[:6]}"),
        http(echo[:10], "Content-Length: 500"),
        f"{CANARY}\r\n\r\n".encode(),
        b"",
    ]
    for answer in answers:
        came = fetch_from(answering(answer), limits=msgspec.structs.replace(QUICK, attempts=2))
        if isinstance(came.result, Failure):
            assert CANARY not in str(came.result).replace("'canary'", ""), answer
    shown = capsys.readouterr().err
    assert "answered" in shown
    assert CANARY not in shown
    assert CANARY not in repr(KEY)


def test_the_password_of_an_origin_is_not_shown() -> None:
    for answer in (http(status="500 No"), http(status="404 No"), b"", http(status="302 Found")):
        came = fetch_from(
            answering(answer), origin="http://someone:PASSWORD-77@127.0.0.1:{port}", limits=msgspec.structs.replace(QUICK, attempts=1)
        )
        assert "PASSWORD-77" not in str(failed(came))
