"""/metrics of API and worker while a bulk is scanned: promtool reads both, and nothing is missing."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Protocol

import aiohttp
import pytest

from hunter.local.zones import Company


class Client(Protocol):
    http: aiohttp.ClientSession
    url: str
    worker_url: str

    async def finished(self, job: str) -> dict[str, Any]: ...


#: what the production guide and Hunter's own tables name, by the process that shows it
EVERYWHERE = """
    http_requests_total http_request_duration_seconds http_requests_errors_total
    db_connection_pool_size db_connection_pool_max redis_connection_pool_size
    redis_connection_pool_max cpu_usage_percent memory_usage_bytes memory_limit_bytes
    disk_usage_percent hunter_event_loop_lag_seconds hunter_build_info
"""
API = "leads_ingested_total"
WORKER = """
    domains_scanned_total domains_scanned_failed_total arq_tasks_total arq_tasks_failed_total
    alerts_triggered_total db_connection_count db_connection_limit redis_evicted_keys_total
    hunter_chunks hunter_oldest_ready_chunk_seconds hunter_lease_losses_total
    hunter_job_accounting_mismatch hunter_dns_queries_total hunter_dns_query_duration_seconds
    hunter_dns_inflight hunter_dns_window hunter_dns_cache_total hunter_dns_singleflight_total
    hunter_dns_ratelimit_wait_seconds hunter_dns_breaker_open hunter_scan_duration_seconds
    hunter_deliveries hunter_backup_last_success_timestamp_seconds
"""


async def _scrape(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.tool("promtool")
async def test_promtool_reads_both_processes_under_load(
    hunter: Client, companies: list[Company]
) -> None:
    names = "\n".join(each.domain for each in companies)
    kind = {"Content-Type": "text/plain"}
    async with hunter.http.post(
        f"{hunter.url}/api/v1/scan/bulk", data=names, headers=kind
    ) as answer:
        job = (await answer.json())["job_id"]
    scrapes = [
        text
        for _ in range(5)
        for text in await asyncio.gather(
            _scrape(hunter.http, hunter.url), _scrape(hunter.http, hunter.worker_url)
        )
    ]
    await hunter.finished(job)
    async with asyncio.timeout(30):  # some gauges come from the database every ten seconds
        while "\nhunter_chunks{" not in (last := await _scrape(hunter.http, hunter.worker_url)):
            await asyncio.sleep(0.2)

    of_api = await _scrape(hunter.http, hunter.url)
    for text in (*scrapes, last, of_api):
        process = await asyncio.create_subprocess_exec(
            "promtool",
            "check",
            "metrics",
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate(text.encode())
        # 3: it would have named some differently; 1: it cannot read them
        assert process.returncode in {0, 3}, complaint.decode()
    shown = re.findall(r"^# TYPE (\S+)", of_api, re.MULTILINE)
    assert set(f"{EVERYWHERE} {API}".split()) - set(shown) == set()
    shown = re.findall(r"^# TYPE (\S+)", last, re.MULTILINE)
    assert set(f"{EVERYWHERE} {WORKER}".split()) - set(shown) - _HTTP == set()


#: a worker answers probes only
_HTTP = {"http_requests_total", "http_request_duration_seconds", "http_requests_errors_total"}
