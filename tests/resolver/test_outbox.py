"""What goes out, in which form and in which order, seen from a name server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import dns.message

from hunter.core.answers import Answer, Outcome, RRType
from hunter.local.nameserver import NameServer, Packet
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Lane
from hunter.resolver.tuning import Tuning
from hunter.resolver.wire import encode_name, in_mixed_case

Opener = Callable[..., Awaitable[Engine]]

ZONE = """
example.com 300 SOA ns1.example.com host.example.com 1 2 3 4 60
example.com 300 MX 10 mx.example.com
www.example.com 300 CNAME long.alias.example.com
long.alias.example.com 300 A 192.0.2.1
_spf.example.com 300 TXT "v=spf1 -all"
"""
TRUE = ("10 mx.example.com",)
#: no try ends before its answer
PATIENT = Tuning(timeouts_s=(5.0, 5.0, 5.0), tick_s=0.01, sockets_min=4)


async def one(engine: Engine, name: str, rrtype: RRType = RRType.MX) -> Answer:
    (answer,) = await engine.ask([(name, rrtype)])
    return answer


def name_in(packet: Packet) -> bytes:
    return packet.data[12 : packet.data.index(b"\0", 12)]


# ── random case ──


def test_only_letters_change_their_case() -> None:
    wire = encode_name("a1-_." + "x" * 63 + ".example")

    mixed = [in_mixed_case(wire) for _ in range(20)]

    assert {each.lower() for each in mixed} == {wire}
    assert len(set(mixed)) == 20


async def test_questions_go_out_in_small_letters_unless_asked_otherwise(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    await one(engine, "example.com")

    assert name_in(name_server.packets[0]).islower()


async def test_every_try_has_a_case_of_its_own(name_server: NameServer, open_quick: Opener) -> None:
    name_server.load(ZONE)
    engine = await open_quick(name_server, dns_0x20=True)

    answers = [await one(engine, "example.com") for _ in range(20)]

    assert {answer.records for answer in answers} == {TRUE}
    assert {answer.name for answer in answers} == {"example.com"}
    assert len({name_in(packet) for packet in name_server.packets}) > 5
    assert engine.ignored == 0


async def test_a_chain_and_a_big_answer_come_in_random_case_too(
    name_server: NameServer, open_quick: Opener
) -> None:
    big = "\n".join(f'big.example.com 300 TXT "{i:03}{"x" * 200}"' for i in range(30))
    name_server.load(f"{ZONE}\n{big}\n;! www.example.com no-chase")
    engine = await open_quick(name_server, dns_0x20=True)

    chased = await one(engine, "www.example.com", RRType.A)
    long = await one(engine, "big.example.com", RRType.TXT)

    assert (chased.records, chased.chain) == (("192.0.2.1",), ("long.alias.example.com",))
    assert len(long.records) == 30


async def test_an_answer_in_other_case_is_ignored_and_the_true_one_taken(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE + ";! example.com wrong-question")
    engine = await open_quick(name_server, dns_0x20=True)

    assert (await one(engine, "example.com")).records == TRUE
    assert engine.ignored == 1


async def test_a_server_that_loses_the_case_is_soon_asked_in_small_letters(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE + ";! example.com lower-case")
    engine = await open_quick(name_server, dns_0x20=True)

    answers = [await one(engine, "example.com") for _ in range(6)]
    before = engine.ignored
    later = await one(engine, "example.com")

    assert {answer.records for answer in [*answers, later]} == {TRUE}
    # chance may have drawn a question in small letters among the first
    assert before >= 1
    assert engine.ignored == before
    assert not engine.servers[0].keeps_case


# ── EDNS ──


async def test_a_server_that_refuses_edns_is_spared_it(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! . formerr-on-edns")

    answers = [await one(engine, "example.com") for _ in range(3)]
    asked = [dns.message.from_wire(packet.data).edns for packet in name_server.packets]

    assert {answer.records for answer in answers} == {TRUE}
    assert asked == [0, -1, -1, -1]


async def test_edns_is_tried_again_when_the_time_has_come(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! . formerr-on-edns")
    await one(engine, "example.com")
    name_server.replace(ZONE)

    engine.servers[0].forgive(engine.servers[0].odd_until)
    await one(engine, "example.com")

    assert dns.message.from_wire(name_server.packets[-1].data).edns == 0


async def test_one_question_refused_with_and_without_edns_proves_nothing(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! example.com formerr")

    assert (await one(engine, "example.com")).outcome is Outcome.NOTIMP
    assert engine.servers[0].edns


# ── who goes first ──


async def test_a_retry_that_waits_for_its_server_holds_up_nobody(open_quick: Opener) -> None:
    async with NameServer(ZONE) as slow, NameServer(ZONE + ";! stuck.example.com timeout") as well:
        engine = await open_quick(slow, well, dns_max_qps=10_000)
        engine.servers[0].tokens = -1e9  # its rate limit allows no more for days

        stuck = engine.ask([("stuck.example.com", RRType.A)], deadline_s=5)
        while not (well.total and not engine.servers[1].inflight):
            await asyncio.sleep(0.01)  # until the first try is over
        answers = await engine.ask([("example.com", RRType.MX)] * 20)

        assert {answer.records for answer in answers} == {TRUE}
        assert slow.total == 0
        assert not asyncio.isfuture(stuck) or not stuck.done()


async def test_a_person_does_not_wait_behind_the_job_whose_question_is_the_same(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE)
    engine = await open_quick(name_server, dns_max_qps=100)
    spf = ("_spf.example.com", RRType.TXT)

    crowd = engine.ask([(f"n{i}.example.com", RRType.A) for i in range(50)])
    job = engine.ask([spf], shared=True)
    (answer,) = await engine.ask([spf], lane=Lane.INTERACTIVE, shared=True)
    before = name_server.total

    assert answer.outcome is Outcome.FOUND
    assert before < 50
    assert (await job)[0] == answer
    assert len(await crowd) == 50
    assert name_server.queries["_spf.example.com TXT"] == 1


# ── how many are under way ──


async def test_questions_one_server_refuses_keep_to_the_window_of_the_other(
    open_quick: Opener,
) -> None:
    under_way: list[int] = []

    def count(_packet: Packet, _times: int) -> None:
        under_way.append(engine.servers[1].inflight)

    wild = ZONE + "*.example.com 300 A 192.0.2.1\n"
    async with (
        NameServer(wild + ";! . refused") as refusing,
        NameServer(wild + ";! . delay=20", script=count) as slow,
    ):
        engine = await open_quick(refusing, slow, tuning=PATIENT, dns_window=40)
        asked = [engine.ask([(f"n{i}.example.com", RRType.A)]) for i in range(400)]
        person = engine.ask([("person.example.com", RRType.A)], lane=Lane.INTERACTIVE)
        answers = [*await asyncio.gather(*asked, person)]

        assert {answer.outcome for (answer,) in answers} == {Outcome.FOUND}
        assert max(under_way) <= engine.servers[1].cap == 20


async def test_nothing_new_is_begun_while_what_waits_for_one_server_fills_its_window(
    open_quick: Opener,
) -> None:
    async with (
        NameServer(ZONE + ";! . refused") as refusing,
        NameServer(ZONE + ";! . timeout") as silent,
    ):
        engine = await open_quick(refusing, silent, tuning=PATIENT, dns_window=40)
        asked = [engine.ask([(f"n{i}.example.com", RRType.A)]) for i in range(400)]
        one_server, other = engine.servers
        while one_server.inflight or other.inflight < other.bulk_window:
            await asyncio.sleep(0.01)  # until nothing moves any more

        # what the other has, what waits for it, and what was under way when that was enough
        assert refusing.total < 3 * one_server.window
        assert len(asked) == 400
