"""The table of settings. One entry is one setting: its name, how its text is read, the field it fills, and what `modelsync settings` says.

A setting is added by an entry here and the field it fills, which has the default: reading, `modelsync settings`, the documents' tables
and the tests go through this table.
"""

import functools
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from modelsync.fetch import FetchLimits, Origins
from modelsync.operations.purge import LEAST_AGE
from modelsync.planning.doubts import PriceLimits
from modelsync.planning.guard import LIMITS, plain
from modelsync.planning.policy import Rules
from modelsync.providers.base import Provider
from modelsync.redaction import SHORTEST_KEY, passwords, tokens, without_passwords, without_tokens
from modelsync.settings.readers import Choice, Number, keys, names, networks, origin, path, schedule, scope, sign_in_header, words
from modelsync.settings.values import Places, Serving, Settings


class Redaction(msgspec.Struct, frozen=True):
    """How text is shown, and what in it no output may hold."""

    shown: Callable[[str], str]
    secrets: Callable[[str], frozenset[str]]


HIDDEN = "***"
ADDRESS = Redaction(without_passwords, passwords)
"""Of text that is shown: it may be an address with a password."""

ORIGIN = Redaction(lambda text: without_passwords(without_tokens(text)), lambda text: passwords(text) | tokens(text))
KEYS = Redaction(lambda _: HIDDEN, names)
KEY_OF_PROVIDER = Redaction(lambda _: HIDDEN, lambda _: frozenset())
"""The credential that is used says what in it is secret."""

UNKNOWN = Redaction(lambda _: HIDDEN, ORIGIN.secrets)
"""Of a setting that does not exist: who knows what it holds. It may be a misspelled origin."""


class Entry(msgspec.Struct, frozen=True):
    """One setting: its text is `read` into a field of a struct. `what` it is, how its help says its default ({}), its redaction."""

    name: str
    into: type[msgspec.Struct]
    field: str
    read: Callable[[str], object]
    what: str
    default_help: str = "{}"
    redaction: Redaction = ADDRESS

    @property
    def default(self) -> object:
        """The field's own default; msgspec.NODEFAULT for one that is worked out."""
        return _defaults(self.into)[self.field]

    @property
    def help(self) -> str:
        """What the setting is, with its default."""
        return f"{self.what}; default {self.default_help.format(self._default_text)}" if self.default_help else self.what

    @property
    def _default_text(self) -> str:
        if isinstance(self.read, Choice):
            return self.read.word(self.default)
        if self.default in (None, ()):
            return "none"
        return plain(self.default) if isinstance(self.default, float | Decimal) else str(self.default)


@functools.cache
def _defaults(into: type[msgspec.Struct]) -> Mapping[str, object]:
    """The defaults of a struct's fields: msgspec reads its annotations each time that it is asked."""
    return {field.name: field.default for field in msgspec.structs.fields(into)}


def _guard(name: str) -> Number:
    """A limit that an operator may also set for one provider: the same range here and there."""
    limit = LIMITS[name]
    return Number(limit.kind, limit.low, limit.high)


COUNT, SECONDS, HOURS = Number(int, 1, 1_000_000), Number(float, 0.1, 86_400), Number(float, 0, 8760)

