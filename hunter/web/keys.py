"""Typed keys of what the application and a request carry."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from hunter.config import Config
from hunter.core.advice import Language
from hunter.core.scopes import Scope
from hunter.ops.health import Health
from hunter.ops.metrics import Metrics
from hunter.pipeline.reading import Readers
from hunter.pipeline.reload import Reloader
from hunter.queue.hints import Hints
from hunter.store.database import Database

CONFIG: Final = web.AppKey("config", Config)
METRICS: Final = web.AppKey("metrics", Metrics)
HEALTH: Final = web.AppKey("health", Health)
DB: Final = web.AppKey("db", Database)
HINTS: Final = web.AppKey("hints", Hints)
#: what the offers of a sales brief cost
PRICES: Final = web.AppKey("prices", dict[str, dict[Language, str]])
RULES: Final = web.AppKey("rules", Reloader)
#: pages that are drawn at once
PRESS: Final = web.AppKey("press", asyncio.Semaphore)
#: of files of companies
READERS: Final = web.AppKey("readers", Readers)
OPENAPI: Final = web.AppKey("openapi", bytes)

REQUEST_ID: Final = web.RequestKey("request_id", str)
#: who asks: the id of a key, or "anonymous" in open development mode
CALLER: Final = web.RequestKey("caller", str)
#: what the caller may do
SCOPES: Final = web.RequestKey("scopes", frozenset[Scope])
