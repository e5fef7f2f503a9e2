"""Finding the route of a request."""

import functools
from itertools import product

from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

METHODS = ("GET", "POST", "PATCH", "DELETE")


class Finder(Router):
    """The framework's router, which looks through its routes for each request; here what it would find at the paths that are written out
    is looked up. Everything else it does itself: paths with parameters, other methods, what is not there."""

    @functools.cached_property
    def _known(self) -> dict[tuple[str, str], Route]:
        literal = {route.path for route in self.routes if isinstance(route, Route) and not route.param_convertors}
        return {key: route for key in product(METHODS, literal) if (route := self._first(*key))}

    def _first(self, method: str, path: str) -> Route | None:
        """What looking through all routes finds."""
        scope = {"type": "http", "method": method, "path": path}
        return next((route for route in self.routes if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL), None)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request over to its route."""
        route = self._known.get((scope["method"], scope["path"])) if scope["type"] == "http" and not scope.get("root_path") else None
        if route is None:
            await super().app(scope, receive, send)
            return
        scope.setdefault("router", self)
        scope["route"] = route
        scope.update(route.matches(scope)[1])
        await route.handle(scope, receive, send)
