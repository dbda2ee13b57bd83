"""SOAP structure and WS-Addressing (standards catalogue 5.4, as far as no network is needed)."""

from collections.abc import Callable

import pytest
from lxml import etree

from gateway.errors import (
    ActionMismatch,
    AddressingError,
    AddressingMissing,
    ForbiddenHeader,
    MalformedEnvelope,
    MessageIdMissing,
    MessageIdWrong,
    NotUnderstood,
    ReferenceMissing,
    RelatesToWrong,
    SchemaInvalid,
    SecurityMissing,
    ToMissing,
    ToWrong,
    UnknownMessage,
    VersionMismatch,
    VersionNotAgreed,
)
from gateway.security import EXAMPLE_OINS
from tests import foreign
from tests.foreign import A, S, U
from tests.hostile.attack import EVIL, SURNAME, Target, add, body, clone, header, message, part, security
from tests.line import BASE, KN, POSTBUS, SE, SHV, SR

pytestmark = pytest.mark.clause("§5.4")

Change = Callable[[etree._Element], object]
S12 = "http://www.w3.org/2003/05/soap-envelope"
A04 = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
PING = f'<Ping xmlns="{KN}"/>'.encode()


def readdress(root: etree._Element, name: str, value: str) -> None:
    block = part(root, name)
    (block[0] if len(block) else block).text = value


# --- SOAPAction, Action, Body ---------------------------------------------------------------------

@pytest.mark.incident("CVE-2012-3451")
@pytest.mark.clause("WS002", "BP R2744", "BP R1127")
@pytest.mark.parametrize("action", [
    f"{KN}:Ping", f"{SR}:SaldoVerzoek", f"{SR}:Kennisgeving:antwoord", f"{SR}:kennisgeving", f'"{SR}:Kennisgeving',
    f'{SR}:Kennisgeving"', f'""{SR}:Kennisgeving""', f"'{SR}:Kennisgeving'", f"{SR}:Kennisgeving, {SR}:SaldoVerzoek",
    "*", "urn:x"])
def test_soapaction_spoofing(target: Target, action: str) -> None:
    """CVE-2012-3451: what HTTP says the operation is, the signed Action must say too."""
    target.repels(target.signed(), ActionMismatch, soap_action=action)
    target.repels(target.signed(), ActionMismatch, soap_action=f'"{action}"')


@pytest.mark.clause("WS008", "BP R1127")
@pytest.mark.parametrize(("action", "error"), [
    (f"{SR}:SaldoVerzoek", ActionMismatch), (f"{SR}:RegelingGeaccordeerd", ActionMismatch),
    (f"{KN}:Ping", UnknownMessage), (f"{KN}:HaalBerichtOp", UnknownMessage), ("Kennisgeving", UnknownMessage),
    (f"{SR}:SaldoVerzoekAntwoord", UnknownMessage), (f"{SR}:Kennisgeving:antwoord", UnknownMessage),
    (f"{SR}:kennisgeving", UnknownMessage),
    ("urn:schuldenknooppunt:schuldregeling:1.0:Kennisgeving", UnknownMessage), (A + "/fault", UnknownMessage)])
def test_an_action_for_another_body(target: Target, action: str, error: type) -> None:
    """Signed so by its own sender; also with a SOAPAction that agrees with the Action."""
    target.repels(target.signed(action=action), error)
    target.repels(target.signed(action=action), error, soap_action=f'"{action}"')


def test_a_read_with_the_action_of_a_write_and_the_reverse(target: Target) -> None:
    target.repels(target.signed(message(), path=POSTBUS, action=f"{KN}:HaalBerichtOp"), ActionMismatch, path=POSTBUS)
    number = f'<HaalBerichtOp xmlns="{KN}"><Referentienummer>x</Referentienummer></HaalBerichtOp>'.encode()
    target.repels(target.signed(number, action=f"{SR}:Kennisgeving"), ActionMismatch)


# --- addresses ------------------------------------------------------------------------------------

AWAY = ["{canary}", "http://169.254.169.254/latest/meta-data/", "{file}", "https://gemeente.example/",
        "http://www.w3.org/2005/08/addressing/anonymous/", "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
        "", "ANONYMOUS"]


