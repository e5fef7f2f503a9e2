"""Settings, read once at the edge: environment, then `.env`, then a TOML file, then defaults."""

import difflib
import hashlib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dotenv
import msgspec

from modelsync.errors import SettingsError, UsageError
from modelsync.fetch import Credential, GoogleCredential, KeyCredential, Limits, Origins
from modelsync.model.actors import Scope
from modelsync.operations.purge import LEAST_AGE
from modelsync.planning.guard import LIMITS
from modelsync.planning.policy import Rules
from modelsync.planning.quarantine import Limits as PriceLimits
from modelsync.providers import registry
from modelsync.providers.base import GoogleAccount, Provider
from modelsync.providers.registry import Registry
from modelsync.redaction import SHORTEST_KEY

LEAST_SECRET = 8
"""Shorter lines of a private key are none."""

DEFAULT_DATABASE = "sqlite:///modelsync.db"

GENERAL = {
    "DATABASE_URL": f"where the catalog is; default {DEFAULT_DATABASE} in the working directory",
    "MODELSYNC_PROVIDERS": "which providers are on, separated by commas or blanks; default all",
    "MODELSYNC_ORIGIN": "send every provider's requests to <origin>/<slug><path> instead",
    "MODELSYNC_DEADLINE": "seconds one provider's sync may fetch; default 60, more for those with many or large answers",
    "MODELSYNC_CONNECT_TIMEOUT": "seconds to wait for a connection; default 10",
    "MODELSYNC_MAX_BYTES": "most decoded bytes of one provider's answers; default 67108864",
    "MODELSYNC_ATTEMPTS": "tries per request; default 3",
    "MODELSYNC_RETIRE_AFTER_LISTINGS": "complete listings in a row that must lack a model before it is retired; default 3",
    "MODELSYNC_RETIRE_AFTER_HOURS": "hours that they must span; default 24",
    "MODELSYNC_SHRINK_SHARE": "share of a provider's models that may be absent at once before their absence is held; default 0.2",
    "MODELSYNC_SHRINK_MODELS": "models that may always be absent at once; default 5",
    "MODELSYNC_PRICE_FACTOR": "a price that moves by this factor or more, either way, is held; default 10",
    "MODELSYNC_PRICE_MEDIAN_FACTOR": "so is one that is off the median of the same model elsewhere by this factor; default 100",
    "MODELSYNC_PRICE_FIRST_SIGHT": "a price per token without a believed one before it is held above this, in USD per token; default 0.001",
    "MODELSYNC_PRICE_RELEASE_HOURS": "hours between two later listings that release a held price if another provider agrees; default 6",
    "MODELSYNC_PRICE_UNIT_SHARE": "share of prices that, moved by the same power of ten, hold all of a provider's; default 0.3",
    "MODELSYNC_KEEP_RUNS_DAYS": "days to keep runs and results that changed nothing, 8 at least; default 90, 0 keeps all",
    "MODELSYNC_ARCHIVE": "a folder to keep the providers' answers in, so that a run can be replayed; default none",
    "MODELSYNC_ARCHIVE_DAYS": "days that they are kept; default 30",
    "ADMIN_API_KEY": "the REST API's key for everything, 16 characters at least; several, separated by commas, while they change",
    "MODELSYNC_CATALOG": "public or closed: whether reading the catalog over HTTP needs a key; default public",
    "MODELSYNC_RATE": "requests a second that one client may make of the REST API; default 100, 0 for no limit",
    "MODELSYNC_CONNECTIONS": "connections to the REST API at once; default 512, and never more than the system's open files allow",
    "MODELSYNC_CLIENT_CONNECTIONS": "those of one client; default 64",
    "MODELSYNC_SEARCHES": "questions that may take long, as searches, that wait or are answered at once; default 64",
    "MODELSYNC_CLIENT_SEARCHES": "those of one client; default 8",
    "MODELSYNC_EXPORTS": "exports of the catalog that are made or sent at once, each as a file on disk; default 32",
    "MODELSYNC_CLIENT_EXPORTS": "those of one client; default 2",
    "MODELSYNC_BODY_BYTES": "most bytes of a request's body; default 1048576",
    "MODELSYNC_HEAD_SECONDS": "seconds in which a request's head must be there; default 10",
    "MODELSYNC_BODY_SECONDS": "seconds in which its body must be there after that; default 30",
    "MODELSYNC_IDLE_SECONDS": "seconds that a connection may be idle between two requests; default 15",
    "MODELSYNC_STALL_SECONDS": "seconds after which a client is cut off that has read no 64 KiB more of its answer; default 20",
    "MODELSYNC_SEND_SECONDS": "seconds that sending one answer may take in all; default 600",
    "MODELSYNC_QUERY_SECONDS": "seconds that the database may take to answer one request; default 5",
    "MODELSYNC_CORS_ORIGINS": "web pages' origins that may read the REST API in browsers, separated by commas; default none",
    "MODELSYNC_TRUSTED_PROXIES": "addresses or networks of proxies whose X-Forwarded-For is believed, separated by commas; default none",
    "MODELSYNC_SIGN_IN_HEADER": "a header by which a proxy names who has signed in there, as X-Forwarded-User; default none",
    "MODELSYNC_SIGN_IN_PROXIES": "addresses or networks of the proxies that may send it, and that remove it from what clients send",
    "MODELSYNC_SIGN_IN_SCOPE": "what whoever is named so may do: read, sync or admin; default read",
    "MODELSYNC_CONFIG": "a TOML file with these same names; default modelsync.toml",
}


