"""Mistakes with certificates, identities and clocks. Rows as in of_wire."""

from dataclasses import replace
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import CertificateRejected, SecurityMissing
from gateway.security import EXAMPLE_OINS, Usage, check_certificate, load_certificate
from gateway.security.throwaway import CertificateSpec, issue, new_key
from tests import foreign
from tests.explain.world import World, at, first, minutes, setting
from tests.hostile.attack import message
from tests.hostile.certificates import tlv

GEMEENTE, ENERGIE = EXAMPLE_OINS["gemeente"], EXAMPLE_OINS["energie"]


def _signed_by(**spec):
    """A certificate of the hub's CA that differs in one thing."""
    key = spec.pop("key", "P-256")
    oins = spec.pop("oins", None)
    return lambda world: world.look(world.octets(identity=world.identity(key=key, oins=oins, spec=spec)))


def _example(name: str, **known):
    """A wrong certificate of certs-example, at a hub that trusts its CA."""
    def run(world: World):
        return world.look(world.octets(identity=world.example(name)), known=_pki_known(world, **known))
    return run


def _pki_known(world: World, *anchors: str, crls: tuple[str, ...] | None = None, **changes):
    """A hub that trusts these CAs of certs-example, and knows every party."""
    trust = world.pki.trust(*anchors, crls=crls)

    def check(der, now):
        return check_certificate(der, trust, now, usage=Usage.SIGNING)

    return world.known(trust=trust, check_signer=check, may_speak=lambda *who: True, **changes)


def _unsigned_ca(name: str):
    """A certificate of a CA that the hub does not know."""
    def run(world: World):
        own, ca = new_key("P-256"), new_key("P-256")
        issuer = issue(CertificateSpec(file="ca", name=name, issuer="ca", authority=True, usage=("keyCertSign",)), ca,
                       issuer=None, now=world.now, organisation=name)
        made = issue(CertificateSpec(file="x", name="Gemeente", oins=(GEMEENTE,)), own, issuer=issuer, now=world.now)
        return world.look(world.octets(identity=foreign.Identity(
            key=own, certificate=made.certificate.public_bytes(Encoding.DER))), known=_production(world))
    return run


def _production(world: World):
    """A hub whose anchors have no name that says test."""
    trust = world.line.trust.snapshot
    anchors = tuple(replace(one, subject="CN=PKIoverheid Private Services CA") for one in trust.anchors)
    return world.known(trust=replace(trust, anchors=anchors))


def _twin(world: World):
    """A CA with the name of the hub's and another key."""
    return world.look(world.octets(identity=world.example("dubbelganger-gemeente")), known=_pki_known(world))


def _intermediate(world: World):
    """The chain is sent as PKIPath; the hub knows the domain CA and not the TSP under it."""
    who = world.example("tsp-klant")
    path = tlv(0x30, world.pki.der("tsp"), who.certificate)
    return world.look(world.octets(identity=who, token=path), known=_pki_known(world, "stam", "domein"))


def _revoked(world: World):
    return world.look(world.octets(identity=world.example("ingetrokken")),
                      known=_pki_known(world, "ca", crls=("ca-met-ingetrokken",)))


def _by_ocsp(world: World):
    who = world.line.identity("gemeente")
    number = x509.load_der_x509_certificate(who.certificate).serial_number
    anchors = tuple(replace(one, ocsp_revoked=frozenset({number})) for one in world.line.trust.snapshot.anchors)
    return world.look(world.octets(), known=world.known(trust=replace(world.line.trust.snapshot, anchors=anchors)))


def _crl(**changes):
    """A good certificate, at a hub whose lists are not in order."""
    def run(world: World):
        who = world.example("gemeente-sign")
        return world.look(world.octets(identity=who), known=_stale(world, **changes))
    return run


def _stale(world: World, *, crls: tuple[str, ...] | None = None, hours: int = 0):
    known = _pki_known(world, "ca", crls=crls)
    then = known.now - timedelta(hours=hours)
    anchors = tuple(replace(one, revocation=one.revocation and replace(one.revocation, proven_at=then))
                    for one in known.trust.anchors)
    return replace(known, trust=replace(known.trust, anchors=anchors))


