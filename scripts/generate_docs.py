"""Write the blocks of README.md that come from the program: what it prints, its settings, its providers.

    python scripts/generate_docs.py           rewrite them
    python scripts/generate_docs.py --check   only say whether one is stale; exit code 1 then

A block stands between `<!-- generated: NAME -->` and `<!-- /generated -->`.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from modelsync import settings  # noqa: E402 - works without an installation
from modelsync.provider import KeyUse, Provider  # noqa: E402
from modelsync.registry import all_providers  # noqa: E402

README = ROOT / "README.md"
SHOWN_IN_CAPTURE = ("chutes", "deepinfra", "openrouter", "xai")
BLOCK = re.compile(r"(?P<start><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<end><!-- /generated -->)", re.DOTALL)


def modelsync(*arguments: str) -> str:
    """What a command prints, away from this machine's settings and window size."""
    with tempfile.TemporaryDirectory() as folder:
        env = {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "PATH": "/usr/bin:/bin", "HOME": folder}
        command = [sys.executable, "-m", "modelsync", *arguments]
        return subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True, text=True).stdout


def fenced(text: str) -> str:
    """Text as a code block."""
    return "```text\n" + "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n```\n"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(header), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def providers() -> str:
    """Every provider: whether it needs a key, in which variable, its price unit, and what its reading was checked against."""
    header = ("provider", "key", "variables, the first that is set", "price unit on the wire", "checked against")
    return table(header, (provider_row(provider) for provider in all_providers().values()))


def provider_row(provider: Provider[Any]) -> tuple[str, ...]:
    """One provider's cells."""
    variables = ", ".join(f"`{name}`" for name in provider.auth.variables)
    return (f"`{provider.slug}`", key_use(provider), variables, provider.price_unit, provider.verified)


def key_use(provider: Provider[Any]) -> str:
    """needed, optional or not used."""
    if provider.needs_key:
        return "**needed**"
    return "not used" if all(endpoint.key is KeyUse.NEVER for endpoint in provider.endpoints) else "optional"


def general_settings() -> str:
    """Every setting but the providers' keys, which stand in the table of providers."""
    with tempfile.TemporaryDirectory() as folder:
        found = settings.load({}, Path(folder)).shown
    rows = [(f"`{row.name}`", explained(row.help)) for row in found if not row.help.startswith("key of")]
    one = ("`MODELSYNC_ORIGIN_<SLUG>`", "the same for one provider: replaces its scheme, host and port (`MODELSYNC_ORIGIN_GOOGLE_VERTEX`)")
    place = next(number for number, row in enumerate(rows) if row[0] == "`MODELSYNC_ORIGIN`") + 1
    return table(("variable", "what it is"), [*rows[:place], one, *rows[place:]])


def explained(text: str) -> str:
    """A setting's help with commas that a line may break at, without a default that is nothing."""
    return re.sub(r",(?=\S)", ", ", text.removesuffix("; default ")).replace("<", "`<", 1).replace("<path>", "<path>`", 1)


def sync_help() -> str:
    """`modelsync sync --help`."""
    return fenced(modelsync("sync", "--help"))


def capture() -> str:
    """`modelsync demo`, with a few providers only; `…` stands where lines are left out."""
    kept, left_out, shown = [], False, True
    for line in modelsync("demo").splitlines():
        name = re.fullmatch(r"(?:[✓○◐✗] )?([a-z][a-z-]+)(?:  +[0-9].*)?", line)
        if name:  # the line of a provider in a table, or the head of its plan
            shown = name[1] in SHOWN_IN_CAPTURE or name[1] == "provider"
        elif not line.startswith("  "):
            shown = True
        if shown and not (line == "" and kept[-1:] == [""]):
            kept += ["…"] * left_out + [line]
        left_out = not shown and (left_out or bool(line))
    return fenced("\n".join(kept))


BLOCKS: dict[str, Callable[[], str]] = {
    "capture": capture,
    "providers": providers,
    "settings": general_settings,
    "sync-help": sync_help,
}


def written(text: str) -> str:
    """A document with its blocks made anew."""
    return BLOCK.sub(lambda found: found["start"] + BLOCKS[found["name"]]() + found["end"], text)


def without_moments(text: str) -> str:
    """A document without what differs from one run to the next: durations, and the demo's own folder."""
    return re.sub(r" *\d+\.\d s\b", " 0.0 s", re.sub(r"modelsync-demo-\w+", "modelsync-demo-x", text))


def main(arguments: list[str]) -> int:
    """Rewrite, or with --check only compare."""
    before = README.read_text("utf-8")
    after = written(before)
    if without_moments(before) == without_moments(after):
        return 0
    if arguments == ["--check"]:
        sys.stderr.write("README.md is stale. Run: python scripts/generate_docs.py\n")
        return 1
    README.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
