"""What several commands take, described once."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token, validators

FLAG = Parameter(negative=(), show_default=False)
"""An option that is there or not."""

Json = Annotated[bool, Parameter(negative=(), show_default=False, help="Print one JSON document.")]
Database = Annotated[str | None, Parameter(name="--database", help="Address of the catalog; otherwise DATABASE_URL, or modelsync.db here.")]


def _slugs(_: object, tokens: Sequence[Token]) -> list[str]:
    """Slugs as people write them: `groq xai`, `groq,xai` or `--provider groq --provider xai`."""
    slugs = [slug for token in tokens for slug in token.value.split(",") if slug]
    if not slugs:
        raise ValueError("name a provider, as groq")
    return slugs


Slugs = Annotated[
    list[str] | None,
    Parameter(
        name=("--providers", "--provider"),
        consume_multiple=1,
        negative=(),
        converter=_slugs,
        help="Only these, as groq xai or groq,xai (default: all).",
    ),
]
ProviderSlug = Annotated[str, Parameter(help="The provider's slug.")]
Number = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=2**53 - 1))]
"""A number that a database gave out, or a count."""
Dollars = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1e9))]
Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535), help="Port to listen on.")]
Rows = Annotated[Number, Parameter(help="At most this many (0: all).")]
ModelId = Annotated[str, Parameter(help="The model's id at that provider, exactly.")]
Reason = Annotated[str, Parameter(help="Why; others will read it.")]
