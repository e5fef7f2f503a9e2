"""The simulator over real HTTP: every provider's wire, keys, pages, validators, days, faults, and the control interface."""

import base64
import contextlib
import functools
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import pytest
from google.auth import crypt, jwt

from modelsync.fetch import authorities
from modelsync.simulator.catalog import Changes, Sample, catalog, changed, load_samples
from modelsync.simulator.faults import BOMB, HUGE, KINDS
from modelsync.simulator.refusals import refusal
from modelsync.simulator.server import Simulator
from modelsync.simulator.wires import WIRES, Key, Simulated, Wire, Wires

SAMPLES = load_samples()
OWN = Wires(WIRES)
SLUGS = OWN.slugs
LISTED = [wire for wire in WIRES if wire.name in getattr(SAMPLES.get(wire.slug), "lists", {})]
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GROQ = "/groq/openai/v1/models"


def name_of(wire: Wire) -> str:
    return f"{wire.slug}-{wire.name}"


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def client(simulator: Simulator) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=simulator.origin, trust_env=False, verify=authorities()) as client:
        yield client


def headers(simulator: Simulator, slug: str) -> dict[str, str]:
    """The right key, in the provider's own scheme."""
    if slug == "google-vertex":
        return {"authorization": f"Bearer {access_token(simulator)}"}
    return {"authorization": f"{'Key' if slug == 'fal' else 'Bearer'} demo-{slug}"}


def assertion(simulator: Simulator, **claims: object) -> str:
    """What google-auth sends for a service account."""
    account = json.loads(simulator.service_account())
    now = int(time.time())
    said = {"iss": account["client_email"], "scope": SCOPE, "aud": account["token_uri"], "iat": now, "exp": now + 3600}
    return jwt.encode(crypt.RSASigner.from_service_account_info(account), said | claims).decode()


def exchange(simulator: Simulator, assertion: str, grant: str = GRANT) -> httpx2.Response:
    return httpx2.post(f"{simulator.origin}/google-vertex/token", data={"grant_type": grant, "assertion": assertion}, verify=authorities())


def access_token(simulator: Simulator) -> str:
    return exchange(simulator, assertion(simulator)).json()["access_token"]


def groq(simulator: Simulator) -> dict[str, str]:
    return headers(simulator, "groq")


# Every provider's wire


