"""The checkpoint: the state of one journal, signed by the hub, in a form that other people's tools know.

A signed note (c2sp.org/signed-note) whose text is a tlog checkpoint (c2sp.org/tlog-checkpoint). Its lines: origin, size
of the tree, root of the tree, then four of our own: time, hash of the node's chain at that size, SHA-256 of the signing
certificate, and the checkpoint before this one by its size and the SHA-256 of its whole note. So the checkpoints of a
node are themselves a chain, and none can be taken out.

Under the text stand the hub's signature and, when a time-stamp authority answered, its token (RFC 3161) over the same
text, as a signature line too: whoever does not know it must ignore it. How to check both with openssl is in
docs/evidence.md.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.errors import CertificateRejected, SignatureInvalid
from gateway.security import _x509
from gateway.security._trust import is_issued_by
from gateway.security.algorithms import PublicKey
from gateway.security.seal import Signing
from gateway.soap import stamp

_ORIGIN: Final = "schuldenknooppunt/{oin}/{node}"
_MAX_OCTETS: Final = 65_536  # a note with an RSA-4096 signature and a token with its whole chain is below 16 KB
_TSA: Final = "rfc3161"  # the key name of the token's line; the token says whose it is
_LINE: Final = "— "
# Signature type 0xff is for types without an assigned byte and is followed by a longer name (c2sp.org/signed-note).
_RSA_TYPE: Final = b"\xffrsa-pkcs1-sha256"
_TSA_ID: Final = sha256(_TSA.encode() + b"\n\xffrfc3161-time-stamp-token").digest()[:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the hub signs of one node's journal."""

    oin: str  # of the hub
    node: str
    size: int  # entries, from position 1
    root: bytes  # of the Merkle tree over their leaves
    at: datetime  # aware UTC, whole milliseconds
    chain: bytes  # the chain's hash at that size
    certificate: bytes  # SHA-256 of the signing certificate (DER)
    previous: int  # size of the checkpoint before; 0 for the first
    previous_note: bytes  # SHA-256 of its note as it stood then; 32 zero octets for the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A checkpoint's note, read; nothing in it is believed yet."""

    checkpoint: Checkpoint
    text: bytes  # what is signed
    signature: bytes
    token: bytes | None  # RFC 3161, DER


def sign_checkpoint(checkpoint: Checkpoint, signing: Signing) -> bytes:
    """The note, in UTF-8. `checkpoint.certificate` must be that of `signing`."""
    text = _text(checkpoint)
    key = signing.private_key
    if isinstance(key, rsa.RSAPrivateKey):
        value = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    else:
        value = key.sign(text, ec.ECDSA(hashes.SHA256()))
    return _note(checkpoint, text, _key_id(_name(checkpoint), key.public_key()) + value, None)


def with_token(note: bytes, token: bytes) -> bytes:
    """The note with a time-stamp authority's token over its text. Raises SignatureInvalid for what is no note."""
    read = read_checkpoint(note)
    return _note(read.checkpoint, read.text, read.signature, token)


def read_checkpoint(note: bytes) -> Note:
    """Take a note apart. Only the one way to write it is taken, so a changed octet is never overlooked.

    Raises SignatureInvalid.
    """
    try:
        if len(note) > _MAX_OCTETS:
            raise ValueError("too long")
        text, _, lines = note.decode().rpartition("\n\n")
        text += "\n"
        signed = [line.split(" ") for line in lines.splitlines()]
        token = b64decode(signed[1][2])[4:] if len(signed) > 1 else None
        checkpoint = _read_text(text)
        read = Note(checkpoint=checkpoint, text=text.encode(), signature=b64decode(signed[0][2]), token=token)
        if _note(checkpoint, _text(checkpoint), read.signature, token) != note:
            raise ValueError("written in another way")
    except (ValueError, IndexError) as error:
        raise SignatureInvalid("this is no checkpoint of a journal") from error
    return read


