"""A row in one pass: its wire type, and whatever this does not declare beside it."""

import threading
from collections.abc import Iterable

import msgspec

from modelsync.providers.base import Wire

MOST_LEARNED, MOST_AT_ONCE = 64, 32
"""Undeclared fields that a reader learns of all rows, and of one: a row with more of them is a map."""

LEARNING = threading.Lock()
"""Held while a type is made and looked at: msgspec dies when two threads look at types at once."""

_shallow = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RowReader:
    """Decodes the sound rows of one list into their wire type in one pass, undeclared fields included.

    msgspec drops what a type does not declare. So the type learns, from the rows themselves, the names that it lacks, and refuses a row
    with another one: that row teaches it. What it learned of one list is forgotten with it: no list changes how another one is read.
    """

    def __init__(self, row: type[msgspec.Struct]) -> None:
        self._row = row
        self._declared = [field.encode_name for field in msgspec.structs.fields(row)]
        self._learn(())

    def _learn(self, names: Iterable[str]) -> None:
        """Take `names` for all the undeclared fields there are. In their order, so that what is read of a row never hangs on others."""
        ordered = sorted(names)
        attributes = {f"_{number}": name for number, name in enumerate(ordered)}
        fields = [(attribute, object, None) for attribute in attributes]
        with LEARNING:
            kind = msgspec.defstruct(
                self._row.__name__, fields, bases=(self._row,), rename=attributes, frozen=True, forbid_unknown_fields=True
            )
            self._learned = (msgspec.json.Decoder(kind), ordered)

    def read(self, raw: msgspec.Raw, position: int, digest: bytes = b"") -> Wire | None:
        """A row, or None for one that is not read so: with a value that is not of its type, or with names that are not learned."""
        decoder, names = self._learned
        try:
            row = decoder.decode(raw)
        except msgspec.ValidationError as error:
            if str(error).startswith("Object contains unknown field") and self._taught_by(raw):
                return self.read(raw, position, digest)
            return None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        beside = msgspec.structs.astuple(row)[len(self._declared) :]
        rest = {name: value for name, value in zip(names, beside, strict=True) if value is not None}
        return Wire(row, rest, position, digest)

    def _taught_by(self, raw: msgspec.Raw) -> bool:
        """Whether a row has top-level names that are new, there is still room for them, and a struct can have them."""
        names = self._learned[1]
        new = _shallow.decode(raw).keys() - {*names, *self._declared}
        if not new or len(new) > MOST_AT_ONCE or len(names) + len(new) > MOST_LEARNED:
            return False
        try:
            self._learn({*names, *new})
        except ValueError:  # a quote, a backslash or a control character in a name
            return False
        return True
