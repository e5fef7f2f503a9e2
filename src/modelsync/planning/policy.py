"""What a sync must not believe by itself: pure functions over listings and plans, with numbers that a user may set.

The numbers come from measurements of real catalogs: nine of ten removals take less than a fifth of a provider's models away.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from modelsync.model.model import claimed
from modelsync.planning import holding, quarantine
from modelsync.planning.cases import Evidence
from modelsync.planning.doubts import PriceLimits
from modelsync.planning.holding import Hold, Refusal, Standing
from modelsync.planning.layers import Unstated, unstated_points, without_prices
from modelsync.planning.listing import Listing
from modelsync.planning.plan import Change, ChangeKind, Plan, Stored, settled, with_watched


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """When absence, and when a price is believed.

    A model is retired after it was absent from `retire_after_listings` complete listings in a row that span `retire_after_hours`.
    A listing that lacks more than `shrink_share` of the most models of the last seven days, and more than `shrink_models`, is held.
    So is absence in a listing of which more than `rejected_share` of the rows could not be read. A list that lacks the same number of
    rows in `total_listings` listings in a row is a question for a person.
    """

    retire_after_listings: int = 3
    retire_after_hours: float = 24.0
    shrink_share: float = 0.2
    shrink_models: int = 5
    rejected_share: float = 0.1
    other_catalog_share: float = 0.8
    total_listings: int = 3
    prices: PriceLimits = PriceLimits()

    def is_due(self, since: datetime, since_seq: int, now: datetime, seq: int) -> bool:
        """Whether what is absent since listing `since_seq` at `since` is believed to be gone if listing `seq` at `now` lacks it too."""
        return seq - since_seq + 1 >= self.retire_after_listings and now - since >= timedelta(hours=self.retire_after_hours)


DEFAULT_RULES = Rules()


class ListingScope(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing was asked for, and what the last complete one was asked for.

    `now` and `last` name options, key and origin; `place` and `last_place` the same without the key (None: not known). `excused` are
    models that have not been listed since the scope changed, and of which nobody has said that they are gone.
    """

    now: str = ""
    last: str | None = None
    place: str | None = None
    last_place: str | None = None
    excused: frozenset[str] = frozenset()

    @property
    def changed(self) -> bool:
        """Whether this is the first listing of another scope."""
        return self.last not in (None, self.now)

    @property
    def only_the_key(self) -> bool:
        """Whether nothing but the key is another one."""
        return self.changed and self.place is not None and self.place == self.last_place


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog knows beside the stored models: the most rows of any listing of the last seven days, and what a person decided.

    `retired_lately` were retired within these days without a person's word: without them a slow drip would pass for ever. `standing`
    are the holds that are open or decided. `kept` are there whether they are listed or not, because an operator says so. `scope` says
    in which scope the last complete listing was asked for, and which models have not been listed since it changed. `moment` is the time
    and the number of this listing, None when a price that it lacks means nothing. `same_shortfall` are the listings in a row before
    this one that lacked as many rows.
    """

    most_listed: int = 0
    retired_lately: int = 0
    may_be_empty: bool = False
    standing: tuple[Standing, ...] = ()
    kept: frozenset[str] = frozenset()
    scope: ListingScope = ListingScope()
    moment: Unstated | None = None
    same_shortfall: int = 0
    prices: Evidence = Evidence()

    @property
    def accepted(self) -> frozenset[str]:
        """Ids whose absence a person confirmed."""
        return holding.accepted(self.standing)

    @property
    def reopened(self) -> frozenset[str]:
        """Ids whose absence waits for a person again, who took a decision about it back."""
        rows = (row for row in self.standing if row.status == "open" and row.needs_person and row.kind not in holding.OF_PRICES)
        return frozenset(row_id for row in rows for row_id in row.about)


class Decided(msgspec.Struct, frozen=True):
    """A plan as far as it is believed, and the models that are not listed only because the scope changed.

    Without `counts` too many models are absent: no absence of this listing is one more.
    """

    plan: Plan
    outside: frozenset[str] = frozenset()
    counts: bool = True


NOTHING_CHANGED = "Nothing was changed"


def decide(plan: Plan, listing: Listing, stored: Stored, context: Context, rules: Rules) -> Decided:
    """The plan with everything taken out that is not believed, and with operators' decisions over it."""
    present = context.kept | holding.refused(context.standing)
    outside = _outside(listing, stored, context, rules) - context.kept
    before, plan = plan, _without(plan, outside)
    for refuse in (_unreadable, _empty, _other_catalog):
        hold = refuse(plan, listing, stored.standing, context, rules)
        if hold is not None and holding.decision_about(hold, "confirmed", context.standing) is None:
            return Decided(_refused(hold, context), outside)
    short = _too_short(listing, context, rules)
    left_out = _scope_holds(outside - present, context)
    plan, counts = _guard_against_shrinking(_without(plan, present), listing, context, rules)
    judged = quarantine.judge(tuple(_forgetting(change, context.moment, rules) for change in plan.changes), context.prices, rules.prices)
    refusals = (*_refused_absences(before, context), *_refused_total(listing, context), *judged.refusals)
    holds = (*short, *left_out, *_left_of_reopened(listing, context), *plan.holds, *judged.holds)
    plan = msgspec.structs.replace(plan, changes=judged.changes, holds=holds, rejected=refusals)
    return Decided(settled(with_watched(plan, stored), stored), outside, counts)


