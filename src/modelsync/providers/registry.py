"""Providers by slug, as a value: those that come with this program, and whatever others a program names."""

import contextlib
import difflib
import importlib
import importlib.metadata
import pkgutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

import msgspec

from modelsync.errors import NotThere, SettingsError
from modelsync.providers.base import Provider

Registry = Mapping[str, Provider]
"""Providers by slug, in alphabetical order. It cannot be changed."""

GROUP = "modelsync.providers"
"""The group of entry points of packages that bring providers."""


class Source(Protocol):
    """Where providers are found."""

    def providers(self) -> Iterator[Provider]:
        """All of them. Importing them runs their code, with all rights of this program."""


class Package(msgspec.Struct, frozen=True):
    """Every module of a package, each with its `PROVIDER`; a module whose name begins with `_` is none."""

    name: str

    def providers(self) -> Iterator[Provider]:
        """In the order of the modules' names."""
        package = importlib.import_module(self.name)
        for name in sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")):
            provider: Provider = importlib.import_module(f"{self.name}.{name}").PROVIDER
            yield provider


class EntryPoints(msgspec.Struct, frozen=True):
    """What installed packages offer under these names in the group `modelsync.providers`: a `Provider` each."""

    names: tuple[str, ...]

    def providers(self) -> Iterator[Provider]:
        """In the order of the names. SettingsError when no installed package offers one."""
        offered = importlib.metadata.entry_points(group=GROUP)
        for name in self.names:
            if name not in offered.names:
                raise SettingsError(f"No installed package brings the provider {name}", f"Install it; there are {_listed(offered.names)}")
            provider: Provider = offered[name].load()
            yield provider


class Made(msgspec.Struct, frozen=True):
    """Providers that a program has made itself, a test for one."""

    of: tuple[Provider, ...]

    def providers(self) -> Iterator[Provider]:
        """In the order given."""
        yield from self.of


BUILTIN = Package("modelsync.providers.builtin")


def load(*sources: Source) -> Registry:
    """The providers of all sources; without sources those that come with this program. SettingsError when two have the same slug."""
    return _loaded(sources) if sources else _builtin()


@lru_cache(maxsize=1)
def _builtin() -> Registry:
    return _loaded((BUILTIN,))


def _loaded(sources: Iterable[Source]) -> Registry:
    by_slug: dict[str, Provider] = {}
    for provider in (each for source in sources for each in source.providers()):
        if provider.slug in by_slug:
            raise SettingsError(f"There are two providers {provider.slug}", "Leave one of them out")
        by_slug[provider.slug] = provider
    return MappingProxyType({slug: by_slug[slug] for slug in sorted(by_slug)})


def select(known: Registry, slugs: Iterable[str] | None) -> list[Provider]:
    """The named providers, each once, in alphabetical order; all when none is named. NotThere names unknown slugs and near ones."""
    names = sorted(set(slugs)) if slugs else list(known)
    unknown = [slug for slug in names if slug not in known]
    if unknown:
        near = sorted({match for slug in unknown for match in difflib.get_close_matches(slug.lower(), known, n=2, cutoff=0.5)})
        hint = f"Did you mean {', '.join(near)}?" if near else f"Known providers: {', '.join(known)}"
        raise NotThere(f"Unknown provider: {', '.join(unknown)}", hint)
    return [known[slug] for slug in names]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


# Structs that are safe to read in several threads at once

_preparing = threading.Lock()
_prepared: set[type[msgspec.Struct]] = set()


def prepare(known: Registry) -> None:
    """Have msgspec look at the fields of every struct of this program, and of the packages these providers are of: to be called before
    there are threads that decode them, and again when more of the program was imported.

    It would do so when a struct is first decoded. But it keeps what it finds before it has found all (`StructInfo_Convert` in
    `_core.c` of 0.22), and finding calls Python: another thread that decodes the same struct meanwhile follows a null pointer, and
    the process dies. Two providers that were read at once did that in one of some thousand starts.
    """
    packages = {"modelsync", *(package for provider in known.values() for package in _packages_of(provider))}
    with _preparing:
        for struct in {*_below(msgspec.Struct)} - _prepared:
            if struct.__module__.partition(".")[0] in packages:
                _prepared.add(struct)
                with contextlib.suppress(TypeError):  # it holds what no JSON can say, such as a function: nobody decodes it
                    msgspec.json.Decoder(struct)


def _packages_of(provider: Provider) -> Iterator[str]:
    """The packages that a provider's structs are of."""
    for struct in (provider.options, *(endpoint.row for endpoint in provider.endpoints)):
        yield struct.__module__.partition(".")[0]


def _below(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in struct.__subclasses__():
        yield each
        yield from _below(each)
