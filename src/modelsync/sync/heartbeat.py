"""A run's signs of life, from a thread of its own: no answer and no commit, however large, keeps them back."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from modelsync.errors import DatabaseError
from modelsync.sync.store import Store

INTERVAL = 5.0
"""Seconds between two signs of life; a run is taken for dead after four of them."""

LONGEST = 3600.0
"""Seconds after which a run gives no more of them: what takes longer hangs, and its lease would keep everybody else away."""

log = structlog.get_logger("modelsync.heartbeat")


@contextmanager
def beating(store: Store, run_id: int) -> Iterator[None]:
    """Give signs of life while the body runs."""
    over, ends_at = threading.Event(), time.monotonic() + LONGEST

    def beat() -> None:
        while not over.wait(INTERVAL) and time.monotonic() < ends_at:
            try:
                store.beat(run_id)
            except DatabaseError as error:
                log.debug(f"no sign of life: {error.message}", run_id=run_id)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=1.0)  # a beat may wait for a locked database, the program's end does not
