"""Leads and results as rows of a file: which columns, under which headings, in which profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from hunter.core.advice import Language
from hunter.store.contacts import Contact
from hunter.store.exports import FlatLead
from hunter.store.results import Result
from hunter.web.receipts import RejectView
from hunter.web.views import RESULT_COLUMNS


class Layout(msgspec.Struct, frozen=True):
    """The columns of a file: headings, and how many characters wide each is shown."""

    headings: tuple[str, ...]
    widths: tuple[int, ...]


#: field → (Turkish heading, width); in English, the heading is the field's name on the wire
LEAD_COLUMNS: Final[dict[str, tuple[str, int]]] = {
    "domain": ("Alan adı", 28),
    "display_name": ("Görünen ad", 28),
    "company_name": ("Firma", 32),
    "source": ("Kaynak", 16),
    "priority": ("Öncelik", 9),
    "segment": ("Segment", 12),
    "score": ("Puan", 8),
    "fit": ("Uygunluk", 9),
    "urgency": ("Aciliyet", 9),
    "confidence": ("Güven", 11),
    "confidence_word": ("Güven düzeyi", 15),
    "provider": ("Posta kutuları (kod)", 20),
    "provider_name": ("Posta kutuları", 24),
    "mx_operator": ("E-postayı alan (kod)", 20),
    "mx_operator_name": ("E-postayı alan", 24),
    "gateway": ("E-posta filtresi", 18),
    "tenant_state": ("Microsoft kiracısı", 20),
    "tenant_name": ("Kiracı adı", 20),
    "mail_state": ("E-posta durumu", 15),
    "local_provider": ("Yerel sağlayıcı", 14),
    "posture": ("Güvenlik notu", 13),
    "dmarc_policy": ("DMARC politikası", 15),
    "products": ("Ürünler", 32),
    "reason": ("Gerekçe", 60),
    "scan_status": ("Tarama durumu", 14),
    "scanned_at": ("Taranma zamanı", 20),
    "first_seen_at": ("İlk görülme", 20),
    "rules_version": ("Kural sürümü", 14),
}
#: beside the columns of a lead, when the people are asked for
_CONTACT_COLUMNS: Final[dict[str, tuple[str, int]]] = {
    "contact_name": ("Kişi", 24),
    "contact_role": ("Görevi", 20),
    "contact_email": ("Kişi e-postası", 28),
    "contact_phone": ("Kişi telefonu", 18),
    "contact_source": ("Kişi kaynağı", 18),
    "contact_purpose": ("Kullanım amacı", 14),
    "other_contacts": ("Diğer kişiler", 40),
}
_REJECT_COLUMNS: Final[dict[str, tuple[str, int]]] = {
    "line": ("Satır", 8),
    "input": ("Değer", 40),
    "reason": ("Neden", 18),
    "detail": ("Açıklama", 80),
}
#: a seller's words for a priority, in Dynamics' option set
_RATINGS: Final = {1: "Hot", 2: "Hot", 3: "Warm", 4: "Warm"}
#: (English, Turkish display name of the lead table's column, width)
_DYNAMICS: Final[tuple[tuple[str, str, int], ...]] = (
    ("Topic", "Konu", 44),
    ("First Name", "Ad", 16),
    ("Last Name", "Soyadı", 18),
    ("Job Title", "İş Unvanı", 20),
    ("Company Name", "Şirket Adı", 32),
    ("Email", "E-posta", 28),
    ("Business Phone", "İş Telefonu", 18),
    ("Website", "Web Sitesi", 30),
    ("Lead Source", "Müşteri Adayı Kaynağı", 20),
    ("Rating", "Derecelendirme", 14),
    ("Description", "Açıklama", 60),
)
#: most characters Dynamics takes in Topic, Company Name, Website and Description
_TOPIC_MAX: Final = 300
_NAME_MAX: Final = 100
_DESCRIPTION_MAX: Final = 2000


def lead_layout(language: Language, *, contacts: bool = False) -> Layout:
    """Every flat field of a lead, as `lead_row` fills them; with `contacts`, `contact_cells` behind."""
    return _layout(LEAD_COLUMNS | (_CONTACT_COLUMNS if contacts else {}), language)


def result_layout(language: Language) -> Layout:
    """The columns of `hunter.web.views.result_row`."""
    known = LEAD_COLUMNS | {"outcome": ("Sonuç", 12), "failure": ("Hata", 32)}
    return _layout({name: known[name] for name in RESULT_COLUMNS}, language)


def reject_layout(language: Language) -> Layout:
    """The columns of `reject_row`."""
    return _layout(_REJECT_COLUMNS, language)


def reject_row(reject: RejectView) -> list[object]:
    """What was refused, where and why."""
    return [reject.line, reject.input, reject.reason, reject.detail]


def _layout(columns: dict[str, tuple[str, int]], language: Language) -> Layout:
    turkish = tuple(heading for heading, _ in columns.values())
    return Layout(
        headings=turkish if language is Language.TR else tuple(columns),
        widths=tuple(width for _, width in columns.values()),
    )


def dynamics_layout(language: Language) -> Layout:
    """The columns Dynamics 365 imports leads from, under their names in its language."""
    is_turkish = language is Language.TR
    return Layout(
        headings=tuple(turkish if is_turkish else name for name, turkish, _ in _DYNAMICS),
        widths=tuple(width for *_, width in _DYNAMICS),
    )


def lead_row(lead: FlatLead) -> list[object]:
    """A lead under `lead_layout`."""
    return [getattr(lead, name) for name in LEAD_COLUMNS]


def contact_cells(people: Sequence[Contact]) -> list[object]:
    """The person entered last, and how the others are reached."""
    if not people:
        return [None] * len(_CONTACT_COLUMNS)
    first, *others = people
    reached = ("; ".join(filter(None, (each.name, each.email, each.phone))) for each in others)
    told = (first.name, first.role, first.email, first.phone, first.source, first.purpose)
    return [*told, " | ".join(reached)]


def dynamics_row(lead: FlatLead, people: Sequence[Contact] = ()) -> list[object]:
    """A lead under `dynamics_layout`, with the person entered last."""
    first = people[0] if people else None
    given, _, family = ((first.name if first else None) or "").rpartition(" ")
    company = lead.company_name or lead.display_name
    return [
        f"{company}: {lead.reason or 'not scanned yet'}"[:_TOPIC_MAX],
        given or None,
        # the one column Dynamics insists on: where nobody is known, the company stands in it
        (family or company)[:_NAME_MAX],
        first.role if first else None,
        company[:_NAME_MAX],
        first.email if first else None,
        first.phone if first else None,
        f"https://{lead.domain}"[:_NAME_MAX],
        "Other",
        _RATINGS.get(lead.priority or 0, "Cold"),
        _description(lead)[:_DESCRIPTION_MAX],
    ]


def _description(lead: FlatLead) -> str:
    """What is known, as words; what is not known is left out."""
    parts = [
        lead.reason,
        f"Priority P{lead.priority}, score {lead.score}." if lead.priority else None,
        f"Mailboxes: {lead.provider_name}." if lead.provider_name else None,
        f"Mail received by: {lead.mx_operator_name}." if lead.mx_operator_name else None,
        f"Microsoft tenant: {lead.tenant_name}." if lead.tenant_name else None,
        f"Products: {lead.products}." if lead.products else None,
        f"Source: {lead.source}." if lead.source else None,
    ]
    return " ".join(part for part in parts if part)


def flat_result(result: Result) -> FlatLead:
    """What one scan said about a domain, as the row a lead would have."""
    found = result.judgement
    names = FlatLead.__struct_fields__
    told = {name: getattr(found, name) for name in names if found and hasattr(found, name)}
    return FlatLead(
        **told
        | {
            "domain": result.domain,
            "display_name": result.domain,
            "company_name": result.company_name,
            "products": ", ".join(each.name for each in found.products) if found else "",
            "scan_status": found.scan_status if found else result.outcome,
            "scanned_at": result.scanned_at,
        }
    )
