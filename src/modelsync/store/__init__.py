"""The only SQL: schema, migrations, reads and the one transaction of each sync."""

from modelsync.store import answers, engine, operators
from modelsync.store.answers import KeptAnswer
from modelsync.store.backup import Copied, backup, restore
from modelsync.store.catalog import Catalog, ModelFilter
from modelsync.store.explanations import Explanations
from modelsync.store.history import ChangeFilter, History
from modelsync.store.housekeeping import LEAST_AGE, Housekeeping, Kept, OldModel, Purge, PurgePlan, Records
from modelsync.store.migrate import Schema
from modelsync.store.operators import Person
from modelsync.store.records import Seen
from modelsync.store.rollback import rollback, thaw
from modelsync.store.store import Store
from modelsync.store.tickets import LEASE, Ticket
from modelsync.store.wanted import Commit, Expected


def shown_address(address: str) -> str:
    """A database address for people: an absolute path, or a Postgres address without its password. DatabaseError when malformed."""
    return engine.shown(engine.parse_url(address))


__all__ = [
    "LEASE",
    "LEAST_AGE",
    "Catalog",
    "ChangeFilter",
    "Commit",
    "Copied",
    "Expected",
    "Explanations",
    "History",
    "Housekeeping",
    "Kept",
    "KeptAnswer",
    "ModelFilter",
    "OldModel",
    "Person",
    "Purge",
    "PurgePlan",
    "Records",
    "Schema",
    "Seen",
    "Store",
    "Ticket",
    "answers",
    "backup",
    "operators",
    "restore",
    "rollback",
    "shown_address",
    "thaw",
]
