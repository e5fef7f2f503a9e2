"""All providers, found in the `providers` folder: a new file there is a new provider."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from modelsync import providers
from modelsync.errors import NotThere
from modelsync.provider import Provider


@lru_cache(maxsize=1)
def all_providers() -> Mapping[str, Provider[Any]]:
    """Every provider by slug, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(providers.__path__) if not module.name.startswith("_"))
    found: list[Provider[Any]] = [importlib.import_module(f"{providers.__name__}.{name}").PROVIDER for name in names]
    return MappingProxyType({provider.slug: provider for provider in sorted(found, key=lambda provider: provider.slug)})


def select(slugs: Iterable[str] | None) -> list[Provider[Any]]:
    """The named providers, each once, in alphabetical order; all when none is named. NotThere names unknown slugs and near ones."""
    known = all_providers()
    wanted = sorted(set(slugs)) if slugs else list(known)
    unknown = [slug for slug in wanted if slug not in known]
    if unknown:
        near = sorted({match for slug in unknown for match in difflib.get_close_matches(slug.lower(), known, n=2, cutoff=0.5)})
        hint = f"Did you mean {', '.join(near)}?" if near else f"Known providers: {', '.join(known)}"
        raise NotThere(f"Unknown provider: {', '.join(unknown)}", hint)
    return [known[slug] for slug in wanted]
