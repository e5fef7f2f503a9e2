"""Plans: what a listing would change in a catalog, worked out without touching either."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.model.model import NO_PRICES, PRICE_FIELDS, Model, Prices, Tier, UnitPrice, content_hash
from modelsync.planning.decoding import Rejected
from modelsync.planning.layers import effective
from modelsync.planning.listing import Listing
from modelsync.planning.outcome import counts_of
from modelsync.planning.plan import NOTHING_STORED, ChangeKind, FieldChange, Plan, Stored, StoredModel, differences, needed, settled
from modelsync.planning.plan import make_plan as difference
from modelsync.planning.plan import retirements as retired
from modelsync.planning.policy import DEFAULT_RULES, Context, decide
from modelsync.testing import D

UPDATED, PRICED, SEEN = (datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3))
quick = settings(max_examples=150, deadline=None, derandomize=True)


def make_plan(listing, before):
    """The plan with nothing in it doubted."""
    return settled(difference(listing, before), before)


def retirements(before):
    return settled(retired(before), before)


def listed(*models, rejected=(), duplicates=(), complete=True):
    return Listing(
        models={model.id: model for model in models},
        hashes={model.id: content_hash(model) for model in models},
        rejected=tuple(Rejected(position, row_id, "no", "") for position, row_id in enumerate(rejected)),
        duplicates=tuple(duplicates),
        complete=complete,
    )


def stored(*models, missing=()):
    """A catalog in which these models stand as they were listed."""
    return Stored(
        hashes={model.id: content_hash(model) for model in models},
        missing=frozenset(missing),
        models={model.id: StoredModel(model, UPDATED, PRICED) for model in models},
    )


def after(before, plan):
    """The catalog as it stands when a plan was applied."""
    hashes, missing, models = dict(before.hashes), set(before.missing), dict(before.models)
    for change in (*plan.changes, *plan.rehashed):
        hashes[change.id] = change.content_hash
        gone = change.kind is ChangeKind.MISSING
        (missing.add if gone else missing.discard)(change.id)
        models[change.id] = StoredModel(change.model, change.updated_at or SEEN, change.priced_at or SEEN)
    return Stored(hashes, frozenset(missing), models)


def only(plan):
    """The one thing that is written: a change, or no more than the hash of what the provider says."""
    (change,) = (*plan.changes, *plan.rehashed)
    return change


def replaced(model, **facts):
    return msgspec.structs.replace(model, **facts)


A = Model(
    id="a", model_name="A", context_length=8192, metadata={"owner": "x"}, prices=Prices(prompt=D("0.000001"), completion=D("0.000002"))
)
B = Model(id="b", model_name="B")


def test_a_model_never_seen_is_added_and_carries_no_fields():
    change = only(make_plan(listed(A), NOTHING_STORED))
    assert (change.kind, change.id, change.model, change.content_hash) == (ChangeKind.ADDED, "a", A, content_hash(A))
    assert (change.fields, change.updated_at, change.priced_at) == ((), None, None)


def test_i17_the_same_listing_changes_nothing():
    assert make_plan(listed(A, B), stored(A, B)) == Plan((), unchanged=2)


def test_an_updated_model_names_old_and_new():
    change = only(make_plan(listed(replaced(A, model_name="A2", available=False)), stored(A)))
    assert change.kind is ChangeKind.UPDATED
    assert change.fields == (FieldChange("model_name", "A", "A2"), FieldChange("is_active", True, False))
    assert (change.updated_at, change.priced_at) == (None, PRICED)  # a real change, and no change of price


def test_a_change_of_metadata_alone_is_no_change_of_the_model():
    change = only(make_plan(listed(replaced(A, metadata={"owner": "y"})), stored(A)))
    assert (change.kind, change.fields, change.model.metadata) == (ChangeKind.UPDATED, (), {"owner": "y"})
    assert (change.updated_at, change.priced_at) == (UPDATED, PRICED)


PRICE_NAMES = {
    "prompt": "pricing_prompt",
    "completion": "pricing_completion",
    "image": "pricing_image",
    "request": "pricing_request",
    "cache_read": "pricing.cache_read",
    "cache_write_1h": "pricing.cache_write_1h",
    "web_search": "pricing.web_search",
    "per_unit": "pricing.per_unit",
    "tiers": "pricing.tiers",
    "dynamic": "pricing.dynamic",
    "others": "pricing.others",
}
NEW_PRICES = {
    "per_unit": (UnitPrice("second", D("0.001")),),
    "tiers": (Tier(above=1000, prompt=D("0.000002")),),
    "dynamic": True,
    "others": {"new": "1"},
}


@pytest.mark.parametrize("name", PRICE_FIELDS)
def test_every_change_of_a_price_has_the_name_of_its_column_or_its_place_in_the_document(name):
    value = NEW_PRICES.get(name, D("0.000003"))
    old = getattr(A.prices, name)
    changed = replaced(A, prices=msgspec.structs.replace(A.prices, **{name: value}))
    change = only(make_plan(listed(changed), stored(A)))
    assert change.fields == (FieldChange(PRICE_NAMES.get(name, f"pricing.{name}"), old, value),)
    assert (change.priced_at, change.updated_at) == (None, None)


def test_a_price_written_differently_is_no_change():
    again = replaced(A, prices=msgspec.structs.replace(A.prices, raw={"in": "1 USD per 1M tokens"}, problems=("x",)))
    assert make_plan(listed(again), stored(A)).unchanged == 1


# Not stated


@pytest.mark.parametrize("name", [name for name in Model.__struct_fields__ if name not in ("id", "available", "metadata", "prices")])
def test_i09_a_fact_that_is_no_longer_stated_stays(name):
    known = {
        "context_length": 1,
        "max_output_tokens": 1,
        "input_modalities": ("text",),
        "output_modalities": ("text",),
        "released_at": SEEN,
        "expires_at": SEEN,
        "model_name": "x",
        "description": "x",
        "hugging_face_id": "x",
    }
    before = Model(id="m", **{name: known.get(name, False)})
    change = only(make_plan(listed(Model(id="m")), stored(before)))
    assert getattr(change.model, name) == known.get(name, False)
    assert (change.fields, change.updated_at) == ((), UPDATED)
    assert change.content_hash == content_hash(Model(id="m"))  # the hash is that of what the provider said


def test_i09_a_price_that_is_no_longer_stated_stays_with_its_date():
    change = only(make_plan(listed(replaced(A, prices=NO_PRICES)), stored(A)))
    assert (change.model.prices, change.fields, change.priced_at) == (A.prices, (), PRICED)


def test_i09_one_price_of_several_that_is_no_longer_stated_stays():
    change = only(make_plan(listed(replaced(A, prices=Prices(prompt=D("0.000005")))), stored(A)))
    assert (change.model.prices.prompt, change.model.prices.completion) == (D("0.000005"), D("0.000002"))
    assert change.fields == (FieldChange("pricing_prompt", D("0.000001"), D("0.000005")),)
    assert change.priced_at is None


def test_i09_a_price_that_cannot_be_read_leaves_the_known_one_and_its_reason():
    unreadable = Prices(raw={"in": "$1 USD per token"}, problems=("price in = $1: no",))
    change = only(make_plan(listed(replaced(A, prices=unreadable, model_name="A2")), stored(A)))
    assert change.model.prices.prompt == D("0.000001")
    assert change.model.prices.problems == ("price in = $1: no",)
    assert [field.field for field in change.fields] == ["model_name"]


def test_free_is_a_price_and_replaces_the_one_before():
    free = Prices(prompt=D(0), completion=D(0))
    change = only(make_plan(listed(replaced(A, prices=free)), stored(A)))
    assert change.model.prices == free
    assert [(field.field, field.new) for field in change.fields] == [("pricing_prompt", 0), ("pricing_completion", 0)]


def test_a_price_that_became_dynamic_is_no_number_any_more():
    change = only(make_plan(listed(replaced(A, prices=Prices(dynamic=True))), stored(A)))
    assert (change.model.prices.prompt, change.model.prices.dynamic) == (None, True)
    back = only(make_plan(listed(A), stored(replaced(A, prices=Prices(dynamic=True)))))
    assert (back.model.prices.prompt, back.model.prices.dynamic) == (D("0.000001"), False)


@pytest.mark.parametrize("empty", [{"supports_vision": False}, {"available": False}, {"metadata": {}}])
def test_false_and_empty_are_statements(empty):
    before = Model(id="m", supports_vision=True, available=True, metadata={"a": 1})
    name, value = next(iter(empty.items()))
    assert getattr(effective(replaced(before, **empty), before), name) == value


def test_what_is_known_is_not_changed_by_what_is_stated():
    assert effective(A, B) == replaced(A)
    assert list(differences(A, A)) == []


# Absence


def test_a_model_a_complete_listing_does_not_have_is_missing_and_stays_as_it_was():
    plan = make_plan(listed(B), stored(A, B))
    change = only(plan)
    assert (change.kind, change.id, change.model, change.content_hash) == (ChangeKind.MISSING, "a", A, content_hash(A))
    assert (change.fields, change.priced_at) == ((), PRICED)
    assert (plan.unchanged, plan.absent) == (1, 1)


def test_a_model_that_is_still_missing_costs_nothing():
    assert make_plan(listed(B), stored(A, B, missing=["a"])) == Plan((), unchanged=1, gone=("a",))


def test_i01_absence_in_a_listing_that_is_not_complete_means_nothing():
    plan = make_plan(listed(B, complete=False), stored(A, B))
    assert plan == Plan((), unchanged=1)


def test_i02_nothing_is_missing_from_an_empty_listing():
    assert make_plan(listed(), stored(A, B)) == Plan()


def test_i04_a_rejected_model_is_seen_and_not_missing():
    assert make_plan(listed(B, rejected=["a", None]), stored(A, B)) == Plan((), unchanged=1)


def test_i04_a_missing_model_that_comes_as_a_rejected_row_is_back_as_it_was():
    change = only(make_plan(listed(B, rejected=["a"]), stored(A, B, missing=["a"])))
    assert (change.kind, change.model, change.content_hash, change.fields) == (ChangeKind.REVIVED, A, content_hash(A), ())


def test_a_rejected_model_that_nobody_knew_is_no_change():
    assert make_plan(listed(B, rejected=["new"]), stored(B)).changes == ()


def test_a_missing_model_that_comes_back_unchanged_is_revived():
    change = only(make_plan(listed(A), stored(A, missing=["a"])))
    assert (change.kind, change.fields, change.updated_at, change.priced_at) == (ChangeKind.REVIVED, (), None, PRICED)


def test_a_missing_model_that_comes_back_changed_is_revived_with_what_changed():
    change = only(make_plan(listed(replaced(A, model_name="A2")), stored(A, missing=["a"])))
    assert (change.kind, change.fields) == (ChangeKind.REVIVED, (FieldChange("model_name", "A", "A2"),))


def test_changes_are_in_the_order_of_their_ids():
    models = [Model(id=row_id) for row_id in ("z", "B", "é", "a", "M")]
    plan = make_plan(listed(*models), stored(Model(id="k"), Model(id="C")))
    assert [change.id for change in plan.changes] == ["B", "C", "M", "a", "k", "z", "é"]
    assert plan.count(ChangeKind.ADDED) == 5
    assert plan.count(ChangeKind.ADDED, ChangeKind.MISSING) == 7


# Properties

ids = st.sampled_from(["a", "b", "c", "d", "e", "A"])
prices = st.none() | st.sampled_from([D(0), D("0.000001"), D("0.000002")])
models = st.builds(
    lambda row_id, name, context, prompt, completion, dynamic, owner, available: Model(
        id=row_id,
        model_name=name,
        context_length=context,
        available=available,
        metadata={"owner": owner},
        prices=Prices(prompt=prompt, completion=completion, dynamic=dynamic),
    ),
    ids,
    st.sampled_from([None, "x", "y"]),
    st.sampled_from([None, 1, 2]),
    prices,
    prices,
    st.booleans(),
    st.sampled_from(["x", "y"]),
    st.booleans(),
)
listings = st.builds(
    lambda rows, rejected, duplicates, complete: listed(*rows, rejected=rejected, duplicates=duplicates if rows else (), complete=complete),
    st.lists(models, max_size=6),
    st.lists(st.none() | ids, max_size=3),
    st.lists(ids, max_size=2),
    st.booleans(),
)


@st.composite
def catalogs(draw):
    rows = {model.id: model for model in draw(st.lists(models, max_size=6))}
    gone = draw(st.sets(st.sampled_from(sorted(rows)))) if rows else ()
    return stored(*rows.values(), missing=gone)


@quick
@given(listings, catalogs())
def test_i20_every_row_is_counted_once(listing, catalog):
    plan = make_plan(listing, catalog)
    for applied in (True, False):
        counts = counts_of(listing, plan, applied=applied)
        assert counts.fetched == counts.created + counts.updated + counts.unchanged + len(listing.rejected) + len(listing.duplicates)
        assert counts.skipped == len(listing.rejected) + len(listing.duplicates)
        assert counts.transformed == counts.fetched - counts.skipped
        assert counts.synced == (counts.transformed if applied else 0)


@quick
@given(listings, catalogs())
def test_i17_a_plan_applied_leaves_nothing_to_plan(listing, catalog):
    plan = make_plan(listing, catalog)
    again = make_plan(listing, after(catalog, plan))
    assert again.changes == ()
    assert again.unchanged == len(listing.models)
    assert again.absent == plan.absent


@quick
@given(listings, catalogs())
def test_i04_i07_no_seen_model_goes_missing_and_no_known_fact_is_erased(listing, catalog):
    plan = make_plan(listing, catalog)
    for change in plan.changes:
        if change.kind is ChangeKind.MISSING:
            assert listing.complete
            assert change.id not in listing.seen
        if change.kind is ChangeKind.ADDED:
            assert change.id not in catalog.hashes
            continue
        known = catalog.models[change.id].model
        for name in ("model_name", "context_length"):
            assert getattr(change.model, name) is not None or getattr(known, name) is None
        for name in ("prompt", "completion"):
            kept = getattr(change.model.prices, name) is not None or getattr(known.prices, name) is None
            assert kept or listing.models[change.id].prices.dynamic
    assert after(catalog, plan).hashes.keys() >= catalog.hashes.keys()


@quick
@given(listings, catalogs())
def test_the_rows_said_to_be_needed_are_enough(listing, catalog):
    wanted = needed(listing, catalog)
    assert wanted == sorted(set(wanted))
    lean = Stored(catalog.hashes, catalog.missing, {row_id: catalog.models[row_id] for row_id in wanted})
    assert make_plan(listing, lean) == make_plan(listing, catalog)


@quick
@given(listings, catalogs(), st.sets(st.sampled_from("abcd")), st.integers(0, 10))
def test_an_incomplete_listing_needs_no_hashes_of_models_that_it_does_not_have(listing, catalog, watched, retired_elsewhere):
    listing = msgspec.structs.replace(listing, complete=False)
    retired_ids = frozenset(f"old{number}" for number in range(retired_elsewhere))
    hashes = {**catalog.hashes, **dict.fromkeys(retired_ids, "h")}
    whole = msgspec.structs.replace(catalog, hashes=hashes, watched=frozenset(watched), retired=retired_ids)
    few = {row_id: digest for row_id, digest in hashes.items() if row_id in listing.seen | watched}
    lean = msgspec.structs.replace(whole, hashes=few, others=len(hashes) - len(few))
    assert (lean.standing, needed(listing, lean)) == (whole.standing, needed(listing, whole))
    plan = difference(listing, lean)
    assert plan == difference(listing, whole)
    assert decide(plan, listing, lean, Context(), DEFAULT_RULES) == decide(plan, listing, whole, Context(), DEFAULT_RULES)


def test_only_rows_that_differ_are_needed():
    same = {"a": content_hash(A), "b": content_hash(B)}
    assert needed(listed(A, B), Stored(same)) == []
    assert needed(listed(A, B), Stored({**same, "a": "other", "c": "x"})) == ["a", "c"]
    assert needed(listed(A, complete=False), Stored({"b": content_hash(B)})) == []
    assert needed(listed(A), Stored({**same, "b": "x"}, missing=frozenset("ab"))) == ["a"]
    assert needed(listed(A), Stored(same, missing=frozenset("b"), due=frozenset("b"))) == ["b"]


def test_a_model_that_is_due_is_retired_when_it_is_absent_again():
    catalog = msgspec.structs.replace(stored(A, B, missing=["b"]), due=frozenset("b"))
    (change,) = make_plan(listed(A), catalog).changes
    assert (change.kind, change.id, change.model.available) == (ChangeKind.RETIRED, "b", False)
    assert change.fields == (FieldChange("status", "missing", "retired"), FieldChange("is_active", True, False))
    (back,) = make_plan(listed(A, B), catalog).changes
    assert (back.kind, back.id) == (ChangeKind.REVIVED, "b")
    assert make_plan(listed(A, complete=False), catalog).changes == ()
    assert make_plan(listed(A, rejected=["b"]), catalog).changes[0].kind is ChangeKind.REVIVED


def test_retired_models_count_no_more_and_come_back_active():
    gone = msgspec.structs.replace(B, available=False)
    catalog = Stored({"a": content_hash(A), "b": content_hash(B)}, models=stored(A, gone).models, retired=frozenset("b"))
    assert make_plan(listed(A), catalog) == Plan((), unchanged=1)
    for listing in (listed(A, B), listed(A, rejected=["b"])):
        (change,) = make_plan(listing, catalog).changes
        assert (change.kind, change.model.available) == (ChangeKind.REVIVED, True)
        assert change.fields[:2] == (FieldChange("status", "retired", "active"), FieldChange("is_active", False, True))


def test_an_unchanged_listing_retires_what_is_due():
    catalog = msgspec.structs.replace(stored(A, B, missing=["a", "b"]), due=frozenset("b"))
    plan = retirements(catalog)
    assert ([(change.kind, change.id) for change in plan.changes], plan.gone) == ([(ChangeKind.RETIRED, "b")], ("a", "b"))


def test_price_fields_that_are_only_kept_as_received_follow_the_provider():
    known, stated = (Model(id="a", prices=Prices(prompt=price, others={"image": raw})) for price, raw in ((D("0.1"), "1"), (None, "2")))
    assert effective(stated, known).prices == Prices(prompt=D("0.1"), others={"image": "2"})
    assert [(change.field, change.old, change.new) for change in differences(known, effective(stated, known))] == [
        ("pricing.others", {"image": "1"}, {"image": "2"})
    ]
