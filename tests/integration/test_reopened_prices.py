"""A decision about a price that was taken back waits for a person, whatever a rule says by then; and what ends a question or a leave."""

from collections.abc import Callable

import pytest

from modelsync.model.model import Model, Prices, Tier, UnitPrice
from modelsync.operations import decisions
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.decoding import Rejected
from modelsync.queries.catalog import Catalog
from modelsync.sync.store import Store
from modelsync.testing import D
from support.prices import ADA, CHEAP, a_day_passes, kinds, listed, live, open_holds, priced, sync
from support.store import SLUG, opened, sync_unchanged
from support.sync import execute, models_of, query, table

SLIP = {"a": 1000, "b": 1000, "c": 2000}
"""Multiples of CHEAP: a and b cost one of them before, c is new."""


def at(factors: dict[str, int]) -> list[Model]:
    return [Model(id=row_id, prices=priced(CHEAP * factor)) for row_id, factor in factors.items()]


def sync_other(store: Store) -> object:
    """A listing that lacks the model m."""
    return sync(store, Model(id="other"))


def tier(flat: str, above: str | None = None) -> Prices:
    return priced(CHEAP * D(flat), tiers=(Tier(above=1000, prompt=CHEAP * D(above)),) if above else ())


def per(**usd: str) -> Prices:
    """USD per minute, second or image."""
    image = D(usd.pop("image")) if "image" in usd else None
    return Prices(image=image, per_unit=tuple(UnitPrice(per=what, usd=D(value), what=what) for what, value in sorted(usd.items())))


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_i37_a_first_price_of_a_list_that_slipped_waits_once_it_was_taken_back(database_url: str, decision: str):
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        sync(store, *at(SLIP))
        decisions.decide(store, [2], decision, ADA)
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *at(SLIP))
        decisions.reopen(store, 2, ADA)
        for _ in range(2):
            assert (kinds(sync(store, *at(SLIP))), live(database_url, "c"), live(database_url, "a")) == (["price"], None, CHEAP * 1000)
        assert open_holds(store) == [(2, "price", ("c",))]
        decisions.decide(store, [2], "confirm", ADA)
    assert live(database_url, "c") == CHEAP * 2000


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_i37_a_price_that_was_taken_back_waits_though_the_guard_would_let_it_in_by_now(database_url: str, decision: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 10))
        decisions.decide(store, [1], decision, ADA)
        decisions.set_guard(store, SLUG, {"price_factor": D(20)}, ADA)
        decisions.reopen(store, 1, ADA)
        assert (kinds(listed(store, priced(CHEAP * 10))), live(database_url), open_holds(store)) == (
            ["price"],
            CHEAP,
            [(1, "price", ("m",))],
        )
        # Another value is another question, and the guard answers that:
        assert (kinds(listed(store, priced(CHEAP * 15))), live(database_url)) == ([], CHEAP * 15)


def test_i38_a_tier_whose_flat_price_moved_is_asked_about_anew_when_it_is_taken_back(database_url: str):
    with opened(database_url) as store:
        listed(store, tier("1"))
        listed(store, tier("1", "20"))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, tier("2.5", "20"))
        row = decisions.reopen(store, 1, ADA)
        assert (row.status, row.reason) == ("superseded", "what it showed is not so any more; hold 2 asks anew")
        assert [hold.detail for hold in Catalog(store).holds()] == [{"pricing.tiers[above 1000].prompt": ["0.00000025", "0.000002"]}]
        assert kinds(listed(store, tier("2.5", "20"))) == ["price"]
        assert models_of(database_url, SLUG)["m"]["pricing"].get("tiers") is None
        decisions.decide(store, [2], "confirm", ADA)
    assert [D(each["prompt"]) for each in models_of(database_url, SLUG)["m"]["pricing"]["tiers"]] == [CHEAP * 20]


def test_i38_cached_tokens_that_were_taken_back_wait_though_ordinary_ones_cost_more_by_now(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP, cache_read=CHEAP * 20))
        decisions.decide(store, [1], "confirm", ADA)
        more = priced(CHEAP * D("2.5"), cache_read=CHEAP * 20)
        listed(store, more)
        decisions.reopen(store, 1, ADA)
        assert kinds(listed(store, more)) == ["price"]
    assert models_of(database_url, SLUG)["m"]["pricing"].get("cache_read") is None


