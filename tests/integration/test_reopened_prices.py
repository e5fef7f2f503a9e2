"""A decision about a price that was taken back waits for a person, whatever a rule says by then; and what ends a question or a leave."""

import pytest

from modelsync.model import Model, Prices, Tier, UnitPrice
from modelsync.store import Catalog, deciding, rollback, thaw
from support import D
from support_prices import ADA, CHEAP, a_day_passes, kinds, listed, live, open_holds, priced, sync
from support_store import SLUG, opened
from support_sync import execute, models_of, query

SLIP = {"a": 1000, "b": 1000, "c": 2000}
"""Multiples of CHEAP: a and b cost one of them before, c is new."""


def at(factors: dict[str, int]) -> list[Model]:
    return [Model(id=row_id, prices=priced(CHEAP * factor)) for row_id, factor in factors.items()]


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
        deciding.decide(store, [2], decision, ADA)
        deciding.decide(store, [1], "confirm", ADA)
        sync(store, *at(SLIP))
        deciding.reopen(store, 2, ADA)
        for _ in range(2):
            assert (kinds(sync(store, *at(SLIP))), live(database_url, "c"), live(database_url, "a")) == (["price"], None, CHEAP * 1000)
        assert open_holds(store) == [(2, "price", ("c",))]
        deciding.decide(store, [2], "confirm", ADA)
    assert live(database_url, "c") == CHEAP * 2000


@pytest.mark.parametrize("decision", ["confirm", "reject"])
def test_i37_a_price_that_was_taken_back_waits_though_the_guard_would_let_it_in_by_now(database_url: str, decision: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 10))
        deciding.decide(store, [1], decision, ADA)
        deciding.set_guard(store, SLUG, {"price_factor": D(20)}, ADA)
        deciding.reopen(store, 1, ADA)
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
        deciding.decide(store, [1], "confirm", ADA)
        listed(store, tier("2.5", "20"))
        row = deciding.reopen(store, 1, ADA)
        assert (row["status"], row["reason"]) == ("superseded", "what it showed is not so any more; hold 2 asks anew")
        assert [hold["detail"] for hold in Catalog(store).holds()] == [{"pricing.tiers[above 1000].prompt": ["0.00000025", "0.000002"]}]
        assert kinds(listed(store, tier("2.5", "20"))) == ["price"]
        assert models_of(database_url, SLUG)["m"]["pricing"].get("tiers") is None
        deciding.decide(store, [2], "confirm", ADA)
    assert [D(each["prompt"]) for each in models_of(database_url, SLUG)["m"]["pricing"]["tiers"]] == [CHEAP * 20]


def test_i38_cached_tokens_that_were_taken_back_wait_though_ordinary_ones_cost_more_by_now(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP, cache_read=CHEAP * 20))
        deciding.decide(store, [1], "confirm", ADA)
        more = priced(CHEAP * D("2.5"), cache_read=CHEAP * 20)
        listed(store, more)
        deciding.reopen(store, 1, ADA)
        assert kinds(listed(store, more)) == ["price"]
    assert models_of(database_url, SLUG)["m"]["pricing"].get("cache_read") is None


def test_i38_another_unit_that_was_taken_back_waits_though_the_one_before_is_forgotten(database_url: str):
    with opened(database_url) as store:
        listed(store, per(minute="1", second="0.02"))
        listed(store, per(minute="1", image="0.9"))
        deciding.decide(store, [1], "confirm", ADA)
        for _ in range(3):
            listed(store, per(minute="1", image="0.9"))
            a_day_passes(database_url)
        deciding.reopen(store, 1, ADA)
        assert kinds(listed(store, per(minute="1", image="0.9"))) == ["price"]
    assert models_of(database_url, SLUG)["m"]["pricing_image"] is None


def test_i38_what_was_taken_back_is_asked_anew_when_a_rollback_moves_the_price_beside_it(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP * 2))
        first = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, priced(CHEAP))
        listed(store, priced(CHEAP * 15))
        deciding.decide(store, [1], "reject", ADA)
        deciding.reopen(store, 1, ADA)
        rollback(store, SLUG, first, ADA)
        thaw(store, SLUG, ADA)
        assert open_holds(store) == [(2, "price", ("m",))]
        assert (kinds(listed(store, priced(CHEAP * 15))), live(database_url)) == (["price"], CHEAP * 2)  # 7.5 times as much alone is none


# What ends a leave


