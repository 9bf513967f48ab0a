"""Every setting, in one frozen dataclass; the only reader of the environment."""

from __future__ import annotations

import base64
import difflib
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hunter.core.errors import Misconfigured
from hunter.core.points import read_crash

PREFIX = "HUNTER_"
#: what load balancers take to notice that a pod is not ready: two probes, and the news
_DRAIN_DELAY_S = 5.0
_DATA_DIR = Path(".local")


class Secret(str):
    """Text that never shows itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***" if self else "(not set)"


def _setting(default: object, help_text: str, parse: Callable[[str], object]) -> Any:
    return field(default=default, metadata={"help": help_text, "parse": parse})


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"wants a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not low <= value <= high:
            raise ValueError(f"wants a number of seconds from {low:g} to {high:g}")
        return value

    return parse


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"wants one of: {', '.join(allowed)}")
        return text

    return parse


def _truth(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError("wants true or false")
    return text.lower() in {"true", "1", "yes"}


def _https(text: str) -> str:
    if urlsplit(text).scheme != "https" or not urlsplit(text).hostname:
        raise ValueError("wants a URL starting https://")
    return _printable(text)


def _http(text: str) -> str:
    if text and (urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname):
        raise ValueError("wants a URL starting http:// or https://")
    return text


def _web(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"https", "http"} or not parts.hostname or parts.query):
        raise ValueError("wants a URL such as https://hunter.example")
    return _printable(text)


def _relay(text: str) -> Secret:
    """A mail relay; urlsplit says of its port when it is read."""
    parts = urlsplit(text)
    if text and (
        parts.scheme not in {"smtp", "smtps", "smtp+plain"} or not parts.hostname or parts.port == 0
    ):
        raise ValueError("wants smtp://, smtps:// or smtp+plain:// with a host, and a port from 1")
    return Secret(text)


def _mailbox(text: str) -> str:
    name, at, domain = text.partition("@")
    plain = name.replace(".", "").replace("-", "").replace("_", "").replace("+", "").isalnum()
    if text and not (
        at
        and plain
        and text.isascii()
        and "." in domain
        and domain.replace(".", "").replace("-", "").isalnum()
    ):
        raise ValueError("wants a mail address such as hunter@example.com")
    return _printable(text)


def _printable(text: str) -> str:
    if not text.isascii() or not text.isprintable() or len(text) > 200:
        raise ValueError("wants at most 200 printable ASCII characters")
    return text


def _url(*schemes: str) -> Callable[[str], Secret]:
    def parse(text: str) -> Secret:
        if text and urlsplit(text).scheme not in schemes:
            raise ValueError(f"wants a URL starting {' or '.join(s + '://' for s in schemes)}")
        return Secret(text)

    return parse


def _origins(text: str) -> tuple[str, ...]:
    found = tuple(each.strip() for each in text.split(",") if each.strip())
    for origin in found:
        parts = urlsplit(origin)
        if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in {"http", "https"}:
            raise ValueError("wants origins such as https://crm.example.com, without path or *")
    return found


def parse_server(text: str) -> tuple[str, int]:
    """One name server, "192.0.2.1", "192.0.2.1:5353" or "[2001:db8::1]:53", as (address, port).

    Raises ValueError saying what is wrong. A name is refused: resolving it would need a resolver.
    """
    host, port = text.strip(), 53
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not [address]:port")
        port_text = rest[1:]
    elif host.count(":") == 1:
        host, _, port_text = host.partition(":")
    else:
        port_text = ""
    if port_text:
        port = _whole(1, 65535)(port_text)
    try:
        return str(ipaddress.ip_address(host)), port
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address, address:port or [address]:port") from None


def _days(text: str) -> tuple[float, ...]:
    try:
        days = tuple(float(part) for part in text.split(","))
    except ValueError:
        days = ()
    if len(days) != 6 or not all(0.01 <= each <= 3650 for each in days):
        raise ValueError("wants six numbers of days separated by commas, as in 1,3,7,14,30,90")
    return days


def _servers(text: str) -> tuple[tuple[str, int], ...]:
    return tuple(parse_server(part) for part in text.split(",") if part.strip())


def _webhook_secret(text: str) -> Secret:
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if text and not 24 <= len(key) <= 64:
        raise ValueError("wants whsec_ and 24 to 64 bytes in base64")
    return Secret(text)


def _networks(text: str) -> tuple[str, ...]:
    return tuple(
        str(ipaddress.ip_network(part.strip(), strict=False))
        for part in text.split(",")
        if part.strip()
    )


def _crash(text: str) -> str:
    read_crash(text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings. The environment name of a field is HUNTER_ and the field in capitals."""

    environment: str = _setting(
        "development",
        "development or production. Production refuses unsafe settings.",
        _choice("development", "production"),
    )
    host: str = _setting("127.0.0.1", "Address the API listens on.", str)
    port: int = _setting(8000, "Port of the API.", _whole(1, 65535))
    worker_port: int = _setting(8001, "Port of the worker's probes and metrics.", _whole(1, 65535))
    up_workers: int = _setting(
        1,
        "Worker processes that `hunter up` starts, on HUNTER_WORKER_PORT and the ports after it.",
        _whole(1, 64),
    )
    database_url: str = _setting(
        Secret(""),
        "PostgreSQL, postgresql://user:password@host:port/name. Empty: `hunter up` starts its own.",
        _url("postgresql", "postgres"),
    )
    redis_url: str = _setting(
        Secret(""),
        "Redis or Valkey, redis://:password@host:port/0. Empty: `hunter up` starts its own.",
        _url("redis", "rediss", "unix"),
    )
    dns_servers: tuple[tuple[str, int], ...] = _setting(
        (), "Name servers, ip[:port] separated by commas. Empty: those of resolv.conf.", _servers
    )
    dns_max_qps: int = _setting(
        0,
        "Questions a second to each name server from each worker process; 0 is no limit.",
        _whole(0, 1_000_000),
    )
    dns_window: int = _setting(
        10_000,
        "Most questions in flight per worker process; the engine finds its own window below it.",
        _whole(1, 30_000),
    )
    dns_0x20: bool = _setting(
        False,
        "True: ask in random case, which answers must repeat; harder to forge, a little slower.",
        _truth,
    )
    dns_trust_ad: bool = _setting(
        False,
        "True: the name servers validate DNSSEC and nobody can forge their answers on the way, so that "
        "their AD bit proves a domain secure (RFC 6840 section 5.8). Without it DANE stays unknown.",
        _truth,
    )
    #: read by hunter/resolver/variant.py, before there is a Config
    pure_python: bool = _setting(
        False, "True: run the DNS engine interpreted even where it was compiled.", _truth
    )
    data_dir: Path = _setting(  # noqa: RUF009  # same call as its neighbours
        _DATA_DIR, "Folder of the embedded servers' data and logs.", Path
    )
    rules_dir: str = _setting(
        "",
        "Folder with data files of your own (rules.yaml, events.yaml, …), each in place of the shipped "
        "one of its name. Empty: the shipped ones.",
        str,
    )
    price_list: str = _setting(
        "",
        "YAML file with what the offers of a sales brief cost, `offers: {copilot: from 28 €}`. "
        "Empty: no price is told.",
        str,
    )
    rules_poll_s: float = _setting(
        2.0,
        "Time between two looks whether files of HUNTER_RULES_DIR changed.",
        _seconds(0.05, 3600),
    )
    rejudge_interval_s: float = _setting(
        5.0,
        "Time between two looks whether leads are to be judged anew, by other rules or on another day.",
        _seconds(0.05, 3600),
    )
    log_level: str = _setting(
        "info",
        "debug, info, warning, error or critical. debug only in development.",
        _choice("debug", "info", "warning", "error", "critical"),
    )
    sentry_dsn: str = _setting(
        Secret(""),
        "DSN of Sentry, to which errors are reported without anything personal. Empty: nothing is sent.",
        _url("https", "http"),
    )
    otlp_url: str = _setting(
        "",
        "OpenTelemetry collector that gets traces by OTLP over HTTP, such as http://127.0.0.1:4318; "
        "wants the extra `otel`. Empty: nothing is traced.",
        _http,
    )
    admin_key: str = _setting(
        Secret(""),
        "Key of the built-in administrator, who makes the other keys (docs/api/keys.md). "
        "Empty: open, allowed in development on loopback only.",
        Secret,
    )
    key_pepper: str = _setting(
        Secret(""),
        "Secret under which the digests of keys are made; the same in every process, kept apart from "
        "the database. Another one makes every key useless.",
        Secret,
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "Networks of your own proxies, 10.0.0.0/8 separated by commas: X-Forwarded-For is believed as "
        "far as they wrote it. Empty: it is not read.",
        _networks,
    )
    rate_limit: int = _setting(
        6000,
        "Requests a minute of each key, or of each address while the API is open; a key may have its "
        "own. 0: no limit.",
        _whole(0, 10_000_000),
    )
    rate_burst: int = _setting(
        600, "Requests that may come at once before HUNTER_RATE_LIMIT counts.", _whole(1, 1_000_000)
    )
    max_reads: int = _setting(
        64,
        "Reads a process works on at once; twice as many wait a moment, more are told to come back.",
        _whole(1, 100_000),
    )
    max_writes: int = _setting(
        64, "Small writes a process works on at once, queued like reads.", _whole(1, 100_000)
    )
    max_bulks: int = _setting(
        16,
        "Uploads and long answers a process works on at once, queued likewise.",
        _whole(1, 10_000),
    )
    max_streams: int = _setting(
        5000,
        "Event streams and requests that wait for a scan, at once; none queue.",
        _whole(1, 100_000),
    )
    audit_days: int = _setting(365, "Days the audit log is kept.", _whole(1, 36_500))
    ready_requires_redis: bool = _setting(
        True, "False: readiness stays 200 with status degraded while Redis is away.", _truth
    )
    drain_delay_s: float = _setting(
        0.0,
        "Seconds the API goes on accepting after SIGTERM, for load balancers to notice (production: 5).",
        _seconds(0, 300),
    )
    drain_grace_s: float = _setting(
        25.0, "Seconds a stopping process gives to work under way.", _seconds(0, 600)
    )
    allow_test_names: bool = _setting(
        False,
        "Accept names under .test, .example and .invalid. Refused in production.",
        _truth,
    )
    db_pool_size: int = _setting(10, "PostgreSQL connections per process.", _whole(2, 500))
    db_timeout_s: float = _setting(
        5.0, "Longest wait for a PostgreSQL connection.", _seconds(0.1, 60)
    )
    cors_origins: tuple[str, ...] = _setting(
        (),
        "Origins whose pages may read the API's answers, https://crm.example.com, with commas between. "
        "Empty: none but its own.",
        _origins,
    )
    body_max_bytes: int = _setting(
        64 * 1024 * 1024, "Largest request body in bytes.", _whole(1024, 2**34)
    )
    upload_max_bytes: int = _setting(
        256 * 1024 * 1024,
        "Largest file of companies in bytes; it waits in HUNTER_DATA_DIR/tmp.",
        _whole(1024, 2**34),
    )
    ingest_memory_bytes: int = _setting(
        1024**3,
        "Memory of the process that reads one file of companies; a larger file is refused.",
        _whole(128 * 1024**2, 2**38),
    )
    ingest_readers: int = _setting(
        2, "Files of companies that an API process reads at once.", _whole(1, 64)
    )
    ingest_webhook_secret: str = _setting(
        Secret(""),
        "Secret (whsec_…) that signs leads pushed to /ingest/webhook as Standard Webhooks says. "
        "Empty: only callers with a key may push.",
        _webhook_secret,
    )
    worker_slots: int = _setting(
        24,
        "Most bulk chunks a worker process works on at once; fewer while they wait for each other.",
        _whole(1, 64),
    )
    interactive_slots: int = _setting(
        16, "Interactive chunks a worker process works on at once, beside the bulk.", _whole(1, 256)
    )
    chunk_size: int = _setting(100, "Domains in one chunk of a bulk job.", _whole(1, 5000))
    lease_s: float = _setting(20.0, "Lease of a claimed chunk.", _seconds(1, 600))
    interactive_lease_s: float = _setting(
        6.0,
        "Lease of a claimed interactive chunk, at most HUNTER_LEASE_S; extended three times in it.",
        _seconds(1, 600),
    )
    heartbeat_s: float = _setting(
        5.0, "Time between two heartbeats; below a third of the lease.", _seconds(0.2, 200)
    )
    hint_stale_s: float = _setting(
        10.0, "A hint older than this is given again.", _seconds(0.5, 600)
    )
    dispatch_interval_s: float = _setting(
        0.5, "Time between two looks of the dispatcher.", _seconds(0.05, 60)
    )
    fetch_policies: bool = _setting(
        False,
        "Fetch MTA-STS policy files over HTTPS in scans of full depth (docs/outbound.md).",
        _truth,
    )
    registration: bool = _setting(
        False,
        "Look up registration data (RDAP, WHOIS of .tr) of leads scanned at full depth "
        "(docs/outbound.md).",
        _truth,
    )
    rdap_max_qps: int = _setting(
        1, "Questions a second to each registry from each worker process.", _whole(1, 100)
    )
    rdap_bootstrap_url: str = _setting(
        "https://data.iana.org/rdap/dns.json",
        "Where `hunter rdap refresh` gets the list of RDAP servers (RFC 9224).",
        _https,
    )
    outbound_ca_file: str = _setting(
        "",
        "PEM file of the certificate authorities to trust in connections out. Empty: the system's.",
        str,
    )
    outbound_contact: str = _setting(
        "",
        "URL or mail address, sent along in requests out, for those who want to know who asks.",
        _printable,
    )
    outbound_loopback: bool = _setting(
        False,
        "Allow connections out to this machine, and plain http. Refused in production.",
        _truth,
    )
    public_url: str = _setting(
        "",
        "Where people reach this installation, https://hunter.example: links in messages start with it.",
        _web,
    )
    smtp_url: str = _setting(
        Secret(""),
        "Mail relay for alerts: smtp://user:password@host:587 (STARTTLS, required), smtps:// (TLS), "
        "smtp+plain:// (none; refused in production). Empty: no mail.",
        _relay,
    )
    smtp_from: str = _setting(
        "", "Mail address that alerts come from. Needed with HUNTER_SMTP_URL.", _mailbox
    )
    delivery_lease_s: float = _setting(
        30.0,
        "Lease of a message that is being sent; a try takes at most half of it, and at most 12 s.",
        _seconds(1, 600),
    )
    delivery_days: int = _setting(
        30, "Days for which messages are kept after they were taken or given up.", _whole(1, 3650)
    )
    results_days: int = _setting(
        90,
        "Days for which results of scans and their chunks are kept; results go by whole months.",
        _whole(1, 3650),
    )
    reject_days: int = _setting(30, "Days for which refused names are kept.", _whole(1, 3650))
    job_days: int = _setting(365, "Days for which finished jobs are kept.", _whole(1, 3650))
    change_days: int = _setting(1095, "Days for which changes are kept.", _whole(1, 36_500))
    watch_days: tuple[float, ...] = _setting(
        (1, 3, 7, 14, 30, 90),
        "Days between two scans of a lead by itself, for each priority from 1 to 6.",
        _days,
    )
    watch_chunks: int = _setting(
        48,
        "Most chunks of scans by themselves that are open at once; 0 takes up no due leads.",
        _whole(0, 10_000),
    )
    confirm_after_s: float = _setting(
        600.0,
        "Time after which a second look confirms a change. Production wants at least 600.",
        _seconds(0, 86_400),
    )
    dns_confirm_servers: tuple[tuple[str, int], ...] = _setting(
        (),
        "Name servers of somebody else, ip[:port] separated by commas, asked at once about what seems "
        "to have changed. Empty: changes wait for HUNTER_CONFIRM_AFTER_S.",
        _servers,
    )
    alert_days: int = _setting(365, "Days for which alerts are kept.", _whole(1, 3650))

    crash: str = _setting(
        "",
        "Tests only: point:n kills the process at the n-th pass of a point of hunter.core.points. "
        "Refused in production.",
        _crash,
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Config:
        """Settings from the environment; raises Misconfigured listing every bad value at once."""
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, text in sorted(environ.items()):
            if not name.startswith(PREFIX):
                continue
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else "`hunter config` lists all settings"
                problems.append(f"{name}: no such setting; {hint}")
                continue
            try:
                values[known[name].name] = known[name].metadata["parse"](text)
            except ValueError as error:
                shown = "***" if isinstance(known[name].default, Secret) else repr(text)
                problems.append(f"{name}={shown}: {error}")
        refused = [line.partition(":")[0].partition("=")[0] for line in problems]
        if values.get("environment") == "production":
            values.setdefault("drain_delay_s", _DRAIN_DELAY_S)
        config = cls(**values)
        # what a refused setting would have been is not known, so nothing is said about it twice
        problems += [line for line in config.faults() if not any(name in line for name in refused)]
        if problems:
            raise Misconfigured("\n".join(problems))
        return config

    def lease_of(self, lane: str) -> float:
        """Seconds for which a chunk of a lane is claimed: somebody waits for an interactive one."""
        if lane == "interactive":
            return min(self.interactive_lease_s, self.lease_s)
        return self.lease_s

    def beat_of(self, lane: str) -> float:
        """Seconds between two extensions of the leases of a lane."""
        return min(self.heartbeat_s, self.lease_of(lane) / 3)

    def faults(self) -> list[str]:
        """What is wrong with the settings taken together, one line each."""
        found: list[str] = []
        if self.heartbeat_s * 3 > self.lease_s:
            found.append(
                f"HUNTER_HEARTBEAT_S={self.heartbeat_s:g}: three beats must fit into HUNTER_LEASE_S={self.lease_s:g}"
            )
        if not self.admin_key and self.host not in {"127.0.0.1", "::1", "localhost"}:
            found.append(
                f"HUNTER_HOST={self.host}: an open API may listen on loopback only; set HUNTER_ADMIN_KEY"
            )
        if self.smtp_url and not self.smtp_from:
            found.append("HUNTER_SMTP_FROM: HUNTER_SMTP_URL needs an address that mail comes from")
        if self.environment == "production":
            found += self._production_faults()
        return found

    def _production_faults(self) -> list[str]:
        found = [
            f"HUNTER_{name}: production needs it"
            for name in ("ADMIN_KEY", "KEY_PEPPER", "DATABASE_URL", "REDIS_URL")
            if not getattr(self, name.lower())
        ]
        if self.admin_key and len(self.admin_key) < 24:
            found.append("HUNTER_ADMIN_KEY: production wants at least 24 characters")
        if self.confirm_after_s < 600:
            found.append("HUNTER_CONFIRM_AFTER_S: production wants at least 600")
        if self.key_pepper and len(self.key_pepper) < 32:
            found.append("HUNTER_KEY_PEPPER: production wants at least 32 characters")
        if self.admin_key and self.admin_key == self.key_pepper:
            found.append("HUNTER_KEY_PEPPER: must differ from HUNTER_ADMIN_KEY")
        if "0.0.0.0/0" in self.trusted_proxies or "::/0" in self.trusted_proxies:
            found.append(
                "HUNTER_TRUSTED_PROXIES: trusts everybody; name the networks of your proxies"
            )
        if self.allow_test_names:
            found.append("HUNTER_ALLOW_TEST_NAMES: not in production")
        if self.outbound_loopback:
            found.append("HUNTER_OUTBOUND_LOOPBACK: not in production")
        if self.smtp_url.startswith("smtp+plain:"):
            found.append("HUNTER_SMTP_URL: mail without TLS is not for production")
        if self.crash:
            found.append("HUNTER_CRASH: not in production")
        if self.log_level == "debug":
            found.append("HUNTER_LOG_LEVEL=debug: not in production; use info")
        return found

    def table(self) -> list[tuple[str, str, str, str]]:
        """(environment name, value, default, help) of every setting; secrets as ***."""
        rows = []
        for f in fields(self):
            if f.default is MISSING:  # pragma: no cover - every setting has a default
                continue
            rows.append(
                (
                    PREFIX + f.name.upper(),
                    _shown(getattr(self, f.name)),
                    _shown(f.default),
                    str(f.metadata["help"]),
                )
            )
        return rows


def _shown_part(value: object) -> str:
    if isinstance(value, tuple):
        address, port = value
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def _shown(value: object) -> str:
    if isinstance(value, Secret):
        return repr(value)
    if value == "":
        return "(not set)"
    if isinstance(value, tuple):
        return ",".join(_shown_part(each) for each in value) or "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
