"""The providers of one run take turns at reading, and none waits long for another one, whatever its module does."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from modelsync import app, settings
from modelsync.model.model import Model
from modelsync.planning.outcome import Failed, Held, ProviderResult, Synced
from modelsync.providers import registry
from modelsync.providers.base import Provider
from modelsync.providers.builtin import helicone, openrouter
from modelsync.simulator.server import Simulator
from modelsync.sync.pipeline import Step
from support.sync import environment


def ended(provider: Provider, simulator: Simulator, folder: Path) -> list[ProviderResult]:
    """Results as they came, of a provider that is read first and of one that answers a little later."""
    simulator.add_fault("helicone", "delay", seconds=0.5)
    both = registry.load(registry.Made((provider, helicone.PROVIDER)))
    values = {**environment(simulator), "DATABASE_URL": f"sqlite:///{folder}/catalog.db"}
    came: list[ProviderResult] = []

    def watch(_slug: str, event: Step | ProviderResult) -> None:
        if isinstance(event, ProviderResult):
            came.append(event)

    app.build(settings.load(values, folder, providers=both)).sync(watch=watch)
    return came


def test_who_reads_slowly_keeps_nobody_waiting(simulator: Simulator, tmp_path: Path):
    def normalize(row: openrouter.Row) -> Model:
        time.sleep(1)
        return openrouter.normalize(row)

    came = ended(replace(openrouter.PROVIDER, normalize=normalize), simulator, tmp_path)
    assert [(result.slug, type(result.outcome)) for result in came] == [("helicone", Synced), ("openrouter", Synced)]


def stop(*_: object) -> Model:
    return next(iter(()))


@pytest.mark.parametrize(
    ("changes", "outcome"), [({"normalize": stop}, Held), ({"combine": stop}, Failed)], ids=["of a row", "of the list"]
)
def test_a_module_that_lets_stopiteration_out_fails_alone(
    changes: dict[str, Callable[..., object]], outcome: type[msgspec.Struct], simulator: Simulator, tmp_path: Path
):
    """No future can hold it: whoever awaits the thread would wait for ever."""
    came = ended(replace(openrouter.PROVIDER, **changes), simulator, tmp_path)
    assert {result.slug: type(result.outcome) for result in came} == {"helicone": Synced, "openrouter": outcome}
