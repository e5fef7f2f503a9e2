"""What the rules say a catalog must hold, in the plainest form: everything is remembered, nothing is clever, no database.

A row is `{column: value}` of what is stated; a column that is not in it is not stated. Times are hours. The numbers of the rules are
those of RULES, so that tests with few models reach them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from statistics import median
from typing import Any

from modelsync.planning.policy import Rules

RULES = Rules(shrink_models=2)
PRICES = ("pricing_prompt", "pricing_completion")
COLUMNS = ("model_name", "context_length", *PRICES)
LOWEST, HIGHEST = Decimal("1e-11"), Decimal("1e-2")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """One listing: rows by id, rows that cannot be read (with their ids, where those can be), and whether that is all.

    A row that is `dynamic` says that its price varies.
    """

    rows: Mapping[str, Row]
    unread: tuple[str | None, ...] = ()
    complete: bool = True
    duplicates: int = 0
    short: int = 0  # rows that the list says it has and does not show

    @property
    def seen(self) -> set[str]:
        return set(self.rows) | {row_id for row_id in self.unread if row_id}


@dataclass
class Entry:
    """One model: what was stated last, what is believed, and since when (time, number of the listing) it or a price is not there.

    `last` are the prices that were believed last and are not now.
    """

    stated: Row
    believed: Row
    active: bool = True
    status: str = "active"
    missing: tuple[float, int] = (0.0, 0)
    silent: dict[str, tuple[float, int]] = field(default_factory=dict)
    retired: tuple[float, bool] = (-1e9, False)  # when last, and whether by a person's word
    last: dict[str, Decimal] = field(default_factory=dict)
    by_hand: bool = False  # somebody added it, and no listing had it yet

    def believe(self, prices: Mapping[str, Decimal], dynamic: bool) -> None:
        known = {**self.last, **prices_of(self.believed)}
        facts = {name: value for name, value in self.believed.items() if name not in (*PRICES, "dynamic")}
        self.believed = {**facts, **prices, **({"dynamic": True} if dynamic else {})}
        self.last = {name: value for name, value in known.items() if name not in prices}


Values = frozenset[tuple[str, str, Decimal]]
"""Claimed prices: model, column, value."""


@dataclass
class Hold:
    """What waits, and for what it stands: its kind, its ids, the values that are claimed, and `old`, what they are held against.

    `new` are the ids that another catalog has and this one has not.
    """

    kind: str
    ids: tuple[str, ...]
    claims: Values = frozenset()
    old: Mapping[tuple[str, str], Decimal | None] = field(default_factory=dict)
    rows: int = 0
    new: frozenset[str] = frozenset()
    status: str = "open"
    agreed: float | None = None
    over: set[str] = field(default_factory=set)
    meant: bool = False  # once confirmed, and not taken back
    needs_person: bool = False  # no rule ends it: a decision was taken back, or the unit of the list changed
    stood: dict[str, tuple[dict[str, Decimal], bool, dict[str, Decimal]]] = field(default_factory=dict)  # when it was confirmed

    @property
    def content(self) -> tuple[Any, ...]:
        return (self.kind, self.ids, self.claims, frozenset(self.old.items()), self.rows, self.new)

    @property
    def about_prices(self) -> bool:
        return self.kind in ("price", "unit-change")


@dataclass
class Case:
    """A row's price: what stands, what is claimed, and the pairs (believed last, claimed) that differ from what stands."""

    live: dict[str, Decimal]
    was_dynamic: bool
    claims: dict[str, Decimal]
    dynamic: bool
    known: dict[str, Decimal]
    is_new: bool = False

    @property
    def pairs(self) -> dict[str, tuple[Decimal | None, Decimal]]:
        return {name: (self.known.get(name), new) for name, new in self.claims.items() if self.live.get(name) != new}

    @property
    def moves(self) -> bool:
        return self.claims != self.live or self.dynamic != self.was_dynamic


