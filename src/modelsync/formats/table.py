"""Models as CSV, the same from every face: prices in USD per token, and nothing that a spreadsheet would run."""

from datetime import datetime
from decimal import Decimal

import msgspec

from modelsync.model.records import RecordedModel

COLUMNS = (
    *("provider", "provider_model_id", "model_id", "model_name", "modality", "context_length", "max_output_tokens"),
    *("pricing_prompt", "pricing_completion", "pricing_image", "pricing_request", "dynamic_price", "price_incomplete"),
    *("supports_streaming", "supports_function_calling", "supports_vision", "supports_reasoning", "supports_structured_output"),
    *("is_active", "status", "released_at", "expires_at", "updated_at"),
)
"""`dynamic_price` tells a price that varies by request from one that nobody states: both are empty. `price_incomplete` says that a call
may pay more than the prices here, in fields that are stated and not read."""


def cells(row: RecordedModel) -> list[str]:
    """A model's row in the order of COLUMNS; history does not keep all of them."""
    return [cell(getattr(row, name, None)) for name in COLUMNS]


def json_cell(value: object) -> object:
    """A recorded JSON value as a cell's: lists and documents as JSON."""
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value


def cell(value: object) -> str:
    """A CSV cell; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
