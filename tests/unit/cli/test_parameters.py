"""What the command line refuses before anything is opened."""

from datetime import UTC, datetime, timedelta

import pytest
from cyclopts import CycloptsError

from modelsync.cli.history import deadline, moment
from modelsync.cli.program import app
from modelsync.errors import UsageError


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("models --limit -1", "--limit. Must be >= 0"),
        ("models --min-context 99999999999999999999", "--min-context. Must be <= 9007199254740991"),  # no column holds it
        ("models --max-price nan", "--max-price. Must be <="),
        ("models --max-price -1", "--max-price. Must be >= 0"),
        ("changes --limit -1", "--limit. Must be >= 0"),
        ("audit --limit -1", "--limit. Must be >= 0"),
        ("runs --limit -1", "--limit. Must be >= 0"),
        ("runs 99999999999999999999", "RUN. Must be <="),
        ("replay 99999999999999999999", "RUN. Must be <="),
        ("confirm 99999999999999999999 --reason x", "NUMBERS. Must be <="),
        ("reject 1 99999999999999999999 --reason x", "NUMBERS. Must be <="),
        ("rollback groq --to 99999999999999999999 --reason x", "--to. Must be <="),
        ("keys revoke 99999999999999999999 --reason x", "NUMBER. Must be <="),
        ("serve --port 70000", "--port. Must be <= 65535"),
        ("simulate --port 0", "--port. Must be >= 1"),
    ],
)
def test_numbers_that_no_catalog_has(line: str, words: str):
    with pytest.raises(CycloptsError) as refused:
        app.parse_args(line.split(), exit_on_error=False, print_error=False)
    assert words in str(refused.value)


@pytest.mark.parametrize(("line", "limit"), [("models --json", None), ("models --json --limit 50", 50), ("models --limit 0", 0)])
def test_a_limit_that_is_given_is_told_from_none(line: str, limit: int | None):
    _, bound, _ = app.parse_args(line.split(), exit_on_error=False, print_error=False)
    assert bound.arguments.get("limit") == limit


def test_a_span_of_time_lies_ahead_where_something_ends_and_behind_where_something_was():
    now = datetime.now(UTC)
    assert timedelta(days=30) <= deadline("30d") - now < timedelta(days=30, minutes=5)
    assert timedelta(days=-30) <= moment("30d") - now < timedelta(days=-30, minutes=5)
    assert deadline("2027-01-31") == moment("2027-01-31") == datetime(2027, 1, 31, tzinfo=UTC)
    with pytest.raises(UsageError) as refused:
        deadline("soon")
    assert refused.value.hint.endswith("or 24h, 7d from now on")
