"""The image, the compose file and the example for Kubernetes in deploy/: performed step by step as far as that goes without an engine.

PyYAML is in the environment of development; the files are read with it, as the programs that they are for read them.
"""

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import yaml

from modelsync import __version__
from modelsync.cli.program import app
from modelsync.database.migrate import Schema
from modelsync.simulator.server import Simulator
from support import postgres
from support.api import free_port
from support.cli import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text("utf-8"))
OURS: dict[str, Any] = {name: each for name, each in COMPOSE["services"].items() if name != "postgres"}
KUBERNETES: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "modelsync.yaml").read_text("utf-8")))
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
DRAINED = 20 + 5
"""Seconds after which a scheduler has ended that was told to."""


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """What runs, by the name of what makes it."""
    for document in KUBERNETES:
        if "template" in document.get("spec", {}):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in pods():
        for each in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{name}: {each['name']}", each


# Every file


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_can_be_read(path: Path) -> None:
    text = path.read_text("utf-8")
    match path.suffix:
        case ".yml" | ".yaml":
            assert all(isinstance(document, dict) for document in yaml.safe_load_all(text))
        case ".json":
            assert json.loads(text)
        case ".service" | ".timer":
            assert re.findall(r"^\[(\w+)\]$", text, re.MULTILINE)[0] == "Unit"
        case _:
            assert text.endswith("\n")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours that a file starts, or names in a comment or an annotation."""
    for path in FILES:
        text = path.read_text("utf-8")
        for found in re.findall(r"-m modelsync (.*)$", text, re.MULTILINE):
            yield path.name, shlex.split(found)
        for found in re.findall(r"`modelsync ([^`]+)`", text):
            yield path.name, shlex.split(found)
    yield "Dockerfile", dict(instructions_in_json())["CMD"]
    for name, service in OURS.items():
        yield f"compose.yaml: {name}", service["command"]
    for name, container in containers():
        yield f"modelsync.yaml: {name}", container["args"]


def test_commands_are_commands() -> None:
    found = list(commands())
    assert {name for name, _ in found} > {
        "Dockerfile",
        "modelsync.service",
        "modelsync-scheduler.service",
        "compose.yaml: web",
        "alerts.yml",
    }
    for name, arguments in found:
        assert all(isinstance(argument, str) for argument in arguments), (name, arguments)
        command, *_ = app.parse_args(arguments, exit_on_error=False, print_error=False)
        assert callable(command), (name, arguments)


# The image


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile and what stands behind it, in one line."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def instructions_in_json() -> Iterator[tuple[str, list[str]]]:
    """What the image starts, and its check."""
    for word, rest in instructions():
        if word in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
            yield word, json.loads(rest[rest.index("[") :])


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets a path into the build. The last line that fits it, or a folder above it, counts."""
    parts = path.split("/")
    places = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    sent = True
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
            if any(re.fullmatch(pattern, place) for place in places):
                sent = line.startswith("!")
    return sent


@pytest.mark.parametrize(
    "name", [".env", "src/.env", ".git/config", "modelsync.db", "src/modelsync/__pycache__/app.pyc", "tests/conftest.py"]
)
def test_what_has_no_place_in_the_image_is_not_even_sent(name: str) -> None:
    assert not is_sent(name)
    assert is_sent("src/modelsync/app.py")
    assert is_sent("requirements.txt")


NOT_PERFORMED = {
    "pip --python .venv install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt": (
        "takes a minute; the same packages of the environment that runs this test are linked"
    ),
    "pip uninstall --yes --root-user-action ignore pip": "would take this machine's",
    "groupadd --gid 10001 modelsync && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/modelsync"
    " --shell /usr/sbin/nologin modelsync && install -d -o modelsync -g modelsync -m 750 /var/lib/modelsync": "would change this machine",
}
"""Steps of the Dockerfile, and why they are not performed."""

PERFORMED = ("python -m venv ", "python -m compileall ")
"""How those begin that are. All of them name places in the working folder only."""


