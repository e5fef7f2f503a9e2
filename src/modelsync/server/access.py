"""Who may do what: decided from the method and the path alone, before any route is looked at. What is not named open is closed."""

import hmac
import math
import time
from collections.abc import Callable, Mapping

import msgspec

from modelsync.model.actors import Scope
from modelsync.operations.api_keys import ApiKeyHolder, digest

OPEN = frozenset({"/health/live", "/health/ready", "/docs", "/openapi.json"})
"""Paths that anybody may read, whatever the settings."""

READING = frozenset({"GET", "HEAD"})
SYNCING = "/admin/model-sync/"

KEPT_FOR = 5.0
"""Seconds that the list of valid keys is trusted: a key that was taken back is refused after these at the latest."""


def needed(method: str, path: str, *, public: bool) -> Scope | None:
    """The scope that a request needs; None when anybody may."""
    reads = method in READING
    if reads and path in OPEN:
        return None
    if path == "/admin" or path.startswith("/admin/"):
        if reads:
            return Scope.READ
        return Scope.SYNC if path.startswith(SYNCING) and method == "POST" else Scope.ADMIN
    if reads:
        return None if public else Scope.READ
    return Scope.ADMIN


class AccessDenied(msgspec.Struct, frozen=True):
    """Why a request is not let in: the status and what to do about it."""

    status: int
    detail: str


def bearer(header: str) -> str | None:
    """The key in an Authorization header; None when there is none in it."""
    scheme, _, key = header.strip().partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def holder(key: str, valid: Mapping[str, ApiKeyHolder]) -> ApiKeyHolder | None:
    """Who holds a key. Every digest is compared in constant time."""
    matching = None
    mine = digest(key)
    for known, held in valid.items():
        if hmac.compare_digest(mine, known):
            matching = held
    return matching


def refused(scope: Scope, key: str | None, valid: Mapping[str, ApiKeyHolder]) -> ApiKeyHolder | AccessDenied:
    """Who asks, when that person may; otherwise why not: 503 without any valid key, 401, or 403."""
    if not valid:
        return AccessDenied(503, "No admin key is configured, so this is closed: set ADMIN_API_KEY, or run `modelsync keys create`")
    if key is None:
        return AccessDenied(401, "A key is needed: Authorization: Bearer <key>")
    held = holder(key, valid)
    if held is None:
        return AccessDenied(401, "The key is not valid: it may be mistyped, taken back or expired")
    return permitted(scope, held)


def permitted(scope: Scope, held: ApiKeyHolder, means: str = "The key") -> ApiKeyHolder | AccessDenied:
    """Who asks, when what that person has is good for it."""
    if held.scope < scope:
        return AccessDenied(403, f"{means} is good for {held.scope}, and this needs {scope}")
    return held


def retry_after(wait: float) -> int:
    """The whole seconds, 1 at least, after which a client that has to wait is let in."""
    return max(1, math.ceil(wait))


class Buckets:
    """How often each client may ask: so many requests a second, and twice that at once."""

    MOST = 10_000
    """Clients that are remembered; beyond that those that asked least recently are forgotten."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._burst = max(2 * rate, 1.0)
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, client: str | None) -> float:
        """Seconds that a client has to wait; 0 when it may go on now, as one that is None always may."""
        if self._rate <= 0 or client is None:
            return 0.0
        now = self._clock()
        left, then = self._left.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        allowed = left >= 1.0
        self._left[client] = (left - 1.0 if allowed else left, now)
        if len(self._left) > self.MOST:
            del self._left[next(iter(self._left))]
        return 0.0 if allowed else (1.0 - left) / self._rate
