"""One meaning, many spellings: what other stacks write differently and mean alike is taken."""

import re
from collections.abc import Callable

import pytest
from lxml import etree

from gateway.security import EXAMPLE_HUB_OIN, EXAMPLE_OINS
from tests.foreign import A, D, O, S, U
from tests.hostile.attack import message
from tests.line import BASE, KN, SHV, SR
from tests.tolerant.accepting import Host, body_text


def lines(width: int, end: str) -> Callable[[str], str]:
    return lambda text: end + end.join(text[i:i + width] for i in range(0, len(text), width)) + end


STYLES: dict[str, dict[str, object]] = {
    "plain": {},
    "prefixes of .NET": {"prefixes": {S: "s", A: "a", O: "o", U: "u", D: "dsig"}},
    "prefixes of Axis": {"prefixes": {S: "soapenv", A: "wsa", O: "wsse", U: "wsu", D: "ds"}},
    "prefixes of CXF and SAAJ": {"prefixes": {S: "SOAP-ENV", A: "wsa5", O: "wsse", U: "wsu", D: "ds"}, "local": True},
    "prefixes that mean something elsewhere": {"prefixes": {S: "wsu", A: "ds", O: "soap", U: "kn", D: "wsse"}},
    "prefixes of other letters": {"prefixes": {S: "\u00e9", A: "_", O: "x.y", U: "x-z", D: "\u0416"}},
    "default namespaces everywhere": {"prefixes": dict.fromkeys((S, A, O, U, D), ""), "local": True},
    "one prefix for everything": {"prefixes": {S: "n", A: "n", O: "n", U: "id", D: "n"}, "local": True,
                                  "must_understand": None},
    "indented with tabs": {"space": "\n\t\t"},
    "indented with line ends of Windows": {"space": "\r\n  "},
    "timestamp first": {"order": ("timestamp", "token", "signature")},
    "timestamp last": {"order": ("token", "signature", "timestamp")},
    "headers in another order": {"headers": ("From", "MessageID", "Action", "ReplyTo", "To")},
    "references in another order": {"references": ("Body", "BinarySecurityToken", "To")},
    "no From": {"headers": ("To", "Action", "MessageID", "ReplyTo")},
    "no ReplyTo": {"headers": ("To", "Action", "MessageID", "From")},
    "neither": {"headers": ("To", "Action", "MessageID")},
    "FaultTo none": {"headers": ("To", "Action", "MessageID", "FaultTo")},
    "To anonymous": {"to": A + "/anonymous"},
    "To with the OIN of the hub": {"to": f"{BASE}{SHV}?OIN={EXAMPLE_HUB_OIN}"},
    "From with the own OIN": {"sender": f"https://gemeente.example/?OIN={EXAMPLE_OINS['gemeente']}"},
    "From as a name": {"sender": "urn:oin:00000099000000001000"},
    "To between white space": {"to": f"\n   {BASE}{SHV}\n  "},
    "MessageID of the preferred form": {"message_id": "gemeente@6f1d6c5e-9b1f-4d6b-8a53-000000000001@gemeente.example"},
    "MessageID as a URL": {"message_id": "https://gemeente.example/berichten?n=1&amp;x=2#3"},
    "MessageID with other letters": {"message_id": "urn:x:\u00e9\u0416\u4e2d"},
    "no mustUnderstand": {"must_understand": None},
    "mustUnderstand 0": {"must_understand": "0"},
    "mustUnderstand on addressing": {"extra": {"To": ' s:mustUnderstand="1"', "Action": ' s:mustUnderstand="0"'}},
    "no Expires": {"expires": False},
    "milliseconds": {"created": "%Y-%m-%dT%H:%M:%S.123Z"},
    "one decimal": {"created": "%Y-%m-%dT%H:%M:%S.5Z"},
    "no ValueType on the reference": {"value_type": False},
    "no EncodingType on the token": {"encoding_type": False},
    "ids of another kind": {"id_of": lambda name: f"_{name}.{'0' * 40}-x"},
    "ids of other letters": {"id_of": lambda name: f"\u00e9{name}\u0416"},
    "ids on everything": {"extra": {"Signature": ' Id="SIG-1"', "SignedInfo": ' Id="SI-1"', "KeyInfo": ' Id="KI-1"',
                                    "SignatureValue": ' Id="SV-1"', "SecurityTokenReference": ' u:Id="STR-1"'}},
    "a type on the references": {"extra": {"Reference": ' Type=""'}},
    "base64 in lines of 64": {"wrap": lines(64, "\n")},
    "base64 in lines of 76 of Windows": {"wrap": lines(76, "\r\n")},
    "base64 in lines of Java on Windows": {"wrap": lines(76, "&#13;\n")},
    "base64 indented": {"wrap": lines(60, "\n\t\t  ")},
    "one inclusive prefix": {"inclusive": "s"},
    "many inclusive prefixes": {"inclusive": "s a o u ds kn sr xs xsi unknown", "inclusive_info": "s o"},
    "inclusive prefixes over lines": {"inclusive": " s\n  a  ", "inclusive_info": ""},
    "the default namespace inclusive": {"inclusive": "#default", "inclusive_info": "#default s"},
    "prefixes that are declared nowhere": {"inclusive": "nowhere none", "inclusive_info": "nowhere"},
    "inclusive prefixes in another order": {"inclusive": "u s o a", "inclusive_info": "u a s"},
    "inclusive prefixes twice, with tabs": {"inclusive": "s\ts\n a", "inclusive_info": "\n\ts\n\ts "},
    "empty lists": {"inclusive": "", "inclusive_info": ""},
}