def test_i38_another_unit_that_was_taken_back_waits_though_the_one_before_is_forgotten(database_url: str):
    with opened(database_url) as store:
        listed(store, per(minute="1", second="0.02"))
        listed(store, per(minute="1", image="0.9"))
        decisions.decide(store, [1], "confirm", ADA)
        for _ in range(3):
            listed(store, per(minute="1", image="0.9"))
            a_day_passes(database_url)
        decisions.reopen(store, 1, ADA)
        assert kinds(listed(store, per(minute="1", image="0.9"))) == ["price"]
    assert models_of(database_url, SLUG)["m"]["pricing_image"] is None


def test_i38_what_was_taken_back_is_asked_anew_when_a_rollback_moves_the_price_beside_it(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP * 2))
        first = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 15))
        decisions.decide(store, [1], "reject", ADA)
        decisions.reopen(store, 1, ADA)
        rollback(store, SLUG, first, ADA)
        thaw(store, SLUG, ADA)
        assert open_holds(store) == [(2, "price", ("m",))]
        assert (kinds(listed(store, priced(CHEAP * 15))), live(database_url)) == (["price"], CHEAP * 2)  # 7.5 times as much alone is none


@pytest.mark.parametrize("silent", ["before it was taken back", "after", "of the whole price"])
def test_i38_silence_is_no_answer_to_what_was_taken_back(database_url: str, silent: str):
    """A listing that does not state a tier carries it over, and says nothing against it."""
    gap = Prices() if silent == "of the whole price" else tier("2.5")
    with opened(database_url) as store:
        listed(store, tier("1"))
        listed(store, tier("1", "20"))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, tier("2.5", "20"))
        if silent == "before it was taken back":
            listed(store, gap)
        assert decisions.reopen(store, 1, ADA).reason.endswith("hold 2 asks anew")
        if silent != "before it was taken back":
            listed(store, gap)
        assert open_holds(store) == [(2, "price", ("m",))]
        assert kinds(listed(store, tier("2.5", "20"))) == ["price"]
        assert models_of(database_url, SLUG)["m"]["pricing"].get("tiers") is None
        # Another claim is another question, and four times the flat price is none:
        assert kinds(listed(store, tier("2.5", "10"))) == []
    assert [D(each["prompt"]) for each in models_of(database_url, SLUG)["m"]["pricing"]["tiers"]] == [CHEAP * 10]


@pytest.mark.parametrize("reopened", ["before", "after"])
@pytest.mark.parametrize("decision", ["confirm", "reject"])
@pytest.mark.parametrize("answer", [sync_other, sync_unchanged])
def test_i38_what_was_taken_back_waits_while_its_model_is_retired(
    database_url: str, answer: Callable[[Store], object], decision: str, reopened: str
):
    """The provider has claimed nothing else: listed again, it claims just what a person did not let stand."""
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 10))
        decisions.decide(store, [1], decision, ADA)
        decisions.set_guard(store, SLUG, {"price_factor": D(20)}, ADA)
        if reopened == "before":
            decisions.reopen(store, 1, ADA)
        for _ in range(2):
            sync_other(store)
        execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        answer(store)
        assert models_of(database_url, SLUG)["m"]["status"] == "retired"
        if reopened == "after":
            decisions.reopen(store, 1, ADA)
        for each in (sync_other, answer):
            each(store)
            assert open_holds(store) == [(1, "price", ("m",))]
        assert (kinds(listed(store, priced(CHEAP * 10))), live(database_url), open_holds(store)) == (
            ["price"],
            CHEAP,
            [(1, "price", ("m",))],
        )
        assert (kinds(listed(store, priced(CHEAP * 15))), live(database_url), open_holds(store)) == ([], CHEAP * 15, [])


def test_i38_what_was_taken_back_is_asked_once_though_one_of_its_prices_is_not_stated(database_url: str):
    with opened(database_url) as store:
        listed(store, Prices(prompt=CHEAP, completion=CHEAP))
        listed(store, Prices(prompt=CHEAP * 10, completion=CHEAP * 10))
        decisions.decide(store, [1], "reject", ADA)
        decisions.reopen(store, 1, ADA)
        for _ in range(2):
            assert kinds(listed(store, Prices(prompt=CHEAP * 10))) == ["price"]
            assert open_holds(store) == [(1, "price", ("m",))]
        assert live(database_url) == CHEAP
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, Prices(prompt=CHEAP * 10, completion=CHEAP * 10))
        assert (live(database_url), open_holds(store)) == (CHEAP * 10, [])


