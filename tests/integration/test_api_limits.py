"""What one client can do to a server: limits, headers, errors, going away, and the server's end."""

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from modelsync.fetch import authorities
from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from support.api import ADMIN, AS_ADMIN, Served, serving
from support.cli import environment, run
from support.process import code_of
from support.sync import everything, models_of, query, table

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def one(running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over SQLite, with a few models."""
    folder = tmp_path_factory.mktemp("one")
    running_simulator.reset()
    with serving(folder, f"sqlite:///{folder}/catalog.db", running_simulator) as found:
        assert found.admin.post("/admin/model-sync/provider/near").status_code == 200
        yield found


def until(condition: Any, seconds: float = 15.0) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.02)


# Limits


def pieces(size: int) -> Iterator[bytes]:
    yield b'{"slug": "x", "name": "'
    for _ in range(size // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "with a length"])
def test_i36_a_body_of_more_than_a_mebibyte_is_not_read(one: Served, method: str, chunked: bool):
    address = {"POST": "/providers", "PATCH": "/providers/1", "DELETE": "/providers/999"}[method]
    body: Any = pieces(2 * MIB) if chunked else b"x" * (MIB + 1)
    answer = one.admin.request(method, address, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (413, {"detail": "The body is longer than 1,048,576 bytes"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_body_of_a_mebibyte_is_read(one: Served):
    start, end = b'{"name": "x", "description": "', b'"}'
    body = start + b"x" * (MIB - len(start) - len(end)) + end
    answer = one.admin.patch("/providers/1", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "description: it is longer than 5000")


def test_i36_a_body_without_a_key_is_not_read(one: Served):
    answer = one.client.post("/providers", content=b"x" * (MIB + 1))
    assert answer.status_code == 401


def test_i36_an_address_of_more_than_8_kibibytes_is_refused(one: Served):
    for address in ("/models?q=" + "x" * 8200, "/" + "x" * 8200, "/admin/pins?" + "x" * 8200):
        answer = one.client.get(address)
        assert (answer.status_code, answer.json()) == (414, {"detail": "The address is too long"})
    assert one.client.get("/models?" + "provider=near&" * 50).status_code == 200
    assert one.client.get("/models?" + "provider=near&" * 51).status_code == 422


@pytest.mark.parametrize(
    "address",
    [
        *("/models", "/models/search?q=a", "/models/provider/near", "/models.csv", "/models.ndjson", "/providers", "/providers/search?q=a"),
        *("/changes", "/changes/feed.atom", "/models/1/history", "/admin/audit", "/admin/changes", "/admin/model-sync/runs"),
        "/admin/as-of?at=2026-01-01T00:00:00Z",
    ],
)
def test_i36_a_page_has_500_rows_at_most(one: Served, address: str):
    and_ = "&" if "?" in address else "?"
    assert one.admin.get(f"{address}{and_}limit=500").status_code == 200
    for wrong in ("501", "0", "-1", "1.5", "all", "9" * 30, ""):
        assert one.admin.get(f"{address}{and_}limit={wrong}").status_code == 422, wrong


@pytest.mark.parametrize(
    "query_of",
    [f"q={'x' * 201}", f"modality={'x' * 201}", "offset=10000001", "offset=-1", "min_context=-1", "max_price=nan", "max_price=1e10"],
)
def test_i36_a_filter_is_short_and_sane(one: Served, query_of: str):
    assert one.client.get(f"/models?{query_of}").status_code == 422


def test_i36_a_client_that_asks_too_often_waits_a_moment(tmp_path: Path):
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", MODELSYNC_RATE="5") as served:
        time.sleep(2.5)  # what the start used is there again
        answers = [served.client.get("/models/stats") for _ in range(60)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:10] == [200] * 10  # twice the rate at once
        assert statuses.count(200) < 40
        slow = next(answer for answer in answers if answer.status_code == 429)
        assert "Too many requests" in slow.json()["detail"]
        assert slow.headers["X-Content-Type-Options"] == "nosniff"
        time.sleep(int(slow.headers["Retry-After"]) + 0.2)
        assert served.client.get("/models/stats").status_code == 200


def test_i36_who_guesses_keys_is_slowed_down(tmp_path: Path):
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", MODELSYNC_RATE="1000") as served:
        answers = [served.client.get("/admin/pins", headers={"Authorization": f"Bearer guess-{number}"}) for number in range(60)]
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {401, 429}
        assert statuses[:10] == [401] * 10
        assert "Retry-After" in next(answer for answer in answers if answer.status_code == 429).headers
        assert served.admin.get("/admin/pins").status_code == 200  # who has a key is not in the way of it
        assert served.client.get("/models").status_code == 200
        text = served.client.get("/metrics").text
        assert re.search(r'modelsync_http_refused_total\{status="401"\} (\d+)', text)[1] == "60"  # type: ignore[index]


def test_i36_four_syncs_run_at_once_and_no_fifth_is_begun(simulator: Simulator, tmp_path: Path):
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", simulator) as served:
        slugs = ("near", "chutes", "cerebras", "groq")
        for slug in slugs:
            simulator.add_fault(slug, "delay", seconds=6)
            begun = served.admin.post(f"/admin/model-sync/provider/{slug}", headers={"Prefer": "respond-async"})
            assert begun.status_code == 202
        for address in ("provider/nebius", "all", "provider/nebius?dry_run=true"):
            fifth = served.admin.post(f"/admin/model-sync/{address}")
            assert (fifth.status_code, "So many syncs are running" in fifth.json()["detail"]) == (429, True)
            assert int(fifth.headers["Retry-After"]) > 0
        assert served.client.get("/models").status_code == 200  # readers go on
        assert served.admin.get("/admin/model-sync/runs").json()["total"] == 4
        until(lambda: {row["status"] for row in served.admin.get("/admin/model-sync/runs").json()["data"]} == {"succeeded"}, 30)
        assert served.admin.post("/admin/model-sync/provider/nebius").status_code == 200


# Headers and errors


def every_kind(one: Served) -> dict[str, httpx2.Response]:
    """An answer of each kind."""
    client, admin = one.client, one.admin
    known = client.get("/models").headers["ETag"]
    return {
        "200": client.get("/models"),
        "304": client.get("/models", headers={"If-None-Match": known}),
        "csv": client.get("/models.csv"),
        "ndjson": client.get("/models.ndjson"),
        "atom": client.get("/changes/feed.atom"),
        "metrics": client.get("/metrics"),
        "live": client.get("/health/live"),
        "docs": client.get("/docs"),
        "openapi": client.get("/openapi.json"),
        "400": admin.patch("/providers/1", json={}),
        "401": client.get("/admin/pins"),
        "404": client.get("/nosuch"),
        "404 of a model": client.get("/models/999"),
        "405": admin.put("/models"),
        "HEAD": client.head("/docs"),
        "409": admin.delete("/providers/1"),
        "413": admin.post("/models", content=b"x" * (MIB + 1)),
        "413 chunked": admin.post("/models", content=pieces(2 * MIB)),
        "414": client.get("/" + "x" * 9000),
        "422": client.get("/models?limit=x"),
        "admin": admin.get("/admin/audit"),
    }


def test_every_answer_has_the_headers_that_keep_browsers_safe(one: Served):
    for kind, answer in every_kind(one).items():
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", kind
        assert headers["X-Frame-Options"] == "DENY", kind
        assert headers["Referrer-Policy"] == "no-referrer", kind
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; "), kind
        assert "frame-ancestors 'none'" in policy, kind
        assert "script-src" not in policy, kind
        assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-ID"]), kind
        assert "Cache-Control" in headers, kind
        assert "server" not in headers, kind
        assert not [name for name in headers if name.lower().startswith("access-control")], kind


def test_every_error_is_one_sentence(one: Served):
    for kind, answer in every_kind(one).items():
        if answer.status_code >= 400:
            assert (kind[:3], list(answer.json())) == (str(answer.status_code), ["detail"])
            assert answer.headers["Content-Type"] == "application/json"
            for word in ("Traceback", "File ", ".py", "sqlite", "modelsync.", str(Path.home()), "/tmp", "line "):
                assert word not in answer.text, (kind, word)
            assert answer.headers["Cache-Control"] == "no-store", kind


def test_a_method_that_a_page_does_not_take_is_told_which_it_takes(one: Served):
    paths = one.get("/openapi.json")["paths"] | {"/docs": {"get": {}}, "/openapi.json": {"get": {}}}
    assert len(paths) > 50
    for path, methods in paths.items():
        address = re.sub(r"\{(\w+)(:path)?\}", lambda found: "1" if found[1].endswith("_id") else "groq", path)
        taken = {method.upper() for method in methods} | ({"HEAD"} if "get" in methods else set())
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - taken:
            answer = one.admin.request(method, address)
            assert (answer.status_code, answer.headers.get("Allow")) == (405, ", ".join(sorted(taken))), (method, address)


@pytest.mark.parametrize("given", ["abc-123", "x" * 64, "A.b_c-9"])
def test_a_request_id_is_given_back(one: Served, given: str):
    assert one.client.get("/models", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    until(lambda: f'"request_id": "{given}"' in one.log.read_text("utf-8"))


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "a;b", "<b>", "%0d%0aSet-Cookie", "é"])
def test_a_request_id_that_is_none_is_replaced(one: Served, given: str):
    answer = one.client.get("/models", headers={b"X-Request-ID": given.encode()})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_docs_and_openapi_are_whole_however_often_they_are_asked_for(one: Served):
    for path in ("/docs", "/openapi.json"):
        for packing in ("gzip", "identity", "gzip", "identity"):
            answer = one.client.get(path, headers={"Accept-Encoding": packing})
            assert (answer.status_code, len(answer.content) > 10_000) == (200, True)
            assert one.client.head(path, headers={"Accept-Encoding": packing}).content == b""
    assert one.get("/openapi.json")["openapi"].startswith("3.")


def test_no_answer_is_made_for_another_host_than_asked(one: Served):
    """Feeds hold their own addresses; what one client calls the server must not be in the answer of the next."""
    for path in ("/changes/feed.json", "/changes/feed.atom", "/models"):
        assert one.client.get(path, headers={"Host": "evil.example"}).status_code == 200
        for _ in range(2):
            assert "evil.example" not in one.client.get(path).text


ORIGIN = {"Origin": "https://app.example"}
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


def test_other_origins_read_only_when_they_are_configured(one: Served, tmp_path: Path):
    assert "Access-Control-Allow-Origin" not in one.client.get("/models", headers=ORIGIN).headers
    assert one.client.options("/models", headers=ORIGIN | PREFLIGHT).status_code == 401
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", MODELSYNC_CORS_ORIGINS="https://app.example") as served:
        read = served.client.get("/models", headers=ORIGIN)
        assert (read.status_code, read.headers["Access-Control-Allow-Origin"]) == (200, "https://app.example")
        assert "ETag" in read.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in read.headers
        for other in ("https://evil.example", "null", "https://app.example.evil.example", "http://app.example"):
            assert "Access-Control-Allow-Origin" not in served.client.get("/models", headers={"Origin": other}).headers
        for method in ("POST", "DELETE", "PATCH", "PUT"):
            asked = served.client.options("/models", headers=ORIGIN | {"Access-Control-Request-Method": method})
            assert method not in asked.headers.get("Access-Control-Allow-Methods", "")
        assert served.client.get("/admin/pins", headers=ORIGIN).status_code == 401


# Going away, and the end


def test_a_client_that_goes_away_stops_no_sync(simulator: Simulator, database_url: str, tmp_path: Path):
    with serving(tmp_path, database_url, simulator) as served:
        simulator.add_fault("near", "delay", seconds=2)
        with pytest.raises(httpx2.TimeoutException):
            served.admin.post("/admin/model-sync/provider/near", timeout=0.7)
        until(lambda: [row["status"] for row in table(database_url, "sync_runs")] == ["succeeded"])
        assert len(models_of(database_url, "near")) == 5
        assert "Traceback" not in served.log.read_text("utf-8")


def test_c02_i10_a_signal_ends_the_server_and_the_sync_that_was_under_way(simulator: Simulator, database_url: str, tmp_path: Path):
    with serving(tmp_path, database_url, simulator) as served:
        assert served.admin.post("/admin/model-sync/provider/near").status_code == 200
        before = models_of(database_url, "near")
        simulator.set_day(1)
        simulator.clear_requests()
        simulator.add_fault("near", "delay", seconds=60)
        statuses: list[int] = []
        waiting = threading.Thread(target=lambda: statuses.append(_status(served)))
        waiting.start()
        until(lambda: simulator.requests("near"))
        began = time.monotonic()
        served.process.terminate()
        assert code_of(served.process, 10) == -signal.SIGTERM
        assert time.monotonic() - began < 10
        waiting.join(10)
        log = served.log.read_text("utf-8")
    assert [row["status"] for row in table(database_url, "sync_runs")] == ["succeeded", "cancelled"]
    assert models_of(database_url, "near") == before
    assert statuses == [503]
    assert "Traceback" not in log, log
    simulator.reset()
    env = environment(tmp_path, simulator, DATABASE_URL=database_url)
    assert run(tmp_path, "sync", "--providers", "near", env=env).returncode == 0  # nothing is in its way


def _status(served: Served) -> int:
    """What a sync answers; 0 when the connection ends without an answer."""
    try:
        return httpx2.post(f"{served.base}/admin/model-sync/provider/near", headers=AS_ADMIN, timeout=60, verify=authorities()).status_code
    except httpx2.TransportError:
        return 0


def test_i36_a_client_that_says_nothing_keeps_nobody_waiting(one: Served):
    port = int(one.base.rpartition(":")[2])
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for each in silent[::2]:
        each.sendall(
            b"POST /providers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nAuthorization: Bearer " + ADMIN.encode() + b"\r\n\r\n{"
        )
    assert one.client.get("/models").status_code == 200
    for each in silent:
        each.close()
    assert one.client.get("/models").status_code == 200


# Secrets

PASSWORD = "CANARYofTheDatabase77"
CANARY_ADMIN = "CANARYofTheAdmin-0123456789"
CANARY_OLD = "CANARYofTheOldAdmin-0123456789"


def key_of(slug: str) -> str:
    return f"sk-CANARYof{slug}-77"


def test_i31_no_answer_no_log_line_and_no_table_holds_a_secret(simulator: Simulator, database_url: str, tmp_path: Path):
    """Every route, rightly and wrongly asked, with canaries for keys and password; providers refuse all of these keys."""
    keys = {provider.auth.variables[0]: key_of(slug) for slug, provider in registry.load().items() if slug != "google-vertex"}
    url = database_url.replace("modelsync@", f"modelsync:{PASSWORD}@")
    admin = {"ADMIN_API_KEY": f"{CANARY_ADMIN},{CANARY_OLD}", "MODELSYNC_ATTEMPTS": "1"}
    with serving(tmp_path, url, simulator, **keys, **admin) as served:
        said = [f"{answer.status_code} {dict(answer.headers)} {answer.text}" for answer in _everything_asked(served)]
        log = served.log.read_text("utf-8")
    assert len(said) > 200
    assert "rejected the key (401)" in "".join(said)
    dump = {name: rows for name, rows in everything(database_url).items() if name != "audit_log"}
    audit = query(database_url, "SELECT actor, action, target FROM audit_log")
    files = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("catalog.db*")))
    everywhere = "\n".join([*said, log, json.dumps(dump, default=str), json.dumps(audit)]) + files.decode("latin-1")
    canaries = [PASSWORD, "CANARYofTheAdmin", "CANARYofTheOldAdmin", *(key_of(slug) for slug in registry.load())]
    assert [canary for canary in canaries if canary in everywhere] == []


def _everything_asked(served: Served) -> Iterator[httpx2.Response]:
    """Every operation of the OpenAPI document: with the right key and a right or a wrong body, with a wrong key, with the key elsewhere."""
    boss = {"Authorization": f"Bearer {CANARY_ADMIN}"}
    ask = served.client.request
    for slug in registry.load():
        yield ask("POST", f"/admin/model-sync/provider/{slug}", headers=boss)
    yield ask("POST", "/admin/model-sync/all", headers=boss)
    yield ask("POST", "/providers", headers=boss, json={"slug": "ours", "name": "Acme", "api_key_env_var": "GROQ_API_KEY"})
    for path, methods in served.get("/openapi.json")["paths"].items():
        for method in methods:
            address = re.sub(r"\{(\w+)(:path)?\}", lambda found: "1" if found[1].endswith("_id") else "groq", path)
            if method == "get":
                yield ask("GET", address, headers=boss, params={"q": "a"} if address.endswith("/search") else {})
            else:
                yield ask(method, address, headers=boss, json={"reason": "r"})
                yield ask(method, address, headers=boss, content=CANARY_ADMIN.encode())
            yield ask(method, address, headers={"Authorization": f"Bearer {CANARY_OLD}x"})
            yield ask(method, address, headers={"Authorization": f"Basic {CANARY_ADMIN}", "Cookie": f"key={CANARY_OLD}"})
            yield ask(method, address, params={"limit": CANARY_ADMIN}, headers=boss)
    for path in (f"/models/{CANARY_ADMIN}", f"/{CANARY_OLD}", f"/admin/{CANARY_ADMIN}"):  # a key in an address reaches the log
        yield ask("GET", path, headers=boss)
    yield ask("GET", "/metrics")
    yield ask("GET", "/health/ready")


# Readers while a sync commits


def catalog_of(simulator: Simulator, count: int, dollars: float) -> None:
    """Let chutes list so many models, all at the same price in USD per million tokens."""
    row = simulator.lists("chutes")["models"][0]
    pricing, price = row["pricing"] | {"prompt": dollars}, row["price"] | {"input": {"usd": dollars}}
    models = [row | {"id": f"maker/model-{number:05}", "pricing": pricing, "price": price} for number in range(count)]
    simulator.set_list("chutes", "models", models)


def read_until(served: Served, over: threading.Event, address: str, seen: list[tuple[int, int, frozenset[str]]]) -> None:
    """Revision, number of models and prices of every answer."""
    with httpx2.Client(base_url=served.base, timeout=60, verify=authorities()) as client:
        while not over.is_set():
            answer = client.get(address)
            assert answer.status_code == 200, answer.text
            if address.startswith("/models.ndjson"):
                rows = [json.loads(line) for line in answer.text.splitlines()]
                total = len(rows)
            else:
                rows, total = answer.json()["data"], answer.json()["total"]
            seen.append((int(answer.headers["X-Catalog-Revision"]), total, frozenset(row["pricing_prompt"] for row in rows)))
