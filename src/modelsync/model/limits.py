"""Limits that hold for every provider: what may be an id, how long a text may be, which lengths are believed."""

import re
from typing import Any

import msgspec

from modelsync.model.model import KNOWN_MODALITIES, Model, encoded_facts, hash_of

MAX_TOKENS = 1_000_000_000
MAX_ID_BYTES, MAX_NAME, MAX_DESCRIPTION, MAX_METADATA = 512, 500, 20_000, 100_000
"""Longest id in bytes; longest name and description in characters; largest metadata of one row in bytes of JSON."""

_nul = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes it; a backslash before it makes it the text \u0000


def within_limits(model: Model, warnings: list[str]) -> Model:
    """The model with every value inside the catalog's limits. Raises ValueError when the id itself cannot be used."""
    return limited(model, warnings)[0]


def limited(model: Model, warnings: list[str]) -> tuple[Model, str]:
    """The same, and its content hash: one encoding serves both."""
    within = _within(model, warnings)
    facts = encoded_facts(within)
    if len(facts) <= MAX_METADATA and b"\\u0000" not in facts:
        return within, hash_of(facts)
    stored = _with_stored_metadata(within, warnings)
    return stored, hash_of(facts if stored is within else encoded_facts(stored))


def _within(model: Model, warnings: list[str]) -> Model:
    check_id(model.id)
    changes: dict[str, Any] = {}
    for name, value in (("context_length", model.context_length), ("max_output_tokens", model.max_output_tokens)):
        if value is not None and not 0 < value <= MAX_TOKENS:
            changes[name] = None
            if value:
                warnings.append(f"{model.id}: {name} = {value} is outside 1 to {MAX_TOKENS}; not stated")
    for name, text, limit in (("model_name", model.model_name, MAX_NAME), ("description", model.description, MAX_DESCRIPTION)):
        if text is not None and (not text or text.isspace() or len(text) > limit or "\0" in text):
            changes[name] = text.replace("\0", "")[:limit].strip() or None
            if len(text) > limit:
                warnings.append(f"{model.id}: {name} of {len(text):,} characters was cut at {limit:,}")
    inputs, outputs = model.input_modalities, model.output_modalities
    if not (KNOWN_MODALITIES.issuperset(inputs or ()) and KNOWN_MODALITIES.issuperset(outputs or ())):
        changes |= _known_modalities(model, warnings)
    within = msgspec.structs.replace(model, **changes) if changes else model
    context, output = within.context_length, within.max_output_tokens
    if context and output and output > context:
        warnings.append(f"{model.id}: max_output_tokens = {output} is more than context_length = {context}")
    return within


def _with_stored_metadata(model: Model, warnings: list[str]) -> Model:
    encoded = msgspec.json.encode(model.metadata)
    if len(encoded) > MAX_METADATA:
        warnings.append(f"{model.id}: {len(encoded):,} bytes of metadata were left out")
        return msgspec.structs.replace(model, metadata={})
    cleaned = without_nul(encoded)
    if cleaned == encoded:
        return model
    return msgspec.structs.replace(model, metadata=msgspec.json.decode(cleaned, type=dict[str, object]))


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
    """Both sides of a model that names modalities nobody knows, without these."""
    sides = {"input_modalities": model.input_modalities or (), "output_modalities": model.output_modalities or ()}
    unknown = sorted({name for names in sides.values() for name in names} - KNOWN_MODALITIES)
    shown = ", ".join(f"`{name[:40]}`" for name in unknown[:5]) + (" …" if len(unknown) > 5 else "")
    warnings.append(f"{model.id}: unknown modality {shown}; left out")
    return {
        side: tuple(name for name in names if name in KNOWN_MODALITIES) or None
        for side, names in sides.items()
        if not KNOWN_MODALITIES.issuperset(names)
    }


def without_nul(document: bytes) -> bytes:
    """JSON without NUL characters, which Postgres holds in no text."""
    return _nul.sub(rb"\1", document)
