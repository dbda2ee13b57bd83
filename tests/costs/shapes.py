"""What can be had in great number inside a document, by name; and where it is put.

Each takes a count and gives octets; those of ATTRIBUTES stand in a start tag, the others between tags.
"""

from collections.abc import Callable, Mapping

Shape = Callable[[int], bytes]
XSI = b"http://www.w3.org/2001/XMLSchema-instance"
SOAP = b"http://schemas.xmlsoap.org/soap/envelope/"
KN, SR = b"urn:schuldenknooppunt:knooppunt:1.0", b"urn:schuldenknooppunt:schuldregeling:2.0"


def _numbered(pattern: bytes) -> Shape:
    return lambda count: b"".join(pattern.replace(b"#", b"%d" % number) for number in range(count))


def _repeated(octets: bytes) -> Shape:
    return lambda count: octets * count


def _nested(count: int) -> bytes:
    return (b"<a>" * 50 + b"</a>" * 50) * (count // 50) + b"<a>" * (count % 50) + b"</a>" * (count % 50)


def _declared_once(count: int) -> bytes:
    """Many prefixes in scope, and many elements that use the last of them."""
    spaces = b" ".join(b'xmlns:n%d="u:%d"' % (number, number) for number in range(count))
    return b"<x %s>" % spaces + b"<n%d:y/>" % (count - 1) * count + b"</x>"


def _used_attributes(count: int) -> bytes:
    few = range(min(60, count))
    spaces = b" ".join(b'xmlns:n%d="u:%d"' % (number, number) for number in few)
    used = b" ".join(b'n%d:a=""' % number for number in few)
    return b"<x %s>" % spaces + b"<y %s/>" % used * (count // 60 + 1) + b"</x>"


def _attributed(each: int) -> Shape:
    tag = b"<a " + b" ".join(b'a%d=""' % number for number in range(each)) + b"/>"
    return lambda count: tag * (count // each + 1)


CONTENT: Mapping[str, Shape] = {
    "elements": _repeated(b"<a/>"),
    "elements with text": _repeated(b"<a>x</a>"),
    "elements between text": _repeated(b"x<a/>"),
    "known elements": _repeated(b'<Vordering xmlns="%s"/>' % SR),
    "names": _numbered(b"<n#/>"),
    "long names": _repeated(b"<" + b"n" * 1_000 + b"/>"),
    "depth": _nested,
    "ids": _numbered(b'<a Id="#"/>'),
    "ids in other letters": _numbered('<a Id="é#"/>'.encode()),
    "one id of marks": lambda count: b'<a Id="' + "\u0301\u0316".encode() * count + b'"/>',
    "ids of marks": lambda count: b"".join(
        b'<a Id="%d' % number + "\u0301\u0316".encode() * 31 + b'"/>' for number in range(count)),
    "one attribute each": _attributed(1),
    "five attributes each": _attributed(5),
    "sixty attributes each": _attributed(60),
    "xsi attributes": _repeated(b'<a xmlns:i="%s" i:x=""/>' % XSI),
    "encoding styles": _repeated(b'<a xmlns:q="%s" q:encodingStyle=""/>' % SOAP),
    "namespaces": _numbered(b'<a xmlns="u:#"/>'),
    "prefixes": _numbered(b'<n#:a xmlns:n#="u"/>'),
    "namespaces in scope": _declared_once,
    "attributes in namespaces": _used_attributes,
    "relative namespaces": _repeated(b'<a xmlns="u"/>'),
    "text": _repeated(b"x"),
    "spaces": _repeated(b" "),
    "lines": _repeated(b"\n"),
    "returns": _repeated(b"\r\n"),
    "indented": _repeated(b"\n  <a/>\r\n"),
    "angles": _repeated(b">"),
    "references": _repeated(b"&#65;"),
    "escapes": _repeated(b"&amp;"),
    "returns by reference": _repeated(b"&#13;"),
    "letters": _repeated("é".encode()),
    "marks": _repeated("\u0301\u0316".encode()),
    "marks, spaced": _repeated("\u0301\u0316".encode() * 62 + b"a"),
    "astral": _repeated("\U0001f600".encode()),
    "sections": _repeated(b"<![CDATA[x]]>"),
    "hidden comments": _repeated(b"<a><![CDATA[<!--?<?]]></a>"),
    "comments": _repeated(b"<!---->"),
    "instructions": _repeated(b"<?x?>"),
    "base64": _repeated(b"QUFB"),
}
ATTRIBUTES: Mapping[str, Shape] = {
    "attributes": _numbered(b' b#=""'),
    "declarations": _numbered(b' xmlns:m#="u:#"'),
    "long attribute": lambda count: b' b="' + b"x" * count + b'"',
    "quotes in an attribute": lambda count: b' b="' + b"&quot;" * count + b'"',
    "xsi attribute": lambda count: b' xmlns:i="%s" i:x="%s"' % (XSI, b"x" * count),
}
