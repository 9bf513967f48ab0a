"""Every metric, in one class over one registry."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Final

from aioprometheus.collectors import Collector, Counter, Gauge, Histogram, Registry
from aioprometheus.formats.text import TextFormatter
from aioprometheus.histogram import Histogram as Observations
from aioprometheus.mypy_types import LabelsType, NumericValueType

from hunter import __version__

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

#: labels of each metric; their values come from closed sets (a route template, never a path;
#: a record type, never a name), so that no caller can make the number of series grow
LABELS: Final[dict[str, tuple[str, ...]]] = {
    "http_requests_total": ("method", "endpoint", "status"),
    "http_requests_errors_total": ("method", "endpoint", "status"),
    "http_request_duration_seconds": ("method", "endpoint"),
    "hunter_key_failures_total": ("reason",),
    "hunter_requests_limited_total": ("by",),
    "hunter_requests_shed_total": ("load",),
    "hunter_requests_in_flight": ("load",),
    "hunter_requests_queued": ("load",),
    "arq_tasks_total": ("task",),
    "arq_tasks_failed_total": ("task",),
    "hunter_chunks": ("state",),
    "hunter_deliveries": ("state",),
    "hunter_dependency_up": ("dependency",),
    "hunter_dns_queries_total": ("type", "outcome"),
    "hunter_dns_messages_total": ("event",),
    "hunter_dns_fallbacks_total": ("to",),
    "hunter_dns_cache_total": ("result",),
    "hunter_policy_fetches_total": ("state",),
    "hunter_registration_lookups_total": ("source", "state"),
    "hunter_scan_stage_cpu_seconds_total": ("stage",),
    "hunter_build_info": ("version",),
    "hunter_rules_info": ("version",),
    "hunter_rejudged_total": ("result",),
    "hunter_retention_removed_total": ("kind",),
    "hunter_delivery_attempts_total": ("channel", "outcome"),
}

_HTTP_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DNS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15)
_SCAN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)


class _Formatter(TextFormatter):
    """The text format of Prometheus, with the escaping that aioprometheus leaves out.

    One unescaped quote in a label would make Prometheus drop the whole scrape.
    """

    def _format_line(
        self,
        name: str,
        labels: LabelsType,
        value: NumericValueType,
        const_labels: LabelsType,
    ) -> str:
        pairs = ",".join(f'{key}="{_escape(str(each))}"' for key, each in labels.items())
        return f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}"

    def marshall_lines(self, collector: Collector) -> list[str]:
        lines: list[str] = super().marshall_lines(collector)
        doc = collector.doc.replace("\\", r"\\").replace("\n", r"\n")
        lines[0] = f"# HELP {collector.name} {doc}"
        return lines


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: object) -> str:
    """Python writes inf and nan; the text format wants +Inf, -Inf and NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    return str(value)


