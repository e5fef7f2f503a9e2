"""Held prices on real databases: what stays live, what waits beside it, and every way a hold ends."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.model.actors import Person
from modelsync.model.model import Model, Prices
from modelsync.operations import decisions
from modelsync.planning.outcome import ProviderResult, Synced
from modelsync.simulator.server import Simulator
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from modelsync.testing import D
from support.cli import environment, run, run_json
from support.store import PROVIDER, SLUG, lease_for, listing, model, opened, seen
from support.sync import changes_of, execute, models_of, query, table

ADA = Person("ada", "they told us")


def dollars(row_id: str, prompt: Any = None, **values: Any) -> Model:
    """A model with a price in USD per 1M tokens."""
    return model(row_id, None if prompt is None else D(prompt) / 1_000_000, **values)


def sync(store: Store, *models: Model, complete: bool = True, whole: bool = True) -> ProviderResult:
    return store.commit(lease_for(store), Commit(PROVIDER, listing(*models, complete=complete), seen("d"), whole=whole), 0.0)


def price(database_url: str, row_id: str = "m") -> Any:
    """USD per 1M tokens."""
    found = models_of(database_url, SLUG)[row_id]["pricing_prompt"]
    return None if found is None else found * 1_000_000


def held(database_url: str) -> list[tuple[str, str]]:
    return [(row["kind"], row["status"]) for row in table(database_url, "holds")]


def kinds(result: ProviderResult) -> list[str]:
    return [hold.kind for hold in result.holds]


def older(database_url: str, hours: float) -> None:
    """Let everything that is remembered of holds and silence have happened earlier."""
    if database_url.startswith("sqlite"):
        change = f"strftime('%Y-%m-%dT%H:%M:%f000Z', {{}}, '-{hours} hours')"
    else:
        change = f"{{}} - interval '{hours} hours'"
    for name in ("created_at", "agreed_at"):
        execute(database_url, f"UPDATE holds SET {name} = {change.format(name)} WHERE {name} IS NOT NULL")


def others_say(store: Store, row_id: str, prompt: Any, slug: str = "deepinfra") -> None:
    store.bulk_upsert_models(slug, [dollars(row_id, prompt)])


def test_i22_a_held_price_stays_live_and_its_candidate_waits_beside_it(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 2))
        result = sync(store, dollars("m", 1000, context_length=8), dollars("n", "2.5"))
        assert isinstance(result.outcome, Synced)
        assert (kinds(result), result.counts.held, result.counts.updated) == (["price"], 1, 2)
    row = models_of(database_url, SLUG)["m"]
    assert (price(database_url), price(database_url, "n"), row["context_length"]) == (1, D("2.5"), 8)
    (beneath,) = table(database_url, "upstream_values")
    assert beneath["stated"]["prices"]["prompt"] == "0.001"
    assert beneath["believed"]["prices"]["prompt"] == "0.000001"
    (hold,) = table(database_url, "holds")
    assert (hold["ids"], hold["detail"]) == (["m"], {"pricing_prompt": ["0.000001", "0.001"]})
    assert [change["fields"] for change in changes_of(database_url, SLUG)[2:]] == [
        {"context_length": [None, 8]},
        {"pricing_prompt": ["0.000002", "0.0000025"]},
    ]


def test_a_hold_that_is_seen_again_writes_no_model(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))
        before = models_of(database_url, SLUG)
        for _ in range(3):
            result = sync(store, dollars("m", 1000))
            assert (result.counts.unchanged, result.outcome.changes, kinds(result)) == (1, 0, ["price"])  # type: ignore[union-attr]
    assert models_of(database_url, SLUG) == before
    (hold,) = table(database_url, "holds")
    assert (hold["times_seen"], hold["status"]) == (4, "open")


def test_a_held_price_is_looked_at_anew_even_if_the_answer_did_not_change(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        assert store.seen(SLUG, "a", 1) is not None
        sync(store, dollars("m", 1000))
        assert store.seen(SLUG, "a", 1) is None


def test_a_price_that_comes_back_ends_its_hold(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))
        assert kinds(sync(store, dollars("m", "1.1"))) == []
    assert (price(database_url), held(database_url)) == (D("1.1"), [("price", "released")])
    assert table(database_url, "upstream_values") == []


def test_another_candidate_is_another_hold(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))
        sync(store, dollars("m", 2000))
    assert held(database_url) == [("price", "superseded"), ("price", "open")]


def test_a_confirmed_price_is_live_at_once_and_stays(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))
        decisions.decide(store, [1], "confirm", ADA)
        assert price(database_url) == 1000
        assert held(database_url) == [("price", "confirmed")]
        assert kinds(sync(store, dollars("m", 1000))) == []
        assert (price(database_url), held(database_url)) == (1000, [("price", "closed")])
    assert table(database_url, "upstream_values") == []
    *_, change = changes_of(database_url, SLUG)
    (run,) = query(database_url, f"SELECT * FROM sync_runs WHERE id = {change['run_id']}")
    assert (change["fields"], run["trigger"]) == ({"pricing_prompt": ["0.000001", "0.001"]}, "confirm")
    (audit,) = table(database_url, "audit_log")
    assert (audit["actor"], audit["action"], audit["target"], audit["reason"]) == ("ada", "confirm hold", f"{SLUG} price 1", "they told us")


def test_a_price_out_of_bounds_can_be_confirmed_and_stays_so(database_url: str):
    absurd = Model(id="m", prices=Prices(implausible={"prompt": D("0.02")}))
    with opened(database_url) as store:
        assert kinds(sync(store, absurd)) == ["price"]
        assert models_of(database_url, SLUG)["m"]["pricing"] == {}
        decisions.decide(store, [1], "confirm", ADA)
        assert price(database_url) == 20_000
        for _ in range(4):  # it is stated, and does not fall silent
            assert kinds(sync(store, absurd)) == []
    assert price(database_url) == 20_000


def test_a_rejected_price_is_refused_and_another_is_another_question(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 1000))
        decisions.decide(store, [1], "reject", ADA)
        for _ in range(2):
            result = sync(store, dollars("m", 1000))
            assert (kinds(result), price(database_url), held(database_url)) == ([], 1, [("price", "rejected")])
        assert kinds(sync(store, dollars("m", 3000))) == ["price"]
    assert held(database_url) == [("price", "rejected"), ("price", "open")]


def test_i22_two_later_listings_six_hours_apart_and_another_provider_release_a_price(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("x/m", 1))
        sync(store, dollars("x/m", 12))
        others_say(store, "y/M", 10)  # the same model: the last part of the id, whatever its case
        assert kinds(sync(store, dollars("x/m", 12))) == ["price"]  # the first later listing agrees
        older(database_url, 5.9)
        assert kinds(sync(store, dollars("x/m", 12))) == ["price"]
        older(database_url, 0.2)
        assert kinds(sync(store, dollars("x/m", 12))) == []
    assert (price(database_url, "x/m"), held(database_url)) == (12, [("price", "released")])


def test_i22_no_other_provider_lets_in_what_a_person_took_back(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        sync(store, dollars("m", 12))
        others_say(store, "m", 12)
        decisions.decide(store, [1], "reject", ADA)
        assert decisions.reopen(store, 1, ADA).hint == "The old price stays. It needs your review: confirm or reject it"
        for _ in range(3):
            assert kinds(sync(store, dollars("m", 12))) == ["price"]
            older(database_url, 7)
    assert (price(database_url), held(database_url)) == (1, [("price", "open")])


def test_i22_no_agreement_no_release(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        for _ in range(3):
            result = sync(store, dollars("m", 12))
            older(database_url, 100)
        assert kinds(result) == ["price"]
        assert "No other provider lists this price, so it needs your review" in result.holds[0].hint
        others_say(store, "m", 2)
        assert kinds(sync(store, dollars("m", 12))) == ["price"]
    assert price(database_url) == 1


def test_i22_a_price_a_hundred_times_off_the_median_elsewhere_is_held_at_first_sight(database_url: str):
    with opened(database_url) as store:
        for slug, amount in {"deepinfra": 1, "together": 2, "groq": 4}.items():
            others_say(store, "z/m", amount, slug)
        assert kinds(sync(store, dollars("m", 200), dollars("n", 200))) == ["price"]
    assert (price(database_url), price(database_url, "n")) == (None, 200)


def test_i23_a_change_of_unit_holds_the_models_that_moved_and_first_prices_beside_them(database_url: str):
    names = [f"m{number}" for number in range(10)]
    with opened(database_url) as store:
        sync(store, *(dollars(name, number + 1) for number, name in enumerate(names)))
        moved = [dollars(name, (number + 1) * (1000 if number < 3 else 1)) for number, name in enumerate(names)]
        moved[9] = dollars("m9", 11)
        result = sync(store, *moved, dollars("new", 5))
        assert (kinds(result), result.counts.held, result.counts.created) == (["unit-change", "price"], 4, 1)
        assert result.holds[0].ids == ("m0", "m1", "m2")  # the models that moved so, and no others
        assert [price(database_url, name) for name in (*names, "new")] == [*range(1, 10), 11, None]
        assert kinds(sync(store, *moved, dollars("new", 5))) == ["unit-change", "price"]
        decisions.decide(store, [1], "confirm", ADA)
        assert [price(database_url, name) for name in ("m0", "m2", "m3", "m9", "new")] == [1000, 3000, 4, 11, None]
        assert kinds(sync(store, *moved, dollars("new", 5))) == []
        assert price(database_url, "new") == 5
    assert held(database_url) == [("unit-change", "closed"), ("price", "released")]


def test_a_rejected_change_of_unit_stays_refused(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("a", 1), dollars("b", 2))
        sync(store, dollars("a", 1000), dollars("b", 2000))
        decisions.decide(store, [1], "reject", ADA)
        assert kinds(sync(store, dollars("a", 1000), dollars("b", 2000))) == []
        assert kinds(sync(store, dollars("a", 1000), dollars("b", 2000), dollars("c", 3))) == ["price"]  # first seen in such a list
        assert kinds(sync(store, dollars("a", 1), dollars("b", 2), dollars("c", 3))) == []
    assert [price(database_url, name) for name in "abc"] == [1, 2, 3]


def test_i17_a_change_of_unit_waits_while_any_of_it_is_claimed_and_none_is_back(database_url: str):
    """Of three models one varies by now, and two are no three tenths of the list: the others are wrong by a thousand still."""
    names = "abcdefg"
    with opened(database_url) as store:
        sync(store, *(dollars(name, 1) for name in names))
        assert kinds(sync(store, *(dollars(name, 1000 if name in "abc" else 1) for name in names))) == ["unit-change"]
        now = [varies("a"), *(dollars(name, 1000 if name in "bc" else 1) for name in names[1:]), dollars("new", 5)]
        for _ in range(2):
            assert kinds(sync(store, *now)) == ["unit-change", "price"]
            assert [price(database_url, name) for name in ("b", "c", "d", "new")] == [1, 1, 1, None]
        assert kinds(sync(store, *now[:2], dollars("c", 1), *now[3:])) == ["price"]
        assert [price(database_url, name) for name in ("b", "c", "d", "new")] == [1, 1, 1, 5]


def test_i17_a_change_of_unit_ends_when_all_of_it_varies(database_url: str):
    with opened(database_url) as store:
        sync(store, *(dollars(name, 1) for name in "abc"))
        sync(store, *(dollars(name, 1000) for name in "ab"), dollars("c", 1))
        now = [varies("a"), varies("b"), dollars("c", 1), dollars("new", 5)]
        for _ in range(2):
            assert kinds(sync(store, *now)) == []
            assert (price(database_url, "a"), price(database_url, "new")) == (None, 5)


def varies(row_id: str) -> Model:
    return Model(id=row_id, prices=Prices(dynamic=True))


def of_list(names: str, **amounts: Any) -> list[Model]:
    """Models at $1, but for those named."""
    return [dollars(name, amounts.get(name, 1)) for name in names]


def slipped(store: Store, names: str = "abcdefg") -> None:
    """A list in which the unit of a, b and c is another one."""
    sync(store, *of_list(names))
    assert kinds(sync(store, *of_list(names, a=1000, b=1000, c=1000))) == ["unit-change"]


def test_i23_a_first_price_is_no_way_back_from_another_unit(database_url: str):
    """a states only what it never cost before: nothing of the list is known to be right."""
    first = D("0.0002")
    with opened(database_url) as store:
        sync(store, *of_list("abcdefg"))
        a = Model(id="a", prices=Prices(prompt=D("0.001"), completion=first))
        assert kinds(sync(store, a, *of_list("bcdefg", b=1000, c=1000))) == ["unit-change"]
        now = [Model(id="a", prices=Prices(completion=first)), *of_list("bdefg", b=1000), varies("c"), dollars("new", 300)]
        for _ in range(2):
            assert kinds(sync(store, *now)) == ["unit-change", "price"]
            assert held(database_url) == [("unit-change", "open"), ("price", "open")]
            assert (models_of(database_url, SLUG)["a"]["pricing_completion"], price(database_url, "new")) == (None, None)


def test_i17_a_unit_that_waits_does_so_for_what_is_still_off_whatever_it_says_by_now(database_url: str):
    """b and c move a little in the wrong unit: all of the question is off, and none of it is back."""
    with opened(database_url) as store:
        slipped(store)
        now = [varies("a"), *of_list("bcdefg", b=1100, c=900), dollars("new", 300)]
        for _ in range(2):
            result = sync(store, *now)
            assert [(hold.kind, hold.ids) for hold in result.holds] == [("unit-change", ("b", "c")), ("price", ("new",))]
            assert [price(database_url, name) for name in ("b", "c", "new")] == [1, 1, None]
        assert kinds(sync(store, *of_list("abcdefg", b=1100), dollars("new", 300))) == ["price"]
        assert price(database_url, "new") == 300


def test_i17_what_a_listing_does_not_show_doubles_no_question(database_url: str):
    """a is not listed: of the question about a, b and c nothing is asked again, of b what it says otherwise."""
    with opened(database_url) as store:
        slipped(store)
        for complete in (True, False):
            result = sync(store, *of_list("bcdefg", b=1000, c=1000), dollars("new", 300), complete=complete)
            assert [hold.ids for hold in result.holds] == [("a", "b", "c"), ("new",)]
            assert held(database_url) == [("unit-change", "open"), ("price", "open")]
            assert [price(database_url, name) for name in ("b", "c", "new")] == [1, 1, None]
        result = sync(store, *of_list("bcdefg", b=1200, c=1000), dollars("new", 300), complete=False)
        assert [hold.ids for hold in result.holds] == [("a", "b", "c"), ("b",), ("new",)]
        result = sync(store, *of_list("abcdefg", a=1000, b=1000, c=1000), dollars("new", 300))
        assert [(hold.kind, hold.ids) for hold in result.holds] == [("unit-change", ("a", "b", "c")), ("price", ("new",))]
        assert held(database_url) == [("unit-change", "open"), ("price", "open"), ("price", "superseded")]
        decisions.decide(store, [1], "confirm", ADA)
        assert [price(database_url, name) for name in "abc"] == [1000, 1000, 1000]


def test_a_question_that_is_left_as_it_is_counts_as_held(database_url: str):
    """c is not listed: who looks at the sync's end sees that its price still waits."""
    with opened(database_url) as store:
        first = [Model(id=name, prices=Prices(prompt=D("0.000001"), completion=D("0.000002"))) for name in "abcdef"]
        sync(store, *first)
        dear = [Model(id=name, prices=Prices(prompt=D("0.001"), completion=D("0.000002"))) for name in "abc"]
        assert kinds(sync(store, *dear, *first[3:])) == ["unit-change"]
        result = sync(store, *dear[:2], *first[3:])
        assert ([hold.ids for hold in result.holds], result.counts.held) == ([("a", "b", "c")], 3)


