"""Facts in words: prices per million tokens, lengths, what changed from what to what. Pure, for every face."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from modelsync.model.fields import BELIEVED, BENEATH, LISTED, READER, RECORDED, is_price_per_token
from modelsync.model.limits import printable
from modelsync.model.model import Prices, Tier, UnitPrice
from modelsync.planning.plan import FieldChange

UNKNOWN = "—"
_LISTS: Mapping[str, Any] = {"pricing.per_unit": tuple[UnitPrice, ...], "pricing.tiers": tuple[Tier, ...]}


def number(value: int | None) -> str:
    """A count with separators; a dash for nothing."""
    return UNKNOWN if value is None else f"{value:,}"


def per_million(price: Decimal | None) -> str:
    """USD per token shown as USD per million tokens, exactly: 0.00000125 is 1.25."""
    return per_tokens(price, 1_000_000)


def per_tokens(price: Decimal | None, count: int) -> str:
    """USD per token shown as USD per so many tokens, exactly."""
    if price is None:
        return UNKNOWN
    if price == 0:
        return "free"
    text = f"{(price * count).normalize():f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"


def factor(old: object, new: object) -> str:
    """How many times one recorded price is the other one, 0.8 for a fifth less; nothing where there is none, or it was free."""
    try:
        before, after = (Decimal(value) if isinstance(value, str) else None for value in (old, new))
    except InvalidOperation:
        return ""
    return "" if before is None or after is None or not before else f"{float(after / before):.6g}"


def facts(prompt: Decimal | None, completion: Decimal | None, context_length: int | None, *, dynamic: bool) -> str:
    """A model's price, from USD per token, and its length in tokens."""
    if dynamic:
        price = "price varies by request"
    elif prompt is None and completion is None:
        price = "no token price"
    else:
        price = f"in {per_million(prompt)} out {per_million(completion)} $/1M"
    return f"{price}  ctx {tokens(context_length)}"


def value_text(field: str, value: object) -> str:
    """A field's JSON value; prices per token in USD per million, with what that is per token."""
    if value is None:
        return UNKNOWN
    if isinstance(value, str) and is_price_per_token(field):
        price = Decimal(value)
        return "free" if price == 0 else f"{per_million(price)} $/1M ({price:f} USD per token)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def tokens(count: int | None) -> str:
    """A length in tokens: 131072 is 131k, 1048576 is 1.0M."""
    if count is None:
        return UNKNOWN
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f}M"
    return f"{count // 1000}k" if count >= 10_000 else f"{count:,}"


_BY_NAME = {BELIEVED: "believed last", BENEATH: "the provider's value, beneath a pin"}

BY_PERSONS = ("pin", "unpin", "upsert", "add", "confirm", "reopen", "rollback")
"""Triggers of runs in which a person decided."""


def field_text(change: FieldChange) -> str:
    """One field's old → new; token prices in USD per million, with the difference in percent."""
    old, new = change.old, change.new
    if change.field == READER:
        return f"a correction: version {new} of the provider's module reads the same text otherwise than version {old} did"
    if change.field == LISTED:
        return "the provider lists it now"
    percent = f" ({(new - old) / old:+.0%})" if isinstance(old, Decimal) and isinstance(new, Decimal) and old else ""
    name, shown, unit = _told(change.field, (old, new))
    return f"{name} {shown[0]} → {shown[1]}{unit}{percent}"


def _told(field: str, values: tuple[object, ...]) -> tuple[str, list[str], str]:
    """A field's name, values and unit as sentences have them."""
    if field.startswith("pricing") and any(isinstance(value, Decimal) for value in values):
        name = field.removeprefix("pricing_").removeprefix("pricing.")
        per = "" if name in ("image", "request", "web_search") else " $/1M"
        return name, [_price(value, million=bool(per)) for value in values], per
    return field, [_short(value) for value in values], ""


