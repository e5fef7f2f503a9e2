"""A small catalog whose every answer can be worked out by hand: four providers, eleven models, thirteen changes."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from modelsync.database.tables.leases import Lease
from modelsync.errors import Failure, FailureKind
from modelsync.model.actors import Person
from modelsync.model.model import Model, Prices
from modelsync.operations import providers
from modelsync.planning.outcome import Failed, ProviderResult, Report
from modelsync.providers import registry
from modelsync.sync.request import Commit
from modelsync.sync.store import Store
from support.store import listing, opened
from support.sync import execute

D = Decimal
TEXT, IMAGE, AUDIO = ("text",), ("image",), ("audio",)
ODD_NAME = 'Zeichne "größer", 日本\nals <script>alert(1)</script>\x07 & \x1b[31mrot]]>'

ALPHA = Model(
    id="acme/alpha",
    model_name="Alpha",
    context_length=8192,
    input_modalities=TEXT,
    output_modalities=TEXT,
    supports_streaming=True,
    supports_function_calling=True,
    supports_vision=False,
    released_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    prices=Prices(prompt=D("0.000001"), completion=D("0.000002")),
)


def beta(prompt: str) -> Model:
    return Model(
        id="acme/beta",
        model_name="Beta Vision",
        context_length=128_000,
        max_output_tokens=4096,
        input_modalities=("text", "image"),
        output_modalities=TEXT,
        supports_streaming=True,
        supports_function_calling=False,
        supports_vision=True,
        supports_reasoning=True,
        supports_structured_output=True,
        metadata={"tags": ["é", 1], "nested": {"on": True, "off": None}},
        prices=Prices(prompt=D(prompt), completion=D("0.0000004"), request=D("1E-7")),
    )


def text_model(row_id: str, name: str, context: int, prompt: str, completion: str, **more: object) -> Model:
    """Text in, text out, at prices per token."""
    prices = Prices(prompt=D(prompt), completion=D(completion))
    return Model(id=row_id, model_name=name, context_length=context, input_modalities=TEXT, output_modalities=TEXT, prices=prices, **more)


DELTA = Model(id="acme/delta")  # of which nothing is stated
GAMMA = text_model("acme/gamma", "Gamma", 128_000, "0", "0", supports_streaming=False, supports_reasoning=False)
HALF = text_model("acme/half", "half free", 4096, "0", "0.000001")
LOST = text_model("acme/lost", "Lost", 16_000, "0.000003", "0.000003")
OLD = text_model("acme/old", "Old", 2048, "0.000005", "0.000006")

GROQ = (
    text_model("alpha", "alpha", 8192, "0.000001", "0.000002", supports_streaming=False, supports_structured_output=False),
    text_model("hidden", "Hidden", 32_000, "0.000002", "0.000002", available=False),
    Model(id="whisper", model_name="=1+1", input_modalities=AUDIO, output_modalities=TEXT, prices=Prices(completion=D("0.00001"))),
)
NEAR = (
    Model(
        id="draw",
        model_name=ODD_NAME,
        context_length=1000,
        input_modalities=TEXT,
        output_modalities=IMAGE,
        prices=Prices(image=D("0.04")),
    ),
)

ACTIVE = ("acme/alpha", "acme/beta", "acme/delta", "acme/gamma", "acme/half", "acme/lost", "alpha", "whisper", "draw")
"""The active models in the order of their numbers; acme/lost is missing. Not active are acme/old, which is retired, and hidden."""


def pause() -> None:
    """Longer than the clock of either database needs to show another time."""
    time.sleep(0.005)


def synced(store: Store, slug: str, models: Sequence[Model], failure: Failure | None = None) -> ProviderResult:
    """A run of one provider that found these models, or failed."""
    run_id = store.begin_run("test")
    lease = store.take_lease(slug, run_id, 60.0)
    assert isinstance(lease, Lease)
    if failure is None:
        result = store.commit(lease, Commit(registry.load()[slug], listing(*models), None), 1.5)
    else:
        result = ProviderResult(slug=slug, outcome=Failed(failure), seconds=2.5)
        store.give_up(run_id, result, lease)
    now = datetime.now(UTC)
    store.finish_run(Report(run_id=run_id, dry_run=False, started_at=now, finished_at=now, seconds=0.0, results=(result,)))
    pause()
    return result


def fill(database_url: str) -> datetime:
    """Make the catalog; the time before its last listing, in which acme/beta has another price and acme/lost is not."""
    with opened(database_url) as store:
        synced(store, "openrouter", (ALPHA, beta("0.00000004"), DELTA, GAMMA, HALF, LOST, OLD))
        synced(store, "groq", GROQ)
        synced(store, "near", NEAR)
        with store.reading() as connection:
            between = store.now(connection)
        pause()
        synced(store, "openrouter", (ALPHA, beta("0.00000005"), DELTA, GAMMA, HALF, OLD))
        synced(store, "groq", ())  # an empty list is not believed: a hold
        synced(store, "near", (), Failure(FailureKind.TRANSIENT, "no answer", "try again"))
        facts = {"slug": "mine", "name": "My own", "description": "models in the cellar", "is_active": False}
        providers.create(store, facts, Person("tests", "to have one that never synced"))
    execute(database_url, "UPDATE models SET status = 'retired', is_active = false WHERE provider_model_id = 'acme/old'")
    return between
