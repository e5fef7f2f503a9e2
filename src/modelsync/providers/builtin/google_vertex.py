"""Google Vertex AI (Model Garden). Prices: none in this API."""

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from modelsync.model.model import Model
from modelsync.providers import paging
from modelsync.providers.base import Endpoint, Flow, GoogleAccount, KeyUse, Provider, RowsByEndpoint, TokenUnits, Wire
from modelsync.providers.parsing import filled

BASE = "https://aiplatform.googleapis.com/v1beta1"  # v1 has no list, and answers it with an HTML 404
STUDIO = frozenset({"openGenerationAiStudio", "requestAccess"})
DEPLOY = frozenset({"deploy", "deployGke", "multiDeployVertex"})

TOKEN_UNITS = TokenUnits(reason="the list has no prices")


class Options(msgspec.Struct, frozen=True):
    """Whose models to list, and whether to include weights that one has to deploy oneself (thousands)."""

    publishers: tuple[str, ...] = (
        "google",
        "anthropic",
        "meta",
        "deepseek-ai",
        "qwen",
        "zai-org",
        "moonshotai",
        "openai",
        "mistralai",
        "ai21",
    )
    self_deploy: bool = False


class Row(msgspec.Struct, frozen=True, rename="camel"):
    name: str  # publishers/qwen/models/…: the part after /models/ repeats across publishers
    supported_actions: dict[str, msgspec.Raw] | None = None  # pages of references for the console: only the names are kept
    predict_schemata: msgspec.Raw = msgspec.Raw()  # addresses of schema files
    frameworks: tuple[str, ...] | None = None


def normalize(row: Row) -> Model:
    metadata = filled(supportedActions=sorted(row.supported_actions or ()), frameworks=sorted(row.frameworks or ()))
    return Model(id=row.name, metadata=metadata)


def managed(row: Row) -> bool:
    """Whether Google serves the model. Partners' served models have empty actions; an action to deploy means weights."""
    actions = set(row.supported_actions or ())
    if row.name.startswith("publishers/google/") and actions & STUDIO:
        return True
    return not actions & DEPLOY


def combine(rows: RowsByEndpoint, options: Options) -> Iterable[Wire]:
    return (wire for wire in rows["models"] if options.self_deploy or managed(wire.row))


def requests(provider: Provider, options: Options, _has_key: bool) -> Flow:
    """One list per publisher: there is no list of publishers."""
    (models,) = provider.endpoints
    for publisher in dict.fromkeys(options.publishers):
        yield from models.paging(models, address(publisher))


def address(publisher: str) -> str:
    return f"{BASE}/publishers/{quote(publisher, safe='')}/models?pageSize=200"


PROVIDER = Provider(
    slug="google-vertex",
    name="Google Vertex AI",
    description="Google's and partners' models on Google Cloud",
    site_url="https://cloud.google.com/vertex-ai",
    docs_url="https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list",
    status_page_url="https://status.cloud.google.com",
    privacy_policy_url="https://cloud.google.com/terms/cloud-privacy-notice",
    terms_of_service_url="https://cloud.google.com/terms",
    base_url=BASE,
    price_unit="none: the list has no prices",
    token_units=TOKEN_UNITS,
    verified="vendor discovery document of 2026-11-06 and quoted rows; no recording",
    auth=GoogleAccount(),
    endpoints=(
        Endpoint(
            url=address("google"),
            row=Row,
            rows=("publisherModels",),
            paging=paging.next_token("nextPageToken", "pageToken"),
            totals=(),
            further=("nextPageToken",),
            key=KeyUse.REQUIRED,
            may_be_absent=True,  # a publisher that Google does not carry (any more)
            leaves_out_empty=True,
        ),
    ),
    normalize=normalize,
    combine=combine,
    requests=requests,
    options=Options,
    deadline=120.0,
)
