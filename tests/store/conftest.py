"""A pool over the test's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hunter.config import Config
from hunter.core.judgement import Judgement, ScanStatus, Segment, Signal, State
from hunter.store.database import Database, open_database


@pytest.fixture
async def db(config: Config) -> AsyncIterator[Database]:
    """A pool over the test's own migrated database."""
    async with open_database(config) as database:
        yield database


@pytest.fixture
def judgement() -> Callable[..., Judgement]:
    """Make a judgement with some of its fields given."""

    def make(domain: str, **fields: Any) -> Judgement:
        score = fields.pop("score", 10)
        absent = Signal(State.ABSENT)
        values: dict[str, Any] = {
            "domain": domain,
            "provider": None,
            "provider_name": None,
            "mx_operator": None,
            "mx_operator_name": None,
            "gateway": None,
            "tenant_state": "no_microsoft",
            "tenant_name": None,
            "mail_state": "mail",
            "local_provider": False,
            "segment": "migration",
            "priority": 2,
            "score": score,
            "fit": min(score, 60),
            "urgency": max(0, score - 60),
            "confidence": 0.5,
            "confidence_word": "unsure",
            "posture": "C",
            "reason": "because",
            "mx": absent,
            "mx_hosts": (),
            "spf": absent,
            "dkim": absent,
            "dmarc_policy": "none",
            "signals": {},
            "products": (),
            "lines": (),
            "findings": (),
            "would_change": (),
            "scan_status": "ok",
            "rules_version": "test",
            "fingerprint": f"print of {domain}",
        } | fields
        values["segment"] = Segment(values["segment"])
        values["scan_status"] = ScanStatus(values["scan_status"])
        return Judgement(**values)

    return make
