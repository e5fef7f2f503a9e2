"""P and S7: lists that are broken inside. Each test is a whole sync; what cannot be read changes nothing, and breaks nothing else."""

import asyncio
import json
import re
import time
from typing import Any

import pytest

from modelsync.errors import FailureKind
from modelsync.planning.outcome import Held, Outcome, Synced
from support.faults import Bench, and_more, groq, linux, measured_sync
from support.raw import Handler, answering, http
from support.sync import counts, models_of, query

CAUTIOUS = {"MODELSYNC_ATTEMPTS": "3"}


def synced(outcome: Outcome) -> Synced:
    assert isinstance(outcome, Synced), outcome
    return outcome


# Documents


def test_p01_documents_that_are_no_list(bench: Bench) -> None:
    good = groq("a", "b")
    bodies = {
        "groq": (good[:-1], "the answer is cut off: its JSON does not end"),
        "nebius": (good + b"x", f"the answer is not valid JSON at byte {len(good)} (something after the end)"),
        "together": (b'{"models": []}', "not the documented list"),
        "anannas": (b"null", "not the documented list"),
        "aimo": (b'"a list"', "not the documented list"),
        "chutes": (good + good, f"the answer is not valid JSON at byte {len(good)} (a second document?)"),
        "cerebras": (b'[{"id": "a"}]', "not the documented list"),
        "novita": (b'{"data": {"id": "a"}}', "not the documented list"),
    }
    served = {slug: bench.serve(slug, answering(http(body))) for slug, (body, _) in bodies.items()}
    failures = bench.failures(*bodies, **CAUTIOUS)
    for slug, (_, expected) in bodies.items():
        assert failures[slug].kind is FailureKind.UPSTREAM
        assert expected in failures[slug].message, slug
        assert len(served[slug].requests) == 1


@pytest.mark.parametrize("body", [b"", b" \n", b"17", b"true", b'{"data": null}', b'{"data": 3}', b"while(1);" + groq("a"), b"f([])"])
def test_p01_more_of_them(bench: Bench, body: bytes) -> None:
    bench.serve("groq", answering(http(body)))
    assert bench.failure("groq").kind is FailureKind.UPSTREAM


def test_p01_a_list_cut_anywhere(bench: Bench) -> None:
    """Wherever a small list ends too early, nothing of it is used."""
    body = json.dumps({"data": [{"id": "a", "name": 'é "q"'}, {"id": "b"}]}, ensure_ascii=False).encode()
    served = bench.serve("groq", answering(http(b"")))
    before = bench.kept("groq")
    for at in range(0, len(body), 7):
        served.handler = answering(http(body[:at]))
        (result,) = bench.sync("groq").results
        assert result.error is not None, body[:at]
    assert bench.kept("groq") == before


def with_row(bench: Bench, row: str) -> bytes:
    """What the catalog has of Groq, and one row more, as it is written."""
    return and_more(bench, "groq", "LAST").replace(b'{"id": "LAST"}', row.encode())


DEEP = "[" * 100_000 + "]" * 100_000


REPLACED = "what could not be read as text in it is replaced by U+FFFD"


@pytest.mark.parametrize(
    ("row", "name", "warned"),
    [
        (rb'{"id": "new", "name": "cut \ud83d..."}', "cut \ufffd...", [REPLACED]),
        ('{"id": "new", "name": "Modèle"}'.encode("latin-1"), "Mod\ufffdle", [REPLACED]),
        (b'{"id": "new", "name": "two\nlines"}', "two\ufffdlines", [REPLACED]),
        (b'{"id": "new", "name": "n", "x": %b}' % DEEP.encode(), "n", [REPLACED]),
        (b'{"id": "new", "name": "n", "context_window": %b}' % DEEP.encode(), "n", [REPLACED, "unreadable context_window: "]),
        (b'{"id": "new", "name": "n", "context_window": NaN}', "n", ["unreadable context_window: "]),
        (b'{"id": "new", "name": "n", "pricing": {"prompt": -Infinity}}', "n", ["price incomplete: `prompt`"]),
    ],
    ids=["surrogate", "latin-1", "newline", "deep value", "deep field", "NaN", "Infinity"],
)
def test_i41_what_is_odd_in_one_row_costs_one_value(bench: Bench, row: bytes, name: str, warned: list[str]) -> None:
    bench.serve("groq", answering(http(b"\xef\xbb\xbf" + and_more(bench, "groq", "LAST").replace(b'{"id": "LAST"}', row))))
    (result,) = bench.sync("groq").results
    assert synced(result.outcome).counts.created == 1
    told = [warning.removeprefix("new: ").startswith(expected) for warning, expected in zip(result.warnings, warned, strict=True)]
    assert told == [True] * len(warned)
    stored = models_of(bench.database_url, "groq")
    assert len(stored) == 7
    assert (stored["new"]["model_name"], stored["new"]["context_length"], stored["new"]["pricing_prompt"]) == (name, None, None)


