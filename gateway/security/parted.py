"""Verifying a message whose files come after it: all but the Body at once, the Body when the files are there.

So nobody's files are taken before it is known who signed for them, and that the signature is of this moment.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from gateway.errors import SignatureInvalid
from gateway.names import SHA256
from gateway.parted import Parted
from gateway.security.algorithms import DIGESTS
from gateway.security.c14n import canonical
from gateway.security.wsse import (
    CheckCertificate,
    SecurityPolicy,
    Signed,
    Verified,
    check_digests,
    check_timestamp,
    prove_signature,
    proven,
)
from gateway.soap import Envelope
from gateway.values import Certificate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Awaiting:
    """An envelope of which everything is verified but the Body, which lacks its files."""

    signed: Signed
    skewed: bool

    @property
    def token(self) -> bytes:
        return self.signed.token

    @property
    def signer(self) -> Certificate:
        return self.signed.signer


def verify_all_but_body(
    envelope: Envelope, policy: SecurityPolicy, check: CheckCertificate, now: datetime
) -> Awaiting:
    """Every step of `verify` but the digest of the Body. Raises what it raises."""
    signed = prove_signature(envelope, policy, check, now)
    others = tuple(one for one in signed.references if one.target is not envelope.body)
    check_digests(envelope.body, others)
    return Awaiting(signed=signed, skewed=check_timestamp(signed, policy, now))


def verify_body(awaiting: Awaiting, files: Parted | None) -> Verified:
    """The digest of the Body with its files put back. Raises SignatureInvalid, and what reading the files raises.

    Takes   `files`: of any element, as the Body's own octets are taken from the envelope; None: there are none. Each
            has its place in the Body (soap/xop.py), else ValueError.
    """
    signed = awaiting.signed
    (one,) = (one for one in signed.references if one.target is signed.envelope.body)
    octets = canonical(one.target, one.inclusive)
    kept = sha256()
    asked = kept if one.algorithm == SHA256 else DIGESTS[one.algorithm](b"")
    for piece in files.of(octets).chunks() if files is not None else (octets,):
        kept.update(piece)
        if asked is not kept:
            asked.update(piece)
    if not hmac.compare_digest(asked.digest(), one.digest):
        raise SignatureInvalid("digest of Body does not match")
    return proven(signed, octets, kept.digest(), skewed=awaiting.skewed)
