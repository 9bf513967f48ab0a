"""Data files: what ships is sound, and what is wrong is told with file, row and field."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import pytest

from hunter.core.answers import Depth
from hunter.core.errors import Misconfigured
from hunter.core.tables import TokenIndex
from hunter.knowledge.load import FILES, Knowledge, build_knowledge, load_knowledge

Edit = Callable[[str, str, str], Knowledge]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    folder = resources.files("hunter.knowledge") / "data"
    return {name: (folder / f"{name}.yaml").read_text(encoding="utf-8") for name in FILES}


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
        ("rules", "version: '2026", "version: [", "rules.yaml: not YAML"),
        ("events", "version: '2026.11'\nevents:", "- a\n#", "events.yaml: wants named sections"),
        ("events", "version: '2026.11'", "version: 2026", "events.yaml: version: wants"),
        ("events", "events:\n", "events: 3\nothers:\n", "events.yaml: section events: wants a list"),
        ("events", "kind: end", "kind: over", "events.yaml: events row 1 (exchange_2016_2019_end): kind"),
        ("events", "{id: exchange", "{when: 1, id: exchange", "unknown field `when`"),
        ("events", "applies_to: onprem_exchange", "applies_to: nobody", "events.yaml: exchange_2016_2019_end: applies_to"),
        ("events", "- {id: exchange_2016_2019_end,", "- {", "events row 1: row"),
        ("providers", "- id: fastmail\n", "- id: tuta\n", "(tuta): id: used twice"),
        ("providers", "kind: suite", "kind: cloud", "(microsoft365): kind"),
        ("providers", "family: microsoft365", "family: ms", "microsoft365_gcc_high: family: no provider ms"),
        ("providers", "mx: messagingengine.com", "mx: MessagingEngine.com", "fastmail: mx"),
        ("providers", "mx: messagingengine.com", "mx: messagingengine.com.", "without the last dot"),
        ("providers", "mx: messagingengine.com", "mx: mx.microsoft", "fastmail: mx: mx.microsoft stands in row microsoft365"),
        ("providers", "mx_regex: '^inbound", "mx_regex: '^(inbound", "amazon_workmail: mx_regex: not a regular expression"),
        ("providers", "txt: 't-verify='", "txt: 'T-verify='", "tuta: txt"),
        ("products", "'/00d[a-z0-9]{12,15}=/", "'/(00d)=/", "salesforce: txt: groups must be"),
        ("selectors", "operator: microsoft365", "operator: ms", "selectors.yaml: selector1: operator"),
        ("selectors", "tier: 0", "tier: 5", "selectors.yaml: selectors row 1 (selector1): tier"),
        ("signals", "ask: [CNAME msoid]", "ask: [A msoid]", "msoid: ask: A msoid"),
        ("signals", "ask: [CNAME msoid]", "ask: [TXT msoid]", "msoid: ask: TXT has txt"),
        ("signals", "targets: sipfed.online.lync.com\n", "notes: x\n", "teams_federation: targets: either"),
        ("identity", "  amazon_workmail:", "  workmail:", "identity.yaml: workmail: suites: no such provider"),
        ("identity", "prior: {suite: 4.0, ", "prior: {", "microsoft365: prior: without suite"),
        ("identity", "autodiscover: {default: 3.6}", "autodiscover: {own: 3.6}", "amazon_workmail: weights.autodiscover: without default"),
        ("identity", "autodiscover: {default: 3.6}", "autodiscover: {default: -1}", "must not be negative"),
        ("identity", "  default:\n    prior", "  zoho_mail:\n    prior", "suites: without default"),
        ("identity", "mixed: 0.7, ", "", "fixed: without mixed"),
        ("identity", "name_from: 0.5", "name_from: x", "identity.yaml: file: name_from"),
        ("rules", "fit: 60", "fit: 70", "rules.yaml: file: axes: wants fit and urgency"),
        ("rules", "fit: 60", "fitness: 60", "rules.yaml: file: axes"),
        ("rules", "migrating_days: 90", "migrating_days: soon", "migrating_days: wants a number of days"),
        ("rules", "group: placement, points: 34", "group: place, points: 34", "rules (mail_exchange_onprem): group: no group place"),
        ("rules", "when: [mail_hosting], sentence", "when: [], sentence", "rules (mail_hosting): when: wants at least one"),
        ("rules", "when: [mail_hosting], sentence", "when: [hosting], sentence", "rules (mail_hosting): when: no such fact: hosting"),
        ("rules", "half_life: 30, when: [tenant", "half_life: 0, when: [tenant", "rules (tenant_appeared): half_life"),
        ("rules", "Mail is basic hosting mail at {provider}", "Mail is at {hoster}", "rules (mail_hosting): sentence: nothing fills {hoster}"),
        ("rules", "Mail is basic hosting mail at {provider}", "Mail is at {provider", "rules (mail_hosting): sentence"),
        ("rules", "{what_mail_mixed}", "{what_nothing}", "verdicts (migrating_in_mixed): sentence: nothing fills"),
        ("rules", "when: [null_mx], segment", "when: [nullmx], segment", "verdicts (null_mx): when: no such fact"),
        ("rules", "when: [], segment: cold", "when: [gateway], segment: cold", "verdicts: the last row must have no condition"),
        ("rules", "any_of: [tenant_without_mail, migrating_in]", "any_of: [tenant]", "priorities (row 4): when: no such fact: tenant"),
        ("rules", "all_of: [tenant_claimed", "all_of: [claimed", "priorities (row 3): when: no such fact: claimed"),
        ("rules", "public_suffixes: gov", "public_suffixes: [x]\nothers: gov", "rules.yaml: file: public_suffixes: wants names"),
        ("rules", "changes:\n- {when: [unanswered]", "changes:\n- {when: [silence]", "changes (row 1): when: no such fact"),
        ("rules", "relations:\n", "relations: 3\nothers:\n", "rules.yaml: file: relations"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_file_row_and_field(
    edited: Edit, name: str, old: str, *, new: str, told: str
) -> None:
    with pytest.raises(Misconfigured) as error:
        edited(name, old, new)
    assert told in str(error.value)


def test_row_without_name_servers_patterns_matches_nothing(edited: Edit) -> None:
    knowledge = edited("products", "  ns_regex: ", "  shapes: ")
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
