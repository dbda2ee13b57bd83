"""Certificates, revocation lists and private keys from files. The only module of this room that opens any to read.

Loaded once, at start or on renewal, never per message: OpenSSL proves an RSA key when it reads it, for 40 ms. Whatever
is wrong with a file becomes Misconfigured that names the file, the cause and the remedy; never what the file holds.
"""

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.errors import CertificateRejected, Misconfigured
from gateway.security import _x509
from gateway.security._trust import Source, TrustSnapshot, build_trust
from gateway.security._xmlenc import DecryptionKey, key_names
from gateway.security.algorithms import PrivateKey, PublicKey, family_of, method_for

_MAX_FILE: Final = 64 * 1024 * 1024  # the largest CRLs of public TSPs stay below 10 MB
_MAX_ANSWERS: Final = 4096  # as many as certificates are remembered
_PEM: Final = b"-----BEGIN "
_PEM_CRL: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key and the certificate that goes with it; `family` decides who gets answers by this key."""

    certificate: bytes  # DER
    private_key: PrivateKey = field(repr=False)
    family: Literal["rsa", "ecdsa"]
    oin: str
    not_before: datetime
    not_after: datetime

    def in_force(self, now: datetime) -> bool:
        """Do its certificate's dates hold at this moment?"""
        return self.not_before <= now <= self.not_after


def load_trust(
    anchors: Iterable[Path], crls: Iterable[Path], *, loaded_at: datetime, max_age: timedelta,
    kept_fresh: Collection[Path] = (), refused: Iterable[Path] = (), policies: frozenset[str] = frozenset(),
    answers: Path | None = None,
) -> TrustSnapshot:
    """Read CA certificates and revocation lists (PEM, several to a file if need be, or DER) and prove them.

    Takes   every CA up to and with the root; `loaded_at` is aware UTC; `max_age`, how long a list counts from when it
            was last proven current: of those in `kept_fresh` that is the time of the file, of others this reading.
            `refused`: CAs that vouch for nobody; `policies`: of which a certificate must name one; `answers`: the
            folder of OCSP answers.
    Raises  Misconfigured: a file that is missing or unreadable, and everything `build_trust` refuses.
    """
    certificates = [source for path in anchors for source in _named(path, load_certificates(path))]
    files = list(crls)
    changed = {path: _changed_at(path) for path in files if path in kept_fresh}  # before reading: never too young
    lists = {path: _named(path, load_crls(path)) for path in files}
    return build_trust(
        certificates, [source for path in files for source in lists[path]], loaded_at=loaded_at, max_age=max_age,
        proven={source: at for path, at in changed.items() for source, _ in lists[path]},
        refused=[source for path in refused for source in _named(path, load_certificates(path))],
        policies=policies, answers=load_answers(answers) if answers is not None else (),
    )


def load_answers(folder: Path) -> tuple[Source, ...]:
    """The OCSP answers in a folder that revoke something, as they came; none where there is no folder."""
    return tuple((path.name, _octets(path)) for path in sorted(folder.glob("*.revoked"))[:_MAX_ANSWERS])


def _changed_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:  # reading it will say so
        return datetime.max.replace(tzinfo=UTC)


def load_certificate(path: Path) -> bytes:
    """The first certificate of a PEM or DER file, as DER: of a chain file that is the holder's own."""
    return load_certificates(path)[0]


def load_certificates(path: Path) -> tuple[bytes, ...]:
    """All certificates of a PEM file, or the one of a DER file, as DER. Raises Misconfigured."""
    octets = _octets(path)
    try:
        pem = _PEM in octets
        found = x509.load_pem_x509_certificates(octets) if pem else [x509.load_der_x509_certificate(octets)]
    except _x509.UNREADABLE as error:
        raise _wrong(path, "holds no certificate in PEM or DER", "put the certificate's PEM file there") from error
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in found)


def load_crls(path: Path) -> tuple[bytes, ...]:
    """All revocation lists of a PEM file, or the one of a DER file, as DER. Raises Misconfigured."""
    octets = _octets(path, absent="fetch it (gateway certs fetch), or correct the path in the settings")
    try:
        if _PEM in octets:
            found = [x509.load_pem_x509_crl(pem) for pem in _PEM_CRL.findall(octets)]
        else:
            found = [x509.load_der_x509_crl(octets)]
    except _x509.UNREADABLE as error:
        raise _wrong(path, "holds no revocation list in PEM or DER", "fetch the list from the CA again") from error
    if not found:
        raise _wrong(path, "holds no revocation list", "fetch the list from the CA again")
    return tuple(crl.public_bytes(Encoding.DER) for crl in found)


