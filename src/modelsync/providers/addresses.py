"""Addresses that answers lead to: whether they stay where the answer came from, however they are written."""

from urllib.parse import SplitResult, unquote, urlsplit

_PORTS = {"https": 443, "http": 80}
_MOST_LAYERS = 5


def root(url: str) -> str:
    """The address of everything that the host of `url` has."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def folder(url: str) -> str:
    """The address of everything beside `url`: it without its last segment, its query and its fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/"


def strays(url: str, home: str) -> str | None:
    """Why `url` is not below `home`, in words that show nothing of it; None when it is.

    It must be below in every way that a server or a proxy may read it: with its dot segments resolved, with `%2e`, `%2f` and what is
    encoded more than once decoded, with `\\\\` for `/`.
    """
    try:
        parts, here = urlsplit(url), urlsplit(home)
        same = (parts.scheme, parts.hostname, _port(parts)) == (here.scheme, here.hostname, _port(here))
    except ValueError:
        return "is no address"
    if (parts.username, parts.password) != (here.username, here.password):
        return "carries user information"
    if not same:
        return "leads to another scheme, host or port"
    path, base = parts.path or "/", here.path.strip("/").split("/") if here.path.strip("/") else []
    for _ in range(_MOST_LAYERS):
        segments = _resolved(path)
        if segments is None or segments[: len(base)] != base:
            return f"leads out of {here.path}"
        if unquote(path) == path:
            return None
        path = unquote(path)
    return "is encoded too many times"


def _port(parts: SplitResult) -> int | None:
    return parts.port or _PORTS.get(parts.scheme)


def _resolved(path: str) -> list[str] | None:
    """The segments of a path without its dot segments; None when they climb above its root."""
    segments: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        name = segment.partition(";")[0].strip()  # some servers take what follows for parameters
        if name == ".." and not segments:
            return None
        if name == "..":
            segments.pop()
        elif name not in ("", "."):
            segments.append(segment)
    return segments
