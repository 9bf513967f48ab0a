"""One chunk: what is written of it, what is not, and that one bad domain never sinks it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

import pytest

from hunter.config import Config, Secret
from hunter.core.answers import Depth, Survey
from hunter.core.errors import NotFound, Unavailable
from hunter.core.facts import Rules
from hunter.core.schedule import Watch
from hunter.knowledge.load import load_knowledge
from hunter.local.nameserver import NameServer
from hunter.local.proxy import Proxy
from hunter.ops.metrics import Metrics
from hunter.pipeline.accept import Line, accept_scan
from hunter.pipeline.scan import Scanner
from hunter.pipeline.verdicts import Seen
from hunter.queue.hints import Hints
from hunter.resolver.engine import Engine
from hunter.resolver.opening import open_engine
from hunter.resolver.tuning import Tuning
from hunter.store import alerts, chunks, completion, ingests, jobs, leads, results, suppressions
from hunter.store.chunks import Claim
from hunter.store.database import Connection, Database, open_database
from hunter.store.identifiers import uuid7
from hunter.store.ingests import Company
from hunter.store.judged import Standing
from hunter.store.results import Result

T = TypeVar("T")
ZONE = "\n".join(
    f"{name}.example. MX 10 mx.{name}.example.\n{name}.example. NS ns.{name}.example.\n"
    f'{name}.example. TXT "v=spf1 mx -all"'
    for name in "abcd"
)
QUICK = Tuning(timeouts_s=(0.1, 0.1, 0.1), tick_s=0.01, tcp_timeout_s=0.3, sockets_min=4)


@pytest.fixture
async def name_server() -> AsyncIterator[NameServer]:
    async with NameServer(ZONE) as server:
        yield server


@pytest.fixture
async def engine(config: Config, name_server: NameServer) -> AsyncIterator[Engine]:
    settings = dataclasses.replace(config, dns_servers=(name_server.address,))
    async with open_engine(settings, tuning=QUICK) as opened:
        yield opened


Run = Callable[..., Awaitable[UUID]]


@pytest.fixture
def run(db: Database, hints: Hints, engine: Engine) -> Run:
    """Accept names as a job of one chunk and let a scanner look at it; the job's id."""

    async def scan(
        *names: str, scanner: type[Scanner] = Scanner, over: Database | None = None
    ) -> UUID:
        lines = [Line(number, name) for number, name in enumerate(names, start=1)]
        accepted = await accept_scan(
            db, hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True
        )
        job_id = UUID(accepted.job_id)
        await make(scanner, over or db).look_at(await _chunk_of(db, job_id), "bulk")
        return job_id

    def make(kind: type[Scanner], database: Database) -> Scanner:
        return kind(
            database,
            hints,
            engine,
            load_knowledge(),
            Metrics(),
            worker_id=uuid7(),
            lease_s=20,
            watch=Watch(confirm_s=0),
        )

    return scan


async def _chunk_of(db: Database, job_id: UUID) -> int:
    async with db.acquire() as conn:
        return int(await conn.fetchval("SELECT id FROM scan_chunk WHERE job_id = $1", job_id))


async def _results(db: Database, job_id: UUID) -> dict[str, Result]:
    async with db.acquire() as conn:
        page = await results.results_page(conn, job_id)
    return {result.domain: result for result in page.items}


async def _value(db: Database, query: str, *arguments: object) -> Any:
    async with db.acquire() as conn:
        return await conn.fetchval(query, *arguments)


async def test_a_chunk_leaves_results_leads_and_observations(db: Database, run: Run) -> None:
    job_id = await run("b.example", "a.example", "nowhere.example")

    found = await _results(db, job_id)
    assert list(found) == ["a.example", "b.example", "nowhere.example"]
    assert {result.outcome for result in found.values()} == {"ok"}
    async with db.acquire() as conn:
        lead = await leads.get(conn, "a.example")
        progress = await jobs.progress(conn, job_id)
    assert lead.judgement == found["a.example"].judgement
    assert lead.scan_status == "ok"
    assert (progress.succeeded, progress.processed) == (3, 3)
    assert await _value(db, "SELECT count(*) FROM observation") == 3


