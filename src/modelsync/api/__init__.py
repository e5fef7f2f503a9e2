"""The REST API. It parses requests, calls one function, and renders one value: no SQL, no HTTP towards providers, no arithmetic."""

from modelsync.api.application import create

__all__ = ["create"]
