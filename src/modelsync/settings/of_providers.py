"""Settings that providers bring: which are on, their options, and the names of both."""

import difflib
from collections.abc import Iterable, Mapping

import msgspec

from modelsync.errors import SettingsError
from modelsync.model.mistakes import plain_words
from modelsync.planning.schedule import Every, GivenSchedule, Schedule
from modelsync.providers.base import Provider
from modelsync.settings.readers import origin, schedule, value_of, words
from modelsync.settings.sources import SettingsSource
from modelsync.settings.table import ADDRESS, KEY_OF_PROVIDER, ORIGIN, Redaction

SCHEDULE = "MODELSYNC_SCHEDULE"

Row = tuple[str, Redaction, str]
"""The name of a setting that is shown, its redaction, and its help."""


def rows(provider: Provider, source: SettingsSource) -> Iterable[Row]:
    """A provider's settings: its keys, its options, and its own origin if that is set."""
    for variable in provider.auth.variables:
        yield variable, ADDRESS if variable.endswith("_CREDENTIALS") else KEY_OF_PROVIDER, f"key of {provider.name}"
    for field in msgspec.structs.fields(provider.options):
        default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        yield option_variable(provider, field.name), ADDRESS, f"option of {provider.name}; default {default}"
    if source.get(origin_variable(provider.slug)):
        yield origin_variable(provider.slug), ORIGIN, f"replaces {provider.name}'s scheme, host and port"
    if source.get(schedule_variable(provider.slug)):
        yield schedule_variable(provider.slug), ADDRESS, f"when {provider.name} is synced by itself"


def option_variable(provider: Provider, option: str) -> str:
    """The variable of a provider's option: `ALIBABA_REGION`."""
    return f"{_upper(provider.slug)}_{option.upper()}"


def origin_variable(slug: str) -> str:
    """The variable of a provider's own origin: `MODELSYNC_ORIGIN_GROQ`."""
    return f"MODELSYNC_ORIGIN_{_upper(slug)}"


def schedule_variable(slug: str) -> str:
    """The variable of a provider's own schedule: `MODELSYNC_SCHEDULE_GROQ`."""
    return f"{SCHEDULE}_{_upper(slug)}"


def schedules(source: SettingsSource, known: Mapping[str, Provider], of_all: Schedule | None) -> dict[str, GivenSchedule]:
    """The schedule of every provider, by slug: its own, that of all, or what its module says. SettingsError for one that says nothing."""
    return {slug: _own(source, slug) or _usual(provider, of_all) for slug, provider in known.items()}


def _own(source: SettingsSource, slug: str) -> GivenSchedule | None:
    name = schedule_variable(slug)
    text = source.text(name)
    return GivenSchedule(value_of(name, schedule, text), name) if text else None


def _usual(provider: Provider, of_all: Schedule | None) -> GivenSchedule:
    return GivenSchedule(of_all, SCHEDULE) if of_all else GivenSchedule(Every(provider.sync_hours * 3600), "default")


def _upper(slug: str) -> str:
    return slug.replace("-", "_").upper()


def origins(source: SettingsSource, known: Iterable[str]) -> dict[str, str]:
    """The origins of single providers, by slug."""
    names = {slug: origin_variable(slug) for slug in known}
    return {slug: value_of(name, origin, text) for slug, name in names.items() if (text := source.text(name))}


def enabled(chosen: frozenset[str], known: Mapping[str, Provider]) -> frozenset[str]:
    """The providers that are on: those that are wanted, or all. SettingsError for one that is not known."""
    for name in sorted(chosen - known.keys()):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known providers: {', '.join(known)}"
        raise SettingsError(f"MODELSYNC_PROVIDERS names the unknown provider {name}", hint)
    return chosen or frozenset(known)


def options(provider: Provider, source: SettingsSource) -> msgspec.Struct:
    """A provider's options. SettingsError names the one that cannot be used."""
    values: dict[str, str | tuple[str, ...]] = {}
    for field in msgspec.structs.fields(provider.options):
        if text := source.text(option_variable(provider, field.name)):
            values[field.name] = words(text) if isinstance(field.default, tuple) else text
    try:
        return msgspec.convert(values, provider.options, strict=False)
    except msgspec.ValidationError as error:
        reason, at, name = str(error).partition(" - at `$.")
        what = option_variable(provider, name.rstrip("`").split("[")[0]) if at else f"the options of {provider.name}"
        raise SettingsError(f"{what} cannot be used: {plain_words(reason) or reason}", "See `modelsync settings`") from error
