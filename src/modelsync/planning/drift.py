"""How often each field of a provider's rows is filled, with which type, and how that moved since the last complete listing.

A field that is null, or an empty text, list or object, is not filled. Fields of objects are counted one level down, as `pricing.prompt`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import takewhile
from operator import not_

import msgspec

SAMPLE = 1_000
"""Most rows of one endpoint that are looked at, evenly spaced."""

WIDEST, MOST_LOOKS, MOST_KEPT, LONGEST_NAME, NOISE = 200, 5_000, 300, 100, 0.01
"""Larger objects are maps rather than rows; bounds of what is counted and kept; and the share of rows below which a field is not kept."""

FEW, SOME = 5, 10
"""Shares of fewer rows than FEW say nothing, and a field that fewer rows than SOME have may go by chance, with the models that had it."""

USUAL, RARE, COMMON, SEEN, MAIN = 0.9, 0.5, 0.5, 0.05, 0.8
"""Shares of rows: a field that was usual and is rare, one that is new and common, one that is gone and had been seen; and the share of
a field's values that must have one type to call it the field's type."""

_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}
_NEVER_EMPTY = (bool, int, float)
_priced = re.compile(r"pric|cost|usd|fee|rate", re.IGNORECASE)


_Look = tuple[str, tuple[str, ...], tuple[type, ...], tuple[bool, ...]]
"""How one object looked: its place in the row, its fields, their types, and which are empty. Most rows of a list look alike."""


class Shape(msgspec.Struct, frozen=True):
    """The rows of one endpoint: how many were looked at, and in how many of them each field was filled, by JSON type."""

    rows: int
    fields: Mapping[str, Mapping[str, int]]

    def filled(self, field: str) -> int:
        """Rows in which a field was filled."""
        return sum(self.fields.get(field, {}).values())

    def share(self, field: str) -> float:
        """The share of rows in which a field was filled."""
        return self.filled(field) / self.rows

    def percent(self, field: str) -> str:
        """The share for people; 100 % only when it is every row."""
        return f"{self.filled(field) * 100 // self.rows} %"

    def main_type(self, field: str) -> str | None:
        """The type that nearly all of a field's values have; None when they are mixed, or too few to say."""
        kinds, filled = self.fields.get(field, {}), self.filled(field)
        if filled < FEW and (filled < self.rows or filled < 2):
            return None
        kind = max(kinds, key=kinds.__getitem__)
        return kind if kinds[kind] >= MAIN * filled else None


class Snapshot(msgspec.Struct, frozen=True):
    """The shapes of a complete listing by endpoint. Two can be compared when they are of one scope and one version of the reading."""

    scope: str
    version: int
    endpoints: Mapping[str, Shape]


