"""The only HTTP client towards providers."""

from modelsync.fetch.auth import Credential, KeyCredential
from modelsync.fetch.client import Fetcher, authorities
from modelsync.fetch.google_account import GoogleCredential
from modelsync.fetch.origins import Origins
from modelsync.fetch.results import Fetched, FetchLimits, FetchResult, NeedsKey, Unfollowed, Unmodified, Validators

__all__ = [
    "Credential",
    "FetchLimits",
    "FetchResult",
    "Fetched",
    "Fetcher",
    "GoogleCredential",
    "KeyCredential",
    "NeedsKey",
    "Origins",
    "Unfollowed",
    "Unmodified",
    "Validators",
    "authorities",
]
