"""`modelsync replay`: answers that were kept, read again."""

from typing import Annotated

from cyclopts import Parameter

from modelsync import app
from modelsync.cli import output, rendering
from modelsync.cli.sync import Database, Flag, load
from modelsync.report import document, exit_code


def replay(
    run: int,
    /,
    *,
    provider: Annotated[list[str] | None, Parameter(consume_multiple=1, negative=())] = None,
    json: Annotated[bool, Flag] = False,
    database: Database = None,
) -> int:
    """Read the answers that were kept of a run again, with this version and these settings, and show what they would change in the
    catalog as it is now. Asks no provider and writes nothing.

    Parameters
    ----------
    run:
        The number of a run.
    provider:
        Only these providers.
    json:
        Print the report as one JSON document.
    """
    program = app.build(load(database))
    report = program.replay(run, provider)
    if json:
        output.print_json(document(report))
    else:
        rendering.show_report(output.stdout(), report, program.database_shown())
    return exit_code(report, named=bool(provider))
