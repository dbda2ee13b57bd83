"""Mistakes in digests and the signature value: what stacks digest, and what happens to a message once it is signed."""

import hashlib
import re
import unicodedata
from base64 import b64encode
from dataclasses import replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from lxml import etree

from gateway.security import load_certificate
from gateway.security.explain import Budget
from gateway.security.keys import load_private_key
from tests import foreign
from tests.explain.world import (
    Element,
    World,
    at,
    c14n,
    compact,
    digest_value,
    digesting,
    digesting_all,
    first,
    last,
    part,
    pretty,
    replaced,
    setting,
    signing,
    subbed,
)
from tests.foreign import A, D, U
from tests.hostile.attack import message
from tests.line import BASE, SHV

UMLAUT = message(surname="Müller")
INFO = "s:Header/o:Security/d:Signature/d:SignedInfo"
XSD, XSI = "http://www.w3.org/2001/XMLSchema", "http://www.w3.org/2001/XMLSchema-instance"


def _plan(child: bytes | None = None, **changes):
    return lambda world: world.look(world.octets(child, **changes))


def _sent_as(make, **changes):
    """A good message, and what became of its octets on the way."""
    return lambda world: world.look(make(world.octets(**changes)))


def _body(make, child: bytes | None = None, algorithm: str = "sha256"):
    """The Body's digest was computed over other octets."""
    return _plan(child, **digesting("Body", make, algorithm))


def _decoded(octets: bytes) -> bytes:
    """Text of lxml's output as characters."""
    return re.sub(rb"&#(\d+);", lambda one: chr(int(one[1])).encode(), octets)


def _multiline(ends: str) -> bytes:
    return replaced(message(surname="Jansen\nvan Dam"), "Jansen\nvan Dam", f"Jansen{ends}van Dam")


def _upper_case_hex(root: Element) -> None:
    digest_value(root, "Body", hashlib.sha256(c14n(part(root, "Body"))).hexdigest().upper())


def _hex_in_base64(root: Element) -> None:
    """PHP: base64_encode(hash('sha256', …)) without the third argument."""
    digest_value(root, "Body", b64encode(hashlib.sha256(c14n(part(root, "Body"))).hexdigest().encode()).decode())


def _swapped(root: Element) -> None:
    """Digests computed in a loop and written to the wrong References."""
    infos = [reference.find(f"{{{D}}}DigestValue") for reference in root.iter(f"{{{D}}}Reference")]
    infos[0].text, infos[1].text = infos[1].text, infos[0].text


def _short(root: Element) -> None:
    digest_value(root, "Body", b64encode(hashlib.sha1(b"x").digest() + b"x").decode())


def _fragment(element: Element) -> bytes:
    """PHP saveXML($node): no C14N, and no declarations of ancestors."""
    return re.sub(rb' xmlns:[sauo]="[^"]*"', b"", etree.tostring(element, with_tail=False))


def _bare(element: Element) -> bytes:
    """Digested before it got its wsu:Id."""
    octets = c14n(element)
    return re.sub(rb' xmlns:u="[^"]*"| u:Id="[^"]*"', b"", octets)


def _shuffled(element: Element) -> bytes:
    """Text of its own: attributes in the order in which they were set."""
    pairs = element.attrib.items()  # wsu:Id first, as it was set first
    attributes = "".join(f' {"u:" if "}" in str(key) else ""}{etree.QName(str(key)).localname}="{value}"'
                         for key, value in [*pairs[1:], pairs[0]])
    return (f'<o:BinarySecurityToken xmlns:o="{foreign.O}" xmlns:u="{U}"{attributes}>{element.text}'
            "</o:BinarySecurityToken>").encode()


def _listed(prefixes: list[str]):
    return lambda body: etree.tostring(body, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes)


def _with_schema(root: Element) -> Element:
    """The Envelope declares xsd and xsi, as .NET does."""
    octets = replaced(foreign.octets(root), "<s:Envelope ", f'<s:Envelope xmlns:xsd="{XSD}" xmlns:xsi="{XSI}" ')
    return etree.fromstring(octets)


