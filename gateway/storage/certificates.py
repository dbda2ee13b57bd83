"""The certificates of those who signed: each is kept once, under its digest."""

from hashlib import sha256

from sqlalchemy import bindparam, insert, select

from gateway.storage.session import Query
from gateway.storage.tables import certificates
from gateway.storage.writer import Write

_HAS_CERTIFICATE = Query(select(certificates.c.sha256).where(certificates.c.sha256 == bindparam("sha256")))
_ADD_CERTIFICATE = Query(insert(certificates).values(sha256=bindparam("sha256"), der=bindparam("der")))


def keep_certificate(write: Write, der: bytes) -> str:
    """Keep a certificate, if it is not there; its digest (SHA-256, hex)."""
    digest = sha256(der).hexdigest()
    if write.one(_HAS_CERTIFICATE, sha256=digest) is None:
        write.run(_ADD_CERTIFICATE, sha256=digest, der=der)
    return digest
