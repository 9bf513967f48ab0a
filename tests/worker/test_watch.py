"""A worker process that watches by itself: due leads scanned again, a move confirmed and told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hunter.local.nameserver import NameServer

QUICK = {"confirm_after_s": 0.2, "dispatch_interval_s": 0.05, "hint_stale_s": 0.5}


async def test_a_move_is_noticed_confirmed_and_told_without_anybody_asking(
    case: Any, start_worker: Callable[..., Any], name_server: NameServer
) -> None:
    await start_worker(**QUICK)
    await case.finished(await case.submit("d1.example", "d2.example"))
    assert await case.ask("SELECT min(next_scan_at) > now() + interval '20 hours' FROM lead"), (
        "nothing is due for a day"
    )

    name_server.replace("d1.example. MX 1 aspmx.l.google.com.\nd2.example. MX 10 mx.d2.example.\n")
    await case.ask("UPDATE lead SET next_scan_at = now() RETURNING 1")
    await case.wait_for(
        "SELECT count(*) > 0 FROM change WHERE domain = 'd1.example' "
        "AND kind IN ('mx_changed', 'provider_changed')"
    )

    assert await case.ask(
        "SELECT count(*) = count(DISTINCT sequence) FROM change WHERE domain = 'd1.example'"
    )
    assert await case.ask("SELECT pending IS NULL FROM lead WHERE domain = 'd1.example'")
    await case.wait_for(
        "SELECT count(*) = 0 FROM scan_job WHERE status NOT IN ('completed', 'cancelled')"
    )
    purposes = "SELECT string_agg(DISTINCT purpose, ' ' ORDER BY purpose) FROM scan_job"
    assert await case.ask(purposes) == "asked confirm watch"
