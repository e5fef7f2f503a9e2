"""Postgres through a pooler in transaction mode, as behind Supabase's port 6543: pgbouncer with two server connections."""

import shutil
from pathlib import Path

import psycopg
import pytest

from modelsync.providers import registry
from support import postgres, samples
from support.cli import environment, run, run_json
from support.pooler import PGBOUNCER, pooler
from support.sync import DAYS


@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (apt-get install pgbouncer)")
def test_syncs_work_through_a_transaction_mode_pooler(postgres_server: str, tmp_path_factory: pytest.TempPathFactory):
    folder = Path("/tmp") / tmp_path_factory.mktemp("pooler").name
    folder.mkdir()
    name = "pooled"
    postgres.new_database(postgres_server, name)
    try:
        with pooler(postgres_server, folder) as address, samples.simulator() as simulator:
            env = environment(folder, simulator, DATABASE_URL=f"{address.replace('postgresql', 'postgres')}/{name}?pgbouncer=true")
            first = run_json(folder, "sync", env=env)["details"]
            assert (first["status"], len(first["results"])) == ("succeeded", len(registry.load()))
            simulator.set_day(1)
            second = run_json(folder, "sync", env=env)["details"]
            assert second["status"] == "succeeded"
            assert {result["models_created"] for result in second["results"]} == {1}
            assert run(folder, "models", "scribe", env=env).returncode == 0
            with psycopg.connect(f"{postgres_server}/{name}") as direct:
                models, changes = (
                    direct.execute("SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM model_changes)").fetchone() or ()
                )
            assert models == first["total_models_synced"] + sum(created for _, created, _ in DAYS.values())
            assert changes > models
    finally:
        postgres.drop_database(postgres_server, name)
        shutil.rmtree(folder)
