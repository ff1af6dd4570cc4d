"""Which schedulers may be used: one of this machine, or one whose every peer shows a certificate."""

import ipaddress
import re
from pathlib import Path

from distributed.security import Security

from pipeline.errors import UserError

ROLES = ("scheduler", "worker", "client")
ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-f:]+\]|[\w.-]+):([0-9]+)")
CERTIFICATES = Path("~/.sweep")
HOW_TO = (
    "mkdir -m 700 ~/.sweep && openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=sweep "
    "-keyout ~/.sweep/tls.key -out ~/.sweep/tls.crt && scp -pr ~/.sweep OTHER-MACHINE:"
)


def split_address(address: str) -> tuple[str, str, int]:
    """The protocol, host and port of a scheduler; raise UserError if it is none."""
    found = ADDRESS.fullmatch(address)
    if not found:
        raise UserError(f"the scheduler {address!r} is no address; expected tls://HOST:PORT")
    return found[1], found[2].strip("[]"), int(found[3])


def security_for(address: str) -> Security:
    """What Dask needs to connect to, or be, the scheduler at an address.

    Raises:
        UserError: it is no address, or not safe: Dask runs whatever it is sent; or there is no certificate.
    """
    protocol, host, _ = split_address(address)
    if protocol == "tcp":
        if not _is_loopback(host):
            raise UserError(
                f"the scheduler {address} is refused: Dask runs whatever anybody sends to it; use tls://, "
                f"for which certificates are made so: {HOW_TO}"
            )
        return Security(require_encryption=False)
    certificate, key = (CERTIFICATES.expanduser() / name for name in ("tls.crt", "tls.key"))
    if missing := [path for path in (certificate, key) if not path.is_file()]:
        raise UserError(f"{missing[0]} is missing; once, on one of the machines: {HOW_TO}")
    # One certificate, which signs itself: a peer is trusted that has its key.
    own = {f"tls_{role}_cert": str(certificate) for role in ROLES} | {f"tls_{role}_key": str(key) for role in ROLES}
    return Security(require_encryption=True, tls_ca_file=str(certificate), **own)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
