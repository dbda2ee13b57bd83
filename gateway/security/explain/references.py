"""SignedInfo: which algorithms it names, what its References point at, and which parts have none.

Sources: docs/profile.md §6, §7; BSP 1.1 R5404, R5416, R5423; Digikoppeling WB004, WB007, SIGN001-SIGN004.
"""

from collections import Counter
from typing import Final

from lxml import etree

from gateway.names import DS, EC, ENVELOPED, EXC_C14N, RSA_PSS_SHA256, STR_TRANSFORM, clark
from gateway.security.algorithms import DIGESTS, SIGNATURE_METHODS
from gateway.security.explain.case import SIGNED_INFO, TOKEN, WSU_ID, Case, algorithm, elements, found, name_of
from gateway.soap import Element
from gateway.values import Diagnosis

REFERENCE: Final = clark(DS, "Reference")
_TRANSFORM: Final = clark(DS, "Transform")
_INCLUSIVE: Final = clark(EC, "InclusiveNamespaces")
_BY_ID: Final = etree.XPath("//*[@*[contains('Id ID id iD', local-name())] = $value]")
_LOOKED_UP: Final = 4  # References that lead nowhere are looked up in the whole document, each at the cost of a walk
MAX_REFERENCES: Final = 12
_MAX_PREFIXES: Final = 32


def signed_info(case: Case) -> Element | None:
    """The ds:SignedInfo, if there is one."""
    return None if case.signature is None else case.signature.find(SIGNED_INFO)


def references(case: Case) -> list[Element]:
    """The References, as many as the profile takes."""
    info = signed_info(case)
    return [] if info is None else [one for one in elements(info) if one.tag == REFERENCE][:MAX_REFERENCES]


def prefixes(element: Element | None) -> tuple[str, ...]:
    """The PrefixList of a Transform or CanonicalizationMethod."""
    listed = None if element is None else element.find(_INCLUSIVE)
    return () if listed is None else tuple(dict.fromkeys((listed.get("PrefixList") or "").split()))[:_MAX_PREFIXES]


def transform_of(reference: Element) -> Element | None:
    """The last Transform of a Reference."""
    found_ = reference.findall(f"{clark(DS, 'Transforms')}/{_TRANSFORM}")
    return found_[-1] if found_ else None


def target_of(case: Case, reference: Element) -> Element | None:
    """The part of the profile that a Reference points at by wsu:Id."""
    uri = reference.get("URI") or ""
    return next((one for one in case.parts() if uri == f"#{one.get(WSU_ID)}"), None) if len(uri) > 1 else None


# --- algorithms ----------------------------------------------------------------------------------------------


def algorithms(case: Case) -> list[Diagnosis] | None:
    """The allow-list: exclusive C14N, SHA-2, RSA or ECDSA over it, one Transform for each Reference."""
    info = signed_info(case)
    if info is None:
        return None
    wrong: list[Diagnosis] = []
    c14n = info.find(clark(DS, "CanonicalizationMethod"))
    method = info.find(clark(DS, "SignatureMethod"))
    if c14n is not None:
        wrong += _canonicalization(c14n)
    if method is None or c14n is None:
        return [*wrong, found("signature-layout", info)]
    wrong += _method(case, method)
    for reference in references(case):
        wrong += _transforms(reference) + _digest(reference)
    return wrong


def _canonicalization(element: Element) -> list[Diagnosis]:
    uri = element.get("Algorithm")
    name = algorithm(uri)
    if uri != EXC_C14N:
        if name.endswith("WithComments"):
            return [found("c14n-with-comments", element, algorithm=name)]
        return [found("c14n-inclusive" if name.startswith("c14n") else "c14n-unknown", element, algorithm=name)]
    listed = element.find(_INCLUSIVE)
    if listed is not None and len((listed.get("PrefixList") or "").split()) > _MAX_PREFIXES:
        return [found("prefix-list-long", element)]
    return []


