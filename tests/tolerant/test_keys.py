"""Keys and algorithms of the profile, all of them, in every fitting combination."""

import pytest

from tests import foreign
from tests.hostile.certificates import identity
from tests.tolerant.accepting import Host

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SHA384, SHA512 = MORE + "sha384", "http://www.w3.org/2001/04/xmlenc#sha512"
RSA = [foreign.RSA_SHA256, MORE + "rsa-sha384", MORE + "rsa-sha512", foreign.PSS]
ECDSA = [foreign.ECDSA_SHA256, MORE + "ecdsa-sha384", MORE + "ecdsa-sha512"]


@pytest.fixture(scope="module")
def identities(host: Host) -> dict[str, foreign.Identity]:
    """The municipality's, under the CA of the hub."""
    kinds = ("RSA-2048", "RSA-3072", "RSA-4096", "P-256", "P-384", "P-521")
    return {kind: identity(host.target.line, key=kind) for kind in kinds}


@pytest.mark.clause("§4.1", "SIGN001", "SIGN002", "SIGN003", "SIGN004")
@pytest.mark.parametrize("digest", [foreign.SHA256, SHA384, SHA512])
@pytest.mark.parametrize(("kind", "method"), [
    *((kind, method) for kind in ("RSA-2048", "RSA-3072", "RSA-4096") for method in RSA),
    *((kind, method) for kind in ("P-256", "P-384", "P-521") for method in ECDSA)])
def test_key_method_and_digest(
    host: Host, identities: dict[str, foreign.Identity], kind: str, method: str, digest: str,
) -> None:
    host.takes(host.write(identity=identities[kind], method=method, digest=digest))


@pytest.mark.clause("§6.1")
@pytest.mark.parametrize("changes", [
    {"usage": ("digitalSignature", "nonRepudiation")}, {"usage": ("nonRepudiation",)},
    {"usage": ("digitalSignature", "keyEncipherment")}, {"purposes": ("clientAuth",)},
    {"purposes": ("serverAuth", "clientAuth")}, {"purposes": ("emailProtection",)}, {"digest": "SHA-384"},
    {"digest": "SHA-512"}, {"oddities": ("unknown",)}, {"hosts": ("localhost",)},
    {"from_days": -3000, "until_days": 3000},
], ids=str)
def test_certificates_of_other_issuers(host: Host, changes: dict[str, object]) -> None:
    """Usages and purposes differ among the TSPs of PKIoverheid."""
    odd = identity(host.target.line, **changes)
    host.takes(host.write(identity=odd, method=foreign.ECDSA_SHA256))


@pytest.mark.clause("§6.4")
def test_two_certificates_of_one_party_side_by_side(host: Host, identities: dict[str, foreign.Identity]) -> None:
    """Renewal: old and new are taken in turn."""
    for kind in ("RSA-2048", "P-256", "RSA-2048"):
        method = foreign.RSA_SHA256 if kind.startswith("RSA") else foreign.ECDSA_SHA256
        host.takes(host.write(identity=identities[kind], method=method))
