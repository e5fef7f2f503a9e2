"""Who may do what over HTTP: every route by every key, servers without a key, and keys that are handed out and taken back."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from modelsync import app, settings
from modelsync.api import create
from modelsync.fetch import authorities
from modelsync.simulator.server import Simulator
from support.api import ADMIN, Served, free_port, serving, started
from support.cli import environment, run, run_json
from support.sync import execute, query, table

# Every route there is: method and path, an address of it, the scope that it needs ("" for none), and what it answers whoever has that.
# Bodies are empty and numbers name nothing, so that no answer of the key for everything changes anything either.
ROUTES = """
GET    /health/live                                 /health/live                                     -      200
GET    /health/ready                                /health/ready                                    -      200
GET    /docs                                        /docs                                            -      200
HEAD   /docs                                        /docs                                            -      200
GET    /openapi.json                                /openapi.json                                    -      200
HEAD   /openapi.json                                /openapi.json                                    -      200
GET    /metrics                                     /metrics                                         public 200
GET    /providers                                   /providers                                       public 200
GET    /providers/stats                             /providers/stats                                 public 200
GET    /providers/search                            /providers/search?q=near                         public 200
GET    /providers/health/{health_status}            /providers/health/healthy                        public 200
GET    /providers/slug/{slug}                       /providers/slug/near                             public 200
GET    /providers/{provider_id}                     /providers/1                                     public 200
GET    /providers/{provider_id}/models/stats        /providers/1/models/stats                        public 200
GET    /models                                      /models                                          public 200
GET    /models.csv                                  /models.csv                                      public 200
GET    /models.ndjson                               /models.ndjson                                   public 200
GET    /models/stats                                /models/stats                                    public 200
GET    /models/search                               /models/search?q=qwen                            public 200
GET    /models/provider/{slug}                      /models/provider/near                            public 200
GET    /models/{model_id}                           /models/999                                      public 404
GET    /models/{model_id}/history                   /models/1/history                                public 200
GET    /changes                                     /changes                                         public 200
GET    /changes/feed.atom                           /changes/feed.atom                               public 200
GET    /changes/feed.json                           /changes/feed.json                               public 200
GET    /v1/models                                   /v1/models                                       public 200
GET    /v1/models/{model:path}                      /v1/models/near/no/such                          public 404
POST   /providers                                   /providers                                       admin  422
PATCH  /providers/{provider_id}                     /providers/999                                   admin  400
PATCH  /providers/{provider_id}/health              /providers/999/health                            admin  422
POST   /providers/{provider_id}/activate            /providers/999/activate                          admin  404
POST   /providers/{provider_id}/deactivate          /providers/999/deactivate                        admin  404
DELETE /providers/{provider_id}                     /providers/999                                   admin  404
POST   /models                                      /models                                          admin  422
POST   /models/bulk-upsert                          /models/bulk-upsert                              admin  422
PATCH  /models/{model_id}                           /models/999                                      admin  400
POST   /models/{model_id}/activate                  /models/999/activate                             admin  404
POST   /models/{model_id}/deactivate                /models/999/deactivate                           admin  404
DELETE /models/{model_id}                           /models/999                                      admin  404
GET    /admin/model-sync/providers                  /admin/model-sync/providers                      read   200
GET    /admin/model-sync/status                     /admin/model-sync/status                         read   200
GET    /admin/model-sync/runs                       /admin/model-sync/runs                           read   200
GET    /admin/model-sync/runs/{run_id}              /admin/model-sync/runs/1                         read   200
POST   /admin/model-sync/provider/{provider_slug}   /admin/model-sync/provider/nosuch                sync   404
POST   /admin/model-sync/all                        /admin/model-sync/all?providers=nosuch           sync   400
GET    /admin/guards                                /admin/guards                                    read   200
GET    /admin/guards/{slug}                         /admin/guards/openrouter                         read   200
PATCH  /admin/guards/{slug}                         /admin/guards/openrouter                         admin  422
GET    /admin/schedule                              /admin/schedule                                  read   200
GET    /admin/schedule-advice                       /admin/schedule-advice                           read   200
GET    /admin/schedule/{slug}                       /admin/schedule/openrouter                       read   200
PATCH  /admin/schedule/{slug}                       /admin/schedule/openrouter                       admin  422
GET    /admin/workers                               /admin/workers                                   read   200
GET    /admin/held                                  /admin/held                                      read   200
POST   /admin/held/confirm                          /admin/held/confirm                              admin  422
POST   /admin/held/reject                           /admin/held/reject                               admin  422
POST   /admin/held/{hold_id}/confirm                /admin/held/999/confirm                          admin  422
POST   /admin/held/{hold_id}/reject                 /admin/held/999/reject                           admin  422
POST   /admin/held/{hold_id}/reopen                 /admin/held/999/reopen                           admin  422
POST   /admin/pause                                 /admin/pause                                     admin  422
POST   /admin/resume                                /admin/resume                                    admin  422
GET    /admin/pins                                  /admin/pins                                      read   200
POST   /admin/pins                                  /admin/pins                                      admin  422
DELETE /admin/pins                                  /admin/pins?provider=near&model=no&reason=r      admin  404
GET    /admin/changes                               /admin/changes                                   read   200
GET    /admin/history                               /admin/history?provider=near&model=no            read   200
GET    /admin/diff                                  /admin/diff?before=2026-01-01T00:00:00Z          read   200
GET    /admin/as-of                                 /admin/as-of?at=2026-01-01T00:00:00Z             read   200
GET    /admin/explain                               /admin/explain?provider=near&model=no            read   404
GET    /admin/audit                                 /admin/audit                                     read   200
POST   /admin/rollback                              /admin/rollback                                  admin  422
POST   /admin/thaw                                  /admin/thaw                                      admin  422
"""
TABLE = [(method, path, address, need, int(good)) for method, path, address, need, good in map(str.split, ROUTES.split("\n")[1:-1])]

MAY = {
    "none": {"-", "public"},
    "wrong": {"-", "public"},
    "read": {"-", "public", "read"},
    "sync": {"-", "public", "read", "sync"},
    "admin": {"-", "public", "read", "sync", "admin"},
}
"""What each credential is good for."""


class Keyed:
    """A server, and a credential of each kind."""

    def __init__(self, served: Served, keys: dict[str, str]) -> None:
        self.served = served
        self.keys = {"wrong": "msk_" + "w" * 43, "admin": ADMIN, **keys}

    def ask(self, method: str, address: str, who: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who in self.keys else {}
        body = {"json": {}} if method in ("POST", "PATCH") else {}
        return self.served.client.request(method, address, headers=headers, **body)


def handed_out(folder: Path, database_url: str, name: str, scope: str, *more: str) -> str:
    """A new key, as the command prints it."""
    arguments = ("keys", "create", name, "--scope", scope, "--reason", "of a test", *more)
    done = run(folder, *arguments, env=environment(folder, DATABASE_URL=database_url))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module", params=["public", "closed"])
def keyed(request: pytest.FixtureRequest, running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp(request.param)
    url = f"sqlite:///{folder}/catalog.db"
    running_simulator.reset()
    keys = {scope: handed_out(folder, url, f"the {scope} one", scope) for scope in ("read", "sync")}
    with serving(folder, url, running_simulator, MODELSYNC_CATALOG=request.param) as served:
        assert served.admin.post("/admin/model-sync/provider/near").status_code == 200
        yield Keyed(served, keys)


def closed(keyed: Keyed) -> bool:
    return keyed.served.client.get("/models").status_code == 401


def test_i30_the_table_names_every_route_of_the_application(tmp_path: Path) -> None:
    program = app.build(settings.load({"DATABASE_URL": f"sqlite:///{tmp_path}/catalog.db", "MODELSYNC_CORS_ORIGINS": "https://a.example"}))
    store = program.open_store()
    try:
        found = [
            (method, each.path.replace(":int}", "}"))
            for each in create(program, store).routes
            for method in sorted(each.methods - {"HEAD"})
        ]
    finally:
        store.close()
    assert sorted(found) == sorted((method, path) for method, path, *_ in TABLE if method != "HEAD")  # which goes wherever GET does


def test_i30_every_route_answers_only_whom_it_may(keyed: Keyed) -> None:
    """What is not public is told nobody without a key for it: 401 without a valid one, 403 with one that is good for less."""
    is_closed, lines, wrong = closed(keyed), [], []
    for method, _, address, need, good in TABLE:
        wanted = "read" if is_closed and need == "public" else need
        got, expected = [], []
        for who, may in MAY.items():
            answer = keyed.ask(method, address, who)
            got.append(answer.status_code)
            expected.append(good if wanted in may else 401 if who in ("none", "wrong") else 403)
            if (answer.status_code == 401) != ("WWW-Authenticate" in answer.headers):
                wrong.append(f"WWW-Authenticate of {method} {address} for {who}")
        lines.append(f"{method:6} {address:50} {wanted:6} {' '.join(f'{who} {status}' for who, status in zip(MAY, got, strict=True))}")
        if got != expected:
            wrong.append(f"{lines[-1]} and not {expected}")
    print("\n".join(lines))  # noqa: T201 - the table, for whoever runs this with -s
    assert not wrong, "\n".join(["", *wrong, "", "all:", *lines])


def test_i30_the_table_changed_nothing(keyed: Keyed) -> None:
    """Its right answers are about nothing that there is; only handing out keys was written down."""
    audit = keyed.ask("GET", "/admin/audit", "admin").json()["data"]
    assert {row["action"] for row in audit} == {"create key"}
    runs = keyed.ask("GET", "/admin/model-sync/runs", "admin").json()
    assert runs["total"] == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_i30_what_is_no_route_is_closed_too(keyed: Keyed, method: str) -> None:
    for address in (
        "/admin",
        "/admin/",
        "/admin/nosuch",
        "/admin/model-sync",
        "/admin/model-sync/",
        "/admin/pins/1",
        "/admin/model-sync/nosuch",
    ):
        answer = keyed.served.client.request(method, address)
        assert answer.status_code == 401, (method, address, answer.status_code)
        known = keyed.ask(method, address, "admin")
        assert known.status_code == 404, (method, address, known.status_code)


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_i30_other_methods_are_writes(keyed: Keyed, method: str) -> None:
    for address in ("/models", "/providers", "/admin/pins", "/health/live", "/nosuch"):
        if method == "CONNECT":
            status = raw(keyed.served, f"{method} {address} HTTP/1.1")
        else:
            status = keyed.served.client.request(method, address).status_code
            assert keyed.ask(method, address, "admin").status_code in (404, 405)
            assert keyed.ask(method, address, "sync").status_code == 403
        assert status in (400, 401), (method, address, status)


def raw(served: Served, line: str, *headers: str) -> int:
    """The status of a request whose first line no client would write so; 0 when the server hung up."""
    port = int(served.base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([line, f"Host: 127.0.0.1:{port}", "Connection: close", *headers, "", ""]).encode("latin-1"))
        told = connection.makefile("rb").readline()
    return int(told.split()[1]) if told else 0


@pytest.mark.parametrize(
    "path",
    [
        *("//admin/pins", "/admin//pins", "/admin%2Fpins", "/%61dmin/pins", "/ADMIN/pins", "/Admin/pins", "/admin/pins/", "/admin/pins%00"),
        *("/models/../admin/pins", "/models/%2e%2e/admin/pins", "/./admin/pins", "/admin;x/pins", "/admin/pins;x", "\\admin\\pins"),
        *("/v1/models/../../admin/pins", "/v1/models/..%2f..%2fadmin%2fpins", "/admin/./pins", "/admin%252Fpins", "/docs/../admin/pins"),
        *("/health/live/../../admin/pins", "/admin/pins?x=/docs", "/admin/pins#/docs", "http://127.0.0.1/admin/pins", "/admin\tpins"),
    ],
)
def test_i30_other_ways_to_write_a_path_open_nothing(keyed: Keyed, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "DELETE"):
        status = raw(keyed.served, f"{method} {path} HTTP/1.1", "Content-Length: 0")
        assert status in (0, 400, 401, 404, 405), (method, path, status)
    for header in ("X-Original-URL: /docs", "X-Rewrite-URL: /docs", "X-HTTP-Method-Override: GET", "X-Forwarded-For: 127.0.0.1"):
        assert raw(keyed.served, "DELETE /admin/pins HTTP/1.1", header) == 401


@pytest.mark.parametrize(
    "header",
    [
        *(ADMIN, f"Basic {ADMIN}", f"Token {ADMIN}", "Bearer", "Bearer ", "Bearer null", f"Bearer {ADMIN[:-1]}", f"Bearer {ADMIN}x"),
        *(f"Bearer {ADMIN.upper()}", f"Bearer{ADMIN}", f"Bearer {ADMIN}, Bearer {ADMIN}", f'Bearer "{ADMIN}"', f"Bearer {ADMIN} {ADMIN}"),
    ],
)
def test_i30_a_key_is_taken_only_as_it_is(keyed: Keyed, header: str) -> None:
    assert raw(keyed.served, "GET /admin/pins HTTP/1.1", f"Authorization: {header}") == 401


def test_i30_a_key_is_taken_from_no_other_place(keyed: Keyed) -> None:
    for query_of in ("key", "api_key", "token", "access_token", "Authorization"):
        assert keyed.served.client.get("/admin/pins", params={query_of: ADMIN}).status_code == 401
    for headers in ({"X-API-Key": ADMIN}, {"Cookie": f"Authorization=Bearer {ADMIN}"}, {"Proxy-Authorization": f"Bearer {ADMIN}"}):
        assert keyed.served.client.get("/admin/pins", headers=headers).status_code == 401
    assert raw(keyed.served, "GET /admin/pins HTTP/1.1", f"Authorization: bEARER   {ADMIN} ") == 200  # RFC 9110 11.1


def test_i30_an_answer_for_a_key_is_kept_by_no_cache(keyed: Keyed) -> None:
    """A page of the catalog may be kept by anybody, unless it was shown to somebody for a key."""
    for method, _, address, need, good in TABLE:
        if method == "GET" and good == 200:
            kept = keyed.ask("GET", address, "admin").headers["Cache-Control"]
            shut = need == "read" or (need == "public" and closed(keyed))
            assert "public" not in kept or not shut, (address, kept)


# Servers and their keys


def test_i30_without_any_key_what_needs_one_is_503_and_never_open(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    with serving(tmp_path, database_url, simulator, ADMIN_API_KEY="") as served:
        for method, _, address, need, good in TABLE:
            if need in ("-", "public"):
                continue
            for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {ADMIN}"}):
                answer = served.client.request(method, address, headers=headers)
                assert answer.status_code == 503, (method, address, answer.status_code)
                assert "set ADMIN_API_KEY" in (answer.json()["detail"] if method != "HEAD" else "set ADMIN_API_KEY"), good
        assert served.client.get("/models").status_code == 200
        assert "No key is configured" in served.log.read_text("utf-8")


def test_i30_a_closed_catalog_without_any_key_is_503(tmp_path: Path) -> None:
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", ADMIN_API_KEY="", MODELSYNC_CATALOG="closed") as served:
        for _, _, address, need, _ in (row for row in TABLE if row[0] == "GET"):
            assert served.client.get(address).status_code == (200 if need == "-" else 503), address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_i30_without_a_key_nothing_is_served_to_other_machines(tmp_path: Path, host: str) -> None:
    env = environment(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/catalog.db")
    done = run(tmp_path, "serve", "--host", host, "--port", str(free_port()), env=env)
    assert done.returncode == 64, done.stderr
    assert "no key is configured" in done.stderr
    assert "Set ADMIN_API_KEY: openssl rand -hex 32" in done.stderr


@pytest.mark.parametrize("which", ["ADMIN_API_KEY", "handed out"])
def test_i30_with_a_key_other_machines_are_served(tmp_path: Path, which: str) -> None:
    url, port = f"sqlite:///{tmp_path}/catalog.db", free_port()
    env = environment(tmp_path, DATABASE_URL=url) | ({"ADMIN_API_KEY": ADMIN} if which == "ADMIN_API_KEY" else {})
    key = env.get("ADMIN_API_KEY") or handed_out(tmp_path, url, "ops", "read")
    command = [sys.executable, "-m", "modelsync", "serve", "--host", "0.0.0.0", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert eventually(f"http://127.0.0.1:{port}", key) == 200
        assert httpx2.get(f"http://127.0.0.1:{port}/admin/pins").status_code == 401
    finally:
        process.terminate()
        process.wait(20)


def eventually(base: str, key: str) -> int:
    """The status of a page for a key, once the server listens."""
    ends_at = time.monotonic() + 30
    while True:
        try:
            return httpx2.get(f"{base}/admin/pins", headers={"Authorization": f"Bearer {key}"}, verify=authorities()).status_code
        except httpx2.TransportError:
            assert time.monotonic() < ends_at
            time.sleep(0.05)


@pytest.mark.parametrize("keys", ["brief", "fifteen-chars-x", f"{ADMIN},brief", f"{ADMIN}, {'x' * 15}"])
def test_i30_a_key_that_can_be_guessed_is_refused(tmp_path: Path, keys: str) -> None:
    env = environment(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/catalog.db", ADMIN_API_KEY=keys)
    done = run(tmp_path, "serve", "--port", str(free_port()), env=env)
    assert done.returncode == 64
    assert "ADMIN_API_KEY is too short to keep anybody out" in done.stderr
    assert [part for part in re.split(r"[, ]+", keys) if part in done.stderr] == []


def test_i30_several_keys_work_while_one_replaces_the_other(tmp_path: Path) -> None:
    old, new, sixteen = "the-old-key-0123456789", "the-new-key-9876543210", "x" * 16
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", ADMIN_API_KEY=f"{old}, {new},{sixteen},") as served:
        statuses = [served.client.get("/admin/pins", headers={"Authorization": f"Bearer {key}"}).status_code for key in (old, new, sixteen)]
        assert statuses == [200, 200, 200]
        for joined in (f"{old},{new}", f"{old}, {new},{sixteen},", ","):
            assert served.client.get("/admin/pins", headers={"Authorization": f"Bearer {joined}"}).status_code == 401


# Keys that are handed out


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Served]:
    with serving(tmp_path, database_url, simulator) as found:
        yield found


WITHIN = 6.0
"""Seconds after which a running server knows of keys that were made or taken back elsewhere."""


def status_of(served: Served, key: str, method: str = "GET", address: str = "/admin/pins") -> int:
    return served.client.request(method, address, headers={"Authorization": f"Bearer {key}"}).status_code


def becomes(served: Served, key: str, status: int) -> bool:
    """Whether a key gets this status within the time."""
    ends_at = time.monotonic() + WITHIN
    while status_of(served, key) != status:
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.1)
    return True


def test_i28_i30_a_key_is_good_until_it_is_taken_back(served: Served, database_url: str, tmp_path: Path) -> None:
    env = environment(tmp_path, DATABASE_URL=database_url)
    key = handed_out(tmp_path, database_url, "the dashboard", "sync")
    assert re.fullmatch(r"msk_[A-Za-z0-9_-]{43}", key)  # 32 random bytes
    assert becomes(served, key, 200)
    assert status_of(served, key, "POST", "/admin/model-sync/provider/nosuch") == 404
    assert status_of(served, key, "POST", "/admin/thaw") == 403

    (listed,) = run_json(tmp_path, "keys", env=env)["keys"]
    assert (listed["name"], listed["scope"], listed["expires_at"], listed["revoked_at"]) == ("the dashboard", "sync", None, None)
    assert listed["last_used_at"] is not None
    done = run(tmp_path, "keys", "revoke", str(listed["id"]), "--reason", "left", env=env)
    assert (done.returncode, done.stdout) == (0, "Key 1 is revoked.\n")
    assert becomes(served, key, 401)

    assert run(tmp_path, "keys", "revoke", "1", "--reason", "again", env=env).returncode == 64
    rows = [(row["action"], row["target"], row["reason"]) for row in table(database_url, "audit_log")]
    assert rows == [("create key", "1 the dashboard (sync)", "of a test"), ("revoke key", "1 the dashboard", "left")]


def test_i30_a_key_ends_when_it_was_to_end(served: Served, database_url: str, tmp_path: Path) -> None:
    key = handed_out(tmp_path, database_url, "a visitor", "admin", "--expires", "2099-01-01")
    assert becomes(served, key, 200)
    execute(database_url, "UPDATE api_keys SET expires_at = '2026-01-01T00:00:00.000000Z'")
    assert becomes(served, key, 401)
    env = environment(tmp_path, DATABASE_URL=database_url)
    late = run(tmp_path, "keys", "create", "late", "--expires", "2020-01-01", "--reason", "r", env=env)
    assert (late.returncode, late.stdout) == (64, "")
    assert len(table(database_url, "api_keys")) == 1


def test_i30_a_key_needs_a_scope_a_name_and_a_reason(database_url: str, tmp_path: Path) -> None:
    env = environment(tmp_path, DATABASE_URL=database_url)
    for arguments in (("x", "--scope", "root", "--reason", "r"), (" ", "--reason", "r"), ("x", "--reason", " "), ("x",)):
        done = run(tmp_path, "keys", "create", *arguments, env=env)
        assert (done.returncode, "msk_" in done.stdout) == (64, False), arguments
    assert "Traceback" not in done.stderr


def test_i31_of_a_key_only_its_digest_is_kept(served: Served, database_url: str, tmp_path: Path) -> None:
    key = handed_out(tmp_path, database_url, "ops", "admin")
    assert becomes(served, key, 200)
    assert status_of(served, key, "POST", "/admin/model-sync/provider/near") == 200
    (row,) = table(database_url, "api_keys")
    assert (len(row["digest"]), row["last_used_at"] is not None) == (64, True)
    said = json.dumps([query(database_url, f"SELECT * FROM {name}") for name in ("api_keys", "audit_log", "sync_runs")], default=str)
    said += served.log.read_text("utf-8") + run(tmp_path, "keys", "--json", env=environment(tmp_path, DATABASE_URL=database_url)).stdout
    files = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("catalog.db*")))
    assert key not in said
    assert key.encode() not in files
    assert row["digest"] not in run(tmp_path, "keys", "--json", env=environment(tmp_path, DATABASE_URL=database_url)).stdout


def test_i28_what_is_done_with_a_key_is_written_under_its_name(served: Served, database_url: str, tmp_path: Path) -> None:
    key = handed_out(tmp_path, database_url, "anna", "admin")
    assert becomes(served, key, 200)
    made = served.client.post("/providers", json={"slug": "ours", "name": "Acme"}, headers={"Authorization": f"Bearer {key}"})
    assert made.status_code == 201
    row = served.admin.get("/admin/audit").json()["data"][0]
    assert (row["actor"], row["action"], row["target"]) == ("anna", "create provider", "ours")
    assert '"by": "anna"' in served.log.read_text("utf-8")


def test_i28_no_route_changes_what_was_written_down(tmp_path: Path) -> None:
    """The audit log is read at one address, with one method."""
    assert [(method, path) for method, path, *_ in TABLE if "audit" in path] == [("GET", "/admin/audit")]
    env = environment(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/catalog.db", ADMIN_API_KEY=ADMIN, MODELSYNC_RATE="0")
    with started(tmp_path, env) as served:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert served.admin.request(method, "/admin/audit").status_code == 405
            assert served.admin.request(method, "/admin/audit/1").status_code == 404
