"""The command line as a whole. Commands are loaded when they are called."""

import re
import sys

from cyclopts import App, CycloptsError, Group

from modelsync import __version__
from modelsync.cli import output
from modelsync.cli.commands import COMMANDS, EPILOGUE, EXIT_CODES, GROUPS, HELP, examples
from modelsync.errors import ModelsyncError, UsageError

app = App(
    name="modelsync",
    help=HELP,
    version=__version__,
    help_format="plaintext",
    help_epilogue=EPILOGUE,
)
for _order, (_title, _names) in enumerate(GROUPS.items()):
    _group = Group(_title, sort_key=_order)
    for _place_in_group, _name in enumerate(_names):
        _place, _help, _usage = COMMANDS[_name]
        _epilogue = {"help_epilogue": examples(_usage) + (f"\n\n{EXIT_CODES}" if _name == "sync" else "")} if _usage else {}
        app.command(f"modelsync.cli.{_place}", name=_name, help=_help, group=_group, sort_key=_place_in_group, **_epilogue)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code. A user's mistake ends in one line and an instruction, never in a traceback."""
    odd = next((place for place, argument in enumerate(arguments, 1) if not is_text(argument)), None)
    if odd is not None:
        return _mistake(UsageError(f"Argument {odd} is not text in UTF-8", "Nothing was done; type it again in a terminal set to UTF-8"))
    try:
        code = app(arguments, result_action="return_value", exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        command = " ".join(("modelsync", *(error.command_chain or ())))
        return _mistake(UsageError(_told(error, command), f"See `{command} --help`"))
    except ModelsyncError as error:
        return _mistake(error)
    return code if isinstance(code, int) else 0


def is_text(argument: str) -> bool:
    """Whether an argument is text: bytes that are no UTF-8 are given to a program as half of a character each."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _told(error: CycloptsError, command: str) -> str:
    """What is wrong with a command line, in people's words."""
    message = str(error).partition(" Available commands:")[0].rstrip(".")
    message = re.sub(r'^Command ".*" parameter (\S+) requires an argument', rf"`{command}` needs \1", message)
    return re.sub(r'unable to convert (".*") into (\w+)', lambda found: f"{found[1]} is {_KINDS.get(found[2], 'none')}", message)


_KINDS = {"int": "no whole number", "float": "no number", "bool": "neither yes nor no"}


def _mistake(error: ModelsyncError) -> int:
    end = "" if error.message.endswith(("?", ".")) else "."
    output.say(output.stderr(), f"modelsync: {error.message}{end} {error.hint}")
    return error.exit_code
