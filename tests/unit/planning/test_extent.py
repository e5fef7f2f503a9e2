"""How long a list says it is, against the rows that came."""

import dataclasses

import pytest

from modelsync.planning.extent import shortfall
from modelsync.providers import paging
from modelsync.providers.base import Endpoint, NoOptions, Request
from modelsync.testing import answer

LEFT = "so absent models are left as they are"
ENDPOINT = Endpoint(
    url="https://h/v1/list", row=NoOptions, paging=paging.next_link("next"), totals=("total", "page.all"), further=("next", "more")
)


def lacking(*pages, endpoint=ENDPOINT, headers=None):
    """The shortfall and the warnings of pages, each an envelope and the number of rows in it."""
    warnings = []
    came = [
        (Request(endpoint, f"https://h/v1/list?page={number}"), answer(said, headers=headers), rows)
        for number, (said, rows) in enumerate(pages)
    ]
    return shortfall(came, warnings), warnings


def fewer(stated, rows):
    return [f"models: the provider says that its list has {stated} rows and {rows} came, {LEFT}"]


@pytest.mark.parametrize(
    ("said", "rows", "found"),
    [
        ({"total": 61}, 60, (1, fewer(61, 60))),
        ({"total": "61"}, 60, (1, fewer(61, 60))),
        ({"total": 61.0}, 60, (1, fewer(61, 60))),
        ({"page": {"all": 61}}, 60, (1, fewer(61, 60))),
        ({"total": 60, "page": {"all": 63}}, 60, (3, fewer(63, 60))),
        ({"total": 1200, "next": "x"}, 0, (1200, fewer("1,200", 0))),
        ({"total": 60}, 60, (0, [])),
        ({"total": 60}, 61, (0, ["models: the provider says that its list has 60 rows and 61 came"])),
        ({"total": None, "next": None, "more": False, "page": []}, 60, (0, [])),
        ({"next": "", "more": 0}, 60, (0, [])),
        ({}, 60, (0, [])),
        ([1], 60, (0, [])),
        (
            {"next": "/v1/list?page=2"},
            60,
            (1, [f"models: the provider says that its list goes on after the last page that was read, {LEFT}"]),
        ),
        ({"more": True}, 60, (1, [f"models: the provider says that its list goes on after the last page that was read, {LEFT}"])),
        ({"total": "many"}, 60, (0, ["models: unreadable total: it is no count"])),
        ({"total": True}, 1, (0, ["models: unreadable total: it is no count"])),
        ({"total": 0}, 1, (0, ["models: the provider says that its list has 0 rows and 1 came"])),
        ({"total": 0}, 0, (0, [])),
        ({"total": -1}, 1, (0, ["models: unreadable total: it is no count"])),
    ],
)
def test_i41_one_page(said, rows, found):
    assert lacking((said, rows)) == found


def test_the_pages_of_a_list_count_together_and_only_the_last_one_may_not_go_on():
    assert lacking(({"total": 5, "next": "2"}, 3), ({"total": 5, "next": None}, 2)) == (0, [])
    assert lacking(({"total": 5, "next": "2"}, 3), ({"total": 5, "next": None}, 1)) == (1, fewer(5, 4))
    assert lacking(({"next": "2"}, 3), ({"next": "3"}, 2))[0] == 1


def test_of_totals_that_differ_between_pages_the_largest_counts():
    assert lacking(({"total": 6, "next": "2"}, 3), ({"total": 5, "next": None}, 2)) == (1, fewer(6, 5))


def test_a_link_header_says_that_the_list_goes_on():
    assert lacking(({}, 3), headers={"link": '</v1/list?page=9>; rel="next"'})[0] == 1
    silent = dataclasses.replace(ENDPOINT, totals=(), further=())
    assert lacking(({"total": 9, "next": "x"}, 3), endpoint=silent, headers={"link": '</v1/list?page=9>; rel="next"'}) == (0, [])


def test_each_answer_of_an_endpoint_without_pages_is_a_list_of_its_own():
    single = dataclasses.replace(ENDPOINT, paging=paging.single)
    assert lacking(({"more": True}, 3), ({"more": False}, 3), endpoint=single)[0] == 1
    assert lacking(({"total": 4}, 3), ({"total": 4}, 5), endpoint=single)[0] == 1


def test_lists_at_different_places_are_counted_apart():
    first, second = (Request(ENDPOINT, f"https://h/v1/{name}/list") for name in ("a", "b"))
    warnings = []
    assert shortfall([(first, answer({"total": 3}), 2), (second, answer({"total": 3}), 4)], warnings) == 1
    assert len(warnings) == 2


def test_an_answer_that_is_itself_the_row_is_no_envelope():
    assert lacking(({"total": 9, "next": "x"}, 1), endpoint=dataclasses.replace(ENDPOINT, rows=(".",))) == (0, [])
