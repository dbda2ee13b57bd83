"""The ceiling: what one message costs when nothing is done but the unavoidable primitives, in a straight loop.

Parse, C14N and digest of every signed part, RSA verify, XSD, one durable insert, one RSA signature. No checks, no
faults, no choreography, no journal, no sealing: nothing could serve with less. Measured on the same messages, in the
same run and interleaved with what it is compared to, because single figures on shared machines drift.
"""

import hashlib
import sqlite3
from base64 import b64decode
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from gateway.names import DS, RSA_SHA256, SOAP, WSA, WSSE, WSU, clark
from gateway.security import SigningKey
from gateway.security.algorithms import sign, signature_holds
from gateway.values import Received

_PARTS = (f"{clark(SOAP, 'Header')}/{clark(WSA, '*')}", f"{clark(SOAP, 'Header')}/{clark(WSSE, 'Security')}/"
          f"{clark(WSU, 'Timestamp')}", f"{clark(SOAP, 'Header')}/{clark(WSSE, 'Security')}/"
          f"{clark(WSSE, 'BinarySecurityToken')}", clark(SOAP, "Body"))


class Ceiling:
    """The straight loop over one store file."""

    def __init__(self, folder: Path, schema: Path, signing: SigningKey) -> None:
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True)
        self._schema = etree.XMLSchema(file=str(schema))
        self._signing = signing
        self._key: rsa.RSAPublicKey | None = None
        self._store = sqlite3.connect(folder / "ceiling.db", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
            self._store.execute(f"PRAGMA {pragma}")
        self._store.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, number TEXT UNIQUE, payload BLOB)")

    def take(self, received: Received) -> bytes:
        """All primitives for one message; its signature, so that nothing is optimised away."""
        root = etree.fromstring(received.octets, self._parser)
        digests = [
            hashlib.sha256(etree.tostring(part, method="c14n", exclusive=True)).digest()
            for path in _PARTS for part in root.iterfind(path)
        ]
        signature = root.find(f".//{clark(DS, 'Signature')}")
        info = etree.tostring(signature[0], method="c14n", exclusive=True)
        if self._key is None:
            token = root.findtext(f".//{clark(WSSE, 'BinarySecurityToken')}")
            self._key = x509.load_der_x509_certificate(b64decode(token)).public_key()
        assert signature_holds(RSA_SHA256, self._key, b64decode(signature[1].text), info)
        message = root[-1][0]
        assert self._schema.validate(message)
        self._store.execute("BEGIN IMMEDIATE")
        self._store.execute("INSERT INTO message (number, payload) VALUES (?, ?)",
                            (digests[-1].hex(), received.octets))
        self._store.execute("COMMIT")
        return sign(self._signing.private_key, info)
