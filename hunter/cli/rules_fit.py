"""Fit the identity model on domains whose mailboxes are known, and say how far its probabilities can be trusted."""

from __future__ import annotations

import argparse
import datetime as dt
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from hunter.cli.calibration import bin_lines, calibration_lines, class_lines, named_in_words
from hunter.cli.terminal import harmless
from hunter.config import Config
from hunter.core.answers import Survey
from hunter.core.calibration import intervals, metrics, named_at, reliability
from hunter.core.corpus import Corpus, read_corpus
from hunter.core.errors import InvalidInput, Misconfigured
from hunter.core.facts import Rules
from hunter.core.fit import MIN_ROWS, Examples, digest_of, examples_of
from hunter.core.identity import market_of
from hunter.core.trial import class_rows, publish, refusals, score_with, try_out
from hunter.knowledge.calibration import dump_calibration
from hunter.knowledge.load import Knowledge, load_own

_GZIP = b"\x1f\x8b"
#: zlib: 15 bits of window, and a gzip header around
_GZIP_HEADER = 31
_MAX_BYTES = 512 * 1024 * 1024
_MAX_TOLD = 20
_SEED = 7489
#: ends with 1 when a version is refused
_DONE, _REFUSED = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The corpus, which market of it, and where the coefficients go."""
    parser.add_argument(
        "corpora",
        nargs="+",
        type=Path,
        metavar="CORPUS",
        help="JSON or NDJSON, perhaps gzipped, rows {domain, provider, mx, spf, signals} or {domain, label, survey}; or CSV with domain,label",
    )
    parser.add_argument(
        "--market", metavar="CC", help="use only this market's rows: at, tr, global"
    )
    parser.add_argument(
        "--observations",
        type=Path,
        metavar="FILE",
        help="stored surveys of the labelled domains, one JSON object a line",
    )
    parser.add_argument(
        "--score",
        action="store_true",
        help="fit nothing: show how the model in force does on these rows",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write calibration.yaml here")
    parser.add_argument(
        "--source", default="", help="where the labels come from, noted in the file"
    )
    parser.add_argument("--licence", default="not stated", help="of the labels, noted in the file")
    parser.add_argument(
        "--date",
        type=dt.date.fromisoformat,
        default=None,
        metavar="YYYY-MM-DD",
        help="noted in the file (today)",
    )


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Fit, try on what was held out, print; write the file unless the fit is refused."""
    knowledge = load_own(Config.from_env(environ).rules_dir)
    corpus = _corpus(arguments, knowledge.rules)
    examples = examples_of(corpus.rows, knowledge.rules)
    for line in _report(corpus, examples):
        print(harmless(line))
    if arguments.score:
        for line in _scores(examples, knowledge):
            print(harmless(line))
        return _DONE
    return _fit(arguments, knowledge, corpus, examples)


def _corpus(arguments: argparse.Namespace, rules: Rules) -> Corpus:
    """The rows of every file, of one market when it is asked for."""
    stored = _surveys(arguments.observations) if arguments.observations else {}
    files = [read_corpus(_text(path), rules, stored) for path in arguments.corpora]
    rows = [row for each in files for row in each.rows]
    if arguments.market:
        market = arguments.market.lower()
        rows = [row for row in rows if market_of(row.domain) == market]
        if not rows:
            raise InvalidInput(f"The corpus has no domain of market {market}.")
    return Corpus(tuple(rows), tuple(refusal for each in files for refusal in each.refused))


