"""The recorded answers that lie beside the repository, read here with nothing but `json` and `Decimal`."""

import json
import os
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ.get("MODELSYNC_PAYLOADS") or Path(__file__).resolve().parents[3] / "shared" / "payloads")

needs_recordings = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recordings: set MODELSYNC_PAYLOADS to their folder")

TWELVE_DIGITS = Context(prec=12)


def body(name: str) -> bytes:
    """A recording's bytes."""
    return (FOLDER / name).read_bytes()


def rows(name: str, at: str = "data") -> list[dict[str, Any]]:
    """A recording's rows, its numbers exact."""
    document = json.loads(body(name), parse_float=Decimal)
    return document if isinstance(document, list) else document[at]


def upside_down(name: str) -> bytes:
    """The same rows in the opposite order, written by another program."""
    document = json.loads(body(name))
    if isinstance(document, list):
        return json.dumps(document[::-1]).encode()
    return json.dumps({**document, "data": document["data"][::-1]}, indent=1).encode()


def price(value: Any, unit: str) -> Decimal | None:
    """A wire price in USD, to twelve digits; None for null and nothing."""
    return None if value in (None, "") else TWELVE_DIGITS.multiply(TWELVE_DIGITS.create_decimal(str(value)), Decimal(unit))
