"""Kept answers on real databases: what is kept and what never is, reading it again, and housekeeping."""

import gzip
import hashlib
import json
import os
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync import app
from modelsync.database.tables import answers
from modelsync.database.tables.answers import KeptAnswer
from modelsync.errors import UsageError
from modelsync.planning.outcome import Failed, Held, NotModified, Planned, Synced, plan_line
from modelsync.providers import registry
from modelsync.providers.base import Request
from modelsync.simulator.server import Simulator
from modelsync.sync.archive import Archive, Pruned, without_secrets
from modelsync.sync.store import Store
from modelsync.testing import answer, sample
from support import cli
from support.store import opened, raise_on
from support.sync import changes_of, environment, errors, everything, execute, outcomes, program, query, table

SOME = ["openrouter", "deepinfra"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def modelsync(simulator: Simulator, database_url: str, tmp_path: Path, folder: Path) -> app.App:
    return program(environment(simulator), database_url, tmp_path, MODELSYNC_ARCHIVE=str(folder))


def files(folder: Path) -> dict[str, bytes]:
    """What is kept, by name."""
    return {path.name: gzip.decompress(path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()}


def served(simulator: Simulator, path: str) -> bytes:
    with urllib.request.urlopen(f"{simulator.origin}/{path}") as came:
        return came.read()


def planned(outcome: object) -> dict[tuple[str, str], dict[str, Any]]:
    assert isinstance(outcome, Planned), outcome
    return {(line["kind"], line["provider_model_id"]): line["fields"] for line in map(plan_line, outcome.plan.changes)}


# Keeping


def test_the_answers_of_a_sync_are_kept_as_they_came(modelsync: app.App, simulator: Simulator, database_url: str, folder: Path):
    began = datetime.now(UTC) - timedelta(seconds=2)
    report = modelsync.sync(SOME)
    bodies = [
        ("deepinfra", "models", "https://api.deepinfra.com/v1/openai/models", served(simulator, "deepinfra/v1/openai/models")),
        ("deepinfra", "details", "https://api.deepinfra.com/models/list", served(simulator, "deepinfra/models/list")),
        (
            "openrouter",
            "models",
            "https://openrouter.ai/api/v1/models?output_modalities=all",
            served(simulator, "openrouter/api/v1/models?output_modalities=all"),
        ),
    ]
    digests = [hashlib.sha256(body).hexdigest() for *_, body in bodies]
    assert files(folder) == {f"{digest}.gz": body for digest, (*_, body) in zip(digests, bodies, strict=True)}
    assert all((folder / digest[:2] / digest[2:4] / f"{digest}.gz").is_file() for digest in digests)

    rows = query(database_url, "SELECT * FROM answers ORDER BY provider, position")
    assert [(row["provider"], row["endpoint"], row["url"]) for row in rows] == [tuple(each[:3]) for each in bodies]
    assert [row["digest"] for row in rows] == digests
    assert [row["bytes"] for row in rows] == [len(body) for *_, body in bodies]
    assert [row["position"] for row in rows] == [0, 1, 0]
    assert {row["run_id"] for row in rows} == {report.run_id}
    assert all(began <= row["received_at"] <= datetime.now(UTC) for row in rows)


def test_without_the_setting_nothing_is_kept(simulator: Simulator, database_url: str, tmp_path: Path):
    program(environment(simulator), database_url, tmp_path).sync(SOME)
    assert table(database_url, "answers") == []
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == set()


def test_i18_a_dry_run_keeps_nothing(modelsync: app.App, database_url: str, folder: Path):
    modelsync.sync(["openrouter"])
    before, kept = everything(database_url), files(folder)
    report = modelsync.sync(SOME, dry_run=True)
    assert errors(report) == {}
    assert (everything(database_url), files(folder)) == (before, kept)


def test_an_unchanged_list_adds_nothing(modelsync: app.App, database_url: str):
    modelsync.sync(["openrouter"])
    second = modelsync.sync(["openrouter"])
    assert isinstance(outcomes(second)["openrouter"], NotModified)
    assert len(table(database_url, "answers")) == 1


def test_the_same_bytes_are_one_file_that_is_not_written_again(
    modelsync: app.App, simulator: Simulator, database_url: str, tmp_path: Path, folder: Path
):
    modelsync.sync(["openrouter"])
    (path,) = (path for path in folder.rglob("*.gz"))
    before = path.stat()
    os.utime(path, (0, 0))
    other = program(environment(simulator, "openrouter"), database_url, tmp_path, MODELSYNC_ARCHIVE=str(folder))
    other.sync(["openrouter"])  # without a key, which is another scope: read again
    assert len(table(database_url, "answers")) == 2
    assert len(files(folder)) == 1
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime > time.time() - 60  # marked as needed


def test_every_provider_can_be_replayed(modelsync: app.App, database_url: str):
    first = modelsync.sync()
    assert errors(first) == {}
    again = modelsync.replay(first.run_id or 0)
    assert [result.slug for result in again.results] == list(registry.load())
    for result in again.results:
        assert planned(result.outcome) == {}, result.slug  # the catalog is what these answers said
        assert result.counts.unchanged == outcomes(first)[result.slug].counts.created, result.slug


def test_i10_the_index_is_written_with_the_result_or_not_at_all(modelsync: app.App, database_url: str):
    modelsync.sync(["deepinfra"])
    before = table(database_url, "answers")
    raise_on(database_url, "sync_results", "INSERT", "NEW.outcome = 'synced'")
    report = modelsync.sync(["openrouter"])
    assert isinstance(outcomes(report)["openrouter"], Failed)  # and recorded, without answers, in another transaction
    assert table(database_url, "answers") == before


@pytest.mark.parametrize("obstacle", ["file", "full"])
def test_a_folder_that_cannot_be_written_is_a_warning(simulator: Simulator, database_url: str, tmp_path: Path, folder: Path, obstacle: str):
    if obstacle == "file":
        folder.write_text("not a folder")
        why = "Not a directory"
    else:
        folder, why = Path("/proc/modelsync"), "No such file or directory"
    modelsync = program(environment(simulator), database_url, tmp_path, MODELSYNC_ARCHIVE=str(folder))
    report = modelsync.sync(["openrouter"])
    assert isinstance(outcomes(report)["openrouter"], Synced)
    assert report.results[0].warnings[0] == f"the answers were not kept in {folder}: {why}; check MODELSYNC_ARCHIVE"
    assert table(database_url, "answers") == []

    simulator.add_fault("deepinfra", "html")
    report = modelsync.sync(["deepinfra"])
    assert isinstance(outcomes(report)["deepinfra"], Failed)
    assert report.results[0].warnings == (f"the answers were not kept in {folder}: {why}; check MODELSYNC_ARCHIVE",)


# Secrets


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/v1/models?limit=5", "https://a.example/v1/models?limit=5"),
        ("https://user:pw@a.example:8443/x", "https://a.example:8443/x"),
        ("https://a.example/x?api_key=s3&limit=5", "https://a.example/x?limit=5"),
        ("https://a.example/x?KEY=s3&access_token=s3&X-Amz-Signature=s3&client_secret=s3&password=s3&authuser=s3", "https://a.example/x"),
        ("https://a.example/x?pageToken=p2&next_page_token=p3", "https://a.example/x?pageToken=p2&next_page_token=p3"),
        ("https://a.example/x?cursor=a%2Fb#s3", "https://a.example/x?cursor=a%2Fb"),
    ],
)
def test_i31_addresses_are_kept_without_what_sounds_secret(url: str, kept: str):
    assert without_secrets(url) == kept


