"""Verify a request, sign an answer, with signxml. python -m benchmarks.stacks.with_signxml FOLDER SECONDS (run.py)"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import signxml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.verifier import SignatureConfiguration

from benchmarks.stacks.run import timed
from gateway.names import DS, SOAP, WSSE, WSU, X509V3, clark

_SECURITY = f"{clark(SOAP, 'Header')}/{clark(WSSE, 'Security')}"
_TOKEN, _ID = clark(WSSE, "BinarySecurityToken"), clark(WSU, "Id")


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    request, answer = ((folder / name).read_bytes() for name in ("request.xml", "answer.xml"))
    theirs, ours = (x509.load_pem_x509_certificate((folder / name).read_bytes()) for name in ("party.pem", "hub.pem"))
    key = load_pem_private_key((folder / "hub.key").read_bytes(), None)
    expected = SignatureConfiguration(location=f"./{_SECURITY}/", expect_references=6)
    signer = signxml.XMLSigner(
        method=SignatureConstructionMethod.detached, signature_algorithm="rsa-sha256", digest_algorithm="sha256",
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    signed = b""

    def verify() -> None:
        signxml.XMLVerifier().verify(etree.fromstring(request), x509_cert=theirs, id_attribute="Id",
                                     expect_config=expected)

    def sign() -> None:
        nonlocal signed
        envelope = etree.fromstring(answer)
        security = envelope.find(_SECURITY)
        parts = [part.get(_ID) for part in (*envelope[0], *security, envelope[-1]) if part.get(_ID)]
        security.append(signer.sign(
            envelope, key=key, cert=[ours], reference_uri=[f"#{one}" for one in parts], id_attribute="Id",
            key_info=_key_info(security.find(_TOKEN).get(_ID))))
        signed = etree.tostring(envelope)

    print(json.dumps({"version": f"signxml {version('signxml')}", "verify_us": timed(verify, seconds),
                      "sign_us": timed(sign, seconds)}))
    (folder / "signed.xml").write_bytes(signed)


def _key_info(token: str) -> etree._Element:
    key_info = etree.Element(clark(DS, "KeyInfo"), nsmap={"ds": DS})
    holder = etree.SubElement(key_info, clark(WSSE, "SecurityTokenReference"), nsmap={"wsse": WSSE})
    etree.SubElement(holder, clark(WSSE, "Reference"), URI=f"#{token}", ValueType=X509V3)
    return key_info


if __name__ == "__main__":
    main()
