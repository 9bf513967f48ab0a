"""Data files: what ships is sound, and what is wrong is told with file, row and field."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hunter.core.answers import Depth
from hunter.core.errors import Misconfigured
from hunter.core.tables import TokenIndex
from hunter.knowledge.load import (
    Knowledge,
    build_knowledge,
    load_knowledge,
    load_own,
    shipped_texts,
)
from hunter.knowledge.problems import BadKnowledge

Edit = Callable[[str, str, str], Knowledge]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return shipped_texts()


@pytest.fixture
def edited(texts: dict[str, str]) -> Edit:
    def build(name: str, old: str, new: str) -> Knowledge:
        assert old in texts[name], old
        return build_knowledge({**texts, name: texts[name].replace(old, new, 1)})

    return build


def test_packaged_knowledge_is_sound() -> None:
    knowledge = load_knowledge()
    rules = knowledge.rules
    assert len(rules.providers) >= 240
    assert len(rules.products) >= 190
    assert len(rules.selectors) >= 160
    assert knowledge.version == rules.version
    assert "facts." in knowledge.version
    assert load_knowledge() is knowledge


def test_selectors_are_handed_out() -> None:
    assert load_knowledge().selectors_for(["smtp.google.com"], Depth.QUICK)[0] == "google"


def test_event_rows_are_by_the_product_they_end() -> None:
    events = load_knowledge().rules.events
    assert [event.id for event in events["amazon_workmail"]] == ["workmail_end"]
    assert "microsoft365" not in events


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("rules", "version: '2026", "version: [", "file: YAML: not YAML"),
        ("events", "version: '2026.11'\nevents:", "- a\n#", "file: YAML: wants named sections"),
        ("events", "version: '2026.11'", "version: 2026", "file: version: wants a text"),
        ("events", "events:\n", "events: 3\nothers:\n", "file: events: wants a list"),
        ("events", "kind: end", "kind: over", "events row 1 (exchange_2016_2019_end): kind: Invalid enum value 'over'; write one of end, change"),
        ("events", "{id: exchange", "{when: 1, id: exchange", "events row 1 (exchange_2016_2019_end): when: no such field"),
        ("events", "applies_to: onprem_exchange", "applies_to: nobody", "(exchange_2016_2019_end): applies_to: no such row: nobody"),
        ("events", "- {id: exchange_2016_2019_end,", "- {", "events row 1: id: is missing"),
        ("providers", "- id: fastmail\n", "- id: tuta\n", "(tuta): id: tuta is used twice"),
        ("providers", "kind: suite", "kind: cloud", "(microsoft365): kind"),
        ("providers", "family: microsoft365", "family: ms", "(microsoft365_gcc_high): family: no provider ms"),
        ("providers", "mx: messagingengine.com", "mx: MessagingEngine.com", "(fastmail): mx: MessagingEngine.com"),
        ("providers", "mx: messagingengine.com", "mx: messagingengine.com.", "without the last dot"),
        ("providers", "mx: messagingengine.com", "mx: mx.microsoft", "(fastmail): mx: mx.microsoft stands in row microsoft365"),
        ("providers", "mx_regex: '^inbound", "mx_regex: '^(inbound", "(amazon_workmail): mx_regex: not a regular expression"),
        ("providers", "txt: 't-verify='", "txt: 'T-verify='", "(tuta): txt: T-verify="),
        ("products", "'/00d[a-z0-9]{12,15}=/", "'/(00d)=/", "(salesforce): txt: expressions are joined into one; write groups as (?:…)"),
        ("signals", "product: google_workspace_txt", "product: gws", "(google_account): product: no such row: gws"),
        ("selectors", "operator: microsoft365", "operator: ms", "(selector1): operator: no such row: ms"),
        ("selectors", "tier: 0", "tier: 5", "selectors row 1 (selector1): tier: Invalid enum value 5; write one of 0, 1, 2"),
        ("signals", "ask: [CNAME msoid]", "ask: [A msoid]", "(msoid): ask.0: A msoid"),
        ("signals", "ask: [CNAME msoid]", "ask: [TXT msoid]", "(msoid): ask: the question cannot show that; TXT has txt"),
        ("signals", "targets: sipfed.online.lync.com\n", "notes: x\n", "(teams_federation): targets: either"),
        ("identity", "  amazon_workmail:", "  workmail:", "suites.workmail: no such provider: workmail; did you mean amazon_workmail?"),
        ("identity", "prior: {suite: 4.0, ", "prior: {", "suites.microsoft365.prior: without suite"),
        ("identity", "autodiscover: {default: 3.6}", "autodiscover: {own: 3.6}", "suites.amazon_workmail.weights.autodiscover: without default"),
        ("identity", "autodiscover: {default: 3.6}", "autodiscover: {default: -1}", "must not be negative"),
        ("identity", "  default:\n    prior", "  zoho_mail:\n    prior", "suites: without default"),
        ("identity", "mixed: 0.7, ", "", "fixed: without mixed"),
        ("identity", "name_from: 0.5", "name_from: x", "file: name_from: Expected `float`, got `str`; write a number"),
        ("calibration", "suite: microsoft365, feature: spf", "suite: workmail, feature: spf", "coefficients row 8: row: identity.yaml has no such suite or feature; fit again"),
        ("calibration", "feature: autodiscover", "feature: autodiscovery", "coefficients row 1: row: identity.yaml has no such"),
        ("calibration", "mx: gateway", "mx: filter", "coefficients row 1: mx: no such look of the MX: filter"),
        ("calibration", "fitted: ", "fitted: -", "coefficients row 1: fitted: must not be negative"),
        ("calibration", "slope: 1", "slope: -1", "file: platt.slope: must be above 0"),
        ("calibration", "suite: microsoft365\n", "", "calibration.yaml:1: file: row: "),
        ("rules", "fit: 60", "fit: 70", "file: axes: wants fit and urgency"),
        ("rules", "migrating_days: 90", "migrating_days: 0", "migrating_days: no time at all"),
        ("rules", "migrating_days: 90", "", "migrating_days: is missing"),
        ("rules", "public_suffixes: gov", "public_suffix: gov", "file: public_suffix: no such section; did you mean public_suffixes?"),
        ("rules", "version: '2026", "version: '1'\nversion: '2026", "file: version: stands here twice"),
        ("rules", "- {id: products, cap: 16, pick: sum}", "- 3", "groups row 3: row: Expected `object`, got `int`; write fields"),
        ("events", "date: 2025-10-14", "date: 2025-13-14", "file: YAML: a value is none"),
        ("rules", "fit: 60", "fitness: 60", "file: axes: Invalid enum value 'fitness'; write"),
        ("rules", "migrating_days: 90", "migrating_days: soon", "migrating_days: Expected `int`, got `str`; write a whole number"),
        ("rules", "group: placement, points: 34", "group: place, points: 34", "rules row 1 (mail_exchange_onprem): group: no group place; did you mean placement?"),
        ("rules", "when: [mail_hosting], sentence", "when: [], sentence", "(mail_hosting): when: wants at least one"),
        ("rules", "when: [mail_hosting], sentence", "when: [hosting], sentence", "rules row 4 (mail_hosting): when.0: no such fact: hosting; did you mean mail_hosting?"),
        ("rules", "half_life: 30, when: [tenant", "half_life: 0, when: [tenant", "(tenant_appeared): half_life: does not go"),
        ("rules", "Mail is basic hosting mail at {provider}", "Mail is at {hoster}", "(mail_hosting): sentence: nothing fills {hoster}"),
        ("rules", "Mail is basic hosting mail at {provider}", "Mail is at {provider", "(mail_hosting): sentence: unmatched"),
        ("rules", "{what_mail_mixed}", "{what_nothing}", "(migrating_in_mixed): sentence: nothing fills {what_nothing}"),
        ("rules", "when: [null_mx], segment", "when: [nullmx], segment", "verdicts row 3 (null_mx): when.0: no such fact: nullmx; did you mean null_mx?"),
        ("rules", "when: [], segment: cold", "when: [gateway], segment: cold", "verdicts: the last row must have no condition"),
        ("rules", "any_of: [tenant_without_mail, migrating_in]", "any_of: [tenant]", "priorities row 7: any_of.0: no such fact: tenant"),
        ("rules", "all_of: [tenant_claimed", "all_of: [claimed", "priorities row 3: all_of.0: no such fact: claimed"),
        ("rules", "public_suffixes: gov", "public_suffixes: [x]\nothers: gov", "file: public_suffixes: Expected `str`"),
        ("rules", "changes:\n- {id: unanswered, when: [unanswered]", "changes:\n- {id: unanswered, when: [silence]", "changes row 1 (unanswered): when.0: no such fact"),
        ("rules", "relations:\n", "relations: 3\nothers:\n", "file: relations: Expected `object`"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_file_line_row_field_and_fix(
    edited: Edit, name: str, old: str, *, new: str, told: str
) -> None:
    with pytest.raises(Misconfigured) as error:
        edited(name, old, new)
    assert told in str(error.value)


def _lines(texts: dict[str, str], name: str, text: str) -> list[int]:
    return [n for n, line in enumerate(texts[name].splitlines(), 1) if text in line]


def test_every_problem_of_every_file_is_told_at_once(texts: dict[str, str]) -> None:
    broken = texts | {
        "rules": texts["rules"].replace("cap: 34", "cap: many").replace("cap: 16", "kap: 16"),
        "events": texts["events"].replace("kind: end", "kind: over"),
    }
    with pytest.raises(BadKnowledge) as error:
        build_knowledge(broken)
    told = [(p.file, p.line, p.field) for p in error.value.problems]
    ends = _lines(texts, "events", "kind: end")
    wrong_caps = _lines(texts, "rules", "cap: 16")
    assert told == [
        *(("events.yaml", line, "kind") for line in ends),
        ("rules.yaml", *_lines(texts, "rules", "cap: 34"), "cap"),
        *(("rules.yaml", line, field) for line in wrong_caps for field in ("cap", "kap")),
    ]
    assert str(error.value).splitlines() == [str(each) for each in error.value.problems]


def test_file_that_cannot_be_read_brings_no_problems_of_other_files(texts: dict[str, str]) -> None:
    with pytest.raises(BadKnowledge) as error:
        build_knowledge(texts | {"rules": "- a list"})
    assert [each.file for each in error.value.problems] == ["rules.yaml"]


def test_own_file_replaces_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    text = (
        shipped_texts()["rules"]
        .replace("version: '2026", "version: 'ours")
        .replace("cap: 34", "cap: 20")
    )
    (tmp_path / "rules.yaml").write_text(text)
    (tmp_path / ".rules.yaml.swp").write_text("an editor's")
    own = load_own(str(tmp_path))

    assert own.own == {"rules"}
    assert own.version.startswith("ours")
    assert own.rules.groups["placement"].cap == 20
    assert own.rules.providers == load_own("").rules.providers


def test_version_follows_what_files_say_and_not_how_they_look(texts: dict[str, str]) -> None:
    shipped = build_knowledge(texts)
    remark = build_knowledge(texts | {"rules": "# ours\n" + texts["rules"]})
    weaker = build_knowledge(texts | {"rules": texts["rules"].replace("cap: 34", "cap: 33")})
    later = build_knowledge(texts | {"events": texts["events"].replace("2027-03-31", "2027-03-30")})

    assert remark.version == shipped.version
    policy, _, facts = shipped.version.partition("+")
    assert weaker.version.endswith(facts)
    assert later.version.startswith(policy)
    assert len({shipped.version, weaker.version, later.version}) == 3


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rule.yaml", b"x", "rule.yaml:1: file: name: replaces no data file; did you mean rules.yaml?"),
        ("rules.yaml", b"\xff", "file: name: not UTF-8; save it as UTF-8"),
    ],
)  # fmt: skip
def test_own_file_that_replaces_nothing_is_told(
    tmp_path: Path, name: str, content: bytes, *, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadKnowledge, match=re.escape(told)):
        load_own(str(tmp_path))


def test_own_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadKnowledge, match="HUNTER_RULES_DIR wants a folder"):
        load_own(str(tmp_path / "nowhere"))


def test_own_file_that_is_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").mkdir()
    with pytest.raises(BadKnowledge, match="let Hunter read it"):
        load_own(str(tmp_path))


def test_row_without_name_servers_patterns_matches_nothing(edited: Edit) -> None:
    knowledge = edited("products", "  ns_regex: ", "  country: ")
    assert knowledge.rules.product_ns_pattern.search("ns-1.awsdns-01.org") is None


def test_longest_literal_wins() -> None:
    index = TokenIndex({"abc": ("product", "short"), "abcd": ("product", "long")}, [])
    assert index.find("abcdef") == ("product", "long")
    assert index.find("abcx") == ("product", "short")
    assert index.find("xyz") is None


def test_signal_outranks_a_product_with_the_same_token() -> None:
    assert load_knowledge().rules.tokens.find("google-site-verification=x") == (
        "signal",
        "google_site",
    )


def test_a_broken_own_file_is_told_of_alone(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("rules: 3\n")
    with pytest.raises(BadKnowledge) as error:
        load_own(str(tmp_path))

    assert {each.file for each in error.value.problems} == {"rules.yaml"}


def test_a_shipped_file_that_an_own_one_leaves_without_facts_is_told(tmp_path: Path) -> None:
    relation = "  existing_d365: existing_dynamics\n"
    text = shipped_texts()["rules"]
    assert relation in text
    lines = text.replace(relation, "").splitlines(keepends=True)
    kept = [line for line in lines if "existing_dynamics" not in line]
    (tmp_path / "rules.yaml").write_text("".join(kept))
    with pytest.raises(BadKnowledge) as error:
        load_own(str(tmp_path))

    assert "brief.yaml" in {each.file for each in error.value.problems}
