"""What there is to try each provider with: a sample beside the simulator, or what its own test brings."""

import functools
from pathlib import Path

from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from modelsync.simulator.wires import WIRES, Wires
from modelsync.testing import sample
from modelsync.testing.trial import Trial, trial_in

TESTS = Path(__file__).resolve().parents[1] / "unit" / "providers"


@functools.cache
def trials() -> dict[str, Trial]:
    """By provider."""
    own = Wires(WIRES).slugs
    return {
        slug: Trial(provider=provider, sample=sample(slug)) if slug in own else trial_in(TESTS / f"test_{slug.replace('-', '_')}.py")
        for slug, provider in registry.load().items()
    }


def simulator() -> Simulator:
    """A simulator of every provider there is."""
    return Simulator(more=[trial.simulated for slug, trial in trials().items() if slug not in Wires(WIRES).slugs])
