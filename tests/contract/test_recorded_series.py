"""36 days of one real provider: the history holds every real change, and no other."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from modelsync.simulator.server import Simulator
from support.recordings import FOLDER, body, needs_recordings, price, rows
from support.sync import changes_of, environment, errors, models_of, program

pytestmark = needs_recordings

Row = dict[str, Any]
DAYS = sorted(path.name for path in (FOLDER / "chutes-daily").glob("*.json")) if FOLDER.is_dir() else []


def has(row: Row, word: str) -> bool | None:
    words = row.get("supported_features")
    return word in words if words else None


def facts(row: Row) -> dict[str, Any]:
    """What the catalog tells of a row, by hand: USD per 1M tokens; `created`, `permission` and `price` change without the model."""
    inputs, outputs, wire = row.get("input_modalities"), row.get("output_modalities"), row["pricing"]
    found = {
        "context_length": row.get("context_length") or row.get("max_model_len"),
        "max_output_tokens": row.get("max_output_length"),
        "input_modalities": inputs,
        "output_modalities": outputs,
        "supports_streaming": True if inputs and "text" in inputs and outputs == ["text"] else None,  # documented of all chat models
        "supports_function_calling": has(row, "tools"),
        "supports_reasoning": has(row, "reasoning"),
        "supports_structured_output": has(row, "structured_outputs"),
        "supports_vision": None if inputs is None else "image" in inputs,
        "pricing_prompt": price(wire["prompt"], "1e-6"),
        "pricing_completion": price(wire["completion"], "1e-6"),
        "pricing.cache_read": price(wire.get("input_cache_read"), "1e-6"),
    }
    return {name: value for name, value in found.items() if value is not None}


def expected_changes() -> list[tuple[int, str, str, dict[str, list[Any]]]]:
    """Day, kind, id and changed facts, from the files alone; a fact that a row leaves out keeps its value."""
    known: dict[str, dict[str, Any]] = {}
    missing: set[str] = set()
    changes = []
    for day, name in enumerate(DAYS):
        listed = {row["id"]: facts(row) for row in rows(f"chutes-daily/{name}")}
        for row_id in sorted(listed.keys() | known.keys()):
            if row_id not in listed:
                if row_id not in missing:
                    changes.append((day, "missing", row_id, {}))
                    missing.add(row_id)
                continue
            if row_id not in known:
                changes.append((day, "added", row_id, {}))
                known[row_id] = listed[row_id]
                continue
            before, now = known[row_id], {**known[row_id], **listed[row_id]}
            different = {field: [before.get(field), now[field]] for field in now if before.get(field) != now[field]}
            if row_id in missing or different:
                changes.append((day, "revived" if row_id in missing else "updated", row_id, different))
            missing.discard(row_id)
            known[row_id] = now
    return changes


def kept(row: Row) -> Row:
    """A row without what changes every day; the order of its lists says nothing."""
    values = {name: value for name, value in row.items() if name not in ("created", "permission", "price")}
    return {name: sorted(value) if isinstance(value, list) else value for name, value in values.items()}


def comparable(field: str, value: Any) -> Any:
    """A fact as it can be compared: money as Decimal, modalities without order."""
    if field.startswith("pricing") and value is not None:
        return Decimal(value)
    return sorted(value) if isinstance(value, list) else value


def test_the_chutes_series_leaves_every_change_and_no_other(simulator: Simulator, database_url: str, tmp_path: Path) -> None:
    assert len(DAYS) == 36
    modelsync = program(environment(simulator), database_url, tmp_path)
    written: list[datetime] = []
    previous: dict[str, Row] = {}
    for name in DAYS:
        simulator.set_answer("chutes", "/v1/models", body(f"chutes-daily/{name}"))
        report = modelsync.sync(["chutes"])
        assert errors(report) == {}
        written.append(report.finished_at)
        listed = {row["id"]: kept(row) for row in rows(f"chutes-daily/{name}")}
        found = report.counts
        assert found.created + found.updated == sum(previous.get(row_id) != row for row_id, row in listed.items()), name
        previous = listed

    changes = changes_of(database_url, "chutes")
    first_run = changes[0]["run_id"]
    found = [
        (
            change["run_id"] - first_run,
            change["kind"],
            change["provider_model_id"],
            {field: [comparable(field, side) for side in sides] for field, sides in change["fields"].items()},
        )
        for change in changes
    ]
    expected = [
        (day, kind, row_id, {field: [comparable(field, side) for side in sides] for field, sides in fields.items()})
        for day, kind, row_id, fields in expected_changes()
    ]
    assert found == expected
    # The same in short, read off the files by eye.
    later = [(DAYS[day][:10], kind) for day, kind, _, _ in found if day]
    assert later == [
        ("2026-06-17", "added"),
        ("2026-06-18", "missing"),
        ("2026-06-18", "updated"),  # the new model's limits and abilities are stated a day after its price
        ("2026-06-21", "updated"),
        ("2026-06-22", "updated"),
        ("2026-06-22", "updated"),
    ]
    assert written == sorted(written)

    stored = models_of(database_url, "chutes")
    assert len(stored) == 14
    for row in rows(f"chutes-daily/{DAYS[-1]}"):
        model, now = stored[row["id"]], facts(row)
        assert (model["pricing_prompt"], model["pricing_completion"]) == (now["pricing_prompt"], now["pricing_completion"])
        assert model["status"] == "active"
