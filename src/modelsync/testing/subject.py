"""A provider on trial: its sample read as it is and over HTTP, by the whole program, from a simulator."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelsync import app, settings
from modelsync.fetch import Credential, Fetcher, FetchLimits, Origins
from modelsync.fetch.results import FetchResult
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Outcome
from modelsync.providers import registry
from modelsync.providers.base import Endpoint, GoogleAccount, Provider
from modelsync.simulator.server import Simulator
from modelsync.testing import document, good
from modelsync.testing.trial import Trial

SINGLE_LIMITS = FetchLimits(deadline=20, attempts=1)


@dataclass(frozen=True)
class Subject:
    """A provider on trial, and the simulator that lists it."""

    trial: Trial
    simulator: Simulator

    @property
    def provider(self) -> Provider:
        """The provider."""
        return self.trial.provider

    @property
    def slug(self) -> str:
        """The provider's."""
        return self.provider.slug

    def rows(self, endpoint: Endpoint) -> list[dict[str, object]]:
        """The sample's rows of one list on day 0."""
        rows: list[dict[str, Any]] = self.trial.sample["lists"][endpoint.name]
        return rows

    def read(self, change: Callable[[Endpoint, dict[str, object]], object] = lambda _, row: row) -> Listing:
        """The sample, read without HTTP; each row is changed before."""
        endpoints = self.provider.endpoints
        return good(self.provider, {each.name: document(each, [change(each, row) for row in self.rows(each)]) for each in endpoints})

    def fetched(self, credentials: Mapping[str, Credential]) -> FetchResult:
        """What comes over HTTP with these keys."""

        async def run() -> FetchResult:
            async with Fetcher(SINGLE_LIMITS, Origins(everywhere=self.simulator.origin), credentials) as fetcher:
                return await fetcher.fetch(self.provider, self.provider.options())

        return asyncio.run(run())

    def listed(self) -> Listing:
        """What is listed over HTTP with the right key."""
        with self._program() as program:
            return program.fetch(self.slug)

    def synced(self) -> Outcome:
        """What would come of a sync."""
        with self._program() as program:
            (result,) = program.sync([self.slug], dry_run=True).results
            return result.outcome

    @contextlib.contextmanager
    def _program(self) -> Iterator[app.App]:
        google, variable = isinstance(self.provider.auth, GoogleAccount), self.provider.auth.variables[0]
        with tempfile.TemporaryDirectory() as folder:
            values = {
                variable: self.simulator.service_account() if google else self.simulator.key(self.slug),
                "DATABASE_URL": f"sqlite:///{folder}/never.db",
                "MODELSYNC_ORIGIN": self.simulator.origin,
                "MODELSYNC_DEADLINE": "20",
                "MODELSYNC_ATTEMPTS": "1",
            }
            yield app.build(settings.load(values, Path(folder), providers=registry.load(registry.Made((self.provider,)))))