def _refused(hold: Hold, context: Context) -> Plan:
    """Nothing of the listing is applied; what a person rejected before is no question any more."""
    row = holding.decision_about(hold, "rejected", context.standing)
    if row is None:
        return Plan(holds=(hold,), refused=hold)
    return Plan(refused=hold, refusal=Refusal(row, f"{hold.message}. {NOTHING_CHANGED}"))


# Absence that means nothing by itself


def _outside(listing: Listing, stored: Stored, context: Context, rules: Rules) -> frozenset[str]:
    """Ids that are not absent, although the listing lacks them, because it was asked for in another scope (options, key, origin).

    At the first complete listing of a new scope these are all that it lacks; each is excused until it is listed again, or a person
    confirms that it is gone. Another key alone excuses nothing while no more is lacking than may be absent at once.
    """
    scope = context.scope
    if not listing.complete:
        return scope.excused if scope.changed else scope.excused - listing.seen - context.accepted
    lacking = scope.excused
    if scope.changed:
        known = stored.hashes.keys() - stored.retired
        few = len(known - listing.seen - scope.excused) <= _limit(context, rules)
        lacking = scope.excused if scope.only_the_key and few else frozenset(known)
    return lacking - listing.seen - context.accepted if lacking else lacking


def _scope_holds(outside: frozenset[str], context: Context) -> Iterable[Hold]:
    for ids in holding.parts(holding.SCOPE, outside, context.standing):
        yield Hold(
            holding.SCOPE,
            f"{len(ids):,} models are not listed since the key, the options or the address changed",
            "They stay as they were, at their old prices. Confirm that they are gone, or reject it to keep them",
            ids,
        )


def _refused_absences(plan: Plan, context: Context) -> Iterable[Refusal]:
    """The rejections of absence that keep models of this listing in the catalog."""
    for row in context.standing:
        if row.status == "rejected" and row.kind not in holding.OF_PRICES:
            absent = row.about.intersection(plan.gone)
            if absent:
                yield Refusal(row, f"{len(absent):,} models that are not listed stay as they were")


def _too_short(listing: Listing, context: Context, rules: Rules) -> Iterable[Hold]:
    """A list that lacks the same number of rows again and again: perhaps it always will."""
    hold = Hold(
        holding.TOTAL,
        f"the list says that it has {listing.shortfall:,} more rows than it shows, {context.same_shortfall + 1} listings in a row",
        "What it shows was applied; what it lacks is not absent. Confirm it if the provider's count is wrong by that much",
        detail={"rows": listing.shortfall},
    )
    often = listing.shortfall and context.same_shortfall + 1 >= rules.total_listings
    decided = any(row.status in ("confirmed", "rejected") and row.content == hold.content for row in context.standing)
    return (hold,) if often and not decided else ()


