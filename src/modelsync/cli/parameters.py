"""What several commands take, described once."""

from typing import Annotated

from cyclopts import Parameter

FLAG = Parameter(negative=(), show_default=False)
"""An option that is there or not."""

Json = Annotated[bool, Parameter(negative=(), show_default=False, help="Print one JSON document.")]
Database = Annotated[str | None, Parameter(name="--database", help="Address of the catalog; otherwise DATABASE_URL, or modelsync.db here.")]
Slugs = Annotated[list[str] | None, Parameter(consume_multiple=1, negative=(), help="Only these providers (default: all).")]
ProviderSlug = Annotated[str, Parameter(help="The provider's slug.")]
ModelId = Annotated[str, Parameter(help="The model's id at that provider, exactly.")]
Reason = Annotated[str, Parameter(help="Why; others will read it.")]
