"""`modelsync explain`: how a stored value came to be."""

import difflib
import shlex
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated

import msgspec
from cyclopts import Parameter

from modelsync.cli import output
from modelsync.cli.opening import opened
from modelsync.cli.parameters import Database, Json, ModelId, ProviderSlug
from modelsync.errors import UsageError
from modelsync.formats import text
from modelsync.model.fields import READER, is_price
from modelsync.model.points import is_per_token, numbers
from modelsync.model.prices import plain
from modelsync.queries.explain import Explanation, Known, LastChange, explain_field, fields_of, overview
from modelsync.queries.explain_rows import ExplanationReader
from modelsync.queries.reasons import (
    Absent,
    Frozen,
    HeldAbsence,
    HeldPrice,
    Incomplete,
    LastBelieved,
    NotStated,
    PerhapsNotStated,
    Pinned,
    Reason,
)
from modelsync.queries.wire import WireText

SOURCES = {
    "provider": "the provider",
    "carried over": "the provider, in an earlier listing",
    "held": "what stood before; the price that the provider states now is held",
    "pinned": "an operator, who pinned it",
    "rolled back": "a rollback",
    "derived": "this catalog, from other facts",
    None: "nobody: it is not stated",
}

LONGEST = 60
"""Characters of a value in a table."""


def explain(
    provider: ProviderSlug,
    model: ModelId,
    field: Annotated[str | None, Parameter(negative=())] = None,
    /,
    *,
    json: Json = False,
    database: Database = None,
) -> int:
    """Show how the values of a model came to be: what the provider said, what is believed, what was decided.

    Parameters
    ----------
    field:
        One field, such as pricing_prompt, context_length or pricing.cache_read; without it a table of all.
    """
    with opened(database, [provider]) as db:
        reader = ExplanationReader(db.store)
        known = reader.known(db.settings.providers[provider], model)
        ids = reader.ids(provider) if known is None else []
    if known is None:
        raise UsageError(f"{provider} has no model {model} in the catalog", _near(model, ids) or "`modelsync models` finds ids")
    explanations = overview(known) if field is None else (explain_field(known, _field(known, field)),)
    if json:
        explained = [plain(msgspec.to_builtins(each)) for each in explanations]
        output.print_json({"version": 1, "provider": provider, "provider_model_id": model, "fields": explained})
    elif field is None:
        _print_table(known, explanations)
    else:
        _print_one(known, explanations[0])
    return 0


def _field(known: Known, name: str) -> str:
    fields = fields_of(known)
    if name not in fields:
        raise UsageError(f"There is no field {name}", _near(name, fields) or f"The fields are {', '.join(fields)}")
    return name


def _near(name: str, known: Iterable[str]) -> str | None:
    """A hint at names like this one: nearly the same, or with it inside."""
    by_lower = {each.casefold(): each for each in sorted(known)}
    alike = difflib.get_close_matches(name.casefold(), by_lower, n=3)
    inside = [lower for lower in by_lower if name.casefold() in lower]
    near = [by_lower[lower] for lower in dict.fromkeys([*alike, *inside])][:3]
    return f"Did you mean {' or '.join(near)}?" if near else None


def _print_table(known: Known, explanations: Iterable[Explanation]) -> None:
    console, rows = output.stdout(), list[tuple[str, str, str, str]]()
    for each in explanations:
        value = output.safe(text.value_text(each.field, each.value))
        short = value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
        rows.append((output.safe(each.field), short, each.source or text.UNKNOWN, output.utc(each.since)))
    output.say(console, output.safe(f"{known.provider.slug}  {known.stored.model.id}"))
    columns = (output.Column("field"), output.Column("value", wraps=True), output.Column("from"), output.Column("since", drop=1))
    output.show_table(columns, rows)
    for sentence in dict.fromkeys(_reason_text(reason, known) for each in explanations for reason in each.reasons):
        output.say(console, output.safe(sentence))
    for sentence in _without_price(known):
        output.say(console, output.safe(sentence))


def _without_price(known: Known) -> Iterator[str]:
    """What can be done where no price is known."""
    prices = known.stored.model.prices
    if not numbers(prices) and not prices.dynamic:
        whose = shlex.join([known.provider.slug, known.stored.model.id])
        yield "no price is known: it is not free, and whoever bills by it needs one of their own"
        yield f'if you know it: modelsync pin {whose} pricing_prompt=…/M pricing_completion=…/M --reason "…"'


def _print_one(known: Known, explanation: Explanation) -> None:
    console = output.stdout()
    for line in _lines(known, explanation):
        output.say(console, output.safe(line))
    for line in _without_price(known) if explanation.field.startswith("pricing") and explanation.value is None else ():
        output.say(console, output.safe(line))


