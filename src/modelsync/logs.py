"""Logs: plain lines for people on stderr, without secrets and without control characters."""

import json
import logging
import sys
from collections.abc import Iterable, MutableMapping

import stamina.instrumentation
import structlog

from modelsync import redaction
from modelsync.model.limits import printable


def configure(*, verbose: bool, secrets: Iterable[str], serving: bool = False) -> None:
    """Show warnings, or with `verbose` every request and every skipped row. No value in `secrets` is ever shown.

    A server also shows what it is asked, and writes JSON lines when nobody watches.
    """
    forms = {form for secret in secrets if len(secret) >= 4 for form in redaction.forms(secret)}
    hidden = sorted({printable(form) for form in forms} | forms, key=len, reverse=True)
    written = _json_line if serving and not sys.stderr.isatty() else _line

    def redacted_line(_: object, __: str, event: MutableMapping[str, object]) -> str:
        line = written(event)
        for form in hidden:
            line = line.replace(form, "***")
        return line

    stamina.instrumentation.set_on_retry_hooks([])  # each try is logged where it is made
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso" if serving else "%H:%M:%S", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            redacted_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO if serving else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _line(event: MutableMapping[str, object]) -> str:
    time, level, text = (str(event.pop(name)) for name in ("timestamp", "level", "event"))
    provider, trace = event.pop("provider", ""), event.pop("exception", "")
    facts = " ".join(f"{name}={value}" for name, value in event.items())
    line = " ".join(
        part for part in (time, level.upper() if level != "debug" else "", f"[{provider}]" * bool(provider), text, facts) if part
    )
    return printable(line) + (f"\n{trace}" if trace else "")


def _json_line(event: MutableMapping[str, object]) -> str:
    return _encode({"at": event.pop("timestamp"), "level": event.pop("level"), "message": event.pop("event"), **event})


_encode = json.JSONEncoder(default=str).encode
