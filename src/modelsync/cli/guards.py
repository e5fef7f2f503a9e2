"""`modelsync guard`, `pause` and `resume`: how much a sync may believe by itself, and whether any sync runs at all."""

from typing import Annotated

from cyclopts import Parameter

from modelsync.cli import output
from modelsync.cli.opening import opened
from modelsync.cli.operators import person, thaw
from modelsync.cli.parameters import FLAG, Database, Json, ProviderSlug, Reason
from modelsync.errors import UsageError
from modelsync.model.records import RecordedPause
from modelsync.operations import decisions
from modelsync.planning import guard as guarding

Limit = Annotated[str | None, Parameter(negative=())]
MEANINGS = {
    "shrink_share": "share of the models that may be absent at once",
    "shrink_models": "models that may always be absent at once",
    "price_factor": "a price that moves by this factor or more is held",
    "price_first_sight": "USD per token above which a first price is held",
}


def guard(
    provider: ProviderSlug,
    /,
    *,
    shrink: Limit = None,
    shrink_models: Limit = None,
    price_factor: Limit = None,
    first_sight: Limit = None,
    default: Annotated[list[str] | None, Parameter(consume_multiple=1, negative=())] = None,
    reason: Annotated[str | None, Parameter(help="Why; others will read it.")] = None,
    json: Json = False,
    database: Database = None,
) -> int:
    """Set limits of the guard for one provider, or show them. What is set stands over the settings, from the next sync on.

    Parameters
    ----------
    shrink:
        Share of its models that may be absent at once before their absence is held, 0 to 1.
    shrink_models:
        Models that may always be absent at once.
    price_factor:
        A price that moves by this factor or more, either way, is held: 2 to 1000.
    first_sight:
        A price per token without a believed one before it is held above this: USD per token, 1e-11 to 0.01.
    default:
        Give limits back to the settings: shrink, shrink-models, price-factor, first-sight.
    """
    texts = {"shrink_share": shrink, "shrink_models": shrink_models, "price_factor": price_factor, "price_first_sight": first_sight}
    limits = guarding.given(texts, default or [])
    if not limits and reason is not None:
        raise UsageError("Say what to set", "For example --shrink 0.4, or --default shrink")
    by = person(reason or "") if limits else None
    with opened(database, [provider], writing=by is not None) as db:
        if by is not None:
            decisions.set_guard(db.store, provider, limits, by)
        current = db.catalog.guards().get(provider, guarding.NO_GUARD)
    _show(provider, current, guarding.of_settings(db.settings.rules), json=json)
    return 0


def _show(provider: str, own: guarding.Guard, general: guarding.Guard, *, json: bool) -> None:
    if json:
        output.print_json({"version": 1, "provider": provider, "guard": own, "settings": general})
        return
    rows = []
    for name, value in (general.limits | own.limits).items():
        where = provider if name in own.limits else "settings"
        rows.append((guarding.LIMITS[name].option, guarding.plain(value), where, MEANINGS[name]))
    columns = (output.Column("limit"), output.Column("value", right=True), output.Column("from"), output.Column("what it is", wraps=True))
    output.show_table(columns, rows)


def pause(*, all: Annotated[bool, FLAG] = False, reason: Reason, database: Database = None) -> int:  # noqa: A002 - the option's name
    """Stop every sync of every provider, those that are under way included, until `resume`. Reading goes on, and so do decisions.

    Parameters
    ----------
    all:
        Needed, because it stops everything; single providers are switched off with MODELSYNC_PROVIDERS or over the REST API.
    """
    if not all:
        raise UsageError("A pause stops every provider: say --all", "MODELSYNC_PROVIDERS names the providers that are on")
    with opened(database, writing=True) as db:
        if not decisions.pause(db.store, person(reason)):
            raise UsageError(
                f"Syncs are paused already: {pause_text(db.catalog.pause())}", '`modelsync resume --reason "…"` lets them run again'
            )
    output.say(
        output.stdout(), 'Paused: no sync begins, and none that is under way changes anything, until `modelsync resume --reason "…"`.'
    )
    return 0


def resume(
    provider: Annotated[str | None, Parameter(help="Only this one, after a rollback.")] = None,
    /,
    *,
    reason: Reason,
    database: Database = None,
) -> int:
    """Let every provider sync again after a pause, or one after a rollback."""
    if provider is not None:
        return thaw(provider, reason=reason, database=database)
    with opened(database, writing=True) as db:
        if not decisions.resume(db.store, person(reason)):
            raise UsageError("Nothing is paused", "`modelsync status` shows what keeps a provider from syncing")
    output.say(output.stdout(), "Every provider syncs again from the next run on.")
    return 0


def pause_text(standing: RecordedPause | None) -> str:
    """A pause in a few words: by whom, since when, and why."""
    if standing is None:
        return "not any more"
    return output.safe(f"{standing.actor}, {output.utc(standing.at)}: {standing.reason}")
