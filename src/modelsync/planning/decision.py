"""What becomes of a listing: all that this rests on as one value, and the decision as another."""

from collections.abc import Set

import msgspec

from modelsync.planning.holding import Standing
from modelsync.planning.listing import Listing
from modelsync.planning.plan import Differing, Plan, Stored
from modelsync.planning.policy import Context, Rules, decide


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision about a listing rests on.

    `plan` is what the listing says, believed or not, `different` where it differs; `stored` what the catalog holds of the provider;
    `context` what it knows beside that; `rules` the numbers of the settings, and over them those that an operator set for this provider.
    """

    listing: Listing
    plan: Plan
    different: Differing
    stored: Stored
    context: Context
    rules: Rules


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing comes to: the plan as far as it is believed, and the listing as it counts.

    `outside` are the ids that are not listed only because the scope changed; `standing` the holds that were open or decided, `retired` the
    models that were retired already, `stored` the ids that were there before it, `otherwise` those that it has otherwise; `read_version` is
    the version of the provider's module that has seen every active model once this listing is applied; without `counts` no absence of this
    listing is one more.
    """

    plan: Plan
    listing: Listing
    outside: frozenset[str] = frozenset()
    standing: tuple[Standing, ...] = ()
    retired: frozenset[str] = frozenset()
    stored: Set[str] = frozenset()
    otherwise: tuple[str, ...] = ()
    read_version: int | None = None
    counts: bool = True


def decision(basis: Basis) -> Verdict:
    """What is believed of a listing, and what waits for a person."""
    stored, listing = basis.stored, basis.listing
    decided = decide(basis.plan, listing, stored, basis.context, basis.rules)
    return Verdict(
        plan=decided.plan,
        listing=listing,
        outside=decided.outside,
        standing=basis.context.standing,
        retired=stored.retired,
        stored=stored.hashes.keys(),
        otherwise=basis.different.otherwise,
        read_version=stored.version if stored.unseen <= listing.seen and not stored.others else stored.read_version,
        counts=decided.counts,
    )
