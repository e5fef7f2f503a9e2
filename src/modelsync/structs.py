"""Structs that are safe to read in several threads at once."""

import contextlib
from collections.abc import Iterator

import msgspec


def prepare() -> None:
    """Have msgspec look at the fields of every struct of ours now. To be called before there are threads.

    It would do so when a struct is first decoded. But it keeps what it finds before it has found all (`StructInfo_Convert` in
    `_core.c` of 0.22), and finding calls Python: another thread that decodes the same struct meanwhile follows a null pointer, and
    the process dies. Two providers that were read at once did that in one of some thousand starts.
    """
    for struct in _below(msgspec.Struct):
        if struct.__module__.partition(".")[0] == "modelsync":
            with contextlib.suppress(TypeError):  # it holds what no JSON can say, such as a function: nobody decodes it
                msgspec.json.Decoder(struct)


def _below(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for each in struct.__subclasses__():
        yield each
        yield from _below(each)
