"""Reads the data files, shipped or the operator's own, and compiles them into the rules that judging uses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from hunter.core.answers import Depth
from hunter.core.facts import Identity, Rules
from hunter.core.provider import hides_mailboxes, selectors_for
from hunter.core.trial import Calibration
from hunter.core.wording import Wording
from hunter.knowledge.calibration import calibration_of
from hunter.knowledge.check import Checker
from hunter.knowledge.model import identity_model
from hunter.knowledge.policy import policy
from hunter.knowledge.problems import BadKnowledge, Problem, nearest
from hunter.knowledge.source import Source
from hunter.knowledge.tables import fact_tables
from hunter.knowledge.wording import wording

FILES: Final = (
    "providers",
    "products",
    "selectors",
    "signals",
    "identity",
    "calibration",
    "rules",
    "events",
)
#: what is said to people; no judgement depends on it
WORDING_FILES: Final = ("brief", "turkish")
_ALL: Final = (*FILES, *WORDING_FILES)
_SUFFIX: Final = ".yaml"
_POLICY: Final = "rules"
_DIGEST_BYTES: Final = 4


class Knowledge(msgspec.Struct, frozen=True):
    """The fact tables and the seller's policy, checked and compiled."""

    #: of rules and fact tables together: stored with every judgement
    version: str
    rules: Rules
    #: the identity model before anything was fitted
    hand: Identity
    #: what was fitted, and how far it can be trusted
    calibration: Calibration
    wording: Wording
    #: the text of each file
    texts: dict[str, str]
    #: names of the files that are the operator's own
    own: frozenset[str] = frozenset()

    def selectors_for(self, hosts: Iterable[str], depth: Depth) -> tuple[str, ...]:
        """The DKIM selectors worth asking for, see `hunter.core.provider.selectors_for`."""
        return selectors_for(hosts, depth, self.rules)

    def hides_mailboxes(self, hosts: Sequence[str], domain: str) -> bool:
        """True when these MX hosts, the best first, do not say where the mailboxes are."""
        return hides_mailboxes(hosts, domain, self.rules)


@lru_cache(maxsize=1)
def load_knowledge() -> Knowledge:
    """The packaged knowledge, read once per process."""
    return build_knowledge(shipped_texts())


def load_own(rules_dir: str) -> Knowledge:
    """The packaged knowledge, with each file of HUNTER_RULES_DIR in place of the shipped one of its name.

    "" is the packaged knowledge itself. Raises BadKnowledge with every problem of every file.
    """
    if not rules_dir:
        return load_knowledge()
    own = own_texts(Path(rules_dir))
    return build_knowledge(shipped_texts() | own, own=frozenset(own))


def load_with(rules_dir: str, path: Path) -> Knowledge:
    """Other knowledge to be tried: `path` is a folder in place of HUNTER_RULES_DIR, or one file on top of it.

    A file of another name is known by its sections. Raises BadKnowledge with every problem.
    """
    if path.is_dir():
        return load_own(str(path))
    own = own_texts(Path(rules_dir)) if rules_dir else {}
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        fix = "name a folder or a data file"
        raise BadKnowledge([_of_file(path.name, str(error.strerror), fix)]) from error
    except UnicodeDecodeError as error:
        raise BadKnowledge([_of_file(path.name, "not UTF-8", "save it as UTF-8")]) from error
    own[path.stem if path.stem in FILES else _kind_of(path, text)] = text
    return build_knowledge(shipped_texts() | own, own=frozenset(own))


def _kind_of(path: Path, text: str) -> str:
    """The data file whose sections this text has."""
    found = Source(path.stem, text)
    if found.problems:
        raise BadKnowledge(found.problems)
    shared = {
        name: len(found.content.keys() & Source(name, shipped).content.keys())
        for name, shipped in shipped_texts().items()
    }
    best = max(shared, key=lambda name: shared[name])
    if shared[best] <= 1:  # all of them have a version
        fix = f"call it {', '.join(name + _SUFFIX for name in sorted(FILES))}"
        raise BadKnowledge([_of_file(path.name, "has the sections of no data file", fix)])
    return best


