"""What a certificate must be: every refusal has its test, and so has everything that is taken."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import CertificateRejected, Misconfigured, TrustStale
from gateway.security.pki import (
    CertificateCache,
    TrustSnapshot,
    Usage,
    build_trust,
    check_certificate,
    oin_of,
)
from gateway.security.throwaway import CertificateSpec, Pair, issue, new_key, revocation_list
from tests.conftest import Pki

HOURS_4 = timedelta(hours=4)
CA = CertificateSpec(file="ca", name="Voorbeeld CA", authority=True, usage=("keyCertSign", "cRLSign"))
LEAF = CertificateSpec(file="blad", name="Voorbeeld", oins=("00000099000000050000",), purposes=("clientAuth",))
CA_KEY = new_key("P-256")


def der(thing: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return thing.public_bytes(Encoding.DER)


class World:
    """Certificates made for one test, around one moment."""

    def __init__(self, pki: Pki) -> None:
        self.now = pki.now

    def root(self, name: str = "Voorbeeld CA", key: str | None = None, **fields: object) -> Pair:
        spec = CertificateSpec(**{**vars_of(CA), "name": name, **fields})
        return issue(spec, new_key(key) if key else CA_KEY, issuer=None, now=self.now)

    def below(self, issuer: Pair, name: str, **fields: object) -> Pair:
        spec = CertificateSpec(**{**vars_of(CA), "name": name, **fields})
        return issue(spec, new_key("P-256"), issuer=issuer, now=self.now)

    def leaf(self, issuer: Pair, key: str = "P-256", **fields: object) -> bytes:
        spec = CertificateSpec(**{**vars_of(LEAF), **fields})
        return der(issue(spec, new_key(key), issuer=issuer, now=self.now).certificate)

    def crl(self, issuer: Pair, *revoked: int, number: int = 1, days: int = 30) -> bytes:
        made = revocation_list(issuer, revoked, this_update=self.now - timedelta(days=1),
                               next_update=self.now + timedelta(days=days), number=number)
        return der(made)

    def trust(self, *cas: Pair, crls: list[bytes] | None = None) -> TrustSnapshot:
        lists = [self.crl(ca) for ca in cas] if crls is None else crls
        return build_trust([(f"ca-{at}", der(ca.certificate)) for at, ca in enumerate(cas)],
                           [(f"crl-{at}", crl) for at, crl in enumerate(lists)],
                           loaded_at=self.now, max_age=HOURS_4)


def vars_of(spec: CertificateSpec) -> dict[str, object]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


@pytest.fixture
def world(pki: Pki) -> World:
    return World(pki)


def refusal(octets: bytes, trust: TrustSnapshot, pki: Pki, usage: Usage = Usage.SIGNING) -> str:
    with pytest.raises(CertificateRejected) as caught:
        check_certificate(octets, trust, pki.now, usage=usage)
    return caught.value.detail


# --- what is taken -------------------------------------------------------------------------------------------


def test_takes_every_certificate_of_the_example_world(pki: Pki) -> None:
    trust = pki.trust()
    for slug in ("hub", "gemeente", "energie", "deurwaarder", "zorgverzekeraar", "kredietbank", "waarborgfonds",
                 "bewindvoerder", "budgetbeheer", "matching", "rechtbank"):
        signing = check_certificate(pki.der(f"{slug}-sign"), trust, pki.now, usage=Usage.SIGNING)
        client = check_certificate(pki.der(f"{slug}-tls"), trust, pki.now, usage=Usage.CLIENT)
        server = check_certificate(pki.der(f"{slug}-tls"), trust, pki.now, usage=Usage.SERVER)
        assert signing.certificate.oin == client.certificate.oin == server.certificate.oin
        assert len(signing.certificate.oin) == 20
        assert "niet voor productie" in signing.certificate.subject


@pytest.mark.clause("PKI001", "§6.2")
def test_says_what_the_certificate_says(pki: Pki) -> None:
    octets = pki.der("gemeente-sign")
    found = check_certificate(octets, pki.trust(), pki.now, usage=Usage.SIGNING)
    parsed = x509.load_der_x509_certificate(octets)
    assert found.certificate.oin == "00000099000000001000"
    assert found.certificate.sha256 == parsed.fingerprint(hashes.SHA256()).hex()
    assert found.certificate.not_after == parsed.not_valid_after_utc
    assert found.public_key == parsed.public_key()


@pytest.mark.parametrize("key", ["RSA-2048", "RSA-3072", "RSA-4096", "P-256", "P-384", "P-521"])
def test_takes_keys(world: World, pki: Pki, key: str) -> None:
    root = world.root()
    octets = world.leaf(root, key)
    assert check_certificate(octets, world.trust(root), pki.now, usage=Usage.CLIENT).public_key.key_size


@pytest.mark.clause("SIGN001")
@pytest.mark.parametrize("digest", ["SHA-256", "SHA-384", "SHA-512"])
@pytest.mark.parametrize("key", ["RSA-2048", "P-384"])
def test_takes_signatures_by_the_ca(world: World, pki: Pki, key: str, digest: str) -> None:
    root = world.root(key=key)
    assert check_certificate(world.leaf(root, digest=digest), world.trust(root), pki.now, usage=Usage.CLIENT)


@pytest.mark.parametrize(("usage", "purposes"), [
    (("digitalSignature",), ()),
    (("nonRepudiation",), ()),
    (("digitalSignature", "keyEncipherment"), ("serverAuth", "clientAuth")),  # PKIoverheid G1: one for everything
    (("digitalSignature",), ("emailProtection",)),
])
def test_takes_signing_certificates(world: World, pki: Pki, usage: tuple[str, ...], purposes: tuple[str, ...]) -> None:
    root = world.root()
    octets = world.leaf(root, usage=usage, purposes=purposes)
    assert check_certificate(octets, world.trust(root), pki.now, usage=Usage.SIGNING)


def test_takes_a_tls_certificate_without_extended_key_usage(world: World, pki: Pki) -> None:
    root = world.root()
    octets = world.leaf(root, purposes=())
    for usage in (Usage.CLIENT, Usage.SERVER):
        assert check_certificate(octets, world.trust(root), pki.now, usage=usage)


def test_takes_an_unknown_extension_that_is_not_critical(world: World, pki: Pki) -> None:
    root = world.root()
    assert check_certificate(world.leaf(root, oddities=("unknown",)), world.trust(root), pki.now, usage=Usage.CLIENT)


@pytest.mark.clause("§6.1")
def test_takes_a_path_over_two_configured_intermediates(pki: Pki) -> None:
    trust = pki.trust("tsp", "stam", "domein")  # in no particular order
    assert check_certificate(pki.der("tsp-klant"), trust, pki.now, usage=Usage.CLIENT)


@pytest.mark.clause("§6.1")
def test_takes_two_anchors_side_by_side(pki: Pki) -> None:
    trust = pki.trust("ca", "andere-ca")
    for name in ("gemeente-tls", "andere-ca-gemeente"):
        assert check_certificate(pki.der(name), trust, pki.now, usage=Usage.CLIENT)


@pytest.mark.clause("§6.4")
def test_takes_two_roots_of_one_name(pki: Pki) -> None:
    """Rollover: the CA has a new key, certificates under the old one still run."""
    trust = pki.trust("dubbelganger-ca", "ca")
    for name in ("gemeente-tls", "dubbelganger-gemeente"):
        assert check_certificate(pki.der(name), trust, pki.now, usage=Usage.CLIENT)


@pytest.mark.clause("§6.4")
def test_takes_a_ca_certified_under_an_expired_and_a_new_root(world: World, pki: Pki) -> None:
    old, new = world.root("Oud", "P-256", from_days=-9, until_days=-1), world.root("Nieuw", "P-256")
    by_old = world.below(old, "TSP")
    by_new = issue(CertificateSpec(**{**vars_of(CA), "name": "TSP"}), by_old.key, issuer=new, now=pki.now)
    octets = world.leaf(by_old)
    trust = world.trust(by_old, old, by_new, new)
    assert check_certificate(octets, trust, pki.now, usage=Usage.CLIENT)
    assert "expired" in refusal(octets, world.trust(by_old, old), pki, Usage.CLIENT)


@pytest.mark.clause("§6.2")
def test_takes_capitals_in_an_oin(world: World, pki: Pki) -> None:
    root = world.root()
    octets = world.leaf(root, oins=("000000070AB123456000",))
    found = check_certificate(octets, world.trust(root), pki.now, usage=Usage.CLIENT)
    assert found.certificate.oin == "000000070AB123456000"


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.clause("PKI001", "PKI002", "PKI003", "SIGN001", "WT004", "§4.1", "§6.1", "§6.2")
@pytest.mark.parametrize(("name", "usage", "reason"), [
    ("verlopen", Usage.SIGNING, "certificate expired at"),
    ("nog-niet-geldig", Usage.SIGNING, "certificate is not valid before"),
    ("geen-oin", Usage.SIGNING, "0 serialNumber attributes"),
    ("oin-in-cn", Usage.SIGNING, "0 serialNumber attributes"),
    ("twee-oins", Usage.SIGNING, "2 serialNumber attributes"),
    ("korte-oin", Usage.SIGNING, "no OIN"),
    ("alleen-server", Usage.CLIENT, "extended key usage does not fit use as client"),
    ("alleen-server", Usage.SIGNING, "extended key usage does not fit use as signing"),
    ("alleen-client", Usage.SERVER, "extended key usage does not fit use as server"),
    ("tijdstempel", Usage.SIGNING, "extended key usage does not fit use as signing"),
    ("geen-handtekening", Usage.SIGNING, "no digitalSignature"),
    ("geen-handtekening", Usage.CLIENT, "no digitalSignature"),
    ("geen-gebruik", Usage.SIGNING, "has no key usage"),
    ("rsa-1024", Usage.SIGNING, "RSA key of 1024 bits"),
    ("rsa-e3", Usage.SIGNING, "exponent other than 65537"),
    ("andere-kromme", Usage.SIGNING, "curve secp256k1"),
    ("ed25519", Usage.SIGNING, "neither RSA nor EC"),
    ("sha1", Usage.SIGNING, "signed by sha1WithRSAEncryption"),
    ("ca-als-blad", Usage.SIGNING, "CA certificate"),
    ("ca", Usage.SIGNING, "CA certificate"),
    ("onbekend-kritiek", Usage.SIGNING, "critical extension 2.25.1"),
    ("naambeperking", Usage.SIGNING, "name constraints"),
    ("zelfondertekend", Usage.CLIENT, "no trusted CA signed it"),
    ("andere-ca-gemeente", Usage.CLIENT, "no trusted CA signed it; it names CN=Voorbeeld andere CA"),
    ("dubbelganger-gemeente", Usage.CLIENT, "no trusted CA signed it"),
    ("onder-een-blad", Usage.CLIENT, "no trusted CA signed it"),
    ("tsp-klant", Usage.CLIENT, "no trusted CA signed it"),
])
def test_refuses(pki: Pki, name: str, usage: Usage, reason: str) -> None:
    assert reason in refusal(pki.der(name), pki.trust(), pki, usage)


def test_the_sha1_certificate_is_truly_signed(pki: Pki) -> None:
    """Else it would be refused for its signature and prove nothing about its hash."""
    leaf = x509.load_der_x509_certificate(pki.der("sha1"))
    ca_key = x509.load_der_x509_certificate(pki.der("ca")).public_key().public_numbers()
    block = pow(int.from_bytes(leaf.signature), ca_key.e, ca_key.n).to_bytes(256)
    digest = hashes.Hash(hashes.SHA1())
    digest.update(leaf.tbs_certificate_bytes)
    assert block.startswith(b"\x00\x01\xff")
    assert block.endswith(digest.finalize())


@pytest.mark.clause("PKI001", "§6.2")
@pytest.mark.parametrize("oin", ["0" * 19, "0" * 21, "0000009900000000500a", "00000099 00000050000", "0" * 19 + "-"])
def test_refuses_oins_of_another_form(world: World, pki: Pki, oin: str) -> None:
    root = world.root()
    assert "no OIN" in refusal(world.leaf(root, oins=(oin,)), world.trust(root), pki, Usage.CLIENT)


@pytest.mark.parametrize("spoil", [
    lambda octets: octets + b"\x00",
    lambda octets: octets[:-1],
    lambda octets: b"",
    lambda octets: b"-----BEGIN CERTIFICATE-----",
    lambda octets: octets[:1] + b"\x84\x00\x00" + octets[2:],  # a length not in the shortest form
    lambda octets: octets * 40,
])
def test_refuses_what_is_no_der(pki: Pki, spoil: Callable[[bytes], bytes]) -> None:
    assert "certificate" in refusal(spoil(pki.der("gemeente-sign")), pki.trust(), pki)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_refuses_a_negative_serial_number(pki: Pki) -> None:
    """Also where the library only warns."""
    octets = pki.der("gemeente-sign")
    serial = x509.load_der_x509_certificate(octets).serial_number
    positive = serial.to_bytes(serial.bit_length() // 8 + 1)
    negative = octets.replace(positive, bytes([positive[0] | 0x80]) + positive[1:], 1)
    assert negative != octets
    assert refusal(negative, pki.trust(), pki) in (
        "certificate's serial number is not positive", "certificate cannot be read"  # a later library refuses itself
    )


def test_refuses_version_1(pki: Pki) -> None:
    octets = pki.der("gemeente-sign").replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1)
    assert "certificate" in refusal(octets, pki.trust(), pki)


def test_refuses_an_authority_key_id_of_another_key(world: World, pki: Pki) -> None:
    """The name and the signature fit, the key identifier does not: not this CA's word."""
    root, other = world.root(), new_key("P-256")
    leaf = x509.load_der_x509_certificate(world.leaf(root))
    builder = x509.CertificateBuilder(
        leaf.issuer, leaf.subject, leaf.public_key(), leaf.serial_number, leaf.not_valid_before_utc,
        leaf.not_valid_after_utc, [
            extension for extension in leaf.extensions if extension.oid != x509.AuthorityKeyIdentifier.oid
        ])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(other.public_key())
    octets = der(builder.add_extension(identifier, critical=False).sign(CA_KEY, hashes.SHA256()))
    assert "no trusted CA" in refusal(octets, world.trust(root), pki, Usage.CLIENT)


