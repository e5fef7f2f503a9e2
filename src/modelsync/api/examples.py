"""Examples of requests and answers in OpenAPI, recorded from a server over simulated providers by scripts/generate_docs.py."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec


@lru_cache(maxsize=1)
def _recorded() -> dict[str, Any]:
    file = files("modelsync.api") / "examples.json"
    return msgspec.json.decode(file.read_bytes()) if file.is_file() else {}


def add(route: dict[str, Any]) -> None:
    """Show what was recorded of a route, under its operation id."""
    recorded = _recorded().get(route["operationId"], {})
    for status, value in recorded.get("answers", {}).items():
        content = route["responses"][status]["content"]
        media = content.get("application/json") or next(iter(content.values()))
        media["example"] = value
    if "body" in recorded:
        route["requestBody"]["content"]["application/json"]["example"] = recorded["body"]
