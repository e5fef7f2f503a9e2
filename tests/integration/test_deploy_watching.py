"""What Prometheus and Grafana are told in deploy/: numbers that a real server shows, and alerts that come when they should.

PyYAML is in the environment of development. Syntax and alerts are Prometheus's own matter: promtool looks at them, where it is installed.
"""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from modelsync.queries.freshness import STALE_AFTER
from modelsync.simulator.server import Simulator
from support.api import serving
from support.cli import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTS = PROMETHEUS / "alerts.yml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
RULES: dict[str, dict[str, Any]] = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds."""
OF_NONE = {"modelsync_models_left_in_place": {"provider"}}
"""Numbers that the server of this test has none of, and their labels."""

QUERIES = [
    *((f"alert {name}", rule["expr"]) for name, rule in RULES.items()),
    *((f"panel {panel['title']}", target["expr"]) for panel in PANELS for target in panel["targets"]),
    *((f"variable {each['name']}", each["definition"]) for each in BOARD["templating"]["list"] if each["type"] == "query"),
]

# Numbers


@pytest.fixture(scope="module")
def shown(running_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What a server shows that has synced, holds, refused and cut off: the labels of each number, by its name."""
    folder = tmp_path_factory.mktemp("shown")
    running_simulator.reset()
    more = {"MODELSYNC_PROVIDERS": "helicone,groq,deepinfra", "MODELSYNC_HEAD_SECONDS": "1"}
    with serving(folder, f"sqlite:///{folder}/catalog.db", running_simulator, **more) as served:
        assert served.admin.post("/admin/model-sync/all").status_code == 200
        running_simulator.add_fault("groq", "empty")
        served.admin.post("/admin/model-sync/provider/groq")
        price, empty = served.admin.get("/admin/held").json()["data"]
        assert (price["kind"], empty["kind"]) == ("price", "empty")
        assert served.admin.post(f"/admin/held/{price['id']}/reject", json={"reason": "r"}).status_code == 200
        served.client.get("/admin/held")
        host, port = served.base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as slow:
            slow.sendall(b"GET /mod")
            while slow.recv(4096):
                pass
        text = served.client.get("/metrics").text
    found: dict[str, set[str]] = {"up": set()}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
        if not family.samples:
            found[family.name] = set()
    assert {name for name, labels in found.items() if not labels} == {*OF_NONE, "up", "modelsync_paused", "modelsync_revision"}
    return found


def names_in(query: str) -> set[str]:
    """The numbers that a query asks for."""
    return set(re.findall(r"\b(modelsync_\w+|up)\b", query))


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_queries_ask_for_numbers_that_are_shown(where: str, query: str, shown: Mapping[str, set[str]]) -> None:
    assert names_in(query)
    assert names_in(query) <= set(shown)
    for name, matchers in re.findall(r"\b(modelsync_\w+|up)\{([^}]*)\}", query):
        labels = set(re.findall(r"(\w+)(?==~?\"|!=\")", matchers))
        assert "job" in labels
        assert labels - SCRAPED <= shown[name] | OF_NONE.get(name, set()), name
    grouped = {label.strip() for found in re.findall(r"\bby \(([^)]*)\)", query) for label in found.split(",")}
    assert grouped - SCRAPED <= set().union(*(shown[name] | OF_NONE.get(name, set()) for name in names_in(query)))


def test_everything_that_is_shown_is_on_the_dashboard_or_in_an_alert(shown: Mapping[str, set[str]]) -> None:
    asked = set().union(*(names_in(query) for _, query in QUERIES))
    ends = ("_created", "_sum", "_count", "_bucket")
    left_out = {name for name in set(shown) - asked if not name.endswith(ends)}
    assert left_out == set()


def test_routes_and_statuses_in_queries_are_those_of_the_server(shown: Mapping[str, set[str]]) -> None:
    routes = {route for _, query in QUERIES for route in re.findall(r'route="([^"]*)"', query)}
    assert routes == {"/models"}
    statuses = {status for _, query in QUERIES for status in re.findall(r'modelsync_http\w+\{[^}]*status=~?"([^"]*)"', query)}
    assert statuses == {"5..", "401"}


