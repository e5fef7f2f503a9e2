"""Who counts as one client."""

import pytest

from modelsync.server.clients import Clients


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),  # a socket for both kinds gives IPv4 so
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("10.1.2.3", None),
        ("::ffff:10.1.2.3", None),
        ("127.0.0.1", None),
        ("2001:db8:ffff::7", None),
    ],
)
def test_i42_an_ipv6_network_is_one_client_and_a_trusted_proxy_is_none(host: str, client: str | None):
    assert Clients(("10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48")).of(host) == client
