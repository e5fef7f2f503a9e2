"""`modelsync status`: how fresh the catalog is, what it holds, and what waits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from modelsync.cli import output
from modelsync.cli.guards import words_of
from modelsync.cli.opening import opened
from modelsync.cli.parameters import Database, Json
from modelsync.cli.show import SOON
from modelsync.formats import text as words
from modelsync.formats.held import by_kind, commands, left_in_place, standing, told
from modelsync.queries.freshness import freshness

SHOWN_HOLDS = 10
"""Holds that are told one by one."""


def status(*, json: Json = False, database: Database = None) -> int:
    """Show how fresh the catalog is, what it holds, and what waits for a person.

    Exit code 3 when a provider is failing or stale, 4 when none is but something waits.
    """
    with opened(database) as there:
        catalog = there.catalog
        now, counts, known, holds, pins = catalog.now(), catalog.model_counts(), catalog.providers(), catalog.holds(), catalog.pins()
        rejected, incomplete, guards, pause = (
            catalog.holds(status="rejected"),
            catalog.incomplete_prices(),
            catalog.guards(),
            catalog.pause(),
        )
        counts["ending"] = catalog.ending(SOON)
    rows = [
        freshness(slug, known[slug], now, sum(hold["provider"] == slug for hold in holds), rejected, guards.get(slug)) for slug in known
    ]
    pinned = {"total": len(pins), "moved": sum(pin["moved"] for pin in pins)}
    if json:
        models = {"stats": counts, "ending_within_days": SOON.days}
        waiting = {"held": [_held(hold, now) for hold in holds], "held_by_kind": by_kind(holds), "rejected": standing(rejected)}
        more = {"incomplete_prices": incomplete, "pins": pinned, "pause": pause}
        output.print_json({"version": 1, "models": models, "freshness": rows, **waiting, **more})
    else:
        output.say(output.stdout(), f"Catalog: {there.store.shown}")
        _print_pause(pause)
        _print_counts(counts)
        _print_freshness(rows, now)
        _print_holds(holds, now)
        _print_rejected(rejected)
        _print_incomplete(incomplete)
        _print_frozen(rows, now)
        _print_pins(pinned)
        _print_drifts(rows, now)
    if any(row["state"] in ("stale", "failing") for row in rows):
        return 3
    return 4 if holds else 0


def _held(hold: dict[str, Any], now: datetime) -> dict[str, Any]:
    names = ("id", "provider", "kind", "message", "created_at")
    return {**{name: hold[name] for name in names}, "age_seconds": (now - hold["created_at"]).total_seconds()}


def _print_counts(counts: dict[str, Any]) -> None:
    console = output.stdout()
    parts = (
        ("active", "active"),
        ("inactive", "not active"),
        ("missing", "missing"),
        ("retired", "retired"),
        ("priced", "with a token price"),
    )
    console.print(f"{counts['total']:,} models: " + ", ".join(f"{counts[name]:,} {words}" for name, words in parts))
    modalities = list(counts["by_modality"].items())
    console.print("By modality: " + (", ".join(f"{output.safe(name)} {count:,}" for name, count in modalities[:6]) or words.UNKNOWN))
    if counts["ending"]:
        console.print(f"Announced to end within {SOON.days} days: {counts['ending']:,} (`modelsync models` shows when)")


def _print_freshness(rows: Sequence[dict[str, Any]], now: datetime) -> None:
    made = output.table("provider", "state", "models", "last success", "last error", right=("models",))
    for row in rows:
        marks = [*(["frozen"] if row["frozen_at"] else []), *(["list rejected"] if row["refused"] else [])]
        last = output.ago(row["last_success_at"], now)
        problem = output.safe(row["error"] or row["refused"] or "")
        made.add_row(row["provider"], ", ".join([row["state"], *marks]), words.number(row["models"]), last, problem)
    console = output.stdout()
    console.print()
    console.print(made if rows else "Nothing was synced yet. Run: modelsync sync")


def _print_holds(holds: Sequence[dict[str, Any]], now: datetime) -> None:
    console = output.stdout()
    if not holds:
        return
    console.print()
    kinds = by_kind(holds)
    of_kinds = f" ({', '.join(f'{number:,} {kind}' for kind, number in kinds.items())})" if len(kinds) > 1 else ""
    output.say(console, f"{len(holds):,} held for a person{of_kinds}: see `modelsync held`")
    for hold in holds[:SHOWN_HOLDS]:
        age = output.ago(hold["created_at"], now)
        output.say(console, output.safe(f"  {hold['id']}  {hold['provider']}  {hold['kind']}: {hold['message']} ({age})"))
    if len(holds) > SHOWN_HOLDS:
        output.say(console, f"  and {len(holds) - SHOWN_HOLDS:,} more")


def _print_rejected(rejected: Sequence[dict[str, Any]]) -> None:
    """What persons keep out, or in place, until they say otherwise."""
    console = output.stdout()
    if not rejected:
        return
    stands = f"{len(rejected):,} rejections stand" if len(rejected) > 1 else "1 rejection stands"
    output.say(console, f"\n{stands}: see `modelsync held --status rejected`")
    for hold in rejected[:SHOWN_HOLDS]:
        what = f"{hold['id']}  {hold['provider']}  {hold['kind']}: {hold['message']}"
        output.say(console, output.safe(f"  {what}; {told(hold)}; {commands(hold)[0]}"))
    if len(rejected) > SHOWN_HOLDS:
        output.say(console, f"  and {len(rejected) - SHOWN_HOLDS:,} more")
    left = left_in_place(rejected)
    if left:
        of = ", ".join(f"{slug} {number:,}" for slug, number in left.items())
        output.say(console, f"Not listed, and left in place by them: {sum(left.values()):,} models ({of})")


def _print_incomplete(incomplete: Mapping[str, dict[str, Any]]) -> None:
    """Prices that are not the whole price."""
    if not incomplete:
        return
    total = sum(found["models"] for found in incomplete.values())
    output.say(
        output.stdout(), f"\nThe price of {total:,} models is not whole: these fields are stated and not read, so do not bill by it alone"
    )
    for slug, found in incomplete.items():
        fields = ", ".join(f"{name} {number:,}" for name, number in found["fields"].items())
        output.say(output.stdout(), output.safe(f"  {slug}: {found['models']:,} model{'s' * (found['models'] != 1)} ({fields})"))


def _print_pause(pause: dict[str, Any] | None) -> None:
    if pause is not None:
        output.say(output.stdout(), f"Paused by {words_of(pause)}; `modelsync resume` lets syncs run again")


def _print_frozen(rows: Sequence[dict[str, Any]], now: datetime) -> None:
    frozen = [row for row in rows if row["frozen_at"]]
    if frozen:
        output.stdout().print("\nFrozen, so that no sync changes them:")
    for row in frozen:
        why = f"{output.ago(row['frozen_at'], now)}, {row['frozen_reason']}"
        output.say(output.stdout(), output.safe(f"  {row['provider']}: {why}; `modelsync thaw {row['provider']}` lets it sync again"))


def _print_pins(pinned: dict[str, int]) -> None:
    if pinned["total"]:
        moved = f"; beneath {pinned['moved']:,} of them the provider moved: see `modelsync pins --moved`" if pinned["moved"] else ""
        output.say(output.stdout(), f"\n{pinned['total']:,} values are pinned{moved}")


def _print_drifts(rows: Sequence[dict[str, Any]], now: datetime) -> None:
    drifts = [(row["provider"], drift) for row in rows for drift in row["drift"]]
    if drifts:
        output.stdout().print("\nFields that moved in the last seven days:")
    for slug, drift in drifts:
        age = output.ago(datetime.fromisoformat(drift["at"]), now)
        output.say(output.stdout(), f"  {slug}: {output.safe(drift['message'].removeprefix('drift: '))} ({age})")
