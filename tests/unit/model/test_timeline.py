"""The past read backwards: changes undone one by one."""

from datetime import UTC, datetime

from msgspec import Raw, json

from modelsync.model.timeline import FACTS, Difference, Past, Recorded, RecordedChange, collapsed, differing, present, row_of, undone

KEY = ("p", "m")
NOW = Past("p", "m", "active", {"context_length": 8, "pricing_prompt": "0.000001", "pricing.cache_read": "0.0000001"})


def test_a_changed_field_gets_its_old_value_back_and_a_new_one_goes():
    change = Recorded("p", "m", "updated", {"context_length": (4, 8), "pricing.cache_read": (None, "0.0000001")})
    assert undone({KEY: NOW}, [change]) == {KEY: Past("p", "m", "active", {"context_length": 4, "pricing_prompt": "0.000001"})}


def test_an_added_model_was_not_there_before():
    assert undone({KEY: NOW}, [Recorded("p", "m", "added", {})]) == {}


def test_missing_was_active_and_revived_was_missing():
    gone = Past("p", "m", "missing", {"context_length": 8})
    assert undone({KEY: gone}, [Recorded("p", "m", "missing", {})])[KEY].status == "active"
    back = Recorded("p", "m", "revived", {"context_length": (4, 8)})
    assert undone({KEY: NOW}, [back])[KEY] == Past("p", "m", "missing", {**NOW.facts, "context_length": 4})


def test_a_recorded_status_says_more_than_the_kind_of_change():
    back = Recorded("p", "m", "revived", {"status": ("retired", "active"), "context_length": (4, 8)})
    assert undone({KEY: NOW}, [back])[KEY] == Past("p", "m", "retired", {**NOW.facts, "context_length": 4})


def test_several_changes_are_undone_newest_first():
    changes = [Recorded("p", "m", "updated", {"context_length": (old, old * 2)}) for old in (4, 2, 1)]
    assert undone({KEY: NOW}, changes)[KEY].facts["context_length"] == 1


def test_a_list_that_was_empty_is_not_stated():
    now = Past("p", "m", "active", {"pricing.tiers": [{"above": 1}]})
    assert undone({KEY: now}, [Recorded("p", "m", "updated", {"pricing.tiers": ([], [{"above": 1}])})])[KEY].facts == {}


def test_what_differs_between_two_states():
    before = {KEY: NOW, ("p", "old"): NOW}
    after = {KEY: Past("p", "m", "missing", {**NOW.facts, "context_length": 16}), ("p", "new"): NOW}
    assert differing(before, after) == [
        Difference("updated", "p", "m", {"context_length": (8, 16), "status": ("active", "missing")}),
        Difference("added", "p", "new", {}),
        Difference("missing", "p", "old", {}),
    ]


def test_facts_that_only_one_state_has_differ_too():
    less = Past("p", "m", "active", {"context_length": 8})
    assert differing({KEY: less}, {KEY: NOW}) == [
        Difference("updated", "p", "m", {"pricing.cache_read": (None, "0.0000001"), "pricing_prompt": (None, "0.000001")})
    ]
    assert differing({KEY: NOW}, {KEY: less})[0].fields["pricing_prompt"] == ("0.000001", None)
    assert differing({KEY: NOW}, {KEY: NOW}) == []


def test_a_difference_for_json_has_old_and_new_by_name():
    assert Difference("updated", "p", "m", {"context_length": (8, None)}).shown() == {
        "kind": "updated",
        "provider": "p",
        "provider_model_id": "m",
        "fields": {"context_length": {"old": 8, "new": None}},
    }


# A past state as a row


def test_a_past_state_has_the_columns_of_the_catalog():
    facts = {
        "model_name": "M",
        "context_length": 8,
        "is_active": True,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "pricing_prompt": "0.000001",
        "pricing.cache_read": "0.0000001",
    }
    row = row_of(Past("p", "m", "missing", facts))
    assert (row.provider, row.provider_model_id, row.status, row.modality) == ("p", "m", "missing", "text+image->text")
    assert (row.model_name, row.context_length, row.max_output_tokens, row.is_active) == ("M", 8, None, True)
    assert (row.pricing_prompt, row.pricing_completion) == ("0.000001", None)
    assert json.decode(row.pricing) == {"prompt": "0.000001", "cache_read": "0.0000001"}


def test_a_past_state_of_which_one_side_is_not_known_has_no_modality():
    assert row_of(Past("p", "m", "active", {"input_modalities": ["text"]})).modality is None


