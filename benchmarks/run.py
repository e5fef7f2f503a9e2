"""All benchmarks, as ratios to floors measured in the same run: `./run bench [--quick] [--json] [--only NAME …] [--payloads DIR]`.

Ends with 1 when something was counted wrong (rows written, bytes of log); a missed ratio is only reported, because machines differ.
"""

import argparse
import json
import sys
from pathlib import Path

import dearest
import fetching
import memory
import msgspec
import reading_rows
import serving
import starting
import writing
from measure import FULL, QUICK, Figure
from rich.console import Console
from rich.table import Table

from modelsync import logs

BENCHMARKS = {
    "reading": reading_rows,
    "database": writing,
    "fetching": fetching,
    "memory": memory,
    "serving": serving,
    "dearest": dearest,
    "start-up": starting,
}


def main() -> int:
    """Run what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(description="Benchmarks of modelsync, beside their goals.")
    parser.add_argument("--quick", action="store_true", help="fewer models and rounds")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), help="only these")
    parser.add_argument("--payloads", type=Path, help=f"a folder with the recorded answer {memory.RECORDED}")
    chosen = parser.parse_args()
    scale = msgspec.structs.replace(QUICK if chosen.quick else FULL, payloads=chosen.payloads)
    logs.configure(verbose=False, secrets=())
    progress = Console(stderr=True)
    figures: dict[str, list[Figure]] = {}
    for name in chosen.only:
        with progress.status(f"measuring {name} …"):
            figures[name] = list(BENCHMARKS[name].measure(scale))
    if chosen.json:
        print(json.dumps({"version": 1, "models": scale.models, "rounds": scale.rounds, "figures": _plain(figures)}, indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(
            _table(figures, f"{scale.models:,} models, medians of {scale.rounds} rounds")
        )
    return int(any(figure.hard and not figure.ok for part in figures.values() for figure in part))


def _plain(figures: dict[str, list[Figure]]) -> list[dict[str, object]]:
    return [{"benchmark": name, "ok": figure.ok, **msgspec.structs.asdict(figure)} for name in figures for figure in figures[name]]


def _table(figures: dict[str, list[Figure]], caption: str) -> Table:
    table = Table(title="modelsync benchmarks", caption=caption)
    for heading in ("what", "goal", "reached", ""):
        table.add_column(heading, justify="right" if heading in ("goal", "reached") else "left")
    table.add_column("note", style="dim")
    for name, part in figures.items():
        table.add_section()
        table.add_row(f"[bold]{name}")
        for figure in part:
            table.add_row(figure.what, _goal(figure), _number(figure.reached, figure.unit), _verdict(figure), figure.note)
    return table


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    sign = "=" if figure.exact else "≥" if figure.least else "≤"
    return f"{sign} {_number(figure.goal, figure.unit)}"


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if abs(value) >= 100 or value == int(value) else f"{value:.2f} {unit}"


def _verdict(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return "[green]ok" if figure.ok else "[red]WRONG" if figure.hard else "[yellow]missed"


if __name__ == "__main__":
    sys.exit(main())