def _refused_total(listing: Listing, context: Context) -> Iterable[Refusal]:
    for row in context.standing:
        if row.kind == holding.TOTAL and row.status == "rejected" and (row.detail or {}).get("rows") == listing.shortfall:
            yield Refusal(row, f"the list lacks {listing.shortfall:,} rows and does not count as complete")


def with_accepted_total(listing: Listing, standing: Iterable[Standing]) -> Listing:
    """The listing as complete, when it lacks just as many rows as a person said that it always does."""
    accepted = {(row.detail or {}).get("rows") for row in standing if row.kind == holding.TOTAL and row.status == "confirmed"}
    if listing.shortfall and listing.shortfall in accepted:
        return msgspec.structs.replace(listing, complete=True, shortfall=0)
    return listing


def _forgetting(change: Change, moment: Unstated | None, rules: Rules) -> Change:
    """A price that was not stated often and long enough becomes unknown; until then it stays, and since when is remembered."""
    if change.stated is None or change.before is None:
        return change
    before = change.before.upstream.unstated if change.before.upstream else {}
    names = list(unstated_points(claimed(change.stated.prices), change.model.prices))
    if moment is None:
        return msgspec.structs.replace(change, unstated={name: before[name] for name in names if name in before})
    unstated = {name: before.get(name, moment) for name in names}
    gone = [name for name, since in unstated.items() if rules.is_due(since.since, since.seq, moment.since, moment.seq)]
    prices = without_prices(change.model.prices, gone)
    left = {name: since for name, since in unstated.items() if name not in gone}
    return msgspec.structs.replace(change, model=msgspec.structs.replace(change.model, prices=prices), unstated=left)


Doubt = Callable[[Plan, Listing, int, Context, Rules], Hold | None]


def _unreadable(_plan: Plan, listing: Listing, _stored: int, _context: Context, _rules: Rules) -> Hold | None:
    if listing.models or not listing.rejected:
        return None
    message = f"none of the {len(listing.rejected):,} rows could be read (the first: {listing.rejected[0].reason})"
    return Hold("invalid", message, f"{NOTHING_CHANGED}; the provider may have changed its format: see --verbose, and report it")


def _empty(_plan: Plan, listing: Listing, _stored: int, context: Context, _rules: Rules) -> Hold | None:
    """An empty list is an accident far more often than the truth."""
    if listing.models or context.may_be_empty:
        return None
    hint = f"{NOTHING_CHANGED}; the last listing stays in place until models are listed again"
    message = f"all {listing.left_out:,} rows are of kinds that are left out" if listing.left_out else "the list is empty"
    return Hold("empty", message, hint)


def _other_catalog(plan: Plan, listing: Listing, stored: int, _context: Context, rules: Rules) -> Hold | None:
    """Nearly all ids new and nearly all old ones gone: that is somebody else's list, or every id was renamed."""
    new = [change.id for change in plan.changes if change.kind is ChangeKind.ADDED]
    newly_gone = plan.count(ChangeKind.MISSING)
    few = stored <= rules.shrink_models
    if few or len(new) < rules.other_catalog_share * len(listing.models) or newly_gone < rules.other_catalog_share * stored:
        return None
    renamed = _looks_renamed(new, plan.gone)
    message = f"{len(new):,} of {len(listing.models):,} ids are new and {newly_gone:,} of {stored:,} known ones are gone{renamed}"
    hint = f"{NOTHING_CHANGED}; confirm it if this really is the provider's list"
    return Hold(holding.OTHER_CATALOG, message, hint, plan.gone, {holding.NEW: sorted(new)})


