"""The wire formats of providers, as a table: one entry for each list.

They are written after the providers' own words and not after this program's: what reads a list is tried against somebody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from modelsync.simulator import filters, pages
from modelsync.simulator.catalog import Row, Sample, put
from modelsync.simulator.pages import Page, Paging


class Key(Enum):
    """What a list does with a key."""

    IGNORED = "ignored"
    OPTIONAL = "optional"  # works without one, but a wrong one is refused
    REQUIRED = "required"
    TOKEN = "token"  # noqa: S105 - an access token from the token endpoint is required


@dataclass(frozen=True, kw_only=True)
class Wire:
    """One list of a provider. `rows` is the dotted path of the rows in the answer, "" for a bare array, "." for a single object.

    `path` may hold `{placeholders}`; `beside` is what the envelope always says; `id` names the rows' id field. A key is sent in `header`,
    after `scheme` if there is one.
    """

    slug: str
    name: str = "models"
    path: str
    id: str = "id"
    rows: str = "data"
    beside: Row = field(default_factory=dict)
    select: filters.Select = filters.everything
    paging: Paging = pages.whole
    method: str = "GET"
    key: Key = Key.IGNORED
    header: str = "Authorization"
    scheme: str = "Bearer"
    etag: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def matches(self, path: str) -> dict[str, str] | None:
        """What `path` puts in the place of this wire's placeholders, None when it is another path."""
        ours, theirs = self.path.split("/"), path.split("/")
        pairs = list(zip(ours, theirs, strict=False))
        if len(ours) != len(theirs) or any(our != their and not our.startswith("{") for our, their in pairs):
            return None
        return {our.strip("{}"): their for our, their in pairs if our.startswith("{")}

    def document(self, page: Page) -> object:
        """The answer that holds one page."""
        if self.rows == "":
            return page.rows
        if self.rows == ".":
            return page.rows[0] if page.rows else self.beside
        document: Row = {}
        for path, value in {**self.beside, self.rows: page.rows, **page.beside}.items():
            put(document, path, value)
        return document


LIST: Row = {"object": "list"}
ALL_RIGHTS: Row = {"acls": ["api-key:model:*", "api-key:endpoint:*"]}
NATIVE: Row = {"code": None, "message": None, "success": True, "request_id": "simulated"}