def told(changes: Sequence[FieldChange]) -> Iterator[tuple[str, str]]:
    """Changes of one model in words, by field. What only a pin moved says so; what a pin hides is told where it moved otherwise."""
    shown = {change.field: (change.old, change.new) for change in changes}
    hidden = _pairs(*shown.get(BENEATH, ({}, {})))
    for change in changes:
        if change.field in _BY_NAME:
            pairs = {name: pair for name, pair in _pairs(change.old, change.new).items() if pair[0] != pair[1] and pair != shown.get(name)}
            words = ", ".join(field_text(FieldChange(name, *pair)) for name, pair in pairs.items())
            yield from [(change.field, f"{_BY_NAME[change.field]}: {words}")] if words else ()
        elif change.field in hidden and hidden[change.field][0] == hidden[change.field][1]:
            _, (stays,), unit = _told(change.field, hidden[change.field][:1])
            yield change.field, f"{field_text(change)} (only the pin; the provider's value stays {stays}{unit})"
        else:
            yield change.field, field_text(change)


def _pairs(old: object, new: object) -> dict[str, tuple[object, object]]:
    """What a change tells by name, prompt before completion; Postgres keeps no order."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return {}
    return {name: (old[name], new[name]) for name in sorted(new, key=lambda name: (_PLACES.get(name, len(_PLACES)), name))}


_PLACES = {name: place for place, name in enumerate(RECORDED)}


def _price(value: object, *, million: bool) -> str:
    if not isinstance(value, Decimal):
        return UNKNOWN
    return per_million(value) if million else f"${value:f}"


_SMALL = Decimal("0.0001")
"""USD below which a price is shown per million of its unit."""


def other_price(prices: Prices) -> str:
    """What a call costs that is no price per token: the first such price, in USD with its unit, and how many there are beside it."""
    flat = ((prices.image, "image"), (prices.request, "request"), (prices.web_search, "search"))
    units = ((each.usd, each.per) for each in prices.per_unit)
    found = [f"${usd:f}/{what}" if usd >= _SMALL else f"${per_million(usd)}/1M {what}" for usd, what in (*flat, *units) if usd]
    return f"{found[0]} +{len(found) - 1}" if len(found) > 1 else "".join(found)


def _part(part: object) -> str:
    if isinstance(part, UnitPrice):
        return f"${part.usd:f}/{part.per}"
    if isinstance(part, Tier):
        return f"{_when(part)}: in {per_million(part.prompt)} out {per_million(part.completion)} $/1M"
    return str(part)


def _when(tier: Tier) -> str:
    above = f"above {tokens(tier.above)}" if tier.above is not None else ""
    clock = f"{tier.utc_start}-{tier.utc_end} UTC" if tier.utc_start is not None else ""
    return ", ".join(part for part in (above, clock, "+".join(tier.utc_days)) if part)


def _short(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        text = "+".join(_part(part) for part in value) or UNKNOWN
    else:
        text = f"{value:,}" if isinstance(value, int) else str(value)
    text = printable(text)
    return text if len(text) <= 60 else f"{text[:59]}…"


def changes_text(fields: Mapping[str, tuple[object, object]]) -> str:
    """Recorded fields as old → new; prices in USD per million tokens."""
    return ", ".join(words for _, words in told(recorded(fields)))


def recorded(fields: Mapping[str, tuple[object, object]]) -> list[FieldChange]:
    """Recorded fields with their JSON values as the facts that they were."""
    return [FieldChange(name, _value(name, old), _value(name, new)) for name, (old, new) in fields.items()]


def _value(name: str, value: object) -> object:
    """A recorded JSON value as the fact it was: prices are decimals, lists tuples."""
    if name in _BY_NAME and isinstance(value, Mapping):
        return {each: _value(each, of_each) for each, of_each in value.items()}
    if name.startswith("pricing") and isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            return value
    if name in _LISTS and isinstance(value, list):
        return msgspec.convert(value, _LISTS[name])
    return tuple(map(str, value)) if isinstance(value, list) else value
