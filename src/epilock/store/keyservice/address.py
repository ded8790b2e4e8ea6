"""Where a key service listens: ``unix:PATH`` or ``tls://HOST:PORT``.

Over TLS both sides have a folder with ``cert.pem``, ``key.pem`` (0600) and ``ca.pem``; whoever shows a
certificate of that authority may ask, so the authority is the key service's own.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from epilock.errors import InputError

_OTHERS = 0o077


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address.

    Attributes:
        path: The Unix socket, or None.
        host: Host, or "".
        port: Port; 0 lets the system choose.
        tls: Folder of the certificates, or None.
    """

    path: Path | None = None
    host: str = ""
    port: int = 0
    tls: Path | None = None


def read(text: str, tls: Path | None = None) -> Address:
    """Return the address that ``text`` gives.

    Raises:
        InputError: It is none, or TLS has no folder.
    """
    if text.startswith("unix:") and text != "unix:":
        return Address(path=Path(text.removeprefix("unix:")))
    host, _, port = text.removeprefix("tls://").rpartition(":")
    if not text.startswith("tls://") or not host or not (port.isascii() and port.isdigit()):
        raise InputError("a key service is at unix:PATH or tls://HOST:PORT")
    if tls is None:
        raise InputError("tls:// needs the folder of cert.pem, key.pem and ca.pem")
    return Address(host=host.strip("[]"), port=int(port), tls=tls)


def tls_context(address: Address, *, server: bool) -> ssl.SSLContext:
    """Return what makes a connection of mutual TLS 1.3.

    Raises:
        InputError: A file is missing, is no certificate or key, or others may read the key.
    """
    folder = address.tls or Path()
    key = folder / "key.pem"
    try:
        if key.stat().st_mode & _OTHERS:
            raise InputError(f"{key.name} is open to others; run: chmod 600 {key.name}")
        purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
        made = ssl.create_default_context(purpose, cafile=str(folder / "ca.pem"))
        made.load_cert_chain(folder / "cert.pem", key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"the certificates for tls:// can't be used ({type(error).__name__}): cert.pem, key.pem, ca.pem"
        ) from None
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    return made
