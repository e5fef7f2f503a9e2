"""The hint that models were renamed rather than removed: it is only words in a hold, and must not send a person the wrong way."""

import pytest

from modelsync.model.model import Model
from modelsync.planning.holding import Standing
from modelsync.planning.listing import Listing
from modelsync.planning.plan import Change, ChangeKind, Plan, Stored
from modelsync.planning.policy import DEFAULT_RULES, Context, decide

HINT = "it looks like a renaming"


def names(count, prefix="m", first=0):
    return [f"{prefix}{number:02}" for number in range(first, first + count)]


def refusal(new, gone):
    """What is said when a list has only `new` ids, and all that were known, `gone`, are absent."""
    changes = [
        Change(kind, row_id, Model(id=row_id), "h") for kind, ids in ((ChangeKind.ADDED, new), (ChangeKind.MISSING, gone)) for row_id in ids
    ]
    listing = Listing(models={row_id: Model(id=row_id) for row_id in new}, hashes={})
    plan = decide(Plan(tuple(changes), gone=tuple(gone)), listing, Stored(dict.fromkeys(gone, "h")), Context(), DEFAULT_RULES).plan
    assert plan.refused.kind == "other-catalog"
    return plan.refused.message


def shrink(new, gone, staying):
    """What is said when a list lacks `gone`, has `staying` as before, and `new` beside them."""
    changes = [
        Change(kind, row_id, Model(id=row_id), "h") for kind, ids in ((ChangeKind.ADDED, new), (ChangeKind.MISSING, gone)) for row_id in ids
    ]
    listing = Listing(models={row_id: Model(id=row_id) for row_id in (*new, *staying)}, hashes={})
    stored = Stored(dict.fromkeys((*gone, *staying), "h"))
    most = Context(most_listed=len(gone) + len(staying))
    (hold,) = decide(Plan(tuple(changes), gone=tuple(gone)), listing, stored, most, DEFAULT_RULES).plan.holds
    assert hold.kind == "shrink"
    return hold.message


@pytest.mark.parametrize(
    ("known_again", "renamed"),
    [(0, False), (1, False), (9, False), (10, True), (11, True), (20, True)],
)
def test_half_of_the_absent_names_must_be_there_again(known_again, renamed):
    gone = names(20)
    new = [f"acme/{name}" for name in gone[:known_again]] + names(20 - known_again, "other")
    assert (HINT in refusal(new, gone)) is renamed


@pytest.mark.parametrize(("count", "known_again", "renamed"), [(7, 3, False), (7, 4, True), (9, 4, False), (9, 5, True)])
def test_half_of_an_odd_number_is_more_than_half(count, known_again, renamed):
    gone = names(count)
    new = [f"acme/{name}" for name in gone[:known_again]] + names(count, "other")
    assert (HINT in refusal(new, gone)) is renamed


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("{}", "acme/{}"),  # a prefix came
        ("acme/{}", "{}"),  # it went
        ("acme/{}", "other/{}"),  # another one
        ("a/b/{}", "c/{}"),  # only what follows the last slash is the name
        ("{}", "{}-Model"),  # not the same name
        ("acme/{}-x", "acme/{}-X"),  # another case
        ("acme/{}-STRASSE", "acme/{}-stra\u00dfe"),  # as Unicode folds it
    ],
)
def test_a_name_is_what_follows_the_last_slash_in_any_case(before, now):
    gone, new = ([form.format(name) for name in names(10)] for form in (before, now))
    assert (HINT in refusal(new, gone)) is (now != "{}-Model")


def test_many_new_ids_of_one_name_are_one_name():
    """Ten new ids that all end alike are no ten renamed models."""
    gone = names(10)
    assert HINT not in refusal([f"maker{number}/{gone[0]}" for number in range(10)], gone)


def test_many_absent_ids_of_one_name_each_count():
    gone = [f"maker{number}/m00" for number in range(10)]
    assert HINT in refusal(["m00", *names(9, "other")], gone)


def test_a_list_that_shrank_tells_it_as_well():
    gone, staying = names(8), names(12, first=8)
    assert shrink([f"acme/{name}" for name in gone[:4]], gone, staying).endswith(f"; {HINT}")
    assert HINT not in shrink([f"acme/{name}" for name in gone[:3]], gone, staying)
    assert HINT not in shrink([], gone, staying)


def test_what_a_person_confirmed_is_not_counted_among_the_absent():
    """Of 12 absent models 4 are confirmed; of the other 8, four have a new name."""
    gone, staying = names(12), names(20, first=12)
    new = [f"acme/{name}" for name in gone[:4]]
    changes = [
        Change(kind, row_id, Model(id=row_id), "h") for kind, ids in ((ChangeKind.ADDED, new), (ChangeKind.MISSING, gone)) for row_id in ids
    ]
    listing = Listing(models={row_id: Model(id=row_id) for row_id in (*new, *staying)}, hashes={})
    stored, plan = Stored(dict.fromkeys((*gone, *staying), "h")), Plan(tuple(changes), gone=tuple(gone))
    (all_absent,) = decide(plan, listing, stored, Context(most_listed=32), DEFAULT_RULES).plan.holds
    assert HINT not in all_absent.message
    confirmed = (Standing(id=1, kind="shrink", status="confirmed", ids=tuple(gone[8:]), resolved_by="ada"),)
    (the_rest,) = decide(plan, listing, stored, Context(most_listed=32, standing=confirmed), DEFAULT_RULES).plan.holds
    assert the_rest.message.startswith("8 models are absent")
    assert HINT in the_rest.message