@pytest.mark.parametrize("there", [None, "a"])
def test_i23_a_change_of_unit_of_which_every_model_is_retired_keeps_no_first_price_out(database_url: str, there: str | None):
    """Taken back, it waits on. While one of its models is there, in whatever unit, the list may still be in the other one."""
    others = [] if there is None else [Model(id=there)]
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        sync(store, *at({"a": 1000, "b": 1000}))
        decisions.decide(store, [1], "reject", ADA)
        for _ in range(2):
            sync(store, *others, Model(id="other"))
        execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        sync(store, *others, Model(id="other"))
        decisions.reopen(store, 1, ADA)
        sync(store, *others, Model(id="other"), *at({"d": 5}))
        assert live(database_url, "d") == (CHEAP * 5 if there is None else None)


def test_i38_what_was_taken_back_of_a_retired_model_can_be_decided(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 10))
        decisions.decide(store, [1], "reject", ADA)
        for _ in range(2):
            sync_other(store)
        execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE status = 'missing'")
        sync_other(store)
        decisions.reopen(store, 1, ADA)
        decisions.decide(store, [1], "reject", ADA)
        assert open_holds(store) == []
        assert (kinds(listed(store, priced(CHEAP * 10))), live(database_url), open_holds(store)) == ([], CHEAP, [])


def test_i38_a_change_of_unit_that_was_taken_back_waits_beside_other_prices_too(database_url: str):
    """Ten times as much was refused; the believed prices rose a little since, so that it is less than ten times as much now."""
    ten = {f"m{number}": number + 1 for number in range(10)}
    slip = at({name: usd * 10 for name, usd in ten.items()})
    with opened(database_url) as store:
        sync(store, *at(ten))
        assert kinds(sync(store, *slip)) == ["unit-change"]
        decisions.decide(store, [1], "reject", ADA)
        sync(store, *(Model(id=name, prices=priced(CHEAP * usd * D("1.05"))) for name, usd in ten.items()))
        sync(store, *slip)
        assert decisions.reopen(store, 1, ADA).reason.endswith("hold 2 asks anew")
        for _ in range(2):
            assert kinds(sync(store, *slip)) == ["unit-change"]
            assert [row["id"] for row in table(database_url, "holds") if row["status"] == "open"] == [2]
        assert live(database_url, "m9") == CHEAP * D("10.5")


def test_i38_what_the_provider_denies_is_not_asked_anew_whatever_a_rollback_brought_back(database_url: str):
    """The provider says by now that the price varies; that the catalog shows an earlier one again is not its word."""
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 1000))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, priced(CHEAP * 1000))
        earlier = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, Prices(dynamic=True))
        rollback(store, SLUG, earlier, ADA)
        assert live(database_url) == CHEAP * 1000
        decisions.reopen(store, 1, ADA)
        assert (live(database_url), open_holds(store)) == (CHEAP, [])


def test_i38_all_that_a_change_of_unit_showed_waits_once_it_was_taken_back(database_url: str):
    slip = [Model(id="a", prices=priced(CHEAP * 1000, tiers=(Tier(above=1000, prompt=CHEAP * 8),))), *at({"b": 1000})]
    right = [Model(id="a", prices=priced(CHEAP, tiers=(Tier(above=1000, prompt=CHEAP * 8),))), *at({"b": 1})]
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        assert kinds(sync(store, *slip)) == ["unit-change"]
        decisions.decide(store, [1], "reject", ADA)
        decisions.reopen(store, 1, ADA)
        assert kinds(sync(store, *right)) == ["price"]
    assert models_of(database_url, SLUG)["a"]["pricing"].get("tiers") is None


