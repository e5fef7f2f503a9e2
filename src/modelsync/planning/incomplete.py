"""Which prices of a listing are not the whole price, in words. One warning for each field, however many models it is of."""

import re
from collections import defaultdict
from collections.abc import Iterable

from modelsync.model.model import Model
from modelsync.model.prices import excerpt

_POSITION = re.compile(r"\[\d+\]")


def incomplete_warnings(models: Iterable[Model]) -> tuple[str, ...]:
    """`price incomplete: `image` is stated for 120 models and not read (openai/gpt-5, …)`, in the order of the fields.

    A field that is read at other models and cannot be read at this one has its own warning, with the reason. Where a field stands in a
    list makes no difference: `overrides[0].image` and `overrides[1].image` are one, `overrides[].image`.
    """
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for model in models:
        for field in model.prices.incomplete:
            if field not in model.prices.raw:
                ids[_POSITION.sub("[]", field)].add(model.id)
    return tuple(_warning(field, ids[field]) for field in sorted(ids))


def _warning(field: str, ids: set[str]) -> str:
    count = "1 model" if len(ids) == 1 else f"{len(ids):,} models"
    more = ", …" if len(ids) > 1 else ""
    return f"price incomplete: `{excerpt(field.encode())}` is stated for {count} and not read ({min(ids)}{more})"