@pytest.mark.clause("WA001")
@pytest.mark.parametrize("address", AWAY)
@pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
def test_answers_to_elsewhere(target: Target, name: str, address: str) -> None:
    """Signed by its sender; the answer stays on the connection and nothing is fetched."""
    address = target.plant(address)

    def extend(root: etree._Element) -> None:
        if name == "ReplyTo":
            readdress(root, name, address)
        else:
            block = add(header(root), f"{{{A}}}FaultTo", None, **{f"{{{U}}}Id": "_FaultTo"})
            add(block, f"{{{A}}}Address", address)

    target.repels(target.signed(before_signing=extend), AddressingError)


@pytest.mark.parametrize("address", [AWAY[0], AWAY[1], AWAY[2], "urn:x", "mailto:x@example.org"])
def test_a_sender_elsewhere_is_only_a_name(target: Target, address: str) -> None:
    """wsa:From binds nobody: the certificate does. It is taken, and nobody is called."""
    reply = target.line.post(target.signed(sender=target.plant(address)))
    assert reply.status == 200
    assert target.canary.visits() == 0


GOOD = BASE + SHV
TO = [
    "https://localhost" + SHV, "https://localhost:443" + SHV, "http://localhost:8443" + SHV,
    "HTTPS://localhost:8443" + SHV,
    "https://LOCALHOST:8443" + SHV, "https://localhost.:8443" + SHV, "https://user@localhost:8443" + SHV,
    "https://localhost:8443@kwaad.example" + SHV, "https://kwaad.example" + SHV, GOOD + "/", GOOD + "#x", GOOD + "?",
    GOOD + "?x=y", GOOD + ";x", GOOD.replace("/shv", "/SHV"), GOOD.replace("/shv", "/%73hv"),
    GOOD.replace("/shv", "/./shv"),
    GOOD.replace("/shv", "/x/../shv"), GOOD.replace("/shv", "/%2e%2e/2.0/shv"), GOOD.replace("/soap", "//soap"),
    BASE + SE, BASE + POSTBUS, BASE, SHV, "shv", "urn:x", A + "/none", GOOD + "\u200b",
    GOOD.replace("localhost", "l\u043ecalhost"),
    GOOD + "?OIN=" + EXAMPLE_OINS["gemeente"] + "&OIN=" + EXAMPLE_OINS["energie"],
    GOOD + "?OIN=" + EXAMPLE_OINS["gemeente"] + "?OIN=" + EXAMPLE_OINS["energie"],
    GOOD + "?OIN=1", GOOD + "?OIN=", GOOD + "?oin=" + EXAMPLE_OINS["gemeente"], GOOD + "?OIN=" + "0" * 21,
    GOOD + "?OIN=" + EXAMPLE_OINS["gemeente"] + "#x", "{canary}",
]


@pytest.mark.clause("WA001", "§1.5")
@pytest.mark.parametrize("to", TO)
def test_another_to(target: Target, to: str) -> None:
    """An exact match with the addresses of the service that was called, or nothing."""
    target.repels(target.signed(to=target.plant(to)), ToWrong)


@pytest.mark.clause("WA001")
def test_an_empty_to(target: Target) -> None:
    target.repels(target.signed(to=""), ToWrong)


@pytest.mark.clause("WA001", "§1.5")
@pytest.mark.parametrize("value", ["urn:uuid:00000000-0000-4000-8000-000000000000", SURNAME, ""])
def test_a_request_that_relates_to_something(target: Target, value: str) -> None:
    """An answer replayed as a question, and a question in the clothes of an answer."""
    def relate(root: etree._Element) -> None:
        add(header(root), f"{{{A}}}RelatesTo", value, **{f"{{{U}}}Id": "_RelatesTo"})

    target.repels(target.signed(before_signing=relate), RelatesToWrong)


@pytest.mark.clause("WA001", "§1.5")
@pytest.mark.parametrize("identifier", [
    "", " ", "x", "no iri", "urn:a b", "/relative", "#fragment", "urn:" + "x" * 600, "@@", "a@b", "urn:x<y", "1:x"])
