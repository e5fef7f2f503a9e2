"""Decoding, normalizing and hashing 10,000 rows, against an untyped decode of the same bytes."""

import time
from collections.abc import Iterator

import catalogs
import msgspec
from measure import Figure, Scale, alternate, timed

from modelsync.model.model import content_hash

ROWS = 10_000


def measure(scale: Scale) -> Iterator[Figure]:
    """Reading and hashing apart, and what they reach per second."""
    body = catalogs.openrouter_body(ROWS)
    models = list(catalogs.listing(body).models.values())
    medians = alternate(
        scale.rounds,
        {
            "floor": timed(lambda: msgspec.json.decode(body)),
            "read": timed(lambda: catalogs.listing(body)),
            "hash": timed(lambda: [content_hash(model) for model in models]),
        },
    )
    floor, hashing = medians["floor"], medians["hash"]
    normalizing = medians["read"] - hashing
    yield Figure("decode + normalize, × untyped decode", normalizing / floor, 2.0, note=f"{ROWS / normalizing:,.0f} models/s")
    yield Figure("content hash, × untyped decode", hashing / floor, 0.5, note=f"{ROWS / hashing:,.0f} models/s")
    yield Figure("time per model is linear, 10 × the rows", _growth(body), 1.3, note="time per row, × that of a tenth of the rows")


def _growth(body: bytes) -> float:
    """Time per row of a whole list against that of a list with a tenth of its rows."""
    small = catalogs.openrouter_body(ROWS // 10)

    def ten_small() -> float:
        started = time.perf_counter()
        for _ in range(10):
            catalogs.listing(small)
        return time.perf_counter() - started

    medians = alternate(3, {"small": ten_small, "large": timed(lambda: catalogs.listing(body))})
    return medians["large"] / medians["small"]
