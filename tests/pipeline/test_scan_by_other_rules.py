"""A scan by other rules than the last: what the rules did is told apart from what the scan found."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from hunter.config import Config
from hunter.core.answers import Depth
from hunter.core.schedule import Watch
from hunter.knowledge.load import Knowledge, build_knowledge, load_knowledge, shipped_texts
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.queue.hints import Hints
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store import rule_sets
from hunter.store.database import Database
from hunter.store.identifiers import uuid7

QUICK = Tuning(timeouts_s=(0.1, 0.1, 0.1), tick_s=0.01, tcp_timeout_s=0.3, sockets_min=4)
OWN = (
    "a.example. MX 10 mx.a.example.\nmx.a.example. A 192.0.2.1\na.example. NS ns.a.example.\n"
    'a.example. TXT "v=spf1 mx -all"\n'
)
GOOGLE_TOO = "a.example. MX 10 aspmx.l.google.com.\n"


def less_for_own_servers() -> Knowledge:
    text = shipped_texts()["rules"]
    old = "points: 30, when: [mail_self_hosted]"
    assert old in text
    changed = text.replace(old, "points: 19, when: [mail_self_hosted]")
    return build_knowledge(shipped_texts() | {"rules": changed})


@pytest.mark.parametrize("files_are_kept", [True, False], ids=["files kept", "files not kept"])
async def test_only_the_rules_own_effect_is_told_and_only_once(
    db: Database, hints: Hints, config: Config, *, files_are_kept: bool
) -> None:
    shipped, other = load_knowledge(), less_for_own_servers()
    async with db.acquire() as conn:
        if files_are_kept:
            await rule_sets.keep(conn, shipped.version, shipped.texts)
    async with NameServer(OWN) as server:
        settings = dataclasses.replace(config, dns_servers=(server.address,))
        async with open_engine(settings, tuning=QUICK) as engine:
            scanner = Scanner(
                db,
                hints,
                engine,
                shipped,
                Metrics(),
                worker_id=uuid7(),
                lease_s=20,
                watch=Watch(confirm_s=0),
            )
            await scan(db, hints, scanner)
            scanner.use(other)
            server.load(GOOGLE_TOO)
            await scan(db, hints, scanner)
            await scan(db, hints, scanner)

    async with db.acquire() as conn:
        lead = await conn.fetchrow("SELECT provider, rules_version FROM lead")
        told = await conn.fetch("SELECT * FROM change")
    assert lead is not None
    assert (lead["provider"], lead["rules_version"]) == ("google_workspace", other.version)
    # what the second look confirmed is told beside it, and not as the rules' doing
    assert {each["kind"] for each in told} > {"reclassified", "provider_changed"}
    (change,) = [each for each in told if each["kind"] == "reclassified"]
    before, after = (msgspec.json.decode(change[name]) for name in ("before", "after"))
    assert (change["domain"], change["kind"]) == ("a.example", "reclassified")
    assert (before.keys(), before["score"] - after["score"]) == ({"score"}, 11)


async def scan(db: Database, hints: Hints, scanner: Any) -> None:
    accepted = await accept_scan(
        db, hints, [Line(1, "a.example")], lane="bulk", depth=Depth.QUICK, allow_test_names=True
    )
    async with db.acquire() as conn:
        chunk = await conn.fetchval(
            "SELECT id FROM scan_chunk WHERE job_id = $1::text::uuid", accepted.job_id
        )
    assert await scanner.look_at(chunk, "bulk")
