"""Where requests really go: to the provider, or to a local server that stands in for it."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import msgspec


class Origins(msgspec.Struct, frozen=True):
    """`everywhere` sends each request to `<everywhere>/<slug><path>`; `by_slug` replaces one provider's scheme, host and port."""

    everywhere: str | None = None
    by_slug: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Origins({shown(self.everywhere or '')}, {', '.join(self.by_slug)})"

    def route(self, slug: str, url: str) -> str:
        """The address to ask instead of `url`."""
        parts = urlsplit(url)
        if slug in self.by_slug:
            origin = urlsplit(self.by_slug[slug])
            return urlunsplit(parts._replace(scheme=origin.scheme, netloc=origin.netloc))
        if self.everywhere:
            return f"{self.everywhere.rstrip('/')}/{slug}{urlunsplit(parts._replace(scheme='', netloc=''))}"
        return url


def is_safe_for_keys(url: str) -> bool:
    """Whether a key may be sent there: over TLS, or to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """An address fit for logs and messages: without user information."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