def test_i31_no_key_is_kept(simulator: Simulator, modelsync: app.App, database_url: str, folder: Path):
    modelsync.sync()
    secrets = [simulator.key(slug).removeprefix("Key ") for slug in registry.load()]
    text = b"\n".join(files(folder).values()) + json.dumps(table(database_url, "answers"), default=str).encode()
    assert len(files(folder)) >= len(registry.load())
    assert [secret for secret in secrets if secret.encode() in text] == []


def test_i31_answers_that_repeat_another_providers_key_are_not_kept(simulator: Simulator, database_url: str, tmp_path: Path, folder: Path):
    key = "gsk-of-another-provider-4711"
    modelsync = program(environment(simulator), database_url, tmp_path, MODELSYNC_ARCHIVE=str(folder), GROQ_API_KEY=key)
    row = {"id": "acme/scribe-2", "description": f"asked with {key}", "pricing": {"prompt": "0.0000001"}}
    simulator.set_list("openrouter", "models", [row])
    report = modelsync.sync(["openrouter"])
    assert report.results[0].warnings[0] == "the answers were not kept, because one of them repeats a key"
    assert (files(folder), table(database_url, "answers")) == ({}, [])


# Replay


def test_a_replay_shows_what_those_answers_would_change_now(modelsync: app.App, simulator: Simulator, database_url: str, folder: Path):
    first = modelsync.sync(["openrouter"])
    simulator.set_day(1)
    second = modelsync.sync(["openrouter"])
    before, kept = everything(database_url), files(folder)
    simulator.add_fault("*", "status")  # nobody is asked

    # Day 1 made scribe-2 cheaper, added scribe-3 and dropped pip-7b; the answer of day 0 says the opposite.
    report = modelsync.replay(first.run_id or 0)
    assert (report.run_id, report.dry_run) == (None, True)
    assert planned(outcomes(report)["openrouter"]) == {
        ("updated", "acme/scribe-2"): {
            "pricing_prompt": {"old": "0.000001", "new": "0.00000125"},
            "pricing_completion": {"old": "0.000008", "new": "0.00001"},
        },
        ("missing", "acme/scribe-3"): {},
        ("revived", "orchard/pip-7b"): {},
    }
    assert planned(outcomes(modelsync.replay(second.run_id or 0))["openrouter"]) == {}
    assert (everything(database_url), files(folder)) == (before, kept)


