"""Who asks: a key verified against its digest, trusted for 30 s, and guesses slowed down."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from typing import Final

import msgspec
import structlog
from aiohttp import web

from hunter.config import Config
from hunter.core.credentials import NO_DIGEST, digest_of, id_in, is_same
from hunter.core.errors import HunterError
from hunter.core.gcra import Limit
from hunter.core.scopes import Scope
from hunter.ops.metrics import Metrics
from hunter.queue.limits import LocalLimits
from hunter.store import api_keys
from hunter.store.api_keys import Held
from hunter.store.database import Database
from hunter.web.problems import NotAuthenticated, TooManyRequests, WrongKey

log = structlog.get_logger()

#: the caller of a request that a signature lets in
SIGNED_CALLER: Final = "webhook"
#: a verified key is not looked up again for so long, which is what a revocation may take
TRUST_S: Final = 30.0
#: verified keys a process remembers
REMEMBERED: Final = 10_000
#: wrong keys from one address: so many at once, then one each few seconds
GUESSES: Final = Limit(per_minute=12, burst=10)
#: addresses that are remembered for their guesses
GUESSERS: Final = 4096
#: keys whose use is written down at once
_USED_EVERY_S: Final = 60.0

_WRONG: Final = (
    "The key is missing or wrong. Send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`."
)


class Caller(msgspec.Struct, frozen=True):
    """Somebody who may ask."""

    #: id of a key, or a built-in name
    id: str
    scopes: frozenset[Scope]
    #: None for no limit
    limit: Limit | None


class _Known(msgspec.Struct, frozen=True):
    """A key as it was when it was last looked up."""

    held: Held
    caller: Caller
    #: time of the loop just before the look-up
    at: float


class Callers:
    """The keys one process knows, and those who guess at them."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        #: without a pepper no key was ever made, and a random one makes sure that none fits
        self._pepper = str(config.key_pepper) or secrets.token_hex(32)
        self._metrics = metrics
        self._default = Limit(config.rate_limit, config.rate_burst) if config.rate_limit else None
        self._is_open = not config.admin_key
        self._admin_digest = digest_of(self._pepper, str(config.admin_key) or secrets.token_hex(32))
        self._admin = Caller("admin", frozenset({Scope.ADMIN}), self._default)
        #: whoever a signature lets in; the handler checks it
        self.signed = Caller(SIGNED_CALLER, frozenset(), self._default)
        self._anybody = Caller("anonymous", frozenset({Scope.ADMIN}), self._default)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._used: set[str] = set()
        self._guesses = LocalLimits(GUESSERS)

    def __len__(self) -> int:
        return len(self._known)

    def stranger(self) -> Caller:
        """Who shows no key: anybody in open development mode. Raises NotAuthenticated."""
        if not self._is_open:
            raise NotAuthenticated(_WRONG)
        return self._anybody

    async def identify(self, shown: str, address: str, db: Database) -> Caller:
        """The caller with this key.

        Raises WrongKey, TooManyRequests when too many guesses came from `address`, and
        Unavailable. A key that is trusted passes from any address.
        """
        digest = digest_of(self._pepper, shown)
        if is_same(digest, self._admin_digest) and not self._is_open:
            return self._admin
        now = asyncio.get_running_loop().time()
        key_id = id_in(shown)
        known = self._known.get(key_id or "")
        if known is not None and now - known.at < TRUST_S and _fault(known, digest, now) is None:
            return self._passed(known)
        return await self._look_up(key_id, digest, address, db)

    async def _look_up(
        self, key_id: str | None, digest: bytes, address: str, db: Database
    ) -> Caller:
        self._require_patience(address)
        now = asyncio.get_running_loop().time()
        held = None
        if key_id is not None:
            async with db.acquire(reserved=True) as conn:
                held = await api_keys.held(conn, key_id)
        known = _Known(held or _NOBODY, self._caller_of(held or _NOBODY), now)
        fault = _fault(known, digest, now)
        if fault is not None:
            self._known.pop(key_id or "", None)
            self._guesses.take(address, GUESSES)
            self._metrics.hunter_key_failures_total.inc({"reason": fault})
            raise WrongKey(_WORDS.get(fault, _WRONG))
        self._known[known.held.id] = known
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._passed(known)

    def _passed(self, known: _Known) -> Caller:
        self._known.move_to_end(known.held.id)
        self._used.add(known.held.id)
        return known.caller

    def _caller_of(self, held: Held) -> Caller:
        limit = self._default
        if held.rate_per_minute is not None:
            limit = Limit(held.rate_per_minute, held.burst or max(1, held.rate_per_minute // 10))
        elif held.burst is not None and limit is not None:
            limit = Limit(limit.per_minute, held.burst)
        return Caller(held.id, held.scopes, limit)

    def _require_patience(self, address: str) -> None:
        told = self._guesses.look(address, GUESSES)
        if not told.is_allowed:
            self._metrics.hunter_key_failures_total.inc({"reason": "throttled"})
            raise TooManyRequests(
                "Too many wrong keys came from this address.", retry_after_s=told.retry_s
            )

    def forget(self, key_id: str) -> None:
        """Look this key up at its next use: it was changed here."""
        self._known.pop(key_id, None)

    async def mark_used(self, db: Database) -> None:
        """Write down now and then which keys are in use, for ever."""
        while True:
            await asyncio.sleep(_USED_EVERY_S)
            try:
                await self.flush_used(db)
            except HunterError as error:
                log.warning("use of keys not written down", error=type(error).__name__)

    async def flush_used(self, db: Database) -> None:
        """Write down which keys were used since the last time."""
        used, self._used = self._used, set()
        if used:
            async with db.acquire() as conn:
                await api_keys.mark_used(conn, sorted(used))


_NOBODY: Final = Held(
    id="",
    digest=NO_DIGEST,
    previous_digest=None,
    previous_left_s=0,
    scopes=frozenset(),
    rate_per_minute=None,
    burst=None,
    left_s=None,
    is_revoked=False,
)
_WORDS: Final = {
    "revoked": "The key is revoked. Ask whoever runs this server for another.",
    "expired": "The key is expired. Ask whoever runs this server for another.",
}


def _fault(known: _Known, digest: bytes, now: float) -> str | None:
    """Why the holder of this digest may not pass; None when it may.

    Both comparisons are made whatever the first says, and for ids that nobody has too: how long
    it takes tells nothing. Only who has the secret is told that the key is revoked or expired.
    """
    held, age_s = known.held, now - known.at
    is_current = is_same(held.digest, digest)
    is_previous = is_same(held.previous_digest or NO_DIGEST, digest)
    if not is_current and not (is_previous and held.previous_left_s > age_s):
        return "wrong"
    if held.is_revoked:
        return "revoked"
    if held.left_s is not None and held.left_s <= age_s:
        return "expired"
    return None


CALLERS: Final = web.AppKey("callers", Callers)
