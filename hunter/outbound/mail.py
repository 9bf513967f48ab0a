"""Mail out: one message to one mailbox over the operator's relay, and what its answer means."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import re
import ssl
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPResponseException,
)

from hunter.core.channels import Outcome
from hunter.core.notice import Item, Notice
from hunter.core.notice_words import TITLES
from hunter.core.registration import plain_text
from hunter.outbound.guard import Guard, OutboundError
from hunter.outbound.webhooks import Tried, failed

_PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_PERMANENT: Final = 500
_MAX_ADDRESS: Final = 254
#: what people have of RFC 5321: a dot-atom and a domain of at least two labels
_MAILBOX: Final = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:[.][A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?[.])+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])"
)
_MAX_SUBJECT: Final = 200


class Relay(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's mail server, as HUNTER_SMTP_URL has it."""

    host: str
    port: int
    #: smtp: STARTTLS, required; smtps: TLS from the first byte; smtp+plain: none
    scheme: str
    username: str
    password: str


def read_relay(url: str) -> Relay:
    """HUNTER_SMTP_URL, checked when the settings were read."""
    parts = urlsplit(url)
    return Relay(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        scheme=parts.scheme,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def mailbox(text: str) -> str:
    """An address such as name@example.com, checked. Raises ValueError saying what is wrong.

    ASCII only: a relay need not know SMTPUTF8. Nothing in it can end a header or a command.
    """
    if len(text) > _MAX_ADDRESS or not _MAILBOX.fullmatch(text):
        raise ValueError("it wants one plain mail address such as name@example.com")
    return text


def compose(
    notice: Notice, *, message_id: str, sender: str, recipient: str, at: dt.datetime
) -> bytes:
    """The message as it goes over the wire, the same bytes at every try.

    Names out of lists and records stand in the subject and the body only, without control
    characters; the library refuses a header with a line end in it.
    """
    message = EmailMessage(policy=WIRE)
    domain = sender.rpartition("@")[2]
    message["Subject"] = plain_text(notice.title)[:_MAX_SUBJECT]
    message["From"] = Address("Hunter", addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{message_id}@{domain}>"
    # RFC 3834: no out-of-office reply, please
    message["Auto-Submitted"] = "auto-generated"
    message["List-Unsubscribe"] = f"<mailto:{sender}?subject=unsubscribe>"
    message["List-Id"] = f"Hunter <alerts.hunter.{domain}>"
    message.set_content(_plain(notice), cte="base64")
    message.add_alternative(_html(notice), subtype="html", cte="base64")
    message.set_boundary(f"hunter-{message_id}")
    return message.as_bytes()


def _plain(notice: Notice) -> str:
    parts = [] if len(notice.items) == 1 else [notice.title, ""]
    for item in notice.items:
        parts += [item.sentence, *_records(item), *([item.url] if item.url else []), ""]
    parts += [notice.more, ""] if notice.more else []
    words = TITLES[notice.language]
    return "\n".join([*parts, "-- ", notice.footer, words["unsubscribe"], ""])


def _html(notice: Notice) -> str:
    words = TITLES[notice.language]
    body = "" if len(notice.items) == 1 else f"<p><b>{html.escape(notice.title)}</b></p>"
    for item in notice.items:
        rows = "".join(f"<br>{html.escape(record)}" for record in _records(item))
        link = f'<br><a href="{html.escape(item.url)}">{words["open"]}</a>' if item.url else ""
        body += f"<p>{html.escape(item.sentence)}{rows}{link}</p>"
    if notice.more:
        body += f"<p>{html.escape(notice.more)}</p>"
    footer = f"{html.escape(notice.footer)}<br>{html.escape(words['unsubscribe'])}"
    head = f'<html lang="{notice.language}"><head><meta charset="utf-8"></head>'
    return f"<!doctype html>{head}<body>{body}<p><small>{footer}</small></p></body></html>\n"


def _records(item: Item) -> list[str]:
    return [f"{line.label}: {line.before} → {line.after}" for line in item.lines]


class Mailer:
    """Hands messages to the relay. A connection each: there are few, and none is left half dead."""

    def __init__(self, guard: Guard, relay: Relay, tls: ssl.SSLContext, *, sender: str) -> None:
        self.sender = sender
        self._guard = guard
        self._relay = relay
        self._tls = tls

    async def send(self, recipient: str, message: bytes, *, timeout_s: float) -> Tried:
        """Hand over one message. Never raises.

        The relay has it once it answered the end of the message; whoever dies before that is asked
        again, and the stable Message-ID lets receivers drop the second.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._send(recipient, message)
        except TimeoutError:
            return Tried(Outcome.TIMEOUT, detail=f"{self._relay.host} did not answer in time")
        except OutboundError as error:
            return failed(error)
        except ssl.SSLCertVerificationError as error:
            return Tried(Outcome.CERTIFICATE, detail=plain_text(error.verify_message))
        except SMTPAuthenticationError as error:
            # the operator's to put right: the message is not refused
            return Tried(Outcome.DEFERRED, error.code, "the relay does not take the credentials")
        except SMTPResponseException as error:
            return _answered(error)
        except SMTPNotSupported:
            return Tried(Outcome.PROTOCOL, detail="the relay does not offer what the settings want")
        except (SMTPException, OSError, ValueError) as error:
            return _broken(error)

    async def _send(self, recipient: str, message: bytes) -> Tried:
        relay = self._relay
        sock = await self._guard.connect_operator(relay.host, relay.port, timeout_s=10)
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            sock=sock,
            use_tls=relay.scheme == "smtps",
            start_tls=relay.scheme == "smtp",
            tls_context=self._tls if relay.scheme != "smtp+plain" else None,
            username=relay.username or None,
            password=relay.password or None,
            local_hostname=self.sender.rpartition("@")[2],
            timeout=None,
        )
        try:
            await client.connect()
            await client.mail(self.sender)
            await client.rcpt(recipient)
            code, told = await client.data(message)
            # it has the message: how the goodbye goes is no matter
            with suppress(SMTPException, OSError):
                await client.quit()
            return Tried(Outcome.OK, code, plain_text(told))
        finally:
            # closes the socket too, when the loop has let go of it: closed before that, its number
            # would be given to another connection that the loop takes for this one
            client.close()


def _answered(error: SMTPResponseException) -> Tried:
    # a relay that greets nobody refuses us, not this message
    is_greeting = isinstance(error, SMTPConnectResponseError | SMTPHeloError)
    is_final = error.code >= _PERMANENT and not is_greeting
    outcome = Outcome.REFUSED if is_final else Outcome.DEFERRED
    return Tried(outcome, error.code, plain_text(error.message))


def _broken(error: Exception) -> Tried:
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return Tried(Outcome.CERTIFICATE, detail=plain_text(error.__cause__.verify_message))
    return Tried(Outcome.PROTOCOL, detail=f"{type(error).__name__}: {plain_text(str(error))}"[:200])