def reading(prompt: int, text: str, *, image: str | None = None) -> Prices:
    """What a module reads of a text; a newer one also reads of 5 what an image costs, wrongly."""
    more = {"image_output": D(image)} if image else {"others": {"img": "5"}}
    return priced(CHEAP * prompt, raw={"p": text, **({"img": "5"} if image else {})}, **more)


def test_i37_a_confirmation_is_no_leave_once_a_newer_reader_corrected_the_price(database_url: str):
    with opened(database_url) as store:
        listed(store, reading(1, "1"))
        listed(store, reading(10, "10"))
        deciding.decide(store, [1], "confirm", ADA)
        listed(store, reading(1, "10", image="0.05"), version=2)
        assert live(database_url) == CHEAP
        listed(store, reading(10, "100", image="0.05"), version=2)
        (number, _, _) = open_holds(store)[-1]
        assert Catalog(store).holds()[-1]["detail"].keys() == {"pricing_prompt", "pricing.image_output"}
        deciding.decide(store, [number], "reject", ADA)
        for _ in range(2):
            listed(store, reading(10, "100", image="0.05"), version=2)
            assert live(database_url) == CHEAP


# A list of which a part is shown


@pytest.mark.parametrize("shown", ["c alone, incomplete", "without b"])
def test_i37_a_part_of_a_list_that_slipped_lets_no_first_price_in(database_url: str, shown: str):
    part = {"c": 2000} if shown == "c alone, incomplete" else {"a": 1000, "c": 2000}
    with opened(database_url) as store:
        sync(store, *at({"a": 1, "b": 1}))
        assert kinds(sync(store, *at(SLIP))) == ["unit-change", "price"]
        sync(store, *at(part), complete=shown == "without b")
        assert live(database_url, "c") is None
        sync(store, *at({**part, "d": 3000}), complete=shown == "without b")  # nor one that is new in it
        assert live(database_url, "d") is None
        assert kinds(sync(store, *at({"a": 1, "b": 1, "c": 2000}))) == []
    assert live(database_url, "c") == CHEAP * 2000


def test_i22_a_change_of_unit_waits_for_a_person_though_a_part_of_it_would_pass(database_url: str):
    """Ten times as much together is another unit; the guard of this provider would let in ten times as much of one."""
    with opened(database_url) as store:
        deciding.set_guard(store, SLUG, {"price_factor": D(20)}, ADA)
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
        deciding.decide(store, [1], "confirm", ADA)
        listed(store, both)
        deciding.reopen(store, 1, ADA)
        for _ in range(2):
            row = models_of(database_url, SLUG)["m"]
            assert (row["pricing"]["dynamic"], row["pricing_prompt"], row["pricing_completion"]) == (True, None, CHEAP * 20)
            listed(store, both)


def test_i39_a_number_beside_a_price_that_varies_follows_while_a_person_keeps_another_one_out(database_url: str):
    with opened(database_url) as store:
        listed(store, priced(CHEAP))
        listed(store, priced(image=D("0.01"), dynamic=True))
        listed(store, priced(CHEAP * 10, image=D("0.01")))
        deciding.decide(store, [1], "reject", ADA)
        listed(store, priced(CHEAP * 10, image=D("0.02"), web_search=D("0.01")))
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing"]["dynamic"], row["pricing_prompt"], row["pricing_image"]) == (True, None, D("0.02"))
        assert "web_search" not in row["pricing"]  # of that nothing was believed yet: the same slip may be in it


# Decisions of earlier programs, and absences


def test_i38_a_tier_that_an_earlier_program_confirmed_is_taken_back_to_its_own_price(database_url: str):
    with opened(database_url) as store:
        listed(store, tier("20", "15"))
        listed(store, tier("20", "150"))
        deciding.decide(store, [1], "confirm", ADA)
        execute(database_url, "UPDATE holds SET stood = NULL")
        deciding.reopen(store, 1, ADA)
        assert open_holds(store) == [(1, "price", ("m",))]
    assert models_of(database_url, SLUG)["m"]["pricing"]["tiers"] == [{"above": 1000, "prompt": "0.0000015"}]


def test_i40_an_absence_is_another_question_once_an_incomplete_listing_shows_a_part_of_it(database_url: str):
    every = [Model(id=f"m{number}") for number in range(40)]
    with opened(database_url) as store:
        sync(store, *every)
        assert kinds(sync(store, *every[:20])) == ["shrink"]
        sync(store, *every[:30], complete=False)
        assert open_holds(store) == []
        assert [(row["status"], len(row["ids"])) for row in Catalog(store).holds(status="all")] == [("superseded", 20)]
        result = sync(store, *every[:30])
        assert [len(hold.ids) for hold in result.holds] == [10]
