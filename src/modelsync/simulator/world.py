"""Everything that can be set from outside: the day, replaced lists, verbatim answers, faults; and the record of requests."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from threading import Lock

import msgspec

from modelsync.simulator.account import ServiceAccount
from modelsync.simulator.catalog import Row, Rows, Sample, catalog, load_samples
from modelsync.simulator.faults import EVERY_PROVIDER, Fault
from modelsync.simulator.wires import WIRES, Simulated, Wires

PAGE_SIZE = 3
REMEMBERED = 10_000


class Seen(msgspec.Struct, frozen=True):
    """One request as it came. `key` is none, right or wrong; no header's value is kept."""

    provider: str
    method: str
    path: str
    query: str
    headers: tuple[str, ...]
    key: str


class Verbatim(msgspec.Struct, frozen=True, kw_only=True):
    """An answer given as it is at one path; a path with a query is for that query only."""

    body: bytes
    headers: dict[str, str]
    status: int


class World:
    """The state of all simulated providers. Safe to change from any thread while requests are served."""

    def __init__(self, *, day: int = 0, page_size: int | None = PAGE_SIZE, more: Iterable[Simulated] = ()) -> None:
        """`page_size` is the largest page of any paged list, so that small samples are paged; None leaves the providers' own sizes.

        `more` are providers beside those that are known here.
        """
        others = {each.slug: each for each in more}
        self.wires = Wires((*WIRES, *(wire for each in others.values() for wire in each.wires)))
        if known := others.keys() & Wires(WIRES).slugs:
            raise ValueError(f"the simulator has these already: {', '.join(sorted(known))}")
        self._lock = Lock()
        self._start = (day, page_size)
        self._samples = {**load_samples(), **{slug: each.sample for slug, each in others.items()}}
        self._catalogs: dict[tuple[str, int], dict[str, list[Row]]] = {}
        self.account = ServiceAccount()
        self.reset()

    def reset(self) -> None:
        """Back to how it began: day, page size, lists, no faults, no verbatim answers, no requests seen."""
        with self._lock:
            self.day, self.page_size = self._start
            self._lists: dict[tuple[str, str], Rows] = {}
            self._answers: dict[tuple[str, str], Verbatim] = {}
            self._faults: list[Fault] = []
            self._seen: deque[Seen] = deque(maxlen=REMEMBERED)
            self._counts: Counter[str] = Counter()

    # Set from outside.

    def set_day(self, day: int) -> None:
        """Show the catalogs of this day; 0 is the first."""
        if day < 0:
            raise ValueError("days count from 0")
        self.day = day

    def set_page_size(self, page_size: int | None) -> None:
        """Cut all pages to this many rows; None for the providers' own sizes."""
        if page_size is not None and page_size < 1:
            raise ValueError("a page holds at least one row")
        self.page_size = page_size

    def set_list(self, provider: str, name: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Replace a list on all days."""
        known = self.wires.ids_of(self._known(provider))
        if name not in known:
            raise ValueError(f"{provider} has no list {name}: choose among {', '.join(known)}")
        self._lists[provider, name] = [dict(row) for row in rows]

    def clear_lists(self) -> None:
        """Show the samples again."""
        self._lists.clear()

    def set_answer(
        self, provider: str, path: str, body: str | bytes, *, headers: Mapping[str, str] | None = None, status: int = 200
    ) -> None:
        """Answer a path with these bytes, whatever the key; with a query in `path`, only that query. Faults still hit."""
        content = body.encode() if isinstance(body, str) else body
        typed = {"content-type": "application/json", **{name.lower(): value for name, value in (headers or {}).items()}}
        self._answers[self._known(provider), path] = Verbatim(body=content, headers=typed, status=status)

    def clear_answers(self) -> None:
        """Forget all verbatim answers."""
        self._answers.clear()

    def add_fault(self, provider: str, fault: str, **details: object) -> None:
        """Let answers go wrong from now on; `details` are the other fields of Fault. Faults with `times` are used up in this order."""
        added = msgspec.convert({"provider": provider, "fault": fault, **details}, Fault)
        if provider != EVERY_PROVIDER:
            self._known(provider)
        with self._lock:
            self._faults.append(added)

    def clear_faults(self, provider: str | None = None) -> None:
        """End all faults, or those set for one provider."""
        with self._lock:
            self._faults = [fault for fault in self._faults if provider not in (None, fault.provider)]

    def clear_requests(self) -> None:
        """Forget the requests seen."""
        with self._lock:
            self._seen.clear()
            self._counts.clear()

    # Asked from outside.

    def requests(self, provider: str | None = None) -> list[Seen]:
        """The requests seen, oldest first, of one provider or all."""
        return [seen for seen in list(self._seen) if provider in (None, seen.provider)]

    def faults(self) -> list[Fault]:
        """The faults that still hit."""
        return list(self._faults)

    def state(self) -> dict[str, object]:
        """The whole state in short."""
        return {
            "day": self.day,
            "page_size": self.page_size,
            "providers": {slug: {name: len(rows) for name, rows in self.lists(slug).items()} for slug in self.wires.slugs},
            "faults": self.faults(),
            "answers": [{"provider": provider, "path": path} for provider, path in list(self._answers)],
            "requests": {slug: self._counts[slug] for slug in self.wires.slugs},
        }

    def lists(self, provider: str) -> dict[str, Rows]:
        """All lists of a provider today; without a sample they are empty."""
        ids, today = self.wires.ids_of(self._known(provider)), (provider, self.day)
        if today not in self._catalogs:
            sample = self._samples.get(provider, Sample(lists={}))
            self._catalogs[today] = catalog(sample, ids, self.day)
        return {name: self._lists.get((provider, name), self._catalogs[today].get(name, [])) for name in ids}

    # Asked while serving.

    def note(self, seen: Seen) -> None:
        """Remember a request."""
        with self._lock:
            self._seen.append(seen)
            self._counts[seen.provider] += 1

    def next_fault(self, provider: str, path: str) -> Fault | None:
        """The fault that hits a request, which uses it up by one."""
        with self._lock:
            for position, fault in enumerate(self._faults):
                if fault.hits(provider, path) and fault.times != 0:
                    if fault.times is not None:
                        self._faults[position] = msgspec.structs.replace(fault, times=fault.times - 1)
                        self._faults = [left for left in self._faults if left.times != 0]
                    return fault
        return None

    def answer(self, provider: str, path: str, query: str) -> Verbatim | None:
        """The verbatim answer for a request."""
        return self._answers.get((provider, f"{path}?{query}")) or self._answers.get((provider, path))

    def _known(self, provider: str) -> str:
        if provider not in self.wires.slugs:
            raise ValueError(f"no provider is called {provider}: choose among {', '.join(self.wires.slugs)}")
        return provider
