"""MX sets: groups, null MX, the implicit MX and every fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import Answer, Outcome, RRType
from hunter.core.mx import MxGroup, MxState, analyse_mx, parse_mx


def _answer(outcome: Outcome, *records: str) -> Answer:
    return Answer("contoso.com", RRType.MX, outcome, records)


def _codes(*records: str) -> list[str]:
    return [finding.code for finding in parse_mx(records).findings]


def test_hosts_are_grouped_by_preference_whatever_the_order() -> None:
    records = ["20 B.contoso.com.", "10 z.contoso.com", "20 a.contoso.com", "20 a.contoso.com"]

    found = parse_mx(records)

    assert found.groups == (
        MxGroup(10, ("z.contoso.com",)),
        MxGroup(20, ("a.contoso.com", "b.contoso.com")),
    )
    assert found.hosts == ("z.contoso.com", "a.contoso.com", "b.contoso.com")
    assert found == parse_mx(records[::-1])


def test_what_cannot_be_read_is_told_alike_whatever_the_order() -> None:
    records = ["10 a b", "x", "10 mx.contoso.com", "x"]

    assert parse_mx(records) == parse_mx(records[::-1])


def test_a_null_mx_says_that_no_mail_is_taken() -> None:
    assert parse_mx(["0 ."]).state is MxState.NULL_MX
    assert parse_mx(["0 ."]).hosts == ()


@pytest.mark.parametrize(
    ("records", "codes"),
    [
        (["10 mx.contoso.com"], []),
        (["0 .", "10 mx.contoso.com"], ["mx_null_mx_with_others"]),
        (["10 192.0.2.1"], ["mx_ip_literal"]),
        (["10 [2001:db8::1]"], ["mx_ip_literal"]),
        (["10 localhost"], ["mx_localhost"]),
        (["10 mail.localdomain"], ["mx_localhost"]),
        (["10 mail"], ["mx_single_label"]),
        (["hello"], ["mx_unreadable"]),
        ([f"10 mx{n}.contoso.com" for n in range(21)], ["mx_too_many"]),
    ],
)
def test_a_fault_is_named(records: list[str], codes: list[str]) -> None:
    assert _codes(*records) == codes


def test_no_more_than_twenty_hosts_are_looked_at() -> None:
    assert len(parse_mx([f"10 mx{n}.contoso.com" for n in range(30)]).hosts) == 20


@pytest.mark.parametrize(
    ("answer", "address", "state"),
    [
        (None, None, MxState.UNKNOWN),
        (_answer(Outcome.TIMEOUT), None, MxState.UNKNOWN),
        (_answer(Outcome.FOUND, "10 mx.contoso.com"), None, MxState.MX),
        (_answer(Outcome.NODATA), None, MxState.ABSENT),
        (_answer(Outcome.NODATA), _answer(Outcome.NODATA), MxState.ABSENT),
        (_answer(Outcome.NODATA), _answer(Outcome.FOUND, "192.0.2.1"), MxState.IMPLICIT),
        (_answer(Outcome.NXDOMAIN), None, MxState.ABSENT),
    ],
)
def test_an_answer_says_whether_mail_is_taken(
    answer: Answer | None, address: Answer | None, state: MxState
) -> None:
    assert analyse_mx(answer, [address]).state is state


@pytest.mark.parametrize(
    ("v4", "v6", "code"),
    [
        (None, None, None),
        ((Outcome.FOUND, "8.8.8.8"), None, None),
        ((Outcome.NODATA,), (Outcome.FOUND, "2001:4860:4860::8888"), None),
        ((Outcome.FOUND, "10.0.0.1"), (Outcome.NODATA,), "mx_private_address"),
        ((Outcome.FOUND, "hello"), None, "mx_private_address"),
        ((Outcome.NODATA,), (Outcome.NODATA,), "mx_missing_host"),
        ((Outcome.NODATA,), None, None),
        ((Outcome.NXDOMAIN,), None, "mx_missing_host"),
        ((Outcome.TIMEOUT,), (Outcome.NODATA,), None),
    ],
)
def test_a_host_s_addresses_are_checked_when_known(
    v4: tuple[Outcome, *tuple[str, ...]] | None,
    v6: tuple[Outcome, *tuple[str, ...]] | None,
    code: str | None,
) -> None:
    held = {RRType.A: v4, RRType.AAAA: v6}

    def look(name: str, rrtype: RRType) -> Answer | None:
        known = held[rrtype]
        return None if known is None else Answer(name, rrtype, known[0], known[1:])

    found = analyse_mx(_answer(Outcome.FOUND, "10 mx.contoso.com"), lookup=look)

    assert [finding.code for finding in found.findings] == ([code] if code else [])


def test_an_alias_as_host_is_pointed_out_and_a_bad_name_is_not_looked_up() -> None:
    def look(name: str, rrtype: RRType) -> Answer:
        assert name == "mx.contoso.com"
        return Answer(name, rrtype, Outcome.FOUND, ("8.8.8.8",), ("real.contoso.com",))

    found = analyse_mx(_answer(Outcome.FOUND, "10 mx.contoso.com", "20 mail"), lookup=look)

    assert [finding.code for finding in found.findings] == ["mx_single_label", "mx_cname"]


@given(st.lists(st.text() | st.builds("{} {}".format, st.integers(), st.text())))
def test_any_records_can_be_parsed(records: list[str]) -> None:
    assert parse_mx(records).state in (MxState.MX, MxState.NULL_MX, MxState.ABSENT)
