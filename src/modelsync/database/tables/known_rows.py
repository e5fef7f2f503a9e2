"""What is remembered of the rows of each provider's last listing, so that the next sync reads only those whose bytes are new."""

from typing import Any

import msgspec
import sqlalchemy as sa

from modelsync import __version__
from modelsync.database.schema import known_rows, provider_state
from modelsync.planning.known import Memory

column = known_rows.c


def recall(connection: sa.Connection, slug: str, version: int) -> tuple[Memory, int] | None:
    """What is remembered, and the edition of the provider's part of the catalog that it was written with.

    None when this part was written since, when the rows were read by another program or another `version` of the provider's module, or
    when it cannot be read: it is not worth a failed sync.
    """
    same = (column.provider == provider_state.c.provider, column.edition == provider_state.c.edition)
    mine = (column.provider == slug, column.reader == reader(version))
    query = sa.select(known_rows).join(provider_state, sa.and_(*same)).where(*mine)
    try:
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else (msgspec.convert({name: row[name] for name in Memory.__struct_fields__}, Memory), row["edition"])
    except msgspec.MsgspecError:
        return None


def is_current(connection: sa.Connection, slug: str, version: int) -> bool:
    """Whether what is remembered still holds."""
    edition = sa.select(provider_state.c.edition).where(provider_state.c.provider == slug).scalar_subquery()
    mine = (column.provider == slug, column.reader == reader(version), column.edition == edition)
    return bool(connection.execute(sa.select(sa.exists().where(*mine))).scalar_one())


def remember(connection: sa.Connection, slug: str, version: int, memory: Memory) -> None:
    """Remember this, and nothing else, of a provider whose part of the catalog stands as it is now."""
    edition = connection.execute(sa.select(provider_state.c.edition).where(provider_state.c.provider == slug)).scalar_one()
    values: dict[str, Any] = {
        "provider": slug,
        "reader": reader(version),
        "edition": edition,
        "ids": memory.ids,
        "digests": memory.digests,
        "kinds": memory.kinds,
        "incomplete": [list(fields) for fields in memory.incomplete],
    }
    connection.execute(sa.delete(known_rows).where(column.provider == slug))
    connection.execute(sa.insert(known_rows).values(values))


def reader(version: int) -> str:
    """What reads rows: the version of the provider's module in this program."""
    return f"{version} in {__version__}"
