"""Whatever a command opens can fail to open: a port, a file, a database. It says which, and what to do; nobody sees a traceback."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import free_port
from support.cli import environment, run

KEY = "0123456789abcdef" * 4


def unreadable(path: Path) -> None:
    """A file that is there and fails when it is read, for every user."""
    path.symlink_to("/proc/self/mem")


def with_dotenv(folder: Path) -> dict[str, str]:
    unreadable(folder / ".env")
    return {}


def with_toml(folder: Path) -> dict[str, str]:
    unreadable(folder / "modelsync.toml")
    return {}


def with_google_key(_: Path) -> dict[str, str]:
    return {"GOOGLE_APPLICATION_CREDENTIALS": "~nobody-of-this-name/key.json", "MODELSYNC_PROVIDERS": "google-vertex"}


@pytest.mark.parametrize("command", ["status", "models", "sync", "doctor", "serve", "settings", "held", "db current"])
@pytest.mark.parametrize(
    ("prepared", "told"),
    [
        (with_dotenv, ".env cannot be read (Input/output error)"),
        (with_toml, "modelsync.toml cannot be read (Input/output error)"),
        (lambda _: {"MODELSYNC_CONFIG": "a" * 5000}, "… cannot be read (File name too long)"),
        (lambda _: {"MODELSYNC_CONFIG": "not-there.toml"}, "MODELSYNC_CONFIG names"),
        (lambda _: {"DATABASE_URL": "mysql://a:secretpw@h/d"}, "DATABASE_URL cannot be read as a database address"),
    ],
    ids=["a .env", "a TOML file", "a name too long", "a file that is not there", "an unknown database"],
)
def test_a_setting_that_cannot_be_read_ends_in_one_sentence(
    tmp_path: Path, command: str, prepared: Callable[[Path], dict[str, str]], told: str
):
    done = run(tmp_path, *command.split(), env=environment(tmp_path) | prepared(tmp_path))
    if command in ("settings", "doctor") and told.startswith("DATABASE_URL"):  # these show what stands in the way, and go on
        assert done.returncode == (1 if command == "doctor" else 0)
        assert ("✗  database           DATABASE_URL cannot be read" in done.stdout) == (command == "doctor")
        assert "secretpw" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return
    assert (done.returncode, done.stdout) == (64, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secretpw" not in done.stderr


def test_a_key_file_of_a_user_who_is_not_there_is_that_providers_failure(tmp_path: Path):
    done = run(tmp_path, "sync", env=environment(tmp_path) | with_google_key(tmp_path))
    assert done.returncode == 1
    assert "✗ google-vertex: the Google credentials cannot be read (FileNotFoundError). Put a service account's JSON into" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["simulate", "serve"])
def test_a_port_that_is_taken_is_told_before_anything_else(tmp_path: Path, command: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, command, "--port", str(port), env=environment(tmp_path, ADMIN_API_KEY=KEY))
    hint = "Name another one with --port, or end that program; nothing was started\n"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"modelsync: Port {port} of 127.0.0.1 is taken by another program. {hint}"


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b", "x" * 70])
@pytest.mark.parametrize("command", ["simulate", "serve"])
def test_an_address_of_another_machine_is_none_to_listen_at(tmp_path: Path, command: str, host: str):
    done = run(tmp_path, command, "--host", host, "--port", str(free_port()), env=environment(tmp_path, ADMIN_API_KEY=KEY))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"modelsync: Nothing can listen at {host}: it is no address of this machine. ")


def test_no_host_is_every_address(tmp_path: Path):
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, "serve", "--host", "", "--port", str(port), env=environment(tmp_path, ADMIN_API_KEY=KEY))
    assert (done.returncode, done.stdout) == (1, "")
    assert "is taken by another program" in done.stderr
