"""Rows whose bytes are known: which are, what is kept of them, and that they are read when somebody asks."""

import msgspec
import pytest

from modelsync.model.model import Model
from modelsync.planning.known import DIGEST, Clean, KnownRows, Models, digest_of, known, remembered
from modelsync.planning.listing import Listing, read
from modelsync.planning.row_reader import MOST_AT_ONCE, MOST_LEARNED
from modelsync.providers.base import Answer, Request
from modelsync.providers.builtin import featherless
from modelsync.testing import answer

ENDPOINT = featherless.PROVIDER.endpoints[0]


def listed(*rows: dict[str, object], known: KnownRows | None = None) -> Listing:
    came: list[tuple[Request, Answer]] = [(Request(ENDPOINT, "https://example.com"), answer({"data": rows}))]
    found = read(featherless.PROVIDER, featherless.PROVIDER.options(), came, known)
    assert isinstance(found, Listing)
    return found


def known_of(*rows: dict[str, object]) -> KnownRows:
    listing = listed(*rows, known=KnownRows())
    return known(remembered(listing.clean, listing.hashes), listing.hashes, 1)


OLD, OLDER = ({"id": "twice", "created": second, "context_length": second} for second in (1_700_000_002, 1_700_000_001))


@pytest.mark.parametrize("knows", [[OLD], [OLDER], [{"id": "other"}]], ids=["the one", "the other", "neither"])
@pytest.mark.parametrize("rows", [[OLD, OLDER], [OLDER, OLD], [OLD, OLD]])
def test_of_a_row_that_comes_twice_the_same_one_counts_whether_it_is_known_or_not(
    knows: list[dict[str, object]], rows: list[dict[str, object]]
):
    found, plain = listed(*rows, known=known_of(*knows)), listed(*rows)
    assert (dict(found.models), found.hashes, found.duplicates, found.warnings) == (
        plain.models,
        plain.hashes,
        plain.duplicates,
        plain.warnings,
    )
    assert found.models["twice"].context_length is None
    assert found.clean.digests == {}


def test_a_row_with_a_warning_is_read_each_time():
    odd = {"id": "a", "context_length": 5, "max_completion_tokens": 7}
    listing = listed(odd, {"id": "b"}, known=KnownRows())
    assert listing.warnings == ("a: max_output_tokens = 7 is more than context_length = 5",)
    assert listing.clean.digests.keys() == {"b"}
    assert listed(odd, {"id": "b"}, known=known_of(odd, {"id": "b"})).warnings == listing.warnings


def test_what_waits_for_a_person_is_read_each_time():
    clean = Clean({"a": b"a" * DIGEST, "b": b"b" * DIGEST})
    stored = {"a": "held", "b": "same", "c": "unlisted"}
    assert known(remembered(clean, stored, waiting=["a"]), stored, 5) == KnownRows({b"b" * DIGEST: "b"}, stored, {}, 5)


def test_what_makes_a_price_incomplete_is_remembered_for_255_different_lists_of_fields():
    ids = [f"m{number:04}" for number in range(300)]
    clean = Clean({row_id: digest_of(msgspec.Raw(row_id.encode())) for row_id in ids}, {row_id: (row_id,) for row_id in ids})
    hashes = dict.fromkeys(ids, "h")
    found = known(remembered(clean, hashes), hashes, 1)
    assert sorted(found.ids.values()) == ids[:254]
    assert found.incomplete == {row_id: (row_id,) for row_id in ids[:254]}


def test_a_memory_of_another_catalog_is_none():
    memory = remembered(Clean({"a": b"a" * DIGEST}), ["a"])
    assert len(memory.digests) + len(memory.kinds) == 17
    assert known(memory, {"a": "h", "b": "h"}, 1) == known(memory, {}, 1) == KnownRows()


def test_a_known_model_is_read_once_and_only_when_it_is_asked_for():
    asked: list[str] = []

    def reading(row: msgspec.Raw) -> Model:
        asked.append(bytes(row).decode())
        return Model(id="a")

    models = Models(reading)
    models.add_known(["a"], [msgspec.Raw(b"{}")])
    models.add(Model(id="b"))
    assert (list(models), len(models), "a" in models, "c" in models, models.keys()) == (["a", "b"], 2, True, False, {"a", "b"})
    assert asked == []
    assert models["a"] == models["a"] == Model(id="a")
    assert asked == ["{}"]
    with pytest.raises(KeyError):
        models["c"]


PLAIN = {"id": "plain", "note": 1}
WIDE = {"id": "wide", **{f"n{number}": number for number in range(MOST_LEARNED)}}
"""With as many names that its wire type lacks as a reader learns."""


@pytest.mark.parametrize("rows", [[WIDE, PLAIN], [WIDE, PLAIN, PLAIN]], ids=["asked for", "listed twice"])
def test_a_known_row_is_read_by_a_new_process_whatever_names_this_has_learned_of_other_rows(rows: list[dict[str, object]]):
    knew = known_of(PLAIN)
    found = listed(*rows, known=knew)
    assert found.models["plain"] == listed(*rows).models["plain"]


def test_one_row_with_many_names_does_not_make_all_others_unknown():
    listed(WIDE)
    assert listed(PLAIN, known=KnownRows()).clean.digests.keys() == {"plain"}


def test_a_name_with_a_quote_in_one_row_costs_no_other_row():
    assert [*listed({"id": "a", 'what"ever': 1}, {"id": "b"}).models] == ["a", "b"]


HALF = {"id": "half", **{f"n{number}": number for number in range(MOST_AT_ONCE - 2)}}
SPREAD = {"id": "spread", **{f"n{number}": number for number in range(2 * MOST_AT_ONCE - 4)}}
"""With more names than one row may teach, unless another one has taught some of them."""


@pytest.mark.parametrize("rows", [[SPREAD], [SPREAD, SPREAD]], ids=["asked for", "listed twice"])
def test_a_known_row_is_read_alone_that_was_read_after_others_had_taught_its_names(rows: list[dict[str, object]]):
    knew = known_of(HALF, SPREAD)
    assert set(knew.ids.values()) == {"half", "spread"}
    found, plain = listed(*rows, known=knew), listed(*rows)
    assert (found.models["spread"], found.duplicates) == (plain.models["spread"], plain.duplicates)


@pytest.mark.parametrize(
    "damaged",
    [
        {"digests": b"a" * 31},
        {"digests": b"a" * 48},
        {"digests": b""},
        {"kinds": b"\0"},
        {"kinds": b"\0\1"},
        {"incomplete": ()},
        {"ids": b"a" * DIGEST},
    ],
)
def test_a_damaged_memory_is_none(damaged: dict[str, object]):
    hashes = {"a": "h", "b": "h"}
    memory = remembered(Clean({"a": b"a" * DIGEST, "b": b"b" * DIGEST}), hashes)
    assert len(known(memory, hashes, 1).ids) == 2
    assert known(msgspec.structs.replace(memory, **damaged), hashes, 1) == KnownRows()
