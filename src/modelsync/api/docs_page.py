"""`/openapi.json`, and `/docs`: the same as a page to read, without a script and from nowhere else."""

import gzip
from collections.abc import Callable, Iterable, Mapping
from html import escape

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelsync.api import openapi
from modelsync.api.routing import Route as Documented
from modelsync.server.responses import JSON

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#f4f4f4;padding:.75rem;overflow:auto;max-height:24rem}"
    "summary{cursor:pointer;padding:.35rem 0}h2{margin-top:2rem}td,th{text-align:left;padding:.15rem .75rem .15rem 0;vertical-align:top}"
    ".m{display:inline-block;min-width:4.5rem;font-weight:600}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}pre{background:#222}a{color:#8ab4ff}}"
)


def pages(routes: Iterable[Documented], *, public: bool) -> list[Route]:
    """Both pages. They are the same until the program changes, so their bytes are made once."""
    made: dict[tuple[str, bool], bytes] = {}

    def document() -> dict[str, object]:
        return openapi.document(routes, public=public)

    def answer(request: Request, name: str, make: Callable[[], bytes], media: str, headers: Mapping[str, str]) -> Response:
        packs = "gzip" in request.headers.get("accept-encoding", "")
        if (name, packs) not in made:
            made[name, packs] = gzip.compress(make(), mtime=0) if packs else make()
        packed = {"Content-Encoding": "gzip"} if packs else {}
        return Response(made[name, packs], media_type=media, headers={"Vary": "Accept-Encoding", **packed, **headers})

    async def as_json(request: Request) -> Response:
        return answer(request, "json", lambda: msgspec.json.encode(document()), JSON, {})

    async def as_page(request: Request) -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        headers = {"Content-Security-Policy": policy}
        return answer(request, "html", lambda: page(document()).encode(), "text/html; charset=utf-8", headers)

    return [Route("/openapi.json", as_json, name="openapi"), Route("/docs", as_page, name="docs")]


def page(document: openapi.Schema) -> str:
    """Every route of an OpenAPI document as HTML."""
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            groups.setdefault(route.get("tags", ["other"])[0], []).append(_route(method, path, route))
    body = "".join(f"<h2>{escape(name)}</h2>{''.join(routes)}" for name, routes in groups.items())
    introduction = f"<p>{escape(document['info']['description'])}</p><p>For programs: <a href='/openapi.json'>openapi.json</a></p>"
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>modelsync API</title><style>{_STYLE}</style>"
    title = f"<h1>modelsync {escape(document['info']['version'])}</h1>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{title}{introduction}{body}</body></html>"


def _route(method: str, path: str, route: openapi.Schema) -> str:
    parameters = "".join(map(_parameter, route.get("parameters", ())))
    table = f"<table>{parameters}</table>" if parameters else ""
    description = "".join(f"<p>{escape(part)}</p>" for part in route.get("description", "").split("\n\n") if part)
    answers = "".join(
        f"<tr><td>{escape(code)}</td><td>{escape(answer['description'])}</td></tr>" for code, answer in route["responses"].items()
    )
    summary = f"<span class='m'>{method.upper()}</span><code>{escape(path)}</code> {escape(route.get('summary', ''))}"
    return f"<details><summary>{summary}</summary>{description}{table}<table>{answers}</table></details>"


def _parameter(parameter: openapi.Schema) -> str:
    schema = parameter["schema"]
    default = f" (default {escape(str(schema['default']))})" if schema.get("default") not in (None, "", []) else ""
    description = escape(parameter.get("description", schema.get("description", "")))
    return f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{description}{default}</td></tr>"
