"""What can go wrong between a truncated answer and the whole one over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import dns.message
import dns.rrset
import pytest

from hunter.core.answers import Answer, Depth, Outcome, RRType
from hunter.local.nameserver import NameServer, Packet
from hunter.resolver.engine import Engine
from hunter.resolver.questions import Budget

Opener = Callable[..., Awaitable[Engine]]
Lies = Callable[..., Awaitable[list[str]]]

ZONE = """
example.com 300 SOA ns1.example.com host.example.com 1 2 3 4 60
example.com 300 MX 10 mx.example.com
example.com 300 TXT "v=spf1 -all"
other.example 300 MX 10 mx.other.example
"""
TRUNCATED = ZONE + "\n;! . truncate\n"
TRUE = ("10 mx.example.com",)


async def one(engine: Engine, name: str = "example.com", rrtype: RRType = RRType.MX) -> Answer:
    (answer,) = await engine.ask([(name, rrtype)])
    return answer


@asynccontextmanager
async def deaf(port: int) -> AsyncIterator[None]:
    """Somebody listens and accepts nobody, and the queue before the door is full."""
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        waiting = []
        try:
            while True:
                queued = socket.socket()
                queued.setblocking(False)
                waiting.append(queued)
                try:
                    await asyncio.wait_for(loop.sock_connect(queued, listener.getsockname()), 0.1)
                except TimeoutError:
                    break
            yield
        finally:
            for queued in waiting:
                queued.close()


def scripted(*messages: Callable[[bytes], bytes]) -> Callable[[Packet, int], list[bytes] | None]:
    """Over TCP these messages, made out of the true answer; over UDP the usual."""

    def script(packet: Packet, _times: int) -> list[bytes] | None:
        if not packet.tcp:
            return None
        response = dns.message.make_response(dns.message.from_wire(packet.data))
        response.answer.append(
            dns.rrset.from_text("example.com.", 300, "IN", "MX", "10 mx.example.com.")
        )
        true = response.to_wire()
        return [make(true) for make in messages]

    return script


# ── nobody there, or nobody who speaks ──


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("tcp-close", Outcome.UNREACHABLE),
        ("tcp-cut", Outcome.UNREACHABLE),
        ("tcp-timeout", Outcome.TIMEOUT),
        ("tcp-half", Outcome.TIMEOUT),
        ("tcp-truncate", Outcome.MALFORMED),  # there is nothing after TCP
    ],
)
async def test_truncated_and_no_whole_message_over_tcp_is_unknown(
    engine: Engine, name_server: NameServer, word: str, outcome: Outcome
) -> None:
    name_server.load(TRUNCATED + f";! . truncate {word}")

    answer = await one(engine)

    assert (answer.outcome, answer.records) == (outcome, ())
    assert engine.servers[0].inflight == 0


async def test_truncated_and_a_closed_tcp_port_is_unknown(open_quick: Opener) -> None:
    async with NameServer(TRUNCATED, tcp=False) as server:
        engine = await open_quick(server)

        assert (await one(engine)).outcome is Outcome.UNREACHABLE
        assert engine.usable


async def test_a_tcp_port_that_accepts_nobody_is_a_timeout_until_it_does(
    open_quick: Opener,
) -> None:
    async with NameServer(TRUNCATED, tcp=False) as server:
        engine = await open_quick(server)
        async with deaf(server.address[1]):
            assert (await one(engine)).outcome is Outcome.TIMEOUT
        async with NameServer(TRUNCATED, port=server.address[1]):
            assert (await one(engine)).records == TRUE

    assert engine.servers[0].inflight == 0


async def test_rubbish_over_tcp_keeps_no_connection_alive(open_quick: Opener) -> None:
    connections = []

    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"\0\x0c" + b"\xff" * 12)
                await writer.drain()
                await asyncio.sleep(0.01)

    async with NameServer(TRUNCATED, tcp=False) as server:
        async with await asyncio.start_server(babble, *server.address):
            engine = await open_quick(server)
            answer = await one(engine)

        assert answer.outcome is Outcome.TIMEOUT
        assert engine.ignored > 1
        assert (server.total, len(connections)) == (1, 1)  # another try would meet the same


@pytest.mark.parametrize("word", ["tcp-close", "tcp-cut", "tcp-timeout", "tcp-half"])
async def test_other_questions_get_past_one_that_breaks_or_blocks_the_connection(
    engine: Engine, name_server: NameServer, word: str
) -> None:
    name_server.load(TRUNCATED + f";! example.com truncate {word}")

    broken, good = await engine.ask([("example.com", RRType.MX), ("other.example", RRType.MX)])

    assert not broken.outcome.is_known
    assert good.records == ("10 mx.other.example",)


@pytest.mark.parametrize("word", ["tcp-timeout", "tcp-half"])
async def test_a_connection_on_which_nothing_came_is_not_used_again(
    engine: Engine, name_server: NameServer, word: str
) -> None:
    name_server.load(TRUNCATED + f";! example.com truncate {word}")
    await one(engine)
    before = {packet.source for packet in name_server.packets if packet.tcp}

    assert (await one(engine, "other.example")).outcome is Outcome.FOUND
    last = [packet.source for packet in name_server.packets if packet.tcp][-1]
    assert last not in before


async def test_a_slow_question_does_not_cost_the_others_their_connection(
    open_quick: Opener,
) -> None:
    names = [f"n{i}.example" for i in range(30)]

    def script(packet: Packet, _times: int) -> list[bytes] | None:
        """Answers all but one, in any order, as a resolver with slow authorities does."""
        return [] if packet.tcp and b"\2n0" in packet.data else None

    zone = "\n".join(f"{name} MX 10 mx.{name}" for name in names) + "\n;! . truncate"
    async with NameServer(zone, script=script) as server:
        engine = await open_quick(server)
        slow = engine.ask([(names[0], RRType.MX)])
        good = [await one(engine, name) for name in names[1:] for _ in range(3)]
        assert (await slow)[0].outcome is Outcome.TIMEOUT
        connections = {packet.source for packet in server.packets if packet.tcp}

    assert {answer.outcome for answer in good} == {Outcome.FOUND}
    # the slow one alone on a connection of its own, when everybody else has finished
    assert len(connections) <= 4


# ── how messages are cut out of the stream ──


async def test_two_messages_in_one_segment_are_two_answers(
    engine: Engine, name_server: NameServer
) -> None:
    name_server.load(TRUNCATED + ";! . truncate tcp-pairs")

    answers = await engine.ask([("example.com", RRType.MX), ("other.example", RRType.MX)])

    assert [answer.records for answer in answers] == [TRUE, ("10 mx.other.example",)]
    assert engine.ignored == 0


async def test_a_message_may_come_byte_by_byte(engine: Engine, name_server: NameServer) -> None:
    name_server.load(TRUNCATED + ";! . truncate tcp-dribble")

    answers = await engine.ask([("example.com", RRType.MX), ("other.example", RRType.MX)])

    assert [answer.records for answer in answers] == [TRUE, ("10 mx.other.example",)]


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(lambda true: bytes([true[0] ^ 1]) + true[1:], id="another id"),
        pytest.param(lambda true: true.replace(b"\7example", b"\7elpmaxe", 1), id="question"),
        pytest.param(lambda _true: b"", id="no byte"),
        pytest.param(lambda true: true[:11], id="half a header"),
        pytest.param(lambda true: true[:20], id="half a question"),
    ],
)
async def test_a_stranger_before_the_answer_is_ignored_and_counted(
    open_quick: Opener, stranger: Callable[[bytes], bytes]
) -> None:
    script = scripted(stranger, lambda true: true)
    async with NameServer(TRUNCATED, script=script) as server:
        engine = await open_quick(server)

        assert (await one(engine)).records == TRUE
    assert engine.ignored == 1


async def test_the_same_message_twice_is_one_answer(open_quick: Opener) -> None:
    script = scripted(lambda true: true, lambda true: true.replace(b"\2mx", b"\2my"))
    async with NameServer(TRUNCATED, script=script) as server:
        engine = await open_quick(server)

        assert (await one(engine)).records == TRUE
    assert engine.ignored == 1
    assert engine.tally.ended() == {("MX", "found"): 1}


async def test_a_message_cut_at_any_byte_is_unknown_and_the_stream_goes_on(
    open_quick: Opener,
) -> None:
    """The length before each message is that of the cut: the stream stays in step."""

    def script(packet: Packet, _times: int) -> list[bytes] | None:
        if not packet.tcp:
            return None
        response = dns.message.make_response(dns.message.from_wire(packet.data))
        name = response.question[0].name
        response.answer.append(dns.rrset.from_text(name, 300, "IN", "MX", "10 mx.example.com."))
        return [response.to_wire()[: int(name.labels[0][1:])]]

    names = [f"n{size:03}.example" for size in range(55)]
    async with NameServer(";! . truncate", script=script) as server:
        answers = await (await open_quick(server)).ask(
            [(name, RRType.MX) for name in names], budget=Budget(999)
        )

    # cut before the end of its question it is nobody's, and whoever waits for it waits in vain
    assert {answer.outcome for answer in answers[30:]} == {Outcome.MALFORMED}
    assert not any(answer.outcome.is_known or answer.records for answer in answers)


# ── long ──


async def test_64_kib_of_txt_come_over_tcp(open_quick: Opener, lies: Lies) -> None:
    long = " ".join(f'"{i % 10}{"x" * 254}"' for i in range(254))
    zone = ZONE + f"long.example TXT {long}\nlong.example MX 10 mx.long.example"
    async with NameServer(zone) as server:
        engine = await open_quick(server)
        answer = await one(engine, "long.example", RRType.TXT)

        assert await lies(zone, engine, "long.example", Depth.QUICK) == []
    assert [len(record) for record in answer.records] == [254 * 255]
    assert answer.records[0][255 * 7] == "7"


async def test_three_hundred_mail_hosts_come_over_tcp(open_quick: Opener, lies: Lies) -> None:
    zone = "\n".join(f"many.example MX {i} mx{i}.many.example" for i in range(300))
    async with NameServer(zone) as server:
        engine = await open_quick(server)
        answer = await one(engine, "many.example")

        assert await lies(zone, engine, "many.example", Depth.FULL) == []
    assert answer.records == tuple(f"{i} mx{i}.many.example" for i in range(300))
