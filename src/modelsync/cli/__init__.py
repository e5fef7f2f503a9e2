"""The command line. Commands are loaded when they are called, so that `--help` is there at once."""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from modelsync import __version__
from modelsync.errors import ModelsyncError, UsageError

EPILOGUE = """Examples:
  modelsync sync                                     all providers, into modelsync.db
  modelsync sync --providers openrouter groq --dry-run
  modelsync models claude --tools --max-price 5      search the catalog
  modelsync demo                                     the whole job, offline
Exit codes: 0 good, 1 failed, 3 some providers failed, 4 something waits for a person, 64 wrong usage."""

app = App(
    name="modelsync",
    help="Keep a database catalog of AI models in step with what providers' own APIs say.",
    version=__version__,
    help_format="plaintext",
    help_epilogue=EPILOGUE,
)

COMMANDS = {
    "sync": ("sync:sync", "Bring the catalog in step with the providers."),
    "providers": ("show:providers", "List providers: key, price unit, last sync."),
    "models": ("show:models", "Search the catalog."),
    "status": ("show:status", "Show how fresh the catalog is and what it holds."),
    "runs": ("show:runs", "List past runs, or show one."),
    "settings": ("show:settings", "List every setting, its value and where it came from."),
    "doctor": ("doctor:doctor", "Check keys, endpoints, database, clock and schema."),
    "db": ("database:app", "Create, upgrade and inspect the catalog's database."),
    "simulate": ("simulate:simulate", "Serve all providers' wire formats locally."),
    "demo": ("simulate:demo", "Show two days of syncing, offline."),
}
for _name, (_place, _help) in COMMANDS.items():
    app.command(f"modelsync.cli.{_place}", name=_name, help=_help)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    raise SystemExit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command; its exit code. A user's mistake ends in one line and an instruction, never in a traceback."""
    try:
        code = app(arguments, result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _mistake(UsageError(str(error).rstrip("."), "See `modelsync --help`"))
    except ModelsyncError as error:
        return _mistake(error)
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, less) has seen enough
        return 0
    except KeyboardInterrupt:
        return 130
    return code if isinstance(code, int) else 0


def _mistake(error: ModelsyncError) -> int:
    print(f"modelsync: {error.message}. {error.hint}", file=sys.stderr)  # noqa: T201 - the last word of a command
    return error.exit_code
