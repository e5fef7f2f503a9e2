"""Variables that Supabase gives every project: of its web API, which is no way to the database."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from modelsync.settings.sources import SettingsSource
from modelsync.settings.table import ADDRESS, KEYS, Redaction

ADDRESSES = ("SUPABASE_URL", "NEXT_PUBLIC_SUPABASE_URL")
SECRETS = ("SUPABASE_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY")

HELP = "of Supabase's web API, which modelsync does not use: set DATABASE_URL as docs/postgres.md says"


def web_api(source: SettingsSource) -> str | None:
    """The web API's address, where it or a key for it is set and DATABASE_URL is not. Opening it says what to set instead."""
    given = [text for name in ADDRESSES + SECRETS if (text := source.text(name))]
    if source.text("DATABASE_URL") or not given:
        return None
    projects = [project for name in ADDRESSES if (project := _project(source.text(name) or ""))]
    return f"https://{projects[0] if projects else '<ref>'}.supabase.co"


def _project(address: str) -> str:
    """The project of an address as https://abcdefgh.supabase.co; nothing of another one, as of a domain of one's own."""
    try:
        project, _, rest = (urlsplit(address).hostname or "").partition(".")
    except ValueError:
        return ""
    return project if rest == "supabase.co" else ""


def rows(source: SettingsSource) -> Iterable[tuple[str, Redaction, str]]:
    """What stands in the way, for `modelsync settings`: each of these variables that is set, while DATABASE_URL is not."""
    if web_api(source):
        yield from ((name, ADDRESS if name in ADDRESSES else KEYS, HELP) for name in ADDRESSES + SECRETS if source.text(name))
