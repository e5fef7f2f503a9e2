"""Which prices of a listing are not the whole price, in words. One warning for each field, however many models it is of."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from modelsync.model.model import Prices
from modelsync.model.prices import excerpt

_POSITION = re.compile(r"\[\d+\]")


def unread_fields(prices: Prices) -> tuple[str, ...]:
    """The fields that are stated and not read. One that is read at other models and cannot be read at this one has its own warning."""
    return tuple(field for field in prices.incomplete if field not in prices.raw)


def incomplete_warnings(unread: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """`price incomplete: `image` is stated for 120 models and not read (openai/gpt-5, …)`, in the order of the fields.

    `unread` are the fields by model. Where a field stands in a list makes no difference: `overrides[0].image` and `overrides[1].image`
    are one, `overrides[].image`.
    """
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for row_id, fields in unread.items():
        for field in fields:
            ids[_POSITION.sub("[]", field)].add(row_id)
    return tuple(_warning(field, ids[field]) for field in sorted(ids))


def _warning(field: str, ids: set[str]) -> str:
    count = "1 model" if len(ids) == 1 else f"{len(ids):,} models"
    more = ", …" if len(ids) > 1 else ""
    return f"price incomplete: `{excerpt(field.encode())}` is stated for {count} and not read ({min(ids)}{more})"
