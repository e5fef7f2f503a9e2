"""TLS on the way to Postgres: what the page says of a CA, what doctor says of a connection, and what a wrong certificate ends in."""

import datetime
import ipaddress
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support import postgres
from support.cli import environment, run, run_json

SYSTEM = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)
"""The wheel's server is made without TLS."""

AWAY = "127.0.0.2"
"""This machine under an address that is not taken for it."""


class Authority:
    """A CA for one test."""

    def __init__(self, name: str) -> None:
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._signed(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.pem = signed.public_bytes(serialization.Encoding.PEM)

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        return builder.add_extension(extension, critical=True).sign(self._key, hashes.SHA256())

    def certified(self, address: str) -> tuple[bytes, bytes]:
        """A certificate for an address, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        signed = self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)]), key.public_key(), names)
        encoded = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return signed.public_bytes(serialization.Encoding.PEM), encoded


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("CA of this test")


@pytest.fixture(scope="module")
def away(authority: Authority) -> Iterator[str]:
    """The address of a catalog on a server with TLS, which is not taken for one on this machine; without parameters."""
    if SYSTEM is None:
        pytest.skip("no PostgreSQL of the system, which has TLS")
    with postgres.server(SYSTEM.parent, f"127.0.0.1,{AWAY}") as server:
        assert server
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
            _put(Path(folder), dict(zip(("server.crt", "server.key"), authority.certified(AWAY), strict=True)))
            connection.execute("ALTER SYSTEM SET ssl = on")
            connection.execute("SELECT pg_reload_conf()")
        address = postgres.new_database(server, "catalog").replace("127.0.0.1", AWAY)
        _wait_for_tls(address)
        yield address


def _put(folder: Path, files: dict[str, bytes]) -> None:
    owner = folder.stat()
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        if os.getuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)


def _wait_for_tls(address: str) -> None:
    for _ in range(100):
        try:
            psycopg.connect(f"{address}?sslmode=require").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("no TLS")


def told(folder: Path, address: str) -> tuple[str, str]:
    """What doctor says: of TLS, or why there is no connection."""
    found = run_json(folder, "doctor", "--offline", env=environment(folder, DATABASE_URL=address))["checks"]
    checks = {check["check"]: (str(check["state"]), str(check["found"])) for check in found}
    return checks.get("TLS", checks["database"])


MENDED = "set sslmode=verify-full&sslrootcert=FILE in DATABASE_URL, FILE with the certificate of its CA"


def test_with_its_ca_a_server_is_checked_and_without_it_that_is_told(away: str, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "other.pem").write_bytes(Authority("another CA").pem)
    of = {mode: f"{away}?sslmode={mode}&sslrootcert={tmp_path}" for mode in ("verify-ca", "verify-full")}
    assert run(tmp_path, "db", "upgrade", "--database", away, env=environment(tmp_path)).returncode == 0
    assert told(tmp_path, f"{of['verify-full']}/ca.pem") == ("ok", "encrypted, and the server's certificate is checked")
    weak = f"encrypted, but another server could pretend to be this one: {MENDED}"
    for address in (away, f"{away}?sslmode=require", f"{of['verify-ca']}/ca.pem"):
        assert told(tmp_path, address) == ("warning", weak)
    for mode in ("disable", "allow", "prefer"):
        assert told(tmp_path, f"{away}?sslmode={mode}") == ("warning", f"encryption is not required (sslmode={mode}): {MENDED}")
    of_another_host = f"{of['verify-full']}/ca.pem".replace(AWAY, "127.0.0.1")
    for wrong in (f"{of['verify-full']}/other.pem", f"{of['verify-full']}/none.pem", of_another_host):
        state, found = told(tmp_path, wrong)
        assert state == "failed"
        assert found.endswith(
            ": its certificate cannot be checked. Nothing was written; sslrootcert in DATABASE_URL must name a file with the certificate of"
            " the server's CA"
        )


def test_on_this_machine_tls_is_not_needed(away: str, tmp_path: Path) -> None:
    here = away.replace(AWAY, "127.0.0.1")
    assert run(tmp_path, "db", "upgrade", "--database", here, env=environment(tmp_path)).returncode == 0
    assert told(tmp_path, here) == ("ok", "not needed, the server is on this machine")
