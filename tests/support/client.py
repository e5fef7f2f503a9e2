"""A client of which every byte is ours, and which reads when it likes."""

import contextlib
import socket
import time
from typing import ClassVar

from support.api import ADMIN, Served

GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
EXPORT = b"GET /models.ndjson HTTP/1.1\r\nHost: x\r\n\r\n"
AT_WORK = b"POST /providers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ADMIN.encode() + b"\r\nContent-Length: 100\r\n\r\n{"
LIMITS = {"MODELSYNC_HEAD_SECONDS": "1", "MODELSYNC_BODY_SECONDS": "1", "MODELSYNC_IDLE_SECONDS": "1", "MODELSYNC_STALL_SECONDS": "1"}
SIGN_IN = {"MODELSYNC_SIGN_IN_HEADER": "X-Forwarded-User", "MODELSYNC_SIGN_IN_PROXIES": "127.0.0.1", "MODELSYNC_SIGN_IN_SCOPE": "admin"}
SOON = 5.0
"""Seconds within which a limit of one is seen to be kept: it is looked after once a second."""


class Raw:
    """A connection of which every byte is ours, from an address of this machine's own network."""

    made: ClassVar[list[socket.socket]] = []

    def __init__(self, served: Served, host: str = "127.0.0.1", first: bytes = b"\r\n", buffer: int = 4096) -> None:
        port = int(served.base.rpartition(":")[2])
        self.socket = socket.socket()
        self.made.append(self.socket)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.bind((host, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(SOON)
        self.socket.sendall(first)  # or the system may not even tell the server of it

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def status(self) -> int:
        """Of the next answer; 0 when the connection ends without one."""
        try:
            came = self.socket.recv(65536)
        except ConnectionError:
            return 0
        return int(came.split(b" ", 2)[1]) if came else 0

    def is_cut_off(self, within: float = SOON) -> bool:
        """Whether the server ends the connection; what it still sends is of no interest."""
        ends_at = time.monotonic() + within
        self.socket.settimeout(0.1)
        while time.monotonic() < ends_at:
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                continue
            except ConnectionError:
                return True
        return False

    def ends_without_reading(self, within: float = SOON) -> bool:
        """Whether the server ends the connection though nothing of its answer is read."""
        ends_at = time.monotonic() + within
        while time.monotonic() < ends_at:
            with contextlib.suppress(BlockingIOError):
                try:
                    self.socket.send(b"x", socket.MSG_DONTWAIT)
                except ConnectionError:
                    return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        self.socket.close()
