"""Prices against the last number that was believed, and decisions of persons about exactly what they were shown."""

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelsync.errors import ModelsyncError, NotThere, Settled, UsageError
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices, Tier, UnitPrice
from modelsync.operations import decisions, models
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.holding import Hold
from modelsync.planning.outcome import Disabled, Held, ProviderResult
from modelsync.queries.catalog import Catalog
from modelsync.sync.request import Commit
from modelsync.testing import D
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
    priced,
    sync,
)
from support.store import PROVIDER, SLUG, lease_for, listing, opened, seen
from support.sync import changes_of, execute, models_of, query, table

# I37: whatever lies between, a price is compared with the last number that was believed


@pytest.mark.parametrize("after", [D("0.001"), D(0)], ids=["ten thousand times", "free"])
def test_i37_a_price_that_varied_comes_back_against_the_number_before(database_url: str, after: Decimal):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, DYNAMIC)
        assert live(database_url) == "dynamic"
        assert [(row["field"], row["condition"], D(row["usd"])) for row in table(database_url, "last_prices")] == [
            ("pricing_prompt", "", CHEAP)
        ]
        result = listed(store, priced(after))
        assert (kinds(result), live(database_url)) == (["price"], "dynamic")
        assert result.holds[0].detail == {"pricing_prompt": ["0.0000001", f"{after:f}"]}
        assert kinds(listed(store, priced(CHEAP * 2))) == []
        assert live(database_url) == CHEAP * 2
    assert table(database_url, "last_prices") == []


