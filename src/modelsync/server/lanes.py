"""Who may take how much at once, and work in threads of its own, so that what takes long is in nobody else's way."""

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Generic, ParamSpec, TypeVar

from modelsync.errors import ModelsyncError

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


class TooBusy(ModelsyncError):
    """Something was not begun, because so much of it is under way. `own` when it is the client's own."""

    def __init__(self, message: str, hint: str, *, own: bool) -> None:
        super().__init__(message, hint)
        self.own = own


class Shares:
    """How many of something are under way: in all, and of each client. A client that is None is counted in all only."""

    def __init__(self, what: str, in_all: int, each: int) -> None:
        self._what = what
        self._in_all = in_all
        self._each = each
        self._taken = 0
        self._of: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are under way."""
        return self._taken

    @contextmanager
    def one(self, client: str | None, size: int = 1) -> Iterator[None]:
        """One more, or as many as `size`, until the end of this. Raises TooBusy when there would be too many."""
        if client is not None and self._of[client] + size > self._each:
            raise TooBusy(f"{self._each} {self._what} of yours are under way", "Wait for one of them to end", own=True)
        if self._taken + size > self._in_all:
            raise TooBusy(f"{self._in_all} {self._what} are under way, as many as may be", "Try again in a moment", own=False)
        self._taken += size
        if client is not None:
            self._of[client] += size
        try:
            yield
        finally:
            self._taken -= size
            if client is not None:
                self._of[client] -= size
                if not self._of[client]:
                    del self._of[client]


class Lane:
    """Threads for one kind of work. Clients take turns, so that whoever asks much waits behind whoever asks little."""

    def __init__(self, name: str, threads: int, shares: Shares, patience: float) -> None:
        """Only so many wait, as the shares say, and none for more than `patience` seconds."""
        self._threads = ThreadPoolExecutor(threads, name)
        self._free = threads
        self._shares = shares
        self._patience = patience
        self._waiting: OrderedDict[str | None, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(
        self, client: str | None, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """What `work` gives. Raises TooBusy when too many wait, or it is not this client's turn within `patience` seconds."""
        with self._shares.one(client):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(client, deque()).append(turn)
            self._give_turns()
            try:
                await self._came(turn)
                return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))
            finally:
                if turn.done() and not turn.cancelled():  # also when it came just as this gave up
                    self._free += 1
                    self._give_turns()

    async def _came(self, turn: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except TimeoutError:
            raise TooBusy("Others have asked for what takes long", "Try again in a moment", own=False) from None

    def _give_turns(self) -> None:
        """Give the free threads to the clients that wait, one each."""
        while self._free and self._waiting:
            client, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns  # behind all others
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    def close(self) -> None:
        """End the threads. Blocks until what they do is done."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class OncePerSecond(Generic[Result]):
    """A value that is made once a second at most, however many ask for it; so is a failure."""

    SECONDS = 1.0

    def __init__(self, make: Callable[[], Awaitable[Result]]) -> None:
        self._make = make
        self._made: asyncio.Future[Result] | None = None
        self._until = 0.0

    async def now(self) -> Result:
        """What was made last, or is being made now."""
        if self._made is None or (self._made.done() and time.monotonic() >= self._until):
            self._made = asyncio.ensure_future(self._timed())
        return await asyncio.shield(self._made)

    def forget(self) -> None:
        """Make it anew when somebody asks: it has changed."""
        self._made = None

    async def _timed(self) -> Result:
        try:
            return await self._make()
        finally:
            self._until = time.monotonic() + self.SECONDS
