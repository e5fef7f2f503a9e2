"""The proxy that other tests put between the program and its servers does what it says."""

import math
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from support.proxy import Moment, Proxy, Toxics


def echo(connection: socket.socket) -> None:
    with connection:
        try:
            while data := connection.recv(65536):
                connection.sendall(b"<" + data + b">")
        except OSError:
            return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy in front of a server that sends everything back, in brackets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    with Proxy("127.0.0.1", listener.getsockname()[1]) as running:
        yield running
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    server.join(5)


def say(proxy: Proxy, *parts: bytes, wait: float = 5.0) -> bytes:
    """Everything that comes back until the connection ends. A reset raises."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=wait) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05)
        connection.shutdown(socket.SHUT_WR)
        came = b""
        while data := connection.recv(65536):
            came += data
        return came


def test_healthy_it_passes_everything_on(proxy: Proxy) -> None:
    assert say(proxy, b"a", b"b") == b"<a><b>"
    large = bytes(500_000)
    assert say(proxy, large).count(b"\0") == 500_000
    assert (proxy.accepted, proxy.cuts) == (2, 0)


@pytest.mark.parametrize(
    ("toxics", "least"),
    [
        (Toxics(latency=0.3), 0.3),
        (Toxics(bandwidth=10.0), 0.3),
        (Toxics(slice_size=1, slice_delay=0.15), 0.3),
        (Toxics(slow_close=0.3), 0.3),
    ],
)
def test_slow_toxics(proxy: Proxy, toxics: Toxics, least: float) -> None:
    proxy.downstream = toxics
    began = time.monotonic()
    assert say(proxy, b"a") == b"<a>"
    assert least <= time.monotonic() - began < 10
    proxy.heal()
    assert say(proxy, b"a") == b"<a>"


def test_toxics_that_end_a_connection(proxy: Proxy) -> None:
    proxy.downstream = Toxics(limit_data=4)
    assert say(proxy, b"a", b"b") in (b"<a><", b"<ab>")  # four bytes, whether the two came apart or, on a busy machine, together
    proxy.downstream = Toxics(timeout=0.1)
    assert say(proxy, b"a") == b""
    proxy.downstream = Toxics(reset_peer=0.1)
    with pytest.raises(ConnectionResetError):
        say(proxy, b"a")
    proxy.downstream = Toxics(timeout=math.inf)
    with pytest.raises(TimeoutError):
        say(proxy, b"a", wait=0.3)


def test_down_and_up(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        connection.sendall(b"a")
        assert connection.recv(10) == b"<a>"
        proxy.down()
        with pytest.raises(ConnectionResetError):
            connection.recv(10)
    with pytest.raises(ConnectionRefusedError):
        say(proxy, b"a")
    proxy.up()
    assert say(proxy, b"a") == b"<a>"


@pytest.mark.parametrize("moment", Moment)
def test_cut_at_chosen_bytes(proxy: Proxy, moment: Moment) -> None:
    """Once, also when the bytes come in two pieces; what the server had of them shows in the next cut."""
    proxy.cut_when(lambda sent: b"COMMIT" in sent, moment)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        connection.sendall(b"first")
        assert connection.recv(100) == b"<first>"
        connection.sendall(b"COM")
        assert connection.recv(100) == b"<COM>"
        connection.sendall(b"MIT")
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
    assert proxy.cuts == 1
    assert say(proxy, b"COMMIT") == b"<COMMIT>"


@pytest.mark.parametrize(("moment", "arrived"), [(Moment.BEFORE, b"a"), (Moment.SENT, b"aCOMMIT"), (Moment.ANSWERED, b"aCOMMIT")])
def test_what_has_arrived_when_it_is_cut(moment: Moment, arrived: bytes) -> None:
    got, ended = bytearray(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as connection:
                while data := connection.recv(100):
                    got.extend(data)
                    connection.sendall(b"ok")
            ended.set()

        threading.Thread(target=serve, daemon=True).start()
        with Proxy("127.0.0.1", listener.getsockname()[1]) as proxy:
            proxy.cut_when(lambda sent: b"COMMIT" in sent, moment)
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
                connection.sendall(b"a")
                assert connection.recv(10) == b"ok"
                connection.sendall(b"COMMIT")
                with pytest.raises(ConnectionResetError):
                    connection.recv(10)
            assert ended.wait(5)
    assert bytes(got) == arrived
