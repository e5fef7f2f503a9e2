"""What can go wrong, as values and as the few exceptions that end a command.

Failure            one provider's failure: a value, never raised past that provider
ModelsyncError     ends a command with one line and an instruction
├── UsageError     wrong option, unknown provider            exit 64
│   ├── NotThere       what was named does not exist
│   ├── AlreadyThere   what was to be made exists
│   └── Settled        what was to be decided is no open question
├── SettingsError  a setting that cannot be used             exit 64
└── DatabaseError  the catalog cannot be opened or written   exit 1
    ├── Conflict       another transaction was in the way
    └── TooSlow        the database was stopped: it took longer than it may
"""

from enum import StrEnum

import msgspec


class FailureKind(StrEnum):
    """Whose turn it is: what to do about a failure."""

    CONFIG = "config"  # the operator's: a key, an address, a certificate
    TRANSIENT = "transient"  # nobody's: try again later
    UPSTREAM = "upstream"  # the provider's: its answer could not be used
    INTERNAL = "internal"  # ours, or this machine's: a bug, a full disk


class Failure(msgspec.Struct, frozen=True):
    """Why one provider could not be synced.

    `message` says what happened, `hint` what to do next; neither ever holds a key or an upstream body. `retry_after` are the seconds that
    the provider asked to wait, where it did.
    """

    kind: FailureKind
    message: str
    hint: str
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}"


class ModelsyncError(Exception):
    """Ends a command. Shown as `message` and `hint`, without a traceback."""

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}"


class UsageError(ModelsyncError):
    """The command line or a call named something that does not exist."""

    exit_code = 64


class NotThere(UsageError):
    """What was named does not exist."""


class AlreadyThere(UsageError):
    """What was to be made is there already, or what was to go is still needed."""


class Settled(UsageError):
    """What was to be decided, or taken back, is decided already, or nobody asks it any more."""


class SettingsError(ModelsyncError):
    """A setting is malformed or unsafe."""

    exit_code = 64


class DatabaseError(ModelsyncError):
    """The catalog database cannot be opened, read or written."""


class Conflict(DatabaseError):
    """Two transactions were in each other's way and this one was undone: trying it again may do."""


class TooSlow(DatabaseError):
    """The database took longer than it may, and was stopped."""
