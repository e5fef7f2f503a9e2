"""What carries a key is known by one list of headers and by the key itself, so that nobody has to remember to hide it."""

import dataclasses

import pytest

from modelsync.fetch.auth import Authorization, authorized, credential_of
from modelsync.providers import registry
from modelsync.providers.base import ApiKey, GoogleAccount
from modelsync.redaction import SECRET_HEADERS, is_secret_header, redacted, secrets_in_headers

CANARY = "sk-canary-of-the-headers"
KEYED = [provider for provider in registry.load().values() if isinstance(provider.auth, ApiKey)]


@pytest.mark.parametrize("header", sorted(SECRET_HEADERS))
def test_i31_whoever_sends_a_secret_header_its_value_is_a_secret(header):
    for name in (header, header.upper(), header.title()):
        for value in (CANARY, f"Bearer {CANARY}"):
            carried = Authorization({name: value, "Accept": "text/plain"})
            assert carried.secrets == secrets_in_headers(carried.headers) == {CANARY}
            assert CANARY not in redacted(f"the answer repeats {value}", carried.secrets)
            assert CANARY not in repr(carried)


@pytest.mark.parametrize("provider", [*KEYED, None], ids=lambda each: each.slug if each else "a header of its own")
def test_i31_a_key_is_a_secret_in_whatever_header_a_provider_wants(provider):
    auth = provider.auth if provider else ApiKey(("K",), scheme="", header="X-Token")
    credential = credential_of(auth, {auth.variables[0]: CANARY}.get)
    assert credential
    assert credential.secrets == {CANARY}
    assert CANARY in authorized(auth.header, auth.scheme, credential.key).secrets
    assert is_secret_header(auth.header.upper(), auth.header)


def test_headers_that_carry_nothing_secret_are_none():
    for name in ("Accept", "X-Goog-User-Project", "anthropic-version", "X-Token", ""):
        assert not is_secret_header(name), name
        assert Authorization({name: CANARY}).secrets == frozenset()


@pytest.mark.parametrize("header", ["Authorization", "COOKIE", "x-token"])
def test_an_endpoint_sends_no_secret_of_its_own(header):
    provider = dataclasses.replace(registry.load()["groq"], auth=ApiKey(("K",), header="X-Token"))
    (endpoint,) = provider.endpoints
    with pytest.raises(ValueError, match="keys are sent by `auth`"):
        dataclasses.replace(provider, endpoints=(dataclasses.replace(endpoint, headers={header: CANARY}),))
    assert dataclasses.replace(provider, endpoints=(dataclasses.replace(endpoint, headers={"Accept": "*/*"}),))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"private_key": 7}', '{"private_key": null}'])
def test_googles_json_that_is_none_is_a_secret_as_a_whole(text):
    auth = GoogleAccount()
    credential = credential_of(auth, {auth.variables[0]: text, "K_SERVICE": "x"}.get)
    assert credential
    assert credential.secrets == ({text} if text else set())
