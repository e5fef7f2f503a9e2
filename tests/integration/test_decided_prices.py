"""Prices after persons decided about them, in any order: nobody's word reaches further than what was shown (I37, I38)."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelsync.errors import ModelsyncError, Settled
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices, Tier, UnitPrice
from modelsync.model.points import numbers
from modelsync.operations import decisions
from modelsync.operations import models as operators
from modelsync.operations.rollback import rollback, thaw
from modelsync.providers.builtin import fal
from modelsync.queries.catalog import Catalog
from modelsync.sync.store import Store
from modelsync.testing import D
from support.cli import environment, run
from support.prices import (
    ADA,
    CHEAP,
    DYNAMIC,
    LONG,
    QUICK,
    UNSTATED,
    a_day_passes,
    fall_silent,
    fresh,
    kinds,
    listed,
    live,
    many,
    open_holds,
    sync,
)
from support.prices import priced as of_prompt
from support.store import SLUG, opened, raise_no_more, raise_on, sync_unchanged
from support.sync import execute, models_of, query, table

POINTS = ("pricing_prompt", "pricing_completion", "pricing.tiers[above 1000].prompt")
LISTED = [D(value) for value in ("0", "1e-9", "8e-9", "6e-8", "1e-7", "1e-6", "2e-6", "5e-6", "1e-4")]


def shape(prompt: Decimal | None, completion: Decimal | None = None, tier: Decimal | None = None) -> Prices:
    return Prices(prompt=prompt, completion=completion, tiers=(Tier(above=1000, prompt=tier),) if tier is not None else ())


def seen(database_url: str) -> dict[str, Decimal]:
    """The prices that users read, by point."""
    row = models_of(database_url, SLUG)["m"]
    tiers = [D(tier["prompt"]) for tier in row["pricing"].get("tiers", ())]
    values = (row["pricing_prompt"], row["pricing_completion"], tiers[0] if tiers else None)
    return {point: value for point, value in zip(POINTS, values, strict=True) if value is not None}


class Watch:
    """One catalog, judged by nothing but what users read and what a person looked at."""

    def __init__(self, database_url: str, store: Store) -> None:
        self.url, self.store = database_url, store
        self.looked: dict[int, dict[str, tuple[str | None, str]]] = {}
        self.rejected: dict[int, set[tuple[str, Decimal]]] = {}
        self.asked: set[tuple[str, Decimal]] = set()
        self.limit = D(10)
        self.last: dict[str, Decimal] = {}
        self.after: dict[int, dict[str, Decimal]] = {}
        self.list(shape(CHEAP, CHEAP))

    def run(self) -> int:
        return int(query(self.url, "SELECT max(id) AS id FROM sync_runs")[0]["id"])

    def list(self, prices: Prices) -> None:
        before = seen(self.url) if self.last else {}
        listed(self.store, prices)
        now = seen(self.url)
        self.claims = {} if prices.dynamic else numbers(prices)
        self.asked = {(point, value) for point, value in self.asked if not prices.dynamic and self.claims.get(point, value) == value}
        out = {each for values in self.rejected.values() for each in values} | self.asked
        for point, value in now.items():
            if before.get(point) == value:
                continue
            assert (point, value) not in out
            last = self.last.get(point)
            if last:
                assert value, point
                assert max(value / last, last / value) < self.limit, (point, last, value)
            elif point == POINTS[2] and self.last.get(POINTS[0]) and value:
                flat = before.get(POINTS[0]) or self.last[POINTS[0]]
                assert max(value / flat, flat / value) < self.limit, (point, flat, value)
        self.last |= now
        self.after[self.run()] = dict(self.last)

    def look(self) -> None:
        for row in Catalog(self.store).holds():
            self.looked[row.id] = {point: (old, new) for point, (old, new) in row.detail.items()}

    def decide(self, act: str, number: int) -> None:
        before = seen(self.url)
        try:
            if act == "reopen":
                row = decisions.reopen(self.store, number, ADA)
                self.rejected.pop(number, None)
            else:
                decisions.decide(self.store, [number], act, ADA)
        except ModelsyncError:
            assert seen(self.url) == before
            return
        now, shown = seen(self.url), self.looked[number]
        moved = {point for point in POINTS if before.get(point) != now.get(point)}
        assert moved <= shown.keys()
        if act == "confirm":
            self.asked -= {(point, D(new)) for point, (_, new) in shown.items()}
            for point, (old, new) in shown.items():
                assert now[point] == D(new)
                known = self.last.get(point) if point != POINTS[2] or point in self.last else self.last.get(POINTS[0])
                assert (None if old is None else D(old)) == known, (point, old, known)
        elif act == "reject":
            assert moved == set()
            self.rejected[number] = {(point, D(new)) for point, (_, new) in shown.items()}
        else:
            assert row.status in ("open", "superseded")
            claims = {(point, D(new)) for point, (_, new) in shown.items()}
            varies = not self.claims
            self.asked |= {(point, new) for point, new in claims if not varies and self.claims.get(point, new) == new != now.get(point)}
            for point in moved:
                assert now.get(point) in (None, *(D(old) for old in shown[point][:1] if old is not None))
        for point in moved:
            old = shown[point][0]
            gone = point not in now
            self.last.pop(point, None)
            self.last |= {point: now[point]} if not gone else {point: D(old)} if old and point != POINTS[2] else {}

    def roll_back(self, number: int) -> None:
        run_id = sorted(self.after)[number % len(self.after)]
        rollback(self.store, SLUG, run_id, ADA)
        thaw(self.store, SLUG, ADA)
        self.last = {**self.after[run_id], **seen(self.url)}
        self.asked -= seen(self.url).items()

    def guard(self, factor: int) -> None:
        """Somebody sets how far a price may move by itself."""
        decisions.set_guard(self.store, SLUG, {"price_factor": D(factor)}, ADA)
        self.limit = D(factor)

    def do(self, act: str, value: Any) -> None:
        match act:
            case "list":
                self.list(value)
            case "look":
                self.look()
            case "rollback":
                self.roll_back(value)
            case "guard":
                self.guard(value)
            case _ if self.looked:
                self.decide(act, list(self.looked)[value % len(self.looked)])


_usd = st.sampled_from(LISTED)
SHAPES = st.one_of(
    st.builds(shape, _usd, _usd), st.builds(shape, _usd, _usd, _usd), st.builds(shape, st.none(), _usd, _usd), st.just(DYNAMIC)
)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("list"), SHAPES),
        st.tuples(st.just("look"), st.just(0)),
        st.tuples(st.sampled_from(["confirm", "reject", "reopen", "rollback"]), st.integers(0, 5)),
        st.tuples(st.just("guard"), st.sampled_from([10, 1000])),
    ),
    min_size=4,
    max_size=16,
)

LOOK = ("look", 0)


def lists(prompt: int | str, completion: int = 1, tier: int | None = None) -> list[tuple[str, Any]]:
    """A listing in multiples of 1e-7, or at a price as it is; and a look at what it holds."""
    usd = CHEAP * prompt if isinstance(prompt, int) else D(prompt)
    return [("list", shape(usd, CHEAP * completion, CHEAP * tier if tier else None)), LOOK]


@pytest.mark.parametrize("examples", [QUICK, pytest.param(LONG, marks=pytest.mark.soak)])
def test_i37_i38_nobodys_word_reaches_further_than_what_was_shown(tmp_path: Path, examples: int):
    @given(ACTS)
    # What waited under another number, and was superseded by the reopening of a third:
    @example([*lists(1, 50), ("reject", 0), *lists(40, 50), ("reopen", 0), LOOK, ("confirm", 1), ("reopen", 1), ("confirm", 1)])
    @example(
        [
            *(*lists(1, 50), ("reject", 0), *lists(20, 50), ("confirm", 1), *lists(2000, 50)),
            *(("reopen", 1), ("reopen", 0), LOOK, ("confirm", 0)),
        ]
    )
    # What was confirmed, rolled back, and listed once more:
    @example([*lists(50), ("confirm", 0), ("rollback", 0), *lists(50)])
    @example([*lists("0"), ("confirm", 0), ("rollback", 0), *lists("0")])
    @example([*lists("1e-9"), *lists("8e-9"), *lists("6e-8"), *lists("5e-6"), ("confirm", 0), ("rollback", 0), *lists("5e-6")])
    @example([*lists(50), ("confirm", 0), *lists(50), ("rollback", 0), *lists(50), ("confirm", 1), ("reopen", 0), *lists(50)])
    # A confirmation that another one undid:
    @example([*lists(50), ("confirm", 0), *lists(1), ("confirm", 1), *lists(50)])
    # A last price that moved while nothing stood:
    @example([*lists("6e-8"), ("list", DYNAMIC), *lists("8e-9"), ("list", DYNAMIC), *lists("1e-6"), ("rollback", 1), ("confirm", 0)])
    # A tier beside a flat price that is another one by now:
    @example([*lists(1, 1, 30), ("reject", 0), *lists("6e-8", 1, 30), *lists("8e-9", 1, 30), ("reopen", 0), LOOK, ("confirm", 0)])
    # What was taken back waits, whatever the limits and the price beside it are by now:
    @example([*lists(50), ("confirm", 0), ("guard", 1000), ("reopen", 0), *lists(50)])
    @example([*lists(50), ("reject", 0), ("guard", 1000), ("reopen", 0), *lists(50)])
    @example([*lists(1, 1, 20), ("confirm", 0), *lists("2.5e-7", 1, 20), ("reopen", 0), *lists("2.5e-7", 1, 20)])
    @example([*lists(1, 1, 20), ("confirm", 0), *lists("2.5e-7"), ("reopen", 0), *lists("2.5e-7", 1, 20)])
    @example([*lists(1, 1, 20), ("reject", 0), ("reopen", 0), *lists("2.5e-7"), *lists("2.5e-7", 1, 20)])
    @example([*lists(50), ("reject", 0), ("reopen", 0), *lists(2), *lists(50), ("rollback", 0), ("guard", 1000), *lists(50)])
    @settings(max_examples=examples, deadline=None, derandomize=examples == QUICK)
    def holds(acts: list[tuple[str, Any]]) -> None:
        with fresh(tmp_path) as (url, store):
            watch = Watch(url, store)
            for act, value in acts:
                watch.do(act, value)

    holds()


# Taken back to what it was


def test_i38_a_confirmed_price_is_taken_back_to_varying_by_request(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, DYNAMIC)
        listed(store, of_prompt(CHEAP * 50))
        decisions.decide(store, [1], "confirm", ADA)
        assert live(database_url) == CHEAP * 50
        decisions.reopen(store, 1, ADA)
        assert live(database_url) == "dynamic"
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]
        assert kinds(listed(store, of_prompt(CHEAP * 50))) == ["price"]


def test_i38_a_confirmed_price_is_taken_back_to_unknown(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        fall_silent(store, database_url)
        listed(store, of_prompt(CHEAP * 50))
        decisions.decide(store, [1], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        assert live(database_url) is None
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]


def test_i38_a_confirmed_tier_is_taken_back_to_none(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, of_prompt(CHEAP, tiers=(Tier(above=200_000, prompt=CHEAP * 30),)))
        decisions.decide(store, [1], "confirm", ADA)
        assert models_of(database_url, SLUG)["m"]["pricing"]["tiers"]
        decisions.reopen(store, 1, ADA)
        assert models_of(database_url, SLUG)["m"]["pricing"].get("tiers") is None
        assert table(database_url, "last_prices") == []


def test_i38_a_confirmation_counts_though_the_price_varied_and_another_part_of_it_was_rejected(database_url: str):
    both = of_prompt(CHEAP * 40, completion=CHEAP * 50)
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP, completion=CHEAP))
        listed(store, DYNAMIC)
        listed(store, of_prompt(CHEAP * 2, completion=CHEAP * 50))
        decisions.decide(store, [1], "reject", ADA)
        listed(store, both)
        decisions.decide(store, [2], "confirm", ADA)
        for _ in range(2):
            row = models_of(database_url, SLUG)["m"]
            assert (row["pricing_prompt"], row["pricing_completion"]) == (CHEAP * 40, None)
            listed(store, both)


# Several models, several holds


def at(factors: dict[str, int]) -> list[Model]:
    return [Model(id=row_id, prices=of_prompt(CHEAP * factor)) for row_id, factor in factors.items()]


def test_i39_a_question_about_several_models_waits_until_all_of_them_were_read(database_url: str):
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1, "c": 1}))
        sync(store, *at({"a": 1000, "b": 1000, "c": 1000}))
        sync(store, *at({"a": 1}), complete=False)
        assert open_holds(store) == [(1, "unit-change", ("a", "b", "c"))]
        sync(store, *at({"a": 1, "b": 1, "c": 1}))
        assert open_holds(store) == []


def test_i39_a_held_price_of_a_retired_model_waits_for_nobody(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, of_prompt(CHEAP * 50))
        for _ in range(2):
            sync(store, Model(id="other"))
        execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        for _ in range(2):
            sync(store, Model(id="other"))
        assert models_of(database_url, SLUG)["m"]["status"] == "retired"
        assert open_holds(store) == []


@pytest.mark.parametrize(("decision", "ends"), [(None, "released"), ("confirm", "closed")])
def test_i39_a_hold_of_a_model_that_retires_while_the_answer_stays_the_same_ends(database_url: str, decision: str | None, ends: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, of_prompt(CHEAP * 50))
        for _ in range(2):
            sync(store, Model(id="other"))
        if decision:
            decisions.decide(store, [1], decision, ADA)
            sync(store, Model(id="other"))
        execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        sync_unchanged(store)
        assert models_of(database_url, SLUG)["m"]["status"] == "retired"
    assert [row["status"] for row in table(database_url, "holds")] == [ends]


def test_i38_two_holds_of_one_model_are_confirmed_in_one_command(database_url: str):
    """With more than a step between them."""
    count = decisions.STEP + 5

    def models(factor: int, completion: int) -> Iterator[Model]:
        for n in range(count):
            yield Model(id=f"m{n:03}", prices=of_prompt(CHEAP * (n + 1) * (factor if factor == 1 else factor + n % 70)))
        yield Model(id="zz", prices=of_prompt(CHEAP * factor, completion=CHEAP * completion))

    with opened(database_url) as store:
        sync(store, *models(1, 1))
        sync(store, *models(1, 50))
        decisions.decide(store, [1], "reject", ADA)
        sync(store, *models(20, 50))
        decisions.reopen(store, 1, ADA)
        numbers = [number for number, _, _ in open_holds(store)]
        assert len(decisions.decide(store, numbers, "confirm", ADA)) == len(numbers) == count + 2
        row = models_of(database_url, SLUG)["zz"]
        assert (row["pricing_prompt"], row["pricing_completion"], open_holds(store)) == (CHEAP * 20, CHEAP * 50, [])


def test_i38_a_confirmation_outlives_a_process_that_died_before_the_prices_were_live(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP, completion=CHEAP))
        listed(store, of_prompt(CHEAP * 40, completion=CHEAP))
        (row,) = Catalog(store).holds()
        store.transact(partial(decisions._decide, store, SLUG, [row], "confirm", ADA))  # and no more
        listed(store, of_prompt(CHEAP * 40, completion=CHEAP * 50))
        decisions.decide(store, [2], "reject", ADA)
        listed(store, of_prompt(CHEAP * 40, completion=CHEAP * 50))
        found = models_of(database_url, SLUG)["m"]
        assert (found["pricing_prompt"], found["pricing_completion"]) == (CHEAP * 40, CHEAP)


def test_i39_what_a_person_supersedes_is_audited_and_asked_anew(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, of_prompt(CHEAP * 5))
        listed(store, of_prompt(CHEAP * 500))
        rollback(store, SLUG, 1, ADA)
        with pytest.raises(Settled, match="Hold 1 was superseded: a person moved the price that it was shown beside"):
            decisions.decide(store, [1], "confirm", ADA)
        thaw(store, SLUG, ADA)
        assert kinds(listed(store, of_prompt(CHEAP * 500))) == ["price"]
        assert [number for number, _, _ in open_holds(store)] == [2]
    audited = [(row["action"], row["target"]) for row in table(database_url, "audit_log")]
    assert ("supersede hold", f"{SLUG} price 1") in audited


def test_i38_another_catalog_keeps_its_number_while_it_gains_a_few_ids(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20))
        for count in (20, 21, 22):
            sync(store, *(Model(id=f"new/{number:02}") for number in range(count)))
        assert [row[:2] for row in open_holds(store)] == [(1, "other-catalog")]
        decisions.decide(store, [1], "confirm", ADA)
        assert sync(store, *(Model(id=f"new/{number:02}") for number in range(22))).counts.created == 22


def test_i38_a_model_that_moved_on_is_no_part_of_a_hold_that_still_waits_for_others(database_url: str):
    """b is absent, so that the question about all three stays; a has come down in steps, and was rejected at the same price since."""
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1, "c": 1}))
        sync(store, *at({"a": 10, "b": 10, "c": 10}))
        for usd in ("2e-8", "4e-9", "8e-10"):
            sync(store, Model(id="a", prices=of_prompt(D(usd))), *at({"c": 1}))
        sync(store, *at({"a": 10, "c": 1}))
        decisions.decide(store, [1], "confirm", ADA)
        assert (live(database_url, "a"), live(database_url, "b"), live(database_url, "c")) == (D("8e-10"), CHEAP * 10, CHEAP)


def test_i38_a_confirmation_is_no_leave_once_the_price_was_listed_otherwise(database_url: str):
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1, "c": 1}))
        sync(store, *at({"a": 1000, "b": 1000, "c": 1000}))
        sync(store, *at({"a": 1, "c": 1}))
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *at({"a": 1, "c": 1}))
        assert kinds(sync(store, *at({"a": 1000, "c": 1000}))) == ["unit-change"]
        assert (live(database_url, "a"), live(database_url, "c")) == (CHEAP, CHEAP)


@pytest.mark.parametrize("how", ["reopen", "rollback"])
def test_i38_who_pulls_the_brake_between_two_steps_of_a_confirmation_is_heard(database_url: str, how: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, of_prompt(CHEAP * 50))
        (row,) = Catalog(store).holds()
        store.transact(partial(decisions._decide, store, SLUG, [row], "confirm", ADA))
        if how == "reopen":
            decisions.reopen(store, 1, ADA)
        else:
            rollback(store, SLUG, 1, ADA)
        store.transact(partial(decisions._believe, store, SLUG, [1], ["m"], ADA, None))
        assert live(database_url) == CHEAP
        if how == "rollback":
            thaw(store, SLUG, ADA)
            assert kinds(listed(store, of_prompt(CHEAP * 50))) == ["price"]
    assert live(database_url) == CHEAP


@pytest.mark.parametrize("how", ["reopen", "rollback"])
def test_i22_what_a_person_confirmed_before_is_no_accident_when_a_later_decision_is_undone(database_url: str, how: str):
    with opened(database_url) as store:
        sync(store, Model(id="m", prices=Prices(implausible={"prompt": D("0.05")})), Model(id="other"))
        decisions.decide(store, [1], "confirm", ADA)
        run_id = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, of_prompt(D(0)))
        decisions.decide(store, [2], "confirm", ADA)
        if how == "reopen":
            decisions.reopen(store, 2, ADA)
        else:
            rollback(store, SLUG, run_id, ADA)
            thaw(store, SLUG, ADA)
        assert live(database_url) == D("0.05")
        assert kinds(listed(store, of_prompt(D(0)))) == ["price"]
    assert live(database_url) == D("0.05")


def test_i37_what_was_taken_back_is_not_restored_as_believed_by_a_rollback(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, DYNAMIC)
        listed(store, of_prompt(CHEAP * 50))
        decisions.decide(store, [1], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        listed(store, DYNAMIC)
        run_id = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, of_prompt(CHEAP * 2))
        rollback(store, SLUG, run_id, ADA)
        thaw(store, SLUG, ADA)
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]
        assert kinds(listed(store, of_prompt(CHEAP * 50))) == ["price"]


def test_i38_a_confirmed_price_is_taken_back_after_it_fell_to_varying_by_request(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, of_prompt(CHEAP * 50))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, of_prompt(CHEAP * 50))
        listed(store, DYNAMIC)
        decisions.reopen(store, 1, ADA)
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]
        assert kinds(listed(store, of_prompt(CHEAP * 100))) == ["price"]


def test_i38_what_a_pin_hid_is_taken_back_too(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP, completion=CHEAP))
        listed(store, of_prompt(CHEAP * 50, completion=CHEAP))
        operators.pin(store, SLUG, "m", [Pin("pricing_prompt", D("3e-7"))], ADA)
        decisions.decide(store, [1], "confirm", ADA)
        operators.unpin(store, SLUG, "m", ["pricing_prompt"], ADA)
        listed(store, of_prompt(CHEAP * 50, completion=CHEAP * 50))
        decisions.decide(store, [2], "confirm", ADA)
        assert decisions.reopen(store, 1, ADA).status == "open"
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing_prompt"], row["pricing_completion"]) == (CHEAP, CHEAP * 50)


# A newer reader corrects what it reads otherwise, and nothing that waits or was refused


def worded(prompt: str, version: int) -> Prices:
    """The same wire; the second version has learned what `cache` is."""
    unread = {"others": {"cache": "5"}, "incomplete": ("cache",)} if version == 1 else {"others": {"cache": "5"}}
    return Prices(prompt=D(prompt), raw={"input": f"{prompt} as sent"}, **unread)


@pytest.mark.parametrize("held", ["1e-4", "0"])
@pytest.mark.parametrize("decision", [None, "reject"])
def test_i37_a_newer_reader_brings_in_no_price_that_is_held_or_was_refused(database_url: str, held: str, decision: str | None):
    with opened(database_url) as store:
        listed(store, worded("1e-7", 1))
        assert kinds(listed(store, worded(held, 1))) == ["price"]
        if decision:
            decisions.decide(store, [1], decision, ADA)
        result = listed(store, worded(held, 2), version=2)
        assert (kinds(result), live(database_url)) == ([] if decision else ["price"], CHEAP)
        assert models_of(database_url, SLUG)["m"]["pricing"].get("incomplete") is None
        assert kinds(listed(store, worded("9e-5", 2), version=2)) == ["price"]


def test_i37_a_newer_reader_forgets_no_price_that_it_reads_as_before(database_url: str):
    def completed(version: int) -> Prices:
        read = {"cache_read": D("5e-8")} if version == 2 else {"incomplete": ("cache",)}
        return Prices(completion=CHEAP, raw={"out": "as sent"}, others={"cache": "5"}, **read)

    with opened(database_url) as store:
        listed(store, msgspec.structs.replace(completed(1), prompt=CHEAP))
        for _ in range(2):
            listed(store, completed(1))
        a_day_passes(database_url)
        listed(store, completed(1))
        assert live(database_url) is None
        listed(store, completed(2), version=2)
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]
        assert kinds(listed(store, msgspec.structs.replace(completed(2), prompt=CHEAP * 5000), version=2)) == ["price"]


# What stands beside


def test_i22_a_pin_on_another_field_elsewhere_leaves_their_price_in_the_median(database_url: str):
    with opened(database_url) as store:
        store.bulk_upsert_models("deepinfra", [Model(id="x/m", prices=of_prompt(CHEAP))])
        operators.pin(store, "deepinfra", "x/m", [Pin("pricing.cache_read", D("5e-8"))], ADA)
        assert kinds(listed(store, of_prompt(D("9e-4")))) == ["price"]


def test_i37_a_tier_beside_a_confirmed_price_out_of_bounds_is_no_way_out_of_an_accident(database_url: str):
    dear = Prices(implausible={"prompt": D("0.05")})
    with opened(database_url) as store:
        sync(store, Model(id="m", prices=dear), Model(id="other"))
        decisions.decide(store, [1], "confirm", ADA)
        assert kinds(listed(store, msgspec.structs.replace(dear, tiers=(Tier(above=10, prompt=D(0)),)))) == ["price"]


def test_i37_cached_tokens_of_a_tier_and_of_a_model_that_was_free_have_the_bound_too(database_url: str):
    cached = D("9e-4")
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        assert kinds(listed(store, of_prompt(CHEAP, tiers=(Tier(above=10, cache_read=cached),)))) == ["price"]
        listed(store, of_prompt(D(0), completion=D(0), cache_read=D(0)), "free")
        assert kinds(listed(store, of_prompt(CHEAP, completion=CHEAP, cache_read=cached), "free")) == ["price"]


@pytest.mark.parametrize(("before", "after"), [("1000 characters", "characters"), ("minutes", "seconds"), ("images", "videos")])
def test_i37_a_price_per_another_unit_than_before_is_a_question(database_url: str, before: str, after: str):
    """fal: 0.02 USD per 1,000 characters, then 0.02 per character."""

    def of(unit: str) -> Prices:
        return fal.prices(fal.PriceRow("m", msgspec.Raw(b"0.02"), unit))

    with opened(database_url) as store:
        listed(store, of(before))
        assert kinds(listed(store, of(after))) == ["price"]
        assert kinds(listed(store, of(before))) == []


# What was taken back stays so, and can be taken back whatever came after


def last_run(database_url: str) -> int:
    return int(query(database_url, "SELECT max(run_id) AS id FROM model_changes")[0]["id"])


@pytest.mark.parametrize("away", ["dynamic", "silent"])
def test_i37_what_was_taken_back_while_nothing_stood_is_not_restored_by_a_rollback(database_url: str, away: str):
    """What was confirmed does not stand when it is taken back, so that no field of the model moves; history tells it all the same."""
    gone = DYNAMIC if away == "dynamic" else Prices()
    with opened(database_url) as store:
        for usd in (CHEAP, CHEAP * 100):
            listed(store, of_prompt(usd))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, of_prompt(CHEAP * 100))
        listed(store, gone) if away == "dynamic" else fall_silent(store, database_url)
        decisions.reopen(store, 1, ADA)
        sync(store, Model(id="m", prices=gone), Model(id="other", description="of another day"))
        then = last_run(database_url)
        sync(store, Model(id="m", prices=gone), Model(id="other", description="of the day after"))
        rollback(store, SLUG, then, ADA)
        thaw(store, SLUG, ADA)
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]
        assert kinds(listed(store, of_prompt(CHEAP * 100))) == ["price"]


def test_i37_what_a_rollback_forgot_is_not_restored_by_a_later_one(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, DYNAMIC)
        first = last_run(database_url)
        listed(store, of_prompt(CHEAP * 100))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, DYNAMIC)
        rollback(store, SLUG, first, ADA)
        thaw(store, SLUG, ADA)
        for description in ("good", "bad"):
            sync(store, Model(id="m", prices=DYNAMIC), Model(id="other", description=description))
        good = sorted(row["run_id"] for row in table(database_url, "model_changes"))[-2]
        rollback(store, SLUG, good, ADA)
        thaw(store, SLUG, ADA)
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]
        assert kinds(listed(store, of_prompt(CHEAP * 100))) == ["price"]


def test_i38_a_confirmed_change_of_unit_is_taken_back_though_one_of_its_prices_went_on(database_url: str):
    def both(a: Decimal, b: Decimal) -> list[Model]:
        return [Model(id="a", prices=of_prompt(a)), Model(id="b", prices=of_prompt(b))]

    with opened(database_url) as store:
        sync(store, *both(CHEAP, CHEAP))
        assert kinds(sync(store, *both(CHEAP * 1000, CHEAP * 1000))) == ["unit-change"]
        decisions.decide(store, [1], "confirm", ADA)
        assert kinds(sync(store, Model(id="a", prices=of_prompt(CHEAP * 20000)), complete=False)) == ["price"]
        decisions.decide(store, [2], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        assert (live(database_url, "a"), live(database_url, "b")) == (CHEAP * 20000, CHEAP)


def test_i38_confirmations_one_after_the_other_are_taken_back_one_after_the_other(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        for number, times in ((1, 100), (2, 10_000)):
            assert kinds(listed(store, of_prompt(CHEAP * times))) == ["price"]
            decisions.decide(store, [number], "confirm", ADA)
        assert [row["status"] for row in table(database_url, "holds")] == ["closed", "confirmed"]
        decisions.reopen(store, 2, ADA)
        assert live(database_url) == CHEAP * 100
        decisions.reopen(store, 1, ADA)
        assert live(database_url) == CHEAP


def test_i37_a_tier_that_is_taken_back_is_not_remembered_at_the_flat_price_it_was_shown_beside(database_url: str):
    with opened(database_url) as store:
        listed(store, shape(D("1e-6")))
        assert kinds(listed(store, shape(D("1e-4"), tier=D("1e-4")))) == ["price"]
        decisions.decide(store, [1], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        assert table(database_url, "last_prices") == []
        for usd in ("2e-7", "3e-8"):
            assert kinds(listed(store, shape(D(usd)))) == []
        assert kinds(listed(store, shape(D("3e-8"), tier=D("1e-6")))) == ["price"]


def test_i37_a_tier_without_a_flat_price_whose_condition_moves_is_compared_with_the_one_before(database_url: str):
    with opened(database_url) as store:
        listed(store, Prices(tiers=(Tier(above=1000, prompt=CHEAP),)))
        assert kinds(listed(store, Prices(tiers=(Tier(above=1001, prompt=D("9e-4")),)))) == ["price"]
        assert kinds(listed(store, Prices(tiers=(Tier(above=1001, prompt=CHEAP * 2),)))) == []


def test_i37_one_of_several_units_that_is_called_otherwise_is_a_question(database_url: str):
    def videos(*prices: tuple[str, str]) -> Prices:
        return Prices(per_unit=tuple(UnitPrice(per="second", usd=D(usd), what=what) for what, usd in prices))

    with opened(database_url) as store:
        listed(store, videos(("hd", "0.1"), ("sd", "0.05")))
        assert kinds(listed(store, videos(("hd1080", "90"), ("sd", "0.05")))) == ["price"]
        assert kinds(listed(store, videos(("hd", "0.1"), ("sd", "0.05"), ("uhd", "0.2")))) == []


def test_i37_a_tier_without_a_condition_is_remembered_under_its_own_name(database_url: str):
    def tier(usd: Decimal) -> Prices:
        return Prices(completion=CHEAP, tiers=(Tier(prompt=usd),))

    with opened(database_url) as store:
        listed(store, tier(CHEAP))
        listed(store, DYNAMIC)
        assert kinds(listed(store, tier(D("9e-4")))) == ["price"]
        assert kinds(listed(store, tier(CHEAP))) == []
    assert table(database_url, "last_prices") == []


def test_i09_i39_what_stands_beside_a_rejected_price_lapses_and_tells_what_was_not_read(database_url: str):
    beside = Prices(prompt=CHEAP * 100, others={"audio": "5"}, incomplete=("audio",))
    with opened(database_url) as store:
        listed(store, shape(CHEAP, CHEAP))
        listed(store, shape(CHEAP * 100, CHEAP))
        decisions.decide(store, [1], "reject", ADA)
        for _ in range(2):
            listed(store, beside)
        a_day_passes(database_url)
        listed(store, beside)
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing_prompt"], row["pricing_completion"], row["pricing"]["incomplete"]) == (CHEAP, None, ["audio"])


@pytest.mark.parametrize("between", ["varies", "silent", "rejected"])
def test_i37_another_unit_is_a_question_whatever_came_between(database_url: str, between: str):
    def per(piece: str, usd: str) -> Prices:
        return Prices(per_unit=(UnitPrice(per=piece, usd=D(usd), what=piece),))

    with opened(database_url) as store:
        listed(store, per("second", "0.02"))
        if between == "varies":
            listed(store, DYNAMIC)
        elif between == "silent":
            fall_silent(store, database_url)
        else:
            listed(store, per("minute", "0.9"))
            decisions.decide(store, [1], "reject", ADA)
            for _ in range(2):
                listed(store, per("minute", "0.9"))
            a_day_passes(database_url)
            listed(store, per("minute", "0.9"))
        assert kinds(listed(store, per("character", "20"))) == ["price"]


def only_tiers(*usd: str) -> Prices:
    """Tiers above 1000, 2000 … tokens, and no flat price."""
    return Prices(tiers=tuple(Tier(above=1000 * (number + 1), prompt=D(each)) for number, each in enumerate(usd)))


def test_i37_a_first_tier_that_is_taken_back_is_remembered_at_no_price_it_was_shown_beside(database_url: str):
    with opened(database_url) as store:
        listed(store, UNSTATED)
        assert kinds(listed(store, shape(D("0.002"), tier=D("0.004")))) == ["price"]
        decisions.decide(store, [1], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        assert table(database_url, "last_prices") == []
        (hold,) = listed(store, shape(D("1e-4"), tier=D("2e-3"))).holds
        assert hold.detail == {"pricing.tiers[above 1000].prompt": ["0.0001", "0.002"]}


def test_i38_a_tier_shown_beside_another_tier_is_asked_anew_when_a_person_moves_that(database_url: str):
    with opened(database_url) as store:
        listed(store, only_tiers("1e-7"))
        listed(store, only_tiers("1e-6"))
        decisions.decide(store, [1], "confirm", ADA)
        assert kinds(listed(store, only_tiers("1e-6", "1e-5"))) == ["price"]
        decisions.reopen(store, 1, ADA)
        assert [row["status"] for row in table(database_url, "holds")] == ["open", "superseded"]
        with pytest.raises(Settled):
            decisions.decide(store, [2], "confirm", ADA)
        (hold,) = listed(store, only_tiers("1e-6", "1e-5")).holds
        assert hold.detail == {f"pricing.tiers[above {n}].prompt": ["0.0000001", usd] for n, usd in ((1000, "0.000001"), (2000, "0.00001"))}


def test_i38_a_tier_shown_beside_another_tier_is_taken_back_to_nothing(database_url: str):
    with opened(database_url) as store:
        listed(store, only_tiers("1e-5"))
        assert kinds(listed(store, only_tiers("1e-5", "1e-4"))) == ["price"]
        decisions.decide(store, [1], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        assert table(database_url, "last_prices") == []
        for usd in ("2e-6", "4e-7", "1e-7"):
            assert kinds(listed(store, only_tiers(usd))) == []
        assert kinds(listed(store, only_tiers("1e-7", "1e-5"))) == ["price"]


def test_changes_of_what_was_believed_beneath_pins_are_shown_as_one(database_url: str, tmp_path: Path):
    with opened(database_url) as store:
        listed(store, shape(CHEAP, CHEAP))
        operators.pin(store, SLUG, "m", [Pin("pricing_prompt", CHEAP * 3), Pin("pricing_completion", CHEAP * 3)], ADA)
        for number, prices in enumerate((shape(CHEAP * 100, CHEAP), shape(CHEAP * 100, CHEAP * 100)), 1):
            assert kinds(listed(store, prices)) == ["price"]
            decisions.decide(store, [number], "confirm", ADA)
    done = run(tmp_path, "changes", "--collapse", env=environment(tmp_path, DATABASE_URL=database_url))
    assert done.returncode == 0
    moved = "prompt 0.10 → 10.00 $/1M (+9900%), completion 0.10 → 10.00 $/1M (+9900%)"
    assert f"the provider's value, beneath a pin: {moved} (2 changes)" in done.stdout


# What stood is kept with the decision


def above(usd: str, flat: str | None = None) -> Prices:
    return Prices(prompt=None if flat is None else D(flat), tiers=(Tier(above=1000, prompt=D(usd)),))


@pytest.mark.parametrize("flat", ["1e-5", None])
@pytest.mark.parametrize("decision", ["wait", "reject"])
def test_i37_a_tier_beneath_a_pin_is_taken_back_to_what_stood_there(database_url: str, flat: str | None, decision: str):
    with opened(database_url) as store:
        listed(store, above("8e-6", flat))
        operators.pin(store, SLUG, "m", [Pin("pricing.tiers", (Tier(above=1000, prompt=D("7e-6")),))], ADA)
        listed(store, above("9e-6", flat))
        assert kinds(listed(store, above("9e-5", flat))) == ["price"]
        decisions.decide(store, [1], "confirm", ADA)
        assert decisions.reopen(store, 1, ADA).status == "open"
        if decision == "reject":
            decisions.decide(store, [1], "reject", ADA)
        operators.unpin(store, SLUG, "m", [], ADA)
        for _ in range(2):
            assert kinds(listed(store, above("9e-5", flat))) == (["price"] if decision == "wait" else [])
            assert models_of(database_url, SLUG)["m"]["pricing"]["tiers"] == [{"above": 1000, "prompt": "0.000009"}]


def test_i38_a_forgotten_price_beneath_a_pin_does_not_stand_again_when_one_is_taken_back(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        operators.pin(store, SLUG, "m", [Pin("pricing_prompt", CHEAP * 3)], ADA)
        fall_silent(store, database_url)
        assert kinds(listed(store, of_prompt(CHEAP * 100))) == ["price"]
        decisions.decide(store, [1], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        operators.unpin(store, SLUG, "m", [], ADA)
        assert live(database_url) is None
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]


def test_i38_what_a_dead_process_left_half_confirmed_is_taken_back_to_what_stood(database_url: str):
    """It died between the decision and the price; the next listing brought that in."""
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, DYNAMIC)
        listed(store, of_prompt(CHEAP * 50))
        raise_on(database_url, "model_changes", "INSERT")
        with pytest.raises(ModelsyncError):
            decisions.decide(store, [1], "confirm", ADA)
        raise_no_more(database_url, "model_changes")
        assert live(database_url) == "dynamic"
        assert kinds(listed(store, of_prompt(CHEAP * 50))) == []
        assert live(database_url) == CHEAP * 50
        decisions.reopen(store, 1, ADA)
        assert live(database_url) == "dynamic"


def test_a_hold_that_an_earlier_program_confirmed_is_taken_back_to_what_it_showed(database_url: str):
    with opened(database_url) as store:
        listed(store, of_prompt(CHEAP))
        listed(store, of_prompt(CHEAP * 50))
        decisions.decide(store, [1], "confirm", ADA)
        execute(database_url, "UPDATE holds SET stood = NULL")
        decisions.reopen(store, 1, ADA)
        assert live(database_url) == CHEAP


def test_no_second_question_follows_the_confirmation_of_a_first_tier(database_url: str):
    with opened(database_url) as store:
        listed(store, UNSTATED)
        assert kinds(listed(store, above("1e-4", "1e-6"))) == ["price"]
        decisions.decide(store, [1], "confirm", ADA)
        assert kinds(listed(store, above("1e-4", "1e-6"))) == []
        assert live(database_url) == D("1e-6")


def test_a_unit_that_was_forgotten_beside_others_makes_no_later_one_a_question(database_url: str):
    def videos(*labels: str) -> Prices:
        return Prices(per_unit=tuple(UnitPrice(per="second", usd=D("0.02"), what=label) for label in labels))

    with opened(database_url) as store:
        listed(store, videos("480p", "720p"))
        for _ in range(2):
            listed(store, videos("720p"))
        a_day_passes(database_url)
        listed(store, videos("720p"))
        for labels in (("1080p", "720p"), ("1080p", "4k", "720p")):
            assert kinds(listed(store, videos(*labels))) == []
