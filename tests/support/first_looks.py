"""Sees when msgspec looks at a struct for the first time: that must be over before there are threads."""

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from msgspec import _utils

LOOK = _utils.get_class_annotations.__code__


def _in_msgspec(frame: FrameType) -> bool:
    """Whether it is msgspec's Python that asks, such as `structs.fields`, which keeps nothing; decoding comes straight from the caller."""
    return Path(frame.f_code.co_filename).parent == Path(_utils.__file__).parent


def watch(into: Path) -> None:
    """From now on, a line in the file for every struct that is looked at while there are threads."""

    def seen(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code is LOOK and frame.f_back and not _in_msgspec(frame.f_back) and threading.active_count() > 1:
            with into.open("a") as file:
                file.write(f"{frame.f_locals['obj']}\n")

    threading.setprofile(seen)
    sys.setprofile(seen)
