"""The fact tables Hunter grew from, row by row and field by field; skipped with one line where they are absent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from hunter.core.provider import operator_name, operator_of
from hunter.knowledge.load import load_knowledge

_CONFORMANCE = os.environ.get("TEST_HUNTER_CONFORMANCE_DIR")
FOLDER = (
    Path(_CONFORMANCE).parent / "facts"
    if _CONFORMANCE
    else Path(__file__).parents[3] / "shared" / "facts"
)
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no fact tables at {FOLDER}; set TEST_HUNTER_CONFORMANCE_DIR"
)

#: "table row field" → why Hunter has it otherwise. A row without a field is left out as a whole.
ARGUED: Mapping[str, str] = {
    "providers exchange_online_smart_host_only": "no operator: the fact spf_names_microsoft says it",
    "providers null_mx": "no operator: RFC 7505 is read by hunter.core.mx, the fact null_mx says it",
    "providers localhost_mx": "no operator: hunter.core.mx finds it, the operator is `broken`",
    "providers microsoft365 txt_regex": "tokens of the signal txt_ms: they prove a tenant, no mailbox",
    "saas m365_txt": "tokens of the signal txt_ms; mscid= is a row of its own, since it proves no tenant",
    "selectors hs1-<portal>": "made of the portal id in the SPF record, when it is asked for",
    "selectors hs2-<portal>": "made of the portal id in the SPF record, when it is asked for",
    "selectors 20230601 operator": "gmail.com's own key: no customer has it",
    "selectors x operator": "DirectAdmin is a panel, no operator",
    "selectors everlytickey1 operator": "Everlytic is in no table: the name hints at nobody",
    "selectors eversrv operator": "Everlytic is in no table: the name hints at nobody",
}


def shared(table: str, section: str) -> list[dict[str, Any]]:
    text = (FOLDER / f"{table}.yaml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = yaml.load(text, Loader=yaml.CSafeLoader)[section]
    return rows


def ours(table: str, key: str = "id") -> dict[str, dict[str, Any]]:
    text = (resources.files("hunter.knowledge") / "data" / f"{table}.yaml").read_text("utf-8")
    rows = yaml.load(text, Loader=yaml.CSafeLoader)[table]
    return {str(row[key]): row for row in rows}


def words(row: Mapping[str, Any], field: str) -> set[str]:
    """A field that is a list of words; a pattern stands between slashes."""
    return set(str(row.get(field, "")).split())


def spelled(expression: str) -> list[str]:
    """The texts a simple expression stands for, up to where it says "any digits" or the like."""
    text = expression.removeprefix("^").lower().replace("\\.", ".")
    text = re.split(r"\\d|\[[a-z0-9-]+\]|\[0-9", text)[0]
    parts = re.split(r"(\[[:=]+\]|\(\?:[^)]*\)\??|\w\?)", text)
    choices = []
    for part in parts:
        if part.startswith("["):
            choices.append(list(part[1:-1]))
        elif part.startswith("(?:"):
            inner = part.removeprefix("(?:").rstrip("?").removesuffix(")").split("|")
            choices.append([*inner, ""] if part.endswith("?") else inner)
        elif part.endswith("?"):
            choices.append([part[:-1], ""])
        else:
            choices.append([part])
    return ["".join(each) for each in product(*choices)]


def lacks_token(tokens: Iterable[str], expression: str) -> bool:
    """True when some text the expression stands for begins with none of the tokens."""
    literals = tuple(token for token in tokens if not token.startswith("/"))
    patterns = [token[1:-1] for token in tokens if token.startswith("/")]
    plain = expression.removeprefix("^").lower().replace("a-za-z0-9", "a-z0-9")
    if plain in patterns:
        return False
    return not all(text.startswith(literals) for text in spelled(expression))


def check(table: str, found: Mapping[str, object]) -> None:
    """Every difference is argued, and every argument is about a difference that is there."""
    argued = {key for key in ARGUED if key.startswith(f"{table} ")}
    assert {key: what for key, what in found.items() if key not in argued} == {}
    assert argued <= found.keys()


def scalars(
    key: str, theirs: Mapping[str, Any], row: Mapping[str, Any], fields: Mapping[str, str]
) -> dict[str, object]:
    return {
        f"{key} {field}": (theirs.get(field), row.get(name))
        for field, name in fields.items()
        if theirs.get(field) and theirs[field] != row.get(name)
    }


def test_every_provider_is_here_with_every_name_and_figure() -> None:
    found: dict[str, object] = {}
    rows = ours("providers")
    theirs = shared("providers", "providers")
    assert len(theirs) >= 246
    for each in theirs:
        key = f"providers {each['id']}"
        row = rows.get(each["id"])
        if row is None:
            found[key] = "no such row"
            continue
        found |= scalars(
            key,
            each,
            row,
            {
                "kind": "kind", "role": "role", "country": "country", "verified": "verified",
                "notes": "notes", "mx_2ld_count_2020": "domains_2020",
                "seen_mx_hosts_ch_at_2026": "hosts_ch_at_2026",
            },
        )  # fmt: skip
        lists = {
            "mx_suffixes": (each["mx_suffixes"], "mx"),
            "mx_regex": (each.get("mx_regex", []), "mx_regex"),
            "spf_includes": (each["spf_includes"], "spf"),
            "selectors": ([name.lower() for name in each["dkim"]["selectors"]], "selectors"),
            "cname_suffixes": (each["dkim"]["cname_suffixes"], "dkim"),
            "autodiscover": (each["autodiscover"], "autodiscover"),
            "ns_suffixes": (each.get("ns_suffixes", []), "ns"),
            "sources": (each["sources"], "sources"),
            "unconfirmed": (
                [
                    *each.get("mx_without_local_source", []),
                    *each.get("spf_without_local_source", []),
                ],
                "unconfirmed",
            ),
        }
        for field, (wanted, name) in lists.items():
            missing = set(wanted) - words(row, name)
            if missing:
                found[f"{key} {field}"] = missing
        tokens = words(row, "txt")
        if any(lacks_token(tokens, expression) for expression in each.get("txt_regex", [])):
            found[f"{key} txt_regex"] = each["txt_regex"]
    check("providers", found)


#: a trace of the shared table → the field that has it
_TRACES = {"spf": "spf", "cname": "cname", "dmarc_rua": "rua"}


def test_every_product_is_here_with_every_trace_and_what_it_proves() -> None:
    found: dict[str, object] = {}
    rows = ours("products")
    theirs = shared("saas_tokens", "saas")
    assert (len(theirs), sum(len(each["signals"]) for each in theirs)) >= (194, 524)
    for each in theirs:
        key = f"saas {each['id']}"
        row = rows.get(each["id"])
        if row is None:
            found[key] = "no such row"
            continue
        found |= scalars(
            key,
            each,
            row,
            {name: name for name in ("category", "relation", "verified", "notes", "country")},
        )
        rates = each.get("base_rate", {})
        if "spf_2020" in rates and rates["spf_2020"] != row.get("spf_2020"):
            found[f"{key} spf_2020"] = rates
        if "txt_2019_alexa1m" in rates and rates["txt_2019_alexa1m"] != row.get("txt_2019"):
            found[f"{key} txt_2019"] = rates
        if set(each["sources"]) - words(row, "sources"):
            found[f"{key} sources"] = each["sources"]
        for trace in each["signals"]:
            kind, match = trace["type"], trace["match"]
            if kind == "txt":
                is_missing = lacks_token(words(row, "txt"), match)
            elif kind in _TRACES:
                is_missing = match not in words(row, _TRACES[kind])
            else:
                is_missing = match not in row.get("shapes", "")
            if is_missing:
                found[f"{key} {kind} {match}"] = "no such trace"
    check("saas", found)


def test_every_selector_is_here_with_its_operator_and_target() -> None:
    found: dict[str, object] = {}
    rows = ours("selectors", "selector")
    theirs = shared("dkim_selectors", "selectors")
    assert len(theirs) >= 168
    for each in theirs:
        key = f"selectors {each['selector']}"
        row = rows.get(str(each["selector"]).lower())
        if row is None:
            found[key] = "no such row"
            continue
        operator = each["operator"].removesuffix(" / unknown")
        if operator != row.get("operator", ""):
            found[f"{key} operator"] = (each["operator"], row.get("operator"))
        found |= scalars(key, each, row, {"record": "record", "note": "note"})
        if each["tier"] != row["tier"]:
            found[f"{key} tier"] = (each["tier"], row["tier"])
        targets = {target.strip() for target in each["cname_target"].split("|")} - {""}
        if targets - words(row, "target"):
            found[f"{key} target"] = targets
        if set(each["sources"]) - words(row, "sources"):
            found[f"{key} sources"] = each["sources"]
    check("selectors", found)


#: signal of the shared table → where Hunter has it: a row of signals.yaml, or what reads it
SIGNALS = {
    "mx_classic": "mx mail.protection.outlook.com",
    "mx_new_dane": "mx mx.microsoft",
    "mx_legacy_eo": "mx mail.eo.outlook.com",
    "mx_sovereign_us": "mx mail.protection.office365.us",
    "mx_sovereign_cn": "mx mail.protection.partner.outlook.cn",
    "mx_consumer_false_friend": "mx olc.protection.outlook.com",
    "spf_include": "spf spf.protection.outlook.com",
    "dkim_cname_old": "dkim onmicrosoft.com",
    "dkim_cname_new": "dkim dkim.mail.microsoft",
    "mx_verify_label": "hunter.core.provider",
    "dkim_dangling": "hunter.core.dkim",
    "autodiscover_cname": "signal autodiscover_microsoft",
    "autodiscover_a_record": "hunter.core.signals",
    "txt_ms": "signal txt_ms",
    "enterpriseregistration": "signal enterpriseregistration",
    "enterpriseenrollment": "signal enterpriseenrollment",
    "teams_srv": "signal teams_federation",
    "sip_cnames": "signal sip_microsoft",
    "msoid": "signal msoid",
    "exchange_federation_txt": "signal exchange_federation",
    "godaddy_tenant": "signal godaddy_tenant",
    "ms_domain_verification": "product acs_email",
    "dmarc_rua_ms": "hunter.core.products",
    "spf_addons": "product exclaimer_codetwo",
    "d365_dkim": "product d365_marketing",
    "power_pages": "product power_pages",
}


def test_every_microsoft_signal_is_read_somewhere() -> None:
    text = (FOLDER / "m365_signals.yaml").read_text(encoding="utf-8")
    theirs = yaml.load(text, Loader=yaml.CSafeLoader)
    assert {each["id"] for each in theirs["dns_signals"]} == SIGNALS.keys()
    signals, products = ours("signals"), ours("products")
    names = {
        field: {word for row in ours("providers").values() for word in words(row, field)}
        for field in ("mx", "spf", "dkim")
    }
    for place in SIGNALS.values():
        kind, _, what = place.partition(" ")
        known = {"signal": signals, "product": products}.get(kind) or names.get(kind)
        assert known is None or what in known, place


def test_the_seven_states_are_the_seven_of_the_column() -> None:
    text = (FOLDER / "m365_signals.yaml").read_text(encoding="utf-8")
    states = [each["id"] for each in yaml.load(text, Loader=yaml.CSafeLoader)["states"]]
    sql = (Path(__file__).parents[2] / "migrations" / "0001.lead.sql").read_text(encoding="utf-8")
    constraint = sql.partition("lead_tenant_state_known CHECK")[2].partition("))")[0]
    assert sorted(re.findall(r"'(\w+)'", constraint)) == sorted(states)


def test_service_that_sends_mail_is_never_a_crm() -> None:
    rules = load_knowledge().rules
    senders = [row["id"] for row in shared("saas_tokens", "saas") if row["category"] == "esp"]
    assert len(senders) >= 19
    for each in senders:
        row = rules.products[each]
        assert row.category != "crm"
        assert rules.relations.get(row.relation) not in {"crm_rival", "existing_dynamics"}


def test_turkish_hosting_company_is_named_and_at_home_in_turkey() -> None:
    rules = load_knowledge().rules
    for row in shared("providers", "providers"):
        if row.get("country") != "TR":
            continue
        for suffix in row["mx_suffixes"]:
            operator = operator_of(f"mx1.{suffix}", "firma.com.tr", rules)
            assert operator == row["id"]
            assert rules.providers[operator].country == "TR"
            assert operator_name(operator, rules) not in {None, "Local", suffix}
