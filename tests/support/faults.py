"""Whole syncs of a few providers, some of which ask servers that misbehave byte by byte; certificates for those that speak TLS."""

import asyncio
import contextlib
import datetime
import ipaddress
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from modelsync.errors import Failure
from modelsync.planning.outcome import Failed, Outcome, Report
from modelsync.simulator.server import Simulator
from support.raw import Handler
from support.sync import DAYS, changes_of, environment, models_of, outcomes, program, query

# The providers that tests break: each asks once for its whole list. Those of KEYED send a key.
KEYED = ("groq", "nebius", "together", "anannas", "aimo")
BROKEN = (*KEYED, "chutes", "cerebras", "novita")
PAGED = ("openrouter", "near", "fireworks")
OTHERS = ("openrouter", "near", "vercel-ai-gateway")


class Served:
    """One server: how it answers (to be switched at will), and what it was asked, with the times."""

    def __init__(self, handler: Handler, scheme: str) -> None:
        self.handler = handler
        self.requests: list[str] = []
        self.times: list[float] = []
        self.port = 0
        self._scheme = scheme
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def origin(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, and the connection's end."""
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            self.times.append(time.monotonic())
            await self.handler(writer, len(self.requests))
            await writer.drain()
        writer.close()

    def abort(self) -> None:
        """End every connection, whatever has not been sent."""
        for writer in self._writers:
            writer.transport.abort()


class Servers:
    """Servers on free ports of this machine, in a thread of their own."""

    def __init__(self) -> None:
        self._all: list[Served] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault servers", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        ours = asyncio.all_tasks() - {asyncio.current_task()}
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        for served in self._all:
            served.abort()
        await asyncio.sleep(0.01)  # sockets are closed in the next round

    def serve(self, handler: Handler, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1") -> Served:
        served = Served(handler, "https" if tls else "http")

        async def start() -> None:
            server = await asyncio.start_server(served.connected, host, 0, ssl=tls, limit=1024 * 1024)
            served.port = server.sockets[0].getsockname()[1]
            with contextlib.suppress(asyncio.CancelledError):
                async with server:
                    started.set()
                    await server.serve_forever()

        started = threading.Event()
        asyncio.run_coroutine_threadsafe(start(), self._loop)
        assert started.wait(10)
        self._all.append(served)
        return served


# Answers


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset instead of a goodbye."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def failing(times: int, wrong: bytes, right: bytes) -> Handler:
    """`wrong` so many times, then `right`."""

    async def handle(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(wrong if number <= times else right)

    return handle


async def hang(_: asyncio.StreamWriter, __: int) -> None:
    await asyncio.sleep(600)


# Syncs


def first_sync(simulator: Simulator, database_url: str, folder: Path) -> None:
    """Bring every provider of these tests in step with the simulator."""
    report = program(environment(simulator), database_url, folder).sync({*BROKEN, *PAGED, *OTHERS})
    assert len(report.succeeded) == len(report.results)


class Bench:
    """Providers in step with day 0 of the simulator, which now shows day 1. Each can be pointed elsewhere, and fail."""

    def __init__(self, simulator: Simulator, servers: Servers, database_url: str, folder: Path) -> None:
        self.servers, self.database_url, self.folder = servers, database_url, folder
        self.values = environment(simulator)
        simulator.set_day(1)

    def point(self, slug: str, origin: str) -> None:
        """Send a provider's requests there."""
        self.values[f"MODELSYNC_ORIGIN_{slug.upper()}"] = origin

    def serve(self, slug: str, handler: Handler) -> Served:
        """Send a provider's requests to a server of its own that answers so."""
        served = self.servers.serve(handler)
        self.point(slug, served.origin)
        return served

    def sync(self, *slugs: str, **settings: str) -> Report:
        return program(self.values, self.database_url, self.folder, **settings).sync(slugs)

    def outcome(self, slug: str, **settings: str) -> Outcome:
        """What comes of syncing one provider."""
        return outcomes(self.sync(slug, **settings))[slug]

    def failures(self, *slugs: str, **settings: str) -> dict[str, Failure]:
        """Sync these and others: these fail, are recorded so, and nothing of them changes; the others are up to date."""
        before = {slug: self.kept(slug) for slug in slugs}
        others = [slug for slug in OTHERS if slug not in slugs]
        report = self.sync(*slugs, *others, **settings)
        assert {slug: self.kept(slug) for slug in slugs} == before
        came = outcomes(report)
        for slug in others:
            models, created, _ = DAYS[slug]
            assert len(models_of(self.database_url, slug)) == models + created, came[slug]
        failures = {slug: outcome.failure for slug in slugs if isinstance(outcome := came[slug], Failed)}
        assert failures.keys() == set(slugs), came
        assert set(outcomes(report)) - {result.slug for result in report.succeeded} == set(slugs)
        self._are_recorded(report, failures)
        return failures

    def failure(self, slug: str, **settings: str) -> Failure:
        return self.failures(slug, **settings)[slug]

    def kept(self, slug: str) -> tuple[object, ...]:
        """Everything in the catalog that a failed sync of a provider must leave alone."""
        state = query(self.database_url, f"SELECT committed_seq, validators, digest FROM provider_state WHERE provider = '{slug}'")
        holds = query(self.database_url, f"SELECT * FROM holds WHERE provider = '{slug}' ORDER BY id")
        return models_of(self.database_url, slug), changes_of(self.database_url, slug), holds, state

    def _are_recorded(self, report: Report, failures: Mapping[str, Failure]) -> None:
        (run,) = query(self.database_url, f"SELECT status FROM sync_runs WHERE id = {report.run_id}")
        assert (run["status"], report.status) == ("partial", "partial")
        results = query(self.database_url, f"SELECT * FROM sync_results WHERE run_id = {report.run_id} AND outcome = 'failed'")
        recorded = {row["provider"]: (row["error_kind"], row["error"]) for row in results}
        assert recorded == {slug: (failure.kind.value, str(failure)) for slug, failure in failures.items()}


MEASURED = """
import sys
from modelsync.cli import main
try:
    main(["sync", "--providers", "groq", "--json"])
finally:
    (peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("PEAK", peak, file=sys.stderr)
"""

linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")


def measured_sync(bench: Bench, **settings: str) -> tuple[dict[str, Any], float]:
    """Groq's result of a sync in a process of its own, and the most memory that this had resident, in MiB."""
    source = Path(__file__).parents[2] / "src"
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**kept, **bench.values, "DATABASE_URL": bench.database_url, "PYTHONPATH": str(source), **settings}
    done = subprocess.run([sys.executable, "-c", MEASURED], env=environment, cwd=bench.folder, capture_output=True, text=True, timeout=300)
    (result,) = json.loads(done.stdout)["details"]["results"]
    return result, int(done.stderr.rpartition("PEAK ")[2]) / 1024


# Lists


def groq(*ids: str, **values: object) -> bytes:
    """A list as Groq sends it, and as other providers do that speak as OpenAI does."""
    return json.dumps({"object": "list", "data": [{"id": row_id, **values} for row_id in ids]}).encode()


def and_more(bench: Bench, slug: str, *ids: str) -> bytes:
    """A list of what the catalog has of a provider, and these."""
    return groq(*models_of(bench.database_url, slug), *ids)


# Certificates


class Authority:
    """A certificate authority, and servers' TLS contexts with certificates of its making."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        ours = self._builder(self._name, self._key, 1).issuer_name(self._name)
        authority = ours.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(authority.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def context(self, name: str, *, days: int = 1, self_signed: bool = False) -> ssl.SSLContext:
        """For a server of this name or address, good for so many more days (below zero: expired)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        try:
            other: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            other = x509.DNSName(name)
        builder = self._builder(subject, key, days).add_extension(x509.SubjectAlternativeName([other]), critical=False)
        if self_signed:
            certificate = builder.issuer_name(subject).sign(key, hashes.SHA256())
        else:
            certificate = builder.issuer_name(self._name).sign(self._key, hashes.SHA256())
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = self._folder / f"{certificate.serial_number}.pem"
        file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        begins = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=10)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + datetime.timedelta(days=10 + days))
        )