def at(document: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        document = document.get(name) if isinstance(document, dict) else None
    return document


def following(wire: Wire, answer: httpx2.Response, asked: dict[str, str], seen: int) -> dict[str, str] | str | None:
    """What asks for the next page, the way each provider wants it: parameters, an address, or None at the end."""
    document = answer.json()
    match wire.slug, wire.name:
        case "openrouter", _:
            return document["links"]["next"]
        case "huggingface", "hub":
            link = answer.headers.get("link")
            return re.fullmatch(r'<([^>]*)>; rel="next"', link)[1] if link else None
        case "fireworks" | "google-vertex", _:
            token = document.get("nextPageToken")
            return {**asked, "pageToken": token} if token else None
        case "near", _:
            return {"offset": str(seen)} if seen < document["total"] else None
        case "fal", "models":
            return {"cursor": document["next_cursor"]} if document["has_more"] else None
        case "alibaba", "models":
            output = document["output"]
            return {"page_no": str(output["page_no"] + 1)} if seen < output["total"] else None
        case "featherless", _:
            pagination = document["pagination"]
            following = pagination["current_page"] + 1
            return {"page": str(following)} if following <= pagination["total_pages"] else None
    return None


FIRST = {
    "openrouter-models": {"limit": "2", "output_modalities": "all"},
    "featherless-models": {"page": "1"},
    "nebius-models": {"verbose": "true"},
    "huggingface-hub": {"limit": "2"},
    "google-vertex-models": {"pageSize": "200"},
}


PAGED = {"openrouter-models", "featherless-models", "huggingface-hub", "fireworks-models", "google-vertex-models"} | {
    "near-models",
    "fal-models",
    "alibaba-models",
}


def as_text(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def walk(client: httpx2.Client, simulator: Simulator, wire: Wire, path: str) -> Iterator[httpx2.Response]:
    """Every page of a list."""
    asked: dict[str, str] | str | None = FIRST.get(name_of(wire), {})
    if name_of(wire) == "fal-prices":
        asked = {"endpoint_id": ",".join(str(row["endpoint_id"]) for row in SAMPLES["fal"].lists["models"])}
    key, seen = headers(simulator, wire.slug), 0
    while asked is not None:
        if isinstance(asked, str):
            there = urlsplit(asked)
            answer = client.get(f"/{wire.slug}{there.path}?{there.query}", headers=key)
        else:
            answer = client.get(f"/{wire.slug}{path}", params=asked, headers=key)
        assert answer.status_code == 200, answer.text
        yield answer
        rows = rows_in(wire, answer)
        seen += len(rows)
        asked = following(wire, answer, asked if isinstance(asked, dict) else {}, seen)


def rows_in(wire: Wire, answer: httpx2.Response) -> list[dict[str, Any]]:
    document = answer.json()
    return [document] if wire.rows == "." else at(document, wire.rows)


def paths(wire: Wire) -> set[str]:
    if "{publisher}" not in wire.path:
        return {wire.path}
    names = [str(row["name"]) for row in SAMPLES[wire.slug].lists[wire.name]]
    return {wire.path.replace("{publisher}", name.split("/")[1]) for name in names}


@pytest.mark.parametrize("wire", LISTED, ids=name_of)
def test_every_list_gives_its_rows_page_by_page_and_byte_for_byte(client: httpx2.Client, simulator: Simulator, wire: Wire):
    pages = [page for path in sorted(paths(wire)) for page in walk(client, simulator, wire, path)]
    came = [row for page in pages for row in rows_in(wire, page)]
    expected = json.loads(msgspec.json.encode(SAMPLES[wire.slug].lists[wire.name]))
    assert sorted(map(as_text, came)) == sorted(map(as_text, expected))
    assert len(pages) > 1 or name_of(wire) not in PAGED or len(expected) <= 3


@pytest.mark.parametrize("wire", LISTED, ids=name_of)
def test_every_list_changes_on_the_days_of_its_sample(client: httpx2.Client, simulator: Simulator, wire: Wire):
    sample = SAMPLES[wire.slug]
    for day in range(len(sample.days) + 1):
        simulator.set_day(day)
        expected = catalog(sample, OWN.ids_of(wire.slug), day)[wire.name]
        assert client.get("/_simulator").json()["providers"][wire.slug][wire.name] == len(expected)
        if wire.name == "models" and wire.slug != "google-vertex":
            came = [row for page in walk(client, simulator, wire, wire.path) for row in rows_in(wire, page)]
            assert [row[wire.id] for row in came] == [row[wire.id] for row in expected]


@pytest.mark.parametrize("wire", WIRES, ids=name_of)
def test_every_list_refuses_what_its_provider_refuses(client: httpx2.Client, simulator: Simulator, wire: Wire):
    path = f"/{wire.slug}{wire.path.replace('{publisher}', 'google')}"
    params = {"endpoint_id": "nowhere/none"} if wire.name == "prices" else {}
    without = client.get(path, params=params)
    wrong = client.get(path, params=params, headers={"authorization": f"{wire.scheme} not-the-key"})
    needed = wire.key in (Key.REQUIRED, Key.TOKEN)
    assert without.status_code == (401 if needed else 200)
    assert wrong.status_code == (200 if wire.key is Key.IGNORED else 401)
    if wrong.status_code == 401:
        assert wrong.json() == refusal(wire.slug, 401, "the key is not valid")
    assert [seen.key for seen in simulator.requests(wire.slug)] == ["none", "wrong"]


@pytest.mark.parametrize("slug", SLUGS)
def test_every_provider_answers_an_unknown_path_with_404(client: httpx2.Client, slug: str):
    answer = client.get(f"/{slug}/v1/nothing/here")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html" if slug in ("google-vertex", "vercel-ai-gateway") else "application/json")


def test_an_unknown_provider_is_404_and_names_the_known_ones(client: httpx2.Client):
    answer = client.get("/acme/v1/models")
    assert (answer.status_code, answer.json()["providers"]) == (404, list(SLUGS))


def test_lists_are_read_only(client: httpx2.Client):
    assert client.post("/chutes/v1/models", json={}).status_code == 405


# Providers that are brought along


def brought(**details: Any) -> Simulated:
    wire = Wire(slug="acme", path="/v1/list", id="name", rows="items", key=Key.REQUIRED, **details)
    return Simulated((wire,), Sample(lists={"models": [{"name": "a"}]}, days=[{"models": Changes(add=[{"name": "b"}])}]))


@pytest.mark.parametrize(("header", "scheme", "sent"), [("X-Key", "", "demo-acme"), ("Authorization", "Token", "Token demo-acme")])
def test_a_provider_that_is_brought_along_is_one_like_the_others(header: str, scheme: str, sent: str):
    with Simulator(more=[brought(method="POST", header=header, scheme=scheme)]) as simulator:
        ask = functools.partial(httpx2.post, f"{simulator.origin}/acme/v1/list", verify=authorities())
        assert ask(headers={header: sent}).json() == {"items": [{"name": "a"}]}
        simulator.set_day(1)
        assert ask(headers={header: sent}).json() == {"items": [{"name": "b"}, {"name": "a"}]}
        simulator.set_list("acme", "models", [])
        assert [ask(headers=wrong).status_code for wrong in ({}, {header: f"{sent}x"}, {header: f"x {sent}"})] == [401] * 3
        assert httpx2.get(f"{simulator.origin}/acme/v1/list", headers={header: sent}).status_code == 405
        assert [seen.key for seen in simulator.requests("acme")] == ["right", "right", "none", "wrong", "wrong", "right"]
        assert httpx2.get(f"{simulator.origin}/").json()["providers"]["acme"] == {"models": "/acme/v1/list"}
        assert simulator.state()["providers"]["acme"] == {"models": 0}


def test_a_provider_that_is_known_here_cannot_be_brought_along():
    with pytest.raises(ValueError, match=r"^the simulator has these already: groq$"):
        Simulator(more=[Simulated((Wire(slug="groq", path="/"),), Sample(lists={}))])


# What is particular to one provider


def test_openrouter_lists_all_at_once_unless_asked_and_only_text_unless_asked(client: httpx2.Client, simulator: Simulator):
    simulator.set_list(
        "openrouter",
        "models",
        [{"id": f"a/{n}", "architecture": {"output_modalities": ["image"] if n == 5 else ["text"]}} for n in range(6)],
    )
    plain = client.get("/openrouter/api/v1/models").json()
    assert (len(plain["data"]), plain["total_count"], plain["links"]) == (5, 5, {"next": None})
    page = client.get("/openrouter/api/v1/models", params={"limit": 500, "output_modalities": "all"}).json()
    assert page["links"]["next"] == "/api/v1/models?output_modalities=all&offset=3&limit=3"
    assert [row["id"] for row in client.get(f"/openrouter{page['links']['next']}").json()["data"]] == ["a/3", "a/4", "a/5"]
    assert client.get("/openrouter/api/v1/models?limit=0").status_code == 400


def test_aihubmix_answers_304_to_its_own_etag(client: httpx2.Client, simulator: Simulator):
    path = "/aihubmix/api/v1/models"
    first = client.get(path)
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=300, stale-while-revalidate=300"
    again = client.get(path, headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    simulator.set_list("aihubmix", "models", [{"model_id": "new"}])
    changed = client.get(path, headers={"if-none-match": etag})
    assert (changed.status_code, changed.json()) == (200, {"data": [{"model_id": "new"}], "message": "", "success": True})


def test_no_other_provider_sends_an_etag(client: httpx2.Client, simulator: Simulator):
    assert "etag" not in client.get("/openrouter/api/v1/models").headers


def test_hub_links_lead_to_the_providers_real_host(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("huggingface", "hub", [{"id": f"a/{n}"} for n in range(7)])
    first = client.get("/huggingface/api/models?limit=100&filter=a&filter=b")
    assert first.headers["link"].startswith("<https://huggingface.co/api/models?limit=100&filter=a&filter=b&cursor=")
    assert first.headers["ratelimit"]
    assert client.get("/huggingface/api/models?cursor=nonsense").status_code == 400


def test_near_pages_by_offset_and_an_empty_page_may_be_asked_for(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("near", "models", [{"modelId": f"m{n}"} for n in range(5)])
    last = client.get("/near/v1/model/list?limit=50&offset=3").json()
    assert last == {"models": [{"modelId": "m3"}, {"modelId": "m4"}], "limit": 3, "offset": 3, "total": 5}
    assert client.get("/near/v1/model/list?limit=0").json()["models"] == []
    assert client.get("/near/v1/model/list?offset=-1").status_code == 400


def test_fireworks_tokens_hold_for_the_same_question_only(client: httpx2.Client, simulator: Simulator):
    key = headers(simulator, "fireworks")
    simulator.set_list("fireworks", "models", [{"name": f"m{n}", "supportsServerless": n != 0} for n in range(6)])
    path = "/fireworks/v1/accounts/fireworks/models"
    first = client.get(path, params={"filter": "supports_serverless=true"}, headers=key).json()
    assert (first["totalSize"], [row["name"] for row in first["models"]]) == (5, ["m1", "m2", "m3"])
    token = first["nextPageToken"]
    assert set("+/=") < set(token)
    assert client.get(path, params={"pageToken": token}, headers=key).status_code == 400
    assert client.get(path, params={"pageToken": "junk"}, headers=key).status_code == 400
    last = client.get(path, params={"filter": "supports_serverless=true", "pageToken": token}, headers=key).json()
    assert (last["nextPageToken"], [row["name"] for row in last["models"]]) == ("", ["m4", "m5"])


def test_fal_prices_are_given_for_the_asked_only(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("fal", "models", [{"endpoint_id": name, "metadata": {"status": "active"}} for name in ("a/1", "a/2", "a/3")])
    simulator.set_list("fal", "prices", [{"endpoint_id": "a/1", "unit_price": 0.025}, {"endpoint_id": "a/2", "unit_price": 1}])
    path, key = "/fal/v1/models/pricing", headers(simulator, "fal")
    one = {"prices": [{"endpoint_id": "a/1", "unit_price": 0.025}], "next_cursor": None, "has_more": False}
    assert client.get(path, params={"endpoint_id": "a/1,nowhere"}, headers=key).json() == one
    repeated = client.get(path, params=[("endpoint_id", "a/1"), ("endpoint_id", "a/2")], headers=key).json()
    assert [row["endpoint_id"] for row in repeated["prices"]] == ["a/1", "a/2"]
    assert client.get(path, params={"endpoint_id": "a/3"}, headers=key).json()["prices"] == []
    assert client.get(path, params={"endpoint_id": "nowhere"}, headers=key).status_code == 404
    assert client.get(path, headers=key).status_code == 400
    assert client.get(path, params={"endpoint_id": ",".join("a" * 51)}, headers=key).status_code == 400
    assert client.get(path, params={"endpoint_id": "a/1"}, headers={"authorization": "Bearer demo-fal"}).status_code == 401


def test_fal_cursors_are_page_numbers_in_base64(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("fal", "models", [{"endpoint_id": f"a/{n}", "metadata": {"status": "active"}} for n in range(5)])
    first = client.get("/fal/v1/models").json()
    assert (first["has_more"], base64.b64decode(first["next_cursor"])) == (True, b"2")
    last = client.get("/fal/v1/models", params={"cursor": first["next_cursor"]}).json()
    assert (last["has_more"], last["next_cursor"], len(last["models"])) == (False, None, 2)
    assert client.get("/fal/v1/models?status=deprecated").json()["models"] == []


def test_nebius_is_plain_unless_verbose(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("nebius", "models", [{"id": "a/b", "object": "model", "pricing": {"prompt": "0.1"}}])
    key = headers(simulator, "nebius")
    assert client.get("/nebius/v1/models", headers=key).json()["data"] == [{"id": "a/b", "object": "model"}]
    assert "pricing" in client.get("/nebius/v1/models?verbose=true", headers=key).json()["data"][0]


def test_alibaba_counts_its_pages(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("alibaba", "models", [{"model": f"m{n}"} for n in range(4)])
    answer = client.get("/alibaba/api/v1/models?page_no=2&page_size=100", headers=headers(simulator, "alibaba")).json()
    assert answer["success"] is True
    assert answer["output"] == {"models": [{"model": "m3"}], "total": 4, "page_no": 2, "page_size": 3}


def test_helicone_counts_and_offers_filters(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("helicone", "models", [{"id": "m", "author": "acme", "endpoints": [{"provider": "bedrock"}]}])
    answer = client.get("/helicone/v1/public/model-registry/models").json()
    assert (answer["error"], answer["data"]["total"], answer["data"]["filters"]["authors"]) == (None, 1, ["acme"])
    assert answer["data"]["filters"]["providers"] == [{"name": "bedrock", "displayName": "Bedrock"}]


def test_xai_tells_a_keys_rights(client: httpx2.Client, simulator: Simulator):
    key = headers(simulator, "xai")
    simulator.set_list("xai", "account", [])
    assert client.get("/xai/v1/api-key", headers=key).json() == {"acls": ["api-key:model:*", "api-key:endpoint:*"]}
    simulator.set_list("xai", "account", [{"acls": ["api-key:model:one"]}])
    assert client.get("/xai/v1/api-key", headers=key).json() == {"acls": ["api-key:model:one"]}


def test_page_size_can_be_left_to_the_provider(client: httpx2.Client, simulator: Simulator):
    simulator.set_list("near", "models", [{"modelId": f"m{n}"} for n in range(150)])
    simulator.set_page_size(None)
    assert len(client.get("/near/v1/model/list").json()["models"]) == 100
    simulator.set_page_size(10)
    assert len(client.get("/near/v1/model/list").json()["models"]) == 10


# Vertex's token exchange


def test_a_signed_assertion_is_exchanged_for_a_token(client: httpx2.Client, simulator: Simulator):
    answer = exchange(simulator, assertion(simulator))
    granted = answer.json()
    assert (answer.status_code, granted["token_type"], granted["expires_in"]) == (200, "Bearer", 3599)
    key = {"authorization": f"Bearer {granted['access_token']}"}
    assert client.get("/google-vertex/v1beta1/publishers/google/models", headers=key).status_code == 200
    simulator.account.forget_tokens()
    assert client.get("/google-vertex/v1beta1/publishers/google/models", headers=key).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.invalid/token"},
        {"iss": "somebody@else.invalid"},
        {"scope": "https://www.googleapis.com/auth/drive"},
        {"exp": int(time.time()) + 90_000},
        {"iat": int(time.time()) - 9000, "exp": int(time.time()) - 5400},
    ],
    ids=["audience", "issuer", "scope", "too long", "expired"],
)
def test_a_wrong_assertion_is_refused(simulator: Simulator, claims: dict[str, object]):
    answer = exchange(simulator, assertion(simulator, **claims))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope" if "scope" in claims else "invalid_grant")


def test_another_accounts_signature_is_refused(simulator: Simulator):
    head, claims, _ = assertion(simulator).split(".")
    with Simulator() as other:
        *_, foreign = assertion(other).split(".")
    assert exchange(simulator, f"{head}.{claims}.{foreign}").json()["error"] == "invalid_grant"
    assert exchange(simulator, "junk").status_code == 400
    assert exchange(simulator, assertion(simulator), grant="password").json()["error"] == "unsupported_grant_type"


# Days


def test_a_day_adds_removes_changes_and_reorders():
    sample = Sample(
        lists={"models": [{"id": "a"}, {"id": "b", "pricing": {"prompt": "1"}, "hosts": [{"up": True}]}, {"id": "c"}]},
        days=[{"models": Changes(add=[{"id": "d"}], remove=["a"], change={"b": {"pricing.prompt": "2", "hosts.0.up": False, "x.y": 1}})}],
    )
    assert catalog(sample, {}, 0) == sample.lists
    new = [{"id": "b", "pricing": {"prompt": "2"}, "hosts": [{"up": False}], "x": {"y": 1}}, {"id": "c"}, {"id": "d"}]
    assert catalog(sample, {}, 1)["models"] == [*new[1:], new[0]]
    assert sorted(map(str, catalog(sample, {}, 9)["models"])) == sorted(map(str, new))
    assert sample.lists["models"][1] == {"id": "b", "pricing": {"prompt": "1"}, "hosts": [{"up": True}]}


def test_a_sample_that_changes_what_is_not_there_is_a_mistake():
    with pytest.raises(ValueError, match="not there: z"):
        changed([{"id": "a"}], Changes(remove=["z"]), "id")


def test_samples_name_known_providers_and_lists():
    assert SAMPLES.keys() <= set(SLUGS)
    for slug, sample in SAMPLES.items():
        assert sample.lists.keys() <= OWN.ids_of(slug).keys()
        assert all(day.keys() <= sample.lists.keys() for day in sample.days)


def test_numbers_are_sent_as_they_are_written(client: httpx2.Client, simulator: Simulator):
    rows = b'[{"id":"a","price":4.5e-05,"noise":0.010399999999999998,"long":0.20000000000000000000001,"whole":1.0}]'
    body = b'{"provider":"chutes","list":"models","rows":' + rows + b"}"
    assert client.post("/_simulator/lists", content=body).status_code == 200
    assert client.get("/chutes/v1/models").content == b'{"object":"list","data":' + rows + b"}"


# Faults


def failing(simulator: Simulator, client: httpx2.Client, fault: str, **details: Any) -> httpx2.Response:
    simulator.add_fault("groq", fault, **details)
    return client.get(GROQ, headers=groq(simulator))


@pytest.fixture
def three(simulator: Simulator) -> Simulator:
    simulator.set_list("groq", "models", [{"id": f"m{n}", "active": True, "pricing": {"input": 5, "text": "0.5"}} for n in range(3)])
    return simulator


def test_status_speaks_as_the_provider_does(three: Simulator, client: httpx2.Client):
    answer = failing(three, client, "status", status=429, retry_after=7)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error"]["type"]) == (429, "7", "rate_limit_error")


def test_times_are_used_up_and_other_providers_and_paths_go_on(three: Simulator, client: httpx2.Client):
    three.add_fault("groq", "status", status=503, times=2)
    three.add_fault("groq", "html", times=1)
    three.add_fault("groq", "status", path="/elsewhere")
    three.add_fault("*", "status", status=500, path="/v1/models")
    assert client.get("/anannas/v1/models").status_code == 500
    assert client.get("/openrouter/api/v1/models").status_code == 200
    answers = [client.get(GROQ, headers=groq(three)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 200, 200]
    assert [answer.headers["content-type"][:9] for answer in answers[2:]] == ["text/html", "applicati"]
    assert [(fault.provider, fault.path) for fault in three.faults()] == [("groq", "/elsewhere"), ("*", "/v1/models")]
    three.clear_faults("groq")
    assert [fault.provider for fault in three.faults()] == ["*"]


def test_delay_delays_and_drip_drips(three: Simulator, client: httpx2.Client):
    began = time.monotonic()
    assert failing(three, client, "delay", seconds=0.2).status_code == 200
    assert time.monotonic() - began >= 0.2
    three.clear_faults()
    three.set_list("groq", "models", [])
    began = time.monotonic()
    assert failing(three, client, "drip", seconds=0.01).json() == {"object": "list", "data": []}
    assert time.monotonic() - began >= 0.25


@pytest.mark.parametrize("fault", ["not_json", "cut_json", "html"])
def test_what_is_no_json_is_no_json(three: Simulator, client: httpx2.Client, fault: str):
    answer = failing(three, client, fault)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()


@pytest.mark.parametrize("fault", ["truncated", "reset"])
def test_connections_break(three: Simulator, client: httpx2.Client, fault: str):
    three.add_fault("groq", fault, times=1)
    with pytest.raises(httpx2.RemoteProtocolError if fault == "truncated" else httpx2.TransportError):
        client.get(GROQ, headers=groq(three))
    assert client.get(GROQ, headers=groq(three)).status_code == 200


def test_redirects_lead_away(three: Simulator, client: httpx2.Client):
    answer = failing(three, client, "redirect", location="http://169.254.169.254/")
    assert (answer.status_code, answer.headers["location"]) == (302, "http://169.254.169.254/")


def test_gzip_can_be_garbage_or_a_bomb(three: Simulator, client: httpx2.Client):
    with pytest.raises(httpx2.DecodingError):
        failing(three, client, "garbage_gzip")
    three.clear_faults()
    three.add_fault("groq", "gzip_bomb")
    with client.stream("GET", GROQ, headers=groq(three)) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(packed) < BOMB / 500


def test_rows_can_be_empty_or_of_other_types(three: Simulator, client: httpx2.Client):
    assert failing(three, client, "empty").json()["data"] == []
    three.clear_faults()
    assert failing(three, client, "wrong_types").json()["data"][0] == {
        "id": "m0",
        "active": "perhaps",
        "pricing": [{"input": 5, "text": "0.5"}],
    }
    assert client.get(GROQ).status_code == 401


def test_a_string_can_be_huge(three: Simulator, client: httpx2.Client):
    rows = failing(three, client, "huge_string").json()["data"]
    assert [len(row.get("description", "")) for row in rows] == [HUGE, 0, 0]


def test_a_price_can_be_nan_or_negative_in_the_type_it_has(three: Simulator, client: httpx2.Client):
    assert '"pricing":{"input":NaN,"text":"0.5"}' in failing(three, client, "nan").text
    three.clear_faults()
    assert failing(three, client, "negative").json()["data"][0]["pricing"] == {"input": -5, "text": "0.5"}
    three.set_list("groq", "models", [{"id": "a", "context_window": 5, "cost": "0"}, {"id": "b", "cost": "0.1"}])
    assert client.get(GROQ, headers=groq(three)).json()["data"][1] == {"id": "b", "cost": "-0.1"}


def test_every_kind_of_fault_can_hit_every_list(client: httpx2.Client, simulator: Simulator):
    for kind in KINDS:
        simulator.clear_faults()
        simulator.add_fault("*", kind, seconds=0.00001)
        with httpx2.Client(base_url=simulator.origin, headers={"accept-encoding": "identity"}, verify=authorities()) as one:
            try:
                with one.stream("GET", "/chutes/v1/models") as answer:
                    assert answer.status_code in (200, 302, 500)
            except httpx2.TransportError:
                assert kind in ("reset", "truncated")


def test_impossible_faults_are_refused(simulator: Simulator):
    for provider, fault, details in (
        ("groq", "nonsense", {}),
        ("acme", "html", {}),
        ("groq", "status", {"status": 700}),
        ("groq", "html", {"tims": 1}),
    ):
        with pytest.raises(ValueError):
            simulator.add_fault(provider, fault, **details)


# Verbatim answers


def test_answers_can_be_set_word_by_word(client: httpx2.Client, simulator: Simulator):
    body = b"\xef\xbb\xbf[ 1.50 ]"
    simulator.set_answer("groq", "/openai/v1/models", body, headers={"ETag": '"x"', "Content-Length": "999"})
    simulator.set_answer("groq", "/openai/v1/models?page=2", "two", status=503)
    answer = client.get(GROQ)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, body, '"x"')
    assert answer.headers["content-type"] == "application/json"
    assert (client.get(f"{GROQ}?page=2").status_code, client.get(f"{GROQ}?page=3").status_code) == (503, 200)
    simulator.clear_answers()
    assert client.get(GROQ).status_code == 401


def test_big_answers_are_quick_and_compressed_for_those_who_want_it(client: httpx2.Client, simulator: Simulator):
    body = b"[" + b'{"id": "a/b", "price": 0.25},' * 350_000 + b"{}]"
    assert len(body) > 10_000_000
    simulator.set_answer("featherless", "/v1/models", body)
    for encoding in ("identity", "gzip"):
        began = time.monotonic()
        answer = client.get("/featherless/v1/models", headers={"accept-encoding": encoding})
        assert time.monotonic() - began < 15
        assert answer.content == body
        assert answer.headers.get("content-encoding") == (None if encoding == "identity" else encoding)


# The control interface


def test_the_index_says_what_there_is(client: httpx2.Client):
    index = client.get("/").json()
    assert index["providers"]["fal"]["prices"] == "/fal/v1/models/pricing"
    assert "POST /_simulator/faults" in index["control"]
    assert index["faults"].keys() == KINDS.keys()


def test_everything_can_be_set_over_http(client: httpx2.Client, simulator: Simulator):
    assert client.post("/_simulator/day", json={"day": 1}).json()["day"] == 1
    assert client.post("/_simulator/page-size", json={"page_size": None}).json()["page_size"] is None
    fault = client.post("/_simulator/faults", json={"provider": "near", "fault": "empty", "times": 1}).json()["faults"][0]
    assert (fault["provider"], fault["fault"], fault["times"]) == ("near", "empty", 1)
    rows = client.post("/_simulator/lists", json={"provider": "near", "list": "models", "rows": [{"modelId": "a"}]}).json()
    assert rows["providers"]["near"]["models"] == 1
    client.post("/_simulator/answers", json={"provider": "groq", "path": "/openai/v1/models", "body": "[]"})
    assert client.get(GROQ).text == "[]"
    assert [client.get("/near/v1/model/list").json()["total"] for _ in range(2)] == [0, 1]
    state = client.delete("/_simulator").json()
    assert (state["day"], state["page_size"], state["faults"], state["answers"], state["requests"]["near"]) == (0, 3, [], [], 0)


@pytest.mark.parametrize("what", ["faults", "lists", "answers", "requests"])
def test_each_setting_can_be_cleared_over_http(client: httpx2.Client, simulator: Simulator, what: str):
    simulator.add_fault("groq", "html")
    simulator.set_list("groq", "models", [])
    simulator.set_answer("near", "/x", "y")
    client.get(GROQ)
    left = {"faults": lambda: simulator.faults(), "answers": lambda: simulator.state()["answers"], "requests": lambda: simulator.requests()}
    assert client.delete(f"/_simulator/{what}").status_code == 200
    assert not left.get(what, list)()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("day", {"day": -1}),
        ("day", {"dya": 1}),
        ("page-size", {"page_size": 0}),
        ("faults", {"provider": "groq", "fault": "nonsense"}),
        ("faults", {"provider": "acme", "fault": "html"}),
        ("lists", {"provider": "groq", "list": "nonsense", "rows": []}),
        ("answers", {"provider": "acme", "path": "/", "body": ""}),
    ],
)
def test_wrong_settings_are_refused_with_a_reason(client: httpx2.Client, path: str, body: dict[str, Any]):
    answer = client.post(f"/_simulator/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_requests_are_recorded_without_any_key(client: httpx2.Client, simulator: Simulator):
    client.get(f"{GROQ}?limit=5&api_key=demo-groq", headers=groq(simulator))
    client.get("/near/v1/model/list")
    came = client.get("/_simulator/requests").text
    assert "demo-groq" not in came
    first, second = json.loads(came)["requests"]
    assert (first["provider"], first["method"], first["path"], first["query"]) == (
        "groq",
        "GET",
        "/openai/v1/models",
        "limit=5&api_key=***",
    )
    assert (first["key"], second["key"]) == ("right", "none")
    assert "authorization" in first["headers"]
    assert [seen["provider"] for seen in client.get("/_simulator/requests?provider=near").json()["requests"]] == ["near"]
    assert client.get("/_simulator").json()["requests"]["groq"] == 1


def test_the_service_account_can_be_fetched(client: httpx2.Client, simulator: Simulator):
    account = client.get("/_simulator/service-account").json()
    assert account == json.loads(simulator.service_account())
    assert (account["type"], account["token_uri"]) == ("service_account", "https://oauth2.googleapis.com/token")


# The server


def test_it_stops_at_once_with_requests_under_way():
    with Simulator() as simulator:
        simulator.add_fault("groq", "delay", seconds=60)

        def ask() -> None:
            with contextlib.suppress(httpx2.TransportError):
                httpx2.get(f"{simulator.origin}{GROQ}", timeout=30, verify=authorities())

        asking = threading.Thread(target=ask)
        asking.start()
        while not simulator.requests("groq"):
            time.sleep(0.01)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    asking.join(5)
    assert not asking.is_alive()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(simulator.origin)


def test_many_ask_at_once(simulator: Simulator, client: httpx2.Client):
    simulator.add_fault("groq", "delay", seconds=2)
    began = time.monotonic()
    threads = [threading.Thread(target=client.get, args=(GROQ,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert client.get("/near/v1/model/list").status_code == 200
    assert any(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 12
