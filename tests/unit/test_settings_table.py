"""Each setting is one entry of one table. What is tested here is taken from the table, so that a new setting is tested by itself."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from modelsync import settings
from modelsync.errors import SettingsError
from modelsync.fetch import FetchLimits, Origins
from modelsync.planning.doubts import PriceLimits
from modelsync.planning.policy import Rules
from modelsync.settings import TABLE, Entry, Serving, Settings, readers
from modelsync.settings.readers import Choice, Number
from modelsync.settings.table import HIDDEN, KEYS
from modelsync.settings.values import Places

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text("utf-8")
ENTRIES = pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.name)
LOADED = pytest.mark.parametrize("entry", [entry for entry in TABLE if entry.into is not Places], ids=lambda entry: entry.name)

FOUND: dict[type[msgspec.Struct], Callable[[Settings], msgspec.Struct]] = {
    Settings: lambda loaded: loaded,
    FetchLimits: lambda loaded: loaded.limits,
    Rules: lambda loaded: loaded.rules,
    PriceLimits: lambda loaded: loaded.rules.prices,
    Origins: lambda loaded: loaded.origins,
    Serving: lambda loaded: loaded.serving,
}
"""Where the structs are that entries fill; what is in Places is used up by reading."""

TEXTS: dict[Callable[[str], object], tuple[str, list[str]]] = {
    str: ("sqlite:///other.db", []),
    readers.words: ("https://a.example, https://b.example", []),
    readers.names: ("groq, fal", ["nobody"]),
    readers.path: ("/kept", ["~nobody-of-this-name/kept"]),
    readers.origin: ("http://127.0.0.1:8900", ["127.0.0.1", "ftp://h"]),
    readers.networks: ("127.0.0.1, 10.0.0.0/8", ["*", "10.0.0.300"]),
    readers.keys: ("k" * 16, ["k" * 15, f"{'k' * 16},short"]),
    readers.sign_in_header: ("X-User", ["X User", "Authorization", "Host"]),
    readers.scope: ("sync", ["root", "1"]),
    readers.schedule: ("0 6 * * 1-5 Europe/Berlin", ["6", "0 6 * *", "0 6 * * * Mars/Olympus"]),
}
"""Of every reader without a range: a text that it takes, and those that the setting refuses."""


def texts(entry: Entry) -> tuple[list[str], list[str]]:
    """What an entry takes, its bounds among it, and what it must refuse."""
    match entry.read:
        case Number(of, low, high, least):
            taken, refused = (low, high, *([least] if least else [])), (low - 1, high * 2 + 1, *([least - 1] if least else []))
            wrong = ["x", "nan", "inf", "-inf", *(["1.5"] if of is int else [])]
            return [_digits(each, of) for each in taken], [*(_digits(each, of) for each in refused), *wrong]
        case Choice(words):
            return list(words), ["x", *(word.upper() for word in words)]
        case reader:
            taken, refused = TEXTS[reader]
            return [taken], refused


def _digits(value: float, of: type) -> str:
    return str(int(value)) if of is int else repr(float(value))


def loaded(folder: Path, entry: Entry, text: str) -> Settings:
    """With this setting, and what belongs to it."""
    others = {"MODELSYNC_SIGN_IN_HEADER": "X-User", "MODELSYNC_SIGN_IN_PROXIES": "::1"} if "SIGN_IN" in entry.name else {}
    return settings.load(others | {entry.name: text}, folder)


def faults(entry: Entry) -> list[str]:
    """What is wrong with an entry by itself."""
    fields = {field.name: field for field in msgspec.structs.fields(entry.into)}
    if entry.field not in fields:
        return ["it fills no field"]
    field, found = fields[entry.field], []
    for text in texts(entry)[0]:
        try:
            msgspec.convert(entry.read(text), field.type, dec_hook=lambda _, value: value)
        except msgspec.ValidationError:
            found.append("what it reads does not fit its field")
    has_default = field.default is not msgspec.NODEFAULT and field.default not in (None, ())
    if has_default and (entry.default_help.count("{}") != 1 or "{" in entry.help):
        found.append("its help does not say its default")
    if has_default and isinstance(entry.read, Number) and entry.read(_digits(field.default, entry.read.of)) != field.default:
        found.append("its default is no value of it")
    if f"| `{entry.name}` | {entry.help} |\n" not in PAGE.replace("`<", "<").replace(">`", ">"):
        found.append("it is not in the page of settings")
    secret = next((text for reader, text in SECRETS if reader is entry.read), f"me:{CANARY}@h/d")
    if CANARY in entry.redaction.shown(secret) or CANARY not in entry.redaction.secrets(secret):
        found.append("it shows a secret")
    return found


CANARY = "canary-of-the-table"
SECRETS = [(readers.keys, CANARY), (readers.origin, f"https://{CANARY}@h")]
"""What is secret in texts of a reader; in any other it is a password before a host."""


@ENTRIES
def test_an_entry_fits_its_field_and_says_its_default_and_is_documented(entry: Entry):
    assert faults(entry) == []


def test_a_broken_entry_would_be_noticed():
    (good,) = (entry for entry in TABLE if entry.name == "MODELSYNC_ATTEMPTS")
    broken = {
        "it fills no field": {"field": "tries"},
        "what it reads does not fit its field": {"read": Number(float, 1.5, 10.5)},
        "its help does not say its default": {"default_help": "3"},
        "it shows a secret": {"read": readers.keys, "redaction": good.redaction},
        "it is not in the page of settings": {"name": "MODELSYNC_TRIES"},
    }
    for fault, change in broken.items():
        assert fault in faults(msgspec.structs.replace(good, **change)), fault
    with pytest.raises(readers.UnusableText):
        faults(msgspec.structs.replace(good, read=Number(int, 4, 10)))
    with pytest.raises(KeyError):  # a reader that nobody has said here what it refuses
        faults(msgspec.structs.replace(good, read=float))


def test_names_and_fields_are_there_once():
    assert len({entry.name for entry in TABLE}) == len({(entry.into, entry.field) for entry in TABLE}) == len(TABLE)
    filled = {(entry.into, entry.field) for entry in TABLE}
    assert [name for name in Serving.__struct_fields__ if (Serving, name) not in filled] == []


@LOADED
def test_what_is_set_arrives_and_is_shown(entry: Entry, tmp_path: Path):
    for text in texts(entry)[0]:
        there = loaded(tmp_path, entry, text)
        assert getattr(FOUND[entry.into](there), entry.field) == entry.read(text)
        (row,) = (row for row in there.shown if row.name == entry.name)
        assert (row.value, row.source, row.help) == (HIDDEN if entry.redaction is KEYS else text, "environment", entry.help)
    if entry.redaction is KEYS:
        assert set(there.secrets) == {text}


@LOADED
def test_what_is_not_set_is_the_default(entry: Entry, tmp_path: Path):
    there = settings.load({}, tmp_path)
    (row,) = (row for row in there.shown if row.name == entry.name)
    assert (row.value, row.source, row.help) == ("", "not set", entry.help)
    if entry.default is not msgspec.NODEFAULT:
        assert getattr(FOUND[entry.into](there), entry.field) == entry.default


@LOADED
def test_what_is_outside_its_range_is_refused_under_its_name(entry: Entry, tmp_path: Path):
    for text in texts(entry)[1]:
        with pytest.raises(SettingsError, match=f"^{entry.name} ") as caught:
            loaded(tmp_path, entry, text)
        assert caught.value.hint
        assert caught.value.exit_code == 64