def shipped_texts() -> dict[str, str]:
    """The text of each packaged file."""
    folder = resources.files("hunter.knowledge") / "data"
    return {name: (folder / f"{name}{_SUFFIX}").read_text(encoding="utf-8") for name in _ALL}


def own_texts(folder: Path) -> dict[str, str]:
    """The text of each data file in `folder`; raises BadKnowledge when it cannot be used."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    try:
        # names that begin with a dot are editors' and Kubernetes' own
        paths = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        fix = "HUNTER_RULES_DIR wants a folder that can be read"
        raise BadKnowledge([_of_file(folder.name, str(error.strerror), fix)]) from error
    for path in (each for each in paths if each.suffix in {_SUFFIX, ".yml"}):
        if path.name not in {name + _SUFFIX for name in _ALL}:
            known = [name + _SUFFIX for name in _ALL]
            fix = nearest(path.name, known, f"files are {', '.join(sorted(known))}")
            problems.append(_of_file(path.name, "replaces no data file", fix))
            continue
        try:
            texts[path.stem] = path.read_text(encoding="utf-8")
        except OSError as error:
            problems.append(_of_file(path.name, str(error.strerror), "let Hunter read it"))
        except UnicodeDecodeError:
            problems.append(_of_file(path.name, "not UTF-8", "save it as UTF-8"))
    if problems:
        raise BadKnowledge(problems)
    return texts


def _of_file(file: str, problem: str, fix: str) -> Problem:
    return Problem(file, 1, "file", "name", problem, fix)


def build_knowledge(texts: Mapping[str, str], own: frozenset[str] = frozenset()) -> Knowledge:
    """Knowledge out of the text of each file; raises BadKnowledge with all that is wrong."""
    check = Checker({name: Source(name, texts[name]) for name in _ALL})
    version = _version(check)
    fields = fact_tables(check) | policy(check)
    identity = identity_model(check)
    # who writes rules need not write Turkish: their own sentences are then told in English
    words = wording(check, is_complete=_POLICY not in own or "turkish" in own)
    calibration = calibration_of(check, identity) if identity is not None else None
    if check.problems or identity is None or calibration is None or words is None:
        raise BadKnowledge(_causes(check.problems, own))
    rules = Rules(version=version, identity=calibration.applied(identity), **fields)
    return Knowledge(
        version=version,
        rules=rules,
        hand=identity,
        calibration=calibration,
        wording=words,
        texts=dict(texts),
        own=own,
    )


def _causes(problems: Iterable[Problem], own: frozenset[str]) -> list[Problem]:
    """Problems of somebody's own files where there are any: those of shipped files follow from them."""
    found = list(problems)
    return [each for each in found if each.file.partition(".")[0] in own] or found


def _version(check: Checker) -> str:
    """Version of the policy and of the newest fact table, each with a digest of what they say.

    Comments and layout are no part of the digest: they change no judgement.
    """
    found: dict[str, str] = {}
    for name in FILES:
        version = check.content(name).get("version")
        if isinstance(version, str):
            found[name] = version
        elif check.content(name):
            fix = "write a quoted text such as '2026.11'"
            check.add(name, ("version",), "wants a text", fix)
    policy_version = found.pop(_POLICY, "")
    tables = [name for name in FILES if name != _POLICY]
    return (
        f"{policy_version}.{_digest(check, [_POLICY])}"
        f"+facts.{max(found.values(), default='')}.{_digest(check, tables)}"
    )


def _digest(check: Checker, names: Iterable[str]) -> str:
    said = msgspec.json.encode([check.content(name) for name in names], order="deterministic")
    return hashlib.blake2b(said, digest_size=_DIGEST_BYTES).hexdigest()
