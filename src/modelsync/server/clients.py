"""Who counts as one client."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import Scope

IPV6_PREFIX = 64
"""Bits of an IPv6 address that tell one customer from another (RFC 6177); whoever has one address has the other 2^64 of it, too."""


class Clients:
    """Addresses as clients: an IPv6 network of 64 bits is one of them, a trusted proxy none, because it speaks for many."""

    def __init__(self, proxies: Iterable[str]) -> None:
        self._proxies = tuple(ipaddress.ip_network(each, strict=False) for each in proxies)
        self.of = lru_cache(maxsize=4096)(self._of)

    def is_proxy(self, host: str) -> bool:
        """Whether an address is that of a trusted proxy."""
        try:
            address = _plain(ipaddress.ip_address(host))
        except ValueError:
            return False
        return any(address in proxy for proxy in self._proxies)

    def _of(self, host: str) -> str | None:
        """The client at an address; None for a trusted proxy."""
        if self.is_proxy(host):
            return None
        try:
            address = _plain(ipaddress.ip_address(host))
        except ValueError:
            return host
        if address.version == 4:
            return str(address)
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def host_of(scope: Scope) -> str:
    """Where a request is from; behind a trusted proxy, what that says."""
    return scope["client"][0] if scope.get("client") else "unknown"


@lru_cache(maxsize=4096)
def plain_host(host: str) -> str:
    """An address as itself, where a socket for IPv4 and IPv6 gives one of IPv4 as one of IPv6."""
    try:
        return str(_plain(ipaddress.ip_address(host)))
    except ValueError:
        return host


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address as itself, where a socket for both gives it as one of IPv6."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
