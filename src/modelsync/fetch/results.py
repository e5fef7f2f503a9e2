"""What fetching takes and what comes of it: values."""

import hashlib

import msgspec

from modelsync.errors import Failure
from modelsync.providers.base import Answer, Request


class FetchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of fetching: seconds, bytes, and tries per request.

    `deadline` is the whole time one provider gets, None for the provider's own; `max_bytes` bounds the decoded bytes of all its answers.
    """

    deadline: float | None = None
    connect_timeout: float = 10.0
    max_bytes: int = 64 * 1024 * 1024
    attempts: int = 3
    first_wait: float = 0.5


class Validators(msgspec.Struct, frozen=True):
    """What makes a request conditional: the ETag and Last-Modified of an answer that was the whole listing."""

    url: str
    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """If-None-Match and If-Modified-Since (RFC 9110)."""
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}


class Fetched(msgspec.Struct, frozen=True):
    """Every answer of a flow that reached its end. `notes` tell of calls that were not needed and failed."""

    answers: tuple[tuple[Request, Answer], ...]
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """One digest over everything that came: equal digests are equal listings."""
        parts = (f"{request.endpoint.name} {request.url} {answer.sha256}\n" for request, answer in self.answers)
        return hashlib.sha256("".join((*parts, *self.notes)).encode()).hexdigest()

    @property
    def validators(self) -> Validators | None:
        """Validators for next time: only where one answer was the whole listing."""
        if len(self.answers) != 1 or self.notes:
            return None
        request, answer = self.answers[0]
        validators = Validators(request.url, answer.headers.get("etag"), answer.headers.get("last-modified"))
        return validators if validators.headers else None


class Unfollowed(msgspec.Struct, frozen=True):
    """Answers came, but their pages cannot be followed to an end."""

    failure: Failure
    answers: tuple[tuple[Request, Answer], ...]


class Unmodified(msgspec.Struct, frozen=True):
    """The provider says that nothing changed since the listing the validators came from."""


class NeedsKey(msgspec.Struct, frozen=True):
    """The provider lists nothing without a key, and none of `variables` is set."""

    variables: tuple[str, ...]


FetchResult = Fetched | Unfollowed | Unmodified | NeedsKey | Failure
