"""How long a list says it is, held against what came of it. What it lacks is not absent."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

import msgspec

from modelsync.providers import paging
from modelsync.providers.base import Answer, PagingError, Request
from modelsync.providers.parsing import whole_number

LEFT = "so absent models are left as they are"


class Extent(msgspec.Struct):
    """One list of an endpoint: the rows that came, the most that it said it has, and whether it went on after its last page."""

    name: str
    rows: int = 0
    stated: int | None = None
    goes_on: bool = False


def shortfall(came: Iterable[tuple[Request, Answer, int]], warnings: list[str]) -> int:
    """How many rows of `came` (requests, answers and the rows in each) are missing: 0 when all lists are whole.

    A list that only says that there is more lacks 1. More rows than stated are a warning.
    """
    lists: dict[tuple[str, str], Extent] = {}
    for request, answer, rows in came:
        extent = lists.setdefault(_list_of(request), Extent(request.endpoint.name))
        extent.rows += rows
        extent.stated = max((total for total in (extent.stated, *_totals(request, answer, warnings)) if total is not None), default=None)
        extent.goes_on = _goes_on(request, answer)
    return sum(_lacking(extent, warnings) for extent in lists.values())


def _lacking(extent: Extent, warnings: list[str]) -> int:
    lacking = max(0, (extent.stated or 0) - extent.rows)
    if lacking:
        warnings.append(f"{extent.name}: the provider says that its list has {extent.stated:,} rows and {extent.rows:,} came, {LEFT}")
    elif extent.goes_on:
        warnings.append(f"{extent.name}: the provider says that its list goes on after the last page that was read, {LEFT}")
    elif extent.stated is not None and extent.stated < extent.rows:
        warnings.append(f"{extent.name}: the provider says that its list has {extent.stated:,} rows and {extent.rows:,} came")
    return lacking or int(extent.goes_on)


def _list_of(request: Request) -> tuple[str, str]:
    """Which list a request belongs to: the pages of one differ in their query only."""
    url = request.url if request.endpoint.paging is paging.single else urlsplit(request.url)._replace(query="").geturl()
    return request.endpoint.name, url


def _totals(request: Request, answer: Answer, warnings: list[str]) -> Iterator[int]:
    for path in request.endpoint.totals:
        value = _value(request, answer, path)
        total = whole_number(value)
        if total is not None:
            yield total
        elif value is not None:
            warnings.append(f"{request.endpoint.name}: unreadable {path}: it is no count")


def _goes_on(request: Request, answer: Answer) -> bool:
    paths = request.endpoint.further
    return any(_value(request, answer, path) for path in paths) or (bool(paths) and paging.next_relation(answer) is not None)


def _value(request: Request, answer: Answer, path: str) -> object:
    """What an envelope says at a dotted path; None where it says nothing, or has no envelope."""
    if request.endpoint.rows == (".",):
        return None
    try:
        return paging.value_at(answer, path)
    except PagingError:
        return None
