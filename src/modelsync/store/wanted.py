"""What a sync hands to the store, and what the store asks of the module of a dialect."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa

from modelsync.drift import Snapshot
from modelsync.policy import DEFAULT_RULES, Rules
from modelsync.provider import Provider
from modelsync.reading import Listing
from modelsync.store.answers import KeptAnswer
from modelsync.store.records import Seen


class Bulk(Protocol):
    """Reading and writing many rows at once, as the modules `sqlite` and `postgres` do it."""

    def hashes(self, connection: sa.Connection, provider_id: int) -> dict[str, str]:
        """The content hash of every model of a provider."""

    def upsert_models(self, connection: sa.Connection, rows: Iterable[tuple[Any, ...]]) -> int:
        """Insert or update rows given in the order of COLUMNS; how many were written."""

    def insert_changes(self, connection: sa.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Append rows of model_changes."""

    def now(self, connection: sa.Connection) -> str:
        """The database's time as text."""


class Mark(msgspec.Struct, frozen=True):
    """Where a provider's part of the catalog stands: how often it was written, and the number of the last sync that was committed."""

    revision: int = 0
    committed_seq: int = 0


class Expected(msgspec.Struct, frozen=True):
    """The plan that somebody has seen, by its digest, and where the catalog stood before its answer was asked for."""

    mark: Mark
    digest: str


class Commit(msgspec.Struct, frozen=True):
    """What one sync wants to make of the catalog. `scope` names what the listing depends on: options, key, origin; `place` all but the key.

    `whole` says that every call was answered, so that silence about a price means something in a complete listing. `kept` are the
    answers that it was read from, where they are kept. With `only_if` it is made only if that is still the plan.
    """

    provider: Provider[Any]
    listing: Listing
    seen: Seen | None
    rules: Rules = DEFAULT_RULES
    scope: str = ""
    whole: bool = False
    kept: tuple[KeptAnswer, ...] = ()
    only_if: Expected | None = None
    place: str | None = None

    @property
    def wire(self) -> Snapshot | None:
        """Which fields the rows had; of a complete listing only, because others say nothing about shares."""
        return Snapshot(self.scope, self.provider.version, self.listing.wire_fields) if self.listing.complete else None
