"""A pooler in transaction mode before Postgres: pgbouncer with two server connections."""

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

from support import postgres

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def pooler(server: str, folder: Path, user: str = "modelsync") -> Iterator[str]:
    """The address of a pgbouncer in front of `server`, where whoever comes is `user`; it does not run as root, so neither does it here."""
    target, port = urlsplit(server), postgres.free_port()
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={target.hostname} port={target.port} user={user}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n"
    )
    folder.chmod(0o755)
    process_user: dict[str, object] = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        process_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    process = subprocess.Popen(
        [str(PGBOUNCER), "-q", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **process_user
    )  # type: ignore[call-overload]
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