class Image(NamedTuple):
    """What came of the Dockerfile: a folder in the place of `/`, and how it starts."""

    root: Path
    env: dict[str, str]
    workdir: Path
    started: dict[str, list[str]]

    def popen(self, arguments: Sequence[str], **env: str) -> "subprocess.Popen[str]":
        """The image with these arguments, started, with nothing else in its environment."""
        command = [*self.started["ENTRYPOINT"], *arguments]
        given = {**self.env, **env}
        return subprocess.Popen(command, cwd=self.workdir, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, arguments: Sequence[str], **env: str) -> tuple[int, str]:
        """How it ends with these arguments, and what it says."""
        process = self.popen(arguments, **env)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def check(self, command: Sequence[str]) -> int:
        """How a health check ends."""
        return subprocess.run(command, cwd=self.workdir, env=self.env, capture_output=True, timeout=30, check=False).returncode

    def files(self) -> list[str]:
        """Everything that may not be written when it runs."""
        return sorted(str(Path(folder, name)) for folder, _, names in os.walk(self.root / "opt") for name in names)


def link_packages(site_packages: Path) -> None:
    """Give an environment exactly the packages that requirements.txt names, from the one that runs this test."""
    for name, marked in re.findall(r"^([\w.-]+)==\S+( ;)?", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE):
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            assert marked, f"{name} is for every machine, and not here"
            continue
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            link = site_packages / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))


class Builder:
    """Performs a Dockerfile in folders, a stage in each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages: dict[str, Path] = {}
        bin_ = folder / "bin"
        bin_.mkdir()
        (bin_ / "python").symlink_to(sys._base_executable)  # as in an image of Python: not in an environment
        self._run_env = {"PATH": f"{bin_}:/usr/bin:/bin"}

    def build(self) -> Image:
        env: dict[str, str] = {}
        root = workdir = self._folder
        for word, rest in instructions():
            match word:
                case "FROM":
                    root = workdir = self._folder / f"stage{len(self._stages)}"
                    self._stages[rest.partition(" AS ")[2] or "final"] = root
                    for name in ("tmp", "var/lib/modelsync"):
                        (root / name).mkdir(parents=True)
                case "WORKDIR":
                    workdir = root / rest.strip("/")
                    workdir.mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(shlex.split(rest), root, workdir)
                case "RUN":
                    self._run(re.sub(r"--mount=\S+ ", "", rest), workdir)
                case "ENV":
                    pairs = (each.partition("=") for each in shlex.split(rest))
                    env |= {name: re.sub(r"(?<![\w/])/(?=(?:opt|tmp)\b)", f"{root}/", value) for name, _, value in pairs}
                case _:
                    assert word in ("ARG", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"), word
        return Image(root, env, workdir, dict(instructions_in_json()))

    def _copy(self, words: list[str], root: Path, workdir: Path) -> None:
        source = ROOT
        if words[0].startswith("--from="):
            source = self._stages[words.pop(0).removeprefix("--from=")]
        *names, target = words
        place = root / target.strip("/") if target.startswith("/") else workdir / target
        for name in names:
            there = source / name.strip("/")
            if there.is_dir():
                kept = None if source != ROOT else lambda folder, names: [each for each in names if not self._sent(folder, each)]
                shutil.copytree(there, place, symlinks=True, ignore=kept, dirs_exist_ok=True)
            else:
                assert source != ROOT or is_sent(name), f"{name} is left out by .dockerignore"
                shutil.copy(there, place)

    @staticmethod
    def _sent(folder: str, name: str) -> bool:
        return is_sent(str(Path(folder, name).relative_to(ROOT)))

    def _run(self, command: str, workdir: Path) -> None:
        if command.startswith(PERFORMED):
            assert "/" not in command, "a place of this machine"
            subprocess.run(["sh", "-c", command], cwd=workdir, env=self._run_env, check=True)
        else:
            assert command in NOT_PERFORMED
            if "pip --python .venv install" in command:
                (site_packages,) = (workdir / ".venv").glob("lib/python3*/site-packages")
                assert list(site_packages.iterdir()) == []
                link_packages(site_packages)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Builder(tmp_path_factory.mktemp("image")).build()


def test_the_image_is_as_small_in_rights_as_it_says(image: Image) -> None:
    words = instructions()
    last = max(number for number, (word, _) in enumerate(words) if word == "FROM")
    final = words[last:]
    assert ("USER", "10001:10001") in final
    assert [rest for word, rest in final if word == "COPY"] == ["--from=build /opt/modelsync /opt/modelsync"]
    assert not [rest for word, rest in final if word == "RUN" and re.search(r"\bapt|\binstall (?!-d)|gcc|build-essential", rest)]
    assert not [rest for word, rest in words if word in ("ARG", "ENV") and re.search(r"KEY|PASSWORD|TOKEN|DATABASE", rest)]
    assert "HEALTHCHECK" in dict(words)
    assert not (image.root / "opt/modelsync/.venv/bin/pip").exists()


def test_the_image_says_its_version_and_without_a_key_it_does_not_serve_others(image: Image) -> None:
    assert image.run(["--version"]) == (0, f"{__version__}\n")
    code, said = image.run([*image.started["CMD"][:-1], str(free_port())])
    assert (code, "Set ADMIN_API_KEY" in said) == (64, True)


# The compose file


def at_port(words: Sequence[str], port: int) -> list[str]:
    return [word.replace("8000", str(port)) for word in words]


def filled_in(values: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Variables of a service with what `.env` gives; what is asked for and missing is a KeyError."""
    return {name: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: given[found[1]], value) for name, value in values.items()}


