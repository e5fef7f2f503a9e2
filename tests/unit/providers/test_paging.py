"""Paging, driven by hand: which addresses are asked, in which order, and that every list of pages ends."""

import contextlib
import dataclasses
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.errors import Failure, FailureKind
from modelsync.providers import paging, registry
from modelsync.providers.base import Answer, Endpoint, NoOptions, PagingError, each_endpoint
from modelsync.providers.builtin import fal
from modelsync.providers.builtin.openrouter import PROVIDER
from modelsync.testing import answer

URL = "https://api.test.invalid/v1/models?limit=2"
BROKEN = Failure(FailureKind.TRANSIENT, "broken", "try later")
quick = settings(max_examples=100, deadline=None, derandomize=True)


def endpoint(paging_function=paging.single, **facts):
    return Endpoint(url=URL, row=NoOptions, paging=paging_function, **facts)


def asked(flow, respond):
    """The addresses a flow asks. `respond(url)` gives a document, an Answer or a Failure; the flow must end by itself."""
    urls = []
    try:
        request = next(flow)
        while True:
            urls.append(request.url)
            came = respond(request.url)
            request = flow.send(came if isinstance(came, Answer | Failure) else answer(came, request.url))
    except StopIteration:
        return urls


def walk(pages, *documents, url=URL):
    """The addresses asked when the answers are `documents` in turn; more questions than answers are an IndexError."""
    queue = list(documents)
    return asked(pages(endpoint(), url), lambda _: queue.pop(0))


# Addresses


@pytest.mark.parametrize(
    ("url", "parameters", "expected"),
    [
        ("https://h/p", {"a": 1}, "https://h/p?a=1"),
        ("https://h/p?a=0&b=2", {"a": 1}, "https://h/p?a=1&b=2"),
        ("https://h/p?b=", {"a": 1}, "https://h/p?b=&a=1"),
        ("https://h/p", {"a": "x+y/z==&q #é%"}, "https://h/p?a=x%2By%2Fz%3D%3D%26q+%23%C3%A9%25"),
        ("https://h/p?q=x%2By", {"a": 1}, "https://h/p?q=x%2By&a=1"),
        ("https://h:1/p/?a=1#f", {"a": 2}, "https://h:1/p/?a=2#f"),
    ],
)
def test_parameters_are_set_and_quoted(url, parameters, expected):
    assert paging.with_query(url, **parameters) == expected


@quick
@given(st.text())
def test_any_token_arrives_as_it_is(token):
    assert parse_qs(urlsplit(paging.with_query(URL, t=token)).query, keep_blank_values=True) == {"limit": ["2"], "t": [token]}


# One answer


def test_single_asks_once():
    assert walk(paging.single, {}) == [URL]
    assert walk(paging.single, BROKEN) == [URL]


# Links in the answer


@pytest.mark.parametrize(
    ("link", "followed"),
    [
        ("https://api.test.invalid/v1/models?page=2", "https://api.test.invalid/v1/models?page=2"),
        ("/v1/models?page=2", "https://api.test.invalid/v1/models?page=2"),
        ("?page=2", "https://api.test.invalid/v1/models?page=2"),
        ("models?page=2", "https://api.test.invalid/v1/models?page=2"),
        ("/v1/models?t=a%2Bb%3D%3D", "https://api.test.invalid/v1/models?t=a%2Bb%3D%3D"),
    ],
)
def test_a_link_is_followed_as_it_is(link, followed):
    assert walk(paging.next_link("links.next"), {"links": {"next": link}}, {"links": {"next": None}}) == [URL, followed]


