"""What stands between this program and a server, in words with an instruction."""

import psycopg
import pytest

from modelsync.database.errors import explained

DIRECT = "postgresql://postgres:***@db.abcdefgh.supabase.co:5432/postgres"
POOLER = "postgresql://postgres.abcdefgh:***@aws-0-eu-central-1.pooler.supabase.com:5432/postgres"


@pytest.mark.parametrize(
    "text",
    [
        'connection failed: connection to server at "2001:db8::1", port 5432 failed: Network is unreachable',
        "failed to resolve host 'db.abcdefgh.supabase.co': [Errno -2] Name or service not known",
        'could not translate host name "db.abcdefgh.supabase.co" to address: No address associated with hostname',
        'connection to server at "2001:db8::1", port 5432 failed: Cannot assign requested address',
    ],
)
def test_an_address_of_supabase_that_needs_ipv6_says_so(text):
    for shown in (DIRECT, DIRECT.replace(":5432", "")):
        told = explained(psycopg.OperationalError(text), shown)
        assert str(told).startswith(f"{shown} cannot be reached. It is reached by IPv6 only; where this machine has none, take the session")
    assert "IPv6" not in str(explained(psycopg.OperationalError(text), POOLER))


@pytest.mark.parametrize(
    "text",
    [
        "SSL error: certificate verify failed",
        'root certificate file "/x.pem" does not exist',
        'server certificate for "h" does not match host name "other"',
    ],
)
def test_a_certificate_that_cannot_be_checked_names_the_setting(text):
    assert "sslrootcert in DATABASE_URL" in explained(psycopg.OperationalError(f"connection failed: {text}"), POOLER).hint