@contextmanager
def running(image: Image, command: Sequence[str], env: Mapping[str, str], seconds: float) -> Iterator["subprocess.Popen[str]"]:
    """A service, told to end at the end: it does within so many seconds, by itself."""
    process = image.popen(command, **env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode in (0, -signal.SIGTERM), printed


def until(client: httpx2.Client, path: str, words: str, process: "subprocess.Popen[str]") -> str:
    """The page, once it has these words."""
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            answer = client.get(path)
        except httpx2.TransportError:
            answer = None
        if answer is not None and answer.status_code == 200 and words in answer.text:
            return answer.text
        time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[0])


def test_the_services_do_their_work_on_a_postgres(image: Image, postgres_server: str, simulator: Simulator) -> None:
    """As they are: commands, variables and checks of the file, in its order; only places and ports are others."""
    name = f"c{uuid.uuid4().hex[:12]}"
    place = postgres.new_database(postgres_server, name).partition("@")[2]
    given = {"POSTGRES_PASSWORD": "p@ss:w/rd?&x=1", "ADMIN_API_KEY": "k" * 32}
    of_file = {**given, "MODELSYNC_PROVIDERS": "cerebras,chutes", "MODELSYNC_ORIGIN": simulator.origin}
    variables = {
        service: {**of_file, **filled_in({k: v.replace("postgres:5432/catalog", place) for k, v in each["environment"].items()}, given)}
        for service, each in OURS.items()
    }
    before = image.files()
    assert image.run(["db", "current"], **variables["web"])[0] == 1  # as the pods of Kubernetes wait
    code, said = image.run(OURS["upgrade"]["command"], **variables["upgrade"])
    assert (code, f"schema {Schema.head}, upgraded from empty" in said) == (0, True), said
    assert image.run(["db", "current"], **variables["web"])[0] == 0
    port = free_port()
    web = at_port(OURS["web"]["command"], port)
    checks = [at_port(OURS["web"]["healthcheck"]["test"][1:], port), at_port(image.started["HEALTHCHECK"], port)]
    with running(image, web, variables["web"], 15) as served, httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        until(client, "/health/ready", '"ready"', served)
        assert [image.check(check) for check in checks] == [0, 0]
        with running(image, OURS["scheduler"]["command"], variables["scheduler"], DRAINED):
            until(client, "/providers?q=chutes", '"health_status":"healthy"', served)
        admin = {"Authorization": f"Bearer {given['ADMIN_API_KEY']}"}
        assert client.get("/admin/pins", headers=admin).status_code == 200
        assert client.get("/models.csv").status_code == 200  # a file in TMPDIR
    assert [image.check(check) != 0 for check in checks] == [True, True]
    assert image.files() == before, "something was written where the root is read-only"
    postgres.drop_database(postgres_server, name)


