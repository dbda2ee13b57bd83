"""Every error of the gateway and the one table that says what the peer gets to see of it.

Faults, documentation and tests are read from TABLE: one row per class, one class per row. Codes SKP…: docs/contract.md
§7; four-digit codes: Digikoppeling Best Practices WUS. A class's docstring is for the reader of the code; `text` and
`text_en` of its row are for the peer; `detail` of an instance is for the operator's journal only.
"""

from dataclasses import dataclass

from gateway.values import FaultSeen, Finding


class GatewayError(Exception):
    """Anything the gateway refuses or fails at. `detail` goes to the journal, never to the peer."""

    findings: tuple[Finding, ...] = ()
    retry_after: int | None = None  # seconds, where an instance knows better than its row

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class RefusedError(GatewayError):
    """The peer's doing; sending the same again will not help."""


class NotAuthenticated(RefusedError):
    """The TLS certificate is not that of a connected, active party."""


class NotFound(RefusedError):
    """No service at this URL."""


class MethodNotAllowed(RefusedError):
    """Neither POST nor a known GET (BP R1114)."""


class TooLarge(RefusedError):
    """More octets than the gateway takes."""


class UnsupportedContent(RefusedError):
    """Not text/xml in UTF-8 without compression (BP R1115, WS006)."""


class NotXml(RefusedError):
    """The octets are no XML 1.0 document, or one that holds a DTD (BP R1008, R1113)."""


class MalformedEnvelope(RefusedError):
    """XML, but not the one SOAP 1.1 envelope the profile asks for."""


class ForbiddenHeader(MalformedEnvelope):
    """A header block outside the profile (WS007)."""


class NotUtf8(MalformedEnvelope):
    """The envelope is not in UTF-8 (WS006)."""


class VersionMismatch(MalformedEnvelope):
    """The root is no SOAP 1.1 Envelope (BP R1015)."""


class NotUnderstood(MalformedEnvelope):
    """A header block for our role must be understood and is not (BP R1027)."""


class AddressingError(RefusedError):
    """A WS-Addressing header has a value the profile does not allow."""


class AddressingMissing(AddressingError):
    """A mandatory WS-Addressing header is missing; of itself: wsa:Action."""


class ToMissing(AddressingMissing):
    """wsa:To is missing."""


class MessageIdMissing(AddressingMissing):
    """wsa:MessageID is missing."""


class ToWrong(AddressingError):
    """wsa:To names no service of this hub, or not the one that was called."""


class ActionMismatch(AddressingError):
    """SOAPAction, wsa:Action and the Body's element do not name one operation."""


class MessageIdWrong(AddressingError):
    """wsa:MessageID is no absolute IRI."""


class RelatesToWrong(AddressingError):
    """wsa:RelatesTo stands in a request, or answers something else."""


class UnknownMessage(RefusedError):
    """The service has no operation of that name."""


class NotAuthorised(RefusedError):
    """The caller may not do this."""


class SenderMismatch(NotAuthorised):
    """Caller, signer and sender are not one party, nor linked by a mandate."""


class ReceiverUnknown(NotAuthorised):
    """The addressee is not in the address book, or not active."""


class ModuleNotAgreed(NotAuthorised):
    """Sender or addressee has not switched on this module."""


class VersionNotAgreed(NotAuthorised):
    """The hub or the addressee does not take this version."""


class RoleNotAllowed(NotAuthorised):
    """The party's role may not send, or not receive, this message."""


class GroundMissing(RefusedError):
    """A document the sender must send along is not in the header."""


class AttachmentWrong(RefusedError):
    """An attachment's type, size or digest is not as stated."""


class MailboxUnknown(RefusedError):
    """No such message waits for this caller; says the same for another's message (no oracle)."""


class BsnNotAllowed(RefusedError):
    """A BSN where none may be, or none where one must be."""


class RateLimited(RefusedError):
    """The caller sends more than agreed."""


class SecurityRefusal(RefusedError):
    """The security header does not hold. One wording for the peer; the reason is in the journal."""