def test_relative_links_are_relative_to_the_page_they_stand_on():
    pages = walk(paging.next_link("next"), {"next": "/v1/list?p=2"}, {"next": "?p=3"}, {})
    assert pages == [URL, "https://api.test.invalid/v1/list?p=2", "https://api.test.invalid/v1/list?p=3"]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://evil.test.invalid/v1/models", "leads to another scheme, host or port"),
        ("//evil.test.invalid/x", "leads to another scheme, host or port"),
        ("http://169.254.169.254/", "leads to another scheme, host or port"),
        ("http://api.test.invalid/v1/models", "leads to another scheme, host or port"),
        ("https://api.test.invalid:444/v1/models", "leads to another scheme, host or port"),
        ("https://me@api.test.invalid/v1/models", "carries user information"),
        ("https://api.test.invalid/v1/../models", "leads out of /v1/"),
        ("/v1/%2e%2e/models", "leads out of /v1/"),
        ("/v2/models", "leads out of /v1/"),
        ("https://api.test.invalid", "leads out of /v1/"),
        ("/v1/%252525252541", "is encoded too many times"),
        ("https://api.test.invalid:port/v1/models", "is no address"),
    ],
)
def test_i33_a_link_that_leaves_the_list_fails_it_and_says_how(link, said):
    with pytest.raises(PagingError, match=f"^the link to the next page {said}$"):
        walk(paging.next_link("next"), {"next": link})


@pytest.mark.parametrize(
    "link", ["HTTPS://API.test.invalid:443/v1/models?p=2", "/v1/a/../b?next=/../../x", "/v1/./models;v=1", "/v1/a%20b"]
)
def test_a_link_that_stays_is_followed_however_it_is_written(link):
    assert len(walk(paging.next_link("next"), {"next": link}, {})) == 2


@pytest.mark.parametrize("last", [{}, {"links": {}}, {"links": {"next": None}}, {"links": {"next": ""}}])
def test_no_link_is_the_end(last):
    assert walk(paging.next_link("links.next"), last) == [URL]


@pytest.mark.parametrize("link", [5, True, ["x"], {"href": "x"}, "http://[x", "//["])
def test_a_link_that_is_no_address_fails(link):
    with pytest.raises(PagingError, match="not an address"):
        walk(paging.next_link("next"), {"next": link})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"<html>", b'{"links": {"next": "x"', b"[" * 100_000, b'{"links": []}', b'{"links": 5}']
)
def test_a_page_that_cannot_be_read_fails(body):
    with pytest.raises(PagingError):
        walk(paging.next_link("links.next"), answer(body))


@pytest.mark.parametrize("slug", ["openrouter", "near", "fal", "fireworks", "alibaba"])
@pytest.mark.parametrize(
    "rest",
    [
        b'"x": ' + b"[" * 100_000 + b"]" * 100_000,
        b'"links": %b, "total": %b, "next_cursor": %b, "nextPageToken": %b, "output": %b' % ((b"[" * 900 + b"]" * 900,) * 5),
        b'"links": {"next": "\xff"}, "total": "\xff", "next_cursor": "\xff", "nextPageToken": "\xff", "output": {"total": "\xff"}',
        b'"\xff": 1',
        b'"links": {"\xff": 1}, "total": 1e400, "output": {"\xff": 1}, "next_cursor": 1e400, "nextPageToken": 1e400',
        b'"links": {"next": 1e400}, "total": {}, "has_more": 1e400',
        b'"links": {"next": "\\ud800"}, "total": 0',
    ],
    ids=["deep", "900 deep", "not UTF-8", "a name not UTF-8", "out of range", "of a wrong type", "a surrogate"],
)
def test_i41_odd_pages_end_in_a_paging_error_or_an_end_and_in_nothing_else(slug, rest):
    provider = registry.load()[slug]
    endpoint = provider.endpoints[0]
    page = answer(b'{"data": [], "models": [], %b}' % rest)
    with contextlib.suppress(PagingError):
        asked(paging.at_most(2, endpoint.paging(endpoint, endpoint.at(provider.options()))), lambda _: page)


@pytest.mark.parametrize("value", [b"[" * 5000 + b"]" * 5000, b'"\xff"', b"1e400", b"{"])
def test_a_value_that_cannot_be_decoded_is_a_paging_error(value):
    with pytest.raises(PagingError, match="total cannot be read"):
        paging.decoded(msgspec.Raw(value), object, "total")


@pytest.mark.parametrize("text", [rb'"\ud800"', b'"\xff"', b"1e400", b"9" * 5000, b"NaN", b"[" * 1500 + b"]" * 1500])
def test_i41_what_is_odd_in_a_row_is_no_matter_of_paging(text):
    page = answer(b'{"models": [{"endpoint_id": "a"}, {"endpoint_id": "b", "x": %b}], "total": 2}' % text)
    assert len(walk(BY_OFFSET, page, url=BARE)) == 1
    assert fal.endpoint_ids(page) == ["a", "b"]


