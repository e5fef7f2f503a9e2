"""Secrets go where they belong and nowhere else: canaries in every setting that is secret, and a search of all that is said and stored."""

import asyncio
import base64
import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpx2
import pytest

from modelsync.database import schema
from modelsync.errors import FailureKind
from modelsync.fetch import Origins
from modelsync.fetch.auth import Authorization
from modelsync.fetch.request import Asker, Unanswered
from modelsync.providers import registry
from modelsync.providers.base import Answer, GoogleAccount, Request
from modelsync.simulator.server import Simulator
from support.cli import environment, run
from support.faults import KEYED, Bench, Served, Servers, groq, hang
from support.raw import QUICK, Handler, answering, http
from support.sync import program, query

Answerer = Callable[[str], bytes]
"""From the key that was sent ("" for none) to the bytes of an answer."""

ACCOUNT = "acct-CANARYofTheAccount-0815"
TOKEN = "ya29.CANARYofGoogle-T0K3N"
PASSWORD = 'p@ss/w:rd%"CANARYofTheDatabase?&=#'
PROXY = "CANARYofTheOrigin77"


def key_of(slug: str) -> str:
    """A key: plain for a few, which could be a host's name; else odd, so that it looks different in an address, in JSON and in Python."""
    if slug in ("groq", "openrouter", "xai"):
        return f"sk-CANARYof{slug}-77"
    return f'sk-"{slug}"+CANARYof{slug}/77\\=%41'


# Where they might be


class Said(NamedTuple):
    """Something that was printed or written, and what it holds."""

    place: str
    content: bytes


def leaks(said: Iterator[Said] | list[Said], secrets: list[str]) -> list[str]:
    """Where a secret is, in plain or in base64. Secrets are looked for by a part that no way of writing changes."""
    found = []
    for secret in secrets:
        patterns = [secret.encode(), *_in_base64(secret)]
        found += [f"{secret} in {place}" for place, content in said if any(pattern in content for pattern in patterns)]
    return found


def _in_base64(secret: str) -> list[bytes]:
    """What base64 of any text that holds the secret has in it, whatever comes before and after."""
    phases = [base64.b64encode(b" " * before + secret.encode()) for before in range(3)]
    return [phase.rstrip(b"=")[4:-2] for phase in phases]


def files_in(folder: Path) -> Iterator[Said]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield Said(path.name, gzip.decompress(content) if path.suffix == ".gz" else content)


def dump_of(database_url: str) -> Iterator[Said]:
    """Every table as text; a SQLite file is searched byte by byte too."""
    for name in schema.metadata.tables:
        rows = query(database_url, f"SELECT * FROM {name}")
        yield Said(f"table {name}", json.dumps(rows, default=str, ensure_ascii=False).encode())


def test_i31_the_search_finds_each_way_of_writing() -> None:
    secret = "CANARYofTheSearch"
    whole = f'a"{secret}\\+b'
    ways = [
        whole,
        quote(whole, safe=""),
        json.dumps(whole),
        repr(whole),
        *(base64.b64encode(f"{x}{whole}".encode()).decode() for x in ("", "x", "xx")),
    ]
    assert [leaks([Said("here", way.encode())], [secret]) for way in ways] == [[f"{secret} in here"]] * len(ways)
    assert leaks([Said("here", b"CANARYofAnother")], [secret]) == []


# A run of everything


class Runner:
    """Runs commands and remembers all that they print."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        folder.mkdir()
        self.folder, self.env, self.said = folder, dict(env), list[Said]()

    def run(self, *arguments: str, codes: tuple[int, ...] = (0, 4), **more: str) -> None:
        self._keep(" ".join(arguments), codes, run(self.folder, *arguments, env=self.env | more))

    def python(self, source: str) -> None:
        command = [sys.executable, "-c", source]
        self._keep("Python", (0,), subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120))

    def _keep(self, name: str, codes: tuple[int, ...], done: "subprocess.CompletedProcess[str]") -> None:
        assert done.returncode in codes, (name, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        assert "Traceback" not in done.stderr, name
        assert done.stdout or done.stderr
        self.said.append(Said(name, (done.stdout + done.stderr).encode()))

    def everything(self, database_url: str) -> list[Said]:
        return [*self.said, *files_in(self.folder), *dump_of(database_url)]


def with_password(database_url: str) -> str:
    """The same address with a password, which the tests' own server does not ask for."""
    return database_url.replace("modelsync@", f"modelsync:{PASSWORD}@")


