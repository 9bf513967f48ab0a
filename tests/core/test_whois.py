"""The WHOIS text of TRABIS, the registry of .tr."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.registration import Registration, RegistrationState
from hunter.core.whois import parse_trabis

NOW = dt.datetime(2026, 11, 24, 4, 0, tzinfo=dt.UTC)
#: the registry's text, with what it shows of people invented
TEXT = """** Domain Name: {name}
Domain Status: Active
Frozen Status: -
Transfer Status: {transfer}

** Registrant:
   Ada Canary Ltd. Sti.
   Hidden upon user request
   ada@canary.test
   Created on..............: 1901-Jan-01.

** Registrar:
NIC Handle\t\t: cnr1-metu
Organization Name\t: {registrar}
Address\t\t\t: Canary Sokak No: 1
\t\t\t  Ankara,06800
\t\t\t  Türkiye
Phone\t\t\t: + 90-312-0000000-
Fax\t\t\t: + 90-312-0000001-


** Domain Servers:
ns1.canary.test
ns2.canary.test 192.0.2.1


** Additional Info:
Created on..............: {created}.
Expires on..............: {expires}.


** Whois Server:
Last Update Time: 2026-11-24T07:00:00+03:00
"""
LOCKED = "The domain is LOCKED to transfer."
OPEN = "The domain is UNLOCKED to transfer."
#: name, registrar, created, expires, what they mean
SAMPLES = [
    ("google.com.tr", "ODTÜ GELİŞTİRME VAKFI BİLGİ TEKNOLOJİLERİ SAN. VE TİC. A.Ş.", "2001-Aug-23", "2027-Aug-22", (2001, 8, 23), (2027, 8, 22)),
    ("a.com.tr", "Natro", "2007-Jan-08", "2026-Jan-07", (2007, 1, 8), (2026, 1, 7)),
    ("b.com.tr", "İsimtescil Bilişim A.Ş.", "2010-Feb-28", "2027-Feb-28", (2010, 2, 28), (2027, 2, 28)),
    ("c.net.tr", "Turhost", "2012-Mar-15", "2027-Mar-14", (2012, 3, 15), (2027, 3, 14)),
    ("d.org.tr", "Güzel Hosting", "1999-Apr-01", "2030-Mar-31", (1999, 4, 1), (2030, 3, 31)),
    ("e.av.tr", "Atak Domain", "2015-May-20", "2027-May-19", (2015, 5, 20), (2027, 5, 19)),
    ("f.gen.tr", "Turkticaret", "2003-Jun-30", "2028-Jun-29", (2003, 6, 30), (2028, 6, 29)),
    ("g.web.tr", "Vargonen", "2018-Jul-07", "2027-Jul-06", (2018, 7, 7), (2027, 7, 6)),
    ("h.bel.tr", "Belediye", "2004-Aug-19", "2029-Aug-18", (2004, 8, 19), (2029, 8, 18)),
    ("i.k12.tr", "MEB", "2011-Sep-09", "2027-Sep-08", (2011, 9, 9), (2027, 9, 8)),
    ("j.edu.tr", "ODTÜ", "1996-Oct-02", "2031-Oct-01", (1996, 10, 2), (2031, 10, 1)),
    ("k.dr.tr", "Natro", "2016-Nov-11", "2026-Nov-10", (2016, 11, 11), (2026, 11, 10)),
    ("l.bbs.tr", "Natro", "2000-Dec-31", "2026-Dec-30", (2000, 12, 31), (2026, 12, 30)),
    ("m.tr", "Natro", "2024-Feb-29", "2028-Feb-28", (2024, 2, 29), (2028, 2, 28)),
    ("n.com.tr", "Natro", "2020-Oca-05", "2027-Oca-04", (2020, 1, 5), (2027, 1, 4)),
    ("o.com.tr", "Natro", "2020-Şub-05", "2027-Şub-04", (2020, 2, 5), (2027, 2, 4)),
    ("p.com.tr", "Natro", "2020-AĞU-05", "2027-ağu-04", (2020, 8, 5), (2027, 8, 4)),
    ("q.com.tr", "Natro", "2020-January-05", "2027-JAN-4", (2020, 1, 5), (2027, 1, 4)),
    ("xn--irket-idb.com.tr", "Natro", "2009-May-01", "2027-Apr-30", (2009, 5, 1), (2027, 4, 30)),
    ("r.com.tr", "Ağrı Çözüm Şırnak Öğün Ünlü", "2019-Jan-01", "2027-Jan-01", (2019, 1, 1), (2027, 1, 1)),
]  # fmt: skip


def read(data: str | bytes, domain: str = "a.com.tr") -> Registration:
    raw = data.encode() if isinstance(data, str) else data
    return parse_trabis(raw, domain, server="whois.test", observed_at=NOW)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1254"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample[0])
def test_a_tr_domain_tells_registrar_and_days(
    sample: tuple[str, str, str, str, tuple[int, int, int], tuple[int, int, int]],
    line_end: str,
    encoding: str,
) -> None:
    name, registrar, created, expires, from_day, to_day = sample
    text = TEXT.format(name=name, registrar=registrar, created=created, expires=expires, transfer=LOCKED)  # fmt: skip

    found = read(text.replace("\n", line_end).encode(encoding), name)

    assert found == Registration(
        name,
        RegistrationState.REGISTERED,
        registrar=registrar,
        created=dt.date(*from_day),
        expires=dt.date(*to_day),
        statuses=("active", "transfer prohibited"),
        source="whois",
        server="whois.test",
        observed_at="2026-11-24T04:00:00+00:00",
    )
    assert "canary" not in repr(found).lower()


def sample(**changes: str) -> str:
    words = {"name": "a.com.tr", "registrar": "Natro", "created": "2020-Jan-05",
             "expires": "2027-Jan-04", "transfer": OPEN}  # fmt: skip
    return TEXT.format(**words | changes)


def test_statuses_are_those_of_the_registry_in_rdaps_words() -> None:
    assert read(sample()).statuses == ("active",)
    assert read(sample().replace("Frozen Status: -", "Frozen Status: Frozen")).statuses == ("active", "locked")  # fmt: skip


def test_a_name_written_with_its_own_letters_is_the_same_name() -> None:
    found = read(sample(name="şirket.com.tr"), "xn--irket-idb.com.tr")

    assert found.is_known


@pytest.mark.parametrize(
    "day", ["", "-", "2027-Foo-04", "2027-Feb-30", "04.01.2027", "0000-Jan-01"]
)
def test_a_day_that_is_none_is_not_known(day: str) -> None:
    found = read(sample(expires=day))

    assert found.state is RegistrationState.REGISTERED
    assert found.expires is None
    assert found.created == dt.date(2020, 1, 5)


def test_no_match_is_proof_that_nobody_has_the_name() -> None:
    found = read('No match found for "a.com.tr"\r\n')

    assert found.state is RegistrationState.UNREGISTERED
    assert (found.expires, found.reason) == (None, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The answer is empty."),
        ("\n \n", "The answer is empty."),
        ("Query limit exceeded for 192.0.2.1\n", "The registry answered: Query limit exceeded for 192.0.2.1"),
        ("\x1b[2JERROR\n", "The registry answered: [2JERROR"),
        ("<html>No such page</html>", "The registry answered: <html>No such page</html>"),
        ("** Whois Server:\nNo match found\n", "The registry answered: ** Whois Server:"),
        (sample(name="b.com.tr"), "The answer is about another name."),
    ],
)  # fmt: skip
def test_any_other_text_leaves_the_registration_unknown(text: str, reason: str) -> None:
    found = read(text)

    assert found.state is RegistrationState.UNKNOWN
    assert found.reason == reason


@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_read_without_an_exception(data: bytes) -> None:
    assert read(data).expires is None
    assert read(b"** Domain Name: a.com.tr\n" + data).is_known


def test_a_text_without_an_end_is_read_as_far_as_it_is_sensible() -> None:
    assert read(sample() + "x: y\n" * 1_000_000).expires == dt.date(2027, 1, 4)
    assert not read(b"\x00" * 10_000_000).is_known