def test_i03_a_link_to_a_page_already_seen_fails():
    with pytest.raises(PagingError, match="the same page was offered twice"):
        walk(paging.next_link("next"), {"next": URL})
    with pytest.raises(PagingError, match="the same page was offered twice"):
        walk(paging.next_link("next"), {"next": "?p=2"}, {"next": "?p=3"}, {"next": "?p=2"})


def test_pages_without_end_fail_after_1000():
    count = 0

    def respond(_):
        nonlocal count
        count += 1
        return {"next": f"?p={count}"}

    with pytest.raises(PagingError, match="more than 1000 pages"):
        asked(paging.next_link("next")(endpoint(), URL), respond)
    assert count == paging.MAX_PAGES == 1000


def test_a_failed_page_ends_the_questions():
    assert walk(paging.next_link("next"), {"next": "?p=2"}, BROKEN) == [URL, "https://api.test.invalid/v1/models?p=2"]


# Tokens


@pytest.mark.parametrize(
    ("token", "query"),
    [("abc", "t=abc"), ("a+b/c==", "t=a%2Bb%2Fc%3D%3D"), ("a b&x=1", "t=a+b%26x%3D1"), ("é", "t=%C3%A9"), (7, "t=7"), (0, "t=0")],
)
def test_a_token_is_sent_quoted_beside_the_other_parameters(token, query):
    assert walk(paging.next_token("page.next", "t"), {"page": {"next": token}}, {}) == [URL, f"{URL}&{query}"]


@pytest.mark.parametrize("last", [{}, {"next": None}, {"next": ""}])
def test_no_token_is_the_end(last):
    assert walk(paging.next_token("next", "t"), {"next": "a"}, last) == [URL, f"{URL}&t=a"]


def test_each_token_replaces_the_one_before():
    assert walk(paging.next_token("next", "t"), {"next": "a"}, {"next": "b"}, {}) == [URL, f"{URL}&t=a", f"{URL}&t=b"]


@pytest.mark.parametrize("tokens", [["a", "a"], ["a+/=", "a+/="], ["a", "b", "a"], ["a", "b", "c", "b"], [7, "7"]])
def test_i03_a_repeated_token_fails(tokens):
    with pytest.raises(PagingError, match=r"repeated|twice"):
        walk(paging.next_token("next", "t"), *({"next": token} for token in tokens))


@pytest.mark.parametrize("token", [["a"], {"a": 1}, 1.5])
def test_a_token_that_is_none_fails(token):
    with pytest.raises(PagingError, match="repeated or unreadable"):
        walk(paging.next_token("next", "t"), {"next": token})


# Link header


def headed(link):
    return answer({}, headers={"link": link} if link is not None else {})


@pytest.mark.parametrize(
    "header",
    [
        '</v1/models?p=2>; rel="next"',
        "</v1/models?p=2>; rel=next",
        '</v1/models?p=2>;rel="next"',
        '</first>; rel="first", </v1/models?p=2>; rel="next", </last>; rel="last"',
        '</v1/models?p=2>; title="more"; rel="next"',
        '<https://api.test.invalid/v1/models?p=2>; rel="next"',
    ],
)
def test_the_link_header_leads_to_the_next_page(header):
    assert walk(paging.link_header, headed(header), headed(None)) == [URL, "https://api.test.invalid/v1/models?p=2"]


def test_an_address_with_commas_and_semicolons_is_followed_whole():
    header = '<https://api.test.invalid/v1/m?ids=a,b;c&cursor=x%3D%3D>; rel="next"'
    assert walk(paging.link_header, headed(header), headed("")) == [URL, "https://api.test.invalid/v1/m?ids=a,b;c&cursor=x%3D%3D"]


@pytest.mark.parametrize(
    "header", [None, "", '</p>; rel="prev"', '</p>; rel="first", </q>; rel="last"', "</p>", "rel=next", "<>; rel=next"]
)
def test_no_next_relation_is_the_end(header):
    assert walk(paging.link_header, headed(header)) == [URL]


