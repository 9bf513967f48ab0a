"""What stays known after a scan in which somebody did not answer."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hunter.core.answers import (
    Answer,
    Depth,
    Outcome,
    PolicyFile,
    PolicyState,
    RRType,
    Survey,
    survey_of,
)
from hunter.core.merge import merge

DOMAIN = "contoso.com"
FIRST = "2026-11-01T08:00:00+00:00"
SECOND = "2026-11-20T08:00:00+00:00"


def mx(
    outcome: Outcome, *records: str, stale_since: str = "", chain: tuple[str, ...] = ()
) -> Answer:
    return Answer(DOMAIN, RRType.MX, outcome, records, chain, stale_since=stale_since)


def txt(outcome: Outcome, *records: str, stale_since: str = "") -> Answer:
    return Answer(DOMAIN, RRType.TXT, outcome, records, stale_since=stale_since)


def survey(*answers: Answer) -> Survey:
    return survey_of(DOMAIN, Depth.QUICK, list(answers))


def test_first_scan_stands_alone() -> None:
    seen = survey(mx(Outcome.TIMEOUT))
    assert merge(None, seen, FIRST) is seen


def test_answer_that_did_not_come_is_inherited_with_its_age() -> None:
    before = survey(mx(Outcome.FOUND, "10 mx.contoso.com"), txt(Outcome.FOUND, "v=spf1 -all"))
    now = survey(mx(Outcome.SERVFAIL), txt(Outcome.NODATA))
    merged = merge(before, now, FIRST)
    assert merged.get(RRType.MX) == mx(Outcome.FOUND, "10 mx.contoso.com", stale_since=FIRST)
    assert merged.get(RRType.TXT) == txt(Outcome.NODATA)


def test_inherited_answer_keeps_the_day_it_was_really_given() -> None:
    before = survey(mx(Outcome.FOUND, "10 mx.contoso.com", stale_since=FIRST))
    merged = merge(before, survey(mx(Outcome.TIMEOUT)), SECOND)
    answer = merged.get(RRType.MX)
    assert answer is not None
    assert answer.stale_since == FIRST


def test_question_not_asked_this_time_is_inherited() -> None:
    before = survey(mx(Outcome.NODATA), txt(Outcome.FOUND, "MS=ms12345678"))
    merged = merge(before, survey(mx(Outcome.NODATA)), FIRST)
    assert merged.get(RRType.TXT) == txt(Outcome.FOUND, "MS=ms12345678", stale_since=FIRST)


def test_earlier_silence_is_not_inherited() -> None:
    now = survey(mx(Outcome.TIMEOUT))
    assert merge(survey(mx(Outcome.REFUSED)), now, FIRST) is now


def test_wildcard_is_inherited_under_the_one_name_it_is_filed_as() -> None:
    wildcard = Answer(f"*._domainkey.{DOMAIN}", RRType.TXT, Outcome.FOUND, ("v=spf1 -all",))
    merged = merge(survey(wildcard), survey(mx(Outcome.NODATA)), FIRST)
    answer = merged.get(RRType.TXT, "*._domainkey")
    assert answer is not None
    assert answer.stale_since == FIRST


def test_domain_that_is_gone_inherits_nothing() -> None:
    before = survey(mx(Outcome.FOUND, "10 mx.contoso.com"), txt(Outcome.FOUND, "v=spf1 -all"))
    now = survey(mx(Outcome.NXDOMAIN))
    assert merge(before, now, FIRST) is now


def test_missing_target_of_an_alias_is_no_proof_that_the_domain_is_gone() -> None:
    now = survey(mx(Outcome.NXDOMAIN, chain=("gone.example.net",)))
    merged = merge(survey(txt(Outcome.FOUND, "v=spf1 -all")), now, FIRST)
    assert merged.get(RRType.TXT) is not None


def test_answer_older_than_half_a_year_is_dropped() -> None:
    before = survey(mx(Outcome.FOUND, "10 mx.contoso.com", stale_since="2026-01-01T00:00:00+00:00"))
    now = survey(mx(Outcome.TIMEOUT))
    assert merge(before, now, SECOND) is now


def test_age_that_cannot_be_read_counts_as_fresh() -> None:
    before = survey(mx(Outcome.FOUND, "10 mx.contoso.com", stale_since="once"))
    answer = merge(before, survey(mx(Outcome.TIMEOUT)), SECOND).get(RRType.MX)
    assert answer is not None
    assert answer.stale_since == "once"


def test_another_domain_is_never_mixed_in() -> None:
    other = survey_of("fabrikam.com", Depth.QUICK, [])
    assert merge(other, survey(mx(Outcome.TIMEOUT)), FIRST) == survey(mx(Outcome.TIMEOUT))


@given(st.sampled_from(Outcome), st.sampled_from(Outcome))
def test_merging_twice_changes_nothing_more(before: Outcome, now: Outcome) -> None:
    old, new = survey(mx(before)), survey(mx(now))
    once = merge(old, new, FIRST)
    assert merge(old, once, FIRST) == once


def test_what_was_asked_only_because_the_mx_was_not_known_takes_nothing_away() -> None:
    selector = Answer(f"selector1._domainkey.{DOMAIN}", RRType.TXT, Outcome.TIMEOUT)
    before = survey(mx(Outcome.FOUND, "1 aspmx.l.google.com"))

    silent = merge(before, survey(mx(Outcome.TIMEOUT), selector, txt(Outcome.TIMEOUT)), FIRST)
    asked_for = merge(before, survey(mx(Outcome.FOUND, "5 mx.contoso.com"), selector), FIRST)
    first = merge(survey(mx(Outcome.TIMEOUT)), survey(mx(Outcome.TIMEOUT), selector), FIRST)

    assert [*silent.answers] == [f"{DOMAIN} MX"]
    assert selector.question in asked_for.answers
    assert selector.question in first.answers


RECORD = Answer(f"_mta-sts.{DOMAIN}", RRType.TXT, Outcome.FOUND, ("v=STSv1; id=1",))
FETCHED = PolicyFile(PolicyState.FETCHED, "version: STSv1")
SILENT = PolicyFile(PolicyState.UNKNOWN, reason="no complete answer in time")


def with_policy(policy: PolicyFile | None, *answers: Answer) -> Survey:
    return msgspec.structs.replace(survey(*answers), policy=policy)


def test_a_policy_file_nobody_could_fetch_is_inherited_with_its_age() -> None:
    before = with_policy(FETCHED, RECORD)

    for now in (with_policy(SILENT, RECORD), with_policy(None)):
        merged = merge(before, now, FIRST)
        assert merged.policy == PolicyFile(PolicyState.FETCHED, "version: STSv1", stale_since=FIRST)
        again = merge(merged, with_policy(SILENT, RECORD), SECOND)
        assert again.policy == merged.policy


def test_a_policy_file_that_is_known_now_is_not_inherited() -> None:
    gone = PolicyFile(PolicyState.ABSENT, reason="HTTP 404")

    assert merge(with_policy(FETCHED, RECORD), with_policy(gone, RECORD), FIRST).policy == gone
    assert merge(with_policy(SILENT, RECORD), with_policy(SILENT, RECORD), FIRST).policy == SILENT
    assert merge(with_policy(None, RECORD), with_policy(SILENT, RECORD), FIRST).policy == SILENT


def test_a_policy_file_goes_with_the_record_that_announced_it() -> None:
    gone = Answer(RECORD.name, RRType.TXT, Outcome.NXDOMAIN)

    assert merge(with_policy(FETCHED, RECORD), with_policy(None, gone), FIRST).policy is None


def test_a_policy_file_too_old_is_dropped() -> None:
    old = msgspec.structs.replace(FETCHED, stale_since="2020-01-01T00:00:00+00:00")

    assert merge(with_policy(old, RECORD), with_policy(SILENT, RECORD), FIRST).policy == SILENT
