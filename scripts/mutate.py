"""Put small faults into the core files, one at a time, each in a copy of the tree, and see whether a test notices.

./run mutate                                       every file of the core, every mutant: hours
./run mutate --only 20                             a sample of 20 mutants of each file, the same each time; --seed for another
./run mutate src/modelsync/planning/policy.py --seconds 900 one file, for a quarter of an hour
./run mutate src/modelsync/planning/policy.py --list        only show its mutants

What is known is kept in .mutate, so a run that was stopped goes on. First it is noted which test calls which function:
once for all tests (some twenty minutes), then for each test file that changed.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from mutants import Mutant, mutants
from mutation_bench import Bench, benches
from mutation_known import Equivalents, Known, Verdict, digest
from mutation_map import Chosen, Map

ROOT = Path(__file__).resolve().parent.parent
EQUIVALENTS = Path(__file__).resolve().parent / "mutation_equivalents.toml"
CORE = [
    f"src/modelsync/{folder}/{name}.py"
    for folder, names in {
        "model": ("fields", "limits", "model", "points", "prices", "timeline"),
        "providers": ("paging",),
        "planning": (
            "drift",
            "holding",
            "layers",
            "listing",
            "outcome",
            "plan",
            "policy",
            "pairs",
            "doubts",
            "cases",
            "unit_changes",
            "quarantine",
        ),
        "fetch": ("body", "request", "origins"),
        "database": ("rows",),
        "database/tables": ("drift", "holds", "leases", "models", "pins", "runs"),
        "sync": ("context", "pipeline", "store"),
        "operations": ("decisions", "models", "rollback"),
    }.items()
    for name in names
]
GOAL = 0.98


class Work(NamedTuple):
    """One mutant of a file, and the tests that may notice it."""

    file: str
    mutant: Mutant
    tests: Chosen


async def judge(bench: Bench, work: Work, start: float) -> Verdict:
    """Whether a test notices: quick and near ones first, then the others."""
    with bench.holding(work.file, work.mutant.text):
        for part in work.tests.parts():
            limit = start + 3 * sum(part.values())  # of what they usually take
            files = list(dict.fromkeys(name.partition("::")[0] for name in part))
            ended = await bench.run(files, limit, [name for file in files for name in part if name.startswith(f"{file}::")], first=True)
            match ended.code:
                case 0:
                    continue
                case None:
                    return Verdict("noticed", "time")
                case 5:
                    return Verdict("unjudged", "the tests were not found: remove .mutate")
                case 2 | 4 if not ended.failed:
                    return Verdict("stillborn", "cannot be imported")
            return Verdict("noticed", next(iter(ended.failed), f"pytest's end {ended.code}"))
    return Verdict("survived", work.tests.told())


async def judge_all(made: Sequence[Bench], queue: Iterator[Work], known: Known, start: float, until: float) -> None:
    """Every mutant of the queue, on all benches at once, until the time is over."""

    async def at(bench: Bench) -> None:
        for work in queue:
            if time.monotonic() > until:
                return
            verdict = await judge(bench, work, start)
            known.add(work.file, work.mutant, verdict)
            mark = {"noticed": ".", "survived": "S", "stillborn": "-"}.get(verdict.kind, "?")
            say(mark if verdict.kind != "survived" else f"\n{shown(work.file, work.mutant, verdict)}\n")

    async with asyncio.TaskGroup() as group:
        for bench in made:
            group.create_task(at(bench))


async def control(bench: Bench, known: Known, since: int) -> None:
    """Tests that noticed something must pass where nothing is wrong; else their word is taken back."""
    names = sorted({name for name in known.noticing(since) if "::" in name})
    if names:
        say("\nThe tests that noticed, without any fault …")
        ended = await bench.run(list(dict.fromkeys(name.partition("::")[0] for name in names)), 1800.0, names)
        for name in ended.failed if ended.code is not None else names:
            say(f"\n{name} fails without a fault, too: what it noticed counts no more")
            known.take_back(name)
        say("\n")


def say(text: str) -> None:
    """Tell how it goes."""
    sys.stderr.write(text)
    sys.stderr.flush()


def shown(file: str, mutant: Mutant, verdict: Verdict) -> str:
    """A survivor as a small diff."""
    return f"{file}:{mutant.line} in {mutant.function}, {verdict.by}\n- {mutant.was}\n+ {mutant.becomes}"


def sampled(file: str, text: str, chosen: argparse.Namespace, equivalents: Equivalents) -> list[Mutant]:
    """The mutants of a file that are asked for and no equivalents, in an order that depends on nothing but the seed and their texts."""
    found = [mutant for mutant in mutants(text) if chosen.function in mutant.function and not equivalents.has(file, mutant)]
    found.sort(key=lambda mutant: hashlib.sha256(f"{chosen.seed} {file} {mutant.key}".encode()).digest())
    return found[: chosen.only]


def figures(file: str, text: str, known: Known, equivalents: Equivalents) -> dict[str, Any]:
    """What is known of a file's mutants."""
    found = mutants(text)
    judged = {mutant.key: verdict for mutant in found if (verdict := known.of(file, mutant)) and not equivalents.has(file, mutant)}
    kinds = [verdict.kind for verdict in judged.values()]
    tried = kinds.count("noticed") + kinds.count("survived")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "of": digest(text),
        "mutants": len(found) - kinds.count("stillborn"),
        "equivalent": sum(equivalents.has(file, mutant) for mutant in found),
        "tried": tried,
        "noticed": kinds.count("noticed"),
        "survivors": sorted(key for key, verdict in judged.items() if verdict.kind == "survived"),
    }


