"""A throw-away certificate authority: certificates for loopback servers, good ones and wrong ones."""

from __future__ import annotations

import itertools
import ssl
import subprocess
from pathlib import Path
from typing import Final

_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """An authority whose key lives in a folder and is never used again. Wants `openssl`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        #: PEM, for those who shall trust it
        self.file = folder / "authority.pem"
        self._key = folder / "authority.key"
        _openssl(
            *("req", "-x509", *_KEY, "-keyout", str(self._key), "-out", str(self.file)),
            *("-days", "2", "-subj", "/CN=throw-away authority"),
            *("-addext", "keyUsage=critical,keyCertSign"),
        )

    def server_context(self, *names: str, days: int = 2) -> ssl.SSLContext:
        """TLS of a server with a certificate for host names and addresses.

        With `days` below 0 the certificate has expired. Its common name is the first name; only
        the alternative names count (RFC 9525), so without names it is good for none.
        """
        stem = self._folder / f"server-{next(self._numbers)}"
        key, request, certificate = (stem.with_suffix(each) for each in (".key", ".csr", ".pem"))
        wanted = ",".join(f"{_kind(name)}:{name}" for name in names)
        extension = ("-addext", f"subjectAltName={wanted}") if names else ()
        _openssl(
            *("req", *_KEY, "-keyout", str(key), "-out", str(request)),
            *("-subj", f"/CN={names[0] if names else 'nobody'}", *extension),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.file), "-CAkey", str(self._key)),
            *("-copy_extensions", "copy", "-days", str(days), "-out", str(certificate)),
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        return context


def _kind(name: str) -> str:
    return "IP" if ":" in name or name.replace(".", "").isdigit() else "DNS"


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)  # fixed words