@pytest.mark.clause("§6.1")
def test_refuses_a_purpose_the_ca_may_not_give(world: World, pki: Pki) -> None:
    root = world.root()
    tsp = world.below(root, "Voorbeeld TSP", purposes=("clientAuth",))
    octets = world.leaf(tsp, purposes=("clientAuth", "serverAuth"))
    trust = world.trust(tsp, root)
    assert check_certificate(octets, trust, pki.now, usage=Usage.CLIENT)
    assert "may not issue for use as server" in refusal(octets, trust, pki, Usage.SERVER)
    free = world.below(root, "Voorbeeld TSP", purposes=("any",))
    assert check_certificate(world.leaf(free), world.trust(free, root), pki.now, usage=Usage.CLIENT)


def test_any_purpose_in_a_leaf_is_no_purpose(world: World, pki: Pki) -> None:
    root = world.root()
    assert "does not fit" in refusal(world.leaf(root, purposes=("any",)), world.trust(root), pki, Usage.CLIENT)


@pytest.mark.clause("PKI002", "§6.1")
def test_refuses_under_an_expired_or_future_ca(world: World, pki: Pki) -> None:
    for dates, reason in (({"from_days": -9, "until_days": -1}, "expired"), ({"from_days": 1}, "not valid before")):
        root = world.root(**dates)
        assert reason in refusal(world.leaf(root), world.trust(root), pki, Usage.CLIENT)


