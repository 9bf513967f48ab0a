"""The DNS engine beside its peers: one client core, one server core, the same questions for all.

`python bench/dns.py [--quick] [--markdown] [--tables 1,2,3] [--soak N]`. Three tables: on loopback,
behind a network with delay and loss, and through unbound over a delegation tree of its own. The
question columns ask eight questions per domain: MX, TXT and NS of the name, TXT `_dmarc`, CNAME
`autodiscover`, `enterpriseregistration`, `selector1` and `selector2` (the last does not exist). The
domain columns are whole surveys; the peers are asked a survey's questions at once, without its
waves. p50 and p99 are the time until all eight answers are there (dnsperf: one answer). Every
answer is compared with the zone. Exit status 1: an answer was wrong, or Hunter lost one.
"""

from __future__ import annotations

import sys

# this file has the name of dnspython's package, so its folder must not come first on the path
sys.path.append(sys.path.pop(0))

import argparse

import dns_recursion
import dns_report
from dns_report import Table
from dns_servers import cores, name_server
from dns_tables import first_table, second_table, soak
from harness import Row, write_results

from hunter.resolver.variant import is_built

_SOAK = 1_000_000


def show(title: str, rows: list[Row]) -> None:
    """One line as soon as a row is measured; the tables come at the end."""
    value = {row.metric: row.value for row in rows}
    print(
        f"  {title:46}{value['questions']:>9,.0f} questions/s"
        f"{value['processor time per question']:>8.1f} us cpu"
        f"{value['lost']:>6,.0f} lost{value['wrong']:>5,.0f} wrong",
        flush=True,
    )


def measure(tables: set[int], questions: int, *, quick: bool) -> list[Table]:
    """The tables wanted, in their order, and the memory over so many questions unless it is 0."""
    found: list[Table] = []
    if questions or tables & {1, 2}:
        with name_server() as server:
            client, theirs = cores()
            print(f"client on core {client}, {server.title} on core {theirs}")
            if 1 in tables:
                rows = first_table(server, show, quick=quick)
                rows += dns_report.ratios(rows)
                found.append(Table("loopback", f"On loopback ({server.title})", rows))
            if questions:
                print("  memory over many questions", flush=True)
                rows = soak(server, questions)
                found.append(Table("memory", f"Memory over {questions:,} questions", rows))
            if 2 in tables:
                rows = second_table(server, show, quick=quick)
                rows += dns_report.ratios(rows)
                title = "Behind a network: 20 ± 5 ms each way, 0.5 % of the questions lost"
                found.append(Table("network", title, rows))
    if 3 in tables:
        rows = dns_recursion.third_table(show, 1_500 if quick else 10_000)
        title = "Through unbound (unbound and three name servers share the server's core)"
        found += [Table("unbound", title, rows)] if rows else []
    return found


def report(tables: list[Table], *, markdown: bool) -> bool:
    """Print and keep everything; True when no answer was wrong, and we lost none."""
    rows_of = {table.name: table.rows for table in tables}
    figures = dns_report.wanted(
        rows_of.get("loopback", []), rows_of.get("network", []), rows_of.get("memory", [])
    )
    for table in tables:
        print(dns_report.as_markdown(table) if markdown else dns_report.as_text(table))
    print((dns_report.wanted_as_markdown if markdown else dns_report.wanted_as_text)(figures))
    rows = [row for table in tables for row in table.rows]
    asked = [Row("wanted", f.text, f.value, f.unit) for f in figures if f.value is not None]
    print(f"\nwritten: {write_results('dns', [*rows, *asked])}")
    # a peer may lose answers in a bad network; a wrong one would be the benchmark's own fault
    return not dns_report.bad(rows) and not any(row.value for row in rows if row.metric == "wrong")


def _tables(text: str) -> set[int]:
    numbers = {int(each) for each in text.split(",") if each}
    if not numbers <= {1, 2, 3}:
        raise ValueError
    return numbers


def _questions(text: str) -> int:
    if int(text) < 0:
        raise ValueError
    return int(text)


def main() -> int:
    """Measure, print, keep as bench/results/dns.json; 1 when an answer was wrong or we lost one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer questions: under a minute")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument(
        "--tables", type=_tables, default={1, 2, 3}, help="which of the three, as in 1,3"
    )
    parser.add_argument(
        "--soak",
        type=_questions,
        help=f"questions to watch the memory over (default {_SOAK:,}, with --quick none)",
    )
    args = parser.parse_args()
    if not is_built():
        print("the engine is not compiled (python -m hunter.local.compile): interpreted rows only")
    questions = args.soak if args.soak is not None else 0 if args.quick else _SOAK
    tables = measure(args.tables, questions, quick=args.quick)
    return 0 if report(tables, markdown=args.markdown) else 1


if __name__ == "__main__":
    raise SystemExit(main())
