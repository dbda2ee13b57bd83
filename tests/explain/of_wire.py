"""Mistakes on the way to the security header: HTTP, XML, SOAP, header blocks, addressing, operation.

Each row: what happens at the other side; the ids that must be found, all of them; how it is made.
"""

from lxml import etree

from gateway.names import SOAP12
from tests import foreign
from tests.explain.world import World, appending, at, first, last, removed, replaced, setting
from tests.foreign import A, O, S, U
from tests.hostile.attack import message
from tests.line import BASE, SHV, SR, example

TO = BASE + SHV
OLD = "http://schemas.xmlsoap.org/ws/2004/08/addressing"


def _http(**sent):
    return lambda world: world.look(world.octets(), **sent)


def _octets(make):
    return lambda world: world.look(make(world.octets()))


def _plan(**changes):
    return lambda world: world.look(world.octets(**changes))


def _to(value):
    return _plan(to=value)


def _soap12(world: World):
    return world.look(_resigned(world, replaced(world.octets(), S, SOAP12)))


def _old_addressing(world: World):
    return world.look(_resigned(world, replaced(world.octets(reply_to=None), A, OLD)))


def _resigned(world: World, octets: bytes) -> bytes:
    """As a stack signs that speaks this dialect."""
    root = etree.fromstring(octets)
    foreign.resign(root, world.line.identity("gemeente"))
    return foreign.octets(root)


def _plain_id(world: World):
    """The Body has Id instead of wsu:Id, and the Reference points at that."""
    def change(root) -> None:
        info = root.find(".//{*}SignedInfo")
        next(one for one in info.iter("{*}Reference") if one.get("URI") == "#").set("URI", "#_1")

    def mark(body) -> None:
        body.set("Id", body.attrib.pop(f"{{{U}}}Id"))

    return world.look(world.octets(**first(at("s:Body", mark)), after_digests=change))


def _after(*changes):
    return lambda world: world.look(world.octets(**last(*changes)))


def _before(*changes):
    return lambda world: world.look(world.octets(**first(*changes)))


def _body_child(octets: bytes, **changes):
    return lambda world: world.look(world.octets(octets, **changes))