class SecurityMissing(SecurityRefusal):
    """No security header for our role, or its layout is not the profile's."""


class SignatureInvalid(SecurityRefusal):
    """A digest or the signature value does not match."""


class ReferenceMissing(SecurityRefusal):
    """A part that must be signed is not, or a reference points elsewhere."""


class AlgorithmForbidden(SecurityRefusal):
    """An algorithm or transform outside the allow-list."""


class CertificateRejected(SecurityRefusal):
    """The signer's certificate: path, dates, revocation, usage or OIN."""


class DecryptionFailed(SecurityRefusal):
    """An encrypted body that does not follow the profile, is not for us, or does not open."""


class TimestampStale(SecurityRefusal):
    """Created or Expires lies outside the window."""


class Replayed(SecurityRefusal):
    """The MessageID was used before for something else."""


class SchemaInvalid(RefusedError):
    """The message does not fit its message type."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{f.xpath}: {f.rule}" for f in findings[:5]))
        self.findings = findings


class ChoreographyError(RefusedError):
    """The message is not allowed in the conversation's present state."""

    def __init__(self, *, state: str, message: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{message} in state {state}; allowed: {', '.join(allowed) or 'nothing'}")
        self.findings = (
            Finding(
                xpath="/", rule="choreografie",
                nl=f"{message} mag niet in toestand {state}. Toegestaan: {', '.join(allowed) or 'niets meer'}.",
                en=f"{message} is not allowed in state {state}. Allowed: {', '.join(allowed) or 'nothing more'}.",
            ),
        )


class ConversationForeign(RefusedError):
    """The conversation number belongs to other parties."""


class CrossReferenceWrong(RefusedError):
    """CrossReferentienummer is missing, or does not name an open question this message answers."""


class DuplicateConflict(RefusedError):
    """The Referentienummer was used before with other content."""


class FailedError(GatewayError):
    """Our doing; the peer may try again."""


class InternalError(FailedError):
    """A mistake in the gateway itself."""


class StorageError(FailedError):
    """The store could not commit."""


class SigningError(FailedError):
    """The hub's own key could not sign."""


class Overloaded(FailedError):
    """More work waits than the gateway takes on."""


class Draining(FailedError):
    """The gateway is stopping, or an operator paused the module or drained a party; a later try will serve."""


class TrustStale(FailedError):
    """The revocation list is older than allowed: fail closed (docs/profile.md §9)."""


class Misconfigured(FailedError):
    """Settings or files of the instance are wrong; names file, line, cause and remedy."""


class DeliveryError(GatewayError):
    """What goes wrong for who calls another's service; never a fault."""

    def __init__(self, detail: str = "", *, fault: FaultSeen | None = None) -> None:
        super().__init__(detail)
        self.fault = fault


class Unreachable(DeliveryError):
    """No connection, no TLS, or no answer in time."""


class PeerRefused(DeliveryError):
    """The peer answered with a fault that blames us."""


class PeerFailed(DeliveryError):
    """The peer answered with a fault that blames itself."""


class ReceiptInvalid(DeliveryError):
    """The peer's answer is unsigned, wrongly signed, or answers something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the peer sees of one error class."""

    code: str  # SKP…
    faultcode: str  # QName with a prefix of names.PREFIXES
    http: int
    text: str  # Dutch
    text_en: str
    wus: str | None = None
    retry_after: int | None = None  # seconds

    @property
    def plek(self) -> str:
        """Who has to act (kn:Plek)."""
        return "server" if self.code >= "SKP900" else "client"


def _client(code: str, text: str, text_en: str, *, wus: str | None = None, faultcode: str = "soap:Client",
            http: int = 500, retry_after: int | None = None) -> Row:
    return Row(code=code, faultcode=faultcode, http=http, text=text, text_en=text_en, wus=wus, retry_after=retry_after)


def _server(code: str, text: str, text_en: str, *, http: int, retry_after: int | None = None) -> Row:
    return Row(code=code, faultcode="soap:Server", http=http, text=text, text_en=text_en,
               wus="0051" if http == 503 else None, retry_after=retry_after)


_SECURITY = Row(code="SKP015", faultcode="wsse:InvalidSecurity", http=500,
                text="De beveiliging van het bericht is niet in orde.",
                text_en="The security of the message does not hold.")
_INVALID = "wsa:InvalidAddressingHeader"
_INTERNAL = ("Interne fout bij het knooppunt; het bericht is niet aangenomen.",
             "Internal error at the hub; the message was not accepted.")
_BUSY = ("Tijdelijk niet beschikbaar; probeer het later opnieuw.", "Temporarily unavailable; try again later.")

TABLE: dict[type[GatewayError], Row] = {
    NotAuthenticated: _client("SKP002", "Certificaat onbekend, verlopen of ingetrokken.",
                              "Certificate unknown, expired or revoked.", http=403),
    NotFound: _client("SKP001", "Op dit adres is geen dienst.", "There is no service at this address.", http=404),
    MethodNotAllowed: _client("SKP001", "Gebruik POST.", "Use POST.", http=405),
    TooLarge: _client("SKP001", "Het bericht is te groot.", "The message is too large.", http=413),
    UnsupportedContent: _client("SKP001", "Stuur text/xml in UTF-8, zonder compressie.",
                                "Send text/xml in UTF-8, without compression.", http=415),
    NotXml: _client("SKP001", "Dit is geen welgevormd XML 1.0-document zonder DTD.",
                    "This is no well-formed XML 1.0 document without DTD.", wus="0001", http=400),
    MalformedEnvelope: _client("SKP001", "De SOAP-envelop is niet volgens het profiel.",
                               "The SOAP envelope does not follow the profile.", wus="0001"),
    ForbiddenHeader: _client("SKP001", "De envelop bevat een header die het profiel niet toestaat.",
                             "The envelope holds a header that the profile does not allow.", wus="0010"),
    NotUtf8: _client("SKP001", "De envelop is niet in UTF-8.", "The envelope is not in UTF-8.", wus="0009"),
    VersionMismatch: _client("SKP001", "De envelop is geen SOAP 1.1.", "The envelope is not SOAP 1.1.",
                             wus="0001", faultcode="soap:VersionMismatch"),
    NotUnderstood: _client("SKP001", "Een header met mustUnderstand wordt niet begrepen.",
                           "A header with mustUnderstand is not understood.",
                           wus="0010", faultcode="soap:MustUnderstand"),
    AddressingError: _client("SKP001", "Een WS-Addressing-header heeft een waarde die niet mag.",
                             "A WS-Addressing header has a value that is not allowed.", wus="0011", faultcode=_INVALID),
    AddressingMissing: _client("SKP001", "wsa:Action ontbreekt.", "wsa:Action is missing.",
                               wus="0006", faultcode="wsa:MessageAddressingHeaderRequired"),
    ToMissing: _client("SKP001", "wsa:To ontbreekt.", "wsa:To is missing.",
                       wus="0005", faultcode="wsa:MessageAddressingHeaderRequired"),
    MessageIdMissing: _client("SKP001", "wsa:MessageID ontbreekt.", "wsa:MessageID is missing.",
                              wus="0007", faultcode="wsa:MessageAddressingHeaderRequired"),
    ToWrong: _client("SKP001", "wsa:To is niet het adres van deze dienst.",
                     "wsa:To is not the address of this service.", wus="0005", faultcode=_INVALID),
    ActionMismatch: _client("SKP001", "SOAPAction, wsa:Action en het bericht noemen niet dezelfde operatie.",
                            "SOAPAction, wsa:Action and the message do not name the same operation.",
                            wus="0003", faultcode=_INVALID),
    MessageIdWrong: _client("SKP001", "wsa:MessageID is geen absolute IRI.",
                            "wsa:MessageID is no absolute IRI.", wus="0007", faultcode=_INVALID),
    RelatesToWrong: _client("SKP001", "wsa:RelatesTo hoort niet in dit bericht.",
                            "wsa:RelatesTo does not belong in this message.", wus="0008", faultcode=_INVALID),
    UnknownMessage: _client("SKP007", "Deze dienst kent dit bericht niet voor deze rol.",
                            "This service does not know this message for this role.", wus="0003"),
    NotAuthorised: _client("SKP007", "Dit is niet toegestaan voor deze deelnemer.",
                           "This is not allowed for this party.", wus="0002"),
    SenderMismatch: _client("SKP003", "Afzender hoort niet bij het certificaat.",
                            "The sender does not match the certificate.", wus="0002"),
    ReceiverUnknown: _client("SKP004", "Ontvanger onbekend of niet actief.", "Receiver unknown or not active.",
                             wus="0002"),
    ModuleNotAgreed: _client("SKP005", "Afzender of ontvanger heeft deze module niet aan staan.",
                             "Sender or receiver has not switched on this module.", wus="0002"),
    VersionNotAgreed: _client("SKP006", "Deze versie wordt niet ondersteund door het knooppunt of de ontvanger.",
                              "This version is not supported by the hub or by the receiver.", wus="0002"),
    RoleNotAllowed: _client("SKP007", "Deze rol mag dit bericht niet versturen of ontvangen.",
                            "This role may not send or receive this message.", wus="0002"),
    GroundMissing: _client("SKP012", "Toestemmingsverklaring of beschikking ontbreekt in de header.",
                           "Consent or court order is missing in the header."),
    AttachmentWrong: _client("SKP013", "Type, omvang of controlegetal van een bijlage klopt niet.",
                             "Type, size or digest of an attachment is wrong."),
    MailboxUnknown: _client("SKP014", "Bericht onbekend, verlopen of niet voor u.",
                            "Message unknown, expired or not addressed to you."),
    BsnNotAllowed: _client("SKP016", "Een BSN mag hier niet, of moet hier juist.",
                           "A BSN is not allowed here, or is required here."),
    RateLimited: _client("SKP017", "Te veel verzoeken.", "Too many requests.", http=429, retry_after=10),
    **dict.fromkeys((SecurityRefusal, SecurityMissing, SignatureInvalid, ReferenceMissing, AlgorithmForbidden,
                     CertificateRejected, DecryptionFailed, TimestampStale, Replayed), _SECURITY),
    SchemaInvalid: _client("SKP001", "Het bericht voldoet niet aan het schema of de regels.",
                           "The message does not meet the schema or the rules.", wus="0004"),
    ChoreographyError: _client("SKP011", "Dit bericht mag niet in de huidige toestand van de conversatie.",
                               "This message is not allowed in the conversation's present state."),
    ConversationForeign: _client("SKP009", "ConversatieReferentienummer hoort bij andere partijen.",
                                 "ConversatieReferentienummer belongs to other parties."),
    CrossReferenceWrong: _client("SKP010", "CrossReferentienummer ontbreekt of past niet bij het beantwoorde bericht.",
                                 "CrossReferentienummer is missing or does not match the answered message."),
    DuplicateConflict: _client("SKP008", "Referentienummer is al gebruikt met andere inhoud.",
                               "Referentienummer was already used with other content."),
    InternalError: _server("SKP900", *_INTERNAL, http=500),
    StorageError: _server("SKP900", *_INTERNAL, http=500),
    SigningError: _server("SKP900", *_INTERNAL, http=500),
    Misconfigured: _server("SKP900", *_INTERNAL, http=500),
    Overloaded: _server("SKP901", *_BUSY, http=503, retry_after=5),
    Draining: _server("SKP901", *_BUSY, http=503, retry_after=5),
    TrustStale: _server("SKP901", *_BUSY, http=503, retry_after=60),
}


def row(error: GatewayError) -> Row:
    """What the peer sees of this error: the row of its class."""
    return TABLE[type(error)]