def test_a_replay_needs_no_key(modelsync: app.App, simulator: Simulator, database_url: str, tmp_path: Path, folder: Path):
    run_id = modelsync.sync(["groq"]).run_id or 0
    keyless = program({}, database_url, tmp_path, MODELSYNC_ARCHIVE=str(folder))
    assert planned(outcomes(keyless.replay(run_id))["groq"]) == {}


def test_what_another_scope_lacks_is_not_missing_in_a_replay(
    modelsync: app.App, simulator: Simulator, database_url: str, tmp_path: Path, folder: Path
):
    first = modelsync.sync(["openrouter"])
    simulator.set_day(1)
    other = program(environment(simulator, "openrouter"), database_url, tmp_path, MODELSYNC_ARCHIVE=str(folder))
    other.sync(["openrouter"])  # without the key: scribe-3 is new, and was not listed with it
    for each in (modelsync, other):
        kinds = {kind for kind, _ in planned(outcomes(each.replay(first.run_id or 0))["openrouter"])}
        assert kinds == {"updated", "revived"}  # another key alone: one absence is one as ever, and over in the replay


@pytest.mark.parametrize("slug", ["groq", "openrouter"])  # the second has pages to follow
def test_an_answer_that_is_no_list_is_kept_and_fails_again(
    modelsync: app.App, simulator: Simulator, database_url: str, folder: Path, slug: str
):
    simulator.add_fault(slug, "html")
    report = modelsync.sync([slug, "deepinfra"])
    assert isinstance(outcomes(report)[slug], Failed)
    (row,) = query(database_url, f"SELECT * FROM answers WHERE provider = '{slug}'")
    assert files(folder)[f"{row['digest']}.gz"].lstrip().lower().startswith((b"<html", b"<!doctype"))
    again = modelsync.replay(report.run_id or 0)
    assert errors(again) == {slug: "models: the answer is an HTML page, not JSON. Nothing was changed; try again later"}
    assert planned(outcomes(again)["deepinfra"]) == {}