@pytest.mark.clause("PKI002")
def test_dates_hold_to_the_second(world: World, pki: Pki) -> None:
    root = world.root(until_days=3650)
    octets, trust = world.leaf(root), world.trust(root, crls=[world.crl(root, days=3000)])
    parsed = x509.load_der_x509_certificate(octets)
    long = TrustSnapshot(anchors=trust.anchors, crls=trust.crls, paths=trust.paths, version=trust.version,
                         loaded_at=trust.loaded_at, max_age=timedelta(days=3000))
    second = timedelta(seconds=1)
    assert check_certificate(octets, long, parsed.not_valid_after_utc, usage=Usage.CLIENT)
    for moment in (parsed.not_valid_after_utc + second, parsed.not_valid_before_utc - second):
        with pytest.raises(CertificateRejected):
            check_certificate(octets, long, moment, usage=Usage.CLIENT)


# --- revocation ----------------------------------------------------------------------------------------------


@pytest.mark.clause("PKI002", "PKI003", "WT004", "§6.3")
def test_refuses_a_revoked_certificate(pki: Pki) -> None:
    octets = pki.der("ingetrokken")
    assert check_certificate(octets, pki.trust(), pki.now, usage=Usage.CLIENT)
    trust = pki.trust(crls=("ca-met-ingetrokken",))
    assert "certificate is revoked" in refusal(octets, trust, pki, Usage.CLIENT)
    assert check_certificate(pki.der("gemeente-tls"), trust, pki.now, usage=Usage.CLIENT)


