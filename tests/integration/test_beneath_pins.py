"""What a pin hides is in the history: going back brings back what was believed, and nothing that only a person said."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.formats.text import changes_text
from modelsync.model.fields import Pin
from modelsync.model.model import Model, Prices
from modelsync.model.timeline import RecordedChange, collapsed
from modelsync.operations import decisions
from modelsync.operations import models as operators
from modelsync.operations.rollback import rollback, thaw
from modelsync.planning.outcome import Synced
from modelsync.queries.explain import explain_field
from modelsync.queries.explain_rows import ExplanationReader
from modelsync.testing import D
from support import prices
from support.cli import environment, run
from support.pins import ADA, dollars, pin, row, sync, sync_number
from support.store import PROVIDER, SLUG, opened
from support.sync import changes_of, execute, query, table

VARIES = Prices(dynamic=True)


def test_what_moves_beneath_a_pin_is_recorded_and_counts_as_nothing_that_changed(database_url: str):
    with opened(database_url) as store:
        sync(store, dollars("m", 1, context_length=8))
        pin(store, "m", pricing_prompt=D("0.000009"))
        before = row(database_url)
        result = sync(store, dollars("m", 3, context_length=8))
        assert isinstance(result.outcome, Synced)
        assert (result.counts.updated, result.counts.unchanged) == (0, 1)
        assert (row(database_url)["updated_at"], row(database_url)["pricing"]) == (before["updated_at"], before["pricing"])
        sync(store, dollars("m", 3, context_length=8))
        operators.unpin(store, SLUG, "m", [], ADA)
    assert [change["fields"] for change in changes_of(database_url, SLUG)] == [
        {},
        {"pricing_prompt": ["0.000001", "0.000009"], "beneath": [{"pricing_prompt": "0.000001"}, {"pricing_prompt": "0.000001"}]},
        {"beneath": [{"pricing_prompt": "0.000001"}, {"pricing_prompt": "0.000003"}]},
        {"pricing_prompt": ["0.000009", "0.000003"], "beneath": [{"pricing_prompt": "0.000003"}, {"pricing_prompt": "0.000003"}]},
    ]


def test_what_a_pin_hides_is_no_line_of_the_csv_unless_it_is_asked_for(database_url: str, tmp_path: Path):
    with opened(database_url) as store:
        sync(store, dollars("m", 1))
        pin(store, "m", pricing_prompt=D("0.000009"))
        sync(store, dollars("m", 3))
    env = environment(tmp_path, DATABASE_URL=database_url)
    lines = run(tmp_path, "changes", "--csv", env=env).stdout.splitlines()[1:]
    assert [line.partition(",")[2] for line in lines] == [
        "openrouter,m,updated,pricing_prompt,0.000001,0.000009,9,2,pin",
        "openrouter,m,added,,,,,1,sync",
    ]
    with opened(database_url) as store:
        sync(store, dollars("n", 1))
        sync(store, dollars("m", 4), dollars("n", 1))  # back, and what a pin hides has moved
    back = run(tmp_path, "changes", "--csv", "--kind", "revived", env=env).stdout.splitlines()[1:]
    assert [line.partition(",")[2] for line in back] == ["openrouter,m,revived,,,,,5,sync"]
    hidden = run(tmp_path, "changes", "--csv", "--field", "beneath", "--kind", "updated", env=env).stdout.splitlines()[1:]
    assert [line.rsplit(",", 2)[1:] for line in hidden] == [["3", "sync"], ["2", "pin"]]


def test_what_moves_beneath_a_pin_is_told_in_words():
    hidden = {"beneath": ({"pricing_prompt": "0.000001", "context_length": 8}, {"pricing_prompt": "0.000003", "context_length": 8})}
    assert changes_text(hidden) == "the provider's value, beneath a pin: prompt 1.00 → 3.00 $/1M (+200%)"
    pinned = {"context_length": (8, 9), "beneath": ({"context_length": 8}, {"context_length": 8})}
    assert changes_text(pinned) == "context_length 8 → 9 (only the pin; the provider's value stays 8)"
    ended = {"pricing_prompt": ("0.000009", "0.000003"), "beneath": ({"pricing_prompt": "0.000001"}, {"pricing_prompt": "0.000003"})}
    assert changes_text(ended) == ("prompt 9.00 → 3.00 $/1M (-67%), the provider's value, beneath a pin: prompt 1.00 → 3.00 $/1M (+200%)")
    both = {"pricing_prompt": ("0.000001", "0.000003"), "beneath": ({"pricing_prompt": "0.000001"}, {"pricing_prompt": "0.000003"})}
    assert changes_text(both) == "prompt 1.00 → 3.00 $/1M (+200%)"


@pytest.mark.parametrize("ended", ["by time", "unpinned", "not at all"])
@pytest.mark.parametrize("facts", ["prices", "lengths"])
def test_a_rollback_believes_what_was_believed_beneath_a_pin(database_url: str, facts: str, ended: str):
    """1, 2 beneath the pin, 4: back to where it was 2, though all that showed then was 9."""

    def m(number: int) -> Model:
        return dollars("m", number) if facts == "prices" else dollars("m", 1, context_length=number)

    field, scale = ("pricing_prompt", D("0.000001")) if facts == "prices" else ("context_length", 1)
    with opened(database_url) as store:
        sync(store, m(1), dollars("n", 1))
        pin(store, "m", until=datetime.now(UTC) + timedelta(hours=1), **{field: 9 * scale})
        run_id = sync_number(store, database_url, m(2), dollars("n", 2))
        assert row(database_url)[field] == 9 * scale
        if ended == "unpinned":
            operators.unpin(store, SLUG, "m", [], ADA)
        elif ended == "by time":
            execute(database_url, "UPDATE pins SET expires_at = '2020-01-01 00:00:00.000000Z'")
        sync(store, m(4), dollars("n", 2))
        rollback(store, SLUG, run_id, ADA)
        assert row(database_url)[field] == (9 if ended == "not at all" else 2) * scale
        operators.unpin(store, SLUG, "m", [], ADA)
        assert row(database_url)[field] == 2 * scale


def test_i37_a_pin_that_ended_unseen_does_not_hide_what_was_believed_last(database_url: str):
    """Pinned to what the provider came to say: the end of the pin shows nowhere. 5 is believed then, and 0.4 is a twelfth of it."""
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        pin(store, "m", pricing_prompt=D("0.000005"))
        sync(store, dollars("m", 5), dollars("n", 1))
        operators.unpin(store, SLUG, "m", [], ADA)
        run_id = sync_number(store, database_url, Model(id="m", prices=VARIES), dollars("n", 1))
        sync(store, Model(id="m", prices=VARIES, context_length=8), dollars("n", 1))
        rollback(store, SLUG, run_id, ADA)
        assert [D(last["usd"]) for last in table(database_url, "last_prices")] == [D("0.000005")]
        thaw(store, SLUG, ADA)
        (hold,) = sync(store, dollars("m", "0.4"), dollars("n", 1)).holds
    assert (hold.kind, hold.ids) == ("price", ("m",))


def test_i37_going_back_and_forth_forgets_no_number_that_was_believed_last(database_url: str):
    """1, varies, 1; back to where it varied, and there again: 50 is no first price."""
    with opened(database_url) as store:
        sync(store, dollars("m", 1), dollars("n", 1))
        varied = sync_number(store, database_url, Model(id="m", prices=VARIES), dollars("n", 1))
        sync(store, dollars("m", 1), dollars("n", 1))
        back, _ = rollback(store, SLUG, varied, ADA)
        thaw(store, SLUG, ADA)
        sync(store, Model(id="m", prices=VARIES, context_length=8), dollars("n", 1))
        assert back is not None
        rollback(store, SLUG, back, ADA)
        assert [D(last["usd"]) for last in table(database_url, "last_prices")] == [D("0.000001")]
        thaw(store, SLUG, ADA)
        assert [hold.ids for hold in sync(store, dollars("m", 50), dollars("n", 1)).holds] == [("m",)]


def test_i37_a_correction_beneath_a_pin_forgets_what_was_misread(database_url: str):
    """Read as 1 by one version and as nothing by the next: going back to the next one does not remember 1."""
    misread = Prices(prompt=D("0.000001"), raw={"input": "1 as sent"})
    unread = Prices(others={"input": "1"}, incomplete=("input",))
    with opened(database_url) as store:
        prices.listed(store, misread)
        pin(store, "m", pricing_prompt=D("0.000003"))
        prices.listed(store, unread, version=2)
        run_id = int(query(database_url, "SELECT max(id) AS id FROM sync_runs")[0]["id"])
        prices.sync(store, Model(id="m", prices=unread, context_length=9), version=2)
        rollback(store, SLUG, run_id, ADA)
        assert table(database_url, "last_prices") == []


@pytest.mark.parametrize("act", ["rollback", "confirm"])
def test_what_an_act_moves_beneath_a_pin_moves_no_time_and_is_told_once(database_url: str, act: str):
    with opened(database_url) as store:
        run_id = sync_number(store, database_url, dollars("m", 1))
        pin(store, "m", pricing_prompt=D("0.000009"))
        sync(store, dollars("m", 2 if act == "rollback" else 20))
        before = row(database_url)
        if act == "rollback":
            rollback(store, SLUG, run_id, ADA)
        else:
            decisions.decide(store, [1], "confirm", ADA)
        assert (row(database_url)["updated_at"], row(database_url)["pricing_prompt"]) == (before["updated_at"], before["pricing_prompt"])
    moved = {"rollback": ["0.000002", "0.000001"], "confirm": ["0.000001", "0.00002"]}[act]
    assert changes_of(database_url, SLUG)[-1]["fields"] == {"beneath": [{"pricing_prompt": moved[0]}, {"pricing_prompt": moved[1]}]}


def test_a_value_that_a_rollback_brought_back_beneath_a_pin_is_not_told_as_the_providers(database_url: str):
    with opened(database_url) as store:
        run_id = sync_number(store, database_url, dollars("m", 1))
        pin(store, "m", pricing_prompt=D("0.000009"))
        sync(store, dollars("m", 2))
        rollback(store, SLUG, run_id, ADA)
        operators.unpin(store, SLUG, "m", [], ADA)
        known = ExplanationReader(store).known(PROVIDER, "m")
    assert known is not None
    explained = explain_field(known, "pricing_prompt")
    assert (explained.source, explained.value, explained.stated) == ("rolled back", "0.000001", "0.000002")


@pytest.mark.parametrize("ended", ["pinned anew", "unpinned", "by time", "not at all"])
@pytest.mark.parametrize("facts", ["prices", "lengths"])
def test_a_rollback_past_a_history_that_says_nothing_of_pins_takes_none_for_the_provider(database_url: str, facts: str, ended: str):
    """As histories of before 2026-12 are: what they say is that 1 became 9, and that somebody had pinned it."""
    field, one = ("pricing_prompt", D("0.000001")) if facts == "prices" else ("context_length", 1)
    said = dollars("m", 1) if facts == "prices" else dollars("m", 1, context_length=1)
    with opened(database_url) as store:
        sync(store, said, dollars("n", 1))
        pin(store, "m", until=datetime.now(UTC) + timedelta(hours=1), **{field: 9 * one})
        run_id = sync_number(store, database_url, said, dollars("n", 2))
        if ended == "pinned anew":
            pin(store, "m", **{field: 11 * one})
        elif ended == "unpinned":
            operators.unpin(store, SLUG, "m", [], ADA)
        elif ended == "by time":
            execute(database_url, "UPDATE pins SET expires_at = '2020-01-01 00:00:00.000000Z'")
            sync(store, said, dollars("n", 2))
        for change in table(database_url, "model_changes"):
            fields = {name: pair for name, pair in json_of(change["fields"]).items() if name != "beneath"}
            execute(database_url, f"UPDATE model_changes SET fields = '{json.dumps(fields)}' WHERE id = {change['id']}")
        rollback(store, SLUG, run_id, ADA)
        operators.unpin(store, SLUG, "m", [], ADA)
    assert row(database_url)[field] == one


def json_of(document: Any) -> Any:
    return json.loads(document) if isinstance(document, str) else document


def test_what_is_back_beneath_a_pin_is_left_out_of_changes_that_are_put_together():
    def change(number: int, **fields: tuple[Any, Any]) -> RecordedChange:
        at = datetime(2026, 11, 29, tzinfo=UTC)
        return RecordedChange(SLUG, "m", "updated", fields, id=number, run_id=number, provider_id=1, changed_at=at)

    there, back = (({"context_length": 8}, {"context_length": 9}), ({"context_length": 9}, {"context_length": 8}))
    assert collapsed([change(2, beneath=back), change(1, beneath=there)]) == []
    (line,) = collapsed([change(3, beneath=there), change(2, beneath=back), change(1, beneath=there)])
    assert (line.row.id, line.fields, line.counts) == (3, {"beneath": there}, {"beneath": 3})


def test_a_rollback_believes_nothing_of_a_model_that_a_person_had_added(database_url: str):
    """It was nobody's then: the provider lists it since. It goes as any model that came later, and comes back with the next listing."""
    with opened(database_url) as store:
        sync(store, dollars("n", 1))
        operators.add(store, SLUG, "m", [Pin("pricing_prompt", D("0.000007")), Pin("context_length", 5)], ADA)
        run_id = sync_number(store, database_url, dollars("n", 2))
        sync(store, dollars("m", 1), dollars("n", 2))
        operators.unpin(store, SLUG, "m", [], ADA)
        assert (row(database_url)["pricing_prompt"], row(database_url)["context_length"]) == (D("0.000001"), None)
        rollback(store, SLUG, run_id, ADA)
        assert (row(database_url)["status"], row(database_url)["pricing_prompt"]) == ("retired", D("0.000001"))
        thaw(store, SLUG, ADA)
        assert sync(store, dollars("m", 1), dollars("n", 2)).holds == ()
        assert (row(database_url)["status"], row(database_url)["pricing_prompt"]) == ("active", D("0.000001"))
    told = [change["fields"] for change in changes_of(database_url, SLUG) if "listed" in change["fields"]]
    assert [fields["listed"] for fields in told] == [[False, True]]
