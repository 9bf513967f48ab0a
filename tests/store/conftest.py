"""A pool over the test's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hunter.config import Config
from hunter.store.database import Database, open_database


@pytest.fixture
async def db(config: Config) -> AsyncIterator[Database]:
    """A pool over the test's own migrated database."""
    async with open_database(config) as database:
        yield database