def test_i37_a_price_that_fell_silent_comes_back_against_the_number_before(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        fall_silent(store, database_url)
        assert live(database_url) is None
        assert kinds(listed(store, priced(D(0)))) == ["price"]
        assert kinds(listed(store, priced(CHEAP * 100))) == ["price"]
        assert live(database_url) is None
        assert kinds(listed(store, priced(CHEAP * 9))) == []
    assert live(database_url) == CHEAP * 9


def test_i37_a_retired_model_returns_at_its_last_price(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        for _ in range(2):
            sync(store, Model(id="other"))
        execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        sync(store, Model(id="other"))
        assert models_of(database_url, SLUG)["m"]["status"] == "retired"
        assert kinds(listed(store, priced(CHEAP * 1000))) == ["price"]
    assert (models_of(database_url, SLUG)["m"]["status"], live(database_url)) == ("active", CHEAP)


@pytest.mark.parametrize("price", [D("0.0032"), D("0.00971"), D("0.0010001")])
def test_i37_a_first_price_above_the_bound_is_held_in_a_settled_catalog(database_url: str, price: Decimal):
    """A real slip: USD per 1,000 tokens, read as per token."""
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        result = sync(store, Model(id="m", prices=priced(CHEAP)), Model(id="other"), Model(id="new", prices=priced(None, completion=price)))
        assert (kinds(result), result.holds[0].ids) == (["price"], ("new",))
        assert models_of(database_url, SLUG)["new"]["pricing"] == {}
        assert kinds(listed(store, priced(CHEAP, cache_read=price))) == ["price"]  # a known model, of which this was never believed
        assert kinds(listed(store, priced(CHEAP, tiers=(Tier(above=200_000, completion=price),)))) == ["price"]
        assert kinds(listed(store, priced(CHEAP, cache_read=D("0.00000005")))) == []


def test_i37_a_free_model_may_begin_to_cost_within_the_bound(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(D(0), completion=D(0)))
        assert kinds(listed(store, priced(CHEAP, completion=CHEAP))) == []
        assert live(database_url) == CHEAP
        sync(store, Model(id="f", prices=priced(D(0))))
        assert kinds(sync(store, Model(id="f", prices=priced(D("0.002"))))) == ["price"]


def test_i09_a_dropped_tier_and_a_dropped_unit_are_not_stated(database_url: str):
    tiers = (Tier(above=128_000, prompt=CHEAP * 2), Tier(above=200_000, prompt=CHEAP * 3))
    units = (UnitPrice("second", D("0.05"), "audio"), UnitPrice("image", D("0.01"), "picture"))
    with opened(database_url) as store:
        listed(store, priced(CHEAP, tiers=tiers, per_unit=units))
        for _ in range(2):
            listed(store, priced(CHEAP, tiers=tiers[:1], per_unit=units[:1]))
        pricing = models_of(database_url, SLUG)["m"]["pricing"]
        assert [tier["above"] for tier in pricing["tiers"]] == [128_000, 200_000]
        assert [unit["what"] for unit in pricing["per_unit"]] == ["audio", "picture"]
        a_day_passes(database_url)
        listed(store, priced(CHEAP, tiers=tiers[:1], per_unit=units[:1]))
        pricing = models_of(database_url, SLUG)["m"]["pricing"]
        assert ([tier["above"] for tier in pricing["tiers"]], [unit["what"] for unit in pricing["per_unit"]]) == ([128_000], ["audio"])
        assert kinds(listed(store, priced(CHEAP, tiers=(tiers[0], Tier(above=200_000, prompt=CHEAP * 30)), per_unit=units[:1]))) == [
            "price"
        ]
    assert {(row["field"], row["condition"]) for row in table(database_url, "last_prices")} == {
        ("pricing.tiers.prompt", "above 200000"),
        ("pricing.per_unit", "picture"),
    }


def test_a_rollback_restores_what_was_believed_last(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, DYNAMIC)
        run_id = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, priced(CHEAP * 900))
        decisions.decide(store, [open_holds(store)[0][0]], "confirm", ADA)
        assert live(database_url) == CHEAP * 900
        rollback(store, SLUG, run_id, ADA)
        assert live(database_url) == "dynamic"
        assert [D(row["usd"]) for row in table(database_url, "last_prices")] == [CHEAP]
        thaw(store, SLUG, ADA)


PRICES = st.sampled_from(
    [UNSTATED, DYNAMIC, *(priced(D(value)) for value in ("0", "1e-7", "9e-7", "8e-6", "1e-4", "1e-3", "4e-3", "9e-3"))]
)
WHO = st.sampled_from([SLUG] * 4 + ["deepinfra", "chutes"])
LISTINGS = st.lists(st.tuples(WHO, PRICES, st.booleans(), st.booleans()), min_size=2, max_size=14)


@pytest.mark.parametrize("examples", [QUICK, pytest.param(LONG, marks=pytest.mark.soak)])
def test_i37_no_sequence_of_listings_moves_a_price_by_ten_or_to_free(tmp_path: Path, examples: int):
    def mine(price: str) -> tuple[str, Prices, bool, bool]:
        return SLUG, priced(D(price)), True, False

    @given(LISTINGS)
    @example([mine("1e-7"), (SLUG, DYNAMIC, True, False), mine("1e-3")])
    @example([("deepinfra", priced(D("2e-4")), True, False), mine("2.1e-6"), ("chutes", priced(D("9e-4")), True, False), mine("5e-4")])
    @settings(max_examples=examples, deadline=None, derandomize=examples == QUICK)
    def holds(said: list[tuple[str, Prices, bool, bool]]) -> None:
        no_price_moves_by_ten(tmp_path, said)

    holds()


def no_price_moves_by_ten(folder: Path, said: list[tuple[str, Prices, bool, bool]]) -> None:
    """Word by word, whatever other providers say: judged by nothing but the column that users read."""
    last: Decimal | None = None
    with fresh(folder) as (url, store):
        for who, prices, present, day in said:
            if who != SLUG:
                store.bulk_upsert_models(who, [Model(id="x/m", prices=prices)])
                continue
            if day:
                a_day_passes(url)
            sync(store, Model(id="other"), *([Model(id="m", prices=prices)] if present else []))
            row = models_of(url, SLUG).get("m")
            now = row["pricing_prompt"] if row else None
            if now is None or now == last:
                continue
            if last is None:
                assert now <= D("1e-3")
            elif last:
                assert now
                assert max(now / last, last / now) < 10
            else:
                assert now <= D("1e-3")
            last = now


# I38: exactly what was shown


def test_i38_a_hold_that_was_superseded_cannot_be_confirmed(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 10))
        listed(store, priced(CHEAP * 10_000))
        assert [row[:2] for row in open_holds(store)] == [(2, "price")]
        with pytest.raises(Settled, match="Hold 1 was superseded"):
            decisions.decide(store, [1], "confirm", ADA)
        assert live(database_url) == CHEAP
        listed(store, priced(CHEAP * 10))  # the content that was shown under 1 is back, and so is its number
        assert [row[:2] for row in open_holds(store)] == [(1, "price")]
        decisions.decide(store, [1], "confirm", ADA)
    assert live(database_url) == CHEAP * 10


def test_i38_a_shrink_is_confirmed_for_the_models_that_were_shown(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(40))
        sync(store, *many(30))
        sync(store, *many(12))
        assert [(number, kind, len(ids)) for number, kind, ids in open_holds(store)] == [(1, "shrink", 10), (2, "shrink", 18)]
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *many(12))
        missing = {row_id for row_id, row in models_of(database_url, SLUG).items() if row["status"] == "missing"}
        assert missing == {model.id for model in many(40, 30)}
        sync(store, *many(13))  # one of those shown under 2 is back
        with pytest.raises(Settled, match="Hold 2 was superseded"):
            decisions.decide(store, [2], "confirm", ADA)
    assert {row["status"] for row in table(database_url, "holds")} == {"confirmed", "superseded", "open"}


