"""What a provider is asked with. Neither value shows itself in a `repr`."""

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
