"""The ceiling: what one message costs when nothing is done but the unavoidable primitives, in a straight loop.

Parse, C14N and digest of every signed part, verifying one signature, XSD, one durable insert, making one signature. No
checks, no faults, no choreography, no journal, no sealing: nothing could serve with less. Measured on the same
messages, in the same run and interleaved with what it is compared to, because single figures on shared machines drift.
Threads share a commit in the plainest way there is: who gets the lock writes what waits.
"""

import hashlib
import sqlite3
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, local

from cryptography import x509
from lxml import etree

from gateway.names import DS, SOAP, WSA, WSSE, WSU, clark
from gateway.security import SigningKey
from gateway.security.algorithms import PublicKey, sign, signature_holds
from gateway.values import Received

_PARTS = (f"{clark(SOAP, 'Header')}/{clark(WSA, '*')}", f"{clark(SOAP, 'Header')}/{clark(WSSE, 'Security')}/"
          f"{clark(WSU, 'Timestamp')}", f"{clark(SOAP, 'Header')}/{clark(WSSE, 'Security')}/"
          f"{clark(WSSE, 'BinarySecurityToken')}", clark(SOAP, "Body"))


@dataclass(slots=True)
class _Row:
    """One insert that waits for its commit."""

    number: str
    octets: bytes
    durable: bool = False


class Ceiling:
    """The straight loop over one store file; from one thread or from many."""

    def __init__(self, folder: Path, schema: Path, signing: SigningKey) -> None:
        self._local = local()  # a parser of its own for each thread
        self._schema = etree.XMLSchema(file=str(schema))
        self._signing = signing
        self._key: PublicKey | None = None
        self._waiting: list[_Row] = []
        self._lock = Lock()
        self._store = sqlite3.connect(folder / "ceiling.db", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0"):
            self._store.execute(f"PRAGMA {pragma}")
        self._store.execute(
            "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, number TEXT UNIQUE, payload BLOB)")

    def take(self, received: Received) -> bytes:
        """All primitives for one message; its signature, so that nothing is optimised away."""
        root = etree.fromstring(received.octets, self._parser())
        digests = [
            hashlib.sha256(etree.tostring(part, method="c14n", exclusive=True)).digest()
            for path in _PARTS for part in root.iterfind(path)
        ]
        signature = root.find(f".//{clark(DS, 'Signature')}")
        info = etree.tostring(signature[0], method="c14n", exclusive=True)
        if self._key is None:
            token = root.findtext(f".//{clark(WSSE, 'BinarySecurityToken')}")
            self._key = x509.load_der_x509_certificate(b64decode(token)).public_key()
        assert signature_holds(signature[0][1].get("Algorithm"), self._key, b64decode(signature[1].text), info)
        assert self._schema.validate(root[-1][0])
        self._keep(_Row(digests[-1].hex(), received.octets))
        return sign(self._signing.private_key, info)

    def close(self) -> None:
        self._store.close()

    def _parser(self) -> etree.XMLParser:
        if not hasattr(self._local, "parser"):
            self._local.parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return self._local.parser

    def _keep(self, row: _Row) -> None:
        self._waiting.append(row)
        with self._lock:
            if row.durable:
                return
            batch, self._waiting = self._waiting, []
            self._store.execute("BEGIN IMMEDIATE")
            for one in batch:
                self._store.execute("INSERT INTO message (number, payload) VALUES (?, ?)", (one.number, one.octets))
            self._store.execute("COMMIT")
            for one in batch:
                one.durable = True