async def test_an_unanswered_domain_is_unknown_and_no_lead_is_spoiled(
    db: Database, run: Run, name_server: NameServer
) -> None:
    await run("a.example")
    async with db.acquire() as conn:
        before = await leads.get(conn, "a.example")
    name_server.load(";! a.example timeout\n;! .a.example timeout\n;! new.example timeout")

    job_id = await run("a.example", "new.example")

    found = await _results(db, job_id)
    assert {result.outcome for result in found.values()} == {"unknown"}
    async with db.acquire() as conn:
        after = await leads.get(conn, "a.example")
        progress = await jobs.progress(conn, job_id)
    assert (after.segment, after.provider) == (before.segment, before.provider)
    assert after.fingerprint == before.fingerprint
    assert progress.unknown == 2
    assert await _value(
        db,
        "SELECT survey IS NOT NULL FROM scan_result WHERE domain = 'a.example' AND job_id = $1",
        job_id,
    )


async def test_the_same_again_moves_the_observation(db: Database, run: Run) -> None:
    await run("a.example")
    await run("a.example")

    assert await _value(db, "SELECT count(*) FROM observation") == 1
    assert await _value(db, "SELECT observed_to > observed_from FROM observation")


async def test_a_change_is_a_new_observation(
    db: Database, run: Run, name_server: NameServer
) -> None:
    await run("a.example")
    name_server.replace("a.example. MX 0 a-example.mail.protection.outlook.com.")

    await run("a.example")
    assert await _value(db, "SELECT count(*) FROM observation") == 1, "once seen is not believed"
    await run("a.example")

    assert await _value(db, "SELECT count(*) FROM observation") == 2
    current = "SELECT o.fingerprint = l.fingerprint FROM lead l JOIN observation o ON o.id = l.observation_id"
    assert await _value(db, current)


async def test_an_older_survey_writes_its_result_only(db: Database, run: Run) -> None:
    await run("a.example", "b.example")
    await run("a.example")
    async with db.acquire() as conn:
        await conn.execute(
            "UPDATE lead SET last_scanned_at = now() + interval '1 hour' WHERE domain = 'a.example'"
        )
        before = await conn.fetchrow("SELECT * FROM lead WHERE domain = 'a.example'")

    job_id = await run("a.example", "b.example")

    async with db.acquire() as conn:
        after = await conn.fetchrow("SELECT * FROM lead WHERE domain = 'a.example'")
    assert before == after
    assert set(await _results(db, job_id)) == {"a.example", "b.example"}
    assert await _value(
        db, "SELECT max(last_scanned_at) < now() FROM lead WHERE domain = 'b.example'"
    )


class Stumbling(Scanner):
    """Cannot judge b.example."""

    def _verdict(self, at: Any, seen: Survey, standing: Standing, rules: Rules) -> Any:
        if seen.domain == "b.example":
            raise ZeroDivisionError("nul \0 and \ud800")
        return super()._verdict(at, seen, standing, rules)


async def test_a_domain_that_cannot_be_judged_fails_alone_with_the_reason(
    db: Database, run: Run
) -> None:
    job_id = await run("a.example", "b.example", "c.example", scanner=Stumbling)

    found = await _results(db, job_id)
    assert {name: result.outcome for name, result in found.items()} == {
        "a.example": "ok",
        "b.example": "failed",
        "c.example": "ok",
    }
    assert found["b.example"].reason == "judging: ZeroDivisionError: nul  and ?"
    async with db.acquire() as conn:
        assert (await leads.get(conn, "b.example")).scan_status == "failed"
        assert (await jobs.progress(conn, job_id)).failed == 1


class Spoiling(Scanner):
    """Gives PostgreSQL something it refuses for b.example."""

    def _verdict(self, at: Any, seen: Survey, standing: Standing, rules: Rules) -> Any:
        import msgspec

        verdict = super()._verdict(at, seen, standing, rules)
        if seen.domain != "b.example" or verdict.lead is None:
            return verdict
        judgement = msgspec.structs.replace(verdict.lead.judgement, tenant_name="nul \0 byte")
        return msgspec.structs.replace(
            verdict, lead=msgspec.structs.replace(verdict.lead, judgement=judgement)
        )


async def test_a_row_postgres_refuses_fails_alone(db: Database, run: Run) -> None:
    job_id = await run("a.example", "b.example", "c.example", scanner=Spoiling)

    found = await _results(db, job_id)
    assert {name: result.outcome for name, result in found.items()} == {
        "a.example": "ok",
        "b.example": "failed",
        "c.example": "ok",
    }
    assert (found["b.example"].reason or "").startswith("storing: ")
    assert await _value(db, "SELECT state FROM scan_chunk") == "done"


