"""What Exchange Online's own names give away: which of Microsoft's clouds, and other domains of the customer."""

from __future__ import annotations

from hunter.core.eop_label import decode_label
from hunter.core.facts import Rules
from hunter.core.identity import MICROSOFT
from hunter.core.judgement import Evidence, Finding
from hunter.core.seen import Seen

_FINDINGS = {
    "us_gov": Finding.of("microsoft_cloud_us_gov"),
    "china": Finding.of("microsoft_cloud_china"),
    "germany": Finding.of("microsoft_cloud_germany"),
}


def cloud_of(seen: Seen, rules: Rules) -> str | None:
    """The sovereign cloud that a record names; None for the worldwide one, and where none shows."""
    for owner in _owners(seen, rules):
        row = rules.providers.get(owner or "")
        if row is not None and row.cloud:
            return row.cloud
    return None


def _owners(seen: Seen, rules: Rules) -> list[str | None]:
    """Rows of the provider table behind everything that says Microsoft."""
    owners: list[str | None] = []
    if seen.mail is not None:
        owners += [host.operator for host in seen.mail.hosts]
    proofs = seen.proved.get(MICROSOFT, {})
    owners += [rules.autodiscover.find(each.record) for each in proofs.get("autodiscover", ())]
    owners += [rules.dkim.find(each.record) for each in proofs.get("dkim", ())]
    owners += [rules.spf.find(target) for _, target in seen.spf.targets]
    return owners


def cloud_finding(cloud: str | None) -> tuple[Finding, ...]:
    """What to know about a customer in a sovereign cloud."""
    found = _FINDINGS.get(cloud or "")
    return () if found is None else (found,)


def other_domains(seen: Seen) -> dict[str, Evidence]:
    """Domains whose Exchange Online label stands in a record of this one, with that record."""
    found: dict[str, Evidence] = {}
    for label, evidence in seen.eop_labels:
        other = decode_label(label)
        if other is not None and other != seen.survey.domain:
            found.setdefault(other, evidence)
    return found


def label_findings(seen: Seen) -> list[Finding]:
    """One finding for each other domain: a sister company, or a record in the wrong zone."""
    return [
        Finding.of("eop_label_mismatch", name=evidence.question.partition(" ")[0], other=other)
        for other, evidence in other_domains(seen).items()
    ]
