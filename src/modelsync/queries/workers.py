"""Processes that sync by themselves: who is alive, what each does, and what it leaves to others because its settings differ."""

from collections.abc import Iterable, Mapping

import msgspec
import sqlalchemy as sa

from modelsync.database.schema import provider_state
from modelsync.database.session import Session
from modelsync.database.tables import workers
from modelsync.planning.workers import Worker, refused


class ShownWorker(Worker, frozen=True, kw_only=True):
    """A process that syncs by itself: where it runs, and whether it gives signs of life; the providers that it can sync (`offers`: a digest
    of the options, key and address that it asks with), those that it syncs now, and those that it `refuses`, with the reason of each.
    """

    refuses: dict[str, str]


def shown_workers(store: Session) -> list[ShownWorker]:
    """Every worker of the last day, dead ones too, in the order in which they came."""
    with store.reading() as connection:
        found = workers.listed(connection, store.now(connection))
        scopes = last_scopes(connection, {slug for worker in found for slug in worker.offers})
    refuses = (refused(each.offers, found, scopes) if each.alive else {} for each in found)
    return [ShownWorker(**msgspec.structs.asdict(each), refuses=why) for each, why in zip(found, refuses, strict=True)]


def refusals(store: Session, offers: Mapping[str, str]) -> dict[str, str]:
    """The providers that a worker with these offers leaves to others, and why."""
    with store.reading() as connection:
        return refused(offers, workers.listed(connection, store.now(connection)), last_scopes(connection, offers))


def last_scopes(connection: sa.Connection, slugs: Iterable[str]) -> dict[str, str | None]:
    """The scope of each provider's last complete listing."""
    state = provider_state.c
    query = sa.select(state.provider, state.absence_scope).where(state.provider.in_(list(slugs)))
    return {row.provider: row.absence_scope for row in connection.execute(query)}
