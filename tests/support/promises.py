"""The register of promises: what modelsync keeps to, each shown by the tests that carry its id (`test_i05_…`, `test_n01_…`)."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROMISES = {
    "I1": "An answer that failed, was cut off or is no list changes nothing; the run says whose turn it is.",
    "I2": "An empty list is held, unless the provider is known to be empty at times.",
    "I3": "A paged list counts only when its last page was reached; one bad page fails all of it.",
    "I4": "A model whose row cannot be read was seen all the same: it is not missing, and its values stay.",
    "I5": "When too much is gone at once, or little by little within a week, nobody is marked missing until a person agrees.",
    "I6": "A model is retired only after it was absent from three complete listings over at least a day; one sighting starts anew.",
    "I7": "A sync deletes nothing. Purging is a command of its own, shown first and written down.",
    "I8": "A provider without a key, switched off or asked for differently loses nothing by it.",
    "I9": "What a provider no longer says is not erased, and a missing price is unknown, never free.",
    "I10": "Models, prices, history and result of one provider's sync are committed together; readers see the old catalog or the new.",
    "I11": "A process may die at any instant: the catalog is as last committed, and its run is told as interrupted.",
    "I12": "A commit whose answer was lost is looked up before anything is tried again.",
    "I13": "Syncs of one provider take turns; those of different providers do not wait for each other.",
    "I14": "A slow fetch never overwrites what a later one has brought.",
    "I15": "A process that slept while another took over commits nothing.",
    "I16": "One provider's trouble never reaches another, and exit code, status and report agree.",
    "I17": "The same listing again writes no model, no history; the order of rows and keys does not matter.",
    "I18": "A dry run writes nothing.",
    "I19": "History is complete: unwound from the present it gives every earlier state.",
    "I20": "The numbers of every report add up, and those of what was written are the database's own.",
    "I21": "Money is exact decimal from the first byte to the last.",
    "I22": "A price that moved by ten times or more, became free, or is far from everybody else's waits for a person; the old one stays.",
    "I23": "A first price must be possible; when many prices move by the same power of ten, all of that provider's wait.",
    "I24": "What is no plain number is no price: it is left out with its reason, and never crashes anything.",
    "I25": "Ids are kept byte by byte; what cannot be a key is rejected.",
    "I26": "What providers write is data: shown so that it cannot steer a terminal, forge a line or run.",
    "I27": "What an operator pins wins over every sync; without the pin, the provider's present value shows.",
    "I28": "Every decision of a person is recorded with who, when and why, and the record cannot be changed.",
    "I29": "What is held, stale or failing shows in the status and in exit codes.",
    "I30": "Whatever is not public needs a valid key that is good for it, on every route there is; with no key at all it is closed.",
    "I31": "No key, password or token is in any output, log, table, archive or backup.",
    "I32": "What a provider answers with an error is neither shown nor stored.",
    "I33": "A key goes to its own provider's host only, over TLS or to this machine, and never along with a redirect.",
    "I36": "No answer takes unbounded memory, time or pages.",
    "I37": "Whatever lies between, no listing by itself moves a price ten times away from the last believed one, or to free.",
    "I38": "What a person confirms is exactly what that person was shown; what a person rejected comes back only by a person.",
    "I39": "Whatever waits, was rejected, excused or is not the whole price shows in the status, in a metric and under a number.",
    "I40": "What a dry run shows is what the sync does with the same answer.",
    "I41": "No byte of one row costs another one, and no list that says it is longer counts as whole.",
    "I42": "Nobody without a key makes a plain page slow, fills memory, uses up handles or lets a sync fail.",
}

FAULTS = {
    "N1": "nobody listens; the name is not known; no route",
    "N2": "a connection that is never accepted",
    "N3": "accepted, and never answered",
    "N4": "a body or a header, byte by byte",
    "N5": "a connection that breaks off in a body",
    "N6": "a cut body whose length nobody told",
    "N7": "TLS that cannot be trusted",
    "N8": "a server that fails at first",
    "N9": "IPv6 that leads nowhere",
    "N10": "a proxy that is missing or refuses",
    "H1": "400, 404, 405, 410, 422",
    "H2": "401 and 403: a key that was withdrawn",
    "H3": "402 with account data in its body",
    "H4": "429 with all kinds of Retry-After",
    "H5": "500, 502, 503, 504",
    "H6": "redirects, wherever to",
    "H7": "200 with a web page, an error, or nothing",
    "H8": "wrong types, charsets and byte order marks",
    "H9": "compression bombs and codings nobody asked for",
    "H10": "heads that are huge or no HTTP",
    "H11": "304 with and without our ETag",
    "P1": "JSON that is cut off, or something else",
    "P2": "nesting, huge numbers, NaN, doubled keys",
    "P3": "50 MB, 20,000 models, half a million",
    "P4": "bad rows among good ones, and only bad ones",
    "P5": "pages in circles, without end, overlapping, failing",
    "P6": "new, renamed and retyped fields",
    "S1": "an empty list",
    "S2": "a list that shrinks, at once or slowly",
    "S3": "all ids renamed",
    "S4": "prices in another unit",
    "S5": "a model that vanishes and returns",
    "S6": "another provider's list",
    "S7": "lengths and modalities that cannot be",
    "D1": "a database that is down, or dies in a transaction",
    "D2": "a connection lost while it commits",
    "D3": "locks, deadlocks, timeouts, serialization failures",
    "D4": "no free connection, many readers",
    "D5": "SQLite locked, or read for hours",
    "D6": "a full disk",
    "D7": "files and databases that only read",
    "D8": "a damaged file",
    "D9": "another schema, and upgrades that die",
    "C1": "kill -9 at any instant",
    "C2": "SIGTERM and SIGINT",
    "C3": "a process that is stopped while another takes over",
    "C4": "no memory",
    "C5": "eight syncs of one provider at once",
    "C6": "several schedulers at one catalog, killed, stopped and begun anew",
    "T1": "clocks that jump, zones, leap days",
    "X1": "readers over HTTP while thousands of rows are committed",
}

OPEN: dict[str, str] = {}
"""What no test shows, and why. The register says so."""

COMING = "I34, I35, C7, T2 and the rows W1 to W3 come with webhooks."

MUST_BE_ZERO = (
    "torn",
    "corrupt",
    "uncaught",
    "believed",
    "no_price_any_more",
    "wrong_retirements",
    "leaks",
    "failed_syncs",
    "failed_pages",
    "due_twice",
    "due_never",
)
"""Figures of which any other value is a broken promise."""

Shown = dict[str, Counter[str]]
"""By id, the test files that show a promise, each with its number of tests."""


def ids_of(name: str) -> list[str]:
    """The promises that a test's name carries: `test_i04_i07_no_seen_model` shows I4 and I7."""
    found = re.match(r"test_((?:[a-z]\d\d_)+)", name)
    return [f"{part[0].upper()}{int(part[1:])}" for part in found[1].rstrip("_").split("_")] if found else []


def written() -> set[tuple[str, str]]:
    """File and name of every test there is."""
    return {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in _tests_in(ast.parse(path.read_text("utf-8")))
    }


def _tests_in(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """The names of the tests of a module, and of the classes in it: other than there, pytest looks for none."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from _tests_in(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def shown_by(tests: set[tuple[str, str]]) -> Shown:
    found: Shown = {}
    for file, name in tests:
        for promise in ids_of(name):
            found.setdefault(promise, Counter())[file] += 1
    return found
