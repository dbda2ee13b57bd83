"""ds:SignedInfo: what it says was signed, and how; nothing but what the profile allows (docs/profile.md §7).

Most signers write it in one of a few forms. Those are read from its canonical octets, which are what was signed, by
comparing: an element of lxml for each of some fifty elements costs ten times that. Any other form is read element by
element, and only there it is said what is wrong.
"""

from binascii import a2b_base64
from collections.abc import Mapping
from typing import Final, NamedTuple

from lxml import etree

from gateway.errors import AlgorithmForbidden, ReferenceMissing, SecurityMissing
from gateway.names import DS, EC, EXC_C14N, RSA_PSS_SHA256, SHA256, clark
from gateway.security._shape import ALGORITHM, NOTHING, OF_REFERENCE, few, octets_of, only_attributes
from gateway.security.algorithms import DIGESTS, SIGNATURE_METHODS
from gateway.security.c14n import canonical
from gateway.soap import Element

_INCLUSIVE: Final = clark(EC, "InclusiveNamespaces")
_REFERENCE: Final = clark(DS, "Reference")
_TRANSFORM: Final = clark(DS, "Transform")
_INFO_CHILDREN: Final = [clark(DS, name) for name in ("CanonicalizationMethod", "SignatureMethod")]
_REFERENCE_CHILDREN: Final = [clark(DS, name) for name in ("Transforms", "DigestMethod", "DigestValue")]
_MAX_REFERENCES: Final = 12
_MAX_PREFIXES: Final = 32


class Reference(NamedTuple):
    """One ds:Reference: the part it points at, and what that must digest to."""

    target: Element
    algorithm: str
    digest: bytes
    inclusive: tuple[str, ...]


class SignedInfo(NamedTuple):
    """One ds:SignedInfo, read."""

    method: str
    inclusive: tuple[str, ...]
    references: tuple[Reference, ...]
    octets: bytes | None  # canonical, if they were needed to read it


class _Form(NamedTuple):
    """A way to write ds:SignedInfo in canonical form: C14N without parameters, SHA-256, no white space."""

    methods: Mapping[bytes, str]  # what stands before the first Reference → SignatureMethod
    before: bytes  # the id in a Reference
    between: bytes  # id and digest
    after: bytes  # the digest
    end: bytes


def _form(name: str, declared: str) -> _Form:
    """`name`: what stands before a local name; `declared`: what is declared to be the namespace."""
    def element(local: str, algorithm: str) -> str:
        return f'<{name}{local} Algorithm="{algorithm}"></{name}{local}>'

    start = f'<{name}SignedInfo {declared}="{DS}">' + element("CanonicalizationMethod", EXC_C14N)
    transforms = f"<{name}Transforms>" + element("Transform", EXC_C14N) + f"</{name}Transforms>"
    return _Form(
        methods={(start + element("SignatureMethod", method)).encode(): method for method in SIGNATURE_METHODS},
        before=f'<{name}Reference URI="#'.encode(),
        between=f'">{transforms}{element("DigestMethod", SHA256)}<{name}DigestValue>'.encode(),
        after=f"</{name}DigestValue></{name}Reference>".encode(),
        end=f"</{name}SignedInfo>".encode(),
    )


_FORMS: Final = {
    b"<ds:": _form("ds:", "xmlns:ds"), b"<dsig:": _form("dsig:", "xmlns:dsig"), b"<": _form("", "xmlns"),
}


def read_signed_info(
    element: Element, targets: Mapping[str, Element], *, pss: bool, canonical_exists: bool
) -> SignedInfo:
    """What a ds:SignedInfo says.

    Takes   `targets`: wsu:Id → the part at its place; these and no others can be signed. `pss`: RSASSA-PSS is taken.
    Raises  SecurityMissing, ReferenceMissing, AlgorithmForbidden.
    """
    octets = None
    if canonical_exists and 2 < len(element) <= 2 + _MAX_REFERENCES and not len(element[0]):
        octets = canonical(element)
        found = _read_octets(octets, targets, pss=pss)
        if found is not None:
            return found
    return _read_elements(element, targets, octets, pss=pss)


