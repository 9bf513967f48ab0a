"""Every outcome told apart, and every lie seen through, against a real server on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import dns.message
import pytest
import uvloop

from hunter.config import Config
from hunter.core.answers import Answer, Outcome, RRType
from hunter.local.nameserver import NameServer
from hunter.ops.metrics import Metrics
from hunter.resolver.engine import Engine
from hunter.resolver.opening import open_engine
from hunter.resolver.questions import Budget, Lane
from hunter.resolver.tuning import Tuning

Opener = Callable[..., Awaitable[Engine]]

ZONE = """
example.com 300 SOA ns1.example.com host.example.com 1 2 3 4 60
example.com 300 MX 10 mx.example.com
example.com 120 TXT "v=spf1 " "-all"
a.b.example.com 300 A 192.0.2.1
www.example.com 300 CNAME a.b.example.com
"""
BIG = "\n".join(f'big.example.com 300 TXT "{i:03}{"x" * 200}"' for i in range(30))


async def one(engine: Engine, name: str, rrtype: RRType = RRType.MX) -> Answer:
    (answer,) = await engine.ask([(name, rrtype)])
    return answer


# ── what an honest server says ──


async def test_a_record_is_found_with_its_ttl_and_server(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    answer = await one(engine, "example.com")

    host, port = name_server.address
    assert answer == Answer(
        "example.com",
        RRType.MX,
        Outcome.FOUND,
        ("10 mx.example.com",),
        ttl=300,
        server=f"{host}:{port}",
    )


async def test_answers_stand_in_the_order_of_the_questions(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! example.com MX delay=60")

    answers = await engine.ask(
        [("example.com", RRType.MX), ("example.com", RRType.TXT), ("a.b.example.com", RRType.A)]
    )

    assert [a.question for a in answers] == [
        "example.com MX",
        "example.com TXT",
        "a.b.example.com A",
    ]
    assert [a.records for a in answers] == [
        ("10 mx.example.com",),
        ("v=spf1 -all",),
        ("192.0.2.1",),
    ]


async def test_no_question_is_answered_with_no_answer(engine: Engine) -> None:
    assert await engine.ask([]) == []


async def test_nodata_and_nxdomain_are_told_apart(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE)

    nodata = await one(engine, "b.example.com", RRType.A)  # exists only because of what is below
    nxdomain = await one(engine, "c.example.com", RRType.A)

    assert (nodata.outcome, nodata.ttl) == (Outcome.NODATA, 60)
    assert (nxdomain.outcome, nxdomain.ttl) == (Outcome.NXDOMAIN, 60)


async def test_a_cname_is_followed_within_the_answer(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    answer = await one(engine, "www.example.com", RRType.A)

    assert (answer.records, answer.chain) == (("192.0.2.1",), ("a.b.example.com",))
    assert name_server.total == 1


async def test_a_cname_is_followed_by_asking_again(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE + "w.example.com 50 CNAME www.example.com\n;! .example.com no-chase")

    answer = await one(engine, "w.example.com", RRType.A)

    assert (answer.name, answer.outcome) == ("w.example.com", Outcome.FOUND)
    assert answer.records == ("192.0.2.1",)
    assert answer.chain == ("www.example.com", "a.b.example.com")
    assert answer.ttl == 50
    assert name_server.total == 3


@pytest.mark.parametrize("chase", ["", "\n;! .example.com no-chase"])
async def test_a_cname_loop_ends(engine: Engine, name_server: NameServer, chase: str) -> None:
    loop = "l1.example.com CNAME l2.example.com\nl2.example.com CNAME l1.example.com"
    name_server.load(loop + chase)

    answer = await one(engine, "l1.example.com", RRType.A)

    assert answer.outcome is Outcome.CNAME_LOOP
    assert name_server.total <= 3


@pytest.mark.parametrize("chase", ["", "\n;! .example.com no-chase"])
@pytest.mark.parametrize(("hops", "outcome"), [(8, Outcome.FOUND), (9, Outcome.CNAME_LOOP)])
async def test_a_chain_has_eight_hops_at_most(
    engine: Engine, name_server: NameServer, chase: str, hops: int, outcome: Outcome
) -> None:
    links = [f"n{i}.example.com CNAME n{i + 1}.example.com" for i in range(hops)]
    name_server.load("\n".join([*links, f"n{hops}.example.com A 192.0.2.9"]) + chase)

    assert (await one(engine, "n0.example.com", RRType.A)).outcome is outcome


async def test_the_parts_of_a_chain_count_together(engine: Engine, name_server: NameServer) -> None:
    links = [f"n{i}.example.com CNAME n{i + 1}.example.com" for i in range(10)]
    half = "\n;! n0.example.com no-chase\n;! n1.example.com no-chase"
    name_server.load("\n".join([*links, "n10.example.com A 192.0.2.9"]) + half)

    answer = await one(engine, "n0.example.com", RRType.A)

    assert answer.outcome is Outcome.CNAME_LOOP
    assert name_server.total <= 3


async def test_the_ad_bit_says_authenticated(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE + ";! example.com MX ad")

    assert (await one(engine, "example.com")).authenticated
    assert not (await one(engine, "example.com", RRType.TXT)).authenticated


async def test_what_dnssec_does_not_prove_can_be_asked_for(
    engine: Engine, name_server: NameServer
) -> None:
    chain = "w.example.com CNAME b.example.org\nb.example.org A 192.0.2.9\n"
    name_server.load(ZONE + chain + ";! .com bogus\n;! .org bogus\n;! w.example.com no-chase bogus")
    questions = [("example.com", RRType.MX), ("w.example.com", RRType.A)]

    checked = await engine.ask(questions)
    unchecked = await engine.ask(questions, unchecked=True)

    assert {answer.outcome for answer in checked} == {Outcome.SERVFAIL}
    assert {answer.outcome for answer in unchecked} == {Outcome.FOUND}
    assert unchecked[1].records == ("192.0.2.9",)


async def test_a_name_that_cannot_be_asked_is_answered_at_once(engine: Engine) -> None:
    answer = await one(engine, "a" * 64 + ".example.com")

    assert answer.outcome is Outcome.MALFORMED


async def test_names_are_asked_in_lower_case_without_the_dot(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    assert (await one(engine, "EXAMPLE.com.")).question == "example.com MX"


# ── what a failing server says ──


@pytest.mark.parametrize("bare", ["", " empty-question"])
@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("servfail", Outcome.SERVFAIL),
        ("refused", Outcome.REFUSED),
        ("notimp", Outcome.NOTIMP),
        ("formerr", Outcome.NOTIMP),
    ],
)
async def test_a_failure_is_that_outcome_after_one_question(
    engine: Engine, name_server: NameServer, word: str, outcome: Outcome, bare: str
) -> None:
    name_server.load(ZONE + f";! example.com {word}{bare}")

    answer = await one(engine, "example.com")

    assert answer.outcome is outcome
    assert not answer.outcome.is_absent
    # a server that knows no EDNS is asked once more without
    assert name_server.total == (1 if word in {"servfail", "refused"} else 2)


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("timeout", Outcome.TIMEOUT),
        ("lame", Outcome.LAME),
        ("upward-referral", Outcome.LAME),
        ("broken", Outcome.MALFORMED),
        ("pointer-loop", Outcome.MALFORMED),
    ],
)
async def test_a_useless_server_gives_an_unknown(
    engine: Engine, name_server: NameServer, word: str, outcome: Outcome
) -> None:
    name_server.load(ZONE + f";! example.com {word}")

    answer = await one(engine, "example.com")

    assert answer.outcome is outcome
    assert not answer.outcome.is_known


@pytest.mark.parametrize(
    "word", ["servfail", "refused", "notimp", "timeout", "lame", "upward-referral", "broken"]
)
async def test_the_next_server_is_asked(open_quick: Opener, word: str) -> None:
    async with NameServer(ZONE + f";! . {word}") as bad, NameServer(ZONE) as good:
        engine = await open_quick(bad, good)

        answers = [await one(engine, "example.com") for _ in range(4)]

    assert {a.outcome for a in answers} == {Outcome.FOUND}
    assert {a.server for a in answers} == {f"127.0.0.1:{good.address[1]}"}
    assert bad.total >= 1


async def test_what_a_server_said_outweighs_the_silence_of_another(open_quick: Opener) -> None:
    async with NameServer(";! . servfail") as failing, NameServer(";! . timeout") as silent:
        engine = await open_quick(failing, silent)

        outcomes = {(await one(engine, "example.com")).outcome for _ in range(2)}

    assert outcomes == {Outcome.SERVFAIL}


async def test_a_closed_port_fails_the_try_and_not_the_domain(open_quick: Opener) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()
    async with NameServer(ZONE) as good:
        engine = await open_quick(address, good)

        answers = [await one(engine, "example.com") for _ in range(4)]

    assert {a.outcome for a in answers} == {Outcome.FOUND}


async def test_a_closed_port_alone_is_unreachable(open_quick: Opener) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        address = closed.getsockname()
    engine = await open_quick(address)

    answers = await engine.ask([("example.com", rrtype) for rrtype in RRType])

    assert {a.outcome for a in answers} == {Outcome.UNREACHABLE}


async def test_a_server_without_a_route_is_left_alone(open_quick: Opener) -> None:
    nowhere = ("fe80::1", 53)  # a link-local address without its link
    async with NameServer(ZONE) as good:
        alone, together = await open_quick(nowhere), await open_quick(nowhere, good)

        assert not alone.usable
        assert (await one(alone, "example.com")).outcome is Outcome.UNREACHABLE
        assert (await one(together, "example.com")).outcome is Outcome.FOUND


async def test_lost_datagrams_are_sent_again_with_another_id(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! example.com drop-first=2")

    answer = await one(engine, "example.com")

    assert answer.outcome is Outcome.FOUND
    ids = [packet.data[:2] for packet in name_server.packets]
    assert len(ids) == 3
    assert len(set(ids)) == 3


async def test_a_question_is_tried_three_times(engine: Engine, name_server: NameServer) -> None:
    name_server.load(ZONE + ";! example.com timeout")

    assert (await one(engine, "example.com")).outcome is Outcome.TIMEOUT
    assert name_server.total == 3


# ── ports ──


async def test_ids_and_ports_differ_between_questions(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)

    await engine.ask([(f"n{i}.example.com", RRType.A) for i in range(64)])

    ids = {packet.data[:2] for packet in name_server.packets}
    ports = {packet.source[1] for packet in name_server.packets}
    assert len(ids) >= 57  # of the 60 a domain may send; two may be alike by chance
    assert len(ports) == 4  # as many as this engine's sockets


async def test_sockets_are_replaced_after_a_while(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE)
    engine = await open_quick(
        name_server, tuning=Tuning(tick_s=0.01, sockets_min=2, sockets_max=2, rotate_after=3)
    )

    for _ in range(40):
        assert (await one(engine, "example.com")).outcome is Outcome.FOUND
        await asyncio.sleep(0.005)

    assert len({packet.source[1] for packet in name_server.packets}) > 2


# ── EDNS and TCP ──


async def test_queries_carry_edns_1232_and_ask_for_ad(
    engine: Engine, name_server: NameServer
) -> None:
    await one(engine, "example.com")

    query = dns.message.from_wire(name_server.packets[0].data)
    assert (query.edns, query.payload) == (0, 1232)
    assert query.flags == 0x0120


async def test_a_server_without_edns_is_asked_without(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! example.com formerr-on-edns")

    answer = await one(engine, "example.com")

    assert answer.outcome is Outcome.FOUND
    edns = [dns.message.from_wire(packet.data).edns for packet in name_server.packets]
    assert edns == [0, -1]


async def test_a_truncated_answer_comes_over_tcp(engine: Engine, name_server: NameServer) -> None:
    name_server.load(BIG)

    answer = await one(engine, "big.example.com", RRType.TXT)

    assert len(answer.records) == 30
    assert [packet.tcp for packet in name_server.packets] == [False, True]


async def test_one_tcp_connection_serves_many_questions(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(BIG + "\n;! .example.com truncate")

    answers = await engine.ask([("big.example.com", RRType.TXT)] * 20)

    assert all(len(answer.records) == 30 for answer in answers)
    assert len({packet.source for packet in name_server.packets if packet.tcp}) == 1


async def test_an_idle_tcp_connection_is_closed_and_made_again(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(BIG)
    engine = await open_quick(name_server, tuning=Tuning(tick_s=0.01, tcp_idle_s=0.03))

    first = await one(engine, "big.example.com", RRType.TXT)
    await asyncio.sleep(0.15)
    second = await one(engine, "big.example.com", RRType.TXT)

    assert first.records == second.records
    assert len({packet.source for packet in name_server.packets if packet.tcp}) == 2


# ── limits ──


async def test_a_domain_that_uses_up_its_messages_is_over_budget(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)
    budget = Budget(queries=5)

    answers = await engine.ask([(f"n{i}.example.com", RRType.A) for i in range(9)], budget=budget)

    assert [a.outcome for a in answers].count(Outcome.BUDGET) == 4
    assert budget.used == name_server.total == 5


async def test_a_domain_that_uses_up_its_time_is_over_budget(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! n1.example.com timeout")
    budget = Budget(seconds=0.1)

    answers = await engine.ask(
        [("n1.example.com", RRType.A), ("example.com", RRType.MX)], budget=budget
    )
    after = await engine.ask([("example.com", RRType.MX)], budget=budget)

    assert [a.outcome for a in answers] == [Outcome.BUDGET, Outcome.FOUND]
    assert after[0].outcome is Outcome.BUDGET
    assert engine.servers[0].inflight == 0


async def test_the_deadline_of_a_call_holds(engine: Engine, name_server: NameServer) -> None:
    name_server.load(";! example.com timeout")

    (answer,) = await engine.ask([("example.com", RRType.MX)], deadline_s=0.05)

    assert answer.outcome is Outcome.BUDGET


async def test_one_bad_domain_does_not_hold_up_the_others(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! .dead.example timeout")

    bad = engine.ask(
        [(f"n{i}.dead.example", RRType.A) for i in range(40)], budget=Budget(queries=120)
    )
    good = await engine.ask([("example.com", RRType.MX)])

    assert good[0].outcome is Outcome.FOUND
    assert {a.outcome for a in await bad} == {Outcome.TIMEOUT}


async def test_people_are_served_while_the_bulk_fills_its_window(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE + ";! .dead.example timeout")
    engine = await open_quick(name_server, dns_window=20)

    bulk = engine.ask([(f"n{i}.dead.example", RRType.A) for i in range(50)])
    (person,) = await engine.ask([("example.com", RRType.MX)], lane=Lane.INTERACTIVE)

    assert person.outcome is Outcome.FOUND
    assert engine.servers[0].inflight == 18  # nine tenths of the window
    await bulk


async def test_a_call_that_ends_early_leaves_its_budget_and_its_clock_to_the_next(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE + ";! . timeout")
    budget = Budget(seconds=0.4)
    question = ("example.com", RRType.MX)

    (first,) = await engine.ask([question], budget=budget, deadline_s=0.05)
    due, used = budget.due, budget.used
    (second,) = await engine.ask([question], budget=budget, deadline_s=60)

    assert (first.outcome, second.outcome) == (Outcome.BUDGET, Outcome.BUDGET)
    assert (budget.due, used) == (due, 1)
    assert budget.used > used


async def test_begun_domains_go_before_new_ones(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE)
    engine = await open_quick(name_server, dns_window=2)
    budget = Budget()
    await engine.ask([("first.example.com", RRType.A)], budget=budget)

    new = engine.ask([(f"n{i}.example.com", RRType.A) for i in range(10)])
    begun = engine.ask([("second.example.com", RRType.A)], budget=budget)
    await asyncio.gather(new, begun)

    order = [*dict.fromkeys(q for q in map(_asked, name_server.packets))]
    assert order.index("second.example.com") <= 3


def _asked(packet: object) -> str:
    return str(dns.message.from_wire(packet.data).question[0].name).rstrip(".")  # type: ignore[attr-defined]


async def test_the_rate_limit_holds(name_server: NameServer, open_quick: Opener) -> None:
    name_server.load(ZONE)
    engine = await open_quick(name_server, dns_max_qps=200)
    loop = asyncio.get_running_loop()

    started = loop.time()
    await engine.ask([(f"n{i}.example.com", RRType.A) for i in range(50)])

    # 10 at once, the other 40 at 200 a second
    assert loop.time() - started >= 40 / 200 * 0.9


async def test_time_spent_at_the_rate_limit_is_measured(name_server: NameServer) -> None:
    name_server.load(ZONE)
    metrics = Metrics()
    config = Config(dns_servers=(name_server.address,), dns_max_qps=100)
    async with open_engine(config, metrics) as engine:
        await engine.ask([(f"n{i}.example.com", RRType.A) for i in range(20)])

    assert b"hunter_dns_ratelimit_wait_seconds_count" in metrics.render()


async def test_whoever_stops_waiting_stops_the_questions(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(";! . timeout")
    engine = await open_quick(name_server, dns_window=4)
    waiting = asyncio.ensure_future(engine.ask([(f"n{i}.example", RRType.A) for i in range(99)]))
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.sleep(0.6)

    assert name_server.total <= 4 * 4
    assert engine.servers[0].inflight == 0


# ── the breaker ──


async def test_a_dead_server_opens_the_breaker_and_a_living_one_closes_it(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE + ";! . timeout")
    tuning = Tuning(timeouts_s=(0.05, 0.05, 0.05), tick_s=0.01, sockets_min=2, reopen_s=(0.05, 0.1))
    engine = await open_quick(name_server, tuning=tuning)

    lost = await engine.ask([(f"n{i}.example.com", RRType.A) for i in range(30)])
    await asyncio.sleep(0.1)
    opened = not engine.usable
    (refused,) = await engine.ask([("example.com", RRType.MX)], lane=Lane.INTERACTIVE)
    name_server.replace(ZONE)
    await asyncio.sleep(0.4)
    (answer,) = await engine.ask([("example.com", RRType.MX)])

    assert {a.outcome for a in lost} <= {Outcome.TIMEOUT, Outcome.UNREACHABLE}
    assert opened
    assert refused.outcome is Outcome.UNREACHABLE
    assert answer.outcome is Outcome.FOUND


async def test_a_probe_that_meets_a_full_buffer_goes_at_a_later_tick(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(ZONE)
    attempts: list[bytes] = []

    def full(data: bytes) -> int:
        attempts.append(data)
        raise BlockingIOError

    ports = engine._ports[0].udp  # where the kernel is met
    kernel = [port.send for port in ports]
    for port in ports:
        port.send = full  # type: ignore[assignment]  # of its arguments one is used
    engine.servers[0].silent = 1000  # reason for a probe
    async with asyncio.timeout(10):
        while len(attempts) < 3:
            await asyncio.sleep(0)
        openings = engine.servers[0].openings
        for port, send in zip(ports, kernel, strict=True):
            port.send = send
        while engine.servers[0].silent:
            await asyncio.sleep(0)

    assert openings == engine.servers[0].openings == 0
    assert name_server.queries == {". NS": 1}


async def test_dead_domains_do_not_open_the_breaker(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(ZONE + ";! .dead.example timeout")
    engine = await open_quick(name_server)

    lost = await engine.ask(
        [(f"n{i}.dead.example", RRType.A) for i in range(50)], budget=Budget(queries=150)
    )

    assert {a.outcome for a in lost} == {Outcome.TIMEOUT}
    assert engine.usable
    assert name_server.queries[". NS"] >= 1


async def test_servfail_never_opens_the_breaker(
    name_server: NameServer, open_quick: Opener
) -> None:
    name_server.load(";! . servfail")
    engine = await open_quick(name_server)

    await engine.ask([(f"n{i}.example", RRType.A) for i in range(60)])
    await asyncio.sleep(0.1)

    assert engine.usable
    assert name_server.queries[". NS"] == 0


# ── the rest ──


async def test_closing_tells_whoever_waits(name_server: NameServer) -> None:
    name_server.load(";! . timeout")
    config = Config(dns_servers=(name_server.address,), dns_window=4)
    async with open_engine(config) as engine:
        waiting = engine.ask([(f"n{i}.example", RRType.A) for i in range(9)])
        await asyncio.sleep(0)

    assert {a.outcome for a in await waiting} == {Outcome.UNREACHABLE}
    assert (await one(engine, "example.com")).outcome is Outcome.UNREACHABLE


async def test_questions_are_counted_by_type_and_outcome(name_server: NameServer) -> None:
    name_server.load(ZONE + ";! example.com NS servfail")
    metrics = Metrics()
    async with open_engine(Config(dns_servers=(name_server.address,)), metrics) as engine:
        await engine.ask([("example.com", t) for t in (RRType.MX, RRType.A, RRType.NS)])
        await engine.ask([("x.example.com", RRType.A)])
        shown = metrics.render().decode()

    for line in (
        'hunter_dns_queries_total{outcome="found",type="MX"} 1',
        'hunter_dns_queries_total{outcome="nodata",type="A"} 1',
        'hunter_dns_queries_total{outcome="nxdomain",type="A"} 1',
        'hunter_dns_queries_total{outcome="servfail",type="NS"} 1',
        "hunter_dns_inflight 0",
        "hunter_dns_breaker_open 0",
    ):
        assert line in shown


def test_the_engine_runs_on_uvloop() -> None:
    async def scan() -> list[Outcome]:
        async with (
            NameServer(ZONE + BIG) as server,
            open_engine(Config(dns_servers=(server.address,))) as engine,
        ):
            answers = await engine.ask(
                [("example.com", RRType.MX), ("big.example.com", RRType.TXT)]
            )
        return [answer.outcome for answer in answers]

    assert uvloop.run(scan()) == [Outcome.FOUND, Outcome.FOUND]


async def test_many_questions_in_flight_are_all_answered_right(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(
        "\n".join(f"n{i}.example.com A 10.0.{i // 256}.{i % 256}" for i in range(3000))
    )

    answers = await engine.ask(
        [(f"n{i}.example.com", RRType.A) for i in range(3000)], budget=Budget(9999, 15)
    )

    assert [a.records for a in answers] == [(f"10.0.{i // 256}.{i % 256}",) for i in range(3000)]
