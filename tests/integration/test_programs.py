"""What programs import: `modelsync` and `modelsync.aio`, on real catalogs and with real HTTP."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import modelsync
from modelsync.errors import NotThere, UsageError
from modelsync.simulator.server import Simulator
from modelsync.testing import D
from support import cli
from support.sync import environment, models_of, table

FUNCTIONS = ("fetch_models", "sync_provider_models", "sync_all_providers", "ensure_provider_exists", "bulk_upsert_models")
METHODS = ("models", "model", "changes", "status")


@pytest.fixture
def asked(simulator: Simulator, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a catalog, in a process that is set to the simulator and to it."""
    monkeypatch.chdir(tmp_path)
    for name, value in {**environment(simulator), "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    return database_url


# Names


def test_each_function_has_a_twin_with_its_signature() -> None:
    assert {*FUNCTIONS, "Catalog"} == set(modelsync.aio.__all__)
    for name in FUNCTIONS:
        blocking, twin = getattr(modelsync, name), getattr(modelsync.aio, name)
        assert inspect.signature(blocking) == inspect.signature(twin), name
        assert (inspect.iscoroutinefunction(blocking), inspect.iscoroutinefunction(twin)) == (False, True)
    for name in METHODS:
        blocking, twin = getattr(modelsync.Catalog, name), getattr(modelsync.aio.Catalog, name)
        assert inspect.signature(blocking) == inspect.signature(twin), name
        assert inspect.iscoroutinefunction(twin)


def test_every_name_that_is_exported_is_there_and_no_other() -> None:
    assert set(modelsync.__all__) <= set(dir(modelsync))
    assert all(getattr(modelsync, name) is not None for name in modelsync.__all__)
    assert set(modelsync._MODULES) | {"aio"} == set(modelsync.__all__)
    with pytest.raises(AttributeError, match="fetch_modells"):
        _ = modelsync.fetch_modells


def python(folder: Path, code: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return cli.run_python(folder, "-c", code, env=cli.environment(folder) | (env or {}))


def test_importing_it_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import modelsync; dir(modelsync); print(*sorted(set(sys.modules) - before))"
    loaded = python(tmp_path, code).stdout.split()
    assert [name for name in loaded if not name.startswith("importlib")] == ["modelsync"]
    code = "import sys, modelsync; modelsync.Model; print([name for name in ('sqlalchemy', 'httpx2', 'asyncio') if name in sys.modules])"
    assert python(tmp_path, code).stdout.strip() == "[]"


CHECKED = """
import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import modelsync


def cheapest(most: float) -> Decimal | None:
    with modelsync.Catalog("sqlite:///catalog.db") as catalog:
        for model in catalog.models("claude", providers=["openrouter"], max_price=most, sort="price"):
            return model.pricing_prompt
        one = catalog.model("openrouter", "a/b")
        return None if one is None or one.price_incomplete else one.prices.cache_read


def write() -> int:
    model = modelsync.Model(id="a", prices=modelsync.Prices(prompt=Decimal("0.000001")))
    return modelsync.ensure_provider_exists("groq") + modelsync.bulk_upsert_models("groq", [model]).created


async def main() -> list[str]:
    report: modelsync.Report = await modelsync.aio.sync_all_providers(["groq"], dry_run=True)
    async with modelsync.aio.Catalog() as catalog:
        changes = await catalog.changes(since=datetime.now(UTC))
        found = await catalog.models(limit=3)
    return [report.message, *(change.kind for change in changes), *(model.provider for model in found)]


asyncio.run(main())
"""
WRONG = """
import modelsync
modelsync.Catalog().models(max_prize=1)
modelsync.aio.Catalog().models(limit="3")
reveal_type(modelsync.fetch_models)
"""


def test_mypy_knows_all_types(tmp_path: Path) -> None:
    """As in an installed package: `py.typed` says that there are types."""
    (tmp_path / "right.py").write_text(CHECKED)
    (tmp_path / "wrong.py").write_text(WRONG)
    site = tmp_path / "site"
    site.mkdir()
    (site / "modelsync").symlink_to(cli.ROOT / "src" / "modelsync")
    assert (site / "modelsync" / "py.typed").exists()
    env = {"PATH": os.environ["PATH"], "MYPYPATH": str(site)}
    # The next run finds what mypy has read of the standard library and of packages.
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(cli.ROOT / ".mypy_cache" / "of_tests"),
        "--follow-imports=silent",
    ]
    command += ["right.py", "wrong.py"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert (done.stderr, done.returncode) == ("", 1)
    assert {line.partition(":")[0] for line in done.stdout.splitlines()[:-1]} == {"wrong.py"}
    assert done.stdout.splitlines()[-1] == "Found 3 errors in 1 file (checked 2 source files)"
    assert [line.rpartition("[")[2] for line in done.stdout.splitlines() if "error:" in line] == [
        "call-arg]",
        "unused-coroutine]",
        "arg-type]",
    ]
    assert 'Revealed type is "def (slug: str) -> modelsync.planning.listing.Listing"' in done.stdout


# Syncs


def test_a_sync_and_a_dry_run(asked: str) -> None:
    plan = modelsync.sync_provider_models("groq", dry_run=True)
    assert (plan.run_id, plan.counts.created, plan.counts.synced) == (None, 6, 0)
    assert table(asked, "providers") == []
    report = modelsync.sync_all_providers(["groq", "openrouter"])
    assert (report.status, report.counts.synced, report.run_id) == ("succeeded", 11, 1)
    assert len(modelsync.fetch_models("openrouter").models) == 5


def test_another_catalog_than_the_settings_one(asked: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    modelsync.sync_provider_models("groq", database=other)
    assert modelsync.ensure_provider_exists("near", database=other) == 2
    assert modelsync.bulk_upsert_models("near", [modelsync.Model(id="own/x")], database=other).created == 1
    with modelsync.Catalog(other) as catalog, modelsync.Catalog() as empty:
        assert (len(catalog.models(inactive=True)), empty.models()) == (7, [])
    assert table(asked, "providers") == []


def test_what_is_unknown_is_said_at_once(asked: str) -> None:
    for call in (
        lambda: modelsync.fetch_models("opnrouter"),
        lambda: modelsync.sync_provider_models("opnrouter"),
        lambda: modelsync.ensure_provider_exists("opnrouter"),
        lambda: modelsync.bulk_upsert_models("opnrouter", []),
    ):
        with pytest.raises(NotThere, match="Did you mean openrouter"):
            call()
    with pytest.raises(modelsync.UsageError, match=r"Give \['groq'\]"):
        modelsync.sync_all_providers("groq")
    assert table(asked, "sync_runs") == []


# Models of one's own


def test_a_provider_is_made_once(asked: str) -> None:
    number = modelsync.ensure_provider_exists("groq")
    assert modelsync.ensure_provider_exists("groq") == number
    assert [(row["id"], row["slug"]) for row in table(asked, "providers")] == [(number, "groq")]


def test_models_of_a_program_go_through_the_guards(asked: str) -> None:
    modelsync.sync_provider_models("openrouter")
    prices = modelsync.Prices(prompt=D("0.00000125"), completion=0.00001)  # a float as people write it
    counts = modelsync.bulk_upsert_models("openrouter", [modelsync.Model(id="own/x", context_length=8000, prices=prices)])
    assert (counts.created, counts.synced, counts.held, counts.missing) == (1, 1, 0, 0)
    row = models_of(asked, "openrouter")["own/x"]
    assert (row["pricing_prompt"], row["pricing_completion"], row["context_length"]) == (D("0.00000125"), D("0.00001"), 8000)

    dear = modelsync.Model(id="own/x", prices=modelsync.Prices(prompt=D("1.25")))  # USD per million, by mistake
    assert modelsync.bulk_upsert_models("openrouter", [dear]).held == 1
    assert models_of(asked, "openrouter")["own/x"]["pricing_prompt"] == D("0.00000125")
    assert len(models_of(asked, "openrouter")) == 6


def test_the_limits_are_those_of_the_settings(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSYNC_PRICE_FIRST_SIGHT", "0.000001")
    counts = modelsync.bulk_upsert_models("groq", [modelsync.Model(id="a", prices=modelsync.Prices(prompt=D("0.00001")))])
    assert counts.held == 1
    assert models_of(asked, "groq")["a"]["pricing_prompt"] is None


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (modelsync.Model(id="a", prices=modelsync.Prices(prompt=D(-1))), "pricing_prompt is -1"),
        (modelsync.Model(id="a", prices=modelsync.Prices(cache_read=float("nan"))), "pricing.cache_read is NaN"),
        (modelsync.Model(id="a", prices=modelsync.Prices(prompt="cheap")), "Invalid decimal"),
        (modelsync.Model(id="a", context_length="8k"), "Expected `int | null`"),
        (modelsync.Model(id="a", context_length=-1), "context_length = -1"),
        (modelsync.Model(id="a", released_at=datetime(2026, 1, 1)), "released_at has no zone"),  # noqa: DTZ001
        (modelsync.Model(id="a", metadata={"of": object()}), "object"),
        (modelsync.Model(id=""), "id"),
        (modelsync.Model(id="b"), "'b' is given twice"),
        ({"id": "a", "contextlength": 3}, "no modelsync.Model"),
    ],
)
def test_what_is_no_model_is_refused_and_nothing_written(tmp_path: Path, model: modelsync.Model, words: str) -> None:
    database = f"sqlite:///{tmp_path}/catalog.db"
    with pytest.raises(modelsync.UsageError) as refused:
        modelsync.bulk_upsert_models("groq", [modelsync.Model(id="b"), model], database=database)
    assert words in str(refused.value)
    assert str(refused.value).startswith("models[1]")
    assert "Nothing was written" in refused.value.hint
    assert not (tmp_path / "catalog.db").exists()


# Reading


def test_models_have_exact_prices_per_token(asked: str) -> None:
    modelsync.sync_all_providers(["openrouter", "groq"])
    with modelsync.Catalog() as catalog:
        dear = catalog.model("openrouter", "acme/scribe-2")
        free = catalog.model("openrouter", "acme/scribe-2:free")
        unknown = catalog.model("openrouter", "lyra/chorus-1")
        varies = catalog.model("openrouter", "openrouter/auto")
        ending = catalog.model("openrouter", "orchard/pip-7b")
        assert catalog.model("openrouter", "nobody/nothing") is None
    assert all((dear, free, unknown, varies, ending))
    assert (dear.pricing_prompt, dear.pricing_completion) == (D("0.00000125"), D("0.00001"))
    assert (dear.prices.prompt, dear.prices.cache_read, dear.prices.web_search) == (D("0.00000125"), D("0.000000125"), D("0.01"))
    assert [(tier.above, tier.prompt) for tier in dear.prices.tiers] == [(200000, D("0.0000025"))]
    assert (dear.input_modalities, dear.supports_vision, dear.status) == (("text", "image"), True, "active")
    assert dear.metadata["canonical_slug"] == "acme/scribe-2-20260301"
    assert free.pricing_prompt == D(0)
    assert (unknown.pricing_prompt, unknown.dynamic_price) == (None, False)
    assert (varies.pricing_prompt, varies.dynamic_price) == (None, True)
    assert (ending.expires_at, ending.released_at and ending.released_at.tzinfo) == (datetime(2026, 12, 31, tzinfo=UTC), UTC)


def test_filters_are_those_of_the_command_line(asked: str) -> None:
    modelsync.sync_all_providers(["openrouter", "groq"])

    def ids(*words: str, **chosen: object) -> list[str]:
        with modelsync.Catalog() as catalog:
            return [model.provider_model_id for model in catalog.models(*words, **chosen)]

    assert ids("SCRIBE", providers=["openrouter"]) == ["acme/scribe-2", "acme/scribe-2:free"]
    assert ids(providers=["openrouter"], max_price=1.25, sort="price") == ["acme/scribe-2:free", "orchard/pip-7b", "acme/scribe-2"]
    assert ids(providers=["openrouter"], max_price=D("1.24"), sort="price", reverse=True) == ["orchard/pip-7b", "acme/scribe-2:free"]
    assert ids(providers=["openrouter"], free=True) == ["acme/scribe-2:free"]
    assert ids(providers=["openrouter"], vision=True) == ["acme/scribe-2"]
    assert ids(providers=["openrouter"], min_context=400_000, limit=1) == ["acme/scribe-2"]
    assert len(ids(inactive=True)) == len(ids()) + 1 == 11
    assert ids(status="retired") == []
    with pytest.raises(NotThere, match="Did you mean openrouter"):
        ids(providers=["opnrouter"])
    with pytest.raises(modelsync.UsageError, match="one text"):
        ids(providers="openrouter")


@pytest.mark.parametrize(
    "chosen",
    [{"status": "gone"}, {"sort": "prize"}, {"max_price": -1}, {"max_price": float("nan")}, {"limit": -1}, {"kind": "changed"}],
    ids=str,
)
def test_a_value_that_no_filter_has_is_no_empty_answer(tmp_path: Path, chosen: dict[str, object]) -> None:
    with modelsync.Catalog(f"sqlite:///{tmp_path}/none.db") as catalog:
        ask = catalog.changes if "kind" in chosen else catalog.models
        with pytest.raises(modelsync.UsageError, match=f"{next(iter(chosen))}=.* is not possible"):
            ask(**chosen)


def test_changes_and_status(asked: str, simulator: Simulator) -> None:
    modelsync.sync_provider_models("openrouter")
    between = datetime.now(UTC)
    simulator.set_day(1)
    modelsync.sync_provider_models("openrouter")
    with modelsync.Catalog() as catalog:
        changes = catalog.changes(since=between)
        assert sorted(change.kind for change in changes) == ["added", "missing", "updated"]
        assert len(catalog.changes()) == 8
        (updated,) = catalog.changes(kind="updated", providers=["openrouter"], limit=1)
        assert catalog.changes(model=updated.provider_model_id, field=next(iter(updated.fields))) == [updated]
        status = catalog.status()
        assert (status.models.total, status.models.missing, status.pause) == (6, 1, None)
        assert [(each.provider, each.state) for each in status.freshness] == [("openrouter", "fresh")]
        with pytest.raises(modelsync.UsageError, match="no zone"):
            catalog.changes(since=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_catalog_is_read_while_it_is_open_and_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    catalog = modelsync.Catalog(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(modelsync.UsageError, match="not open"):
        catalog.models()
    with catalog as opened:
        assert (opened.models(), opened.changes(), opened.status().models.total) == ([], [], 0)
    with pytest.raises(modelsync.UsageError, match="not open"):
        catalog.status()
    assert list(tmp_path.iterdir()) == []


def test_threads_may_share_a_catalog(asked: str) -> None:
    modelsync.sync_provider_models("openrouter")
    found: list[int] = []
    with modelsync.Catalog() as catalog:
        threads = [threading.Thread(target=lambda: found.append(len(catalog.models()))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [5] * 8


# Inside a running loop


@pytest.mark.parametrize("name", FUNCTIONS)
def test_inside_a_loop_the_way_is_named(name: str) -> None:
    arguments = {"fetch_models": ("groq",), "sync_all_providers": (), "bulk_upsert_models": ("groq", [])}.get(name, ("groq",))

    async def inside() -> None:
        getattr(modelsync, name)(*arguments)

    with pytest.raises(modelsync.UsageError) as refused:
        asyncio.run(inside())
    assert refused.value.hint == f"Write await modelsync.aio.{name}(…)"


def test_the_twins_do_the_same_while_the_loop_goes_on(asked: str) -> None:
    async def inside() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        report, listing = await asyncio.gather(modelsync.aio.sync_all_providers(["groq"]), modelsync.aio.fetch_models("near"))
        assert (report.counts.synced, len(listing.models), ticks > 2) == (6, 5, True)
        ticking.cancel()
        assert (await modelsync.aio.sync_provider_models("openrouter", dry_run=True)).counts.created == 5
        number = await modelsync.aio.ensure_provider_exists("openrouter")
        assert (await modelsync.aio.bulk_upsert_models("openrouter", [modelsync.Model(id="own/x")])).created == 1
        async with modelsync.aio.Catalog() as catalog:
            model = await catalog.model("openrouter", "own/x")
            assert model is not None
            assert model.provider_id == number
            assert len(await catalog.models(inactive=True)) == 7
            assert len(await catalog.changes()) == 7
            assert (await catalog.status()).models.total == 7
        with pytest.raises(NotThere):
            await modelsync.aio.fetch_models("opnrouter")
        with pytest.raises(modelsync.UsageError, match="not open"):
            await catalog.models()

    asyncio.run(inside())


LOOKS = """
import asyncio, pathlib, sys
import modelsync
modelsync.aio
sys.path.insert(0, sys.argv[1])
from support import first_looks
first_looks.watch(pathlib.Path("looks"))
async def main():
    await asyncio.gather(modelsync.aio.sync_all_providers(["groq"]), modelsync.aio.fetch_models("near"))
    async with modelsync.aio.Catalog() as catalog:
        await asyncio.gather(catalog.models(), catalog.models(), catalog.changes(), catalog.status())
asyncio.run(main())
"""


def test_no_struct_is_looked_at_once_there_are_threads(simulator: Simulator, tmp_path: Path) -> None:
    """Two threads that are the first to decode a struct end the process: see test_structs.py."""
    done = cli.run_python(tmp_path, "-c", LOOKS, str(cli.ROOT / "tests"), env=cli.environment(tmp_path, simulator))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "looks").exists(), (tmp_path / "looks").read_text()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that a thread does."""
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_task_stops_its_sync_and_waits_for_its_end(simulator: Simulator, asked: str, times: int) -> None:
    simulator.add_fault("openrouter", "delay", seconds=30)

    async def inside() -> None:
        syncing = asyncio.create_task(modelsync.aio.sync_all_providers(["openrouter", "near"]))
        await until(lambda: simulator.requests("openrouter"))
        await until(lambda: models_of(asked, "near"))
        for _ in range(times):
            syncing.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await syncing
        # Nothing is under way any more, at this very moment.
        (run,) = table(asked, "sync_runs")
        assert (run["status"], run["finished_at"] is not None) == ("cancelled", True)

    began = time.monotonic()
    asyncio.run(inside())
    assert time.monotonic() - began < 15
    assert [state["ticket_token"] for state in table(asked, "provider_state")] == [None, None]
    assert models_of(asked, "openrouter") == {}
    assert len(models_of(asked, "near")) == 5
    simulator.clear_faults()
    assert modelsync.sync_provider_models("openrouter").status == "succeeded"


def test_a_cancelled_fetch_ends(simulator: Simulator, asked: str) -> None:
    simulator.add_fault("openrouter", "delay", seconds=30)

    async def inside() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await modelsync.aio.fetch_models("openrouter")

    began = time.monotonic()
    asyncio.run(inside())
    assert time.monotonic() - began < 15


# Signals

SIGNALLED = """
import signal, sys
import modelsync
def own(number, frame):
    print("own handler")
signal.signal(signal.SIGTERM, own)
modelsync.sync_provider_models("near")
assert signal.getsignal(signal.SIGTERM) is own, signal.getsignal(signal.SIGTERM)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.getsignal(signal.SIGINT)
print("syncing", flush=True)
try:
    modelsync.sync_provider_models("openrouter")
except BaseException as error:
    print(type(error).__name__, *error.args)
"""


@pytest.mark.parametrize(("number", "shown"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "SystemExit 143")])
def test_signals_end_a_sync_as_python_programs_expect_and_are_the_programs_own_again(
    simulator: Simulator, tmp_path: Path, number: int, shown: str
) -> None:
    simulator.add_fault("openrouter", "delay", seconds=30)
    env = cli.environment(tmp_path, simulator)
    command = [sys.executable, "-c", SIGNALLED]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "syncing\n"
        ends_at = time.monotonic() + 15
        while not simulator.requests("openrouter") and time.monotonic() < ends_at:
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=15)
    assert out.splitlines() == [shown], err
    assert [run["status"] for run in table(f"sqlite:///{tmp_path}/modelsync.db", "sync_runs")] == ["succeeded", "cancelled"]


def test_no_provider_at_all_is_not_every_provider(tmp_path: Path):
    """As a filter that found nothing leaves it."""
    with pytest.raises(UsageError, match="No provider is named"):
        modelsync.sync_all_providers([], database=f"sqlite:///{tmp_path}/catalog.db")
