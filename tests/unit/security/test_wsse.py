"""The verifier: what a foreign stack signs is accepted; what is moved, doubled, changed or left out is not."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import (
    AlgorithmForbidden,
    GatewayError,
    MalformedEnvelope,
    ReferenceMissing,
    SecurityMissing,
    SignatureInvalid,
    TimestampStale,
)
from gateway.security import SecurityPolicy, canonical, message_octets, verify
from gateway.soap import Limits, parse
from gateway.values import Certificate
from tests import foreign
from tests.foreign import D, Identity, O, Plan, U

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
}
CHILD = b'<m:Vraag xmlns:m="urn:m"><m:a>1 &lt; 2</m:a><m:b x="&quot;"/></m:Vraag>'
POLICY = SecurityPolicy(token_signed=True, skew=timedelta(seconds=60), max_age=timedelta(seconds=300), pss=True)


def plan(**changes) -> Plan:
    key = KEYS[changes.pop("key", "rsa")]
    values = {"child": CHILD, "action": "urn:m:Vraag", "to": "https://localhost/x", "now": NOW,
              "identity": Identity(key=key, certificate=b"certificate"), "sender": "https://a.example"}
    return Plan(**{**values, **changes})


def check(octets: bytes, key=KEYS["rsa"], policy: SecurityPolicy = POLICY, now: datetime = NOW):
    signer = SimpleNamespace(
        certificate=Certificate(oin="1", subject="x", sha256="", not_after=NOW), public_key=key.public_key()
    )
    return verify(parse(octets, Limits()), policy, lambda der, now: signer, now)


def signed(**changes) -> bytes:
    return foreign.octets(foreign.build(plan(**changes)))


@pytest.mark.clause("SIGN002", "SIGN003", "SIGN004", "WB007", "BSP R3103", "BSP R5406", "BSP R5414", "§3.1", "§4.1")
@pytest.mark.parametrize(
    "changes",
    [
        {}, {"key": "p256"}, {"key": "p384", "method": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"},
        {"method": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "digest": "http://www.w3.org/2001/04/xmlenc#sha512"},
        {"method": foreign.PSS}, {"inclusive": "s a"}, {"inclusive": " a\n  s "}, {"inclusive": ""},
        {"expires": None}, {"sender": None}, {"reply_to": None},
        {"child": b"<Vraag xmlns='urn:m'>\r\n <a>&#13;<![CDATA[<x>]]></a>\n</Vraag>"},
    ],
    ids=str,
)
def test_accepts_what_another_stack_signs(changes):
    verified = check(signed(**changes), KEYS[changes.get("key", "rsa")])
    payload, before, after = message_octets(verified.body, verified.child, verified.body_inclusive)
    assert payload == canonical(verified.child)
    if before is not None:
        assert before + payload + after == verified.body
    assert (before is None) == (changes.get("inclusive", "").split() == ["s", "a"] and b"xmlns:s" in payload)


def pretty(root: etree._Element) -> None:
    etree.indent(root, "\t")


def test_accepts_an_envelope_indented_before_signing():
    root = foreign.build(plan(before_signing=pretty))
    assert check(foreign.octets(root))


@pytest.mark.clause("WB003", "WB004", "§3.2")
@pytest.mark.parametrize(
    "part", ["Action", "MessageID", "To", "ReplyTo", "From", "Timestamp", "BinarySecurityToken", "Body"])
def test_every_part_must_be_signed(part):
    with pytest.raises(ReferenceMissing):
        check(signed(unsigned=frozenset({part})))


def test_a_profile_may_leave_the_token_unsigned():
    lenient = SecurityPolicy(token_signed=False, skew=POLICY.skew, max_age=POLICY.max_age)
    assert check(signed(unsigned=frozenset({"BinarySecurityToken"})), policy=lenient)


@pytest.mark.clause("WB002", "§3.3", "BSP R3213", "BSP R3217", "BSP R3220")
@pytest.mark.parametrize(
    ("created", "expires", "holds"),
    [
        ("2026-11-24T12:00:00Z", None, True),
        ("2026-11-24T12:00:00.123Z", "2026-11-24T12:05:00Z", True),
        ("2026-11-24T12:01:00Z", None, True),  # 60 s ahead
        ("2026-11-24T12:01:01Z", None, False),
        ("2036-11-24T12:00:00Z", None, False),
        ("2026-11-24T11:54:01Z", None, True),  # 300 s + 60 s ago
        ("2026-11-24T11:54:00Z", None, False),
        ("2026-11-24T11:58:00Z", "2026-11-24T11:58:30Z", False),
        ("2026-11-24T12:00:00Z", "2026-11-24T11:59:59Z", False),
        ("2026-11-24T12:00:00Z", "2099-01-01T00:00:00Z", False),
        ("2026-11-24T12:00:00", None, False),
        ("2026-11-24T14:00:00+02:00", None, False),
        ("2026-11-24T12:00:60Z", None, False),
        ("2026-11-24T12:00:00.1234567890Z", None, False),
        ("2026-02-30T12:00:00Z", None, False),
        ("vandaag", None, False),
        ("", None, False),
    ],
)
def test_the_window_of_the_timestamp(created, expires, holds):
    octets = signed(created=created or " ", expires=expires)
    if holds:
        assert check(octets)
    else:
        with pytest.raises(TimestampStale):
            check(octets)


def security(root):
    return root[0].find(f"{{{O}}}Security")


def signature(root):
    return root.find(f".//{{{D}}}Signature")


def copy(element):
    return etree.fromstring(etree.tostring(element))


def add(parent, tag, text=None, **attributes):
    element = etree.SubElement(parent, tag, attributes)
    element.text = text
    return element


BENDS = {
    "two signatures": (lambda r: security(r).append(etree.fromstring(etree.tostring(signature(r)))), SecurityMissing),
    "no signature": (lambda r: security(r).remove(signature(r)), SecurityMissing),
    "no security": (lambda r: r[0].remove(security(r)), SecurityMissing),
    "empty security": (lambda r: [security(r).remove(c) for c in list(security(r))], SecurityMissing),
    "no timestamp": (lambda r: security(r).remove(security(r)[0]), SecurityMissing),
    "two timestamps": (lambda r: security(r).insert(0, copy(security(r)[0])), SecurityMissing),
    "two tokens": (lambda r: add(security(r), f"{{{O}}}BinarySecurityToken"), SecurityMissing),
    "token after signature": (lambda r: security(r).append(security(r)[1]), SecurityMissing),
    "unknown in security": (lambda r: add(security(r), "{urn:x}x"), SecurityMissing),
    "username token": (lambda r: add(security(r), f"{{{O}}}UsernameToken"), SecurityMissing),
    "ds:Object": (lambda r: add(signature(r), f"{{{D}}}Object"), SecurityMissing),
    "two SignedInfo": (lambda r: signature(r).insert(0, copy(signature(r)[0])), SecurityMissing),
    "KeyName": (lambda r: add(signature(r)[2], f"{{{D}}}KeyName", "x"), SecurityMissing),
    "X509Data beside STR": (lambda r: add(signature(r)[2], f"{{{D}}}X509Data"), SecurityMissing),
    "KeyInfo points elsewhere": (lambda r: signature(r)[2][0][0].set("URI", "#_1"), SecurityMissing),
    "elements in SignatureValue": (lambda r: add(signature(r)[1], "x"), SecurityMissing),
    "elements in DigestValue": (lambda r: add(signature(r)[0][2][2], "x"), SecurityMissing),
    "no base64": (lambda r: setattr(signature(r)[1], "text", "***"), SecurityMissing),
    "double id": (lambda r: r[0][0].set("Id", "_1"), ReferenceMissing),
    "id of other case": (lambda r: r[0][0].set("ID", "TOK-1"), ReferenceMissing),
    "xml:id": (lambda r: r[1][0].set("{http://www.w3.org/XML/1998/namespace}id", "_1"), ReferenceMissing),
    "foreign Id": (lambda r: r[1][0].set("{urn:x}Id", "_1"), ReferenceMissing),
    "reference twice": (lambda r: signature(r)[0].append(etree.fromstring(etree.tostring(signature(r)[0][2]))),
                        ReferenceMissing),
    "reference to nothing": (lambda r: signature(r)[0][2].set("URI", "#nothing"), ReferenceMissing),
    "whole document": (lambda r: signature(r)[0][2].set("URI", ""), ReferenceMissing),
    "xpointer": (lambda r: signature(r)[0][2].set("URI", "#xpointer(id('_1'))"), ReferenceMissing),
    "http reference": (lambda r: signature(r)[0][2].set("URI", "http://127.0.0.1:1/"), ReferenceMissing),
    "no references": (lambda r: [signature(r)[0].remove(x) for x in list(signature(r)[0])[2:]], ReferenceMissing),
    "13 references": (lambda r: [signature(r)[0].append(etree.fromstring(etree.tostring(signature(r)[0][2])))
                                 for _ in range(6)], ReferenceMissing),
    "two transforms": (lambda r: add(signature(r)[0][2][0], f"{{{D}}}Transform", Algorithm=foreign.EXC),
                       AlgorithmForbidden),
    "no transforms": (lambda r: signature(r)[0][2][0].clear(), AlgorithmForbidden),
    "digest parameters": (lambda r: add(signature(r)[0][2][1], "x"), AlgorithmForbidden),
    "a word in Security": (lambda r: setattr(security(r), "text", "x"), SecurityMissing),
    "a word after the signature": (lambda r: setattr(signature(r), "tail", "x"), SecurityMissing),
    "a word in SignedInfo": (lambda r: setattr(signature(r)[0][2], "tail", "x"), SecurityMissing),
    "a word in Transforms": (lambda r: setattr(signature(r)[0][2][0], "text", "x"), SecurityMissing),
    "a word in KeyInfo": (lambda r: setattr(signature(r)[2], "text", "x"), SecurityMissing),
    "an attribute of Signature": (lambda r: signature(r).set("Value", "x"), SecurityMissing),
    "an attribute of KeyInfo": (lambda r: signature(r)[2].set("x", "y"), SecurityMissing),
    "an attribute of Reference": (lambda r: signature(r)[0][2].set("id", "x"), SecurityMissing),
    "an attribute of Transforms": (lambda r: signature(r)[0][2][0].set("Type", "x"), SecurityMissing),
    "an attribute of Transform": (lambda r: signature(r)[0][2][0][0].set("x", "y"), SecurityMissing),
    "an attribute of DigestMethod": (lambda r: signature(r)[0][2][1].set("Id", "x"), SecurityMissing),
    "an attribute of DigestValue": (lambda r: signature(r)[0][2][2].set("PrefixList", "x"), SecurityMissing),
    "HMACOutputLength": (lambda r: add(signature(r)[0][1], f"{{{D}}}HMACOutputLength", "8"), AlgorithmForbidden),
}


@pytest.mark.clause("WB010", "WB013", "BSP R3227", "BSP R5205", "BSP R3102", "BSP R3104", "BSP R3027", "BSP R5402",
    "BSP R5204", "BSP R5416", "BSP R5401", "§3.2", "§4.1")
@pytest.mark.parametrize("bend", BENDS)
def test_refuses_a_bent_header_by_name(bend):
    change, error = BENDS[bend]
    root = foreign.build(plan(after_signing=change))
    with pytest.raises(error):
        check(foreign.octets(root))


def timestamp(root):
    return security(root).find(f"{{{U}}}Timestamp")


def bend(clause, change, error=SecurityMissing):
    return pytest.param(change, error, id=clause, marks=pytest.mark.clause(clause))


@pytest.mark.parametrize(("change", "error"), [
    bend("BSP R3203", lambda r: timestamp(r).remove(timestamp(r)[0]), TimestampStale),
    bend("BSP R3224", lambda r: timestamp(r).append(copy(timestamp(r)[1])), TimestampStale),
    bend("BSP R3221", lambda r: timestamp(r).append(timestamp(r)[0]), TimestampStale),
    bend("BSP R3222", lambda r: add(timestamp(r), "{urn:x}x"), TimestampStale),
    bend("BSP R3225", lambda r: timestamp(r)[0].set("ValueType", "urn:x"), TimestampStale),
])
def test_refuses_a_signed_timestamp_of_another_shape(change, error):
    with pytest.raises(error):
        check(foreign.octets(foreign.build(plan(before_signing=change))))


@pytest.mark.parametrize(("change", "error"), [
    bend("BSP R3029", lambda r: security(r)[1].set("EncodingType", foreign.B64 + "x")),
    bend("BSP R3031", lambda r: security(r)[1].attrib.pop("ValueType")),
    bend("BSP R3033", lambda r: security(r)[1].set("ValueType", foreign.X509.replace("X509v3", "X509PKIPathv1"))),
    bend("WB009", lambda r: security(r)[1].set("ValueType", "urn:x")),
])
def test_refuses_a_signed_token_of_another_kind(change, error):
    with pytest.raises(error):
        check(foreign.octets(foreign.build(plan(before_signing=change))))


def reference_to_reference(root):
    """The reference of KeyInfo names the SecurityTokenReference that it stands in."""
    inner = signature(root)[2][0]
    inner.set(f"{{{U}}}Id", "str")
    inner[0].set("URI", "#str")


@pytest.mark.parametrize(("change", "error"), [
    bend("BSP R3061", lambda r: signature(r)[2][0].append(copy(signature(r)[2][0][0]))),
    bend("BSP R3057", reference_to_reference),
    bend("BSP R3059", lambda r: signature(r)[2][0][0].set("ValueType", "urn:x")),
    bend("BSP R3062", lambda r: signature(r)[2][0][0].attrib.pop("URI")),
    bend("BSP R3022", lambda r: setattr(signature(r)[2][0][0], "tag", f"{{{O}}}KeyIdentifier")),
    bend("BSP R3066", lambda r: signature(r)[2][0].append(security(r)[1])),
    bend("BSP R5403", lambda r: add(add(signature(r), f"{{{D}}}Object"), f"{{{D}}}Manifest")),
    bend("BSP R5440", lambda r: add(signature(r), "{http://www.w3.org/2001/04/xmlenc#}EncryptedData")),
    bend("BSP R3001", lambda r: r[1].set("Id", r[1].attrib.pop(f"{{{U}}}Id") + "x"), MalformedEnvelope),
])
def test_refuses_references_of_another_form(change, error):
    with pytest.raises(error):
        check(foreign.octets(foreign.build(plan(after_signing=change))))


@pytest.mark.clause("SIGN001", "SIGN004", "§4.1")
@pytest.mark.parametrize("uri", [
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "http://www.w3.org/2000/09/xmldsig#dsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
    "http://www.w3.org/2007/05/xmldsig-more#rsa-pss", "urn:x", "",
])
def test_refuses_signature_methods_outside_the_list(uri):
    root = foreign.build(plan())
    signature(root)[0][1].set("Algorithm", uri)
    with pytest.raises(AlgorithmForbidden):
        check(foreign.octets(root))


@pytest.mark.clause("WB007", "BSP R5404", "BSP R5423", "BSP R3104", "§4.1")
@pytest.mark.parametrize("uri", [
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2006/12/xml-c14n11",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "http://www.w3.org/2010/xml-c14n2",
    "http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/2000/09/xmldsig#base64",
    "http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://www.w3.org/TR/1999/REC-xslt-19991116", "http://www.w3.org/2002/07/decrypt#XML",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform", "",
])
def test_refuses_transforms_and_canonicalisation_outside_the_list(uri):
    for place in (lambda r: signature(r)[0][2][0][0], lambda r: signature(r)[0][0]):
        root = foreign.build(plan())
        place(root).set("Algorithm", uri)
        with pytest.raises(AlgorithmForbidden):
            check(foreign.octets(root))


@pytest.mark.clause("SIGN001", "SIGN003", "§4.1")
@pytest.mark.parametrize("digest", ["http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5"])
def test_refuses_weak_digests(digest):
    with pytest.raises(AlgorithmForbidden):
        check(signed(digest=digest))


@pytest.mark.clause("§4.1")
def test_a_method_of_another_key_family_does_not_verify():
    octets = signed().replace(b"xmldsig-more#rsa-sha256", b"xmldsig-more#ecdsa-sha256")
    with pytest.raises(SignatureInvalid):
        check(octets)


@pytest.mark.clause("§4.1", "§5.2")
@pytest.mark.parametrize("value", [b"\0" * 64, b"\0" * 63, b"\xff" * 64, b"\x01"])
def test_ecdsa_values_out_of_range_do_not_verify(value):
    from base64 import b64encode

    root = foreign.build(plan(key="p256"))
    signature(root)[1].text = b64encode(value).decode()
    with pytest.raises(SignatureInvalid):
        check(foreign.octets(root), KEYS["p256"])


@pytest.mark.clause("§5.1")
def test_a_relative_namespace_has_no_canonical_form_and_is_never_digested():
    octets = signed().replace(b"<m:a>", b'<m:a xmlns:n="1" n:x="y">')
    with pytest.raises(SignatureInvalid):
        check(octets)


@pytest.mark.clause("WB014", "§3.4")
def test_an_answer_must_confirm_exactly_what_was_sent():
    octets = signed()
    for confirms in ((), ("abc",)):
        policy = SecurityPolicy(token_signed=True, skew=POLICY.skew, max_age=POLICY.max_age, confirms=confirms)
        if confirms:
            with pytest.raises(SignatureInvalid):
                check(octets, policy=policy)
        else:
            assert check(octets, policy=policy)


@pytest.mark.clause("§3.2", "§5.1")
def test_ids_are_found_by_place_not_by_search():
    """XSW: the genuine Body somewhere else, an evil one in its place; whatever the place, nothing is found."""
    for home in (lambda r: signature(r), lambda r: security(r), lambda r: r[1][0]):
        root = foreign.build(plan())
        genuine = etree.fromstring(etree.tostring(root[1]))
        root[1][0].text = "evil"
        del root[1].attrib[f"{{{U}}}Id"]
        home(root).append(genuine)
        with pytest.raises((ReferenceMissing, SecurityMissing)):
            check(foreign.octets(root))


OCTETS = signed()


@pytest.mark.clause("WB013", "§5.1")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(OCTETS) - 1), st.integers(1, 255))
def test_any_one_changed_octet_is_refused_or_changes_nothing_that_is_signed(place, change):
    octets = bytearray(OCTETS)
    octets[place] ^= change
    try:
        verified = check(bytes(octets))
    except GatewayError:
        return
    before, after = check(OCTETS), verified
    assert (after.body, after.signed_info) == (before.body, before.signed_info)


def test_an_id_that_is_no_name_is_refused_in_the_signature():
    """Found by the comparison with signxml: its schema has xs:ID there."""
    for child, name in ((None, "#x"), (0, "1x"), (2, "a b")):
        root = foreign.build(plan())
        (signature(root) if child is None else signature(root)[child]).set("Id", name)
        with pytest.raises(SecurityMissing):
            check(foreign.octets(root))


def test_the_reference_to_the_token_holds_nothing():
    """Found by the comparison with signxml: nothing signs what stands in there."""
    root = foreign.build(plan())
    etree.SubElement(signature(root)[2][0][0], "{http://www.w3.org/2000/09/xmldsig#}DigestValue").text = "AAAA"
    with pytest.raises(SecurityMissing):
        check(foreign.octets(root))


def test_a_time_to_which_nothing_can_be_added_is_refused_like_any_other():
    with pytest.raises(TimestampStale):
        check(signed(created="9999-12-31T23:59:59.999Z"))
