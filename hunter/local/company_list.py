"""A company list as people have it: Turkish headers, half-filled cells, duplicates, junk, Windows-1254."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from hunter.local.zones import Company, Dice, fold, load_table

HEADERS = ("Sıra", "Firma Ünvanı", "Yetkili", "E-Posta", "Web Sitesi", "Şehir", "Telefon", "Not")
ENCODING = "cp1254"
#: what data/sample-companies.csv was made with
SEED, SAMPLE_ROWS = 1, 100

#: (what stands in the row, rows in a thousand)
_SHAPES = (
    ("mail_and_site", 380),
    ("mail_only", 250),
    ("site_only", 215),
    ("free_mail_and_site", 50),
    ("free_mail_only", 25),
    ("junk", 25),
    ("duplicate", 40),
    ("address", 4),
    ("suffix", 3),
    ("formula", 3),
    ("too_long", 2),
    ("two_words", 3),
)
_NOT_A_COMPANY = frozenset(
    {"free_mail_only", "junk", "address", "suffix", "formula", "too_long", "two_words"}
)
_JUNK = ("yok", "-", "n/a", "#YOK", "bilinmiyor", "web sitesi yok", "nan", "...")
_FREE_MAIL = (
    "gmail.com",
    "hotmail.com",
    "outlook.com",
    "yahoo.com",
    "mynet.com",
    "windowslive.com",
)


class CompanyList(msgspec.Struct, frozen=True):
    """A file, and what a reader should find in it."""

    data: bytes
    rows: int
    #: every company of the list once, in order of appearance
    domains: tuple[str, ...]
    #: rows no company can be read from: line number in the file, and what stands there
    bad_lines: dict[int, str]


def _site(company: Company, dice: Dice) -> str:
    """The company's web site, as it is typed, copied or exported."""
    shown = company.display
    forms = (
        f"www.{shown}",
        f"https://www.{shown}/",
        f"http://{shown}/iletisim?utm_source=fuar&utm_medium=liste",
        shown,
        f"{shown}.",
        f"WWW.{company.domain.upper()}",
        f" {shown} ",
        f"https://{company.domain}:443/tr/anasayfa",
    )
    return dice.pick("site", forms)


def _person(dice: Dice) -> tuple[str, str]:
    words = load_table("names.yaml")
    return dice.pick("first", words["first_names"]), dice.pick("last", words["last_names"])


def _mailbox(domain: str, dice: Dice) -> str:
    first, last = map(fold, _person(dice))
    box = dice.pick("box", ("info", "satis", "muhasebe", f"{first}.{last}", f"{first[0]}{last}"))
    form = dice.pick("mail", ("{}", "{}", "{}", "mailto:{}", "<{}>", "{} "))
    return str(form.format(f"{box}@{domain}"))


def _cells(company: Company, shape: str, dice: Dice) -> tuple[str, str]:
    """(e-mail cell, web site cell) of one row."""
    free = (
        f"{fold(_person(dice)[1])}{dice.number('year', 60) + 1950}@{dice.pick('free', _FREE_MAIL)}"
    )
    match shape:
        case "mail_only":
            return _mailbox(company.domain, dice), dice.pick("empty", ("", "", "-", "yok"))
        case "site_only":
            return "", _site(company, dice)
        case "free_mail_and_site":
            return free, _site(company, dice)
        case "free_mail_only":
            return free, ""
        case "junk":
            return "", dice.pick("junk", _JUNK)
        case "address":
            return "", f"http://192.0.2.{dice.number('ip', 250) + 1}/"
        case "suffix":
            return "", dice.pick("suffix", ("com.tr", "gen.tr", "org.tr"))
        case "formula":
            return "", '=HYPERLINK("http://"&A1)'
        case "too_long":
            return "", f"www.{'x' * 300}.test"
        case "two_words":
            return "", f"{company.company_name.split()[0].lower()} fabrika"
        case _:
            return _mailbox(company.domain, dice), _site(company, dice)


def company_list(companies: Sequence[Company], rows: int, *, seed: int = 1) -> CompanyList:
    """A file of `rows` rows over these companies, the same for the same seed.

    Semicolons, CR LF and Windows-1254, as a Turkish Excel saves it; cells with quotes, semicolons
    and line breaks; one row with cells missing, one empty line, and a line of totals at the end.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADERS)
    line, used = 2, 0
    bad: dict[int, str] = {}
    domains: dict[str, None] = {}
    for number in range(1, rows + 1):
        dice = Dice(seed, "row", number)
        shape = dice.weighted("shape", _SHAPES)
        again = shape == "duplicate" and used
        company = companies[dice.number("again", used) if again else used % len(companies)]
        used += not again
        mail, site = _cells(company, shape, dice)
        if shape in _NOT_A_COMPANY:
            bad[line] = shape
        else:
            domains[company.domain] = None
        name = company.company_name
        if dice.chance("quoted", 2):
            name = f'"{name.split()[0]}"; {name}'
        elif dice.chance("line_break", 1):
            name = name.replace(" ", "\n", 1)
        phone = f"0{dice.number('area', 300) + 212} {dice.number('phone', 900) + 100} {dice.number('rest', 90) + 10} 00"
        row = [str(number), name, " ".join(_person(dice)), mail, site, company.city, phone, ""]
        if number == 7:
            row = row[:5]
        writer.writerow(row)
        line += 1 + name.count("\n")
        if number == 20:
            text.write("\r\n")
            line += 1
    writer.writerow(["", f"Toplam {rows} firma", "", "", "", "", "", ""])
    bad[line] = "totals"
    data = text.getvalue().encode(ENCODING, errors="xmlcharrefreplace")
    return CompanyList(data=data, rows=rows + 1, domains=tuple(domains), bad_lines=bad)