def test_i38_one_question_is_asked_once_when_a_rollback_brings_two_together(database_url: str):
    def both(prompt: int, completion: int) -> Prices:
        return priced(CHEAP * prompt, completion=CHEAP * completion)

    with opened(database_url) as store:
        listed(store, both(2, 10))
        first = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, both(1, 2))
        listed(store, both(1, 1))
        listed(store, both(10, 10))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, both(10, 10))
        listed(store, both(1, 10))
        decisions.decide(store, [2], "confirm", ADA)
        listed(store, both(1, 10))
        listed(store, both(10, 10))
        decisions.decide(store, [3], "reject", ADA)
        decisions.reopen(store, 3, ADA)
        decisions.reopen(store, 1, ADA)
        rollback(store, SLUG, first, ADA)
        assert open_holds(store) == [(4, "price", ("m",))]
        assert {row.needs_person for row in Catalog(store).holds(status="superseded")} == {False}


def test_i38_what_is_left_of_a_change_of_unit_is_taken_back_though_a_model_of_it_was_purged(database_url: str):
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1, "e": 1}))
        sync(store, *at({"a": 1000, "b": 1000, "e": 1}))
        for table_name in ("model_changes", "upstream_values", "last_prices", "models"):
            execute(database_url, f"DELETE FROM {table_name} WHERE provider_model_id = 'b'")
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *at({"a": 1000, "b": 1000, "e": 1}))
        decisions.reopen(store, 1, ADA)
        assert (live(database_url, "a"), open_holds(store)) == (CHEAP, [(2, "unit-change", ("a",))])


# What ends a leave


def reading(prompt: int, text: str, *, image: str | None = None) -> Prices:
    """What a module reads of a text; a newer one also reads of 5 what an image costs, wrongly."""
    more = {"image_output": D(image)} if image else {"others": {"img": "5"}}
    return priced(CHEAP * prompt, raw={"p": text, **({"img": "5"} if image else {})}, **more)


def test_i37_a_confirmation_is_no_leave_once_a_newer_reader_corrected_the_price(database_url: str):
    with opened(database_url) as store:
        listed(store, reading(1, "1"))
        listed(store, reading(10, "10"))
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, reading(1, "10", image="0.05"), version=2)
        assert live(database_url) == CHEAP
        listed(store, reading(10, "100", image="0.05"), version=2)
        (number, _, _) = open_holds(store)[-1]
        assert Catalog(store).holds()[-1].detail.keys() == {"pricing_prompt", "pricing.image_output"}
        decisions.decide(store, [number], "reject", ADA)
        for _ in range(2):
            listed(store, reading(10, "100", image="0.05"), version=2)
            assert live(database_url) == CHEAP


@pytest.mark.parametrize("ends", ["listed otherwise", "corrected"])
def test_i37_a_confirmation_ends_though_one_of_its_prices_is_not_stated_any_more(database_url: str, ends: str):
    def both(prompt: int, completion: int) -> Prices:
        return priced(CHEAP * prompt, completion=CHEAP * completion, raw={"p": str(prompt), "c": str(completion)})

    with opened(database_url) as store:
        listed(store, both(1, 1))
        listed(store, both(10, 10))
        decisions.decide(store, [1], "confirm", ADA)
        if ends == "corrected":
            listed(store, priced(CHEAP * 10, raw={"p": "10"}))
            listed(store, priced(CHEAP, raw={"p": "10"}), version=2)
        else:
            for prompt in (10, 5, 1):
                listed(store, priced(CHEAP * prompt))
        assert live(database_url) == CHEAP
        assert kinds(listed(store, priced(CHEAP * 10, raw={"p": "100"}), version=2 if ends == "corrected" else 1)) == ["price"]
        assert live(database_url) == CHEAP


# A list of which a part is shown


PARTS = {
    "the new one alone": ({"c": 2000}, False),
    "without b": ({"a": 1000, "c": 2000}, True),
    "a elsewhere, incomplete": ({"a": 1100, "c": 2000}, False),
    "a elsewhere": ({"a": 1100, "b": 1000, "c": 2000}, True),
}
"""Multiples of CHEAP, and whether the listing is complete."""


