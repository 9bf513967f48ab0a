"""The text of a key: how it is made, read, and turned into the digest that is stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

#: random bytes of the part that names the key, and of the secret
ID_BYTES: Final = 10
SECRET_BYTES: Final = 32
#: compared with where no key has the id, so that both cases do the same work
NO_DIGEST: Final = bytes(32)

_ID: Final = re.compile(r"[a-z2-7]{16}")
_KEY: Final = re.compile(r"hk_([a-z2-7]{16})_[0-9a-f]{64}")


def id_from(chance: bytes) -> str:
    """The id of a new key out of `ID_BYTES` random bytes."""
    return base64.b32encode(chance).decode().lower()


def write_key(key_id: str, chance: bytes) -> str:
    """The text of a key: its id and `SECRET_BYTES` random bytes."""
    return f"hk_{key_id}_{chance.hex()}"


def id_in(text: str) -> str | None:
    """The id in a key; None for what has not the form of one."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def is_key_id(caller: str) -> bool:
    """True for the id of a key; False for the built-in callers, admin and anonymous."""
    return _ID.fullmatch(caller) is not None


def digest_of(pepper: str, text: str) -> bytes:
    """HMAC-SHA256 of a whole key: id and secret, so that digests cannot change places.

    A random secret of 256 bits needs no slow hash; one for each request would be a way to
    overload the server.
    """
    return hmac.digest(pepper.encode(), text.encode(errors="surrogateescape"), hashlib.sha256)


def is_same(left: bytes, right: bytes) -> bool:
    """Compare digests in constant time."""
    return hmac.compare_digest(left, right)
