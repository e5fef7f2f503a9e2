"""What is not believed as a whole: empty lists, and lists of which no row could be read."""

import dataclasses

import pytest

from modelsync.model import Model
from modelsync.policy import believable
from modelsync.providers.openrouter import PROVIDER
from modelsync.reading import Listing, Rejected

MAY_BE_EMPTY = dataclasses.replace(PROVIDER, may_be_empty=True)
ROW = Rejected(0, "a", "the id is empty", "{}")


def listed(*ids, rejected=()):
    return Listing(models={row_id: Model(id=row_id) for row_id in ids}, hashes={}, rejected=rejected)


@pytest.mark.parametrize("provider", [PROVIDER, MAY_BE_EMPTY])
@pytest.mark.parametrize("rejected", [(), (ROW,), (ROW,) * 1000])
def test_one_readable_model_is_believed(provider, rejected):
    assert believable(provider, listed("a", rejected=rejected)) is None


def test_i02_an_empty_list_is_held():
    held = believable(PROVIDER, listed())
    assert (held.reason, held.message) == ("empty", "the list is empty")
    assert "Nothing was changed" in held.hint


def test_i02_an_empty_list_is_believed_where_the_provider_may_be_empty():
    assert believable(MAY_BE_EMPTY, listed()) is None


@pytest.mark.parametrize("provider", [PROVIDER, MAY_BE_EMPTY])
def test_a_list_of_unreadable_rows_is_held_and_names_the_first_reason(provider):
    held = believable(provider, listed(rejected=(ROW,) * 1234))
    assert held.reason == "invalid"
    assert held.message == "none of the 1,234 rows could be read (the first: the id is empty)"
