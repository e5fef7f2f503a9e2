"""The providers' answers, kept as files named by their SHA-256, so that a sync can be looked at again, and read again.

`<folder>/ab/cd/abcd….gz`; which sync an answer belongs to stands in the table `answers`. Bodies only: no header, and no key.
"""

import contextlib
import gzip
import hashlib
import os
import re
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from modelsync import files, redaction
from modelsync.database.tables import answers
from modelsync.database.tables.answers import KeptAnswer
from modelsync.errors import Failure, FailureKind
from modelsync.providers.base import Answer, Request
from modelsync.sync.store import Store

_secret = re.compile(r"key|token|secret|pass|auth|sig|cred|session|jwt", re.IGNORECASE)
_of_paging = re.compile(r"(next|page).*token|token.*(next|page)", re.IGNORECASE)
_ours = re.compile(r"[0-9a-f]{64}\.(gz|[a-z0-9_]+\.new)")


class Archived(msgspec.Struct, frozen=True):
    """What was kept of one sync, and why not if nothing was."""

    answers: tuple[KeptAnswer, ...] = ()
    warnings: tuple[str, ...] = ()


class Pruned(msgspec.Struct, frozen=True):
    """What a pruning removed: entries of the index, and files."""

    answers: int
    files: int


class Archive(msgspec.Struct, frozen=True):
    """A folder of answers that are kept for `days`. `keys` are the providers' keys, which no answer may hold."""

    folder: Path
    days: int
    keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Archive({self.folder}, {self.days} days)"

    def keep(self, slug: str, scope: str, came: Sequence[tuple[Request, Answer]], *, whole: bool = True) -> Archived:
        """Write the answers of one sync; entries for the index are of all of them or none. A folder that cannot be written is a warning.

        They are not `whole` when their pages could not be followed to an end.
        """
        if any(redaction.repeats(answer.url.encode() + b" " + answer.body, key) for key in self.keys for _, answer in came):
            return Archived(warnings=("the answers were not kept, because one of them repeats a key",))
        try:
            for _, answer in came:
                self._write(answer)
        except OSError as error:
            why = error.strerror or type(error).__name__
            return Archived(warnings=(f"the answers were not kept in {self.folder}: {why}; check MODELSYNC_ARCHIVE",))
        return Archived(tuple(_entry(slug, scope, position, *pair, whole=whole) for position, pair in enumerate(came)))

    def _write(self, answer: Answer) -> None:
        """One file, there as a whole or not at all; one that is there already is only marked as needed again."""
        path = self.path(answer.sha256)
        try:
            os.utime(path)
        except FileNotFoundError:
            files.make_folder(path.parent)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.stem}.", suffix=".new", delete=False) as file:
                try:
                    file.write(gzip.compress(answer.body, mtime=0))
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise

    def path(self, digest: str) -> Path:
        """Where the bytes with this digest are."""
        return self.folder / digest[:2] / digest[2:4] / f"{digest}.gz"

    def read(self, kept: KeptAnswer) -> Answer | Failure:
        """A kept answer as it came, without its headers; or why it cannot be had."""
        path = self.path(kept.digest)
        try:
            with gzip.open(path) as file:
                body = file.read(kept.bytes + 1)
        except FileNotFoundError:
            hint = "Restore it from a backup, or see that MODELSYNC_ARCHIVE is the right folder"
            return Failure(FailureKind.CONFIG, f"the kept answer {path} is not there", hint)
        except (OSError, EOFError, zlib.error) as error:
            return _unusable(path, "cannot be read" if isinstance(error, PermissionError) else "is damaged")
        if hashlib.sha256(body).hexdigest() != kept.digest:
            return _unusable(path, "is damaged: its digest is not its name")
        return Answer(url=kept.url, body=body, sha256=kept.digest, headers={}, received_at=kept.received_at.timestamp())

    def prune(self, store: Store) -> Pruned:
        """Forget answers older than the days, then remove the files that no answer names any more.

        A file that was needed within these days stays in any case: another catalog may name it, or a sync that is about to be committed.
        """
        oldest = timedelta(days=self.days)
        struck, named = store.transact(
            lambda connection: (answers.forget(connection, store.now(connection) - oldest), answers.digests(connection))
        )
        removed = 0
        for path in self._files():
            with contextlib.suppress(OSError):  # another pruning came first, or it is not ours to remove
                if path.name.partition(".")[0] not in named and path.stat().st_mtime < time.time() - oldest.total_seconds():
                    path.unlink()
                    removed += 1
        return Pruned(struck, removed)

    def _files(self) -> Iterator[Path]:
        """The files that are ours; a folder may hold others too."""
        return (path for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*") if _ours.fullmatch(path.name))


def _entry(slug: str, scope: str, position: int, request: Request, answer: Answer, *, whole: bool) -> KeptAnswer:
    """An answer as the index has it, at its place (from 0) in its sync: size in bytes, time in UTC, no secret in its address."""
    return KeptAnswer(
        provider=slug,
        position=position,
        endpoint=request.endpoint.name,
        url=without_secrets(answer.url),
        scope=scope,
        whole=whole,
        digest=answer.sha256,
        bytes=len(answer.body),
        received_at=datetime.fromtimestamp(answer.received_at, UTC),
    )


def without_secrets(url: str) -> str:
    """An address without user information, fragment, and parameters whose names sound like secrets."""
    parts = urlsplit(url)
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    query = [(name, value) for name, value in parameters if not _secret.search(name) or _of_paging.search(name)]
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return urlunsplit(plain if len(query) == len(parameters) else plain._replace(query=urlencode(query)))


def _unusable(path: Path, why: str) -> Failure:
    return Failure(FailureKind.CONFIG, f"the kept answer {path} {why}", "Restore it from a backup, or replay another run")