@pytest.mark.clause("§3.1", "WB001", "BSP R5414")
@pytest.mark.parametrize("name", STYLES)
def test_a_style(host: Host, name: str) -> None:
    host.takes(host.write(**STYLES[name]))


@pytest.mark.parametrize("name", ["indented with tabs", "default namespaces everywhere", "many inclusive prefixes",
                                  "base64 in lines of Java on Windows", "one prefix for everything"])
@pytest.mark.parametrize("party", ["default", "other prefix", "declared on every element"])
def test_a_style_and_a_message_of_another_spelling(host: Host, name: str, party: str) -> None:
    text = body_text(message())
    if party == "default":
        text = text.replace("sr:", "").replace(":sr=", "=")
    elif party == "other prefix":
        text = re.sub(r"\bsr\b([:=])", r"ns1\1", re.sub(r"\bkn\b([:=])", r"ns2\1", text))
    else:
        text = re.sub(r"<kn:(\w+)", rf'<kn:\1 xmlns:kn="{KN}"', text).replace(f' xmlns:kn="{KN}"', "", 1)
    host.takes(host.write(text, **STYLES[name]))


# --- the message's own spelling ---------------------------------------------------------------------------------------

def attributes_of_other_order(text: str) -> str:
    return text.replace(f'xmlns:sr="{SR}" xmlns:kn="{KN}"', f"xmlns:kn='{KN}'\n    xmlns:sr = '{SR}' ")


CONTENTS: dict[str, Callable[[str], str]] = {
    "on one line": lambda t: re.sub(r">\s+<", "><", t),
    "line ends of Windows": lambda t: t.replace("\n", "\r\n"),
    "line ends of old": lambda t: t.replace("\n", "\r"),
    "attributes in another order and quotes": attributes_of_other_order,
    "white space inside tags": lambda t: t.replace("</kn:Afzender>", "</kn:Afzender  >").replace(
        "<sr:Klant>", "<sr:Klant\n >"),
    "a CDATA section": lambda t: t.replace("Geheimhouder", "<![CDATA[Geheimhouder]]>"),
    "half a CDATA section": lambda t: t.replace("Geheimhouder", "Geheim<![CDATA[hou]]><![CDATA[]]>der"),
    "markup in CDATA": lambda t: t.replace("Schuldhulpverlener", "<![CDATA[<b>&amp; <!-- x --> <?x?>]]>"),
    "references in decimal": lambda t: t.replace("Geheimhouder", "".join(f"&#{ord(c)};" for c in "Geheimhouder")),
    "references in hex": lambda t: t.replace("Geheimhouder", "&#x47;eheimhoude&#X72;".replace("X", "x")),
    "the five entities": lambda t: t.replace("Schuldhulpverlener", "&lt;&gt;&amp;&quot;&apos;"),
    "letters with marks": lambda t: t.replace("Geheimhouder", "M\u00fcller-\u0160\u00e9"),
    "letters with marks apart": lambda t: t.replace("Geheimhouder", "Mu\u0308ller-S\u030ce\u0301"),
    "letters of other scripts": lambda t: t.replace("Geheimhouder", "\u0416\u4e2d\u0627"),
    "letters beyond the first plane": lambda t: t.replace("Schuldhulpverlener", "\U0001f4dc"),
    "upper-case numbers": lambda t: re.sub(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda found: found[0].upper(), t),
    "unused namespaces": lambda t: t.replace(
        "<sr:Kennisgeving ", '<sr:Kennisgeving xmlns:x="urn:x" xmlns:y="urn:y" ', 1),
    "a namespace declared again": lambda t: t.replace("<sr:Klant>", f'<sr:Klant xmlns:sr="{SR}" xmlns:kn="{KN}">', 1),
    "a prefix changed half-way": lambda t: t.replace("<sr:Klant>", f'<q:Klant xmlns:q="{SR}">', 1).replace(
        "</sr:Klant>", "</q:Klant>", 1),
    "a moment with decimals": lambda t: t.replace("09:12:44Z", "09:12:44.123456Z"),
}


