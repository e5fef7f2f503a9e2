"""A newer version of a provider's module reads the same wire otherwise: what it may move at once, and what it may not (I22, I37)."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelsync.errors import ModelsyncError
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices, Tier, UnitPrice
from modelsync.operations import decisions, models
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.outcome import Held, ProviderResult, Synced
from modelsync.queries.catalog import Catalog
from modelsync.sync.store import Store
from modelsync.testing import D
from support.prices import ADA, CHEAP, LONG, QUICK, a_day_passes, fresh, kinds, listed, live, sync
from support.store import SLUG, opened
from support.sync import models_of, query, table

HIGHEST_FIRST = D("1e-3")
IMPOSSIBLE = 10_000_000


def read(wire: str, scale: int | None) -> Prices:
    """How a module reads a text of ten-millionths of a dollar: as so many times that, as nothing, or as what no token can cost."""
    if scale is None:
        return Prices(others={"input": wire}, incomplete=("input",))
    usd = D(wire) * CHEAP * scale
    raw = {"input": f"{wire} as sent"}
    return Prices(implausible={"prompt": usd}, raw=raw) if scale == IMPOSSIBLE else Prices(prompt=usd, raw=raw)


# One case each


@pytest.mark.parametrize("decision", [None, "reject"])
@pytest.mark.parametrize("scale", [10, 1000, None, IMPOSSIBLE])
def test_i37_a_newer_reader_moves_no_price_that_is_held_or_was_refused(database_url: str, decision: str | None, scale: int | None):
    """Believed is 1, held or refused 100; nobody has said that 100 was misread."""
    with opened(database_url) as store:
        listed(store, read("1", 1))
        assert kinds(listed(store, read("100", 1))) == ["price"]
        if decision:
            decisions.decide(store, [1], decision, ADA)
        for _ in range(3):
            assert kinds(listed(store, read("100", scale), version=2)) == ([] if scale is None else ["price"])
            assert live(database_url) == CHEAP
        assert kinds(listed(store, read("9000", 1), version=2)) == ["price"]
        assert live(database_url) == CHEAP


def test_i22_a_correction_out_of_bounds_waits_and_is_rolled_back_past(database_url: str):
    with opened(database_url) as store:
        listed(store, read("10", 1))
        first = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        assert kinds(listed(store, read("10", IMPOSSIBLE), version=2)) == ["price"]
        assert (live(database_url), "implausible" in models_of(database_url, SLUG)["m"]["pricing"]) == (CHEAP * 10, False)
        listed(store, read("20", 1), version=3)
        assert rollback(store, SLUG, first, ADA)[1] == 1
        assert live(database_url) == CHEAP * 10


def test_i23_corrections_beside_a_change_of_unit_by_the_same_power_fail_nobody(database_url: str):
    """Half of the list is the same wire and a correction; the other half moved by a thousand, and only that waits."""
    names = [f"m{number}" for number in range(8)]
    with opened(database_url) as store:
        sync(store, *(Model(id=name, prices=read("2", 1)) for name in names))
        wires = {name: "2" if number < 4 else "2.0" for number, name in enumerate(names)}
        result = sync(store, *(Model(id=name, prices=read(wires[name], 1000)) for name in names), Model(id="new"), version=2)
        (hold,) = result.holds
        assert (hold.kind, hold.ids) == ("unit-change", tuple(names[4:]))
        assert [live(database_url, name) for name in names] == [CHEAP * 2000] * 4 + [CHEAP * 2] * 4
        assert "new" in models_of(database_url, SLUG)


def test_i37_what_this_version_has_read_before_is_no_correction(database_url: str):
    """Another field of the row, as its type, makes the same version read the same text otherwise: that is a move."""
    with opened(database_url) as store:
        listed(store, read("1", 1))
        listed(store, read("1", 1), version=2, complete=False, shortfall=1)
        assert kinds(listed(store, read("1", 1000), version=2)) == ["price"]
        listed(store, read("1", 1), version=2)
        listed(store, read("1", None), version=2)
        assert live(database_url) == CHEAP
        assert kinds(listed(store, read("1", 900), version=2)) == ["price"]


def test_i37_a_model_that_was_away_is_corrected_only_once(database_url: str):
    with opened(database_url) as store:
        listed(store, read("1", 1))
        listed(store, read("1", 1), version=2)
        sync(store, Model(id="other"), version=2)
        assert kinds(listed(store, read("1", 1000), version=2)) == ["price"]
        assert live(database_url) == CHEAP


def test_a_model_that_was_away_when_the_reader_was_mended_is_corrected_when_it_is_back(database_url: str):
    with opened(database_url) as store:
        listed(store, read("10", 1))
        sync(store, Model(id="other"), version=1)
        sync(store, Model(id="other"), version=2)
        assert kinds(listed(store, read("10", 100), version=2)) == []
        assert live(database_url) == CHEAP * 1000


def test_another_version_that_reads_the_same_writes_no_history(database_url: str):
    with opened(database_url) as store:
        listed(store, read("1", 1))
        before = table(database_url, "model_changes")
        rows = models_of(database_url, SLUG)["m"]
        listed(store, read("1", 1), version=2)
        assert table(database_url, "model_changes") == before
        now = models_of(database_url, SLUG)["m"]
        assert now["pricing"] == {**rows["pricing"], "reader": 2}
        assert (now["updated_at"], now["pricing"]["stated_at"]) == (rows["updated_at"], rows["pricing"]["stated_at"])
        assert table(database_url, "provider_state")[0]["read_version"] == 2


def test_a_price_of_which_a_part_is_doubted_is_corrected_in_the_others(database_url: str):
    def two(prompt: Decimal, completion: Decimal) -> Prices:
        return Prices(prompt=prompt, completion=completion, raw={"input": "1 as sent", "output": "1 as sent"})

    with opened(database_url) as store:
        listed(store, two(CHEAP, CHEAP))
        assert kinds(listed(store, Prices(prompt=CHEAP, completion=CHEAP * 100, raw={"input": "1", "output": "100"}))) == ["price"]
        corrected = Prices(prompt=CHEAP * 50, completion=CHEAP * 900, raw={"input": "1", "output": "100"})
        (hold,) = listed(store, corrected, version=2).holds
        assert hold.detail == {"pricing_completion": ["0.0000001", "0.00009"]}
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing_prompt"], row["pricing_completion"]) == (CHEAP * 50, CHEAP)


def units(piece: str, usd: str) -> Prices:
    return Prices(per_unit=(UnitPrice(per=piece, usd=D(usd), what=piece),), raw={"unit": "0.02 as sent"})


def test_a_unit_that_was_misread_is_corrected_at_once(database_url: str):
    with opened(database_url) as store:
        listed(store, units("second", "0.02"))
        assert kinds(listed(store, units("minute", "0.02"), version=2)) == []
        assert models_of(database_url, SLUG)["m"]["pricing"]["per_unit"] == [{"per": "minute", "usd": "0.02", "what": "minute"}]
        assert kinds(listed(store, units("minute", "90"), version=2)) == ["price"]


def test_i37_what_a_reader_is_the_first_to_find_is_compared_with_what_it_corrected(database_url: str):
    wire = {"input": "1", "cache": "2", "more": "3"}
    first = Prices(prompt=D("1e-4"), raw={"input": "1"}, others={"cache": "2", "more": "3"}, incomplete=("cache", "more"))
    more = Prices(prompt=D("1e-6"), cache_read=D("5e-5"), tiers=(Tier(above=1000, prompt=D("1e-4")),), raw=wire)
    with opened(database_url) as store:
        listed(store, first)
        (hold,) = listed(store, more, version=2).holds
        assert hold.detail == {
            "pricing.cache_read": [None, "0.00005"],
            "pricing.tiers[above 1000].prompt": ["0.000001", "0.0001"],
        }
        assert live(database_url) == D("1e-6")


def test_i37_a_correction_forgets_no_other_point_when_it_is_rolled_back_to(database_url: str):
    def both(prompt: str, completion: str | None) -> Prices:
        return Prices(prompt=D(prompt), completion=None if completion is None else D(completion), raw={"input": "1"})

    with opened(database_url) as store:
        listed(store, both("1e-7", "1e-7"))
        for _ in range(2):
            listed(store, both("1e-7", None))
        a_day_passes(database_url)
        listed(store, both("5e-6", None), version=2)
        mended = query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]
        listed(store, both("6e-6", None), version=2)
        rollback(store, SLUG, mended, ADA)
        thaw(store, SLUG, ADA)
        assert [(row["field"], D(row["usd"])) for row in table(database_url, "last_prices")] == [("pricing_completion", CHEAP)]
        assert kinds(listed(store, both("5e-6", "9e-4"), version=2)) == ["price"]


def test_a_price_that_varies_has_no_number_beside_it_after_a_correction(database_url: str):
    def two(prompt: str, completion: str) -> Prices:
        return Prices(prompt=D(prompt), completion=D(completion), raw={"input": "1", "output": "100"})

    with opened(database_url) as store:
        listed(store, two("1e-7", "1e-7"))
        listed(store, Prices(dynamic=True))
        assert kinds(listed(store, two("1e-7", "1e-5"))) == ["price"]
        assert kinds(listed(store, two("5e-5", "1e-5"), version=2)) == ["price"]
        row = models_of(database_url, SLUG)["m"]
        assert (row["pricing_prompt"], row["pricing"]["dynamic"]) == (None, True)


def test_while_an_active_model_is_not_listed_only_those_are_looked_at_that_this_version_has_not_seen(database_url: str):
    """Somebody keeps it: it is read by no later version, and costs nothing more."""
    with opened(database_url) as store:
        sync(store, *(Model(id=name, prices=read("1", 1)) for name in "abm"))
        models.pin(store, SLUG, "m", [Pin("is_active", True)], ADA)
        for _ in range(3):
            sync(store, *(Model(id=name, prices=read("1", 1)) for name in "ab"), version=2)
            (state,) = table(database_url, "provider_state")
            assert state["read_version"] == 1
        found = {name: row["pricing"]["reader"] for name, row in models_of(database_url, SLUG).items()}
        assert found == {"a": 2, "b": 2, "m": 1}
        assert kinds(sync(store, *(Model(id=name, prices=read("1", 1)) for name in "abm"), version=2)) == []
        assert table(database_url, "provider_state")[0]["read_version"] == 2


# In any order


class Reader:
    """One catalog and one provider's module, judged by what users read of one model, and by who has read what before."""

    def __init__(self, database_url: str, store: Store) -> None:
        self.url, self.store = database_url, store
        self.version, self.scale = 1, 1
        self.scales: dict[int, int | None] = {1: 1}
        self.last: Decimal | None = None
        self.seen: tuple[int, str, Decimal | None] = (0, "", None)  # the version that saw the model last, the wire, how it read that
        self.rejected: dict[int, set[Decimal]] = {}
        self.looked: dict[int, list[str | None]] = {}
        self.leave: tuple[Decimal | None, Decimal] | None = None  # the step that a person confirmed while the provider said nothing of it
        self.after: dict[int, Decimal | None] = {}
        self.list("1")

    def now(self) -> Decimal | None:
        row = models_of(self.url, SLUG).get("m")
        return row["pricing_prompt"] if row else None

    def list(self, wire: str, odd: int | None = 1, *, away: bool = False, complete: bool = True) -> None:
        """A listing as this version reads it; with something `odd` in its rows it reads them otherwise."""
        scale = self.scales[self.version]
        scale = None if scale is None or odd is None else min(scale * odd, IMPOSSIBLE)
        prices = read(wire, scale)
        before = self.now()
        extra = [Model(id=name, prices=prices) for name in "ab"]
        how: dict[str, Any] = {} if complete else {"complete": False, "shortfall": 1}
        rows = [*extra, *([] if away else [Model(id="m", prices=prices)])]
        result = sync(self.store, *rows, version=self.version, **how)
        assert isinstance(result.outcome, Synced | Held), result
        now = self.now()
        usd = prices.prompt if prices.prompt is not None else prices.implausible.get("prompt")
        if now != before:
            self._judge(result, before, now, wire, usd)
        self.last = self.last if now is None else now
        if not away:
            self.seen = (self.version, wire, usd)
            held = isinstance(result.outcome, Synced) and any("m" in hold.ids for hold in result.outcome.holds)
            self.leave = self.leave if held else None
        self.after[query(self.url, "SELECT max(id) AS id FROM sync_runs")[0]["id"]] = self.last

    def _judge(self, result: ProviderResult, before: Decimal | None, now: Decimal | None, wire: str, usd: Decimal | None) -> None:
        seen_by, text, then = self.seen
        mended = self.version > seen_by and text == wire and then == before == self.last and now == usd
        if now is not None and self.leave == (self.last, now):
            self.last = now
        elif mended and before is not None:
            assert now is None or now not in {each for values in self.rejected.values() for each in values}
            self.last = now
        elif self.last is None:
            assert now is not None
            assert now <= HIGHEST_FIRST
        else:
            assert now, result
            assert max(now / self.last, self.last / now) < 10, (self.last, now)
            assert now not in {each for values in self.rejected.values() for each in values}

    def mend(self, scale: int | None) -> None:
        self.version += 1
        self.scales[self.version] = scale

    def look(self) -> None:
        for row in Catalog(self.store).holds():
            detail: Mapping[str, Any] = row.detail.get("m", {}) if row.kind == "unit-change" else row.detail
            if row.kind in ("price", "unit-change") and "m" in row.ids:
                self.looked[row.id] = detail["pricing_prompt"]

    def decide(self, act: str, number: int) -> None:
        if not self.looked:
            return
        number = list(self.looked)[number % len(self.looked)]
        before, (old, new) = self.now(), self.looked[number]
        assert new is not None
        try:
            if act == "reopen":
                decisions.reopen(self.store, number, ADA)
                self.rejected.pop(number, None)
            else:
                decisions.decide(self.store, [number], act, ADA)
        except ModelsyncError:
            assert self.now() == before
            return
        now = self.now()
        step = (None if old is None else D(old), D(new))
        if act == "confirm" and now == before and self.seen[2] is None:
            self.leave = step
        elif act != "confirm" and self.leave == step:
            self.leave = None
        if act == "reject":
            self.rejected[number] = {D(new)}
        if now != before:
            assert act == "confirm" or (act == "reopen" and before == D(new))
            assert now == (D(new) if act == "confirm" else None if old is None else D(old))
            self.last = now

    def roll_back(self, number: int) -> None:
        run_id = sorted(self.after)[number % len(self.after)]
        rollback(self.store, SLUG, run_id, ADA)
        thaw(self.store, SLUG, ADA)
        now = self.now()
        self.last, self.leave = self.after[run_id] if now is None else now, None

    def do(self, act: str, *values: Any) -> None:
        match act:
            case "list":
                wire, odd = values
                self.list(wire, odd)
            case "away":
                self.list("1", away=True)
            case "part":
                self.list(values[0], complete=False)
            case "mend":
                self.mend(values[0])
            case "look":
                self.look()
            case "rollback":
                self.roll_back(values[0])
            case _:
                self.decide(act, values[0])


