"""The store against a reference model of the rules: any sequence of listings, hours, failures and decisions, on both databases."""

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from modelsync.database.schema import metadata
from modelsync.database.tables.leases import Lease
from modelsync.database.tables.runs import Seen
from modelsync.errors import Failure, FailureKind
from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices, claimed, content_hash
from modelsync.model.records import Counts
from modelsync.model.timeline import Recorded, differing, undone
from modelsync.operations import decisions, models
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.decoding import Rejected
from modelsync.planning.holding import RecordedHold
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import Disabled, Failed, Held, NotModified, ProviderResult, Superseded, Synced, counts_of
from modelsync.providers import registry
from modelsync.queries.catalog import Catalog
from modelsync.queries.history import ChangeFilter, History
from modelsync.sync.context import full_rows
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.reference import COLUMNS, HIGHEST, RULES, Hold, Reference, Said
from support.soak import note_figures
from support.store import opened

SOAK_EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "300"))
ADA = Person("ada", "a reason")
OURS, THEIRS = "openrouter", "deepinfra"
SLUGS = (OURS, THEIRS)
PREFIX = {OURS: "", THEIRS: "x/M"}  # the same models elsewhere: the last part of the id, in any case
NUMBERS = st.integers(0, 11)
FACTORS = [D("1.25"), D("0.5"), D(3), D(9), D(10), D(12), D("0.05"), D(150), D("0.008")]
TIMES = {
    "models": ["missing_since"],
    "holds": ["created_at", "last_seen_at", "agreed_at"],
    "model_changes": ["changed_at"],
    "sync_runs": ["started_at", "finished_at"],
    "sync_results": ["finished_at"],
    "provider_state": ["ticket_until", "last_complete_at", "last_success_at", "last_attempt_at", "last_served_at"],
    "pins": ["created_at", "expires_at"],
}


def row_id(slug: str, number: int) -> str:
    return f"{PREFIX[slug]}m{number:02}".upper() if slug == THEIRS else f"m{number:02}"


def first_row(number: int) -> dict[str, Any]:
    price = D(number + 1) / 1_000_000
    return {"model_name": f"Model {number}", "context_length": 1000 + number, "pricing_prompt": price, "pricing_completion": price * 2}


def model_of(name: str, row: dict[str, Any]) -> Model:
    if row.get("dynamic"):
        return Model(id=name, model_name=row.get("model_name"), context_length=row.get("context_length"), prices=Prices(dynamic=True))
    stated = {column.removeprefix("pricing_"): value.normalize() for column, value in row.items() if column.startswith("pricing_")}
    implausible = {column: value for column, value in stated.items() if value > HIGHEST}
    prices = Prices(**{column: value for column, value in stated.items() if column not in implausible}, implausible=implausible)
    return Model(id=name, model_name=row.get("model_name"), context_length=row.get("context_length"), prices=prices)


def listing_of(said: Said) -> Listing:
    found = {name: model_of(name, dict(row)) for name, row in said.rows.items()}
    return Listing(
        models=found,
        hashes={name: content_hash(model) for name, model in found.items()},
        rejected=tuple(Rejected(position, name, "unreadable", "") for position, name in enumerate(said.unread)),
        duplicates=tuple(list(found)[: said.duplicates]),
        complete=said.complete,
        shortfall=said.short,
    )


def shown_of(result: ProviderResult) -> Any:
    """What a sync did, in the form of what a dry run would show."""
    if isinstance(result.outcome, Held):
        return ("held", result.outcome.reason)
    assert isinstance(result.outcome, Synced)
    return (result.counts, tuple((hold.kind, hold.ids, hold.detail) for hold in result.holds))


def content_of(row: RecordedHold) -> tuple[frozenset[tuple[str, str, Decimal]], int]:
    """What a hold of the store stands for, beside its kind and ids."""
    detail = row.detail or {}
    by_id = {row.ids[0]: detail} if row.kind == "price" else detail if row.kind == "unit-change" else {}
    claims = frozenset((name, point, Decimal(new)) for name, points in by_id.items() for point, (_, new) in points.items())
    return claims, detail.get("rows", 0) if row.kind == "total" else 0


