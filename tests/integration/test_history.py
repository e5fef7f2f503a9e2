"""History on real databases: unwinding the changes from the present gives back every earlier state (I19)."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from modelsync.model.model import Model, Prices, Tier, UnitPrice, content_hash
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Busy
from modelsync.providers import registry
from modelsync.queries.history import ChangeFilter, History
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support.cli import environment, run, run_json

PROVIDER = registry.load()["openrouter"]


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url, registry.load())
    yield opened
    opened.close()


def some_model(name: str, chance: random.Random) -> Model:
    """A model in one of many states, every kind of fact among them."""

    def maybe(value: object) -> object:
        return value if chance.random() < 0.6 else None

    def price() -> Decimal | None:
        return chance.choice([None, Decimal(0), Decimal("0.000001"), Decimal("0.00000125"), Decimal("0.000015")])

    return Model(
        id=name,
        model_name=maybe(f"Name of {name}"),
        context_length=maybe(chance.choice([4096, 8192])),
        input_modalities=maybe(("text", "image")),
        output_modalities=maybe(("text",)),
        supports_vision=maybe(chance.random() < 0.5),
        available=chance.random() < 0.8,
        released_at=maybe(datetime(2026, 1, 2, tzinfo=UTC)),
        metadata={"order": chance.randint(0, 2)},
        prices=Prices(
            prompt=price(),
            completion=price(),
            cache_read=price(),
            image=price(),
            per_unit=chance.choice([(), (UnitPrice("second", Decimal("0.5")),)]),
            tiers=chance.choice([(), (Tier(above=1000, prompt=Decimal("0.000002")),)]),
            dynamic=chance.random() < 0.1,
        ),
    )


def committed(store: Store, models: list[Model]) -> datetime:
    """Commit a complete listing as a run of its own; a time after it and before the next."""
    found = {model.id: model for model in models}
    listing = Listing(models=found, hashes={name: content_hash(model) for name, model in found.items()})
    lease = store.take_lease("openrouter", store.begin_run("test"), 60)
    assert not isinstance(lease, Busy)
    store.commit(lease, Commit(PROVIDER, listing, None), 0.0)
    time.sleep(0.003)
    with store.reading() as connection:
        now = store.now(connection)
    time.sleep(0.003)
    return now


@pytest.mark.parametrize("seed", range(4))
def test_i19_unwinding_history_gives_back_every_earlier_state(store: Store, seed: int):
    chance = random.Random(seed)
    past = History(store)
    with store.reading() as connection:
        times, states = [store.now(connection)], [{}]
    time.sleep(0.003)
    for _ in range(12):
        names = [f"m{number}" for number in range(8) if chance.random() < 0.8] or ["m0"]
        times.append(committed(store, [some_model(name, chance) for name in names]))
        states.append(past.at([times[-1]])[0])
    assert past.at(times) == states
    assert sum(len(state) for state in states) > 50


def test_every_change_names_its_run_field_old_and_new(store: Store):
    committed(store, [Model(id="m", context_length=8, prices=Prices(prompt=Decimal("0.000001")))])
    committed(store, [Model(id="m", context_length=16, prices=Prices(prompt=Decimal("0.000002")))])
    updated, added = History(store).changes(ChangeFilter())
    assert (added.kind, added.run_id, added.fields) == ("added", 1, {})
    assert (updated.kind, updated.run_id) == ("updated", 2)
    assert updated.fields == {"context_length": [8, 16], "pricing_prompt": ["0.000001", "0.000002"]}
    assert History(store).changes(ChangeFilter(field="pricing_prompt", providers=("groq",))) == []
    assert [row.run_id for row in History(store).changes(ChangeFilter(field="context_length"))] == [2]


def test_the_commands_tell_what_happened(tmp_path: Path):
    with Simulator() as simulator:
        env = environment(tmp_path, simulator)
        run(tmp_path, "sync", "--providers", "openrouter", env=env)
        simulator.set_day(1)
        run(tmp_path, "sync", "--providers", "openrouter", env=env)
    lines = run(tmp_path, "changes", "--limit", "3", env=env).stdout.splitlines()
    assert len(lines) == 3
    assert any("acme/scribe-2  prompt 1.25 → 1.00 $/1M (-20%), completion 10.00 → 8.00 $/1M (-20%)  (run 2)" in line for line in lines)
    assert any(line.startswith("- ") and "orchard/pip-7b  missing from the list" in line for line in lines)
    told = run(tmp_path, "history", "openrouter", "acme/scribe-2", env=env).stdout.splitlines()
    assert [line[0] for line in told] == ["~", "+"]
    found = run_json(tmp_path, "diff", "1h", "now", env=env)["differences"]
    assert {row["kind"] for row in found} == {"added"}
    assert len(found) == 6
    for arguments, message in {
        ("changes", "--since", "yesterday"): "yesterday is not a time. Use 2026-11-22",
        ("changes", "--kind", "gone"): "Unknown kind gone. Use one of",
        ("history", "openrouter", "no/such"): "openrouter has no model no/such",
        ("diff", "now", "7d"): "The first time is later than the second",
    }.items():
        done = run(tmp_path, *arguments, env=env)
        assert (done.returncode, message in done.stderr) == (64, True), done.stderr