WIRES = st.sampled_from(["1", "2", "10", "100"])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("list"), WIRES, st.sampled_from([1, 1, 1, 1000, None])),
        st.tuples(st.just("mend"), st.sampled_from([1, 10, 1000, None, IMPOSSIBLE])),
        st.sampled_from([("look",), ("away",)]),
        st.tuples(st.just("part"), WIRES),
        st.tuples(st.sampled_from(["confirm", "reject", "reopen", "rollback"]), st.integers(0, 3)),
    ),
    min_size=4,
    max_size=16,
)


@pytest.mark.parametrize("examples", [QUICK, pytest.param(LONG, marks=pytest.mark.soak)])
def test_i37_no_reader_moves_more_than_it_is_the_first_to_read(tmp_path: Path, examples: int):
    @given(ACTS)
    @example([("list", "100", 1), ("look",), ("mend", 10), ("list", "100", 1), ("list", "100", 1)])
    @example([("list", "100", 1), ("look",), ("reject", 0), ("mend", 10), ("list", "100", 1), ("list", "100", 1)])
    @example([("mend", 1), ("part", "1"), ("list", "1", 1000)])
    @example([("mend", 1), ("list", "1", 1), ("away",), ("list", "1", None), ("list", "100", 1)])
    @example([("mend", IMPOSSIBLE), ("list", "1", 1), ("list", "1", 1), ("rollback", 0)])
    @example([("mend", None), ("part", "2"), ("mend", 10), ("list", "1", 1)])
    @example([("list", "10", 1), ("look",), ("list", "10", None), ("confirm", 0), ("list", "10", 1)])
    @example([("list", "10", 1), ("look",), ("list", "10", None), ("confirm", 0), ("list", "10", None), ("list", "10", 1)])
    @example([("list", "10", 1), ("look",), ("list", "10", None), ("confirm", 0), ("reopen", 0), ("list", "10", 1)])
    @example([("mend", None), ("part", "10"), ("mend", 1), ("list", "1", 1), ("mend", 1), ("rollback", 1), ("list", "10", 1)])
    @settings(max_examples=examples, deadline=None, derandomize=examples == QUICK)
    def holds(acts: list[tuple[Any, ...]]) -> None:
        with fresh(tmp_path) as (url, store):
            reader = Reader(url, store)
            for act in acts:
                reader.do(*act)

    holds()