def check_checkpoint(note: Note, certificate: bytes) -> None:
    """Does the hub's signature hold with the key of this certificate, and is it the one the note names?

    Whose certificate it is, and under which CA, is the caller's question. Raises SignatureInvalid.
    """
    if sha256(certificate).digest() != note.checkpoint.certificate:
        raise SignatureInvalid("the checkpoint names another certificate")
    try:
        key = _x509.public_key(_x509.parse(certificate))
        if note.signature[:4] != _key_id(_name(note.checkpoint), key):
            raise SignatureInvalid("the checkpoint's signature is of another key")
        value = note.signature[4:]
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, note.text, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(value, note.text, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, CertificateRejected) as error:
        raise SignatureInvalid("the checkpoint's signature does not hold") from error


def check_signer(note: Note, certificate: bytes, *, oin: str, anchors: Sequence[bytes]) -> None:
    """Is this the certificate of the hub with that OIN, directly issued by an anchor (DER), and could it sign then?

    Revocation is not asked: it is about a moment of the past. Raises SignatureInvalid.
    """
    at = note.checkpoint.at
    try:
        parsed = _x509.parse(certificate)
        if _x509.oin_of(parsed) != oin or note.checkpoint.oin != oin:
            raise SignatureInvalid("the checkpoint is not of this hub's OIN")
        usage = _x509.extensions(parsed).usage
    except CertificateRejected as error:
        raise SignatureInvalid(f"the checkpoint's certificate: {error.detail}") from error
    if not any(is_issued_by(parsed, x509.load_der_x509_certificate(anchor)) for anchor in anchors):
        raise SignatureInvalid("the checkpoint's certificate is not of a CA that is trusted")
    if not parsed.not_valid_before_utc <= at <= parsed.not_valid_after_utc:
        raise SignatureInvalid("the checkpoint's certificate was not in force then")
    if usage is None or not (usage.digital_signature or usage.content_commitment):
        raise SignatureInvalid("the checkpoint's certificate is not for signing")


def _name(checkpoint: Checkpoint) -> str:
    return _ORIGIN.format(oin=checkpoint.oin, node=checkpoint.node)


def _key_id(name: str, key: PublicKey) -> bytes:
    """c2sp.org/signed-note: of ECDSA keys (type 0x02) the digest of the key; of RSA keys also the name and our type."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, rsa.RSAPublicKey):
        return sha256(name.encode() + b"\n" + _RSA_TYPE + spki).digest()[:4]
    return sha256(spki).digest()[:4]


def _text(one: Checkpoint) -> bytes:
    return (
        f"{_name(one)}\n{one.size}\n{b64encode(one.root).decode()}\n"
        f"time {stamp(one.at)}\nchain {b64encode(one.chain).decode()}\ncertificate {one.certificate.hex()}\n"
        f"previous {one.previous} {b64encode(one.previous_note).decode()}\n"
    ).encode()


def _read_text(text: str) -> Checkpoint:
    """Raises ValueError; the caller compares what comes out with what went in."""
    origin, size, root, *ours = text.splitlines()
    _, oin, node = origin.split("/")
    (_, time), (_, chain), (_, certificate), (_, previous, previous_note) = (line.split(" ") for line in ours)
    return Checkpoint(
        oin=oin, node=node, size=int(size), root=_digest(b64decode(root)),
        at=datetime.fromisoformat(time).astimezone(UTC), chain=_digest(b64decode(chain)),
        certificate=_digest(bytes.fromhex(certificate)), previous=int(previous),
        previous_note=_digest(b64decode(previous_note)),
    )


def _digest(octets: bytes) -> bytes:
    if len(octets) != sha256().digest_size:
        raise ValueError("not 32 octets")
    return octets


def _note(checkpoint: Checkpoint, text: bytes, signature: bytes, token: bytes | None) -> bytes:
    lines = f"{_LINE}{_name(checkpoint)} {b64encode(signature).decode()}\n"
    if token is not None:
        lines += f"{_LINE}{_TSA} {b64encode(_TSA_ID + token).decode()}\n"
    return text + b"\n" + lines.encode()
