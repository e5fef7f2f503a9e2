"""Who may do what, as far as it is decided from a request and the keys alone."""

import time

import pytest

from modelsync.api.access import Buckets, Refusal, bearer, needed, refused
from modelsync.store import Held, Scope, digest

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


VALID = {digest("the reader's"): Held("anna", READ), digest("the syncer's"): Held("cron", SYNC), digest("the boss's"): Held("ops", ADMIN)}


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
    assert (found.status if isinstance(found, Refusal) else found.name) == expected


@pytest.mark.parametrize("key", [None, "", "x", "the boss's"])
def test_i30_without_any_key_nobody_is_let_in(key: str | None):
    found = refused(READ, key, {})
    assert isinstance(found, Refusal)
    assert found.status == 503


def test_a_refusal_says_what_would_do_and_never_the_key():
    found = refused(ADMIN, "the reader's", VALID)
    assert found == Refusal(403, "The key is good for read, and this needs admin")
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


def test_no_limit_is_no_limit():
    buckets = Buckets(0)
    assert {buckets.wait("a") for _ in range(1000)} == {0.0}


def test_i36_only_so_many_clients_are_remembered():
    buckets = Buckets(1)
    for number in range(Buckets.MOST + 500):
        buckets.wait(str(number))
    assert len(buckets._left) == Buckets.MOST
    assert [buckets.wait(str(Buckets.MOST + 499)) for _ in range(2)][1] > 0  # the last ones are