def _method(case: Case, element: Element) -> list[Diagnosis]:
    uri = element.get("Algorithm", "")
    if uri == RSA_PSS_SHA256 and not case.known.policy.pss:
        return [found("signature-pss-not-agreed", element)]
    if uri in SIGNATURE_METHODS and not len(element):
        return []
    name = algorithm(uri)
    kind = ("signature-sha1" if name.endswith("sha1") and not name.startswith("hmac")
            else "signature-hmac" if name.startswith("hmac") else "signature-method")
    return [found(kind, element, algorithm=name)]


def _transforms(reference: Element) -> list[Diagnosis]:
    listed = reference.findall(f"{clark(DS, 'Transforms')}/{_TRANSFORM}")[:4]
    uris = [one.get("Algorithm") for one in listed]
    if not listed:
        return [found("transform-missing", reference)]
    wrong: list[Diagnosis] = []
    for one, uri in zip(listed, uris, strict=True):
        if uri == ENVELOPED:
            wrong.append(found("transform-enveloped", one))
        elif uri == STR_TRANSFORM:
            wrong.append(found("transform-str", one))
        elif uri != EXC_C14N and not algorithm(uri).startswith(("c14n", "exc-c14n")):
            wrong.append(found("transform-unknown", one, algorithm=algorithm(uri)))
        else:
            wrong += _canonicalization(one)
    if len(listed) > 1 and not wrong:
        wrong.append(found("transform-several", reference, count=len(listed)))
    return wrong


def _digest(reference: Element) -> list[Diagnosis]:
    element = reference.find(clark(DS, "DigestMethod"))
    uri = None if element is None else element.get("Algorithm")
    if element is not None and uri in DIGESTS and not len(element):
        return []
    name = algorithm(uri)
    return [found("digest-sha1" if name == "SHA-1" else "digest-method", reference, algorithm=name)]


# --- references ----------------------------------------------------------------------------------------------


def coverage(case: Case) -> list[Diagnosis] | None:
    """Each Reference leads to a part at its place, and every part that must be signed has exactly one."""
    info = signed_info(case)
    if info is None or case.root is None:
        return None
    wrong: list[Diagnosis] = []
    listed = references(case)
    if sum(1 for _ in info.iterchildren(REFERENCE)) > MAX_REFERENCES:
        wrong.append(found("references-many", info))
    targets = [target_of(case, one) for one in listed]
    lost = [one for one, target in zip(listed, targets, strict=True) if target is None]
    wrong += [_astray(case, one) for one in lost[:_LOOKED_UP]]
    astray = {one.id for one in wrong}
    counts = Counter(id(one) for one in targets if one is not None)
    for part in case.parts():
        if part.tag == TOKEN and not case.known.policy.token_signed:
            continue
        if counts[id(part)] > 1:
            wrong.append(found("part-signed-twice", part, part=name_of(part)))
        elif not counts[id(part)] and not _already_told(case, part, astray):
            wrong.append(_unsigned(case, part))
    return wrong


def _already_told(case: Case, part: Element, astray: set[str]) -> bool:
    """One cause is enough: a Body whose child was signed instead of it has just been told."""
    body = {"reference-body-content", "reference-whole-document", "reference-other-id"}
    return part is case.body and bool(astray & body)


def _unsigned(case: Case, part: Element) -> Diagnosis:
    has_id = part.get(WSU_ID) is not None
    return found("part-not-signed" if has_id else "part-without-id", part, part=name_of(part))


def _astray(case: Case, reference: Element) -> Diagnosis:
    """Where a Reference leads that leads to no part of the profile."""
    uri = reference.get("URI")
    if not uri:
        return found("reference-whole-document", reference)
    if not uri.startswith("#") or uri.startswith("#xpointer"):
        return found("reference-external", reference)
    named = None if case.root is None else _BY_ID(case.root, value=uri[1:])
    element = named[0] if isinstance(named, list) and named else None
    if element is None:
        return found("reference-target-missing", reference)
    if element is case.message:
        return found("reference-body-content", reference)
    if any(element is part for part in case.parts()):  # by wsu:Id it would have been found
        return found("reference-other-id", reference, part=name_of(element))
    return found("reference-elsewhere", reference)
