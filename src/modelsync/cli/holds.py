"""`modelsync held`, `confirm`, `reject` and `reopen`: what a sync found and did not believe."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from modelsync.cli import output
from modelsync.cli.opening import opened
from modelsync.cli.operators import person
from modelsync.cli.parameters import FLAG, Database, Json, Number, Reason, Slugs
from modelsync.database.tables.holds import STATUSES
from modelsync.errors import UsageError
from modelsync.formats.held import commands, decision_text, shown
from modelsync.operations import decisions
from modelsync.planning.holding import KINDS, NEW, OF_PRICES, OTHER_CATALOG, RecordedHold
from modelsync.queries.catalog import Catalog

HoldNumber = Annotated[Number, Parameter(help="The numbers that `modelsync held` shows.")]
AllOf = Annotated[Slugs, Parameter(help="Everything held of these providers.")]
OfKind = Annotated[str | None, Parameter(help="Everything held of this kind.")]
Words = {"confirm": "Confirmed", "reject": "Rejected"}
Next = {
    "confirm": "Confirmed prices are live where the provider said them last; absent models are retired once they were absent long enough.",
    "reject": "The catalog stays as it is: a price stays out until it is reopened, an absence until the model is listed again.",
}
SHOWN_COMMANDS = 3
"""Ways back that are told after several holds were rejected at once."""


def held(
    *,
    provider: Slugs = None,
    kind: str | None = None,
    status: str = "open",
    ids: Annotated[bool, FLAG] = False,
    json: Json = False,
    database: Database = None,
) -> int:
    """List what waits for a person, or what was decided, oldest first. Exit code 4 when something in it waits.

    Parameters
    ----------
    kind:
        price, unit-change, shrink, scope, total, other-catalog, empty or invalid.
    status:
        open; rejected, confirmed or closed (confirmed, and done); superseded (another question now) or released (none any more); or all.
    ids:
        Also name the models that each is about; of another catalog also those that are new (+).
    """
    _check_kind(kind)
    if status not in (*STATUSES, "all"):
        raise UsageError(f"Unknown status {status}", f"Use {', '.join(STATUSES)} or all")
    with opened(database, provider) as db:
        catalog = db.catalog
        holds, now, nothing = catalog.holds(provider or (), kind, status), catalog.now(), _nothing(catalog, provider, kind, status)
    code = 4 if any(hold.status == "open" for hold in holds) else 0
    if json:
        output.print_json({"version": 1, "held": list(map(shown, holds))})
        return code
    for hold in holds:
        for line in _lines(hold, now, ids=ids):
            output.say(output.stdout(), output.safe(line))
    if not holds:
        output.say(output.stdout(), nothing)
    return code


def _check_kind(kind: str | None) -> None:
    if kind is not None and kind not in KINDS:
        raise UsageError(f"Unknown kind {kind}", f"Use {', '.join(KINDS)}")


def _lines(hold: RecordedHold, now: datetime, *, ids: bool) -> Iterator[str]:
    """One hold: what it is, what became of it, and the commands for it."""
    times = "once" if hold.times_seen == 1 else f"{hold.times_seen} times"
    since = f"since {output.ago(hold.created_at, now)}, seen {times}"
    status = "" if hold.status == "open" else f", {hold.status}"
    yield f"{hold.id}  {hold.provider}  {hold.kind}{status}: {hold.message} ({since})"
    decided = decision_text(hold)
    yield f"   {hold.hint if decided is None else decided}"
    if hold.over:
        why = "whose price was listed or decided since" if hold.kind in OF_PRICES else "which are listed again"
        yield f"   not about these any more, {why}: {', '.join(sorted(hold.over))}"
    for row_id in hold.ids if ids else ():
        yield f"   - {row_id}"
    for row_id in (hold.detail or {}).get(NEW, ()) if ids and hold.kind == OTHER_CATALOG else ():
        yield f"   + {row_id}"
    ways = commands(hold)
    if ways:
        yield f"   {'   or   '.join(ways)}"


def _nothing(catalog: Catalog, slugs: list[str] | None, kind: str | None, status: str = "open") -> str:
    """What is so when there are no holds of these providers, of this kind and of this status."""
    others = len(catalog.holds(status=status)) if slugs or kind else 0
    of = (f" of kind {output.safe(kind)}" if kind else "") + output.of(slugs)
    is_so = "is held" if status == "open" else "was ever held" if status == "all" else f"is {status}"
    if others:
        return f"Nothing{of} {is_so}; without the filters: {others:,}."
    rejected = len(catalog.holds(status="rejected")) if status == "open" else 0
    stands = f" {rejected:,} rejected: see `modelsync held --status rejected`." if rejected else ""
    return f"Nothing {is_so}.{stands}"


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


def reopen(number: HoldNumber, /, *, reason: Reason, json: Json = False, database: Database = None) -> int:
    """Take a decision back: the hold waits again, and a price that was confirmed goes back to what it was. It is written to the audit log.

    Where what it showed is not so any more, another one asks anew if the provider still claims that price.

    Parameters
    ----------
    number:
        The number that `modelsync held --status rejected` or `--status confirmed` shows.
    """
    with opened(database, writing=True) as db:
        row = decisions.reopen(db.store, number, person(reason))
    if json:
        output.print_json({"version": 1, "decision": "reopen", "holds": [shown(row)]})
        return 0
    waits = row.status == "open"
    what = output.safe(f"{row.id}: {row.provider} {row.kind}, {row.message}")
    output.say(output.stdout(), f"{'Open again' if waits else 'Taken back'}: {what}")
    again = f"It needs your review. {'   or   '.join(commands(row))}" if waits else f"It does not wait itself: {row.reason}."
    output.say(output.stdout(), again)
    return 0


def _decide(
    decision: str, numbers: tuple[int, ...], reason: str, slugs: list[str] | None, kind: str | None, *, json: bool, database: str | None
) -> int:
    if bool(numbers) == bool(slugs or kind):
        raise UsageError("Say which holds: their numbers, or --provider, or --kind", "`modelsync held` lists them")
    _check_kind(kind)
    with opened(database, slugs, writing=True) as db:
        catalog = db.catalog
        ids = list(numbers) or [row.id for row in catalog.holds(slugs or (), kind)]
        nothing = "" if ids else _nothing(catalog, slugs, kind)
        decided = decisions.decide(db.store, ids, decision, person(reason))
    if json:
        output.print_json({"version": 1, "decision": decision, "holds": list(map(shown, decided))})
        return 0
    console = output.stdout()
    for row in decided:
        output.say(console, f"{Words[decision]} {row.id}: {row.provider} {row.kind}, {output.safe(row.message)}")
    output.say(console, Next[decision] if decided else nothing)
    back = [command for row in decided for command in commands(row)]
    if back:
        more = f", and so for {len(back) - SHOWN_COMMANDS:,} more" if len(back) > SHOWN_COMMANDS else ""
        output.say(console, f"To take it back: {'; '.join(back[:SHOWN_COMMANDS])}{more}")
    return 0