def _strict(**changes):
    """A hub that takes not every certificate of its CA."""
    return lambda world: world.look(world.octets(), known=world.known(
        trust=replace(world.line.trust.snapshot, **{name: make(world) for name, make in changes.items()})))


def _ca(world: World) -> x509.Certificate:
    return world.line.trust.snapshot.anchors[0].certificate


def _pinned(world: World):
    """A certificate renewed without telling the hub."""
    return world.look(world.octets(), known=world.known(registered=lambda party, sha256: False))


def _odd(world: World):
    """A rule of the line that the explainer has no words for."""
    def check(der, now):
        raise CertificateRejected("a new rule")

    return world.look(world.octets(), known=world.known(check_signer=check))


def _late_rule(world: World):
    """What only the line sees: a header longer than it takes, in an otherwise good message."""
    def check(der, now):
        if calls:
            raise SecurityMissing("a new rule")
        calls.append(der)
        return world.line.gate.check_signer(der, now)

    calls: list[bytes] = []
    return world.look(world.octets(), known=world.known(check_signer=check))


# --- identities ----------------------------------------------------------------------------------------------


def _peer(slug: str):
    return lambda world: world.look(world.octets(), peer=world.line.peer(slug))


def _unknown_signer(world: World):
    return world.look(world.octets(identity=world.identity(oins=("00000099000000077000",))))


def _unknown_caller(world: World):
    return world.look(world.octets(), peer=world.identity(oins=("00000099000000077000",)).certificate)


def _as_sender(identifier: str):
    return lambda world: world.look(world.octets(message(Afzender=identifier)))


# --- the clock -----------------------------------------------------------------------------------------------


def _stamped(created: str):
    return lambda world: world.look(world.octets(created=created, expires=None))


def _clock(by: timedelta):
    """The sender's clock is off."""
    return lambda world: world.look(world.octets(now=world.now + by))


def _written(form: str):
    return lambda world: world.look(world.octets(created=world.now.strftime(form), expires=None))