def _read_octets(octets: bytes, targets: Mapping[str, Element], *, pss: bool) -> SignedInfo | None:
    """From the canonical octets; None for another form, and for what is not allowed."""
    form = _FORMS.get(octets[:octets.find(b"SignedInfo")])
    if form is None or b"&" in octets or not octets.endswith(form.end):  # an escape: values are not as they stand
        return None
    start, *stated = octets[:-len(form.end)].split(form.before)
    method = form.methods.get(start)
    if method is None or (method == RSA_PSS_SHA256 and not pss):
        return None
    references = []
    for one in stated:
        identifier, _, digest = one.partition(form.between)
        target = targets.get(identifier.decode())
        try:
            value = a2b_base64(digest.removesuffix(form.after), strict_mode=True)
        except ValueError:
            return None
        if target is None or not value or b'"' in identifier:
            return None
        references.append(Reference(target, SHA256, value, ()))
    return SignedInfo(method, (), tuple(references), octets)


def _read_elements(
    element: Element, targets: Mapping[str, Element], octets: bytes | None, *, pss: bool
) -> SignedInfo:
    children = few(element)
    tags = [child.tag for child in children]
    if tags[:2] != _INFO_CHILDREN or any(tag != _REFERENCE for tag in tags[2:]):
        raise SecurityMissing("ds:SignedInfo is not as XML Signature has it")
    if len(children) - 2 > _MAX_REFERENCES:
        raise ReferenceMissing(f"more than {_MAX_REFERENCES} references")
    inclusive = _exclusive_c14n(children[0])
    only_attributes(children[1], ALGORITHM)
    method = children[1].get("Algorithm", "")
    if method not in SIGNATURE_METHODS or len(children[1]):
        raise AlgorithmForbidden("SignatureMethod")
    if method == RSA_PSS_SHA256 and not pss:
        raise AlgorithmForbidden("SignatureMethod: RSASSA-PSS is not agreed with this party")
    references = tuple(_reference(child, targets) for child in children[2:])
    return SignedInfo(method, inclusive, references, octets)


def _reference(element: Element, targets: Mapping[str, Element]) -> Reference:
    children = few(element)
    if [child.tag for child in children] != _REFERENCE_CHILDREN:
        raise AlgorithmForbidden("a Reference must hold Transforms, DigestMethod and DigestValue (BSP R5416)")
    transforms, digest_method, digest_value = children
    transform = transforms[0] if len(transforms) == 1 else None
    if transform is None or transform.tag != _TRANSFORM:
        raise AlgorithmForbidden("a Reference must have exactly one Transform")
    only_attributes(element, OF_REFERENCE)
    only_attributes(transforms, NOTHING)
    only_attributes(digest_method, ALGORITHM)
    only_attributes(digest_value, NOTHING)
    algorithm = digest_method.get("Algorithm", "")
    if algorithm not in DIGESTS or len(digest_method):
        raise AlgorithmForbidden("DigestMethod")
    uri = element.get("URI", "")
    target = targets.get(uri[1:]) if uri.startswith("#") else None
    if target is None:
        raise ReferenceMissing("a Reference points at no part that may be signed, or at one that is not in its place")
    return Reference(target, algorithm, octets_of(digest_value), _exclusive_c14n(transform))


def _exclusive_c14n(element: Element) -> tuple[str, ...]:
    """The PrefixList of a CanonicalizationMethod or Transform that is exclusive C14N (BSP R5404, R5406, R5423)."""
    if element.get("Algorithm") != EXC_C14N:
        raise AlgorithmForbidden(f"{etree.QName(element).localname} is not exclusive C14N without comments")
    only_attributes(element, ALGORITHM)
    if not len(element):
        return ()
    children = few(element)
    if len(children) != 1 or children[0].tag != _INCLUSIVE or len(children[0]):
        raise AlgorithmForbidden("parameters of exclusive C14N")
    prefixes = tuple(dict.fromkeys((children[0].get("PrefixList") or "").split()))
    if len(prefixes) > _MAX_PREFIXES:
        raise AlgorithmForbidden("PrefixList is longer than any profile needs")
    return prefixes
