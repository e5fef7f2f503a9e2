"""Which of several workers a provider is left to when their settings differ."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from modelsync.planning.workers import Worker, leading, refused

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def worker(number: int, *, scope: str | None = "a", alive: bool = True, minutes: int = 0) -> Worker:
    return Worker(
        id=number,
        host=f"host{number}",
        pid=number,
        program="1",
        started_at=NOON + timedelta(minutes=minutes),
        heartbeat_at=NOON,
        offers={} if scope is None else {"groq": scope},
        syncing=(),
        alive=alive,
    )


def leader(*workers: Worker, last: str | None = None) -> int | None:
    found = leading(workers, "groq", last)
    return found.id if found else None


def test_the_scope_that_the_provider_was_synced_with_counts_as_long_as_a_worker_lives_that_has_it() -> None:
    one, two, three = worker(1, scope="new"), worker(2, scope="new"), worker(3, scope="old", minutes=5)
    assert leader(one, two, three, last="old") == 3
    assert leader(one, two, worker(3, scope="old", alive=False), last="old") == 1


def test_otherwise_that_of_most_and_then_of_the_one_that_lives_longest() -> None:
    assert leader(worker(1, scope="x"), worker(2, scope="y"), worker(3, scope="y"), last="gone") == 2
    assert leader(worker(1, scope="x", minutes=5), worker(2, scope="y"), last=None) == 2
    assert leader(worker(1, scope=None), worker(2, alive=False)) is None


def test_who_differs_refuses_and_says_from_whom() -> None:
    workers = [worker(1, scope="old"), worker(2, scope="new")]
    assert refused({"groq": "old"}, workers, {"groq": "old"}) == {}
    why = "options, key or address differ from those of the worker at host1 (1), whose scope counts"
    assert refused({"groq": "new"}, workers, {"groq": "old"}) == {"groq": why}
    assert refused({"xai": "new"}, workers, {}) == {}, "nobody else offers it"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 3)), max_size=6), st.sampled_from("abcd"))
def test_all_living_workers_agree_on_one_scope(drawn: list[tuple[str, bool, int]], last: str) -> None:
    workers = [worker(number, scope=scope, alive=alive, minutes=minutes) for number, (scope, alive, minutes) in enumerate(drawn)]
    willing = {each.offers["groq"] for each in workers if each.alive and not refused(each.offers, workers, {"groq": last})}
    assert len(willing) == bool([each for each in workers if each.alive])
    if last in {each.offers["groq"] for each in workers if each.alive}:
        assert willing == {last}
