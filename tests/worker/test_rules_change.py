"""Rules changed under a running worker process: what it judges next is judged by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from hunter.knowledge.load import load_own, shipped_texts


async def test_the_next_result_carries_the_version_of_the_changed_rules(
    case: Any, start_worker: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    rules = folder / "rules.yaml"
    rules.write_text(shipped_texts()["rules"])
    first = load_own(str(folder)).version
    await start_worker(rules_dir=str(folder), rules_poll_s=0.05, rejudge_interval_s=0.05)
    job = await case.submit("d1.example", "d999.example")
    await case.finished(job)
    assert await _versions(case, job) == {first}
    fit = "SELECT fit FROM lead WHERE domain = $1"
    before = await case.ask(fit, "d999.example")

    rules.write_text("groups: broken")
    job = await case.submit("d2.example")
    await case.finished(job)
    assert await _versions(case, job) == {first}

    rules.write_text(shipped_texts()["rules"].replace("cap: 34", "cap: 1"))
    second = load_own(str(folder)).version
    seen = {first}
    while second not in seen:
        job = await case.submit(*(f"d{n}.example" for n in range(10)))
        await case.finished(job)
        seen = await _versions(case, job)
        assert len(seen) == 1, "a chunk is judged by one version"
        assert seen <= {first, second}
    # scanned once only: judged anew from what was seen then
    await case.wait_for("SELECT rules_version = $1 FROM lead WHERE domain = 'd999.example'", second)
    after = await case.ask(fit, "d999.example")
    assert after < before
    assert await case.ask(fit, "d1.example") == after
    assert await case.ask("SELECT kind FROM change WHERE domain = 'd999.example'") == "reclassified"


async def _versions(case: Any, job: UUID) -> set[str]:
    async with case.db.acquire() as conn:
        rows = await conn.fetch(
            "SELECT judgement->>'rules_version' AS v FROM scan_result WHERE job_id = $1", job
        )
    return {row["v"] for row in rows}