ROW = {
    **dict.fromkeys(FACTS),
    "provider_model_id": "m",
    "status": "active",
    "model_name": "M",
    "input_modalities": ["text"],
    "output_modalities": [],
    "supports_vision": False,
    "is_active": True,
    "pricing": {
        "prompt": "0.000001",
        "image": "0.01",
        "cache_read": "0",
        "dynamic": False,
        "raw": {"a": "1"},
        "source": "p",
        "stated_at": "t",
    },
}


def test_the_present_is_a_row_without_what_is_not_stated_and_how_a_price_was_written():
    facts = {"model_name": "M", "input_modalities": ["text"], "output_modalities": [], "supports_vision": False, "is_active": True}
    prices = {"pricing_prompt": "0.000001", "pricing_image": "0.01", "pricing.cache_read": "0", "pricing.dynamic": False}
    assert present("p", ROW) == Past("p", "m", "active", {**facts, **prices})


def value_of(row, name):
    value = getattr(row, name)
    return json.decode(value) if isinstance(value, Raw) else value


def test_a_row_and_its_past_state_are_the_same_facts():
    row = row_of(present("p", ROW))
    assert json.decode(row.pricing) == {"prompt": "0.000001", "image": "0.01", "cache_read": "0", "dynamic": False}
    assert row.modality is None  # of which nothing comes out
    assert {name: value_of(row, name) for name in FACTS} == {name: ROW[name] for name in FACTS}


def test_a_retired_model_was_missing_and_an_update_keeps_the_status():
    gone = Past("p", "m", "retired", {})
    assert undone({KEY: gone}, [Recorded("p", "m", "retired", {})])[KEY].status == "missing"
    assert undone({KEY: gone}, [Recorded("p", "m", "updated", {})])[KEY].status == "retired"


def test_changes_of_a_model_that_is_not_there_undo_nothing():
    assert undone({KEY: NOW}, [Recorded("p", "other", "updated", {"context_length": (1, 2)})]) == {KEY: NOW}


def test_only_a_price_that_is_not_dynamic_is_not_written_down():
    now = Past("p", "m", "active", {"pricing.dynamic": True, "is_active": True, "pricing.others": {"a": "1"}})
    change = Recorded(
        "p", "m", "updated", {"pricing.dynamic": (False, True), "is_active": (False, True), "pricing.others": ({}, {"a": "1"})}
    )
    assert undone({KEY: now}, [change])[KEY].facts == {"is_active": False}
    back = Recorded("p", "m", "updated", {"pricing.dynamic": (True, False)})
    assert undone({KEY: NOW}, [back])[KEY].facts["pricing.dynamic"] is True


# Changes put together


def recorded(run_id, fields, kind="updated", model="m", provider="p"):
    return RecordedChange(
        provider, model, kind, fields, id=run_id, run_id=run_id, provider_id=1, changed_at=datetime(2026, 11, 22, tzinfo=UTC)
    )


def shown(rows):
    return [(line.row.run_id, dict(line.fields), dict(line.counts)) for line in collapsed(rows)]


def test_a_price_that_went_and_came_back_is_one_line():
    rows = [recorded(3, {"pricing_prompt": ["2", "1"]}), recorded(2, {"pricing_prompt": ["1", "2"]})]
    assert shown(rows) == [(3, {"pricing_prompt": ("1", "1")}, {"pricing_prompt": 2})]


def test_several_changes_of_a_field_are_one_from_the_first_to_the_last():
    rows = [recorded(4, {"x": [3, 9]}), recorded(3, {"x": [2, 3], "y": [0, 1]}), recorded(2, {"x": [1, 2]})]
    assert shown(rows) == [(4, {"x": (1, 9)}, {"x": 3}), (3, {"y": (0, 1)}, {})]


def test_other_models_and_other_providers_are_apart():
    rows = [
        recorded(3, {"x": [1, 2]}),
        recorded(3, {"x": [5, 6]}, model="n"),
        recorded(2, {"x": [7, 8]}, provider="q"),
    ]
    assert shown(rows) == [(3, {"x": (1, 2)}, {}), (3, {"x": (5, 6)}, {}), (2, {"x": (7, 8)}, {})]


def test_coming_and_going_stay_lines_of_their_own():
    rows = [
        recorded(5, {"status": ["retired", "active"], "x": [2, 3]}, "revived"),
        recorded(4, {"status": ["missing", "retired"]}, "retired"),
        recorded(3, {}, "missing"),
        recorded(2, {"x": [1, 2]}),
        recorded(1, {}, "added"),
    ]
    assert shown(rows) == [
        (5, {"status": ("retired", "active"), "x": (1, 3)}, {"x": 2}),
        (4, {"status": ("missing", "retired")}, {}),
        (3, {}, {}),
        (1, {}, {}),
    ]
