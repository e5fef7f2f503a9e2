"""Secrets, kept out of whatever is shown or stored: in every form in which text may repeat them."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

SHORTEST_KEY = 16
"""Shorter keys than this may be found in a text by chance; those that providers give are longer."""


def forms(secret: str) -> frozenset[str]:
    """A secret as it is, and as addresses, JSON, Python and base64 write it."""
    raw = secret.encode("utf-8", "surrogatepass")
    found = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw)}
    found |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= {encode(raw[skipped : len(raw) - (len(raw) - skipped) % 3]).decode() for skipped in range(3)}  # whole groups of any phase
    return frozenset(form for form in found if len(form) >= len(secret) // 2)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with every form of every secret as ***, the longest first. Three characters are no secret."""
    for form in sorted({form for secret in secrets if len(secret) > 3 for form in forms(secret)}, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def repeats(body: bytes, secret: str) -> bool:
    """Whether an answer repeats a key in any form."""
    return len(secret) >= SHORTEST_KEY and any(form.encode("utf-8", "surrogatepass") in body for form in forms(secret))
