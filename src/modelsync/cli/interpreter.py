"""How this Python runs a command that does many things at once: so that whoever has little to do never waits long for those with much."""

import gc
import sys

SWITCHING = 0.0002
"""Seconds that a thread of Python runs while others wait. A page takes some hundred short steps, one for each row of the database: each of
them would wait five milliseconds for each thread that is busy with a search, an export or a decision."""

COLLECTING = (2_000, 5, 500)
"""New containers that lead to a collection of garbage, and collections of each generation that lead to one of the next. One of the oldest
generation stops every thread, for a tenth of a second where a list of 10,000 models was read; and as what is read and planned has no
cycles, it finds next to nothing."""


def settle() -> None:
    """To be called once, when all is imported: what is in memory by now is never looked through again."""
    sys.setswitchinterval(SWITCHING)
    gc.freeze()
    gc.set_threshold(*COLLECTING)
