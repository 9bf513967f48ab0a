"""RDAP test data of openrdap: bootstrap files and jCards, good and bad, and answers of registries.

The folder's files are found by their place and name: `error_` in a jCard's name and `malformed` in
a bootstrap's folder say that it is bad.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hunter.core.jcard import parse_jcard
from hunter.core.rdap import decode_json, parse_bootstrap, parse_registration
from hunter.core.registration import RegistrationState
from tests.conformance.conftest import ABSENT, FOLDER

ROOT = FOLDER / "rdap" / "testdata"
NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
Read = Callable[[str], bytes]
#: bad only in a part that RFC 9224 lets a client leave out
USABLE = {"dns_bad_url.json"}


def _files(*patterns: str) -> list[object]:
    found = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")]
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in found]


@pytest.mark.parametrize("path", _files("jcard/*"))
def test_a_jcard_is_valid_unless_its_name_says_error(path: Path) -> None:
    document = decode_json(path.read_bytes())

    assert parse_jcard(document).valid is not path.name.startswith("error_")


@pytest.mark.parametrize("path", _files("bootstrap*/dns*.json"))
def test_a_bootstrap_file_for_domains_is_usable_unless_malformed(path: Path) -> None:
    found = parse_bootstrap(path.read_bytes())

    is_bad = "malformed" in path.parent.name and path.name not in USABLE
    assert bool(found.fault) is is_bad
    assert bool(found.servers) is not is_bad


def test_an_unusable_url_costs_its_own_service_only(conformance_bytes: Read) -> None:
    found = parse_bootstrap(conformance_bytes("rdap/testdata/bootstrap_malformed/dns_bad_url.json"))

    assert found.servers_for("nic.br") == ("https://rdap.registro.br/",)
    assert found.servers_for("a.example") == ()
    assert len(found.ignored) == 2


def test_the_longest_match_wins_down_to_the_root(conformance_bytes: Read) -> None:
    found = parse_bootstrap(conformance_bytes("rdap/testdata/bootstrap_complex/dns.json"))

    for name, url in [
        ("x.sub.example.com", "https://example.com/sub"),
        ("sub.example.com", "https://example.com/sub"),
        ("example.com", "https://example.com"),
        ("notsub.example.com", "https://example.com"),
        ("example.org", "https://example.root"),
    ]:
        assert found.servers_for(name)[0] == url


@pytest.mark.parametrize(
    "path", _files("bootstrap/asn.json", "bootstrap/ip*.json", "bootstrap/object*")
)
def test_a_bootstrap_file_of_another_kind_gives_no_server_for_a_domain(path: Path) -> None:
    assert parse_bootstrap(path.read_bytes()).servers_for("contoso.com") == ()


@pytest.mark.parametrize("path", _files("rdap/*/*"))
def test_only_an_answer_about_a_domain_is_a_registration(path: Path) -> None:
    document = json.loads(path.read_bytes())
    name = document.get("ldhName", "contoso.com")

    found = parse_registration(path.read_bytes(), name, server=path.parent.name, observed_at=NOW)

    is_domain = document["objectClassName"] == "domain"
    assert found.state is (RegistrationState.REGISTERED if is_domain else RegistrationState.UNKNOWN)
    days = {each["eventAction"]: each["eventDate"][:10] for each in document.get("events", ())}
    if is_domain:
        assert (str(found.created), str(found.expires)) == (
            days["registration"],
            days["expiration"],
        )
        assert found.registrar in path.read_text()


def test_the_registry_of_cz_tells_registrar_status_and_days(conformance_bytes: Read) -> None:
    data = conformance_bytes("rdap/testdata/rdap/rdap.nic.cz/domain-example.cz.json")

    found = parse_registration(data, "example.cz", server="rdap.nic.cz", observed_at=NOW)

    assert found.registrar == "REG-INTERNET-CZ"
    assert found.statuses == ("active",)
    assert (found.created, found.expires) == (dt.date(2004, 8, 30), dt.date(2019, 8, 30))
