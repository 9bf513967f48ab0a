"""What judging one survey costs, by itself, and a digest of what came out.

`python bench/judge.py [--companies 3000]`: the invented zones are surveyed at both depths and
judged again and again. Each survey is also judged with a history and with a third of its answers
missing. A change that only makes judging cheaper leaves the digests as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import hashlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import uvloop
from harness import Row, start_name_server, write_results

from hunter.config import Config, parse_server
from hunter.core.answers import Depth, Outcome, Survey
from hunter.core.facts import Rules
from hunter.core.history import next_history
from hunter.core.judge import judge
from hunter.core.judgement import NO_HISTORY, Judgement
from hunter.core.merge import merge
from hunter.knowledge.load import Knowledge, load_knowledge
from hunter.local.zones import generate, zone_text
from hunter.resolver.opening import open_engine
from hunter.resolver.survey import survey

#: days of an earlier scan and of this one
_BEFORE: Final = dt.date(2026, 9, 1)
_TODAY: Final = dt.date(2026, 11, 24)
_OBSERVED_AT: Final = "2026-10-01T00:00:00+00:00"
_AT_ONCE: Final = 400
_ROUNDS: Final = 5
_SILENT: Final = 1 / 3

_Given = TypeVar("_Given")


async def surveys(count: int, depth: Depth, knowledge: Knowledge) -> list[Survey]:
    """Surveys of the companies whose name servers answer."""
    companies = [each for each in generate(count) if each.kind != "timeout"]
    names = [each.domain for each in companies]
    found: list[Survey] = []
    with tempfile.TemporaryDirectory() as folder:
        zone = Path(folder) / "bench.zone"
        zone.write_text(zone_text(companies))
        server, address = await start_name_server([zone])
        try:
            async with open_engine(Config(dns_servers=(parse_server(address),))) as engine:
                for start in range(0, len(names), _AT_ONCE):
                    batch = names[start : start + _AT_ONCE]
                    asked = (survey(engine, name, depth, knowledge) for name in batch)
                    found += await asyncio.gather(*asked)
        finally:
            server.terminate()
            await server.wait()
    return found


def judgements(found: list[Survey], rules: Rules) -> Iterator[Judgement]:
    """Every survey judged plainly, with the history of another company, and with answers missing."""
    chance = random.Random(7)  # the same cases each time
    plain = [judge(each, NO_HISTORY, rules, _TODAY) for each in found]
    yield from plain
    for each in found:
        history = next_history(NO_HISTORY, chance.choice(plain), _BEFORE)
        yield judge(each, history, rules, _TODAY)
    for each in found:
        answers = {
            question: answer
            if chance.random() > _SILENT
            else msgspec.structs.replace(answer, outcome=Outcome.TIMEOUT, records=(), chain=())
            for question, answer in each.answers.items()
        }
        partly = msgspec.structs.replace(each, answers=answers)
        yield judge(partly, NO_HISTORY, rules, _TODAY)
        yield judge(merge(each, partly, _OBSERVED_AT), NO_HISTORY, rules, _TODAY)


def best_us(work: Callable[[_Given], object], found: Sequence[_Given]) -> float:
    """The least processor time of several rounds over all of them, in microseconds each."""
    times = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        for each in found:
            work(each)
        times.append(time.process_time() - begin)
    return round(1e6 * min(times) / len(found), 1)


async def main(count: int) -> None:
    """Both depths; the figures are kept in bench/results/judge.json."""
    knowledge = load_knowledge()
    rules = knowledge.rules
    decoder = msgspec.json.Decoder(Survey)

    def rejudged(text: bytes) -> Judgement:
        """What judging a stored observation anew takes, without the store."""
        return judge(decoder.decode(text), NO_HISTORY, rules, _TODAY)

    rows = []
    for depth in Depth:
        found = await surveys(count, depth, knowledge)
        digest = hashlib.sha256()
        for judgement in judgements(found, rules):
            digest.update(msgspec.json.encode(judgement))
        sample = [judge(each, NO_HISTORY, rules, _TODAY) for each in found]
        size = sum(len(msgspec.json.encode(each)) for each in sample) / len(sample)
        label = f"{len(found):,} surveys, {depth}"
        stored = [msgspec.json.encode(each) for each in found]
        rows += [
            Row(
                label, "judge", best_us(lambda s: judge(s, NO_HISTORY, rules, _TODAY), found), "us"
            ),
            Row(label, "decode and judge", best_us(rejudged, stored), "us"),
            Row(label, "size of a judgement", round(size), "bytes of JSON"),
        ]
        for row in rows[-3:]:
            print(f"{row.row:24} {row.metric:24} {row.value:>10,} {row.unit}")
        print(f"{label:24} {'digest':24} {digest.hexdigest()}")
    print(f"written: {write_results('judge', rows)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--companies", type=int, default=3000)
    uvloop.run(main(parser.parse_args().companies))
