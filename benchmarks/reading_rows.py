"""Decoding, normalizing and hashing rows, against an untyped decode of the same bytes."""

import time
from collections.abc import Iterator

import catalogs
import msgspec
from measure import Figure, Scale, alternate, count, floor, of, ratio, timed

from modelsync.model.model import content_hash

GATEWAYZ = 10.2
"""What gatewayz-backend's transform costs, × untyped decode: 29,600 models/s where untyped decode made 302,000 (measured 2026-11)."""


def measure(scale: Scale) -> Iterator[Figure]:
    """Reading and hashing apart, and what they reach per second."""
    return of(_measured(scale), "", scale.rows)


def _measured(scale: Scale) -> Iterator[Figure]:
    body = catalogs.openrouter_body(scale.rows)
    models = list(catalogs.listing(body).models.values())
    yield count("models read", len(models), scale.rows, "models")
    rounds = alternate(
        scale.rounds,
        {
            "floor": floor(lambda: msgspec.json.decode(body)),
            "read": timed(lambda: catalogs.listing(body)),
            "hash": timed(lambda: [content_hash(model) for model in models]),
        },
    )
    hashing = rounds.ratios("hash", "floor")
    normalizing = [read - hashed for read, hashed in zip(rounds.ratios("read", "floor"), hashing, strict=True)]
    seconds = rounds.median("read") - rounds.median("hash")
    yield ratio("decode + normalize, × untyped decode", normalizing, 2.0, note=f"{scale.rows / seconds:,.0f} models/s", seconds=seconds)
    note = f"{scale.rows / rounds.median('hash'):,.0f} models/s"
    yield ratio("content hash, × untyped decode", hashing, 0.5, note=note, seconds=rounds.median("hash"))
    faster = [GATEWAYZ / each for each in normalizing]
    yield ratio("faster than gatewayz-backend's transform", faster, 5.0, least=True, note=f"which took {GATEWAYZ} × untyped decode")
    grown = _growth(scale, body)
    yield ratio("time per model is linear, 10 × the rows", grown, 1.3, note="time per row, × that of a tenth of the rows")


def _growth(scale: Scale, body: bytes) -> list[float]:
    """Time per row of a whole list against that of a list with a tenth of its rows."""
    small = catalogs.openrouter_body(scale.rows // 10)

    def ten_small() -> float:
        started = time.perf_counter()
        for _ in range(10):
            catalogs.listing(small)
        return time.perf_counter() - started

    return alternate(scale.rounds, {"small": ten_small, "large": timed(lambda: catalogs.listing(body))}).ratios("large", "small")
