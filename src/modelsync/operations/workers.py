"""A process that syncs by itself tells the catalog that it lives, and what it can and does sync."""

import os
import socket
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from modelsync import __version__
from modelsync.database.session import Session
from modelsync.database.tables import workers


def beat(session: Session, number: int | None, offers: Mapping[str, str], syncing: Sequence[str]) -> int:
    """Give a sign of life: that this process syncs by itself, in which scope it asks for each provider, and what it syncs now.

    Its number, to be given with the next one; another when the catalog has forgotten it. Raises DatabaseError.
    """

    def work(connection: sa.Connection) -> int:
        now = session.now(connection)
        if number is not None and workers.beat(connection, number, *_place(), syncing, now):
            return number
        return workers.enroll(connection, *_place(), __version__, offers, now)

    return session.transact(work)


def leave(session: Session, number: int) -> None:
    """Tell that this process syncs no more. DatabaseError."""
    session.transact(lambda connection: workers.leave(connection, number, *_place()))


def _place() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()
