"""Google Vertex AI: no prices, one list per publisher, served models only unless weights are asked for."""

from urllib.parse import parse_qs, urlsplit

import pytest

from modelsync.model.model import NO_PRICES, Model
from modelsync.providers.base import PagingError
from modelsync.providers.builtin.google_vertex import PROVIDER
from modelsync.testing import answer, drive, good, one, sample

SAMPLE = {"models": {"publisherModels": sample("google-vertex")["lists"]["models"]}}


def row(name, *actions, **fields):
    return {"name": name, "supportedActions": {action: {} for action in actions}, **fields}


def test_the_sample_reads_to_the_served_models():
    models = good(PROVIDER, SAMPLE).models
    assert list(models) == [
        "publishers/google/models/juniper-2.0-flash",
        "publishers/google/models/juniper-embed-1",
        "publishers/qwen/models/acacia-next-80b-maas",
        "publishers/anthropic/models/verse-haiku-9",
    ]
    assert models["publishers/google/models/juniper-2.0-flash"] == Model(
        id="publishers/google/models/juniper-2.0-flash",
        metadata={
            "versionId": "default",
            "openSourceCategory": "PROPRIETARY",
            "launchStage": "GA",
            "publisherModelTemplate": "projects/{user-project}/locations/{location}/publishers/google/models/juniper-2.0-flash",
            "versionState": "VERSION_STATE_STABLE",
            "supportedActions": ["openGenerationAiStudio", "requestAccess"],
        },
    )
    assert models["publishers/google/models/juniper-embed-1"] == Model(
        id="publishers/google/models/juniper-embed-1",
        metadata={"versionId": "001", "openSourceCategory": "PROPRIETARY", "launchStage": "GA"},
    )
    assert all(model.prices == NO_PRICES and model.modality is None for model in models.values())


def test_weights_are_listed_when_asked_for_and_ids_keep_their_publisher():
    models = good(PROVIDER, SAMPLE, self_deploy=True).models
    assert len(models) == 6
    assert {"publishers/google/models/sprig3", "publishers/meta/models/sprig3"} <= models.keys()
    assert models["publishers/google/models/sprig3"].metadata["frameworks"] == ["JAX", "PyTorch"]


@pytest.mark.parametrize(
    ("name", "actions", "served"),
    [
        ("publishers/google/models/a", ("openGenerationAiStudio", "deploy"), True),
        ("publishers/google/models/a", ("requestAccess",), True),
        ("publishers/google/models/a", ("deployGke", "openNotebook"), False),
        ("publishers/qwen/models/a-maas", (), True),
        ("publishers/qwen/models/a", ("deploy",), False),
        ("publishers/meta/models/a", ("requestAccess", "multiDeployVertex"), False),
    ],
)
def test_an_action_to_deploy_means_weights_but_for_what_google_itself_serves(name, actions, served):
    assert (name in good(PROVIDER, {"models": {"publisherModels": [row(name, *actions)]}}).models) is served


def test_a_row_without_actions_is_a_served_model():
    assert one(PROVIDER, {"models": {"publisherModels": [{"name": "publishers/zai-org/models/a-maas"}]}}).metadata == {}


def test_every_publisher_is_asked_once_page_by_page_with_an_encoded_token():
    def respond(request):
        page = parse_qs(urlsplit(request.url).query).get("pageToken", ["first"])[0]
        more = {"nextPageToken": "a+b/c="} if "/google/" in request.url and page == "first" else {}
        return answer({"publisherModels": [], **more})

    base = "https://aiplatform.googleapis.com/v1beta1/publishers"
    assert [request.url for request, _ in drive(PROVIDER, respond, publishers=("google", "qwen", "google"))] == [
        f"{base}/google/models?pageSize=200",
        f"{base}/google/models?pageSize=200&pageToken=a%2Bb%2Fc%3D",
        f"{base}/qwen/models?pageSize=200",
    ]


def test_all_default_publishers_are_asked():
    asked = [urlsplit(request.url).path.split("/")[3] for request, _ in drive(PROVIDER, lambda request: answer({"publisherModels": []}))]
    assert asked == ["google", "anthropic", "meta", "deepseek-ai", "qwen", "zai-org", "moonshotai", "openai", "mistralai", "ai21"]


def test_a_repeated_token_ends_in_an_error_and_not_in_a_loop():
    with pytest.raises(PagingError):
        drive(PROVIDER, lambda request: answer({"publisherModels": [], "nextPageToken": "same"}))