def test_services_have_no_more_rights_than_they_need() -> None:
    for name, service in OURS.items():
        assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"]), name
        assert int(service["stop_grace_period"].removesuffix("s")) >= DRAINED, name
        assert (service["tmpfs"] == "/tmp") != (service.get("volumes") == ["exports:/tmp"]), name
        assert service["image"] == OURS["upgrade"]["image"]
        assert ("build" in service, service.get("pull_policy")) == ((True, None) if name == "upgrade" else (False, "never"))
    assert all(port.startswith("127.0.0.1:") for service in COMPOSE["services"].values() for port in service.get("ports", []))
    gateway = COMPOSE["networks"]["default"]["ipam"]["config"][0]["gateway"]
    assert OURS["web"]["environment"]["MODELSYNC_TRUSTED_PROXIES"] == gateway
    assert OURS["web"]["environment"]["ADMIN_API_KEY"].startswith("${ADMIN_API_KEY:?")


def test_services_wait_for_the_tables() -> None:
    done = {"postgres": {"condition": "service_healthy"}, "upgrade": {"condition": "service_completed_successfully"}}
    assert (OURS["web"]["depends_on"], OURS["scheduler"]["depends_on"]) == (done, done)
    assert OURS["upgrade"]["depends_on"] == {"postgres": done["postgres"]}
    places = COMPOSE["services"]["upgrade"]["build"]
    folder = (DEPLOY / "docker" / places["context"]).resolve()
    assert (folder, (folder / places["dockerfile"]).read_text("utf-8")) == (ROOT, DOCKERFILE)
    named = {volume.partition(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", [])}
    assert named == set(COMPOSE["volumes"])


# Kubernetes


def test_pods_have_no_more_rights_than_they_need() -> None:
    assert [name for name, _ in pods()] == ["modelsync-upgrade", "modelsync-web", "modelsync-scheduler"]
    for name, pod in pods():
        shared = pod["securityContext"]
        assert (shared["runAsNonRoot"], shared["runAsUser"], shared["seccompProfile"]) == (True, 10001, {"type": "RuntimeDefault"}), name
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False), name
    for name, container in containers():
        context = container["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, name
        assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}], name
        assert "limits" in container["resources"], name
        assert [each["secretRef"]["name"] for each in container["envFrom"] if "secretRef" in each] == ["modelsync-environment"], name
    assert not [document for document in KUBERNETES if document["kind"] == "Secret"]


def test_what_belongs_together_has_the_same_names() -> None:
    named = {(document["kind"], document["metadata"]["name"]): document for document in KUBERNETES}
    assert len(named) == len(KUBERNETES)
    for name in ("web", "scheduler"):
        spec = named["Deployment", f"modelsync-{name}"]["spec"]
        labels = spec["template"]["metadata"]["labels"]
        (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
        assert labels == spec["selector"]["matchLabels"] == spread["labelSelector"]["matchLabels"]
        assert spec["replicas"] == 2
        assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= DRAINED
    (web,) = named["Deployment", "modelsync-web"]["spec"]["template"]["spec"]["containers"]
    assert web["livenessProbe"]["httpGet"] == web["startupProbe"]["httpGet"] == {"path": "/health/live", "port": "http"}
    assert web["readinessProbe"]["httpGet"] == {"path": "/health/ready", "port": "http"}
    labels = named["Deployment", "modelsync-web"]["spec"]["selector"]["matchLabels"]
    service, policy = named["Service", "modelsync"]["spec"], named["NetworkPolicy", "modelsync-web"]["spec"]
    assert labels == service["selector"] == policy["podSelector"]["matchLabels"]
    assert web["ports"][0]["name"] == service["ports"][0]["targetPort"] == policy["ingress"][0]["ports"][0]["port"]
    (path,) = named["Ingress", "modelsync"]["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "modelsync", "port": {"name": service["ports"][0]["name"]}}
    settings = named["ConfigMap", "modelsync-settings"]
    assert {"configMapRef": {"name": settings["metadata"]["name"]}} in web["envFrom"]
    assert list(settings["data"]) == ["MODELSYNC_TRUSTED_PROXIES"]