def test_i38_a_confirmed_absence_is_over_when_the_model_is_listed_again(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(40))
        sync(store, *many(30))
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *many(40))
        assert [row["status"] for row in table(database_url, "holds")] == ["closed"]
        assert kinds(sync(store, *many(30))) == ["shrink"]  # another absence is another question


def test_i38_a_rejected_price_stays_rejected_when_another_provider_lists_the_same(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 20))
        decisions.decide(store, [1], "reject", ADA)
        store.bulk_upsert_models("deepinfra", [Model(id="x/M", prices=priced(CHEAP * 20))])
        for _ in range(3):
            result = listed(store, priced(CHEAP * 20))
            execute(database_url, "UPDATE holds SET agreed_at = '2026-01-01T00:00:00.000000Z'")
        assert (kinds(result), live(database_url)) == ([], CHEAP)
        assert [warning for warning in result.warnings if "ada rejected it" in warning and "modelsync reopen 1" in warning]
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 20))  # stated otherwise in between: the refusal stands all the same
        assert live(database_url) == CHEAP
        decisions.reopen(store, 1, ADA)
        assert kinds(listed(store, priced(CHEAP * 20))) == ["price"]


def test_i38_the_refused_three_stay_and_the_other_seven_go_on_moving(database_url: str):
    def at(factor: Decimal, others: Decimal) -> list[Model]:
        return [Model(id=f"m{n}", prices=priced(CHEAP * (n + 1) * (factor if n < 3 else others))) for n in range(10)]

    with opened(database_url) as store:
        sync(store, *at(D(1), D(1)))
        assert kinds(sync(store, *at(D(1000), D(1)))) == ["unit-change"]
        decisions.decide(store, [1], "reject", ADA)
        for step in ("1.1", "1.21", "1.331"):
            assert kinds(sync(store, *at(D(1000), D(step)))) == []
        found = models_of(database_url, SLUG)
        assert [found[f"m{n}"]["pricing_prompt"] for n in range(10)] == [CHEAP * (n + 1) * (1 if n < 3 else D("1.331")) for n in range(10)]


def test_i38_a_confirmed_price_can_be_taken_back(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 50))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, priced(CHEAP * 50))
        assert (live(database_url), table(database_url, "holds")[0]["status"]) == (CHEAP * 50, "closed")
        decisions.reopen(store, 1, ADA)
        assert (live(database_url), open_holds(store)) == (CHEAP, [(1, "price", ("m",))])
        assert kinds(listed(store, priced(CHEAP * 50))) == ["price"]
        assert live(database_url) == CHEAP
    assert [row["action"] for row in table(database_url, "audit_log")] == ["confirm hold", "reopen hold"]


def test_what_was_not_decided_cannot_be_reopened(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 50))
        with pytest.raises(UsageError, match="Hold 1 is open"):
            decisions.reopen(store, 1, ADA)
        listed(store, priced(CHEAP))
        with pytest.raises(Settled, match="it is released"):
            decisions.reopen(store, 1, ADA)
        with pytest.raises(NotThere, match="There is no hold 7"):
            decisions.reopen(store, 7, ADA)


def test_a_rejected_list_is_no_failure_and_is_confirmed_after_all(database_url: str):
    others = [Model(id=f"new/{number}") for number in range(20)]
    with opened(database_url) as store:
        sync(store, *many(20))
        assert isinstance(sync(store, *others).outcome, Held)
        decisions.decide(store, [1], "reject", ADA)
        fresh_until = table(database_url, "provider_state")[0]["last_success_at"]
        result = sync(store, *others)
        assert (result.succeeded, result.error, result.holds, result.counts.synced) == (True, None, (), 0)
        assert isinstance(result.outcome, Held)
        assert result.outcome.refusal is not None
        assert "ada rejected it" in result.outcome.refusal.message
        assert "modelsync reopen 1" in result.outcome.refusal.message
        assert table(database_url, "provider_state")[0]["last_success_at"] == fresh_until
        decisions.reopen(store, 1, ADA)
        assert open_holds(store) == [(1, "other-catalog", tuple(model.id for model in many(20)))]
        decisions.decide(store, [1], "confirm", ADA)
        assert sync(store, *others).counts.created == 20