class Sleeping(Scanner):
    """Finishes its survey after the lease was taken over."""

    async def survey_all(self, claim: Any, slot_is_free: Any) -> Any:
        seen = await super().survey_all(claim, slot_is_free)
        async with self._db.acquire() as conn:
            await conn.execute("UPDATE scan_chunk SET epoch = epoch + 1")
        return seen


async def test_a_fenced_out_worker_writes_nothing(db: Database, run: Run) -> None:
    job_id = await run("a.example", scanner=Sleeping)

    assert await _results(db, job_id) == {}
    assert await _value(db, "SELECT count(*) FROM lead") == 0
    assert await _value(db, "SELECT state FROM scan_chunk") == "leased"


class Overtaken(Scanner):
    """While the chunk is judged for the first time, somebody else adds one of its domains."""

    rounds = 0

    async def _judge_all(self, claim: Any, order: Any, standings: Any) -> Any:
        type(self).rounds += 1
        if self.rounds == 1:
            async with self._db.acquire() as conn:
                company = Company("b.example", "b.example", company_name="B Ltd")
                await ingests.upsert_companies(conn, [company])
        return await super()._judge_all(claim, order, standings)


async def test_a_lead_added_meanwhile_is_judged_again_and_keeps_its_company(
    db: Database, run: Run
) -> None:
    job_id = await run("a.example", "b.example", scanner=Overtaken)

    assert Overtaken.rounds == 2
    assert {each.outcome for each in (await _results(db, job_id)).values()} == {"ok"}
    async with db.acquire() as conn:
        lead = await leads.get(conn, "b.example")
    assert (lead.company_name, lead.scan_status) == ("B Ltd", "ok")


class LosingAnswers(Database):
    """Commits, and the first time loses PostgreSQL's answer to it."""

    lost = 0

    async def transact(self, work: Callable[[Connection], Awaitable[T]], **settings: Any) -> T:
        result = await super().transact(work, **settings)
        if isinstance(result, list) and not self.lost:
            self.lost += 1
            raise Unavailable("the connection to the database was lost")
        return result


async def test_a_commit_whose_answer_is_lost_counts_once(
    db: Database, run: Run, config: Config
) -> None:
    flaky = LosingAnswers(db._pool, config.db_pool_size, config.db_timeout_s)

    job_id = await run("a.example", "b.example", over=flaky)

    assert flaky.lost == 1
    assert set(await _results(db, job_id)) == {"a.example", "b.example"}
    async with db.acquire() as conn:
        assert (await jobs.progress(conn, job_id)).processed == 2
        assert await completion.mismatched(conn) == 0


class Raising(Scanner):
    """Hits a bug of its own between survey and commit."""

    async def commit(self, claim: Any, seen: Sequence[Any]) -> None:
        raise RuntimeError("bug")


async def test_a_chunk_that_fails_is_put_back_with_the_reason(db: Database, run: Run) -> None:
    await run("a.example", scanner=Raising)

    async with db.acquire() as conn:
        row = await conn.fetchrow(
            "SELECT state, failures, reason, not_before > now() AS waits FROM scan_chunk"
        )
    assert row is not None
    assert tuple(row) == ("ready", 1, "chunk: RuntimeError: bug", True)


async def test_while_no_name_server_answers_chunks_go_back_and_nothing_is_written(
    db: Database, hints: Hints
) -> None:
    lines = [Line(number, f"n{number}.example") for number in range(1, 41)]
    accepted = await accept_scan(
        db, hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True
    )
    nobody = Config(dns_servers=(("127.0.0.1", 1),))
    async with open_engine(nobody) as engine:
        scanner = Scanner(
            db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20
        )
        assert await scanner.take_next("bulk")

    async with db.acquire() as conn:
        row = await conn.fetchrow("SELECT state, losses, failures, reason FROM scan_chunk")
        leads = await conn.fetchval("SELECT count(*) FROM lead")
    assert tuple(row or ()) == ("ready", 0, 0, "chunk: Unavailable: no name server answers")
    assert await _results(db, UUID(accepted.job_id)) == {}
    assert leads == 0


