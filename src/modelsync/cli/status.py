"""`modelsync status`: how fresh the catalog is, what it holds, and what waits."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from modelsync.cli import output
from modelsync.cli.guards import pause_text
from modelsync.cli.opening import opened
from modelsync.cli.parameters import Database, Json
from modelsync.formats import text
from modelsync.formats.held import by_kind, commands, decision_text, left_in_place, standing
from modelsync.model.records import RecordedPause
from modelsync.planning.holding import RecordedHold
from modelsync.queries.counts import IncompletePrices
from modelsync.queries.status import SOON, PinCounts, Status, read_status

STYLES = {"fresh": "green", "stale": "yellow", "failing": "red", "never": ""}
"""The colour of a provider's state; one that is paused has none."""

SHOWN_HOLDS = 10
"""Holds that are told one by one."""


def status(*, json: Json = False, database: Database = None) -> int:
    """Show how fresh the catalog is, what it holds, and what needs review.

    Exit code 3 when a provider is failing or stale, 4 when none is but something waits.
    """
    with opened(database) as db:
        current = read_status(db.store)
    if json:
        output.print_json(_document(current))
    else:
        output.say(output.stdout(), f"Catalog: {db.store.shown}")
        _print_pause(current.pause)
        _print_counts(current)
        _print_freshness(current)
        _print_holds(current)
        _print_rejected(current.rejected)
        _print_incomplete(current.incomplete_prices)
        _print_frozen(current)
        _print_pins(current.pins)
        _print_drifts(current)
    if any(row.state in ("stale", "failing") for row in current.freshness):
        return 3
    return 4 if current.held else 0


def _document(status: Status) -> dict[str, object]:
    stats = msgspec.structs.asdict(status.models) | {"ending": status.ending}
    names = ("id", "provider", "kind", "message", "created_at")
    held = [
        {**{name: getattr(hold, name) for name in names}, "age_seconds": (status.now - hold.created_at).total_seconds()}
        for hold in status.held
    ]
    return {
        "version": 1,
        "models": {"stats": stats, "ending_within_days": SOON.days, "ending": status.first_ending},
        "freshness": status.freshness,
        "held": held,
        "held_by_kind": by_kind(status.held),
        "rejected": standing(status.rejected),
        "incomplete_prices": status.incomplete_prices,
        "pins": status.pins,
        "pause": status.pause,
    }


def _print_counts(status: Status) -> None:
    console, counts = output.stdout(), status.models
    parts = (
        ("active", "active"),
        ("inactive", "not active"),
        ("missing", "missing"),
        ("retired", "retired"),
        ("priced", "with a token price"),
    )
    console.print(f"{counts.total:,} models: " + ", ".join(f"{getattr(counts, name):,} {label}" for name, label in parts))
    modalities = list(counts.by_modality.items())
    console.print("By modality: " + (", ".join(f"{output.safe(name)} {count:,}" for name, count in modalities[:6]) or text.UNKNOWN))
    if status.ending:
        all_of_them = f"`modelsync models --ending {SOON.days}d --sort ends` shows all"
        output.say(console, f"Announced to end within {SOON.days} days: {status.ending:,} ({all_of_them})")
        for model in status.first_ending:
            output.say(console, output.safe(f"  {model.expires_at:%Y-%m-%d}  {model.provider}  {model.provider_model_id}"))


def _print_freshness(status: Status) -> None:
    rows = []
    for row in status.freshness:
        marks = [*(["paused"] if row.frozen_at else []), *(["list rejected"] if row.refused else [])]
        last = output.ago(row.last_success_at, status.now)
        problem = output.safe(row.error or row.refused or "")
        state = output.mark(", ".join([row.state, *marks]), STYLES["never" if row.frozen_at else row.state])
        rows.append((row.provider, state, text.number(row.models), last, problem))
    output.stdout().print()
    if not rows:
        output.stdout().print("Nothing was synced yet. Run: modelsync sync")
        return
    names = (output.Column("provider"), output.Column("state"), output.Column("models", right=True), output.Column("last success"))
    output.show_table([*names, output.Column("last error", wraps=True) if any(row[-1] for row in rows) else None], rows)


