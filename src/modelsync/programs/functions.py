"""The functions that programs call, under the names users' documents know. All of them block; `modelsync.aio` has their async twins.

Settings are those of the process, as for the command line: environment, `.env`, `modelsync.toml`. `database` is the address of
another catalog than DATABASE_URL's. All raise ModelsyncError (with what to do in its `hint`): SettingsError for a setting that cannot be
used, UsageError for an unknown provider or inside a running event loop, DatabaseError for a catalog that cannot be opened or written.
"""

import contextlib
import signal
from collections.abc import Iterable, Iterator

from modelsync import app, settings
from modelsync.app import App, refuse_running_loop
from modelsync.errors import UsageError
from modelsync.model.model import Model
from modelsync.model.records import Counts
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Report
from modelsync.programs.given import checked
from modelsync.providers import registry
from modelsync.sync.run import Stopped

registry.prepare(registry.load())  # now, while this is imported by one thread: the first calls may come from several


def fetch_models(slug: str) -> Listing:
    """What one provider lists now: models by id, rejected rows, warnings. Prices are Decimal, USD per token. No database is opened.

    Raises ModelsyncError also when the list cannot be had: no key, no answer.
    """
    refuse_running_loop("fetch_models")
    with _signals_as_python_has_them():
        return program(None).fetch(slug)


def sync_provider_models(slug: str, *, dry_run: bool = False, database: str | None = None) -> Report:
    """Sync one provider into the catalog; a dry run plans the same and writes nothing. What the provider does is reported, never raised."""
    refuse_running_loop("sync_provider_models")
    with _signals_as_python_has_them():
        return program(database).sync([slug], dry_run=dry_run)


def sync_all_providers(slugs: Iterable[str] | None = None, *, dry_run: bool = False, database: str | None = None) -> Report:
    """Sync the named providers, or all of them, at once; each is up to date or untouched, whatever becomes of the others.

    A dry run plans the same and writes nothing. What providers do is reported, never raised.
    """
    refuse_running_loop("sync_all_providers")
    with _signals_as_python_has_them():
        return program(database).sync(listed(slugs), dry_run=dry_run)


def ensure_provider_exists(slug: str, *, database: str | None = None) -> int:
    """The number of a provider's row in the catalog, which is made when it is not there yet."""
    refuse_running_loop("ensure_provider_exists")
    chosen = program(database)
    (provider,) = registry.select(chosen.settings.providers, [slug])
    with contextlib.closing(chosen.open_store()) as store:
        return store.ensure_provider_exists(provider.slug)


def bulk_upsert_models(slug: str, models: Iterable[Model], *, database: str | None = None) -> Counts:
    """Create or update models of one provider, in one transaction, as a run of its own; models that are not given are left alone.

    They go through what a sync goes through: doubtful prices are held (`held` of the counts), pins win, changes are recorded.

    Raises UsageError, with nothing written, for a model that is none: a price below 0, a time without a zone, an id that is given
    twice; and DatabaseError while that provider is being synced, switched off, frozen or paused.
    """
    refuse_running_loop("bulk_upsert_models")
    chosen, given = program(database), checked(models)
    (provider,) = registry.select(chosen.settings.providers, [slug])
    with contextlib.closing(chosen.open_store()) as store:
        return store.bulk_upsert_models(provider.slug, given, rules=chosen.settings.rules)


def program(database: str | None) -> App:
    """The program with this process's settings, and the catalog at this address if there is one."""
    return app.build(settings.load(DATABASE_URL=database or ""))


def listed(slugs: Iterable[str] | None) -> Iterable[str] | None:
    """Slugs that may be more than one. UsageError for a single text, which would be taken letter by letter, and for none at all."""
    if isinstance(slugs, str):
        raise UsageError(f"{slugs!r} is one text, and a list of providers is needed", f"Give [{slugs!r}]")
    if slugs is None:
        return None
    named = list(slugs)
    if not named:
        raise UsageError("No provider is named", "Name some; all of them are None, or no argument")
    return named


@contextlib.contextmanager
def _signals_as_python_has_them() -> Iterator[None]:
    """A run that a signal stopped ends as Python programs expect it: KeyboardInterrupt for Ctrl-C, else SystemExit."""
    try:
        yield
    except Stopped as stopped:
        if stopped.code == 128 + signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(stopped.code) from None
