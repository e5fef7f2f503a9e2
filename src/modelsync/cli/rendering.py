"""A sync on the screen: progress while it runs, a table at its end, a plan for a dry run."""

import re
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from modelsync.cli import output
from modelsync.formats import text
from modelsync.model.model import Model
from modelsync.planning.holding import Refusal
from modelsync.planning.outcome import SWITCHED_OFF, Disabled, Held, NoKey, NotModified, Planned, ProviderResult, Report, Synced
from modelsync.planning.plan import Change, ChangeKind
from modelsync.sync.pipeline import Step

MARKS = {"good": ("✓", "green"), "skipped": ("○", "dim"), "held": ("◐", "yellow"), "failed": ("✗", "red")}


def kind_of(result: ProviderResult) -> str:
    """good, skipped, held or failed."""
    match result.outcome:
        case Synced() | Planned() | NotModified():
            return "held" if result.holds else "good"
        case NoKey() | Disabled():
            return "skipped"
        case Held():
            return "held"
        case _:
            return "failed"


class Progress:
    """What happens, on stderr: a live list on a terminal, one line per finished provider elsewhere or with `plain`."""

    def __init__(self, slugs: Sequence[str], *, plain: bool, quiet: bool = False) -> None:
        self._console = output.stderr()
        self._steps: dict[str, Step | ProviderResult | None] = dict.fromkeys(slugs)
        self._began: dict[str, float] = {}
        self._quiet = quiet
        self._live = (
            None
            if plain or quiet or not self._console.is_terminal
            else Live(console=self._console, get_renderable=self._picture, transient=True)
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def watch(self, slug: str, event: Step | ProviderResult) -> None:
        """Take note of one provider's step or result."""
        self._steps[slug] = event
        self._began.setdefault(slug, time.monotonic())
        if not self._live and not self._quiet and isinstance(event, ProviderResult) and not _is_off(event):
            self._console.print(line(event), soft_wrap=True)

    def _picture(self) -> Table:
        done = sum(isinstance(step, ProviderResult) for step in self._steps.values())
        picture = Table.grid(padding=(0, 2))
        picture.add_row(Text(f"{done}/{len(self._steps)} providers", style="bold"))
        for slug, step in self._steps.items():
            if isinstance(step, ProviderResult):
                sign, style = MARKS[kind_of(step)]
                picture.add_row(Text(f"{sign} {slug}", style=style), Text(summary(step), style="dim"))
            elif step is not None:
                elapsed = time.monotonic() - self._began[slug]
                picture.add_row(Text(f"· {slug}"), Text(f"{step.value}, {elapsed:.0f} s", style="cyan"))
        return picture


def _is_off(result: ProviderResult) -> bool:
    """Whether the settings leave a provider out: it is named at the end, and has no line of its own."""
    return result.outcome == Disabled(SWITCHED_OFF)


def line(result: ProviderResult) -> str:
    """One provider's result in one line."""
    return f"{MARKS[kind_of(result)][0]} {result.slug}: {summary(result)}"


def summary(result: ProviderResult) -> str:
    """What came of one provider, in a few words."""
    counts = result.counts
    match result.outcome:
        case NotModified():
            return f"{counts.fetched:,} models, unchanged since the last sync"
        case Synced() | Planned():
            parts = [f"{counts.fetched:,} fetched"]
            named = {"new": counts.created, "updated": counts.updated, "missing": counts.missing, "retired": counts.retired}
            named |= {"skipped": counts.skipped, "held": counts.held}
            parts += [f"{value:,} {name}" for name, value in named.items() if value]
            return ", ".join(parts if len(parts) > 1 else [*parts, "nothing changed"])
        case NoKey(variables):
            return f"skipped: API key not configured (set {variables[0]})"
        case Held(_, _, _, Refusal() as refusal):
            return output.safe(refusal.message)
        case _:
            return output.safe(result.error or "")


def show_report(console: Console, report: Report, database: str) -> None:
    """The end of a sync: plan if it was dry, a row per provider, what needs attention, the sum."""
    if report.dry_run:
        show_plans(console, report)
    console.print(_result_table(report, console.width))
    troubled = [result for result in report.results if kind_of(result) in ("failed", "held")]
    if troubled:
        console.print()
    for kind, whose, why in _told(troubled):
        sign, style = MARKS[kind]
        output.say(console, Text(f"{sign} {whose}: ", style=style).append(output.safe(why), style="default"))
    skipped = [result for result in report.results if kind_of(result) == "skipped"]
    if skipped:
        console.print()
        output.say(console, Text("Skipped: ", style="bold").append(", ".join(_skipped(skipped))))
    warned = [(result.slug, warning) for result in report.results for warning in result.warnings]
    warned.sort(key=lambda pair: not pair[1].startswith("drift: "))
    if warned:
        console.print()
        count = f"{len(warned):,} warning{'s' * (len(warned) != 1)}"
        output.say(console, f"{count}; the first: {warned[0][0]}: {output.safe(warned[0][1])} (all of them with --json)")
    if report.alarm:
        console.print()
        output.say(console, Text("Alarm: ", style="red").append(report.alarm, style="default"))
    console.print()
    output.say(console, _sum(report, database))


HOST = re.compile(r"\b(?:(?:[0-9]+\.){3}[0-9]+|(?:[\w-]+\.)+[A-Za-z]{2,})(?::[0-9]+)?(?=[\s,;)]|$)", re.ASCII)
"""A host in a sentence; 7.5 is none."""


def _told(troubled: Sequence[ProviderResult]) -> Iterator[tuple[str, str, str]]:
    """How each fared, whose it is, and why; providers that failed for one cause, whatever their hosts, together."""
    causes: dict[str, list[ProviderResult]] = {}
    for result in troubled:
        why = attention(result)
        cause = HOST.sub("the provider", why) if kind_of(result) == "failed" else f"{result.slug}: {why}"
        causes.setdefault(cause, []).append(result)
    for cause, results in causes.items():
        if len(results) == 1:
            yield kind_of(results[0]), results[0].slug, attention(results[0])
        else:
            yield "failed", f"{len(results)} providers", f"{cause} ({', '.join(result.slug for result in results)})"


SHOWN_HOLDS = 3
"""Holds of one provider that the end of a sync tells whole."""


def attention(result: ProviderResult) -> str:
    """Why a provider needs somebody's attention."""
    first, more = result.holds[:SHOWN_HOLDS], len(result.holds) - SHOWN_HOLDS
    sentences = [f"{hold.message}. {hold.hint}" for hold in first] + ([f"And {more:,} more"] if more > 0 else [])
    return f"{'. '.join(sentences)} (see `modelsync held`)" if sentences else summary(result) if result.is_refused else result.error or ""


def _skipped(results: Sequence[ProviderResult]) -> Iterator[str]:
    """The providers that were skipped, those with the same reason together: a pause keeps all of them out."""
    reasons: dict[str, list[str]] = {}
    for result in results:
        reasons.setdefault(_why(result), []).append(result.slug)
    return (f"{', '.join(slugs) if len(slugs) < MANY else f'{len(slugs)} providers'} ({why})" for why, slugs in reasons.items())


MANY = 6
"""Providers with one reason that are counted and not named."""


def _why(result: ProviderResult) -> str:
    return f"set {result.outcome.variables[0]}" if isinstance(result.outcome, NoKey) else output.safe(result.error or "")


FIGURES = ("fetched", "transformed", "skipped", "created", "updated", "unchanged", "missing")
ALL_FIT = 96
"""Columns that the table takes with all its figures; narrower terminals do without `transformed`, which is fetched less skipped."""


def _result_table(report: Report, width: int) -> Table:
    figures = [name for name in FIGURES if name != "transformed" or width >= ALL_FIT]
    made = output.table("provider", *figures, "time", right=(*figures, "time"))
    made.collapse_padding, made.columns[0].no_wrap = width < ALL_FIT, True
    for result in report.results:
        if _is_off(result):
            continue
        sign, style = MARKS[kind_of(result)]
        was_read = result.succeeded and not result.is_refused
        values = [getattr(result.counts, name) if was_read else None for name in figures]
        shown = [Text(text.number(value), style="" if value else "dim") for value in values]
        made.add_row(Text(f"{sign} {result.slug}", style=style), *shown, output.seconds(result.seconds))
    return made


def _sum(report: Report, database: str) -> str:
    counts = report.counts
    attention = {"failed": len(report.failed), "held": len(report.held), "rejected": sum(result.is_refused for result in report.results)}
    wanted = sum(not _is_off(result) for result in report.results)
    kinds = [f"{len(report.succeeded)} of {wanted} providers up to date"]
    kinds += [f"{value} {name}" for name, value in attention.items() if value]
    changes = f"{counts.created:,} new, {counts.updated:,} updated, {counts.unchanged:,} unchanged, {counts.missing:,} missing"
    if counts.retired:
        changes += f", {counts.retired:,} retired"
    if report.dry_run:
        return f"Plan: {changes} ({', '.join(kinds)}). Nothing was written to {database}"
    return f"Run {report.run_id}: {', '.join(kinds)}; {changes}; {output.seconds(report.seconds)}. Catalog: {database}"


def show_plans(console: Console, report: Report, limit: int = 40) -> None:
    """What a dry run found: `+` new, `~` old → new, `-` missing; at most `limit` lines per provider (all with --json)."""
    for result in report.results:
        if not isinstance(result.outcome, Planned) or not result.outcome.plan.changes:
            continue
        console.print(Text(result.slug, style="bold"))
        changes = result.outcome.plan.changes
        for change in changes[:limit]:
            output.say(console, change_text(change))
        if len(changes) > limit:
            console.print(f"  … and {len(changes) - limit:,} more (all of them with --json)")
        console.print()


def change_text(change: Change) -> Text:
    """One planned change in one line."""
    name = output.safe(change.id)
    match change.kind:
        case ChangeKind.ADDED:
            return Text("  + ", style="green").append(f"{name}  {facts(change.model)}", style="default")
        case ChangeKind.RETIRED:
            return Text("  - ", style="red").append(f"{name}  retired: absent long enough, not active any more", style="default")
        case ChangeKind.MISSING:
            return Text("  - ", style="red").append(f"{name}  missing from the list; stays active", style="default")
        case _:
            fields = ", ".join(words for _, words in text.told(change.fields)) or "metadata only"
            again = "back again; " if change.kind is ChangeKind.REVIVED else ""
            return Text("  ~ ", style="yellow").append(f"{name}  {again}{fields}", style="default")


def facts(model: Model) -> str:
    """A model's price and length."""
    return text.facts(model.prices.prompt, model.prices.completion, model.context_length, dynamic=model.prices.dynamic)