def _looks_renamed(new: list[str], gone: tuple[str, ...]) -> str:
    """A hint for people: the same names in another case or with another prefix."""
    names = {row_id.rpartition("/")[2].casefold() for row_id in new}
    same = sum(row_id.rpartition("/")[2].casefold() in names for row_id in gone)
    return "; it looks like a renaming" if gone and same * 2 >= len(gone) else ""


def _without(plan: Plan, present: frozenset[str]) -> Plan:
    """Without the absence of models that are there all the same."""
    if not present:
        return plan
    changes = tuple(change for change in plan.changes if change.kind not in _ABSENCE or change.id not in present)
    return msgspec.structs.replace(plan, changes=changes, gone=tuple(row_id for row_id in plan.gone if row_id not in present))


_ABSENCE = (ChangeKind.MISSING, ChangeKind.RETIRED)


def _limit(context: Context, rules: Rules) -> float:
    """How many models may be absent at once."""
    return max(rules.shrink_models, rules.shrink_share * context.most_listed)


def _guard_against_shrinking(plan: Plan, listing: Listing, context: Context, rules: Rules) -> tuple[Plan, bool]:
    """Without the absences of a listing that lacks too many models; what is new or changed in it is applied all the same.

    The second tells whether the absences of this listing count. Of fewer models only those are left that wait for a person again, who took
    a decision about them back.
    """
    accepted = context.accepted
    suspicious = tuple(row_id for row_id in plan.gone if row_id not in accepted)
    unreadable = len(listing.rejected) > rules.rejected_share * listing.fetched
    lost = len(suspicious) + context.retired_lately
    if not suspicious or (lost <= _limit(context, rules) and not unreadable):
        return _with_reopened(plan, suspicious, context), True
    if unreadable:
        why = f" from a list of which {len(listing.rejected):,} of {listing.fetched:,} rows are unreadable"
    else:
        lately = f" and {context.retired_lately:,} were retired" if context.retired_lately else ""
        why = f"{lately}; the most listed in the last seven days was {context.most_listed:,}"
    new = [change.id for change in plan.changes if change.kind is ChangeKind.ADDED]
    again = context.reopened.intersection(suspicious)
    parts = [ids for of in (again, {*suspicious} - again) for ids in holding.parts(holding.SHRINK, of, context.standing)]
    holds = tuple(_shrink_hold(ids, f"{why}{_looks_renamed(new, ids)}", context) for ids in parts)
    # This listing counts no absence, so that it is no model's third; what a person confirmed may begin to be missing with it.
    begins = {change.id for change in plan.changes if change.kind is ChangeKind.MISSING and change.id in accepted}
    kept = tuple(change for change in plan.changes if change.kind not in _ABSENCE or change.id in begins)
    return msgspec.structs.replace(plan, changes=kept, holds=(*plan.holds, *holds)), False


def _with_reopened(plan: Plan, absent: Iterable[str], context: Context) -> Plan:
    """Without the absences that wait for a person again."""
    waiting = frozenset(context.reopened.intersection(absent))
    if not waiting:
        return plan
    parts = holding.parts(holding.SHRINK, waiting, context.standing)
    holds = tuple(_shrink_hold(ids, "; a decision about them was taken back", context) for ids in parts)
    return msgspec.structs.replace(_without(plan, waiting), gone=plan.gone, holds=(*plan.holds, *holds))


def _left_of_reopened(listing: Listing, context: Context) -> Iterable[Hold]:
    """What still waits of absences of which an incomplete listing shows a part: it can tell who is there, and nothing of the others."""
    for row in context.standing if not listing.complete else ():
        left = row.about - listing.seen
        if row.status == "open" and row.needs_person and row.kind not in holding.OF_PRICES and left and left != row.about:
            yield _shrink_hold(tuple(sorted(left)), "; a decision about them was taken back", context)


def _shrink_hold(ids: tuple[str, ...], why: str, context: Context) -> Hold:
    return Hold(
        holding.SHRINK,
        f"{len(ids):,} models are absent{why}",
        "None of them was marked missing or retired; the rest was applied. Confirm it if they really are gone",
        ids,
        needs_person=not context.reopened.isdisjoint(ids),
    )
