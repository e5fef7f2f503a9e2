"""Who acts, and what a key lets its holder do."""

from enum import IntEnum

import msgspec

from modelsync.errors import UsageError


class Person(msgspec.Struct, frozen=True):
    """Who acts, and why."""

    name: str
    reason: str


class Scope(IntEnum):
    """What a key is good for; each includes the ones before it."""

    READ = 1
    SYNC = 2
    ADMIN = 3

    @classmethod
    def of(cls, name: str) -> "Scope":
        """The scope of a name. UsageError when there is none."""
        try:
            return cls[name.upper()]
        except KeyError:
            raise UsageError(f"Unknown scope {name}", "Use read, sync or admin") from None

    def __str__(self) -> str:
        return self.name.lower()