def _lost_schema(body: Element) -> bytes:
    """Inclusive C14N while xsd and xsi were declared; an ESB then dropped the unused declarations."""
    return c14n(_with_schema(body.getroottree().getroot())[1], exclusive=False)


def _with_vendor_prefix(body: Element) -> bytes:
    """A vendor's prefix, declared on the Envelope and named in the PrefixList; an ESB dropped it as unused."""
    octets = replaced(foreign.octets(body.getroottree().getroot()), "<s:Envelope ", '<s:Envelope xmlns:lev="urn:lev" ')
    return _listed(["lev"])(etree.fromstring(octets)[1])


def _nfd(body: Element) -> bytes:
    return unicodedata.normalize("NFD", c14n(body).decode()).encode()


def _entities(body: Element) -> bytes:
    return c14n(body).decode().encode("ascii", "xmlcharrefreplace")


def _relative(world: World):
    return world.look(replaced(world.octets(), "<s:Body ", '<s:Body xmlns:x="relatief" '))


def _relative_beside(world: World):
    """In a place that nothing signs: each part has a canonical form, the document has none."""
    return world.look(replaced(world.octets(), "<KeyInfo", '<KeyInfo xmlns:x="relatief"'))


def _question_marks(octets: bytes) -> bytes:
    return replaced(_decoded(octets), "ü", "\ufffd")


# --- SignatureValue ------------------------------------------------------------------------------------------


def _value(make):
    """SignatureValue is what `make` gives for the key and the canonical SignedInfo."""
    def run(world: World):
        key = world.line.identity("gemeente").key
        return world.look(world.octets(**signing(lambda info: make(key, info))))
    return run


def _pkcs1(key: rsa.RSAPrivateKey, octets: bytes, hash_: hashes.HashAlgorithm | None = None) -> bytes:
    return key.sign(octets, padding.PKCS1v15(), hash_ or hashes.SHA256())


def _with_pss(world: World):
    """The municipality has agreed on PSS."""
    return world.known(policy=replace(world.line.gate.policy, pss=True))


def _bare_rsa(key: rsa.RSAPrivateKey, octets: bytes) -> bytes:
    """openssl rsautl -sign on the digest: no DigestInfo."""
    digest, size = hashlib.sha256(octets).digest(), key.key_size // 8
    block = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    numbers = key.private_numbers()
    return pow(int.from_bytes(block), numbers.d, numbers.public_numbers.n).to_bytes(size)


def _der(world: World):
    """OpenSSL and Java give ECDSA in DER."""
    who = world.identity()
    change = signing(lambda info: who.key.sign(c14n(info), ec.ECDSA(hashes.SHA256())))
    return world.look(world.octets(identity=who, **change))


def _ec_value(make):
    """A P-256 party; SignatureValue as r and s over other octets."""
    def run(world: World):
        who = world.identity()
        change = signing(lambda info: foreign.signature_value(who.key, foreign.ECDSA_SHA256, make(info)))
        return world.look(world.octets(identity=who, **change))
    return run


def _tls_key(world: World):
    """The two key files were swapped."""
    pki = world.line.instance.folder / "pki"
    return world.look(world.octets(sign_with=load_private_key(pki / "gemeente-tls.key")))


def _renewed(world: World):
    """The key was renewed, the certificate in the token was not."""
    return world.look(world.octets(sign_with=world.line.identity("energie").key))


def _two_tokens(world: World):
    """The chain is sent along and the wrong one comes first."""
    own, ca = world.line.identity("gemeente"), load_certificate(world.line.instance.folder / "pki" / "hub-sign.pem")

    def put(root: Element) -> None:
        token = root.find("s:Header/o:Security/o:BinarySecurityToken", foreign.NS)
        second = etree.fromstring(etree.tostring(token))
        second.text, second.attrib[f"{{{U}}}Id"] = b64encode(own.certificate).decode(), "tok-2"
        token.addnext(second)

    return world.look(world.octets(token=ca, **last(put)))


