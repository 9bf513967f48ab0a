"""Addresses and secrets of endpoints, sealed before they are stored."""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hunter.core.errors import HunterError

_INFO: Final = b"hunter: endpoints of alerts, version 1"
_NONCE: Final = 12
#: the first byte says how the rest is kept
_PLAIN: Final = b"\x00"
_SEALED: Final = b"\x01"


class Unsealable(HunterError):
    """Sealed under another HUNTER_KEY_PEPPER"""


class Seal:
    """AES-256-GCM under a key derived from HUNTER_KEY_PEPPER, bound to endpoint and field.

    A copy of the database alone gives away no URL, mail address or secret, and a value moved to
    another row does not open. Without a pepper, which production refuses, values are kept as they
    are.
    """

    def __init__(self, pepper: str) -> None:
        key = HKDF(SHA256(), 32, None, _INFO).derive(pepper.encode()) if pepper else b""
        self._cipher = AESGCM(key) if key else None

    def close(self, value: bytes, endpoint_id: UUID, field: str) -> bytes:
        """A value as it is stored."""
        if self._cipher is None:
            return _PLAIN + value
        nonce = os.urandom(_NONCE)
        return _SEALED + nonce + self._cipher.encrypt(nonce, value, _place(endpoint_id, field))

    def open(self, stored: bytes, endpoint_id: UUID, field: str) -> bytes:
        """The value again. Raises Unsealable."""
        kept, rest = stored[:1], stored[1:]
        if kept == _PLAIN:
            return rest
        if self._cipher is not None and kept == _SEALED:
            try:
                nonce, content = rest[:_NONCE], rest[_NONCE:]
                return self._cipher.decrypt(nonce, content, _place(endpoint_id, field))
            except (InvalidTag, ValueError):
                pass
        raise Unsealable("an endpoint was stored under another HUNTER_KEY_PEPPER")


def _place(endpoint_id: UUID, field: str) -> bytes:
    return endpoint_id.bytes + field.encode()