def test_a_messageid_that_is_no_iri(target: Target, identifier: str) -> None:
    target.repels(target.signed(message_id=identifier), MessageIdWrong)


# --- cardinality and shape ------------------------------------------------------------------------

@pytest.mark.clause("WA001")
@pytest.mark.parametrize("name", ["To", "Action", "MessageID", "ReplyTo", "From"])
def test_a_header_twice(target: Target, name: str) -> None:
    """Both signed, same value and other value."""
    for value in (None, "urn:x:66613"):
        def double(root: etree._Element, value: str | None = value) -> None:
            other = clone(part(root, name))
            other.set(f"{{{U}}}Id", "_double")
            (other[0] if len(other) else other).text = value or (other[0] if len(other) else other).text
            part(root, name).addnext(other)

        target.repels(target.signed(before_signing=double), ForbiddenHeader, reason="twice")


@pytest.mark.clause("WA001", "§1.5")
@pytest.mark.parametrize(("name", "error"), [
    ("To", ToMissing), ("Action", AddressingMissing), ("MessageID", MessageIdMissing)])
@pytest.mark.parametrize("how", ["before signing", "after signing"])
def test_a_mandatory_header_missing(target: Target, name: str, error: type, how: str) -> None:
    def drop(root: etree._Element) -> None:
        header(root).remove(part(root, name))

    target.repels(target.signed(**{how.replace(" ", "_"): drop}), error)


def test_an_empty_action(target: Target) -> None:
    target.repels(target.signed(action=""), AddressingMissing)


@pytest.mark.clause("WA001")
@pytest.mark.parametrize("version", [A04, "http://schemas.xmlsoap.org/ws/2003/03/addressing", "urn:x"])
def test_addressing_of_another_version(target: Target, version: str) -> None:
    octets = target.signed().replace(A.encode() + b'"', version.encode() + b'"')
    target.repels(octets, ForbiddenHeader)


@pytest.mark.clause("WA001")
@pytest.mark.parametrize("name", ["ReferenceParameters", "Metadata", "Extra"])
@pytest.mark.parametrize("block", ["ReplyTo", "From"])
def test_an_endpoint_with_more_than_an_address(target: Target, block: str, name: str) -> None:
    def extend(root: etree._Element) -> None:
        add(add(part(root, block), f"{{{A}}}{name}"), "{urn:x}evil", EVIL)

    target.repels(target.signed(before_signing=extend), AddressingError)


@pytest.mark.clause("WA001")
@pytest.mark.parametrize("block", ["ReplyTo", "From", "To", "Action", "MessageID"])
def test_a_header_of_another_shape(target: Target, block: str) -> None:
    def two(root: etree._Element) -> None:
        found = part(root, block)
        found.append(clone(found[0]) if len(found) else etree.Element("{urn:x}x"))

    target.repels(target.signed(before_signing=two), AddressingError)


def test_an_endless_header(target: Target) -> None:
    for name in ("To", "Action", "From"):
        target.repels(target.signed(before_signing=lambda r, name=name: readdress(r, name, "urn:" + "x" * 1_000_000)),
                      AddressingError)


# --- structure ------------------------------------------------------------------------------------

def _reroot(octets: bytes, namespace: str) -> bytes:
    return octets.replace(S.encode() + b'"', namespace.encode() + b'"')


@pytest.mark.clause("WW001", "BP R1015")
@pytest.mark.parametrize("namespace", [S12, "urn:x", "http://schemas.xmlsoap.org/soap/envelope", S + "#"])
def test_an_envelope_of_another_version(target: Target, namespace: str) -> None:
    target.repels(_reroot(target.signed(), namespace), VersionMismatch)


@pytest.mark.clause("BP R1015")
@pytest.mark.parametrize("octets", [
    b'<a xmlns="urn:x"/>', b"<Envelope/>", f'<envelope xmlns="{S}"/>'.encode(), f'<Body xmlns="{S}"/>'.encode()])
