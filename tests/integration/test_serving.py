"""Pages of models, on real databases: whatever is asked for, following the cursor gives what sorting and filtering in Python gives."""

import contextlib
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.database.session import Session
from modelsync.errors import TooSlow
from modelsync.model.model import Model, Prices
from modelsync.queries.filters import SORTS, ModelFilter, Order, distinct_words, is_bounded
from modelsync.queries.reader import Reader
from support.catalog import synced
from support.store import opened
from support.sync import query

D = Decimal
PRICES = (None, D(0), D("0.0000001"), D("0.00000005"), D("0.000001"), D("0.000000071"), D("0.00015"))
CONTEXTS = (None, 1, 4096, 8192, 8193, 1_000_000_000)
MODALITIES = (None, ("text",), ("text", "image"), ("audio",))
FLAGS = (None, True, False)


ENDS = [None, datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, 0, 0, 1, 5, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)]


def some_model(row_id: str, chance: random.Random) -> Model:
    """Few different values, so that many rows are equal in what they are sorted by."""
    return Model(
        id=row_id,
        model_name=chance.choice([None, "Same", "same", row_id.upper(), "other"]),
        context_length=chance.choice(CONTEXTS),
        input_modalities=chance.choice(MODALITIES),
        output_modalities=chance.choice(MODALITIES),
        supports_vision=chance.choice(FLAGS),
        supports_reasoning=chance.choice(FLAGS),
        available=chance.random() < 0.8,
        prices=Prices(prompt=chance.choice(PRICES), completion=chance.choice(PRICES)),
        expires_at=chance.choice(ENDS),
    )


class Known(msgspec.Struct, frozen=True):
    """A model as it was given, with what only the database knows: its number, its provider's, and when it changed."""

    id: int
    provider: str
    provider_id: int
    changed: datetime
    status: str
    model: Model


class Rows(msgspec.Struct, frozen=True):
    """An open catalog, and all of its models."""

    serving: Reader
    known: list[Known]

    def __repr__(self) -> str:  # Hypothesis shows what it tries
        return "Rows"


FACTS = ("model_name", "context_length", "supports_vision", "supports_reasoning", "expires_at")


@pytest.fixture(scope="module")
def rows(shared_database_url: str) -> Iterator[Rows]:
    chance = random.Random(20260714)
    lists = {slug: [some_model(f"m{number}", chance) for number in range(25)] for slug in ("openrouter", "groq", "near")}
    with opened(shared_database_url) as store:
        for slug, models in lists.items():
            synced(store, slug, models)
        synced(store, "groq", [some_model(model.id, chance) for model in lists["groq"][2:]])  # two are missing, most changed
        join = "FROM models m JOIN providers p ON p.id = m.provider_id"
        known = [_known(row) for row in query(shared_database_url, f"SELECT m.*, p.slug {join} ORDER BY m.id")]
        assert len(known) == 75
        yield Rows(Reader(store), known)


def _known(row: Mapping[str, Any]) -> Known:
    """A row as the bare driver reads it: a fact that a later list leaves out stays, so it is not what was given last."""
    model = Model(
        id=row["provider_model_id"],
        input_modalities=row["input_modalities"],
        output_modalities=row["output_modalities"],
        available=row["is_active"],
        prices=Prices(prompt=row["pricing_prompt"], completion=row["pricing_completion"]),
        **{name: row[name] for name in FACTS},
    )
    return Known(row["id"], row["slug"], row["provider_id"], row["updated_at"], row["status"], model)


def has(row: Known, wanted: ModelFilter) -> bool:
    """What a filter means."""
    model = row.model
    context, prompt, completion = model.context_length, model.prices.prompt, model.prices.completion
    per_million = None if prompt is None else prompt * 1_000_000
    free = True if prompt == completion == 0 else False if prompt or completion else None
    names = (model.id.lower(), (model.model_name or "").lower())
    return (
        (not wanted.providers or row.provider in wanted.providers)
        and wanted.provider_id in (None, row.provider_id)
        and all(any(word in name for name in names) for word in wanted.query.lower().split())
        and wanted.modality in (None, model.modality)
        and (wanted.input_modality is None or wanted.input_modality in (model.input_modalities or ()))
        and (wanted.output_modality is None or wanted.output_modality in (model.output_modalities or ()))
        and all(getattr(model, name) is value for name, value in wanted.supports.items())
        and wanted.active in (None, model.available)
        and wanted.status in (None, row.status)
        and (wanted.min_context is None or (context is not None and context >= wanted.min_context))
        and (wanted.max_context is None or (context is not None and context <= wanted.max_context))
        and (wanted.min_price is None or (per_million is not None and per_million >= D(str(wanted.min_price))))
        and (wanted.max_price is None or (per_million is not None and per_million <= D(str(wanted.max_price))))
        and (wanted.free is None or free is wanted.free)
        and (wanted.ends is None or row.status != "retired")
        and (wanted.ends is None or (model.expires_at is not None and wanted.ends[0] <= model.expires_at <= wanted.ends[1]))
        and (wanted.changed_since is None or row.changed >= wanted.changed_since)
    )


