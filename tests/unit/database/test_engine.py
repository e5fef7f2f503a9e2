"""Database addresses, as people paste them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.database.engine import parse_url, shown
from modelsync.errors import SettingsError

quick = settings(max_examples=100, deadline=None, derandomize=True)
REQUIRED = {"sslmode": "require"}


# SQLite


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///modelsync.db", "modelsync.db"),
        ("sqlite:///data/models.db", "data/models.db"),
        ("sqlite:////var/lib/models.db", "/var/lib/models.db"),
        ("sqlite+pysqlite:////var/lib/models.db", "/var/lib/models.db"),
        ("sqlite:///modelsync.db?timeout=5", "modelsync.db"),
        ("sqlite:///with space & ü.db", "with space & ü.db"),
        ("modelsync.db", "modelsync.db"),
        ("./data/models.db", "./data/models.db"),
        ("/var/lib/models.db", "/var/lib/models.db"),
        ("/var/lib/a:b.db", "/var/lib/a:b.db"),
        ("sqlite:models.db", "models.db"),
        (' "sqlite:///modelsync.db"\n', "modelsync.db"),
    ],
)
def test_sqlite_files(text, path):
    url = parse_url(text)
    assert (url.drivername, url.database, url.host, dict(url.query)) == ("sqlite+pysqlite", path, None, {})


def test_a_sqlite_file_is_shown_as_an_absolute_path():
    assert shown(parse_url("sqlite:///modelsync.db")) == f"{Path.cwd()}/modelsync.db"
    assert shown(parse_url("data/x.db")) == f"{Path.cwd()}/data/x.db"
    assert shown(parse_url("/var/lib/models.db")) == "/var/lib/models.db"


@pytest.mark.parametrize("text", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+pysqlite:///:memory:", "sqlite:///?mode=memory"])
def test_a_catalog_is_not_kept_in_memory(text):
    with pytest.raises(SettingsError, match="needs a database file, not memory"):
        parse_url(text)


# Postgres


def parts(text):
    url = parse_url(text)
    assert url.drivername == "postgresql+psycopg"
    return url.username, url.password, url.host, url.port, url.database, dict(url.query)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u:p@h.test/d", ("u", "p", "h.test", None, "d", REQUIRED)),
        ("postgresql://u:p@h.test:6543/d", ("u", "p", "h.test", 6543, "d", REQUIRED)),
        ("postgresql+psycopg://u:p@h.test/d", ("u", "p", "h.test", None, "d", REQUIRED)),
        ("postgresql://u@h.test/d", ("u", None, "h.test", None, "d", REQUIRED)),
        ("postgresql://h.test/d", (None, None, "h.test", None, "d", REQUIRED)),
        ("postgresql://u:p@h.test", ("u", "p", "h.test", None, None, REQUIRED)),
        ("postgresql:///d", (None, None, None, None, "d", {})),
        ("postgresql:///d?host=/var/run/postgresql", (None, None, None, None, "d", {"host": "/var/run/postgresql"})),
        ("postgresql://u:p@h.test/my%20db", ("u", "p", "h.test", None, "my db", REQUIRED)),
        ("'postgres://u:p@h.test/d'\n", ("u", "p", "h.test", None, "d", REQUIRED)),
        ("postgres://a.b%2Bc:p@h.test/d", ("a.b+c", "p", "h.test", None, "d", REQUIRED)),
    ],
)
def test_postgres_addresses(text, expected):
    assert parts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "postgresql://postgres.abcdefghijklmnop:s3cret@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?pgbouncer=true",
            ("postgres.abcdefghijklmnop", "s3cret", "aws-0-eu-central-1.pooler.supabase.com", 6543, "postgres", REQUIRED),
        ),
        (
            "postgres://postgres.x:p@aws-0-us-east-1.pooler.supabase.com:6543/postgres?sslmode=require&supa=base-pooler.x",
            ("postgres.x", "p", "aws-0-us-east-1.pooler.supabase.com", 6543, "postgres", REQUIRED),
        ),
        (
            "postgresql://postgres:p@db.abcdefghijklmnop.supabase.co:5432/postgres",
            ("postgres", "p", "db.abcdefghijklmnop.supabase.co", 5432, "postgres", REQUIRED),
        ),
        (
            "postgresql://u:p@h.test/d?pgbouncer=true&connection_limit=1&pool_timeout=0&schema=public&connect_timeout=5",
            ("u", "p", "h.test", None, "d", {"connect_timeout": "5", **REQUIRED}),
        ),
    ],
)
def test_poolers_addresses_as_pasted(text, expected):
    assert parts(text) == expected


ODD_PASSWORDS = ["p@ss", "a/b", "a#b", "a?b", "a:b", "100%", "%zz", "a@b/c#d?e:f%g@h", "@", "a b", "$&+,;=", "[x]", "ü", "a@h.test:1/d?x=1"]


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_a_password_may_hold_any_character(password):
    assert parts(f"postgresql://me:{password}@h.test:5432/d?pgbouncer=true") == ("me", password, "h.test", 5432, "d", REQUIRED)


@pytest.mark.parametrize(
    ("written", "password"), [("p%40ss", "p@ss"), ("a%2Fb%3Fc%23", "a/b?c#"), ("100%25", "100%"), ("a+b", "a+b"), ("%C3%BC", "ü")]
)
def test_a_percent_encoded_password_is_decoded(written, password):
    assert parts(f"postgres://me:{written}@h.test/d")[1] == password


@pytest.mark.parametrize(
    ("host", "read", "query"),
    [
        ("[::1]", "::1", {}),
        ("[2001:db8::1]", "2001:db8::1", REQUIRED),
        ("localhost", "localhost", {}),
        ("127.0.0.1", "127.0.0.1", {}),
        ("db", "db", REQUIRED),
        ("10.0.0.5", "10.0.0.5", REQUIRED),
    ],
)
@pytest.mark.parametrize("port", ["", ":5432"])
def test_tls_is_required_by_default_off_this_machine(host, read, query, port):
    assert parts(f"postgres://u:p@{host}{port}/d") == ("u", "p", read, 5432 if port else None, "d", query)


@pytest.mark.parametrize("mode", ["disable", "verify-full", "prefer"])
def test_a_stated_sslmode_is_kept(mode):
    assert parts(f"postgres://u:p@h.test/d?sslmode={mode}")[5] == {"sslmode": mode}


@pytest.mark.parametrize("text", ["postgresql://u:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres", "postgres://[YOUR-PASSWORD]@h/d"])
def test_the_placeholder_is_pointed_out(text):
    with pytest.raises(SettingsError, match="still holds the placeholder"):
        parse_url(text)


# Supabase, as its Connect dialog shows it


REF = "abcdefghijklmnopqrst"
PLACES = {
    "direct": ("postgres", f"db.{REF}.supabase.co", 5432),  # which speaks IPv6 only
    "dedicated pooler": ("postgres", f"db.{REF}.supabase.co", 6543),
    "session pooler": (f"postgres.{REF}", "aws-0-eu-central-1.pooler.supabase.com", 5432),
    "transaction pooler": (f"postgres.{REF}", "aws-1-us-east-2.pooler.supabase.com", 6543),
    "role of one's own": (f"catalog_sync.{REF}", "aws-0-eu-central-1.pooler.supabase.com", 6543),
}
PARAMETERS = {
    "": REQUIRED,
    "?pgbouncer=true": REQUIRED,
    "?pgbouncer=true&connection_limit=1": REQUIRED,
    "?supa=base-pooler.x": REQUIRED,
    "?sslmode=require&supa=base-pooler.x": REQUIRED,
    "?workaround=supabase-pooler.vercel&pgbouncer=true&sslmode=require": REQUIRED,
    "?sslmode=verify-full&sslrootcert=/etc/ssl/prod-ca-2021.crt": {"sslmode": "verify-full", "sslrootcert": "/etc/ssl/prod-ca-2021.crt"},
    "?sslmode=disable": {"sslmode": "disable"},
}
SCHEMES = ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("place", PLACES)
def test_every_form_of_a_supabase_address_is_read(scheme, parameters, place):
    user, host, port = PLACES[place]
    for password in ("s3cret", *ODD_PASSWORDS):
        text = f"{scheme}://{user}:{password}@{host}:{port}/postgres{parameters}"
        for written in (text, f'"{text}"\n', f" '{text}'"):
            assert parts(written) == (user, password, host, port, "postgres", PARAMETERS[parameters])
        assert shown(parse_url(text)) == f"postgresql://{user}:***@{host}:{port}/postgres"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("placeholder", ["[YOUR-PASSWORD]", "%5BYOUR-PASSWORD%5D"])
def test_a_supabase_address_without_its_password_says_so(scheme, place, placeholder):
    user, host, port = PLACES[place]
    with pytest.raises(SettingsError, match="still holds the placeholder") as caught:
        parse_url(f"{scheme}://{user}:{placeholder}@{host}:{port}/postgres?pgbouncer=true")
    assert caught.value.hint == "Put the database password in its place"


@pytest.mark.parametrize(
    "text",
    [
        f"psql -h db.{REF}.supabase.co -p 5432 -d postgres -U postgres",
        f"psql 'postgresql://postgres:canary@db.{REF}.supabase.co:5432/postgres'",
        f"host=db.{REF}.supabase.co port=5432 dbname=postgres user=postgres password=canary",
        f"user=postgres.{REF}\npassword=canary\nhost=aws-0-eu-central-1.pooler.supabase.com\nport=6543\ndbname=postgres",
        f"User Id=postgres.{REF};Password=canary;Server=aws-0-eu-central-1.pooler.supabase.com;Port=5432;Database=postgres",
        f"jdbc:postgresql://db.{REF}.supabase.co:5432/postgres?user=postgres&password=canary",
        f"DATABASE_URL=postgresql://postgres:canary@db.{REF}.supabase.co:5432/postgres",
    ],
)
def test_forms_for_other_programs_are_no_files(text):
    with pytest.raises(SettingsError, match="The address of the database cannot be read") as caught:
        parse_url(text)
    assert "canary" not in str(caught.value)
    assert "postgresql://user:password@host:5432/database" in caught.value.hint


@pytest.mark.parametrize("text", ["psql.db", "a=b.db", "hostname.db", "my host.db", "/srv/a;b=c/x.db"])
def test_files_with_odd_names_are_files(text):
    assert parse_url(text).database == text


@pytest.mark.parametrize("address", ["https://{}.supabase.co", "https://{}.supabase.co/rest/v1/?apikey=canary", "http://{}.Supabase.co/"])
def test_the_address_of_the_web_api_is_no_database(address):
    with pytest.raises(SettingsError) as caught:
        parse_url(address.format(REF))
    assert caught.value.message == "SUPABASE_URL and its keys are for Supabase's web API, and modelsync needs the database itself"
    assert caught.value.hint == (
        "Set DATABASE_URL to the connection string that Supabase's dashboard shows under Connect, as "
        f"postgresql://postgres.{REF}:[YOUR-PASSWORD]@aws-0-<region>.pooler.supabase.com:6543/postgres;"
        " or to sqlite:///modelsync.db, to use SQLite all the same"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        '""',
        "sqlite:",
        ":memory:",
        "file:x?mode=memory",
        "sqlite://h:port/x.db",
        "mysql://u:canary@h/d",
        "http://u:canary@h/d",
        "://u:canary@h/d",
        "u:canary@h/d",
        "postgres:u:canary@h/d",
        "postgres://u:canary@h:port/d",
        "postgres://u:canary@h:999999/d",
        f"postgres://u:canary@h:{'9' * 5000}/d",
        "postgres://u:canary\n@h/d",
        "postgres://u:canary@[::1/d",
        "jdbc:postgresql://h/d?password=canary",
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(text):
    with pytest.raises(SettingsError) as caught:
        parse_url(text)
    assert caught.value.exit_code == 64
    assert "canary" not in str(caught.value)
    assert "sqlite:///modelsync.db" in caught.value.hint


# What is shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://me:canary@h.test:6543/d?pgbouncer=true", "postgresql://me:***@h.test:6543/d"),
        ("postgres://me:can%61ry@[2001:db8::1]/d", "postgresql://me:***@[2001:db8::1]/d"),
        ("postgres://h.test/d?user=me&password=canary", "postgresql://h.test/d"),
        ("postgres://me@h.test/d", "postgresql://me@h.test/d"),
    ],
)
def test_an_address_is_shown_without_its_password(text, expected):
    assert shown(parse_url(text)) == expected


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_i31_no_part_of_an_odd_password_is_shown(password):
    assert shown(parse_url(f"postgres://me:{password}@h.test/d")) == "postgresql://me:***@h.test/d"


@quick
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1).filter(
        lambda text: "%" not in text and text != "[YOUR-PASSWORD]"
    )
)
def test_any_password_on_one_line_arrives_and_is_not_shown(password):
    url = parse_url(f"postgres://me:{password}@h.test/d")
    assert (url.password, url.host) == (password, "h.test")
    assert shown(url) == "postgresql://me:***@h.test/d"


@quick
@given(
    st.text(max_size=40)
    | st.text(max_size=30).map(lambda rest: f"postgres://{rest}")
    | st.text(max_size=30).map(lambda rest: f"sqlite://{rest}")
)
def test_any_text_is_an_address_or_refused(text):
    try:
        url = parse_url(text)
    except SettingsError:
        return
    assert url.drivername in ("sqlite+pysqlite", "postgresql+psycopg")
    assert shown(url)