async def test_a_domain_that_cannot_be_surveyed_fails_alone(
    db: Database, hints: Hints, engine: Engine
) -> None:
    class Deaf:
        """Breaks when asked about b.example. No heir: the engine may be compiled."""

        usable = True
        heard = 0
        trusts_ad = False

        async def ask(self, questions: Any, **settings: Any) -> Any:
            if any(name == "b.example" for name, _ in questions):
                raise OSError("no socket")
            return await engine.ask(questions, **settings)

    deaf = cast("Engine", Deaf())
    lines = [Line(1, "a.example"), Line(2, "b.example")]
    accepted = await accept_scan(
        db, hints, lines, lane="bulk", depth=Depth.QUICK, allow_test_names=True
    )
    scanner = Scanner(db, hints, deaf, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20)

    assert await scanner.take_next("bulk")

    found = await _results(db, UUID(accepted.job_id))
    assert found["a.example"].outcome == "ok"
    assert found["b.example"].reason == "survey: OSError: no socket"
    assert not await scanner.take_next("bulk")


async def test_results_of_no_job_are_not_found(db: Database) -> None:
    async with db.acquire() as conn:
        with pytest.raises(NotFound):
            await results.results_page(conn, uuid7())


async def test_results_come_in_pages(db: Database, run: Run) -> None:
    job_id = await run("a.example", "b.example", "c.example")

    async with db.acquire() as conn:
        first = await results.results_page(conn, job_id, limit=2)
        rest = await results.results_page(conn, job_id, first.next_cursor, limit=2)

    listed = [result.domain for result in [*first.items, *rest.items]]
    assert listed == ["a.example", "b.example", "c.example"]
    assert rest.next_cursor is None


async def test_a_commit_whose_answer_is_lost_is_found_done(
    db: Database, run: Run, config: Config
) -> None:
    async with Proxy(str(config.database_url)) as proxy:
        settings = dataclasses.replace(config, database_url=Secret(proxy.url))
        async with open_database(settings) as over:

            class Robbed(Scanner):
                async def commit(self, claim: Claim, seen: Sequence[Seen]) -> None:
                    proxy.lose_answer(b"COMMIT;")
                    await super().commit(claim, seen)

            job_id = await run("a.example", "b.example", scanner=Robbed, over=over)

    assert proxy.lost.is_set()
    assert set(await _results(db, job_id)) == {"a.example", "b.example"}
    assert await _value(db, "SELECT state = 'done' AND failures = 0 FROM scan_chunk")


async def test_a_commit_that_never_arrived_is_run_again(
    db: Database, run: Run, config: Config
) -> None:
    async with Proxy(str(config.database_url)) as proxy:
        settings = dataclasses.replace(config, database_url=Secret(proxy.url))
        async with open_database(settings) as over:

            class Cut(Scanner):
                async def commit(self, claim: Claim, seen: Sequence[Seen]) -> None:
                    proxy.cut()
                    await super().commit(claim, seen)

            job_id = await run("a.example", "b.example", scanner=Cut, over=over)

    assert set(await _results(db, job_id)) == {"a.example", "b.example"}


async def test_a_single_scan_is_completed_with_the_commit_of_its_chunk(
    db: Database, hints: Hints, engine: Engine
) -> None:
    accepted = await accept_scan(
        db,
        hints,
        [Line(1, "a.example")],
        lane="interactive",
        depth=Depth.QUICK,
        allow_test_names=True,
    )
    scanner = Scanner(db, hints, engine, load_knowledge(), Metrics(), worker_id=uuid7(), lease_s=20)

    assert await scanner.take_next("interactive")

    async with db.acquire() as conn:
        row = await conn.fetchrow(
            "SELECT j.status, j.n_ok, j.finished_at = c.done_at AS together"
            " FROM scan_job j JOIN scan_chunk c ON c.job_id = j.id WHERE j.id = $1",
            UUID(accepted.job_id),
        )
    assert tuple(row or ()) == ("completed", 1, True)


class _Deleting(Scanner):
    """Somebody deletes b.example while its chunk is surveyed."""

    async def survey_all(self, claim: Claim, slot_is_free: Any) -> list[Seen]:
        seen = await super().survey_all(claim, slot_is_free)
        await self._db.transact(_suppress)
        return seen


async def _suppress(conn: Connection) -> None:
    await suppressions.suppress(conn, "b.example", reason="asked to", caller="anonymous")