def test_i41_rows_of_no_shape_however_deep_cost_themselves(bench: Bench) -> None:
    bench.serve("groq", answering(http(with_row(bench, DEEP))))
    found = synced(bench.outcome("groq"))
    assert (found.counts.fetched, found.counts.skipped, found.counts.synced) == (7, 1, 6)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"id": "single"} {', "expected ',' or ']'"),
        ("{'id': 'quotes'}", "expected '\"'"),
        ('{"id": "comma",}', "a trailing comma?"),
        ('{"id": undefined}', "invalid character"),
    ],
    ids=["half a row", "quotes", "comma", "undefined"],
)
@pytest.mark.parametrize("slug", ["groq", "openrouter"])  # reading meets it first, or paging
def test_p02_json_that_is_none_is_no_list(bench: Bench, slug: str, row: str, said: str) -> None:
    body = and_more(bench, slug, "LAST").replace(b'{"id": "LAST"}', row.encode())
    bench.serve(slug, answering(http(body)))
    failure = bench.failure(slug, **CAUTIOUS)
    assert failure.kind is FailureKind.UPSTREAM
    assert re.fullmatch(rf"models: the answer is not valid JSON at byte [0-9,]+ \({re.escape(said)}\)", failure.message)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"data": [], "models": []}'.encode("utf-16"), "the answer is UTF-16, not UTF-8"),
        (b'{"data": [{"id": "a"},]}', "the answer is not valid JSON at byte 22 (a trailing comma?)"),
        (b"<!doctype html><html></html>", "the answer is an HTML page, not JSON"),
        (b'{"data": []', "the answer is cut off: its JSON does not end"),
        (b"{}{}", "the answer is not valid JSON at byte 2 (a second document?)"),
        (b"list({})", "the answer is a JavaScript call around JSON (JSONP), not JSON"),
        (b"[" * 100_000, "the answer is nested too deeply"),
        (b"[]", "the answer is JSON, but not the documented list"),
        (b'{"error": {"code": 500}}', "the provider answered with an error instead of a list"),
        (b"", "the answer is empty"),
    ],
    ids=["UTF-16", "comma", "HTML", "cut", "two", "JSONP", "deep", "array", "error", "nothing"],
)
def test_p01_one_sentence_whether_paging_or_reading_meets_it_first(bench: Bench, body: bytes, said: str) -> None:
    slugs = ("groq", "openrouter", "near")
    for slug in slugs:
        bench.serve(slug, answering(http(body)))
    failures = bench.failures(*slugs)
    assert {slug: failure.message for slug, failure in failures.items()} == dict.fromkeys(slugs, f"models: {said}")


