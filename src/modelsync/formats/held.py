"""Holds as people read them: what became of each, and the whole command that decides it or takes that back. Pure, for every face."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from modelsync.planning import holding
from modelsync.planning.holding import RecordedHold

VERBS = {"confirmed": "confirmed it", "closed": "confirmed it, and it is done", "rejected": "rejected it"}


def shown(row: RecordedHold) -> dict[str, object]:
    """A hold for JSON: as it is kept, with the ids that its decision is not about any more, and the commands for it."""
    return msgspec.structs.asdict(row) | {"over": sorted(row.over), "commands": commands(row)}


def commands(row: RecordedHold) -> tuple[str, ...]:
    """What decides an open hold, and what takes a decision back; nothing where neither can be."""
    if row.status == "open":
        return tuple(_command(name, row) for name in ("confirm", "reject") if name == "reject" or row.kind not in holding.UNDECIDABLE)
    closed_price = row.status == "closed" and row.kind in holding.OF_PRICES
    return (_command("reopen", row),) if row.status in ("confirmed", "rejected") or closed_price else ()


def _command(name: str, row: RecordedHold) -> str:
    return f'modelsync {name} {row.id} --reason "…"'


def decision_text(row: RecordedHold) -> str | None:
    """Who decided it, when and why, or what a later listing did to it; None of an open one."""
    if row.status == "open":
        return None
    why = f": {row.reason}" if row.reason else ""
    when = f" on {_utc(row.resolved_at)}" if row.resolved_at else ""
    if row.resolved_by in (None, "sync"):
        return f"{row.status}{when}{why}"
    if row.status not in VERBS:
        return f"{row.status}{when}{why}"
    verb = VERBS[row.status]
    return f"{row.resolved_by} {verb}{when}{why}"


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def by_kind(rows: Iterable[RecordedHold]) -> dict[str, int]:
    """How many holds of each kind, most first."""
    return dict(Counter(row.kind for row in rows).most_common())


def left_in_place(rejected: Iterable[RecordedHold]) -> dict[str, int]:
    """How many models are not listed and stay all the same, because a person rejected their absence: by provider."""
    ids: dict[str, set[str]] = {}
    for row in rejected:
        if row.kind in holding.OF_ABSENCE:
            ids.setdefault(row.provider, set()).update(row.about)
    return {slug: len(of_provider) for slug, of_provider in ids.items() if of_provider}


def refusing(rejected: Iterable[RecordedHold], slug: str) -> RecordedHold | None:
    """The rejection that keeps a provider's whole list out, if there is one: the last."""
    mine = [row for row in rejected if row.provider == slug and row.kind in holding.OF_WHOLE_LISTS]
    return max(mine, key=lambda row: row.id, default=None)


def standing(rejected: Iterable[RecordedHold]) -> dict[str, object]:
    """The rejections that stand: how many, how many models they leave in place by provider, and each."""
    rows = list(rejected)
    return {"total": len(rows), "left_in_place": left_in_place(rows), "data": list(map(shown, rows))}
