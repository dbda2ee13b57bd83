"""Rules about issuers that an operator configures: CAs that vouch for nobody, and certificate policies."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import CertificateRejected, Misconfigured
from gateway.security.pki import CertificateCache, TrustSnapshot, Usage, build_trust, check_certificate
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key, revocation_list
from tests.conftest import Pki


def der(pair: Pair) -> bytes:
    return pair.certificate.public_bytes(Encoding.DER)


class Hierarchy:
    """A root with the line for systems and the one for persons below it, as PKIoverheid's private root has them."""

    def __init__(self, pki: Pki) -> None:
        self.now = pki.now
        self.root = self.authority("Voorbeeld Private Root", None)
        self.services = self.authority("Voorbeeld Private Services CA", self.root)
        self.persons = self.authority("Voorbeeld Private Personen CA", self.root)
        self.tsp = self.authority("Voorbeeld Personen TSP", self.persons)

    def authority(self, name: str, issuer: Pair | None, key: Pair | None = None) -> Pair:
        spec = CertificateSpec(file="ca", name=name, authority=True, usage=("keyCertSign", "cRLSign"))
        return issue(spec, key.key if key else new_key("P-256"), issuer=issuer, now=self.now)

    def leaf(self, issuer: Pair, *oddities: str) -> bytes:
        spec = CertificateSpec(file="x", name="x", oins=("00000099000000050000",), oddities=oddities)
        return der(issue(spec, new_key("P-256"), issuer=issuer, now=self.now))

    def trust(self, *cas: Pair, refused: tuple[Pair, ...] = (), policies: tuple[str, ...] = ()) -> TrustSnapshot:
        lists = [revocation_list(ca, (), this_update=self.now, next_update=self.now + timedelta(days=1), number=1)
                 .public_bytes(Encoding.DER) for ca in cas]
        return build_trust([(f"ca-{at}", der(ca)) for at, ca in enumerate(cas)],
                           [(f"crl-{at}", crl) for at, crl in enumerate(lists)],
                           loaded_at=self.now, max_age=timedelta(hours=4), policies=frozenset(policies),
                           refused=[(f"refused-{at}", der(ca)) for at, ca in enumerate(refused)])

    def refusal(self, leaf: bytes, trust: TrustSnapshot) -> str:
        with pytest.raises(CertificateRejected) as caught:
            check_certificate(leaf, trust, self.now, usage=Usage.SIGNING)
        return caught.value.detail


@pytest.fixture(scope="module")
def hierarchy(pki: Pki) -> Hierarchy:
    return Hierarchy(pki)


@pytest.mark.clause("§6.1", "PKI005")
def test_a_certificate_of_the_line_for_persons_is_refused_by_name(hierarchy: Hierarchy) -> None:
    """Whether the line is not configured, is configured and refused, or is the issuer of the issuer."""
    one = hierarchy
    person, below, system = one.leaf(one.persons), one.leaf(one.tsp), one.leaf(one.services)
    everything = (one.root, one.services, one.persons, one.tsp)
    without, refusing = one.trust(one.root, one.services), one.trust(*everything, refused=(one.persons,))
    named = one.trust(one.root, one.services, refused=(one.persons,))
    assert "no trusted CA signed it; it names CN=Voorbeeld Private Personen CA" in one.refusal(person, without)
    for trust in (refusing, named):
        detail = one.refusal(person, trust)
        assert "issued by CN=Voorbeeld Private Personen CA" in detail
        assert "which [trust] refused names" in detail
        assert check_certificate(system, trust, one.now, usage=Usage.SIGNING)
    detail = one.refusal(below, refusing)
    assert "issued by CN=Voorbeeld Personen TSP" in detail
    assert "below a CA that [trust] refused names" in detail
    assert check_certificate(below, one.trust(*everything), one.now, usage=Usage.SIGNING)


@pytest.mark.clause("§6.1", "§6.4")
def test_a_refused_cross_certificate_closes_one_way_and_leaves_the_other(hierarchy: Hierarchy) -> None:
    one = hierarchy
    other_root = one.authority("Voorbeeld nieuwe Root", None)
    crossed = one.authority("Voorbeeld Private Services CA", other_root, key=one.services)
    system = one.leaf(one.services)
    both = (one.root, other_root, one.services, crossed)
    assert check_certificate(system, one.trust(*both), one.now, usage=Usage.SIGNING)
    for closed in (one.root, other_root):
        assert check_certificate(system, one.trust(*both, refused=(closed,)), one.now, usage=Usage.SIGNING)
    assert "refused names" in one.refusal(system, one.trust(*both, refused=(one.root, other_root)))


@pytest.mark.clause("§6.1")
def test_configured_policies_are_asked_of_every_certificate(hierarchy: Hierarchy) -> None:
    one = hierarchy
    marked, plain = one.leaf(one.services, "policy"), one.leaf(one.services)
    cas = (one.root, one.services)
    assert check_certificate(marked, one.trust(*cas, policies=("2.25.9", "2.25.2")), one.now, usage=Usage.SIGNING)
    assert check_certificate(plain, one.trust(*cas), one.now, usage=Usage.SIGNING)
    detail = one.refusal(plain, one.trust(*cas, policies=("2.25.2",)))
    assert "its certificate policies (none) are not among those of [trust] policies" in detail
    assert "issued by CN=Voorbeeld Private Services CA" in detail
    assert "(2.25.2)" in one.refusal(marked, one.trust(*cas, policies=("2.25.9",)))


def test_a_change_of_these_rules_reaches_remembered_certificates(hierarchy: Hierarchy) -> None:
    one, cache = hierarchy, CertificateCache()
    person, cas = one.leaf(one.persons), (one.root, one.persons)
    assert cache.check(person, one.trust(*cas), one.now, usage=Usage.SIGNING)
    for trust in (one.trust(*cas, refused=(one.persons,)), one.trust(*cas, policies=("2.25.2",))):
        with pytest.raises(CertificateRejected):
            cache.check(person, trust, one.now, usage=Usage.SIGNING)


def test_remembered_certificates_are_known_by_the_key_of_their_ca(hierarchy: Hierarchy) -> None:
    """Who asks after them names one of the CA's certificates, the path may have gone by another."""
    one, cache = hierarchy, CertificateCache()
    other_root = one.authority("Voorbeeld nieuwe Root", None)
    crossed = one.authority("Voorbeeld Private Services CA", other_root, key=one.services)
    cache.check(one.leaf(one.services), one.trust(one.root, other_root, one.services, crossed), one.now,
                usage=Usage.SIGNING)
    assert len(cache.seen(one.services.certificate)) == len(cache.seen(crossed.certificate)) == 1
    assert cache.seen(one.persons.certificate) == frozenset()


def test_a_refused_ca_that_is_no_certificate_says_so(hierarchy: Hierarchy) -> None:
    anchors = [("ca", der(hierarchy.root))]
    with pytest.raises(Misconfigured, match=r"x\.pem: certificate cannot be read; name the CA's own certificate"):
        build_trust(anchors, [], loaded_at=hierarchy.now, max_age=timedelta(hours=4), refused=[("x.pem", b"0")])
