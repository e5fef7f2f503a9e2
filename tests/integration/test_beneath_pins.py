"""What a pin hides is in the history: going back brings back what was believed, and nothing that only a person said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelsync.formats.text import changes_text
from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices
from modelsync.operations import models as operators
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.outcome import ProviderResult, Synced
from modelsync.planning.policy import Rules
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, seen
from support.sync import changes_of, execute, models_of, query, table

ADA = Person("ada", "our contract")
VARIES = Prices(dynamic=True)


def dollars(row_id: str, prompt: Any = None, **values: Any) -> Model:
    """A model with a price in USD per million tokens."""
    return model(row_id, None if prompt is None else D(str(prompt)) / 1_000_000, **values)


def sync(store: Store, *models: Model) -> ProviderResult:
    return store.commit(lease_for(store), Commit(PROVIDER, listing(*models), seen("d"), Rules(), whole=True), 0.0)


def sync_number(store: Store, database_url: str, *models: Model) -> int:
    """A sync, and the number of its run."""
    sync(store, *models)
    return int(query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"])


def pin(store: Store, row_id: str, until: datetime | None = None, **values: Any) -> None:
    operators.pin(store, SLUG, row_id, [Pin(field, value) for field, value in values.items()], ADA, until)


def row(database_url: str, row_id: str = "m") -> dict[str, Any]:
    return models_of(database_url, SLUG)[row_id]


def test_what_moves_beneath_a_pin_is_recorded_and_counts_as_nothing_that_changed(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, context_length=8))
        pin(store, "m", pricing_prompt=D("0.000009"))
        before = row(database_url)
        result = sync(store, dollars("m", 3, context_length=8))
        assert isinstance(result.outcome, Synced)
        assert (result.counts.updated, result.counts.unchanged) == (0, 1)
        assert (row(database_url)["updated_at"], row(database_url)["pricing"]) == (before["updated_at"], before["pricing"])
        sync(store, dollars("m", 3, context_length=8))
        operators.unpin(store, SLUG, "m", [], ADA)
    assert [change["fields"] for change in changes_of(database_url, SLUG)] == [
        {},
        {"pricing_prompt": ["0.000001", "0.000009"], "beneath": [{"pricing_prompt": "0.000001"}, {"pricing_prompt": "0.000001"}]},
        {"beneath": [{"pricing_prompt": "0.000001"}, {"pricing_prompt": "0.000003"}]},
        {"pricing_prompt": ["0.000009", "0.000003"], "beneath": [{"pricing_prompt": "0.000003"}, {"pricing_prompt": "0.000003"}]},
    ]


def test_what_moves_beneath_a_pin_is_told_in_words():
    hidden = {"beneath": ({"pricing_prompt": "0.000001", "context_length": 8}, {"pricing_prompt": "0.000003", "context_length": 8})}
    assert changes_text(hidden) == "the provider's value, beneath a pin: prompt 1.00 → 3.00 $/1M (+200%)"
    pinned = {"context_length": (8, 9), "beneath": ({"context_length": 8}, {"context_length": 8})}
    assert changes_text(pinned) == "context_length 8 → 9"


@pytest.mark.parametrize("ended", ["by time", "unpinned", "not at all"])
@pytest.mark.parametrize("facts", ["prices", "lengths"])
def test_a_rollback_believes_what_was_believed_beneath_a_pin(database_url: str, facts: str, ended: str):
    """1, 2 beneath the pin, 4: back to where it was 2, though all that showed then was 9."""

    def m(number: int) -> Model:
        return dollars("m", number) if facts == "prices" else dollars("m", 1, context_length=number)

    field, scale = ("pricing_prompt", D("0.000001")) if facts == "prices" else ("context_length", 1)
    with opened(database_url) as store:
        sync(store, m(1), dollars("n", 1))
        pin(store, "m", until=datetime.now(UTC) + timedelta(hours=1), **{field: 9 * scale})
        run_id = sync_number(store, database_url, m(2), dollars("n", 2))
        assert row(database_url)[field] == 9 * scale
        if ended == "unpinned":
            operators.unpin(store, SLUG, "m", [], ADA)
        elif ended == "by time":
            execute(database_url, "UPDATE pins SET expires_at = '2020-01-01 00:00:00.000000Z'")
        sync(store, m(4), dollars("n", 2))
        rollback(store, SLUG, run_id, ADA)
        assert row(database_url)[field] == (9 if ended == "not at all" else 2) * scale
        operators.unpin(store, SLUG, "m", [], ADA)
        assert row(database_url)[field] == 2 * scale


def test_i37_a_pin_that_ended_unseen_does_not_hide_what_was_believed_last(database_url: str):
    """Pinned to what the provider came to say: the end of the pin shows nowhere. 5 is believed then, and 0.4 is a twelfth of it."""
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        pin(store, "m", pricing_prompt=D("0.000005"))
        sync(store, dollars("m", 5), dollars("n", 1))
        operators.unpin(store, SLUG, "m", [], ADA)
        run_id = sync_number(store, database_url, Model(id="m", prices=VARIES), dollars("n", 1))
        sync(store, Model(id="m", prices=VARIES, context_length=8), dollars("n", 1))
        rollback(store, SLUG, run_id, ADA)
        assert [D(last["usd"]) for last in table(database_url, "last_prices")] == [D("0.000005")]
        thaw(store, SLUG, ADA)
        (hold,) = sync(store, dollars("m", "0.4"), dollars("n", 1)).holds
    assert (hold.kind, hold.ids) == ("price", ("m",))


def test_a_rollback_believes_nothing_of_a_model_that_a_person_had_added(database_url: str):
    """It was nobody's then: the provider lists it since. It goes as any model that came later, and comes back with the next listing."""
    with opened(database_url) as store:
        sync(store, dollars("n", 1))
        operators.add(store, SLUG, "m", [Pin("pricing_prompt", D("0.000007")), Pin("context_length", 5)], ADA)
        run_id = sync_number(store, database_url, dollars("n", 2))
        sync(store, dollars("m", 1), dollars("n", 2))
        operators.unpin(store, SLUG, "m", [], ADA)
        assert (row(database_url)["pricing_prompt"], row(database_url)["context_length"]) == (D("0.000001"), None)
        rollback(store, SLUG, run_id, ADA)
        assert (row(database_url)["status"], row(database_url)["pricing_prompt"]) == ("retired", D("0.000001"))
        thaw(store, SLUG, ADA)
        assert sync(store, dollars("m", 1), dollars("n", 2)).holds == ()
        assert (row(database_url)["status"], row(database_url)["pricing_prompt"]) == ("active", D("0.000001"))
    told = [change["fields"] for change in changes_of(database_url, SLUG) if "listed" in change["fields"]]
    assert [fields["listed"] for fields in told] == [[False, True]]
