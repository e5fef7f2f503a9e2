"""H: answers in HTTP that are no list. Each test is a whole sync in which some providers fail and all others are in step."""

import asyncio
import datetime
import email.utils
import functools
import gzip
import itertools
import json
import time
from collections.abc import Callable

import pytest

from modelsync.errors import FailureKind
from modelsync.planning.outcome import NotModified, Synced
from support.faults import Bench, Served, and_more, groq, linux, measured_sync
from support.raw import Handler, answering, http
from support.sync import everything, models_of, query, table

CAUTIOUS = {"MODELSYNC_ATTEMPTS": "3"}
CANARY = "CANARY-77-of-the-account"

zipped = functools.partial(gzip.compress, mtime=0)


def serve_all(bench: Bench, answers: dict[str, bytes]) -> dict[str, Served]:
    return {slug: bench.serve(slug, answering(answer)) for slug, answer in answers.items()}


def gaps(served: Served) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(served.times)]


# Statuses


def test_h01_statuses_that_say_no_are_not_tried_again(bench: Bench) -> None:
    statuses = {"groq": 400, "nebius": 404, "chutes": 405, "cerebras": 410, "novita": 422}
    served = serve_all(bench, {slug: http(b"{}", status=f"{status} No") for slug, status in statuses.items()})
    failures = bench.failures(*statuses, **CAUTIOUS)
    for slug, failure in failures.items():
        expected = f"127.0.0.1:{served[slug].port} answered {statuses[slug]} instead of a list"
        assert (failure.kind, failure.message) == (FailureKind.UPSTREAM, expected)
        assert len(served[slug].requests) == 1


