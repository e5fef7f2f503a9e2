"""For tests of providers: samples, answers made of bytes, a flow driven by hand, and the contract. Nobody but this machine is asked."""

import hashlib
import importlib.resources
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from modelsync.errors import Failure
from modelsync.planning.listing import Listing, read
from modelsync.providers.base import Answer, Endpoint, Provider, Request

D = Decimal


def sample(slug: str) -> dict[str, Any]:
    """The sample of one provider: `{"lists": {endpoint name: rows}, "days": [...]}`."""
    path = importlib.resources.files("modelsync.simulator") / "samples" / f"{slug}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def document(endpoint: Endpoint, rows: Sequence[object]) -> object:
    """The answer that holds these rows, where the endpoint looks for them first."""
    path = endpoint.rows[0]
    if path == ".":
        return rows[0]
    inside: object = rows
    for step in reversed(path.split(".") if path else ()):
        inside = {step: inside}
    return inside


def answer(document: object, url: str = "https://test.invalid/", headers: Mapping[str, str] | None = None) -> Answer:
    """An answer whose body is `document` as JSON, or as it is when it is bytes."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(url=url, body=body, sha256=hashlib.sha256(body).hexdigest(), headers=headers or {}, received_at=1_790_000_000)


def listing(provider: Provider, documents: Mapping[str, object], **options: object) -> Listing | Failure:
    """Read one document per endpoint name."""
    chosen = msgspec.convert(options, provider.options)
    endpoints = {endpoint.name: endpoint for endpoint in provider.endpoints}
    return read(provider, chosen, [(Request(endpoints[name], "https://test.invalid/"), answer(body)) for name, body in documents.items()])


def good(provider: Provider, documents: Mapping[str, object], **options: object) -> Listing:
    """Like `listing`, for documents that can be read."""
    result = listing(provider, documents, **options)
    assert isinstance(result, Listing), result
    return result


def one(provider: Provider, documents: Mapping[str, object], **options: object) -> Any:
    """The only model of documents that hold exactly one."""
    (model,) = good(provider, documents, **options).models.values()
    return model


def drive(
    provider: Provider, respond: Callable[[Request], Answer | Failure], *, has_key: bool = True, **options: object
) -> list[tuple[Request, Answer]]:
    """Run a provider's flow by hand: `respond` stands where the network would be."""
    flow = provider.flow(msgspec.convert(options, provider.options), has_key)
    answers: list[tuple[Request, Answer]] = []
    try:
        request = next(flow)
        while True:
            response = respond(request)
            if isinstance(response, Answer):
                answers.append((request, response))
            request = flow.send(response)
    except StopIteration:
        return answers