WIRES = (
    Wire(
        slug="openrouter",
        path="/api/v1/models",
        select=filters.by_outputs,
        paging=pages.offset_and_links,
        key=Key.OPTIONAL,
    ),
    Wire(slug="deepinfra", path="/v1/openai/models", beside=LIST, key=Key.OPTIONAL),
    Wire(slug="deepinfra", name="details", path="/models/list", id="model_name", rows="", select=filters.by_type, key=Key.OPTIONAL),
    Wire(slug="featherless", path="/v1/models", paging=pages.optional_numbers, key=Key.OPTIONAL),
    Wire(
        slug="fireworks",
        path="/v1/accounts/fireworks/models",
        id="name",
        rows="models",
        select=filters.by_serverless,
        paging=pages.page_tokens(default=50, most=200, total="totalSize", last=""),
        key=Key.REQUIRED,
    ),
    Wire(slug="together", path="/v1/models", rows="", key=Key.REQUIRED),
    Wire(slug="huggingface", path="/v1/models", beside=LIST),
    Wire(
        slug="huggingface",
        name="hub",
        path="/api/models",
        rows="",
        paging=pages.link_header("https://huggingface.co"),
        key=Key.OPTIONAL,
        headers={"ratelimit": '"api";r=489;t=189', "ratelimit-policy": '"fixed window";"api";q=500;w=300'},
    ),
    Wire(slug="cerebras", path="/public/v1/models", beside=LIST),
    Wire(
        slug="google-vertex",
        path="/v1beta1/publishers/{publisher}/models",
        id="name",
        rows="publisherModels",
        select=filters.by_publisher,
        paging=pages.page_tokens(default=100, most=300),
        key=Key.TOKEN,
    ),
    Wire(slug="xai", path="/v1/models", beside=LIST, key=Key.REQUIRED),
    Wire(slug="xai", name="language", path="/v1/language-models", rows="models", key=Key.REQUIRED),
    Wire(slug="xai", name="image", path="/v1/image-generation-models", rows="models", key=Key.REQUIRED),
    Wire(slug="xai", name="video", path="/v1/video-generation-models", rows="models", key=Key.REQUIRED),
    Wire(slug="xai", name="account", path="/v1/api-key", id="api_key_id", rows=".", beside=ALL_RIGHTS, key=Key.REQUIRED),
    Wire(slug="groq", path="/openai/v1/models", beside=LIST, key=Key.REQUIRED),
    Wire(
        slug="near",
        path="/v1/model/list",
        id="modelId",
        rows="models",
        paging=pages.offset_and_total,
        headers={"cache-control": "public, max-age=30, stale-while-revalidate=120"},
    ),
    Wire(
        slug="fal",
        path="/v1/models",
        id="endpoint_id",
        rows="models",
        select=filters.by_status,
        paging=pages.page_cursor,
        key=Key.OPTIONAL,
        scheme="Key",
    ),
    Wire(
        slug="fal",
        name="prices",
        path="/v1/models/pricing",
        id="endpoint_id",
        rows="prices",
        select=filters.requested_prices,
        paging=pages.one_page,
        key=Key.REQUIRED,
        scheme="Key",
    ),
    Wire(slug="chutes", path="/v1/models", beside=LIST),
    Wire(slug="aimo", path="/api/v1/models", id="name", key=Key.OPTIONAL),
    Wire(slug="anannas", path="/v1/models", key=Key.OPTIONAL),
    Wire(
        slug="aihubmix",
        path="/api/v1/models",
        id="model_id",
        beside={"message": "", "success": True},
        etag=True,
        headers={"cache-control": "public, max-age=300, stale-while-revalidate=300"},
    ),
    Wire(
        slug="helicone",
        path="/v1/public/model-registry/models",
        rows="data.models",
        beside={"error": None},
        paging=filters.registry,
    ),
    Wire(slug="vercel-ai-gateway", path="/v1/models", beside=LIST),
    Wire(slug="nebius", path="/v1/models", beside=LIST, select=filters.plain_unless_verbose, key=Key.REQUIRED),
    Wire(slug="novita", path="/openai/v1/models", key=Key.OPTIONAL),
    Wire(
        slug="alibaba",
        path="/api/v1/models",
        id="model",
        rows="output.models",
        beside=NATIVE,
        paging=pages.numbered,
        key=Key.REQUIRED,
    ),
    Wire(slug="alibaba", name="compatible", path="/compatible-mode/v1/models", beside=LIST, key=Key.REQUIRED),
)


@dataclass(frozen=True)
class Wires:
    """The lists of all providers that are simulated."""

    lists: tuple[Wire, ...]

    @cached_property
    def slugs(self) -> tuple[str, ...]:
        """The providers, in the order of their lists."""
        return tuple(dict.fromkeys(wire.slug for wire in self.lists))

    def of(self, slug: str) -> tuple[Wire, ...]:
        """The lists of one provider."""
        return tuple(wire for wire in self.lists if wire.slug == slug)

    def ids_of(self, slug: str) -> dict[str, str]:
        """The id field of each list of a provider."""
        return {wire.name: wire.id for wire in self.of(slug)}

    def takes_tokens(self, slug: str) -> bool:
        """Whether a provider's key is an access token of its token endpoint."""
        return any(wire.key is Key.TOKEN for wire in self.of(slug))

    def at(self, slug: str, path: str) -> tuple[Wire, dict[str, str]] | None:
        """The list that a provider serves at a path, and what the path's placeholders matched."""
        return next(((wire, matched) for wire in self.of(slug) if (matched := wire.matches(path)) is not None), None)


@dataclass(frozen=True)
class Simulated:
    """A provider that has no entry here and no sample beside it: both are brought along."""

    wires: tuple[Wire, ...]
    sample: Sample

    @property
    def slug(self) -> str:
        """The provider's."""
        return self.wires[0].slug
