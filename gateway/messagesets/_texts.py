"""The texts of findings, Dutch and English. None of them repeats anything from the message.

libxml2's own messages hold values, so only what surely comes from the schema is taken out of them: numbers of facets
at the very end, and names and codes that the schema itself declares.
"""

import re

from gateway.messagesets._xpath import Naming
from gateway.values import Finding

_ROW = tuple[str, str]

_SCHEMA: dict[str, _ROW] = {
    "element-content": ("Dit element staat hier niet goed of mist een onderdeel.",
                        "This element is out of place here, or lacks a part."),
    "cvc-elt-1": ("Dit element kent het schema niet.", "The schema does not know this element."),
    "cvc-pattern-valid": ("De waarde heeft niet de vereiste vorm.", "The value does not have the required form."),
    "cvc-enumeration-valid": ("De waarde is geen code uit de lijst.", "The value is no code of the list."),
    "cvc-minlength-valid": ("De waarde is te kort.", "The value is too short."),
    "cvc-maxlength-valid": ("De waarde is te lang.", "The value is too long."),
    "cvc-length-valid": ("De waarde heeft niet de vereiste lengte.", "The value does not have the required length."),
    "cvc-mininclusive-valid": ("De waarde is te klein.", "The value is too small."),
    "cvc-minexclusive-valid": ("De waarde is te klein.", "The value is too small."),
    "cvc-maxinclusive-valid": ("De waarde is te groot.", "The value is too large."),
    "cvc-maxexclusive-valid": ("De waarde is te groot.", "The value is too large."),
    "cvc-totaldigits-valid": ("Het getal heeft te veel cijfers.", "The number has too many digits."),
    "cvc-fractiondigits-valid": ("Het getal heeft te veel decimalen.", "The number has too many decimals."),
    "cvc-datatype-valid-1-2-1": ("De waarde is niet van het vereiste type.", "The value is not of the required type."),
    "cvc-type-3-1-1": ("Een attribuut is hier niet toegestaan.", "An attribute is not allowed here."),
    "cvc-type-3-1-2": ("Dit element mag alleen tekst bevatten.", "This element may hold text only."),
    "cvc-complex-type-2-1": ("Dit element moet leeg zijn.", "This element must be empty."),
    "cvc-complex-type-2-3": ("Tussen de elementen staat losse tekst.", "There is loose text between the elements."),
    "cvc-complex-type-3-2-1": ("Een attribuut is hier niet toegestaan.", "An attribute is not allowed here."),
    "cvc-complex-type-3-2-2": ("Een attribuut is hier niet toegestaan.", "An attribute is not allowed here."),
    "cvc-idc": ("Een waarde die uniek moet zijn, komt vaker voor.", "A value that must be unique occurs twice."),
}
_OTHER: _ROW = ("De inhoud past niet bij het schema.", "The content does not fit the schema.")
_NOT_EXPECTED: _ROW = ("Dit element wordt hier niet verwacht.", "This element is not expected here.")
_MISSING: _ROW = ("Er ontbreekt een onderdeel.", "A part is missing.")
_LIMITS: dict[str, tuple[str, str, str]] = {  # rule → (where the number stands, nl, en)
    "cvc-minlength-valid": (r"minimum length of '(\d+)'\.$", "Ten minste {} tekens.", "At least {} characters."),
    "cvc-maxlength-valid": (r"maximum length of '(\d+)'\.$", "Ten hoogste {} tekens.", "At most {} characters."),
    "cvc-mininclusive-valid": (r"allowed \('(-?[\d.]+)'\)\.$", "Ten minste {}.", "At least {}."),
    "cvc-maxinclusive-valid": (r"allowed \('(-?[\d.]+)'\)\.$", "Ten hoogste {}.", "At most {}."),
    "cvc-totaldigits-valid": (r"allowed \('(\d+)'\)\.$", "Ten hoogste {}.", "At most {}."),
    "cvc-fractiondigits-valid": (r"allowed \('(\d+)'\)\.$", "Ten hoogste {}.", "At most {}."),
}
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*) \)\.$")
_MAX_NAMED = 12  # longer lists say "…"