class Setting(msgspec.Struct, frozen=True):
    """One setting as `modelsync settings` shows it: its value (masked when secret) and where it came from."""

    name: str
    value: str
    source: str
    help: str


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How the REST API is served.

    `rate` is in requests per second and client, 0 for no limit; a `public` catalog is read without a key. What is counted is counted in
    all, and for each client. Whom `sign_in_header` names, when one of `sign_in_proxies` sends it, has signed in, and may do what
    `sign_in_scope` may. Seconds are those that a client has for a request's head, its body, and to go on reading an answer; that a
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


COUNT, SECONDS = (int, 1, 1_000_000), (float, 0.1, 86_400)
SERVING_LIMITS: Mapping[str, tuple[str, tuple[type[Any], float, float]]] = {
    "MODELSYNC_RATE": ("rate", (float, 0, 1_000_000)),
    "MODELSYNC_CONNECTIONS": ("connections", COUNT),
    "MODELSYNC_CLIENT_CONNECTIONS": ("client_connections", COUNT),
    "MODELSYNC_SEARCHES": ("searches", COUNT),
    "MODELSYNC_CLIENT_SEARCHES": ("client_searches", COUNT),
    "MODELSYNC_EXPORTS": ("exports", COUNT),
    "MODELSYNC_CLIENT_EXPORTS": ("client_exports", COUNT),
    "MODELSYNC_BODY_BYTES": ("body_bytes", (int, 1024, 2**30)),
    "MODELSYNC_HEAD_SECONDS": ("head_seconds", SECONDS),
    "MODELSYNC_BODY_SECONDS": ("body_seconds", SECONDS),
    "MODELSYNC_IDLE_SECONDS": ("idle_seconds", SECONDS),
    "MODELSYNC_STALL_SECONDS": ("stall_seconds", SECONDS),
    "MODELSYNC_SEND_SECONDS": ("send_seconds", SECONDS),
    "MODELSYNC_QUERY_SECONDS": ("query_seconds", SECONDS),
}
"""What a client may take of the server: the setting, the field of Serving, and which numbers it may be."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a user may choose, checked. `secrets` are the values that no output may ever hold."""

    database_url: str
    limits: Limits
    rules: Rules
    keep_runs_days: int
    origins: Origins
    serving: Serving
    archive: Path | None
    archive_days: int
    enabled: frozenset[str]
    credentials: Mapping[str, Credential]
    options: Mapping[str, msgspec.Struct]
    providers: Registry
    shown: tuple[Setting, ...]
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Settings({len(self.shown)} of them)"

    def scope(self, provider: Provider[Any]) -> str:
        """What a provider's listing depends on, as 16 hex digits: its options, its key, and where it is asked."""
        credential = self.credentials.get(provider.slug)
        return self._digest(provider, msgspec.json.encode(credential, enc_hook=str).decode() if credential else "")

    def place(self, provider: Provider[Any]) -> str:
        """The same without its key."""
        return self._digest(provider, "whatever the key")

    def _digest(self, provider: Provider[Any], key: str) -> str:
        options = msgspec.json.encode(self.options[provider.slug], order="deterministic").decode()
        parts = [provider.slug, options, key, self.origins.route(provider.slug, provider.base_url)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class _Source:
    """Named values from all places, the strongest first."""

    def __init__(self, places: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        self._places = list(places)

    def get(self, name: str) -> tuple[str, str] | None:
        """The value and its place; None when it is unset, blank or only quotes."""
        for place, values in self._places:
            value = values.get(name, "").strip().strip("'\"").strip()
            if value:
                return value, place
        return None

    def names(self) -> set[str]:
        return {name for _, values in self._places for name in values}


def load(
    environment: Mapping[str, str] | None = None, folder: Path | None = None, *, providers: Registry | None = None, **overrides: str
) -> Settings:
    """Settings from `environment` (the process's own), a `.env` and a TOML file in `folder` (the working directory).

    `overrides` (from the command line) win over all. `providers` are a registry that was loaded (`registry.load`); by default those that
    come with this program.
    Raises SettingsError naming the variable that cannot be used.
    """
    env = dict(os.environ if environment is None else environment)
    base = folder or Path.cwd()
    first = _Source([("command line", overrides), ("environment", env), (".env", _dotenv(base / ".env"))])
    config = first.get("MODELSYNC_CONFIG")
    toml_file = Path(config[0]) if config else base / "modelsync.toml"
    source = _Source([*first._places, (toml_file.name, _toml(toml_file, required=config is not None))])
    return _settings(source, registry.load() if providers is None else providers)


def _dotenv(path: Path) -> dict[str, str]:
    try:
        return {name: value or "" for name, value in dotenv.dotenv_values(path).items()} if path.is_file() else {}
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not text in UTF-8", "Correct it, or remove it") from error


def _toml(path: Path, *, required: bool) -> dict[str, str]:
    if not path.is_file():
        if required:
            raise SettingsError(f"MODELSYNC_CONFIG names {path}, which is not there", "Correct the path, or unset it")
        return {}
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML ({error})", "Correct it; names are those of `modelsync settings`") from error
    return {name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in document.items()}


def _settings(source: _Source, known: Registry) -> Settings:
    credentials = {slug: found for slug, provider in known.items() if (found := _credential(provider, source))}
    database = source.get("DATABASE_URL")
    return Settings(
        database_url=database[0] if database else DEFAULT_DATABASE,
        limits=Limits(
            deadline=_number(source, "MODELSYNC_DEADLINE", float, 1, 3600),
            connect_timeout=_number(source, "MODELSYNC_CONNECT_TIMEOUT", float, 0.1, 300) or Limits().connect_timeout,
            max_bytes=_number(source, "MODELSYNC_MAX_BYTES", int, 1024, 2**40) or Limits().max_bytes,
            attempts=_number(source, "MODELSYNC_ATTEMPTS", int, 1, 10) or Limits().attempts,
        ),
        rules=_rules(source),
        keep_runs_days=_keep_days(source, "MODELSYNC_KEEP_RUNS_DAYS", 90),
        origins=Origins(
            everywhere=_origin(source, "MODELSYNC_ORIGIN"),
            by_slug={slug: origin for slug in known if (origin := _origin(source, f"MODELSYNC_ORIGIN_{_upper(slug)}"))},
        ),
        serving=_serving(source),
        archive=Path(archive[0]).expanduser() if (archive := source.get("MODELSYNC_ARCHIVE")) else None,
        archive_days=_number(source, "MODELSYNC_ARCHIVE_DAYS", int, 1, 3650) or 30,
        enabled=_enabled(source, known),
        credentials=credentials,
        options={slug: _options(provider, source) for slug, provider in known.items()},
        providers=known,
        shown=tuple(_shown(source, known)),
        secrets=tuple(sorted(_secrets(source, credentials.values()), key=len, reverse=True)),
    )


def _secrets(source: _Source, credentials: Iterable[Credential]) -> set[str]:
    found = set(_admin_keys(source))
    for credential in credentials:
        if isinstance(credential, KeyCredential):
            found.add(credential.key)
        else:
            found |= _private_parts(credential) | ({credential.json_text} if credential.json_text else set())
    for name in source.names():
        address, _ = source.get(name) or ("", "")
        if name == "DATABASE_URL" or name.startswith("MODELSYNC_ORIGIN"):
            found |= _passwords(address)
        if name.startswith("MODELSYNC_ORIGIN"):
            found |= _tokens(address)
    return found


def _serving(source: _Source) -> Serving:
    catalog = source.get("MODELSYNC_CATALOG")
    if catalog and catalog[0] not in ("public", "closed"):
        raise SettingsError("MODELSYNC_CATALOG is neither public nor closed", "Use one of these words")
    limits = {field: _number(source, name, *bounds) for name, (field, bounds) in SERVING_LIMITS.items()}
    return Serving(
        **_set(limits),
        admin_keys=_admin_keys(source),
        public=not catalog or catalog[0] == "public",
        cors_origins=_several(source, "MODELSYNC_CORS_ORIGINS"),
        trusted_proxies=_networks(source, "MODELSYNC_TRUSTED_PROXIES"),
        **_sign_in(source),
    )


def _sign_in(source: _Source) -> dict[str, Any]:
    """How a proxy says who signed in there; all of it, or nothing."""
    header, scope = source.get("MODELSYNC_SIGN_IN_HEADER"), source.get("MODELSYNC_SIGN_IN_SCOPE")
    proxies = _networks(source, "MODELSYNC_SIGN_IN_PROXIES")
    if header is None:
        if proxies or scope:
            raise SettingsError(
                "MODELSYNC_SIGN_IN_HEADER is not set, and other settings of signing in are", "Name the header, or unset them"
            )
        return {}
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", header[0]) or header[0].lower() in ("authorization", "cookie", "host", "x-forwarded-for"):
        raise SettingsError("MODELSYNC_SIGN_IN_HEADER is no header for this", "Name the one your proxy sets, for example X-Forwarded-User")
    if not proxies:
        raise SettingsError("MODELSYNC_SIGN_IN_PROXIES is not set: anybody could send the header", "Give the address of the proxy")
    try:
        allowed = Scope.of(scope[0]) if scope else Scope.READ
    except UsageError as error:
        raise SettingsError("MODELSYNC_SIGN_IN_SCOPE is no scope", error.hint) from error
    return {"sign_in_header": header[0], "sign_in_proxies": proxies, "sign_in_scope": allowed}


def _networks(source: _Source, name: str) -> tuple[str, ...]:
    found = _several(source, name)
    for each in found:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError as error:
            raise SettingsError(f"{name} holds {each}, which is no address", "Give addresses or networks: 127.0.0.1, 10.0.0.0/8") from error
    return found


def _admin_keys(source: _Source) -> tuple[str, ...]:
    keys = _several(source, "ADMIN_API_KEY")
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise SettingsError("ADMIN_API_KEY is too short to keep anybody out", "Make a long one: openssl rand -hex 32")
    return keys


def _several(source: _Source, name: str) -> tuple[str, ...]:
    found = source.get(name)
    return tuple(_listed(found[0])) if found else ()


def _rules(source: _Source) -> Rules:
    given = {
        "retire_after_listings": _number(source, "MODELSYNC_RETIRE_AFTER_LISTINGS", int, 1, 1000),
        "retire_after_hours": _number(source, "MODELSYNC_RETIRE_AFTER_HOURS", float, 0, 8760),
        "shrink_share": _limit(source, "MODELSYNC_SHRINK_SHARE", "shrink_share"),
        "shrink_models": _limit(source, "MODELSYNC_SHRINK_MODELS", "shrink_models"),
    }
    return Rules(**_set(given), prices=_price_limits(source))


def _price_limits(source: _Source) -> PriceLimits:
    given = {
        "factor": _limit(source, "MODELSYNC_PRICE_FACTOR", "price_factor"),
        "median_factor": _number(source, "MODELSYNC_PRICE_MEDIAN_FACTOR", Decimal, 2, 1_000_000),
        "first_sight": _limit(source, "MODELSYNC_PRICE_FIRST_SIGHT", "price_first_sight"),
        "release_hours": _number(source, "MODELSYNC_PRICE_RELEASE_HOURS", float, 0, 8760),
        "unit_share": _number(source, "MODELSYNC_PRICE_UNIT_SHARE", float, 0.01, 1),
    }
    return PriceLimits(**_set(given))


def _limit(source: _Source, variable: str, name: str) -> Any:
    """A limit that an operator may also set for one provider: the same range here and there."""
    limit = LIMITS[name]
    return _number(source, variable, limit.kind, limit.low, limit.high)


def _set(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _keep_days(source: _Source, name: str, default: int) -> int:
    """Days that something is kept: 0 is for ever, and the guards need the last week."""
    days = _number(source, name, int, 0, 36500)
    if days is not None and 0 < days < LEAST_AGE.days:
        raise SettingsError(f"{name} is out of range", f"Give 0, which keeps all, or at least {LEAST_AGE.days}")
    return default if days is None else int(days)


def _upper(slug: str) -> str:
    return slug.replace("-", "_").upper()


def option_variable(provider: Provider[Any], option: str) -> str:
    """The variable of a provider's option: `ALIBABA_REGION`."""
    return f"{_upper(provider.slug)}_{option.upper()}"


def _number(source: _Source, name: str, kind: type[Any], low: float, high: float) -> Any:
    found = source.get(name)
    if found is None:
        return None
    try:
        value = kind(found[0])
    except (ValueError, ArithmeticError) as error:
        raise SettingsError(f"{name} is not a number", f"Give one from {low:g} to {high:g}") from error
    if not low <= value <= high:
        raise SettingsError(f"{name} is out of range", f"Give one from {low:g} to {high:g}")
    return value


def _origin(source: _Source, name: str) -> str | None:
    found = source.get(name)
    if found is None:
        return None
    try:
        parts = urlsplit(found[0])
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{name} is not an http or https address", "Use for example http://127.0.0.1:8900")
    return found[0].rstrip("/")


def _listed(text: str) -> list[str]:
    """The names in a list separated by commas or blanks, a trailing comma included."""
    return [name for name in re.split(r"[,\s]+", text) if name]


def _enabled(source: _Source, known: Mapping[str, Provider[Any]]) -> frozenset[str]:
    found = source.get("MODELSYNC_PROVIDERS")
    if found is None:
        return frozenset(known)
    names = frozenset(_listed(found[0])) or frozenset(known)
    for name in sorted(names - known.keys()):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known providers: {', '.join(known)}"
        raise SettingsError(f"MODELSYNC_PROVIDERS names the unknown provider {name}", hint)
    return names


def _options(provider: Provider[Any], source: _Source) -> msgspec.Struct:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(provider.options):
        found = source.get(option_variable(provider, field.name))
        if found:
            values[field.name] = _listed(found[0]) if isinstance(field.default, tuple) else found[0]
    try:
        return msgspec.convert(values, provider.options, strict=False)
    except msgspec.ValidationError as error:
        reason, at, name = str(error).partition(" - at `$.")
        what = option_variable(provider, name.rstrip("`").split("[")[0]) if at else f"the options of {provider.name}"
        raise SettingsError(f"{what} cannot be used: {reason}", "See `modelsync settings`") from error


def _credential(provider: Provider[Any], source: _Source) -> Credential | None:
    auth = provider.auth
    if isinstance(auth, GoogleAccount):
        return _google(auth, source)
    for name in auth.variables:
        found = source.get(name)
        if found:
            return KeyCredential(found[0], name, auth.scheme)
    return None


def _google(auth: GoogleAccount, source: _Source) -> GoogleCredential | None:
    """JSON in a variable, a named file, gcloud's own file, or, on Google's machines only, the metadata server."""
    json_variable, path_variable = auth.variables
    if text := source.get(json_variable):
        return GoogleCredential(json_variable, auth.scope, json_text=text[0])
    if path := source.get(path_variable):
        return GoogleCredential(path_variable, auth.scope, path=Path(path[0]).expanduser())
    home = source.get("HOME") or source.get("APPDATA")
    folder = source.get("CLOUDSDK_CONFIG") or ((f"{home[0]}/.config/gcloud", "") if home else None)
    if folder and (file := Path(folder[0]) / "application_default_credentials.json").is_file():
        return GoogleCredential("gcloud's application default credentials", auth.scope, path=file)
    if source.get("K_SERVICE") or source.get("GCE_METADATA_HOST") or _on_google():
        return GoogleCredential("the metadata server", auth.scope)
    return None


def _on_google() -> bool:
    try:
        return "Google" in Path("/sys/class/dmi/id/product_name").read_text("utf-8")
    except OSError:
        return False


def _shown(source: _Source, known: Mapping[str, Provider[Any]]) -> Iterable[Setting]:
    for name, text in GENERAL.items():
        yield _setting(source, name, text, secret=name == "ADMIN_API_KEY")
    for slug, provider in known.items():
        for variable in provider.auth.variables:
            yield _setting(source, variable, f"key of {provider.name}", secret=not variable.endswith("_CREDENTIALS"))
        for field in msgspec.structs.fields(provider.options):
            default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
            yield _setting(source, option_variable(provider, field.name), f"option of {provider.name}; default {default}", secret=False)
        if source.get(f"MODELSYNC_ORIGIN_{_upper(slug)}"):
            yield _setting(source, f"MODELSYNC_ORIGIN_{_upper(slug)}", f"replaces {provider.name}'s scheme, host and port", secret=False)
    origins = {f"MODELSYNC_ORIGIN_{_upper(slug)}" for slug in known}
    for name in sorted(name for name in source.names() if name.startswith("MODELSYNC_")):
        if name not in GENERAL and name not in origins:
            yield _setting(source, name, "unknown: no such setting", secret=True)


def _setting(source: _Source, name: str, text: str, *, secret: bool) -> Setting:
    found = source.get(name)
    if found is None:
        return Setting(name, "", "not set", text)
    value, place = found
    if name.startswith("MODELSYNC_ORIGIN"):
        value = _token_before_host.sub(r"\1***@", value)
    return Setting(name, "***" if secret else _masked(value), place, text)


_before_host = re.compile(r"((?:^(?!.*://)|://)[^:@/]*:)(.+)@")  # a password may hold any character, @ and / included
_token_before_host = re.compile(r"(://)([^:@/]+)@")  # a user without a password: a name in a database's address, a token in an origin
_among_parameters = re.compile(r"([?&](?:ssl)?password=)([^&]*)")


def _passwords(address: str) -> set[str]:
    """The passwords in an address, as written and decoded."""
    written = {match[2] for pattern in (_before_host, _among_parameters) for match in pattern.finditer(address)}
    return (written | {unquote(password) for password in written}) - {""}


def _tokens(origin: str) -> set[str]:
    written = {match[2] for match in _token_before_host.finditer(origin)}
    return written | {unquote(token) for token in written}


def _private_parts(credential: GoogleCredential) -> set[str]:
    """What is secret in Google's JSON, line by line: a log may show a part of it."""
    try:
        text = credential.json_text or (credential.path.read_text("utf-8") if credential.path else "{}")
        fields = json.loads(text)
        found = {str(fields[name]) for name in _PRIVATE_FIELDS if fields.get(name)}
    except (OSError, ValueError, TypeError, AttributeError):  # unusable, which the sync says
        return set()
    return {line for value in found for line in value.splitlines() if len(line) >= LEAST_SECRET and not line.startswith("-----")}


_PRIVATE_FIELDS = ("private_key", "private_key_id", "client_secret", "refresh_token")


def _masked(text: str) -> str:
    """An address without its passwords; other text as it is."""
    return _among_parameters.sub(r"\1***", _before_host.sub(r"\1***@", text))
