"""What is not believed: empty and unreadable lists, somebody else's list, lists that shrank; and when absence becomes retirement."""

from datetime import UTC, datetime, timedelta

import pytest

from modelsync.model.model import Model
from modelsync.planning.decoding import Rejected
from modelsync.planning.holding import Standing
from modelsync.planning.listing import Listing
from modelsync.planning.plan import Change, ChangeKind, Plan, Stored
from modelsync.planning.policy import DEFAULT_RULES, Context, Rules, decide

ROW = Rejected(0, "a", "the id is empty", "{}")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def names(count, prefix="m"):
    return [f"{prefix}{number:03}" for number in range(count)]


def listed(*ids, rejected=()):
    return Listing(models={row_id: Model(id=row_id) for row_id in ids}, hashes={}, rejected=rejected)


def plan_of(*, added=(), missing=(), retired=(), still=()):
    kinds = [(ChangeKind.ADDED, added), (ChangeKind.MISSING, missing), (ChangeKind.RETIRED, retired)]
    changes = [Change(kind, row_id, Model(id=row_id), "h") for kind, ids in kinds for row_id in ids]
    return Plan(tuple(changes), gone=(*missing, *retired, *still))


def decided(plan, listing, stored=100, rules=DEFAULT_RULES, **known):
    standing = Stored({str(number): "h" for number in range(stored)})
    return decide(plan, listing, standing, Context(**{"most_listed": stored, **known}), rules).plan


def said(status, ids, kind="shrink", new=()):
    """A person's decision about ids, and about the ones that were new."""
    return (Standing(id=1, kind=kind, status=status, ids=tuple(ids), detail={"new": list(new)} if new else None, resolved_by="ada"),)


@pytest.mark.parametrize("rejected", [(), (ROW,)])
def test_one_readable_model_is_believed(rejected):
    assert decided(plan_of(added=["a"]), listed("a", rejected=rejected), stored=0).refused is None


def test_i02_an_empty_list_is_held_unless_the_provider_may_be_empty():
    refused = decided(Plan(), listed()).refused
    assert (refused.kind, refused.message) == ("empty", "the list is empty")
    assert "Nothing was changed" in refused.hint
    assert decided(Plan(), listed(), may_be_empty=True).refused is None


def test_a_list_of_unreadable_rows_is_held_and_names_the_first_reason():
    for known in ({}, {"may_be_empty": True}):
        refused = decided(Plan(), listed(rejected=(ROW,) * 1234), **known).refused
        assert (refused.kind, refused.message) == ("invalid", "none of the 1,234 rows could be read (the first: the id is empty)")


@pytest.mark.parametrize(("stored", "gone", "held"), [(100, 20, False), (100, 21, True), (10, 5, False), (10, 6, True), (3, 3, False)])
def test_i05_more_than_a_fifth_and_more_than_five_absent_models_are_held(stored, gone, held):
    plan = decided(plan_of(added=["new"], missing=names(gone)), listed("new", *names(stored - gone, "k")), stored)
    assert bool(plan.holds) == held
    assert plan.count(ChangeKind.ADDED) == 1  # what is new is applied all the same
    assert plan.count(ChangeKind.MISSING) == (0 if held else gone)


def test_i05_a_slow_drip_is_measured_against_the_largest_listing_of_the_week():
    drip = plan_of(missing=names(10, "new"), still=names(15, "old"))
    assert decided(drip, listed(*names(75)), 100).holds[0].message == "25 models are absent; the most listed in the last seven days was 100"
    assert decided(drip, listed(*names(75)), 100, most_listed=130).holds == ()
    assert decided(drip, listed(*names(75)), 100, most_listed=130, retired_lately=2).holds[0].ids == drip.gone


def test_i05_a_hold_keeps_retirement_from_happening_too():
    assert decided(plan_of(retired=names(3), missing=names(30, "x")), listed(*names(70, "k")), 103).changes == ()


def test_confirmed_absence_passes_and_the_rest_is_still_guarded():
    plan = plan_of(missing=names(30))
    assert decided(plan, listed("k"), 100, standing=said("confirmed", names(30))).count(ChangeKind.MISSING) == 30
    more = decided(plan_of(missing=names(60)), listed("k"), 100, standing=said("confirmed", names(30)))
    assert (more.count(ChangeKind.MISSING), len(more.holds[0].ids)) == (30, 30)


def test_rejected_absence_never_happened():
    plan = decided(plan_of(missing=names(30)), listed("k"), 100, standing=said("rejected", names(30)))
    assert (plan.changes, plan.gone, plan.holds) == ((), (), ())
    assert [refusal.what for refusal in plan.rejected] == ["30 models that are not listed stay as they were"]


def test_a_list_with_many_unreadable_rows_says_nothing_of_what_is_absent():
    ten, eleven = (tuple(Rejected(number, None, "no", "") for number in range(count)) for count in (10, 11))
    few = decided(plan_of(missing=["a"]), listed(*names(90), rejected=ten))
    assert (few.count(ChangeKind.MISSING), few.holds) == (1, ())
    many = decided(plan_of(missing=["a"]), listed(*names(89), rejected=eleven))
    assert (many.count(ChangeKind.MISSING), many.holds[0].message) == (
        0,
        "1 models are absent from a list of which 11 of 100 rows are unreadable",
    )


def test_s06_another_providers_list_is_held_as_a_whole():
    plan = plan_of(added=names(20, "other/"), missing=names(20))
    refused = decided(plan, listed(*names(20, "other/")), 20).refused
    assert refused.kind == "other-catalog"
    assert refused.message.startswith("20 of 20 ids are new and 20 of 20 known ones are gone")
    assert refused.detail == {"new": names(20, "other/")}


@pytest.mark.parametrize(
    ("gone", "new", "kind", "covers"),
    [
        (20, 20, "other-catalog", True),
        (20, 18, "other-catalog", True),  # two of twenty came while somebody thought
        (20, 17, "other-catalog", False),
        (20, 0, "other-catalog", False),
        (19, 20, "other-catalog", False),
        (20, 20, "shrink", False),
    ],
)
def test_i38_a_decision_about_another_catalog_is_about_the_list_that_was_shown(gone, new, kind, covers):
    plan, others = plan_of(added=names(20, "other/"), missing=names(20)), listed(*names(20, "other/"))
    confirmed = decided(plan, others, 20, standing=said("confirmed", names(gone), kind, names(new, "other/")))
    assert (confirmed.refused is None) is covers
    rejected = decided(plan, others, 20, standing=said("rejected", names(gone), kind, names(new, "other/")))
    assert rejected.refused.kind == "other-catalog"
    assert (rejected.refusal is not None) is covers
    assert (rejected.holds == ()) is covers


def test_s03_ids_that_only_got_a_prefix_look_like_a_renaming():
    plan = plan_of(added=[f"acme/{name}" for name in names(20)], missing=[name.upper() for name in names(20)])
    assert "it looks like a renaming" in decided(plan, listed(*(f"acme/{name}" for name in names(20))), 20).refused.message


def test_i06_absence_needs_three_listings_over_a_day():
    def due(listings, hours, rules=DEFAULT_RULES):
        return rules.is_due(NOON, 7, NOON + timedelta(hours=hours), 7 + listings - 1)

    assert not due(3, 23.9)
    assert not due(2, 100)
    assert due(3, 24)
    assert due(50, 24)
    assert due(1, 0, Rules(retire_after_listings=1, retire_after_hours=0))
