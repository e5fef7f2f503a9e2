"""What a provider is made of: facts and pure functions. No HTTP, no settings, no clock, no database here."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Literal

import msgspec

from modelsync.errors import Failure
from modelsync.model.model import Model
from modelsync.model.prices import Price
from modelsync.providers.document import Document, document
from modelsync.redaction import is_secret_header


class PagingError(Exception):
    """A list's pages do not end, or cannot be followed."""


class UnreadablePage(PagingError):
    """A page is no JSON document; the message says what it is."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What really came: one HTTP answer with status 200. `body` is decoded from its transfer and content coding, nothing else.

    `headers` has lower-case names; `received_at` is a Unix time in seconds, `sha256` hex over `body`.
    """

    url: str
    body: bytes
    sha256: str
    headers: Mapping[str, str]
    received_at: float

    @cached_property
    def document(self) -> Document:
        """The JSON in `body`, decoded once for all who ask. Raises NotJson when it holds none."""
        return document(self.body)


class KeyUse(Enum):
    """Whether an endpoint is asked with the provider's key."""

    NEVER = "never"  # public, and a key would change the answer
    OPTIONAL = "optional"  # public; a key only raises limits, so it is sent when set
    REQUIRED = "required"


def single(endpoint: "Endpoint", url: str) -> "Flow":
    """One answer holds everything."""
    yield Request(endpoint, url)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One list of a provider: where it is, where its rows are, how it is paged.

    `url` is the whole address, or a function of the provider's options. `rows` are alternatives of a dotted path in the answer
    ("data", "data.models"), "" for a bare array, "." for an answer that is itself the only row. `units` declares every price field;
    `ignored` those that no call pays, with the reason: any other price that is stated and not read makes a model's price incomplete.
    An endpoint that `fills` only adds to what another lists: it may fail without failing the provider. One that `may_be_absent` may
    answer 404. In both cases the flow is sent the Failure. `leaves_out_empty`: proto3 JSON, where an empty list is no field at all.
    It is asked with `method`, with `headers` beside those that every request has (none of them secret: keys are the provider's `auth`),
    and with the `body` of the request, or its own.
    `totals` are dotted paths in the envelope where it may say how many rows the whole list has, `further` those where it may say that
    there is another page: without a fact sheet that knows better, the names that such fields usually have.
    """

    name: str = "models"
    url: str | Callable[[Any], str]
    row: type[msgspec.Struct]
    rows: tuple[str, ...] = ("data",)
    paging: Callable[["Endpoint", str], "Flow"] = single
    key: KeyUse = KeyUse.NEVER
    fills: bool = False
    may_be_absent: bool = False
    leaves_out_empty: bool = False
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    totals: tuple[str, ...] = ("total", "total_count", "totalCount", "total_items", "totalItems", "totalSize", "pagination.total")
    further: tuple[str, ...] = ("has_more", "hasMore", "next", "links.next", "next_page", "next_cursor", "nextPageToken", "pagination.next")
    units: Mapping[str, Price] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)

    def at(self, options: msgspec.Struct) -> str:
        """This endpoint's first address under a user's options."""
        return self.url if isinstance(self.url, str) else self.url(options)


class Request(msgspec.Struct, frozen=True):
    """Ask `url`, which belongs to `endpoint`, as that says. A list that is paged by its `body` says another one for each page."""

    endpoint: Endpoint
    url: str
    body: bytes | None = None

    @property
    def content(self) -> bytes | None:
        """What is sent with it."""
        return self.endpoint.body if self.body is None else self.body


Flow = Generator[Request, Answer | Failure, None]
"""Yields requests and is sent what came of each. A Failure is sent only for endpoints that fill or may be absent."""


class Wire(msgspec.Struct, frozen=True, gc=False):
    """One decoded row: `row` in its wire type, `rest`, the fields that type does not declare, and its place in its list, from 0.

    `digest` is that of its bytes, where the row may be remembered by it.
    """

    row: Any
    rest: dict[str, Any]
    position: int = 0
    digest: bytes = b""


class ApiKey(msgspec.Struct, frozen=True):
    """A key from the first of `variables` that is set, sent as `<header>: <scheme> <key>`, or alone where the scheme is empty."""

    variables: tuple[str, ...]
    scheme: str = "Bearer"
    header: str = "Authorization"


class GoogleAccount(msgspec.Struct, frozen=True):
    """OAuth2 for Google Cloud: a service account (JSON in a variable, or a file), or application default credentials."""

    variables: tuple[str, ...] = ("GOOGLE_VERTEX_CREDENTIALS_JSON", "GOOGLE_APPLICATION_CREDENTIALS")
    scope: str = "https://www.googleapis.com/auth/cloud-platform"


Auth = ApiKey | GoogleAccount


class TokenUnits(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows the per-token units of a provider hold for.

    Either the rows whose `field` (a dotted path on the wire) holds one of the `types`, in the provider's own words; several words of
    one row are sorted and joined by "+", and "" is a row that states none. Or every row, with the `reason`. Rows of any other type,
    new ones too, have no token price: what they state is kept as received.
    """

    field: str = ""
    types: frozenset[str] = frozenset()
    reason: str = ""

    def __post_init__(self) -> None:
        if bool(self.field) is not bool(self.types) or not (self.field or self.reason):
            raise ValueError("types need the field that states them; units without types need a reason")

    def hold_for(self, words: str | Iterable[str] | None) -> bool:
        """Whether they hold for a row of this type, or of all these types."""
        if not self.field:
            return True
        stated = (words,) if isinstance(words, str) else words or ()
        return "+".join(sorted({word.strip().lower() for word in stated} - {""})) in self.types


class Documented(msgspec.Struct, frozen=True):
    """A capability that the provider's documentation states for all its chat models: a field of Model, and the page that says so."""

    capability: str
    source: str

    def __post_init__(self) -> None:
        if self.capability not in Model.__struct_fields__:
            raise ValueError(f"{self.capability} is no field of a model")
        if not self.source.startswith("https://"):
            raise ValueError(f"the source of {self.capability} is no https address: {self.source}")

    def of(self, inputs: tuple[str, ...] | None, outputs: tuple[str, ...] | None, *, chat: bool = True) -> bool | None:
        """True for a chat model: one that is stated to take text, and to write text alone. No page says anything of the others.

        Where a row states its type, `chat` is whether that is one: lists say "text" of what an embedding writes, too.
        """
        return True if chat and inputs and "text" in inputs and outputs == ("text",) else None


class NoOptions(msgspec.Struct, frozen=True):
    """A provider where a user has nothing to choose."""


RowsByEndpoint = Mapping[str, Sequence[Wire]]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Everything that is particular to one provider.

    `normalize` turns one wire row (or one row that `combine` made of several endpoints' rows) into a model; it raises ValueError for a
    row that is no model, and returns None for one that is deliberately left out (a private fine-tune, a setting's choice).
    `combine` joins the rows of several endpoints, by endpoint name, into the rows that `normalize` takes; without it the first endpoint's
    rows are taken, each by itself. Of several rows with one id the first counts, or the one of which `precedence` is the least.
    `requests` is the flow of a provider whose requests depend on one another. `partial` says why a listing that came whole still does not
    show everything (a limit, a restricted key), so that absence means nothing in it.
    `price_unit` is the declared unit in words, `token_units` which rows have prices per token at all; `verified` says what the reading
    was checked against.
    `documented` is what no row says and the documentation says of all chat models; `normalize` takes it where the row says nothing.
    `sync_hours` is how often it is synced by itself unless somebody says otherwise: 6 for a list that changes often; its own answer is
    `cached_for` that many seconds, so that asking more often brings nothing.
    `version` is raised whenever the same bytes would be read differently: it makes the next sync read everything again.
    """

    slug: str
    name: str
    description: str
    site_url: str
    docs_url: str
    price_unit: str
    token_units: TokenUnits
    verified: str
    auth: Auth
    endpoints: tuple[Endpoint, ...]
    normalize: Callable[[Any], Model | None]
    combine: Callable[[RowsByEndpoint, Any], Iterable[Wire]] | None = None
    precedence: Callable[[Any], float] | None = None
    requests: Callable[["Provider", Any, bool], Flow] | None = None
    options: type[msgspec.Struct] = NoOptions
    partial: Callable[[RowsByEndpoint, Any], str | None] | None = None
    documented: tuple[Documented, ...] = ()
    version: int = 1
    may_be_empty: bool = False
    deadline: float = 60.0
    sync_hours: int = 24
    cached_for: float = 0.0
    base_url: str
    logo_url: str | None = None
    status_page_url: str | None = None
    privacy_policy_url: str | None = None
    terms_of_service_url: str | None = None

    def __post_init__(self) -> None:
        if self.sync_hours < 1:
            raise ValueError(f"{self.slug} cannot be synced every {self.sync_hours} hours")
        own = self.auth.header if isinstance(self.auth, ApiKey) else ""
        for endpoint in self.endpoints:
            if any(is_secret_header(name, own) for name in endpoint.headers):
                raise ValueError(f"the headers of {self.slug}'s {endpoint.name} hold a secret one: keys are sent by `auth`")

    @property
    def reads_rows_alone(self) -> bool:
        """Whether what a row is read as hangs on that row alone."""
        return self.combine is None and self.partial is None

    @property
    def needs_key(self) -> bool:
        """Whether nothing can be listed without a key."""
        return any(endpoint.key is KeyUse.REQUIRED and not endpoint.fills for endpoint in self.endpoints)

    def flow(self, options: msgspec.Struct, has_key: bool) -> Flow:
        """All requests of one sync: `requests` when the provider has its own, else every endpoint's pages in turn."""
        return self.requests(self, options, has_key) if self.requests else each_endpoint(self, options, has_key)


def each_endpoint(provider: Provider, options: msgspec.Struct, has_key: bool) -> Flow:
    """Every endpoint in turn; those that need a key only when there is one."""
    for endpoint in provider.endpoints:
        if endpoint.key is KeyUse.REQUIRED and not has_key:
            continue
        try:
            yield from endpoint.paging(endpoint, endpoint.at(options))
        except PagingError:
            if not endpoint.fills:
                raise