def test_i03_a_header_that_leads_in_a_circle_fails():
    with pytest.raises(PagingError, match="twice"):
        walk(paging.link_header, headed('</v1/models?p=2>; rel="next"'), headed(f'<{URL}>; rel="next"'))


def test_a_header_that_holds_no_address_fails():
    with pytest.raises(PagingError, match="not an address"):
        walk(paging.link_header, headed('<http://[x>; rel="next"'))


# Counted pages

BY_OFFSET = paging.counted(rows="models", total="total", parameter="offset", size_parameter="size", size=2)
BY_PAGE = paging.counted(rows="out.rows", total="out.total", parameter="page", size_parameter="n", size=2, first=1, by_page=True)
BARE = "https://h/list"


def test_offsets_count_the_rows_seen_until_the_total():
    pages = [{"models": [1, 2], "total": 5}, {"models": [3], "total": 5}, {"models": [4, 5], "total": 5}]
    assert walk(BY_OFFSET, *pages, url=BARE) == [f"{BARE}?offset={offset}&size=2" for offset in (0, 2, 3)]


def test_page_numbers_begin_where_the_provider_begins():
    pages = [{"out": {"rows": [1, 2], "total": 3}}, {"out": {"rows": [3], "total": 3}}]
    assert walk(BY_PAGE, *pages, url=BARE) == [f"{BARE}?page=1&n=2", f"{BARE}?page=2&n=2"]


@pytest.mark.parametrize("empty", [{"models": [], "total": 0}, {"models": None, "total": 0}, {"total": 0}])
def test_an_empty_list_is_one_page(empty):
    assert walk(BY_OFFSET, empty, url=BARE) == [f"{BARE}?offset=0&size=2"]


@pytest.mark.parametrize("total", [None, "five", 5.5, True, [5], {}])
def test_i03_without_a_total_the_end_cannot_be_told(total):
    with pytest.raises(PagingError, match="total is not stated"):
        walk(BY_OFFSET, {"models": [1, 2], "total": total})
    with pytest.raises(PagingError, match="total is not stated"):
        walk(BY_OFFSET, {"models": [1, 2]})


def test_i03_a_total_below_zero_is_none():
    with pytest.raises(PagingError):
        walk(BY_OFFSET, {"models": [1, 2], "total": -1})


@pytest.mark.parametrize("total", [3, "3", 3.0])
def test_an_empty_page_before_the_total_is_the_end(total):
    """What is missing then is told by the totals: the listing is not complete, and a person can accept that."""
    pages = walk(BY_OFFSET, {"models": [1, 2], "total": total}, {"models": [], "total": total}, url=BARE)
    assert pages == [f"{BARE}?offset=0&size=2", f"{BARE}?offset=2&size=2"]


def test_i03_the_same_rows_twice_fail_even_in_another_envelope():
    with pytest.raises(PagingError, match="the same page was offered twice"):
        walk(BY_OFFSET, {"models": [1, 2], "total": 9, "request": "x"}, {"models": [1, 2], "total": 9, "request": "y"})


@pytest.mark.parametrize("rows", [5, True, "text", {"a": 1}])
def test_rows_that_are_no_list_fail(rows):
    with pytest.raises(PagingError, match="models is not a list"):
        walk(BY_OFFSET, {"models": rows, "total": 9})


def test_counted_pages_without_end_fail_after_1000():
    count = 0

    def respond(_):
        nonlocal count
        count += 1
        return {"models": [count], "total": count + 1}

    with pytest.raises(PagingError, match="more than 1000 pages"):
        asked(BY_OFFSET(endpoint(), BARE), respond)
    assert count == 1000


def test_a_failed_counted_page_ends_the_questions():
    assert len(walk(BY_OFFSET, {"models": [1, 2], "total": 9}, BROKEN)) == 2