def hours_pass(store: Store, hours: float) -> None:
    """Let everything that is in the database have happened earlier: its own clock decides in the code."""
    sqlite = store.dialect == "sqlite"
    with store.writing() as connection:
        for table, columns in TIMES.items():
            change = "strftime('%Y-%m-%dT%H:%M:%f000Z', {0}, '-{1} hours')" if sqlite else "{0} - interval '{1} hours'"
            values = ", ".join(f"{name} = {change.format(name, hours)}" for name in columns)
            connection.exec_driver_sql(f"UPDATE {table} SET {values}".replace("%", "%%") if not sqlite else f"UPDATE {table} SET {values}")
        beneath = metadata.tables["upstream_values"]
        for row in connection.execute(sa.select(beneath)).mappings().all():
            silent = {name: {**since, "since": _earlier(since["since"], hours)} for name, since in row["silent"].items()}
            mine = (beneath.c.provider_id == row["provider_id"], beneath.c.provider_model_id == row["provider_model_id"])
            connection.execute(sa.update(beneath).where(*mine).values(silent=silent))


def _earlier(text: str, hours: float) -> str:
    return (datetime.fromisoformat(text) - timedelta(hours=hours)).isoformat()


class Arena:
    """Two open stores on one database, emptied for each example; and the figures of all examples."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.url = database_url
        self.empty = folder / "empty.db"
        self.examples = self.steps = self.wrong_retirements = 0
        with opened(database_url):
            pass
        if self.is_sqlite:
            shutil.copy(self.path, self.empty)

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def stores(self) -> list[Store]:
        self.examples += 1
        if self.is_sqlite:
            shutil.copy(self.empty, self.path)
        found = [Store.open(self.url, registry.load()) for _ in range(2)]
        if not self.is_sqlite:
            names = ", ".join(metadata.tables)
            with found[0].writing() as connection:  # past the triggers that keep the audit log
                connection.exec_driver_sql(f"SET LOCAL session_replication_role = replica; TRUNCATE {names} RESTART IDENTITY")
        return found


class Catalogs(RuleBasedStateMachine):
    def __init__(self, arena: Arena) -> None:
        super().__init__()
        self.arena = arena
        self.stores = arena.stores()
        self.reference = Reference(*SLUGS)
        self.lists: dict[str, dict[str, dict[str, Any]]] = {slug: {} for slug in SLUGS}
        self.unread: set[str | None] = set()
        self.duplicates = 0
        self.scope = "a1"
        self.valid: Lease | None = None
        self.slow: tuple[Lease, Said] | None = None
        self.moments: list[tuple[int, Any]] = []
        for number in range(8):
            self.lists[OURS][row_id(OURS, number)] = first_row(number)
        self._sync(OURS)

    def teardown(self) -> None:
        try:
            self._unwind()
        finally:
            for store in self.stores:
                store.close()

    @property
    def store(self) -> Store:
        return self.stores[0]

    # What the providers list

    @rule(slug=st.sampled_from(SLUGS), number=NUMBERS)
    def list_one(self, slug: str, number: int) -> None:
        self.lists[slug].setdefault(row_id(slug, number), first_row(number))

    @rule(numbers=st.sets(NUMBERS, min_size=1, max_size=6))
    def leave_out(self, numbers: set[int]) -> None:
        for number in numbers:
            self.lists[OURS].pop(row_id(OURS, number), None)

    @rule(number=NUMBERS)
    def rename(self, number: int) -> None:
        row = self.lists[OURS].pop(row_id(OURS, number), None)
        if row:
            self.lists[OURS][f"new/{row_id(OURS, number)}"] = row

    @rule(number=NUMBERS, column=st.sampled_from(COLUMNS[:2]), value=st.sampled_from([None, 1, 2]))
    def edit_a_fact(self, number: int, column: str, value: int | None) -> None:
        row = self.lists[OURS].get(row_id(OURS, number), {})
        row.pop(column, None)
        if value is not None:
            row[column] = f"Name {value}" if column == "model_name" else value

    @rule(slug=st.sampled_from(SLUGS), number=NUMBERS, column=st.sampled_from(COLUMNS[2:]), by=st.sampled_from(FACTORS))
    def edit_a_price(self, slug: str, number: int, column: str, by: Decimal) -> None:
        row = self.lists[slug].get(row_id(slug, number), {})
        if column in row:
            row[column] *= by

    @rule(numbers=st.sets(NUMBERS, min_size=1, max_size=4) | st.just(set(range(12))), power=st.sampled_from([3, 6, -3, 1]))
    def change_the_unit(self, numbers: set[int], power: int) -> None:
        for number in numbers:
            row = self.lists[OURS].get(row_id(OURS, number), {})
            row.update({name: row[name] * D(10) ** power for name in COLUMNS[2:] if name in row})

    @rule(number=NUMBERS, column=st.sampled_from(COLUMNS[2:]), value=st.sampled_from([None, D(0), D("0.02"), D("0.005"), D("0.000004")]))
    def set_a_price(self, number: int, column: str, value: Decimal | None) -> None:
        row = self.lists[OURS].get(row_id(OURS, number), {})
        row.pop(column, None)
        if row and value is not None:
            row[column] = value

    @rule(number=NUMBERS)
    def let_a_price_vary(self, number: int) -> None:
        row = self.lists[OURS].get(row_id(OURS, number), {})
        if row.pop("dynamic", None) is None and row:
            row["dynamic"] = True

    @rule(
        number=NUMBERS,
        silence=st.sampled_from(["dynamic", "unstated", "gone"]),
        value=st.sampled_from([D(0), D("0.0000001"), D("0.001"), D("0.000002")]),
        times=st.integers(1, 3),
    )
    def state_it_otherwise_after_a_silence(self, number: int, silence: str, value: Decimal, times: int) -> None:
        """I37: whatever lies between, a price is compared with the last number that was believed."""
        name = row_id(OURS, number)
        row = self.lists[OURS].get(name)
        if row is None:
            return
        quiet = {column: row[column] for column in row if column not in COLUMNS[2:]}
        self.lists[OURS][name] = {**quiet, "dynamic": True} if silence == "dynamic" else quiet
        if silence == "gone":
            del self.lists[OURS][name]
        for _ in range(times):
            self._sync(OURS)
            self.hours_pass(13.03)
        self.lists[OURS][name] = {**quiet, "pricing_prompt": value, "pricing_completion": value}
        self._sync(OURS)

    @rule(numbers=st.sets(NUMBERS, max_size=2), anonymous=st.booleans(), duplicates=st.integers(0, 2))
    def spoil_rows(self, numbers: set[int], anonymous: bool, duplicates: int) -> None:
        self.unread = {row_id(OURS, number) for number in numbers} | ({None} if anonymous else set())
        self.duplicates = duplicates

    @precondition(lambda self: self.unread or self.duplicates)
    @rule()
    def spoil_nothing(self) -> None:
        self.unread, self.duplicates = set(), 0

    # Syncs

    @rule(slug=st.sampled_from([OURS, OURS, OURS, THEIRS]), other=st.booleans())
    def sync(self, slug: str, other: bool) -> None:
        self._sync(slug, store=self.stores[other])

    @rule(
        numbers=st.sets(NUMBERS, min_size=1, max_size=2),
        second=st.sampled_from(["whole", "part", "empty", "failed"]),
        times=st.sampled_from([3, 4, 1]),
        hours=st.sampled_from([13.03, 13.03, 0.0]),
    )
    def leave_out_and_sync(self, numbers: set[int], second: str, times: int, hours: float) -> None:
        """I6: of the listings that lack a model, one may say nothing about absence."""
        self.leave_out(numbers)
        for attempt in range(times):
            match second if attempt == 1 else "whole":
                case "part":
                    self.sync_a_part(4)
                case "empty":
                    self.sync_an_empty_list()
                case "failed":
                    self.fail()
                case _:
                    self._sync(OURS)
            self.hours_pass(hours)

    @rule(number=NUMBERS, by=st.sampled_from(FACTORS), times=st.integers(1, 3), hours=st.sampled_from([0.0, 3.01, 13.03]))
    def reprice_and_sync(self, number: int, by: Decimal, times: int, hours: float) -> None:
        self.edit_a_price(OURS, number, "pricing_prompt", by)
        for _ in range(times):
            self._sync(OURS)
            self.hours_pass(hours)

    @rule(numbers=st.sets(NUMBERS, min_size=3), times=st.integers(1, 3), decision=st.sampled_from(["confirm", "reject"]))
    def shrink_and_decide(self, numbers: set[int], times: int, decision: str) -> None:
        self.leave_out(numbers)
        self._sync(OURS)
        self.decide(0, decision)
        for _ in range(times):
            self._sync(OURS)
            self.hours_pass(13.03)

    @rule(
        numbers=st.sets(NUMBERS, min_size=1),
        power=st.sampled_from([3, -3]),
        decision=st.sampled_from(["confirm", "reject"]),
        back=st.booleans(),
    )
    def change_the_unit_and_decide(self, numbers: set[int], power: int, decision: str, back: bool) -> None:
        self.change_the_unit(numbers, power)
        self._sync(OURS)
        self.decide(0, decision)
        if back:
            self.change_the_unit(numbers, -power)
        self._sync(OURS)

    @rule(number=NUMBERS, by=st.sampled_from([D("0.3"), D(1), D(2)]))
    def they_say_much_the_same(self, number: int, by: Decimal) -> None:
        row = self.lists[OURS].get(row_id(OURS, number))
        if row:
            self.lists[THEIRS][row_id(THEIRS, number)] = {**row, **{name: row[name] * by for name in COLUMNS[2:] if name in row}}
            self._sync(THEIRS)

    @rule(hours=st.sampled_from([7.01, 25.03, 90.07]))
    def wait_and_sync(self, hours: float) -> None:
        self.hours_pass(hours)
        self._sync(OURS)

    @rule(left=st.integers(0, 6))
    def sync_a_part(self, left: int) -> None:
        rows = dict(list(self._rows(OURS).items())[:left])
        self._sync(OURS, Said(rows, complete=False))

    @rule(short=st.integers(1, 2), times=st.integers(1, 4), decision=st.sampled_from([None, "confirm", "reject"]))
    def sync_a_list_that_says_it_is_longer(self, short: int, times: int, decision: str | None) -> None:
        """I41: it does not count as whole, until a person says that it is never longer."""
        for _ in range(times):
            self._sync(OURS, Said(self._rows(OURS), complete=False, short=short))
        if decision is not None:
            self._decide(OURS, decision, "total")
            self._sync(OURS, Said(self._rows(OURS), complete=False, short=short))

    @rule()
    def sync_an_empty_list(self) -> None:
        self._sync(OURS, Said({}))

    @rule(again=st.booleans())
    def sync_somebody_elses_list(self, again: bool) -> None:
        rows = {f"other/{number}{'b' if again else ''}": first_row(number) for number in range(10)}
        self._sync(OURS, Said(rows))

    @rule()
    def sync_the_same_again(self) -> None:
        """I17: what was just taken changes nothing, but for what absence comes to."""
        self._sync(OURS)
        before, shown, changes = self._rows_of_models(), self.reference.parts[OURS].shown(), self._last_change()
        result = self._sync(OURS)
        if result and shown == self.reference.parts[OURS].shown():
            assert self._rows_of_models() == before
            assert self._last_change() == changes

    @precondition(lambda self: self.reference.parts[OURS].unchanged)
    @rule()
    def sync_unchanged(self) -> None:
        """The provider says that nothing changed: the same as its last listing again."""
        part = self.reference.parts[OURS]
        seen = self.store.seen(OURS, self.scope, 1)
        if part.frozen or seen is None:
            return
        assert part.unchanged is not None
        assert part.unchanged[1] == self.scope
        lease = self._lease(OURS)
        same = ProviderResult(slug=OURS, outcome=NotModified(seen.listed), seconds=0.0)
        assert self.store.confirm(lease, seen, same, RULES) is not None
        self.reference.sync_unchanged(OURS)
        self.reference.remember(OURS, lease.run_id)

    @rule()
    def fail(self) -> None:
        if not self.reference.parts[OURS].frozen:
            lease = self._lease(OURS)
            failed = ProviderResult(slug=OURS, outcome=Failed(Failure(FailureKind.TRANSIENT, "no answer", "")), seconds=0.0)
            self.store.give_up(lease.run_id, failed, lease)
            self.valid = None

    @rule()
    def begin_a_slow_fetch(self) -> None:
        if not self.reference.parts[OURS].frozen:
            self.slow = (self._lease(OURS, seconds=0.0), Said(self._rows(OURS)))

    @precondition(lambda self: self.slow is not None)
    @rule()
    def end_the_slow_fetch(self) -> None:
        """I14, I15: it commits only if nobody has taken another lease meanwhile."""
        assert self.slow is not None
        lease, said = self.slow
        self.slow = None
        if self.valid is lease:
            self._commit(OURS, self.stores[1], lease, said)
        else:
            wanted = Commit(self.store.providers[OURS], listing_of(said), None, RULES, self.scope, True, place=self.scope[0])
            assert isinstance(self.stores[1].commit(lease, wanted, 0.0).outcome, Superseded | Disabled)

    @rule(scope=st.sampled_from(["a1", "a2", "b1"]))
    def change_the_scope(self, scope: str) -> None:
        self.scope = scope

    @rule(hours=st.sampled_from([3.01, 7.01, 25.03, 90.07]))
    def hours_pass(self, hours: float) -> None:
        if hours:
            hours_pass(self.store, hours)
            self.reference.now += hours

    # Persons

    @rule(
        slug=st.sampled_from([OURS, OURS, THEIRS]),
        number=NUMBERS,
        pin=st.sampled_from(
            [
                ("model_name", "Mine"),
                ("context_length", None),
                ("context_length", 16),
                ("pricing_prompt", D("0.000005")),
                ("pricing_completion", None),
                ("is_active", True),
                ("is_active", False),
            ]
        ),
        hours=st.sampled_from([None, None, 10.5]),
    )
    def pin(self, slug: str, number: int, pin: tuple[str, Any], hours: float | None) -> None:
        name, (column, value) = row_id(slug, number), pin
        if name in self.reference.parts[slug].models:
            until = None if hours is None else datetime.now(UTC) + timedelta(hours=hours)
            models.pin(self.store, slug, name, [Pin(column, value)], ADA, until)
            self.reference.pin(slug, name, column, value, None if hours is None else self.reference.now + hours)

    @precondition(lambda self: any(pins for part in self.reference.parts.values() for pins in part.pins.values()))
    @rule(slug=st.sampled_from(SLUGS), index=st.integers(0, 20))
    def unpin(self, slug: str, index: int) -> None:
        pinned = sorted(name for name, pins in self.reference.parts[slug].pins.items() if pins)
        if pinned:
            name = pinned[index % len(pinned)]
            models.unpin(self.store, slug, name, [], ADA)
            self.reference.unpin(slug, name)

    @rule(number=NUMBERS, price=st.booleans())
    def add(self, number: int, price: bool) -> None:
        name = row_id(OURS, number)
        pin: tuple[str, Any] = ("pricing_prompt", D("0.000007")) if price else ("context_length", 32)
        if name not in self.reference.parts[OURS].models and self.reference.parts[OURS].after:
            models.add(self.store, OURS, name, [Pin(*pin)], ADA)
            self.reference.add(OURS, name, *pin)

    @precondition(lambda self: self._open_holds(OURS) or self._open_holds(THEIRS))
    @rule(index=st.integers(0, 5), decision=st.sampled_from(["confirm", "confirm", "reject"]))
    def decide(self, index: int, decision: str) -> None:
        kinds = ("empty", "invalid") if decision == "confirm" else ()
        standing = [(slug, hold) for slug in SLUGS for hold in self._open_holds(slug) if hold.kind not in kinds]
        if standing:
            slug, hold = standing[index % len(standing)]
            decisions.decide(self.store, [self._number(slug, hold)], decision, ADA)
            self.reference.decide(slug, hold, {"confirm": "confirmed", "reject": "rejected"}[decision])

    def _decide(self, slug: str, decision: str, kind: str) -> None:
        for hold in [hold for hold in self._open_holds(slug) if hold.kind == kind]:
            decisions.decide(self.store, [self._number(slug, hold)], decision, ADA)
            self.reference.decide(slug, hold, {"confirm": "confirmed", "reject": "rejected"}[decision])

    def _number(self, slug: str, hold: Hold) -> int:
        """The number under which the store has a hold of the reference's."""
        rows = [row for row in Catalog(self.store).holds([slug], hold.kind, hold.status) if tuple(row.ids) == hold.ids]
        return int(next(row.id for row in reversed(rows) if content_of(row) == (hold.claims, hold.rows)))

    @precondition(lambda self: any(self._decided(slug) for slug in SLUGS))
    @rule(index=st.integers(0, 5))
    def reopen(self, index: int) -> None:
        """Every decision can be taken back."""
        decided = [(slug, hold) for slug in SLUGS for hold in self._decided(slug)]
        slug, hold = decided[index % len(decided)]
        decisions.reopen(self.store, self._number(slug, hold), ADA)
        self.reference.reopen(slug, hold)
        if slug == OURS:
            self.reference.parts[slug].unchanged = None

    def _decided(self, slug: str) -> list[Hold]:
        """What a person decided and what is not done yet; of prices also what still stands."""
        part = self.reference.parts[slug]

        def stands(hold: Hold) -> bool:
            return any(part.models[row_id].believed.get(name) == new for row_id, name, new in hold.claims if row_id in part.models)

        def is_done(hold: Hold) -> bool:
            left = {*hold.ids} - hold.over
            return bool(left) and not hold.about_prices and all(part.models[row_id].status == "retired" for row_id in left)

        confirmed = [hold for hold in part.holds if hold.status == "confirmed" and not is_done(hold)]
        others = [hold for hold in part.holds if hold.status == "rejected" or (hold.status == "closed" and stands(hold))]
        return [*confirmed, *others]

    @precondition(lambda self: not self.reference.parts[OURS].frozen)
    @rule(index=st.integers(0, 50))
    def roll_back(self, index: int) -> None:
        runs = list(self.reference.parts[OURS].after)
        run_id = runs[-1 - index % len(runs)]
        rollback(self.store, OURS, run_id, ADA)
        self.reference.rollback(OURS, run_id)
        self.valid = None

    @precondition(lambda self: self.reference.parts[OURS].frozen)
    @rule()
    def thaw(self) -> None:
        assert thaw(self.store, OURS, ADA) == self.reference.parts[OURS].frozen
        self.reference.parts[OURS].frozen = False

    # What must be so

    @rule()
    def remember(self) -> None:
        self.moments.append((self._last_change(), self._present()))

    @invariant()
    def the_catalog_is_what_the_rules_say(self) -> None:
        self.arena.steps += 1
        found, wanted = self._stored(), {slug: self.reference.parts[slug].shown() for slug in SLUGS}
        for slug, rows in found.items():
            retired = {name for name, row in rows.items() if row["status"] == "retired"}
            self.arena.wrong_retirements += sum(wanted[slug].get(name, {}).get("status") != "retired" for name in retired)
        assert found == wanted, [
            (slug, name, found[slug].get(name), wanted[slug].get(name))
            for slug in SLUGS
            for name in sorted(found[slug].keys() | wanted[slug].keys())
            if found[slug].get(name) != wanted[slug].get(name)
        ]

    @invariant()
    def what_was_believed_last_is_remembered(self) -> None:
        for slug in SLUGS:
            wanted = {name: entry.last for name, entry in self.reference.parts[slug].models.items() if entry.last}
            assert self._last_prices(slug) == wanted, (self._last_prices(slug), wanted)

    @invariant()
    def what_the_provider_said_last_is_known_whatever_stands(self) -> None:
        for slug in SLUGS:
            found = self._stated(slug)
            wanted = {
                name: (None, None, True) if entry.stated.get("dynamic") else (*(entry.stated.get(column) for column in COLUMNS[2:]), False)
                for name, entry in self.reference.parts[slug].models.items()
                if not entry.by_hand
            }
            assert {name: found[name] for name in wanted} == wanted, (slug, found, wanted)

    @invariant()
    def what_waits_for_a_person_is_what_the_rules_say(self) -> None:
        found = sorted((row.provider, row.kind, sorted(row.ids)) for row in Catalog(self.store).holds())
        wanted = sorted((slug, hold.kind, sorted(hold.ids)) for slug in SLUGS for hold in self._open_holds(slug))
        assert found == wanted, (found, wanted)

    @invariant()
    def only_what_was_believed_whole_may_be_taken_as_unchanged(self) -> None:
        if self.store.seen(OURS, self.scope, 1) is not None:
            assert self.reference.parts[OURS].unchanged is not None

    def _unwind(self) -> None:
        """I19: history leads from the present back to every earlier state, and to nothing at all."""
        changes = History(self.store).changes(ChangeFilter())
        present = self._present()
        for last, then in [(0, {}), *self.moments]:
            later = [Recorded(row.provider, row.provider_model_id, row.kind, row.fields) for row in changes if row.id > last]
            assert (found := undone(present, later)) == then, differing(found, then)

    # Tools

    def _rows(self, slug: str) -> dict[str, dict[str, Any]]:
        unread = self.unread if slug == OURS else set()
        return {name: dict(row) for name, row in self.lists[slug].items() if name not in unread}

    def _said(self, slug: str) -> Said:
        rows = self._rows(slug)
        if slug == THEIRS:
            return Said(rows)
        return Said(rows, tuple(sorted(self.unread, key=str)), duplicates=min(self.duplicates, len(rows)))

    def _lease(self, slug: str, seconds: float = 60.0) -> Lease:
        store = self.store
        lease = store.take_lease(slug, store.begin_run("test"), seconds)
        assert isinstance(lease, Lease), lease
        if slug == OURS:
            self.valid = lease
        return lease

    def _sync(self, slug: str, said: Said | None = None, store: Store | None = None) -> ProviderResult | None:
        """A sync as the program does it: none of a frozen provider."""
        store = store or self.store
        if self.reference.parts[slug].frozen:
            assert store.kept_out(slug) is not None
            return None
        said = said or self._said(slug)
        return self._commit(slug, store, self._lease(slug), said)

    def _commit(self, slug: str, store: Store, lease: Lease, said: Said) -> ProviderResult:
        listing = listing_of(said)
        planned = self._planned(slug, store, said, listing)
        counts = Counts(fetched=listing.fetched, transformed=len(said.rows), skipped=listing.fetched - len(said.rows))
        seen = Seen(scope=self.scope, version=1, digest="d", validators=None, listed=counts) if said.complete else None
        result = store.commit(lease, self._wanted(slug, said, listing, seen), 0.0)
        if slug == OURS:
            self.valid = None
        expected = self.reference.sync(slug, said, self.scope)
        if expected == "synced":
            self.reference.remember(slug, lease.run_id)
            assert isinstance(result.outcome, Synced), result
            counts = result.counts
            assert counts.fetched == listing.fetched == counts.created + counts.updated + counts.unchanged + counts.skipped  # I20
            assert counts.synced == counts.transformed == len(said.rows)
        else:
            assert isinstance(result.outcome, Held), result
            assert result.outcome.reason == expected
        assert planned == shown_of(result), (planned, shown_of(result))  # I40
        return result

    def _wanted(self, slug: str, said: Said, listing: Listing, seen: Seen | None) -> Commit:
        whole = said.complete or said.short > 0
        return Commit(self.store.providers[slug], listing, seen, RULES, self.scope, whole, place=self.scope[0])

    def _open_holds(self, slug: str) -> list[Hold]:
        return [hold for hold in self.reference.parts[slug].holds if hold.status == "open"]

    def _stored(self) -> dict[str, dict[str, dict[str, Any]]]:
        found: dict[str, dict[str, dict[str, Any]]] = {slug: {} for slug in SLUGS}
        names = f"status, is_active, pricing, {', '.join(COLUMNS)}"
        with self.store.reading() as connection:
            query = f"SELECT (SELECT slug FROM providers p WHERE p.id = provider_id) AS slug, provider_model_id, {names} FROM models"
            for row in connection.exec_driver_sql(query).mappings():
                prices = {name: None if row[name] is None else Decimal(row[name]) for name in COLUMNS[2:]}
                document = msgspec.json.decode(row["pricing"]) if isinstance(row["pricing"], str) else row["pricing"]
                facts = {name: row[name] for name in COLUMNS[:2]}
                found[row["slug"]][row["provider_model_id"]] = {
                    "status": row["status"],
                    "is_active": bool(row["is_active"]),
                    **facts,
                    **prices,
                    "dynamic": document.get("dynamic", False),
                }
        return found

    def _stated(self, slug: str) -> dict[str, tuple[Decimal | None, Decimal | None, bool]]:
        with self.store.reading() as connection:
            found = connection.exec_driver_sql(f"SELECT id FROM providers WHERE slug = '{slug}'").scalar()
            names = connection.exec_driver_sql("SELECT DISTINCT provider_model_id FROM models").scalars()
            known = {} if found is None else full_rows(connection, found, list(names))
        prices = {name: claimed(model.stated.prices) for name, model in known.items()}
        return {name: (each.prompt, each.completion, each.dynamic) for name, each in prices.items()}

    def _last_prices(self, slug: str) -> dict[str, dict[str, Decimal]]:
        found: dict[str, dict[str, Decimal]] = {}
        query = "SELECT provider_model_id, field, usd FROM last_prices WHERE provider_id = (SELECT id FROM providers WHERE slug = '{}')"
        with self.store.reading() as connection:
            for name, column, usd in connection.exec_driver_sql(query.format(slug)):
                found.setdefault(name, {})[column] = Decimal(usd)
        return found

    def _planned(self, slug: str, store: Store, said: Said, listing: Listing) -> Any:
        """What a dry run would show."""
        _, seeing = store.plan(self._wanted(slug, said, listing, None))
        if seeing.plan.refused is not None:
            return ("held", seeing.plan.refused.kind)
        counts = counts_of(seeing.listing, seeing.plan, applied=True)
        return (counts, tuple((hold.kind, hold.ids, hold.detail) for hold in seeing.plan.holds))

    def _rows_of_models(self) -> list[Any]:
        with self.store.reading() as connection:
            return list(connection.exec_driver_sql("SELECT * FROM models ORDER BY id"))

    def _last_change(self) -> int:
        with self.store.reading() as connection:
            return int(connection.exec_driver_sql("SELECT coalesce(max(id), 0) FROM model_changes").scalar_one())

    def _present(self) -> Any:
        return History(self.store).at([datetime(9999, 1, 1, tzinfo=UTC)])[0]


def run_machine(database_url: str, folder: Path, examples: int, steps: int, **how: Any) -> None:
    arena = Arena(database_url, folder)
    began = time.monotonic()
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, database=None, suppress_health_check=checks, **how)
    try:
        run_state_machine_as_test(lambda: Catalogs(arena), settings=chosen)
    finally:
        figures = {"examples": arena.examples, "steps": arena.steps, "wrong_retirements": arena.wrong_retirements}
        name = "sqlite" if arena.is_sqlite else "postgres"
        note_figures("state machine", database=name, **figures, seconds=round(time.monotonic() - began, 1))
    assert arena.wrong_retirements == 0


def test_the_catalog_is_what_the_rules_say(database_url: str, tmp_path: Path):
    examples = 25 if database_url.startswith("sqlite") else 15
    run_machine(database_url, tmp_path, examples, steps=20, derandomize=True)


@pytest.mark.soak
def test_the_catalog_is_what_the_rules_say_for_long(database_url: str, tmp_path: Path):
    run_machine(database_url, tmp_path, examples=SOAK_EXAMPLES, steps=50)
