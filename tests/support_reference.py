"""What the rules say a catalog must hold, in the plainest form: everything is remembered, nothing is clever, no database.

A row is `{column: value}` of what is stated; a column that is not in it is not stated. Times are hours. The numbers of the rules are
those of RULES, so that tests with few models reach them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Any

from modelsync.policy import Rules

RULES = Rules(shrink_models=2)
PRICES = ("pricing_prompt", "pricing_completion")
COLUMNS = ("model_name", "context_length", *PRICES)
LOWEST, HIGHEST = Decimal("1e-11"), Decimal("1e-2")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Said:
    """One listing: rows by id, rows that cannot be read (with their ids, where those can be), and whether that is all."""

    rows: Mapping[str, Row]
    unread: tuple[str | None, ...] = ()
    complete: bool = True
    duplicates: int = 0

    @property
    def seen(self) -> set[str]:
        return set(self.rows) | {row_id for row_id in self.unread if row_id}


@dataclass
class Entry:
    """One model: what was stated last, what is believed, and since when (time, number of the listing) it or a price is not there."""

    stated: Row
    believed: Row
    active: bool = True
    status: str = "active"
    missing: tuple[float, int] = (0.0, 0)
    silent: dict[str, tuple[float, int]] = field(default_factory=dict)
    retired: tuple[float, bool] = (-1e9, False)  # when last, and whether by a person's word
    by_hand: bool = False  # somebody added it, and no listing had it yet


@dataclass
class Hold:
    kind: str
    ids: tuple[str, ...]
    detail: Any = None
    status: str = "open"
    agreed: float | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return (self.kind, *self.ids) if self.kind == "price" else (self.kind,)

    @property
    def about_prices(self) -> bool:
        return self.kind in ("price", "unit-change")


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
    after: dict[int, dict[str, Row]] = field(default_factory=dict)

    def shown(self) -> dict[str, Row]:
        """The rows that users read: what is believed, under pins."""
        return {row_id: self._shown(row_id, entry) for row_id, entry in self.models.items()}

    def _shown(self, row_id: str, entry: Entry) -> Row:
        row = {"status": entry.status, "is_active": entry.active, **{name: entry.believed.get(name) for name in COLUMNS}}
        return row | {name: value for name, (value, _) in self.pins.get(row_id, {}).items()}

    def decided(self, status: str) -> set[str]:
        """Ids of which a person said that they are gone, or that they are there."""
        return {row_id for hold in self.holds if hold.status == status and not hold.about_prices for row_id in hold.ids}

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
        """Take a listing; "synced", or the kind of the hold that keeps all of it out."""
        part = self.parts[slug]
        standing = {row_id for row_id, entry in part.models.items() if entry.status != "retired"}
        changed_scope = said.complete and part.scope not in (None, scope)
        excused = (set(part.models) if changed_scope else part.excused) - (said.seen if said.complete else set())
        refused = self._refused(part, said, standing, excused)
        if refused:
            self._note(part, said, [refused], set(), set(), refused=True)
            return refused.kind
        self._end_pins(part, part.pins)
        absent = standing - said.seen - part.kept() - excused - part.decided("rejected") if said.complete else set()
        shrunk = self._shrunk(part, said, standing, absent)
        accepted = part.decided("confirmed")
        held, refused_again = self._take_rows(slug, part, said)
        for row_id in said.seen - set(said.rows):
            self._sighted(part.models.get(row_id))
        for row_id in absent & accepted if shrunk else absent:
            self._absent(part, part.models[row_id], accepted=row_id in accepted, counts=not shrunk)
        holds = [*([shrunk] if shrunk else []), *held]
        self._note(part, said, holds, refused_again, absent, refused=False)
        part.sizes.append((self.now, len(said.rows)))
        if said.complete:
            part.scope, part.excused = scope, excused
            part.seq += not shrunk
        waits = holds or any(part.models[row_id].silent for row_id in said.rows)
        expiring = any(until is not None for pins in part.pins.values() for _, until in pins.values())
        part.unchanged = (said, scope) if said.complete and not waits and not expiring else None
        return "synced"

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
        confirmed = [set(hold.ids) for hold in part.holds if (hold.kind, hold.status) == ("other-catalog", "confirmed")]
        return None if self._is_confirmed(newly, confirmed) else Hold("other-catalog", tuple(sorted(gone)))

    def _is_confirmed(self, gone: set[str], confirmed: list[set[str]]) -> bool:
        """A decision is about ids, and about no others."""
        return any(gone <= ids for ids in confirmed)

    def _shrunk(self, part: Part, said: Said, standing: set[str], absent: set[str]) -> Hold | None:
        """I5: more are gone than a fifth of the most listed in a week, those retired in that week included."""
        doubtful = absent - part.decided("confirmed")
        week = self.now - 7 * 24
        lately = self._retired_since(part, week)
        most = max([len(standing), *(size for when, size in part.sizes if when >= week)])
        limit = max(RULES.shrink_models, RULES.shrink_share * most)
        unreadable = len(said.unread) > RULES.rejected_share * (len(said.rows) + len(said.unread) + said.duplicates)
        if doubtful and (unreadable or len(doubtful) + len(lately) > limit):
            return Hold("shrink", tuple(sorted(doubtful)))
        return None

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

    def _take_rows(self, slug: str, part: Part, said: Said) -> tuple[list[Hold], set[tuple[str, ...]]]:
        """I9, I22, I23: what is stated over what is known, but for prices that are not believed. The holds, and keys refused before."""
        known = {row_id: prices_of(part.models[row_id].believed) if row_id in part.models else {} for row_id in said.rows}
        claims: dict[str, dict[str, Decimal]] = {}
        for row_id, row in said.rows.items():
            claims[row_id] = {**known[row_id], **prices_of(row)}
            if row_id in part.models:
                self._forget(part, part.models[row_id], row, claims[row_id], whole=said.complete)
        moving = [row_id for row_id in said.rows if claims[row_id] != known[row_id]]
        together = self._unit_change(part, {row_id: (known[row_id], claims[row_id]) for row_id in moving})
        found: dict[str, Hold] = {}
        if together:
            unit = Hold("unit-change", tuple(sorted(moving)), {row_id: claims[row_id] for row_id in moving})
            found = dict.fromkeys(moving, unit)
        else:
            for row_id in moving:
                hold = self._doubted(slug, part, row_id, known[row_id], claims[row_id])
                found |= {row_id: hold} if hold else {}
        for row_id, row in said.rows.items():
            self._believe(part, row_id, row, known[row_id] if row_id in found else claims[row_id])
        holds = [found[row_id] for row_id in moving if row_id in found]
        holds = holds[:1] if together else holds
        refused = [hold for hold in holds if self._was_refused(part, hold)]
        return [hold for hold in holds if hold not in refused], {hold.key for hold in refused}

    def _forget(self, part: Part, entry: Entry, row: Row, claims: dict[str, Decimal], *, whole: bool) -> None:
        """A price not stated in three complete listings of 24 hours becomes unknown. One that is held stays, and its count begins anew."""
        silent = {name: entry.silent.get(name) for name in claims if name not in row}
        entry.silent = {name: since or (self.now, part.seq + 1) for name, since in silent.items() if since or whole}
        for name in [name for name, since in entry.silent.items() if whole and self._long_enough(part, since)]:
            del claims[name], entry.silent[name]

    def _believe(self, part: Part, row_id: str, row: Row, prices: Mapping[str, Decimal]) -> None:
        entry = part.models.setdefault(row_id, Entry(row, {}))
        facts = {name: value for name, value in {**entry.believed, **row}.items() if name not in PRICES}
        entry.stated, entry.believed = row, {**facts, **prices}
        entry.status, entry.active, entry.by_hand = "active", True, False

    def _unit_change(self, part: Part, moving: Mapping[str, tuple[Row, Row]]) -> bool:
        powers: Counter[int] = Counter()
        for old, new in moving.values():
            powers.update({power(old.get(name), price) for name, price in new.items()} - {0})
        priced = sum(bool(prices_of(row)) for row in part.shown().values() if row["status"] != "retired")
        return any(count >= 2 and count >= RULES.prices.unit_share * priced for count in powers.values())

    def _doubted(self, slug: str, part: Part, row_id: str, known: Mapping[str, Decimal], claims: Mapping[str, Decimal]) -> Hold | None:
        elsewhere = self._elsewhere(slug, row_id)
        paid = any(known.values())
        doubts = {
            name: (known.get(name), new)
            for name, new in claims.items()
            if self._doubt(known.get(name), new, [row[name] for row in elsewhere if row.get(name)], paid=paid)
        }
        if not doubts:
            return None
        hold = Hold("price", (row_id,), doubts)
        standing = next((each for each in part.holds if each.status == "open" and each.key == hold.key and each.detail == doubts), None)
        waited = standing and standing.agreed is not None and self.now - standing.agreed >= RULES.prices.release_hours
        agreed = all(any(self._agree(new, row[name]) for row in elsewhere if name in row) for name, (_, new) in doubts.items())
        return None if waited and agreed else hold

    def _agree(self, one: Decimal, other: Decimal) -> bool:
        return one == other if not (one and other) else factor(one, other) <= RULES.prices.agree_factor

    def _doubt(self, old: Decimal | None, new: Decimal, elsewhere: list[Decimal], *, paid: bool) -> bool:
        far, middle = RULES.prices.median_factor, median(elsewhere) if elsewhere else None
        if old == new:
            return False
        if new and not LOWEST <= new <= HIGHEST:
            return True
        if old and not LOWEST <= old <= HIGHEST:
            return False
        if old and new and middle and factor(middle, old) >= far > factor(middle, new):
            return False
        if old is not None and (not old or not new):
            return bool(old) or paid
        if old and factor(old, new) >= RULES.prices.factor:
            return True
        return bool(middle and new and factor(middle, new) >= far)

    def _elsewhere(self, slug: str, row_id: str) -> list[dict[str, Decimal]]:
        """The prices of the same model at other providers."""
        found = []
        for other, part in self.parts.items():
            for name, row in part.shown().items():
                if other != slug and last_part(name) == last_part(row_id) and row["status"] != "retired" and prices_of(row):
                    found.append(prices_of(row))
        return found

    def _was_refused(self, part: Part, hold: Hold) -> bool:
        """A refusal stands until another price is stated."""
        refused = [each for each in part.holds if each.status == "rejected" and each.kind == hold.kind]
        if hold.kind == "price":
            return any(each.key == hold.key and each.detail == hold.detail for each in refused)
        return any(all(each.detail.get(row_id) == claims for row_id, claims in hold.detail.items()) for each in refused)

    # Holds

    def _note(self, part: Part, said: Said, holds: list[Hold], again: set[tuple[str, ...]], absent: set[str], *, refused: bool) -> None:
        """Open what is new, renew what stands, and end what this listing did away with; it says nothing of what it does not show."""
        found = {hold.key: hold for hold in holds}
        for hold in part.holds:
            same = found.get(hold.key)
            if same and hold.status == "open" and (hold.kind != "price" or same.detail == hold.detail):
                hold.ids, hold.detail, hold.agreed = same.ids, same.detail, self.now if hold.agreed is None else hold.agreed
                del found[hold.key]
            elif same and hold.status == "rejected" and not hold.about_prices and set(same.ids) <= set(hold.ids):
                del found[hold.key]  # a person knows
            elif hold.status in ("open", "confirmed", "rejected") and hold.key not in again and self._is_answered(hold, said, refused):
                self._end(hold, said, absent)
        part.holds += found.values()

    def _is_answered(self, hold: Hold, said: Said, refused: bool) -> bool:
        if hold.about_prices:
            return not refused and any(row_id in said.rows for row_id in hold.ids)
        return said.complete and not (refused and hold.ids)

    def _end(self, hold: Hold, said: Said, absent: set[str]) -> None:
        over = {"confirmed": not set(hold.ids) & absent, "rejected": set(hold.ids) <= said.seen}
        if hold.status == "open" or hold.about_prices or over[hold.status]:
            hold.status = "released" if hold.status == "open" else "closed"

    # Persons

    def pin(self, slug: str, row_id: str, column: str, value: Any, until: float | None = None) -> None:
        part = self.parts[slug]
        self._end_pins(part, [row_id])
        part.pins.setdefault(row_id, {})[column] = (value, until)
        entry = part.models[row_id]
        if entry.status == "retired" and column == "is_active" and value:
            entry.status, entry.active = "active", True

    def unpin(self, slug: str, row_id: str) -> None:
        self.parts[slug].pins.pop(row_id, None)

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
        hold.status = decision
        part = self.parts[slug]
        for row_id in hold.ids if hold.about_prices and decision == "confirmed" else ():
            entry = part.models[row_id]
            self._end_pins(part, [row_id])
            entry.believed = {**entry.believed, **prices_of(entry.stated)}

    def rollback(self, slug: str, run_id: int) -> None:
        """What users saw after a run is what is believed, but beneath pins; whether a model is absent is not undone, retirement is.

        A model of somebody's own is no part of it; one that somebody keeps active is not retired.
        """
        part = self.parts[slug]
        shown = part.shown()
        for row_id, entry in part.models.items():
            then = part.after[run_id].get(row_id)
            kept = self._is_kept(part, row_id)
            if entry.by_hand or _is_back(then, shown[row_id], kept=kept):
                continue
            self._end_pins(part, [row_id])
            pins = part.pins[row_id]
            if then:
                past = {name: then[name] for name in COLUMNS if then[name] is not None}
                beneath = {name: value for name, value in entry.believed.items() if name in pins}
                entry.believed = {name: value for name, value in past.items() if name not in pins} | beneath
            if "is_active" not in pins:
                entry.active = bool(then and then["is_active"])
            entry.silent = {}
            gone = not kept and (then is None or then["status"] == "retired")
            if gone and entry.status != "retired":
                entry.status, entry.retired = "retired", (self.now, True)
            elif not gone and entry.status == "retired":
                entry.status = "active"
        part.frozen, part.unchanged = True, None

    def remember(self, slug: str, run_id: int) -> None:
        self.parts[slug].after[run_id] = {row_id: dict(row) for row_id, row in self.parts[slug].shown().items()}


def _is_back(then: Row | None, now: Row, *, kept: bool) -> bool:
    """Whether a rollback has nothing to do about a row: absence is left as it is, and what came later is retired already, or kept."""
    if then is None:
        return kept or (now["status"] == "retired" and not now["is_active"])
    if kept:
        return {**then, "status": None, "is_active": True} == {**now, "status": None} and now["status"] != "retired"
    statuses = (then["status"], now["status"])
    return {**then, "status": None} == {**now, "status": None} and (statuses[0] == statuses[1] or "retired" not in statuses)