def _longer_key(world: World):
    return world.look(world.octets(sign_with=new_rsa()))


_RSA: list[rsa.RSAPrivateKey] = []


def new_rsa() -> rsa.RSAPrivateKey:
    if not _RSA:
        _RSA.append(rsa.generate_private_key(65537, 1024))
    return _RSA[0]


def _whole(body: Element) -> bytes:
    """The document that the stack had before it put the signature in."""
    root = etree.fromstring(etree.tostring(body.getroottree().getroot()))
    security = root.find("s:Header/o:Security", foreign.NS)
    security.remove(security.find("d:Signature", foreign.NS))
    return c14n(root)


def _other_prefix(world: World):
    """A mapping tool writes the signed message out with a prefix of its own."""
    octets = world.octets(replaced(message(), "xmlns:sr=", "xmlns:ns1=").replace(b"sr:", b"ns1:"))
    at_ = octets.index(b"<s:Body")
    body = re.sub(rb"(</?)ns1:", rb"\1sr:", octets[at_:])
    return world.look(octets[:at_] + body.replace(b"xmlns:ns1=", b"xmlns:sr="))


SIGNING = [
    # --- changed after signing
    ("an ESB that pretty-prints", {"white-space-added"}, lambda world: world.look(
        pretty(world.octets(compact(message()))))),
    ("an ESB that indents what was indented", {"white-space-added", "white-space-changed"}, _sent_as(pretty)),
    ("a proxy that indents with tabs", {"white-space-added"}, lambda world: world.look(
        pretty(world.octets(compact(message())), "\t"))),
    ("an ESB that removes white space", {"white-space-removed"}, lambda world: world.look(
        compact(world.octets(**first(lambda root: etree.indent(root, "  ")))))),
    ("the same with four spaces", {"white-space-removed"}, lambda world: world.look(
        compact(world.octets(**first(lambda root: etree.indent(root, "    ")))))),
    ("a message of its own layout, flattened", {"white-space-removed"}, lambda world: world.look(
        compact(world.octets()))),
    ("Windows line ends, lost by the XML parser", {"line-endings-lost"}, lambda world: world.look(
        replaced(world.octets(_multiline("&#13;\n")), "&#13;\n", "\n"))),
    ("line ends written as &#13; after signing", {"line-endings-added"}, lambda world: world.look(
        replaced(world.octets(_multiline("\n")), "Jansen\nvan", "Jansen&#13;\nvan"))),
    ("a value padded by a database column", {"text-trimmed"}, lambda world: world.look(
        replaced(world.octets(), ">Geheimhouder<", ">Geheimhouder   <"))),
    ("a gateway that writes soapenv for s", {"prefix-renamed"}, _sent_as(
        lambda octets: subbed(replaced(octets, "xmlns:s=", "xmlns:soapenv="), r"(</?|\s)s:", r"\1soapenv:"))),
    ("a gateway that gives the message another prefix", {"prefix-renamed"}, _other_prefix),
    ("xsd and xsi dropped after inclusive C14N", {"namespaces-lost"}, _body(_lost_schema)),
    ("a proxy that rewrites wsa:To to http", {"to-rewritten", "to-other-scheme"}, _sent_as(
        lambda octets: replaced(octets, ">https://localhost:8443", ">http://localhost:8443"))),
    ("a proxy that rewrites the host and port", {"to-rewritten", "to-other-host"}, _sent_as(
        lambda octets: replaced(octets, f">{BASE}{SHV}", f">https://10.0.0.1:443{SHV}"))),
    ("an ESB that reads the Timestamp as a date", {"timestamp-rerendered"}, lambda world: world.look(
        subbed(world.octets(created=world.now.strftime("%Y-%m-%dT%H:%M:%S.000Z"), expires=None),
               r"\.000Z", "Z"))),
    ("wsu:Id added once the digest was there", {"id-added-after-signing"}, _body(_bare)),
    ("PHP utf8_encode on UTF-8", {"characters-encoded-twice"}, lambda world: world.look(
        replaced(_decoded(world.octets(UMLAUT)), "ü", "ü".encode().decode("latin-1")))),
    ("digested as mojibake", {"characters-digested-twice-encoded"}, _body(
        lambda body: c14n(body).decode("latin-1").encode(), UMLAUT)),
    ("Java getBytes() on Windows", {"characters-digested-in-other-encoding"}, _body(
        lambda body: c14n(body).decode().encode("cp1252"), UMLAUT)),
    (".NET Encoding.Unicode", {"characters-digested-in-other-encoding"}, _body(
        lambda body: c14n(body).decode().encode("utf-16-le"), UMLAUT)),
    ("macOS file names in a message", {"unicode-form-changed"}, _body(_nfd, UMLAUT)),
    ("characters as numbers when digesting", {"numeric-references-digested"}, _body(_entities, UMLAUT)),
    ("letters lost in a wrong code page", {"replacement-characters"}, lambda world: world.look(
        _question_marks(world.octets(UMLAUT)))),
    # --- digested something else
    ("PHP C14N() without true", {"inclusive-c14n"}, _plan(
        **digesting_all(lambda one: c14n(one, exclusive=False)))),
    ("comments digested", {"comments-digested", "comment-present"}, _plan(**{
        **first(at("s:Body", lambda body: body[0].insert(0, etree.Comment("x")))),
        **digesting("Body", lambda body: c14n(body, comments=True))})),
    ("PHP saveXML of the node", {"octets-as-sent"}, _body(_fragment)),
    ("lxml tostring without method c14n", {"octets-as-sent"}, _body(
        lambda body: etree.tostring(body, with_tail=False).replace(f' xmlns:a="{A}"'.encode(), b""))),
    ("a token written by hand", {"attribute-order"}, _plan(**digesting("BinarySecurityToken", _shuffled))),
    ("attributes in single quotes", {"single-quotes"}, _body(
        lambda body: re.sub(rb'="([^"]*)"', rb"='\1'", c14n(body)))),
    ("empty elements kept short", {"empty-element-tags"}, _body(
        lambda body: re.sub(rb"<([\w:]+)></\1>", rb"<\1/>", c14n(body)), replaced(
            message(), ">SHV-2026/47119<", "><"))),
    ("the XML declaration in front", {"declaration-digested"}, _body(
        lambda body: b'<?xml version="1.0" encoding="UTF-8"?>\n' + c14n(body))),
    (".NET StreamWriter's byte order mark", {"bom-digested"}, _body(lambda body: b"\xef\xbb\xbf" + c14n(body))),
    ("echo in a shell script", {"newline-digested"}, _body(lambda body: c14n(body) + b"\n")),
    ("the Body's content digested", {"body-content-digested"}, _body(lambda body: c14n(body[0]))),
    ("the whole Envelope digested", {"envelope-digested"}, _body(_whole)),
    ("WSS4J's PrefixList, not written down", {"prefix-list-differs"}, _body(_listed(["s", "a", "u"]))),
    ("a PrefixList written down and not used", {"prefix-list-differs"}, _plan(
        inclusive="a s", **digesting("Body", c14n))),
    ("declarations dropped that the PrefixList names", {"prefix-list-unresolved"}, _plan(
        inclusive="lev", **digesting("Body", _with_vendor_prefix))),
    ("digests in the wrong References", {"digest-of-other-part"}, _plan(after_digests=_swapped)),
    ("a digest in hexadecimal", {"digest-hex"}, _plan(after_digests=_upper_case_hex)),
    ("base64 of the hexadecimal digest", {"digest-hex-base64"}, _plan(after_digests=_hex_in_base64)),
    ("SHA-1 computed, SHA-256 stated", {"digest-other-hash"}, _body(c14n, None, "sha1")),
    ("SHA-512 computed, SHA-256 stated", {"digest-other-hash"}, _body(c14n, None, "sha512")),
    ("a digest with header lines", {"digest-not-base64"}, _plan(
        after_digests=lambda root: digest_value(root, "Body", "sha256:afw9"))),
    ("a digest cut off", {"digest-length"}, _plan(after_digests=_short)),
    ("an amount changed by a mapping", {"digest-unexplained"}, _sent_as(
        lambda octets: replaced(octets, "SHV-2026/47119", "SHV-2026/47118"))),
    ("the same in a message too large to search in", {"search-stopped"}, lambda world: world.look(
        replaced(world.octets(), "SHV-2026/47119", "SHV-2026/47118"), budget=Budget(octets=200_000, verifications=6))),
    ("a relative namespace", {"no-canonical-form"}, _relative),
    ("a relative namespace in what is not signed", {"no-canonical-form"}, _relative_beside),
    # --- SignatureValue
    ("SignatureValue as PEM", {"signature-not-base64"}, _plan(**last(at(
        "s:Header/o:Security/d:Signature/d:SignatureValue", lambda one: setattr(one, "text", "--BEGIN--"))))),
    ("rsa-sha256 stated for an EC key", {"signature-key-family"}, lambda world: world.look(
        world.octets(identity=world.identity(), method=foreign.RSA_SHA256,
                     sign_with=world.line.identity("gemeente").key))),
    ("RSASSA-PSS under the name rsa-sha256", {"signature-pss"}, _value(lambda key, info: key.sign(
        c14n(info), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()))),
    ("PKCS#1 under the name of PSS", {"signature-not-pss"}, lambda world: world.look(
        world.octets(method=foreign.PSS, **signing(
            lambda info: _pkcs1(world.line.identity("gemeente").key, c14n(info)))), known=_with_pss(world))),
    ("openssl rsautl on the digest", {"signature-no-digest-info"}, _value(
        lambda key, info: _bare_rsa(key, c14n(info)))),
    ("hashed twice", {"signature-of-digest"}, _value(
        lambda key, info: _pkcs1(key, hashlib.sha256(c14n(info)).digest()))),
    ("hashed twice, ECDSA", {"signature-of-digest"}, _ec_value(lambda info: hashlib.sha256(c14n(info)).digest())),
    ("SHA-1 in the signature, rsa-sha256 stated", {"signature-other-hash"}, _value(
        lambda key, info: key.sign(hashlib.sha1(c14n(info)).digest(), padding.PKCS1v15(), Prehashed(hashes.SHA1())))),
    ("Java SHA256withECDSA", {"signature-ecdsa-der"}, _der),
    ("CryptoAPI's order of octets", {"signature-reversed"}, _value(lambda key, info: _pkcs1(key, c14n(info))[::-1])),
    ("another key's length", {"signature-length"}, _longer_key),
    ("a renewed key under the old certificate", {"signed-by-other-key"}, _renewed),
    ("the TLS key and the signing key swapped", {"key-of-tls-certificate"}, _tls_key),
    ("the chain sent along in the wrong order", {
        "key-of-other-token", "token-twice", "part-not-signed", "signer-not-registered"}, _two_tokens),
    ("a digest filled in after signing", {"signed-info-changed"}, _plan(**last(
        at(f"{INFO}/d:Reference", setting("Id", "ref-1"))))),
    ("an EC signature over something else", {"signature-unexplained"}, _ec_value(lambda info: b"iets anders")),
    ("SignedInfo in inclusive C14N, exclusive stated", {"inclusive-c14n"}, _value(
        lambda key, info: _pkcs1(key, c14n(info, exclusive=False)))),
    ("SignedInfo signed as text", {"octets-as-sent"}, _value(lambda key, info: _pkcs1(
        key, _fragment(info).replace(f' xmlns="{D}"'.encode(), b"")))),
    ("SignedInfo pretty-printed after signing", {"white-space-added"}, lambda world: world.look(
        subbed(world.octets(), "<Reference ", "\n   <Reference "))),
    ("SignedInfo with the newline of echo", {"newline-digested"}, _value(
        lambda key, info: _pkcs1(key, c14n(info) + b"\n"))),
    ("the same with ECDSA", {"inclusive-c14n"}, _ec_value(lambda info: c14n(info, exclusive=False))),
]
