"""What a diagnosis says, in Dutch and English: cause and remedy by id, and the title of each check."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.security.explain import _words_certificate, _words_envelope, _words_security, _words_signature
from gateway.values import Diagnosis, Explained, Told, ToldCheck


class Words(NamedTuple):
    """Of one id, with {names} of facts in them."""

    cause_nl: str
    cause_en: str
    remedy_nl: str
    remedy_en: str


TITLES: Final[dict[str, tuple[str, str]]] = {
    "http": ("HTTP-koppen", "HTTP headers"),
    "xml": ("XML en tekenset", "XML and encoding"),
    "soap": ("SOAP-envelop", "SOAP envelope"),
    "headers": ("Headerblokken", "Header blocks"),
    "security-header": ("Security-header", "Security header"),
    "algorithms": ("Algoritmen", "Algorithms"),
    "references": ("Ondertekende delen", "Signed parts"),
    "digests": ("Controlegetallen (DigestValue)", "Digests (DigestValue)"),
    "signature-value": ("Handtekening (SignatureValue)", "Signature (SignatureValue)"),
    "certificate": ("Certificaat", "Certificate"),
    "identities": ("Aanroeper, ondertekenaar, afzender", "Caller, signer, sender"),
    "timestamp": ("Timestamp", "Timestamp"),
    "addressing": ("WS-Addressing", "WS-Addressing"),
    "operation": ("Operatie", "Operation"),
}
WORDS: Final[dict[str, Words]] = {
    identifier: Words(*texts)
    for part in (_words_envelope.WORDS, _words_security.WORDS, _words_signature.WORDS, _words_certificate.WORDS)
    for identifier, texts in part.items()
}


class _Facts(dict[str, str]):
    """Facts by name; one that an older record lacks is shown as an ellipsis."""

    def __missing__(self, name: str) -> str:
        return "…"


def tell(checks: Iterable[Explained]) -> tuple[ToldCheck, ...]:
    """Checks in words, in the order of TITLES."""
    order = list(TITLES)
    known = sorted(checks, key=lambda one: order.index(one.check) if one.check in TITLES else len(order))
    return tuple(
        ToldCheck(one.check, *TITLES.get(one.check, (one.check, one.check)), one.holds,
                  tuple(_told(diagnosis) for diagnosis in one.diagnoses))
        for one in known
    )


def _told(diagnosis: Diagnosis) -> Told:
    """An id that this version does not know, of an old record, is its own cause."""
    words = WORDS.get(diagnosis.id, Words(diagnosis.id, diagnosis.id, "–", "–"))
    facts = _Facts(diagnosis.facts)
    return Told(diagnosis.id, diagnosis.place, *(text.format_map(facts) for text in words))
