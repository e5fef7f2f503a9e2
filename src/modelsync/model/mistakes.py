"""What msgspec says of a value that is of another type, in words that people read."""

import re

_PLAIN = (
    (r"Expected `\w+` of length <= (\d+)", "it is longer than {}"),
    (r"Expected `\w+` of length >= (\d+)", "it is shorter than {}"),
    (r"Expected `\w+` <= ([\d.e-]+)", "it is more than {}"),
    (r"Expected `\w+` >= ([\d.e-]+)", "it is less than {}"),
    (r"Expected `float` that's a multiple of 1\.0", "it is no whole number"),
    (r"Expected `str` matching regex '\^\[0-9\].*", "it is no whole number"),
    (r"Expected `int.*", "it is no whole number"),
    (r"Expected `float.*", "it is no number"),
    (r"Expected `bool.*", "it is neither true nor false"),
    (r"Expected `array.*", "it is no list"),
    (r"Expected `object.*", "it is no object"),
    (r"Expected `str.*`, got.*", "it is no text"),
)


def plain_words(what: str) -> str | None:
    """What msgspec says is wrong, without the value; None where there are no other words for it."""
    plain = (words.format(*match.groups()) for pattern, words in _PLAIN if (match := re.fullmatch(pattern, what)))
    return next(plain, None)
