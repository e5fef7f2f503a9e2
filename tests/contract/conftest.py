"""What every campaign over real wires begins with."""

import asyncio

import pytest

from modelsync.fetch import Fetched, Fetcher, FetchLimits, Origins
from modelsync.providers import registry
from modelsync.providers.base import Answer, Request
from modelsync.settings import load
from support import samples
from support.cli import environment


@pytest.fixture(scope="session")
def wire(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Request, Answer]]]:
    """Every provider's answers as they come over HTTP from the simulator."""
    with samples.simulator() as simulator:
        settings = load(environment(tmp_path_factory.mktemp("keys"), simulator), tmp_path_factory.mktemp("empty"))

        async def fetch_all() -> dict[str, list[tuple[Request, Answer]]]:
            async with Fetcher(FetchLimits(), Origins(simulator.origin), settings.credentials) as fetcher:
                found = {slug: await fetcher.fetch(provider, settings.options[slug]) for slug, provider in registry.load().items()}
            assert all(isinstance(came, Fetched) for came in found.values()), found
            return {slug: list(came.answers) for slug, came in found.items() if isinstance(came, Fetched)}

        return asyncio.run(fetch_all())