def table(told: dict[str, dict[str, Any]]) -> str:
    """A line per file, and one for all."""
    lines = [f"{'file':44}{'mutants':>8}{'equivalent':>11}{'tried':>7}{'noticed':>8}{'survived':>9}{'share':>9}"]
    total = {name: sum(one[name] for one in told.values()) for name in ("mutants", "equivalent", "tried", "noticed")}
    for file, one in [*told.items(), ("all", total)]:
        share = f"{one['noticed'] / one['tried']:.1%}" if one["tried"] else "-"
        survived = one["tried"] - one["noticed"]
        lines.append(f"{file:44}{one['mutants']:8}{one['equivalent']:11}{one['tried']:7}{one['noticed']:8}{survived:9}{share:>9}")
    return "\n".join(lines)


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(prog="./run mutate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="files of the core; all when none is named")
    parser.add_argument("--only", type=int, help="at most so many mutants of each file")
    parser.add_argument("--seed", type=int, default=0, help="another number gives another sample")
    parser.add_argument("--function", default="", help="only mutants in functions and classes whose name has this in it")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no mutant after this time")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of tests for one mutant, as long as they usually take")
    parser.add_argument("--start", type=float, default=30.0, help="seconds for pytest to begin, on a busy machine")
    parser.add_argument("--tests", nargs="*", default=["tests"], help="test files and folders to use")
    parser.add_argument("--jobs", type=int, default=2, help="copies of the tree that work at once")
    parser.add_argument("--list", action="store_true", help="show the mutants, and run nothing")
    parser.add_argument("--again", action="store_true", help="try survivors again that no test file has changed for")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--equivalents", type=Path, default=EQUIVALENTS, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    return parser


async def campaign(chosen: argparse.Namespace, texts: dict[str, str], known: Known, equivalents: Equivalents) -> None:
    """Note who calls what, then try the mutants."""
    until = time.monotonic() + chosen.seconds
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)  # type: ignore[union-attr]
    calls = Map(chosen.root, chosen.tests)
    with benches(chosen.root, chosen.jobs) as made:
        await calls.complete(made, say, until)
        samples = [
            [
                Work(file, mutant, calls.covering(file, mutant.function, chosen.budget))
                for mutant in sampled(file, text, chosen, equivalents)
                if known.is_open(file, mutant, again=chosen.again)
            ]
            for file, text in texts.items()
        ]
        queue = [work for work in chain.from_iterable(zip_longest(*samples)) if work]  # a bit of every file, when the time is short
        say(f"{len(queue)} mutants of {len(texts)} files to try\n")
        since = len(known.lines)
        await judge_all(made, iter(queue), known, chosen.start, until)
        await control(made[0], known, since)


def main() -> int:
    """Run it; 1 when fewer are noticed than should be, 130 when it was stopped."""
    chosen = options().parse_args()
    texts = {file: (chosen.root / file).read_text("utf-8") for file in chosen.files or CORE}
    equivalents = Equivalents(chosen.equivalents)
    if chosen.list:
        for file, text in texts.items():
            sys.stdout.writelines(f"{file}:{mutant.line} {mutant.key}\n" for mutant in mutants(text))
        return 0
    known, stopped = Known(chosen.root, texts), True
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(campaign(chosen, texts, known, equivalents))
        stopped = False
    told = {file: figures(file, text, known, equivalents) for file, text in texts.items()}
    for file, text in texts.items():
        survivors = [(mutant, known.of(file, mutant)) for mutant in mutants(text) if mutant.key in told[file]["survivors"]]
        sys.stdout.writelines(f"{shown(file, mutant, verdict)}\n\n" for mutant, verdict in survivors if verdict)
    sys.stdout.writelines(f"An equivalent that is no mutant any more: {stale}\n" for stale in equivalents.stale(texts))
    sys.stdout.write(table(told) + "\n")
    if chosen.report:
        chosen.report.write_text(json.dumps({file: one for file, one in told.items() if one["tried"]}), "utf-8")
    tried, noticed = (sum(one[name] for one in told.values()) for name in ("tried", "noticed"))
    return 130 if stopped else int(noticed < GOAL * tried)


if __name__ == "__main__":
    sys.exit(main())
