"""DNS zones of invented companies, the same for the same seed, and what they say."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import idna
import msgspec
import yaml

from hunter.core.answers import RRType
from hunter.core.eop_label import encode_label

T = TypeVar("T")

#: as many as a bulk job takes
MOST_COMPANIES = 1_000_000
#: longest character-string a TXT record is cut into; RFC 1035 section 3.3 allows 255
_STRING_BYTES = 250
#: documentation networks (RFC 5737): no packet ever leaves for them
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One resource record; `rdata` is in the form of `hunter.core.answers.Answer.records`."""

    name: str
    rrtype: RRType
    rdata: str


class Company(msgspec.Struct, frozen=True):
    """An invented company, its zone, and what somebody who reads the zone can know."""

    #: A-label form
    domain: str
    #: the domain as its owner writes it
    display: str
    company_name: str
    city: str
    #: which recipe made the zone, such as "m365_gateway"
    kind: str
    records: tuple[Record, ...]
    #: misbehaviours of the name server: (".x.test" for a name and all below it, "timeout")
    faults: tuple[tuple[str, str], ...]
    #: False when the zone leaves the MX question without an answer
    answered: bool
    #: who receives the mail: id in the provider table, "mixed", "self_hosted" or "unknown:<domain>"
    mx_operator: str | None
    #: where the mailboxes are, None when no record shows it
    provider: str | None
    #: id of the tenant states of `hunter.core.judgement.Judgement`
    tenant_state: str
    #: id of the mail states there
    mail_state: str


