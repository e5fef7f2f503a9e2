"""Who may do what, as far as it is decided from a request and the keys alone."""

import time

import pytest

from modelsync.model.actors import Scope
from modelsync.operations.api_keys import ApiKeyHolder, digest
from modelsync.server.access import AccessDenied, Buckets, bearer, needed, refused, retry_after

READ, SYNC, ADMIN = Scope.READ, Scope.SYNC, Scope.ADMIN


@pytest.mark.parametrize(
    ("method", "path", "public", "closed"),
    [
        ("GET", "/health/live", None, None),
        ("HEAD", "/health/ready", None, None),
        ("GET", "/docs", None, None),
        ("GET", "/openapi.json", None, None),
        ("POST", "/docs", ADMIN, ADMIN),
        ("GET", "/docs/", None, READ),
        ("GET", "/health/live/x", None, READ),
        ("GET", "/models", None, READ),
        ("HEAD", "/models", None, READ),
        ("GET", "/metrics", None, READ),
        ("GET", "/nosuch", None, READ),
        ("GET", "/", None, READ),
        ("GET", "", None, READ),
        ("POST", "/models", ADMIN, ADMIN),
        ("PATCH", "/models/1", ADMIN, ADMIN),
        ("DELETE", "/nosuch", ADMIN, ADMIN),
        ("OPTIONS", "/models", ADMIN, ADMIN),
        ("TRACE", "/health/live", ADMIN, ADMIN),
        ("get", "/models", ADMIN, ADMIN),  # methods are case-sensitive (RFC 9110 9.1)
        ("", "/models", ADMIN, ADMIN),
        ("GET", "/admin", READ, READ),
        ("GET", "/admin/", READ, READ),
        ("GET", "/admin/pins", READ, READ),
        ("GET", "/admin/model-sync/status", READ, READ),
        ("POST", "/admin/model-sync/all", SYNC, SYNC),
        ("POST", "/admin/model-sync/", SYNC, SYNC),
        ("POST", "/admin/model-sync", ADMIN, ADMIN),
        ("POST", "/admin/model-syncs/all", ADMIN, ADMIN),
        ("PUT", "/admin/model-sync/all", ADMIN, ADMIN),
        ("DELETE", "/admin/model-sync/all", ADMIN, ADMIN),
        ("POST", "/admin/thaw", ADMIN, ADMIN),
        ("GET", "/administration", None, READ),
    ],
)
def test_i30_what_a_request_needs(method: str, path: str, public: Scope | None, closed: Scope | None):
    assert (needed(method, path, public=True), needed(method, path, public=False)) == (public, closed)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer abc", "abc"),
        ("bearer   abc  ", "abc"),
        ("BEARER a b", "a b"),
        ("", None),
        ("Bearer", None),
        ("Bearer   ", None),
        ("Basic abc", None),
        ("abc", None),
        ("Bearerabc", None),
        ("Bearer\tabc", None),
    ],
)
def test_the_key_in_a_header(header: str, key: str | None):
    assert bearer(header) == key


VALID = {
    digest("the reader's"): ApiKeyHolder("anna", READ),
    digest("the syncer's"): ApiKeyHolder("cron", SYNC),
    digest("the boss's"): ApiKeyHolder("ops", ADMIN),
}


@pytest.mark.parametrize(
    ("scope", "key", "expected"),
    [
        (READ, "the reader's", "anna"),
        (SYNC, "the reader's", 403),
        (ADMIN, "the reader's", 403),
        (READ, "the syncer's", "cron"),
        (SYNC, "the syncer's", "cron"),
        (ADMIN, "the syncer's", 403),
        (ADMIN, "the boss's", "ops"),
        (READ, "nobody's", 401),
        (READ, "", 401),
        (READ, None, 401),
        (READ, "\udcff", 401),
        (READ, digest("the boss's"), 401),
    ],
)
def test_i30_who_is_let_in(scope: Scope, key: str | None, expected: object):
    found = refused(scope, key, VALID)
    assert (found.status if isinstance(found, AccessDenied) else found.name) == expected


