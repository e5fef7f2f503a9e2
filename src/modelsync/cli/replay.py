"""`modelsync replay`: answers that were kept, read again."""

from modelsync import app
from modelsync.cli import output, rendering
from modelsync.cli.opening import load
from modelsync.cli.parameters import Database, Json, Number, Slugs
from modelsync.planning.outcome import document, exit_code


def replay(
    run: Number,
    /,
    *,
    provider: Slugs = None,
    json: Json = False,
    database: Database = None,
) -> int:
    """Read the answers that were kept of a run again, with this version and these settings, and show what they would change in the
    catalog as it is now. Asks no provider and writes nothing.

    Parameters
    ----------
    run:
        The number of a run.
    """
    program = app.build(load(database))
    report = program.replay(run, provider)
    if json:
        output.print_json(document(report))
    else:
        rendering.show_report(output.stdout(), report, program.database_shown())
    return exit_code(report, named=bool(provider))
