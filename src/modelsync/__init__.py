"""modelsync keeps a database catalog of AI models up to date with what providers' own APIs say.

For programs: the names of `__all__`, and their async twins in `modelsync.aio`. docs/python.md explains them.
Each is loaded when it is first used, so that the command line and `import modelsync` stay quick.
"""

import importlib

TYPE_CHECKING = False  # type checkers take it for true by its name; importing it takes more than all else here

if TYPE_CHECKING:
    from modelsync import aio
    from modelsync.errors import DatabaseError, ModelsyncError, SettingsError, UsageError
    from modelsync.model.model import Model, Prices
    from modelsync.model.records import Counts
    from modelsync.planning.listing import Listing
    from modelsync.planning.outcome import Report
    from modelsync.programs.catalog import Catalog, CatalogModel
    from modelsync.programs.functions import (
        bulk_upsert_models,
        ensure_provider_exists,
        fetch_models,
        sync_all_providers,
        sync_provider_models,
    )

__version__ = "0.1.0"

__all__ = [
    "Catalog",
    "CatalogModel",
    "Counts",
    "DatabaseError",
    "Listing",
    "Model",
    "ModelsyncError",
    "Prices",
    "Report",
    "SettingsError",
    "UsageError",
    "aio",
    "bulk_upsert_models",
    "ensure_provider_exists",
    "fetch_models",
    "sync_all_providers",
    "sync_provider_models",
]

_NAMES = {
    "programs.functions": (
        "bulk_upsert_models",
        "ensure_provider_exists",
        "fetch_models",
        "sync_all_providers",
        "sync_provider_models",
    ),
    "programs.catalog": ("Catalog", "CatalogModel"),
    "errors": ("DatabaseError", "ModelsyncError", "SettingsError", "UsageError"),
    "model.model": ("Model", "Prices"),
    "model.records": ("Counts",),
    "planning.listing": ("Listing",),
    "planning.outcome": ("Report",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, loaded now. AttributeError for any other."""
    if name == "aio":
        return importlib.import_module("modelsync.aio")
    if name not in _MODULES:
        raise AttributeError(f"module 'modelsync' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"modelsync.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    """What is here, loaded or not."""
    return sorted({*globals(), *__all__})
