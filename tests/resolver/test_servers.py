"""Which servers are asked, and how the window of one finds its size."""

from __future__ import annotations

from pathlib import Path

import pytest

from hunter.config import Config
from hunter.resolver.servers import Server, servers_of


def test_configured_servers_win(tmp_path: Path) -> None:
    config = Config(dns_servers=(("192.0.2.1", 5353),))

    assert servers_of(config, tmp_path / "resolv.conf") == (("192.0.2.1", 5353),)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        (
            "nameserver 192.0.2.1\nnameserver 2001:db8::1\n",
            (("192.0.2.1", 53), ("2001:db8::1", 53)),
        ),
        ("nameserver fe80::1%eth0\n", (("fe80::1%eth0", 53),)),
        (
            "# nameserver 192.0.2.9\nsearch example.com\nnameserver 192.0.2.1 # x",
            (("192.0.2.1", 53),),
        ),
        ("nameserver nonsense\nnameserver\nnameserver 192.0.2.2", (("192.0.2.2", 53),)),
        (
            "\n".join(f"nameserver 192.0.2.{i}" for i in range(5)),
            tuple((f"192.0.2.{i}", 53) for i in range(3)),
        ),
        ("search example.com", (("127.0.0.1", 53),)),
    ],
)
def test_resolv_conf_is_read_as_libc_reads_it(
    tmp_path: Path, text: str, servers: tuple[tuple[str, int], ...]
) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text)

    assert servers_of(Config(), path) == servers


def test_without_resolv_conf_this_machine_is_asked(tmp_path: Path) -> None:
    assert servers_of(Config(), tmp_path / "none") == (("127.0.0.1", 53),)


def server(*, window: int = 512, cap: int = 10_000, qps: int = 0) -> Server:
    return Server(("192.0.2.1", 53), 0, cap=cap, qps=qps, window=window)


def busy(each: Server, now: float, answers: int) -> None:
    """A quarter of a second in which the window was always full."""
    each.limited = True
    each.answers += answers
    each.grow(now)


def test_an_address_is_shown_with_its_port() -> None:
    assert server().text == "192.0.2.1:53"
    assert Server(("2001:db8::1", 53), 0, cap=1, qps=0, window=1).text == "[2001:db8::1]:53"


def test_the_window_grows_by_one_per_answer_while_the_rate_rises() -> None:
    each = server()
    busy(each, 100.0, 300)
    busy(each, 100.3, 500)

    assert each.window == 512 + 300 + 500


def test_a_growth_that_brings_nothing_is_taken_back() -> None:
    each = server()
    busy(each, 100.0, 5000)
    assert each.window == 1024

    busy(each, 100.0 + 0.25, 5000)
    busy(each, 100.0 + 0.5, 5000)
    busy(each, 100.0 + 0.75, 5000)

    assert each.window <= 1024


def test_the_window_has_a_cap() -> None:
    each = server(cap=600)
    busy(each, 100.0, 5000)

    assert each.window == 600


def test_a_window_that_is_not_full_does_not_grow() -> None:
    each = server()
    each.answers += 5000
    each.grow(100.0)

    assert each.window == 512


def test_a_tenth_of_the_window_is_kept_for_people() -> None:
    each = server(window=100)
    each.inflight = 90

    assert not each.has_room(interactive=False)
    assert each.has_room(interactive=True)


def test_tokens_come_back_with_time() -> None:
    each = server(qps=100)
    each.tokens = 0
    assert not each.has_room(interactive=True)

    each.refill(0.01)

    assert each.has_room(interactive=True)
    each.refill(60)
    assert each.tokens == 5


def lose(each: Server, count: int, domains: int) -> None:
    for i in range(count):
        each.lost(f"mail.d{i % domains}.example.com")
        each.silent = 0  # others were answered in between


@pytest.mark.parametrize(
    ("lost", "domains", "suspect"),
    [(25, 25, False), (30, 25, True), (30, 19, False)],
)
def test_losses_are_the_servers_above_five_percent_over_twenty_domains(
    lost: int, domains: int, suspect: bool
) -> None:
    each = server()
    lose(each, lost, domains)
    each.answers += 512 - lost

    assert each.is_suspect(doubt_after=20) is suspect


def test_losses_are_looked_at_over_512_tries() -> None:
    each = server()
    lose(each, 100, 100)
    each.answers += 400

    assert not each.is_suspect(doubt_after=20)


def test_silence_is_suspect_at_once() -> None:
    each = server()
    for i in range(20):
        each.lost(f"d{i}.example")

    assert each.is_suspect(doubt_after=20)


def test_a_lost_probe_shrinks_the_window_once_a_second() -> None:
    each = server(window=1000)
    for now in (10.0, 10.5, 11.0):
        each.probe_sent()
        each.answers += 1
        each.probed(None, now, (1.0, 30.0))

    assert each.window == 722
    assert not each.is_open  # others were answered


def test_a_slow_probe_shrinks_the_window() -> None:
    each = server(window=1000)
    each.probed(0.010, 10.0, (1.0, 30.0))
    each.probed(0.019, 20.0, (1.0, 30.0))
    assert each.window == 1000

    each.probed(0.021, 30.0, (1.0, 30.0))

    assert each.window == 850


def test_silence_and_a_lost_probe_open_the_breaker_for_longer_each_time() -> None:
    each = server()
    waits = []
    for _ in range(7):
        each.probed(None, 100.0, (1.0, 30.0))
        waits.append(each.reopen_at - 100.0)

    assert each.is_open
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_an_answered_probe_closes_the_breaker() -> None:
    each = server()
    each.probed(None, 100.0, (1.0, 30.0))

    each.probed(0.01, 102.0, (1.0, 30.0))

    assert not each.is_open
    assert each.silent == 0
