"""Words for modalities and counts of tokens, over every provider's own wire: what is written otherwise is read, what is unknown is told."""

import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec
import pytest

from modelsync.model.model import KNOWN_MODALITIES, PER_TOKEN
from modelsync.planning.listing import Listing, wire_id_field
from modelsync.providers import registry
from modelsync.providers.base import Endpoint
from modelsync.providers.parsing import Count
from modelsync.testing import good, sample
from support.sync import SLUGS

every_provider = pytest.mark.parametrize("slug", SLUGS)

NO_COUNTS = {
    ("fireworks", "year"): "a part of a date",
    ("fireworks", "month"): "a part of a date",
    ("fireworks", "day"): "a part of a date",
    ("novita", "status"): "the code of a state",
    ("xai", "long_context_threshold"): "where a tier begins: one that cannot be read makes the price incomplete",
}


def fields_of(kind: Any) -> Iterator[tuple[str, Any]]:
    """The wire fields of a row's type and of the structs in it, by their names on the wire, with their types."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield field.encode_name, field.type
            yield from fields_of(field.type)
    else:
        for part in get_args(kind):
            yield from fields_of(part)


def wire_fields(slug: str) -> list[tuple[str, Any]]:
    return [field for endpoint in registry.load()[slug].endpoints for field in fields_of(endpoint.row)]


def read(slug: str, change: Callable[[str, Any], Any] = lambda _, row: row) -> Listing:
    """The sample, each of its rows changed: `change` is given the name of the row's id too."""
    documents = {}
    for endpoint in registry.load()[slug].endpoints:
        rows = [change(wire_id_field(endpoint.row), row) for row in sample(slug)["lists"][endpoint.name]]
        documents[endpoint.name] = document(endpoint, rows)
    return good(registry.load()[slug], documents)


def document(endpoint: Endpoint, rows: list[Any]) -> Any:
    path = endpoint.rows[0]
    if path == ".":
        return rows[0]
    inside: Any = rows
    for step in reversed(path.split(".") if path else []):
        inside = {step: inside}
    return inside


def replaced(value: Any, at: Callable[[str], bool], by: Callable[[Any], Any]) -> Any:
    """The same JSON with the values of some fields replaced, wherever they are."""
    if isinstance(value, list):
        return [replaced(each, at, by) for each in value]
    if isinstance(value, dict):
        return {name: by(each) if at(name) else replaced(each, at, by) for name, each in value.items()}
    return value


def smelling(value: Any) -> Any:
    """A field of modalities whose first word nobody has heard of, whether it is text, a list, or a list for each side."""
    if isinstance(value, str):
        return re.sub(r"\w+", "smell", value, count=1)
    if isinstance(value, dict):
        return {name: smelling(each) for name, each in value.items()}
    return ["smell", *value[1:]] if value else value


@every_provider
def test_every_number_of_things_is_declared_as_a_count(slug: str) -> None:
    numbers = {name for name, kind in wire_fields(slug) if int in (kind, *get_args(kind)) and kind != Count | None}
    assert numbers == {name for owner, name in NO_COUNTS if owner == slug}


@every_provider
@pytest.mark.parametrize("otherwise", [str, float])
def test_a_count_is_the_same_number_however_it_is_written(slug: str, otherwise: Callable[[int], Any]) -> None:
    counts = {name for name, kind in wire_fields(slug) if kind == Count | None}
    changed = []

    def rewritten(value: Any) -> Any:
        if isinstance(value, int):
            changed.append(value)
            return otherwise(value)
        return value

    before, after = read(slug), read(slug, lambda _, row: replaced(row, counts.__contains__, rewritten))
    assert after.models == before.models
    assert after.hashes == before.hashes
    assert after.warnings == before.warnings
    assert all(type(model.context_length) in (int, type(None)) for model in after.models.values())
    assert bool(changed) is bool(counts)


@every_provider
def test_a_count_that_is_none_costs_its_own_field_only(slug: str) -> None:
    counts = {name for name, kind in wire_fields(slug) if kind == Count | None}
    before, after = read(slug), read(slug, lambda _, row: replaced(row, counts.__contains__, lambda _: "128k"))
    assert after.models.keys() == before.models.keys()
    assert after.rejected == ()
    for name, model in after.models.items():
        assert (model.context_length, model.max_output_tokens) == (None, None)
        known = before.models[name]
        assert (model.model_name, model.modality) == (known.model_name, known.modality)
        assert [getattr(model.prices, field) for field in PER_TOKEN] == [getattr(known.prices, field) for field in PER_TOKEN]
    assert any("unreadable" in warning for warning in after.warnings) is bool(counts)


@every_provider
def test_an_unknown_modality_is_a_warning_and_in_no_model(slug: str) -> None:
    changed = set()

    def change(id_field: str, row: dict[str, Any]) -> dict[str, Any]:
        worse: dict[str, Any] = replaced(row, lambda name: "modalit" in name.lower(), smelling)
        if "smell" in str(worse):
            changed.add(row[id_field])
        return worse

    listing = read(slug, change)
    warned = {warning.partition(": unknown modality")[0] for warning in listing.warnings if ": unknown modality `smell`" in warning}
    assert warned == changed
    assert listing.models.keys() == read(slug).models.keys()
    for model in listing.models.values():
        assert KNOWN_MODALITIES.issuperset((*(model.input_modalities or ()), *(model.output_modalities or ())))
        assert () not in (model.input_modalities, model.output_modalities)
    assert bool(changed) is any("modalit" in name.lower() for name, _ in wire_fields(slug))


@every_provider
def test_every_modality_of_the_sample_is_known(slug: str) -> None:
    assert [warning for warning in read(slug).warnings if "unknown modality" in warning] == []
