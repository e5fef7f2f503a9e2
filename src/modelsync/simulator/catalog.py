"""What the simulated providers list on a given day: samples kept beside this file, changed from day to day. Pure."""

import copy
import importlib.resources
from collections.abc import Mapping, Sequence

import msgspec

Row = dict[str, object]
Rows = Sequence[Row]


class Changes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one day does to one list: `change` maps an id to new values by dotted path ("pricing.prompt", "providers.0.status")."""

    add: list[Row] = []
    remove: list[str] = []
    change: dict[str, Row] = {}


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One provider's rows in wire shape by list name, and what each following day changes."""

    lists: dict[str, list[Row]]
    days: list[dict[str, Changes]] = []


def as_written(number: str) -> msgspec.Raw:
    """A number with a fraction stays the text it was: 4.5e-05 and 0.20000000000000002 go out exactly as they came in."""
    return msgspec.Raw(number.encode())


sample_of = msgspec.json.Decoder(Sample, float_hook=as_written).decode
"""The sample that a JSON document holds."""


def load_samples() -> dict[str, Sample]:
    """Every sample in the folder, by the provider's slug."""
    folder = importlib.resources.files("modelsync.simulator") / "samples"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    return {file.name.removesuffix(".json"): sample_of(file.read_bytes()) for file in files}


def catalog(sample: Sample, ids: Mapping[str, str], day: int) -> dict[str, list[Row]]:
    """All lists after the changes of days 1 to `day`. `ids` names each list's id field, "id" by default.

    Rows begin at another place each day: real providers reorder, and a reader must not care.
    """
    lists = {name: list(rows) for name, rows in sample.lists.items()}
    for changes in sample.days[:day]:
        for name, of_list in changes.items():
            lists[name] = changed(lists.get(name, []), of_list, ids.get(name, "id"))
    return {name: _rotated(rows, day) for name, rows in lists.items()}


def changed(rows: Rows, changes: Changes, id_field: str) -> list[Row]:
    """One list after one day. A changed or removed id that is not there is a mistake in the sample: ValueError."""
    unknown = ({*changes.remove, *changes.change}) - {str(row.get(id_field)) for row in rows}
    if unknown:
        raise ValueError(f"the sample changes or removes rows that are not there: {', '.join(sorted(unknown))}")
    kept = (row for row in rows if row.get(id_field) not in changes.remove)
    return [_with_values(row, changes.change.get(str(row.get(id_field)), {})) for row in kept] + changes.add


def put(document: Row, path: str, value: object) -> None:
    """Set the value at a dotted path, making the objects on the way; numbers are positions in lists."""
    here: object = document
    *way, last = path.split(".")
    for name in way:
        here = here[int(name)] if isinstance(here, list) else _object(here).setdefault(name, {})
    if isinstance(here, list):
        here[int(last)] = value
    else:
        _object(here)[last] = value


def _object(value: object) -> Row:
    if not isinstance(value, dict):
        raise TypeError("the path leads through a value that is no object")
    return value


def _with_values(row: Row, values: Row) -> Row:
    if not values:
        return row
    new = copy.deepcopy(row)
    for path, value in values.items():
        put(new, path, value)
    return new


def _rotated(rows: list[Row], day: int) -> list[Row]:
    start = day % len(rows) if rows else 0
    return rows[start:] + rows[:start]
