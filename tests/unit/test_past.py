"""The past read backwards: changes undone one by one."""

from modelsync.past import Past, Recorded, differing, undone

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
        ("~", KEY, {"context_length": (8, 16), "status": ("active", "missing")}),
        ("+", ("p", "new"), {}),
        ("-", ("p", "old"), {}),
    ]