@pytest.mark.parametrize(
    ("row", "expected", "warned"),
    [
        ('{"id": "new", "context_window": %s}' % ("9" * 5000), {"context_length": None}, "new: unreadable context_window"),
        ('{"id": "new", "other": %s}' % ("9" * 5000), {"context_length": None}, "new: unreadable other"),
        ('{"id": "new", "context_window": 1e400}', {"context_length": None}, "new: unreadable context_window"),
        ('{"id": "new", "pricing": {"prompt": 1e400}}', {"pricing_prompt": None}, "price incomplete: `prompt`"),
        ('{"id": "new", "pricing": {"prompt": "1e400"}}', {"pricing_prompt": None}, "price incomplete: `prompt`"),
        ('{"id": "new", "pricing": {"prompt": "NaN"}}', {"pricing_prompt": None}, "price incomplete: `prompt`"),
        ('{"id": "new", "x": %s}' % ("[" * 900 + "]" * 900), {"context_length": None}, None),
    ],
    ids=["5000 digits", "5000 digits elsewhere", "1e400", "price 1e400", "price 1e400 in text", "price NaN in text", "depth 900"],
)
def test_p02_a_value_out_of_all_bounds_is_not_stated(bench: Bench, row: str, expected: dict[str, Any], warned: str | None) -> None:
    bench.serve("groq", answering(http(with_row(bench, row))))
    (result,) = bench.sync("groq").results
    assert synced(result.outcome).counts.created == 1
    assert [warning.startswith(warned or "") for warning in result.warnings] == ([True] if warned else [])
    stored = models_of(bench.database_url, "groq")
    assert len(stored) == 7
    assert {name: stored["new"][name] for name in expected} == expected


def test_p02_of_doubled_keys_the_last_one_counts(bench: Bench) -> None:
    """As in nearly every reader of JSON; also where the second list hides the first."""
    body = with_row(bench, '{"id": "first", "id": "second", "context_window": 1000, "context_window": 2000}')
    bench.serve("groq", answering(http(b'{"data": [{"id": "hidden"}], ' + body.removeprefix(b"{"))))
    assert synced(bench.outcome("groq")).counts.fetched == 7
    stored = models_of(bench.database_url, "groq")
    assert stored["second"]["context_length"] == 2000
    assert not {"first", "hidden"} & stored.keys()


# Sizes


def many(bench: Bench, models: int, size: int) -> bytes:
    """So many models and those of the catalog, each row of about `size` bytes."""
    text = b"d" * (size - 80)
    rows = (b'{"id": "many/model-%06d", "context_window": 131072, "description": "%s"}' % (number, text) for number in range(models))
    return and_more(bench, "groq", "LAST").replace(b'{"id": "LAST"}', b",".join(rows))


@linux
def test_p03_a_list_of_50_mb(bench: Bench) -> None:
    bench.serve("groq", answering(http(many(bench, 4000, 12_500))))
    result, peak = measured_sync(bench, MODELSYNC_DEADLINE="60")
    assert (result["status"], result["models_created"]) == ("synced", 4000)
    assert peak < 400


@linux
@pytest.mark.soak
def test_p03_a_list_of_50_mb_and_20_000_models(each_bench: Bench) -> None:
    each_bench.serve("groq", answering(http(many(each_bench, 20_000, 2500))))
    result, peak = measured_sync(each_bench, MODELSYNC_DEADLINE="60")
    assert (result["status"], result["models_created"]) == ("synced", 20_000)
    assert peak < 400


def test_p03_half_a_million_models_are_over_the_limit_and_change_nothing(bench: Bench) -> None:
    bench.serve("groq", answering(http(many(bench, 500_000, 145))))
    began = time.monotonic()
    failure = bench.failure("groq", **CAUTIOUS)
    assert time.monotonic() - began < 20
    assert failure.kind is FailureKind.UPSTREAM
    assert failure.message.endswith("are larger than 67,108,864 bytes")


# Rows

LIST = [f"model-{number:02}" for number in range(24)]  # and six that the catalog has: thirty


def broken(row_id: str) -> bytes:
    """A row that is no model, for the name of a field is not UTF-8, but whose id can be read."""
    return f'{{"id": "{row_id}", "é": 1}}'.encode("latin-1")


def listed(bench: Bench, *rows: bytes, without: tuple[str, ...] = ()) -> bytes:
    """The thirty known models but for some, and these rows."""
    known = sorted({*models_of(bench.database_url, "groq"), *LIST} - set(without))
    good = [json.dumps({"id": row_id}).encode() for row_id in known]
    return b'{"data": [%s]}' % b", ".join([*good, *rows])


