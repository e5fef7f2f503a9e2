"""A Google service account and the token endpoint that knows it: the OAuth exchange of Vertex, with real signatures."""

import json
import secrets
import time
from functools import cached_property
from threading import Lock

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import exceptions, jwt

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105
EMAIL = "modelsync@simulated-project.iam.gserviceaccount.com"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = frozenset({"https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/aiplatform"})
LIFETIME = 3599
LONGEST_ASSERTION = 3600


class TokenRefused(Exception):
    """The token endpoint's `error`; the exception's text is its `error_description`."""

    def __init__(self, error: str, description: str) -> None:
        """`error` is one of OAuth's words."""
        super().__init__(description)
        self.error = error


class Claims(msgspec.Struct, frozen=True):
    """What an assertion claims; its audience is checked with its signature."""

    iat: int
    exp: int
    iss: str = ""
    scope: str = ""


class ServiceAccount:
    """One service account. Its key is made when first needed, for making it takes a while."""

    def __init__(self) -> None:
        """No tokens are out yet."""
        self._making = Lock()
        self._tokens: dict[str, float] = {}

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def _key(self) -> rsa.RSAPrivateKey:
        with self._making:
            return self._private

    def document(self) -> str:
        """The JSON file that Google would hand out for this account."""
        pem = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "simulated-project",
                "private_key_id": "simulated",
                "private_key": pem.decode(),
                "client_email": EMAIL,
                "client_id": "100000000000000000000",
                "auth_uri": "https://accounts.google.com/o/oauth2/auth",
                "token_uri": TOKEN_URI,
                "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
                "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{EMAIL.replace('@', '%40')}",
                "universe_domain": "googleapis.com",
            }
        )

    def exchange(self, grant: str, assertion: str) -> dict[str, object]:
        """An access token for a signed assertion, or TokenRefused."""
        if grant != GRANT:
            raise TokenRefused("unsupported_grant_type", "only the JWT bearer grant is served")
        claims = self._verified(assertion)
        if claims.iss != EMAIL:
            raise TokenRefused("invalid_grant", "the issuer is not known")
        if not 0 < claims.exp - claims.iat <= LONGEST_ASSERTION:
            raise TokenRefused("invalid_grant", "the assertion must be for at most an hour")
        if SCOPES.isdisjoint(claims.scope.split()):
            raise TokenRefused("invalid_scope", "the scope does not open Vertex")
        token = f"ya29.simulated-{secrets.token_urlsafe(24)}"
        self._tokens[token] = time.monotonic() + LIFETIME
        return {"access_token": token, "expires_in": LIFETIME, "token_type": "Bearer"}

    def accepts(self, token: str) -> bool:
        """Whether this token was handed out and is still good."""
        return self._tokens.get(token, 0.0) > time.monotonic()

    def forget_tokens(self) -> None:
        """End all tokens, as a provider may at any time."""
        self._tokens.clear()

    def _verified(self, assertion: str) -> Claims:
        public = self._key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        try:
            return msgspec.convert(jwt.decode(assertion, certs=public, audience=TOKEN_URI), Claims)
        except (exceptions.GoogleAuthError, ValueError) as error:
            raise TokenRefused("invalid_grant", str(error)) from None