@pytest.mark.parametrize("key", [None, "", "x", "the boss's"])
def test_i30_without_any_key_nobody_is_let_in(key: str | None):
    found = refused(READ, key, {})
    assert isinstance(found, AccessDenied)
    assert found.status == 503


def test_a_refusal_says_what_would_do_and_never_the_key():
    found = refused(ADMIN, "the reader's", VALID)
    assert found == AccessDenied(403, "The key is good for read, and this needs admin")
    assert "nobody's" not in str(refused(READ, "nobody's", VALID))


def test_i36_a_client_may_ask_twice_its_rate_at_once_and_then_waits():
    buckets = Buckets(5)
    assert [buckets.wait("a") for _ in range(10)] == [0.0] * 10
    wait = buckets.wait("a")
    assert 0 < wait <= 0.2
    assert buckets.wait("b") == 0.0
    time.sleep(0.25)
    assert buckets.wait("a") == 0.0  # one in 0.2 seconds


def test_i36_who_is_refused_waits_no_longer_for_it():
    buckets = Buckets(0.5)
    assert buckets.wait("a") == 0.0
    waits = [buckets.wait("a") for _ in range(50)]
    assert all(0 < wait <= 2.0 for wait in waits)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_i36_a_bucket_to_the_edge():
    clock = Clock()
    buckets = Buckets(4, clock)  # a quarter of a second each: exact in binary
    assert [buckets.wait("a") for _ in range(9)] == [0.0] * 8 + [0.25]
    clock.now += 0.125
    assert buckets.wait("a") == 0.125
    clock.now += 0.125
    assert [buckets.wait("a"), buckets.wait("a")] == [0.0, 0.25]  # exactly one more, and being refused cost nothing
    clock.now += 1.0
    assert [buckets.wait("a") for _ in range(5)] == [0.0] * 4 + [0.25]
    clock.now += 2.0
    assert [buckets.wait("a") for _ in range(9)] == [0.0] * 8 + [0.25]  # two seconds fill it
    clock.now += 3600.0
    assert [buckets.wait("a") for _ in range(9)] == [0.0] * 8 + [0.25]  # and an hour fills it no further
    assert [buckets.wait("b") for _ in range(9)] == [0.0] * 8 + [0.25]


@pytest.mark.parametrize(("rate", "burst"), [(0.25, 1), (0.5, 1), (1, 2), (2, 4)])
def test_i36_whatever_the_rate_one_request_is_let_in(rate: float, burst: int):
    buckets = Buckets(rate, Clock())
    assert [buckets.wait("a") for _ in range(burst + 1)] == [0.0] * burst + [1 / rate]


@pytest.mark.parametrize(("wait", "seconds"), [(0.001, 1), (0.99, 1), (1.0, 1), (1.01, 2), (1.5, 2), (2.4, 3), (2.5, 3), (4.0, 4)])
def test_i36_who_waits_as_told_is_let_in(wait: float, seconds: int):
    assert retry_after(wait) == seconds


def test_i36_who_was_still_longest_is_forgotten_first():
    clock = Clock()
    buckets = Buckets(0.5, clock)
    for number in range(Buckets.MOST):
        assert buckets.wait(str(number)) == 0.0
    assert buckets.wait("0") == 2.0  # as many as there may be, and all are remembered; this one is not still any more
    assert buckets.wait("one more") == 0.0
    assert (len(buckets._left), buckets.wait("0"), buckets.wait("2")) == (Buckets.MOST, 2.0, 2.0)
    assert buckets.wait("1") == 0.0  # who was forgotten begins anew


def test_no_limit_is_no_limit():
    buckets = Buckets(0)
    assert {buckets.wait("a") for _ in range(1000)} == {0.0}


def test_i36_only_so_many_clients_are_remembered():
    buckets = Buckets(1)
    for number in range(Buckets.MOST + 500):
        buckets.wait(str(number))
    assert len(buckets._left) == Buckets.MOST
    assert [buckets.wait(str(Buckets.MOST + 499)) for _ in range(2)][1] > 0  # the last ones are