SHOWN = st.lists(
    st.one_of(
        st.tuples(st.just("list"), st.sampled_from([D("1e-7"), D("1e-6"), D("2e-6"), D("1e-4"), D("5e-7")])),
        st.tuples(st.sampled_from(["look", "confirm", "reject", "reopen", "rollback"]), st.integers(0, 3)),
    ),
    max_size=14,
)


HIGH, HIGHER = ("list", D("1e-6")), ("list", D("1e-4"))
LOOK = ("look", 0)


def of(act: str, number: int = 0) -> tuple[str, int]:
    return act, number


@pytest.mark.parametrize("examples", [QUICK, pytest.param(LONG, marks=pytest.mark.soak)])
def test_i38_what_is_confirmed_is_what_was_shown_and_what_is_rejected_stays_out(tmp_path: Path, examples: int):
    @given(SHOWN)
    @example([HIGH, LOOK, of("confirm"), HIGHER, LOOK, of("reopen"), of("confirm", 1)])
    @example([HIGH, LOOK, of("reject"), ("list", CHEAP), of("reopen"), of("confirm")])
    @example([HIGH, LOOK, of("reject"), HIGHER, LOOK, of("reopen"), of("confirm")])
    @example([HIGH, LOOK, of("confirm"), HIGHER, LOOK, of("rollback"), of("confirm", 1)])
    @settings(max_examples=examples, deadline=None, derandomize=examples == QUICK)
    def holds(acts: list[tuple[str, Any]]) -> None:
        what_is_confirmed_is_what_was_shown(tmp_path, acts)

    holds()


def what_is_confirmed_is_what_was_shown(folder: Path, acts: list[tuple[str, Any]]) -> None:
    """A person decides by a number that was looked at some time ago, and by the two prices that it showed."""
    looked: dict[int, tuple[Decimal, Decimal]] = {}
    rejected: dict[int, Decimal] = {}
    with fresh(folder) as (url, store):
        listed(store, priced(CHEAP))
        for act, value in acts:
            before = live(url)
            if act == "list":
                listed(store, priced(value))
                now = live(url)
                assert now == before or now not in rejected.values()
                continue
            if act == "look":
                shown = {row.id: row.detail["pricing_prompt"] for row in Catalog(store).holds()}
                looked |= {number: (D(old), D(new)) for number, (old, new) in shown.items()}
                continue
            if act == "rollback":
                rollback(store, SLUG, 1, ADA)
                thaw(store, SLUG, ADA)
                continue
            number = list(looked)[value % len(looked)] if looked else None
            if number is None:
                continue
            try:
                if act == "reopen":
                    decisions.reopen(store, number, ADA)
                    rejected.pop(number, None)
                else:
                    decisions.decide(store, [number], act, ADA)
            except ModelsyncError:
                assert live(url) == before
                continue
            if act == "confirm":
                assert (before, live(url)) == looked[number]
            elif act == "reject":
                assert live(url) == before
                rejected[number] = looked[number][1]


def test_i38_a_hold_is_superseded_when_a_person_moves_the_price_that_it_was_shown_beside(database_url: str):
    """Ten times the price that was confirmed is a thousand times the one that a reopened decision goes back to."""

    def at(factor: int) -> list[Model]:
        return [Model(id=f"m{n}", prices=priced(CHEAP * (n + 1) * factor)) for n in range(5)]

    with opened(database_url) as store:
        sync(store, *at(1))
        sync(store, *at(100))
        decisions.decide(store, [1], "confirm", ADA)
        result = sync(store, *at(1000))
        assert "m0 pricing_prompt $10 → $100 per 1M tokens; m1 pricing_prompt $20 → $200 per 1M tokens;" in result.holds[0].message
        decisions.reopen(store, 1, ADA)
        assert (open_holds(store), live(database_url, "m1")) == ([], CHEAP * 2)
        for number in (1, 2):
            with pytest.raises(Settled, match=f"Hold {number} was superseded"):
                decisions.decide(store, [number], "confirm", ADA)
        sync(store, *at(1000))
        ((number, kind, _),) = open_holds(store)
        assert (number, kind, table(database_url, "holds")[2]["detail"]["m1"]) == (
            3,
            "unit-change",
            {"pricing_prompt": ["0.0000002", "0.0002"]},
        )
        decisions.decide(store, [3], "confirm", ADA)
    assert live(database_url, "m1") == CHEAP * 2000