class Dice:
    """Choices that depend on a key and a label only, not on the order of asking."""

    def __init__(self, *key: object) -> None:
        self._key = "|".join(map(str, key)).encode() + b"|"

    def number(self, label: str, below: int) -> int:
        """A whole number from 0 to `below` - 1."""
        digest = hashlib.blake2b(self._key + label.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % below

    def chance(self, label: str, percent: float) -> bool:
        """True in `percent` of all keys."""
        return self.number(label, 10_000) < percent * 100

    def pick(self, label: str, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[self.number(label, len(options))]

    def weighted(self, label: str, options: Sequence[tuple[str, int]]) -> str:
        """One of the (option, weight) pairs."""
        left = self.number(label, sum(weight for _, weight in options))
        for option, weight in options:
            left -= weight
            if left < 0:
                return option
        raise AssertionError("weights add up")  # pragma: no cover

    def octets(self, label: str, count: int) -> bytes:
        """Bytes that look like chance."""
        return hashlib.shake_128(self._key + label.encode()).digest(count)

    def hex(self, label: str, digits: int) -> str:
        """Hexadecimal digits that look like chance."""
        return self.octets(label, digits).hex()[:digits]


@cache
def load_table(name: str) -> dict[str, Any]:
    """A YAML file of hunter/local/data."""
    text = resources.files("hunter.local").joinpath(f"data/{name}").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


_ASCII = str.maketrans("çğıiöşüâî", "cgiiosuai")


def fold(text: str) -> str:
    """Turkish text as people write it in a domain name: "Şeker Gıda" is "sekergida"."""
    lower = text.replace("İ", "i").replace("I", "ı").lower()
    return lower.translate(_ASCII).replace(" ", "")


class Draft:
    """A zone being written."""

    def __init__(self, domain: str, ordinal: int, dice: Dice) -> None:
        self.domain = domain
        #: how many companies of this kind came before
        self.ordinal = ordinal
        self.dice = dice
        self.records: list[Record] = []
        self.faults: list[tuple[str, str]] = []
        self.spf: list[str] = []
        self.spf_ending = dice.weighted("spf_all", [("~all", 60), ("-all", 34), ("?all", 6)])
        #: False: this kind is told by its SPF record, which is therefore in order
        self.spf_may_break = True
        self.ns = dice.pick(
            "ns", ("natrohost.com", "turkticaret.net", "ns.cloudflare.com", "isimtescil.net")
        )
        self.answered = True
        self.mx_operator: str | None = None
        self.provider: str | None = None
        self.tenant_state = "no_microsoft"
        self.mail_state = "mail"

    @property
    def label(self) -> str:
        """Exchange Online's label for the domain."""
        return encode_label(self.domain)

    @property
    def tenant(self) -> str:
        """Initial name of the company's Microsoft tenant."""
        return self.domain.removesuffix(".test").removeprefix("xn--").replace("-", "")[:27]

    @property
    def address(self) -> str:
        """An address of the company, out of the documentation networks."""
        network = self.dice.pick("network", _NETWORKS)
        return f"{network}.{self.dice.number('host', 250) + 2}"

    def add(self, rrtype: RRType, rdata: str, label: str = "") -> None:
        """One record of the domain, or of a name below it."""
        self.add_absolute(f"{label}.{self.domain}" if label else self.domain, rrtype, rdata)

    def add_absolute(self, name: str, rrtype: RRType, rdata: str) -> None:
        """One record of any name."""
        self.records.append(Record(name, rrtype, rdata))

    def mx(self, *hosts: str, first: int = 10, step: int = 10) -> None:
        """MX records in this order of preference."""
        for place, host in enumerate(hosts):
            self.add(RRType.MX, f"{first + step * place} {host}")

    def operator(self, row: dict[str, Any], *, equal: bool = False) -> None:
        """MX, SPF and DNS host of one row of operators.yaml."""
        names = {
            "dash": self.domain.replace(".", "-"),
            "hex": self.dice.hex("account", 8),
            "num": str(100_000 + self.dice.number("account", 900_000)),
        }
        self.mx(*(host.format(**names) for host in row["mx"]), step=0 if equal else 10)
        if "spf" in row:
            self.spf.append("include:" + row["spf"].format(**names))
        self.ns = row.get("ns", self.ns)
        self.mx_operator = row["id"]


def _rows(group: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = load_table("operators.yaml")[group]
    return rows


def _take(draft: Draft, group: str) -> dict[str, Any]:
    """The operators of a group in turn, so that each of them is there."""
    rows = _rows(group)
    return rows[draft.ordinal % len(rows)]


def _dkim_key(dice: Dice, label: str, *, bits: int = 2048) -> str:
    """An RSA public key record (RFC 6376 section 3.6.1) with a modulus that nobody can sign for."""
    header = (
        "30820122300d06092a864886f70d01010105000382010f003082010a0282010100"
        if bits == 2048
        else "30819f300d06092a864886f70d010101050003818d0030818902818100"
    )
    modulus = bytearray(dice.octets(label, bits // 8))
    modulus[0] |= 0x80
    modulus[-1] |= 1
    der = bytes.fromhex(header) + bytes(modulus) + bytes.fromhex("0203010001")
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


# -- the parts Microsoft 365 leaves in a zone ------------------------------------------------


def _microsoft_proof(draft: Draft) -> None:
    draft.add(RRType.TXT, f"MS=ms{10_000_000 + draft.dice.number('ms', 89_999_999)}")


def _microsoft_devices(draft: Draft) -> None:
    draft.add(RRType.CNAME, "enterpriseregistration.windows.net", "enterpriseregistration")
    draft.add(RRType.CNAME, "enterpriseenrollment.manage.microsoft.com", "enterpriseenrollment")


def _microsoft_autodiscover(draft: Draft) -> None:
    # only where the MX tells all: a CNAME question shows one step of the way
    if draft.mx_operator == "microsoft365" and draft.dice.chance("autodiscover_chain", 5):
        draft.add(RRType.CNAME, f"outlook.{draft.domain}", "autodiscover")
        draft.add(RRType.CNAME, "autodiscover.outlook.com", "outlook")
        return
    draft.add(RRType.CNAME, "autodiscover.outlook.com", "autodiscover")


def _microsoft_dkim(draft: Draft, *, new_form: bool = False) -> None:
    for selector in ("selector1", "selector2"):
        ending = f"{draft.tenant}.{'a-v1.dkim.mail.microsoft' if new_form else 'onmicrosoft.com'}"
        target = f"{selector}-{draft.label}._domainkey.{ending}"
        draft.add(RRType.CNAME, target, f"{selector}._domainkey")
        # the second selector often points at nothing until the first rotation
        if selector == "selector1" or draft.dice.chance("rotated", 40):
            draft.add_absolute(target, RRType.TXT, _dkim_key(draft.dice, selector))


def _microsoft_traces(draft: Draft) -> None:
    """What comes with mailboxes at Microsoft, each in the share seen in the field."""
    dice = draft.dice
    draft.spf.append("include:spf.protection.outlook.com")
    _microsoft_autodiscover(draft)
    if dice.chance("ms_proof", 75):
        _microsoft_proof(draft)
    if dice.chance("dkim", 35):
        _microsoft_dkim(draft)
    if dice.chance("devices", 45):
        _microsoft_devices(draft)
    if dice.chance("teams", 40):
        draft.add(RRType.SRV, "100 1 5061 sipfed.online.lync.com", "_sipfederationtls._tcp")
        draft.add(RRType.CNAME, "sipdir.online.lync.com", "sip")
        draft.add(RRType.CNAME, "webdir.online.lync.com", "lyncdiscover")
    draft.provider = "microsoft365"
    draft.tenant_state = "m365_mail"


def _tenant_without_mail(draft: Draft) -> None:
    _microsoft_proof(draft)
    if draft.dice.chance("devices", 60):
        _microsoft_devices(draft)
    draft.tenant_state = "tenant_without_mail"


# -- one recipe a kind ----------------------------------------------------------------------


def _m365(draft: Draft) -> None:
    draft.mx(f"{draft.label}.mail.protection.outlook.com", first=0)
    draft.mx_operator = "microsoft365"
    _microsoft_traces(draft)


def _m365_new(draft: Draft) -> None:
    draft.mx(f"{draft.label}.{draft.dice.pick('part', 'abcdefgh')}-v1.mx.microsoft", first=0)
    draft.spf.append("include:spf.protection.outlook.com")
    _microsoft_autodiscover(draft)
    _microsoft_proof(draft)
    _microsoft_dkim(draft, new_form=True)
    draft.mx_operator = draft.provider = "microsoft365"
    draft.tenant_state = "m365_mail"


def _m365_gateway(draft: Draft) -> None:
    draft.operator(_take(draft, "gateway"))
    _microsoft_traces(draft)


def _m365_gateway_spf_only(draft: Draft) -> None:
    draft.operator(_take(draft, "gateway"))
    draft.spf.append("include:spf.protection.outlook.com")
    draft.spf_may_break = False
    draft.provider, draft.tenant_state = "microsoft365", "m365_mail_probable"


def _google_mx(draft: Draft) -> None:
    if draft.dice.chance("google_single", 35):
        draft.mx("smtp.google.com", first=1)
        return
    draft.mx("aspmx.l.google.com", first=1)
    draft.mx("alt1.aspmx.l.google.com", "alt2.aspmx.l.google.com", first=5, step=0)
    draft.mx("alt3.aspmx.l.google.com", "alt4.aspmx.l.google.com", first=10, step=0)


def _google_traces(draft: Draft, *, dkim_percent: int = 70) -> None:
    draft.spf.append("include:_spf.google.com")
    if draft.dice.chance("dkim", dkim_percent):
        draft.add(RRType.TXT, _dkim_key(draft.dice, "google"), "google._domainkey")
    draft.provider = "google_workspace"


def _google(draft: Draft) -> None:
    _google_mx(draft)
    _google_traces(draft)
    draft.mx_operator = "google_workspace"


def _google_tenant(draft: Draft) -> None:
    _google(draft)
    _tenant_without_mail(draft)


def _google_gateway(draft: Draft) -> None:
    draft.operator(_take(draft, "gateway"))
    _google_traces(draft, dkim_percent=100)
    draft.spf_may_break = False


def _zoho(draft: Draft) -> None:
    draft.operator(next(row for row in _rows("suite") if row["id"] == "zoho_mail"))
    draft.add(
        RRType.TXT, f"zoho-verification=zb{draft.dice.number('zoho', 10**8):08d}.zmverify.zoho.eu"
    )
    draft.provider = "zoho_mail"


def _yandex(draft: Draft) -> None:
    draft.mx("mx.yandex.net")
    draft.add(RRType.TXT, f"yandex-verification: {draft.dice.hex('yandex', 16)}")
    draft.add(RRType.CNAME, "domain.mail.yandex.net", "mail")
    draft.add(RRType.TXT, _dkim_key(draft.dice, "mail"), "mail._domainkey")
    draft.spf.append("include:_spf.yandex.net")
    draft.mx_operator = draft.provider = "yandex360"


def _other_suite(draft: Draft) -> None:
    draft.operator(_take(draft, "suite"))
    draft.provider = draft.mx_operator


def _hoster(draft: Draft) -> None:
    draft.operator(_take(draft, "hoster"))
    draft.spf += ["a", "mx"]
    draft.provider = draft.mx_operator
    if draft.dice.chance("leftover", 6):
        # an include that a former Microsoft 365, or a generous DNS host, left behind
        draft.spf.append("include:spf.protection.outlook.com")


def _hoster_tenant(draft: Draft) -> None:
    draft.operator(_take(draft, "hoster"))
    draft.spf += ["a", "mx"]
    draft.provider = draft.mx_operator
    _tenant_without_mail(draft)


def _isp(draft: Draft) -> None:
    draft.operator(_take(draft, "isp"))
    draft.provider = draft.mx_operator


def _government(draft: Draft) -> None:
    draft.operator(_take(draft, "government"))
    draft.provider = draft.mx_operator


def _own_server(draft: Draft) -> None:
    draft.add(RRType.A, draft.address, "mail")
    draft.spf += ["+a", "+mx", f"+ip4:{draft.address}"]
    draft.mx_operator = draft.provider = "self_hosted"


def _cpanel(draft: Draft) -> None:
    if draft.dice.chance("mx_is_apex", 50):
        draft.mx(draft.domain, first=0)
    else:
        draft.mx(f"mail.{draft.domain}", first=0)
    _own_server(draft)
    for label in ("cpanel", "webmail", "autoconfig", "autodiscover"):
        draft.add(RRType.A, draft.address, label)
    draft.add(RRType.SRV, "0 0 443 cpanelemaildiscovery.cpanel.net", "_autodiscover._tcp")
    bits = 1024 if draft.dice.chance("weak_key", 25) else 2048
    draft.add(RRType.TXT, _dkim_key(draft.dice, "default", bits=bits), "default._domainkey")


def _cpanel_tenant(draft: Draft) -> None:
    _cpanel(draft)
    _tenant_without_mail(draft)


def _plesk(draft: Draft) -> None:
    draft.mx(f"mail.{draft.domain}")
    _own_server(draft)
    draft.add(RRType.A, draft.address, "webmail")


def _exchange(draft: Draft) -> None:
    draft.mx(f"mail.{draft.domain}")
    _own_server(draft)
    draft.add(RRType.A, draft.address, "autodiscover")
    draft.add(RRType.A, draft.address, "owa")
    draft.add(RRType.SRV, f"0 0 443 mail.{draft.domain}", "_autodiscover._tcp")
    if draft.dice.chance("federation", 30):
        proof = base64.b64encode(draft.dice.octets("federation", 64)).decode()
        draft.add(RRType.TXT, proof)
        draft.provider = "onprem_exchange"


def _workmail(draft: Draft) -> None:
    region = draft.dice.pick("region", ("eu-west-1", "us-east-1", "us-west-2"))
    draft.mx(f"inbound-smtp.{region}.amazonaws.com")
    draft.add(RRType.CNAME, f"autodiscover.mail.{region}.awsapps.com", "autodiscover")
    draft.add(RRType.TXT, f"amazonses:{base64.b64encode(draft.dice.octets('ses', 32)).decode()}")
    draft.spf.append("include:amazonses.com")
    draft.mx_operator = draft.provider = "amazon_workmail"


def _mixed(draft: Draft) -> None:
    """A move under way: old and new mail hosts at the same preference."""
    if draft.dice.chance("mixed_google", 50):
        draft.mx("smtp.google.com")
        draft.spf.append("include:_spf.google.com")
    else:
        draft.operator(_rows("suite")[draft.ordinal % len(_rows("suite"))], equal=True)
    draft.mx(f"{draft.label}.mail.protection.outlook.com")
    draft.spf.append("include:spf.protection.outlook.com")
    _microsoft_proof(draft)
    draft.mx_operator = draft.provider = "mixed"
    draft.tenant_state = "migrating_in"


def _gateway_unknown(draft: Draft) -> None:
    draft.operator(_take(draft, "gateway"))
    draft.tenant_state = "unknown"


def _unknown_operator(draft: Draft) -> None:
    agency = f"{draft.dice.pick('agency', ('ajans', 'bilisim', 'destek', 'sunucu'))}{draft.ordinal % 40}.test"
    draft.mx(f"mx1.{agency}", f"mx2.{agency}")
    draft.spf.append(f"include:spf.{agency}")
    draft.mx_operator = f"unknown:{agency}"


def _forwarding(draft: Draft) -> None:
    draft.operator(_take(draft, "forwarding"))
    draft.mail_state = "forwarding"


def _parked(draft: Draft) -> None:
    draft.operator(_take(draft, "parking"))
    draft.ns = draft.dice.pick("parking_ns", ("sedoparking.com", "parkingcrew.net", "above.com"))
    draft.mail_state = "parked"


def _null_mx(draft: Draft) -> None:
    draft.add(RRType.MX, "0 .")
    draft.mail_state = "no_mail"


def _no_mx(draft: Draft) -> None:
    draft.mail_state = "no_mail_likely"


def _missing(draft: Draft) -> None:
    draft.mail_state, draft.tenant_state = "domain_missing", "unknown"


def _unanswered(fault: str) -> Callable[[Draft], None]:
    def build(draft: Draft) -> None:
        _hoster(draft)
        draft.faults.append((f".{draft.domain}", fault))
        draft.answered = False
        draft.mx_operator = draft.provider = None
        draft.tenant_state = draft.mail_state = "unknown"

    return build


def _cname_loop(draft: Draft) -> None:
    _hoster(draft)
    draft.add(RRType.CNAME, f"posta.{draft.domain}", "autodiscover")
    draft.add(RRType.CNAME, f"autodiscover.{draft.domain}", "posta")


#: (kind, companies in a thousand, recipe)
KINDS: tuple[tuple[str, int, Callable[[Draft], None]], ...] = (
    ("m365", 190, _m365),
    ("m365_new", 20, _m365_new),
    ("m365_gateway", 90, _m365_gateway),
    ("m365_gateway_spf_only", 14, _m365_gateway_spf_only),
    ("google", 75, _google),
    ("google_tenant", 25, _google_tenant),
    ("google_gateway", 10, _google_gateway),
    ("zoho", 20, _zoho),
    ("yandex", 40, _yandex),
    ("other_suite", 20, _other_suite),
    ("hoster", 165, _hoster),
    ("hoster_tenant", 35, _hoster_tenant),
    ("isp", 14, _isp),
    ("government", 6, _government),
    ("cpanel", 70, _cpanel),
    ("cpanel_tenant", 15, _cpanel_tenant),
    ("plesk", 30, _plesk),
    ("exchange", 45, _exchange),
    ("workmail", 8, _workmail),
    ("mixed", 16, _mixed),
    ("gateway_unknown", 12, _gateway_unknown),
    ("unknown_operator", 16, _unknown_operator),
    ("forwarding", 10, _forwarding),
    ("parked", 14, _parked),
    ("null_mx", 8, _null_mx),
    ("no_mx", 14, _no_mx),
    ("missing", 8, _missing),
    ("cname_loop", 3, _cname_loop),
    ("servfail", 4, _unanswered("servfail")),
    ("refused", 1, _unanswered("refused")),
    ("lame", 1, _unanswered("lame")),
    ("timeout", 1, _unanswered("timeout")),
)
_SILENT = frozenset({"missing", "servfail", "refused", "lame", "timeout"})
_TOTAL = sum(weight for _, weight, _ in KINDS)


# -- what has nothing to do with who runs the mail --------------------------------------------

#: (product id, TXT record or "", SPF term or "", companies in a thousand)
PRODUCTS: tuple[tuple[str, str, str, int], ...] = (
    ("salesforce", "00D{hex:12}=", "include:_spf.salesforce.com", 25),
    ("hubspot", "hubspot-domain-verification={hex:32}", "include:{num}.spf03.hubspotemail.net", 20),
    ("d365_marketing", "d365mktkey={hex:24}", "", 12),
    ("sap", "sap-domain-verification={hex:32}", "", 15),
    ("zendesk", "zendesk-domain-verification={hex:16}", "include:mail.zendesk.com", 12),
    ("docusign", "docusign={hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}", "", 15),
    ("atlassian", "atlassian-domain-verification={hex:48}", "", 20),
    ("adobe", "adobe-idp-site-verification={hex:64}", "", 10),
)
_PROOFS = (
    "google-site-verification={b64:32}",
    "facebook-domain-verification={hex:30}",
    "apple-domain-verification={hex:16}",
    "globalsign-domain-verification={hex:32}",
    "_globalsign-domain-verification={hex:36}",
    "stripe-verification={hex:64}",
    "cisco-ci-domain-verification={hex:64}",
    "have-i-been-pwned-verification={hex:32}",
    "onetrust-domain-verification={hex:32}",
    "pinterest-site-verification={hex:32}",
    "teamviewer-sso-verification={hex:32}",
    "webexdomainverification.{hex:6}={hex:36}",
)


def _token(form: str, dice: Dice) -> str:
    """A verification token: {hex:n}, {b64:n} and {num} filled in."""
    head, brace, rest = form.partition("{")
    while brace:
        what, _, tail = rest.partition("}")
        kind, _, size = what.partition(":")
        if kind == "hex":
            head += dice.hex(head, int(size))
        elif kind == "b64":
            head += base64.urlsafe_b64encode(dice.octets(head, int(size))).decode().rstrip("=")
        else:
            head += str(1_000_000 + dice.number(head, 9_000_000))
        between, brace, rest = tail.partition("{")
        head += between
    return head


def _add_products(draft: Draft) -> None:
    dice = draft.dice
    for product, txt, spf, per_mille in PRODUCTS:
        if dice.number(f"product {product}", 1000) >= per_mille:
            continue
        if txt:
            draft.add(RRType.TXT, _token(txt, dice))
        if spf:
            draft.spf.append(_token(spf, dice))


def _add_texts(draft: Draft) -> None:
    """Proofs of ownership; a few zones hold so many that the answer needs TCP."""
    dice = draft.dice
    count = len(_PROOFS) if dice.chance("many_texts", 3) else dice.number("texts", 4)
    for form in _PROOFS[:count]:
        draft.add(RRType.TXT, _token(form, dice))
    if dice.chance("odd_text", 1):
        draft.add(RRType.TXT, 'Şirket kaydı; yetkili: bilgi işlem \\ "merkez"')


def _add_spf(draft: Draft) -> None:
    """The SPF record, sometimes broken in one of the ways seen in the field."""
    fault = "none"
    if draft.spf_may_break:
        fault = draft.dice.weighted(
            "spf_fault",
            [
                ("none", 850),
                ("missing", 50),
                ("two", 25),
                ("plus_all", 20),
                ("too_many", 30),
                ("typo", 25),
            ],
        )
    terms = list(draft.spf) or ["a", "mx"]
    if fault == "missing":
        return
    if fault == "too_many":
        terms += [f"include:_spf{n}.posta{n % 7}.test" for n in range(1, 12)]
    ending = "+all" if fault == "plus_all" else draft.spf_ending
    if fault == "typo":
        terms = [term.replace("include:", "include: ") for term in terms]
    draft.add(RRType.TXT, " ".join(["v=spf1", *terms, ending]))
    if fault == "two":
        draft.add(RRType.TXT, "v=spf1 ip4:203.0.113.1 ~all")


def _add_dmarc(draft: Draft) -> None:
    dice, rua = draft.dice, f"rua=mailto:dmarc@{draft.domain}"
    form = dice.weighted(
        "dmarc",
        [
            ("absent", 42),
            ("none", 28),
            ("quarantine", 12),
            ("reject", 10),
            ("pct", 2),
            ("broken", 3),
            ("two", 1),
            ("chain", 2),
        ],
    )
    match form:
        case "none":
            draft.add(RRType.TXT, f"v=DMARC1; p=none; {rua}", "_dmarc")
        case "quarantine":
            draft.add(RRType.TXT, f"v=DMARC1; p=quarantine; sp=none; {rua}; fo=1", "_dmarc")
        case "reject":
            draft.add(RRType.TXT, f"v=DMARC1; p=reject; adkim=s; aspf=s; {rua}", "_dmarc")
        case "pct":
            draft.add(RRType.TXT, f"v=DMARC1;p=reject;pct=20;{rua}", "_dmarc")
        case "broken":
            broken = dice.pick(
                "dmarc_broken", ("v=DMARC1; p=nonee", "v=DMARC1 p=none", "p=reject; v=DMARC1")
            )
            draft.add(RRType.TXT, broken, "_dmarc")
        case "two":
            draft.add(RRType.TXT, "v=DMARC1; p=none", "_dmarc")
            draft.add(RRType.TXT, f"v=DMARC1; p=reject; {rua}", "_dmarc")
        case "chain":
            target = f"{draft.domain.removesuffix('.test')}.dmarc-servisi.test"
            draft.add(RRType.CNAME, target, "_dmarc")
            draft.add_absolute(target, RRType.TXT, f"v=DMARC1; p=quarantine; {rua}")
        case _:
            pass


def _add_surroundings(draft: Draft) -> None:
    """Name servers, web site and the rarer records."""
    dice, domain = draft.dice, draft.domain
    for number in (1, 2):
        draft.add(RRType.NS, f"ns{number}.{draft.ns}")
    draft.add(
        RRType.SOA,
        f"ns1.{draft.ns} hostmaster.{domain} 2026010{dice.number('serial', 10)}01 7200 3600 1209600 3600",
    )
    draft.add(RRType.A, draft.address)
    if dice.chance("ipv6", 15):
        draft.add(RRType.AAAA, f"2001:db8:{dice.number('ipv6 net', 0xFFFF) + 1:x}::1")
    if dice.chance("caa", 8):
        draft.add(RRType.CAA, "0 issue letsencrypt.org")
    if dice.chance("www_chain", 10):
        draft.add(RRType.CNAME, f"site.{domain}", "www")
        draft.add(RRType.CNAME, domain, "site")
    else:
        draft.add(RRType.A, draft.address, "www")
    if dice.chance("wildcard", 3):
        draft.add(RRType.A, draft.address, "*")
    if dice.chance("wildcard_text", 0.5):
        draft.add(RRType.TXT, "v=spf1 -all", "*")
    if dice.chance("mta_sts", 3):
        draft.add(RRType.TXT, f"v=STSv1; id=2026{dice.number('sts', 10**8):08d}", "_mta-sts")
        draft.add(RRType.TXT, f"v=TLSRPTv1; rua=mailto:tls@{domain}", "_smtp._tls")
    if dice.chance("bimi", 1):
        draft.add(RRType.TXT, f"v=BIMI1; l=https://{domain}/logo.svg", "default._bimi")


# -- companies ------------------------------------------------------------------------------


def _named(index: int, seed: int) -> tuple[str, str, str, str]:
    """(domain, display, company name, city) of the company number `index`."""
    words = load_table("names.yaml")
    brands, sectors, cities = words["brands"], words["sectors"], words["cities"]
    rounds, place = divmod(index, len(brands) * len(sectors))
    # a prime that shares no factor with the product walks over every pair once
    pair = (place * 1_000_003 + seed) % (len(brands) * len(sectors))
    brand, sector = brands[pair % len(brands)], sectors[pair // len(brands)]
    dice = Dice(seed, "name", index)
    city = cities[(rounds - 1 if rounds else dice.number("city", len(cities))) % len(cities)]
    parts = [brand, sector, city] if rounds else [brand, sector]
    if rounds > len(cities):  # every city had its turn: branches are numbered
        parts.append(str((rounds - 1) // len(cities) + 1))
    joint = "-" if rounds or dice.chance("hyphen", 12) else ""
    plain = joint.join(map(fold, parts))
    display = plain
    if dice.chance("idn", 2):
        display = joint.join(
            part.replace("İ", "i").replace("I", "ı").lower().replace(" ", "") for part in parts
        )
    domain = idna.encode(f"{display}.test").decode() if not display.isascii() else f"{plain}.test"
    company = f"{' '.join(parts[:2])} {dice.pick('form', words['forms'])}"
    return domain, f"{display}.test", company, city


def _kind_at(index: int) -> int:
    """Which of KINDS company number `index` is: shares hold in every stretch of a thousand."""
    # steps of the golden ratio visit the weights evenly (Weyl sequence)
    point = (index * 0x9E3779B97F4A7C15 % 2**64) * _TOTAL >> 64
    for place, (_, weight, _) in enumerate(KINDS):
        point -= weight
        if point < 0:
            return place
    raise AssertionError("weights add up")  # pragma: no cover


def generate(count: int, *, seed: int = 1) -> Iterator[Company]:
    """`count` companies; a larger count begins with the same ones.

    Raises ValueError above MOST_COMPANIES.
    """
    if not 0 <= count <= MOST_COMPANIES:
        raise ValueError(f"wants 0 to {MOST_COMPANIES:,} companies")
    met: Counter[str] = Counter()
    for index in range(count):
        kind, _, recipe = KINDS[_kind_at(index)]
        domain, display, company_name, city = _named(index, seed)
        draft = Draft(domain, met[kind], Dice(seed, domain))
        met[kind] += 1
        recipe(draft)
        if kind not in _SILENT:
            _add_products(draft)
            _add_texts(draft)
            _add_spf(draft)
            _add_dmarc(draft)
            _add_surroundings(draft)
        yield Company(
            domain=domain,
            display=display,
            company_name=company_name,
            city=city,
            kind=kind,
            records=tuple(draft.records),
            faults=tuple(draft.faults),
            answered=draft.answered,
            mx_operator=draft.mx_operator,
            provider=draft.provider,
            tenant_state=draft.tenant_state,
            mail_state=draft.mail_state,
        )


# -- zone text ------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    """TXT RDATA as character-strings of a master file (RFC 1035 section 5.1)."""
    raw = text.encode()
    strings = [raw[at : at + _STRING_BYTES] for at in range(0, len(raw), _STRING_BYTES)] or [b""]
    return " ".join('"' + "".join(map(_escaped, string)) + '"' for string in strings)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"


#: what the mail operators themselves publish, as far as a survey looks there
_OPERATORS_OWN = (
    ("autodiscover.outlook.com", RRType.A, "192.0.2.10"),
    ("enterpriseregistration.windows.net", RRType.A, "192.0.2.11"),
    ("spf.protection.outlook.com", RRType.TXT, "v=spf1 ip4:192.0.2.0/26 -all"),
    ("_spf.google.com", RRType.TXT, "v=spf1 include:_netblocks.google.com ~all"),
    ("_netblocks.google.com", RRType.TXT, "v=spf1 ip4:192.0.2.64/26 ~all"),
)


def _includes(company: Company) -> Iterator[str]:
    """What the SPF records of a company include."""
    for record in company.records:
        if record.rrtype is RRType.TXT and record.rdata.startswith("v=spf1 "):
            for term in record.rdata.split():
                target = term.removeprefix("include:")
                if target and target != term:
                    yield target


def _shared_records(includes: Iterable[str]) -> Iterator[Record]:
    """Records outside the companies' zones: every SPF include has a policy behind it."""
    own = {name for name, _, _ in _OPERATORS_OWN}
    yield from (Record(*row) for row in _OPERATORS_OWN)
    for target in includes:
        if target not in own:
            yield Record(target, RRType.TXT, "v=spf1 ip4:192.0.2.128/25 ~all")


def zone_lines(companies: Iterable[Company]) -> Iterator[str]:
    """The zones in the language of `hunter.local.nameserver`, line by line, in one pass."""
    includes: dict[str, None] = {}
    for company in companies:
        includes.update(dict.fromkeys(_includes(company)))
        yield f"; {company.domain} ({company.kind})"
        for name, fault in company.faults:
            yield f";! {name} {fault}"
        yield from map(_line, company.records)
    yield "; shared"
    yield from map(_line, _shared_records(includes))


def _line(record: Record) -> str:
    rdata = _quoted(record.rdata) if record.rrtype is RRType.TXT else record.rdata
    return f"{record.name} 3600 {record.rrtype} {rdata}"


def zone_text(companies: Sequence[Company]) -> str:
    """The zones of all companies in one text."""
    return "\n".join(zone_lines(companies)) + "\n"
