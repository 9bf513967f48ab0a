"""Mail handed to a real SMTP server on loopback: TLS, refusals, grey lists, servers that die, hostile names."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from hunter.core.advice import Language
from hunter.core.channels import Outcome
from hunter.core.notice import Item, Line, Notice
from hunter.local.authority import Authority
from hunter.outbound.guard import Guard
from hunter.outbound.http import tls_context
from hunter.outbound.mail import Mailer, compose, mailbox, read_relay

pytestmark = pytest.mark.tool("openssl")

ID = "018f0000-0000-7000-8000-00000000abcd"
AT = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC)
HOSTILE = "Acme\r\nBcc: all@victim.example\r\n\r\n<script>alert(1)</script>\u202e \x00"


def notice(sentence: str = "Acme moved.", title: str = "Acme moved.") -> Notice:
    """A message of one change."""
    line = Line("MX", "10 old.example", "<b>10 new.example</b>")
    item = Item(sentence, (line,), "https://hunter.example/api/v1/leads/acme.example")
    return Notice(language=Language.EN, title=title, items=(item,), footer="rule: moves")


def written(of: Notice | None = None) -> bytes:
    return compose(
        of or notice(), message_id=ID, sender="hunter@example.com", recipient="a@b.example", at=AT
    )


class Server:
    """What a relay does, as a test wants it."""

    def __init__(self) -> None:
        self.came: list[tuple[str, list[str], bytes, bool]] = []
        self.rcpt = "250 OK"
        self.data = "250 2.0.0 Queued"
        self.dies_in_data = False
        self.users: list[bytes] = []

    async def handle_RCPT(  # aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        """A recipient."""
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """A whole message."""
        if self.dies_in_data:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "250 nobody hears this"
        is_tls = session.ssl is not None
        content = envelope.content
        assert isinstance(content, bytes)
        self.came.append((str(envelope.mail_from), envelope.rcpt_tos, content, is_tls))
        return self.data

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _kind: Any, data: Any
    ) -> Any:
        """Only hunter may."""
        self.users.append(data.login)
        is_right = data.password == b"p@ss/word"
        return AuthResult(success=is_right, handled=is_right)


@asynccontextmanager
async def relay(
    server: Server, tls: ssl.SSLContext | None, *, implicit: bool = False, auth: bool = False
) -> AsyncIterator[int]:
    """The server on a loopback port."""
    loop = asyncio.get_running_loop()
    transports: list[asyncio.BaseTransport] = []
    handling: set[asyncio.Task[None]] = set()

    class Kept(SMTP):
        """Leaves no connection and no task behind, whatever became of its handshake."""

        async def _handle_client(self) -> None:
            task = asyncio.current_task()
            assert task is not None
            handling.add(task)
            await super()._handle_client()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.append(transport)
            super().connection_made(transport)

    def make() -> SMTP:
        return Kept(
            server,
            hostname="relay.example",
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            authenticator=server.authenticate if auth else None,
            auth_required=auth,
            auth_require_tls=not implicit,
            loop=loop,
        )

    listening = await loop.create_server(make, "127.0.0.1", 0, ssl=tls if implicit else None)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for transport in transports:
            transport.close()
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)


async def nothing(_name: str) -> Sequence[str]:
    return ()


Sending = Callable[..., Any]


@pytest.fixture
def sending(authority: Authority) -> Sending:
    """Sends one message to a port by a scheme."""

    async def send(scheme: str, port: int, *, user: str = "", host: str = "localhost") -> Any:
        url = f"{scheme}://{user}{host}:{port}"
        mailer = Mailer(
            Guard(nothing),
            read_relay(url),
            tls_context(str(authority.file)),
            sender="hunter@example.com",
        )
        return await mailer.send("a@b.example", written(), timeout_s=20)

    return send


async def test_mail_goes_over_starttls_or_tls_with_credentials(
    authority: Authority, sending: Sending
) -> None:
    server = Server()
    tls = authority.server_context("localhost")

    async with relay(server, tls, auth=True) as port:
        first = await sending("smtp", port, user="hunter:p%40ss%2Fword@")
    async with relay(server, tls, implicit=True) as port:
        second = await sending("smtps", port)

    assert (first.outcome, first.status) == (Outcome.OK, 250)
    assert second.outcome is Outcome.OK
    assert server.users == [b"hunter"]
    assert server.came[0][3] is True
    sender, recipients, content, _ = server.came[0]
    assert (sender, recipients) == ("hunter@example.com", ["a@b.example"])
    assert content.replace(b"\r\n", b"\n") == written().replace(b"\r\n", b"\n")


async def test_without_starttls_or_with_a_wrong_certificate_nothing_is_said(
    authority: Authority, sending: Sending
) -> None:
    server = Server()

    async with relay(server, None) as port:
        stripped = await sending("smtp", port, user="hunter:secret@")
        plain = await sending("smtp+plain", port)
    async with relay(server, authority.server_context("other.example"), auth=True) as port:
        wrong = await sending("smtp", port, user="hunter:secret@")

    assert stripped.outcome is Outcome.PROTOCOL
    assert plain.outcome is Outcome.OK
    assert wrong.outcome is Outcome.CERTIFICATE
    assert (server.users, len(server.came)) == ([], 1)


async def test_wrong_credentials_are_no_refusal_of_the_message(
    authority: Authority, sending: Sending
) -> None:
    server = Server()

    async with relay(server, authority.server_context("localhost"), auth=True) as port:
        tried = await sending("smtp", port, user="hunter:wrong@")

    assert (tried.outcome, "wrong" in tried.detail) == (Outcome.DEFERRED, False)
    assert server.came == []


@pytest.mark.parametrize(
    ("rcpt", "data", "outcome", "status"),
    [
        ("450 4.2.0 Greylisted", "250 OK", Outcome.DEFERRED, 450),
        ("250 OK", "451 4.3.0 Try later", Outcome.DEFERRED, 451),
        ("550 5.1.1 No such user", "250 OK", Outcome.REFUSED, 550),
        ("250 OK", "554 5.7.1 Spam", Outcome.REFUSED, 554),
    ],
)
async def test_refusals_for_now_and_for_good_are_told_apart(
    rcpt: str, data: str, outcome: Outcome, status: int, sending: Sending
) -> None:
    server = Server()
    server.rcpt, server.data = rcpt, data

    async with relay(server, None) as port:
        tried = await sending("smtp+plain", port)

    assert (tried.outcome, tried.status) == (outcome, status)


async def test_a_server_that_dies_in_the_message_is_asked_again(sending: Sending) -> None:
    server = Server()
    server.dies_in_data = True
    async with relay(server, None) as port:
        tried = await sending("smtp+plain", port)
    gone = await sending("smtp+plain", port)

    assert tried.outcome is Outcome.PROTOCOL
    assert gone.outcome is Outcome.UNREACHABLE


async def test_a_relay_is_never_where_a_cloud_keeps_its_secrets(sending: Sending) -> None:
    for host in (
        "169.254.169.254",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "224.0.0.1",
        "[::ffff:a9fe:a9fe]",
    ):
        tried = await sending("smtp+plain", 25, host=host)
        assert tried.outcome is Outcome.FORBIDDEN, host


def test_the_message_is_the_same_bytes_each_time_and_says_what_it_is() -> None:
    message = message_from_bytes(written(), policy=policy.default)

    assert written() == written()
    assert message["Message-ID"] == f"<{ID}@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"].startswith("<mailto:hunter@example.com")
    assert (message["To"], message["Subject"]) == ("a@b.example", "Acme moved.")
    text = message.get_body(("plain",))
    page = message.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "MX: 10 old.example → <b>10 new.example</b>" in text.get_content()
    assert "&lt;b&gt;10 new.example&lt;/b&gt;" in page.get_content()
    assert "https://hunter.example/api/v1/leads/acme.example" in text.get_content()


def test_a_hostile_name_adds_no_header_and_no_markup() -> None:
    raw = written(notice(HOSTILE, HOSTILE))
    message = message_from_bytes(raw, policy=policy.default)

    assert message["Bcc"] is None
    assert message["Subject"].startswith("Acme Bcc: all@victim.example")
    assert not any(character in message["Subject"] for character in "\r\n\0\u202e")
    page = message.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content()
    assert len(message.keys()) == len(message_from_bytes(written(), policy=policy.default).keys())


@pytest.mark.parametrize(
    "text",
    ["", "a", "@b.example", "a@", "a@b", "a@b.example\r\nX: y", "a b@c.example", "a@b.example,c@d.example",
     "<a@b.example>", '"a b"@c.example', "a@[127.0.0.1]", "ä@b.example", "a@-b.example", "a@b.example>", "a" * 65 + "@b.example"],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="wants"):
        mailbox(text)
