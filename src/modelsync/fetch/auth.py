"""What a provider is asked with, and where it comes from. No value here shows itself in a `repr`."""

from collections.abc import Mapping

import msgspec

from modelsync.fetch import google_account
from modelsync.fetch.google_account import Get, GoogleCredential
from modelsync.providers.base import Auth, GoogleAccount
from modelsync.redaction import secrets_in_headers


class KeyCredential(msgspec.Struct, frozen=True):
    """An API key, and the variable it came from, which error messages name."""

    key: str
    variable: str
    scheme: str = "Bearer"

    def __repr__(self) -> str:
        return f"KeyCredential(from {self.variable})"

    @property
    def secrets(self) -> frozenset[str]:
        """What no output may hold."""
        return frozenset({self.key})


Credential = KeyCredential | GoogleCredential


def credential_of(auth: Auth, get: Get) -> Credential | None:
    """The credential of a provider, from the first of its variables that is set; None when there is none."""
    if isinstance(auth, GoogleAccount):
        return google_account.credential_of(auth, get)
    keys = (KeyCredential(key, name, auth.scheme) for name in auth.variables if (key := get(name)))
    return next(keys, None)


class Authorization(msgspec.Struct, frozen=True):
    """The headers that carry a key or a token, and the `keys` in them.

    Whatever header a provider wants: what is here is sent over TLS or to this machine only, is shown nowhere, and an answer that repeats
    it is refused.
    """

    headers: Mapping[str, str] = {}
    keys: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Authorization({', '.join(self.headers)})"

    @property
    def secrets(self) -> frozenset[str]:
        """What no output may hold: the keys, and what any secret header carries."""
        return self.keys | secrets_in_headers(self.headers)


NOBODY = Authorization()
"""Of a request without a key."""


def authorized(header: str, scheme: str, key: str) -> Authorization:
    """A key in a header, after its scheme, if it has one."""
    return Authorization({header: f"{scheme} {key}" if scheme else key}, frozenset({key}))
