"""`modelsync held`, `confirm` and `reject`: what a sync found and did not believe."""

import getpass
from typing import Annotated, Any

from cyclopts import Parameter

from modelsync import app
from modelsync.cli import output
from modelsync.cli.parameters import FLAG, Database, Json, Number, Reason, Slugs
from modelsync.cli.sync import load
from modelsync.errors import UsageError
from modelsync.registry import select
from modelsync.store import Catalog, Person, deciding

HoldNumber = Annotated[Number, Parameter(help="The numbers that `modelsync held` shows.")]
AllOf = Annotated[Slugs, Parameter(help="Everything held of these providers.")]
OfKind = Annotated[str | None, Parameter(help="Everything held of this kind.")]
Words = {"confirm": "Confirmed", "reject": "Rejected"}
Next = {
    "confirm": "Confirmed prices are live; absent models are retired once they were absent long enough.",
    "reject": "The catalog stays as it is, until the provider says something else.",
}


def held(
    *,
    provider: Slugs = None,
    kind: str | None = None,
    ids: Annotated[bool, FLAG] = False,
    json: Json = False,
    database: Database = None,
) -> int:
    """List what waits for a person, oldest first. Exit code 4 when something does.

    Parameters
    ----------
    kind:
        price, unit-change, shrink, other-catalog, empty or invalid.
    ids:
        Also name the models that each is about.
    """
    select(provider)
    store = app.build(load(database)).open_store(read_only=True)
    try:
        catalog = Catalog(store)
        found, now, nothing = catalog.holds(provider or (), kind), catalog.now(), _nothing(catalog, provider, kind)
    finally:
        store.close()
    if json:
        output.print_json({"version": 1, "held": found})
        return 4 if found else 0
    console = output.stdout()
    for hold in found:
        times = "once" if hold["times_seen"] == 1 else f"{hold['times_seen']} times"
        since = f"since {output.ago(hold['created_at'], now)}, seen {times}"
        output.say(console, f"{hold['id']}  {hold['provider']}  {hold['kind']}: {output.safe(hold['message'])} ({since})")
        output.say(console, f"   {output.safe(hold['hint'])}")
        for row_id in hold["ids"] if ids else ():
            output.say(console, f"   - {output.safe(row_id)}")
    output.say(console, "Decide with `modelsync confirm NUMBER` or `modelsync reject NUMBER`." if found else nothing)
    return 4 if found else 0


def _nothing(catalog: Catalog, slugs: list[str] | None, kind: str | None) -> str:
    """What is so when nothing is held of these providers and of this kind."""
    others = len(catalog.holds()) if slugs or kind else 0
    of = (f" of kind {output.safe(kind)}" if kind else "") + output.of(slugs)
    return f"Nothing{of} is held; without the filters: {others:,}." if others else "Nothing is held."


def confirm(
    *numbers: HoldNumber,
    reason: Reason,
    provider: AllOf = None,
    kind: OfKind = None,
    json: Json = False,
    database: Database = None,
) -> int:
    """Accept what is held, by number, or all of a provider or a kind. It is written to the audit log."""
    return _decide("confirm", numbers, reason, provider, kind, json=json, database=database)


def reject(
    *numbers: HoldNumber,
    reason: Reason,
    provider: AllOf = None,
    kind: OfKind = None,
    json: Json = False,
    database: Database = None,
) -> int:
    """Refuse what is held, by number, or all of a provider or a kind: the catalog stays as it is. It is written to the audit log."""
    return _decide("reject", numbers, reason, provider, kind, json=json, database=database)


def _decide(
    decision: str, numbers: tuple[int, ...], reason: str, slugs: list[str] | None, kind: str | None, *, json: bool, database: str | None
) -> int:
    if bool(numbers) == bool(slugs or kind):
        raise UsageError("Say which holds: their numbers, or --provider, or --kind", "`modelsync held` lists them")
    select(slugs)
    store = app.build(load(database)).open_store()
    try:
        catalog = Catalog(store)
        wanted = list(numbers) or [row["id"] for row in catalog.holds(slugs or (), kind)]
        nothing = "" if wanted else _nothing(catalog, slugs, kind)
        decided: list[dict[str, Any]] = deciding.decide(store, wanted, decision, Person(getpass.getuser(), reason))
    finally:
        store.close()
    if json:
        output.print_json({"version": 1, "decision": decision, "holds": decided})
        return 0
    console = output.stdout()
    for row in decided:
        output.say(console, f"{Words[decision]} {row['id']}: {row['provider']} {row['kind']}, {output.safe(row['message'])}")
    output.say(console, Next[decision] if decided else nothing)
    return 0
