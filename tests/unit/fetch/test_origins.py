"""Where requests go, where keys may go, and what is shown of an address."""

import pytest

from modelsync.fetch.origins import Origins, is_loopback, is_safe_for_keys, shown

URL = "https://api.groq.com:8443/openai/v1/models?limit=2#x"


@pytest.mark.parametrize(
    ("origins", "expected"),
    [
        (Origins(), URL),
        (Origins(by_slug={"xai": "http://127.0.0.1:9"}), URL),  # somebody else's
        (Origins(by_slug={"groq": "http://127.0.0.1:9/ignored"}), "http://127.0.0.1:9/openai/v1/models?limit=2#x"),
        (Origins(everywhere="http://127.0.0.1:9"), "http://127.0.0.1:9/groq/openai/v1/models?limit=2#x"),
        (Origins(everywhere="http://127.0.0.1:9/a//"), "http://127.0.0.1:9/a/groq/openai/v1/models?limit=2#x"),
        (
            Origins(everywhere="http://127.0.0.1:9", by_slug={"groq": "https://gateway.invalid"}),
            "https://gateway.invalid/openai/v1/models?limit=2#x",
        ),
    ],
)
def test_requests_go_where_the_settings_say(origins, expected):
    assert origins.route("groq", URL) == expected


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_this_machine_is_told_by_its_addresses(host):
    assert is_loopback(host) is True


@pytest.mark.parametrize("host", ["", "localhost.evil.invalid", "Localhost.", "128.0.0.1", "10.0.0.1", "0.0.0.0", "::2", "api.groq.com"])
def test_nothing_else_is_this_machine(host):
    assert is_loopback(host) is False


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://api.groq.com/v1", True),
        ("http://api.groq.com/v1", False),
        ("http://127.0.0.1:8080/groq", True),
        ("http://[::1]/groq", True),
        ("http://localhost/groq", True),
        ("ftp://127.0.0.1/groq", False),
        ("ws://localhost/", False),
        ("//localhost/", False),
        ("http:///groq", False),
    ],
)
def test_i33_keys_go_over_tls_or_to_this_machine(url, safe):
    assert is_safe_for_keys(url) is safe


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:secret@host:1/p?q=1#f", "https://host:1/p?q=1#f"),
        ("https://user:se@cret@host/p", "https://host/p"),
        ("https://host:1/p", "https://host:1/p"),
        ("", ""),
    ],
)
def test_i31_nobody_sees_who_an_address_is_for(url, expected):
    assert shown(url) == expected


def test_i31_settings_that_are_printed_hide_it_too():
    origins = Origins(everywhere="http://user:secret@127.0.0.1:9/x", by_slug={"xai": "http://user:secret@h", "groq": "http://h"})
    assert repr(origins) == "Origins(http://127.0.0.1:9/x, xai, groq)"
    assert repr(Origins()) == "Origins(, )"
