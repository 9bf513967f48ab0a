"""One page about a lead for a manager or the customer, as PDF, from the lines of the sales brief."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from hunter.core.advice import Language, advise_all
from hunter.core.brief import Brief, Sentence
from hunter.core.judgement import Evidence, Judgement, Segment, Signal, State
from hunter.core.voice import Voice
from hunter.core.wording import Section, Wording
from hunter.knowledge.findings import load_findings
from hunter.store.leads import Lead
from hunter.web.pen import BRAND, GREY, TINT, Pen, can_show

#: millimetres
_WIDTH: Final = 210.0
_MARGIN: Final = 16.0
_INNER: Final = _WIDTH - 2 * _MARGIN
_GAP: Final = 8.0
_FOOT: Final = 281.0
#: most records at the foot of the page, and characters of one
_RECORDS_MAX: Final = 16
_RECORD_CHARS: Final = 110
_FINDINGS_MAX: Final = 5

#: what stands around the sentences, in English and Turkish
_WORDS: Final = {
    "report": ("Mail and Microsoft 365 at a glance", "E-posta ve Microsoft 365: bir bakışta"),
    "as_of": ("as of", "tarih:"),
    "seen": ("records of", "kayıtların tarihi:"),
    "priority": ("Priority", "Öncelik"),
    "score": ("Score", "Puan"),
    "confidence": ("Confidence", "Güven"),
    "posture": ("Mail security", "E-posta güvenliği"),
    "segment": ("Segment", "Segment"),
    "facts": ("What the records show", "Kayıtların gösterdiği"),
    "provider": ("Mailboxes", "Posta kutuları"),
    "operator": ("Mail received by", "E-postayı alan"),
    "tenant": ("Microsoft tenant", "Microsoft kiracısı"),
    "products": ("Products seen", "Görülen ürünler"),
    "spf": ("SPF", "SPF"),
    "dkim": ("DKIM", "DKIM"),
    "dmarc": ("DMARC policy", "DMARC politikası"),
    "present": ("in place", "var"),
    "absent": ("not in place", "yok"),
    "none_seen": ("none seen", "görülmedi"),
    "not_known": ("not known", "bilinmiyor"),
    "to_do": ("What to put right", "Düzeltilmesi gerekenler"),
    "records": ("Records", "Kayıtlar"),
    "more": ("and {n} more: see the sales summary of this lead", "ve {n} kayıt daha: bu adayın satış özetinde"),
    "honest": (
        "Every sentence rests on the numbered public DNS records. What nobody answered is not known.",
        "Her cümle, numarası verilen herkese açık DNS kayıtlarına dayanır. Yanıtlanmayan, bilinmez.",
    ),
}  # fmt: skip
#: the words of DMARC policies stand in records; these do not
_TENANTS: Final = {
    "m365_mail": ("yes, with the mailboxes", "var, posta kutularıyla"),
    "m365_mail_probable": ("probably, with the mailboxes", "muhtemelen var, posta kutularıyla"),
    "tenant_without_mail": ("yes, without the mailboxes", "var, posta kutuları başka yerde"),
    "migrating_in": ("yes, moving in", "var, geçiş sürüyor"),
    "migrating_out": ("left behind", "geride kalmış"),
    "no_microsoft": ("none seen", "görülmedi"),
}
#: signals of a tenant, those that say most first
_MICROSOFT: Final = (
    "mx_microsoft", "dkim_microsoft", "enterpriseregistration", "autodiscover_microsoft", "txt_ms",
)  # fmt: skip
_NOTHING: Final = Signal(state=State.UNKNOWN)
_CUSTOMER: Final = (Section.RUNS, Section.OFFER)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What goes onto the page."""

    lead: Lead
    brief: Brief
    wording: Wording
    as_of: dt.date
    #: the customer's copy has no priority, no score, and nothing to be said to the customer
    is_for_customer: bool = False


def draw(report: Report) -> bytes:
    """The page as PDF; the same report gives the same bytes. Takes some 0.2 s of processor time."""
    return _Page(report).draw()