def test_another_root(target: Target, octets: bytes) -> None:
    target.repels(octets, VersionMismatch)
    target.repels(message(), VersionMismatch)


STRUCTURES: dict[str, Change] = {
    "no Body": lambda r: r.remove(body(r)),
    "no Envelope children": lambda r: [r.remove(child) for child in list(r)],
    "empty Body": lambda r: body(r).remove(body(r)[0]),
    "text for a Body": lambda r: (body(r).remove(body(r)[0]), setattr(body(r), "text", "x")),
    "two children": lambda r: body(r).append(clone(body(r)[0])),
    "a message and a Fault": lambda r: add(body(r), f"{{{S}}}Fault"),
    "text beside the child": lambda r: setattr(body(r)[0], "tail", "x"),
    "Body before Header": lambda r: r.insert(0, body(r)),
    "Header in the Body": lambda r: body(r).append(clone(header(r))),
    "two Headers": lambda r: r.insert(0, etree.Element(f"{{{S}}}Header")),
    "two Bodies": lambda r: r.append(clone(body(r))),
    "an element after the Body": lambda r: add(r, "{urn:x}x"),
    "an element before the Header": lambda r: r.insert(0, etree.Element("{urn:x}x")),
    "text in the Envelope": lambda r: setattr(r, "text", "x"),
    "text in the Header": lambda r: setattr(header(r), "text", "x"),
    "a child without namespace": lambda r: body(r).replace(body(r)[0], etree.Element("Kennisgeving")),
    "mustUnderstand true": lambda r: security(r).set(f"{{{S}}}mustUnderstand", "true"),
    "mustUnderstand 2": lambda r: security(r).set(f"{{{S}}}mustUnderstand", "2"),
    "mustUnderstand empty": lambda r: part(r, "To").set(f"{{{S}}}mustUnderstand", ""),
    "mustUnderstand on the Envelope": lambda r: r.set(f"{{{S}}}mustUnderstand", "1"),
    "an actor on the Body": lambda r: body(r).set(f"{{{S}}}actor", "x"),
}


@pytest.mark.clause("WW003", "BP R9980", "BP R9981", "BP R1011", "BP R1014", "BP R1032", "BP R1013")
@pytest.mark.parametrize("name", STRUCTURES)
def test_an_envelope_of_another_structure(target: Target, name: str) -> None:
    target.repels(target.bent(STRUCTURES[name]), MalformedEnvelope)


@pytest.mark.clause("BP R1025", "BP R1027", "BP R1028", "BP R1029")
@pytest.mark.parametrize("actor", [None, "", "http://schemas.xmlsoap.org/soap/actor/next"])
def test_an_unknown_header_that_must_be_understood(target: Target, actor: str | None) -> None:
    """R1027, also when its sender signed everything else; R1028: nothing is done after it."""
    def extend(root: etree._Element) -> None:
        block = add(header(root), "{urn:x}Transaction", EVIL, **{f"{{{S}}}mustUnderstand": "1"})
        if actor is not None:
            block.set(f"{{{S}}}actor", actor)

    target.repels(target.signed(before_signing=extend), NotUnderstood)


@pytest.mark.clause("WS007", "§1.5")
@pytest.mark.parametrize("block", [
    "{urn:x}Own", f"{{{KN}}}Berichtheader", f"{{{A}}}ReplyAfter", f"{{{A}}}ProblemAction", f"{{{S12}}}Header", "plain"])
def test_a_header_block_of_ones_own(target: Target, block: str) -> None:
    """WS007: none but those of the profile, signed or not."""
    target.repels(target.signed(before_signing=lambda r: add(header(r), block, EVIL)), ForbiddenHeader)


@pytest.mark.parametrize("name", ["To", "Action", "MessageID"])
def test_an_addressing_header_for_another_actor(target: Target, name: str) -> None:
    target.repels(target.signed(before_signing=lambda r: part(r, name).set(f"{{{S}}}actor", "urn:x")), ForbiddenHeader)


