"""ds:SignedInfo says the same, whether it is read from its canonical octets or element by element."""

from base64 import b64encode

import pytest
from lxml import etree

from gateway.errors import AlgorithmForbidden, GatewayError, ReferenceMissing, SecurityMissing
from gateway.names import DS, EXC_C14N, RSA_PSS_SHA256, RSA_SHA256, SHA256, SHA512
from gateway.security import _signed_info
from gateway.security.c14n import canonical

DIGEST = b64encode(bytes(range(32))).decode()
TARGETS = {name: etree.Element("part") for name in ("a", "b", "a&amp;b", 'a" Id="x')}
PREFIXES = ("ds", "dsig", "", "sig")


def written(prefix: str = "ds", *, method: str = RSA_SHA256, digest: str = SHA256, value: str = DIGEST,
            ids: tuple[str, ...] = ("a", "b"), more: str = "", attribute: str = "", space: str = "") -> etree._Element:
    """A SignedInfo; `more` stands in each Reference, `attribute` on it."""
    p, declared = (f"{prefix}:", f"xmlns:{prefix}") if prefix else ("", "xmlns")
    references = "".join(
        f'{space}<{p}Reference URI="#{one}"{attribute}><{p}Transforms><{p}Transform Algorithm="{EXC_C14N}"/>'
        f'</{p}Transforms><{p}DigestMethod Algorithm="{digest}"/><{p}DigestValue>{value}</{p}DigestValue>{more}'
        f"</{p}Reference>" for one in ids)
    return etree.fromstring(
        f'<{p}SignedInfo {declared}="{DS}"><{p}CanonicalizationMethod Algorithm="{EXC_C14N}"/>'
        f'<{p}SignatureMethod Algorithm="{method}"/>{references}</{p}SignedInfo>')


def read(element: etree._Element, *, by_octets: bool, pss: bool = False) -> _signed_info.SignedInfo:
    """`by_octets` false: where no canonical form is to be trusted, it is read element by element."""
    return _signed_info.read_signed_info(element, TARGETS, pss=pss, canonical_exists=by_octets)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("changes", [
    {}, {"ids": ("a",)}, {"digest": SHA512, "value": b64encode(bytes(64)).decode()}, {"space": "\n  "},
    {"value": f" {DIGEST[:20]}\n{DIGEST[20:]}&#13;"}, {"attribute": ' Id="r"'},
])
def test_both_ways_of_reading_give_the_same(prefix, changes):
    element = written(prefix, **changes)
    quick, slow = read(element, by_octets=True), read(element, by_octets=False)
    assert quick[:3] == slow[:3]
    assert [one.target for one in quick.references] == [TARGETS[name] for name in changes.get("ids", ("a", "b"))]


@pytest.mark.parametrize("prefix", ["ds", "dsig", ""])
def test_the_usual_forms_are_read_from_their_octets(prefix):
    octets = canonical(written(prefix))
    assert _signed_info._read_octets(octets, TARGETS, pss=False) is not None


@pytest.mark.parametrize(("changes", "error"), [
    ({"ids": ("c",)}, ReferenceMissing),
    ({"ids": ("a&amp;b",)}, ReferenceMissing),  # it points at `a&b`; a part has the id `a&amp;b`
    ({"ids": ("a",) * 13}, ReferenceMissing),
    ({"method": "urn:other"}, AlgorithmForbidden),
    ({"method": RSA_PSS_SHA256}, AlgorithmForbidden),
    ({"digest": "urn:other"}, AlgorithmForbidden),
    ({"value": ""}, SecurityMissing),
    ({"value": DIGEST[:-1]}, SecurityMissing),
    ({"value": f"{DIGEST[:20]}<x/>{DIGEST[20:]}"}, SecurityMissing),
    ({"more": f'<x xmlns="{DS}"/>'}, AlgorithmForbidden),
    ({"attribute": ' x="y"'}, SecurityMissing),
])
def test_what_is_not_allowed_is_refused_by_either_way(changes, error):
    for by_octets in (True, False):
        with pytest.raises(error):
            read(written(**changes), by_octets=by_octets)


def test_one_octet_more_or_less_is_never_read_from_octets_as_another_statement():
    octets = canonical(written())
    meant = read(written(), by_octets=True)
    for at in range(len(octets)):
        for changed in (octets[:at] + octets[at + 1:], octets[:at] + b"x" + octets[at:]):
            found = _signed_info._read_octets(changed, TARGETS, pss=False)
            if found is None:
                continue
            try:
                slow = read(etree.fromstring(changed), by_octets=False)
            except GatewayError:
                pytest.fail(f"read from octets, but refused: {changed!r}")
            assert found[:3] == slow[:3]
            assert found.references != meant.references
