"""Listings of one provider's prices, straight into an open store, and what users read of them."""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from modelsync.database.tables.runs import Seen
from modelsync.model.actors import Person
from modelsync.model.model import Model, Prices
from modelsync.model.records import Counts
from modelsync.planning.outcome import ProviderResult
from modelsync.queries.catalog import Catalog
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.store import PROVIDER, SLUG, lease_for, listing, opened
from support.sync import execute, models_of, table

ADA = Person("ada", "they told us")
CHEAP = D("0.0000001")
DYNAMIC, UNSTATED = Prices(dynamic=True), Prices()


def priced(prompt: Decimal | None = None, **more: Any) -> Prices:
    return Prices(prompt=prompt, **more)


def sync(store: Store, *models: Model, version: int = 1, scope: str = "", place: str | None = None, **how: Any) -> ProviderResult:
    wanted = Commit(
        dataclasses.replace(PROVIDER, version=version),
        msgspec.structs.replace(listing(*models), **how),
        Seen(scope=scope, version=version, digest="d", validators=None, listed=Counts(fetched=len(models), transformed=len(models))),
        scope=scope,
        place=place,
        whole=True,
    )
    return store.commit(lease_for(store), wanted, 0.0)


def listed(store: Store, prices: Prices, row_id: str = "m", **how: Any) -> ProviderResult:
    return sync(store, Model(id=row_id, prices=prices), Model(id="other"), **how)


def live(database_url: str, row_id: str = "m") -> Any:
    row = models_of(database_url, SLUG)[row_id]
    return "dynamic" if row["pricing"].get("dynamic") else row["pricing_prompt"]


def kinds(result: ProviderResult) -> list[str]:
    return [hold.kind for hold in result.holds]


def open_holds(store: Store) -> list[tuple[int, str, tuple[str, ...]]]:
    return [(row.id, row.kind, tuple(row.ids)) for row in Catalog(store).holds()]


def a_day_passes(database_url: str) -> None:
    """Let every silence have begun a day earlier than it did."""
    for row in table(database_url, "upstream_values"):
        text = msgspec.json.encode(row["silent"]).decode()
        since = {each["since"] for each in row["silent"].values()}
        for each in since:
            text = text.replace(each, "2026-01-01T00:00:00+00:00")
        kind = "text" if database_url.startswith("sqlite") else "jsonb"
        execute(database_url, f"UPDATE upstream_values SET silent = CAST('{text}' AS {kind})")


def fall_silent(store: Store, database_url: str) -> None:
    """Let the price be unstated for so often and so long that it is unknown."""
    for _ in range(2):
        listed(store, UNSTATED)
    a_day_passes(database_url)
    listed(store, UNSTATED)


def many(count: int, first: int = 0) -> list[Model]:
    return [Model(id=f"m{number:03}") for number in range(first, count)]


QUICK = 40
LONG = 600
"""Examples of each property here and in the soak."""


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[tuple[str, Store]]:
    """An empty catalog, made once and copied for every example."""
    empty, path = folder / "empty.db", folder / "catalog.db"
    if not empty.exists():
        with opened(f"sqlite:///{empty}"):
            pass
    shutil.copy(empty, path)
    with opened(f"sqlite:///{path}") as store:
        yield f"sqlite:///{path}", store
