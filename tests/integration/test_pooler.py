"""Postgres through a pooler in transaction mode, as behind Supabase's port 6543: pgbouncer with two server connections."""

import contextlib
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from modelsync.providers import registry
from support import postgres, samples
from support.cli import environment, run, run_json
from support.sync import DAYS

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def pooler(server: str, folder: Path) -> Iterator[str]:
    """The address of a pgbouncer in front of `server`; it does not run as root, so neither does it here."""
    target, port = urlsplit(server), postgres.free_port()
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={target.hostname} port={target.port} user=modelsync\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n"
    )
    folder.chmod(0o755)
    user: dict[str, object] = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    process = subprocess.Popen([str(PGBOUNCER), "-q", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **user)  # type: ignore[call-overload]
    try:
        for _ in range(100):
            try:
                psycopg.connect(f"postgresql://modelsync@127.0.0.1:{port}/postgres", prepare_threshold=None).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                break
        yield f"postgresql://modelsync@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


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
