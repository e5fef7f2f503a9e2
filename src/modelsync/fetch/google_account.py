"""Google's credentials: where they are found, and what in them is secret. google-auth, slow to import, is only loaded to use them."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from modelsync.providers.base import GoogleAccount

LEAST_SECRET = 8
"""Shorter lines of a private key are none."""

_PRIVATE_FIELDS = ("private_key", "private_key_id", "client_secret", "refresh_token")

Get = Callable[[str], str | None]
"""From a variable's name to its value; None when it is not set."""


class GoogleCredential(msgspec.Struct, frozen=True):
    """Google credentials: JSON text or a file of it; neither means the machine's own account from the metadata server."""

    variable: str
    scope: str
    json_text: str | None = None
    path: Path | None = None

    def __repr__(self) -> str:
        return f"GoogleCredential(from {self.variable})"

    @property
    def secrets(self) -> frozenset[str]:
        """What no output may hold: the JSON, and its private fields line by line, because a log may show a part of it."""
        whole = frozenset({self.json_text} if self.json_text else ())
        try:
            text = self.json_text or (self.path.read_text("utf-8") if self.path else "{}")
            fields = json.loads(text)
            private = [str(fields[name]) for name in _PRIVATE_FIELDS if fields.get(name)]
        except (OSError, ValueError, TypeError, AttributeError):  # unusable, which the sync says
            return whole
        lines = (line for value in private for line in value.splitlines())
        return whole | {line for line in lines if len(line) >= LEAST_SECRET and not line.startswith("-----")}


def credential_of(auth: GoogleAccount, get: Get) -> GoogleCredential | None:
    """JSON in a variable, a named file, gcloud's own file, or, on Google's machines only, the metadata server."""
    json_variable, path_variable = auth.variables
    if text := get(json_variable):
        return GoogleCredential(json_variable, auth.scope, json_text=text)
    if path := get(path_variable):
        return GoogleCredential(path_variable, auth.scope, path=_expanded(path))
    home = get("HOME") or get("APPDATA")
    folder = get("CLOUDSDK_CONFIG") or (f"{home}/.config/gcloud" if home else None)
    if folder and _is_file(file := Path(folder) / "application_default_credentials.json"):
        return GoogleCredential("gcloud's application default credentials", auth.scope, path=file)
    if get("K_SERVICE") or get("GCE_METADATA_HOST") or _on_google():
        return GoogleCredential("the metadata server", auth.scope)
    return None


def _expanded(path: str) -> Path:
    """With ~ for the home directory; of somebody who has none it is a file that is not there."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that this user may not look into
        return False


def _on_google() -> bool:
    try:
        return "Google" in Path("/sys/class/dmi/id/product_name").read_text("utf-8")
    except OSError:
        return False
