"""The limits of the guard that an operator may set: their ranges, and their names on the command line. Pure, for every face."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from modelsync.errors import UsageError
from modelsync.planning.policy import Rules


class Guard(msgspec.Struct, frozen=True, omit_defaults=True):
    """Limits that an operator set for one provider; None leaves what the settings say."""

    shrink_share: float | None = None
    shrink_models: int | None = None
    price_factor: Decimal | None = None
    price_first_sight: Decimal | None = None

    @property
    def limits(self) -> dict[str, float | Decimal]:
        """Those that are set, by name."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


NO_GUARD = Guard()


class Limit(msgspec.Struct, frozen=True):
    """One limit: the option that sets it, the kind of number it is, and the range of it, ends included."""

    option: str
    kind: type[float] | type[int] | type[Decimal]
    low: float
    high: float

    @property
    def range(self) -> str:
        """The range in words."""
        return f"{self.low:g} to {self.high:,.0f}" if self.high >= 1 else f"{self.low:g} to {self.high:g}"

    def allows(self, value: float | Decimal) -> bool:
        """Whether a number is in the range."""
        return self.low <= value <= self.high

    def read(self, text: str) -> float | Decimal:
        """A number as somebody wrote it. UsageError when it is none, or out of range."""
        try:
            value = self.kind(text)
            if self.allows(value):
                return value
        except (ValueError, InvalidOperation):
            pass
        raise UsageError(f"--{self.option} cannot be {text}", f"Give a {'whole ' if self.kind is int else ''}number from {self.range}")


LIMITS: Mapping[str, Limit] = {
    "shrink_share": Limit("shrink", float, 0, 1),
    "shrink_models": Limit("shrink-models", int, 0, 1_000_000),
    "price_factor": Limit("price-factor", Decimal, 2, 1000),
    "price_first_sight": Limit("first-sight", Decimal, 1e-11, 1e-2),
}
"""By the names that the catalog keeps them under. USD per token is the unit of `price_first_sight`."""


def given(values: Mapping[str, str | None], defaults: list[str]) -> dict[str, object]:
    """What somebody wants to set, by name; None gives one back. UsageError for what cannot be, or is said twice."""
    limits = {name: LIMITS[name].read(text) for name, text in values.items() if text is not None}
    by_option = {limit.option: name for name, limit in LIMITS.items()}
    for option in defaults:
        if option not in by_option:
            raise UsageError(f"There is no limit {option}", f"The limits are {', '.join(by_option)}")
        if by_option[option] in limits:
            raise UsageError(f"--{option} is set and given back at once", "Say one of them")
    return limits | {by_option[option]: None for option in defaults}


def of_settings(rules: Rules) -> Guard:
    """What the settings say of these limits."""
    prices = rules.prices
    return Guard(rules.shrink_share, rules.shrink_models, prices.factor, prices.first_sight)


def limits_text(guard: Guard) -> str:
    """Limits that are set, in a few words: `shrink 0.4, price-factor 20`."""
    return ", ".join(f"{LIMITS[name].option} {plain(value)}" for name, value in guard.limits.items())


def plain(value: float | Decimal) -> str:
    """A limit in plain digits."""
    return f"{value:f}" if isinstance(value, Decimal) else f"{value:g}" if isinstance(value, float) else str(value)
