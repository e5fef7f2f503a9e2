"""Numbers for Prometheus: what the catalog holds, how its syncs went, and what this server answered."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from modelsync.queries.metrics import MetricsReader, Samples
from modelsync.sync.store import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per server, so that several in one process do not mix."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_FromCatalog(MetricsReader(store)))
        self._requests = Counter("modelsync_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry)
        self._seconds = Histogram(
            "modelsync_http_request_duration_seconds",
            "Seconds from a request to the end of its answer.",
            ["route"],
            registry=self._registry,
        )
        help_text = "Connections that were cut off, by what was late, too long or too many."
        self.cut_off = Counter("modelsync_http_connections_cut_off", help_text, ["why"], registry=self._registry)
        self._of_answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.refused = Counter("modelsync_http_refused", "Requests that were not let in.", ["status"], registry=self._registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One more request, and what its answer took. There are only so many methods, routes and statuses, so each is found once."""
        key = method, route, status
        found = self._of_answers.get(key)
        if found is None:
            found = self._of_answers[key] = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
        requests, durations = found
        requests.inc()
        durations.observe(seconds)

    def shown(self) -> bytes:
        """The text that Prometheus reads. Asks the catalog, so it blocks."""
        return generate_latest(self._registry)


class _FromCatalog(Collector):
    """What the database knows, whoever synced: counted when it is asked for."""

    def __init__(self, reader: MetricsReader) -> None:
        self._reader = reader

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        values = self._reader.now()
        yield _gauge("modelsync_models", "Models in the catalog.", ("provider", "status"), values.models)
        yield _gauge("modelsync_models_active", "Models that are active.", ("provider",), values.active)
        yield _gauge("modelsync_holds", "What waits for a person.", ("provider", "kind"), values.holds)
        waiting: Samples = {labels: _age(values.now, since) for labels, since in values.held_since.items()}
        help_text = "Seconds since the oldest of what waits for a person was held."
        yield _gauge("modelsync_oldest_hold_age_seconds", help_text, ("provider", "kind"), waiting)
        yield _gauge("modelsync_rejections", "What persons rejected and have not taken back.", ("provider", "kind"), values.rejections)
        help_text = "Models that are not listed and stay, because a person rejected their absence."
        yield _gauge("modelsync_models_left_in_place", help_text, ("provider",), values.left_in_place)
        help_text = "Models whose price is not whole: fields that a call may pay are stated and not read."
        yield _gauge("modelsync_models_incomplete_price", help_text, ("provider",), values.incomplete)
        yield _gauge("modelsync_paused", "Whether a person keeps every sync out.", (), {(): float(values.paused)})
        yield _gauge("modelsync_runs", "Runs that are kept, by how they ended.", ("status",), values.runs)
        yield _gauge("modelsync_results", "Results of providers in runs that are kept.", ("provider", "outcome"), values.outcomes)
        yield _gauge("modelsync_sync_duration_seconds", "Seconds that the last sync of a provider took.", ("provider",), values.durations)
        ages: Samples = {(slug,): _age(values.now, at) for slug, at in values.successes.items() if at is not None}
        yield _gauge("modelsync_last_success_age_seconds", "Seconds since the last successful sync.", ("provider",), ages)
        yield _gauge("modelsync_failures_in_a_row", "Failed syncs since the last successful one.", ("provider",), values.failures)
        yield _gauge("modelsync_revision", "How often the catalog was written.", (), {(): values.revision})


def _gauge(name: str, help_text: str, labels: tuple[str, ...], values: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _age(now: datetime, then: datetime) -> float:
    return max(0.0, (now - then).total_seconds())
