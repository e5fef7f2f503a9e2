"""How lists are paged, as generators: they yield requests and are sent answers. No I/O here.

Every one of them ends: a repeated token or address, or more than `MAX_PAGES` pages, raises PagingError, and then nothing of the list is
used, because a list whose end was not reached says nothing about what is absent.
"""

import re
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from modelsync.errors import Failure
from modelsync.providers.addresses import folder, strays
from modelsync.providers.base import Answer, Endpoint, Flow, PagingError, Request, UnreadablePage
from modelsync.providers.base import single as single
from modelsync.providers.document import NotJson
from modelsync.providers.parsing import whole_number

MAX_PAGES = 1000


def with_query(url: str, **parameters: object) -> str:
    """`url` with query parameters set, replacing those of the same name."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {name: str(value) for name, value in parameters.items()}
    return urlunsplit(parts._replace(query=urlencode(query)))


def follow(next_url: Callable[[Answer, str], str | None]) -> Callable[[Endpoint, str], Flow]:
    """Pages whose answer leads to the next: `next_url(answer, url asked)` is the next address, or None at the end.

    No page may be anywhere but beside the first.
    """

    def pages(endpoint: Endpoint, url: str) -> Flow:
        seen: set[str] = set()
        following: str | None = url
        while following:
            if following in seen or len(seen) >= MAX_PAGES:
                raise PagingError("the same page was offered twice" if following in seen else f"more than {MAX_PAGES} pages")
            seen.add(following)
            answer = yield Request(endpoint, following)
            if isinstance(answer, Failure):
                return
            following = next_url(answer, following)
            astray = strays(following, folder(url)) if following else None
            if astray:
                raise PagingError(f"the link to the next page {astray}")

    return pages


def collect(flow: Flow) -> Generator[Request, Answer | Failure, list[Answer | Failure]]:
    """Run `flow` as it is and return what came of its requests, for a flow that goes on from there."""
    came: list[Answer | Failure] = []
    try:
        request = next(flow)
        while True:
            came.append((yield request))
            request = flow.send(came[-1])
    except StopIteration:
        return came


def envelope(answer: Answer) -> Mapping[str, msgspec.Raw]:
    """The answer's top-level object, its values still raw. Raises UnreadablePage when it is no JSON object."""
    try:
        top = answer.document.top
    except NotJson as error:
        raise UnreadablePage(str(error)) from error
    if isinstance(top, list):
        raise UnreadablePage(answer.document.why_no_list)
    return top


def raw_at(answer: Answer, path: str) -> msgspec.Raw | None:
    """The raw value at a dotted path of the answer ("output.total"), None where it is missing."""
    here, value = envelope(answer), None
    for name in path.split("."):
        if value is not None:
            here = decoded(value, dict[str, msgspec.Raw], path)
        if name not in here:
            return None
        value = here[name]
    return value


def value_at(answer: Answer, path: str) -> Any:
    """The value at a dotted path of the answer, None where it is missing."""
    value = raw_at(answer, path)
    return None if value is None else decoded(value, Any, path)


def rows_at(answer: Answer, path: str) -> list[msgspec.Raw]:
    """The rows at a dotted path of the answer, each still raw: what is wrong inside of one is not a matter of paging."""
    value = raw_at(answer, path)
    try:
        return msgspec.json.decode(value, type=list[msgspec.Raw] | None) or [] if value is not None else []
    except msgspec.DecodeError as error:
        raise PagingError(f"{path} is not a list") from error


Kind = TypeVar("Kind")


def decoded(value: msgspec.Raw, kind: type[Kind], path: str) -> Kind:
    """A raw value of a page in a type. Raises PagingError when it is not of it."""
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise PagingError(f"{path} cannot be read") from error


def joined(url: str, link: str) -> str:
    """The address a link on the page `url` leads to. Raises PagingError when it is no address."""
    try:
        return urljoin(url, link)
    except ValueError as error:
        raise PagingError("the link to the next page is not an address") from error


def next_link(path: str) -> Callable[[Endpoint, str], Flow]:
    """The answer holds the next address, absolute or relative to the origin, at `path`; null or missing at the end."""

    def following(answer: Answer, url: str) -> str | None:
        link = value_at(answer, path)
        if link in (None, ""):
            return None
        if not isinstance(link, str):
            raise PagingError(f"{path} is not an address")
        return joined(url, link)

    return follow(following)


def next_token(path: str, parameter: str) -> Callable[[Endpoint, str], Flow]:
    """The answer holds a token at `path` that the next request sends as `parameter`; empty or missing at the end."""

    def following(answer: Answer, url: str) -> str | None:
        token = value_at(answer, path)
        if token in (None, ""):
            return None
        if not isinstance(token, str | int) or str(token) == dict(parse_qsl(urlsplit(url).query)).get(parameter):
            raise PagingError(f"{path} is repeated or unreadable")
        return with_query(url, **{parameter: token})

    return follow(following)


_next_relation = re.compile(r'<([^<>]+)>\s*;[^<]*?\brel="?next"?')


def next_relation(answer: Answer) -> str | None:
    """The address of the next page that the `Link` header names."""
    match = _next_relation.search(answer.headers.get("link", ""))
    return match[1] if match else None


def link_header(endpoint: Endpoint, url: str) -> Flow:
    """The address of the next page is in the `Link` header (RFC 8288), to be followed as it is."""

    def following(answer: Answer, url: str) -> str | None:
        link = next_relation(answer)
        return joined(url, link) if link else None

    yield from follow(following)(endpoint, url)


def at_most(requests: int, flow: Flow) -> Flow:
    """The first `requests` requests of a flow, for lists that are asked for in part."""
    came: Answer | Failure | None = None
    for _ in range(requests):
        try:
            request = next(flow) if came is None else flow.send(came)
        except StopIteration:
            return
        came = yield request


def counted(
    *, rows: str, total: str, parameter: str, size_parameter: str, size: int, first: int = 0, by_page: bool = False
) -> Callable[[Endpoint, str], Flow]:
    """Pages by number (`by_page`) or by offset, until `total` rows were seen or a page is empty.

    `rows` and `total` are dotted paths. A page equal to the one before it, or a total that falls while the list is read (rows then slip
    past between two pages), is a PagingError. An empty page before the total is reached is the end: the totals of the
    endpoint show that rows are missing.
    """

    def pages(endpoint: Endpoint, url: str) -> Flow:
        seen, last, highest = 0, None, 0
        for page in range(MAX_PAGES):
            position = first + (page if by_page else seen)
            answer = yield Request(endpoint, with_query(url, **{parameter: position, size_parameter: size}))
            if isinstance(answer, Failure):
                return
            page_rows, expected = rows_at(answer, rows), whole_number(value_at(answer, total))
            if page_rows and page_rows == last:  # even if a request id makes the two answers differ
                raise PagingError("the same page was offered twice")
            seen += len(page_rows)
            if expected is None:
                if raw_at(answer, rows) is None:
                    raise UnreadablePage(answer.document.why_no_list)
                raise PagingError(f"{total} is not stated, so the end of the list cannot be told")
            if expected < highest:
                raise PagingError(f"the list shrank from {highest} to {expected} rows while it was read")
            if seen >= expected or not page_rows:
                return
            last, highest = page_rows, expected
        raise PagingError(f"more than {MAX_PAGES} pages")

    return pages