def test_i38_a_confirmed_price_brings_no_other_one_in_that_waits(database_url: str):
    """A decision about the completion that was taken back waits again, and the one about the prompt says nothing of it."""
    with opened(database_url) as store:
        listed(store, priced(CHEAP, completion=CHEAP))
        listed(store, priced(CHEAP, completion=CHEAP * 50))
        decisions.decide(store, [1], "reject", ADA)
        listed(store, priced(CHEAP * 40, completion=CHEAP * 50))
        decisions.reopen(store, 1, ADA)
        assert [number for number, _, _ in open_holds(store)] == [1, 2]
        decisions.decide(store, [2], "confirm", ADA)
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing_prompt"], row["pricing_completion"]) == (CHEAP * 40, CHEAP)


def test_what_a_price_was_written_as_is_not_said_of_another_one(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP, raw={"prompt": "0.1 USD per 1M tokens"}))
        listed(store, priced(CHEAP * 50, raw={"prompt": "5 USD per 1M tokens"}))
        decisions.decide(store, [1], "confirm", ADA)
        decisions.reopen(store, 1, ADA)
        assert models_of(database_url, SLUG)["m"]["pricing"].get("raw") is None
        listed(store, priced(CHEAP, raw={"prompt": "0.1 USD per 1M tokens"}))
    assert models_of(database_url, SLUG)["m"]["pricing"]["raw"] == {"prompt": "0.1 USD per 1M tokens"}


@pytest.mark.parametrize("how", ["add", "pin"])
def test_i22_an_operators_price_is_no_other_providers_word(database_url: str, how: str):
    at_fifty = [Pin("pricing_prompt", CHEAP * 50)]
    with opened(database_url) as store:
        store.bulk_upsert_models("deepinfra", [Model(id="x/m" if how == "pin" else "y/z", prices=priced(CHEAP))])
        if how == "add":
            models.add(store, "deepinfra", "x/m", at_fifty, ADA)
        else:
            models.pin(store, "deepinfra", "x/m", at_fifty, ADA)
        listed(store, priced(CHEAP))
        for _ in range(3):
            result = listed(store, priced(CHEAP * 50))
            execute(database_url, "UPDATE holds SET agreed_at = '2026-01-01T00:00:00.000000Z'")
        assert (kinds(result), live(database_url)) == (["price"], CHEAP)
        assert ("No other provider lists this price" in result.holds[0].hint) is (how == "add")


def test_i22_a_confirmed_price_out_of_bounds_does_not_become_free_unseen(database_url: str):
    with opened(database_url) as store:
        sync(store, Model(id="m", prices=Prices(implausible={"prompt": D("0.05")})), Model(id="other"))
        decisions.decide(store, [1], "confirm", ADA)
        assert live(database_url) == D("0.05")
        for price in (D(0), D("0.00000001")):
            assert kinds(listed(store, priced(price))) == ["price"]
            assert live(database_url) == D("0.05")
        decisions.reopen(store, 1, ADA)
        assert kinds(listed(store, priced(D("0.00000001")))) == []
    assert live(database_url) == D("0.00000001")


def test_holds_are_decided_in_steps_as_one_run(database_url: str):
    """4,000 at once were one transaction of 47 seconds, in which nobody else could write."""
    count = decisions.STEP * 2 + 50
    with opened(database_url) as store:
        sync(store, *(Model(id=f"m{n}", prices=priced(CHEAP * (n + 1))) for n in range(count)))
        sync(store, *(Model(id=f"m{n}", prices=priced(CHEAP * (n + 1) * (20 + n % 70))) for n in range(count)))
        numbers = [number for number, _, _ in open_holds(store)]
        assert len(numbers) == count
        assert len(decisions.decide(store, numbers, "confirm", ADA)) == count
        assert open_holds(store) == []
    found = models_of(database_url, SLUG)
    assert all(found[f"m{n}"]["pricing_prompt"] == CHEAP * (n + 1) * (20 + n % 70) for n in range(count))
    (run,) = (row for row in table(database_url, "sync_runs") if row["trigger"] == "confirm")
    assert (run["updated"], run["status"]) == (count, "succeeded")


def test_i38_a_sync_between_two_steps_of_a_confirmation_brings_nothing_else_in(database_url: str):
    """The hold is decided in one transaction and its prices are made live in the next; the provider says something else in between."""
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 50))
        (row,) = Catalog(store).holds()
        assert len(store.transact(partial(decisions._decide, store, SLUG, [row], "confirm", ADA))) == 1
        listed(store, priced(CHEAP * 10_000))
        store.transact(partial(decisions._believe, store, SLUG, [row.id], ["m"], ADA, None))
        assert live(database_url) == CHEAP
        assert [kind for _, kind, _ in open_holds(store)] == ["price"]


# Corrections


def worded(usd: str, text: str) -> Prices:
    return Prices(prompt=D(usd), raw={"input": text})


