"""Whether a server can listen where it is told to, before it says that it does."""

import errno
import os
import socket

from modelsync.errors import ModelsyncError


def check_free(host: str, port: int) -> None:
    """Raise ModelsyncError, with what to do, where nothing can listen on this port (0: any) of this host.

    A name may stand for addresses of which this machine has only some, as ::1 beside 127.0.0.1: servers listen at those it has.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ModelsyncError(f"Nothing can listen at {host}: it is no address of this machine", ELSEWHERE) from error
    lacking = list[OSError]()
    for family, kind, protocol, _, address in found:
        try:
            _try(family, kind, protocol, address)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise ModelsyncError(*_told(host, port, error)) from error
            lacking.append(error)
    if len(lacking) == len(found):
        raise ModelsyncError(f"Nothing can listen at {host}: it is no address of this machine", ELSEWHERE) from lacking[-1]


ELSEWHERE = "Name 127.0.0.1, or 0.0.0.0 for every address, with --host; nothing was started"


def _try(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> None:
    with socket.socket(family, kind, protocol) as trial:
        if os.name == "posix":  # as servers do, so that one can follow another at once
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        trial.bind(address)


def _told(host: str, port: int, error: OSError) -> tuple[str, str]:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host or 'every address'} is taken by another program",
            "Name another one with --port, or end that program; nothing was started",
        )
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}", "Name one from 1024 on with --port; nothing was started"
    return f"Nothing can listen at {host or 'every address'}: {error.strerror}", ELSEWHERE
