"""How an endpoint is asked: header, scheme, more headers, method and body. Whatever carries a key is guarded alike."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
import structlog

from modelsync import logs
from modelsync.errors import Failure, FailureKind
from modelsync.fetch import Fetched, KeyCredential, Unfollowed
from modelsync.providers import paging, registry
from modelsync.providers.base import Answer, ApiKey, Endpoint, Flow, KeyUse, Provider, Request
from support.raw import CANARY, LIST, QUICK, Came, Handler, answering, fetch_from, http

GROQ = registry.load()["groq"]
(LISTS,) = GROQ.endpoints
STYLES = {
    "Authorization: Bearer": (ApiKey(("K",)), f"authorization: bearer {CANARY}"),
    "Authorization: Key": (ApiKey(("K",), scheme="Key"), f"authorization: key {CANARY}"),
    "x-api-key": (ApiKey(("K",), scheme="", header="x-api-key"), f"x-api-key: {CANARY}"),
    "X-Token: Token": (ApiKey(("K",), scheme="Token", header="X-Token"), f"x-token: token {CANARY}"),
}


def asking(auth: ApiKey, **endpoint: object) -> Provider:
    """A provider of one list that is asked so."""
    return dataclasses.replace(GROQ, auth=auth, endpoints=(dataclasses.replace(LISTS, **endpoint),))  # type: ignore[arg-type]


def fetched(handler: Handler, provider: Provider = GROQ, key: str = CANARY, **more: Any) -> Came:
    """What comes of it with the key, under the provider's own scheme."""
    assert isinstance(provider.auth, ApiKey)
    return fetch_from(handler, provider, credential=KeyCredential(key, "K", provider.auth.scheme), **more)


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> tuple[ApiKey, str]:
    return STYLES[request.param]


def failure(came: Came) -> Failure:
    found = came.result.failure if isinstance(came.result, Unfollowed) else came.result
    assert isinstance(found, Failure), found
    return found


def test_the_key_goes_where_the_provider_wants_it(style: tuple[ApiKey, str]):
    auth, line = style
    (request,) = fetched(answering(http()), asking(auth)).requests
    assert line.lower() in request.lower()
    assert request.count(CANARY) == 1


def test_i33_no_key_goes_over_plain_http_to_another_machine(style: tuple[ApiKey, str]):
    came = fetched(answering(http()), asking(style[0]), origin="http://192.0.2.1:9")
    assert failure(came).message == "a key would be sent over plain http"


def test_i31_no_answer_that_repeats_a_key_is_kept(style: tuple[ApiKey, str]):
    key = f"{CANARY}-{CANARY}"  # which is too long to be there by chance
    came = fetched(answering(http(b'{"data": [{"id": "%s"}]}' % key.encode())), asking(style[0]), key)
    assert (failure(came).kind, "repeats the key" in failure(came).message, CANARY in str(came.result)) == (
        FailureKind.UPSTREAM,
        True,
        False,
    )


def test_i31_no_line_shows_a_key(style: tuple[ApiKey, str], capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest):
    logs.configure(verbose=True, secrets=())  # so that it is not the redaction that hides it
    request.addfinalizer(structlog.reset_defaults)
    for status in ("200 OK", "401 No", "403 No", "500 No", "302 Found"):
        came = fetched(answering(http(LIST, status=status)), asking(style[0]), limits=msgspec.structs.replace(QUICK, attempts=1))
        assert CANARY not in str(came.result)
    shown = capsys.readouterr().err
    assert ("answered" in shown, CANARY in shown) == (True, False)


def test_a_public_list_is_asked_without_a_key(style: tuple[ApiKey, str]):
    (request,) = fetched(answering(http()), asking(style[0], key=KeyUse.NEVER)).requests
    assert CANARY not in request


def test_more_headers_method_and_body():
    more: Mapping[str, object] = {"headers": {"anthropic-version": "2023-06-01"}, "method": "POST", "body": b'{"limit": 100}'}
    (request,) = fetched(answering(http()), asking(ApiKey(("K",)), **more)).requests
    head, _, body = request.partition("\r\n\r\n")
    assert head.startswith("POST /openai/v1/models HTTP/1.1\r\n")
    assert "anthropic-version: 2023-06-01" in head
    assert body == '{"limit": 100}'


def test_pages_by_body():
    def pages(endpoint: Endpoint, url: str) -> Flow:
        def asked() -> Iterator[Request]:
            yield from (Request(endpoint, url, body=b'{"page": %d}' % number) for number in (1, 2))

        for request in asked():
            assert isinstance((yield request), Answer)

    came = fetched(answering(http()), asking(ApiKey(("K",)), method="POST", paging=pages))
    assert isinstance(came.result, Fetched)
    assert [request.rpartition("\r\n\r\n")[2] for request in came.requests] == ['{"page": 1}', '{"page": 2}']


def test_a_list_is_asked_by_get_and_without_a_body():
    assert (LISTS.method, LISTS.body, LISTS.headers, LISTS.paging) == ("GET", None, {}, paging.single)
    (request,) = fetched(answering(http())).requests
    assert request.startswith("GET ")
    assert "content-length" not in request.lower()