def test_a_mended_reader_corrects_at_once_and_is_no_move(database_url: str):
    with opened(database_url) as store:
        listed(store, worded("0.0032", "3.2 USD per 1,000 tokens"), version=1)
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, worded("0.0032", "3.2 USD per 1,000 tokens"), version=1)
        assert live(database_url) == D("0.0032")
        result = listed(store, worded("0.0000032", "3.2 USD per 1M tokens"), version=2)
        assert (kinds(result), live(database_url)) == ([], D("0.0000032"))
        (change,) = [change for change in changes_of(database_url, SLUG) if "pricing.reader" in change["fields"]]
        assert change["fields"]["pricing.reader"] == [1, 2]
        assert change["fields"]["pricing_prompt"] == ["0.0032", "0.0000032"]
        assert table(database_url, "last_prices") == []
        assert kinds(listed(store, worded("0.0032", "3200 USD per 1M tokens"), version=2)) == ["price"]  # that is a move


def test_a_correction_that_reads_nothing_leaves_nothing(database_url: str):
    """What was misread as a price per token is no price at all; it is neither carried over nor remembered."""
    with opened(database_url) as store:
        listed(store, Prices(prompt=D("0.000065"), completion=D(0), raw={"input": "65 USD per 1M tokens", "output": "0 USD per 1M tokens"}))
        unread = Prices(others={"input": "65"}, incomplete=("input",))
        assert kinds(listed(store, unread, version=2)) == []
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing_prompt"], row["pricing"]["incomplete"]) == (None, ["input"])
    assert (table(database_url, "last_prices"), table(database_url, "upstream_values")) == ([], [])


def test_another_wire_text_under_a_newer_reader_is_a_move(database_url: str):
    with opened(database_url) as store:
        listed(store, worded("0.000001", "1 USD per 1M tokens"), version=1)
        assert kinds(listed(store, worded("0.0001", "100 USD per 1M tokens"), version=2)) == ["price"]
    assert live(database_url) == D("0.000001")


def test_i37_a_price_that_varied_is_no_correction_under_a_newer_reader(database_url: str):
    """What says that a price varies leaves no text; the number after it has none before to be the same as."""
    completion = {"completion": "0.000002 USD per token"}
    varying = Prices(dynamic=True, completion=D("0.000002"), raw=completion)
    stated = Prices(prompt=D("0.001"), completion=D("0.000002"), raw={"prompt": "0.001 USD per token", **completion})
    with opened(database_url) as store:
        listed(store, msgspec.structs.replace(stated, prompt=CHEAP, raw={"prompt": "0.0000001 USD per token", **completion}))
        listed(store, varying, version=1)
        assert kinds(listed(store, stated, version=2)) == ["price"]
    assert live(database_url) == "dynamic"


def test_i37_what_a_newer_reader_finds_for_the_first_time_keeps_to_the_bound(database_url: str):
    before = Prices(prompt=CHEAP, raw={"prompt": "0.0000001 USD per token"}, others={"audio": '"0.004"'}, incomplete=("audio",))
    after = Prices(prompt=CHEAP, audio_input=D("0.004"), raw={"prompt": "0.0000001 USD per token", "audio": "0.004 USD per token"})
    with opened(database_url) as store:
        listed(store, before, version=1)
        assert kinds(listed(store, after, version=2)) == ["price"]
    assert "audio_input" not in models_of(database_url, SLUG)["m"]["pricing"]


def test_a_refused_price_stays_out_of_a_correction_too(database_url: str):
    with opened(database_url) as store:
        listed(store, worded("0.000001", "1 USD per 1M tokens"), version=1)
        listed(store, worded("0.0001", "100 USD per 1M tokens"), version=1)
        decisions.decide(store, [1], "reject", ADA)
        listed(store, worded("0.000002", "2 USD per 1M tokens"), version=1)
        listed(store, worded("0.0001", "2 USD per 1M tokens"), version=2)
    assert live(database_url) == D("0.000002")


# Scope and total


def test_i39_what_another_scope_does_not_list_is_a_question(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20), scope="key one, here", place="here")
        (hold,) = sync(store, *many(12), scope="key two, here", place="here").holds
        assert (hold.kind, hold.ids) == ("scope", tuple(model.id for model in many(20, 12)))
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *many(12), scope="key two, here", place="here")
        assert {row["status"] for row in models_of(database_url, SLUG).values()} == {"active", "missing"}


def test_another_key_alone_excuses_no_few_absences(database_url: str):
    """Four of twenty are within the guard's limit: they are absent as ever."""
    with opened(database_url) as store:
        sync(store, *many(20), scope="key one, here", place="here")
        assert kinds(sync(store, *many(16), scope="key two, here", place="here")) == []
        assert [row_id for row_id, row in models_of(database_url, SLUG).items() if row["status"] == "missing"] == [
            model.id for model in many(20, 16)
        ]
        (hold,) = sync(store, *many(12), scope="key two, there", place="there").holds
        assert hold.kind == "scope"


