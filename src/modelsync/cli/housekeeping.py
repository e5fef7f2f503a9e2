"""`modelsync purge` and `audit`: what may be deleted, and what persons decided."""

import getpass
import shlex
from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby

from rich.console import Console

from modelsync.cli import output
from modelsync.cli.history import moment
from modelsync.cli.opening import opened
from modelsync.cli.parameters import Database, Json, Rows, Slugs
from modelsync.errors import UsageError
from modelsync.model import times
from modelsync.operations.purge import LEAST_AGE, Housekeeping, Purge, PurgePlan


def purge(
    *,
    retired_for: str = "365d",
    runs_older_than: str = "90d",
    provider: Slugs = None,
    plan: str | None = None,
    reason: str | None = None,
    json: Json = False,
    database: Database = None,
) -> int:
    """Show what would be deleted for good; with --plan and --reason, delete exactly that. It is written to the audit log.

    Models are deleted with their history. Pinned and held ones stay, and those of a provider that is being synced; so do runs and results
    that the history of what is left names, and the latest ones.

    Parameters
    ----------
    retired_for:
        Models retired for longer than this: 365d, 52w; at least 8d.
    runs_older_than:
        Runs and results older than this, which changed nothing; at least 8d.
    plan:
        The number that the look before ended with.
    reason:
        Why; others will read it.
    """
    slugs = tuple(dict.fromkeys(provider or ()))
    criteria = Purge(
        retired_for=_age("--retired-for", retired_for), runs_older_than=_age("--runs-older-than", runs_older_than), providers=slugs
    )
    if (plan is None) != (not (reason or "").strip()):
        raise UsageError("A purge needs both --plan and --reason", "Without them `modelsync purge` shows what it would delete")
    with opened(database, provider, writing=plan is not None) as db:
        housekeeping = Housekeeping(db.store)
        deletion = housekeeping.plan(criteria) if plan is None else housekeeping.purge(criteria, plan, getpass.getuser(), reason or "")
    command = _next_command(retired_for, runs_older_than, slugs, database)
    _report(deletion, slugs, command, purged=plan is not None, json=json)
    return 0


def _report(deletion: PurgePlan, slugs: tuple[str, ...], command: str, *, purged: bool, json: bool) -> None:
    """What was deleted; or what would be, and the command that does it."""
    if json:
        output.print_json(_document(deletion, purged=purged))
    elif purged:
        output.say(output.stdout(), f"Deleted {deletion.counts}. `modelsync audit` has it.")
    else:
        _show(output.stdout(), deletion, slugs, command)


def _age(option: str, text: str) -> timedelta:
    try:
        age = times.span(text)
    except ValueError:
        raise UsageError(f"{option} {text} is not an age", "Use for example 365d, 52w") from None
    if age < LEAST_AGE:
        raise UsageError(f"{option} {text} is too short", f"The guards need what is younger than {LEAST_AGE.days}d; give that or more")
    return age


def _next_command(retired_for: str, runs_older_than: str, slugs: tuple[str, ...], database: str | None) -> str:
    options = ["--retired-for", retired_for, "--runs-older-than", runs_older_than, *(["--provider", *slugs] if slugs else [])]
    return shlex.join(["modelsync", "purge", *options, *(["--database", database] if database else [])])


def _document(plan: PurgePlan, *, purged: bool) -> dict[str, object]:
    return {
        "version": 1,
        "purged": purged,
        "plan": plan.id if plan else None,
        "models": plan.models,
        "changes": plan.changes,
        "runs": plan.records.runs,
        "results": plan.records.results,
        "answers": plan.answers,
        "kept": plan.kept,
    }


def _show(console: Console, plan: PurgePlan, slugs: tuple[str, ...], command: str) -> None:
    for model in plan.models:
        name = output.safe(f"{model.provider}  {model.provider_model_id}")
        output.say(console, f"- {name}  retired {output.utc(model.retired_at)}, {model.changes:,} changes")
    if plan.records.runs:
        first, last = plan.records.runs[0], plan.records.runs[-1]
        output.say(console, f"- runs: {len(plan.records.runs):,}, from {first} to {last}")
    if plan.records.results:
        output.say(console, f"- results of single providers: {len(plan.records.results):,}")
    for line in _kept(plan):
        output.say(console, line)
    if not plan:
        output.say(console, f"Nothing{output.of(slugs)} to delete.")
        return
    output.say(console, f"This would delete {plan.counts}, for good. To do exactly that:")
    output.say(console, f'  {command} --plan {plan.id} --reason "why"')


def _kept(plan: PurgePlan) -> Iterator[str]:
    for (slug, why), kept in groupby(sorted(plan.kept, key=lambda each: (each.provider, each.why)), lambda each: (each.provider, each.why)):
        names = ", ".join(output.safe(each.provider_model_id) for each in kept)
        yield f"  kept, {why}: {slug}  {names}"


def audit(
    *,
    since: str | None = None,
    actor: str | None = None,
    limit: Rows = 100,
    json: Json = False,
    database: Database = None,
) -> int:
    """List what persons decided, newest first.

    Parameters
    ----------
    since:
        From this time on: 2026-11-22, 2026-11-22T10:00, or 24h, 7d, 2w ago.
    actor:
        Only by this user.
    """
    begin = moment(since) if since is not None else None
    with opened(database) as db:
        acts = db.catalog.audit(begin, actor, limit or None)
    if json:
        output.print_json({"version": 1, "audit": acts})
        return 0
    console = output.stdout()
    for row in acts:
        act = f"{row.actor}  {row.action}  {row.target}" + (f"  ({row.reason})" if row.reason else "")
        output.say(console, f"{output.utc(row.at)}  {output.safe(act)}")
    if not acts:
        output.say(console, "No act matches the filters." if since or actor else "Nothing was decided.")
    return 0
