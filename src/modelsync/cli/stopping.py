"""Ctrl-C and SIGTERM: a word at once, the end within two seconds, and at the second one now."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

GRACE = 1.5
"""Seconds from the signal to the end at the latest: what hangs is a name server, or a database that somebody else has locked."""

STOPPED = "Stopped. Providers already done are in the catalog; the others are untouched. Run it again to finish."


ENDED = "Stopped. What was committed stays; nothing is half done. Call it again if you want the rest."


class Stopping:
    """Called with each signal; the last word is `ended`."""

    def __init__(self, ended: str = ENDED) -> None:
        self._signalled = False
        self._ended = ended

    def __call__(self, number: int) -> None:
        """Give the process a moment to end by itself; end it at the second signal."""
        if self._signalled:
            self._leave(number)
        self._signalled = True
        _tell("stopping …")
        timer = threading.Timer(GRACE, self._leave, [number])
        timer.daemon = True
        timer.start()

    def _leave(self, number: int) -> None:
        """End the process as a kill would, which nothing is torn by: a transaction that has not committed is not there, and another run
        sees that this one's heart no longer beats.
        """
        _tell(self._ended)
        os._exit(128 + number)


@contextlib.contextmanager
def at_ctrl_c(ended: str = ENDED) -> Iterator[Stopping]:
    """Within the block Ctrl-C interrupts as ever, and ends the process with the word `ended` if that is not enough."""
    stopping = Stopping(ended)

    def interrupted(number: int, _frame: object) -> None:
        stopping(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stopping  # signals are another's
        return
    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(sentence: str) -> None:
    """On stderr, past whatever is drawn there (a live list hides the cursor), and past its locks: the thread that has them may be stuck."""
    shown = f"\x1b[?25h\r\x1b[K{sentence}\r\n" if sys.stderr.isatty() else f"{sentence}\n"
    with contextlib.suppress(OSError):
        os.write(2, shown.encode())
