"""The plainest signed answer there is: one template, of which only what differs is written, digested and filled in.

Whoever answers in the profile has to make the digest of each part and one signature over them: the parts below are
those of a receipt (docs/profile.md §6). What is the same in every answer (To, Action, the token) is digested once.
"""

from base64 import b64encode
from hashlib import sha256

from gateway.names import ANONYMOUS, BASE64_BINARY, DS, EXC_C14N, KN, SHA256, SOAP, WSA, WSSE, WSSE11, WSU, X509V3
from gateway.security import SigningKey
from gateway.security.algorithms import method_for, sign

_SAME = {
    "to": f'<wsa:To xmlns:wsa="{WSA}" xmlns:wsu="{WSU}" wsu:Id="to">{ANONYMOUS}</wsa:To>',
    "action": f'<wsa:Action xmlns:wsa="{WSA}" xmlns:wsu="{WSU}" wsu:Id="action">{KN}:antwoord</wsa:Action>',
}
_OWN = {  # each of them with one value
    "id": f'<wsa:MessageID xmlns:wsa="{WSA}" xmlns:wsu="{WSU}" wsu:Id="id">urn:uuid:%s</wsa:MessageID>',
    "relates": f'<wsa:RelatesTo xmlns:wsa="{WSA}" xmlns:wsu="{WSU}" wsu:Id="relates">%s</wsa:RelatesTo>',
    "time": f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="time"><wsu:Created>%s</wsu:Created></wsu:Timestamp>',
    "confirmed": f'<wsse11:SignatureConfirmation xmlns:wsse11="{WSSE11}" xmlns:wsu="{WSU}" Value="%s" '
                 'wsu:Id="confirmed"></wsse11:SignatureConfirmation>',
    "body": f'<soap:Body xmlns:soap="{SOAP}" xmlns:wsu="{WSU}" wsu:Id="body"><kn:Ontvangstbevestiging xmlns:kn="{KN}">'
            "<kn:Referentienummer>%s</kn:Referentienummer></kn:Ontvangstbevestiging></soap:Body>",
}
_TOKEN = (f'<wsse:BinarySecurityToken xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" EncodingType="{BASE64_BINARY}" '
          f'ValueType="{X509V3}" wsu:Id="token">%s</wsse:BinarySecurityToken>')
_REFERENCE = (f'<ds:Reference URI="#%s"><ds:Transforms><ds:Transform Algorithm="{EXC_C14N}"></ds:Transform>'
              f'</ds:Transforms><ds:DigestMethod Algorithm="{SHA256}"></ds:DigestMethod><ds:DigestValue>%s'
              "</ds:DigestValue></ds:Reference>")


class PlainAnswer:
    """Answers that one key signs."""

    def __init__(self, signing: SigningKey) -> None:
        self._key = signing.private_key
        token = _TOKEN % b64encode(signing.certificate).decode()
        same = "".join(_REFERENCE % (name, _digest(part)) for name, part in {**_SAME, "token": token}.items())
        self._info = (f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXC_C14N}">'
                      '</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="'
                      f'{method_for(self._key)}"></ds:SignatureMethod>{same}%s</ds:SignedInfo>')
        self._references = "".join(_REFERENCE % (name, "%s") for name in _OWN)
        self._envelope = (
            f'<soap:Envelope xmlns:soap="{SOAP}"><soap:Header>{"".join(_SAME.values())}%s%s'
            f'<wsse:Security xmlns:wsse="{WSSE}" soap:mustUnderstand="1">{token}%s%s<ds:Signature xmlns:ds="{DS}">%s'
            '<ds:SignatureValue>%s</ds:SignatureValue><ds:KeyInfo><wsse:SecurityTokenReference>'
            f'<wsse:Reference URI="#token" ValueType="{X509V3}"></wsse:Reference></wsse:SecurityTokenReference>'
            "</ds:KeyInfo></ds:Signature></wsse:Security></soap:Header>%s</soap:Envelope>")

    def written(self, *values: str) -> tuple[str, ...]:
        """This answer's own parts, with for each of `_OWN` a value; the last is the SignedInfo over all."""
        parts = [part % value for part, value in zip(_OWN.values(), values, strict=True)]
        return (*parts, self._info % (self._references % tuple(map(_digest, parts))))

    def signed(self, parts: tuple[str, ...]) -> bytes:
        """The envelope."""
        *headers, body, info = parts
        value = b64encode(sign(self._key, info.encode())).decode()
        return (self._envelope % (*headers, info, value, body)).encode()


def _digest(part: str) -> str:
    return b64encode(sha256(part.encode()).digest()).decode()
