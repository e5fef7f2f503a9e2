"""`python -m modelsync`: where this Python cannot run it, one sentence with what to do."""

import sys

_OR_RUN = "./run in the checkout, which sets itself up"


def run() -> None:
    """Run the command in `sys.argv`. Nothing is imported before that an older Python could not read."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older one gets as far as this
        message = "modelsync: Python 3.11 or newer is needed; this is %d.%d (%s). Nothing was done. Use a newer one, as python3.13, or %s"
        sys.exit(message % (*sys.version_info[:2], sys.executable, _OR_RUN))
    try:
        from modelsync.cli import main

        main()
    except ModuleNotFoundError as missing:  # commands are loaded when they are called, after the command line itself
        _end(missing, "" if "modelsync.cli.program" in sys.modules else " Nothing was done.")
        raise


def _end(missing, what):  # type: (ModuleNotFoundError, str) -> None
    """Exit with a sentence when a package is missing that is not ours."""
    if missing.name and not missing.name.startswith("modelsync"):
        message = "modelsync: %s is not installed for this Python.%s Use %s -m pip install -r requirements.txt, or %s"
        sys.exit(message % (missing.name, what, sys.executable, _OR_RUN))


if __name__ == "__main__":
    run()
