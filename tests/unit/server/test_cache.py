"""Validators of answers: the same for the same state and question, another for anything else."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.types import Message, Receive, Scope, Send

from modelsync.queries.reader import Revision
from modelsync.server.cache import MOST_BYTES, REVISION, AnswerCache, etag_of
from modelsync.server.clients import Clients

EDITION = 2**47
ASKED = ("/models", b"limit=2", "application/json")


def test_the_same_state_has_the_same_etag_whenever_it_was_last_confirmed():
    early, late = (Revision(7, EDITION, datetime(2026, 11, day, tzinfo=UTC)) for day in (22, 23))
    assert etag_of(early, *ASKED) == etag_of(late, *ASKED)
    assert etag_of(early, *ASKED).startswith('W/"7-')
    assert etag_of(early, *ASKED).endswith('"')


def test_another_state_or_question_has_another_etag():
    revisions = [
        Revision(7, EDITION, None),
        Revision(8, EDITION, None),
        Revision(7, EDITION + 1, None),  # a database restored from a backup, which counted to 7 again
        Revision(7, 0, None),
    ]
    questions = [
        ASKED,
        ("/models", b"limit=3", "application/json"),
        ("/models", b"", "application/json"),
        ("/models/stats", b"limit=2", "application/json"),
        ("/models", b"limit=2", "*/*"),
    ]
    tags = [etag_of(revision, *asked) for revision, asked in itertools.product(revisions, questions)]
    assert len(set(tags)) == len(tags) == 20
    assert all("," not in tag and tag.isascii() for tag in tags)


class Asked:
    """A service of which only the revision is asked; whatever is to happen meanwhile happens then."""

    clients = Clients(())

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def revision(self) -> Revision:
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            await act()
        return Revision(1, 1, None)

    def showed(self, _: Revision) -> None:
        """It does not matter here."""


def test_a_page_that_makes_room_for_another_while_it_is_asked_for_is_made_anew():
    """The kept one is looked at after the wait for the revision, in which others are answered."""
    service = Asked()

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        scope[REVISION] = Revision(1, 1, None)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (MOST_BYTES if scope["path"] == "/big" else 5)})

    pages = AnswerCache(app, service)  # type: ignore[arg-type] - as much of one as is used

    async def ask(path: str) -> bytes:
        said: list[Message] = []

        async def send(message: Message) -> None:
            said.append(message)

        await pages({"type": "http", "method": "GET", "path": path, "query_string": b"", "scheme": "http", "headers": []}, send, send)  # type: ignore[arg-type]
        return b"".join(message.get("body", b"") for message in said)

    async def run() -> None:
        assert await ask("/small") == b"xxxxx"
        service.meanwhile = lambda: ask("/big")
        assert await ask("/small") == b"xxxxx"

    asyncio.run(run())
