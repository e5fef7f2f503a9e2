"""Secrets, kept out of whatever is shown or stored: in every form in which text may repeat them."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote

SHORTEST_KEY = 16
"""Shorter keys than this may be found in a text by chance; those that providers give are longer."""


def forms(secret: str) -> frozenset[str]:
    """A secret as it is, and as addresses, JSON, Python and base64 write it."""
    raw = secret.encode("utf-8", "surrogatepass")
    texts = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw)}
    texts |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        texts |= {encode(raw[skipped : len(raw) - (len(raw) - skipped) % 3]).decode() for skipped in range(3)}  # whole groups of any phase
    return frozenset(form for form in texts if len(form) >= len(secret) // 2)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with every form of every secret as ***, the longest first. Three characters are no secret."""
    for form in sorted({form for secret in secrets if len(secret) > 3 for form in forms(secret)}, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def repeats(body: bytes, secret: str) -> bool:
    """Whether an answer repeats a key in any form."""
    return len(secret) >= SHORTEST_KEY and any(form.encode("utf-8", "surrogatepass") in body for form in forms(secret))


# Headers

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "api-key", "x-api-key", "x-goog-api-key"})
"""Headers whose values are secret whoever sends them, in lower case."""


def is_secret_header(name: str, own: str = "") -> bool:
    """Whether a header's value is secret: it is in SECRET_HEADERS, or a provider's `own` header for its key. Case does not matter."""
    return bool(name) and name.lower() in SECRET_HEADERS | {own.lower()}


def secrets_in_headers(headers: Mapping[str, str]) -> frozenset[str]:
    """What is secret in headers: the value of each that is in SECRET_HEADERS, without the scheme before it."""
    values = (value for name, value in headers.items() if is_secret_header(name))
    return frozenset(value.partition(" ")[2] or value for value in values) - {""}


# Addresses

_before_host = re.compile(r"((?:^(?!.*://)|://)[^:@/]*:)(.+)@")  # a password may hold any character, @ and / included
_token_before_host = re.compile(r"(://)([^:@/]+)@")  # a user without a password: a name in a database's address, a token in an origin
_among_parameters = re.compile(r"([?&](?:ssl)?password=)([^&]*)")


def passwords(address: str) -> frozenset[str]:
    """The passwords in an address, as written and decoded."""
    return _written_and_decoded(match[2] for pattern in (_before_host, _among_parameters) for match in pattern.finditer(address))


def tokens(origin: str) -> frozenset[str]:
    """The token before the host of an origin, as written and decoded."""
    return _written_and_decoded(match[2] for match in _token_before_host.finditer(origin))


def _written_and_decoded(texts: Iterable[str]) -> frozenset[str]:
    written = frozenset(texts)
    return (written | {unquote(each) for each in written}) - {""}


def without_passwords(text: str) -> str:
    """An address without its passwords; other text as it is."""
    return _among_parameters.sub(r"\1***", _before_host.sub(r"\1***@", text))


def without_tokens(origin: str) -> str:
    """An origin without the token before its host."""
    return _token_before_host.sub(r"\1***@", origin)
