"""The only SQL: schema, migrations, reads and the one transaction of each sync."""

from pathlib import Path

from modelsync.store import answers, deciding, engine, operators, provider_edits
from modelsync.store.answers import KeptAnswer
from modelsync.store.backup import Copied, backup, restore
from modelsync.store.catalog import Catalog
from modelsync.store.explanations import Explanations
from modelsync.store.history import ChangeFilter, History
from modelsync.store.holds import STATUSES
from modelsync.store.housekeeping import LEAST_AGE, Housekeeping, Kept, OldModel, Purge, PurgePlan, Records
from modelsync.store.keys import NOTED_EVERY, Held, Keys, Scope, digest
from modelsync.store.migrate import Schema
from modelsync.store.operators import Person, Wish
from modelsync.store.records import Seen
from modelsync.store.rollback import rollback, thaw
from modelsync.store.selection import SORTS, ModelFilter, Order, is_bounded
from modelsync.store.serving import Page, ProviderFilter, Revision, Row, Serving, is_dynamic
from modelsync.store.store import Store
from modelsync.store.tallies import Tallied, Tallies, Tally
from modelsync.store.tickets import LEASE, Ticket
from modelsync.store.wanted import Commit, Expected, Mark


def shown_address(address: str) -> str:
    """A database address for people: an absolute path, or a Postgres address without its password. DatabaseError when malformed."""
    return engine.shown(engine.parse_url(address))


def files_of(address: str) -> tuple[Path, ...]:
    """The files of a SQLite database, there or not; nothing for Postgres. DatabaseError when the address is malformed."""
    return engine.files(engine.parse_url(address))


__all__ = [
    "LEASE",
    "LEAST_AGE",
    "NOTED_EVERY",
    "SORTS",
    "STATUSES",
    "Catalog",
    "ChangeFilter",
    "Commit",
    "Copied",
    "Expected",
    "Explanations",
    "Held",
    "History",
    "Housekeeping",
    "Kept",
    "KeptAnswer",
    "Keys",
    "Mark",
    "ModelFilter",
    "OldModel",
    "Order",
    "Page",
    "Person",
    "ProviderFilter",
    "Purge",
    "PurgePlan",
    "Records",
    "Revision",
    "Row",
    "Schema",
    "Scope",
    "Seen",
    "Serving",
    "Store",
    "Tallied",
    "Tallies",
    "Tally",
    "Ticket",
    "Wish",
    "answers",
    "backup",
    "deciding",
    "digest",
    "files_of",
    "is_bounded",
    "is_dynamic",
    "operators",
    "provider_edits",
    "restore",
    "rollback",
    "shown_address",
    "thaw",
]