def test_i38_a_confirmation_stands_while_something_else_of_its_models_is_left_as_it_is(database_url: str):
    """What was confirmed has not come to stand: it is not asked anew when a listing lacks one of the models."""

    def both(prompt: int | None, completion: int) -> list[Model]:
        return [Model(id=name, prices=priced_at(prompt, completion)) for name in "abc"]

    rest = [Model(id=name, prices=priced_at(1, 2)) for name in "def"]
    with opened(database_url) as store:
        sync(store, *both(1, 2), *rest)
        sync(store, *both(1000, 2), *rest)
        sync(store, *both(1, 2)[:2], both(None, 2)[2], *rest)  # c says nothing of it: the question waits
        decisions.decide(store, [1], "confirm", ADA)
        sync(store, *both(1000, 2000), *rest)
        for _ in range(2):
            sync(store, *both(1000, 2000)[:2], *rest)
            assert held(database_url) == [("unit-change", "confirmed"), ("unit-change", "open")]


def priced_at(prompt: int | None, completion: int) -> Prices:
    """USD per 1M tokens."""
    return Prices(prompt=None if prompt is None else D(prompt) / 1_000_000, completion=D(completion) / 1_000_000)


def test_i17_what_stands_beside_a_unit_is_no_unit_of_its_own(database_url: str):
    """a's completion moved by itself while its prompt waits: that is about a alone, and ends by the rules for one price."""
    with opened(database_url) as store:
        first = [Model(id=name, prices=Prices(prompt=D("0.000001"), completion=D("0.000002"))) for name in "abcdef"]
        sync(store, *first)
        dear = [Model(id=name, prices=Prices(prompt=D("0.001"), completion=D("0.000002"))) for name in "abc"]
        assert kinds(sync(store, *dear, *first[3:])) == ["unit-change"]
        odd = Model(id="a", prices=Prices(prompt=D("0.001"), completion=D("0.00003")))
        result = sync(store, odd, dear[1], *first[3:])
        assert [(hold.kind, hold.ids) for hold in result.holds] == [("unit-change", ("a", "b", "c")), ("price", ("a",))]


