"""`modelsync sync`."""

from typing import Annotated

from cyclopts import Parameter

from modelsync import app, settings
from modelsync.cli import output, rendering
from modelsync.report import document, exit_code

Flag = Parameter(negative=(), show_default=False)
Database = Annotated[str | None, Parameter(name="--database", help="Address of the catalog; otherwise DATABASE_URL, or modelsync.db here.")]


def load(database: str | None) -> settings.Settings:
    """This process's settings, with what the command line says."""
    return settings.load(DATABASE_URL=database or "")


def sync(
    *,
    providers: Annotated[list[str] | None, Parameter(consume_multiple=1, negative=())] = None,
    dry_run: Annotated[bool, Flag] = False,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative=(), show_default=False)] = False,
    json: Annotated[bool, Flag] = False,
    database: Database = None,
) -> int:
    """Bring the catalog in step with the providers.

    Parameters
    ----------
    providers:
        Only these providers (default: all).
    dry_run:
        Fetch and compare, write nothing at all, and show the plan.
    verbose:
        Log every request and every skipped row.
    json:
        Print the report as one JSON document.
    """
    program = app.build(load(database), verbose=verbose)
    slugs = [job.slug for job in program.jobs(providers)]
    try:
        with rendering.Progress(slugs, plain=verbose, quiet=json) as progress:
            report = program.sync(providers, dry_run=dry_run, watch=progress.watch, trigger="cli")
    except app.Stopped as stopped:
        output.stderr().print("Stopped. Providers already done are in the catalog; the others are untouched. Run it again to finish.")
        return stopped.code
    if json:
        output.print_json(document(report))
    else:
        rendering.show_report(output.stdout(), report, program.database_shown())
    return exit_code(report, named=bool(providers))