def test_p04_one_bad_row_is_rejected_and_seen_and_the_rest_applied(each_bench: Bench) -> None:
    served = each_bench.serve("groq", answering(http(listed(each_bench))))
    assert synced(each_bench.outcome("groq")).counts.created == 24
    before = models_of(each_bench.database_url, "groq")
    body = listed(each_bench, broken("model-22"), b'{"id": "new"}', without=("model-22",))
    served.handler = answering(http(body))
    found = synced(each_bench.outcome("groq"))
    assert (found.counts.fetched, found.counts.skipped, found.counts.created, found.counts.missing) == (31, 1, 1, 0)
    after = models_of(each_bench.database_url, "groq")
    assert after.keys() - before.keys() == {"new"}
    assert after["model-22"] == before["model-22"]


@pytest.mark.parametrize("row", ["{}", "7", "null", '"model"', "[]", '{"id": 5}', '{"id": ""}', '{"id": " a"}', '{"id": "a\\u0000"}'])
def test_p04_rows_that_are_no_models(bench: Bench, row: str) -> None:
    bench.serve("groq", answering(http(with_row(bench, row))))
    found = synced(bench.outcome("groq"))
    assert (found.counts.fetched, found.counts.skipped, found.counts.synced) == (7, 1, 6)
    assert len(models_of(bench.database_url, "groq")) == 6


@pytest.mark.parametrize("row", [b"{}", broken("model-22")], ids=["no id", "an id"])
def test_p04_all_bad_is_held(bench: Bench, row: bytes) -> None:
    served = bench.serve("groq", answering(http(listed(bench))))
    bench.sync("groq")
    before = models_of(bench.database_url, "groq")
    served.handler = answering(http(b'{"data": [%s]}' % b", ".join([row] * 30)))
    outcome = bench.outcome("groq")
    assert isinstance(outcome, Held)
    assert (outcome.reason, outcome.message[:33]) == ("invalid", "none of the 30 rows could be read")
    assert models_of(bench.database_url, "groq") == before
    assert [(hold["kind"], hold["status"]) for hold in query(bench.database_url, "SELECT * FROM holds")] == [("invalid", "open")]


@pytest.mark.parametrize(("unreadable", "held"), [(3, False), (4, True)])
def test_p04_absence_is_held_where_more_than_a_tenth_is_unreadable(bench: Bench, unreadable: int, held: bool) -> None:
    """27 known models and so many bad rows: 3 of 30 are a tenth, 4 of 31 more. Three absences alone are none too many."""
    served = bench.serve("groq", answering(http(listed(bench))))
    bench.sync("groq")
    served.handler = answering(http(listed(bench, *[b"{}"] * unreadable, without=tuple(LIST[:3]))))
    found = synced(bench.outcome("groq"))
    assert [(hold.kind, len(hold.ids)) for hold in found.holds] == ([("shrink", 3)] if held else [])
    missing = [row for row in models_of(bench.database_url, "groq").values() if row["missing_since"]]
    assert len(missing) == (0 if held else 3)


# Pages


def links(ids: tuple[str, ...], following: str | None) -> bytes:
    """A page of OpenRouter."""
    return http(json.dumps({"data": [{"id": row_id} for row_id in ids], "links": {"next": following}}).encode())


def counted(ids: tuple[str, ...], total: object) -> bytes:
    """A page of NEAR AI."""
    return http(json.dumps({"models": [{"modelId": row_id} for row_id in ids], "total": total}).encode())


def tokens(ids: tuple[str, ...], following: str) -> bytes:
    """A page of Fireworks."""
    rows = [{"name": f"accounts/fireworks/models/{row_id}"} for row_id in ids]
    return http(json.dumps({"models": rows, "nextPageToken": following}).encode())


def fail(bench: Bench, pages: dict[str, list[bytes]], *, kind: FailureKind, asked: int, said: str) -> None:
    """Pages that are no list to the end: nothing of any page is used."""
    served = {slug: bench.serve(slug, answering(*answers)) for slug, answers in pages.items()}
    for slug, failure in bench.failures(*pages).items():
        assert (failure.kind, len(served[slug].requests)) == (kind, asked), (slug, failure)
        assert said in failure.message, slug