def in_order(rows: list[Known], order: Order) -> list[Known]:
    """By one key: known ones, then unknown ones; equal ones by their numbers, both ways."""
    keys = {
        "provider": lambda row: (row.provider, row.model.id),
        "name": lambda row: (row.model.model_name or row.model.id).lower(),
        "price": lambda row: row.model.prices.prompt,
        "context": lambda row: row.model.context_length,
        "changed": lambda row: row.changed,
        "ends": lambda row: row.model.expires_at,
    }
    key = keys[order.by]
    by_number = sorted(rows, key=lambda row: row.id)
    known = sorted((row for row in by_number if key(row) is not None), key=key, reverse=order.descending)
    return known + [row for row in by_number if key(row) is None]


CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "providers": st.sampled_from([("groq",), ("near", "openrouter"), ("nosuch",)]),
    "provider_id": st.sampled_from([1, 2, 99]),
    "query": st.sampled_from(["m1", "same", "SAME m2", "m_", "%"]),
    "modality": st.sampled_from(["text->text", "text+image->text", "text"]),
    "input_modality": st.sampled_from(["text", "image", "audio", "t"]),
    "output_modality": st.sampled_from(["text", "image"]),
    "supports": st.dictionaries(st.sampled_from(["supports_vision", "supports_reasoning"]), st.booleans(), min_size=1),
    "status": st.sampled_from(["active", "missing", "retired"]),
    "active": st.booleans(),
    "min_context": st.sampled_from([0, 1, 8192, 8194]),
    "max_context": st.sampled_from([0, 1, 8192, 1_000_000_000]),
    "min_price": st.sampled_from([0, 0.05, 0.071, 0.1, 150]),
    "max_price": st.sampled_from([0, 0.05, 0.071, 0.1, 150]),
    "free": st.booleans(),
    "ends": st.sampled_from([(ENDS[1], ENDS[2]), (ENDS[2], ENDS[3]), (ENDS[3], ENDS[3]), (ENDS[3], ENDS[1])]),
    "changed_since": st.integers(0, 2),  # one of the times when something changed
}


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    """Few conditions at once, or nothing would ever match."""
    names = draw(st.lists(st.sampled_from(sorted(CONDITIONS)), max_size=3))
    return {name: draw(CONDITIONS[name]) for name in names}


@settings(max_examples=60, deadline=None)
@given(asked=filters(), order=st.builds(Order, st.sampled_from(SORTS), st.booleans()), size=st.integers(1, 80), offset=st.integers(0, 80))
def test_the_cursor_leads_through_every_row_once_and_in_order(
    rows: Rows, asked: dict[str, Any], order: Order, size: int, offset: int
) -> None:
    times = sorted({row.changed for row in rows.known})
    since = {"changed_since": times[asked["changed_since"]]} if "changed_since" in asked else {}
    wanted = ModelFilter(**{**asked, **since})
    expected = [row.id for row in in_order([row for row in rows.known if has(row, wanted)], order)]

    found, cursor = list[int](), None
    while True:
        page = rows.serving.models(msgspec.structs.replace(wanted, limit=size), order, 0, cursor)
        found += [row.id for row in page.rows]
        assert page.total == len(expected)
        assert len(page.rows) == size or page.next_cursor is None
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == expected

    big = rows.serving.models(msgspec.structs.replace(wanted, limit=500), order)
    assert ([row.id for row in big.rows], big.next_cursor) == (expected, None)
    part = rows.serving.models(msgspec.structs.replace(wanted, limit=size), order, offset)
    assert [row.id for row in part.rows] == expected[offset : offset + size]
    exported = [row.id for row in rows.serving.matching(wanted, order)]
    assert exported == expected


def test_a_row_that_comes_while_pages_are_read_moves_no_other(database_url: str) -> None:
    models = [some_model(f"m{number}", random.Random(number)) for number in range(6)]
    with opened(database_url) as store:
        synced(store, "openrouter", models[1:])
        serving, order = Reader(store), Order("provider")
        first = serving.models(ModelFilter(limit=2), order)
        synced(store, "openrouter", models)  # m0 comes before all of them
        rest = serving.models(ModelFilter(limit=10), order, 0, first.next_cursor)
        assert [row.provider_model_id for row in first.rows + rest.rows] == ["m1", "m2", "m3", "m4", "m5"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("chosen", [{}, {"active": True}, {"active": True, "providers": ("openrouter", "groq")}])
def test_i36_a_page_reads_no_more_rows_wherever_it_begins(database_url: str, chosen: dict[str, Any], descending: bool) -> None:
    order = Order("provider", descending)
    with opened(database_url) as store:
        for slug in ("groq", "openrouter"):
            synced(store, slug, [Model(id=f"m{number:04}") for number in range(1500)])
        if store.dialect == "postgresql":
            with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        reader, wanted = Reader(store), ModelFilter(limit=10, **chosen)
        efforts = []
        for offset in (0, 700, 1493, 2900):
            before = reader.models(wanted, order, offset)
            with pages_asked(store) as asked:
                page = reader.models(wanted, order, 0, before.next_cursor)
            assert [row.id for row in page.rows] == [row.id for row in reader.models(wanted, order, offset + 10).rows]
            efforts.append(sum(effort(store, statement, parameters) for statement, parameters in asked))
        assert max(efforts) <= MOST_EFFORT[store.dialect], efforts


MOST_EFFORT = {"postgresql": 80, "sqlite": 5000}
"""For a page of ten rows. Going through all 3,000 takes thousands of rows, or ten thousand steps and more."""


@contextlib.contextmanager
def pages_asked(store: Session) -> Iterator[list[tuple[str, Any]]]:
    """What the database is asked about models meanwhile."""
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _u: object, statement: str, parameters: Any, *_: object) -> None:
        if "FROM models" in statement:
            asked.append((statement, parameters))

    sa.event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", note)
    assert asked