def _lines(known: Known, explanation: Explanation) -> Iterator[str]:
    yield f"{known.provider.slug}  {known.stored.model.id}  {explanation.field} = {text.value_text(explanation.field, explanation.value)}"
    varies = explanation.source is None and is_price(explanation.field) and known.stored.model.prices.dynamic
    yield f"from: {'the provider, who says that the price varies by request' if varies else SOURCES[explanation.source]}"
    if explanation.wire:
        yield f"on the wire: {_wires(explanation.wire)}" + (" (the whole price)" if explanation.wire_is_whole_price else "")
    if explanation.declared_unit is not None:
        yield f"declared unit: {explanation.declared_unit}"
    if explanation.since is not None:
        yield f"since: {output.utc(explanation.since)}" + (
            f"; the whole price {output.utc(explanation.price_stated_at)}" if explanation.price_stated_at else ""
        )
    yield f"last change of the model: {output.utc(explanation.model_updated_at)}"
    if explanation.last_change is not None:
        yield f"last change of the field: {_changed(explanation.field, explanation.last_change)}"
    if known.stored.upstream is not None and explanation.stated != explanation.value and explanation.field != "status":
        wire = f" ({_wires(explanation.stated_wire)} on the wire)" if explanation.stated_wire else ""
        yield f"the provider said last: {text.value_text(explanation.field, explanation.stated)}{wire}"
    for reason in explanation.reasons:
        yield f"why: {_reason_text(reason, known)}"
    for run in explanation.answers_of:
        yield f"the answers are kept: modelsync replay {run} --provider {known.provider.slug}"


def _wires(wire: Iterable[WireText]) -> str:
    return ", ".join(f"{each.field} = {each.text}" for each in wire)


def _changed(field: str, change: LastChange) -> str:
    by = f", by {change.trigger}" if change.trigger in text.BY_PERSONS else ""
    moved = (
        f": {text.value_text(field, change.old)} → {text.value_text(field, change.new)}"
        if change.old is not None or change.new is not None
        else ""
    )
    what = "the model was added" if change.kind == "added" else change.kind
    corrected = f"; {text.changes_text({READER: change.corrected})}" if change.corrected else ""
    return f"{output.utc(change.at)}, run {change.run_id}{by}, {what}{moved}{corrected}"


def _reason_text(reason: Reason, known: Known) -> str:
    match reason:
        case Pinned():
            until = f" until {output.utc(reason.until)}" if reason.until else ""
            ended = "; that is over, and the next sync shows the provider's value" if reason.ended else ""
            return f"{reason.author} pinned it at {output.utc(reason.at)}{until}: {reason.reason}{ended}"
        case HeldPrice() | HeldAbsence():
            return _hold_text(reason, known)
        case LastBelieved():
            return f"the last believed {reason.point} was {_price(reason)}, until {output.utc(reason.until)}; a new one is compared with it"
        case Incomplete():
            return f"the price is not whole: {_unread(reason)} stated by the provider and not read, so a call may pay more"
        case NotStated(since=None):
            return "the provider does not state it any more; the value is from an earlier listing"
        case NotStated():
            return f"the provider does not state it since {output.utc(reason.since)}; it becomes unknown if that lasts"
        case PerhapsNotStated():
            return "the last listing left out some of what it stated of this model before, perhaps this"
        case Absent():
            return f"the model is {reason.status} since {output.utc(reason.since)}; its values are from the last listing that had it"
        case Frozen():
            resume = f'modelsync resume {known.provider.slug} --reason "…"'
            return f"the provider is paused since {output.utc(reason.since)} ({reason.reason}); `{resume}` lets it sync again"


def _hold_text(reason: HeldPrice | HeldAbsence, known: Known) -> str:
    commands = " or ".join(f"`{command}`" for command in reason.commands)
    if reason.status == "rejected":
        what = "the stated price" if isinstance(reason, HeldPrice) else "that it is gone"
        when = f" on {output.utc(reason.rejected_at)}" if reason.rejected_at else ""
        return f"{reason.rejected_by} rejected {what}{when}: {reason.reason} ({reason.message}); {commands} takes that back"
    hint = f"{reason.hint}: {commands}" if isinstance(reason, HeldPrice) else commands
    return f"hold {reason.id}, {output.ago(reason.since, known.now)}: {reason.message}. {hint}"


def _price(last: LastBelieved) -> str:
    if Decimal(last.usd) == 0:
        return "free"
    usd = f"{last.usd} USD"
    return f"{text.per_million(Decimal(last.usd))} $/1M ({usd} per token)" if is_per_token(last.point) else usd


def _unread(reason: Incomplete) -> str:
    names = [each.name if each.text is None else f"{each.name} = {each.text}" for each in reason.unread]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