def test_i39_a_rejected_scope_keeps_the_models_and_is_told_of(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20), scope="one", place="a")
        sync(store, *many(12), scope="two", place="b")
        decisions.decide(store, [1], "reject", ADA)
        result = sync(store, *many(12), scope="two", place="b")
        assert (kinds(result), {row["status"] for row in models_of(database_url, SLUG).values()}) == ([], {"active"})
        assert any("8 models that are not listed stay as they were: ada rejected it" in warning for warning in result.warnings)


def test_i41_a_list_that_keeps_being_shorter_than_it_says_is_a_question(database_url: str):
    def short(by: int = 1) -> ProviderResult:
        return sync(store, *many(18), complete=False, shortfall=by)

    with opened(database_url) as store:
        sync(store, *many(20))
        assert [kinds(short()) for _ in range(4)] == [[], [], ["total"], ["total"]]
        assert {row["status"] for row in models_of(database_url, SLUG).values()} == {"active"}
        assert kinds(short(2)) == []
        assert [row["status"] for row in table(database_url, "holds")] == ["released"]
        assert [kinds(short()) for _ in range(3)] == [[], [], ["total"]]
        decisions.decide(store, [1], "confirm", ADA)
        assert short().counts.missing == 2
        assert kinds(short(2)) == []
        assert sum(row["status"] == "missing" for row in models_of(database_url, SLUG).values()) == 2
        decisions.reopen(store, 1, ADA)
        assert kinds(short()) == []  # it begins to count anew


# Limits of one provider, and a pause of all


