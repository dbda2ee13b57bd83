"""Exclusive canonical XML: the octets that are digested, and the shell around the message element.

Source: Exclusive XML Canonicalization 1.0. lxml's own C14N in C; `etree.canonicalize` is another algorithm (2.0).
"""

import re
from typing import Final

from lxml import etree

from gateway.errors import SignatureInvalid
from gateway.soap import Element

# A Body start tag in canonical form that declares prefixes and carries at most a wsu:Id. In canonical form `>` may
# stand inside an attribute's value, so quotes are matched as pairs.
_BODY_START: Final = re.compile(rb'<(?:[^\s<>":]+:)?Body(?: [^\s<>"=]+="[^<"]*")*>\s*')
_BODY_END: Final = re.compile(rb"</(?:[^\s<>:]+:)?Body>")
_DECLARED: Final = re.compile(rb' xmlns:([^\s="]+)=')


def canonical(element: Element, inclusive: tuple[str, ...] = ()) -> bytes:
    """Exclusive C14N without comments of `element` as it stands in its document.

    Raises  SignatureInvalid where canonical form does not exist (a relative namespace URI): never digest a failure.
    """
    try:
        octets = etree.tostring(
            element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=inclusive or None
        )
    except (etree.LxmlError, ValueError) as error:
        raise SignatureInvalid("no canonical form exists") from error
    if not octets:
        raise SignatureInvalid("the canonical form is empty")
    return octets


def message_octets(body: bytes, child: Element, inclusive: tuple[str, ...]) -> tuple[bytes, bytes | None, bytes | None]:
    """The canonical message element, and the canonical octets of the Body before and after it.

    `body` is the canonical soap:Body that was digested, `child` its one element. Canonicalising the message once more
    costs as much as the Body did; so it is cut out of the Body's octets where that provably gives the same: no
    inclusive prefixes, and no prefix that the Body declares is used inside. Otherwise the message is canonicalised on
    its own, and the shell is given only if it reproduces the Body (docs/evidence.md). A default namespace declared by
    the Body is such a context too: unprefixed names inside would inherit it.
    """
    start, close = _BODY_START.match(body), body.rfind(b"</")
    if start and _BODY_END.fullmatch(body, close):
        cut = body[start.end():close].rstrip(b" \t\n")
        before, after = start[0], body[start.end() + len(cut):]
        if not inclusive and b' xmlns="' not in start[0] and not any(
            prefix + b":" in cut for prefix in _DECLARED.findall(start[0])
        ):
            return cut, before, after
        alone = canonical(child)
        if alone == cut:
            return alone, before, after
        return alone, None, None
    return canonical(child), None, None