class Metrics:
    """The metrics of one process; every attribute has the name of its metric.

    Gauges that are cheap to read are filled when somebody looks: `on_render` takes a function
    that is called before each scrape. Counters without labels start at 0; those with labels are
    started by `zero`, so that the first error is seen as an increase.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self._before: list[Callable[[], None]] = []
        self._formatter = _Formatter()

        self.http_requests_total = self._counter("http_requests_total", "HTTP requests answered.")
        self.http_requests_errors_total = self._counter(
            "http_requests_errors_total", "HTTP requests answered with a 5xx status."
        )
        self.http_request_duration_seconds = self._histogram(
            "http_request_duration_seconds", "Time from request to end of answer.", _REQUEST_BUCKETS
        )
        self.hunter_key_failures_total = self._counter(
            "hunter_key_failures_total",
            "Requests refused for their key: wrong, revoked, expired, without the scope, or throttled.",
        )
        self.hunter_requests_limited_total = self._counter(
            "hunter_requests_limited_total", "Requests refused by a rate limit or a quota."
        )
        self.hunter_rate_limits_local = self._gauge(
            "hunter_rate_limits_local",
            "1 while this process limits for itself because Redis is away.",
        )
        self.hunter_requests_shed_total = self._counter(
            "hunter_requests_shed_total",
            "Requests turned away by a full server, by class of route.",
        )
        self.hunter_requests_in_flight = self._gauge(
            "hunter_requests_in_flight", "Requests under way, by class of route."
        )
        self.hunter_requests_queued = self._gauge(
            "hunter_requests_queued", "Requests that wait for a place, by class of route."
        )
        self.db_connection_pool_size = self._gauge(
            "db_connection_pool_size", "PostgreSQL connections of this process in use."
        )
        self.db_connection_pool_max = self._gauge(
            "db_connection_pool_max", "PostgreSQL connections this process may open."
        )
        self.redis_connection_pool_size = self._gauge(
            "redis_connection_pool_size", "Redis connections of this process in use."
        )
        self.redis_connection_pool_max = self._gauge(
            "redis_connection_pool_max", "Redis connections this process may open."
        )
        self.db_connection_count = self._gauge(
            "db_connection_count", "Connections the PostgreSQL server has, of all its clients."
        )
        self.db_connection_limit = self._gauge(
            "db_connection_limit", "Connections the PostgreSQL server allows."
        )
        self.redis_evicted_keys_total = self._counter(
            "redis_evicted_keys_total", "Keys the Redis server threw away for lack of memory."
        )

        self.domains_scanned_total = self._counter(
            "domains_scanned_total", "Domains scanned, whatever came out."
        )
        self.domains_scanned_failed_total = self._counter(
            "domains_scanned_failed_total", "Domains on which Hunter itself failed."
        )
        self.leads_ingested_total = self._counter(
            "leads_ingested_total", "Companies taken in by ingest."
        )
        self.alerts_triggered_total = self._counter(
            "alerts_triggered_total", "Alerts that a change of a lead set off."
        )
        self.arq_tasks_total = self._counter("arq_tasks_total", "arq tasks run.")
        self.arq_tasks_failed_total = self._counter(
            "arq_tasks_failed_total", "arq tasks that ended with an exception."
        )
        self.hunter_chunks = self._gauge("hunter_chunks", "Chunks of scan jobs by state.")
        self.hunter_oldest_ready_chunk_seconds = self._gauge(
            "hunter_oldest_ready_chunk_seconds", "Age of the oldest chunk nobody has claimed."
        )
        self.hunter_lease_losses_total = self._counter(
            "hunter_lease_losses_total", "Leases that ran out before their chunk was committed."
        )
        self.hunter_job_accounting_mismatch = self._gauge(
            "hunter_job_accounting_mismatch",
            "Finished jobs whose results do not add up; must be 0.",
        )
        self.hunter_deliveries = self._gauge("hunter_deliveries", "Deliveries of alerts by state.")
        self.hunter_backup_last_success_timestamp_seconds = self._gauge(
            "hunter_backup_last_success_timestamp_seconds",
            "When the last verified backup ended, in Unix time; 0 when there was none.",
        )
        self.hunter_dependency_up = self._gauge(
            "hunter_dependency_up",
            "1 when PostgreSQL or Redis answers this process, 0 when it does not.",
        )
        self.hunter_scan_duration_seconds = self._histogram(
            "hunter_scan_duration_seconds", "Time of the survey of one domain.", _SCAN_BUCKETS
        )
        self.hunter_scan_stage_cpu_seconds_total = self._counter(
            "hunter_scan_stage_cpu_seconds_total",
            "Processor time of a worker by stage; what is left of its total is DNS and event loop.",
        )

        self.hunter_policy_fetches_total = self._counter(
            "hunter_policy_fetches_total", "MTA-STS policy files asked for, by what came of it."
        )
        self.hunter_registration_lookups_total = self._counter(
            "hunter_registration_lookups_total",
            "Registrations looked up, by protocol and what came of it.",
        )

        self.hunter_dns_queries_total = self._counter(
            "hunter_dns_queries_total", "Questions by record type and outcome."
        )
        self.hunter_dns_messages_total = self._counter(
            "hunter_dns_messages_total",
            "Messages to name servers by what became of them, and strangers' messages ignored.",
        )
        self.hunter_dns_retries_total = self._counter(
            "hunter_dns_retries_total", "Questions tried again after a try that failed."
        )
        self.hunter_dns_fallbacks_total = self._counter(
            "hunter_dns_fallbacks_total",
            "Questions asked again over TCP (truncated) or without EDNS (refused).",
        )
        self.hunter_dns_query_duration_seconds = self._histogram(
            "hunter_dns_query_duration_seconds",
            "Time from question to answer, retries included.",
            _DNS_BUCKETS,
        )
        self.hunter_dns_inflight = self._gauge(
            "hunter_dns_inflight", "Questions sent and not yet answered."
        )
        self.hunter_dns_window = self._gauge(
            "hunter_dns_window", "Questions that may be in flight at once, found by the engine."
        )
        self.hunter_dns_cache_total = self._counter(
            "hunter_dns_cache_total", "Looks into the cache of shared names by result."
        )
        self.hunter_dns_cache_entries = self._gauge(
            "hunter_dns_cache_entries", "Answers about shared names kept at the moment."
        )
        self.hunter_dns_cache_evictions_total = self._counter(
            "hunter_dns_cache_evictions_total",
            "Fresh answers thrown away because the cache is full.",
        )
        self.hunter_dns_singleflight_total = self._counter(
            "hunter_dns_singleflight_total", "Questions that joined one already under way."
        )
        self.hunter_dns_ratelimit_wait_seconds = self._histogram(
            "hunter_dns_ratelimit_wait_seconds",
            "Time questions waited for HUNTER_DNS_MAX_QPS.",
            _DNS_BUCKETS,
        )
        self.hunter_dns_engine_compiled = self._gauge(
            "hunter_dns_engine_compiled", "1 when the DNS engine runs compiled, 0 interpreted."
        )
        self.hunter_dns_servers = self._gauge(
            "hunter_dns_servers", "Name servers this process may ask."
        )
        self.hunter_dns_breaker_open = self._gauge(
            "hunter_dns_breaker_open",
            "Name servers that are left alone because they do not answer.",
        )

        self.process_cpu_seconds_total = self._counter(
            "process_cpu_seconds_total", "Processor time of this process."
        )
        self.hunter_dns_breaker_openings_total = self._counter(
            "hunter_dns_breaker_openings_total", "Times a name server was found not to answer."
        )

        self.cpu_usage_percent = self._gauge(
            "cpu_usage_percent", "CPU time used, of what the cgroup or the machine allows."
        )
        self.memory_usage_bytes = self._gauge(
            "memory_usage_bytes", "Memory in use that cannot be dropped."
        )
        self.memory_limit_bytes = self._gauge(
            "memory_limit_bytes", "Memory the cgroup or the machine allows."
        )
        self.disk_usage_percent = self._gauge(
            "disk_usage_percent", "Use of the disk that holds HUNTER_DATA_DIR."
        )
        self.hunter_event_loop_lag_seconds = self._gauge(
            "hunter_event_loop_lag_seconds",
            "Longest delay of a timer of the event loop in the last 10 s.",
        )
        self.hunter_rules_info = self._gauge(
            "hunter_rules_info", "Always 1; the version of the rules in force is a label."
        )
        self.hunter_rules_reload_failures_total = self._counter(
            "hunter_rules_reload_failures_total",
            "Changed files of HUNTER_RULES_DIR that had mistakes and were not taken.",
        )
        self.hunter_rejudged_total = self._counter(
            "hunter_rejudged_total", "Leads judged anew without a scan, by what came out."
        )
        self.hunter_retention_removed_total = self._counter(
            "hunter_retention_removed_total",
            "Rows deleted because they were kept long enough, and months of results dropped, by kind.",
        )
        self.hunter_scan_health_degraded_total = self._counter(
            "hunter_scan_health_degraded_total",
            "Times that so many domains changed or fell silent at once that scans were not trusted.",
        )
        self.hunter_rejudge_held_total = self._counter(
            "hunter_rejudge_held_total", "Runs held because too many providers would change."
        )
        self.hunter_delivery_attempts_total = self._counter(
            "hunter_delivery_attempts_total", "Tries to deliver a message, by what came of them."
        )
        self.hunter_deliveries_dead_total = self._counter(
            "hunter_deliveries_dead_total", "Messages given up."
        )
        self.hunter_delivery_wait_seconds = self._histogram(
            "hunter_delivery_wait_seconds",
            "Time from the commit of a change to the first try of its message.",
            _SCAN_BUCKETS,
        )
        self.hunter_build_info = self._gauge(
            "hunter_build_info", "Always 1; the version is a label."
        )
        self.hunter_build_info.set({"version": __version__}, 1)

    def _counter(self, name: str, doc: str) -> Counter:
        counter = Counter(name, doc, registry=self.registry)
        if name not in LABELS:
            counter.set({}, 0)
        return counter

    def _gauge(self, name: str, doc: str) -> Gauge:
        return Gauge(name, doc, registry=self.registry)

    def _histogram(self, name: str, doc: str, buckets: tuple[float, ...]) -> Histogram:
        histogram = Histogram(name, doc, registry=self.registry, buckets=buckets)
        if name not in LABELS:
            histogram.set_value({}, Observations(*buckets))  # seen from the start, as counters are
        return histogram

    def on_render(self, fill: Callable[[], None]) -> None:
        """Call `fill` before every scrape; it sets gauges from values at hand and never waits."""
        self._before.append(fill)

    def count_request(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count one HTTP request; `endpoint` is the route template."""
        method = method if method in _HTTP_METHODS else "other"
        labels = {"method": method, "endpoint": endpoint, "status": str(status)}
        self.http_requests_total.inc(labels)
        if status >= 500:
            self.http_requests_errors_total.inc(labels)
        self.http_request_duration_seconds.observe(
            {"method": method, "endpoint": endpoint}, seconds
        )

    def render(self) -> bytes:
        """The text format, version 0.0.4. A metric that has no value yet is left out."""
        for fill in self._before:
            fill()
        collectors = sorted(self.registry.get_all(), key=lambda each: each.name)
        blocks = (self._formatter.marshall_collector(each) for each in collectors if each.values)
        return ("\n".join(blocks) + "\n").encode()


def zero(counter: Counter, **labels: Iterable[str]) -> None:
    """Start every series of a labelled counter at 0: `zero(counter, task=("scan", "sweep"))`."""
    for values in itertools.product(*labels.values()):
        series = dict(zip(labels, map(str, values), strict=True))
        if series not in counter.values:
            counter.set(series, 0)
