"""A provider as the simulator lists it: its wire from what its endpoints say, its rows from the sample in its test."""

import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from modelsync.errors import UsageError
from modelsync.planning.decoding import wire_id_field
from modelsync.providers.base import ApiKey, Endpoint, KeyUse, Provider
from modelsync.simulator.catalog import sample_of
from modelsync.simulator.wires import Key, Simulated, Wire

KEYS = {KeyUse.NEVER: Key.IGNORED, KeyUse.OPTIONAL: Key.OPTIONAL, KeyUse.REQUIRED: Key.REQUIRED}
_exact = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A provider and what its test knows of it, to be simulated and held to the contract.

    `sample` is `{"lists": {endpoint name: rows}, "days": [...]}`. `wires` are those of its lists that do more than answer with all rows at
    once. `no_counts` are wire fields that are whole numbers and count nothing, `no_prices` price keys (`pricing.currency`, or `*` for any
    names in one) that are no price or one that is stated elsewhere too; each with the reason.
    """

    provider: Provider
    sample: Mapping[str, Any]
    wires: tuple[Wire, ...] = ()
    no_counts: Mapping[str, str] = field(default_factory=dict)
    no_prices: Mapping[str, str] = field(default_factory=dict)

    @property
    def simulated(self) -> Simulated:
        """The provider with the rows of its sample."""
        derived = {endpoint.name: wire_of(self.provider, endpoint) for endpoint in self.provider.endpoints}
        own = {wire.name: wire for wire in self.wires}
        return Simulated(tuple((derived | own).values()), sample_of(_exact.encode(self.sample)))


def wire_of(provider: Provider, endpoint: Endpoint) -> Wire:
    """A list that comes as a whole from where the endpoint asks for it, to whoever asks with the key that the provider sends."""
    api_key = provider.auth if isinstance(provider.auth, ApiKey) else ApiKey(())
    return Wire(
        slug=provider.slug,
        name=endpoint.name,
        path=urlsplit(endpoint.at(provider.options())).path,
        id=wire_id_field(endpoint.row),
        rows=endpoint.rows[0],
        method=endpoint.method,
        key=KEYS[endpoint.key] if isinstance(provider.auth, ApiKey) else Key.TOKEN,
        header=api_key.header,
        scheme=api_key.scheme,
    )


def trial_in(file: Path) -> Trial:
    """The TRIAL of a provider's test, a Python file that is run. UsageError when it has none, or cannot be run."""
    try:
        names = runpy.run_path(str(file))
    except (OSError, ImportError, SyntaxError) as error:
        raise UsageError(f"{file} cannot be run ({error})", "Name the test of a provider; what it imports has to be installed") from error
    if not isinstance(names.get("TRIAL"), Trial):
        raise UsageError(f"{file} has no TRIAL", "Name the test of a provider, with its sample")
    trial: Trial = names["TRIAL"]
    return trial
