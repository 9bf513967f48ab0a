"""What was kept long enough goes, a bounded part at a time; what was not, and what is open, stays."""

from __future__ import annotations

from hunter.store import audit, changes, expiries, judged, registrations, retention
from hunter.store.changes import Change
from hunter.store.database import Database

OLD = """
    INSERT INTO scan_job (id, lane, depth, status, caller, total, n_ok, accepted_at, finished_at)
    SELECT gen_random_uuid(), 'bulk', 'quick', 'completed', 'x', 1, 1, now(), now() - age
    FROM unnest(ARRAY[interval '400 days', interval '100 days', interval '1 day']) AS age
"""
OPEN = """
    INSERT INTO scan_job (id, lane, depth, status, caller, total, accepted_at)
    VALUES (gen_random_uuid(), 'bulk', 'quick', 'pending', 'x', 1, now() - interval '400 days')
"""


async def test_rows_go_when_their_days_are_over(db: Database) -> None:
    async with db.acquire() as conn:
        await conn.execute(OLD)
        await conn.execute(OPEN)
        await conn.execute(
            "INSERT INTO scan_chunk (job_id, lane, domains) SELECT id, 'bulk', '{a.example}' FROM scan_job"
        )
        await conn.execute(
            "INSERT INTO scan_reject (job_id, line, input, reason) SELECT id, 1, 'x', 'y' FROM scan_job"
        )
        await judged.insert_missing(conn, ["a.example"], ["a.example"], [""])
        await changes.add(
            conn, [Change("a.example", "mx_changed", {"mx": 1}, {"mx": 2}, None, None)]
        )
        days = {"chunks": 90, "scan_rejects": 30, "batch_rejects": 30, "jobs": 365, "changes": 30}
        removed = {}
        for kind in retention.KINDS:
            async with conn.transaction():
                removed[kind] = await retention.sweep(conn, kind, days=days[kind])
        left = await conn.fetchval("SELECT count(*) FROM scan_job")

    assert removed == {
        "chunks": 2, "scan_rejects": 2, "batch_rejects": 0, "jobs": 1, "changes": 0,
    }  # fmt: skip
    assert left == 3


async def test_the_audit_log_forgets_what_is_older_than_its_days(db: Database) -> None:
    async with db.acquire() as conn:
        for age in (400, 364, 0):
            await audit.record(conn, "test.done", age)
            await conn.execute(
                "UPDATE audit_log SET at = now() - make_interval(days => $1) WHERE target = $2",
                age,
                str(age),
            )
        await audit.sweep(conn, 365)
        page = await audit.list_entries(conn)

    assert [each.target for each in page.items] == ["0", "364"]


async def test_months_of_results_are_dropped_whole(db: Database) -> None:
    async with db.acquire() as conn:
        await conn.execute("SELECT make_scan_result_partitions('2025-01-01', 2)")
        async with conn.transaction():
            dropped = await retention.drop_results(conn, days=90)
        async with conn.transaction():
            again = await retention.drop_results(conn, days=90)
        this_month = await conn.fetchval(
            "SELECT to_regclass('scan_result_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM'))::text"
        )

    assert (dropped, again) == (2, 0)
    assert this_month is not None


async def test_the_end_of_a_registration_is_told_once_for_each_end(db: Database) -> None:
    async def tell() -> list[tuple[str, str]]:
        async with db.acquire() as conn, conn.transaction():
            ids = await expiries.tell_due(conn)
            rows = await conn.fetch(
                "SELECT domain, kind FROM change WHERE id = ANY($1) ORDER BY domain", ids
            )
            return [(row["domain"], row["kind"]) for row in rows]

    names = [f"{letter}.example" for letter in "abcde"]
    async with db.acquire() as conn:
        await judged.insert_missing(conn, names, names, names)
        await registrations.want(conn, names)
        for domain, days in zip(names, (12, -3, 200, -400, -3), strict=True):
            await conn.execute(
                "UPDATE registration SET state = 'registered', fetched_at = now(), "
                "expires = current_date + $2::integer WHERE domain = $1",
                domain,
                days,
            )
        # asked before it ended: whether it was renewed nobody knows
        await conn.execute(
            "UPDATE registration SET fetched_at = now() - interval '5 days' WHERE domain = 'e.example'"
        )

    assert await tell() == [("a.example", "expire_soon"), ("b.example", "expired")]
    assert await tell() == []
    async with db.acquire() as conn:
        await conn.execute(
            "UPDATE registration SET expires = expires + 5 WHERE domain = 'a.example'"
        )
    assert await tell() == [("a.example", "expire_soon")]
