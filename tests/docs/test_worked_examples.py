"""The worked examples of docs/scoring.md, recomputed from the text of the page itself.

Zones, days and headings are written by hand; `python tests/docs/test_worked_examples.py` writes what
stands below each of them anew.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import msgspec
import pytest

from hunter.core.answers import Depth
from hunter.core.history import next_history
from hunter.core.judge import Reasoning, judge, reason
from hunter.core.judgement import NO_HISTORY, History, Judgement, ScoreLine
from hunter.knowledge.load import load_knowledge
from tests.golden.zone_text import survey_zone

PAGE = Path(__file__).parents[2] / "docs" / "scoring.md"
_BEGIN = "<!-- worked examples: python tests/docs/test_worked_examples.py -->"
_END = "<!-- end of worked examples -->"
_DOMAIN = "contoso.example"
_ZONE = re.compile(
    r"^(?P<day>\d{4}-\d\d-\d\d):\n+```\n(?P<text>.*?)```\n", re.MULTILINE | re.DOTALL
)
_ROW = re.compile(
    r"^\| (?P<code>\w+) \| (?P<axis>\w+) \| (?P<worth>.+) \| (?P<points>-?\d+) \|", re.MULTILINE
)
_DECAY = re.compile(r"(?P<points>\d+) × ½\^\((?P<age>\d+)/(?P<half_life>\d+)\)")
_SUM = re.compile(r"Score (?P<score>\d+) = fit (?P<fit>\d+) \+ urgency (?P<urgency>\d+)")


class Example(msgspec.Struct, frozen=True):
    """One example as it stands on the page."""

    title: str
    #: day and zone of every scan; the last one is judged
    scans: list[tuple[dt.date, str]]
    #: hand-written part: heading, what it shows, the zones
    given: str
    #: what follows the last zone
    result: str


def examples(page: str) -> list[Example]:
    """The examples of a page."""
    section = page[page.index(_BEGIN) + len(_BEGIN) : page.index(_END)]
    found = []
    for part in section.split("\n### ")[1:]:
        zones = list(_ZONE.finditer(part))
        scans = [(dt.date.fromisoformat(each["day"]), each["text"]) for each in zones]
        end = zones[-1].end()
        found.append(Example(part.split("\n")[0], scans, part[:end], part[end:].strip("\n")))
    return found


def judged(example: Example) -> tuple[Judgement, Reasoning]:
    """The judgement of the last scan, after the others."""
    knowledge = load_knowledge()
    history: History = NO_HISTORY
    for day, text in example.scans[:-1]:
        survey = survey_zone(_DOMAIN, text, Depth.FULL, knowledge)
        history = next_history(history, judge(survey, history, knowledge.rules, day), day)
    day, text = example.scans[-1]
    survey = survey_zone(_DOMAIN, text, Depth.FULL, knowledge)
    return (
        judge(survey, history, knowledge.rules, day),
        reason(survey, history, knowledge.rules, day),
    )


def worth(line: ScoreLine, why: Reasoning) -> str:
    """What a rule is worth: its points, or what is left of them on that day."""
    rule = next(each for each in load_knowledge().rules.rules.rows if each.id == line.code)
    dates = [why.case.facts[name].date for name in rule.when]
    date = next((each for each in dates if each is not None), None)
    if not rule.half_life or date is None:
        return str(rule.points)
    return f"{rule.points} × ½^({abs((why.case.as_of - date).days)}/{rule.half_life:g})"


def result(example: Example) -> str:
    """What Hunter says, as the page shows it."""
    found, why = judged(example)
    lines = ["| Rule | Axis | Worth | Points | Line | Proof |", "|---|---|---|---|---|---|"]
    for line in found.lines:
        proofs = "<br>".join(
            f"`{each.question}` {each.outcome} {each.record}".strip() for each in line.evidence
        )
        lines.append(
            f"| {line.code} | {line.axis} | {worth(line, why)} | {line.points} | {line.reason} | {proofs} |"
        )
    if not found.lines:
        lines = ["No line."]
    chance = "no number" if found.confidence is None else f"{found.confidence:.3f}"
    whole = f"Score {found.score} = fit {found.fit} + urgency {found.urgency}."
    verdict = f"Segment **{found.segment}**, priority **{found.priority}**, tenant `{found.tenant_state}`, scan `{found.scan_status}`."
    mailboxes = (
        f"Mailboxes: {found.provider_name or 'not known'}, {found.confidence_word} ({chance})."
    )
    posture = f"Posture {found.posture or 'not known'}."
    lines += ["", f"{whole} {verdict}", f"{mailboxes} {posture}", "", f"> {found.reason}"]
    if found.would_change:
        lines += ["", *(f"- {each}" for each in found.would_change)]
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page, with what stands below every zone written anew."""
    parts = [f"### {each.given}\n{result(each)}\n" for each in examples(page)]
    begin = page.index("\n### ", page.index(_BEGIN)) + 1
    return page[:begin] + "\n".join(parts) + page[page.index(_END) :]


EXAMPLES = examples(PAGE.read_text(encoding="utf-8"))


def test_page_has_at_least_five_examples_each_of_another_outcome() -> None:
    outcomes = [(judged(each)[0].segment, judged(each)[0].reason_code) for each in EXAMPLES]
    assert len(set(outcomes)) == len(outcomes) >= 5
    assert {segment for segment, _ in outcomes} == {
        "migration", "existing", "cold", "skip", "unknown",
    }  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.title for each in EXAMPLES])
def test_example_is_what_hunter_says(example: Example) -> None:
    assert example.result == result(example), "run: python tests/docs/test_worked_examples.py"


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.title for each in EXAMPLES])
def test_points_of_an_example_can_be_added_up_by_hand(example: Example) -> None:
    """Only the text of the page: no rule and no record is read."""
    sums = {"fit": 0, "urgency": 0}
    for row in _ROW.finditer(example.result):
        points = int(row["points"])
        decay = _DECAY.fullmatch(row["worth"])
        if decay is None:
            assert abs(points) <= abs(int(row["worth"]))
        else:
            left = 0.5 ** (int(decay["age"]) / int(decay["half_life"]))
            assert points == round(int(decay["points"]) * left)
        sums[row["axis"]] += points
    total = _SUM.search(example.result)
    assert total is not None
    assert sums == {"fit": int(total["fit"]), "urgency": int(total["urgency"])}
    assert int(total["score"]) == sum(sums.values())


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
