"""Where settings' text comes from: named values of several places, the strongest first."""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import dotenv

from modelsync.errors import SettingsError


class SettingsSource:
    """Named values from all places, the strongest first."""

    def __init__(self, places: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        self._places = tuple(places)

    def __or__(self, weaker: "SettingsSource") -> "SettingsSource":
        return SettingsSource((*self._places, *weaker._places))

    def beside(self, folder: Path, names: Collection[str]) -> "SettingsSource":
        """The same, with the paths and SQLite addresses of these names those of a folder."""
        placed = (
            (name, {key: beside(folder, value) if key in names else value for key, value in values.items()})
            for name, values in self._places
        )
        return SettingsSource(placed)

    def get(self, name: str) -> tuple[str, str] | None:
        """The value and its place; None when it is unset, blank or only quotes."""
        for place, values in self._places:
            value = _bare(values.get(name, ""))
            if value:
                return value, place
        return None

    def text(self, name: str) -> str | None:
        """The value alone."""
        value, _ = self.get(name) or (None, "")
        return value

    def names(self) -> set[str]:
        """Every name that some place has."""
        return {name for _, values in self._places for name in values}


def _bare(text: str) -> str:
    """A value without blanks and quotes around it."""
    return text.strip().strip("'\"").strip()


def beside(folder: Path, text: str) -> str:
    """A relative path, or the address of a SQLite file with one, as that of a folder; any other text as it is."""
    text = _bare(text)
    start = next(start for start in ("sqlite+pysqlite:///", "sqlite:///", "sqlite:", "") if text.startswith(start))
    path = text.removeprefix(start)
    is_relative = path and "://" not in path and path[0] not in "~:" and not Path(path).is_absolute()
    return f"{start}{folder / path}" if is_relative else text


def dotenv_file(path: Path) -> SettingsSource:
    """A `.env` file, if it is there. SettingsError when it cannot be read, or is no text."""
    try:
        values = {name: value or "" for name, value in dotenv.dotenv_values(path).items()} if path.is_file() else {}
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not text in UTF-8", "Correct it, or remove it") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    return SettingsSource([(".env", values)])


def toml_file(path: Path, *, required: bool) -> SettingsSource:
    """A TOML file, lists in it joined by commas. SettingsError when it is none, cannot be read, or is `required` and not there."""
    try:
        text = path.read_text("utf-8") if path.is_file() else None
        document = tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML ({error})", "Correct it; names are those of `modelsync settings`") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if text is None and required:
        raise SettingsError(f"MODELSYNC_CONFIG names {path}, which is not there", "Correct the path, or unset it")
    values = {name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in document.items()}
    return SettingsSource([(path.name, values)])


def _unreadable(path: Path, error: OSError) -> SettingsError:
    name = f"{path}" if len(f"{path}") < 200 else f"{str(path)[:60]}…"
    return SettingsError(f"{name} cannot be read ({error.strerror})", "Let this user read it, or name another; nothing was done")
