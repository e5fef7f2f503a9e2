"""A run's signs of life, from a thread of its own: no answer and no commit, however large, keeps them back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from modelsync.errors import DatabaseError
from modelsync.sync.store import Store

INTERVAL = 5.0
"""Seconds between two signs of life; a run is taken for dead after four of them."""

log = structlog.get_logger("modelsync.heartbeat")


@contextmanager
def beating(store: Store, run_id: int) -> Iterator[None]:
    """Give signs of life while the body runs."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(INTERVAL):
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
