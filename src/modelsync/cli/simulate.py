"""`modelsync simulate` and `modelsync demo`: the whole pipeline without any network."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelsync import app, settings
from modelsync.cli import output, rendering
from modelsync.cli.parameters import Number, Port
from modelsync.cli.ports import check_free
from modelsync.errors import UsageError
from modelsync.providers.registry import load
from modelsync.simulator.server import Simulator
from modelsync.testing.trial import trial_in

Samples = Annotated[list[Path] | None, Parameter(consume_multiple=1, negative=())]


def simulate(*, host: str = "127.0.0.1", port: Port = 8900, day: Number = 0, sample: Samples = None) -> int:
    """Serve all providers' wire formats locally, for tests and for trying things out.

    Parameters
    ----------
    host:
        Address to listen on.
    day:
        Start on this day: catalogs change from day to day (POST /_simulator/day).
    sample:
        The test of a provider that has no sample here: a Python file with its TRIAL. It is run.
    """
    check_free(host, port)
    simulator = Simulator(host=host, port=port, day=day, more=[trial_in(file).simulated for file in sample or ()])
    message = f"Simulating {len(simulator.wires.slugs)} providers: MODELSYNC_ORIGIN=http://{host}:{port} (Ctrl-C ends it)"
    output.stderr().print(message, soft_wrap=True)
    simulator.run()
    return 0


def demo(*, keep: Annotated[Path | None, Parameter(help="Keep the demo's catalog in this file (it must not exist yet).")] = None) -> int:
    """Show the whole job offline: sync all providers, simulated, over real HTTP, move on a day, sync again."""
    if keep is not None and keep.exists():
        raise UsageError(f"{keep} exists already", "Nothing was done: simulated prices do not belong in a catalog. Name a new file")
    console = output.stdout()
    with tempfile.TemporaryDirectory(prefix="modelsync-demo-") as folder, Simulator() as simulator:
        program = app.build(demo_settings(simulator, keep or Path(folder) / "demo.db"))
        failed = 0
        for day, title in enumerate(("Day 1: an empty catalog", "Day 2: what changed since yesterday")):
            simulator.set_day(day)
            console.rule(title, align="left")
            if day:
                report = program.sync(dry_run=True)
                rendering.show_plans(console, report)
            with rendering.Progress([job.slug for job in program.jobs(None)], plain=False, quiet=True) as progress:
                report = program.sync(watch=progress.watch, trigger="demo")
            rendering.show_report(console, report, program.database_shown())
            console.print()
            failed += len(report.results) - len(report.succeeded)
    console.print("That was the whole pipeline over HTTP, against simulated providers. The real thing: modelsync sync")
    return 1 if failed else 0


def demo_settings(simulator: Simulator, database: Path) -> settings.Settings:
    """Settings for a simulator: its keys, its origin, and nothing of this machine's."""
    known = {slug: provider for slug, provider in load().items() if slug in simulator.wires.slugs}
    keys = {
        provider.auth.variables[0]: simulator.service_account() if slug == "google-vertex" else simulator.key(slug)
        for slug, provider in known.items()
    }
    environment = {**keys, "DATABASE_URL": f"sqlite:///{database}", "MODELSYNC_ORIGIN": simulator.origin, "HUGGINGFACE_HUB_LIMIT": "0"}
    return settings.load(environment, Path(os.devnull).parent, providers=known)
