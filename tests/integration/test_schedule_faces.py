"""When each provider is synced by itself, on both faces: `modelsync schedule`, `modelsync workers` and `/admin/schedule`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelsync.simulator.server import Simulator
from support.api import Served, acts, got, refused, serving
from support.cli import environment, run, run_json
from support.store import opened
from support.sync import SLUGS, table

WHY = "we sell it"
OFTEN = ("deepinfra", "featherless", "huggingface", "openrouter", "vercel-ai-gateway")


@pytest.fixture
def env(database_url: str, tmp_path: Path) -> dict[str, str]:
    with opened(database_url):
        return environment(tmp_path, DATABASE_URL=database_url, COLUMNS="160")


@pytest.fixture
def served(database_url: str, tmp_path: Path, simulator: Simulator) -> Iterator[Served]:
    with serving(tmp_path, database_url, simulator) as found:
        yield found


def rows(tmp_path: Path, env: dict[str, str], *arguments: str) -> dict[str, dict[str, Any]]:
    return {row["provider"]: row for row in run_json(tmp_path, "schedule", *arguments, env=env)["providers"]}


def test_every_provider_has_a_schedule_and_those_that_change_often_are_asked_often(tmp_path: Path, env: dict[str, str]) -> None:
    found = rows(tmp_path, env)
    assert sorted(found) == sorted(SLUGS)
    assert {slug: row["schedule"] for slug, row in found.items()} == {slug: "6h" if slug in OFTEN else "24h" for slug in SLUGS}
    others = {(row["source"], row["why"], row["running"], row["kept_out"]) for row in found.values()}
    assert others == {("default", "not synced yet", None, None)}
    shown = run(tmp_path, "schedule", env=env).stdout.splitlines()
    assert shown[0].split() == ["provider", "schedule", "from", "last", "attempt", "next", "why"]
    assert len(shown) == len(SLUGS) + 1
    assert [line.split()[:3] for line in shown if line.startswith("groq")] == [["groq", "24h", "default"]]


def test_a_person_sets_switches_off_and_on_and_gives_back(database_url: str, tmp_path: Path, env: dict[str, str]) -> None:
    printed = [
        run(tmp_path, "schedule", *arguments, "--reason", WHY, env=env)
        for arguments in (("set", "groq", "1h"), ("off", "groq"), ("on", "groq"), ("set", "groq", "adaptive"), ("set", "groq", "default"))
    ]
    assert [(done.returncode, done.stdout, done.stderr) for done in printed] == [
        (0, "groq: 1h (from a person), next now.\n", ""),
        (0, "groq: off (from a person).\n", ""),
        (0, "groq: 1h (from a person), next now.\n", ""),
        (0, "groq: adaptive (from a person), next now.\n", ""),
        (0, "groq: 24h (from default), next now.\n", ""),
    ]
    assert [(row["action"], row["target"], row["reason"]) for row in table(database_url, "audit_log")] == [
        ("schedule", f"groq {text}", WHY) for text in ("1h", "off", "on", "adaptive", "as the settings say")
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", "groq", "sometimes"), ("sometimes is no schedule: it is neither an interval", "Write an interval such as 6h")),
        (("set", "groq", "0 6 * * * Mars/Olympus"), ("Mars/Olympus is no time zone",)),
        (("set", "groqq", "1h"), ("groqq", "Did you mean groq?")),
        (("on", "groq"), ("No person has switched the schedule of groq off",)),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_changed(
    database_url: str, tmp_path: Path, env: dict[str, str], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    done = run(tmp_path, "schedule", *arguments, "--reason", WHY, env=env)
    assert (done.returncode, done.stdout) == (64, "")
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert table(database_url, "audit_log") == []


def test_settings_give_schedules_and_a_wrong_one_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    env |= {"MODELSYNC_SCHEDULE": "12h", "MODELSYNC_SCHEDULE_VERCEL_AI_GATEWAY": "30 2 * * * Europe/Berlin"}
    found = rows(tmp_path, env)
    assert (found["groq"]["schedule"], found["groq"]["source"]) == ("12h", "MODELSYNC_SCHEDULE")
    own = found["vercel-ai-gateway"]
    assert (own["schedule"], own["source"]) == ("30 2 * * * Europe/Berlin", "MODELSYNC_SCHEDULE_VERCEL_AI_GATEWAY")
    assert list(rows(tmp_path, env, "--providers", "groq", "xai")) == ["groq", "xai"]
    done = run(tmp_path, "schedule", env=env | {"MODELSYNC_SCHEDULE_GROQ": "each hour"})
    assert done.returncode == 64
    assert "MODELSYNC_SCHEDULE_GROQ is no schedule" in done.stderr
    env |= {"MODELSYNC_SCHEDULE_GROK": "1h", "DATABASE_URL": "sqlite:////nowhere/catalog.db"}
    assert "MODELSYNC_SCHEDULE_GROK is no setting" in run(tmp_path, "scheduler", env=env).stderr


def test_advice_says_what_it_knows(tmp_path: Path, env: dict[str, str]) -> None:
    found = run_json(tmp_path, "schedule", "advise", "--within", "3h", env=env)
    assert found["within_seconds"] == 10_800.0
    (row,) = [row for row in found["providers"] if row["provider"] == "groq"]
    assert (row["changes_per_day"], row["polls"], row["interval"]) == (None, 0, "24h")
    shown = run(tmp_path, "schedule", "advise", "--within", "3h", "--providers", "groq", env=env).stdout
    assert "syncs a change, every 6h" in shown
    assert "too few syncs" in shown
    for wrong in ("soon", "0h"):
        refused_span = run(tmp_path, "schedule", "advise", "--within", wrong, env=env)
        assert refused_span.returncode == 64
        assert f"--within cannot be {wrong}" in refused_span.stderr


def test_over_rest_the_same_can_be_seen_and_set(served: Served) -> None:
    found = got(served.admin.get("/admin/schedule"))
    assert found["total"] == len(found["data"]) == len(SLUGS)
    assert abs(datetime.fromisoformat(found["now"]) - datetime.now(UTC)) < timedelta(minutes=5)
    place = "/admin/schedule/groq"
    one, of_all = got(served.admin.get(place)), next(row for row in found["data"] if row["provider"] == "groq")
    assert one | {"next_at": ""} == of_all | {"next_at": ""}  # which is now, as long as it was never synced
    assert got(served.admin.post("/admin/model-sync/provider/groq"))["success"] is True
    set_ = got(served.admin.patch(place, json={"when": "1h", "reason": WHY}))
    assert (set_["schedule"], set_["source"], set_["why"], set_["kept_out"]) == ("1h", "a person", "every 1h", None)
    last, following = datetime.fromisoformat(set_["last_attempt_at"]), datetime.fromisoformat(set_["next_at"])
    assert timedelta() < following - last <= timedelta(hours=1, minutes=6)
    off = got(served.admin.patch(place, json={"when": "off", "reason": WHY}))
    assert (off["schedule"], off["next_at"]) == ("off", None)
    assert got(served.admin.patch(place, json={"when": "on", "reason": WHY}))["schedule"] == "1h"
    refused(served.admin.patch(place, json={"when": "on", "reason": WHY}), 409, "No person has switched")
    refused(served.admin.patch(place, json={"when": "often", "reason": WHY}), 400, "often is no schedule")
    refused(served.admin.patch(place, json={"when": "1h"}), 422, "reason")
    refused(served.admin.patch("/admin/schedule/nosuch", json={"when": "1h", "reason": WHY}), 404, "Unknown provider")
    refused(served.admin.get("/admin/schedule/nosuch"), 404, "Unknown provider")
    assert [act[:2] for act in acts(served)] == [("schedule", "groq 1h"), ("schedule", "groq off"), ("schedule", "groq on")]
    advice = got(served.admin.get("/admin/schedule-advice"))
    assert (advice["total"], advice["data"][0]["provider"]) == (len(SLUGS), "aihubmix")
    assert got(served.admin.get("/admin/workers")) == {"data": [], "total": 0}


def test_a_pause_shows_in_the_schedule(tmp_path: Path, env: dict[str, str]) -> None:
    assert run(tmp_path, "pause", "--all", "--reason", "moving", env=env).returncode == 0
    assert "moving" in rows(tmp_path, env)["groq"]["kept_out"]
    assert "Nothing syncs by itself" in run(tmp_path, "workers", env=env).stdout