_CHECKS: dict[str, _ROW] = {
    "schema": _OTHER,  # libxml2 refused without saying why
    "element-name": ("Dit is niet het element van deze operatie.", "This is not the element of this operation."),
    "namespace": ("Geen berichtenset heeft deze namespace.", "No message set has this namespace."),
    "not-xml": ("Dit is geen welgevormd XML-document zonder DTD.", "This is no well-formed XML document without DTD."),
    "xsi-attribute": ("Een attribuut uit de XML Schema-instance-namespace is niet toegestaan.",
                      "An attribute of the XML Schema instance namespace is not allowed."),
    "value-length": ("De waarde is te lang.", "The value is too long."),
    "attributes": ("Elementen van dit bericht hebben geen attributen.", "Elements of this message have no attributes."),
    "berichtheader": ("Het bericht heeft geen Berichtheader.", "The message has no Berichtheader."),
    "berichttype": ("Berichttype in de header hoort niet bij dit element.",
                    "Berichttype in the header does not belong to this element."),
    "versie": ("Versie in de header is niet de versie van dit bericht.",
               "Versie in the header is not the version of this message."),
    "tijdstip": ("Dit is geen tijdstip dat het knooppunt kan lezen; schrijf UTC met Z.",
                 "This is no moment the hub can read; write UTC with Z."),
    "eleven-test": ("Dit burgerservicenummer voldoet niet aan de elfproef.",
                    "This citizen service number fails the eleven-test."),
    "mod-97": ("Dit rekeningnummer voldoet niet aan de controle modulo 97.",
               "This account number fails the modulo 97 check."),
    "attachment-size": ("De bijlage is te groot, of niet zo groot als opgegeven.",
                        "The attachment is too large, or not as large as stated."),
    "attachment-count": ("Het bericht heeft meer bijlagen dan dit berichttype mag hebben.",
                         "The message has more attachments than its type may have."),
    "attachments-size": ("Met deze bijlage zijn de bijlagen samen groter dan dit berichttype mag hebben.",
                         "With this one the attachments together are larger than the message's type may have."),
    "attachment-digest": ("De SHA-256 van de inhoud is niet de opgegeven waarde.",
                          "The SHA-256 of the content is not the stated value."),
    "attachment-type": ("De inhoud is niet van het opgegeven MimeType.",
                        "The content is not of the stated MimeType."),
    "contact": ("Een telefoonnummer of een e-mailadres is verplicht.",
                "A telephone number or an e-mail address is required."),
    "sealed": ("De inhoud hoort voor de ontvanger versleuteld te zijn: na de Berichtheader staat precies één "
               "EncryptedData.",
               "The content is to be encrypted for the addressee: after the Berichtheader stands exactly one "
               "EncryptedData."),
    "bsn-never": ("In dit bericht mag geen burgerservicenummer staan.",
                  "This message may not hold a citizen service number."),
    "bsn-always": ("In dit bericht moet een burgerservicenummer staan.",
                   "This message must hold a citizen service number."),
}


def check_finding(rule: str, xpath: str) -> Finding:
    """The finding of one of our own checks."""
    nl, en = _CHECKS[rule]
    return Finding(xpath=xpath, rule=rule, nl=nl, en=en)


def schema_finding(xpath: str, rule: str, message: str, known: frozenset[str], codes: frozenset[str],
                   naming: Naming) -> Finding:
    """The finding for one error of libxml2; `known` and `codes` are the schema's own element names and codes."""
    nl, en = _SCHEMA.get(rule, _OTHER)
    if rule == "element-content":
        nl, en = _MISSING if "Missing child element(s)." in message else _NOT_EXPECTED
        expected = _EXPECTED.search(message)
        names = [naming.name(name) for name in (expected[1].split(", ") if expected else ()) if name in known]
        if names:
            nl, en = f"{nl} Verwacht: {_listed(names)}.", f"{en} Expected: {_listed(names)}."
    elif rule == "cvc-enumeration-valid":
        allowed = [code for code in re.findall(r"'([^']*)'", message.rpartition("element of the set {")[2])
                   if code in codes]
        if allowed:
            nl, en = f"{nl} Toegestaan: {_listed(allowed)}.", f"{en} Allowed: {_listed(allowed)}."
    elif rule in _LIMITS:
        pattern, nl_limit, en_limit = _LIMITS[rule]
        number = re.search(pattern, message)
        if number:
            nl, en = f"{nl} {nl_limit.format(number[1])}", f"{en} {en_limit.format(number[1])}"
    return Finding(xpath=xpath, rule=rule, nl=nl, en=en)


def _listed(words: list[str]) -> str:
    return ", ".join([*words[:_MAX_NAMED], *(["…"] if len(words) > _MAX_NAMED else [])])
