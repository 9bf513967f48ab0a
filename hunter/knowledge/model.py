"""identity.yaml: the model that says where the mailboxes are, checked and compiled."""

from __future__ import annotations

from typing import Final

from hunter.core.facts import Identity, Suite
from hunter.knowledge.check import Checker
from hunter.knowledge.problems import nearest
from hunter.knowledge.rows import IdentityLines, SuiteLines

#: the ways in which an MX looks to the model; each suite has a prior for every one
MX_CLASSES: Final = frozenset(
    {"suite", "other_suite", "gateway", "own", "unknown", "hoster", "forwarder"}
)
#: verdicts that rest on the MX record alone; each has its probability
FIXED: Final = frozenset(
    {"mixed", "parked", "consumer", "null_mx", "no_mx", "domain_missing", "government", "broken"}
)
_DEFAULT: Final = "default"


def identity_model(check: Checker) -> Identity | None:
    """The model; None, with the problems kept in `check`, when it cannot be used."""
    content = check.content("identity")
    raw = check.checked("identity", (), content, IdentityLines) if content else None
    if raw is None:
        return None
    operators = check.ids("providers", "providers")
    for name, suite in raw.suites.items():
        if name != _DEFAULT and name not in operators:
            fix = nearest(name, operators, "name a row of providers.yaml")
            check.add("identity", ("suites", name), f"no such provider: {name}", fix)
        _check_suite(check, name, suite)
    for wanted, given, path in (
        ({_DEFAULT}, raw.suites, "suites"),
        (FIXED, raw.fixed, "fixed"),
        ({"sure", "likely"}, raw.words, "words"),
    ):
        if missing := sorted(wanted - set(given)):
            fix = f"give each of {', '.join(sorted(wanted))}"
            check.add("identity", (path,), f"without {', '.join(missing)}", fix)
    for market, shifts in raw.local.items():
        for name in sorted(set(shifts) - MX_CLASSES):
            fix = nearest(name, MX_CLASSES, f"use one of {', '.join(sorted(MX_CLASSES))}")
            check.add(
                "identity", ("local", market, name), f"no such way for an MX to look: {name}", fix
            )
    if check.problems:
        return None
    suites = {name: Suite(prior=s.prior, weights=s.weights) for name, s in raw.suites.items()}
    return Identity(
        sure=raw.words["sure"],
        likely=raw.words["likely"],
        name_from=raw.name_from,
        markets=raw.markets,
        local=raw.local,
        fixed=raw.fixed,
        default=suites.pop(_DEFAULT),
        suites=suites,
    )


def _check_suite(check: Checker, name: str, suite: SuiteLines) -> None:
    place = ("suites", name)
    if missing := sorted(MX_CLASSES - set(suite.prior)):
        fix = f"give one for each of {', '.join(sorted(MX_CLASSES))}"
        check.add("identity", (*place, "prior"), f"without {', '.join(missing)}", fix)
    for feature, weights in suite.weights.items():
        path = (*place, "weights", feature)
        if _DEFAULT not in weights:
            check.add("identity", path, "without default", "add default: 0 or more")
        if min(weights.values(), default=0) < 0:
            fix = "better evidence cannot count against what it speaks for: write 0 or more"
            check.add("identity", path, "must not be negative", fix)
