"""What tables remember."""

from __future__ import annotations

import msgspec

from hunter.core.facts import NameServers
from hunter.core.tables import Memo
from tests.core.zones import RULES


def test_full_memo_forgets_everything_and_goes_on() -> None:
    memo: Memo[int, str] = Memo(2)
    assert memo.keep(1, "one") == "one"
    memo.keep(2, "two")
    assert (memo.get(1), memo.get(2)) == ("one", "two")
    memo.keep(3, "three")
    assert (memo.get(1), memo.get(2), memo.get(3)) == (None, None, "three")


def test_rules_made_out_of_others_recall_nothing_of_them() -> None:
    shown = NameServers(("ns1.contoso.com",), "contoso.com", ())
    RULES.recalled.name_servers.keep(("ns1.contoso.com",), shown)
    changed = msgspec.structs.replace(RULES, priorities=())
    assert changed.recalled.name_servers.get(("ns1.contoso.com",)) is None
    assert RULES.recalled.name_servers.get(("ns1.contoso.com",)) is shown
