"""Models of one provider, priced in USD per million tokens, and what persons pin of them."""

from datetime import datetime
from typing import Any

from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model
from modelsync.operations import models as operators
from modelsync.planning.outcome import ProviderResult
from modelsync.planning.policy import Rules
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.store import PROVIDER, SLUG, lease_for, listing, model, seen
from support.sync import models_of, query

ADA = Person("ada", "our contract")
AT_ONCE = Rules(retire_after_hours=0)


def dollars(row_id: str, prompt: Any = None, **values: Any) -> Model:
    """A model with a price in USD per million tokens."""
    return model(row_id, None if prompt is None else D(str(prompt)) / 1_000_000, **values)


def sync(store: Store, *models: Model) -> ProviderResult:
    """A whole listing; three of them retire what they lack, whatever the hours."""
    return store.commit(lease_for(store), Commit(PROVIDER, listing(*models), seen("d"), AT_ONCE, whole=True), 0.0)


def sync_number(store: Store, database_url: str, *models: Model) -> int:
    """A sync, and the number of its run."""
    sync(store, *models)
    return int(query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"])


def pin(store: Store, row_id: str, until: datetime | None = None, **values: Any) -> None:
    """Pin fields of a model."""
    operators.pin(store, SLUG, row_id, [Pin(field, value) for field, value in values.items()], ADA, until)


def row(database_url: str, row_id: str = "m") -> dict[str, Any]:
    """A model as users see it."""
    return models_of(database_url, SLUG)[row_id]
