"""The seller's price list: what an offer of the brief costs, in his own words; without one no price is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from hunter.core.advice import Language
from hunter.core.errors import Misconfigured
from hunter.core.wording import Prices, Section, Wording
from hunter.knowledge.problems import nearest


class _PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: offer → text for every language, or {en: text, tr: text}."""

    offers: dict[str, str | dict[Language, str]]


def load_prices(path: str, wording: Wording) -> Prices:
    """The prices of HUNTER_PRICE_LIST; none for "". Raises Misconfigured naming file, offer and fix."""
    if not path:
        return {}
    name = Path(path).name
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        found = msgspec.convert(content, _PriceList)
    except OSError as error:
        raise Misconfigured(f"HUNTER_PRICE_LIST: {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{name}: not UTF-8; save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise Misconfigured(f"{name}: not YAML: {' '.join(str(error).split())}") from error
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{name}: {error}; write offers: and offer: text") from error
    known = {row.id for row in wording.rows if row.section is Section.OFFER}
    for offer in found.offers.keys() - known:
        fix = nearest(offer, known, f"offers are {', '.join(sorted(known))}")
        raise Misconfigured(f"{name}: offers.{offer}: no such offer; {fix}")
    return {offer: _texts(text) for offer, text in found.offers.items()}


def _texts(text: str | dict[Language, str]) -> dict[Language, str]:
    return dict.fromkeys(Language, text) if isinstance(text, str) else text