@dataclass
class Part:
    """One provider's part of the catalog."""

    models: dict[str, Entry] = field(default_factory=dict)
    pins: dict[str, dict[str, tuple[Any, float | None]]] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    sizes: list[tuple[float, int]] = field(default_factory=list)
    seq: int = 0
    scope: str | None = None
    excused: set[str] = field(default_factory=set)
    frozen: bool = False
    unchanged: tuple[Said, str] | None = None  # the listing that may be taken as unchanged, and its scope
    after: dict[int, dict[str, Entry]] = field(default_factory=dict)  # every model as it was after a run
    price_pins: set[str] = field(default_factory=set)  # a pin that ended is there until the next sync
    short: tuple[int, int] = (0, 0)  # rows that the last listing lacked, and how many listings in a row lacked as many

    def shown(self) -> dict[str, Row]:
        """The rows that users read: what is believed, under pins."""
        return {row_id: self._shown(row_id, entry) for row_id, entry in self.models.items()}

    def _shown(self, row_id: str, entry: Entry) -> Row:
        row = {"status": entry.status, "is_active": entry.active, **{name: entry.believed.get(name) for name in COLUMNS}}
        row |= {"dynamic": bool(entry.believed.get("dynamic"))}
        return row | {name: value for name, (value, _) in self.pins.get(row_id, {}).items()}

    def decided(self, status: str) -> set[str]:
        """Ids of which a person said that they are gone, or that they are there."""
        return {row_id for hold in self.holds if hold.status == status and not hold.about_prices for row_id in {*hold.ids} - hold.over}

    def values(self, status: str) -> set[tuple[str, str, Decimal]]:
        """The prices that a person confirmed or rejected."""
        return {each for hold in self.holds if hold.status == status for each in hold.claims}

    def parts(self, kind: str, ids: set[str]) -> list[Hold]:
        """What is absent, as it was shown already, and the rest as one more hold."""
        found = [Hold(kind, hold.ids) for hold in self.holds if (hold.kind, hold.status) == (kind, "open") and set(hold.ids) <= ids]
        left = ids - {row_id for hold in found for row_id in hold.ids}
        return [*found, *([Hold(kind, tuple(sorted(left)))] if left else [])]

    def kept(self) -> set[str]:
        return {row_id for row_id, pins in self.pins.items() if pins.get("is_active", (False, None))[0]}


def last_part(row_id: str) -> str:
    return row_id.rpartition("/")[2].casefold()


def factor(one: Decimal, other: Decimal) -> Decimal:
    return max(one / other, other / one)


def prices_of(row: Row) -> dict[str, Decimal]:
    return {name: row[name] for name in PRICES if row.get(name) is not None}


def power(old: Decimal | None, new: Decimal) -> int:
    """n where a price moved by exactly 10 to the n: the same digits, n places further."""
    if not (old and new):
        return 0
    one, other = old.normalize().as_tuple(), new.normalize().as_tuple()
    return int(other.exponent) - int(one.exponent) if one.digits == other.digits else 0


