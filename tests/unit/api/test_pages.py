"""Validators of answers: the same for the same state and question, another for anything else."""

import itertools
from datetime import UTC, datetime

from modelsync.api.pages import etag_of
from modelsync.store import Revision

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
