"""All benchmarks, as ratios to floors measured in the same run: `./run bench [--quick] [--compare] [--write] [--json] [--only NAME …]`.

Exit code 1 when something was counted wrong (rows written, bytes of log) or a part is broken, 2 when `--compare` found a ratio that got
worse; a missed goal is only reported, because machines differ.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import compare
import dearest
import document
import fetching
import memory
import msgspec
import reading_rows
import record
import serving
import starting
import writing
from lines import COLOURS, heading, line, verdict
from measure import FULL, QUICK, Figure, Scale
from record import Record
from rich.console import Console
from rich.markup import escape

from modelsync import logs
from modelsync.cli import interpreter

BENCHMARKS: dict[str, ModuleType] = {
    "reading": reading_rows,
    "database": writing,
    "fetching": fetching,
    "memory": memory,
    "serving": serving,
    "dearest": dearest,
    "start-up": starting,
}

Say = Callable[[str], None]
Measure = Callable[[Scale], Iterator[Figure]]


def main() -> int:
    """Run what the command line asks for; the exit code."""
    parser = _parser()
    chosen = parser.parse_args()
    if chosen.write and len(chosen.only) < len(BENCHMARKS):
        parser.error("--write needs all parts, so not --only: the page is of one run")
    if chosen.render:
        document.write(record.read(document.FIGURES.read_text("utf-8")))
        return 0
    then = record.read(document.FIGURES.read_text("utf-8")) if chosen.compare else None  # which --write replaces
    logs.configure(verbose=False, secrets=())
    interpreter.settle()  # as the command does that syncs
    scale = msgspec.structs.replace(QUICK if chosen.quick else FULL, payloads=chosen.payloads)
    console = Console(stderr=chosen.json, highlight=False, soft_wrap=True, emoji=False)
    say: Say = console.print
    began = time.monotonic()
    say(f"[bold]modelsync benchmarks[/], {scale.name} form, {scale.rounds} rounds; ratios are to floors measured beside them")
    figures, broken = run({name: BENCHMARKS[name].measure for name in chosen.only}, scale, say)
    made = record.record(scale, figures, broken, time.monotonic() - began)
    say(summary(made))
    if chosen.json:
        sys.stdout.write(record.written(made))
    if chosen.write and not ended(made):
        document.write(made)
    worse = comparison(then, made, say) if then else 0
    return ended(made) or worse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Benchmarks of modelsync, beside their goals.")
    parser.add_argument("--quick", action="store_true", help="fewer models and rounds: two minutes instead of fifteen")
    parser.add_argument("--compare", action="store_true", help="say which ratios got worse than in docs/performance.json; exit code 2")
    parser.add_argument(
        "--write", action="store_true", help="write docs/performance.json, the page and its pictures, unless something is wrong"
    )
    parser.add_argument("--render", action="store_true", help="measure nothing: write the page and its pictures from docs/performance.json")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the lines on stderr")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="only these")
    parser.add_argument("--payloads", type=Path, help=f"a folder with the recorded answer {memory.RECORDED}")
    return parser


def run(parts: Mapping[str, Measure], scale: Scale, say: Say) -> tuple[list[Figure], dict[str, str]]:
    """Every part's figures, each told as it comes; and the parts that broke, with the reason: of these the rest is left out."""
    figures: list[Figure] = []
    broken: dict[str, str] = {}
    for name, measure in parts.items():
        began = time.monotonic()
        say(f"\n[bold]{name}[/]")
        try:
            for figure in measure(scale):
                figures.append(msgspec.structs.replace(figure, benchmark=name))
                say(_coloured(figures, figure))
        except Exception as error:  # noqa: BLE001 - whatever broke one part says nothing of the others
            broken[name] = why(error)
            say(f"[red]broken[/]  {escape(broken[name])}\n        its other figures are left out")
        say(f"[dim]        {time.monotonic() - began:.0f} s[/]")
    return figures, broken


def _coloured(figures: Sequence[Figure], figure: Figure) -> str:
    """A figure's line, after one that says of which catalog it is where the figure before was of another one."""
    before = heading(figures[-2]) if len(figures) > 1 and figures[-2].benchmark == figures[-1].benchmark else ""
    catalog = f"[dim]        {heading(figure)}[/]\n" if heading(figure) not in ("", before) else ""
    colour = COLOURS.get(verdict(figure))
    text = escape(line(figure))
    return catalog + (f"[{colour}]{text[:6]}[/]{text[6:]}" if colour else text)


def why(error: Exception) -> str:
    """An exception in a line: what it says, and the last place in this folder that it came through."""
    here = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent == Path(__file__).parent]
    place = f" ({Path(here[-1].filename).name}:{here[-1].lineno})" if here else ""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}{place}" if said else f"{type(error).__name__}{place}"


def summary(made: Record) -> str:
    """The end of a run, in a line."""
    verdicts = Counter(map(verdict, made.figures))
    told = f"{len(made.figures)} figures in {made.seconds:.0f} s: {verdicts['ok']} as they should be, {verdicts['missed']} goals missed"
    wrong = f", [red]{verdicts['WRONG']} counted wrong[/]" if verdicts["WRONG"] else ""
    return f"\n{told}{wrong}" + (f", [red]{len(made.broken)} parts broken: {', '.join(made.broken)}[/]" if made.broken else "")


def comparison(then: Record, made: Record, say: Say) -> int:
    """Say what got worse since another run; 2 if anything did."""
    common = compare.compared(then, made)
    worse = list(compare.regressions(then, made))
    say(f"\ncompared with {then.date} ({then.scale} form): {common} ratios, {len(worse)} worse by more than their rounds differ")
    for sentence in worse:
        say(f"[red] worse[/]  {escape(sentence)}")
    return 2 if worse else 0


def ended(made: Record) -> int:
    """1 when something was counted wrong or is broken."""
    return int(bool(made.broken) or any(figure.hard and not figure.ok for figure in made.figures))


if __name__ == "__main__":
    sys.exit(main())