@quick
@given(total=st.integers(0, 40), size=st.integers(1, 7))
def test_every_row_is_asked_for_once(total, size):
    rows = list(range(total))
    pages = paging.counted(rows="rows", total="total", parameter="offset", size_parameter="limit", size=size)
    came = []

    def respond(url):
        query = parse_qs(urlsplit(url).query)
        start = int(query["offset"][0])
        page = rows[start : start + int(query["limit"][0])]
        came.extend(page)
        return {"rows": page, "total": total}

    urls = asked(pages(endpoint(), BARE), respond)
    assert came == rows
    assert len(urls) == max(1, -(-total // size))


# Flows of flows


def test_at_most_so_many_requests():
    pages = paging.next_link("next")
    assert len(asked(paging.at_most(2, pages(endpoint(), URL)), lambda _: {"next": f"{_}x"})) == 2
    assert asked(paging.at_most(5, pages(endpoint(), URL)), lambda _: {}) == [URL]
    assert asked(paging.at_most(0, pages(endpoint(), URL)), lambda _: {}) == []


def test_collect_returns_what_came_of_each_request():
    came = []

    def flow():
        came.extend((yield from paging.collect(paging.next_link("next")(endpoint(), URL))))

    first = answer({"next": "?p=2"})
    queue = [first, BROKEN]
    asked(flow(), lambda _: queue.pop(0))
    assert came == [first, BROKEN]


def test_collect_of_a_flow_without_requests_is_empty():
    came = []

    def flow():
        came.append((yield from paging.collect(paging.at_most(0, paging.single(endpoint(), URL)))))

    assert asked(flow(), lambda _: {}) == []
    assert came == [[]]


@pytest.mark.parametrize(
    ("path", "value"),
    [("a", 1), ("b.c", [1, None]), ("b", {"c": [1, None]}), ("x", None), ("b.x", None), ("n", None)],
)
def test_values_by_path(path, value):
    assert paging.value_at(answer({"a": 1, "b": {"c": [1, None]}, "n": None}), path) == value


@pytest.mark.parametrize("path", ["a.b", "s.b", "l.b"])
def test_a_path_through_something_else_fails(path):
    with pytest.raises(PagingError):
        paging.value_at(answer({"a": 1, "s": "x", "l": []}), path)


def test_a_number_out_of_range_at_the_path_fails():
    with pytest.raises(PagingError):
        paging.value_at(answer(b'{"total": 1e400}'), "total")


# Pages that no reader gets through: nested without end, or in another coding than UTF-8

DEEP = b"[" * 100_000 + b"]" * 100_000
UNREADABLE = {
    "nested at the path": b'{"models": %s, "total": %s, "next": %s}' % (DEEP, DEEP, DEEP),
    "nested on the way": b'{"models": [1], "total": {"total": %s}, "next": {"next": %s}}' % (DEEP, DEEP),
    "Latin 1 at the path": '{"models": ["é"], "total": "é", "next": "é"}'.encode("latin-1"),
    "half a character": b'{"models": ["\xe2\x82"], "total": "\xe2\x82", "next": "\xe2\x82"}',
    "UTF-16": '{"models": [1], "total": 9, "next": "?p=2"}'.encode("utf-16"),
}
ASKING = {
    "next_link": paging.next_link("next"),
    "next_link below": paging.next_link("next.next"),
    "next_token": paging.next_token("next", "after"),
    "counted": BY_OFFSET,
    "counted below": paging.counted(rows="models", total="total.total", parameter="offset", size_parameter="limit", size=2),
}


@pytest.mark.parametrize("pages", ASKING)
@pytest.mark.parametrize("body", UNREADABLE)
def test_i03_a_page_that_cannot_be_read_fails_the_list_in_words(pages, body):
    """An exception of the JSON reader would be a bug of ours to whoever reads the report."""
    flow = ASKING[pages](endpoint(), URL)
    next(flow)
    with pytest.raises(PagingError):
        flow.send(answer(UNREADABLE[body]))


# Several endpoints


def each_of(*endpoints):
    return each_endpoint(dataclasses.replace(PROVIDER, endpoints=endpoints), NoOptions(), True)


def test_an_endpoint_that_only_fills_may_page_badly_and_a_needed_one_may_not():
    loop = {"next": URL}
    main, extra = endpoint(), endpoint(paging.next_link("next"), name="extra", fills=True)
    assert asked(each_of(extra, main), lambda _: loop) == [URL, URL]
    needed = endpoint(paging.next_link("next"))
    with pytest.raises(PagingError):
        asked(each_of(needed, main), lambda _: loop)