def test_pages_that_do_not_end_are_kept_and_lack_nothing_in_a_replay(modelsync: app.App, simulator: Simulator, database_url: str):
    near = "SELECT * FROM answers WHERE provider = 'near'"
    modelsync.sync(["near"])
    assert {bool(row["whole"]) for row in query(database_url, near)} == {True}
    one = sample("near")["lists"]["models"][0] | {"inputCostPerToken": {"amount": 700, "scale": 9, "currency": "USD"}}  # it was 850
    simulator.set_answer("near", "/v1/model/list", json.dumps({"models": [one], "total": 5}))
    report = modelsync.sync(["near"])
    failed = outcomes(report)["near"]
    assert isinstance(failed, Failed)
    assert failed.failure.message.startswith("the pages of the list cannot be followed: ")
    assert {bool(row["whole"]) for row in query(database_url, f"{near} AND run_id = {report.run_id}")} == {False}

    (result,) = modelsync.replay(report.run_id or 0).results
    assert result.warnings[0] == "the pages could not be followed to their end: what they lack is not absent"
    assert planned(result.outcome) == {("updated", "harbor/Beacon-2-FP8"): {"pricing_prompt": {"old": "0.00000085", "new": "0.0000007"}}}


def test_an_answer_that_is_held_is_kept_and_held_again(modelsync: app.App, simulator: Simulator, database_url: str):
    modelsync.sync(["openrouter"])
    simulator.add_fault("openrouter", "empty")
    report = modelsync.sync(["openrouter"])
    held = outcomes(report)["openrouter"]
    assert isinstance(held, Held)
    assert outcomes(modelsync.replay(report.run_id or 0))["openrouter"] == held


def test_a_call_that_fails_leaves_nothing_to_keep(modelsync: app.App, simulator: Simulator, database_url: str, folder: Path):
    simulator.add_fault("openrouter", "status", status=500)
    modelsync.sync(["openrouter"])
    assert (table(database_url, "answers"), files(folder)) == ([], {})


def test_a_run_that_is_not_there_and_one_of_which_nothing_is_kept(
    modelsync: app.App, simulator: Simulator, database_url: str, tmp_path: Path
):
    first = modelsync.sync(["openrouter"]).run_id or 0
    second = modelsync.sync(["openrouter"]).run_id or 0
    with pytest.raises(UsageError, match=r"There is no run 77\. `modelsync runs` lists them"):
        modelsync.replay(77)
    with pytest.raises(UsageError, match=rf"Nothing was kept of run {second}\. .*Kept are those of run {first}$"):
        modelsync.replay(second)
    with pytest.raises(UsageError, match=rf"Nothing of groq was kept of run {first}\. .*is set$"):
        modelsync.replay(first, ["groq"])
    with pytest.raises(UsageError, match="Unknown provider: nobody"):
        modelsync.replay(first, ["nobody"])
    with pytest.raises(UsageError, match="MODELSYNC_ARCHIVE is not set"):
        program({}, database_url, tmp_path).replay(first)


def test_an_empty_database_has_no_run(modelsync: app.App):
    with pytest.raises(UsageError, match="There is no run 1"):
        modelsync.replay(1)


