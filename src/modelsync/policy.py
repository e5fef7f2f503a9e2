"""What a sync must not believe by itself: pure functions over listings and plans, with numbers that a user may set.

The numbers come from measurements of real catalogs: nine of ten removals take less than a fifth of a provider's models away.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from modelsync import quarantine
from modelsync.layers import Silence, unstated, without_prices
from modelsync.model import claimed
from modelsync.plan import Change, Hold, Kind, Plan, Stored, settled, with_restless
from modelsync.quarantine import Evidence
from modelsync.reading import Listing


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """When absence, and when a price is believed.

    A model is retired after it was absent from `retire_after_listings` complete listings in a row that span `retire_after_hours`.
    A listing that lacks more than `shrink_share` of the most models of the last seven days, and more than `shrink_models`, is held.
    So is absence in a listing of which more than `rejected_share` of the rows could not be read.
    """

    retire_after_listings: int = 3
    retire_after_hours: float = 24.0
    shrink_share: float = 0.2
    shrink_models: int = 5
    rejected_share: float = 0.1
    other_catalog_share: float = 0.8
    prices: quarantine.Limits = quarantine.Limits()

    def is_due(self, since: datetime, since_seq: int, now: datetime, seq: int) -> bool:
        """Whether what is absent since listing `since_seq` at `since` is believed to be gone if listing `seq` at `now` lacks it too."""
        return seq - since_seq + 1 >= self.retire_after_listings and now - since >= timedelta(hours=self.retire_after_hours)


DEFAULT_RULES = Rules()


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the store knows beside the stored models: the most rows of any listing of the last seven days, and what a person decided.

    `retired_lately` were retired within these days without a person's word: without them a slow drip would pass for ever. `accepted` and
    `doubted` are ids whose absence was confirmed or rejected; `accepted_kinds` are the holds of whole listings that were confirmed.
    `outside` are ids that are not listed only because the scope changed. `moment` is the time and the number of this listing, None when
    its silence about a price means nothing.
    """

    most_listed: int = 0
    retired_lately: int = 0
    may_be_empty: bool = False
    accepted: frozenset[str] = frozenset()
    doubted: frozenset[str] = frozenset()
    outside: frozenset[str] = frozenset()
    accepted_kinds: frozenset[str] = frozenset()
    moment: Silence | None = None
    prices: Evidence = Evidence()


NOTHING_CHANGED = "Nothing was changed"


def outside_scope(listing: Listing, known: Iterable[str], *, scope: str, last_scope: str | None, excused: frozenset[str]) -> frozenset[str]:
    """Ids that are not absent, although the listing lacks them, because it was asked for in another scope (options, key, origin).

    At the first complete listing of a new scope these are all that it lacks; each is excused until it is listed again.
    """
    if not listing.complete:
        return excused
    lacking = frozenset(known) if last_scope not in (None, scope) else excused
    return lacking - listing.seen if lacking else lacking


def decide(plan: Plan, listing: Listing, stored: Stored, context: Context, rules: Rules) -> Plan:
    """The plan with everything taken out that is not believed, and with operators' decisions over it."""
    standing = len(stored.hashes) - len(stored.retired)
    plan = _without(plan, context.outside)
    for refuse in (_unreadable, _empty, _other_catalog):
        hold = refuse(plan, listing, standing, context, rules)
        if hold is not None and not _is_accepted(hold, context):
            return Plan(refused=hold)
    plan = _guard_against_shrinking(_without(plan, context.doubted), listing, context, rules)
    judged = quarantine.judge(tuple(_forgetting(change, context.moment, rules) for change in plan.changes), context.prices, rules.prices)
    plan = msgspec.structs.replace(plan, changes=judged.changes, holds=(*plan.holds, *judged.holds), rejected=judged.rejected)
    return settled(with_restless(plan, stored), stored)


def _is_accepted(hold: Hold, context: Context) -> bool:
    """Whether a person has confirmed just that: a decision is about ids, and about no others."""
    return hold.kind in context.accepted_kinds and set(hold.ids) <= context.accepted


def _forgetting(change: Change, moment: Silence | None, rules: Rules) -> Change:
    """A price that was not stated often and long enough becomes unknown; until then it stays, and since when is remembered."""
    if change.stated is None or change.before is None:
        return change
    before = change.before.beneath.silent if change.before.beneath else {}
    names = list(unstated(claimed(change.stated.prices), change.model.prices))
    if moment is None:
        return msgspec.structs.replace(change, silent={name: before[name] for name in names if name in before})
    silent = {name: before.get(name, moment) for name in names}
    gone = [name for name, since in silent.items() if rules.is_due(since.since, since.seq, moment.since, moment.seq)]
    prices = without_prices(change.model.prices, gone)
    left = {name: since for name, since in silent.items() if name not in gone}
    return msgspec.structs.replace(change, model=msgspec.structs.replace(change.model, prices=prices), silent=left)


Refusal = Callable[[Plan, Listing, int, Context, Rules], Hold | None]


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
    new = [change.id for change in plan.changes if change.kind is Kind.ADDED]
    newly_gone = plan.count(Kind.MISSING)
    few = stored <= rules.shrink_models
    if few or len(new) < rules.other_catalog_share * len(listing.models) or newly_gone < rules.other_catalog_share * stored:
        return None
    renamed = _looks_renamed(new, plan.gone)
    message = f"{len(new):,} of {len(listing.models):,} ids are new and {newly_gone:,} of {stored:,} known ones are gone{renamed}"
    return Hold("other-catalog", message, f"{NOTHING_CHANGED}; confirm it if this really is the provider's list", plan.gone)


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


_ABSENCE = (Kind.MISSING, Kind.RETIRED)


def _guard_against_shrinking(plan: Plan, listing: Listing, context: Context, rules: Rules) -> Plan:
    """Without the absences of a listing that lacks too many models; what is new or changed in it is applied all the same."""
    suspicious = tuple(row_id for row_id in plan.gone if row_id not in context.accepted)
    limit = max(rules.shrink_models, rules.shrink_share * context.most_listed)
    unreadable = len(listing.rejected) > rules.rejected_share * listing.fetched
    lost = len(suspicious) + context.retired_lately
    if not suspicious or (lost <= limit and not unreadable):
        return plan
    if unreadable:
        bad = f"{len(listing.rejected):,} of {listing.fetched:,} rows"
        message = f"{len(suspicious):,} models are absent from a list of which {bad} are unreadable"
    else:
        lately = f" and {context.retired_lately:,} were retired" if context.retired_lately else ""
        message = f"{len(suspicious):,} models are absent{lately}; the most listed in the last seven days was {context.most_listed:,}"
    new = [change.id for change in plan.changes if change.kind is Kind.ADDED]
    hold = Hold(
        "shrink",
        message + _looks_renamed(new, suspicious),
        "No model was marked missing or retired; the rest was applied. Confirm it if they really are gone",
        suspicious,
    )
    # This listing counts no absence, so that it is no model's third; what a person confirmed may begin to be missing with it.
    begins = {change.id for change in plan.changes if change.kind is Kind.MISSING and change.id in context.accepted}
    kept = tuple(change for change in plan.changes if change.kind not in _ABSENCE or change.id in begins)
    return msgspec.structs.replace(plan, changes=kept, holds=(*plan.holds, hold))
