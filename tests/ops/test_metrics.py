"""Metrics: names, closed label sets, escaping."""

import re
import subprocess

import pytest
from aioprometheus.collectors import Counter, Gauge, Histogram

from hunter.core.answers import Outcome, RRType
from hunter.ops.metrics import LABELS, Metrics, zero

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
_NUMBER = r"(?:[+-]?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|Inf)|NaN)"
_SAMPLE = re.compile(rf"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{{{_LABEL}(?:,{_LABEL})*\}})? {_NUMBER}")


def _check_text_format(text: str) -> None:
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or _SAMPLE.fullmatch(line), line


def test_every_attribute_has_the_name_of_its_metric() -> None:
    metrics = Metrics()

    collectors = {
        name: each
        for name, each in vars(metrics).items()
        if isinstance(each, Counter | Gauge | Histogram)
    }

    assert {name: each.name for name, each in collectors.items()} == {n: n for n in collectors}
    assert set(LABELS) <= set(collectors)


def test_a_counter_without_labels_starts_at_zero() -> None:
    text = Metrics().render().decode()

    assert "\ndomains_scanned_total 0\n" in text
    assert "\ndomains_scanned_failed_total 0\n" in text


def test_a_gauge_that_nobody_fills_is_not_shown() -> None:
    assert b"hunter_dns_window" not in Metrics().render()


def test_zero_starts_every_series_and_keeps_what_was_counted() -> None:
    metrics = Metrics()
    metrics.hunter_dns_queries_total.inc({"type": "MX", "outcome": "found"})

    zero(metrics.hunter_dns_queries_total, type=RRType, outcome=Outcome)

    text = metrics.render().decode()
    assert 'hunter_dns_queries_total{outcome="timeout",type="MX"} 0' in text
    assert 'hunter_dns_queries_total{outcome="found",type="MX"} 1' in text


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\\b", 'a\\"b\n'])
def test_no_label_value_can_break_the_scrape(value: str) -> None:
    metrics = Metrics()
    metrics.arq_tasks_total.inc({"task": value})

    text = metrics.render().decode()

    _check_text_format(text)
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    assert f'arq_tasks_total{{task="{escaped}"}} 1' in text


def test_help_text_is_escaped() -> None:
    metrics = Metrics()
    Counter("odd_total", "two\nlines \\ and a backslash", registry=metrics.registry).inc({})

    assert b"# HELP odd_total two\\nlines \\\\ and a backslash\n" in metrics.render()


def test_numbers_without_end_are_written_as_prometheus_reads_them() -> None:
    metrics = Metrics()
    metrics.hunter_chunks.set({"state": "ready"}, float("inf"))
    metrics.hunter_chunks.set({"state": "done"}, float("-inf"))
    metrics.hunter_chunks.set({"state": "dead"}, float("nan"))

    text = metrics.render().decode()

    _check_text_format(text)
    assert 'hunter_chunks{state="ready"} +Inf' in text
    assert 'hunter_chunks{state="done"} -Inf' in text
    assert 'hunter_chunks{state="dead"} NaN' in text


def test_a_request_is_counted_once_and_an_error_twice() -> None:
    metrics = Metrics()

    metrics.count_request("GET", "/api/v1/leads", 200, 0.02)
    metrics.count_request("GET", "/api/v1/leads", 503, 0.02)

    text = metrics.render().decode()
    _check_text_format(text)
    assert 'http_requests_total{endpoint="/api/v1/leads",method="GET",status="200"} 1' in text
    assert (
        'http_requests_errors_total{endpoint="/api/v1/leads",method="GET",status="503"} 1' in text
    )
    assert 'status="200"' not in "\n".join(
        line for line in text.splitlines() if line.startswith("http_requests_errors_total")
    )
    assert (
        'http_request_duration_seconds_bucket{endpoint="/api/v1/leads",method="GET",le="+Inf"} 2.0'
        in text
    )


def test_a_made_up_method_makes_no_new_series() -> None:
    metrics = Metrics()

    for method in ("BREW", "PROPFIND", 'X"Y'):
        metrics.count_request(method, "unmatched", 405, 0.0)

    assert (
        b'http_requests_total{endpoint="unmatched",method="other",status="405"} 3'
        in metrics.render()
    )


def test_gauges_can_be_filled_when_somebody_looks() -> None:
    metrics = Metrics()
    sizes = iter((3, 4))
    metrics.on_render(lambda: metrics.db_connection_pool_size.set({}, next(sizes)))

    assert b"db_connection_pool_size 3\n" in metrics.render()
    assert b"db_connection_pool_size 4\n" in metrics.render()


def test_two_processes_in_one_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.leads_ingested_total.inc({})

    assert b"\nleads_ingested_total 0\n" in second.render()


@pytest.mark.tool("promtool")
def test_prometheus_itself_reads_what_we_write() -> None:
    metrics = Metrics()
    metrics.count_request("GET", 'quote " and \\', 503, 0.1)
    metrics.hunter_dns_queries_total.inc({"type": "MX", "outcome": "found"})

    read = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.render(), capture_output=True, check=False
    )

    # 3 says that it would have named some metrics differently; 1, that it cannot read them
    assert read.returncode in {0, 3}, read.stderr