# A setting is a line, or two.
# fmt: off
TABLE: tuple[Entry, ...] = (
    Entry("DATABASE_URL", Settings, "database_url", str, "where the catalog is", "{} in MODELSYNC_HOME"),
    Entry("MODELSYNC_HOME", Places, "home", path,
          "the folder of .env, modelsync.toml and modelsync.db, whose paths are its own", "{}, the working directory"),
    Entry("MODELSYNC_PROVIDERS", Settings, "enabled", names, "which providers are on, separated by commas or blanks", "all"),
    Entry("MODELSYNC_ORIGIN", Origins, "everywhere", origin, "send every provider's requests to <origin>/<slug><path> instead", "", ORIGIN),
    Entry("MODELSYNC_DEADLINE", FetchLimits, "deadline", Number(float, 1, 3600),
          "seconds one provider's sync may fetch", f"{Provider.deadline:g}, more for those with many or large answers"),
    Entry("MODELSYNC_CONNECT_TIMEOUT", FetchLimits, "connect_timeout", Number(float, 0.1, 300), "seconds to wait for a connection"),
    Entry("MODELSYNC_MAX_BYTES", FetchLimits, "max_bytes", Number(int, 1024, 2**40), "most decoded bytes of one provider's answers"),
    Entry("MODELSYNC_ATTEMPTS", FetchLimits, "attempts", Number(int, 1, 10), "tries per request"),
    Entry("MODELSYNC_RETIRE_AFTER_LISTINGS", Rules, "retire_after_listings", Number(int, 1, 1000),
          "complete listings in a row that must lack a model before it is retired"),
    Entry("MODELSYNC_RETIRE_AFTER_HOURS", Rules, "retire_after_hours", HOURS, "hours that they must span"),
    Entry("MODELSYNC_SHRINK_SHARE", Rules, "shrink_share", _guard("shrink_share"),
          "share of a provider's models that may be absent at once before their absence is held"),
    Entry("MODELSYNC_SHRINK_MODELS", Rules, "shrink_models", _guard("shrink_models"), "models that may always be absent at once"),
    Entry("MODELSYNC_PRICE_FACTOR", PriceLimits, "factor", _guard("price_factor"),
          "a price that moves by this factor or more, either way, is held"),
    Entry("MODELSYNC_PRICE_MEDIAN_FACTOR", PriceLimits, "median_factor", Number(Decimal, 2, 1_000_000),
          "so is one that is off the median of the same model elsewhere by this factor"),
    Entry("MODELSYNC_PRICE_FIRST_SIGHT", PriceLimits, "first_sight", _guard("price_first_sight"),
          "a price per token without a believed one before it is held above this, in USD per token"),
    Entry("MODELSYNC_PRICE_RELEASE_HOURS", PriceLimits, "release_hours", HOURS,
          "hours between two later listings that release a held price if another provider agrees"),
    Entry("MODELSYNC_PRICE_UNIT_SHARE", PriceLimits, "unit_share", Number(float, 0.01, 1),
          "share of prices that, moved by the same power of ten, hold all of a provider's"),
    Entry("MODELSYNC_KEEP_RUNS_DAYS", Settings, "keep_runs_days", Number(int, 0, 36500, LEAST_AGE.days),
          f"days to keep runs and results that changed nothing, {LEAST_AGE.days} at least", "{}, 0 keeps all"),
    Entry("MODELSYNC_ARCHIVE", Settings, "archive", path, "a folder to keep the providers' answers in, so that a run can be replayed"),
    Entry("MODELSYNC_ARCHIVE_DAYS", Settings, "archive_days", Number(int, 1, 3650), "days that they are kept"),
    Entry("MODELSYNC_SCHEDULE", Settings, "schedule", schedule,
          "when providers are synced by themselves (`modelsync scheduler`): 6h, a cron expression with its time zone, adaptive or off",
          "6h for those that change often, 24h for the others"),
    Entry("ADMIN_API_KEY", Serving, "admin_keys", keys,
          f"the REST API's key for everything, {SHORTEST_KEY} characters at least; several, separated by commas, while they change",
          "", KEYS),
    Entry("MODELSYNC_CATALOG", Serving, "public", Choice({"public": True, "closed": False}),
          "public or closed: whether reading the catalog over HTTP needs a key"),
    Entry("MODELSYNC_RATE", Serving, "rate", Number(float, 0, 1_000_000),
          "requests a second that one client may make of the REST API", "{}, 0 for no limit"),
    Entry("MODELSYNC_CONNECTIONS", Serving, "connections", COUNT,
          "connections to the REST API at once", "{}, and never more than the system's open files allow"),
    Entry("MODELSYNC_CLIENT_CONNECTIONS", Serving, "client_connections", COUNT, "those of one client"),
    Entry("MODELSYNC_SEARCHES", Serving, "searches", COUNT, "questions that may take long, as searches, that wait or are answered at once"),
    Entry("MODELSYNC_CLIENT_SEARCHES", Serving, "client_searches", COUNT, "those of one client"),
    Entry("MODELSYNC_EXPORTS", Serving, "exports", COUNT, "exports of the catalog that are made or sent at once, each as a file on disk"),
    Entry("MODELSYNC_CLIENT_EXPORTS", Serving, "client_exports", COUNT, "those of one client"),
    Entry("MODELSYNC_BODY_BYTES", Serving, "body_bytes", Number(int, 1024, 2**30), "most bytes of a request's body"),
    Entry("MODELSYNC_HEAD_SECONDS", Serving, "head_seconds", SECONDS, "seconds in which a request's head must be there"),
    Entry("MODELSYNC_BODY_SECONDS", Serving, "body_seconds", SECONDS, "seconds in which its body must be there after that"),
    Entry("MODELSYNC_IDLE_SECONDS", Serving, "idle_seconds", SECONDS, "seconds that a connection may be idle between two requests"),
    Entry("MODELSYNC_STALL_SECONDS", Serving, "stall_seconds", SECONDS,
          "seconds after which a client is cut off that has read no 64 KiB more of its answer"),
    Entry("MODELSYNC_SEND_SECONDS", Serving, "send_seconds", SECONDS, "seconds that sending one answer may take in all"),
    Entry("MODELSYNC_QUERY_SECONDS", Serving, "query_seconds", SECONDS, "seconds that the database may take to answer one request"),
    Entry("MODELSYNC_CORS_ORIGINS", Serving, "cors_origins", words,
          "web pages' origins that may read the REST API in browsers, separated by commas"),
    Entry("MODELSYNC_TRUSTED_PROXIES", Serving, "trusted_proxies", networks,
          "addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas"),
    Entry("MODELSYNC_SIGN_IN_HEADER", Serving, "sign_in_header", sign_in_header,
          "a header by which a proxy names who has signed in there, as X-Forwarded-User"),
    Entry("MODELSYNC_SIGN_IN_PROXIES", Serving, "sign_in_proxies", networks,
          "addresses or networks of the proxies that may send it, and that remove it from what clients send", ""),
    Entry("MODELSYNC_SIGN_IN_SCOPE", Serving, "sign_in_scope", scope, "what whoever is named so may do: read, sync or admin"),
    Entry("MODELSYNC_CONFIG", Places, "config", path, "a TOML file with these same names"),
)
# fmt: on
