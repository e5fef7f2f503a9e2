"""What a sync must not believe by itself: pure functions over listings and plans."""

from typing import Any

from modelsync.provider import Provider
from modelsync.reading import Listing
from modelsync.report import Held


def believable(provider: Provider[Any], listing: Listing) -> Held | None:
    """Why a listing is held as a whole; None when it may be applied. An empty list is an accident far more often than the truth."""
    if listing.models or (provider.may_be_empty and not listing.rejected):
        return None
    if listing.rejected:
        message = f"none of the {len(listing.rejected):,} rows could be read (the first: {listing.rejected[0].reason})"
        return Held("invalid", message, "Nothing was changed; the provider may have changed its format: see --verbose, and report it")
    return Held("empty", "the list is empty", "Nothing was changed; the last listing stays in place until models are listed again")
