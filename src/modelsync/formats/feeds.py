"""Changes as feeds: Atom (RFC 4287) and JSON Feed 1.1. What providers say is escaped, and rid of what no reader can show."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode
from xml.etree import ElementTree as Xml

import msgspec

from modelsync.formats.text import changes_text
from modelsync.model.limits import printable
from modelsync.model.timeline import RecordedChange

ATOM, JSON_FEED = "application/atom+xml", "application/feed+json"
JSON_FEED_VERSION = "https://jsonfeed.org/version/1.1"
TITLE = "Changes of AI models"
_NAMESPACE = "http://www.w3.org/2005/Atom"
_KINDS = {"added": "is new", "missing": "is missing from the list", "retired": "is retired", "revived": "is back", "updated": "changed"}


class Address(msgspec.Struct, frozen=True):
    """Where the server is, and where this feed is."""

    base: str
    feed: str

    def of(self, row: RecordedChange) -> str:
        """Where one change's model can be read about."""
        return f"{self.base}/changes?{urlencode({'provider': row.provider, 'model': row.provider_model_id})}"


def title(row: RecordedChange) -> str:
    """One change in a line: openrouter openai/gpt-5 changed: prompt 1.25 → 2.50 $/1M (+100%)."""
    what = changes_text({field: pair for field, pair in row.fields.items() if field != "status"})
    return printable(f"{row.provider} {row.provider_model_id} {_KINDS[row.kind]}{': ' + what if what else ''}")


def _id(row: RecordedChange, address: Address) -> str:
    """A change's name that never changes: the same in both feeds."""
    return f"{address.base}/changes#{row.id}"


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def atom(rows: Sequence[RecordedChange], address: Address) -> bytes:
    """An Atom feed."""
    feed = Xml.Element("feed", xmlns=_NAMESPACE)
    _text(feed, "title", TITLE)
    _text(feed, "id", address.feed)
    _text(feed, "updated", _time(rows[0].changed_at) if rows else "1970-01-01T00:00:00Z")
    Xml.SubElement(feed, "link", rel="self", href=address.feed)
    _text(Xml.SubElement(feed, "author"), "name", "modelsync")
    for row in rows:
        entry = Xml.SubElement(feed, "entry")
        _text(entry, "title", title(row))
        _text(entry, "id", _id(row, address))
        _text(entry, "updated", _time(row.changed_at))
        Xml.SubElement(entry, "link", rel="alternate", href=address.of(row))
        Xml.SubElement(entry, "category", term=row.provider)
        Xml.SubElement(entry, "category", term=row.kind)
        _text(entry, "content", title(row))
    text: bytes = Xml.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


def _text(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, name).text = text


def json_feed(rows: Sequence[RecordedChange], address: Address) -> bytes:
    """A JSON Feed."""
    items = [
        {
            "id": _id(row, address),
            "url": address.of(row),
            "title": title(row),
            "content_text": title(row),
            "date_published": _time(row.changed_at),
            "tags": [row.provider, row.kind],
            "_modelsync": {"provider_model_id": row.provider_model_id, "run_id": row.run_id, "fields": row.fields},
        }
        for row in rows
    ]
    return msgspec.json.encode(
        {"version": JSON_FEED_VERSION, "title": TITLE, "home_page_url": address.base, "feed_url": address.feed, "items": items}
    )