API = """
import modelsync
from modelsync import app
from modelsync.errors import ModelsyncError
program = app.build(verbose=True)
print(program.settings, repr(program.settings), program.jobs(None), program.archive(), repr(program.settings.origins))
print(repr(modelsync.sync_all_providers(dry_run=True)), modelsync.sync_all_providers())
for slug in ("groq", "xai", "google-vertex", "openrouter"):
    print(repr(modelsync.sync_provider_models(slug)))
    try:
        print(repr(modelsync.fetch_models(slug)))
    except ModelsyncError as error:
        print(repr(error), error)
"""


def test_i31_no_secret_is_said_or_stored_when_all_is_well(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    account = json.loads(simulator.service_account())
    runner = Runner(tmp_path / "at", environment(tmp_path, simulator, DATABASE_URL=with_password(database_url), MODELSYNC_ARCHIVE="kept"))
    runner.run("sync", "--verbose")
    simulator.set_day(1)
    runner.run("sync", "--dry-run", "--verbose")
    runner.run("sync", "--dry-run", "--json")
    runner.run("sync", "--json")
    for command in ("doctor", "settings", "status", "runs", "held", "providers", "models", "changes", "audit", "pins"):
        runner.run(command)
        runner.run(command, "--json")
    runner.run("runs", "1")
    runner.run("db", "current")
    runner.run("replay", "1")
    runner.run("replay", "2", "--json")
    runner.run("db", "backup", "copy.db", codes=(0, 64))
    runner.python(API)
    runner.run("sync", codes=(1,), DATABASE_URL=f"postgresql://me:{PASSWORD}@127.0.0.1:1/nowhere?sslmode=disable")
    runner.run("settings", codes=(64,), MODELSYNC_ORIGIN=f"ftp://{PROXY}@127.0.0.1")

    said = runner.everything(database_url)
    lines = [line for line in account["private_key"].splitlines() if not line.startswith("---")]
    keys = [simulator.key(slug) for slug, provider in registry.load().items() if not isinstance(provider.auth, GoogleAccount)]
    assert len(list(runner.folder.rglob("*.gz"))) >= len(registry.load())
    assert (runner.folder / "copy.db").exists() is database_url.startswith("sqlite")
    assert leaks(said, ["CANARYofTheDatabase", PROXY, "ya29.simulated", *keys, *lines]) == []


# Servers that repeat what they were sent


def key_sent(request: str) -> str:
    found = re.search(r"^authorization: \S+ (.*)\r$", request, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def refusal(status: str) -> Answerer:
    def answer(key: str) -> bytes:
        message = f"RAWBODY: {key} or {quote(key)} or {base64.b64encode(key.encode()).decode()} of {ACCOUNT} has no credit. " + "x" * 500
        return http(json.dumps({"error": {"message": message, "key": key}}).encode(), f"X-Account: {ACCOUNT}", status=f"{status} {key}")

    return answer


def a_list(key: str, written: str) -> bytes:
    return groq("a", "b", description=f"asked with {written}") if key else groq("a", "b")


ANSWERS: dict[str, Answerer] = {
    **{f"status {status}": refusal(status) for status in ("400", "401", "402", "403", "404", "500")},
    "429": lambda key: http(b"RAWBODY", f"Retry-After: {key}", status="429 Slow"),
    "redirect to a host": lambda key: http(b"RAWBODY", f"Location: https://{quote(key, safe='')}.elsewhere.invalid/", status="302 Found"),
    "redirect to a host in plain": lambda key: http(b"", f"Location: //x{key}.invalid/{key}", status="307 Found"),
    "redirect with a user": lambda key: http(b"", f"Location: https://{quote(key, safe='')}:x@elsewhere.invalid/{key}", status="308 Found"),
    "redirect to a long host": lambda key: http(b"", f"Location: https://{'x' * 185}{quote(key, safe='')}/", status="301 Found"),
    "list in plain": lambda key: http(a_list(key, key)),
    "list in base64": lambda key: http(a_list(key, base64.b64encode(f"k:{key}".encode()).decode())),
    "list with an address": lambda key: http(a_list(key, quote(key, safe=""))),
    "text": lambda key: http(f"no list for {key or 'you'}".encode()),
    "next page": lambda _: http(b'{"data": [{"id": "a"}], "links": {"next": "https://u:LINK-OF-U@elsewhere.invalid/"}}'),
    "coding": lambda key: http(b"RAWBODY", f"Content-Encoding: {key or 'br'}"),
    "a broken head": lambda key: f"{key} RAWBODY\r\n\r\n".encode(),
    "cut": lambda key: http(groq("a")[:20], "Content-Length: 900", f"X-Key: {key}"),
    "nothing": lambda _: b"",
}


def repeating(served: Sequence[Served], answer: Answerer, token: bytes) -> Handler:
    async def handle(writer: asyncio.StreamWriter, number: int) -> None:
        request = served[0].requests[number - 1]
        writer.write(token if "/token " in request.partition("\r\n")[0] else answer(key_sent(request)))

    return handle


@pytest.mark.parametrize(
    ("how", "names"),
    [
        pytest.param({}, list(ANSWERS), id="with keys", marks=pytest.mark.soak),
        pytest.param({}, None, id="with keys, half of them"),
        pytest.param(
            {"origin": f"http://{PROXY}@"},
            ["status 401", "redirect to a host", "list in plain"],
            id="with a token for the origin",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_i31_i32_no_secret_and_no_raw_body_is_said_or_stored_whatever_is_answered(
    simulator: Simulator, servers: Servers, database_url: str, tmp_path: Path, how: dict[str, str], names: list[str] | None
) -> None:
    """In `./run test` every answer goes to one of the two databases."""
    names = names or list(ANSWERS)[database_url.startswith("sqlite") :: 2]
    served: list[Served] = []
    served.append(servers.serve(answering(b"")))
    origin = served[0].origin.replace("http://", how.get("origin", "http://"))
    keys = {provider.auth.variables[0]: key_of(slug) for slug, provider in registry.load().items()}
    values = {"GOOGLE_VERTEX_CREDENTIALS_JSON": simulator.service_account(), "DATABASE_URL": with_password(database_url)}
    limits = {"MODELSYNC_ATTEMPTS": "1", "MODELSYNC_ARCHIVE": "kept", "MODELSYNC_DEADLINE": "20"}
    runner = Runner(tmp_path / "at", environment(tmp_path) | keys | values | limits | {"MODELSYNC_ORIGIN": origin})
    good = http(json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode())
    for name in names:
        served[0].handler = repeating(served, ANSWERS[name], good)
        runner.run("sync", "--verbose", "--json", codes=(0, 1, 3, 4))
    served[0].handler = repeating(served, ANSWERS["status 402"], refusal("400")(ACCOUNT))
    runner.run("sync", "--verbose", codes=(1,))
    runner.run("doctor", codes=(1,))
    runner.python(API)
    served[0].handler = hang
    runner.run("sync", "--verbose", codes=(1,), MODELSYNC_DEADLINE="1")
    runner.run("sync", "--verbose", codes=(1,), MODELSYNC_ORIGIN=origin.rpartition(":")[0] + ":1")
    runner.run("runs", "--json")
    runner.run("settings")

    sent = {key_sent(request) for request in served[0].requests}
    if not how:
        assert sent >= {key_of(slug) for slug in registry.load() if slug in KEYED} | {TOKEN}
    words = ["CANARYofTheDatabase", "CANARYofTheAccount", "CANARYofGoogle", PROXY, *(f"CANARYof{slug}" for slug in registry.load())]
    assert leaks(runner.everything(database_url), [*words, "RAWBODY"]) == []
    assert leaks([*runner.said, *dump_of(database_url)], ["LINK-OF-U"]) == []  # an archive keeps answers as they are


# Where keys go


def test_i33_each_key_goes_to_its_own_provider_and_no_other(simulator: Simulator, servers: Servers, tmp_path: Path) -> None:
    values = {"GOOGLE_VERTEX_CREDENTIALS_JSON": simulator.service_account()}
    served: dict[str, Served] = {}
    for slug, provider in registry.load().items():
        served[slug] = servers.serve(answering(http(b"{}", status="404 Not Found")))
        values[f"MODELSYNC_ORIGIN_{slug.replace('-', '_').upper()}"] = served[slug].origin
        if slug != "google-vertex":
            values[provider.auth.variables[0]] = key_of(slug)
    program(values, f"sqlite:///{tmp_path}/catalog.db", tmp_path).sync()
    for slug, server in served.items():
        assert server.requests, slug
        others = [key_of(other) for other in served if other not in (slug, "google-vertex")]
        assert [word for request in server.requests for word in others if word in request] == []
    assert {slug for slug in KEYED if any(key_of(slug) in request for request in served[slug].requests)} == set(KEYED)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_i33_no_key_follows_a_redirect_or_a_link_to_another_place(bench: Bench, status: int) -> None:
    elsewhere = bench.servers.serve(answering(http(groq("a"))))
    for slug in KEYED:
        bench.serve(slug, answering(http(b"", f"Location: {elsewhere.origin}/models", status=f"{status} Moved")))
    linking = json.dumps({"data": [{"id": "a"}], "links": {"next": f"{elsewhere.origin}/api/v1/models?offset=1"}}).encode()
    bench.failures(*KEYED)
    first = bench.serve("openrouter", answering(http(linking)))
    report = bench.sync("openrouter")
    assert report.status == "failed"
    assert "authorization: bearer" in first.requests[0].lower()
    assert elsewhere.requests == []


def test_i33_no_key_and_no_token_goes_over_plain_http_to_another_machine(bench: Bench) -> None:
    """0.0.0.0 leads here, and is no loopback address."""
    served = bench.servers.serve(answering(http(groq("a"))), host="0.0.0.0")
    origin = f"http://0.0.0.0:{served.port}"
    for slug in (*KEYED, "google_vertex"):
        bench.point(slug, origin)
    for slug, failure in bench.failures(*KEYED).items():
        assert (failure.kind, failure.message) == (FailureKind.CONFIG, "a key would be sent over plain http"), slug
    assert "not https" in str(bench.outcome("google-vertex"))
    assert served.requests == []


def test_i33_a_token_of_google_is_a_key_like_any_other(servers: Servers) -> None:
    """google-auth writes the name of its header in lower case."""
    served = servers.serve(answering(http(groq("a"))), host="0.0.0.0")
    origins = Origins(by_slug={"google-vertex": f"http://0.0.0.0:{served.port}"})

    async def ask() -> Answer | Unanswered:
        with ThreadPoolExecutor(1) as threads:
            async with httpx2.AsyncClient() as client:
                asker = Asker(client, QUICK, origins, "google-vertex", "X", time.monotonic() + 10, threads)
                request = Request(registry.load()["google-vertex"].endpoints[0], "https://aiplatform.googleapis.com/x")
                return await asker.ask(request, Authorization({"authorization": f"Bearer {TOKEN}"}, frozenset({TOKEN})), {})

    came = asyncio.run(ask())
    assert isinstance(came, Unanswered)
    assert came.failure.message == "a key would be sent over plain http"
    assert served.requests == []