@pytest.mark.parametrize(("shown", "rejected"), [*((each, False) for each in PARTS), ("without b", True), ("a elsewhere", True)])
def test_i37_a_part_of_a_list_that_slipped_lets_no_first_price_in(database_url: str, shown: str, rejected: bool):
    part, complete = PARTS[shown]
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        assert kinds(sync(store, *at(SLIP))) == ["unit-change", "price"]
        if rejected:
            decisions.decide(store, [1], "reject", ADA)
        sync(store, *at(part), complete=complete)
        assert live(database_url, "c") is None
        sync(store, *at({**part, "d": 3000}), complete=complete)  # nor one that is new in it
        assert live(database_url, "d") is None
        assert kinds(sync(store, *at({"a": 1, "b": 1, "c": 2000}))) == []
    assert live(database_url, "c") == CHEAP * 2000


@pytest.mark.parametrize("rejected", [False, True])
@pytest.mark.parametrize("says", [Prices(), Prices(dynamic=True), priced(D(0))], ids=["nothing", "that it varies", "that it is free"])
def test_i37_a_model_that_states_no_price_tells_nothing_of_the_unit_of_its_list(database_url: str, says: Prices, rejected: bool):
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        sync(store, *at(SLIP))
        if rejected:
            decisions.decide(store, [1], "reject", ADA)
        sync(store, Model(id="a", prices=says), *at({"b": 1000, "c": 2000, "d": 3000}))
        assert (live(database_url, "c"), live(database_url, "d")) == (None, None)


def test_i22_silence_ends_no_change_of_unit_and_no_other_provider_lets_a_part_of_it_in(database_url: str):
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        sync(store, *at({"a": 100, "b": 100}))
        sync(store, Model(id="a"), Model(id="b"))
        store.bulk_upsert_models("deepinfra", at({"a": 40}))  # within three times, and no hundred times what is believed here
        assert open_holds(store) == [(1, "unit-change", ("a", "b"))]
        for _ in range(3):
            sync(store, *at({"a": 100, "d": 300}), complete=False)
            execute(database_url, "UPDATE holds SET agreed_at = '2020-01-01T00:00:00.000000Z'")
        assert (live(database_url, "a"), live(database_url, "d")) == (CHEAP, None)


@pytest.mark.parametrize("before", [None, 1], ids=["first seen with it", "moved with it"])
def test_i39_a_change_of_unit_ends_when_the_list_is_right_though_a_price_beside_it_is_gone(database_url: str, before: int | None):
    def price(prompt: int, cached: int | None) -> Prices:
        return priced(CHEAP * prompt, cache_read=CHEAP * cached if cached else None)

    with opened(database_url) as store:
        sync(store, Model(id="a", prices=price(1, before)), *at({"b": 1}))
        assert kinds(sync(store, Model(id="a", prices=price(1000, 1000)), *at({"b": 1000}))) == ["unit-change"]
        sync(store, *at({"a": 1, "b": 1}))
        assert open_holds(store) == []


def test_i37_two_prices_that_a_person_refused_keep_no_first_price_out(database_url: str):
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1, "c": 1, "d": 1}))
        slip = {"a": 12, "b": 15, "c": 1, "d": 1}
        assert kinds(sync(store, *at(slip))) == ["price", "price"]
        decisions.decide(store, [1, 2], "reject", ADA)
        assert kinds(sync(store, *at({**slip, "e": 5}))) == []
    assert live(database_url, "e") == CHEAP * 5


def test_i23_a_change_of_unit_that_was_rejected_keeps_no_first_price_out_once_the_list_is_right(database_url: str):
    """Its models may never be listed again, and yet be kept."""
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1, "e": 1}))
        sync(store, *at({"a": 1000, "b": 1000, "e": 1}))
        decisions.decide(store, [1], "reject", ADA)
        sync(store, *at({"a": 1, "b": 1, "e": 1}))
        for complete in (False, True):
            assert kinds(sync(store, *at({"e": 1, f"f{complete}": 5}), complete=complete)) == []
        # What was refused stays so, and a first price beside it waits:
        assert kinds(sync(store, *at({"a": 1000, "b": 1000, "e": 1, "g": 5}))) == ["price"]


def test_i37_a_list_of_which_every_price_is_far_off_lets_no_first_price_in(database_url: str):
    """A thousand times as much of ten models, and then a little more: that is no power of ten, and no better."""
    ten = {f"m{number}": number + 1 for number in range(10)}
    with opened(database_url) as store:
        sync(store, *at(ten))
        for factor in (1000, 1050, 1050):
            assert "price" in kinds(sync(store, *at({**{name: usd * factor for name, usd in ten.items()}, "c": 2000})))
            assert live(database_url, "c") is None
        assert kinds(sync(store, *at({**ten, "c": 2000}))) == []
    assert live(database_url, "c") == CHEAP * 2000