def load_signing_key(certificate: Path, key: Path) -> SigningKey:
    """A key pair of the hub or of a party. Dates, path and usage are `check_certificate`'s to say.

    Raises  Misconfigured: a file missing or not PEM, a key behind a password, a key that is not the certificate's, a
            kind or size of key or an OIN that no peer would accept.
    """
    der, private = load_certificate(certificate), load_private_key(key)
    try:
        parsed = _x509.parse(der)
        public, oin = _x509.public_key(parsed), _x509.oin_of(parsed)
    except CertificateRejected as error:
        raise _wrong(certificate, error.detail, "order a certificate that follows the profile") from error
    if _point(public) != _point(private.public_key()):
        raise _wrong(key, f"is not the key of {certificate}", "name certificate and key of one pair")
    return SigningKey(
        certificate=der,
        private_key=private,
        family=family_of(method_for(private)),
        oin=oin,
        not_before=parsed.not_valid_before_utc,
        not_after=parsed.not_valid_after_utc,
    )


def load_decryption_key(certificate: Path, key: Path) -> DecryptionKey:
    """A key pair that messages are encrypted to. Raises Misconfigured as `load_signing_key`, and when it is not RSA."""
    found = decryption_keys_of(load_signing_key(certificate, key))
    if not found:
        raise _wrong(certificate, "is not on an RSA key", "messages are encrypted to RSA keys only; order such a one")
    return found[0]


def decryption_keys_of(pair: SigningKey) -> tuple[DecryptionKey, ...]:
    """The pair as a key to decrypt with; none when it is not RSA (an answer may come under it: WUS WB012)."""
    if not isinstance(pair.private_key, rsa.RSAPrivateKey):
        return ()
    return (DecryptionKey(
        certificate=pair.certificate, private_key=pair.private_key, oin=pair.oin, not_after=pair.not_after,
        names=key_names(_x509.parse(pair.certificate), pair.certificate),
    ),)


def same_key(one: bytes, other: bytes) -> bool:
    """Do these two certificates (DER) hold one public key?"""
    return _point(_x509.public_key(_x509.parse(one))) == _point(_x509.public_key(_x509.parse(other)))


def load_private_key(path: Path) -> PrivateKey:
    """The RSA or EC key of a PEM file without password. Raises Misconfigured."""
    octets = _octets(path)
    if b"PRIVATE KEY-----" not in octets:
        raise _wrong(path, "holds no private key in PEM", "put the PEM file of the key there")
    try:
        key = load_pem_private_key(octets, password=None)
    except TypeError as error:  # how the library says that a password is asked
        raise _wrong(path, "is protected by a password", "write it without one, for our user only") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _wrong(path, "holds a private key that cannot be read", "export the key again as PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise _wrong(path, "is neither an RSA nor an EC key", "order a certificate on such a key")
    return key


def _named(path: Path, found: tuple[bytes, ...]) -> list[Source]:
    """What was found under the names an operator knows: the file, with a number when it holds several."""
    return [(f"{path}" if len(found) == 1 else f"{path}#{at}", der) for at, der in enumerate(found, start=1)]


def _point(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _octets(path: Path, *, absent: str = "correct the path in the settings, or put the file there") -> bytes:
    try:
        with path.open("rb") as file:  # its size first: room for the largest there may be costs 64 MB each time
            octets = file.read(min(os.fstat(file.fileno()).st_size, _MAX_FILE) + 1)
    except FileNotFoundError as error:
        raise _wrong(path, "does not exist", absent) from error
    except OSError as error:
        cause = f"cannot be read ({error.strerror})"
        raise _wrong(path, cause, "let the gateway's user read the file") from error
    if not octets:
        raise _wrong(path, "is empty", "put the file there again")
    if len(octets) > _MAX_FILE:
        raise _wrong(path, f"is larger than {_MAX_FILE} octets", "name the right file")
    return octets


def _wrong(path: Path, cause: str, remedy: str) -> Misconfigured:
    return Misconfigured(f"{path}: {cause}; {remedy}")


def key_family(der: bytes) -> Literal["rsa", "ecdsa"]:
    """The kind of key in a certificate. Raises CertificateRejected."""
    return "rsa" if isinstance(_x509.public_key(_x509.parse(der)), rsa.RSAPublicKey) else "ecdsa"