def test_a_file_that_is_missing_or_damaged_costs_only_its_provider(modelsync: app.App, database_url: str, folder: Path):
    run_id = modelsync.sync(SOME).run_id or 0
    (row,) = query(database_url, "SELECT * FROM answers WHERE provider = 'openrouter'")
    path = folder / row["digest"][:2] / row["digest"][2:4] / f"{row['digest']}.gz"
    whole = path.read_bytes()
    body = gzip.decompress(whole)
    for content, why in (
        (whole[:-20], "is damaged"),
        (b"", "is damaged: its digest is not its name"),
        (b"no gzip at all", "is damaged"),
        (gzip.compress(body.replace(b"0.00000125", b"0.00000225")), "is damaged: its digest is not its name"),
        (gzip.compress(body + b" " * 1_000_000), "is damaged: its digest is not its name"),
        (None, "is not there"),
    ):
        path.unlink() if content is None else path.write_bytes(content)
        report = modelsync.replay(run_id)
        assert errors(report)["openrouter"].startswith(f"the kept answer {path} {why}. Restore it from a backup, or"), why
        assert planned(outcomes(report)["deepinfra"]) == {}


def test_an_endpoint_that_this_version_does_not_know(modelsync: app.App, database_url: str):
    run_id = modelsync.sync(["openrouter"]).run_id or 0
    execute(database_url, "UPDATE answers SET endpoint = 'catalog'")
    said = errors(modelsync.replay(run_id))["openrouter"]
    assert said == "this version of modelsync does not ask for the list catalog. Replay it with the version that did"


# Housekeeping


def test_old_answers_go_at_the_end_of_a_run(modelsync: app.App, simulator: Simulator, database_url: str, folder: Path):
    first = modelsync.sync(["openrouter"]).run_id or 0
    old = set(files(folder))
    _made_older(database_url, folder, days=31)
    simulator.set_day(1)
    second = modelsync.sync(["openrouter"]).run_id or 0
    assert {row["run_id"] for row in table(database_url, "answers")} == {second} != {first}
    assert len(files(folder)) == 1
    assert not old & set(files(folder))
    assert len(changes_of(database_url, "openrouter")) > 5  # history stays


def test_answers_stay_for_their_days(modelsync: app.App, simulator: Simulator, database_url: str, folder: Path):
    modelsync.sync(["openrouter"])
    _made_older(database_url, folder, days=29)
    simulator.set_day(1)
    modelsync.sync(["openrouter"])
    assert (len(table(database_url, "answers")), len(files(folder))) == (2, 2)


def test_a_file_that_another_answer_names_stays(simulator: Simulator, database_url: str, tmp_path: Path, folder: Path):
    with opened(database_url) as store:
        run_id = store.begin_run("test")
        archive = Archive(folder, 30)
        kept = _kept(archive, b'{"data": []}', b'{"data": [1]}')
        _note(store, run_id, kept)
        _note(store, store.begin_run("test"), kept[:1])
        for path in folder.rglob("*.gz"):
            os.utime(path, (0, 0))
        execute(database_url, f"UPDATE answers SET received_at = '2020-01-01T00:00:00.000000Z' WHERE run_id = {run_id}")
        assert archive.prune(store) == Pruned(answers=2, files=1)
        assert list(files(folder)) == [f"{kept[0].digest}.gz"]
        assert archive.prune(store) == Pruned(answers=0, files=0)


def test_a_file_that_was_needed_lately_stays_even_if_nobody_names_it(database_url: str, folder: Path):
    with opened(database_url) as store:
        archive = Archive(folder, 1)
        _kept(archive, b"one")  # another catalog's, or of a sync that is about to be committed
        assert archive.prune(store) == Pruned(answers=0, files=0)
        _older_files(folder, days=2)
        assert archive.prune(store) == Pruned(answers=0, files=1)


def test_only_files_of_ours_are_removed(database_url: str, folder: Path):
    digest = hashlib.sha256(b"one").hexdigest()
    mine = [f"{digest[:2]}/{digest[2:4]}/{digest}.gz", f"{digest[:2]}/{digest[2:4]}/{digest}.abc_1.new"]  # the second: of a killed process
    others = ["notes.txt", f"{digest}.gz", "ab/notes.txt", "ab/cd/notes.txt", f"ab/cd/{digest}.gz.bak", f"aa/bb/cc/{digest}.gz"]
    for name in (*mine, *others):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    _older_files(folder, days=400)
    with opened(database_url) as store:
        assert Archive(folder, 30).prune(store).files == 2
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(others)