def test_i22_what_a_list_slipped_beside_is_not_asked_for_ever(database_url: str):
    """Only what moved by the unit is marked: a first price of a picture in the same listing is believed when the list is right again."""
    picture = priced(CHEAP, image=D("0.01"))
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        sync(store, Model(id="a", prices=priced(CHEAP * 1000, image=D("0.01"))), *at({"b": 1000}))
        assert kinds(sync(store, Model(id="a", prices=picture), *at({"b": 1}))) == []
    assert models_of(database_url, SLUG)["a"]["pricing_image"] == D("0.01")


def test_i22_a_change_of_unit_waits_for_a_person_though_a_part_of_it_would_pass(database_url: str):
    """Ten times as much together is another unit; the guard of this provider would let in ten times as much of one."""
    with opened(database_url) as store:
        decisions.set_guard(store, SLUG, {"price_factor": D(20)}, ADA)
        sync(store, *at({"a": 1, "b": 1}))
        assert kinds(sync(store, *at({"a": 10, "b": 10}))) == ["unit-change"]
        sync(store, *at({"a": 10}), complete=False)
        assert live(database_url, "a") == CHEAP


# Varying by request, with numbers beside


def test_i38_a_price_that_varies_beside_a_number_is_taken_back_to_just_that(database_url: str):
    """OpenRouter's routers: the prompt varies, and a completion has its price."""
    routed = priced(completion=CHEAP * 20, dynamic=True)
    both = priced(CHEAP * 10, completion=CHEAP * 20)
    with opened(database_url) as store:
        listed(store, priced(CHEAP, completion=CHEAP * 20))
        listed(store, routed)
        listed(store, both)
        decisions.decide(store, [1], "confirm", ADA)
        listed(store, both)
        decisions.reopen(store, 1, ADA)
        for _ in range(2):
            row = models_of(database_url, SLUG)["m"]
            assert (row["pricing"]["dynamic"], row["pricing_prompt"], row["pricing_completion"]) == (True, None, CHEAP * 20)
            listed(store, both)


def test_i39_a_number_beside_a_price_that_varies_follows_while_a_person_keeps_another_one_out(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(image=D("0.01"), dynamic=True))
        listed(store, priced(CHEAP * 10, image=D("0.01")))
        decisions.decide(store, [1], "reject", ADA)
        listed(store, priced(CHEAP * 10, image=D("0.02"), web_search=D("0.01")))
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing"]["dynamic"], row["pricing_prompt"], row["pricing_image"]) == (True, None, D("0.02"))
        assert "web_search" not in row["pricing"]  # of that nothing was believed yet: the same slip may be in it


# Decisions of earlier programs, and absences


def test_i38_a_tier_that_an_earlier_program_confirmed_is_taken_back_to_its_own_price(database_url: str):
    with opened(database_url) as store:
        listed(store, tier("20", "15"))
        listed(store, tier("20", "150"))
        decisions.decide(store, [1], "confirm", ADA)
        execute(database_url, "UPDATE holds SET stood = NULL")
        decisions.reopen(store, 1, ADA)
        assert open_holds(store) == [(1, "price", ("m",))]
    assert models_of(database_url, SLUG)["m"]["pricing"]["tiers"] == [{"above": 1000, "prompt": "0.0000015"}]


EVERY = [Model(id=f"m{number:02}") for number in range(40)]


def shown_of(store: Store) -> list[tuple[str, str, int, bool]]:
    return [(row.kind, row.status, len(row.ids), row.needs_person) for row in Catalog(store).holds(status="all")]


def test_i40_an_absence_is_another_question_once_an_incomplete_listing_shows_a_part_of_it(database_url: str):
    with opened(database_url) as store:
        sync(store, *EVERY)
        assert kinds(sync(store, *EVERY[:20])) == ["shrink"]
        sync(store, *EVERY[:30], complete=False)
        assert shown_of(store) == [("shrink", "superseded", 20, False)]
        result = sync(store, *EVERY[:30])
        assert [len(hold.ids) for hold in result.holds] == [10]


