"""Every fuzz target: its check, the words its input is made of, and where it starts from."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from hunter.core.answers import Answer, RRType
from tests.fuzz import judged, names, records, registries
from tests.fuzz.decoder import compare
from tests.fuzz.inputs import BETWEEN
from tests.fuzz.rules import hold

_TESTS = Path(__file__).parents[1]
#: inputs that once broke something: a folder for each target
REGRESSIONS = Path(__file__).parent / "regressions"
_TAGS = ("v=", "p=", ";", "; ", "=", " ", '"', "\\;", "\t")
_MAIL = ("mailto:", "a@b.c", "https://a.net/b", ",", "!10m")
_ZONE = (
    "contoso.com",
    "mail.contoso.com",
    "a.net",
    "b.net",
    " TXT ",
    "\0",
    "!",
    ">",
    "?",
    "nodata",
)
_SPF = (
    "v=spf1 ",
    "include:",
    "redirect=",
    "exp=",
    "a",
    "a:",
    "mx",
    "mx:",
    "ptr",
    "exists:",
    "ip4:",
)
_SPF_ENDS = (
    "ip6:",
    "192.0.2.1/24",
    "2001:db8::/32",
    "//64",
    "%{i}",
    "%{d2r.}",
    "-all",
    "~all",
    "?all",
)
_DMARC = ("v=DMARC1;", "p=none", "p=reject", "p=quarantine", "sp=", "np=", "t=y", "psd=y", "psd=n")
_DMARC_ENDS = ("pct=", "rua=", "ruf=", "adkim=s", "aspf=r", "fo=1:d:s", "rf=afrf", "ri=86400")


_SURVEY_WORDS = (
    " MX ",
    " CNAME ",
    " NS ",
    " A ",
    " CAA ",
    " DS ",
    " TLSA ",
    "_25._tcp.",
    "default._bimi.",
    "MS=ms",
    "10 ",
    "0 .",
    "_mta-sts.",
    "_smtp._tls.",
)


class Target(NamedTuple):
    """One thing that is fuzzed."""

    #: raises when the result breaks a rule
    check: Callable[[bytes], object]
    #: words that bytes alone would not find
    words: tuple[str, ...] = ()
    #: files below tests/ whose strings are starting points
    tests: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    #: records of these types out of the recorded answers are starting points, too
    recorded: tuple[RRType, ...] = ()


def check_decoder(data: bytes) -> None:
    """Our reading of a message against dnspython's."""
    found = compare(data)
    if isinstance(found, Answer):
        hold(found, len(data))


def _zone(*lines: str) -> str:
    return "\0".join(lines)


_WALK = (
    _zone(
        "contoso.com TXT v=spf1 include:a.net a:b.net mx -all",
        "a.net TXT v=spf1 redirect=b.net",
        "b.net TXT v=spf1 exists:%{i}.c.net ~all",
        "contoso.com MX 10 mx.contoso.com",
    ),
    _zone(
        "contoso.com TXT v=spf1 include:a.net include:a.net a mx",
        "a.net TXT v=spf1 include:b.net include:b.net",
        "b.net TXT v=spf1 include:c.net mx:a.net a:a.net include:c.net",
        "?",
    ),
    _zone("contoso.com TXT !servfail", "a.net TXT !budget"),
)
_DISCOVERED = (
    _zone(
        "_dmarc.mail.contoso.com TXT v=DMARC1; p=none; t=y; rua=mailto:a@b.net",
        "b.net TXT x",
        "mail.contoso.com._report._dmarc.b.net TXT v=DMARC1",
    ),
    _zone("_dmarc.contoso.com TXT v=DMARC1; p=reject; sp=quarantine; np=none; psd=n"),
    _zone("_dmarc.com TXT v=DMARC1; p=reject; psd=y", "_dmarc.mail.contoso.com TXT >x.net", "?"),
    _zone("_dmarc.contoso.com TXT !timeout", "mail.contoso.com TXT v=DMARC1; p=none"),
)
_SELECTORS = (
    _zone("s._domainkey.a.net TXT v=DKIM1; p=", "x._domainkey.a.net TXT v=DKIM1; p="),
    _zone(
        "s._domainkey.a.net TXT >s._domainkey.x._domainkey.a.net", "_domainkey.a.net TXT !nodata"
    ),
    _zone("s._domainkey.a.net TXT !refused", "?"),
)
_SURVEYS = (
    _zone(
        "contoso.com MX 10 contoso-com.mail.protection.outlook.com",
        "contoso.com TXT v=spf1 include:spf.protection.outlook.com -all",
        "contoso.com TXT MS=ms12345678",
        "_dmarc.contoso.com TXT v=DMARC1; p=none; rua=mailto:ali@contoso.com",
        "autodiscover.contoso.com CNAME autodiscover.outlook.com",
        "selector1._domainkey.contoso.com TXT >s._domainkey.contoso.onmicrosoft.com",
        "contoso.com NS ns1.example.net",
    ),
    _zone(
        "contoso.com MX 1 aspmx.l.google.com",
        "contoso.com MX 5 mx1.eu.mimecast.com",
        "contoso.com TXT google-site-verification=x",
        "_dmarc.contoso.com TXT !timeout",
        "contoso.com A 192.0.2.1",
    ),
    _zone(
        "contoso.com MX 0 .",
        "contoso.com TXT v=spf1 -all",
        "_mta-sts.contoso.com TXT v=STSv1; id=1",
    ),
    _zone(
        "contoso.com MX 10 mx.contoso.net",
        f"contoso.com DS 12345 13 2 {'AB' * 32}",
        f"_25._tcp.mx.contoso.net TLSA 3 1 1 {'AB' * 32}",
        "contoso.com CAA 0 issue pki.goog",
        "_smtp._tls.contoso.com TXT v=TLSRPTv1; rua=mailto:a@b.net",
        "default._bimi.contoso.com TXT v=BIMI1; l=https://a.net/b.svg",
    ),
    _zone(
        "contoso.com MX 10 mail.contoso.com",
        "mail.contoso.com A 192.0.2.2",
        "contoso.com NS !nxdomain",
    ),
)
_POLICY = (
    "version: STSv1\nmode: enforce\nmx: mx.contoso.com\r\nmx: *.contoso.net\nmax_age: 604800\n"
)

