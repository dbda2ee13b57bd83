"""OCSP: what to ask of an issuer about its certificates, and which answers to believe.

An extra beside the revocation list, which stays mandatory: "revoked" refuses at once, "good" adds nothing, no answer
changes nothing. Pure: asking is the network's part (transport), and never on the way in.

Sources: RFC 6960 §3.2, §4.2; Digikoppeling PKI003 (the list), PKIoverheid (OCSP as an extra).
"""

from collections.abc import Iterable, Iterator

from cryptography import x509


def revoked_serials(answers: Iterable[bytes], issuer: x509.Certificate) -> Iterator[int]:
    """The serial numbers that one of these answers revokes, by the word of `issuer` or whom it appointed."""
    yield from ()
