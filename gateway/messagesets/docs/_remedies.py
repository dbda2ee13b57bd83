"""Why each fault comes and what to do about it, in both languages. What the peer is told stands in errors.TABLE."""

from dataclasses import dataclass
from typing import Final

from gateway import errors
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Cause and remedy of one error, for a developer of a connected system."""

    cause_nl: str
    cause_en: str
    remedy_nl: str
    remedy_en: str


def _advice(cause_nl: str, cause_en: str, remedy_nl: str, remedy_en: str) -> Advice:
    return Advice(cause_nl=cause_nl, cause_en=cause_en, remedy_nl=remedy_nl, remedy_en=remedy_en)


_LATER = ("Stuur hetzelfde bericht later opnieuw, met hetzelfde Referentienummer. Blijft het zo, meld het ticket.",
          "Send the same message again later, with the same Referentienummer. If it stays, report the ticket.")
_SECURITY = ("Reden staat onder het ticket in het journaal van het knooppunt; vraag de beheerder.",
             "The reason stands under the ticket in the hub's journal; ask the operator.")
_HEADERS = ("Neem To, Action en MessageID op zoals het profiel zegt, en onderteken ze.",
            "Put in To, Action and MessageID as the profile says, and sign them.")

ADVICE: Final[dict[type[GatewayError], Advice]] = {
    errors.NotAuthenticated: _advice(
        "Het TLS-certificaat is verlopen, ingetrokken, niet van een vertrouwde CA, of het OIN hoort niet bij een "
        "actieve deelnemer.",
        "The TLS certificate is expired, revoked, not from a trusted CA, or its OIN is not that of an active party.",
        "Controleer geldigheid en OIN (serialNumber van het subject) van uw TLS-certificaat; laat het zo nodig "
        "opnemen.",
        "Check validity and OIN (serialNumber of the subject) of your TLS certificate; have it registered if needed."),
    errors.NotFound: _advice(
        "Het pad van de URL is niet dat van een dienst.", "The path of the URL is not that of a service.",
        "Gebruik het adres van de berichtpagina, letter voor letter.",
        "Use the address of the message's page, exactly."),
    errors.MethodNotAllowed: _advice(
        "Het verzoek is geen POST.", "The request is no POST.",
        "Stuur berichten met POST; GET alleen voor ?wsdl en ?xsd=.",
        "Send messages by POST; GET is for ?wsdl and ?xsd=."),
    errors.TooLarge: _advice(
        "Het verzoek is groter dan het knooppunt aanneemt.", "The request is larger than the hub takes.",
        "Verklein bijlagen of verdeel de inhoud over meer berichten.", "Reduce attachments, or use several messages."),
    errors.UnsupportedContent: _advice(
        "Content-Type is niet text/xml, de tekenset is niet UTF-8, of het verzoek is gecomprimeerd.",
        "Content-Type is not text/xml, the charset is not UTF-8, or the request is compressed.",
        "Stuur Content-Type: text/xml; charset=utf-8, zonder Content-Encoding.",
        "Send Content-Type: text/xml; charset=utf-8, without Content-Encoding."),
    errors.NotXml: _advice(
        "De inhoud is geen welgevormd XML 1.0, of bevat een DTD.",
        "The content is no well-formed XML 1.0, or holds a DTD.",
        "Schrijf de envelop met een XML-bibliotheek; laat DOCTYPE weg.",
        "Write the envelope with an XML library; no DOCTYPE."),
    errors.MalformedEnvelope: _advice(
        "De envelop heeft niet precies één Body met één element, of bevat commentaar, een verwerkingsinstructie of "
        "attributen die SOAP 1.1 hier niet kent.",
        "The envelope does not have exactly one Body with one element, or holds comments, processing instructions or "
        "attributes that SOAP 1.1 does not know here.",
        "Vergelijk de envelop met het profiel; zet alleen het bericht in de Body.",
        "Compare the envelope with the profile; put only the message in the Body."),
    errors.ForbiddenHeader: _advice(
        "De SOAP-header bevat een blok buiten WS-Addressing en WS-Security, of een blok dubbel.",
        "The SOAP header holds a block outside WS-Addressing and WS-Security, or a block twice.",
        "Verwijder eigen headerblokken; gegevens over het bericht horen in kn:Berichtheader.",
        "Remove header blocks of your own; facts about the message belong in kn:Berichtheader."),
    errors.NotUtf8: _advice(
        "De octetten zijn geen UTF-8, of de XML-declaratie noemt een andere codering.",
        "The octets are no UTF-8, or the XML declaration names another encoding.",
        "Schrijf en verstuur UTF-8.", "Write and send UTF-8."),
    errors.VersionMismatch: _advice(
        "Het buitenste element is geen Envelope van SOAP 1.1.", "The outermost element is no Envelope of SOAP 1.1.",
        "Stel uw SOAP-software in op SOAP 1.1.", "Set your SOAP software to SOAP 1.1."),
    errors.NotUnderstood: _advice(
        "Een onbekend headerblok heeft mustUnderstand=\"1\".", "An unknown header block has mustUnderstand=\"1\".",
        "Verwijder dat headerblok.", "Remove that header block."),
    errors.AddressingError: _advice(
        "Een WS-Addressing-header heeft een waarde of vorm die het profiel niet toestaat, bijvoorbeeld een ReplyTo die "
        "niet anonymous is.",
        "A WS-Addressing header has a value or form the profile does not allow, such as a ReplyTo that is not "
        "anonymous.",
        "Gebruik WS-Addressing 1.0 (2005/08) en laat ReplyTo en FaultTo weg of anonymous.",
        "Use WS-Addressing 1.0 (2005/08), and leave ReplyTo and FaultTo out or anonymous."),
    errors.AddressingMissing: _advice("wsa:Action ontbreekt.", "wsa:Action is missing.", *_HEADERS),
    errors.ToMissing: _advice("wsa:To ontbreekt.", "wsa:To is missing.", *_HEADERS),
    errors.MessageIdMissing: _advice("wsa:MessageID ontbreekt.", "wsa:MessageID is missing.", *_HEADERS),
    errors.ToWrong: _advice(
        "wsa:To noemt een andere dienst dan de aangeroepen URL.", "wsa:To names another service than the URL called.",
        "Zet in wsa:To het openbare adres van de dienst.", "Put the public address of the service in wsa:To."),
    errors.ActionMismatch: _advice(
        "SOAPAction, wsa:Action en het element in de Body noemen niet dezelfde operatie.",
        "SOAPAction, wsa:Action and the element in the Body do not name one operation.",
        "Neem wsa:Action over van de berichtpagina; laat SOAPAction leeg of maak die gelijk.",
        "Take wsa:Action from the message's page; leave SOAPAction empty, or make it equal."),
    errors.MessageIdWrong: _advice(
        "wsa:MessageID is geen absolute IRI, of te lang.", "wsa:MessageID is no absolute IRI, or too long.",
        "Gebruik urn:uuid: met een nieuwe UUID voor elk verzoek.", "Use urn:uuid: with a new UUID for every request."),
    errors.RelatesToWrong: _advice(
        "wsa:RelatesTo staat in een verzoek.", "wsa:RelatesTo stands in a request.",
        "Laat wsa:RelatesTo weg; een antwoordbericht verwijst met CrossReferentienummer.",
        "Leave wsa:RelatesTo out; an answering message refers by CrossReferentienummer."),
    errors.UnknownMessage: _advice(
        "Deze dienst heeft geen operatie met die wsa:Action.", "This service has no operation of that wsa:Action.",
        "Stuur het bericht naar het adres van de rol die het mag sturen.",
        "Send the message to the address of the role that may send it."),
    errors.NotAuthorised: _advice(
        "De aanroeper mag dit niet.", "The caller may not do this.",
        "Controleer uw rollen en modules in het adresboek.", "Check your roles and modules in the address book."),
    errors.SenderMismatch: _advice(
        "Afzender, ondertekenaar en TLS-certificaat zijn niet één deelnemer, en er is geen machtiging.",
        "Sender, signer and TLS certificate are not one party, and there is no mandate.",
        "Zet uw eigen id in Afzender, of laat de machtiging (acts_for) vastleggen.",
        "Put your own id in Afzender, or have the mandate (acts_for) registered."),
    errors.ReceiverUnknown: _advice(
        "De Ontvanger staat niet in het adresboek of is niet actief; of geen deelnemer hoort bij de Routering.",
        "The Ontvanger is not in the address book or not active; or no party belongs to the Routering.",
        "Zoek de deelnemer op met ZoekDeelnemer.", "Look the party up with ZoekDeelnemer."),
    errors.ModuleNotAgreed: _advice(
        "Afzender of ontvanger heeft deze module niet aan staan.",
        "Sender or receiver has not switched on this module.",
        "Kijk in het adresboek welke modules de ontvanger heeft; vraag uw eigen module aan.",
        "See in the address book which modules the receiver has; apply for your own module."),
    errors.VersionNotAgreed: _advice(
        "De ontvanger heeft deze versie niet aan staan, of Versie in de header is een andere.",
        "The receiver has not switched on this version, or Versie in the header is another one.",
        "Stuur een versie die de ontvanger in het adresboek heeft.",
        "Send a version that the receiver has in the address book."),
    errors.RoleNotAllowed: _advice(
        "De deelnemer heeft in het adresboek geen rol die dit bericht mag sturen of ontvangen.",
        "The party has no role in the address book that may send or receive this message.",
        "Kijk op de pagina van de berichtenset wie welke rol mag vervullen.",
        "See on the page of the message set who may play which role."),
    errors.GroundMissing: _advice(
        "Een verplichte toestemmingsverklaring, beschikking of andere bijlage ontbreekt in kn:Berichtheader.",
        "A required consent, court order or other attachment is missing in kn:Berichtheader.",
        "Voeg het document toe in Grondslag of Bijlagen, met het juiste Soort.",
        "Add the document in Grondslag or Bijlagen, with the right Soort."),
    errors.AttachmentWrong: _advice(
        "Omvang, SHA-256 of MimeType van een bijlage klopt niet met de inhoud, of de bijlage is te groot.",
        "Size, SHA-256 or MimeType of an attachment does not match its content, or it is too large.",
        "Bereken omvang en SHA-256 over de octetten vóór base64.",
        "Compute size and SHA-256 over the octets before base64."),
    errors.MailboxUnknown: _advice(
        "Er wacht geen bericht met dit Referentienummer op u: het is verlopen, bevestigd, of van een ander.",
        "No message with this Referentienummer waits for you: it expired, was confirmed, or is another's.",
        "Haal de berichtenlijst opnieuw op.", "Fetch the list of messages again."),
    errors.BsnNotAllowed: _advice(
        "Er staat een BSN terwijl een van beide partijen dat niet mag verwerken, of het verplichte BSN ontbreekt.",
        "There is a BSN while one of the parties may not process it, or the required BSN is missing.",
        "Kijk in het adresboek (GebruiktBSN) en op de berichtpagina.",
        "See the address book (GebruiktBSN) and the message's page."),
    errors.RateLimited: _advice(
        "U stuurt meer verzoeken dan is afgesproken.", "You send more requests than agreed.",
        "Wacht zo lang als Retry-After zegt.", "Wait as long as Retry-After says."),
    errors.SecurityRefusal: _advice(
        "De beveiliging klopt niet.", "The security does not hold.", *_SECURITY),
    errors.SecurityMissing: _advice(
        "wsse:Security ontbreekt of heeft een andere opbouw: één BinarySecurityToken, één Timestamp, één Signature.",
        "wsse:Security is missing or built otherwise: one BinarySecurityToken, one Timestamp, one Signature.",
        "Bouw de header zoals het profiel zegt, zonder actor.", "Build the header as the profile says, without actor."),
    errors.SignatureInvalid: _advice(
        "Een digest of de handtekening klopt niet; vaak is het bericht na ondertekenen nog veranderd of opgemaakt.",
        "A digest or the signature does not match; often the message was changed or formatted after signing.",
        "Onderteken als laatste stap en verstuur precies die octetten.",
        "Sign as the last step, and send exactly those octets."),
    errors.ReferenceMissing: _advice(
        "Een deel dat ondertekend moet zijn is dat niet: Body, elke wsa-header, Timestamp en token.",
        "A part that must be signed is not: Body, each wsa header, Timestamp and token.",
        "Maak voor elk van die delen één Reference op wsu:Id.",
        "Make one Reference by wsu:Id for each of those parts."),
    errors.AlgorithmForbidden: _advice(
        "Een algoritme buiten de lijst, bijvoorbeeld SHA-1 of gewone (inclusive) C14N.",
        "An algorithm outside the list, such as SHA-1 or inclusive C14N.",
        "Gebruik exclusive C14N, SHA-256 of sterker, en RSA of ECDSA met SHA-256 of sterker.",
        "Use exclusive C14N, SHA-256 or stronger, and RSA or ECDSA with SHA-256 or stronger."),
    errors.CertificateRejected: _advice(
        "Het certificaat van de ondertekenaar is verlopen, ingetrokken, niet van een vertrouwde CA, of niet om te "
        "ondertekenen.",
        "The signer's certificate is expired, revoked, not from a trusted CA, or not meant for signing.",
        "Gebruik een geldig certificaat met keyUsage digitalSignature en uw OIN.",
        "Use a valid certificate with keyUsage digitalSignature and your OIN."),
    errors.DecryptionFailed: _advice(
        "Een versleutelde Body is niet volgens het profiel, niet voor het knooppunt, of niet te openen; of er is "
        "versleuteling afgesproken (2W-be-SE) en de Body is leesbaar.",
        "An encrypted Body does not follow the profile, is not for the hub, or does not open; or encryption is agreed "
        "(2W-be-SE) and the Body is in clear.",
        "Onderteken eerst, versleutel dan de inhoud van de Body met AES-GCM en RSA-OAEP (SHA-256) voor het certificaat "
        "van het knooppunt.",
        "Sign first, then encrypt the Body's content by AES-GCM and RSA-OAEP (SHA-256) to the hub's certificate."),
    errors.TimestampStale: _advice(
        "Created of Expires ligt buiten het toegestane venster.", "Created or Expires lies outside the allowed window.",
        "Zet de klok van uw server gelijk en onderteken vlak voor verzending.",
        "Set your server's clock right, and sign just before sending."),
    errors.Replayed: _advice(
        "Deze wsa:MessageID is al gebruikt voor een ander bericht.", "This wsa:MessageID was used for another message.",
        "Maak voor elk verzoek een nieuwe MessageID.", "Make a new MessageID for every request."),
    errors.SchemaInvalid: _advice(
        "Het bericht past niet bij het schema, een regel of een controle; de bevindingen noemen plaats en regel.",
        "The message does not fit the schema, a rule or a check; the findings name place and rule.",
        "Controleer het bericht vooraf met de XSD en met: gateway validate BESTAND.xml",
        "Check the message beforehand with the XSD and with: gateway validate FILE.xml"),
    errors.ChoreographyError: _advice(
        "Dit bericht mag niet in deze toestand van de conversatie; de bevinding noemt wat wel mag.",
        "This message is not allowed in this state of the conversation; the finding names what is.",
        "Volg het toestandsdiagram van de berichtenset.", "Follow the state diagram of the message set."),
    errors.ConversationForeign: _advice(
        "Dit ConversatieReferentienummer is in gebruik tussen andere partijen.",
        "This ConversatieReferentienummer is in use between other parties.",
        "Maak voor elke nieuwe conversatie een nieuwe UUID.", "Make a new UUID for every new conversation."),
    errors.CrossReferenceWrong: _advice(
        "CrossReferentienummer ontbreekt, noemt geen bericht dat hiermee wordt beantwoord, of dat bericht is al "
        "beantwoord.",
        "CrossReferentienummer is missing, names no message that this one answers, or that message was answered "
        "before.",
        "Neem het Referentienummer over van het bericht dat u beantwoordt.",
        "Take the Referentienummer of the message that you answer."),
    errors.DuplicateConflict: _advice(
        "U gebruikte dit Referentienummer eerder voor een bericht met andere inhoud.",
        "You used this Referentienummer before for a message with other content.",
        "Nieuw bericht, nieuw Referentienummer; alleen een ongewijzigd bericht mag opnieuw met hetzelfde nummer.",
        "A new message has a new Referentienummer; only an unchanged message is sent again with the same one."),
    errors.InternalError: _advice("Een fout in het knooppunt.", "A mistake in the hub.", *_LATER),
    errors.StorageError: _advice("Het knooppunt kon niet opslaan.", "The hub could not store.", *_LATER),
    errors.SigningError: _advice("Het knooppunt kon niet ondertekenen.", "The hub could not sign.", *_LATER),
    errors.Misconfigured: _advice(
        "Een instelling van het knooppunt is onjuist.", "A setting of the hub is wrong.", *_LATER),
    errors.Overloaded: _advice("Er wacht te veel werk.", "Too much work waits.", *_LATER),
    errors.Draining: _advice("Het knooppunt stopt om te herstarten.", "The hub is stopping to restart.", *_LATER),
    errors.TrustStale: _advice(
        "De intrekkingslijsten van het knooppunt zijn te oud; dan vertrouwt het niets.",
        "The hub's revocation lists are too old; then it trusts nothing.", *_LATER),
}
