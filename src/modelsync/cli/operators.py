"""What operators decide: `pin`, `unpin`, `pins`, `hide`, `keep`, `add`, `rollback`, `thaw`. Each is written to the audit log."""

import difflib
import getpass
import shlex
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated

import msgspec

from modelsync.cli import output
from modelsync.cli.history import deadline
from modelsync.cli.opening import opened
from modelsync.cli.parameters import FLAG, Database, Json, ModelId, Number, ProviderSlug, Reason, Slugs
from modelsync.errors import UsageError
from modelsync.formats import text
from modelsync.model.actors import Person
from modelsync.model.fields import PINNABLE, Pin, is_pinnable, is_price_per_token, is_time
from modelsync.model.overrides import pin_of
from modelsync.model.prices import plain
from modelsync.model.times import EXAMPLES
from modelsync.operations import models as operators
from modelsync.operations import rollback as rollbacks

PER_MILLION = "/M"
TIMES = f"Write {EXAMPLES}; without a zone it is UTC"
PRICES = "Write 2.5/M for USD per million tokens, or 0.0000025 per token"


def person(reason: str) -> Person:
    """Who runs this command, and why."""
    if not reason.strip():
        raise UsageError("A reason is needed", "Others will read it in the audit log")
    return Person(getpass.getuser(), reason)


def pins_of(texts: Sequence[str]) -> list[Pin]:
    """`FIELD=VALUE` as people write it. UsageError for an unknown field, one that is given twice, or a value that it cannot have."""
    pins = [_pin(text) for text in texts]
    twice = sorted(name for name, count in Counter(pin.field for pin in pins).items() if count > 1)
    if twice:
        raise UsageError(f"{twice[0]} is given twice", "Nothing was changed; give each field one value")
    return pins


def _pin(text: str) -> Pin:
    field, equals, value = text.partition("=")
    if not equals or not is_pinnable(field):
        near = difflib.get_close_matches(field, PINNABLE, n=1) if equals else ()
        every = f"The fields are {', '.join(PINNABLE)} and metadata.<name>"
        raise UsageError(f"{text} is no FIELD=VALUE", f"Did you mean {near[0]}?" if near else every)
    try:
        return pin_of(field, _value(field, value))
    except (ValueError, TypeError) as error:
        hint = PRICES if is_price_per_token(field) else TIMES if is_time(field) else "Lists and documents are written as JSON"
        raise UsageError(f"{field} cannot be {value}: {error}", hint) from None


def _value(field: str, text: str) -> object:
    """A value as people write it: JSON, or a text; prices per token also as 2.5/M, USD per million tokens, and `unknown`."""
    if not is_price_per_token(field):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    if text in ("unknown", "null"):
        return None
    try:
        number = Decimal(text.removesuffix(PER_MILLION))
    except InvalidOperation:
        raise ValueError("it is no number") from None
    return number / 1_000_000 if text.endswith(PER_MILLION) else number


def pin(
    provider: ProviderSlug, model: ModelId, /, *values: str, reason: Reason, until: str | None = None, database: Database = None
) -> int:
    """Set fields of a model to values that win over every sync.

    Parameters
    ----------
    values:
        FIELD=VALUE, such as pricing_prompt=2.5/M, context_length=200000, is_active=false, model_id=my-name or metadata.notes=ask first.
    until:
        When it ends: 2026-12-31, 2026-12-31T10:00, or 30d from now. The first sync after that shows the provider's value again.
    """
    if not values:
        raise UsageError("Say what to pin: FIELD=VALUE", f"The fields are {', '.join(PINNABLE)} and metadata.<name>")
    pinned, ends = pins_of(values), deadline(until) if until else None
    with opened(database, [provider], writing=True) as db:
        operators.pin(db.store, provider, model, pinned, person(reason), ends)
    what, whose = ", ".join(map(_pin_text, pinned)), shlex.join([provider, model])
    lasts = f"until {output.utc(ends)}; before that" if ends else "until somebody unpins it:"
    output.say(output.stdout(), output.safe(f'Pinned {provider} {model}: {what}, {lasts} `modelsync unpin {whose} --reason "…"`'))
    return 0


def _pin_text(pin: Pin) -> str:
    return f"{pin.field} = {text.value_text(pin.field, plain(pin.value))}"


def hide(provider: ProviderSlug, model: ModelId, /, *, reason: Reason, database: Database = None) -> int:
    """Take a model out of use: it is not active, whatever the provider says."""
    return pin(provider, model, "is_active=false", reason=reason, database=database)


