"""What several commands take, described once."""

from typing import Annotated

from cyclopts import Parameter, validators

FLAG = Parameter(negative=(), show_default=False)
"""An option that is there or not."""

Json = Annotated[bool, Parameter(negative=(), show_default=False, help="Print one JSON document.")]
Database = Annotated[str | None, Parameter(name="--database", help="Address of the catalog; otherwise DATABASE_URL, or modelsync.db here.")]
Slugs = Annotated[list[str] | None, Parameter(consume_multiple=1, negative=(), help="Only these providers (default: all).")]
ProviderSlug = Annotated[str, Parameter(help="The provider's slug.")]
Number = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=2**53 - 1))]
"""A number that a database gave out, or a count."""
Dollars = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1e9))]
Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535), help="Port to listen on.")]
Rows = Annotated[Number, Parameter(help="At most this many (0: all).")]
ModelId = Annotated[str, Parameter(help="The model's id at that provider, exactly.")]
Reason = Annotated[str, Parameter(help="Why; others will read it.")]