WIRE = [
    # --- HTTP
    ("a client that speaks SOAP 1.2 over HTTP", {"content-type-soap12"},
     _http(content_type="application/soap+xml; charset=utf-8")),
    ("CXF with mtom-enabled", {"content-type-multipart"},
     _http(content_type='multipart/related; type="application/xop+xml"')),
    ("curl -d without a header", {"content-type-wrong"}, _http(content_type="application/x-www-form-urlencoded")),
    ("a Java client with the platform's charset", {"charset-wrong"}, _http(
        content_type="text/xml; charset=ISO-8859-1")),
    # --- XML
    ("a POST without body", {"empty-message"}, lambda world: world.look(b"", content_type=None)),
    ("a dump of Wireshark, headers and all", {"http-in-message", "xml-not-well-formed"},
     _octets(lambda octets: b"POST /soap HTTP/1.1\r\nHost: hub\r\n\r\n" + octets)),
    ("a saved MTOM package", {"mime-in-message", "xml-not-well-formed"},
     _octets(lambda octets: b"--uuid:1\r\nContent-Type: application/xop+xml\r\n\r\n" + octets + b"\r\n--uuid:1--")),
    ("PHP strings in Latin-1", {"encoding-not-utf8"},
     lambda world: world.look(world.octets(message(surname="Müller")).replace(b"&#252;", b"\xfc"))),
    (".NET StringWriter", {"encoding-utf16"}, _octets(lambda octets: octets.decode().encode("utf-16"))),
    ("Delphi with ISO-8859-1 in the declaration", {"encoding-declared-other"},
     _octets(lambda octets: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + octets)),
    ("a message nested beyond all bounds", {"beyond-limits"},
     _octets(lambda octets: replaced(octets, "</s:Body>", "<x>" * 70 + "</x>" * 70 + "</s:Body>"))),
    ("an editor that adds a DOCTYPE", {"dtd-present"}, _octets(lambda octets: b"<!DOCTYPE s:Envelope>" + octets)),
    ("PHP with an empty line before <?php", {"white-space-before-declaration"},
     _octets(lambda octets: b'\n<?xml version="1.0"?>' + octets)),
    ("a message pasted together from strings", {"xml-not-well-formed"},
     _octets(lambda octets: replaced(octets, "</s:Body>", "<naam>Jansen & Zn</naam></s:Body>"))),
    # --- SOAP
    ("WCF with wsHttpBinding", {"soap-12"}, _soap12),
    ("only the message, no envelope", {"not-an-envelope"}, lambda world: world.look(message())),
    ("a template with comments in it", {"comment-present"}, lambda world: world.look(
        world.octets(**first(lambda root: root[1].insert(0, etree.Comment("versie 3")))))),
    ("a stylesheet instruction left in", {"processing-instruction-present"}, _octets(
        lambda octets: replaced(octets, "<s:Body", "<?xml-stylesheet href='x'?><s:Body"))),
    ("an ESB that adds a trailer after the Body", {"envelope-layout"}, _after(
        appending('<x xmlns="urn:esb"/>'))),
    ("text between Header and Body", {"text-between-parts"}, _octets(
        lambda octets: replaced(octets, "</s:Header>", "</s:Header>;"))),
    ("PHP SoapClient in rpc/encoded", {"encoding-style"}, _before(
        lambda root: root.set(f"{{{S}}}encodingStyle", "http://schemas.xmlsoap.org/soap/encoding/"))),
    ("mustUnderstand on the Header", {"soap-attribute"}, _before(
        lambda root: root[0].set(f"{{{S}}}mustUnderstand", "1"))),
    (".NET SignedXml, which knows Id only", {"body-id-not-wsu", "reference-other-id"}, _plain_id),
    ("xsi:type on the Body", {"body-attribute"}, _before(at("s:Body", setting("soort", "x")))),
    ("a Body whose content was lost", {"body-empty", "digest-unexplained"}, _after(
        at("s:Body", lambda body: removed(body[0])))),
    ("bare parameters: document/literal not wrapped", {"body-several"}, _before(
        at("s:Body", appending('<tweede xmlns="urn:x"/>')))),
    ("an unqualified message of an old schema", {"body-child-no-namespace", "body-other-namespace"},
     _body_child(b"<Kennisgeving/>", action=f"{SR}:Kennisgeving")),
    # --- header blocks
    ("WSS4J with mustUnderstand written as true", {"must-understand-value"}, _before(
        at("s:Header/o:Security", setting(f"{{{S}}}mustUnderstand", "true")))),
    ("Axis 1 with WS-Addressing of 2004", {"wsa-old-version"}, _old_addressing),
    ("WCF reliable messaging", {"header-must-understand"}, _before(at("s:Header", appending(
        f'<r:Sequence xmlns:r="http://schemas.xmlsoap.org/ws/2005/02/rm" xmlns:s="{S}" s:mustUnderstand="1"/>')))),
    ("Visual Studio debugging a WCF client", {"header-not-allowed"}, _before(at("s:Header", appending(
        '<VsDebuggerCausalityData xmlns="http://schemas.microsoft.com/vstudio/diagnostics/servicemodelsink"/>')))),
    ("WSS4J with an actor", {"header-actor"}, _before(
        at("s:Header/o:Security", setting(f"{{{S}}}actor", "http://schemas.xmlsoap.org/soap/actor/next")))),
    ("a security header for another", {"header-actor"}, _before(
        at("s:Header/o:Security", lambda one: (one.set(f"{{{S}}}actor", "urn:ander"),
                                               one.set(f"{{{S}}}mustUnderstand", "0"))))),
    ("client and ESB each add a security header", {"security-twice"}, _before(at("s:Header", appending(
        f'<o:Security xmlns:o="{O}"/>')))),
    ("a proxy that adds wsa:To a second time", {"wsa-header-twice", "part-without-id"}, _after(at("s:Header", appending(
        f'<a:To xmlns:a="{A}">{TO}</a:To>')))),
    # --- WS-Addressing
    ("zeep without WsAddressingPlugin", {"wsa-missing"}, _plan(message_id=None, to=None, reply_to=None)),
    ("a counter as MessageID", {"message-id-form"}, _plan(message_id="bericht 17")),
    ("a request that answers another", {"relates-to-in-request"}, _before(at("s:Header", appending(
        f'<a:RelatesTo xmlns:a="{A}" xmlns:u="{U}" u:Id="rel">urn:uuid:1</a:RelatesTo>')))),
    ("CXF with decoupled endpoint", {"reply-to-not-anonymous"}, _plan(reply_to="https://gemeente.example/antwoord")),
    ("FaultTo of its own", {"fault-to-not-anonymous"}, _before(at("s:Header", appending(
        f'<a:FaultTo xmlns:a="{A}" xmlns:u="{U}" u:Id="ft"><a:Address>https://x.example/</a:Address></a:FaultTo>')))),
    ("WCF with ReferenceParameters", {"endpoint-reference"}, _before(at("s:Header/a:ReplyTo", appending(
        f'<a:ReferenceParameters xmlns:a="{A}"/>')))),
    ("an Address inside wsa:To", {"wsa-value-form"}, _before(at("s:Header/a:To", lambda to: (
        setattr(to, "text", None), to.append(etree.fromstring(f'<a:Address xmlns:a="{A}">{TO}</a:Address>')))))),
    ("the addressee's OIN in wsa:To", {"to-other-oin"}, _to(TO + "?OIN=00000099000000002000")),
    ("wsa:To is the test system of the vendor", {"to-no-service"},
     lambda world: world.look(world.octets(to="https://vendor.example/soap"), path=None)),
    ("a session id after the address", {"to-query"}, _to(TO + "?sid=1")),
    ("yesterday's path", {"to-other-path"}, _to(BASE + "/soap/schuldregeling/1.1/shv")),
    ("a client that thinks it speaks http behind a TLS proxy", {"to-other-scheme"}, _to(TO.replace("https", "http"))),
    ("the tunnel's host name", {"to-other-host"}, _to(TO.replace("localhost", "127.0.0.2"))),
    ("the port left out", {"to-other-port"}, _to(TO.replace(":8443", ""))),
    ("a slash at the end", {"to-spelling"}, _to(TO + "/")),
    # --- operation
    ("SOAPAction by hand", {"soap-action-differs"}, _http(soap_action='"Kennisgeving"')),
    ("a creditor's message at the municipality's address", {"action-of-other-service", "identities-differ"},
     _body_child(example("SaldoVerzoekAntwoord-volledig"))),
    ("the Action of the answer", {"action-of-answer"}, _plan(action=f"{SR}:Kennisgeving:antwoord")),
    ("spyne and zeep: the operation's bare name", {"action-without-namespace"}, _plan(action="Kennisgeving")),
    ("an Action of a version that is not there", {"action-other-version"}, _plan(
        action="urn:schuldenknooppunt:schuldregeling:9.9:Kennisgeving")),
    ("an Action of its own", {"action-unknown"}, _plan(action="urn:leverancier:verstuur")),
    ("a message of 1.1 under the Action of 2.0", {"body-other-version"}, _body_child(
        replaced(message(), SR, SR.replace("2.0", "1.1")), action=f"{SR}:Kennisgeving")),
    ("a message in a namespace of its own", {"body-other-namespace"}, _body_child(
        replaced(message(), SR, "urn:leverancier:berichten"), action=f"{SR}:Kennisgeving")),
    ("another message than the Action says", {"body-other-element"}, _plan(action=f"{SR}:SaldoVerzoek")),
]