class Tally:
    """Counts the fields of one endpoint's rows: of all, or of an evenly spaced sample of `total`."""

    def __init__(self, total: int) -> None:
        self._every = max(1, -(-total // SAMPLE))
        self._passed = 0
        self._rows = 0
        self._counts: Counter[_Look] = Counter()

    def see(self, row: Mapping[str, object]) -> None:
        """Look at the next row, if it is of the sample."""
        if self.is_due():
            self.look(row)

    def is_due(self) -> bool:
        """Count one more row: whether it is of the sample, and has to be looked at."""
        self._passed += 1
        return self._passed % self._every == 0 and len(self._counts) <= MOST_LOOKS

    def due(self, rows: int) -> Iterator[int]:
        """Count so many rows more: the places among them, from 0, of those that are of the sample, and have to be looked at."""
        first, self._passed = self._every - 1 - self._passed % self._every, self._passed + rows
        return takewhile(lambda _: len(self._counts) <= MOST_LOOKS, range(first, rows, self._every))

    def look(self, row: Mapping[str, object]) -> None:
        """Count the fields of a row of the sample."""
        self._rows += 1
        self._count("", row)
        for name, value in row.items():
            if value.__class__ is dict:
                self._count(name, value)

    def _count(self, parent: str, fields: Mapping[str, object]) -> None:
        if len(fields) <= WIDEST:
            values = fields.values()
            self._counts[parent, tuple(fields), tuple(map(type, values)), tuple(map(not_, values))] += 1

    def shape(self) -> Shape | None:
        """What was found; None without any row."""
        fields: dict[str, dict[str, int]] = {}
        for (parent, *looks), count in self._counts.items():
            for name, kind, empty in zip(*looks, strict=True):
                if kind in _TYPES and (not empty or kind in _NEVER_EMPTY):
                    kinds = fields.setdefault((f"{parent}.{name}" if parent else name)[:LONGEST_NAME], {})
                    kinds[_TYPES[kind]] = kinds.get(_TYPES[kind], 0) + count
        filled = {name: sum(kinds.values()) for name, kinds in fields.items()}
        kept = sorted((name for name in fields if filled[name] >= NOISE * self._rows), key=lambda name: (-filled[name], name))
        return Shape(self._rows, {name: fields[name] for name in kept[:MOST_KEPT]}) if self._rows else None


def shapes(tallies: Mapping[str, Tally]) -> dict[str, Shape]:
    """The shapes of the endpoints that listed anything."""
    return {name: shape for name, tally in tallies.items() if (shape := tally.shape()) is not None}


def merged(before: Snapshot | None, now: Snapshot) -> Snapshot:
    """What to compare the next listing with: an endpoint that did not answer this time is remembered as it was."""
    if before is None or not _comparable(before, now):
        return now
    return msgspec.structs.replace(now, endpoints={**before.endpoints, **now.endpoints})


def moved(before: Snapshot | None, now: Snapshot) -> tuple[str, ...]:
    """What moved on the wire, in words. Nothing between listings of different scopes or versions: there the program itself may differ."""
    if before is None or not _comparable(before, now):
        return ()
    several = len(now.endpoints) > 1
    return tuple(
        f"drift: `{field}`{f' of {name}' * several} {words}"
        for name, shape in now.endpoints.items()
        if name in before.endpoints
        for field, words in _outermost(dict(_differences(before.endpoints[name], shape)))
    )


def _comparable(before: Snapshot, now: Snapshot) -> bool:
    return (before.scope, before.version) == (now.scope, now.version)


def _outermost(words_by_field: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Without the fields of an object that moved itself: `pricing` says it for `pricing.prompt`."""
    for field, words in sorted(words_by_field.items()):
        parent, dot, _ = field.partition(".")
        if not dot or parent not in words_by_field:
            yield field, words


def _differences(before: Shape, now: Shape) -> Iterator[tuple[str, str]]:
    """Every field that moved, and how, in words: its share of the rows in percent, or the type of most of its values."""
    for field in before.fields.keys() | now.fields.keys():
        old, new = before.main_type(field), now.main_type(field)
        if _sank(before, now, field):
            advice = "look whether a price unit moved" if _priced.search(field) else "look whether it has another name now"
            yield field, f"was filled in {before.percent(field)} of rows and now in {now.percent(field)}; {advice}"
        elif field not in before.fields and min(before.rows, now.rows) >= FEW and now.share(field) >= COMMON:
            yield field, f"is new, and filled in {now.percent(field)} of rows"
        elif old and new and old != new:
            advice = "; look whether a price unit moved" if _priced.search(field) else ""
            yield field, f"was {_a(old)} and is now {_a(new)}{advice}"


def _sank(before: Shape, now: Shape, field: str) -> bool:
    """Whether a field that was usual is rare, or one that some rows had is gone. Small lists can only lose a field that all rows had."""
    was, is_now = before.share(field), now.share(field)
    if min(before.rows, now.rows) < FEW:
        return min(before.rows, now.rows) > 1 and was == 1 and is_now == 0
    usual = was >= USUAL and is_now < RARE
    return usual or (before.filled(field) >= SOME and was >= SEEN and is_now == 0)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "ao" else f"a {kind}"
