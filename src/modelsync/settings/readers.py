"""How a setting's text becomes a value: pure functions, and values that are called, which raise UnusableText."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from modelsync.errors import SettingsError, UsageError
from modelsync.model.actors import Scope
from modelsync.planning.schedule import FORMS, Schedule, parsed
from modelsync.redaction import SHORTEST_KEY, is_secret_header

Value = TypeVar("Value")


class UnusableText(Exception):
    """What is wrong with a text, as words that follow its setting's name, and what to do about it."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


def value_of(name: str, reader: Callable[[str], Value], text: str) -> Value:
    """The value of a setting. SettingsError with its name when the text cannot be used."""
    try:
        return reader(text)
    except UnusableText as error:
        raise SettingsError(f"{name} {error.why}", error.hint) from error


class Number(msgspec.Struct, frozen=True):
    """Reads a number `of` a type, from `low` to `high`, both included; with a `least` one, 0 or that and more."""

    of: type[int] | type[float] | type[Decimal]
    low: float
    high: float
    least: int = 0

    def __call__(self, text: str) -> int | float | Decimal:
        """The number."""
        hint = f"Give one from {self.low:g} to {self.high:g}"
        try:
            value = self.of(text)
            inside = self.low <= value <= self.high
        except (ValueError, ArithmeticError) as error:  # which comparing a Decimal that is NaN raises too
            raise UnusableText("is not a number", hint) from error
        if not inside:
            raise UnusableText("is out of range", hint)
        if 0 < value < self.least:
            raise UnusableText("is out of range", f"Give 0, which keeps all, or at least {self.least}")
        return value


class Choice(msgspec.Struct, frozen=True):
    """Reads one of two words, and gives the value that it stands for."""

    words: Mapping[str, object]

    def __call__(self, text: str) -> object:
        """The value of a word."""
        if text not in self.words:
            raise UnusableText(f"is neither {' nor '.join(self.words)}", "Use one of these words")
        return self.words[text]

    def word(self, value: object) -> str:
        """What stands for a value."""
        return next(word for word, each in self.words.items() if each == value)


def scope(text: str) -> Scope:
    """What somebody may do: read, sync or admin."""
    try:
        return Scope.of(text)
    except UsageError as error:
        raise UnusableText("is no scope", error.hint) from error


def path(text: str) -> Path:
    """A path, with ~ for the home directory."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UnusableText("begins with ~, and there is no such home directory", "Give the whole path") from error


def words(text: str) -> tuple[str, ...]:
    """Several words, separated by commas or blanks, a trailing comma included."""
    return tuple(word for word in re.split(r"[,\s]+", text) if word)


def names(text: str) -> frozenset[str]:
    """Several words in no order."""
    return frozenset(words(text))


def networks(text: str) -> tuple[str, ...]:
    """Addresses of machines, or networks of them."""
    addresses = words(text)
    for each in addresses:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError as error:
            raise UnusableText(f"holds {each}, which is no address", "Give addresses or networks: 127.0.0.1, 10.0.0.0/8") from error
    return addresses


def keys(text: str) -> tuple[str, ...]:
    """Keys that nobody guesses."""
    several = words(text)
    if any(len(key) < SHORTEST_KEY for key in several):
        raise UnusableText("is too short to keep anybody out", "Make a long one: openssl rand -hex 32")
    return several


def sign_in_header(text: str) -> str:
    """A header by which a proxy names who has signed in: none that has a meaning already, or carries a secret."""
    taken = is_secret_header(text) or text.lower() in ("host", "x-forwarded-for")
    if taken or not re.fullmatch(r"[A-Za-z0-9-]{1,100}", text):
        raise UnusableText("is no header for this", "Name the one your proxy sets, for example X-Forwarded-User")
    return text


def schedule(text: str) -> Schedule:
    """When a provider is synced by itself."""
    try:
        return parsed(text)
    except ValueError as error:
        raise UnusableText(f"is no schedule: {error}", FORMS) from error


def origin(text: str) -> str:
    """A scheme, a host and perhaps a port to send requests to."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UnusableText("is not an http or https address", "Use for example http://127.0.0.1:8900")
    return text.rstrip("/")
