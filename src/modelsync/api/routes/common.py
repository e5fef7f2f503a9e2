"""What routes share: the server's state, and who asks."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from modelsync.api import schemas
from modelsync.formats import held
from modelsync.model.actors import Person
from modelsync.planning.holding import RecordedHold
from modelsync.server.gate import HOLDER
from modelsync.server.state import Service


def service(request: Request) -> Service:
    """The server's state."""
    found: Service = request.app.state.service
    return found


Server = Annotated[Service, Depends(service)]


def person(request: Request, reason: str) -> Person:
    """Who asks, by the name of the key, and why."""
    return Person(request.scope[HOLDER].name, reason)


def holds(rows: Iterable[RecordedHold]) -> list[schemas.Hold]:
    """Holds as answers have them, with the commands for each."""
    return msgspec.convert(list(map(held.shown, rows)), list[schemas.Hold])