def _print_holds(status: Status) -> None:
    console, holds = output.stdout(), status.held
    if not holds:
        return
    console.print()
    kinds = by_kind(holds)
    of_kinds = f" ({', '.join(f'{number:,} {kind}' for kind, number in kinds.items())})" if len(kinds) > 1 else ""
    output.say(console, f"{len(holds):,} need{'s' * (len(holds) == 1)} review{of_kinds}: see `modelsync held`")
    for hold in holds[:SHOWN_HOLDS]:
        age = output.ago(hold.created_at, status.now)
        output.say(console, output.safe(f"  {hold.id}  {hold.provider}  {hold.kind}: {hold.message} ({age})"))
    if len(holds) > SHOWN_HOLDS:
        output.say(console, f"  and {len(holds) - SHOWN_HOLDS:,} more")


def _print_rejected(rejected: Sequence[RecordedHold]) -> None:
    """What persons keep out, or in place, until they say otherwise."""
    console = output.stdout()
    if not rejected:
        return
    stands = f"{len(rejected):,} rejections stand" if len(rejected) > 1 else "1 rejection stands"
    output.say(console, f"\n{stands}: see `modelsync held --status rejected`")
    for hold in rejected[:SHOWN_HOLDS]:
        what = f"{hold.id}  {hold.provider}  {hold.kind}: {hold.message}"
        output.say(console, output.safe(f"  {what}; {decision_text(hold)}; {commands(hold)[0]}"))
    if len(rejected) > SHOWN_HOLDS:
        output.say(console, f"  and {len(rejected) - SHOWN_HOLDS:,} more")
    left = left_in_place(rejected)
    if left:
        of = ", ".join(f"{slug} {number:,}" for slug, number in left.items())
        output.say(console, f"Not listed, and left in place by them: {sum(left.values()):,} models ({of})")


def _print_incomplete(incomplete: Mapping[str, IncompletePrices]) -> None:
    """Prices that are not the whole price."""
    if not incomplete:
        return
    total = sum(prices.models for prices in incomplete.values())
    models = f"{total:,} model{'s' * (total != 1)}"
    output.say(output.stdout(), f"\nThe price of {models} is not whole: these fields are stated and not read, so do not bill by it alone")
    for slug, prices in incomplete.items():
        fields = ", ".join(f"{name} {number:,}" for name, number in prices.fields.items())
        output.say(output.stdout(), output.safe(f"  {slug}: {prices.models:,} model{'s' * (prices.models != 1)} ({fields})"))


def _print_pause(pause: RecordedPause | None) -> None:
    if pause is not None:
        output.say(output.stdout(), f'Paused by {pause_text(pause)}; `modelsync resume --reason "…"` lets syncs run again')


def _print_frozen(status: Status) -> None:
    frozen = [row for row in status.freshness if row.frozen_at]
    if frozen:
        output.stdout().print("\nPaused after a rollback, so that no sync changes them:")
    for row in frozen:
        why = f"{output.ago(row.frozen_at, status.now)}, {row.frozen_reason}"
        output.say(
            output.stdout(), output.safe(f'  {row.provider}: {why}; `modelsync resume {row.provider} --reason "…"` lets it sync again')
        )


def _print_pins(pinned: PinCounts) -> None:
    if pinned.total:
        moved = f"; of {pinned.moved:,} the provider's value moved since: see `modelsync pins --moved`" if pinned.moved else ""
        output.say(output.stdout(), f"\n{pinned.total:,} {'value is' if pinned.total == 1 else 'values are'} pinned{moved}")


def _print_drifts(status: Status) -> None:
    drifts = [(row.provider, drift) for row in status.freshness for drift in row.drift]
    if drifts:
        output.stdout().print("\nFields that moved in the last seven days:")
    for slug, drift in drifts:
        age = output.ago(datetime.fromisoformat(drift.at), status.now)
        output.say(output.stdout(), f"  {slug}: {output.safe(drift.message.removeprefix('drift: '))} ({age})")