def test_i17_two_changes_of_unit_wait_each_for_itself(database_url: str):
    """a, b and c are a thousand off; then d, e and f ten; then one of each varies."""
    names = "abcdefghij"
    with opened(database_url) as store:
        slipped(store, names)
        thousand = {"a": 1000, "b": 1000, "c": 1000}
        result = sync(store, *of_list(names, **thousand, d=10, e=10, f=10, g=10))
        assert [(hold.kind, hold.ids) for hold in result.holds] == [("unit-change", tuple("defg")), ("unit-change", tuple("abc"))]
        now = [varies("c"), varies("g"), *of_list("abdefhij", **thousand, d=10, e=10, f=10), dollars("new", 5)]
        for _ in range(2):
            result = sync(store, *now)
            assert [(hold.kind, hold.ids) for hold in result.holds] in (
                [("unit-change", tuple("def")), ("unit-change", tuple("ab")), ("price", ("new",))],
                [("unit-change", tuple("ab")), ("unit-change", tuple("def")), ("price", ("new",))],
            )
        assert [hold.ids for hold in sync(store, *[dollars("d", 1) if each.id == "d" else each for each in now]).holds] == [
            *(("a", "b"), ("e",), ("f",), ("new",)),
        ]


def test_a_listing_that_does_not_show_a_model_says_nothing_of_its_hold(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 2))
        sync(store, dollars("m", 1000), dollars("n", 2))
        store.bulk_upsert_models(SLUG, [dollars("n", 3)])
        sync(store, dollars("n", 3))  # it is missing
        assert held(database_url) == [("price", "open")]
        decisions.decide(store, [1], "confirm", ADA)
        assert (price(database_url), models_of(database_url, SLUG)["m"]["status"]) == (1000, "missing")


