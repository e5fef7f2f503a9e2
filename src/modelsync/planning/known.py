"""Rows whose bytes are known: what they were read as stands in the catalog, so that they need not be read again.

Only clean rows are known: each is one model of its own, without a warning. What a row is read as depends on its bytes, the version of its
provider's module and the program, and on nothing else; where any of these is another one, nothing is known.
"""

import hashlib
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView, Mapping
from itertools import chain, repeat
from typing import NamedTuple, cast

import msgspec

from modelsync.model.model import Model

DIGEST = 16
"""Bytes that are kept of a row's digest."""

MOST = 250_000
"""Rows of one list that are remembered at most: in memory each takes about 150 bytes."""

_NOTHING = bytes(DIGEST)
_MOST_KINDS = 255

Incomplete = tuple[str, ...]
"""The price fields of a model that are stated and not read, which makes its price incomplete."""


def digest_of(row: msgspec.Raw) -> bytes:
    """The first DIGEST bytes of the SHA-256 of a row as it came."""
    return hashlib.sha256(row).digest()[:DIGEST]


class Memory(msgspec.Struct, frozen=True):
    """What is kept of a listing's clean rows, beside the sorted ids of all models that the catalog has of the provider.

    `ids` is a digest of these ids. `digests` has DIGEST bytes for each, zeros where its row is not known. `kinds` has one byte for each:
    the place in `incomplete`.
    """

    ids: bytes = b""
    digests: bytes = b""
    kinds: bytes = b""
    incomplete: tuple[Incomplete, ...] = ((),)


class KnownRows(msgspec.Struct, frozen=True):
    """The rows that need not be read: by digest the id of the model, by id its content hash, and which price fields of it are not read.

    `edition` is that of the provider's part of the catalog in which `hashes` stand.
    """

    ids: Mapping[bytes, str] = {}
    hashes: Mapping[str, str] = {}
    incomplete: Mapping[str, Incomplete] = {}
    edition: int | None = None


class Clean(msgspec.Struct, frozen=True):
    """The clean rows of a listing by model: digests of their bytes; and of the models whose price is incomplete the fields."""

    digests: dict[str, bytes] = {}
    incomplete: dict[str, Incomplete] = {}


class KnownRun(NamedTuple):
    """Rows that follow one another in a list and are known: the ids of their models, the digests of their bytes, and the bytes."""

    ids: list[str]
    digests: list[bytes]
    rows: list[msgspec.Raw]

    @property
    def singles(self) -> Iterator["KnownRun"]:
        """Each row as a run of its own."""
        return (KnownRun([row_id], [digest], [row]) for row_id, digest, row in zip(*self, strict=True))


def remembered(clean: Clean, stored: Collection[str], waiting: Collection[str] = ()) -> Memory:
    """What to keep of a listing when the catalog has these ids (`stored`) after it was written.

    The content hash of a model that is `waiting` is not the one that it is listed with: it waits for a person, or was decided otherwise,
    and is read again each time.
    """
    if len(stored) > MOST:
        return Memory()
    ids, by_id = sorted(stored), dict(clean.digests)
    places: dict[Incomplete, int] = {(): 0}
    for row_id, fields in clean.incomplete.items():
        if fields not in places and len(places) == _MOST_KINDS:
            by_id.pop(row_id, None)
        else:
            places.setdefault(fields, len(places))
    for row_id in waiting:
        by_id.pop(row_id, None)
    digests = b"".join(map(by_id.get, ids, repeat(_NOTHING)))
    kinds = bytes([places.get(clean.incomplete.get(row_id, ()), 0) for row_id in ids]) if clean.incomplete else bytes(len(ids))
    return Memory(_digest_of_ids(ids), digests, kinds, tuple(places))


def known(memory: Memory, hashes: Mapping[str, str], edition: int) -> KnownRows:
    """The rows that a memory tells of, when it is of a catalog with these content hashes; none when it cannot be."""
    ids = sorted(hashes)
    if memory.ids != _digest_of_ids(ids) or not _is_whole(memory, len(ids)):
        return KnownRows()
    digests = chain.from_iterable(struct.iter_unpack(f"{DIGEST}s", memory.digests))
    by_digest: dict[bytes, str] = dict(zip(digests, ids, strict=True))
    by_digest.pop(_NOTHING, None)
    kinds = zip(ids, memory.kinds, strict=True) if any(memory.kinds) else ()
    return KnownRows(by_digest, hashes, {row_id: memory.incomplete[kind] for row_id, kind in kinds if kind}, edition)


def _is_whole(memory: Memory, models: int) -> bool:
    """Whether it has what it should of so many models: a file may be damaged, and what is remembered is not worth a failed sync."""
    return (len(memory.digests), len(memory.kinds)) == (DIGEST * models, models) and max(memory.kinds, default=0) < len(memory.incomplete)


def _digest_of_ids(ids: Iterable[str]) -> bytes:
    return hashlib.sha256("\0".join(ids).encode()).digest()[:DIGEST]


class Models(Mapping[str, Model]):
    """Models by id, those of known rows read only when somebody asks for them."""

    def __init__(self, read: Callable[[msgspec.Raw], Model]) -> None:
        self._read = read
        self._models: dict[str, Model | msgspec.Raw] = {}

    def add(self, model: Model) -> None:
        """A model, in the place of the one with its id, if there is one."""
        self._models[model.id] = model

    def add_known(self, ids: Iterable[str], rows: Iterable[msgspec.Raw]) -> None:
        """The rows that models would be read from."""
        self._models.update(zip(ids, rows, strict=True))

    def __getitem__(self, row_id: str) -> Model:
        model = self._models[row_id]
        if isinstance(model, msgspec.Raw):
            model = self._models[row_id] = self._read(model)
        return model

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def __contains__(self, row_id: object) -> bool:
        return row_id in self._models

    def as_read(self) -> Mapping[str, Model]:
        """A plain dict, if all of them are read."""
        unread = any(isinstance(model, msgspec.Raw) for model in self._models.values())
        return self if unread else cast("dict[str, Model]", self._models)

    def keys(self) -> KeysView[str]:
        """As a dict's."""
        return self._models.keys()
