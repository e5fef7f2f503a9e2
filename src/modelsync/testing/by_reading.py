"""The part of the contract that is about reading: each row of a sample changed in one way, and what becomes of its model."""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, get_args

import msgspec

from modelsync.model.model import KNOWN_MODALITIES, PER_TOKEN, Model
from modelsync.planning.decoding import wire_id_field
from modelsync.planning.listing import Listing
from modelsync.providers.base import Endpoint
from modelsync.providers.parsing import Count
from modelsync.testing import document, good
from modelsync.testing.price_keys import merged, other_amounts, placed
from modelsync.testing.subject import Subject

# Counts and words


def _fields_of(kind: object) -> Iterator[tuple[str, object]]:
    """The wire fields of a row's type and of the structs in it, by their names on the wire, with their types."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for each in msgspec.structs.fields(kind):
            yield each.encode_name, each.type
            yield from _fields_of(each.type)
    else:
        for part in get_args(kind):
            yield from _fields_of(part)


def _wire_fields(subject: Subject) -> list[tuple[str, object]]:
    return [each for endpoint in subject.provider.endpoints for each in _fields_of(endpoint.row)]


def _counts(subject: Subject) -> set[str]:
    return {name for name, kind in _wire_fields(subject) if kind == Count | None}


def _replaced(value: object, at: Callable[[str], bool], by: Callable[[object], object]) -> object:
    """The same JSON with the values of some fields replaced, wherever they are."""
    if isinstance(value, list):
        return [_replaced(each, at, by) for each in value]
    if isinstance(value, dict):
        return {name: by(each) if at(name) else _replaced(each, at, by) for name, each in value.items()}
    return value


def _read_with(subject: Subject, names: set[str], by: Callable[[object], object]) -> Listing:
    return subject.read(lambda _, row: _replaced(row, names.__contains__, by))


def every_number_of_things_is_declared_as_a_count(subject: Subject) -> None:
    """So that it is read however it is written."""
    numbers = {name for name, kind in _wire_fields(subject) if int in (kind, *get_args(kind)) and kind != Count | None}
    assert numbers == subject.trial.no_counts.keys()


def a_count_is_the_same_number_however_it_is_written(subject: Subject) -> None:
    """131072, 131072.0 or "131072"."""
    counts, changed = _counts(subject), []

    def rewritten(otherwise: Callable[[int], object], value: object) -> object:
        if isinstance(value, int):
            changed.append(value)
            return otherwise(value)
        return value

    before = subject.read()
    for otherwise in (str, float):
        after = _read_with(subject, counts, functools.partial(rewritten, otherwise))
        assert after.models == before.models
        assert after.hashes == before.hashes
        assert after.warnings == before.warnings
        assert all(type(model.context_length) in (int, type(None)) for model in after.models.values())
    assert bool(changed) is bool(counts)


def a_count_that_is_none_costs_its_own_field_only(subject: Subject) -> None:
    """And a warning."""
    counts = _counts(subject)
    before, after = subject.read(), _read_with(subject, counts, lambda _: "128k")
    assert after.models.keys() == before.models.keys()
    assert after.rejected == ()
    for name, model in after.models.items():
        known = before.models[name]
        assert (model.context_length, model.max_output_tokens) == (None, None)
        assert (model.model_name, model.modality) == (known.model_name, known.modality)
        assert [getattr(model.prices, each) for each in PER_TOKEN] == [getattr(known.prices, each) for each in PER_TOKEN]
    assert any("unreadable" in warning for warning in after.warnings) is bool(counts)


def _smelling(value: Any) -> Any:
    """A field of modalities whose first word nobody has heard of, whether it is text, a list, or a list for each side."""
    if isinstance(value, str):
        return re.sub(r"\w+", "smell", value, count=1)
    if isinstance(value, dict):
        return {name: _smelling(each) for name, each in value.items()}
    return ["smell", *value[1:]] if value else value


def an_unknown_modality_is_a_warning_and_in_no_model(subject: Subject) -> None:
    """Each row that has one is named."""
    changed = set()

    def change(endpoint: Endpoint, row: dict[str, object]) -> object:
        worse = _replaced(row, lambda name: "modalit" in name.lower(), _smelling)
        if "smell" in str(worse):
            changed.add(row[wire_id_field(endpoint.row)])
        return worse

    before, after = subject.read(), subject.read(change)
    assert [warning for warning in before.warnings if "unknown modality" in warning] == []
    warned = {warning.partition(": unknown modality")[0] for warning in after.warnings if ": unknown modality `smell`" in warning}
    assert warned == changed
    assert after.models.keys() == before.models.keys()
    for model in after.models.values():
        assert KNOWN_MODALITIES.issuperset((*(model.input_modalities or ()), *(model.output_modalities or ())))
        assert () not in (model.input_modalities, model.output_modalities)
    assert bool(changed) is any("modalit" in name.lower() for name, _ in _wire_fields(subject))


def what_documentation_states_is_said_of_chat_models_only(subject: Subject) -> None:
    """Of one of them at least; of any other model only what its row says, in words that have the capability's."""
    models = subject.read().models
    chat = {name for name, model in models.items() if "text" in (model.input_modalities or ()) and model.output_modalities == ("text",)}
    for documented in subject.provider.documented:
        word = documented.capability.removeprefix("supports_").removesuffix("ing")
        known = {name for name, model in models.items() if getattr(model, documented.capability) is not None}
        assert chat, f"the sample has no chat model, of which {documented.source} says something"
        assert chat & known
        texts = {name: _text_of(subject, name) for name in known}
        silent = {name for name, text in texts.items() if word not in text}
        assert silent - chat == set()
        assert {name for name in silent if '"embedding' in texts[name]} == set()