def test_h02_a_revoked_key_is_the_operators_turn(each_bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    each_bench.values |= {"GROQ_API_KEY": CANARY, "NEBIUS_API_KEY": f"{CANARY}-2"}
    echo = f'{{"error": "the key {CANARY} is revoked"}}'.encode()
    served = serve_all(each_bench, {"groq": http(echo, status="401 No"), "nebius": http(echo, status="403 No")})
    failures = each_bench.failures(*served, **CAUTIOUS)
    for slug, status in (("groq", 401), ("nebius", 403)):
        assert failures[slug].kind is FailureKind.CONFIG
        assert failures[slug].message == f"127.0.0.1:{served[slug].port} rejected the key ({status})"
        assert f"{slug.upper()}_API_KEY" in failures[slug].hint
        (request,) = served[slug].requests
        assert f"authorization: bearer {CANARY}".lower() in request.lower()
    assert CANARY not in f"{everything(each_bench.database_url)} {capsys.readouterr()}"


def test_h03_i32_402_with_an_account_in_the_body_shows_none_of_it(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    body = json.dumps({"error": {"message": f"no credit left for {CANARY}", "key_id": CANARY}}).encode()
    served = bench.serve("groq", answering(http(body, f"X-Account: {CANARY}", status=f"402 {CANARY}")))
    failure = bench.failure("groq", **CAUTIOUS)
    assert (failure.kind, failure.message) == (FailureKind.UPSTREAM, f"127.0.0.1:{served.port} answered 402 instead of a list")
    assert len(served.requests) == 1
    assert CANARY not in f"{everything(bench.database_url)} {capsys.readouterr()}"


async def later_by_date(writer: asyncio.StreamWriter, _: int) -> None:
    moment = datetime.datetime.fromtimestamp(int(time.time()) + 3, datetime.UTC)  # 2 to 3 seconds from now
    writer.write(http(b"", f"Retry-After: {email.utils.format_datetime(moment, usegmt=True)}", status="429 Slow"))


def slow_down(value: str) -> Handler:
    return answering(http(b"", f"Retry-After: {value}", status="429 Slow"))


def test_h04_retry_after_is_waited_for_where_it_makes_sense(bench: Bench) -> None:
    """Two tries each: what says nothing waits as long as any failure does, half a second to one."""
    handlers = {"nebius": later_by_date, "groq": slow_down("2"), "together": slow_down("999999")}
    handlers |= {"anannas": slow_down("-1"), "aimo": slow_down("soon")}
    served = {slug: bench.serve(slug, handler) for slug, handler in handlers.items()}
    failures = bench.failures(*handlers, MODELSYNC_ATTEMPTS="2")
    for slug, failure in failures.items():
        assert failure.kind is FailureKind.TRANSIENT
        assert failure.message.startswith(f"127.0.0.1:{served[slug].port} answered 429")
    assert failures["together"].message.endswith("asked to wait 999999 s")
    waits = {slug: gaps(each) for slug, each in served.items()}
    assert waits["together"] == []
    for slug, low in (("groq", 2), ("nebius", 1.9), ("anannas", 0.45), ("aimo", 0.45)):
        (wait,) = waits[slug]
        assert low <= wait < 15, slug


def test_h04_a_wait_beyond_the_deadline_is_not_begun(bench: Bench) -> None:
    served = bench.serve("groq", slow_down("30"))
    began = time.monotonic()
    assert bench.failure("groq", **CAUTIOUS, MODELSYNC_DEADLINE="20").kind is FailureKind.TRANSIENT
    assert time.monotonic() - began < 10
    assert len(served.requests) == 1


def test_h05_servers_in_trouble_are_asked_three_times_with_growing_waits(bench: Bench) -> None:
    statuses = {"groq": 500, "nebius": 502, "chutes": 503, "cerebras": 504}
    served = serve_all(bench, {slug: http(b"{}", status=f"{status} No") for slug, status in statuses.items()})
    failures = bench.failures(*statuses, **CAUTIOUS)
    for slug, failure in failures.items():
        assert (failure.kind, failure.message) == (FailureKind.TRANSIENT, f"127.0.0.1:{served[slug].port} answered {statuses[slug]}")
        first, second = gaps(served[slug])
        assert 0.45 <= first < 10
        assert 0.95 <= second < 10


def test_h06_i33_redirects_are_never_followed_and_no_header_leaves(bench: Bench) -> None:
    elsewhere = bench.servers.serve(answering(http(groq("a"))))
    places = {
        "groq": ("/elsewhere", None),
        "nebius": (f"{elsewhere.origin}/models", f"127.0.0.1:{elsewhere.port}"),
        "together": (f"http://localhost:{elsewhere.port}/models", f"localhost:{elsewhere.port}"),
        "anannas": ("http://169.254.169.254/latest/meta-data/", "169.254.169.254"),
        "aimo": ("file:///etc/passwd", "another place"),
        "chutes": ("", None),  # to itself, for ever
        "cerebras": (f"//user:pass@localhost:{elsewhere.port}/", f"localhost:{elsewhere.port}"),
        "novita": (f"https://127.0.0.1:{elsewhere.port}/", f"127.0.0.1:{elsewhere.port}"),
    }
    statuses = (301, 302, 303, 307, 308, 301, 302, 303)
    answers = {
        slug: http(b"", f"Location: {to}", status=f"{status} Moved")
        for (slug, (to, _)), status in zip(places.items(), statuses, strict=True)
    }
    served = serve_all(bench, answers)
    failures = bench.failures(*places, **CAUTIOUS)
    for slug, (_, named) in places.items():
        here = f"127.0.0.1:{served[slug].port}"
        assert (failures[slug].kind, failures[slug].message) == (FailureKind.UPSTREAM, f"{here} redirects to {named or here}")
        assert len(served[slug].requests) == 1
    assert elsewhere.requests == []


def test_h06_a_redirect_of_a_later_page_is_not_followed_either(bench: Bench) -> None:
    elsewhere = bench.servers.serve(answering(http(groq("a"))))
    first = b'{"data": [{"id": "a"}], "links": {"next": "/api/v1/models?offset=1"}}'
    moved = http(b"", f"Location: {elsewhere.origin}/models", status="302 Found")
    before = bench.kept("openrouter")
    served = bench.serve("openrouter", answering(http(first), moved))
    report = bench.sync("openrouter")
    assert (report.status, len(served.requests), elsewhere.requests) == ("failed", 2, [])
    assert bench.kept("openrouter") == before


HTML = b"<!doctype html><html><title>Sign in</title><form>password</form></html>"


def test_h07_answers_with_another_meaning_are_no_list(bench: Bench) -> None:
    a_list = groq("a", "b", "c")
    answers = {
        "groq": (http(HTML, "Content-Type: text/html"), "is an HTML page"),
        "nebius": (http(b"\n \t" + HTML, "Content-Type: application/json"), "is an HTML page"),  # a captcha that lies
        "together": (http(b'{"error": {"message": "quota"}}'), "with an error instead of a list"),
        "anannas": (http(b'{"success": false, "data": []}'), "with an error instead of a list"),
        "aimo": (b"HTTP/1.1 204 No Content\r\n\r\n", "answered 204 instead of a list"),
        "chutes": (http(a_list, "Content-Range: bytes 0-99/900", status="206 Partial Content"), "answered 206 instead of a list"),
        "cerebras": (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answered 304 instead of a list"),
        "novita": (http(b'{"models": []}'), "not the documented list"),
    }
    served = serve_all(bench, {slug: answer for slug, (answer, _) in answers.items()})
    failures = bench.failures(*answers, **CAUTIOUS)
    for slug, (_, expected) in answers.items():
        assert failures[slug].kind is FailureKind.UPSTREAM
        assert expected in failures[slug].message, slug
        assert len(served[slug].requests) == 1


# Types and encodings


def test_h08_what_the_header_says_of_a_list_does_not_matter(bench: Bench) -> None:
    body = json.dumps({"data": [{"id": row_id, "name": "Modèle"} for row_id in ("x", "y")]}, ensure_ascii=False).encode()
    types = {
        "groq": ("Content-Type: text/html",),
        "nebius": (),
        "together": ("Content-Type: application/json; charset=latin-1",),
        "anannas": ("Content-Type: ",),
    }
    for slug, headers in types.items():
        rows = json.loads(and_more(bench, slug, "x", "y"))["data"]
        rows = [{**row, "name": "Modèle", "display_name": "Modèle"} for row in rows]
        document: object = rows if slug == "together" else {"data": rows}
        body = json.dumps(document, ensure_ascii=False).encode()
        bench.serve(slug, answering(http((b"\xef\xbb\xbf" if slug == "anannas" else b"") + body, *headers)))
    report = bench.sync(*types)
    assert len(report.succeeded) == 4, report
    for slug in types:
        assert models_of(bench.database_url, slug)["x"]["model_name"] == "Modèle", slug


def test_h08_text_that_is_not_utf_8_is_no_list(bench: Bench) -> None:
    text = and_more(bench, "groq", "x").decode()
    bodies = {
        "nebius": text.encode("utf-16"),
        "chutes": text.encode("utf-32"),
        "cerebras": text.encode("cp500"),  # EBCDIC
    }
    serve_all(bench, {slug: http(body, "Content-Type: application/json; charset=latin-1") for slug, body in bodies.items()})
    failures = bench.failures(*bodies)
    assert {failure.kind for failure in failures.values()} == {FailureKind.UPSTREAM}


def test_h08_a_text_that_is_not_utf_8_costs_what_is_none_in_it(bench: Bench) -> None:
    text = and_more(bench, "groq", *(f"m{number}" for number in range(20)))
    body = text.replace(b'{"id": "m7"}', '{"id": "m7", "name": "Modèle"}'.encode("latin-1"))
    bench.serve("groq", answering(http(body, "Content-Type: application/json; charset=latin-1")))
    outcome = bench.outcome("groq")
    assert isinstance(outcome, Synced)
    assert (outcome.counts.fetched, outcome.counts.created, outcome.counts.skipped) == (26, 20, 0)
    assert models_of(bench.database_url, "groq")["m7"]["model_name"] == "Mod\ufffdle"


def test_h09_codings_that_were_not_asked_for_and_damaged_ones_are_no_list(bench: Bench) -> None:
    body = groq("a", "b")
    answers = {
        "groq": http(b"\x0b\x02\x80" + body, "Content-Encoding: br"),
        "nebius": http(b"\x28\xb5\x2f\xfd" + body, "Content-Encoding: zstd"),
        "chutes": http(zipped(zipped(body)), "Content-Encoding: gzip, gzip"),
        "cerebras": http(zipped(zipped(body)), "Content-Encoding: gzip"),  # what comes of it is gzip, and no JSON
        "novita": http(zipped(body)[:-1], "Content-Encoding: gzip"),
        "aimo": http(body, "Content-Encoding: gzip"),
        "anannas": http(zipped(body)),  # not said
    }
    served = serve_all(bench, answers)
    failures = bench.failures(*answers, **CAUTIOUS)
    assert {failure.kind for failure in failures.values()} == {FailureKind.UPSTREAM}
    for slug, coding in (("groq", "br"), ("nebius", "zstd"), ("chutes", "gzip, gzip")):
        assert failures[slug].message.endswith(f"content coding {coding!r} was not asked for")
    assert {len(each.requests) for each in served.values()} == {1}
    assert "accept-encoding: gzip\r\n" in served["groq"].requests[0].lower()


def test_h09_junk_after_gzip_is_left_alone(bench: Bench) -> None:
    """As gzip itself does: the list in front of it is whole, its length and checksum prove it."""
    bench.serve("groq", answering(http(zipped(and_more(bench, "groq", "a")) + b"junk", "Content-Encoding: gzip")))
    assert isinstance(bench.outcome("groq"), Synced)
    assert "a" in models_of(bench.database_url, "groq")


CAP_MIB = 16
BOMBS: dict[str, Callable[[], bytes]] = {
    "one member": lambda: http(gzip.compress(b" " * (128 << 20), 1), "Content-Encoding: gzip"),
    "many members": lambda: http(gzip.compress(b" " * (1 << 20)) * 128, "Content-Encoding: gzip"),
    "no coding": lambda: http(b"[" + b" " * (2 * CAP_MIB << 20)),
}


@linux
def test_h09_i36_bombs_do_not_fill_the_memory(bench: Bench) -> None:
    served = bench.serve("groq", answering(http(and_more(bench, "groq", "a"))))
    settings = {"MODELSYNC_MAX_BYTES": str(CAP_MIB << 20)}
    result, base = measured_sync(bench, **settings)
    assert (result["status"], result["models_synced"]) == ("synced", 7)
    before = bench.kept("groq")
    for name, bomb in BOMBS.items():
        served.handler = answering(bomb())
        result, peak = measured_sync(bench, **settings)
        assert (result["status"], "are larger than 16,777,216 bytes" in result["errors"][0]) == ("failed", True), name
        assert peak <= base + CAP_MIB + 32, name
        assert bench.kept("groq") == before


# Heads


def test_h10_heads_and_frames_that_are_no_http(bench: Bench) -> None:
    long_head = [f"X-{number}: {'x' * 190}" for number in range(1000)]
    answers = {
        "groq": http(groq("a"), f"X-Long: {'x' * 200_000}"),
        "nebius": http(groq("a"), *long_head),
        "together": http(b"zz\r\n" + groq("a") + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        "anannas": b'{"data": []}\r\n\r\n',  # as HTTP/0.9 had it
        "aimo": b"\x00\x01\x02\xff" * 1000 + b"\r\n\r\n",
        "chutes": http(groq("a"), "Content-Length: -5"),
        "cerebras": http(groq("a"), "Content-Length: 5", "Content-Length: 6"),
        "novita": b"HTTP/1.1 2000 OK\r\n\r\n",
    }
    serve_all(bench, answers)
    failures = bench.failures(*answers)
    for slug, failure in failures.items():
        assert failure.kind is FailureKind.TRANSIENT, slug
        assert failure.message.endswith("broke off (RemoteProtocolError)"), slug


def test_h10_a_thousand_short_headers_are_only_many(bench: Bench) -> None:
    bench.serve("groq", answering(http(and_more(bench, "groq", "a"), *(f"X-{number}: x" for number in range(1000)))))
    assert isinstance(bench.outcome("groq"), Synced)


# Validators


def test_h11_304_to_our_own_etag_confirms_the_whole_list(each_bench: Bench) -> None:
    served = each_bench.serve("groq", answering(http(and_more(each_bench, "groq", "a", "b"), 'ETag: "first"')))
    # The known models state no price here; while that is no more than silence, no answer is taken as unchanged.
    each_bench.sync("groq", MODELSYNC_RETIRE_AFTER_LISTINGS="1", MODELSYNC_RETIRE_AFTER_HOURS="0")
    before, history = models_of(each_bench.database_url, "groq"), len(table(each_bench.database_url, "model_changes"))
    states = {row["provider"]: row for row in table(each_bench.database_url, "provider_state")}
    served.handler = answering(b'HTTP/1.1 304 Not Modified\r\nETag: "first"\r\n\r\n')
    report = each_bench.sync("groq")

    assert 'if-none-match: "first"\r\n' in served.requests[-1].lower()
    (result,) = report.results
    assert isinstance(result.outcome, NotModified)
    assert report.status == "succeeded"
    assert (result.counts.fetched, result.counts.unchanged, result.counts.missing) == (8, 8, 0)
    assert models_of(each_bench.database_url, "groq") == before
    assert len(table(each_bench.database_url, "model_changes")) == history
    after = {row["provider"]: row for row in table(each_bench.database_url, "provider_state")}
    assert after["groq"]["complete_seq"] == states["groq"]["complete_seq"] + 1
    assert after["groq"]["last_success_at"] > states["groq"]["last_success_at"]
    (recorded,) = query(each_bench.database_url, f"SELECT outcome, error FROM sync_results WHERE run_id = {report.run_id}")
    assert recorded == {"outcome": "not_modified", "error": None}


def test_h11_an_etag_of_an_answer_that_was_not_believed_is_not_ours(bench: Bench) -> None:
    served = bench.serve("groq", answering(http(b'{"data": []}', 'ETag: "empty"')))
    bench.sync("groq")
    served.handler = answering(http(HTML, 'ETag: "page"'))
    bench.sync("groq")
    served.handler = answering(http(and_more(bench, "groq", "a"), 'ETag: "good"'))
    assert isinstance(bench.outcome("groq"), Synced)
    assert not any("if-none-match" in request.lower() for request in served.requests)
