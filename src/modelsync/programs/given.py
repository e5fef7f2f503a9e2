"""Models that a program gives: checked whole before anything is written."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from modelsync.errors import UsageError
from modelsync.model.limits import within_limits
from modelsync.model.model import Model
from modelsync.model.points import numbers

_HINT = "Nothing was written. Prices are Decimal in USD per token, times have a zone; None is what is not known"


def checked(models: Iterable[Model]) -> list[Model]:
    """The models with values of the types that `Model` states: a price that is a float has the digits that Python prints.

    Raises UsageError, which names the model, for a value that no model has, and for an id that is given twice.
    """
    found: dict[str, Model] = {}
    for place, model in enumerate(models):
        try:
            taken = _checked(model)
        except (ValueError, TypeError) as error:
            raise UsageError(f"models[{place}] ({getattr(model, 'id', model)!r:.80}): {error}", _HINT) from error
        if taken.id in found:
            raise UsageError(f"models[{place}]: {taken.id!r} is given twice", "Nothing was written. Give each model once")
        found[taken.id] = taken
    return list(found.values())


def _checked(model: Model) -> Model:
    """ValueError or TypeError (msgspec's errors are such) for what is no model."""
    if not isinstance(model, Model):
        raise TypeError("it is no modelsync.Model")
    # Structs do not look at what they are made of. Without builtin_types a Decimal would become text, and a time lose nothing but time.
    taken = msgspec.convert(msgspec.to_builtins(model, builtin_types=(Decimal, datetime)), Model)
    for point, value in numbers(taken.prices).items():
        if not value.is_finite() or value < 0:
            raise ValueError(f"{point} is {value}")
    for name in ("released_at", "expires_at"):
        time = getattr(taken, name)
        if time is not None and time.tzinfo is None:
            raise ValueError(f"{name} has no zone")
    warnings: list[str] = []
    inside = within_limits(taken, warnings)
    if warnings and inside != taken:
        raise ValueError(warnings[0])
    return inside