@pytest.mark.clause("§3.8")
@pytest.mark.parametrize("name", CONTENTS)
def test_a_message_spelt_otherwise(host: Host, name: str) -> None:
    text = body_text(message())
    assert CONTENTS[name](text) != text
    host.takes(host.write(CONTENTS[name](text)))


# --- around the envelope ----------------------------------------------------------------------------------------------

PROLOGS = {
    "byte order mark": b"\xef\xbb\xbf",
    "declaration": b'<?xml version="1.0" encoding="UTF-8"?>',
    "declaration and mark": b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\r\n',
    "single quotes, small letters": b"<?xml version='1.0' encoding='utf-8'?>\n",
    "no encoding": b'<?xml version="1.0"?>',
    "standalone": b'<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>\n\n',
    "standalone no": b'<?xml version="1.0" encoding="utf-8" standalone="no"?>',
    "ASCII": b'<?xml version="1.0" encoding="US-ASCII"?>',
    "white space": b"\r\n  \t",
}


@pytest.mark.clause("BP R1010", "BP R1012")
@pytest.mark.parametrize("name", PROLOGS)
def test_what_stands_before_the_envelope(host: Host, name: str) -> None:
    host.takes(PROLOGS[name] + host.write() + b"\r\n\n ")


@pytest.mark.clause("WS002", "BP R1109", "BP R2745")
@pytest.mark.parametrize("action", [
    None, "", '""', " ", f"{SR}:Kennisgeving", f'"{SR}:Kennisgeving"', f' "{SR}:Kennisgeving" '])
def test_soapaction_in_every_form_that_agrees(host: Host, action: str | None) -> None:
    host.takes(host.write(), soap_action=action)


def test_line_ends_changed_on_the_way(host: Host) -> None:
    """A carrier may not touch octets; but what a parser reads alike is the same."""
    host.takes(host.write(space="\n ").replace(b"\n", b"\r\n"))


@pytest.mark.clause("WB007")
def test_spelling_changed_after_signing(host: Host) -> None:
    """What canonical form makes equal may be changed by anyone: quotes, empty tags, references, unused namespaces."""
    octets = host.write()
    octets = octets.replace(b"Geheimhouder", b"&#71;eheimhoude<![CDATA[r]]>")
    octets = re.sub(rb'<(\w+:DigestMethod) Algorithm="([^"]*)"/>', rb"<\1  Algorithm = '\2' ></\1>", octets)
    octets = octets.replace(b"<s:Envelope ", b'<s:Envelope xmlns:unused="urn:x" ', 1)
    host.takes(octets)


@pytest.mark.incident("CVE-2025-25291", "CVE-2025-46572")
@pytest.mark.clause("§3.8")
def test_a_round_trip_through_another_parser(host: Host) -> None:
    """parse(serialise(t)) == t: written anew by lxml it is the same request, and read the same."""
    octets = host.write(body_text(message()).replace("Schuldhulpverlener", "a]]&gt;b&amp;&#xE9;"))
    again = etree.tostring(etree.fromstring(octets))
    assert again != octets
    host.takes(again)