def test_p05_a_repeated_page_or_cursor_fails_the_whole_list(each_bench: Bench) -> None:
    pages = {
        "openrouter": [links(("a",), "/api/v1/models?offset=1"), links(("b",), "/api/v1/models?offset=1")],
        "near": [counted(("a",), 9), counted(("a",), 9)],
        "fireworks": [tokens(("a",), "t"), tokens(("b",), "t")],
    }
    fail(each_bench, pages, kind=FailureKind.UPSTREAM, asked=2, said="the pages of the list cannot be followed: ")


def test_p05_pages_in_a_circle_fail_the_whole_list(bench: Bench) -> None:
    circle = [links(("a",), "/api/v1/models?offset=1"), links(("b",), "/api/v1/models?offset=2")] * 2
    tokens_around = [tokens(("a",), "s"), tokens(("b",), "t"), tokens(("c",), "s")]
    fail(
        bench,
        {"openrouter": circle, "fireworks": tokens_around},
        kind=FailureKind.UPSTREAM,
        asked=3,
        said="the same page was offered twice",
    )


@pytest.mark.parametrize(
    ("second", "kind", "said"),
    [
        (http(b"{}", status="500 No"), FailureKind.TRANSIENT, "answered 500"),
        (http(b"{}", status="404 No"), FailureKind.UPSTREAM, "answered 404 instead of a list"),
        (http(b"{}", status="401 No"), FailureKind.CONFIG, "401"),
        (b"", FailureKind.TRANSIENT, "broke off"),
        (http(b'{"data": [', "Content-Length: 900"), FailureKind.TRANSIENT, "broke off"),
        (http(b'{"data": ['), FailureKind.UPSTREAM, "models: the answer is cut off: its JSON does not end"),
        (http(b"<html>"), FailureKind.UPSTREAM, "models: the answer is an HTML page, not JSON"),
    ],
    ids=["500", "404", "401", "closed", "cut", "half JSON", "HTML"],
)
def test_p05_a_second_page_that_fails_fails_the_whole_list(bench: Bench, second: bytes, kind: FailureKind, said: str) -> None:
    pages = {
        "openrouter": [links(("a",), "/api/v1/models?offset=1"), second],
        "near": [counted(("a",), 9), second],
        "fireworks": [tokens(("a",), "t"), second],
    }
    fail(bench, pages, kind=kind, asked=2, said=said)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (counted(("c",), 3), "the list shrank from 4 to 3 rows"),
        (counted((), 2), "the list shrank from 4 to 2 rows"),
        (counted(("c", "d"), None), "total is not stated"),
        (counted(("c", "d"), "four"), "total is not stated"),
        (counted(("c", "d"), True), "total is not stated"),
    ],
    ids=["shrinks", "shrinks to what is read", "null", "text", "true"],
)
def test_p05_a_total_that_shrinks_or_is_none_fails_the_whole_list(bench: Bench, second: bytes, said: str) -> None:
    fail(bench, {"near": [counted(("a", "b"), 4), second]}, kind=FailureKind.UPSTREAM, asked=2, said=said)


def stating(slug: str, ids: tuple[str, ...], total: int) -> Handler:
    """A list of OpenRouter or NEAR AI that says that it has so many rows."""
    if slug == "near":
        return answering(counted(ids, total), counted((), total))
    rows = [{"id": row_id} for row_id in ids]
    return answering(http(json.dumps({"data": rows, "links": {"next": None}, "total_count": total}).encode()))


@pytest.mark.parametrize("slug", ["openrouter", "near"])
def test_i41_a_list_that_is_shorter_than_it_says_makes_nothing_absent(each_bench: Bench, slug: str) -> None:
    known = tuple(models_of(each_bench.database_url, slug))
    served = each_bench.serve(slug, stating(slug, known, len(known)))
    assert synced(each_bench.outcome(slug)).counts.missing == 0
    for _ in range(2):
        served.requests.clear()
        served.handler = stating(slug, known[:-1], len(known))
        (result,) = each_bench.sync(slug).results
        assert synced(result.outcome).counts.missing == 0
        assert any(warning.endswith("came, so absent models are left as they are") for warning in result.warnings)
        assert models_of(each_bench.database_url, slug)[known[-1]]["missing_since"] is None
    served.requests.clear()
    served.handler = stating(slug, known[:-1], len(known) - 1)
    assert synced(each_bench.outcome(slug)).counts.missing == 1