_TLSA = _zone(f"3 1 1 {'AB' * 32}", f"1 1 2 {'CD' * 64}", "3 0 0 3082")
_DS = _zone(f"12345 13 2 {'AB' * 32}", f"1 7 1 {'CD' * 20}")

_RDAP = (
    '{"objectClassName":"domain","ldhName":"contoso.com","status":["active"],'
    '"events":[{"eventAction":"expiration","eventDate":"2027-01-01T00:00:00Z"}],'
    '"entities":[{"roles":["registrar"],"vcardArray":["vcard",[["fn",{},"text","Natro"]]]}],'
    '"secureDNS":{"delegationSigned":true}}'
)
_BOOTSTRAP = (
    '{"version":"1.0","publication":"2026-07-23T02:00:03Z",'
    '"services":[[["com","net"],["https://rdap.test/"]]]}'
)

TARGETS: dict[str, Target] = {
    "decoder": Target(check_decoder),
    "spf": Target(
        records.check_spf, _SPF + _SPF_ENDS, ("core/test_spf.py",), recorded=(RRType.TXT,)
    ),
    "spf_walk": Target(names.check_spf_walk, _SPF + _SPF_ENDS + _ZONE + (" A ", " MX "), (), _WALK),
    "dmarc": Target(
        records.check_dmarc,
        _DMARC + _DMARC_ENDS + _TAGS + _MAIL,
        ("core/test_dmarc.py",),
        recorded=(RRType.TXT,),
    ),
    "dmarc_walk": Target(
        names.check_dmarc_walk,
        _DMARC + _DMARC_ENDS + _ZONE + _MAIL + ("_dmarc.", "._report._dmarc."),
        (),
        _DISCOVERED,
    ),
    "dkim": Target(
        records.check_dkim,
        ("v=DKIM1;", "k=rsa", "k=ed25519", "t=y", "t=s", "s=email", "h=sha256", "MIIBIjAN", *_TAGS),
        ("core/test_dkim.py", "conformance/test_dkim_keys.py"),
    ),
    "dkim_selector": Target(
        records.check_dkim_selector, ("._domainkey.", "s", "x", "v=DKIM1", *_ZONE), (), _SELECTORS
    ),
    "mx": Target(
        records.check_mx,
        ("10 ", "0 .", "\0", ".", "localhost", "[192.0.2.1]", ":", "65535 "),
        ("core/test_mx.py",),
        recorded=(RRType.MX,),
    ),
    "mta_sts": Target(
        records.check_mta_sts, ("v=STSv1;", "id=", "; ", "=", "\0"), ("core/test_mta_sts.py",)
    ),
    "mta_sts_policy": Target(
        records.check_mta_sts_policy,
        (
            "version: STSv1",
            "mode: ",
            "enforce",
            "testing",
            "none",
            "mx: ",
            "*.",
            "max_age: ",
            "\r\n",
        ),
        ("core/test_mta_sts.py",),
        (_POLICY,),
    ),
    "tlsa": Target(
        records.check_tlsa,
        ("3 1 1 ", "2 0 1 ", "1 1 1 ", "3 0 0 ", "AB" * 32, "\0"),
        ("core/test_tlsa.py",),
        (_TLSA,),
    ),
    "ds": Target(
        records.check_ds,
        ("12345 13 2 ", "1 8 1 ", "1 5 2 ", "AB" * 32, "AB" * 20, "\0"),
        ("core/test_dnssec.py",),
        (_DS,),
    ),
    "tlsrpt": Target(
        records.check_tlsrpt, ("v=TLSRPTv1;", "rua=", *_TAGS, *_MAIL), ("core/test_tlsrpt.py",)
    ),
    "bimi": Target(
        records.check_bimi,
        ("v=BIMI1;", "l=", "a=", "avp=personal", "avp=brand", "\0", *_TAGS, *_MAIL),
        ("core/test_bimi.py",),
    ),
    "caa": Target(
        records.check_caa,
        (
            "0 ",
            "128 ",
            "issue ",
            "issuewild ",
            "issuemail ",
            "iodef ",
            '"',
            ";",
            "=",
            "\0",
            "a.net CAA ",
        ),
        ("core/test_caa.py",),
        ('a.net CAA 0 issue "letsencrypt.org;a=b"\0www.a.net CAA !servfail', "0 issue ;\0?"),
        recorded=(RRType.CAA,),
    ),
    "tags": Target(records.check_tags, _TAGS, ("core/test_tags.py",)),
    "rdap": Target(
        registries.check_rdap,
        (
            '"objectClassName":"domain"',
            '"ldhName":"contoso.com"',
            '"events":[',
            '"eventAction":"expiration"',
            '"eventDate":"2027-01-01T00:00:00Z"',
            '"entities":[',
            '"roles":["registrar"]',
            '"vcardArray":["vcard",[',
            '["fn",{},"text","',
            '"status":[',
            '"services":[[["com"],["https://a.net/"]]]',
        ),
        ("core/test_rdap.py",),
        (_RDAP, _BOOTSTRAP, '["vcard",[["version",{},"text","4.0"]]]'),
    ),
    "whois": Target(
        registries.check_whois,
        ("** ", "Domain Name: contoso.com", ": ", "\r\n", "Created on.....: 2007-Jan-08."),
        ("core/test_whois.py",),
        ("** Domain Name: contoso.com\n** Additional Info:\nExpires on......: 2027-Jan-07.\n",),
    ),
    "judgement": Target(
        judged.check_judgement,
        _SURVEY_WORDS + _ZONE + _SPF + _DMARC,
        (),
        _SURVEYS + _WALK + _DISCOVERED,
    ),
    "domain": Target(
        names.check_domain,
        ("https://", "mailto:", "www.", ".com.tr", ".test", "@", "<", ">", "xn--", "[::1]", ":443"),
        ("core/test_domain.py", "conformance/test_domain_names.py"),
    ),
    "idn": Target(
        names.check_idn,
        ("xn--", "İ", "ı", "ß", "ς", "。", "\u200d", "\u200c", "א", "ا", "क्", "--", "."),
        ("core/test_idn.py",),
        ("münchen.de", "xn--mnchen-3ya.de", "faß.de", "אבג.com", "क्‍ष.com"),
    ),
}


def seeds_of(name: str) -> Iterator[bytes]:
    """Where a target starts from; what broke it before comes first."""
    target = TARGETS[name]
    folder = REGRESSIONS / name
    yield from (path.read_bytes() for path in sorted(folder.glob("*")))
    if name == "decoder":
        yield from recorded_messages()
    yield from (text.encode("utf-8", "surrogatepass") for text in target.seeds)
    yield from (
        BETWEEN.join(record.encode() for record in found.records)
        for found in map(compare, recorded_messages() if target.recorded else ())
        if isinstance(found, Answer) and found.rrtype in target.recorded and found.records
    )
    for path in target.tests:
        yield from _strings_in(_TESTS / path)


def recorded_messages() -> list[bytes]:
    """Answers that real name servers gave."""
    lines = (
        (_TESTS / "resolver" / "data" / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    )
    return [bytes.fromhex(json.loads(line)["wire"]) for line in lines]


def _strings_in(path: Path) -> Iterator[bytes]:
    """The examples of a test module: every string in it, without its docstrings and names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    texts = sorted(value for value in found if isinstance(value, str) and len(value) > 1)
    yield from (text.encode("utf-8", "surrogatepass") for text in texts)
