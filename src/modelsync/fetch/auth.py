"""What a provider is asked with. No value here shows itself in a `repr`."""

from collections.abc import Mapping
from pathlib import Path

import msgspec


class KeyCredential(msgspec.Struct, frozen=True):
    """An API key, and the variable it came from, which error messages name."""

    key: str
    variable: str
    scheme: str = "Bearer"

    def __repr__(self) -> str:
        return f"KeyCredential(from {self.variable})"


class GoogleCredential(msgspec.Struct, frozen=True):
    """Google credentials: JSON text or a file of it; neither means the machine's own account from the metadata server."""

    variable: str
    scope: str
    json_text: str | None = None
    path: Path | None = None

    def __repr__(self) -> str:
        return f"GoogleCredential(from {self.variable})"


Credential = KeyCredential | GoogleCredential


class Authorization(msgspec.Struct, frozen=True):
    """The headers that carry a key or a token, and the `secrets` in them.

    Whatever header a provider wants: what is here is sent over TLS or to this machine only, is shown nowhere, and an answer that repeats
    it is refused.
    """

    headers: Mapping[str, str] = {}
    secrets: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Authorization({', '.join(self.headers)})"


NOBODY = Authorization()
"""Of a request without a key."""


def authorized(header: str, scheme: str, key: str) -> Authorization:
    """A key in a header, after its scheme, if it has one."""
    return Authorization({header: f"{scheme} {key}" if scheme else key}, frozenset({key}))