# Alerts


def test_alerts_say_what_and_what_to_do() -> None:
    for name, rule in RULES.items():
        assert name.startswith("Modelsync")
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_page_has_every_alert() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert re.findall(r"^\| (Modelsync\w+) \|", page, re.MULTILINE) == list(RULES)


def test_stale_is_what_status_calls_stale() -> None:
    assert RULES["ModelsyncProviderStale"]["expr"].endswith(f"> {STALE_AFTER.total_seconds() / 3600:.0f} * 3600")


def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool: apt-get install prometheus")
    return program


def told(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_promtool_accepts_the_files() -> None:
    code, said = told("check", "rules", ALERTS)
    assert (code, f"{len(RULES)} rules found" in said) == (0, True), said
    code, said = told("check", "config", PROMETHEUS / "prometheus.yml")
    assert (code, f"{len(RULES)} rules found" in said) == (0, True), said


def test_promtool_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    queries = [target["expr"].replace("$__rate_interval", "5m") for panel in PANELS for target in panel["targets"]]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, said = told("check", "rules", tmp_path / "rules.yml")
    assert (code, f"{len(queries)} rules found" in said) == (0, True), said


@pytest.mark.parametrize("wrong", ["sum(rate(modelsync_revision[5m])", "modelsync_paused{job=modelsync}", "{{ $labels.provider"])
def test_promtool_would_notice_a_wrong_line(tmp_path: Path, wrong: str) -> None:
    rule = {"alert": "X", "expr": "up == 0" if "$" in wrong else wrong, "annotations": {"summary": wrong if "$" in wrong else "x"}}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": [rule]}]}))
    assert told("check", "rules", tmp_path / "rules.yml")[0] != 0


SOON, DAY = 90, 25 * 60
"""Minutes after which a case is looked at: most alerts come within an hour and a half, some after hours or compared with yesterday."""
LAST_HOUR = f"x{DAY - 60} "


def series(name: str, **labels: str) -> str:
    shown_labels = ",".join(f'{label}="{value}"' for label, value in {"job": "modelsync", "instance": "a", **labels}.items())
    return f"{name}{{{shown_labels}}}"


def always(value: float) -> str:
    return f"{value:g}+0x{DAY}"


def rising(by: float) -> str:
    return f"0+{by:g}x{DAY}"


AGE, FAILURES, ACTIVE = "modelsync_last_success_age_seconds", "modelsync_failures_in_a_row", "modelsync_models_active"
UP, PAUSED = series("up"), series("modelsync_paused")
GOOD, ERRORS = (series("modelsync_http_requests_total", route="/models", method="GET", status=status) for status in ("200", "503"))
REFUSED = series("modelsync_http_refused_total", status="401")
QUICK, ALL = (series("modelsync_http_request_duration_seconds_bucket", route="/models", le=le) for le in ("1.0", "+Inf"))
SLOW = series("modelsync_http_request_duration_seconds_bucket", route="/models", le="5.0")
HEALTHY = {
    UP: always(1),
    PAUSED: always(0),
    GOOD: rising(600),
    ERRORS: rising(6),
    REFUSED: rising(10),
    QUICK: rising(594),
    SLOW: rising(600),
    ALL: rising(600),
    **{series(AGE, provider=slug): always(100_000) for slug in ("groq", "xai", "near")},
    **{series(FAILURES, provider=slug): always(0) for slug in ("groq", "xai", "near")},
    **{series(ACTIVE, provider=slug): always(10) for slug in ("groq", "xai", "near")},
    series("modelsync_oldest_hold_age_seconds", provider="groq", kind="price"): always(100_000),
}
OF_GROQ = {name: series(name, provider="groq") for name in (AGE, FAILURES, ACTIVE)}

CASES: dict[str, tuple[dict[str, str | None], dict[str, int]]] = {
    "all is well": ({}, {}),
    "a server is down": ({UP: always(0)}, {"ModelsyncDown": 1}),
    "one of two is down": ({series("up", instance="b"): always(0)}, {"ModelsyncDown": 1}),
    "nobody is asked": ({UP: None}, {"ModelsyncNotWatched": 1}),
    "one request of ten fails": ({ERRORS: rising(66)}, {"ModelsyncManyErrors": 1}),
    "one answer of ten is slow": ({QUICK: rising(540), SLOW: rising(600)}, {"ModelsyncSlow": 1}),
    "keys are guessed": ({REFUSED: rising(300)}, {"ModelsyncKeysGuessed": 1}),
    "nothing was synced for 31 hours": (
        {series(AGE, provider=slug): always(31 * 3600) for slug in ("groq", "xai", "near")},
        {"ModelsyncNothingSynced": 1},
    ),
    "nothing was synced ever": ({series(AGE, provider=slug): None for slug in ("groq", "xai", "near")}, {"ModelsyncNothingSynced": 1}),
    "a provider is stale": ({OF_GROQ[AGE]: always(49 * 3600)}, {"ModelsyncProviderStale": 1}),
    "a provider failed twice": ({OF_GROQ[FAILURES]: always(2)}, {}),
    "a provider failed three times": ({OF_GROQ[FAILURES]: always(3)}, {"ModelsyncProviderFailing": 1}),
    "two of three providers fail": (
        {series(FAILURES, provider=slug): always(1) for slug in ("groq", "xai")},
        {"ModelsyncManyProvidersFailing": 1},
    ),
    "something waits for three days": (
        {series("modelsync_oldest_hold_age_seconds", provider="xai", kind="empty"): always(3 * 86400)},
        {"ModelsyncWaitsForReview": 1},
    ),
    "everything is paused": ({PAUSED: always(1)}, {"ModelsyncPausedForLong": 1}),
    "a provider lost four of ten models": ({OF_GROQ[ACTIVE]: f"10+0{LAST_HOUR}6+0x60"}, {"ModelsyncModelsLost": 1}),
    "a provider lost one of ten models": ({OF_GROQ[ACTIVE]: f"10+0{LAST_HOUR}9+0x60"}, {}),
    "a provider lost all models": ({OF_GROQ[ACTIVE]: f"10+0{LAST_HOUR}"}, {"ModelsyncModelsLost": 1}),
    "a number of two servers": (
        {each.replace('instance="a"', 'instance="b"'): text for each, text in HEALTHY.items()} | {OF_GROQ[AGE]: always(49 * 3600)},
        {"ModelsyncProviderStale": 1},
    ),
}
"""What is otherwise than in a healthy server, and how many alerts of which name come of it."""


def cases() -> Iterator[dict[str, Any]]:
    for name, (otherwise, wanted) in CASES.items():
        minutes = DAY if "lost" in name or "paused" in name else SOON
        given = {each: text for each, text in {**HEALTHY, **otherwise}.items() if text is not None}
        expected = [{"labels": f'{{alertname="{alert}"}}', "value": number} for alert, number in wanted.items()]
        yield {
            "name": name,
            "interval": "1m",
            "input_series": [{"series": each, "values": text.replace(f"x{DAY}", f"x{minutes}")} for each, text in given.items()],
            "promql_expr_test": [
                {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{minutes}m", "exp_samples": expected}
            ],
        }


def test_every_alert_has_its_case() -> None:
    assert {alert for _, wanted in CASES.values() for alert in wanted} == set(RULES)


def test_alerts_come_when_they_should_and_only_then(tmp_path: Path) -> None:
    document = {"rule_files": [str(ALERTS)], "evaluation_interval": "2m", "tests": list(cases())}
    (tmp_path / "cases.yml").write_text(yaml.safe_dump(document))
    code, said = told("test", "rules", tmp_path / "cases.yml")
    assert code == 0, said


# The dashboard


def test_the_dashboard_is_one_that_can_be_imported() -> None:
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert BOARD["templating"]["list"][0]["type"] == "datasource"
    variables = {each["name"] for each in BOARD["templating"]["list"]} | {"__rate_interval"}
    assert {name for _, query in QUERIES for name in re.findall(r"\$(\w+)", query)} <= variables
    assert all(panel["title"] and panel["targets"] for panel in PANELS)


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