class Reference:
    def __init__(self, *slugs: str) -> None:
        self.now = 0.0
        self.parts = {slug: Part() for slug in slugs}

    # A listing

    def sync(self, slug: str, said: Said, scope: str) -> str:
        """Take a listing; "synced", or the kind of the hold that keeps all of it out. A scope is a place and a key: `a1`."""
        part, lacks = self.parts[slug], said.short
        if said.short and any(hold.kind == "total" and hold.status == "confirmed" and hold.rows == said.short for hold in part.holds):
            said = replace(said, complete=True, short=0)
        standing = {row_id for row_id, entry in part.models.items() if entry.status != "retired"}
        retired = set(part.models) - standing
        excused = self._excused(part, said, scope, standing)
        refused = self._refused(part, said, standing, excused)
        if refused:
            known = any(hold.status == "rejected" and is_same_list(hold, refused) for hold in part.holds)
            self._note(part, said, [] if known else [refused], retired, refused=True)
            return refused.kind
        self._end_pins(part, part.pins)
        part.price_pins = {row_id for row_id, pins in part.pins.items() if set(pins) & set(PRICES)}
        there = part.kept() | part.decided("rejected")
        absent = standing - said.seen - excused - there if said.complete else set()
        shrunk, none_counts, left_out = self._shrunk(part, said, standing, absent)
        accepted = part.decided("confirmed")
        holds = [*self._too_short(part, said), *part.parts("scope", excused - there), *shrunk, *self._take_rows(slug, part, said)]
        for row_id in said.seen - set(said.rows):
            self._sighted(part.models.get(row_id))
        for row_id in absent - left_out:
            self._absent(part, part.models[row_id], accepted=row_id in accepted, counts=not none_counts)
        self._note(part, said, holds, retired, refused=False)
        part.sizes.append((self.now, len(said.rows)))
        part.short = (lacks, part.short[1] + 1 if lacks and lacks == part.short[0] else int(lacks > 0))
        part.excused = excused if said.complete or part.scope == scope else part.excused
        if said.complete:
            part.scope = scope
            part.seq += not none_counts
        waits = holds or any(part.models[row_id].silent for row_id in said.rows)
        expiring = any(until is not None for pins in part.pins.values() for _, until in pins.values())
        part.unchanged = (said, scope) if said.complete and not waits and not expiring else None
        return "synced"

    def _excused(self, part: Part, said: Said, scope: str, standing: set[str]) -> set[str]:
        """Models that are not absent, although they are not listed: the scope changed, and nobody has said that they are gone.

        Another key alone excuses nothing, as long as no more is lacking than may be absent at once.
        """
        if not said.complete and part.scope not in (None, scope):
            return part.excused
        if not said.complete:
            return part.excused - said.seen - part.decided("confirmed") - part.kept()
        excused = part.excused
        if part.scope not in (None, scope):
            only_the_key = part.scope is not None and part.scope[0] == scope[0]
            few = len(standing - said.seen - excused) <= self._limit(part, standing)
            excused = excused if only_the_key and few else standing
        return excused - said.seen - part.decided("confirmed") - part.kept()

    def _limit(self, part: Part, standing: set[str]) -> float:
        most = max([len(standing), *(size for when, size in part.sizes if when >= self.now - 7 * 24)])
        return max(RULES.shrink_models, RULES.shrink_share * most)

    def _too_short(self, part: Part, said: Said) -> list[Hold]:
        """A list that lacks the same number of rows three times in a row is a question, asked once."""
        times = part.short[1] if part.short[0] == said.short else 0
        asked = any(hold.kind == "total" and hold.status in ("confirmed", "rejected") and hold.rows == said.short for hold in part.holds)
        return [Hold("total", (), rows=said.short)] if said.short and times + 1 >= 3 and not asked else []

    def sync_unchanged(self, slug: str) -> None:
        """The last listing again: whatever a person refused of other lists since is over."""
        part = self.parts[slug]
        assert part.unchanged is not None
        for hold in part.holds:
            if hold.status == "rejected" and hold.kind in ("empty", "invalid", "other-catalog"):
                hold.status = "closed"
        self.sync(slug, *part.unchanged)

    def _refused(self, part: Part, said: Said, standing: set[str], excused: set[str]) -> Hold | None:
        """I2, S6: nothing readable, nothing at all, or nearly all new and nearly all known ones gone."""
        if not said.rows:
            return Hold("invalid" if said.unread else "empty", ())
        gone = standing - said.seen - excused if said.complete else set()
        newly = {row_id for row_id in gone if part.models[row_id].status == "active"}
        share = Decimal(str(RULES.other_catalog_share))
        few = len(standing) <= RULES.shrink_models
        if few or len(set(said.rows) - set(part.models)) < share * len(said.rows) or len(newly) < share * len(standing):
            return None
        found = Hold("other-catalog", tuple(sorted(gone)), new=frozenset(set(said.rows) - set(part.models)))
        return None if any(hold.status == "confirmed" and is_same_list(hold, found) for hold in part.holds) else found

    def _shrunk(self, part: Part, said: Said, standing: set[str], absent: set[str]) -> tuple[list[Hold], bool, set[str]]:
        """I5: more are gone than a fifth of the most listed in a week, those retired in that week included; and who is left out of that.

        Whether no absence of this listing counts; of fewer only those are left out whose decision a person took back.
        """
        waiting = [hold for hold in part.holds if hold.status == "open" and hold.needs_person and not hold.about_prices]
        if not said.complete:
            parts = [({*hold.ids} - hold.over) - said.seen for hold in waiting if not said.seen.isdisjoint({*hold.ids} - hold.over)]
            return [Hold("shrink", tuple(sorted(ids)), needs_person=True) for ids in parts if ids], False, set()
        again = {row_id for hold in waiting for row_id in {*hold.ids} - hold.over}
        doubtful = absent - part.decided("confirmed")
        lately = self._retired_since(part, self.now - 7 * 24)
        unreadable = len(said.unread) > RULES.rejected_share * (len(said.rows) + len(said.unread) + said.duplicates)
        if doubtful and (unreadable or len(doubtful) + len(lately) > self._limit(part, standing)):
            left_out, none_counts = doubtful, True
        else:
            left_out, none_counts = doubtful & again, False
        holds = [*part.parts("shrink", left_out & again), *part.parts("shrink", left_out - again)]
        for hold in holds:
            hold.needs_person = not again.isdisjoint(hold.ids)
        return holds, none_counts, left_out

    def _retired_since(self, part: Part, when: float) -> list[str]:
        """Models that are retired since then, without a person's word."""
        return [
            row_id for row_id, each in part.models.items() if each.status == "retired" and each.retired[0] >= when and not each.retired[1]
        ]

    def _absent(self, part: Part, entry: Entry, *, accepted: bool, counts: bool) -> None:
        """I6: missing at once, retired at the third listing of 24 hours."""
        if entry.status == "active":
            entry.status, entry.missing = "missing", (self.now, part.seq + 1)
        elif counts and self._long_enough(part, entry.missing):
            entry.status, entry.active, entry.retired = "retired", False, (self.now, accepted)

    def _long_enough(self, part: Part, since: tuple[float, int]) -> bool:
        return part.seq + 1 - since[1] + 1 >= RULES.retire_after_listings and self.now - since[0] >= RULES.retire_after_hours

    def _sighted(self, entry: Entry | None) -> None:
        """I4: a row that cannot be read is there."""
        if entry and entry.status != "active":
            entry.active = entry.active or entry.status == "retired"
            entry.status = "active"

    # Prices

    def _take_rows(self, slug: str, part: Part, said: Said) -> list[Hold]:
        """I9, I22, I23, I37: what is stated over what is known, but for prices that are not believed. The holds."""
        retired = {row_id for row_id, entry in part.models.items() if entry.status == "retired"}
        cases = {row_id: self._case(part, row_id, row, whole=said.complete) for row_id, row in said.rows.items()}
        moving = {row_id: case for row_id, case in cases.items() if case.moves}
        refused = part.values("rejected")
        confirmed = {
            (row_id, name, hold.old[row_id, name], new)
            for hold in part.holds
            if hold.status == "confirmed"
            for row_id, name, new in hold.claims
            if row_id not in hold.over
        }
        undecided = {
            row_id: {
                name: pair
                for name, pair in case.pairs.items()
                if (row_id, name, pair[1]) not in refused and (row_id, name, *pair) not in confirmed
            }
            for row_id, case in moving.items()
        }
        old = [row_id for row_id, case in moving.items() if not case.is_new]
        waiting = [hold for hold in part.holds if hold.status == "open" and hold.about_prices]
        marked = {each for hold in waiting if hold.needs_person for each in hold.claims}
        units = [hold for hold in waiting if hold.kind == "unit-change"]
        asked = marked | {each for hold in units for each in hold.claims if power(hold.old[each[:2]], each[2])}

        def doubted(unit: int) -> dict[str, dict[str, tuple[Decimal | None, Decimal]]]:
            return {
                row_id: {
                    name: pair
                    for name, pair in pairs.items()
                    if self._doubt(
                        pair,
                        self._other_prices(slug, row_id, name),
                        paid=any(moving[row_id].known.values()),
                        meant=any(hold.meant and (row_id, name, pair[0]) in hold.claims for hold in part.holds),
                    )
                    or (unit and power(*pair) == unit)
                    or (row_id, name, pair[1]) in asked
                }
                for row_id, pairs in undecided.items()
            }

        def off_by(doubts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, tuple[Decimal | None, Decimal]]]:
            return {
                row_id: {
                    name: pair
                    for name, pair in case.pairs.items()
                    if pair[0] is not None and ((row_id, name, pair[1]) in refused or name in doubts[row_id])
                }
                for row_id, case in moving.items()
            }

        unit = self._unit_change(part, [undecided[row_id] for row_id in old])
        doubts = doubted(unit)
        off = off_by(doubts)
        first = {row_id: {name for name, pair in case.pairs.items() if pair[0] is None} for row_id, case in moving.items()}
        together = {row_id for row_id in old if unit and any(power(*pair) == unit for pair in undecided[row_id].values())}
        groups = [together] if together else []
        for hold in units:
            if not self._waits_on(hold, said, retired) and not self._any_is_back(hold, said, off, first):
                groups.append({row_id for row_id in hold.ids if self._is_off(hold, row_id, doubts)}.difference(*groups))
        if (
            any(groups)
            or self._unit_change(part, [moving[row_id].pairs for row_id in old])
            or self._has_slipped(part, said, retired, off, first, doubts)
        ):
            doubts = {
                row_id: {name: pair for name, pair in pairs.items() if name in doubts[row_id] or (pair[0] is None and pair[1])}
                for row_id, pairs in undecided.items()
            }
        left = [hold for hold in waiting if self._waits_on(hold, said, retired)]
        asks = {
            row_id: {
                name: pair
                for name, pair in pairs.items()
                if not any((row_id, name, pair[1]) in hold.claims and hold.old[row_id, name] == pair[0] for hold in left)
            }
            for row_id, pairs in doubts.items()
        }
        pairs_of = [(row_id, name, *pair) for row_id, pairs in doubts.items() for name, pair in pairs.items()]
        again = [
            hold
            for hold in left
            if any((row_id, name, new) in hold.claims and hold.old[row_id, name] == old for row_id, name, old, new in pairs_of)
        ]
        holds = [Hold(hold.kind, hold.ids, hold.claims, hold.old, needs_person=hold.needs_person) for hold in again]
        asked_together: set[str] = set()
        for ids in groups:
            of_unit = {
                row_id: asks[row_id]
                for row_id in sorted(ids)
                if any((power(*pair) == unit if ids is together else pair[0] is not None) for pair in asks[row_id].values())
            }
            holds += [self._hold("unit-change", of_unit, marked)] if of_unit else []
            asked_together |= of_unit.keys()
        for row_id in moving:
            if asks[row_id] and row_id not in asked_together:
                hold = self._hold("price", {row_id: asks[row_id]}, marked)
                holds += [] if hold.claims.isdisjoint(asked) and self._is_released(slug, part, hold) else [hold]
        held = {row_id for hold in holds for row_id in hold.ids if doubts.get(row_id)}
        for row_id, row in said.rows.items():
            self._believe(part, row_id, row, cases[row_id], refused, confirmed, held=row_id in held)
        return holds

    def _has_slipped(
        self, part: Part, said: Said, retired: set[str], off: Mapping[str, Any], first: Mapping[str, Any], doubts: Mapping[str, Any]
    ) -> bool:
        """Three in ten prices wait that are far off; or a change of unit waits on, and no model of it that is shown is back at a number."""
        waiting = (pairs.values() for pairs in doubts.values())
        far = sum(any(old and new and factor(old, new) >= RULES.prices.factor for old, new in pairs) for pairs in waiting)
        if far >= 2 and far >= RULES.prices.unit_share * self._priced(part):
            return True
        return any(
            not self._any_is_back(hold, said, off, first)
            for hold in part.holds
            if hold.kind == "unit-change"
            and (
                (self._waits_on(hold, said, retired) and not set(hold.ids) <= retired - set(said.rows))
                or (hold.status == "rejected" and self._is_claimed(hold, said))
            )
        )

    def _is_off(self, hold: Hold, row_id: str, doubts: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether some price of a model is doubted that the change of unit moved from another one."""
        moved = {name for (each, name), old in hold.old.items() if each == row_id and old is not None}
        return any(old is not None and name in moved for name, (old, _) in doubts.get(row_id, {}).items())

    def _any_is_back(self, hold: Hold, said: Said, off: Mapping[str, Any], first: Mapping[str, Any]) -> bool:
        """Whether a model of it states a number where it had moved from another one, and nothing of it is off; no first price is one."""
        numbers = {row_id: {} if row.get("dynamic") else prices_of(row) for row_id, row in said.rows.items()}
        return any(
            old is not None and name in numbers.get(row_id, {}) and name not in first.get(row_id, ()) and not off.get(row_id)
            for (row_id, name), old in hold.old.items()
        )

    def _waits_on(self, hold: Hold, said: Said, retired: set[str]) -> bool:
        return hold.status == "open" and not self._is_answered(hold, said, retired, set(), refused=False)

    def _is_claimed(self, hold: Hold, said: Said) -> bool:
        rows = {row_id: row for row_id, row in said.rows.items() if not row.get("dynamic")}
        return any(rows.get(row_id, {}).get(name) == new for row_id, name, new in hold.claims)

    def _priced(self, part: Part) -> int:
        return sum(bool(prices_of(row) or row["dynamic"]) for row in part.shown().values() if row["status"] != "retired")

    def _case(self, part: Part, row_id: str, row: Row, *, whole: bool) -> Case:
        entry = part.models.get(row_id)
        live = prices_of(entry.believed) if entry else {}
        was_dynamic = bool(entry and entry.believed.get("dynamic"))
        if row.get("dynamic"):
            claims, dynamic = {}, True
        elif prices_of(row):
            claims, dynamic = {**live, **prices_of(row)}, False
        else:
            claims, dynamic = dict(live), was_dynamic
        if entry is None:
            return Case(live, was_dynamic, claims, dynamic, {}, is_new=True)
        dynamic = self._forget(part, entry, row, claims, dynamic, whole=whole)
        return Case(live, was_dynamic, claims, dynamic, {**entry.last, **live})

    def _forget(self, part: Part, entry: Entry, row: Row, claims: dict[str, Decimal], dynamic: bool, *, whole: bool) -> bool:
        """A price not stated in three complete listings of 24 hours becomes unknown. One that is held stays, and its count begins anew."""
        names = [*(name for name in claims if name not in row), *(["dynamic"] if dynamic and not row.get("dynamic") else [])]
        silent = {name: entry.silent.get(name) for name in names}
        entry.silent = {name: since or (self.now, part.seq + 1) for name, since in silent.items() if since or whole}
        for name in [name for name, since in entry.silent.items() if whole and self._long_enough(part, since)]:
            claims.pop(name, None)
            dynamic = dynamic and name != "dynamic"
            del entry.silent[name]
        return dynamic

    def _believe(self, part: Part, row_id: str, row: Row, case: Case, refused: Set[Any], confirmed: Set[Any], *, held: bool) -> None:
        """What is held stays as it was; of the rest, what a person refused, and beside that what was never believed."""
        entry = part.models.setdefault(row_id, Entry(row, {}))
        prices = {name: value for name, value in entry.believed.items() if name in (*PRICES, "dynamic")}
        entry.stated = row
        entry.believed = {
            **{name: value for name, value in {**entry.believed, **row}.items() if name not in (*PRICES, "dynamic")},
            **prices,
        }
        entry.status, entry.active, entry.by_hand = "active", True, False
        if not held:
            entry.believe(*self._unrefused(row_id, case, refused, confirmed))

    def _unrefused(self, row_id: str, case: Case, refused: Set[Any], confirmed: Set[Any]) -> tuple[dict[str, Decimal], bool]:
        if not any((row_id, name, new) in refused for name, (_, new) in case.pairs.items()):
            return case.claims, case.dynamic
        out = {
            name
            for name, (old, new) in case.pairs.items()
            if (row_id, name, new) in refused or (old is None and (row_id, name, old, new) not in confirmed)
        }
        if case.was_dynamic and not any((row_id, name, *pair) in confirmed for name, pair in case.pairs.items()):
            return case.live, case.was_dynamic
        kept = {name: case.live[name] for name in out if name in case.live}
        return {**{name: new for name, new in case.claims.items() if name not in out}, **kept}, case.dynamic

    def _hold(self, kind: str, doubts: Mapping[str, Mapping[str, tuple[Decimal | None, Decimal]]], marked: Set[Any] | None = None) -> Hold:
        claims = frozenset((row_id, name, new) for row_id, pairs in doubts.items() for name, (_, new) in pairs.items())
        old = {(row_id, name): pair[0] for row_id, pairs in doubts.items() for name, pair in pairs.items()}
        return Hold(kind, tuple(sorted(doubts)), claims, old, needs_person=marked is None or not claims.isdisjoint(marked))

    def _unit_change(self, part: Part, moved: Iterable[Mapping[str, tuple[Decimal | None, Decimal]]]) -> int:
        """The power of ten by which most prices moved, if those are three in ten of all; else 0."""
        powers: Counter[int] = Counter()
        for pairs in moved:
            powers.update({power(*pair) for pair in pairs.values()} - {0})
        best, count = powers.most_common(1)[0] if powers else (0, 0)
        return best if count >= 2 and count >= RULES.prices.unit_share * self._priced(part) else 0

    def _is_released(self, slug: str, part: Part, hold: Hold) -> bool:
        """Two later listings said the same, long enough apart, and another provider agrees."""
        standing = next((each for each in part.holds if each.status == "open" and each.content == hold.content), None)
        waited = standing and standing.agreed is not None and self.now - standing.agreed >= RULES.prices.release_hours
        agreed = all(
            any(self._agree(new, other) for other in self._other_prices(slug, row_id, name, free=True)) for row_id, name, new in hold.claims
        )
        return bool(waited and agreed)

    def _other_prices(self, slug: str, row_id: str, name: str, *, free: bool = False) -> list[Decimal]:
        return [row[name] for row in self._elsewhere(slug, row_id) if row.get(name) or (free and name in row)]

    def _agree(self, one: Decimal, other: Decimal) -> bool:
        return one == other if not (one and other) else factor(one, other) <= RULES.prices.agree_factor

    def _doubt(self, pair: tuple[Decimal | None, Decimal], elsewhere: list[Decimal], *, paid: bool, meant: bool) -> bool:
        """`meant` says that a person once confirmed the old price."""
        (old, new), rules = pair, RULES.prices
        middle = median(elsewhere) if elsewhere else None
        if old == new:
            return False
        if new and not LOWEST <= new <= HIGHEST:
            return True
        if not old and new > rules.first_sight:
            return True
        if old and not LOWEST <= old <= HIGHEST and not meant:
            return False
        if old is not None and (not old or not new):
            return bool(old) or paid
        if old and factor(old, new) >= rules.factor:
            return True
        return bool(middle and new and factor(middle, new) >= rules.median_factor)

    def _elsewhere(self, slug: str, row_id: str) -> list[dict[str, Decimal]]:
        """The prices of the same model at other providers; an operator's are none."""
        found = []
        for other, part in self.parts.items():
            for name, row in part.shown().items():
                entry = part.models[name]
                prices = prices_of(entry.believed if name in part.price_pins else row)
                if other != slug and last_part(name) == last_part(row_id) and row["status"] != "retired" and not entry.by_hand and prices:
                    found.append(prices)
        return found

    # Holds

    def _note(self, part: Part, said: Said, holds: list[Hold], retired: set[str], *, refused: bool) -> None:
        """Open what is new, renew what stands, and end what this listing did away with; it says nothing of what it does not show."""
        found = {hold.content: hold for hold in holds}
        for hold in part.holds:
            same = self._same(hold, found)
            if hold.status == "open" and same is not None:
                hold.agreed = self.now if hold.agreed is None else hold.agreed
                del found[same]
            elif hold.status == "open" and self._is_answered(hold, said, retired, {each.kind for each in holds}, refused=refused):
                hold.status = "gone"
            elif hold.status in ("confirmed", "rejected") and not refused:
                self._end(hold, said, retired, {row_id for each in holds if each.about_prices for row_id in each.ids})
        part.holds += found.values()

    def _same(self, hold: Hold, found: dict[Any, Hold]) -> Any:
        if hold.kind == "other-catalog":
            return next((key for key, each in found.items() if is_same_list(hold, each)), None)
        same = found.get(hold.content)
        return hold.content if same is not None and (hold.needs_person or not same.needs_person) else None

    def _is_answered(self, hold: Hold, said: Said, retired: set[str], kinds: set[str], *, refused: bool) -> bool:
        if hold.about_prices:
            gone = set() if hold.needs_person else retired
            return not refused and all(row_id in gone or self._is_told(hold, row_id, said) for row_id in hold.ids)
        if hold.kind == "total":
            return not refused
        if hold.kind in ("shrink", "scope"):
            return not refused and (said.complete or not said.seen.isdisjoint(set(hold.ids) - hold.over))
        if hold.kind == "other-catalog" and hold.needs_person:
            back = said.complete or not said.seen.isdisjoint(set(hold.ids) - hold.over)
            return "other-catalog" in kinds if refused else back
        return said.complete

    def _is_told(self, hold: Hold, row_id: str, said: Said) -> bool:
        """Silence about a price ends no change of unit, and nothing that was taken back."""
        row = said.rows.get(row_id)
        names = {name for each, name, _ in hold.claims if each == row_id}
        if row is not None and hold.kind == "unit-change" and not hold.needs_person:
            moved = {name for each, name, _ in hold.claims if each == row_id and hold.old[each, name] is not None}
            return bool(row.get("dynamic")) or not moved or not moved.isdisjoint(prices_of(row))
        return row is not None and (not hold.needs_person or bool(row.get("dynamic")) or names <= prices_of(row).keys())

    def _end(self, hold: Hold, said: Said, retired: set[str], doubted: set[str]) -> None:
        """A decision ends when it is done; one about an absence is over for every model that is listed again."""
        if hold.about_prices:
            hold.over |= set(hold.ids) & set(said.rows) - doubted if hold.status == "confirmed" else set()
            done = hold.status == "confirmed" and set(hold.ids) - hold.over <= retired
        elif hold.kind == "total":
            done = False
        else:
            hold.over |= said.seen & set(hold.ids)
            done = set(hold.ids) - hold.over <= (retired if hold.status == "confirmed" else set())
        if done:
            hold.status = "closed"

    # Persons

    def pin(self, slug: str, row_id: str, column: str, value: Any, until: float | None = None) -> None:
        part = self.parts[slug]
        part.price_pins |= {row_id} if column in PRICES else set()
        self._end_pins(part, [row_id])
        part.pins.setdefault(row_id, {})[column] = (value, until)
        entry = part.models[row_id]
        if entry.status == "retired" and column == "is_active" and value:
            entry.status, entry.active = "active", True

    def unpin(self, slug: str, row_id: str) -> None:
        self.parts[slug].pins.pop(row_id, None)
        self.parts[slug].price_pins.discard(row_id)

    def add(self, slug: str, row_id: str, column: str, value: Any) -> None:
        self.parts[slug].models[row_id] = Entry({}, {}, by_hand=True)
        self.parts[slug].pins[row_id] = {"is_active": (True, None), column: (value, None)}

    def _end_pins(self, part: Part, ids: Iterable[str]) -> None:
        """A pin's end shows at the next sync, or when somebody changes that model."""
        for row_id in list(ids):
            left = {name: pin for name, pin in part.pins.get(row_id, {}).items() if pin[1] is None or pin[1] > self.now}
            part.pins[row_id] = left

    def _is_kept(self, part: Part, row_id: str) -> bool:
        value, until = part.pins.get(row_id, {}).get("is_active", (False, None))
        return bool(value) and (until is None or until > self.now)

    def decide(self, slug: str, hold: Hold, decision: str) -> None:
        hold.status, hold.meant = decision, decision == "confirmed"
        part = self.parts[slug]
        before = _known(part)
        for row_id in hold.ids if hold.about_prices and decision == "confirmed" else ():
            entry = part.models[row_id]
            self._end_pins(part, [row_id])
            stated = {} if entry.stated.get("dynamic") else prices_of(entry.stated)
            shown = {name: new for each, name, new in hold.claims if each == row_id}
            known = {**entry.last, **prices_of(entry.believed)}
            shown = {name: new for name, new in shown.items() if (row_id, name, new) not in part.values("rejected")}
            hold.stood[row_id] = (prices_of(entry.believed), bool(entry.believed.get("dynamic")), dict(entry.last))
            if all(stated.get(name) == new and known.get(name) == hold.old[row_id, name] for name, new in shown.items()):
                entry.believe({**prices_of(entry.believed), **shown}, dynamic=False)
        self._supersede(part, before)

    def _supersede(self, part: Part, before: dict[str, dict[str, Decimal]]) -> None:
        """What waits beside a price that a person moved was shown beside another one; what was confirmed before is undone."""
        now = _known(part)
        for hold in part.holds:
            moved = [(row_id, name, new) for row_id, name, new in hold.claims if now[row_id].get(name) != before[row_id].get(name)]
            beside_another = any(now[row_id].get(name) != hold.old[row_id, name] for row_id, name, _ in moved)
            if hold.status == "open" and beside_another:
                hold.status = "gone"
                if hold.needs_person:
                    self._ask_anew(part, hold)
            if hold.status == "confirmed":
                self._end_leave(hold, {row_id for row_id, name, new in moved if now[row_id].get(name) != new})

    def _end_leave(self, hold: Hold, ids: set[str]) -> None:
        """What was confirmed of these models is over."""
        hold.over |= ids
        if hold.ids and set(hold.ids) <= hold.over:
            hold.status = "closed"

    def _ask_anew(self, part: Part, hold: Hold) -> None:
        """What of a hold's prices is still claimed, beside what is believed by now."""
        doubts: dict[str, dict[str, tuple[Decimal | None, Decimal]]] = {}
        for row_id, name, new in hold.claims:
            entry = part.models[row_id]
            says = prices_of(entry.stated)
            denied = bool(entry.stated.get("dynamic")) or says.get(name, new) != new
            if not denied and entry.believed.get(name) != new:
                doubts.setdefault(row_id, {})[name] = ({**entry.last, **prices_of(entry.believed)}.get(name), new)
        if doubts:
            part.holds = [*part.holds, self._hold(hold.kind, doubts)]

    def _is_as_shown(self, part: Part, hold: Hold) -> bool:
        for row_id, name, new in hold.claims:
            entry = part.models[row_id]
            claims = {} if entry.stated.get("dynamic") else prices_of(entry.stated)
            known = {**entry.last, **prices_of(entry.believed)}
            if claims.get(name) != new or known.get(name) != hold.old[row_id, name]:
                return False
        return True

    def reopen(self, slug: str, hold: Hold) -> None:
        """A decision is taken back: what was confirmed of prices is as it was before, where it still stands."""
        part = self.parts[slug]
        before = _known(part)
        if hold.about_prices and hold.status in ("confirmed", "closed"):
            hold.status = "closed"
            for row_id in hold.ids:
                self._take_back(part, hold, row_id)
        for row_id in set(hold.ids) if not hold.about_prices and hold.status == "confirmed" else ():
            part.models[row_id].retired = (part.models[row_id].retired[0], False)
        self._supersede(part, before)
        waits = not hold.about_prices or self._is_as_shown(part, hold)
        if not waits:
            self._ask_anew(part, hold)
        if hold.kind == "scope":
            part.excused = part.excused | {each for each in {*hold.ids} - hold.over if part.models[each].status != "retired"}
        hold.needs_person = hold.about_prices or hold.kind in ("shrink", "other-catalog")
        hold.status, hold.agreed, hold.meant = "open" if waits else "gone", None, False
        hold.over = set() if hold.about_prices else hold.over

    def _take_back(self, part: Part, hold: Hold, row_id: str) -> None:
        """The prices that were confirmed and are still believed, as they stood: a number, nothing, or varying by request."""
        entry, (was, was_dynamic, last) = part.models[row_id], hold.stood[row_id]
        known = {**entry.last, **prices_of(entry.believed)}
        names = [name for each, name, new in hold.claims if each == row_id and known.get(name) == new]
        if not names:
            return
        self._end_pins(part, [row_id])
        live = prices_of(entry.believed)
        facts = {name: value for name, value in entry.believed.items() if name not in (*PRICES, "dynamic")}
        if was_dynamic and not entry.believed.get("dynamic"):
            now: dict[str, Decimal | None] = {"dynamic": True}  # type: ignore[dict-item]
        else:
            now = {**live, **{name: was.get(name) for name in names if name in live}}
            now |= {"dynamic": True} if entry.believed.get("dynamic") else {}  # type: ignore[dict-item]
        entry.believed = {**facts, **{name: value for name, value in now.items() if value is not None}}
        known = {name: value for name, value in known.items() if name not in names}
        known |= {name: value for name, value in {**last, **was}.items() if name in names}
        entry.last = {name: value for name, value in known.items() if name not in prices_of(entry.believed)}

    def rollback(self, slug: str, run_id: int) -> None:
        """What was believed after a run is believed again, pins stay; whether a model is absent is not undone, retirement is.

        A model of somebody's own is no part of it, and one that was that then came later; one that somebody keeps active is not retired.
        """
        part = self.parts[slug]
        before = _known(part)
        for row_id, entry in part.models.items():
            if not entry.by_hand:
                self._bring_back(part, row_id, entry, part.after[run_id].get(row_id))
        self._supersede(part, before)
        for hold in part.holds:
            if hold.about_prices and hold.status == "confirmed":
                believed = {each: prices_of(part.models[each].believed) for each in hold.ids}
                self._end_leave(hold, {each for each, name, new in hold.claims if believed[each].get(name) != new})
        part.frozen, part.unchanged = True, None

    def _bring_back(self, part: Part, row_id: str, entry: Entry, then: Entry | None) -> None:
        then = None if then is None or then.by_hand else then
        kept = self._is_kept(part, row_id)
        gone = not kept and (then is None or then.status == "retired")
        believed = entry.believed if then is None else then.believed
        active = not gone and (entry.active if then is None else then.active or then.status == "retired")
        last = {name: value for name, value in (then.last if then else {}).items() if name not in prices_of(believed)}
        if (believed, active, last, gone) == (entry.believed, entry.active, entry.last, entry.status == "retired"):
            return
        self._end_pins(part, [row_id])
        if gone and entry.status != "retired":
            entry.status, entry.retired = "retired", (self.now, True)
        elif not gone and entry.status == "retired":
            entry.status = "active"
        entry.believed, entry.active, entry.last, entry.silent = believed, active, last, {}

    def remember(self, slug: str, run_id: int) -> None:
        self.parts[slug].after[run_id] = {row_id: replace(entry) for row_id, entry in self.parts[slug].models.items()}


def _known(part: Part) -> dict[str, dict[str, Decimal]]:
    """The last believed prices, whether they stand or not."""
    return {row_id: {**entry.last, **prices_of(entry.believed)} for row_id, entry in part.models.items()}


def is_same_list(decided: Hold, found: Hold) -> bool:
    """Whether a decision about a whole list is about this one: it lacks nothing else, and nine in ten of what is new were shown."""
    covers = decided.kind == found.kind and set(found.ids) <= set(decided.ids) - decided.over
    return covers and len(found.new - decided.new) * 10 <= len(found.new)
