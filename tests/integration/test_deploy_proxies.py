"""nginx and Caddy in front of a real server, with the files in deploy/: where they are installed."""

import contextlib
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from support.api import Served, free_port, serving
from support.cli import ROOT

NGINX, CADDY = ROOT / "deploy" / "nginx" / "modelsync.conf", ROOT / "deploy" / "caddy" / "Caddyfile"
ELSEWHERE = "203.0.113.9"
"""Who a client says that it is."""


def needed(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: apt-get install {program}")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, f"sqlite:///{tmp_path}/catalog.db", MODELSYNC_TRUSTED_PROXIES="127.0.0.1") as found:
        yield found


@contextlib.contextmanager
def running(command: list[str], folder: Path, url: str, trusted: ssl.SSLContext | bool) -> Iterator[httpx2.Client]:
    """A proxy, and a client of it."""
    log = folder / "proxy.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)}, stdout=out, stderr=out)
    try:
        with httpx2.Client(base_url=url, verify=trusted) as client:
            ends_at = time.monotonic() + 20
            while True:
                try:
                    client.get("/health/live")
                    break
                except httpx2.TransportError:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < ends_at, log.read_text()
                    time.sleep(0.05)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def look_through(client: httpx2.Client, served: Served) -> httpx2.Response:
    """A client that says to be somebody else is who it is, and may not ask for numbers."""
    answer = client.get("/models", headers={"X-Forwarded-For": ELSEWHERE})
    assert (answer.status_code, "data" in answer.json()) == (200, True)
    assert client.get("/metrics").status_code == 404
    assert client.post("/admin/model-sync/all").status_code == 401
    said = served.log.read_text("utf-8")
    assert '"client": "127.0.0.1"' in said
    assert ELSEWHERE not in said
    assert served.client.get("/metrics").status_code == 200
    return answer


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for this machine; its key is beside it."""
    needed("openssl")
    folder = tmp_path / "ssl"
    folder.mkdir()
    made = folder / "models.example.org.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(folder / "models.example.org.key")]
    subprocess.run(["openssl", "req", "-x509", *key, *names, "-out", str(made)], check=True, capture_output=True)
    return made


def nginx_with(folder: Path, certificate: Path, served: Served) -> tuple[list[str], int, int]:
    """nginx with the file as it is, but for the ports and the certificate; its ports for HTTP and TLS."""
    plain, secure = free_port(), free_port()
    text = NGINX.read_text("utf-8").replace("/etc/ssl/", f"{certificate.parent}/").replace("http://127.0.0.1:8000", served.base)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{plain};").replace("listen 443 ", f"listen 127.0.0.1:{secure} ")
    (folder / "modelsync.conf").write_text(text)
    places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
    around = f"{main}http {{\naccess_log off;\n{places}include {folder}/modelsync.conf;\n}}\n"
    (folder / "nginx.conf").write_text(around)
    return [shutil.which("nginx") or "", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"], plain, secure


def test_nginx_in_front(tmp_path: Path, served: Served, certificate: Path) -> None:
    needed("nginx")
    command, plain, secure = nginx_with(tmp_path, certificate, served)
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert (tried.returncode, "[warn]" in tried.stderr) == (0, False), tried.stderr
    trusted = ssl.create_default_context(cafile=str(certificate))
    with running(command, tmp_path, f"https://127.0.0.1:{secure}", trusted) as client:
        assert "max-age=" in look_through(client, served).headers["Strict-Transport-Security"]
        moved = httpx2.get(f"http://127.0.0.1:{plain}/models?q=x", verify=trusted)
        assert (moved.status_code, moved.headers["location"]) == (301, "https://127.0.0.1/models?q=x")
        assert client.post("/models", content=b"x" * (1024 * 1024 + 1)).status_code == 413


def test_nginx_would_notice_a_wrong_line(tmp_path: Path, served: Served, certificate: Path) -> None:
    needed("nginx")
    command, *_ = nginx_with(tmp_path, certificate, served)
    with (tmp_path / "modelsync.conf").open("a") as file:
        file.write("limit_requests 5;\n")
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert (tried.returncode, "limit_requests" in tried.stderr) == (1, True)


def test_caddy_in_front(tmp_path: Path, served: Served) -> None:
    needed("caddy")
    caddy, env = shutil.which("caddy") or "", {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    validated = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", CADDY], env=env, capture_output=True, text=True, check=False
    )
    assert validated.returncode == 0, validated.stderr
    formatted = subprocess.run([caddy, "fmt", CADDY], env=env, capture_output=True, text=True, check=False)
    assert formatted.stdout == CADDY.read_text("utf-8")
    port = free_port()
    text = CADDY.read_text("utf-8").replace("models.example.org {", f"http://127.0.0.1:{port} {{")
    text = text.replace("{\n", "{\n\tadmin off\n", 1).replace("127.0.0.1:8000", served.base.removeprefix("http://"))
    (tmp_path / "Caddyfile").write_text(text)
    command = [caddy, "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    with running(command, tmp_path, f"http://127.0.0.1:{port}", trusted=False) as client:
        assert "max-age=" in look_through(client, served).headers["Strict-Transport-Security"]


def test_the_proxies_and_the_units_agree_on_the_port() -> None:
    unit = (ROOT / "deploy" / "systemd" / "modelsync.service").read_text("utf-8")
    assert "serve --host 127.0.0.1 --port 8000\n" in unit
    assert "proxy_pass http://127.0.0.1:8000;" in NGINX.read_text("utf-8")
    assert "reverse_proxy 127.0.0.1:8000 {" in CADDY.read_text("utf-8")
