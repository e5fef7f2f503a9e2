"""What settings are once they are read: typed values, checked. A default stands here, or in the struct of the room that it is for."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelsync.fetch import Credential, FetchLimits, Origins
from modelsync.model.actors import Scope
from modelsync.planning.policy import Rules
from modelsync.planning.schedule import GivenSchedule, Schedule
from modelsync.providers.base import Provider
from modelsync.providers.registry import Registry

NO_SUCH = "unknown: no such setting"
"""What is said of a setting that there is not."""


class Setting(msgspec.Struct, frozen=True):
    """One setting as `modelsync settings` shows it: its value (masked when secret) and where it came from."""

    name: str
    value: str
    source: str
    help: str


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How the REST API is served.

    `rate` is in requests per second and client, 0 for no limit; a `public` catalog is read without a key. Connections, searches and
    exports are limited in all, and for each client. Whoever `sign_in_header` names, when one of `sign_in_proxies` sends it, has signed in
    with `sign_in_scope`. Seconds are those that a client has for a request's head, its body, and to go on reading an answer; that a
    connection may be idle; that sending one answer may take in all; and that the database may take for one answer.
    """

    admin_keys: tuple[str, ...] = ()
    public: bool = True
    rate: float = 100.0
    connections: int = 512
    client_connections: int = 64
    searches: int = 64
    client_searches: int = 8
    exports: int = 32
    client_exports: int = 2
    body_bytes: int = 1024 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 15.0
    stall_seconds: float = 20.0
    send_seconds: float = 600.0
    query_seconds: float = 5.0
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    sign_in_header: str | None = None
    sign_in_proxies: tuple[str, ...] = ()
    sign_in_scope: Scope = Scope.READ


class Places(msgspec.Struct, frozen=True):
    """Where settings are read from, beside the environment. `home` is the folder of `.env`, `config` and modelsync.db."""

    home: Path = Path()
    config: Path = Path("modelsync.toml")


DATABASE = "sqlite:///modelsync.db"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a user may choose, checked. `secrets` are the values that no output may ever hold; `schedules` are those of every
    provider, by slug: its own, that of all (`schedule`), or its default.
    """

    database_url: str = DATABASE
    limits: FetchLimits
    rules: Rules
    keep_runs_days: int = 90
    origins: Origins
    serving: Serving
    schedule: Schedule | None = None
    schedules: Mapping[str, GivenSchedule] = {}
    archive: Path | None = None
    archive_days: int = 30
    enabled: frozenset[str]
    credentials: Mapping[str, Credential]
    options: Mapping[str, msgspec.Struct]
    providers: Registry
    shown: tuple[Setting, ...]
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Settings({len(self.shown)} of them)"

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names that are set as settings of ours and are none."""
        return tuple(setting.name for setting in self.shown if setting.help == NO_SUCH)

    def scope(self, provider: Provider) -> str:
        """What a provider's listing depends on, as 16 hex digits: its options, its key, and where it is asked."""
        credential = self.credentials.get(provider.slug)
        return self._digest(provider, msgspec.json.encode(credential, enc_hook=str).decode() if credential else "")

    def place(self, provider: Provider) -> str:
        """The same without its key."""
        return self._digest(provider, "whatever the key")

    def _digest(self, provider: Provider, key: str) -> str:
        options = msgspec.json.encode(self.options[provider.slug], order="deterministic").decode()
        parts = [provider.slug, options, key, self.origins.route(provider.slug, provider.base_url)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