WRAPPERS: dict[str, tuple[Callable[[bytes], bytes], type]] = {
    "another namespace": (lambda c: c.replace(SR.encode(), b"urn:x"), ActionMismatch),
    "another version": (lambda c: c.replace(b"schuldregeling:2.0", b"schuldregeling:1.0"), ActionMismatch),
    "a version to come": (lambda c: c.replace(b"schuldregeling:2.0", b"schuldregeling:9.0"), ActionMismatch),
    "another message": (lambda c: c.replace(b"sr:Kennisgeving", b"sr:SaldoVerzoek"), ActionMismatch),
    "the type's name": (lambda c: c.replace(b"sr:Kennisgeving", b"sr:KennisgevingType"), ActionMismatch),
    "another Berichttype": (lambda c: c.replace(b">Kennisgeving<", b">SaldoVerzoek<"), SchemaInvalid),
    "another Versie": (lambda c: c.replace(b"<kn:Versie>2.0", b"<kn:Versie>1.0"), VersionNotAgreed),
    "parts of another namespace": (lambda c: c.replace(KN.encode(), b"urn:x"), SchemaInvalid),
}


@pytest.mark.clause("BP R2712")
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_message_in_another_wrapper(target: Target, name: str) -> None:
    change, error = WRAPPERS[name]
    target.repels(target.signed(change(message()), action=f"{SR}:Kennisgeving"), error)


# --- href and id: SOAP encoding's references ------------------------------------------------------

DECOY = f'<y xmlns="urn:x" id="x">{EVIL}</y>'


@pytest.mark.clause("WW002")
@pytest.mark.parametrize("reference", ["#x", "#unknown", "#self", "", "x", "cid:x", "{canary}"])
def test_href_in_the_body(target: Target, reference: str) -> None:
    """SOAP 1.1 §5.4.1 lets a value stand elsewhere, in a header say: it is never looked for, whoever signed it."""
    reference = target.plant(reference)
    child = message().replace(b"<sr:KlantnummerSHV>", f'<sr:KlantnummerSHV id="self" href="{reference}">'.encode())
    target.repels(target.signed(child), SchemaInvalid)
    decoy = target.signed(child, before_signing=lambda r: header(r).append(etree.fromstring(DECOY)))
    target.repels(decoy, ForbiddenHeader)
    inside = target.signed(child, before_signing=lambda r: security(r).append(etree.fromstring(DECOY)))
    target.repels(inside, SecurityMissing)
    beside = child.replace(b"</sr:Klant>", DECOY.encode() + b"</sr:Klant>")
    target.repels(target.signed(beside), SchemaInvalid)


@pytest.mark.clause("WW002")
def test_cyclic_and_endless_href(target: Target) -> None:
    cycle = b'<sr:Klant id="a" href="#b"><kn:Geslacht id="b" href="#a">V</kn:Geslacht>'
    target.repels(target.signed(message().replace(b"<sr:Klant><kn:Geslacht>V</kn:Geslacht>", b"<sr:Klant>").replace(
        b"<sr:Klant>", cycle, 1)), SchemaInvalid)
    for count, error in ((400, SchemaInvalid), (20_000, MalformedEnvelope)):
        chain = b"".join(b'<a id="i%d" href="#i%d"/>' % (n, n + 1) for n in range(count))
        target.repels(target.signed(message().replace(b"</sr:Klant>", chain + b"</sr:Klant>")), error, cpu=0.8)


def test_two_equal_ids_of_soap_encoding(target: Target) -> None:
    child = message().replace(b"<sr:Klant>", b'<sr:Klant id="x">').replace(b"<sr:Partner>", b'<sr:Partner id="x">')
    target.repels(target.signed(child), ReferenceMissing)


def test_a_fault_sent_as_a_request(target: Target) -> None:
    fault = f'<s:Fault xmlns:s="{S}"><faultcode>s:Server</faultcode><faultstring>{SURNAME}</faultstring></s:Fault>'
    target.repels(target.signed(fault.encode(), action=A + "/fault"), UnknownMessage)
    target.repels(target.signed(fault.encode(), action=f"{SR}:Kennisgeving"), ActionMismatch)
    target.repels(foreign.octets(target.build(PING, action=f"{KN}:Ping")), UnknownMessage)
