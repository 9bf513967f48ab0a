"""The network of the second benchmark table: what it holds back, loses and mixes up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from delay_proxy import DelayProxy


@contextmanager
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends everything back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, source = sock.recvfrom(4096)
                if not data:
                    return
                sock.sendto(data, source)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()
        finally:
            sock.sendto(b"", sock.getsockname())
            thread.join()


@contextmanager
def proxy_to(server: tuple[str, int], **network: float) -> Iterator[DelayProxy]:
    proxy = DelayProxy(
        server,
        delay_ms=network.get("delay_ms", 0),
        jitter_ms=network.get("jitter_ms", 0),
        loss=network.get("loss", 0),
        seed=7,
    )
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join()


@contextmanager
def client_of(proxy: DelayProxy) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(proxy.address)
        sock.settimeout(5)
        yield sock


def test_two_clients_with_the_same_id_get_their_own_answers() -> None:
    with (
        echo() as server,
        proxy_to(server) as proxy,
        client_of(proxy) as one,
        client_of(proxy) as two,
    ):
        one.send(b"\x12\x34one")
        two.send(b"\x12\x34two")

        assert one.recv(100) == b"\x12\x34one"
        assert two.recv(100) == b"\x12\x34two"


def test_an_answer_is_held_back_for_the_way_there_and_back() -> None:
    with echo() as server, proxy_to(server, delay_ms=30) as proxy, client_of(proxy) as client:
        started = time.monotonic()
        client.send(b"\x00\x01?")
        client.recv(100)

        # no upper limit: the machine may be busy
        assert time.monotonic() - started >= 0.059


def test_all_is_lost_at_a_hundred_percent() -> None:
    with echo() as server, proxy_to(server, loss=100) as proxy, client_of(proxy) as client:
        client.settimeout(0.2)
        client.send(b"\x00\x01?")

        with pytest.raises(TimeoutError):
            client.recv(100)
        assert (proxy.lost, proxy.answers) == (1, 0)


def test_the_same_seed_loses_the_same_questions() -> None:
    def survivors() -> list[bytes]:
        with echo() as server, proxy_to(server, loss=30) as proxy, client_of(proxy) as client:
            for number in range(100):
                client.send(number.to_bytes(2, "big"))
                while proxy.questions <= number:
                    time.sleep(0.0005)
            left = 100 - proxy.lost
            return sorted(client.recv(100) for _ in range(left))

    first = survivors()

    assert 50 < len(first) < 90
    assert first == survivors()


@pytest.mark.parametrize(
    "network", [{"delay_ms": 3000}, {"delay_ms": 5, "jitter_ms": 6}, {"loss": 101}]
)
def test_an_impossible_network_is_refused(network: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"delay|loss"), proxy_to(("127.0.0.1", 1), **network):
        pass