def test_a_folder_that_is_not_there_is_nothing_to_prune(database_url: str, folder: Path):
    with opened(database_url) as store:
        assert Archive(folder, 30).prune(store) == Pruned(answers=0, files=0)


def test_no_unfinished_file_is_left(folder: Path):
    archive = Archive(folder, 30)
    _kept(archive, b"one", b"two")
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".gz"}


def _kept(archive: Archive, *bodies: bytes) -> tuple[KeptAnswer, ...]:
    endpoint = registry.load()["openrouter"].endpoints[0]
    kept = archive.keep("openrouter", "a", [(Request(endpoint, "https://x.invalid/"), answer(body)) for body in bodies])
    assert kept.warnings == ()
    return kept.answers


def _note(store: Store, run_id: int, kept: tuple[KeptAnswer, ...]) -> None:
    with store.writing() as connection:
        answers.note(connection, run_id, kept)
        connection.exec_driver_sql("UPDATE answers SET received_at = CURRENT_TIMESTAMP" if store.dialect != "sqlite" else "SELECT 1")
    if store.dialect == "sqlite":
        execute(f"sqlite:///{store.shown}", "UPDATE answers SET received_at = strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now')")


def _made_older(database_url: str, folder: Path, days: int) -> None:
    when = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    execute(database_url, f"UPDATE answers SET received_at = '{when}'")
    _older_files(folder, days)


def _older_files(folder: Path, days: int) -> None:
    when = time.time() - days * 86_400
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (when, when))


# The command


def test_the_command_shows_a_plan_and_answers_with_codes(simulator: Simulator, database_url: str, tmp_path: Path, folder: Path):
    env = cli.environment(tmp_path, simulator, DATABASE_URL=database_url, MODELSYNC_ARCHIVE=str(folder))
    assert cli.run(tmp_path, "sync", "--providers", *SOME, env=env).returncode == 0
    simulator.set_day(1)
    assert cli.run(tmp_path, "sync", "--providers", *SOME, env=env).returncode == 0

    done = cli.run(tmp_path, "replay", "1", "--provider", "openrouter", env=env)
    assert done.returncode == 0, done.stderr
    assert "  ~ acme/scribe-2  prompt 1.00 → 1.25 $/1M (+25%), completion 8.00 → 10.00 $/1M (+25%)" in done.stdout
    assert "deepinfra" not in done.stdout
    assert "Nothing was written to" in done.stdout
    report = cli.run_json(tmp_path, "replay", "1", env=env)
    assert report["details"]["dry_run"] is True
    assert [result["provider"] for result in report["details"]["results"]] == ["deepinfra", "openrouter"]
    changes = {change["provider_model_id"]: change["kind"] for change in report["details"]["results"][1]["changes"]}
    assert changes == {"acme/scribe-2": "updated", "acme/scribe-3": "missing", "orchard/pip-7b": "revived"}

    wrong = cli.run(tmp_path, "replay", "9", env=env)
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (64, "", "modelsync: There is no run 9. `modelsync runs` lists them\n")
    for path in folder.rglob("*.gz"):
        path.unlink()
    assert cli.run(tmp_path, "replay", "1", env=env).returncode == 1


def test_a_number_of_days_is_needed(simulator: Simulator, tmp_path: Path):
    env = cli.environment(tmp_path, simulator, MODELSYNC_ARCHIVE=str(tmp_path / "kept"), MODELSYNC_ARCHIVE_DAYS="0")
    done = cli.run(tmp_path, "sync", "--providers", "openrouter", env=env)
    assert (done.returncode, done.stderr) == (64, "modelsync: MODELSYNC_ARCHIVE_DAYS is out of range. Give one from 1 to 3650\n")