def test_a_missing_model_comes_back_with_its_price_still_held(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 2))
        sync(store, dollars("m", 1000), dollars("n", 2))
        sync(store, dollars("n", 2))
        assert kinds(sync(store, dollars("m", 1000), dollars("n", 2))) == ["price"]
    assert (price(database_url), models_of(database_url, SLUG)["m"]["status"], held(database_url)) == (1, "active", [("price", "open")])


# Silence


def silent(store: Store, *models: Model, times: int = 1, whole: bool = True) -> None:
    for _ in range(times):
        sync(store, *models, whole=whole)


def since(database_url: str, hours: float) -> None:
    """Let the silence have begun earlier."""
    (row,) = table(database_url, "upstream_values")
    text = str(row["silent"]["pricing_prompt"]["since"])
    earlier = (datetime.fromisoformat(text) - timedelta(hours=hours)).isoformat()
    kind = "text" if database_url.startswith("sqlite") else "jsonb"
    execute(database_url, f"UPDATE upstream_values SET silent = CAST(REPLACE(CAST(silent AS TEXT), '{text}', '{earlier}') AS {kind})")


@pytest.mark.parametrize(("listings", "hours", "known"), [(2, 100, True), (3, 23.9, True), (3, 24.1, False)])
def test_i09_a_price_not_stated_in_three_listings_over_a_day_becomes_unknown(database_url: str, listings: int, hours: float, known: bool):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        silent(store, dollars("m"), times=listings - 1)
        since(database_url, hours)
        silent(store, dollars("m"))
    assert price(database_url) == (1 if known else None)
    fields = [change["fields"] for change in changes_of(database_url, SLUG)[1:]]
    assert fields == ([] if known else [{"pricing_prompt": ["0.000001", None]}])