def test_i40_so_is_one_that_was_taken_back_and_the_rest_of_it_waits_on(database_url: str):
    with opened(database_url) as store:
        sync(store, *EVERY)
        sync(store, *EVERY[:20])
        decisions.decide(store, [1], "reject", ADA)
        decisions.reopen(store, 1, ADA)
        decisions.set_guard(store, SLUG, {"shrink_share": 0.9}, ADA)
        sync(store, *EVERY[:30], complete=False)
        assert shown_of(store) == [("shrink", "superseded", 20, False), ("shrink", "open", 10, True)]
        assert kinds(sync(store, *EVERY[:30])) == ["shrink"]


def test_i40_so_is_one_after_the_scope_changed(database_url: str):
    with opened(database_url) as store:
        sync(store, *EVERY, scope="one", place="here")
        assert kinds(sync(store, *EVERY[:20], scope="two", place="there")) == ["scope"]
        sync(store, *EVERY[:30], complete=False, scope="two", place="there")
        assert shown_of(store) == [("scope", "superseded", 20, False), ("scope", "open", 10, False)]


def test_i40_who_was_listed_in_the_new_scope_is_not_asked_about_again(database_url: str):
    with opened(database_url) as store:
        sync(store, *EVERY, scope="one", place="here")
        sync(store, *EVERY[:20], scope="two", place="there")
        sync(store, *EVERY[:30], complete=False, scope="two", place="there")
        assert kinds(sync(store, *EVERY[:20], complete=False, scope="two", place="there")) == ["scope"]
        assert shown_of(store) == [("scope", "superseded", 20, False), ("scope", "open", 10, False)]
        decisions.decide(store, [2], "confirm", ADA)
        assert kinds(sync(store, *EVERY[:20], complete=False, scope="two", place="there")) == []
        (hold,) = sync(store, *EVERY[:20], scope="two", place="there").holds
        assert (hold.kind, hold.ids) == ("shrink", tuple(model.id for model in EVERY[20:30]))


def test_i40_who_was_listed_in_another_scope_is_still_excused(database_url: str):
    """Another key's list, cut off: that its models are in it says nothing of the scope that the catalog goes by."""
    with opened(database_url) as store:
        sync(store, *EVERY, scope="one", place="here")
        sync(store, *EVERY[:38], scope="two", place="there")
        decisions.decide(store, [1], "reject", ADA)
        sync(store, *EVERY, complete=False, scope="one", place="here")
        for _ in range(3):
            sync(store, *EVERY[:38], scope="two", place="there")
            execute(database_url, "UPDATE models SET missing_since = '2026-01-01T00:00:00.000000Z' WHERE missing_since IS NOT NULL")
        assert {row["status"] for row in models_of(database_url, SLUG).values()} == {"active"}


@pytest.mark.parametrize("odd", ["unreadable", "empty"])
def test_i40_another_catalog_that_was_taken_back_outlives_a_listing_that_tells_nothing(database_url: str, odd: str):
    others = [Model(id=f"x{number:02}") for number in range(40)]
    unreadable = tuple(Rejected(place, model.id, "x", "{}") for place, model in enumerate(EVERY[:3]))
    with opened(database_url) as store:
        sync(store, *EVERY)
        assert kinds(sync(store, *others)) == ["other-catalog"]
        decisions.decide(store, [1], "reject", ADA)
        decisions.reopen(store, 1, ADA)
        if odd == "unreadable":
            sync(store, complete=False, rejected=unreadable)
        else:
            sync(store)
        assert [row.kind for row in Catalog(store).holds() if row.needs_person] == ["other-catalog"]
        result = sync(store, *EVERY[:34])
        assert [(hold.kind, len(hold.ids)) for hold in result.holds] == [("shrink", 6)]


def test_i40_an_absence_that_is_taken_back_is_about_those_that_are_absent_still(database_url: str):
    with opened(database_url) as store:
        sync(store, *EVERY)
        sync(store, *EVERY[:20])
        decisions.decide(store, [1], "reject", ADA)
        sync(store, *EVERY[:30])
        decisions.reopen(store, 1, ADA)
        decisions.decide(store, [1], "confirm", ADA)
        (hold,) = sync(store, *EVERY[:20]).holds
        assert hold.ids == tuple(model.id for model in EVERY[20:30])
