"""Limits that hold for every provider: what may be an id, how long a text may be, which lengths are believed."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from modelsync.model.model import KNOWN_MODALITIES, Model

MAX_TOKENS = 1_000_000_000
MAX_ID_BYTES, MAX_NAME, MAX_DESCRIPTION, MAX_METADATA = 512, 500, 20_000, 100_000
"""Longest id in bytes; longest name and description in characters; largest metadata of one row in bytes of JSON."""

_nul = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes it; a backslash before it makes it the text \u0000


def within_limits(model: Model, warnings: list[str]) -> Model:
    """The model with every value inside the catalog's limits. Raises ValueError when the id itself cannot be used."""
    check_id(model.id)
    changes: dict[str, Any] = {}
    for name, value in (("context_length", model.context_length), ("max_output_tokens", model.max_output_tokens)):
        if value is not None and not 0 < value <= MAX_TOKENS:
            changes[name] = None
            if value:
                warnings.append(f"{model.id}: {name} = {value} is outside 1 to {MAX_TOKENS}; not stated")
    for name, text, limit in (("model_name", model.model_name, MAX_NAME), ("description", model.description, MAX_DESCRIPTION)):
        if text is not None and (not text.strip() or len(text) > limit or "\0" in text):
            changes[name] = text.replace("\0", "")[:limit].strip() or None
            if len(text) > limit:
                warnings.append(f"{model.id}: {name} of {len(text):,} characters was cut at {limit:,}")
    changes |= _known_modalities(model, warnings)
    context, output = (changes.get(name, getattr(model, name)) for name in ("context_length", "max_output_tokens"))
    if context and output and output > context:
        warnings.append(f"{model.id}: max_output_tokens = {output} is more than context_length = {context}")
    metadata = _stored_metadata(model, warnings)
    if metadata is not model.metadata:
        changes["metadata"] = metadata
    return msgspec.structs.replace(model, **changes) if changes else model


def printable(text: str) -> str:
    """Text without control characters, so that no provider's string can steer a terminal, forge a line, or be refused by a database."""
    return "".join(char if char.isprintable() else "�" for char in text)


def check_id(text: str) -> None:
    """Raise ValueError for an id that cannot be a key: empty, over 512 bytes, or with control characters."""
    if not text:
        raise ValueError("the id is empty")
    if len(text) > MAX_ID_BYTES or len(text.encode()) > MAX_ID_BYTES:
        raise ValueError(f"the id is longer than {MAX_ID_BYTES} bytes")
    if not text.isprintable() or text != text.strip():
        raise ValueError("the id has control characters, or blanks around it")


def _known_modalities(model: Model, warnings: list[str]) -> dict[str, tuple[str, ...] | None]:
    """The sides of a model that name modalities nobody knows, without these."""
    sides = {"input_modalities": model.input_modalities or (), "output_modalities": model.output_modalities or ()}
    unknown = sorted({name for names in sides.values() for name in names} - KNOWN_MODALITIES)
    if not unknown:
        return {}
    shown = ", ".join(f"`{name[:40]}`" for name in unknown[:5]) + (" …" if len(unknown) > 5 else "")
    warnings.append(f"{model.id}: unknown modality {shown}; left out")
    return {
        side: tuple(name for name in names if name in KNOWN_MODALITIES) or None
        for side, names in sides.items()
        if not KNOWN_MODALITIES.issuperset(names)
    }


def _stored_metadata(model: Model, warnings: list[str]) -> Mapping[str, object]:
    encoded = msgspec.json.encode(model.metadata)
    if len(encoded) > MAX_METADATA:
        warnings.append(f"{model.id}: {len(encoded):,} bytes of metadata were left out")
        return {}
    if b"\\u0000" not in encoded:
        return model.metadata
    cleaned = without_nul(encoded)
    return model.metadata if cleaned == encoded else msgspec.json.decode(cleaned, type=dict[str, object])


def without_nul(document: bytes) -> bytes:
    """JSON without NUL characters, which Postgres holds in no text."""
    return _nul.sub(rb"\1", document)
