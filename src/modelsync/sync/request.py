"""What a sync asks the catalog to take in, and what it may expect to find there."""

import msgspec

from modelsync.database.tables.answers import KeptAnswer
from modelsync.database.tables.runs import Seen
from modelsync.planning.drift import Snapshot
from modelsync.planning.known import KnownRows
from modelsync.planning.listing import Listing
from modelsync.planning.policy import DEFAULT_RULES, Rules
from modelsync.providers.base import Provider


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

    `whole` says that every call was answered, so that a price which a complete listing lacks is unstated. `kept` are the
    answers that it was read from, where they are kept. With `only_if` it is made only if that is still the plan. `known` are the rows of
    it that were known, None where it was read without regard to that.
    """

    provider: Provider
    listing: Listing
    seen: Seen | None
    rules: Rules = DEFAULT_RULES
    scope: str = ""
    whole: bool = False
    kept: tuple[KeptAnswer, ...] = ()
    only_if: Expected | None = None
    place: str | None = None
    known: KnownRows | None = None

    @property
    def wire(self) -> Snapshot | None:
        """Which fields the rows had; of a complete listing only, because others say nothing about shares."""
        return Snapshot(self.scope, self.provider.version, self.listing.wire_fields) if self.listing.complete else None
