"""Files that modelsync makes: for their owner alone, never over something else, and whole or not at all."""

import os
import resource
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsync import files
from modelsync.database.backup import backup, restore
from modelsync.database.migrate import Schema
from modelsync.errors import DatabaseError, UsageError
from modelsync.providers.base import Request
from modelsync.simulator.server import Simulator
from modelsync.sync.archive import Archive
from modelsync.testing import answer
from support.cli import environment as clean
from support.cli import run
from support.store import PROVIDER, commit, model, opened
from support.sync import environment, models_of, program


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    """A shell whose new files everybody may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def url(path: Path) -> str:
    return f"sqlite:///{path}"


# Modes


def test_a_new_catalog_is_its_owners_alone(tmp_path: Path):
    with opened(url(tmp_path / "c.db")) as store:
        commit(store, model("m"))
        assert names_in(tmp_path) == ["c.db", "c.db-shm", "c.db-wal"]
        assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
    assert mode(tmp_path / "c.db") == 0o600
    Schema(url(tmp_path / "other.db")).upgrade()
    assert mode(tmp_path / "other.db") == 0o600


@pytest.mark.parametrize("content", ["catalog", "empty"])
def test_a_catalog_that_is_there_keeps_its_mode(tmp_path: Path, content: str):
    path = tmp_path / "c.db"
    path.touch()
    if content == "catalog":
        with opened(url(path)) as store:
            commit(store, model("m"))
    path.chmod(0o640)
    with opened(url(path)) as store:
        commit(store, model("n"))
        assert {mode(each) for each in tmp_path.iterdir()} == {0o640}
    assert mode(path) == 0o640


def test_backup_and_restore_make_files_of_their_owner(tmp_path: Path):
    catalog, copy, again, shared = (tmp_path / name for name in ("c.db", "copy.db", "again.db", "shared.db"))
    with opened(url(catalog)) as store:
        commit(store, model("m"))
    catalog.chmod(0o644)
    shared.touch(mode=0o660)
    backup(url(catalog), copy)
    restore(url(again), copy)
    restore(url(shared), copy)
    assert [mode(path) for path in (catalog, copy, again, shared)] == [0o644, 0o600, 0o600, 0o660]


def test_kept_answers_are_their_owners_alone(tmp_path: Path):
    kept = Archive(tmp_path / "a" / "b", 30).keep("groq", "s", [(Request(PROVIDER.endpoints[0], "https://a.invalid/"), answer({}))])
    assert kept.warnings == ()
    made = sorted((tmp_path / "a").rglob("*"))
    assert [mode(path) for path in [tmp_path / "a", *made]] == [*[0o700] * 4, 0o600]


# Saved plans


def test_a_plan_is_its_owners_alone_and_one_that_is_there_keeps_its_mode(simulator: Simulator, tmp_path: Path):
    modelsync, file = program(environment(simulator), url(tmp_path / "c.db"), tmp_path), tmp_path / "plan.json"
    modelsync.sync(["groq"], dry_run=True, save=file)
    assert (mode(file), names_in(tmp_path)) == (0o600, ["plan.json"])
    first = file.read_bytes()
    file.chmod(0o644)
    simulator.set_day(1)
    modelsync.sync(["groq"], dry_run=True, save=file)
    assert (mode(file), file.read_bytes() == first) == (0o644, False)
    (tmp_path / "link.json").symlink_to(file)
    modelsync.sync(["groq"], dry_run=True, save=tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    modelsync.apply(file)
    assert len(models_of(url(tmp_path / "c.db"), "groq")) > 0


@pytest.mark.parametrize("name", ["c.db", "c.db-wal", "c.db-shm", "c.db-journal", "./x/../c.db"])
@pytest.mark.parametrize("there", [True, False])
def test_a_plan_is_never_saved_over_the_catalog(simulator: Simulator, tmp_path: Path, name: str, there: bool):
    (tmp_path / "x").mkdir()
    modelsync = program(environment(simulator), url(tmp_path / "c.db"), tmp_path)
    if there:
        modelsync.sync(["groq"])
    simulator.clear_requests()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match="is the catalog, or a part of it"):
        modelsync.sync(["groq"], dry_run=True, save=tmp_path / name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert simulator.requests() == []


def test_a_plan_is_never_saved_over_anything_else(simulator: Simulator, tmp_path: Path):
    modelsync = program(environment(simulator), url(tmp_path / "c.db"), tmp_path)
    modelsync.sync(["groq"])
    (tmp_path / "copy.db").write_bytes((tmp_path / "c.db").read_bytes())
    (tmp_path / "notes").write_text('{"modelsync": "mine"}')
    (tmp_path / "nothing").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "to catalog").symlink_to(tmp_path / "c.db")
    (tmp_path / "to nothing").symlink_to(tmp_path / "none")
    os.link(tmp_path / "c.db", tmp_path / "the same")
    os.mkfifo(tmp_path / "pipe")
    simulator.clear_requests()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for name in ("copy.db", "notes", "nothing", "folder", "to catalog", "to nothing", "the same", "pipe"):
        with pytest.raises(UsageError, match=r"Nothing was written; name another file"):
            modelsync.sync(["groq"], dry_run=True, save=tmp_path / name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert simulator.requests() == []


def test_the_catalog_survives_a_slip_on_the_command_line(simulator: Simulator, tmp_path: Path):
    env = clean(tmp_path, simulator)
    assert run(tmp_path, "sync", "--providers", "groq", "--database", "c.db", env=env).returncode == 0
    before = (tmp_path / "c.db").read_bytes()
    done = run(tmp_path, "sync", "--providers", "groq", "--dry-run", "--save", "c.db", "--database", "c.db", env=env)
    assert (done.returncode, done.stderr) == (
        64,
        "modelsync: c.db is the catalog, or a part of it. Nothing was written; name another file\n",
    )
    assert (tmp_path / "c.db").read_bytes() == before


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path):
    file = tmp_path / "plan.json"
    files.write(file, b"first")
    signal_before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.write(file, b"second" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, signal_before)
    assert (file.read_bytes(), names_in(tmp_path)) == (b"first", ["plan.json"])


def test_a_backup_is_no_part_of_the_catalog(tmp_path: Path):
    with opened(url(tmp_path / "c.db")) as store:
        commit(store, model("m"))
    for end in ("-wal", "-shm", "-journal"):
        with pytest.raises(DatabaseError, match="is where SQLite keeps a part of that catalog"):
            backup(url(tmp_path / "c.db"), tmp_path / f"c.db{end}")
    assert names_in(tmp_path) == ["c.db"]
