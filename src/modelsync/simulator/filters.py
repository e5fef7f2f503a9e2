"""What the providers' own query parameters filter, and what is counted beside a list."""

from collections.abc import Callable

from modelsync.simulator.catalog import Row, Rows
from modelsync.simulator.pages import ListRequest, Page, Refused

Select = Callable[[Rows, ListRequest], Rows]


def everything(rows: Rows, request: ListRequest) -> Rows:  # noqa: ARG001
    """Filters are ignored."""
    return rows


def by_outputs(rows: Rows, request: ListRequest) -> Rows:
    """OpenRouter: without output_modalities only models that write text."""
    modalities = request.words("output_modalities") or ["text"]

    def fits(row: Row) -> bool:
        architecture = row.get("architecture")
        outputs = architecture.get("output_modalities") if isinstance(architecture, dict) else None
        return bool(set(outputs or ["text"]) & set(modalities))

    return rows if "all" in modalities else [row for row in rows if fits(row)]


def by_publisher(rows: Rows, request: ListRequest) -> Rows:
    """Vertex: a publisher's models are those named under it."""
    return [row for row in rows if str(row.get("name")).startswith(f"publishers/{request.matched['publisher']}/models/")]


def by_serverless(rows: Rows, request: ListRequest) -> Rows:
    """Fireworks: the one filter that clients use."""
    serverless_only = (request.text("filter") or "").replace(" ", "") == "supports_serverless=true"
    return [row for row in rows if row.get("supportsServerless")] if serverless_only else rows


def by_type(rows: Rows, request: ListRequest) -> Rows:
    """DeepInfra: one type of model."""
    return [row for row in rows if request.text("type") in (None, row.get("type"))]


def by_status(rows: Rows, request: ListRequest) -> Rows:
    """fal: by endpoint_id, status and category."""
    ids = request.words("endpoint_id")

    def fits(row: Row) -> bool:
        metadata = row.get("metadata")
        facts = metadata if isinstance(metadata, dict) else {}
        return all(request.text(name) in (None, facts.get(name)) for name in ("status", "category"))

    return [row for row in rows if (not ids or row.get("endpoint_id") in ids) and fits(row)]


def requested_prices(rows: Rows, request: ListRequest) -> Rows:
    """fal: the prices of 1 to 50 endpoints; an error only if none of them exists."""
    ids = request.words("endpoint_id")
    if not 1 <= len(ids) <= 50:
        raise Refused(400, "endpoint_id is required, 1 to 50 of them")
    known = {row.get("endpoint_id") for row in (*rows, *request.lists.get("models", ()))}
    if not known & set(ids):
        raise Refused(404, "no such endpoint")
    return [row for row in rows if row.get("endpoint_id") in ids]


def plain_unless_verbose(rows: Rows, request: ListRequest) -> Rows:
    """Nebius: prices and contexts only with verbose=true."""
    if request.text("verbose") == "true":
        return rows
    return [{name: row[name] for name in ("id", "object", "created", "owned_by") if name in row} for row in rows]


def registry(rows: Rows, request: ListRequest) -> Page:  # noqa: ARG001
    """Helicone: the count and the values that its page offers as filters."""
    endpoints = [endpoint for row in rows for endpoint in _objects(row.get("endpoints"))]
    providers = sorted({str(endpoint["provider"]) for endpoint in endpoints if "provider" in endpoint})
    filters = {
        "providers": [{"name": name, "displayName": name.capitalize()} for name in providers],
        "authors": sorted({str(row["author"]) for row in rows if "author" in row}),
        "capabilities": [],
    }
    return Page(rows, {"data.total": len(rows), "data.filters": filters})


def _objects(value: object) -> list[Row]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
