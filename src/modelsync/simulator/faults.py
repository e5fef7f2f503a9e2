"""Faults on demand: what can go wrong with a provider's answer, and how."""

import copy
import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

import msgspec

from modelsync.simulator.catalog import Rows, put
from modelsync.simulator.refusals import refusal
from modelsync.simulator.replies import HTML, Reply, json_reply

EVERY_PROVIDER = "*"
HUGE = 10 * 1024 * 1024
BOMB = 256 * 1024 * 1024
KINDS = {
    "status": "an error `status` in the provider's own shape, with a Retry-After header if `retry_after` is given",
    "delay": "the right answer after `seconds`",
    "drip": "the right answer, one byte every `seconds`",
    "html": "a web page with status 200",
    "not_json": "a line of text that says it is JSON",
    "cut_json": "the first half of the JSON, as if it were all",
    "truncated": "the connection closes in the middle of the body",
    "reset": "the connection closes without an answer",
    "redirect": "a 302 to `location`",
    "garbage_gzip": "a body that says it is gzip and is not",
    "gzip_bomb": "256 MB of spaces in a small gzip body",
    "empty": "no rows",
    "wrong_types": "every value of every row, its id aside, in another type",
    "huge_string": "a description of 10 MB in the first row",
    "nan": "NaN as the first price",
    "negative": "the first price below zero",
}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault for a provider ("*" for all), at one path or all. It hits `times` requests, or all of them.

    Any fault waits `seconds` before its answer, except `drip`, which waits between bytes.
    """

    provider: str
    fault: str
    path: str | None = None
    times: int | None = None
    status: int = 500
    retry_after: str | int | None = None
    seconds: float = 0.0
    location: str = "https://elsewhere.invalid/"

    def __post_init__(self) -> None:
        """Refuse what could not be carried out."""
        if self.fault not in KINDS:
            raise ValueError(f"no fault is called {self.fault}: choose among {', '.join(KINDS)}")
        if not 200 <= self.status <= 599:
            raise ValueError("status must be between 200 and 599")

    def hits(self, provider: str, path: str) -> bool:
        """Whether this fault concerns a request."""
        return self.provider in (EVERY_PROVIDER, provider) and self.path in (None, path)

    def spoil_rows(self, rows: Rows, id_field: str) -> Rows:
        """The rows as this fault shows them."""
        spoil = ROW_FAULTS.get(self.fault)
        return spoil(rows, id_field) if spoil else rows

    def spoil(self, reply: Reply, provider: str) -> Reply:
        """The answer as this fault shows it."""
        match self.fault:
            case "status":
                again = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
                return json_reply(refusal(provider, self.status, "a simulated fault"), self.status, again)
            case "redirect":
                return Reply(status=302, headers={"location": self.location})
            case "drip":
                return replace(reply, pause=self.seconds or 0.1)
            case _:
                spoil = REPLY_FAULTS.get(self.fault)
                return spoil(reply) if spoil else reply


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    # Members of a gzip file may follow one another, and so 256 MB never have to be in memory.
    return gzip.compress(b"[") + gzip.compress(b" " * (1024 * 1024)) * (BOMB // (1024 * 1024)) + gzip.compress(b"]")


REPLY_FAULTS: dict[str, Callable[[Reply], Reply]] = {
    "html": lambda _: Reply(body=b"<!doctype html><title>Sign in</title><h1>Sign in to go on</h1>", headers=HTML),
    "not_json": lambda reply: replace(reply, body=b"upstream connect error or disconnect before headers"),
    "cut_json": lambda reply: replace(reply, body=reply.body[: len(reply.body) // 2]),
    "truncated": lambda reply: replace(reply, cut=0.5),
    "reset": lambda reply: replace(reply, reset=True),
    "garbage_gzip": lambda reply: replace(
        reply, body=b"\x1f\x8b\x08\x00 no gzip at all", headers={**reply.headers, "content-encoding": "gzip"}
    ),
    "gzip_bomb": lambda reply: replace(reply, body=_bomb(), headers={**reply.headers, "content-encoding": "gzip"}),
}


def _retyped(value: object) -> object:
    match value:
        case bool() | None:
            return "perhaps"
        case str():
            return 12345
        case list():
            return {"items": value}
        case dict():
            return [value]
        case _:
            return "many"


def _wrong_types(rows: Rows, id_field: str) -> Rows:
    return [{name: value if name == id_field else _retyped(value) for name, value in row.items()} for row in rows]


def _huge_string(rows: Rows, _: str) -> Rows:
    return [{**row, "description": "x" * HUGE} if position == 0 else row for position, row in enumerate(rows)]


_number = re.compile(r"\d+(\.\d+)?([eE][-+]?\d+)?")
_money = re.compile(r"pric|cost|amount", re.IGNORECASE)


def _numbers(value: object, path: str) -> Iterator[tuple[str, str, bool]]:
    """Every number above zero: its dotted path, its text, and whether it is written as a string."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _numbers(inner, f"{path}.{name}" if path else name)
        case list():
            for position, inner in enumerate(value):
                yield from _numbers(inner, f"{path}.{position}")
        case str() if _number.fullmatch(value) and float(value):
            yield path, value, True
        case int() | float() | msgspec.Raw() if not isinstance(value, bool):
            text = bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)
            if _number.fullmatch(text) and float(text):
                yield path, text, False


def _spoil_price(change: Callable[[str], str]) -> Callable[[Rows, str], Rows]:
    """Change the first price there is; in a list without prices, the first number."""

    def spoil(rows: Rows, _: str) -> Rows:
        numbers = [(position, *number) for position, row in enumerate(rows) for number in _numbers(row, "")]
        prices = [number for number in numbers if _money.search(number[1])] or numbers
        if not prices:
            return rows
        position, path, text, quoted = prices[0]
        spoilt = copy.deepcopy(rows[position])
        put(spoilt, path, change(text) if quoted else msgspec.Raw(change(text).encode()))
        return [spoilt if at == position else row for at, row in enumerate(rows)]

    return spoil


ROW_FAULTS: dict[str, Callable[[Rows, str], Rows]] = {
    "empty": lambda _rows, _id: [],
    "wrong_types": _wrong_types,
    "huge_string": _huge_string,
    "nan": _spoil_price(lambda _: "NaN"),
    "negative": _spoil_price(lambda text: f"-{text}"),
}