async def _mentions(db: Database, name: str) -> list[str]:
    """Tables with a row that has this text in any column."""
    async with db.acquire() as conn:
        tables = [
            row["name"]
            for row in await conn.fetch(
                "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = 'public'::regnamespace"
            )
        ]
        return [
            table
            for table in tables
            if await conn.fetchval(
                f"SELECT EXISTS (SELECT FROM {table} t WHERE position($1 IN lower(t::text)) > 0)",
                name,
            )
        ]


@pytest.mark.parametrize("known", [True, False])
async def test_a_name_deleted_while_it_is_scanned_does_not_come_back(
    db: Database, run: Run, known: bool
) -> None:
    if known:
        await run("a.example", "b.example", "not b.example", "b.example")

    job_id = await run("a.example", "b.example", scanner=_Deleting)

    async with db.acquire() as conn:
        assert await completion.finish(conn, job_id) == "completed"
        progress = await jobs.progress(conn, job_id)
    found = await _results(db, job_id)
    (pseudonym,) = found.keys() - {"a.example"}
    assert (found[pseudonym].outcome, found[pseudonym].reason) == ("failed", suppressions.REASON)
    assert (progress.total, progress.succeeded, progress.failed) == (2, 1, 1)
    assert await _mentions(db, "b.example") == []
    assert "lead" in await _mentions(db, "a.example")


async def test_a_suppressed_name_is_refused_and_stored_nowhere_until_it_is_lifted(
    db: Database, run: Run
) -> None:
    waiting = await _accepted(db, "a.example", "b.example")
    await db.transact(_suppress)
    await db.transact(_suppress)

    job_id = await run("a.example", "b.example", "B.EXAMPLE.")
    async with db.acquire() as conn:
        await ingests.upsert_companies(conn, [Company(f"{n}.example", n) for n in "ab"])
        # whoever stores chunks without asking
        await chunks.add(conn, job_id, "bulk", [["a.example", "b.example"], ["c.example"]])
        rejects = await jobs.rejects_page(conn, job_id)
        listed = await suppressions.page(conn, None, 10)

    assert [(each.line, each.reason, each.input) for each in rejects.items] == [
        (2, "suppressed", suppressions.REDACTED)
    ]
    assert len(listed.items) == 1
    assert await _mentions(db, "b.example") == []
    packed = await _value(
        db, "SELECT domains FROM scan_chunk WHERE job_id = $1 ORDER BY id LIMIT 1", waiting
    )
    assert packed[0] == "a.example"
    assert suppressions.is_pseudonym(packed[1])

    async with db.acquire() as conn:
        await suppressions.lift(conn, UUID(listed.items[0].suppression_id))
    assert "b.example" in await _results(db, await run("b.example"))


async def _accepted(db: Database, *names: str) -> UUID:
    job_id = uuid7()
    async with db.acquire() as conn:
        await jobs.create(conn, job_id, lane="bulk", depth=Depth.QUICK, caller="anonymous")
        await chunks.add(conn, job_id, "bulk", [list(names)])
    return job_id


async def test_every_table_that_holds_domains_is_emptied_of_a_deleted_one(db: Database) -> None:
    """A new table with domains is to be named in hunter/store/suppressions.py or alerts.FORGET."""
    async with db.acquire() as conn:
        rows = await conn.fetch(
            "SELECT DISTINCT c.table_name FROM information_schema.columns c "
            "JOIN information_schema.tables t USING (table_schema, table_name) "
            "WHERE t.table_schema = 'public' AND t.table_type = 'BASE TABLE' "
            "AND c.column_name IN ('domain', 'domains') AND c.table_name NOT LIKE 'scan_result_%'"
        )
        cascades = await conn.fetch(
            "SELECT conrelid::regclass::text AS name FROM pg_constraint "
            "WHERE contype = 'f' AND confrelid = 'lead'::regclass AND confdeltype = 'c'"
        )
    source = "".join((inspect.getsource(suppressions), *alerts.FORGET))
    going = {row["name"] for row in cascades}

    forgotten = {
        name
        for row in rows
        if (name := row["table_name"]) not in going
        and not re.search(rf"(FROM|UPDATE) {name}\b", source)
    }
    # how many domains a key sent, no names
    assert forgotten - {"api_key_usage"} == set()
