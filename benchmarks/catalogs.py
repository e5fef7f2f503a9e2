"""Catalogs to measure with: rows like OpenRouter's (about 1.3 KB each) and Featherless's, the same in every run."""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from modelsync.planning.known import Clean, KnownRows
from modelsync.planning.listing import Listing, read
from modelsync.providers.base import Answer, Endpoint, Provider, Request
from modelsync.providers.builtin import openrouter

PARAMETERS = (
    *("frequency_penalty", "include_reasoning", "logprobs", "max_tokens", "min_p", "presence_penalty", "reasoning"),
    *(
        "repetition_penalty",
        "response_format",
        "seed",
        "stop",
        "structured_outputs",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    ),
)
ABILITIES = [[name for place, name in enumerate(PARAMETERS) if not mask * 77 >> place & 1] for mask in range(251)]
"""As many different lists of abilities as a long catalog has."""

SENTENCE = "A language model for dialogue, code and long documents, released under an open licence and served from several regions. "
EVERY = 100
"""One row in this many differs in a changed catalog: 1 %."""


class Rows(msgspec.Struct, frozen=True):
    """An answer whose rows are only counted."""

    data: list[msgspec.Raw]


def openrouter_row(number: int, *, changed: bool = False) -> dict[str, Any]:
    """Row `number` of a catalog. Changed: every hundredth row has another prompt price."""
    name = f"maker-{number % 97}/model-{number}"
    inputs = ["text", "image"] if number % 3 == 0 else ["text"]
    cents = number % 1999 + (750 if changed and number % EVERY == 0 else 500)  # a price that moves further is not believed at once
    return {
        "id": name,
        "canonical_slug": f"{name}-20260115",
        "hugging_face_id": f"Maker-{number % 97}/Model-{number}",
        "name": f"Maker {number % 97}: Model {number}",
        "created": 1_700_000_000 + number,
        "description": SENTENCE * (3 + number % 3),
        "context_length": 8192 << number % 6,
        "architecture": {
            "modality": f"{'+'.join(inputs)}->text",
            "input_modalities": inputs,
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": f"{cents / 1e8:.10f}",
            "completion": f"{4 * (number % 1999 + 1) / 1e8:.10f}",
            "request": "0",
            "image": "0",
            "web_search": "0",
            "internal_reasoning": "0",
        },
        "top_provider": {"context_length": 8192 << number % 6, "max_completion_tokens": 4096, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": list(ABILITIES[number % len(ABILITIES)]),
        "default_parameters": {"temperature": 0.6, "top_p": 0.95, "frequency_penalty": None},
        "expiration_date": None,
    }


def featherless_row(number: int, *, changed: bool = False) -> dict[str, Any]:
    """Row `number` of a long list of small rows."""
    return {
        "id": f"maker-{number % 997}/Model-{number}-Instruct",
        "is_gated": number % 7 == 0,
        "created": 1_700_000_000 + number + changed,
        "model_class": "llama3-8b",
        "owned_by": "Feather",
        "context_length": 8192,
        "features": {"tool_use": number % 2 == 0},
        "available_on_current_plan": True,
    }


def document(rows: Iterable[dict[str, Any]]) -> bytes:
    """Rows as the body of an answer; encoded one by one, so that only the bytes stay."""
    encode = msgspec.json.Encoder().encode
    return b'{"data":[' + b",".join(encode(row) for row in rows) + b"]}"


def openrouter_body(count: int, *, changed: bool = False, first: int = 0) -> bytes:
    """A body with `count` OpenRouter-like rows."""
    return document(openrouter_row(number, changed=changed) for number in range(first, first + count))


def answer(body: bytes) -> Answer:
    """A body as an answer that came."""
    return Answer(url="https://benchmark.invalid/", body=body, sha256=hashlib.sha256(body).hexdigest(), headers={}, received_at=0.0)


def listing(body: bytes, provider: Provider = openrouter.PROVIDER, known: KnownRows | None = None) -> Listing:
    """A body read as its provider's listing, where some rows may be known."""
    (endpoint,) = provider.endpoints
    found = read(provider, provider.options(), [(asked(endpoint), answer(body))], known)
    assert isinstance(found, Listing), found
    return found


def changed(base: Listing) -> Listing:
    """A listing of OpenRouter-like rows from the first one on, with 1 % of its models at another price."""
    numbers = range(0, len(base.models), EVERY)
    others = listing(document(openrouter_row(number, changed=True) for number in numbers), known=KnownRows())
    clean = Clean({**base.clean.digests, **others.clean.digests}, {**base.clean.incomplete, **others.clean.incomplete})
    return Listing(models={**base.models, **others.models}, hashes={**base.hashes, **others.hashes}, clean=clean)


def asked(endpoint: Endpoint) -> Request:
    """The request that an answer came to."""
    return Request(endpoint, "https://benchmark.invalid/")
