"""The only SQL: schema, migrations, reads and the one transaction of each sync."""

from modelsync.store.catalog import Catalog, ModelFilter
from modelsync.store.store import Commit, Seen, Store, Ticket

__all__ = ["Catalog", "Commit", "ModelFilter", "Seen", "Store", "Ticket"]
