"""The invented zones: the same for the same seed, and what they say is what is expected of them."""

from collections import Counter
from itertools import islice

import pytest

from hunter.core.answers import RRType
from hunter.local.nameserver import NameServer
from hunter.local.zone import Zone
from hunter.local.zones import (
    KINDS,
    MOST_COMPANIES,
    Company,
    _named,
    fold,
    generate,
    load_table,
    zone_text,
)


@pytest.fixture(scope="module")
def companies() -> list[Company]:
    return list(generate(3000))


def test_the_same_seed_gives_the_same_zone_byte_for_byte(companies: list[Company]) -> None:
    again = zone_text(list(generate(3000)))

    assert zone_text(companies) == again
    assert zone_text(list(generate(3000, seed=2))) != again


def test_a_larger_set_begins_with_the_smaller_one(companies: list[Company]) -> None:
    assert list(islice(generate(20_000), 3000)) == companies


def test_no_two_companies_share_a_domain() -> None:
    names = [company.domain for company in generate(20_000)]

    assert len(set(names)) == 20_000


def test_no_record_stands_twice(companies: list[Company]) -> None:
    for company in companies:
        assert len(set(company.records)) == len(company.records), company.domain


def test_every_company_lies_under_test_so_that_no_real_one_is_meant(
    companies: list[Company],
) -> None:
    assert all(company.domain.endswith(".test") for company in companies)


def test_every_kind_has_the_share_its_weight_says(companies: list[Company]) -> None:
    met = Counter(company.kind for company in companies)

    assert sum(weight for _, weight, _ in KINDS) == pytest.approx(1000, abs=20)
    for kind, weight, _ in KINDS:
        assert met[kind] == pytest.approx(3 * weight, abs=3 + weight / 3), kind


def test_microsoft_365_stands_behind_every_gateway(companies: list[Company]) -> None:
    seen = {c.mx_operator for c in companies if c.kind == "m365_gateway"}

    assert seen == {row["id"] for row in load_table("operators.yaml")["gateway"]}


def test_more_companies_than_names_is_refused_with_the_limit() -> None:
    with pytest.raises(ValueError, match="1,000,000"):
        next(generate(MOST_COMPANIES + 1))


def test_names_stay_different_when_every_city_had_its_turn() -> None:
    once_around = 6_000 * 36
    places = [0, 6_000, once_around, once_around + 6_000, 2 * once_around, MOST_COMPANIES - 1]

    names = [_named(place, 1)[0] for place in places]

    assert len(set(names)) == len(names)


def test_there_are_names_with_turkish_letters(companies: list[Company]) -> None:
    idn = [c for c in companies if c.domain.startswith("xn--")]

    assert idn
    assert all(not c.display.isascii() for c in idn)


def test_some_answers_are_larger_than_a_plain_datagram(companies: list[Company]) -> None:
    sizes = {
        c.domain: sum(
            len(r.rdata) + 12 for r in c.records if r.rrtype is RRType.TXT and r.name == c.domain
        )
        for c in companies
    }

    assert sum(size > 512 for size in sizes.values()) > 50


@pytest.mark.parametrize(
    ("text", "plain"), [("Şeker Gıda", "sekergida"), ("IŞIK", "isik"), ("İNCİ", "inci")]
)
def test_turkish_text_folds_to_what_people_register(text: str, plain: str) -> None:
    assert fold(text) == plain


def test_the_name_server_reads_the_whole_text(companies: list[Company]) -> None:
    zone = Zone(zone_text(companies))

    assert len(zone.directives) == sum(len(c.faults) for c in companies)


async def test_the_name_server_says_what_the_company_says(companies: list[Company]) -> None:
    import dns.asyncquery
    import dns.message

    some = [c for c in companies if c.answered][:150]
    async with NameServer(zone_text(some)) as server:
        host, port = server.address
        for company in some:
            want = sorted(
                r.rdata
                for r in company.records
                if r.rrtype is RRType.TXT and r.name == company.domain
            )
            query = dns.message.make_query(company.domain, "TXT")
            reply, _ = await dns.asyncquery.udp_with_fallback(query, host, timeout=5, port=port)
            got = sorted(
                b"".join(rdata.strings).decode() for rrset in reply.answer for rdata in rrset
            )

            assert got == want, company.domain
