"""Models that somebody added: as long as no listing had them they are that person's, whatever happens to the provider's."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from modelsync.errors import AlreadyThere, NotThere
from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model
from modelsync.operations import models as operators
from modelsync.operations.models import Wish
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.policy import Rules
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened
from support.sync import models_of

ADA = Person("ada", "ours")
RULES = Rules(retire_after_hours=0, shrink_models=10_000)
ACTIVE = Pin("is_active", True)
PRICE = Pin("pricing_prompt", D("0.000007"))


def sync(store: Store, *models: Model) -> int:
    lease = lease_for(store)
    store.commit(lease, Commit(PROVIDER, listing(*models), None, RULES, whole=True), 0.0)
    return lease.run_id


def row(database_url: str, row_id: str) -> dict[str, Any]:
    return models_of(database_url, SLUG)[row_id]


def test_rollback_leaves_a_model_of_ones_own_alone(database_url: str):
    with opened(database_url) as store:
        first = sync(store, model("m", D("0.000001")))
        operators.add(store, SLUG, "own", [PRICE], ADA)
        sync(store, model("m", D("0.000002")))
        before = row(database_url, "own")
        rollback(store, SLUG, first, ADA)
        assert row(database_url, "m")["pricing_prompt"] == D("0.000001")
        assert row(database_url, "own") == before
        thaw(store, SLUG, ADA)
        sync(store, model("m", D("0.000002")))
        assert row(database_url, "own") == before
        operators.remove(store, SLUG, "own", ADA)
        assert "own" not in models_of(database_url, SLUG)


def test_rollback_does_not_retire_what_somebody_keeps_active(database_url: str):
    with opened(database_url) as store:
        first = sync(store, model("m"))
        operators.add(store, SLUG, "own", [], ADA)
        sync(store, model("m"), model("own", D("0.000003")), model("later"), model("hidden"))  # now the provider lists it too
        operators.pin(store, SLUG, "later", [ACTIVE], ADA)
        operators.pin(store, SLUG, "hidden", [Pin("is_active", False)], ADA)
        rollback(store, SLUG, first, ADA)
        found = {name: (each["status"], each["is_active"]) for name, each in models_of(database_url, SLUG).items()}
        kept = ("active", True)
        assert found == {"m": kept, "own": kept, "later": kept, "hidden": ("retired", False)}
        with pytest.raises(AlreadyThere, match="openrouter listed own"):
            operators.remove(store, SLUG, "own", ADA)


# Whatever happens, in any order

IDS = ("a", "b", "c")
_id = st.sampled_from(IDS)
ACTS = st.one_of(
    st.tuples(st.sampled_from(["sync", "sync away"]), st.sets(_id, max_size=1)),
    st.tuples(st.sampled_from(["add", "upsert", "pin price", "expiring pin", "hide", "keep", "unpin", "unpin active", "remove"]), _id),
    st.tuples(st.just("rollback"), st.integers(0, 20)),
    st.tuples(st.just("thaw"), st.none()),
)


class Sequence:
    """One sequence of acts, on ids of its own; and what must be so after each."""

    def __init__(self, database_url: str, store: Store, number: int) -> None:
        self.url, self.store, self.prefix = database_url, store, f"{number}/"
        self.frozen = False
        self.ours: set[str] = set()
        self.theirs: set[str] = set()
        self.active: set[str] = set()
        self.runs = [sync(store, model(f"{self.prefix}always"))]

    def rows(self) -> dict[str, dict[str, Any]]:
        return {name: each for name, each in models_of(self.url, SLUG).items() if name in self.ours}

    def do(self, act: str, about: Any) -> None:
        name = f"{self.prefix}{about}"
        match act:
            case "sync" | "sync away" if not self.frozen:
                listed = {f"{self.prefix}{each}" for each in about if act == "sync"}
                self.theirs |= listed
                self.ours -= listed
                self.runs.append(sync(self.store, model(f"{self.prefix}always"), *map(model, sorted(listed))))
            case "rollback":
                before = self.rows()
                rollback(self.store, SLUG, self.runs[about % len(self.runs)], ADA)
                self.frozen = True
                assert self.rows() == before
            case "thaw":
                thaw(self.store, SLUG, ADA)
                self.frozen = False
            case "sync" | "sync away":
                pass
            case _:
                self.decide(act, name)
        for row_id, found in self.rows().items():
            if row_id in self.active:
                assert (found["status"], found["is_active"]) == ("active", True), (act, row_id)

    def decide(self, act: str, name: str) -> None:
        store, there = self.store, name in self.ours | self.theirs
        until = datetime.now(UTC) + timedelta(seconds=30)
        if act in ("add", "upsert") and not there:
            self.ours.add(name)
            self.active.add(name)
            operators.add(store, SLUG, name, [PRICE], ADA) if act == "add" else operators.upsert(store, [Wish(SLUG, name, (PRICE,))], ADA)
        elif act == "remove":
            self.remove(name)
        elif there and act != "add":
            match act:
                case "upsert":
                    operators.upsert(store, [Wish(SLUG, name, (Pin("context_length", 8),))], ADA)
                case "pin price":
                    operators.pin(store, SLUG, name, [PRICE], ADA)
                case "expiring pin":
                    operators.pin(store, SLUG, name, [PRICE], ADA, until)
                case "hide" | "keep":
                    operators.pin(store, SLUG, name, [Pin("is_active", act == "keep")], ADA)
                    (self.active.add if act == "keep" else self.active.discard)(name)
                case _:
                    operators.unpin(store, SLUG, name, ["is_active"] if act == "unpin active" else [], ADA)
                    self.active.discard(name)

    def remove(self, name: str) -> None:
        """What the provider never listed can be deleted, and nothing else."""
        if name in self.ours:
            operators.remove(self.store, SLUG, name, ADA)
            self.ours.discard(name)
            self.active.discard(name)
        else:
            with pytest.raises(AlreadyThere if name in self.theirs else NotThere):
                operators.remove(self.store, SLUG, name, ADA)


def test_a_model_that_no_listing_had_is_an_operators_whatever_happened(database_url: str):
    numbers = count(1)
    examples = 30 if database_url.startswith("sqlite") else 15

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(acts=st.lists(ACTS, min_size=4, max_size=14))
    def holds(acts: list[tuple[str, Any]]) -> None:
        with opened(database_url) as store:
            sequence = Sequence(database_url, store, next(numbers))
            try:
                for act, about in acts:
                    sequence.do(act, about)
                for name in IDS:
                    sequence.remove(f"{sequence.prefix}{name}")
            finally:
                thaw(store, SLUG, ADA)

    holds()
