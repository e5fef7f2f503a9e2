"""The shapes of answers are those of the schema's columns."""

import types
import typing

import msgspec
import pytest
import sqlalchemy as sa

from modelsync.api import schemas
from modelsync.database.schema import JsonDocument, Money, models, providers


def test_a_model_has_every_column_but_the_one_for_counting_absences_and_whether_its_price_is_whole():
    columns = [column.name for column in models.columns]
    shown = [name for name in columns if name != "missing_since_seq"]
    assert sorted(schemas.Model.__struct_fields__) == sorted(["provider", *shown, "price_incomplete"])


def test_a_provider_has_every_column_and_the_number_of_its_models():
    assert list(schemas.Provider.__struct_fields__) == [*(column.name for column in providers.columns), "model_count"]


@pytest.mark.parametrize(("table", "shape"), [(models, schemas.Model), (providers, schemas.Provider)], ids=["models", "providers"])
def test_what_may_be_null_and_what_a_price_is_are_the_same_in_both(table: sa.Table, shape: type):
    said = typing.get_type_hints(shape)
    for column in table.columns:
        if column.name not in said:
            continue
        hint = said[column.name]
        parts = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
        assert (types.NoneType in parts) is bool(column.nullable), column.name
        if isinstance(column.type, Money):
            assert str in parts, column.name
        if isinstance(column.type, sa.Boolean):
            assert bool in parts, column.name
        if isinstance(column.type, JsonDocument):
            assert msgspec.Raw in parts, column.name  # as the database has it