def test_p05_pages_that_overlap_count_each_model_once(bench: Bench) -> None:
    near = [*models_of(bench.database_url, "near"), "a"]
    router = [*models_of(bench.database_url, "openrouter"), "a"]
    bench.serve("near", answering(counted(tuple(near[:4]), 7), counted(tuple(near[3:]), 7)))
    bench.serve("openrouter", answering(links(tuple(router[:4]), "/api/v1/models?offset=4"), links(tuple(router[3:]), None)))
    report = bench.sync("near", "openrouter")
    for slug in ("near", "openrouter"):
        found = counts(report)[slug]
        assert (found.fetched, found.skipped, found.created, found.missing) == (7, 1, 1, 0), slug
        assert "a" in models_of(bench.database_url, slug)


def endless(page: Any) -> Handler:
    async def handle(writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(0.01)
        writer.write(page(number))

    return handle


def test_p05_i36_pages_without_end_stop_at_the_deadline(bench: Bench) -> None:
    served = {
        "openrouter": bench.serve("openrouter", endless(lambda number: links((f"m{number}",), f"/api/v1/models?offset={number}"))),
        "near": bench.serve("near", endless(lambda number: counted((f"m{number}",), number + 1))),
        "fireworks": bench.serve("fireworks", endless(lambda number: tokens((f"m{number}",), f"t{number}"))),
    }
    began = time.monotonic()
    failures = bench.failures(*served, MODELSYNC_DEADLINE="3")
    assert 3 <= time.monotonic() - began < 8
    for slug, failure in failures.items():
        assert failure.kind is FailureKind.TRANSIENT
        assert failure.message.endswith("within 3 s")
        assert len(served[slug].requests) > 2


# Values


@pytest.mark.parametrize("value", ["0", "-1", "1e12", "1000000000000", '"128k"', "1.5", "true", "[1]", "{}", "null"])
def test_s07_a_context_length_that_is_none_is_not_stated(bench: Bench, value: str) -> None:
    """In a new row there is none then; a known one keeps what it had. 0 and null say nothing, and need no warning."""
    bench.serve("groq", answering(http(with_row(bench, f'{{"id": "new", "context_window": {value}}}'))))
    (result,) = bench.sync("groq").results
    assert synced(result.outcome).counts.created == 1
    assert models_of(bench.database_url, "groq")["new"]["context_length"] is None
    assert ["new: " in warning and "context" in warning for warning in result.warnings] == ([] if value in ("0", "null") else [True])


@pytest.mark.parametrize("value", ["0", "-1", "1000000000000", '"128k"'])
def test_s07_a_known_context_length_is_not_erased(bench: Bench, value: str) -> None:
    known = [row_id for row_id in models_of(bench.database_url, "groq") if row_id != "orchard/gpt-oss-77b"]
    row = f'{{"id": "orchard/gpt-oss-77b", "context_window": {value}}}'
    body = groq(*known, "LAST").replace(b'{"id": "LAST"}', row.encode())
    bench.serve("groq", answering(http(body)))
    synced(bench.outcome("groq"))
    assert models_of(bench.database_url, "groq")["orchard/gpt-oss-77b"]["context_length"] == 131072


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ('["text", "smell"]', ["text"]),  # a word that nobody declares is left out, and told
        ('["Text", " image ", "TEXT"]', ["text", "image"]),
        ('"text"', None),
        ('["text", 5]', None),
        ("[]", None),
    ],
)
def test_s07_modalities_that_are_not_known(bench: Bench, value: str, stored: list[str] | None) -> None:
    bench.serve("groq", answering(http(with_row(bench, f'{{"id": "new", "input_modalities": {value}}}'))))
    (result,) = bench.sync("groq").results
    assert synced(result.outcome).counts.created == 1
    assert models_of(bench.database_url, "groq")["new"]["input_modalities"] == stored
    assert len(result.warnings) == (value in ('"text"', '["text", 5]', '["text", "smell"]'))
