"""msgspec looks at a struct when it is first decoded, and dies when two threads do so: all of it is over before there are threads."""

import functools
from pathlib import Path

from modelsync.simulator.server import Simulator
from support import first_looks
from support.api import ADMIN, got, started
from support.cli import environment
from support.crash import output, start
from support.process import code_of


def test_a_sync_looks_at_no_struct_once_it_has_threads(simulator: Simulator, database_url: str, tmp_path: Path):
    looks = functools.partial(first_looks.watch, tmp_path / "looks")
    values = environment(tmp_path, simulator, DATABASE_URL=database_url)
    for day in (0, 1, 1):  # new models, then ones to compare with, then answers that are not modified
        simulator.set_day(day)
        assert code_of(start(values, tmp_path, "sync", first=looks)) in (0, 4), output(tmp_path)
    assert not (tmp_path / "looks").exists(), (tmp_path / "looks").read_text()


def test_a_server_looks_at_no_struct_once_it_has_threads(simulator: Simulator, database_url: str, tmp_path: Path):
    env = environment(tmp_path, simulator, ADMIN_API_KEY=ADMIN, DATABASE_URL=database_url, MODELSYNC_RATE="0")
    with started(tmp_path, env, functools.partial(first_looks.watch, tmp_path / "looks")) as served:
        for day in (0, 1):
            simulator.set_day(day)
            assert got(served.admin.post("/admin/model-sync/all"))["success"] is True
        (first, *_) = served.get("/models", sort="price", limit=1)["data"]
        cursor = served.get("/models", sort="price", limit=1)["next_cursor"]
        named = {"provider": first["provider"], "model": first["provider_model_id"]}
        pin = {**named, "values": {"pricing_prompt": "0.000001"}, "reason": "a test"}
        assert got(served.admin.post("/admin/pins", json=pin))["total"] == 1
        for path in ("held", "pins", "changes", "audit", "model-sync/status", "model-sync/runs", "model-sync/runs/1"):
            got(served.admin.get(f"/admin/{path}"))
        for path in ("explain", "history"):
            got(served.admin.get(f"/admin/{path}", params=named))
        got(served.admin.get("/admin/diff", params={"before": "2026-01-01T00:00:00Z"}))
        got(served.admin.get("/admin/as-of", params={"at": "2026-01-01T00:00:00Z"}))
        for path in (
            "/models.csv",
            "/models.ndjson",
            f"/models?sort=price&cursor={cursor}",
            "/v1/models",
            "/models/stats",
            "/changes/feed.atom",
        ):
            assert served.client.get(path).status_code == 200, path
    assert not (tmp_path / "looks").exists(), (tmp_path / "looks").read_text()
