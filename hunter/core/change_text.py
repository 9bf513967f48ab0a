"""Each change as one plain sentence, in every language Hunter speaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hunter.core.advice import Language
from hunter.core.changes import Kind

#: by kind: English, Turkish; {a} is what was, {b} what is
_SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    Kind.MX_CHANGED: ("Mail goes to other hosts: {b}, before {a}.", "E-posta başka sunuculara gidiyor: {b}, önce {a}."),
    Kind.PROVIDER_CHANGED: ("The mailboxes moved from {a} to {b}.", "Posta kutuları taşındı: önce {a}, şimdi {b}."),
    Kind.GATEWAY_CHANGED: ("Mail is filtered by {b}, before by {a}.", "E-postayı artık {b} süzüyor, önce {a} süzüyordu."),
    Kind.GATEWAY_REMOVED: ("Mail is no longer filtered by {a}.", "E-postayı artık {a} süzmüyor."),
    Kind.SPF_CHANGED: ("The SPF record changed from {a} to {b}.", "SPF kaydı değişti: önce {a}, şimdi {b}."),
    Kind.DKIM_CHANGED: ("The DKIM selectors changed: {b}, before {a}.", "DKIM seçicileri değişti: {b}, önce {a}."),
    Kind.DKIM_KEY_ROTATED: ("The DKIM key was replaced at {k}.", "DKIM anahtarı yenilendi: {k}."),
    Kind.DMARC_ADDED: ("A DMARC policy was published: {b}.", "DMARC politikası yayımlandı: {b}."),
    Kind.DMARC_REMOVED: ("The DMARC policy {a} was removed.", "DMARC politikası kaldırıldı: {a}."),
    Kind.DMARC_STRENGTHENED: ("The DMARC policy became stricter: {b}, before {a}.", "DMARC politikası sıkılaştı: {b}, önce {a}."),
    Kind.DMARC_WEAKENED: ("The DMARC policy became weaker: {b}, before {a}.", "DMARC politikası gevşedi: {b}, önce {a}."),
    Kind.PRODUCT_ADDED: ("Traces of {b} appeared.", "{b} izleri ortaya çıktı."),
    Kind.PRODUCT_REMOVED: ("The traces of {a} are gone.", "{a} izleri kayboldu."),
    Kind.SCORE_CHANGED: ("The score is {b}, before {a}.", "Puan {b}, önce {a}."),
    Kind.SEGMENT_CHANGED: ("The segment is {b}, before {a}.", "Segment {b}, önce {a}."),
    Kind.TENANT_STATE_CHANGED: ("The Microsoft 365 tenant is now in state {b}, before {a}.", "Microsoft 365 kiracısının durumu {b}, önce {a}."),
    Kind.NAMESERVER_CHANGED: ("The name servers are {b}, before {a}.", "Ad sunucuları {b}, önce {a}."),
    Kind.EXPIRE_SOON: ("The registration ends on {b}.", "Alan adının kaydı {b} tarihinde bitiyor."),
    Kind.EXPIRED: ("The registration ended on {b}.", "Alan adının kaydı {b} tarihinde bitti."),
    Kind.DOMAIN_GONE: ("The domain does not exist any more.", "Alan adı artık yok."),
    Kind.DANE_READY: ("The mail hosts can be reached by DANE now.", "E-posta sunucularına artık DANE ile ulaşılabiliyor."),
    Kind.RECLASSIFIED: ("Judged by newer rules: {b}, before {a}; the records are the same.", "Yeni kurallarla değerlendirildi: {b}, önce {a}; kayıtlar aynı."),
    Kind.FACT_TABLE_EFFECT: ("A newer fact table tells more: {b}, before {a}; the records are the same.", "Yeni bilgi tablosu daha çok şey söylüyor: {b}, önce {a}; kayıtlar aynı."),
    Kind.OBSERVATION_FAILED: ("Not answered this time: {a}. What was known stays.", "Bu kez yanıt yok: {a}. Bilinenler geçerli."),
    Kind.SCAN_HEALTH_DEGRADED: ("So much changed or fell silent at once that scans are not trusted: {b}.", "Aynı anda o kadar çok şey değişti ya da sustu ki taramalara güvenilmiyor: {b}."),
}  # fmt: skip
#: operators that are no company's name
_OWN: Final[Mapping[str, tuple[str, str]]] = {
    "self_hosted": ("their own mail server", "kendi e-posta sunucusu"),
    "mixed": ("two systems", "iki sistem"),
}
_NOTHING: Final = {Language.EN: "none", Language.TR: "yok"}
#: fields that say what the others say, or how it came
_BESIDE: Final = frozenset({"reason", "fit", "urgency", "category", "product", "days"})
_MOST_CHARS: Final = 200


def sentence(
    kind: str,
    before: Mapping[str, object],
    after: Mapping[str, object],
    language: Language = Language.EN,
    name_of: Callable[[str], str] = str,
) -> str:
    """What became different, as one sentence; `name_of` gives the name of an operator's id."""
    english, turkish = _SENTENCES[kind]
    words = turkish if language is Language.TR else english
    keys = after.get("selectors") or before.get("selectors")
    return words.format(
        a=_shown(kind, before, language, name_of),
        b=_shown(kind, after, language, name_of),
        k=", ".join(keys) if isinstance(keys, Mapping) else "",
    )


def _shown(
    kind: str, fields: Mapping[str, object], language: Language, name_of: Callable[[str], str]
) -> str:
    """The fields of one side; the one that the kind is about where there is one."""
    about = {
        Kind.PROVIDER_CHANGED: "provider",
        Kind.GATEWAY_CHANGED: "gateway",
        Kind.GATEWAY_REMOVED: "gateway",
    }.get(Kind(kind))
    if about is not None:
        value = str(fields.get(about) or "")
        if value in _OWN:
            return _OWN[value][language is Language.TR]
        return name_of(value) if value else _NOTHING[language]
    shown = [_value(each, language) for name, each in fields.items() if name not in _BESIDE]
    text = ", ".join(shown) or _NOTHING[language]
    return text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 1] + "…"


def _value(value: object, language: Language) -> str:
    if value is None or value in ([], {}):
        return _NOTHING[language]
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each, language)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(each, language) for each in value)
    return str(value)
