"""What routes share: the server's state, and who asks."""

from typing import Annotated

from fastapi import Depends, Request

from modelsync.model.actors import Person
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
