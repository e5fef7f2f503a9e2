"""From a price on the wire to exact USD. The one place where units are applied.

A unit is declared for every price field, never guessed from the size of a number. Numbers keep their decimal digits from the first
byte: they are read from the raw JSON text, never through a float.
"""

import re
from collections.abc import Container, Mapping
from decimal import Context, Decimal
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import msgspec

from modelsync.model.model import NO_PRICES, PER_TOKEN, Prices, UnitPrice


class Unit(msgspec.Struct, frozen=True, cache_hash=True):
    """What one wire unit of a price means: `usd` USD per one `per`."""

    name: str
    per: str
    usd: Decimal


USD_PER_TOKEN = Unit("USD per token", "token", Decimal(1))
USD_PER_1K_TOKENS = Unit("USD per 1,000 tokens", "token", Decimal("1e-3"))
USD_PER_1M_TOKENS = Unit("USD per 1M tokens", "token", Decimal("1e-6"))
CENTS_PER_TOKEN = Unit("US cents per token", "token", Decimal("1e-2"))
TENTHOUSANDTHS_PER_1M_TOKENS = Unit("1/10,000 USD per 1M tokens", "token", Decimal("1e-10"))
TICKS_PER_TOKEN = Unit("ticks (1e-10 USD) per token", "token", Decimal("1e-10"))
USD_PER_REQUEST = Unit("USD per request", "request", Decimal(1))
USD_PER_IMAGE = Unit("USD per image", "image", Decimal(1))
TICKS_PER_IMAGE = Unit("ticks (1e-10 USD) per image", "image", Decimal("1e-10"))
USD_PER_SEARCH = Unit("USD per search", "search", Decimal(1))
USD_PER_1K_SEARCHES = Unit("USD per 1,000 searches", "search", Decimal("1e-3"))
TICKS_PER_SEARCH = Unit("ticks (1e-10 USD) per search", "search", Decimal("1e-10"))
USD_PER_SECOND = Unit("USD per second", "second", Decimal(1))
CENTS_PER_SECOND = Unit("US cents per second", "second", Decimal("1e-2"))
CENTS_PER_CHARACTER = Unit("US cents per character", "character", Decimal("1e-2"))
CENTS_PER_IMAGE_UNIT = Unit("US cents per image unit", "image unit", Decimal("1e-2"))

LOWEST_PER_TOKEN, HIGHEST_PER_TOKEN = Decimal("1e-11"), Decimal("1e-2")
"""A stated, non-zero price per token outside these bounds is not believed (USD per token)."""

_CLAIMS = {"token": (Decimal("1e-20"), Decimal("1e6"))}
_ANY_CLAIM = (Decimal(0), Decimal("1e12"))
"""Beyond these (USD) no mistake in a unit leads; such a number is no price at all."""

HIGHEST_PER_UNIT = Decimal(100_000)
"""The same for any other unit (USD)."""

_FIXED_DIMENSIONS = {"request": "request", "image": "image", "web_search": "search"}


class Price(msgspec.Struct, frozen=True, cache_hash=True):
    """Where one wire field goes: a field of `Prices` (or "per_unit"), and its unit.

    `zero_is_free` is False where a 0 on the wire only means that there is no such price.
    """

    to: str
    unit: Unit
    zero_is_free: bool = True

    def __post_init__(self) -> None:
        expected = "token" if self.to in PER_TOKEN else _FIXED_DIMENSIONS.get(self.to)
        if self.to != "per_unit" and self.unit.per != expected:
            raise ValueError(f"{self.to} is not a price per {self.unit.per}")


class Unreadable(msgspec.Struct, frozen=True):
    """A stated price that is not taken, and why; with its value where it is a number outside the bounds."""

    reason: str
    value: Decimal | None = None


NO_NUMBER = Unreadable("not a plain decimal number")

Amount = Decimal | Unreadable | None

DYNAMIC, UNPRICED = "dynamic", "unpriced"
NO_SENTINELS: Mapping[bytes, str] = MappingProxyType({})
NONE: frozenset[str] = frozenset()

_number = re.compile(rb'(?P<quote>"?)(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)(?P=quote)')
_twelve_digits = Context(prec=12)