def test_a_providers_own_limits_win_over_the_settings(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        decisions.set_guard(store, SLUG, {"price_factor": D(20), "price_first_sight": D("0.002"), "shrink_models": 0}, ADA)
        assert kinds(listed(store, priced(CHEAP * 19, completion=D("0.0015")))) == []
        assert kinds(listed(store, priced(CHEAP * 19 * 20, completion=D("0.0015")))) == ["price"]
        decisions.set_guard(store, SLUG, {"price_factor": None}, ADA)
        assert Catalog(store).guards()[SLUG].price_factor is None
        assert kinds(listed(store, priced(CHEAP * 19 * 10, completion=D("0.0015")))) == ["price"]
        assert kinds(sync(store, Model(id="m", prices=priced(CHEAP * 19)))) == ["shrink"]
    assert [row["action"] for row in table(database_url, "audit_log")] == ["guard", "guard"]


def test_a_pause_keeps_every_sync_out_and_ends_those_under_way(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        lease = lease_for(store)
        assert decisions.pause(store, ADA)
        assert not decisions.pause(store, ADA)
        assert "paused by ada" in (store.kept_out(SLUG) or "")
        assert "paused by ada" in (store.kept_out("groq") or "")
        late = store.commit(lease, Commit(PROVIDER, listing(Model(id="late")), seen("d")), 0.0)
        assert late.outcome == Disabled(f'paused by ada, {ADA.reason}. `modelsync resume --reason "…"` lets everything sync again')
        assert "late" not in models_of(database_url, SLUG)
        assert decisions.resume(store, ADA)
        assert not decisions.resume(store, ADA)
        assert store.kept_out(SLUG) is None
    assert [row["action"] for row in table(database_url, "audit_log")] == ["pause", "resume"]


def test_the_content_of_a_hold_is_what_is_claimed_and_beside_what():
    one = Hold("price", "a", "b", ("m",), {"pricing_prompt": ["0.1", "0.5"]})
    assert one.content == Hold("price", "x", "y", ("m",), {"pricing_prompt": ["0.1", "0.5"]}).content
    assert one.content != Hold("price", "a", "b", ("m",), {"pricing_prompt": ["0.2", "0.5"]}).content
    assert one.content != Hold("price", "a", "b", ("m",), {"pricing_prompt": ["0.1", "0.6"]}).content
    assert Hold("total", "a", "b", (), {"rows": 1}).content != Hold("total", "a", "b", (), {"rows": 2}).content


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_i38_an_absence_whose_decision_is_taken_back_waits_again_however_few_are_absent(database_url: str, decision: str):
    """The limit was widened meanwhile: without a decision before, six would be absent without a question."""
    with opened(database_url) as store:
        sync(store, *many(20))
        assert kinds(sync(store, *many(14))) == ["shrink"]
        decisions.decide(store, [1], decision, ADA)
        sync(store, *many(14))
        decisions.set_guard(store, SLUG, {"shrink_models": 8}, ADA)
        decisions.reopen(store, 1, ADA)
        for _ in range(4):
            assert kinds(sync(store, *many(14))) == ["shrink"]
            execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        assert open_holds(store) == [(1, "shrink", tuple(sorted(model.id for model in many(20, 14))))]
        assert kinds(sync(store, *many(16))) == ["shrink"]
        (left,) = open_holds(store)
        assert left[2] == tuple(sorted(model.id for model in many(20, 16)))
        assert kinds(sync(store, *many(16))) == ["shrink"]
        assert kinds(sync(store, *many(20))) == []
        assert open_holds(store) == []
    assert {row["status"] for row in models_of(database_url, SLUG).values()} == {"active"}


def test_i38_what_waits_again_of_an_absence_keeps_no_other_one_from_being_counted(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20))
        assert kinds(sync(store, *many(14))) == ["shrink"]
        decisions.decide(store, [1], "reject", ADA)
        decisions.set_guard(store, SLUG, {"shrink_models": 8}, ADA)
        decisions.reopen(store, 1, ADA)
        assert kinds(sync(store, *many(13))) == ["shrink"]
        found = {name: row["status"] for name, row in models_of(database_url, SLUG).items()}
        assert [name for name, status in found.items() if status == "missing"] == [many(14)[-1].id]
        for _ in range(2):
            execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
            assert kinds(sync(store, *many(13))) == ["shrink"]
        found = {name: row["status"] for name, row in models_of(database_url, SLUG).items()}
        assert [name for name, status in found.items() if status == "retired"] == [many(14)[-1].id]
        assert [number for number, _, _ in open_holds(store)] == [1]


def test_i38_what_waits_again_makes_nobody_else_wait(database_url: str):
    """Above the limit the others are held too, under a number of their own, and go their way when they are few again."""
    with opened(database_url) as store:
        sync(store, *many(20))
        assert kinds(sync(store, *many(14))) == ["shrink"]
        decisions.decide(store, [1], "reject", ADA)
        decisions.reopen(store, 1, ADA)
        assert kinds(sync(store, *many(12))) == ["shrink", "shrink"]
        assert [(number, len(ids)) for number, _, ids in open_holds(store)] == [(1, 6), (2, 2)]
        assert kinds(sync(store, *many(12), *many(20, 14))) == []
        assert open_holds(store) == []


def test_i38_another_catalog_that_was_confirmed_and_is_taken_back_lets_nobody_go(database_url: str):
    others = [Model(id=f"other/{number}") for number in range(60)]
    with opened(database_url) as store:
        sync(store, *many(10))
        assert kinds(sync(store, *others)) == ["other-catalog"]
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *others)
        decisions.reopen(store, 1, ADA)
        for _ in range(4):
            assert kinds(sync(store, *others)) == ["shrink"]
            execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        assert [(number, kind) for number, kind, _ in open_holds(store)] == [(2, "shrink")]
        with pytest.raises(Settled) as caught:
            decisions.decide(store, [1], "confirm", ADA)
        assert "Hold 2 took its place" in str(caught.value.hint)
    assert "retired" not in {row["status"] for row in models_of(database_url, SLUG).values()}


def test_i39_a_scope_that_was_confirmed_and_is_taken_back_is_a_question_again(database_url: str):
    with opened(database_url) as store:
        sync(store, *many(20), scope="key one, here", place="here")
        assert kinds(sync(store, *many(16), scope="key one, there", place="there")) == ["scope"]
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *many(16), scope="key one, there", place="there")
        decisions.reopen(store, 1, ADA)
        for _ in range(4):
            assert kinds(sync(store, *many(16), scope="key one, there", place="there")) == ["scope"]
            execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        assert [(number, kind) for number, kind, _ in open_holds(store)] == [(1, "scope")]
    assert "retired" not in {row["status"] for row in models_of(database_url, SLUG).values()}


def test_i39_a_total_that_was_confirmed_and_is_taken_back_is_a_question_again(database_url: str):
    short = {"complete": False, "shortfall": 3}
    with opened(database_url) as store:
        assert [kinds(sync(store, *many(5), **short)) for _ in range(3)] == [[], [], ["total"]]
        decisions.decide(store, [1], "confirm", ADA)
        assert kinds(sync(store, *many(5), **short)) == []
        decisions.reopen(store, 1, ADA)
        assert kinds(sync(store, *many(5), **short)) == ["total"]
        assert [(number, kind) for number, kind, _ in open_holds(store)] == [(1, "total")]
