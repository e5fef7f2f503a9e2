"""What is asked of the module of a database's dialect."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import sqlalchemy as sa


class BulkWriter(Protocol):
    """Reading and writing many rows at once, as the modules `bulk_sqlite` and `bulk_postgres` do it."""

    def hashes(self, connection: sa.Connection, provider_id: int) -> dict[str, str]:
        """The content hash of every model of a provider."""

    def hashes_of(self, connection: sa.Connection, provider_id: int, ids: Iterable[str]) -> dict[str, str]:
        """The same of those of these ids that are there."""

    def insert_models(self, connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
        """Insert rows of models that are not there, given in the order of COLUMNS and of their ids; how many were written."""

    def upsert_models(self, connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> int:
        """Insert or update rows given in the order of COLUMNS; how many were written."""

    def insert_changes(self, connection: sa.Connection, rows: Iterable[tuple[object, ...]]) -> None:
        """Append rows of model_changes."""

    def insert_rows(self, connection: sa.Connection, table: str, names: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
        """Insert rows of any table with all their columns, given in the order of their `names`; documents are JSON text.

        Unfit when the database says of one row that it cannot be written.
        """

    def let_numbers_go_on(self, connection: sa.Connection, table: str) -> None:
        """The next row gets a number (`id`) above those that are there."""

    def place(self, connection: sa.Connection) -> object:
        """Where the catalog is, whatever its address: equal for two connections to one."""

    def now(self, connection: sa.Connection) -> str:
        """The database's time as text."""


class Unfit(Exception):
    """A database refused one of many rows: which, counted from 0, and what it says about it."""

    def __init__(self, place: int, told: str) -> None:
        super().__init__(told)
        self.place = place
