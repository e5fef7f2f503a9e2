"""Small pure helpers for reading wire values that many providers share."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, overload

import msgspec

from modelsync.model.model import KNOWN_MODALITIES, modalities

_EARLIEST, _LATEST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _END_SECOND = _EARLIEST.timestamp(), _LATEST.timestamp()


def unix_time(seconds: float | None) -> datetime | None:
    """A Unix time in seconds as an aware time; None for nothing, 0, and what is outside 2015 to 2090."""
    if not seconds or not _FIRST_SECOND <= seconds < _END_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def iso_time(text: str | None) -> datetime | None:
    """An ISO 8601 date or time as an aware time (UTC when it names no zone); None when unreadable or outside 2015 to 2090."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC) if _EARLIEST <= aware < _LATEST else None
    except OverflowError:
        return None


def are_few(*texts: Iterable[str]) -> bool:
    """Whether these are so few and short, as what lists usually have, that what was made of them may be remembered."""
    lengths = [len(text) for some in texts for text in some]
    return len(lengths) <= 64 and sum(lengths) <= 1000


def stated(names: Iterable[str] | None, *abilities: str) -> bool | None:
    """Whether a list of abilities names one of `abilities`; None when the provider gives no list, or an empty one."""
    have = {name.strip().lower() for name in names or ()}
    return not have.isdisjoint(abilities) if have else None


def stated_true(names: Iterable[str] | None, *abilities: str) -> bool | None:
    """Like `stated`, where a list only switches abilities on and says nothing of those it leaves out."""
    return stated(names, *abilities) or None


def words(value: str | Iterable[str] | None) -> list[str]:
    """The names in a comma-separated string or a list: lower-case, sorted, without doubles."""
    names = value.split(",") if isinstance(value, str) else value or ()
    return sorted({name.strip().lower() for name in names} - {""})


def filled(**facts: object) -> dict[str, object]:
    """The facts that say anything: without None, False, 0, and empty texts and lists."""
    return {name: value for name, value in facts.items() if value}


def whole_number(value: object) -> int | None:
    """A whole number that is not negative, also as text ("131072") or with a point (131072.0); None for anything else."""
    if isinstance(value, str):
        match = _count.fullmatch(value)
        return int(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return int(value) if value == value // 1 and value < 10**19 else None


_count = re.compile(r"(\d{1,19})(?:\.0+)?", re.ASCII)


Count = (
    int
    | Annotated[float, msgspec.Meta(ge=0, le=1e15, multiple_of=1)]  # below 2^53, where a float is still exactly one whole number
    | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}\Z")]
)
"""A wire field that counts something (tokens, mostly): 131072, 131072.0 or "131072". Anything else is unreadable, with a warning."""


@overload
def count(wire: Count) -> int: ...
@overload
def count(wire: Count | None) -> int | None: ...
def count(wire: Count | None) -> int | None:
    """The number that a count is, however it is written; None when none is stated."""
    return wire if wire is None else int(wire)


WORDS: Mapping[str, str] = {"embedding": "embeddings", "pdf": "file"}
"""Words of several providers for a modality, beside MODALITIES itself. What only one provider says stands in its module."""


def in_our_words(names: Iterable[str] | None, own: Mapping[str, str] = WORDS) -> tuple[str, ...] | None:
    """Modalities that a wire names, in this catalog's words and order; None when none is stated.

    `own` are the provider's words, looked up before WORDS. A word that nobody declares is kept here: `within_limits` warns and drops it.
    """
    words, called = tuple(names or ()), tuple(own.items())
    if not words:
        return None
    return _in_our_words(words, called) if are_few(words) else _in_our_words.__wrapped__(words, called)


@lru_cache(maxsize=1024)  # a list has few different rows of modalities
def _in_our_words(names: tuple[str, ...], own: tuple[tuple[str, str], ...]) -> tuple[str, ...] | None:
    words, called = (name.strip().lower() for name in names), {**WORDS, **{name: ours for name, ours in own if ours}}
    return modalities(called.get(name, name) for name in words)


def sees(inputs: tuple[str, ...] | None) -> bool | None:
    """Whether images are among the inputs. None when inputs are not stated, and when a word that nobody declares may mean them."""
    if inputs and "image" in inputs:
        return True
    return False if inputs and KNOWN_MODALITIES.issuperset(inputs) else None


def sides(modality: str | None, own: Mapping[str, str] = WORDS) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """The modalities before and after the arrow of `text+image->text` (blanks do not matter); None for a side that is not stated."""
    before, _, after = (modality or "").partition("->")
    return in_our_words(before.split("+"), own), in_our_words(after.split("+"), own)
