"""How every command opens the catalog that its settings name."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from functools import cached_property

from modelsync import app, settings
from modelsync.cli import output
from modelsync.cli.stopping import at_ctrl_c
from modelsync.providers.registry import select
from modelsync.queries.catalog import Catalog
from modelsync.queries.history import History
from modelsync.queries.reader import Reader
from modelsync.queries.rows import CountedModelRow
from modelsync.settings import Settings
from modelsync.sync.store import Store


class Opened:
    """An open catalog, what can be asked of it, and the settings that name it."""

    def __init__(self, chosen: Settings, store: Store) -> None:
        self.settings = chosen
        self.store = store

    @cached_property
    def catalog(self) -> Catalog:
        """What is recorded beside models."""
        return Catalog(self.store)

    @cached_property
    def reader(self) -> Reader:
        """Its models."""
        return Reader(self.store, row=CountedModelRow)

    @cached_property
    def history(self) -> History:
        """What was in it."""
        return History(self.store)


def load(database: str | None) -> Settings:
    """This process's settings, with what the command line says. SettingsError for one that cannot be used."""
    return settings.load(DATABASE_URL=database or "")


def warn_of_unknown(chosen: Settings) -> None:
    """Say which settings do not exist: whoever set one believes that it does something."""
    known = {setting.name.removeprefix("MODELSYNC_"): setting.name for setting in chosen.shown if setting.name not in chosen.unknown}
    for name in chosen.unknown:
        near = [known[short] for short in difflib.get_close_matches(name.removeprefix("MODELSYNC_"), known, n=1, cutoff=0.7)]
        output.say(output.stderr(), f"{name} is no setting and does nothing. {f'Did you mean {near[0]}?' if near else SETTINGS_HINT}")


SETTINGS_HINT = "`modelsync settings` lists those that there are"


@contextlib.contextmanager
def opened(database: str | None, named: Iterable[str] | None = None, *, writing: bool = False) -> Iterator[Opened]:
    """The catalog that the settings name; only to be read, unless it is for `writing`.

    Raises UsageError when a provider that is `named` is not known, and DatabaseError when the catalog cannot be opened.
    """
    chosen = load(database)
    select(chosen.providers, named)
    store = app.build(chosen).open_store(read_only=not writing)
    with at_ctrl_c(), contextlib.closing(store):
        yield Opened(chosen, store)