def keep(provider: ProviderSlug, model: ModelId, /, *, reason: Reason, database: Database = None) -> int:
    """Keep a model active, whether the provider lists it or not."""
    return pin(provider, model, "is_active=true", reason=reason, database=database)


def add(provider: ProviderSlug, model: str, /, *values: str, reason: Reason, database: Database = None) -> int:
    """Add a model that the provider does not list. It stays until its pin on is_active is removed.

    Parameters
    ----------
    model:
        The id to call it by at that provider.
    values:
        FIELD=VALUE, as with `modelsync pin`.
    """
    pinned = pins_of(values)
    with opened(database, [provider], writing=True) as db:
        operators.add(db.store, provider, model, pinned, person(reason))
    what = ", ".join(map(_pin_text, pinned))
    with_what = f" with {what}" if what else ""
    later = "what the provider says of it later shows where nothing is pinned"
    output.say(output.stdout(), output.safe(f"Added {provider} {model}{with_what}; {later}."))
    return 0


def unpin(provider: ProviderSlug, model: ModelId, /, *fields: str, reason: Reason, database: Database = None) -> int:
    """Remove pins of a model: what the provider said last shows at once.

    Parameters
    ----------
    fields:
        Only these fields; without any, all pins of the model.
    """
    with opened(database, [provider], writing=True) as db:
        removed = operators.unpin(db.store, provider, model, fields, person(reason))
    if not removed:
        raise UsageError(f"Nothing of that is pinned of {provider} {model}", "`modelsync pins` lists pins")
    output.say(output.stdout(), f"Unpinned {', '.join(removed)} of {output.safe(f'{provider} {model}')}.")
    return 0


def pins(*, provider: Slugs = None, moved: Annotated[bool, FLAG] = False, json: Json = False, database: Database = None) -> int:
    """List what is pinned, and the provider's value.

    Parameters
    ----------
    moved:
        Only pins where the provider's value moved since they were set.
    """
    with opened(database, provider) as db:
        standing = db.catalog.pins(provider or ())
    shown = [row for row in standing if row.moved or not moved]
    if json:
        output.print_json({"version": 1, "pins": shown})
        return 0
    console = output.stdout()
    for row in shown:
        value, upstream, then = (text.value_text(row.field, each) for each in (row.value, row.upstream, row.beneath))
        theirs = f"the provider's value: {'not stated' if row.upstream is None else upstream}"
        when_pinned = f", {'not stated' if row.beneath is None else then} when it was pinned" if row.moved else ""
        until = f" until {output.utc(row.expires_at)}" if row.expires_at else ""
        shown_pin = f"{row.provider}  {row.provider_model_id}  {row.field} = {value}{until} ({theirs}{when_pinned})"
        output.say(console, output.safe(shown_pin))
        output.say(console, output.safe(f"   {row.author}, {output.utc(row.created_at)}: {row.reason}"))
    if not shown:
        output.say(console, _no_pins(len(standing), output.of(provider)))
    return 0


def _no_pins(count: int, of: str) -> str:
    match count:
        case 0:
            return f"Nothing{of} is pinned."
        case 1:
            return f"1 value{of} is pinned; the provider's value did not move since."
        case _:
            return f"{count:,} values{of} are pinned; no provider's value moved since."


def rollback(provider: ProviderSlug, /, *, to: Number, reason: Reason, database: Database = None) -> int:
    """Bring a provider's models back to what they were after a run, and keep syncs out until `modelsync resume PROVIDER`.

    Models that came later are retired, unless a pin keeps them active; missing ones stay missing until a sync lists them again, pins are
    kept, and history records it like any other change. Models that somebody added and no sync found yet are left as they are.

    Parameters
    ----------
    to:
        The run's number: `modelsync runs` and `modelsync changes` show them.
    """
    with opened(database, [provider], writing=True) as db:
        run_id, models = rollbacks.rollback(db.store, provider, to, person(reason))
    done = f"{models:,} models are as they were after run {to} (run {run_id})" if run_id else f"Nothing has changed since run {to}"
    output.say(output.stdout(), f'{provider}: {done}. It is paused; `modelsync resume {provider} --reason "…"` lets it sync again.')
    return 0


def thaw(provider: ProviderSlug, /, *, reason: Reason, database: Database = None) -> int:
    """Let a provider sync again after a rollback: the same as `modelsync resume PROVIDER`."""
    with opened(database, [provider], writing=True) as db:
        thawed = rollbacks.thaw(db.store, provider, person(reason))
    if not thawed:
        raise UsageError(f"{provider} is not paused", "`modelsync status` names those that are")
    output.say(output.stdout(), f"{provider} syncs again from the next run on.")
    return 0
