"""Logs: plain lines for people on stderr, without secrets and without control characters."""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any

import stamina.instrumentation
import structlog


def configure(*, verbose: bool, secrets: Iterable[str]) -> None:
    """Show warnings, or with `verbose` every request and every skipped row. No value in `secrets` is ever shown."""
    hidden = [secret for secret in secrets if len(secret) >= 4]

    def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: _redacted(value, hidden) for name, value in event.items()}

    stamina.instrumentation.set_on_retry_hooks([])  # each try is logged where it is made
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            redact,
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _redacted(value: Any, hidden: list[str]) -> Any:
    if not isinstance(value, str):
        return value
    for secret in hidden:
        value = value.replace(secret, "***")
    return value


def _line(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    time, level, text = event.pop("timestamp"), event.pop("level"), event.pop("event")
    provider, trace = event.pop("provider", ""), event.pop("exception", "")
    facts = " ".join(f"{name}={value}" for name, value in event.items())
    line = " ".join(
        part for part in (time, level.upper() if level != "debug" else "", f"[{provider}]" * bool(provider), text, facts) if part
    )
    return printable(line) + (f"\n{trace}" if trace else "")


def printable(text: str) -> str:
    """Text without control characters, so that no provider's string can steer a terminal or forge a line."""
    return "".join(char if char.isprintable() else "�" for char in text)
