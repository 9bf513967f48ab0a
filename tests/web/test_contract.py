"""The running API is what its document says: schemathesis with all its checks, over every operation."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from hunter.config import Config
from hunter.local.servers import free_port
from hunter.web.openapi import document

CONTRACT = Path(__file__).parent / "contract"
KEY = "a-key-of-more-than-24-characters"
AddLead = Callable[..., Awaitable[Any]]
AddResult = Callable[..., Awaitable[None]]


@asynccontextmanager
async def _api(config: Config, **more: str) -> AsyncIterator[str]:
    """`hunter serve` as a process of its own over the test's database, and its URL."""
    port = free_port()
    environ = {name: text for name, text in os.environ.items() if name[:7] != "HUNTER_"} | {
        "HUNTER_PORT": str(port),
        "HUNTER_DATABASE_URL": str(config.database_url),
        "HUNTER_REDIS_URL": str(config.redis_url),
        "HUNTER_DATA_DIR": str(config.data_dir),
        "HUNTER_ALLOW_TEST_NAMES": "true",
        "HUNTER_LOG_LEVEL": "error",
        "HUNTER_RATE_LIMIT": "0",  # as many requests as a minute holds
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hunter", "serve", env=environ | more
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30):
            while not await _is_ready(url):
                await asyncio.sleep(0.05)
        yield url
    finally:
        child.terminate()
        await child.wait()


async def _is_ready(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/healthz/startup") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _prepared(url: str, add_result: AddResult) -> dict[str, str]:
    """Things laid into the API's database; parameters by which operations find them."""
    async with aiohttp.ClientSession(f"{url}/api/v1/") as http:

        async def made(path: str, **body: Any) -> Any:
            async with http.post(path, **body) as answer:
                assert answer.status in {201, 202}, await answer.text()
                return await answer.json()

        names = {"domains": ["contoso.com", "fabrikam.com.tr", "no domain"]}
        job = await made("scan/bulk", json=names)
        rows = b"Web Sitesi;Firma\nwww.contoso.com;Contoso\nyok;Kimse\n"
        batch = await made("ingest/csv", data=rows, headers={"Content-Type": "text/csv"})
        for domain, outcome in (("contoso.com", "ok"), ("fabrikam.com.tr", "failed")):
            await add_result(job["job_id"], domain, outcome)
    return {"path.job_id": job["job_id"], "path.batch_id": batch["batch_id"]}


async def _held_to_contract(
    url: str, folder: Path, parameters: dict[str, str], *options: str
) -> None:
    """Fails with the report of schemathesis when it finds anything."""
    lines = [f'"{name}" = "{value}"' for name, value in parameters.items()]
    rules = (CONTRACT / "schemathesis.toml").read_text()
    config = folder / "schemathesis.toml"
    config.write_text("\n".join([rules, "[parameters]", *lines]) + "\n")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "st",
        f"--config-file={config}",
        "run",
        f"{url}/openapi.json",
        "--checks=all",
        "--seed=1",
        "--no-color",
        "--warnings=off",
        *options,
        stdout=asyncio.subprocess.PIPE,
        cwd=folder,  # its findings of before are no guide to this run
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CONTRACT)},
    )
    report, _ = await process.communicate()
    assert process.returncode == 0, report.decode()[-20_000:]


@pytest.mark.timeout(300)
async def test_every_operation_answers_as_the_document_says(
    config: Config, tmp_path: Path, add_lead: AddLead, add_result: AddResult
) -> None:
    for domain in ("contoso.com", "fabrikam.com.tr"):
        await add_lead(domain, "Contoso A.Ş.")

    async with _api(config) as url:
        parameters = await _prepared(url, add_result)
        await _held_to_contract(
            url, tmp_path, parameters, "--exclude-deprecated", "--max-examples=2"
        )


async def test_earlier_paths_answer_as_the_document_says(
    config: Config, tmp_path: Path, add_lead: AddLead
) -> None:
    await add_lead("contoso.com")

    async with _api(config) as url:
        await _held_to_contract(
            url,
            tmp_path,
            {},
            "--include-path-regex=^/(scan/domain|leads|leads/{domain})$",
            "--phases=fuzzing",
            "--max-examples=3",
        )


async def test_a_server_with_keys_lets_nobody_in_without_one(
    config: Config, tmp_path: Path, add_lead: AddLead
) -> None:
    await add_lead("contoso.com")

    async with _api(config, HUNTER_ADMIN_KEY=KEY) as url:
        await _held_to_contract(
            url,
            tmp_path,
            {},
            "--include-path-regex=^/api/v1/(leads|admin/rules)$",  # more guesses at a key are slowed
            "--phases=fuzzing",
            "--max-examples=1",
            f"--header=Authorization: Bearer {KEY}",
        )


def _served(is_open: bool) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document(is_open=is_open)))


@pytest.mark.parametrize("is_open", [True, False])
def test_the_document_is_openapi_as_its_specification_says(is_open: bool) -> None:
    OpenAPIV31SpecValidator(_served(is_open)).validate()


def test_only_a_server_without_keys_says_that_none_is_needed() -> None:
    def free(is_open: bool) -> bool:
        operation = _served(is_open)["paths"]["/api/v1/leads"]["get"]
        return {} in operation["security"]

    assert free(is_open=True)
    assert not free(is_open=False)
