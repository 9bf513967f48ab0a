"""A thin slice of the DNS benchmark: every client, every server, every table."""

from __future__ import annotations

import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns_recursion
import dns_report
import dns_tools
import pytest
from dns_clients import Run, Verdict
from dns_servers import NotAvailable, Server, nsd, own_server
from dns_tables import first_plans, once, second_plans, soak
from dns_zone import SETS, Zone, domain_of, expected_at, expected_of, flat, questions_of
from harness import Row

from hunter.core.answers import RRType

COMPANIES = 40
CLIENTS = [
    Run(client="engine", in_flight=100, domains=20, warm=5),
    Run(client="engine", in_flight=100, domains=20, fixed=False, loop="asyncio"),
    Run(client="aiodns", in_flight=100, domains=20, warm=5, resolvers=2),
    Run(client="dnspython", in_flight=100, domains=10, loop="asyncio"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Our own server: it is always there."""
    with own_server(flat(COMPANIES)) as running:
        yield running


@pytest.mark.parametrize("depth", ["", "quick", "full"])
@pytest.mark.parametrize("run", CLIENTS, ids=lambda run: f"{run.client}-{run.loop}")
def test_every_client_gets_every_answer_right(server: Server, run: Run, depth: str) -> None:
    run = replace(run, depth=depth)

    found = once(server, run, interpreted=True)

    assert (found.lost, found.wrong) == (0, 0)
    if depth:
        assert found.asked > len(SETS) * run.domains
    else:
        assert found.asked == len(SETS) * run.domains
    assert 0 < found.p50_ms <= found.p99_ms
    assert found.seconds > 0
    assert bool(found.peak_mib) == bool(run.warm)


@pytest.mark.parametrize("client", ["engine", "aiodns", "dnspython"])
def test_an_answer_that_differs_from_the_zone_is_counted_as_wrong(client: str) -> None:
    def lying(zone: Zone) -> Zone:
        # firma3 has another DMARC record and a selector2 that should not exist
        if zone.name != domain_of(3):
            return zone
        changed = tuple(line.replace("p=none", "p=reject") for line in zone.lines)
        return Zone(
            zone.name, (*changed, f"selector2._domainkey.{zone.name}. 300 CNAME other.example.")
        )

    with own_server(map(lying, flat(10))) as server:
        found = once(server, Run(client=client, in_flight=40, domains=10), interpreted=True)

    assert (found.lost, found.wrong) == (0, 2)


def test_questions_without_an_answer_are_counted_as_lost() -> None:
    silent = Zone("", (". 300 NS ns.example.", f";! {questions_of(1)[3][0]} TXT timeout"))
    zones = [silent, *(zone for zone in flat(3) if zone.name)]
    with own_server(zones) as server:
        found = once(server, Run(client="engine", in_flight=40, domains=3), interpreted=True)

    assert (found.lost, found.wrong) == (1, 0)


def test_memory_is_read_after_every_hundred_thousand_questions(server: Server) -> None:
    rows = soak(server, 400)

    memory = [row for row in rows if row.unit == "MiB"]
    assert [row.metric for row in memory] == ["memory after 400"]
    assert memory[0].value > 10


@pytest.mark.tool("nsd")
def test_nsd_serves_the_same_zones_and_counts_questions() -> None:
    with nsd(flat(COMPANIES), ["127.0.0.1"]) as server:
        before = server.questions()
        found = once(server, Run(client="engine", in_flight=100, domains=COMPANIES))
        after = server.questions()

    assert (found.lost, found.wrong) == (0, 0)
    assert before is not None
    assert after is not None
    assert after - before >= found.asked


@pytest.mark.tool("nsd")
def test_nsd_that_does_not_start_says_why() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with (
            pytest.raises(NotAvailable, match=r"does not answer: .*in use"),
            nsd(flat(1), ["127.0.0.1"], port),
        ):
            pass


@pytest.mark.tool("dnsperf")
def test_dnsperf_is_measured_like_the_others(server: Server) -> None:
    found = dns_tools.dnsperf(server, in_flight=50, domains=COMPANIES)

    assert found is not None
    assert (found.asked, found.lost, found.wrong) == (8 * COMPANIES, 0, 0)
    assert 0 < found.p50_ms <= found.p99_ms


def test_dnsperf_is_judged_by_the_codes_it_reports() -> None:
    words = """
  Queries sent:         800
  Queries completed:    790 (98.75%)
  Queries lost:         10 (1.25%)

  Response codes:       NOERROR 685 (86.71%), SERVFAIL 5 (0.63%), NXDOMAIN 100 (12.66%)
  Run time (s):         0.5
"""
    found = dns_tools.read_dnsperf(words, 100)

    assert (found.asked, found.lost, found.wrong, found.seconds) == (800, 10, 5, 0.5)


def massdns_lines(domains: int) -> list[str]:
    """What massdns writes about a zone that it was told truthfully."""
    lines = []
    for number in range(domains):
        for (name, rrtype), told in zip(questions_of(number), expected_of(number), strict=True):
            for record in filter(None, told.split(" | ")):
                data = f'"{record}"' if rrtype is RRType.TXT else f"{record}."
                lines.append(f"{name}. {rrtype} {data}")
    return lines


def test_massdns_is_compared_with_the_zone() -> None:
    lines = massdns_lines(3)

    assert dns_tools.judge_massdns(lines, 3) == Verdict(asked=24, lost=0, wrong=0)
    assert dns_tools.judge_massdns(lines[1:], 3) == Verdict(asked=24, lost=1, wrong=0)
    lines[0] = lines[0].replace("10 ", "20 ")
    assert dns_tools.judge_massdns(lines, 3) == Verdict(asked=24, lost=0, wrong=1)


@pytest.mark.tool("nsd")
@pytest.mark.tool("unbound")
@pytest.mark.tool("unshare")
def test_unbound_walks_the_tree_with_the_shipped_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = dns_recursion.third_table(lambda _title, _rows: None, COMPANIES)

    told = capsys.readouterr().out
    if not rows and "unshare: " in told:
        pytest.skip(told.strip())  # a container may forbid namespaces
    value = {(row.row, row.metric): row.value for row in rows}
    for state in ("cold", "warm"):
        title = f"Hunter through unbound, {state}"
        assert (value[title, "lost"], value[title, "wrong"]) == (0, 0)
        assert value[title, "domains quick"] > 0


def test_what_the_zone_says_is_found_by_name() -> None:
    assert expected_at("firma7.example", RRType.MX) == expected_of(7)[0]
    assert expected_at("selector2._domainkey.firma7.example", RRType.CNAME) == ""
    assert expected_at("firma7-example.mail.protection.outlook.com", RRType.A) is None
    # an A question at an alias is answered with what the alias leads to
    assert expected_at("autodiscover.firma7.example", RRType.A) is None


def test_the_tables_have_the_rows_that_were_asked_for() -> None:
    first = [plan.title for plan in first_plans(quick=False)]
    second = [plan.title for plan in second_plans(quick=False)]

    for in_flight in ("100", "500", "2,000", "10,000"):
        assert f"Hunter interpreted, {in_flight} in flight" in first
    assert {title.split()[0].rstrip(",") for title in first} == {"Hunter", "aiodns", "dnspython"}
    assert "Hunter, window fixed at 500" in second


@pytest.mark.parametrize("words", [["--tables", "1,4"], ["--tables", "all"], ["--soak", "-1"]])
def test_a_wrong_option_is_told_in_one_line(words: list[str]) -> None:
    script = Path(dns_recursion.__file__).with_name("dns.py")
    process = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, check=False
    )

    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith(f"dns.py: error: argument {words[0]}: ")


def rate(title: str, value: float, *, lost: int = 0) -> list[Row]:
    return [
        Row(title, "questions", value, "1/s"),
        Row(title, "lost", lost, "questions"),
        Row(title, "wrong", 0, "questions"),
    ]


def test_wanted_figures_are_met_or_not() -> None:
    first = [
        *rate("Hunter, 500 in flight", 100_000),
        *rate("Hunter, 10,000 in flight", 50_000),
        *rate("aiodns on uvloop", 16_000),
        *rate("aiodns on asyncio", 12_000, lost=3),
        *rate("dnspython on uvloop", 2_000),
    ]
    second = [
        *rate("Hunter, window of its own", 20_000),
        *rate("Hunter, window fixed at 500", 2_000),
    ]
    memory = [Row("Hunter", f"memory after {n}", 100 + n, "MiB") for n in (1, 2)]

    figures = {f.text: f for f in dns_report.wanted(first, second, memory)}

    assert {text: figure.verdict for text, figure in figures.items()} == {
        "best rate, of aiodns' best": "met",
        "best rate, of dnspython's best": "met",
        "best rate, of massdns'": "not measured",
        "10,000 in flight, of the best": "not met",
        "10,000 in flight, lost": "met",
        "lost or wrong in our rows": "met",
        "lost or wrong in the peers'": "not met",
        "memory after the last 100,000, of the first": "met",
        "network: window of its own (a fixed one of 500: 2,000)": "met",
    }
    assert figures["best rate, of aiodns' best"].value == 100_000 / 16_000


@pytest.mark.parametrize(
    ("title", "metric", "good"),
    [
        ("Hunter, 500 in flight", "lost", False),
        ("Hunter, 500 in flight", "wrong", False),
        ("aiodns on uvloop", "lost", True),
        ("aiodns on uvloop", "wrong", False),
    ],
)
def test_the_run_fails_when_an_answer_was_wrong_or_we_lost_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, title: str, metric: str, *, good: bool
) -> None:
    monkeypatch.setattr("harness.RESULTS", tmp_path)
    script_path = Path(dns_recursion.__file__).with_name("dns.py")
    # the script moves its folder to the end of the path, as it does when it is run
    monkeypatch.syspath_prepend(script_path.parent)
    script = runpy.run_path(str(script_path))
    rows = [*rate("Hunter, 100 in flight", 9), Row(title, metric, 1, "questions")]

    assert script["report"]([dns_report.Table("loopback", "", rows)], markdown=False) is good
    assert (tmp_path / "dns.json").is_file()


def test_a_table_is_told_as_text_and_as_markdown() -> None:
    rows = [*rate("Hunter (network)", 20_000), Row("Hunter", "memory after 1", 40.25, "MiB")]
    table = dns_report.Table("network", "Behind a network", rows)

    text, markdown = dns_report.as_text(table), dns_report.as_markdown(table)

    assert "| Hunter | 20,000 | 0 | 0 |" in markdown
    assert "| Hunter | memory after 1 | 40.2 MiB |" in markdown
    assert "20,000" in text
    assert "(network)" not in text


def test_the_unbound_configuration_measured_is_the_one_shipped() -> None:
    assert dns_recursion.CONFIGURATION.is_file()
    assert "helm" in Path(dns_recursion.CONFIGURATION).parts
