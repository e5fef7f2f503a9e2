"""Long answers as files of this machine: made once for everybody, and kept until the catalog changes."""

import gzip
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from modelsync.queries.reader import Revision

KEPT = 4
"""Files that are kept though nobody reads them."""

PIECE = 256 * 1024
"""Bytes that are read, and sent, at once: a page of usual length is shorter. As many more wait for each client in the server."""


class Spool:
    """Bytes in a file without a name. It is there as long as somebody reads it, or keeps it."""

    def __init__(self, pieces: Iterable[bytes], *, packs: bool) -> None:
        """Write all pieces, with `packs` compressed as one gzip. Blocks. Raises OSError when there is no room."""
        file = self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when nobody has it any more
        weakref.finalize(self, file.close)
        self._lock = threading.Lock()
        if packs:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=5, mtime=0) as packing:
                packing.writelines(pieces)
        else:
            file.writelines(pieces)
        file.flush()
        self.size = file.tell()

    def piece(self, start: int) -> bytes:
        """The bytes from `start` on, as many as are sent at once. Several may read at a time."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(PIECE)


Key = tuple[str, bytes, str, bool]
"""What an answer depends on: path, query, media type, and whether it is packed."""


class StoredExport(msgspec.Struct, frozen=True):
    """A file, and the state of the catalog that it shows."""

    revision: Revision
    spool: Spool


class Spools:
    """The files that were made last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, StoredExport] = OrderedDict()

    def get(self, key: Key, revision: Revision) -> StoredExport | None:
        """What was made for this question, if it shows this state of the catalog."""
        kept = self._kept.get(key)
        if kept is None or kept.revision != revision:
            return None
        self._kept.move_to_end(key)
        return kept

    def keep(self, key: Key, made: StoredExport) -> None:
        """Remember this one; forget the one that was not asked for longest, and all that show another state of the catalog."""
        for other in [other for other, kept in self._kept.items() if kept.revision != made.revision]:
            del self._kept[other]
        self._kept[key] = made
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
