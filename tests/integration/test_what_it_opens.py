"""Whatever a command opens can fail to open: a port, a file, a database. It says which, and what to do; nobody sees a traceback."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelsync.database.engine import is_sealed, snapshot
from modelsync.testing import D
from support.api import free_port
from support.cli import environment, run
from support.store import SLUG, model, opened

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
        (lambda _: {"DATABASE_URL": "mysql://a:secretpw@h/d"}, "The address of the database cannot be read"),
        (lambda _: {"SUPABASE_URL": "https://abcdefgh.supabase.co", "SUPABASE_KEY": "secretpw"}, "SUPABASE_URL and its keys are for"),
    ],
    ids=["a .env", "a TOML file", "a name too long", "a file that is not there", "an unknown database", "Supabase's web API"],
)
def test_a_setting_that_cannot_be_read_ends_in_one_sentence(
    tmp_path: Path, command: str, prepared: Callable[[Path], dict[str, str]], told: str
):
    done = run(tmp_path, *command.split(), env=environment(tmp_path) | prepared(tmp_path))
    if command in ("settings", "doctor") and told.startswith(("The address", "SUPABASE_URL")):  # these say it, and go on
        assert done.returncode == (1 if command == "doctor" else 0)
        assert f"✗  database           {told}" in done.stdout if command == "doctor" else done.stderr.startswith(f"modelsync: {told}")
        assert "secretpw" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return
    assert (done.returncode, done.stdout) == (64, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secretpw" not in done.stderr


@pytest.mark.parametrize("command", ["--help", "sync --help", "demo"])
def test_commands_without_a_catalog_work_beside_variables_of_supabase(tmp_path: Path, command: str):
    env = environment(tmp_path, SUPABASE_URL="https://abcdefgh.supabase.co", SUPABASE_KEY=KEY)
    done = run(tmp_path, *command.split(), env=env)
    assert (done.returncode, "supabase" in (done.stdout + done.stderr).lower()) == (0, False)


def test_settings_show_them_without_the_key(tmp_path: Path):
    env = environment(tmp_path, NEXT_PUBLIC_SUPABASE_URL="https://abcdefgh.supabase.co", SUPABASE_ANON_KEY=KEY, COLUMNS="300")
    for done in (run(tmp_path, "settings", env=env), run(tmp_path, "settings", "--json", env=env)):
        assert done.returncode == 0
        assert "SUPABASE_ANON_KEY" in done.stdout
        assert "of Supabase's web API, which modelsync does not use" in done.stdout
        assert "postgresql://postgres.abcdefgh:[YOUR-PASSWORD]@aws-0-<region>.pooler.supabase.com:6543/postgres" in done.stderr
        assert KEY not in done.stdout + done.stderr


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


# Files of a catalog that this user may not write


def as_nobody_special(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of a user whom modes bind: not even root's rights get it past them."""
    rights = "-dac_override,-dac_read_search"
    low = ["setpriv", "--reuid=root", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []
    command = [*low, sys.executable, "-m", "modelsync", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """A catalog in a folder, both read-only."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and nothing here lowers its rights")
    folder = tmp_path / "sealed"
    folder.mkdir()
    with opened(f"sqlite:///{folder}/catalog.db") as store:
        store.bulk_upsert_models(SLUG, [model("a", D("0.000001"))])
    (folder / "catalog.db").chmod(0o444)
    folder.chmod(0o555)
    yield folder / "catalog.db"
    folder.chmod(0o755)


@pytest.mark.parametrize("command", ["models --csv", "runs", "changes", "held", "pins", "audit", "db current", "providers", "history {} a"])
def test_a_catalog_that_can_only_be_read_is_read(tmp_path: Path, sealed: Path, command: str):
    arguments = [*command.format(SLUG).split(), "--database", str(sealed)]
    wanted = run(tmp_path, *arguments, env=environment(tmp_path))
    done = as_nobody_special(tmp_path, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (wanted.returncode, wanted.stdout, wanted.stderr)
    assert wanted.returncode == 0
    assert [path.name for path in sealed.parent.iterdir()] == ["catalog.db"]


def test_a_catalog_that_can_only_be_read_is_not_written_and_can_be_backed_up(tmp_path: Path, sealed: Path):
    before = sealed.read_bytes()
    for command in ("sync", f"hide {SLUG} a --reason x"):
        done = as_nobody_special(tmp_path, *command.split(), "--database", str(sealed))
        wanted = f"modelsync: {sealed} is read-only. Nothing was written; check the owner and mode of the file and of its folder\n"
        assert (done.returncode, done.stderr) == (1, wanted)
    done = as_nobody_special(tmp_path, "db", "backup", "copy.db", "--database", str(sealed))
    assert done.returncode == 0, done.stderr
    hint = "Nothing was written; check that its folder exists and that this user may read and write there, or name another file"
    for file, why in ((sealed.parent / "copy.db", "Permission denied"), (tmp_path / "nowhere" / "copy.db", "No such file or directory")):
        done = as_nobody_special(tmp_path, "db", "backup", str(file), "--database", str(sealed))
        assert (done.returncode, done.stderr) == (1, f"modelsync: {file} cannot be used ({why}). {hint}\n")
    assert sealed.read_bytes() == before
    assert run(tmp_path, "models", "--csv", "--database", "copy.db", env=environment(tmp_path)).stdout.count("\n") == 2


def test_a_catalog_that_can_only_be_read_is_copied_with_keep(tmp_path: Path, sealed: Path):
    before = sealed.read_bytes()
    done = as_nobody_special(tmp_path, "db", "copy", "--to", "new.db", "--database", str(sealed))
    hint = "Nothing was copied. With --keep it is copied without a pause, and syncs go on there"
    assert (done.returncode, done.stderr) == (1, f"modelsync: The catalog cannot be paused: {sealed} is read-only. {hint}\n")
    done = as_nobody_special(tmp_path, "db", "copy", "--keep", "--to", "new.db", "--database", str(sealed))
    assert done.returncode == 0, done.stderr
    assert sealed.read_bytes() == before
    assert [path.name for path in sealed.parent.iterdir()] == ["catalog.db"]
    lists = [run(tmp_path, "models", "--csv", "--database", each, env=environment(tmp_path)).stdout for each in ("new.db", str(sealed))]
    assert lists[0] == lists[1]


def test_a_catalog_in_use_that_can_only_be_read_is_not_mixed(sealed: Path):
    """A program that has it open keeps a log beside it; what is in that is not in the file."""
    sealed.parent.chmod(0o755)
    sealed.chmod(0o644)
    with opened(f"sqlite:///{sealed}") as store:
        store.bulk_upsert_models(SLUG, [model("b", D("0.000002"))])
        assert not is_sealed(sealed)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            snapshot(sealed)