def _text_of(subject: Subject, name: str) -> str:
    """All that the lists say of one model."""
    rows = ((endpoint, row) for endpoint in subject.provider.endpoints for row in subject.rows(endpoint))
    return " ".join(json.dumps(row).lower() for endpoint, row in rows if row.get(wire_id_field(endpoint.row)) == name)


# Prices


def _with_row(subject: Subject, endpoint: Endpoint, position: int, row: Any) -> Mapping[str, Model]:
    """The models of the sample with one row in the place of another."""
    rows = {each.name: [*subject.rows(each)] for each in subject.provider.endpoints}
    rows[endpoint.name][position] = row
    return good(subject.provider, {each.name: document(each, rows[each.name]) for each in subject.provider.endpoints}).models


def _amounts(subject: Subject) -> Iterator[tuple[Endpoint, int, str, object]]:
    """For each amount of a model that is called a price: its list, the place of its row, its way, and the row with twice as much."""
    models = subject.read().models
    for endpoint in subject.provider.endpoints:
        for position, row in enumerate(subject.rows(endpoint)):
            for way, other in other_amounts(row) if row.get(wire_id_field(endpoint.row)) in models else ():
                if not any(fnmatchcase(way, key.replace("[]", "[[]]")) for key in subject.trial.no_prices):
                    yield endpoint, position, way, other


def every_amount_of_the_sample_is_read_or_kept(subject: Subject) -> None:
    """What is called a price and is twice as much makes another price, or another text of what was not read."""
    before = subject.read().models
    unseen = {
        f"{endpoint.name}: {way}"
        for endpoint, position, way, other in _amounts(subject)
        if all(model.prices == before[name].prices for name, model in _with_row(subject, endpoint, position, other).items())
    }
    assert unseen == set()


def what_no_call_pays_is_declared_with_its_reason(subject: Subject) -> None:
    """Else it makes the price incomplete."""
    ignored = {name: why for endpoint in subject.provider.endpoints for name, why in endpoint.ignored.items()}
    assert all(ignored.values())
    unread = {name for model in subject.read().models.values() if not model.prices.incomplete for name in model.prices.others}
    assert not unread or ignored, f"name them in Endpoint(ignored=…), each with the reason why no call pays it: {sorted(unread)}"


def a_new_price_beside_the_known_ones_is_told(subject: Subject) -> None:
    """It makes a model's price incomplete, in one of the objects that its prices are in."""
    before, reported, rows = subject.read().models, set[tuple[str, int]](), set[tuple[str, int]]()
    for endpoint, position, way, _ in _amounts(subject):
        rows.add((endpoint.name, position))
        for beside in _around(way):
            row = merged(subject.rows(endpoint)[position], placed(f"{beside}.brand_new_price".removeprefix("."), 7))
            after = _with_row(subject, endpoint, position, row)
            if any({*model.prices.incomplete} - {*before[name].prices.incomplete} for name, model in after.items()):
                reported.add((endpoint.name, position))
    assert reported == rows


def _around(way: str) -> Iterator[str]:
    """The objects that a value is in, from the innermost to the row itself."""
    while way:
        way = way.rpartition(".")[0]
        yield way
