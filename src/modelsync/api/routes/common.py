"""What routes share: the server's state, and who asks."""

from collections.abc import Iterable

import msgspec
from starlette.requests import Request

from modelsync.api import schemas
from modelsync.formats import held
from modelsync.model.actors import Person
from modelsync.planning.holding import RecordedHold
from modelsync.server.gate import HOLDER


def person(request: Request, reason: str) -> Person:
    """Who asks, by the name of the key, and why."""
    return Person(request.scope[HOLDER].name, reason)


def holds(rows: Iterable[RecordedHold]) -> list[schemas.Hold]:
    """Holds as answers have them, with the commands for each."""
    return msgspec.convert(list(map(held.shown, rows)), list[schemas.Hold])