LONGEST = 42
"""Most bytes of a number on the wire, quotes included. Longer ones are neither read nor remembered."""


def number(raw: bytes) -> Amount:
    """The exact number in a JSON number or numeric string; None for null, "" and nothing.

    At most 40 characters of ASCII digits, sign, point and exponent: "$0.5", "0,15", "free", true, NaN are unreadable.
    Twelve significant digits are kept, which removes float noise: 2.5999999999999996 is 2.6.
    """
    return _number_in(raw) if len(raw) <= LONGEST else NO_NUMBER


@lru_cache(maxsize=65536)
def _number_in(raw: bytes) -> Amount:
    if raw in (b"", b"null", b'""'):
        return None
    match = _number.fullmatch(raw)
    if match is None or len(match[2]) > LONGEST - 2:
        return NO_NUMBER
    return _twelve_digits.create_decimal(match[2].decode("ascii")).normalize(_twelve_digits)


def usd(raw: bytes, unit: Unit) -> Amount:
    """A wire price in USD per `unit.per`, inside the bounds; None when nothing is stated."""
    value = number(raw)
    return bounded(value * unit.usd, unit.per) if isinstance(value, Decimal) else value


@lru_cache(maxsize=65536)  # prices repeat: the same few hundred in every list, and in every sync of a process
def _stated(raw: bytes, unit: Unit) -> tuple[Amount, str]:
    """A wire price of LONGEST bytes at most (longer ones are not remembered) in USD per `unit.per`, and how it was written."""
    return usd(raw, unit), f"{excerpt(raw)} {unit.name}"


def bounded(value: Decimal, per: str) -> Amount:
    """`value` (USD per `per`) in canonical form when it is believable."""
    if value.is_zero():
        return Decimal(0)
    if value < 0:
        return Unreadable("negative")
    low, high = (LOWEST_PER_TOKEN, HIGHEST_PER_TOKEN) if per == "token" else (Decimal(0), HIGHEST_PER_UNIT)
    if not low <= value <= high:
        least, greatest = _CLAIMS.get(per, _ANY_CLAIM)
        claim = value.normalize(_twelve_digits) if least <= value <= greatest else None
        return Unreadable(f"{value.normalize():f} USD per {per} is outside {low:f} to {high:f}", claim)
    return value.normalize(_twelve_digits)


def read_prices(
    table: Mapping[str, Price],
    wire: Mapping[str, msgspec.Raw],
    *,
    per_token: bool = True,
    sentinels: Mapping[bytes, str] = NO_SENTINELS,
    zero_is_free: bool = True,
    ignored: Container[str] = NONE,
    structure: Container[str] = NONE,
    claims: bool = True,
) -> Prices:
    """A provider's price fields as `Prices`.

    `table` says where each wire field goes and in what unit. `per_token=False` is a row that its per-token units do not hold for.
    `zero_is_free=False` reads every 0 of this row as "not stated". `sentinels` names wire numbers that are no amounts: `{b"-1":
    "dynamic"}` (varies by request) or "unpriced". What is stated and not read is kept as received, in `others`, and makes the price
    `incomplete`, like what is unreadable; unless it is among the `ignored` ones, which no call pays, or is `structure` and no price.
    `claims=False` takes a number outside the bounds for unreadable: it has no place where it could wait for a person.
    """
    reading = _Reading()
    for field, raw_value in wire.items():
        raw = bytes(raw_value)
        price = table.get(field)
        mark = sentinels.get(raw.strip(b'"')) if sentinels else None
        if mark and (price is not None or mark == UNPRICED):
            reading.dynamic = reading.dynamic or mark == DYNAMIC
        elif price is not None and (per_token or price.to not in PER_TOKEN):
            reading.take(field, raw, price, zero_is_free=zero_is_free and price.zero_is_free, claims=claims)
        elif field not in structure and not says_nothing(raw):
            reading.others[field] = canonical(raw)
            if field not in ignored:
                reading.incomplete.append(field)
    return reading.prices()


