"""Sees when msgspec looks at a struct for the first time: that must be over before there are threads."""

import sys
import threading
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

from msgspec import _utils
from msgspec._utils import get_class_annotations

from modelsync.planning import row_reader


def _in_msgspec(frame: FrameType) -> bool:
    """Whether it is msgspec's Python that asks, such as `structs.fields`, which keeps nothing; decoding comes straight from the caller."""
    return Path(frame.f_code.co_filename).parent == Path(_utils.__file__).parent


def _look(obj: Any) -> Any:
    """What msgspec's C calls once it is watched. The function is the one that it knows, with this code."""
    return get_class_annotations.watched(obj)


def watch(into: Path) -> None:
    """From now on, a line in the file for every struct that is looked at while there are threads: but for types that a reader of rows makes
    for itself, one at a time.

    sys.setprofile would see it too, and takes as long as all that it watches.
    """
    looks = FunctionType(get_class_annotations.__code__, get_class_annotations.__globals__)

    def watched(obj: Any) -> Any:
        learned = getattr(obj, "__module__", "") == row_reader.__name__ and row_reader.LEARNING.locked()
        if threading.active_count() > 1 and not learned and not _in_msgspec(sys._getframe(2)):
            with into.open("a") as file:
                file.write(f"{obj}\n")
        return looks(obj)

    get_class_annotations.watched = watched
    get_class_annotations.__code__ = _look.__code__
