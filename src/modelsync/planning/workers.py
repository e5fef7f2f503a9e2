"""Processes that sync by themselves, and which of them a provider is left to when they would ask for different lists. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from modelsync.model.records import Moment


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that syncs by itself: where it runs, since when, whether it gives signs of life; what it can sync (`offers`: the scope,
    that is options, key and address, by provider) and what it syncs now.
    """

    id: int
    host: str
    pid: int
    program: str
    started_at: Moment
    heartbeat_at: Moment
    offers: dict[str, str]
    syncing: tuple[str, ...]
    alive: bool

    @property
    def place(self) -> str:
        """Where it runs, for people."""
        return f"{self.host} ({self.pid})"


def leading(workers: Iterable[Worker], slug: str, last_scope: str | None) -> Worker | None:
    """The living worker whose scope a provider is synced in: two that ask with different options would change its list back and forth.

    That of its last complete listing, as long as a worker lives that has it; otherwise the one that most have, and of several that of the
    worker that has lived longest.
    """
    offering = [worker for worker in workers if worker.alive and slug in worker.offers]
    votes = Counter(worker.offers[slug] for worker in offering)
    return min(
        offering, key=lambda each: (each.offers[slug] != last_scope, -votes[each.offers[slug]], each.started_at, each.id), default=None
    )


def refused(offers: Mapping[str, str], workers: Iterable[Worker], last_scopes: Mapping[str, str | None]) -> dict[str, str]:
    """The providers that a worker with these offers leaves to others, and why, as words."""
    living = list(workers)
    leaders = {slug: leading(living, slug, last_scopes.get(slug)) for slug in offers}
    return {
        slug: f"options, key or address differ from those of the worker at {leader.place}, whose scope counts"
        for slug, leader in leaders.items()
        if leader is not None and leader.offers[slug] != offers[slug]
    }