def test_i09_a_price_that_is_stated_again_begins_the_count_anew(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        silent(store, dollars("m"), times=2)
        since(database_url, 100)
        sync(store, dollars("m", 1))
        assert table(database_url, "upstream_values") == []
        silent(store, dollars("m"), times=2)
    assert price(database_url) == 1


def test_i09_a_listing_with_calls_unanswered_says_nothing_about_prices(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        silent(store, dollars("m"))
        since(database_url, 100)
        silent(store, dollars("m"), times=5, whole=False)
        assert price(database_url) == 1
        silent(store, dollars("m"))
    assert price(database_url) is None


# As a user sees it


def test_i29_held_confirm_and_the_exit_code(simulator: Simulator, tmp_path: Path):
    env = environment(tmp_path, simulator)
    row = {"id": "acme/one", "pricing": {"prompt": "0.000002"}, "architecture": {"output_modalities": ["text"]}}
    simulator.set_list("openrouter", "models", [row])
    assert run(tmp_path, "sync", "--providers", "openrouter", env=env).returncode == 0
    simulator.set_list("openrouter", "models", [row | {"pricing": {"prompt": "0.002"}}])

    done = run(tmp_path, "sync", "--providers", "openrouter", env=env)
    assert done.returncode == 4
    assert "acme/one: pricing_prompt $2 → $2,000 per 1M tokens (×1,000 at once)" in " ".join(done.stdout.split())
    shown = run(tmp_path, "held", env=env)
    assert (shown.returncode, "1  openrouter  price: acme/one" in shown.stdout) == (4, True)
    (hold,) = run_json(tmp_path, "held", env=env)["held"]
    assert (hold["ids"], hold["detail"]) == (["acme/one"], {"pricing_prompt": ["0.000002", "0.002"]})
    assert "held" in run(tmp_path, "status", env=env).stdout
    done = run(tmp_path, "confirm", "1", "--reason", "they raised it", env=env)
    assert (done.returncode, "Confirmed 1" in done.stdout) == (0, True)
    (model,) = run_json(tmp_path, "models", "--provider", "openrouter", env=env)["models"]
    assert D(model["pricing_prompt"]) == D("0.002")
    assert run(tmp_path, "held", env=env).returncode == 0