def _fit(
    arguments: argparse.Namespace, knowledge: Knowledge, corpus: Corpus, examples: Examples
) -> int:
    digest = digest_of(examples.inferred)
    trial = try_out(examples.inferred, knowledge.hand)
    kind = "public corpus" if all(each.by_rule for each in corpus.rows) else "own labels"
    date = (arguments.date or dt.datetime.now(dt.UTC).date()).isoformat()
    found = publish(
        trial,
        version=f"{date[:7].replace('-', '.')}-{digest[:8]}",
        date=date,
        corpus=f"{kind} {_markets(examples)}",
        source=arguments.source or ", ".join(path.name for path in arguments.corpora),
        licence=arguments.licence,
        digest=digest,
        choose=_choice(),
    )
    for line in calibration_lines(found):
        print(harmless(line))
    live = knowledge.calibration
    recorded = live if live.digest == digest else None
    reasons = refusals(trial, examples.inferred, knowledge.rules.identity, recorded)
    for reason in reasons:
        print(harmless(f"refused: {reason}"))
    if reasons:
        return _REFUSED
    print(f"accepted: version {found.version}")
    if arguments.out:
        _write(arguments.out, dump_calibration(found))
        print(harmless(f"written: {arguments.out}"))
    return _DONE


def _scores(examples: Examples, knowledge: Knowledge) -> Iterator[str]:
    """How the model in force does on rows it was not fitted on."""
    rows, live = examples.inferred, knowledge.calibration
    if digest_of(rows) == live.digest:
        raise InvalidInput(
            "The model in force was fitted on these very rows; `hunter calibration` shows it on rows held out."
        )
    scored = score_with(rows, knowledge.rules.identity)
    if not scored:
        raise InvalidInput("The corpus has no domain whose mailboxes the model would infer.")
    told, spans = metrics(scored), intervals(scored, _choice())
    yield f"version {live.version} on {told.n} domains, {told.positives} labelled {live.suite}"
    for name, span in spans.items():
        yield f"  {name:14} {getattr(told, name):9.4f}  95 % {span.low:.4f} to {span.high:.4f}"
    yield f"  named from 0.50 on: {named_in_words(named_at(scored, 0.5))}"
    yield from bin_lines(reliability(scored))
    yield from class_lines(class_rows(rows, [knowledge.rules.identity] * len(rows)))


def _choice() -> Callable[[int], int]:
    """Draws for the bootstrap, the same each time."""
    return random.Random(_SEED).randrange  # noqa: S311


def _markets(examples: Examples) -> str:
    """The markets that a fit is of: "AT", "AT and CH"."""
    counts = Counter(each.market for each in examples.inferred)
    return " and ".join(sorted(name.upper() for name, n in counts.items() if n >= MIN_ROWS))


def _text(path: Path) -> str:
    """A file's text, unpacked when it is gzip."""
    try:
        raw = path.read_bytes()
        return (_unpacked(path, raw) if raw.startswith(_GZIP) else raw).decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 at byte {error.start}.") from error


def _unpacked(path: Path, raw: bytes) -> bytes:
    packed = zlib.decompressobj(wbits=_GZIP_HEADER)
    try:
        text = packed.decompress(raw, _MAX_BYTES)
    except zlib.error as error:
        raise InvalidInput(f"{path} is no sound gzip file: {error}.") from error
    if packed.unconsumed_tail:
        raise InvalidInput(f"{path} unpacks to more than {_MAX_BYTES:,} bytes.")
    if not packed.eof:
        raise InvalidInput(f"{path} ends in the middle of its gzip data.")
    return text


def _surveys(path: Path) -> dict[str, Survey]:
    """Stored surveys by domain; of several of one domain the last."""
    decode = msgspec.json.Decoder(Survey).decode
    found: dict[str, Survey] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            survey = decode(line)
        except msgspec.DecodeError as error:
            raise InvalidInput(f"{path} line {number} is no stored survey: {error}.") from error
        found[survey.domain] = survey
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written: {error.strerror or error}.") from error


def _report(corpus: Corpus, examples: Examples) -> Iterator[str]:
    """What became of the rows, a line each."""
    yield (
        f"{len(corpus.rows)} rows read, {len(corpus.refused)} refused; "
        f"{len(examples.inferred)} domains to learn from, {len(examples.visible)} whose MX is the suite's own"
    )
    for refusal in corpus.refused[:_MAX_TOLD]:
        yield f"  {refusal.place}: {refusal.detail}"
    if len(corpus.refused) > _MAX_TOLD:
        yield f"  and {len(corpus.refused) - _MAX_TOLD} more"
    for why, n in examples.left_out.items():
        yield f"  left out, {why}: {n}"
    yield ""