class _Reading:
    """What was found in the price fields of one row so far."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.per_unit: list[UnitPrice] = []
        self.implausible: dict[str, Decimal] = {}
        self.implausible_units: list[UnitPrice] = []
        self.raw: dict[str, str] = {}
        self.others: dict[str, str] = {}
        self.incomplete: list[str] = []
        self.problems: list[str] = []
        self.dynamic = False

    def take(self, field: str, raw: bytes, price: Price, *, zero_is_free: bool, claims: bool) -> None:
        """A field whose unit is declared."""
        value, written = _stated(raw, price.unit) if len(raw) <= LONGEST else (NO_NUMBER, f"{excerpt(raw)} {price.unit.name}")
        if value is None:
            return
        self.raw[field] = written
        if isinstance(value, Unreadable):
            claim = value.value if claims else None
            self.problems.append(f"price {field} = {excerpt(raw)}: {value.reason}; {'not stated' if claim is None else 'held'}")
            if claim is None:
                self.incomplete.append(field)
            else:  # it cannot be true, but is a number: a person may look at it
                self._keep(field, price, claim, self.implausible, self.implausible_units)
        elif value or zero_is_free:
            self._keep(field, price, value, self.facts, self.per_unit)

    @staticmethod
    def _keep(field: str, price: Price, value: Decimal, flat: dict[str, Decimal], units: list[UnitPrice]) -> None:
        if price.to == "per_unit":
            units.append(UnitPrice(price.unit.per, value, field))
        else:
            flat[price.to] = value

    def prices(self) -> Prices:
        if not (self.raw or self.others or self.dynamic):
            return NO_PRICES
        return Prices(
            **self.facts,
            per_unit=tuple(sorted(self.per_unit, key=attrgetter("what"))),
            dynamic=self.dynamic,
            others=self.others,
            incomplete=tuple(sorted(self.incomplete)),
            raw=self.raw,
            problems=tuple(self.problems),
            implausible=self.implausible,
            implausible_units=tuple(self.implausible_units),
        )


def says_nothing(raw: bytes) -> bool:
    """Whether a wire value states no price: null, false, zero, empty, or an object or list of nothing but such values."""
    amount = number(raw)
    if not isinstance(amount, Unreadable):
        return not amount
    if raw != b"false" and raw[:1] not in (b"{", b"["):
        return False
    try:
        return _is_nothing(msgspec.json.decode(raw))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False


def _is_nothing(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    if isinstance(value, list):
        return all(map(_is_nothing, value))
    return not value or (isinstance(value, str) and not number(value.encode()))


class _Scaled(msgspec.Struct, frozen=True):
    amount: msgspec.Raw
    scale: int
    currency: str


def scaled(raw: msgspec.Raw) -> msgspec.Raw:
    """`{amount, scale, currency}` as the plain number of USD it means, amount / 10^scale.

    Left as it came, and so not readable as a price, when it is no amount in USD or its scale is not positive: a scale of -6 once meant
    the opposite, and guessing which was meant would be wrong by a factor of a trillion.
    """
    try:
        money = msgspec.json.decode(raw, type=_Scaled)
    except msgspec.MsgspecError:
        return raw
    if money.currency != "USD" or money.scale <= 0:
        return raw
    return msgspec.Raw(b"%be-%d" % (bytes(money.amount), money.scale))


def canonical(raw: bytes, limit: int = 2000) -> str:
    """JSON text that does not depend on white space or on the order of keys, at most `limit` characters.

    Text that is JSON but no value this program can hold (1e400) stays as it came.
    """
    try:
        return msgspec.json.encode(msgspec.json.decode(raw), order="deterministic").decode()[:limit]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return excerpt(raw, limit)


def plain(value: object) -> Any:
    """A fact as JSON has it: decimals as plain digits in a string, times in ISO 8601, tuples as lists."""
    return plain_decimals(msgspec.to_builtins(value, builtin_types=(Decimal,), enc_hook=str))


def plain_decimals(value: object) -> Any:
    """The same JSON value with every Decimal as a string of plain digits: 0.0000001, not 1E-7."""
    if isinstance(value, str):  # by far the most
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return {name: plain_decimals(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain_decimals(part) for part in value]
    return value


def excerpt(raw: bytes, limit: int = 80) -> str:
    """Wire bytes as short text for people: at most `limit` characters."""
    text = raw[: limit * 4].decode("utf-8", "replace").strip('"')
    return text if len(text) <= limit else text[: limit - 1] + "…"
