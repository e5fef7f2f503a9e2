"""The index of kept answers: which bytes each sync was made of. The bytes themselves are files, see `modelsync.sync.archive`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import answers

column = answers.c


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One kept answer: what was asked in which scope, and the SHA-256 and number of its decoded bytes.

    It is of a `whole` listing when all of the sync's pages came.
    """

    provider: str
    position: int
    endpoint: str
    url: str
    scope: str
    whole: bool
    digest: str
    bytes: int
    received_at: datetime


def note(connection: sa.Connection, run_id: int, kept: Sequence[KeptAnswer]) -> None:
    """Enter the kept answers of one sync."""
    if kept:
        connection.execute(sa.insert(answers), [{"run_id": run_id, **msgspec.structs.asdict(each)} for each in kept])


def of_run(connection: sa.Connection, run_id: int, slugs: Iterable[str] = ()) -> list[KeptAnswer]:
    """The kept answers of a run, of the named providers or all, in the order in which they came."""
    conditions = [column.run_id == run_id, *([column.provider.in_(list(slugs))] if slugs else [])]
    columns = [column[name] for name in KeptAnswer.__struct_fields__]
    rows = connection.execute(sa.select(*columns).where(*conditions).order_by(column.provider, column.position))
    return [KeptAnswer(**row) for row in rows.mappings()]


def latest_runs(connection: sa.Connection, slugs: Iterable[str] = (), limit: int = 5) -> list[int]:
    """The latest runs of which something is kept, newest first."""
    conditions = [column.provider.in_(list(slugs))] if slugs else []
    query = sa.select(column.run_id).where(*conditions).distinct().order_by(column.run_id.desc()).limit(limit)
    return list(connection.execute(query).scalars())


def forget(connection: sa.Connection, before: datetime) -> int:
    """Strike the answers that came earlier; how many."""
    return connection.execute(sa.delete(answers).where(column.received_at < before)).rowcount


def digests(connection: sa.Connection) -> set[str]:
    """Every digest that is named."""
    return set(connection.execute(sa.select(column.digest).distinct()).scalars())