class _Page:
    """Draws one report from top to bottom; what does not fit any more is left out, with its record."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lead, self._brief = report.lead, report.brief
        self._is_turkish = report.brief.language is Language.TR
        self._voice = Voice(report.brief.language, report.wording.turkish, report.as_of)
        self._numbers: dict[Evidence, int] = {}
        self._pen = Pen()
        pdf = self._pen.pdf
        made = dt.datetime.combine(report.as_of, dt.time(), dt.UTC)
        pdf.set_creation_date(made)
        pdf.set_title(f"{self._name()} ({self._lead.domain})")
        pdf.set_creator("Hunter")
        pdf.set_lang(report.brief.language.value)

    def draw(self) -> bytes:
        y = self._head()
        y = self._boxes(y)
        y = self._reason(y)
        column = (_INNER - _GAP) / 2
        left = self._facts(_MARGIN, y, column)
        right = y
        for heading, texts in self._sections():
            if right <= left:
                right = self._section(heading, texts, _MARGIN + column + _GAP, right, column)
            else:
                left = self._section(heading, texts, _MARGIN, left, column)
        self._records(max(left, right))
        self._foot()
        return bytes(self._pen.pdf.output())

    def _word(self, name: str) -> str:
        return _WORDS[name][self._is_turkish]

    def _label(self, name: str) -> str:
        label = self._report.wording.labels[name][self._brief.language]
        if self._is_turkish and label.startswith("i"):
            return "İ" + label[1:]
        return label[:1].upper() + label[1:]

    def _name(self) -> str:
        """The company, as far as the font can write it."""
        names = (self._lead.company_name, self._lead.display_name, self._lead.domain)
        return next(name for name in names if name and can_show(name))

    def _known(self, value: str | None) -> str:
        return value or self._word("not_known")

    def _head(self) -> float:
        self._pen.fill(0, 0, _WIDTH, 36, BRAND)
        self._pen.text(_MARGIN, 7, _INNER, self._word("report"), 9, colour=(196, 214, 232))
        self._pen.line(_MARGIN, 12.5, _INNER, self._name(), 19, bold=True, colour=(255, 255, 255))
        scanned = self._lead.last_scanned_at
        dates = [f"{self._word('as_of')} {self._voice.date(self._report.as_of)}"]
        if scanned is not None:
            dates.append(f"{self._word('seen')} {self._voice.date(scanned.date())}")
        line = "   ·   ".join((self._lead.domain, *dates))
        self._pen.line(_MARGIN, 24.5, _INNER, line, 9, colour=(196, 214, 232))
        return 42.0

    def _boxes(self, y: float) -> float:
        found = self._lead.judgement
        boxes = [
            ("confidence", self._label(self._brief.confidence_word)),
            ("posture", self._known(self._lead.posture)),
        ]
        if not self._report.is_for_customer:
            is_known = found is not None and self._brief.segment is not Segment.UNKNOWN
            score = f"{found.score} / 100" if found and is_known else self._word("not_known")
            segment = self._label(self._brief.segment.value)
            priority = ("priority", f"P{self._brief.priority}")
            boxes = [priority, ("score", score), ("segment", segment), *boxes]
        width = (_INNER - 3.0 * (len(boxes) - 1)) / len(boxes)
        for place, (name, value) in enumerate(boxes):
            x = _MARGIN + place * (width + 3.0)
            self._pen.fill(x, y, width, 16, TINT)
            self._pen.line(x + 3, y + 2, width - 5, self._word(name), 7.5, colour=GREY)
            self._pen.line(
                x + 3,
                y + 6.5,
                width - 5,
                value,
                self._pen.size(value, width - 5),
                bold=True,
                colour=BRAND,
            )
        return y + 21

    def _reason(self, y: float) -> float:
        told = self._brief.reason
        if told is None or self._report.is_for_customer:  # it tells the seller what to do
            return y
        text = self._numbered(told)
        height = self._pen.height(text, _INNER - 8, 10.5, bold=True)
        self._pen.fill(_MARGIN, y, 1.2, height + 2, BRAND)
        self._pen.text(_MARGIN + 5, y + 1, _INNER - 8, text, 10.5, bold=True)
        return y + height + 7

    def _facts(self, x: float, y: float, width: float) -> float:
        y = self._pen.heading(self._word("facts"), x, y, width)
        for name, value, proof in self._fact_rows():
            mark = self._marks(proof)
            self._pen.line(x, y, 34, self._word(name), 8.5, colour=GREY)
            y = self._pen.text(x + 35, y, width - 35, f"{value}{mark}", 8.5, bold=True) + 1.1
        return y + 4

    def _fact_rows(self) -> list[tuple[str, str, Sequence[Evidence]]]:
        """(name, value, records); nothing that the judgement does not say."""
        found = self._lead.judgement
        if found is None:
            return []
        tenant = _TENANTS.get(found.tenant_state)
        told = tenant[self._is_turkish] if tenant else self._word("not_known")
        if found.tenant_name:
            told = f"{told} ({found.tenant_name})"
        products = ", ".join(dict.fromkeys(each.name for each in found.products[:5]))
        proofs = tuple(each.evidence[0] for each in found.products[:5] if each.evidence)
        # products are read out of the texts that SPF is in
        unseen = "not_known" if found.spf.state is State.UNKNOWN else "none_seen"
        return [
            ("provider", self._known(found.provider_name), found.mx.evidence[:1]),
            ("operator", self._known(found.mx_operator_name), found.mx.evidence[:1]),
            ("tenant", told, self._tenant_proof(found)),
            ("spf", self._state(found.spf.state), found.spf.evidence[:1]),
            ("dkim", self._state(found.dkim.state), found.dkim.evidence[:1]),
            ("dmarc", self._dmarc(found), self._proof(found, "dmarc")),
            ("products", products or self._word(unseen), proofs),
        ]

    def _tenant_proof(self, found: Judgement) -> tuple[Evidence, ...]:
        """The first record that names Microsoft."""
        signals = (found.signals.get(name, _NOTHING) for name in _MICROSOFT)
        return next((each.evidence[:1] for each in signals if each.state is State.PRESENT), ())

    def _dmarc(self, found: Judgement) -> str:
        match found.dmarc_policy:
            case "unknown":
                return self._word("not_known")
            case "absent":
                return self._word("absent")
            case policy:
                return f"p={policy}"

    def _state(self, state: State) -> str:
        return self._word("not_known" if state is State.UNKNOWN else state.value)

    def _sections(self) -> Iterator[tuple[str, list[str]]]:
        """Heading and sentences of what there is to tell, each sentence with its records."""
        sections = _CUSTOMER if self._report.is_for_customer else tuple(Section)
        for section in sections:
            if sentences := self._brief.section(section):
                yield self._label(section.value), [self._numbered(each) for each in sentences]
        if self._report.is_for_customer and (found := self._lead.judgement):
            told = [
                f"{each.title}. {each.fix} ({each.source}){self._marks(proof)}"
                for each in advise_all(found.findings, load_findings(), self._brief.language)
                if (proof := self._proof(found, each.code.partition("_")[0]))
            ]
            if told:
                yield self._word("to_do"), told[:_FINDINGS_MAX]

    def _proof(self, found: Judgement, about: str) -> tuple[Evidence, ...]:
        """The record that a finding about SPF, DKIM or DMARC was made in."""
        match about:
            case "spf":
                return found.spf.evidence[:1]
            case "dkim":
                return found.dkim.evidence[:1]
            case "dmarc":
                asked = f"_dmarc.{found.domain} TXT"
                proofs = (each for line in found.lines for each in line.evidence)
                return next(((each,) for each in proofs if each.question == asked), ())
            case _:
                return ()

    def _section(self, heading: str, texts: list[str], x: float, y: float, width: float) -> float:
        y = self._pen.heading(heading, x, y, width)
        for text in texts:
            if y + self._pen.height(text, width - 4, 9) > _FOOT - 40:
                break
            self._pen.text(x, y, 4, "•", 9, colour=BRAND)
            y = self._pen.text(x + 4, y, width - 4, text, 9) + 1.4
        return y + 4

    def _records(self, y: float) -> None:
        """The records behind the numbers, as many as fit."""
        room = _FOOT - 6 - max(y, 0)
        lines = max(0, math.floor((room - 14) / 3.5))
        told = list(self._numbers.items())[: min(lines, _RECORDS_MAX)]
        if not told:
            return
        y = self._pen.heading(self._word("records"), _MARGIN, y, _INNER)
        for proof, number in told:
            record = f"[{number}]  {proof.question}: {proof.record or proof.outcome}"
            self._pen.line(_MARGIN, y, _INNER, record[:_RECORD_CHARS], 7, colour=GREY)
            y += 3.5
        if left := len(self._numbers) - len(told):
            self._pen.line(_MARGIN, y, _INNER, self._word("more").format(n=left), 7, colour=GREY)

    def _foot(self) -> None:
        self._pen.rule(_MARGIN, _FOOT, _INNER)
        self._pen.line(_MARGIN, _FOOT + 2, _INNER, self._word("honest"), 6.5, colour=GREY)

    def _numbered(self, sentence: Sentence) -> str:
        return f"{sentence.text}{self._marks(sentence.evidence)}"

    def _marks(self, proofs: Iterable[Evidence]) -> str:
        """The numbers of records, the first three of a sentence."""
        numbers = [
            self._numbers.setdefault(proof, len(self._numbers) + 1) for proof in list(proofs)[:3]
        ]
        return f" [{', '.join(map(str, dict.fromkeys(numbers)))}]" if numbers else ""