def test_the_newest_list_counts(world: World, pki: Pki) -> None:
    root = world.root()
    octets = world.leaf(root)
    serial = x509.load_der_x509_certificate(octets).serial_number
    newer, older = world.crl(root, serial, number=8), world.crl(root, number=7)
    for order in ([newer, older], [older, newer]):
        assert "is revoked" in refusal(octets, world.trust(root, crls=order), pki, Usage.CLIENT)


@pytest.mark.clause("PKI003", "§6.3")
def test_refuses_below_a_revoked_intermediate(pki: Pki) -> None:
    trust = pki.trust("stam", "domein", "tsp", crls=("stam", "domein-met-tsp", "tsp"))
    assert "CA CN=Voorbeeld TSP CA" in refusal(pki.der("tsp-klant"), trust, pki, Usage.CLIENT)


@pytest.mark.clause("PKI003", "§6.3")
@pytest.mark.parametrize(("anchors", "crls", "reason"), [
    (("ca",), ("ca-verlopen",), "to be renewed by"),
    (("ca",), ("ca-toekomst",), "the future"),
    (("ca",), (), "no revocation list of CA"),
    (("ca", "andere-ca"), ("andere-ca",), "no revocation list of CA"),
])
def test_without_a_current_list_nothing_is_taken(
    pki: Pki, anchors: tuple[str, ...], crls: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(TrustStale) as caught:
        check_certificate(pki.der("gemeente-tls"), pki.trust(*anchors, crls=crls), pki.now, usage=Usage.CLIENT)
    assert reason in caught.value.detail


@pytest.mark.clause("§6.3")
@pytest.mark.parametrize("missing", ["stam", "domein", "tsp"])
def test_every_ca_of_the_path_needs_its_list(pki: Pki, missing: str) -> None:
    names = ("stam", "domein", "tsp")
    trust = pki.trust(*names, crls=tuple(name for name in names if name != missing))
    with pytest.raises(TrustStale):
        check_certificate(pki.der("tsp-klant"), trust, pki.now, usage=Usage.CLIENT)


def test_a_missing_list_of_another_ca_is_no_matter(pki: Pki) -> None:
    trust = pki.trust("ca", "andere-ca", crls=("ca",))
    assert check_certificate(pki.der("gemeente-tls"), trust, pki.now, usage=Usage.CLIENT)


@pytest.mark.clause("§6.3")
def test_lists_grow_stale_since_they_were_read(pki: Pki) -> None:
    trust, octets = pki.trust(max_age=HOURS_4), pki.der("gemeente-tls")
    assert check_certificate(octets, trust, pki.now + HOURS_4, usage=Usage.CLIENT)
    with pytest.raises(TrustStale, match="is over 4:00:00 old"):
        check_certificate(octets, trust, pki.now + HOURS_4 + timedelta(seconds=1), usage=Usage.CLIENT)


# --- building the snapshot -----------------------------------------------------------------------------------


def refused_trust(build: Callable[[], object]) -> str:
    with pytest.raises(Misconfigured) as caught:
        build()
    return caught.value.detail


@pytest.mark.clause("§6.3")
def test_trust_refuses_lists_that_are_not_the_anchors(pki: Pki, world: World) -> None:
    assert "none of the trust anchors signed it" in refused_trust(lambda: pki.trust(crls=("ca", "andere-ca")))
    # same name, other key
    assert "none of the trust anchors signed it" in refused_trust(lambda: pki.trust(crls=("dubbelganger-ca",)))
    root = world.root()
    octets = bytearray(world.crl(root))
    octets[-1] ^= 1
    assert "crl-0" in refused_trust(lambda: world.trust(root, crls=[bytes(octets)]))
    assert "cannot be read" in refused_trust(lambda: world.trust(root, crls=[b"0"]))


def test_trust_refuses_a_list_by_a_ca_that_may_not_sign_any(world: World) -> None:
    root = world.root(usage=("keyCertSign",))
    assert "none of the trust anchors" in refused_trust(lambda: world.trust(root))


@pytest.mark.parametrize(("extension", "critical", "reason"), [
    (x509.DeltaCRLIndicator(1), True, "partial list"),
    (x509.IssuingDistributionPoint(None, None, True, False, None, False, False), True, "partial list"),
    (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.25.1"), b"\x05\x00"), True, "partial list (2.25.1)"),
])
def test_trust_refuses_partial_lists(
    world: World, extension: x509.ExtensionType, critical: bool, reason: str
) -> None:
    root = world.root()
    builder = (x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject).last_update(world.now)
               .next_update(world.now + HOURS_4).add_extension(extension, critical))
    crl = der(builder.sign(CA_KEY, hashes.SHA256()))
    assert reason in refused_trust(lambda: world.trust(root, crls=[crl]))


def test_trust_refuses_an_entry_it_does_not_understand(world: World) -> None:
    root = world.root()
    entry = (x509.RevokedCertificateBuilder().serial_number(1).revocation_date(world.now)
             .add_extension(x509.CertificateIssuer([x509.DNSName("voorbeeld.invalid")]), critical=True).build())
    builder = (x509.CertificateRevocationListBuilder().issuer_name(root.certificate.subject).last_update(world.now)
               .next_update(world.now + HOURS_4).add_revoked_certificate(entry))
    crl = der(builder.sign(CA_KEY, hashes.SHA256()))
    assert "critical extension" in refused_trust(lambda: world.trust(root, crls=[crl]))


@pytest.mark.clause("§6.1")
def test_trust_refuses_anchors_that_are_no_ca(pki: Pki, world: World) -> None:
    assert "no CA certificate" in refused_trust(lambda: pki.trust("gemeente-tls", crls=()))
    assert "signing certificates" in refused_trust(lambda: world.trust(world.root(usage=("cRLSign",)), crls=[]))
    assert "RSA key of 1024 bits" in refused_trust(lambda: world.trust(world.root(key="RSA-1024"), crls=[]))
    for oddity, reason in (("name-constraints", "name constraints"), ("unknown-critical", "critical extension")):
        root = world.root(oddities=(oddity,))
        assert reason in refused_trust(lambda root=root: world.trust(root, crls=[]))
    assert "no trust anchor" in refused_trust(lambda: world.trust())


def test_trust_refuses_an_intermediate_without_its_root(pki: Pki) -> None:
    detail = refused_trust(lambda: pki.trust("tsp", "domein"))
    assert "its own issuer is not configured" in detail
    assert "tsp.pem" in detail


@pytest.mark.clause("§6.1")
def test_trust_refuses_a_path_longer_than_allowed(world: World) -> None:
    root = world.root(path_length=0)
    tsp = world.below(root, "Voorbeeld TSP")
    assert "allows no path this long" in refused_trust(lambda: world.trust(root, tsp))
    root = world.root(path_length=1)
    assert world.trust(root, world.below(root, "Voorbeeld TSP"))


def test_trust_survives_cas_that_certify_each_other(world: World, pki: Pki) -> None:
    root = world.root()
    a = world.below(root, "Voorbeeld A")
    b = world.below(a, "Voorbeeld B")
    a_by_b = issue(CertificateSpec(**{**vars_of(CA), "name": "Voorbeeld A"}), a.key, issuer=b, now=pki.now)
    trust = world.trust(a, b, a_by_b, root)
    assert check_certificate(world.leaf(b), trust, pki.now, usage=Usage.CLIENT)


def test_version_is_a_digest_of_all_octets(pki: Pki, world: World) -> None:
    assert pki.trust("ca", "andere-ca").version == pki.trust("andere-ca", "ca").version
    assert pki.trust().version != pki.trust(crls=("ca-met-ingetrokken",)).version
    assert pki.trust().version != pki.trust("andere-ca").version


# --- cache ---------------------------------------------------------------------------------------------------


def test_cache_gives_what_the_check_gives(pki: Pki) -> None:
    cache, trust, octets = CertificateCache(), pki.trust(), pki.der("gemeente-tls")
    first = cache.check(octets, trust, pki.now, usage=Usage.CLIENT)
    assert cache.check(bytes(bytearray(octets)), trust, pki.now, usage=Usage.CLIENT) is first
    assert first == check_certificate(octets, trust, pki.now, usage=Usage.CLIENT)
    with pytest.raises(CertificateRejected):
        cache.check(pki.der("alleen-client"), trust, pki.now, usage=Usage.SERVER)
    assert len(cache) == 1


@pytest.mark.clause("PKI002", "§6.3")
def test_cached_verdicts_still_know_the_time(pki: Pki) -> None:
    cache, trust, octets = CertificateCache(), pki.trust(max_age=timedelta(days=9999)), pki.der("gemeente-tls")
    assert cache.check(octets, trust, pki.now, usage=Usage.CLIENT)
    for moment, error in ((365, CertificateRejected), (-2, CertificateRejected), (31, TrustStale)):
        with pytest.raises(error):
            cache.check(octets, trust, pki.now + timedelta(days=moment), usage=Usage.CLIENT)
    with pytest.raises(TrustStale):
        cache.check(octets, pki.trust(max_age=HOURS_4), pki.now + timedelta(hours=5), usage=Usage.CLIENT)


def test_cache_asks_anew_when_lists_change(pki: Pki) -> None:
    cache, octets = CertificateCache(), pki.der("ingetrokken")
    assert cache.check(octets, pki.trust(), pki.now, usage=Usage.CLIENT)
    with pytest.raises(CertificateRejected):
        cache.check(octets, pki.trust(crls=("ca-met-ingetrokken",)), pki.now, usage=Usage.CLIENT)


def test_cache_keeps_usages_apart(pki: Pki) -> None:
    cache, trust, octets = CertificateCache(), pki.trust(), pki.der("alleen-client")
    assert cache.check(octets, trust, pki.now, usage=Usage.CLIENT)
    with pytest.raises(CertificateRejected):
        cache.check(octets, trust, pki.now, usage=Usage.SERVER)


def test_cache_is_bounded_and_the_least_used_goes(pki: Pki) -> None:
    cache, trust = CertificateCache(limit=2), pki.trust()
    kept = cache.check(pki.der("gemeente-tls"), trust, pki.now, usage=Usage.CLIENT)
    gone = cache.check(pki.der("energie-tls"), trust, pki.now, usage=Usage.CLIENT)
    cache.check(pki.der("gemeente-tls"), trust, pki.now, usage=Usage.CLIENT)
    cache.check(pki.der("matching-tls"), trust, pki.now, usage=Usage.CLIENT)
    assert len(cache) == 2
    assert cache.check(pki.der("gemeente-tls"), trust, pki.now, usage=Usage.CLIENT) is kept
    assert cache.check(pki.der("energie-tls"), trust, pki.now, usage=Usage.CLIENT) is not gone


def test_cache_is_safe_between_threads(pki: Pki) -> None:
    cache, trust, wrong = CertificateCache(limit=3), pki.trust(), []
    octets = {slug: pki.der(f"{slug}-tls") for slug in ("gemeente", "energie", "matching", "rechtbank", "hub")}
    oins = {slug: oin_of(x509.load_der_x509_certificate(one)) for slug, one in octets.items()}

    def ask() -> None:
        for _ in range(60):
            for slug, one in octets.items():
                if cache.check(one, trust, pki.now, usage=Usage.CLIENT).certificate.oin != oins[slug]:
                    wrong.append(slug)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(cache) == 3


# --- for people ----------------------------------------------------------------------------------------------


def test_names_for_people_hold_no_control_characters(world: World, pki: Pki) -> None:
    root = world.root()
    leaf = world.leaf(root, name="regel\r\nnog een regel\x1b[31m")
    assert check_certificate(leaf, world.trust(root), pki.now, usage=Usage.CLIENT).certificate.subject.isprintable()


# --- what must hold always -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gemeente-sign", "gemeente-tls"])
def test_any_one_bit_change_is_refused(pki: Pki, name: str) -> None:
    octets, trust = bytearray(pki.der(name)), pki.trust()
    for place in range(len(octets) * 8):
        octets[place // 8] ^= 1 << place % 8
        with pytest.raises(CertificateRejected):
            check_certificate(bytes(octets), trust, pki.now, usage=Usage.SIGNING)
        octets[place // 8] ^= 1 << place % 8


@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=300))
def test_no_octets_raise_anything_else(pki: Pki, octets: bytes) -> None:
    for candidate in (octets, b"\x30\x82" + len(octets).to_bytes(2) + octets):
        with pytest.raises(CertificateRejected):
            check_certificate(candidate, _trust_once(pki), pki.now, usage=Usage.CLIENT)


@settings(max_examples=60, deadline=None)
@given(hours=st.integers(-24 * 40, 24 * 400))
def test_cache_and_check_agree_at_any_time(pki: Pki, hours: int) -> None:
    trust, octets = pki.trust(max_age=timedelta(days=365)), pki.der("gemeente-tls")
    cache, moment = CertificateCache(), pki.now + timedelta(hours=hours)
    cache.check(octets, trust, pki.now, usage=Usage.CLIENT)

    def verdict(check: Callable[..., object]) -> str:
        try:
            check(octets, trust, moment, usage=Usage.CLIENT)
        except (CertificateRejected, TrustStale) as error:
            return f"{type(error).__name__}: {error.detail}"
        return "good"

    assert verdict(cache.check) == verdict(check_certificate)


_once: dict[str, TrustSnapshot] = {}


def _trust_once(pki: Pki) -> TrustSnapshot:
    return _once.setdefault(str(pki.folder), pki.trust())
