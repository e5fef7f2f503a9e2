"""Settings, read once at the edge: environment, then `.env`, then a TOML file, then defaults."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from modelsync.errors import SettingsError
from modelsync.fetch import FetchLimits, Origins
from modelsync.fetch.auth import credential_of
from modelsync.planning.doubts import PriceLimits
from modelsync.planning.policy import Rules
from modelsync.providers import registry
from modelsync.providers.base import GoogleAccount
from modelsync.providers.registry import Registry
from modelsync.settings import of_providers, supabase
from modelsync.settings.of_providers import Row, origin_variable, schedule_variable
from modelsync.settings.readers import Number, networks, path, value_of
from modelsync.settings.sources import SettingsSource, beside, dotenv_file, toml_file
from modelsync.settings.table import TABLE, UNKNOWN, Entry
from modelsync.settings.values import DATABASE, NO_SUCH, Places, Serving, Setting, Settings

__all__ = ["TABLE", "Entry", "Number", "Serving", "Setting", "Settings", "load"]

Struct = TypeVar("Struct", bound=msgspec.Struct)


def load(
    environment: Mapping[str, str] | None = None, folder: Path | None = None, *, providers: Registry | None = None, **overrides: str
) -> Settings:
    """Settings from `environment` (the process's own), a `.env` and a TOML file in `folder` (MODELSYNC_HOME, or the working directory).

    Relative paths in the environment are those of the working directory, those in the files of MODELSYNC_HOME are its own.
    `overrides` (from the command line) win over all. `providers` are a registry that was loaded (`registry.load`); by default those that
    come with this program.
    Raises SettingsError naming the variable that cannot be used.
    """
    env = dict(os.environ if environment is None else environment)
    known = registry.load() if providers is None else providers
    typed = SettingsSource([("command line", overrides), ("environment", env)])
    home = _filled(typed, Places()).home
    base, paths = folder or Path.cwd() / home, _paths(known)
    source = typed | dotenv_file(base / ".env").beside(home, paths)
    places = _filled(source, Places(config=base / Places().config))
    source |= toml_file(places.config, required=source.text("MODELSYNC_CONFIG") is not None).beside(home, paths)
    return _settings(source, known, home)


def _paths(known: Registry) -> frozenset[str]:
    """The settings that are paths, or may be."""
    of_google = (
        variable for provider in known.values() if isinstance(provider.auth, GoogleAccount) for variable in provider.auth.variables[1:]
    )
    return frozenset({"DATABASE_URL", *of_google, *(entry.name for entry in TABLE if entry.read is path)})


def _given(source: SettingsSource, into: type[msgspec.Struct]) -> dict[str, object]:
    """What is set for a struct, by its fields."""
    entries = (entry for entry in TABLE if entry.into is into)
    return {entry.field: value_of(entry.name, entry.read, text) for entry in entries if (text := source.text(entry.name))}


def _filled(source: SettingsSource, struct: Struct) -> Struct:
    """A struct with what is set for it."""
    return msgspec.structs.replace(struct, **_given(source, type(struct)))


def _settings(source: SettingsSource, known: Registry, home: Path) -> Settings:
    credentials = {slug: credential for slug, provider in known.items() if (credential := credential_of(provider.auth, source.text))}
    rows = tuple(_rows(source, known))
    secrets = frozenset[str]().union(
        *(credential.secrets for credential in credentials.values()),
        *(redaction.secrets(text) for name, redaction, _ in rows if (text := source.text(name))),
    )
    chosen = _filled(
        source,
        Settings(
            database_url=supabase.web_api(source) or beside(home, DATABASE),
            limits=_filled(source, FetchLimits()),
            rules=_filled(source, Rules(prices=_filled(source, PriceLimits()))),
            origins=_filled(source, Origins(by_slug=of_providers.origins(source, known))),
            serving=_serving(source),
            enabled=frozenset(known),
            credentials=credentials,
            options={slug: of_providers.options(provider, source) for slug, provider in known.items()},
            providers=known,
            shown=tuple(_setting(source, row) for row in rows),
            secrets=tuple(sorted(secrets, key=len, reverse=True)),
        ),
    )
    schedules = of_providers.schedules(source, known, chosen.schedule)
    return msgspec.structs.replace(chosen, enabled=of_providers.enabled(chosen.enabled, known), schedules=schedules)


def _serving(source: SettingsSource) -> Serving:
    """How a proxy says who signed in there is set as a whole, or not at all."""
    if source.text("MODELSYNC_SIGN_IN_HEADER") is None:
        proxies = value_of("MODELSYNC_SIGN_IN_PROXIES", networks, source.text("MODELSYNC_SIGN_IN_PROXIES") or "")
        if proxies or source.text("MODELSYNC_SIGN_IN_SCOPE"):
            what = "MODELSYNC_SIGN_IN_HEADER is not set, and other settings of signing in are"
            raise SettingsError(what, "Name the header, or unset them")
    chosen = _filled(source, Serving())
    if chosen.sign_in_header and not chosen.sign_in_proxies:
        raise SettingsError("MODELSYNC_SIGN_IN_PROXIES is not set: anybody could send the header", "Give the address of the proxy")
    return chosen


def _rows(source: SettingsSource, known: Registry) -> Iterable[Row]:
    """Every setting there is, and those that are set and do not exist."""
    for entry in TABLE:
        yield entry.name, entry.redaction, entry.help
    for provider in known.values():
        yield from of_providers.rows(provider, source)
    yield from supabase.rows(source)
    names = {entry.name for entry in TABLE} | {variable(slug) for slug in known for variable in (origin_variable, schedule_variable)}
    for name in sorted(source.names() - names):
        if name.startswith("MODELSYNC_"):
            yield name, UNKNOWN, NO_SUCH


def _setting(source: SettingsSource, row: Row) -> Setting:
    name, redaction, what = row
    value, place = source.get(name) or ("", "not set")
    return Setting(name, redaction.shown(value) if value else "", place, what)
