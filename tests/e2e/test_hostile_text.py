"""What a stranger writes into DNS on its way through: stored whole, shown harmless."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from pytest_aiohttp import AiohttpClient

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.store.database import Database
from hunter.store.identifiers import uuid7
from hunter.web.app import create_app

#: NUL, a coloured line and the end of it, a cleared screen by one byte (C1), no UTF-8, markup,
#: a reversed line, a lone surrogate, a formula, and what JSON and SQL quote
HOSTILE = (
    r"\000\027[31mred\027[0m\007 \194\155\050J \255\254 <script>alert(1)</script> "
    r"\226\128\174 \237\160\128 =cmd|x '; DROP TABLE lead;-- \"{}\" [bold]rich[/bold] \010\013"
)
ZONE = rf"""
evil.example MX 10 evil-example.mail.protection.outlook.com
evil.example MX 20 \027[2J\000mx.evil.example
evil.example TXT "v=spf1 include:spf.protection.outlook.com {HOSTILE} -all"
evil.example TXT "MS=ms12345678 {HOSTILE}"
evil.example TXT "{HOSTILE}"
evil.example TXT "salesforce-site-verification={HOSTILE}"
evil.example NS ns.\027[1;31m\255.evil.example
_dmarc.evil.example TXT "v=DMARC1; p=reject; rua=mailto:{HOSTILE}@evil.example"
autodiscover.evil.example CNAME \027[5m<b>.outlook.com
selector1._domainkey.evil.example TXT "v=DKIM1; k=rsa; p={HOSTILE}"
_mta-sts.evil.example TXT "v=STSv1; id={HOSTILE}"
_smtp._tls.evil.example TXT "v=TLSRPTv1; rua=mailto:{HOSTILE}"
default._bimi.evil.example TXT "v=BIMI1; l=https://{HOSTILE}"
evil.example CAA 0 issue "{HOSTILE}"
kind.example MX 10 mx.kind.example
kind.example TXT "v=spf1 mx -all"
"""
#: bytes by which text becomes commands to a terminal: C0 without the line feed, DEL, and C1 in UTF-8
_COMMANDS = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
#: marks that turn text around
_REVERSED = re.compile("[\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    async with NameServer(ZONE) as server:
        yield server


@pytest.fixture
async def job_id(
    db: Database, hints: Hints, config: Config, name_server: NameServer
) -> AsyncIterator[UUID]:
    """Both domains scanned at full depth and stored."""
    lines = [Line(1, "evil.example"), Line(2, "kind.example")]
    accepted = await accept_scan(
        db, hints, lines, lane="bulk", depth=Depth.FULL, allow_test_names=True
    )
    settings = dataclasses.replace(config, dns_servers=(name_server.address,))
    async with open_engine(settings) as engine:
        scanner = Scanner(
            db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20
        )
        assert await scanner.take_next("bulk")
        yield UUID(accepted.job_id)


async def test_every_row_is_stored_and_the_evidence_is_whole(db: Database, job_id: UUID) -> None:
    async with db.acquire() as conn:
        rows = await conn.fetch(
            "SELECT domain, outcome, judgement::text AS judgement FROM scan_result "
            "WHERE job_id = $1 ORDER BY domain",
            job_id,
        )
        evidence = await conn.fetchval(
            "SELECT evidence::text FROM observation WHERE domain = 'evil.example'"
        )

    assert [(row["domain"], row["outcome"]) for row in rows] == [
        ("evil.example", "ok"),
        ("kind.example", "ok"),
    ]
    assert json.loads(rows[0]["judgement"])["provider"] == "microsoft365"
    texts = json.loads(evidence)["answers"]["evil.example TXT"]["records"]
    # NUL cannot be stored, nor what is no UTF-8: they stand as \xHH; the rest as it came
    assert texts[2].startswith("\\x00\x1b[31mred\x1b[0m\x07 \x9b2J \\xff\\xfe <script>")


async def test_the_api_answers_with_json_and_csv_that_no_reader_stumbles_over(
    aiohttp_client: AiohttpClient, config: Config, job_id: UUID
) -> None:
    client: Any = await aiohttp_client(create_app(config))
    bodies: dict[str, bytes] = {}
    for path in (
        "/leads",
        "/leads/evil.example",
        "/leads/evil.example/score-breakdown",
        "/leads/evil.example/sales-summary?lang=tr",
        f"/scan/bulk/{job_id}/results",
        f"/scan/bulk/{job_id}/results?format=ndjson",
        f"/scan/bulk/{job_id}/results?format=csv",
    ):
        async with client.get(f"/api/v1{path}") as answer:
            assert answer.status == 200, path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            # whatever stands in it, no browser takes it for a page
            assert answer.content_type in {"application/json", "application/x-ndjson", "text/csv"}
            bodies[path.rpartition("/")[2]] = await answer.read()

    for name, body in bodies.items():
        if name.endswith("ndjson"):
            assert [json.loads(line)["domain"] for line in body.splitlines()] == [
                "evil.example",
                "kind.example",
            ]
        elif name.endswith("csv"):
            rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
            assert [row[0] for row in rows[1:]] == ["evil.example", "kind.example"]
            assert {len(row) for row in rows} == {len(rows[0])}
            assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
            assert not _COMMANDS.search(body.replace(b"\r\n", b"\n"))
        else:
            assert json.loads(body)
            assert b"\x1b" not in body


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--json", "--array")])
@pytest.mark.parametrize("depth", Depth)
async def test_no_command_reaches_a_terminal(
    name_server: NameServer, depth: Depth, arguments: tuple[str, ...]
) -> None:
    host, port = name_server.address
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hunter", "scan", "evil.example", "kind.example"),
        *("--depth", depth, "--dns", f"{host}:{port}", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ) | {"HUNTER_ALLOW_TEST_NAMES": "true"},
    )
    out, err = await process.communicate()

    assert process.returncode == 0, err.decode()
    assert b"evil.example" in out
    for shown in (out, err):
        assert not _COMMANDS.search(shown)
        assert not _REVERSED.search(shown.decode())
    if arguments:
        lines = out.splitlines() if len(arguments) == 1 else [out]
        read = [json.loads(line) for line in lines]
        (evil,) = [
            each
            for each in (read if len(arguments) == 1 else read[0])
            if each["domain"] == "evil.example"
        ]
        # nothing is lost: the escapes of JSON give back what DNS said
        assert "\x1b[31mred" in evil["spf"]["value"]
