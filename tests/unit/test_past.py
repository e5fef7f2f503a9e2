"""The past read backwards: changes undone one by one."""

from modelsync.past import Difference, Past, Recorded, collapsed, differing, row_of, undone

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
    assert (row["provider"], row["provider_model_id"], row["status"], row["modality"]) == ("p", "m", "missing", "text+image->text")
    assert (row["model_name"], row["context_length"], row["max_output_tokens"], row["is_active"]) == ("M", 8, None, True)
    assert (row["pricing_prompt"], row["pricing_completion"]) == ("0.000001", None)
    assert row["pricing"] == {"prompt": "0.000001", "cache_read": "0.0000001"}


def test_a_past_state_of_which_one_side_is_not_known_has_no_modality():
    assert row_of(Past("p", "m", "active", {"input_modalities": ["text"]}))["modality"] is None


# Changes put together


def recorded(run_id, fields, kind="updated", model="m", provider="p"):
    return {"run_id": run_id, "provider": provider, "provider_model_id": model, "kind": kind, "fields": fields}


def shown(rows):
    return [(line.row["run_id"], dict(line.fields), dict(line.counts)) for line in collapsed(rows)]


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
