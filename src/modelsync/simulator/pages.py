"""How the providers page their lists, seen from the server's side: all rows and a request in, one page out."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from modelsync.simulator.catalog import Row, Rows

NO_LIMIT = 1_000_000_000


class Refused(Exception):
    """The provider would answer this request with an error status."""

    def __init__(self, status: int, message: str) -> None:
        """`message` goes into the provider's own error shape."""
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """One request for a list: its path and query, what the path's placeholders matched, and all lists of the provider.

    `cap` is the simulator's own largest page, so that small samples are paged too.
    """

    path: str
    query: Sequence[tuple[str, str]] = ()
    matched: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Rows] = field(default_factory=dict)
    cap: int | None = None

    def text(self, name: str) -> str | None:
        """The last value of a query parameter."""
        return dict(self.query).get(name)

    def words(self, name: str) -> list[str]:
        """All values of a parameter that may be repeated or hold a comma list."""
        return [word for key, value in self.query if key == name for word in value.split(",") if word]

    def number(self, name: str, default: int, least: int = 0) -> int:
        """A whole number of at least `least`, else the request is refused."""
        text = self.text(name)
        if text is None:
            return default
        if not text.isdecimal() or int(text) < least:
            raise Refused(400, f"{name} must be a whole number of at least {least}")
        return int(text)

    def size(self, name: str, default: int, most: int, least: int = 1) -> int:
        """The page size asked for, cut to the provider's largest and to the simulator's."""
        return min(self.number(name, default, least), most, NO_LIMIT if self.cap is None else self.cap)

    def again(self, **parameters: object) -> str:
        """This request's path and query with parameters set."""
        values = {name: str(value) for name, value in parameters.items()}
        kept = [(name, value) for name, value in self.query if name not in values]
        return f"{self.path}?{urlencode([*kept, *values.items()])}"


@dataclass(frozen=True)
class Page:
    """One page: its rows, what the envelope says beside them (by dotted path), and headers."""

    rows: Rows
    beside: Row = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


Paging = Callable[[Rows, ListRequest], Page]


def whole(rows: Rows, request: ListRequest) -> Page:  # noqa: ARG001
    """No paging: everything at once, and query parameters change nothing."""
    return Page(rows)


def offset_and_links(rows: Rows, request: ListRequest) -> Page:
    """OpenRouter: everything unless offset or limit is given; a relative address of the next page."""
    if request.text("offset") is None and request.text("limit") is None:
        return Page(rows, {"links.next": None, "total_count": len(rows)})
    start, size = request.number("offset", 0), request.size("limit", 500, 1000)
    following = request.again(offset=start + size, limit=size) if start + size < len(rows) else None
    return Page(rows[start : start + size], {"links.next": following, "total_count": len(rows)})


def offset_and_total(rows: Rows, request: ListRequest) -> Page:
    """Near: limit 0 is an empty page."""
    start, size = request.number("offset", 0), request.size("limit", 100, NO_LIMIT, least=0)
    return Page(rows[start : start + size], {"limit": size, "offset": start, "total": len(rows)})


def optional_numbers(rows: Rows, request: ListRequest) -> Page:
    """Featherless: everything unless page or per_page is given; small pages are made larger."""
    if request.text("page") is None and request.text("per_page") is None:
        return Page(rows)
    page, size = request.number("page", 1, least=1), max(request.number("per_page", 100, least=1), 100)
    size = min(size, 1000, NO_LIMIT if request.cap is None else request.cap)
    pages = -(-len(rows) // size)
    return Page(
        rows[(page - 1) * size : page * size],
        {"pagination": {"current_page": page, "total_pages": pages, "total_items": len(rows)}, "total": len(rows)},
    )


def numbered(rows: Rows, request: ListRequest) -> Page:
    """Alibaba: pages from 1, and how many rows there are."""
    page, size = request.number("page_no", 1, least=1), request.size("page_size", 20, 200)
    return Page(
        rows[(page - 1) * size : page * size],
        {"output.total": len(rows), "output.page_no": page, "output.page_size": size},
    )


def page_tokens(*, default: int, most: int, total: str | None = None, last: str | None = None) -> Paging:
    """Google's way: pageSize, pageToken, nextPageToken. At the end the token is `last`, or left out.

    A token is good only for the other parameters it was made for.
    """

    def page(rows: Rows, request: ListRequest) -> Page:
        rest = sorted(pair for pair in request.query if pair[0] not in ("pageToken", "pageSize"))
        token, size = request.text("pageToken"), request.size("pageSize", default, most)
        start = _offset_in(token, rest) if token else 0
        ends = start + size >= len(rows)
        following = last if ends else _token(start + size, rest)
        beside: Row = {} if following is None else {"nextPageToken": following}
        return Page(rows[start : start + size], beside | ({total: len(rows)} if total else {}))

    return page


# These bytes make every token hold "+", "/" and "=": a client that does not encode it loses the page.
_SIGNS = b"\xfb\xef\xbe\xff\xff\xff"


def _token(offset: int, rest: Sequence[tuple[str, str]]) -> str:
    state = _SIGNS + json.dumps([offset, rest]).encode()
    return base64.b64encode(state + b" " * (-len(state) % 3 + 1)).decode()


def _offset_in(token: str, rest: Sequence[tuple[str, str]]) -> int:
    try:
        offset, made_for = json.loads(base64.b64decode(token, validate=True).removeprefix(_SIGNS))
    except (binascii.Error, ValueError):
        raise Refused(400, "the page token is not valid") from None
    if [tuple(pair) for pair in made_for] != list(rest):
        raise Refused(400, "the page token was made for other parameters")
    return int(offset)


def link_header(origin: str) -> Paging:
    """The Hub: a bare array, and a Link header with the whole address of the next page, on the provider's real host."""

    def page(rows: Rows, request: ListRequest) -> Page:
        start, size = _cursor(request), request.size("limit", 1000, 1000)
        if start + size >= len(rows):
            return Page(rows[start : start + size])
        cursor = base64.urlsafe_b64encode(f"after:{start + size}".encode()).decode()
        return Page(rows[start : start + size], headers={"link": f'<{origin}{request.again(cursor=cursor)}>; rel="next"'})

    return page


def _cursor(request: ListRequest) -> int:
    cursor = request.text("cursor")
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor).removeprefix(b"after:"))
    except (binascii.Error, ValueError):
        raise Refused(400, "the cursor is not valid") from None


def page_cursor(rows: Rows, request: ListRequest) -> Page:
    """fal: the cursor is the next page's number in base64."""
    size, cursor = request.size("limit", 50, 100), request.text("cursor")
    try:
        page = int(base64.b64decode(cursor, validate=True)) if cursor else 1
    except (binascii.Error, ValueError):
        raise Refused(400, "the cursor is not valid") from None
    more = page * size < len(rows)
    following = base64.b64encode(str(page + 1).encode()).decode() if more else None
    return Page(rows[(page - 1) * size : page * size], {"next_cursor": following, "has_more": more})


def one_page(rows: Rows, request: ListRequest) -> Page:  # noqa: ARG001
    """fal's prices: those of the requested ids, and never a second page."""
    return Page(rows, {"next_cursor": None, "has_more": False})


def counted(path: str) -> Paging:
    """Everything at once, and how many rows that is at `path`."""
    return lambda rows, request: Page(rows, {path: len(rows)})  # noqa: ARG005
