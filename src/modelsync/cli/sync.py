"""`modelsync sync`, and `modelsync apply` for what a dry run of it saved."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelsync import app
from modelsync.cli import interpreter, output, rendering
from modelsync.cli.opening import load, warn_of_unknown
from modelsync.cli.parameters import FLAG, Database, Json, Slugs
from modelsync.cli.stopping import STOPPED, at_ctrl_c
from modelsync.errors import UsageError
from modelsync.planning.outcome import Report, document, exit_code
from modelsync.sync.pipeline import Watch
from modelsync.sync.run import Handle, Stopped


def sync(
    *,
    providers: Slugs = None,
    dry_run: Annotated[bool, FLAG] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative=(), show_default=False)] = False,
    json: Json = False,
    save: Path | None = None,
    database: Database = None,
) -> int:
    """Bring the catalog up to date with the providers.

    Parameters
    ----------
    dry_run:
        Fetch and compare, write nothing at all, and show the plan.
    verbose:
        Log every request and every skipped row.
    save:
        With --dry-run, write the plan to this file, new or a saved plan; the command apply does exactly that, or nothing if the catalog has
        moved on.
    """
    if save is not None and not dry_run:
        raise UsageError("--save needs --dry-run", "A sync that is not dry has nothing left to apply")
    chosen = load(database)
    warn_of_unknown(chosen)
    program = app.build(chosen, verbose=verbose)
    slugs = [job.slug for job in program.jobs(providers)]

    def work(watch: Watch, handle: Handle) -> Report:
        return program.sync(providers, dry_run=dry_run, watch=watch, trigger="cli", save=save, handle=handle)

    return _shown(program, slugs, work, named=bool(providers), verbose=verbose, json=json)


def apply(file: Path, /, *, json: Json = False, database: Database = None) -> int:
    """Do what a saved plan says, exactly; a provider whose part of the catalog has moved on since is left as it is.

    Parameters
    ----------
    file:
        What `modelsync sync --dry-run --save FILE` wrote.
    """
    program = app.build(load(database))

    def work(watch: Watch, handle: Handle) -> Report:
        return program.apply(file, watch=watch, trigger="apply", handle=handle)

    return _shown(program, [], work, named=True, verbose=False, json=json)


def _shown(program: app.App, slugs: list[str], work: Callable[[Watch, Handle], Report], *, named: bool, verbose: bool, json: bool) -> int:
    """Do it with progress, show what came of it, and answer with the exit code."""
    interpreter.settle()
    try:
        with at_ctrl_c(STOPPED) as stopping, rendering.Progress(slugs, plain=verbose, quiet=json) as progress:
            report = work(progress.watch, Handle(stopping=stopping))
    except Stopped as stopped:
        output.stderr().print(STOPPED)
        return stopped.code
    if json:
        output.print_json(document(report))
    else:
        rendering.show_report(output.stdout(), report, program.database_shown())
    return exit_code(report, named=named)
