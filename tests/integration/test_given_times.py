"""A time that a person gives, at every face: UTC without a zone wherever the program runs, and refused outside the years."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelsync.model.actors import Person
from modelsync.model.fields import Pin
from modelsync.model.model import Model
from modelsync.operations import models
from support.api import Served, got, refused, serving
from support.cli import environment, run
from support.store import SLUG, commit, model, opened
from support.sync import execute, models_of, table

TOKYO = "JST-9"
"""A zone of its own that needs no tables: nine hours ahead of UTC."""

ADA = Person("ada", "ours")
FAR = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31", "1969-12-31T23:00Z")
YEARS = "outside the years 1970 to 2999"


def told(folder: Path, database_url: str, *arguments: str) -> tuple[int, str]:
    done = run(folder, *arguments, "--database", database_url, env=environment(folder, TZ=TOKYO))
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=UTC)),
        ("2026-12-24T18:00", datetime(2026, 12, 24, 18, tzinfo=UTC)),
        ("2026-12-24T18:00+02:00", datetime(2026, 12, 24, 16, tzinfo=UTC)),
    ],
)
def test_a_pinned_time_is_the_same_wherever_it_is_said(tmp_path: Path, database_url: str, text: str, meant: datetime):
    with opened(database_url) as store:
        commit(store, model("m"))
    pin = ("pin", SLUG, "m", f"released_at={text}", f"expires_at={text}", "--until", "2998-05-06T07:08", "--reason", "r")
    assert told(tmp_path, database_url, *pin)[0] == 0
    found = models_of(database_url, SLUG)["m"]
    assert (found["released_at"], found["expires_at"]) == (meant, meant)
    assert {row["expires_at"] for row in table(database_url, "pins")} == {datetime(2998, 5, 6, 7, 8, tzinfo=UTC)}
    with opened(database_url) as store:
        assert commit(store, model("m")).counts.updated == 0


@pytest.mark.parametrize("far", FAR)
def test_a_time_outside_the_years_is_refused_on_the_command_line(tmp_path: Path, database_url: str, far: str):
    with opened(database_url) as store:
        commit(store, model("m"))
    for arguments in (
        ("pin", SLUG, "m", f"released_at={far}"),
        ("pin", SLUG, "m", f"expires_at={far}"),
        ("add", SLUG, "new", f"released_at={far}"),
        ("pin", SLUG, "m", "context_length=8", "--until", far),
        ("keys", "create", "k", "--expires", far),
    ):
        code, said = told(tmp_path, database_url, *arguments, "--reason", "r")
        assert (code, YEARS in said, "2026-11-22T10:00" in said) == (64, True, True), said
    for arguments in (("changes", "--since", far), ("audit", "--since", far), ("models", "--as-of", far), ("diff", far, "now")):
        code, said = told(tmp_path, database_url, *arguments)
        assert (code, YEARS in said, "2026-11-22T10:00" in said) == (64, True, True), said
    assert (table(database_url, "pins"), table(database_url, "api_keys"), table(database_url, "audit_log")) == ([], [], [])
    assert told(tmp_path, database_url, "changes", "--since", "99999w") == (
        64,
        f"modelsync: 99999w is {YEARS}. Use 2026-11-22, 2026-11-22T10:00 or 2026-11-22T10:00+02:00 (UTC where no zone is named), "
        "or 24h, 7d for how long ago\n",
    )


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with opened(database_url) as store:
        commit(store, model("m"))
    with serving(tmp_path, database_url, TZ=TOKYO) as found:
        yield found


def test_times_over_http(served: Served, database_url: str):
    body: dict[str, Any] = {"provider": SLUG, "model": "m", "reason": "r"}
    values = {"released_at": "2026-12-24T18:00:00", "expires_at": "2027-01-01T00:00:00-05:00"}
    got(served.admin.post("/admin/pins", json=body | {"values": values, "until": "2998-05-06T07:08:00"}))
    found = models_of(database_url, SLUG)["m"]
    assert found["released_at"] == datetime(2026, 12, 24, 18, tzinfo=UTC)
    assert found["expires_at"] == datetime(2027, 1, 1, 5, tzinfo=UTC)
    assert {row["expires_at"] for row in table(database_url, "pins")} == {datetime(2998, 5, 6, 7, 8, tzinfo=UTC)}
    before = len(table(database_url, "audit_log"))
    for far in FAR:
        for field in ("released_at", "expires_at"):
            refused(served.admin.post("/admin/pins", json=body | {"values": {field: far}}), 400, YEARS)
            refused(served.admin.patch(f"/models/{found['id']}", json={field: far}), 400, YEARS)
        refused(served.admin.post("/admin/pins", json=body | {"values": {"context_length": 8}, "until": far}), 400, YEARS)
        for path, name in (
            *(("/changes", "since"), ("/changes/feed.atom", "since"), ("/changes/feed.json", "since"), ("/models", "changed_since")),
            *(("/admin/changes", "since"), ("/admin/audit", "since"), ("/admin/as-of", "at"), ("/admin/diff", "before")),
        ):
            refused(served.admin.get(path, params={name: far}), 400, YEARS, "Write 2026-11-22")
        refused(served.admin.get("/admin/diff", params={"before": "2026-01-01", "after": far}), 400, YEARS)
    assert len(table(database_url, "audit_log")) == before
    assert got(served.admin.get("/changes", params={"since": "1970-01-01"}))["returned"] == 2  # added, and the pin


def test_a_pin_that_an_older_program_stored_without_a_zone_is_read_as_utc(database_url: str):
    with opened(database_url) as store:
        commit(store, model("m"), model("n"))
        models.pin(store, SLUG, "m", [Pin("released_at", datetime(2026, 1, 1, tzinfo=UTC))], ADA)
        execute(database_url, """UPDATE pins SET value = '"2026-02-02T10:00:00"'""")
        commit(store, model("m"), model("n"))
        assert models_of(database_url, SLUG)["m"]["released_at"] == datetime(2026, 2, 2, 10, tzinfo=UTC)
        execute(database_url, """UPDATE pins SET value = '"9999-12-31T00:00:00Z"'""")
        commit(store, model("m"), model("n"))
        assert models_of(database_url, SLUG)["m"]["released_at"] == datetime(9999, 12, 31, tzinfo=UTC)


def test_a_program_that_gives_a_time_without_a_zone_is_told_so(database_url: str):
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - what must not come through
    with opened(database_url) as store:
        commit(store, model("m"))
        with pytest.raises(ValueError, match="a time without a zone: 2026-01-01T00:00:00"):
            commit(store, Model(id="x", released_at=naive))
        assert "x" not in models_of(database_url, SLUG)