def effort(store: Session, statement: str, parameters: Any) -> float:
    """What a question takes: rows of models that are looked at, or in SQLite steps of its machine."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    with store.reading() as connection:
        if store.dialect == "postgresql":
            (plan,) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
            return _rows(plan["Plan"])
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(step, 1)
        connection.exec_driver_sql(statement, parameters).all()
        driver.set_progress_handler(None, 1)
    return steps


def _rows(node: Mapping[str, Any]) -> float:
    own = (
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        if "models" in node.get("Relation Name", "")
        else 0
    )
    return float(own + sum(map(_rows, node.get("Plans", ()))))


NAMES = {"a/one": "Alpha One", "b/50%": "Half_price", "c\\d": None, "e/É": "Éclair ALPHA", "f/none": None}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", list(NAMES)),
        ("alpha", ["a/one", "e/É"]),
        ("ALPHA one", ["a/one"]),
        ("one alpha a/", ["a/one"]),  # in the id, in the name, in either
        ("one a", ["a/one"]),
        ("o on one", ["a/one", "f/none"]),  # each is in the one after it
        ("%", ["b/50%"]),
        ("50% _", ["b/50%"]),
        ("\\", ["c\\d"]),
        ("\\d c", ["c\\d"]),
        ("É", ["e/É"]),
        ("one\u00a0alpha", ["a/one"]),
        ("alphaone", []),
        ("oneAlpha", []),  # the end of an id and the beginning of a name
    ],
)
def test_i36_words_are_looked_for_in_ids_and_names(database_url: str, words: str, found: list[str]):
    with opened(database_url) as store:
        synced(store, "openrouter", [Model(id=row_id, model_name=name) for row_id, name in NAMES.items()])
        page = Reader(store).models(ModelFilter(query=words, limit=10), Order())
        assert ([row.provider_model_id for row in page.rows], page.total) == (sorted(found), len(found))


def test_i36_words_that_say_the_same_are_looked_for_once():
    assert distinct_words("a A a  a") == ("a",)
    assert distinct_words("on One ONE none") == ("none",)
    assert distinct_words("b a ab") == ("ab",)
    assert distinct_words("É é") == ("É", "é")  # SQLite knows the case of ASCII only


@pytest.mark.parametrize(
    ("wanted", "order", "offset", "bounded"),
    [
        (ModelFilter(active=True, limit=500), Order(), 0, True),
        (ModelFilter(limit=500, provider_id=7), Order(descending=True), 20_000, True),
        (ModelFilter(active=True, providers=("near",)), Order(), 0, True),
        (ModelFilter(active=False), Order(), 0, False),  # few are not: all are looked at to find them
        (ModelFilter(active=True), Order(), 20_001, False),
        (ModelFilter(active=True), Order("name"), 0, False),
        (ModelFilter(active=True, providers=("near", "groq")), Order(), 0, False),
        (ModelFilter(active=True, query="a"), Order(), 0, False),
        (ModelFilter(active=True, supports={"supports_vision": True}), Order(), 0, False),
        (ModelFilter(active=True, free=False), Order(), 0, False),
        (ModelFilter(active=True, min_context=0), Order(), 0, False),
        (ModelFilter(status="active"), Order(), 0, False),
    ],
)
def test_i36_which_pages_an_index_finds(wanted: ModelFilter, order: Order, offset: int, bounded: bool):
    assert is_bounded(wanted, order, offset) is bounded


def test_i42_a_question_is_stopped_when_it_takes_too_long(database_url: str):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with opened(database_url) as store:
        began = time.monotonic()
        with pytest.raises(TooSlow), store.reading(0.3) as connection:
            connection.exec_driver_sql(endless).one()
        assert time.monotonic() - began < 5
        with store.reading(0.3) as connection:
            time.sleep(0.4)
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
        with store.reading() as connection:  # and whoever has no limit has none
            if database_url.startswith("postgres"):
                assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "0"
            thousand = endless.replace("FROM n)", "FROM n WHERE x < 3000000)")
            assert connection.exec_driver_sql(thousand).scalar_one() == 3_000_000
