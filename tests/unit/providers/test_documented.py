"""What a provider's documentation states of all its chat models: of whom it is said, and of whom nothing is."""

from urllib.parse import urlsplit

import pytest

from modelsync.providers import registry
from modelsync.providers.base import Documented

STREAMS = Documented("supports_streaming", "https://docs.acme.test/streaming")
DECLARED = {slug: provider for slug, provider in registry.load().items() if provider.documented}


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        (("text",), ("text",), True),
        (("text", "image", "audio"), ("text",), True),
        (("audio",), ("text",), None),  # transcripts are no chat
        (("text",), ("image",), None),
        (("text",), ("text", "image"), None),
        (("text",), ("embeddings",), None),
        (None, ("text",), None),
        (("text",), None, None),
        ((), ("text",), None),
        (("text",), (), None),
        (None, None, None),
    ],
)
def test_it_is_said_of_models_that_take_text_and_write_nothing_else(
    inputs: tuple[str, ...] | None, outputs: tuple[str, ...] | None, said: bool | None
):
    assert STREAMS.of(inputs, outputs) is said
    assert STREAMS.of(inputs, outputs, chat=False) is None  # its row says that it is of another type


@pytest.mark.parametrize("source", ["", "docs.acme.test/streaming", "http://docs.acme.test/streaming"])
def test_a_source_is_an_https_address(source: str):
    with pytest.raises(ValueError, match="the source of supports_streaming is no https address"):
        Documented("supports_streaming", source)


@pytest.mark.parametrize("capability", ["", "streaming", "supports_flying"])
def test_a_capability_is_a_field_of_a_model(capability: str):
    with pytest.raises(ValueError, match="is no field of a model"):
        Documented(capability, "https://docs.acme.test/streaming")


@pytest.mark.parametrize("slug", DECLARED)
def test_the_page_is_of_the_provider_itself(slug: str):
    provider = DECLARED[slug]
    own = {_domain(address) for address in (provider.site_url, provider.docs_url)}
    assert [each.source for each in provider.documented if _domain(each.source) not in own] == []


def _domain(address: str) -> str:
    return ".".join((urlsplit(address).hostname or "").split(".")[-2:])
