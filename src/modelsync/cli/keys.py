"""`modelsync keys`: who may use the REST API, and for what."""

from cyclopts import App

from modelsync.cli import output
from modelsync.cli.history import deadline
from modelsync.cli.opening import opened
from modelsync.cli.operators import person
from modelsync.cli.parameters import Database, Json, Number, Reason
from modelsync.formats import text
from modelsync.model.actors import Scope
from modelsync.operations.api_keys import Keys

EPILOGUE = """Examples:
  modelsync keys
  modelsync keys create ci --scope sync --reason "nightly sync"
  modelsync keys revoke 1 --reason "left us\""""
app = App(name="keys", help="Keys for the REST API.", help_format="plaintext", help_epilogue=EPILOGUE)


@app.default
def listed(*, json: Json = False, database: Database = None) -> int:
    """List the keys that were handed out; the keys themselves are nowhere."""
    with opened(database) as db:
        keys = Keys(db.store).listed()
    if json:
        output.print_json({"version": 1, "keys": keys})
        return 0
    if not keys:
        output.say(output.stdout(), "No keys were handed out. Run: modelsync keys create --help")
        return 0
    rows = []
    for row in keys:
        times = [output.utc(row[name]) if row[name] else text.UNKNOWN for name in ("expires_at", "last_used_at", "revoked_at")]
        rows.append((str(row["id"]), output.safe(row["name"]), row["scope"], output.utc(row["created_at"]), *times))
    drops = {"created": 2, "last used": 1}
    names = ("key", "name", "scope", "created", "expires", "last used", "revoked")
    output.show_table([output.Column(name, name == "key", drops.get(name, 0), wraps=name == "name") for name in names], rows)
    return 0


@app.command
def create(name: str, /, *, scope: str = "read", expires: str | None = None, reason: Reason, database: Database = None) -> int:
    """Hand out a key. It is printed once, and only its digest is kept.

    Parameters
    ----------
    name:
        Who will hold it.
    scope:
        read (what /admin shows, and the catalog where it is closed), sync (also start syncs), or admin (everything).
    expires:
        When it ends: 2026-12-31, 2026-12-31T10:00, or 30d from now.
    """
    with opened(database, writing=True) as db:
        key = Keys(db.store).create(name, Scope.of(scope), person(reason), deadline(expires) if expires else None)
    output.say(output.stderr(), f"The key of {output.safe(name)} ({scope}); it is shown this once:")
    print(key)  # noqa: T201 - alone on stdout, for scripts
    return 0


@app.command
def revoke(number: Number, /, *, reason: Reason, database: Database = None) -> int:
    """Take a key back; a running server knows within seconds.

    Parameters
    ----------
    number:
        The number that `modelsync keys` shows.
    """
    with opened(database, writing=True) as db:
        Keys(db.store).revoke(number, person(reason))
    output.say(output.stdout(), f"Key {number} is revoked.")
    return 0
