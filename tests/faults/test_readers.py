"""X1: readers of the API while syncs of 20,000 models commit: every answer is of one committed state of the catalog."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from modelsync.fetch import authorities
from modelsync.sync.store import Store
from support.api import serving
from support.soak import note_figures
from support.store import SLUG, commit, model, opened

READERS = 4


class Scale(NamedTuple):
    """How many models change in each commit, and how often each reader asks."""

    models: int
    requests: int


SHORT, LONG = Scale(4_000, 150), Scale(20_000, 2_500)


def generation(store: Store, models: int, number: int) -> None:
    """A commit in which every model changes: all of them say which one it was."""
    commit(store, *(model(f"m{index:05}", None, context_length=number, model_name=f"M{index}") for index in range(models)))


def reader(base: str, seed: int, scale: Scale, seen: dict[int, set[int]]) -> int:
    """Ask and look: how many answers were `not modified`. Fails at the first answer that is no single state."""
    chosen = random.Random(seed)
    known: dict[str, tuple[str, Any]] = {}
    last = unchanged = 0
    with httpx2.Client(base_url=base, timeout=60, verify=authorities()) as client:
        for _ in range(scale.requests):
            offset = chosen.choice((0, 50, scale.models - 50, chosen.randrange(scale.models - 20)))
            sort = chosen.choice(("provider", "name", "context"))
            path = f"/models?provider={SLUG}&limit=20&offset={offset}&sort={sort}"
            etag, body = known.get(path, ("", None))
            answer = client.get(path, headers={"If-None-Match": etag} if etag and chosen.random() < 0.5 else {})
            assert answer.status_code in (200, 304), answer.text
            if answer.status_code == 304:
                unchanged += 1
            else:
                body = answer.json()
                known[path] = (answer.headers["etag"], body)
            lengths = {row["context_length"] for row in body["data"]}
            assert (len(lengths), body["total"]) == (1, scale.models), (lengths, body["total"])
            revision = int(answer.headers["x-catalog-revision"])
            assert revision == body["revision"] >= last
            last = revision
            seen.setdefault(revision, set()).update(lengths)
    return unchanged


def hammered(database_url: str, folder: Path, scale: Scale) -> dict[str, int]:
    """Commits, one after the other, for as long as the readers read."""
    seen: list[dict[int, set[int]]] = [{} for _ in range(READERS)]
    commits = 1
    with opened(database_url) as store:
        generation(store, scale.models, 1)
        with serving(folder, database_url) as served, ThreadPoolExecutor(READERS) as threads:
            answers = [threads.submit(reader, served.base, number, scale, seen[number]) for number in range(READERS)]
            while not all(answer.done() for answer in answers):
                commits += 1
                generation(store, scale.models, commits)
            unchanged = sum(answer.result() for answer in answers)
    states: dict[int, set[int]] = {}
    for each in seen:
        for revision, lengths in each.items():
            states.setdefault(revision, set()).update(lengths)
    assert all(len(lengths) == 1 for lengths in states.values()), states  # all readers saw the same of one revision
    in_order = [min(lengths) for _, lengths in sorted(states.items())]
    assert in_order == sorted(in_order)
    assert min(commits, len(states)) > 1
    return {"requests": READERS * scale.requests, "commits": commits, "states": len(states), "not_modified": unchanged}


def test_x01_every_answer_is_of_one_committed_state(database_url: str, tmp_path: Path):
    hammered(database_url, tmp_path, SHORT)


@pytest.mark.soak
def test_x01_every_answer_is_of_one_committed_state_for_long(database_url: str, tmp_path: Path):
    figures = hammered(database_url, tmp_path, LONG)
    database = "sqlite" if database_url.startswith("sqlite") else "postgres"
    note_figures("four readers while 20,000 models commit", database=database, **figures, errors=0, mixed=0)
