"""The documents of the REST API: every curl command in them works on a real server, and no route is left out."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest

from modelsync.simulator.server import Simulator
from support.api import ADMIN, AS_ADMIN, Served, serving
from support.cli import ROOT

FIRST = "docs/rest.md"
PAGES = ("docs/providers_management.md", "docs/models_catalog_management.md", "docs/admin_api.md")
SHOWN = "http://127.0.0.1:8000"
CODES = {"POST /providers": 201, "POST /models": 201}
"""Commands that answer anything but 200, by method and path."""

CURL = """curl() {
    command curl --silent --show-error --write-out '%{stderr}%{http_code} %{method} %{url_effective} %{content_type}\\n' "$@"
}"""
"""curl, as commands call it, telling more."""

AS_TEXT = ("text/csv", "application/x-ndjson", "application/atom+xml", "text/plain")

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Served]:
    with serving(tmp_path, database_url, simulator) as found:
        yield found


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("document")
    with serving(folder, f"sqlite:///{folder}/catalog.db") as found:
        yield found.get("/openapi.json")


def commands(name: str) -> list[str]:
    """The curl commands in a page's blocks of code, in their order."""
    fenced = re.findall(r"^```sh\n(.*?)^```$", (ROOT / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = "".join(fenced).replace("\\\n", "").splitlines()
    return [line for line in lines if line.startswith("curl ")]


class Answer(NamedTuple):
    """What came back for a command."""

    status: int
    method: str
    path: str
    media: str
    body: str


class Shell:
    """Runs commands as somebody would who reads the page; ID is the `id` in the answer before."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.folder = folder
        self.id = ""

    def run(self, command: str) -> Answer:
        """The answer to a command."""
        script = f"{CURL}\n{command.replace(SHOWN, self.served.base)}"
        env = {"PATH": os.environ["PATH"], "ADMIN_API_KEY": ADMIN, "ID": self.id, "NO_PROXY": "*"}
        done = subprocess.run(["sh", "-c", script], cwd=self.folder, env=env, capture_output=True, text=True, timeout=60, check=False)
        found = re.fullmatch(rf"(\d+) (\w+) {self.served.base}([^ ?]*)\S* ?(.*)\n", done.stderr)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert found, (command, done.stderr)
        saved = re.search(r" -o (\S+)", command)
        body = (self.folder / saved[1]).read_text("utf-8") if saved else done.stdout
        if found[4] == "application/json":
            self.id = str(json.loads(body).get("id", self.id))
        return Answer(int(found[1]), found[2], found[3], found[4].partition(";")[0], body)


def template_of(document: Any, path: str) -> str:
    """The route that answers a path: the one with the fewest parameters."""
    patterns = {name: re.sub(r"{\w+}", "[^/]+", name.replace("{model}", ".+")) for name in document["paths"]}
    fitting = [name for name, pattern in patterns.items() if re.fullmatch(pattern, path)]
    return min(fitting, key=lambda name: name.count("{"))


def ensure_valid(document: Any, schema: Any, value: Any) -> None:
    """Complain about a value that does not fit a schema of the document."""
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.validator_for(whole, validate_formats=True).validate(value)


@pytest.mark.parametrize("name", [FIRST, *PAGES])
def test_every_curl_command_works(name: str, served: Served, document: Any, tmp_path: Path):
    lines = commands(name)
    assert len(lines) > 12
    if name != FIRST:  # which starts with an empty catalog
        served.admin.post("/admin/model-sync/all").raise_for_status()
    shell = Shell(served, tmp_path)
    if name == PAGES[0]:
        shell.id = str(served.get("/providers/slug/near")["id"])
    for line in lines:
        answer = shell.run(line)
        if "--etag-compare" in line:
            assert (answer.status, answer.body) == (304, ""), line
        else:
            ensure_documented(document, line, answer)
        if answer.status == 202:
            wait_for(served, json.loads(answer.body)["details"]["run_id"])


def ensure_documented(document: Any, line: str, answer: Answer) -> None:
    """Complain when a command did not do what it should, or its answer is not what OpenAPI says."""
    path = template_of(document, answer.path)
    expected = 202 if "respond-async" in line else CODES.get(f"{answer.method} {path}", 200)
    assert answer.status == expected, (line, answer)
    assert answer.body, line
    content = document["paths"][path][answer.method.lower()]["responses"][str(answer.status)]["content"]
    assert answer.media in content, (line, answer.media)
    if answer.media not in AS_TEXT:
        ensure_valid(document, content[answer.media]["schema"], json.loads(answer.body))


def wait_for(served: Served, run_id: int) -> None:
    """Until a run is over, so that the commands after it do not meet it."""
    while served.admin.get(f"/admin/model-sync/runs/{run_id}").json()["run"]["status"] == "running":
        pass


def test_a_wrong_command_would_be_noticed(served: Served, document: Any, tmp_path: Path):
    shell = Shell(served, tmp_path)
    assert shell.run(f'curl "{SHOWN}/models?suports_vision=true"').status == 422
    assert shell.run(f'curl "{SHOWN}/admin/held"').status == 401
    with pytest.raises(AssertionError):
        ensure_documented(document, "", shell.run(f'curl "{SHOWN}/models/1"'))
    status = served.get("/models/stats")
    ensure_valid(document, {"$ref": "#/components/schemas/ModelStats"}, status)
    with pytest.raises(jsonschema_rs.ValidationError):
        ensure_valid(document, {"$ref": "#/components/schemas/ModelStats"}, {**status, "total": "many"})


def routes(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            yield f"{method.upper()} {path}", route["operationId"], route


def test_every_route_says_what_it_does(document: Any):
    found = list(routes(document))
    assert len(found) > 50
    assert [name for name, _, route in found if not route.get("summary") or not told(route)] == []
    operations = [operation for _, operation, _ in found]
    assert len(operations) == len(set(operations))


def told(route: Any) -> str:
    """What a route's own words are, without the line about its key."""
    return re.sub(r"\s*Needs a key of scope \w+ or more\.", "", route.get("description", ""))


def test_every_route_has_an_example_of_its_answer_and_of_its_body(document: Any):
    for name, _, route in routes(document):
        (good,) = [answer for code, answer in route["responses"].items() if code in ("200", "201")]
        assert any("example" in media for media in good["content"].values()), name
        if "requestBody" in route:
            assert "example" in route["requestBody"]["content"]["application/json"], name


def test_examples_fit_the_schemas(document: Any):
    for name, _, route in routes(document):
        contents = [answer["content"] for answer in route["responses"].values() if "content" in answer]
        contents += [route["requestBody"]["content"]] if "requestBody" in route else []
        for content in contents:
            for media in content.values():
                if "example" in media:
                    try:
                        ensure_valid(document, media["schema"], media["example"])
                    except jsonschema_rs.ValidationError as problem:
                        raise AssertionError(name) from problem


def test_examples_show_holds_as_they_were_decided(document: Any):
    posts = {name: route["post"]["responses"]["200"] for name, route in document["paths"].items() if name.startswith("/admin/held/")}
    found = {name: hold["status"] for name, answer in posts.items() for hold in answer["content"]["application/json"]["example"]["data"]}
    status = {"confirm": "confirmed", "reject": "rejected", "reopen": "open"}
    assert found == {name: status[name.rpartition("/")[2]] for name in posts}
    assert len(found) == 5


def test_every_route_is_on_one_of_the_pages(document: Any):
    pages = "".join((ROOT / name).read_text("utf-8") for name in PAGES)
    assert [name for name, _, _ in routes(document) if pages.count(f"| `{name}` |") != 1] == []


def test_every_route_that_needs_a_key_says_so_and_refuses_without_it(document: Any, served: Served):
    for name, _, route in routes(document):
        method, path = name.split()
        closed = method != "GET" or path.startswith("/admin/")
        answer = served.client.request(method, re.sub(r"{\w+}", "1", path))
        assert (answer.status_code == 401, bool(route["security"])) == (closed, closed), name


def test_examples_hold_no_key_and_no_port_of_their_recording():
    text = (ROOT / "src" / "modelsync" / "api" / "examples.json").read_text("utf-8")
    assert "examples-are-recorded" not in text
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", text)) <= {"8000", "8900"}
    assert AS_ADMIN["Authorization"] not in text


def test_every_answer_and_every_body_has_a_schema(document: Any):
    for name, _, route in routes(document):
        contents = [answer["content"] for answer in route["responses"].values()] + [route.get("requestBody", {}).get("content", {})]
        assert all(media["schema"] for content in contents for media in content.values()), name
