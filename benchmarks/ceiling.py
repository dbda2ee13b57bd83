"""The ceiling: what one message costs when nothing is done but the unavoidable primitives, in a straight loop.

Parse; find each signed part, canonicalise it, digest it and compare; verify one signature; XSD; one durable insert;
digest the parts of an answer and sign it. No checks, no faults, no choreography, no journal, no sealing: nothing could
serve with less. Measured on the same messages, in the same run and interleaved with what it is compared to, because
single figures on shared machines drift. Each step is a method of its own, so that primitives.py can measure it alone.
"""

import hashlib
from base64 import b64decode
from pathlib import Path
from threading import local

from cryptography import x509
from lxml import etree

from benchmarks.plain_answer import PlainAnswer
from benchmarks.rows import Row, Rows, Shared
from gateway.names import DS, SOAP, WSSE, WSU, clark
from gateway.security import SigningKey
from gateway.security.algorithms import PublicKey, signature_holds
from gateway.values import Received

_ID = clark(WSU, "Id")
_SECURITY, _SIGNATURE, _TOKEN = clark(WSSE, "Security"), clark(DS, "Signature"), clark(WSSE, "BinarySecurityToken")
_HEADER = clark(SOAP, "Header")


class Ceiling:
    """The straight loop; from one thread or from many."""

    def __init__(self, rows: Rows, schema: Path, signing: SigningKey) -> None:
        self._local = local()  # a parser of its own for each thread
        self._schema = etree.XMLSchema(file=str(schema))
        self._answer = PlainAnswer(signing)
        self._keys: dict[str, PublicKey] = {}  # by token
        self._shared = Shared(rows)

    def take(self, received: Received) -> bytes:
        """All primitives for one message; the answer's octets."""
        root = self.parse(received.octets)
        signature = self.signature(root)
        digest = self.digests(root, signature)
        assert self.holds(root, signature)
        assert self.valid(root)
        self._shared.keep(Row(digest, received.octets))
        return self._answer.signed(self.answer(signature, digest))

    def parse(self, octets: bytes) -> etree._Element:
        """One parse."""
        if not hasattr(self._local, "parser"):
            self._local.parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return etree.fromstring(octets, self._local.parser)

    def signature(self, root: etree._Element) -> etree._Element:
        return root.find(f"{_HEADER}/{_SECURITY}/{_SIGNATURE}")

    def digests(self, root: etree._Element, signature: etree._Element) -> str:
        """Each Reference: its part in canonical form, digested, compared. The digest of the last, which is the Body."""
        header = root[0]
        parts = {part.get(_ID): part for part in (*header, *header.find(_SECURITY), root[-1])}
        found = ""
        for reference in signature[0][2:]:
            octets = etree.tostring(parts[reference.get("URI")[1:]], method="c14n", exclusive=True)
            digest = hashlib.sha256(octets).digest()
            found = reference[2].text
            assert digest == b64decode(found)
        return found

    def holds(self, root: etree._Element, signature: etree._Element) -> bool:
        """The SignedInfo in canonical form, and the public key operation; a key is read from its certificate once."""
        token = root.findtext(f"{_HEADER}/{_SECURITY}/{_TOKEN}")
        key = self._keys.get(token)
        if key is None:
            key = self._keys[token] = x509.load_der_x509_certificate(b64decode(token)).public_key()
        info = etree.tostring(signature[0], method="c14n", exclusive=True)
        return signature_holds(signature[0][1].get("Algorithm"), key, b64decode(signature[1].text), info)

    def valid(self, root: etree._Element) -> bool:
        """The message against its schema."""
        return bool(self._schema.validate(root[-1][0]))

    def answer(self, signature: etree._Element, digest: str) -> tuple[str, ...]:
        """The parts of the answer, digested."""
        return self._answer.written("x", "urn:uuid:x", "2026-11-24T12:00:00.000Z", signature[1].text, digest)

    def sign(self, parts: tuple[str, ...]) -> bytes:
        """The private key operation, and the octets of the answer."""
        return self._answer.signed(parts)

    def keep(self, digest: str, octets: bytes) -> None:
        """One durable insert."""
        self._shared.keep(Row(digest, octets))

    def close(self) -> None:
        self._shared.close()