TRUST = [
    # --- certificate
    ("a certificate nobody renewed", {"certificate-expired"}, _signed_by(from_days=-400, until_days=-3)),
    ("next year's certificate installed today", {"certificate-not-yet-valid"}, _signed_by(from_days=4)),
    ("openssl req -x509", {"certificate-self-signed"}, lambda world: world.look(
        world.octets(identity=world.example("zelfondertekend")))),
    ("a commercial CA", {"certificate-issuer-unknown"}, _unsigned_ca("Handelsnaam CA B.V.")),
    ("the TRIAL hierarchy in production", {"certificate-test-hierarchy"}, _unsigned_ca("TRIAL PKIoverheid TSP CA")),
    ("a CA of another generation", {"certificate-issuer-other-key"}, _twin),
    ("a TSP that the hub does not know yet", {"certificate-intermediate-missing", "token-pkipath"}, _intermediate),
    ("a revoked certificate", {"certificate-revoked"}, _revoked),
    ("a certificate for persons", {"certificate-ca-refused"}, _strict(refused=lambda world: (_ca(world),))),
    ("a certificate of another policy", {"certificate-policy"}, _strict(
        policies=lambda world: frozenset({"2.16.528.1.1003.1.2.8.6"}))),
    ("a certificate that OCSP calls revoked", {"certificate-revoked"}, _by_ocsp),
    ("no list of this CA", {"crl-missing"}, _crl(crls=())),
    ("a list that lapsed", {"crl-stale"}, _crl(crls=("ca-verlopen",))),
    ("lists not read since yesterday", {"crl-too-old"}, _crl(hours=20)),
    ("the first certificate of a chain file, which is the CA's", {
        "certificate-of-ca", "oin-missing", "signed-by-other-key"}, lambda world: world.look(
            world.octets(token=load_certificate(world.line.instance.folder / "pki" / "ca.pem")))),
    ("the certificate for encryption", {"certificate-key-usage"}, _signed_by(usage=("keyEncipherment",))),
    ("a certificate without keyUsage", {"certificate-no-key-usage"}, _signed_by(usage=())),
    ("the web server's certificate", {"certificate-purpose"}, _signed_by(purposes=("serverAuth",))),
    ("a key of 2010", {"certificate-key-weak"}, _signed_by(key="RSA-1024")),
    ("a curve of the blockchain", {"certificate-key-kind"}, _signed_by(key="K-256")),
    ("a certificate signed with SHA-1", {"certificate-weak-signature"}, _example("sha1")),
    ("a certificate with name constraints", {"certificate-extension"}, _signed_by(oddities=("name-constraints",))),
    ("a certificate with a thousand host names", {"certificate-unreadable"}, _signed_by(
        hosts=tuple(f"afdeling-{number}.voorbeeld.invalid" for number in range(1000)))),
    ("a renewed certificate that was not registered", {"certificate-not-pinned"}, _pinned),
    ("a rule without words of its own", {"certificate-refused"}, _odd),
    ("what only the line sees", {"outside-profile"}, _late_rule),
    ("a certificate without OIN", {"oin-missing"}, _signed_by(oins=())),
    ("a certificate with two", {"oin-twice"}, _signed_by(oins=(GEMEENTE, ENERGIE))),
    ("the OIN in CN", {"oin-elsewhere"}, _signed_by(oins=(), name=GEMEENTE)),
    ("the KvK number instead of the OIN", {"oin-form"}, _signed_by(oins=("12345678",))),
    # --- identities
    ("a caller that is not connected", {"caller-not-registered"}, _unknown_caller),
    ("a signer that is not connected", {"signer-not-registered"}, _unknown_signer),
    ("an Afzender from the acceptance system", {"sender-not-registered"}, _as_sender(
        "22222222-2222-4222-8222-000000000001")),
    ("a supplier without mandate", {"identities-differ"}, _peer("energie")),
    ("wsa:From of another organisation", {"from-other-oin"}, lambda world: world.look(
        world.octets(sender=f"urn:x:y?OIN={ENERGIE}"))),
    # --- the clock
    ("Expires before Created in the header", {"timestamp-layout"}, lambda world: world.look(world.octets(**first(
        at("s:Header/o:Security/u:Timestamp", lambda one: one.insert(0, one[1])))))),
    ("ValueType on Created", {"timestamp-attributes"}, lambda world: world.look(world.octets(**first(
        at("s:Header/o:Security/u:Timestamp/u:Created", setting("ValueType", "xsd:dateTime")))))),
    ("a date without time", {"timestamp-form"}, _stamped("2026-03-02")),
    ("the thirtieth of February", {"timestamp-form"}, _stamped("2026-02-30T10:00:00Z")),
    ("Python isoformat() of a naive time", {"timestamp-no-zone"}, _written("%Y-%m-%dT%H:%M:%S")),
    ("Java OffsetDateTime", {"timestamp-offset"}, _written("%Y-%m-%dT%H:%M:%S+00:00")),
    (".NET round-trip format", {"timestamp-decimals"}, _written("%Y-%m-%dT%H:%M:%S.%f0Z")),
    ("a negative lifetime", {"timestamp-expires-before-created"}, lambda world: world.look(
        world.octets(expires="-60"))),
    ("a lifetime of an hour", {"timestamp-lifetime"}, lambda world: world.look(world.octets(expires="+3600"))),
    ("a clock three minutes ahead", {"timestamp-ahead"}, _clock(minutes(3))),
    ("a message that waited in a queue", {"timestamp-expired"}, _clock(minutes(-25))),
    ("local time with a Z: summer", {"timestamp-time-zone"}, _clock(minutes(120))),
    ("local time with a Z: behind", {"timestamp-time-zone"}, _clock(minutes(-61))),
]
