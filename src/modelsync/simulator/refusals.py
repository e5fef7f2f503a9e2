"""What an error looks like at each provider: the JSON of a status and a message."""

from collections.abc import Callable
from http import HTTPStatus

from modelsync.simulator.catalog import Row

Shape = Callable[[int, str], Row]

_NAMES = {status.value: status.name for status in HTTPStatus}


def _openai(status: int, message: str) -> Row:
    kind = {401: "authentication_error", 429: "rate_limit_error"}.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": "invalid_api_key" if status == 401 else None}}


def _numbered(status: int, message: str) -> Row:
    return {"error": {"code": status, "message": message}}


def _google(status: int, message: str) -> Row:
    words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    return {"error": {"code": status, "message": message, "status": words.get(status, "INTERNAL")}}


def _fireworks(status: int, message: str) -> Row:
    return {"error": {"message": message, "code": "UNAUTHORIZED" if status == 401 else _words(status)}}


def _fal(status: int, message: str) -> Row:
    kind = {401: "authorization_error", 404: "not_found", 429: "rate_limited"}.get(
        status, "validation_error" if status < 500 else "server_error"
    )
    return {"error": {"type": kind, "message": message, "docs_url": "https://docs.fal.ai", "request_id": "simulated"}}


def _alibaba(status: int, message: str) -> Row:
    return {"code": "InvalidApiKey" if status == 401 else _words(status), "message": message, "request_id": "simulated"}


def _novita(status: int, message: str) -> Row:
    reason = {401: "INVALID_API_KEY", 404: "MODEL_NOT_FOUND", 429: "RATE_LIMIT_EXCEEDED"}.get(status, "MODEL_NOT_AVAILABLE")
    return {"code": status, "reason": reason, "message": message, "metadata": {}}


def _xai(status: int, message: str) -> Row:
    return {"code": _words(status), "error": message}


def _words(status: int) -> str:
    return _NAMES.get(status, str(status))


SHAPES: dict[str, Shape] = {
    "aihubmix": lambda _, message: {"success": False, "message": message},
    "aimo": _numbered,
    "alibaba": _alibaba,
    "cerebras": lambda _, message: {"detail": message},
    "chutes": lambda _, message: {"detail": message},
    "deepinfra": lambda _, message: {"detail": {"error": message}},
    "fal": _fal,
    "fireworks": _fireworks,
    "google-vertex": _google,
    "helicone": lambda _, message: {"data": None, "error": message},
    "huggingface": lambda _, message: {"error": message},
    "novita": _novita,
    "openrouter": _numbered,
    "xai": _xai,
}
HTML_NOT_FOUND = frozenset({"google-vertex", "vercel-ai-gateway"})
"""Providers whose unknown paths answer with a web page."""


def refusal(slug: str, status: int, message: str) -> Row:
    """The provider's error document; OpenAI's shape where nothing else is known."""
    return SHAPES.get(slug, _openai)(status, message)
