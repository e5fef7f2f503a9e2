"""Examples of the REST API for src/modelsync/api/examples.json: real requests to a real server over simulated providers.

What differs from one recording to the next (times, durations, ports) is made the same, and long lists are cut.
"""

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import msgspec

from modelsync.providers import registry
from modelsync.simulator.server import Simulator

SOURCES = Path(__file__).resolve().parent.parent / "src"
KEY = "examples-are-recorded-with-this-key"
BASE = "http://127.0.0.1:8000"
MOMENT = datetime(2026, 11, 22, 10, tzinfo=UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
FIXED = {"duration_seconds": 0.4, "age_seconds": 12.0, "created": int(MOMENT.timestamp())}
"""Numbers that differ, by their name; `created` is that of /v1/models (that of a sync is a small number)."""

LONGEST = 3600
"""Seconds that a recording takes at most."""

ROWS, WORDS, LINES = 2, 3, 8
"""How many rows, and how many words, are kept of a list, and how many lines of a text."""

MODEL = "acme/scribe-2"
WHY = {"reason": "they confirmed it"}


class Step(NamedTuple):
    """A request; its answer is an example of this operation, if one is named."""

    operation: str | None
    method: str
    path: str
    body: Any = None
    prefer: str = ""
    fails: bool = False


def syncing(slug: str, operation: str | None = None, **more: Any) -> Step:
    """A sync of one provider."""
    return Step(operation, "POST", f"/admin/model-sync/provider/{slug}", **more)


FIRST_DAY = (
    syncing("openrouter", "sync_provider"),
    syncing("helicone"),  # with a price that is held: hold 1
    Step("sync_all", "POST", "/admin/model-sync/all?providers=groq&providers=helicone"),
    syncing("near"),
    syncing("chutes"),
    syncing("xai"),
)
EMPTY = ("near", "xai")
"""They list nothing on the second day: holds 2 and 3."""

SECOND_DAY = (
    syncing("openrouter"),
    *(syncing(slug, "sync_provider", fails=True) for slug in EMPTY),
    syncing("chutes"),  # with a price that is held: hold 4
    syncing("groq", "sync_provider", prefer="respond-async"),
    Step("syncable_providers", "GET", "/admin/model-sync/providers"),
    Step("sync_status", "GET", "/admin/model-sync/status"),
    Step("list_runs", "GET", "/admin/model-sync/runs?limit=1&provider=openrouter"),
    Step("get_run", "GET", "/admin/model-sync/runs/1"),
    Step("list_held", "GET", "/admin/held?kind=price"),
    Step("confirm_one", "POST", "/admin/held/1/confirm", WHY),
    Step("reject_one", "POST", "/admin/held/2/reject", {"reason": "their list was broken"}),
    Step("confirm_held", "POST", "/admin/held/confirm", {"ids": [4], **WHY}),
    Step("reject_held", "POST", "/admin/held/reject", {"provider": ["xai"], "reason": "their list was broken"}),
    Step("reopen_one", "POST", "/admin/held/3/reopen", {"reason": "it was their list after all"}),
    Step("set_guard", "PATCH", "/admin/guards/openrouter", {"shrink_share": 0.4, "price_factor": 20, "reason": "they clean up this week"}),
    Step("get_guard", "GET", "/admin/guards/openrouter"),
    Step("list_guards", "GET", "/admin/guards"),
    Step("set_schedule", "PATCH", "/admin/schedule/openrouter", {"when": "off", "reason": "they moved"}),
    Step("get_schedule", "GET", "/admin/schedule/openrouter"),
    Step("list_schedules", "GET", "/admin/schedule"),
    Step("schedule_advice", "GET", "/admin/schedule-advice"),
    Step("list_workers", "GET", "/admin/workers"),
    Step("pause", "POST", "/admin/pause", {"reason": "we move the database"}),
    Step("resume", "POST", "/admin/resume", {"reason": "it is moved"}),
    Step("pin", "POST", "/admin/pins", {"provider": "openrouter", "model": MODEL, "values": {"context_length": 200000}, "reason": "tried"}),
    Step("list_pins", "GET", "/admin/pins"),
    Step("explain_model", "GET", f"/admin/explain?provider=openrouter&model={MODEL}&field=pricing_prompt"),
    Step("admin_changes", "GET", "/admin/changes?limit=1"),
    Step("admin_history", "GET", f"/admin/history?provider=openrouter&model={MODEL}"),
    Step("diff", "GET", "/admin/diff?before={noon}&provider=openrouter"),
    Step("as_of", "GET", "/admin/as-of?at={noon}&provider=openrouter&limit=1"),
    Step("list_changes", "GET", "/changes?provider=openrouter&field=pricing_prompt&limit=1"),
    Step("json_feed", "GET", "/changes/feed.json?provider=openrouter&field=pricing_prompt&limit=1"),
    Step("atom_feed", "GET", "/changes/feed.atom?provider=openrouter&field=pricing_prompt&limit=1"),
    Step("unpin", "DELETE", f"/admin/pins?provider=openrouter&model={MODEL}&field=context_length&reason=wrong"),
    Step("list_models", "GET", "/models?provider=openrouter&max_price=5&sort=price&limit=1"),
    Step("export_models_as_csv", "GET", "/models.csv?provider=openrouter&limit=2"),
    Step("export_models_as_ndjson", "GET", "/models.ndjson?provider=openrouter&limit=1"),
    Step("model_stats", "GET", "/models/stats"),
    Step("search_models", "GET", "/models/search?q=scribe&limit=1"),
    Step("models_of_provider", "GET", "/models/provider/openrouter?limit=1"),
    Step("get_model", "GET", "/models/1"),
    Step("model_history", "GET", "/models/1/history"),
    Step("change_model", "PATCH", "/models/1", {"context_length": 200000, "pricing_prompt": "0.00000125", "reason": "our contract"}),
    Step("deactivate_model", "POST", "/models/1/deactivate"),
    Step("activate_model", "POST", "/models/1/activate"),
    Step("list_openai_models", "GET", "/v1/models"),
    Step("get_openai_model", "GET", f"/v1/models/openrouter/{MODEL}"),
    Step("create_model", "POST", "/models", {"provider": "groq", "provider_model_id": "our-own", "context_length": 8192, **WHY}),
    Step(
        "bulk_upsert_models",
        "POST",
        "/models/bulk-upsert",
        {
            "models": [
                {"provider": "groq", "provider_model_id": "our-own", "context_length": 16384},
                {"provider": "groq", "provider_model_id": "our-other", "pricing_prompt": "0", "pricing_completion": "0"},
            ],
            "reason": "they run on our machine",
        },
    ),
    Step("delete_model", "DELETE", "/models/{made}"),
    Step("list_providers", "GET", "/providers?limit=1"),
    Step("provider_stats", "GET", "/providers/stats"),
    Step("search_providers", "GET", "/providers/search?q=open&limit=1"),
    Step("providers_by_health", "GET", "/providers/health/healthy?limit=1"),
    Step("get_provider", "GET", "/providers/1"),
    Step("get_provider_by_slug", "GET", "/providers/slug/openrouter"),
    Step("provider_model_stats", "GET", "/providers/1/models/stats"),
    Step("set_provider_health", "PATCH", "/providers/1/health", {"health_status": "down", "reason": "our account is closed"}),
    Step("change_provider", "PATCH", "/providers/1", {"site_url": "https://openrouter.ai", "reason": "it moved"}),
    Step("deactivate_provider", "POST", "/providers/1/deactivate"),
    Step("activate_provider", "POST", "/providers/1/activate"),
    Step("create_provider", "POST", "/providers", {"slug": "ours", "name": "Ours", "site_url": "https://ours.example"}),
    Step("delete_provider", "DELETE", "/providers/{made}"),
    Step("roll_back", "POST", "/admin/rollback", {"provider": "openrouter", "to": 1, "reason": "the list of today is wrong"}),
    Step("thaw_provider", "POST", "/admin/thaw", {"provider": "openrouter", "reason": "they repaired it"}),
    Step("audit", "GET", "/admin/audit?limit=1"),
    Step("live", "GET", "/health/live"),
    Step("ready", "GET", "/health/ready"),
    Step("metrics", "GET", "/metrics"),
)


def recorded() -> tuple[dict[str, Any], dict[str, Any]]:
    """The OpenAPI document, and examples by operation."""
    with tempfile.TemporaryDirectory() as folder, Simulator() as simulator, serving(Path(folder), simulator) as client:
        began = datetime.now(UTC)
        examples: dict[str, Any] = {}
        record(client, FIRST_DAY, examples)
        noon = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        simulator.set_day(1)
        for slug in EMPTY:
            simulator.add_fault(slug, "empty")
        raise_a_price(simulator)
        record(client, SECOND_DAY, examples, noon=noon)
        origins = {str(client.base_url).rstrip("/"): BASE, simulator.origin: "http://127.0.0.1:8900"}
        return client.get("/openapi.json").json(), {name: steady(examples[name], began, origins) for name in sorted(examples)}


def raise_a_price(simulator: Simulator) -> None:
    """Chutes asks twenty times as much for its first model."""
    first, *others = msgspec.json.decode(msgspec.json.encode(simulator.lists("chutes")["models"]))
    prices = {name: {**price, "usd": price["usd"] * 20} for name, price in first["price"].items()}
    pricing = {name: price * 20 for name, price in first["pricing"].items()}
    simulator.set_list("chutes", "models", [{**first, "price": prices, "pricing": pricing}, *others])


def record(client: httpx2.Client, steps: tuple[Step, ...], examples: dict[str, Any], **known: Any) -> None:
    """Make the requests one after the other; `made` in a path is the number of what was made last."""
    for step in steps:
        headers = {"Prefer": step.prefer} if step.prefer else {}
        answer = client.request(step.method, step.path.format(**known), json=step.body, headers=headers)
        if answer.is_success == step.fails:
            raise RuntimeError(f"{step.method} {step.path}: {answer.status_code} {answer.text}")
        is_json = answer.headers["content-type"].startswith(("application/json", "application/feed+json"))
        value = answer.json() if is_json else "".join(answer.text.splitlines(keepends=True)[:LINES])
        if answer.status_code == 201:
            known["made"] = value["id"]
        if answer.status_code == 202:
            until_over(client, answer.headers["location"])
        if step.operation:
            example = examples.setdefault(step.operation, {"answers": {}})
            example["answers"][str(answer.status_code)] = value
            if step.body is not None:
                example["body"] = step.body


def until_over(client: httpx2.Client, place: str) -> None:
    """Wait for the end of a run."""
    while client.get(place).json()["run"]["status"] == "running":
        time.sleep(0.05)


def steady(value: Any, began: datetime, origins: dict[str, str]) -> Any:
    """A value as every recording has it: moments and ports are fixed, and lists are short."""
    if isinstance(value, dict):
        return {name: FIXED[name] if is_moment(name, part, began) else steady(part, began, origins) for name, part in value.items()}
    if isinstance(value, list):
        return [steady(part, began, origins) for part in value[: ROWS if value and isinstance(value[0], dict) else WORDS]]
    if not isinstance(value, str):
        return value
    for origin, shown in origins.items():
        value = value.replace(origin, shown)
    alone = TIME.fullmatch(value.removesuffix("Z"))  # which has no fraction when it is a whole second by chance
    return TIME.sub(lambda found: fixed_time(found[0], began, exact=bool(found[1] or alone)), value)


def is_moment(name: str, value: Any, began: datetime) -> bool:
    """Whether a number is one of those that differ; a time that a provider states is none."""
    return name in FIXED and isinstance(value, int | float) and (name != "created" or 0 <= value - int(began.timestamp()) < LONGEST)


def fixed_time(text: str, began: datetime, *, exact: bool) -> str:
    """A time; those of the recording are all the same one, those that providers state stay."""
    after = (datetime.fromisoformat(text).replace(tzinfo=UTC) - began.replace(microsecond=0)).total_seconds()
    if not 0 <= after < LONGEST:
        return text
    return MOMENT.strftime("%Y-%m-%dT%H:%M:%S.%f" if exact else "%Y-%m-%dT%H:%M:%S")


@contextlib.contextmanager
def serving(folder: Path, simulator: Simulator) -> Iterator[httpx2.Client]:
    """A server of its own, with the simulator as every provider, and a client with its key."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(SOURCES), "ADMIN_API_KEY": KEY, "MODELSYNC_RATE": "0"}
    env |= {provider.auth.variables[0]: simulator.key(slug).removeprefix("Key ") for slug, provider in registry.load().items()}
    env |= {"GOOGLE_VERTEX_CREDENTIALS_JSON": simulator.service_account(), "MODELSYNC_ORIGIN": simulator.origin}
    env |= {"MODELSYNC_PROVIDERS": ",".join(simulator.wires.slugs)}
    command = [sys.executable, "-m", "modelsync", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers={"Authorization": f"Bearer {KEY}"}) as client:
        try:
            until_served(client, process)
            yield client
        finally:
            process.terminate()
            process.wait(timeout=30)


def until_served(client: httpx2.Client, process: "subprocess.Popen[bytes]") -> None:
    """Wait for the server's first answer."""
    while process.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            if client.get("/health/live").is_success:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server ended with {process.returncode}")
