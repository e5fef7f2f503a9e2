"""A real server: `modelsync serve` as a process of its own, and a client that talks to it."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx2

from modelsync.fetch import authorities
from modelsync.simulator.server import Simulator
from support import process as support_process
from support.cli import environment

ADMIN = "admin-key-of-the-tests-0123456789"
AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}


class Served:
    """A server and how to talk to it. `client` has no key; `admin` has one for everything."""

    def __init__(self, process: ForkServerProcess, base: str, log: Path) -> None:
        self.process = process
        self.base = base
        self.log = log
        self.client = httpx2.Client(base_url=base, timeout=60, verify=authorities())
        self.admin = httpx2.Client(base_url=base, timeout=60, verify=authorities(), headers=AS_ADMIN)

    def close(self) -> None:
        self.client.close()
        self.admin.close()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a page that anybody may read."""
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()


def got(answer: httpx2.Response, status: int = 200) -> Any:
    """The JSON of an answer that has this status."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    return answer.json()


def refused(answer: httpx2.Response, status: int, *words: str) -> None:
    """An error as every one is: a sentence with these words, and nothing else."""
    body = got(answer, status)
    assert list(body) == ["detail"]
    assert [word for word in words if word not in body["detail"]] == [], body
    assert "Traceback" not in answer.text


def acts(served: Served) -> list[tuple[str, str, str]]:
    """What was written down, oldest first."""
    rows = served.admin.get("/admin/audit").json()["data"]
    assert {row["actor"] for row in rows} <= {"ADMIN_API_KEY"}
    return [(row["action"], row["target"], row["reason"]) for row in reversed(rows)]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, database_url: str, simulator: Simulator | None = None, **more: str) -> Iterator[Served]:
    """A server over a database, with the simulator as every provider. No limit of rate unless one is given."""
    env = environment(folder, simulator, **{"ADMIN_API_KEY": ADMIN, "MODELSYNC_RATE": "0", "DATABASE_URL": database_url, **more})
    with started(folder, env) as served:
        yield served


@contextlib.contextmanager
def started(folder: Path, env: Mapping[str, str], first: Callable[[], None] | None = None) -> Iterator[Served]:
    """A server with this environment, ended at the end; `first` is called in it before."""
    port, log = free_port(), folder / "serve.log"
    process = support_process.start(env, folder, ["serve", "--port", str(port)], log, log, first)
    served = Served(process, f"http://127.0.0.1:{port}", log)
    try:
        _wait(served)
        yield served
    finally:
        served.close()
        process.terminate()
        support_process.code_of(process, 20)


def _wait(served: Served) -> None:
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at and served.process.exitcode is None:
        with contextlib.suppress(httpx2.TransportError):
            if served.client.get("/health/live").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(served.log.read_text("utf-8"))
