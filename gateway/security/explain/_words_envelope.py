"""Words for what can be wrong with HTTP, XML, SOAP, header blocks, WS-Addressing and the operation.

Each: cause nl, cause en, remedy nl, remedy en; {names} are facts of the diagnosis.
"""

from typing import Final

WORDS: Final[dict[str, tuple[str, str, str, str]]] = {
    # --- HTTP
    "content-type-soap12": (
        "Content-Type is application/soap+xml: dat is SOAP 1.2.",
        "Content-Type is application/soap+xml: that is SOAP 1.2.",
        "Zet de client op SOAP 1.1; dan stuurt hij text/xml.",
        "Set the client to SOAP 1.1; it then sends text/xml."),
    "content-type-multipart": (
        "Het bericht is een MIME-pakket, maar niet van MTOM voor SOAP 1.1 (SwA, of MTOM voor SOAP 1.2).",
        "The message is a MIME package, but not of MTOM for SOAP 1.1 (SwA, or MTOM for SOAP 1.2).",
        'Stuur multipart/related met type="application/xop+xml" en start-info="text/xml", of zet MTOM uit.',
        'Send multipart/related with type="application/xop+xml" and start-info="text/xml", or switch MTOM off.'),
    "content-type-wrong": (
        "Content-Type is niet text/xml.",
        "Content-Type is not text/xml.",
        "Stuur Content-Type: text/xml; charset=utf-8.",
        "Send Content-Type: text/xml; charset=utf-8."),
    "charset-wrong": (
        "Content-Type noemt een andere tekenset dan UTF-8.",
        "Content-Type names another charset than UTF-8.",
        "Schrijf het bericht in UTF-8 en stuur charset=utf-8.",
        "Write the message in UTF-8 and send charset=utf-8."),
    # --- XML
    "empty-message": (
        "Er staat niets in het bericht.",
        "There is nothing in the message.",
        "Stuur de envelop in de body van de POST.",
        "Send the envelope as the body of the POST."),
    "http-in-message": (
        "Voor de envelop staan HTTP-koppen.",
        "HTTP headers stand before the envelope.",
        "Geef alleen wat na de lege regel komt, vanaf <.",
        "Give only what comes after the empty line, from < on."),
    "mime-in-message": (
        "De envelop zit in een MIME-deel (multipart).",
        "The envelope is inside a MIME part (multipart).",
        "Geef alleen het eerste deel, vanaf <; het knooppunt neemt MTOM, maar geen SwA.",
        "Give the first part alone, from < on; the hub takes MTOM, but no SwA."),
    "encoding-not-utf8": (
        "De octetten zijn geen UTF-8, waarschijnlijk Latin-1 of Windows-1252.",
        "The octets are not UTF-8, probably Latin-1 or Windows-1252.",
        "Zet tekst om naar UTF-8 voordat u ondertekent en verstuurt.",
        "Convert text to UTF-8 before signing and sending."),
    "encoding-utf16": (
        "Het bericht is UTF-16 of UTF-32.",
        "The message is UTF-16 or UTF-32.",
        "Serialiseer in UTF-8 (in .NET: new UTF8Encoding(false), geen StringWriter).",
        "Serialise in UTF-8 (in .NET: new UTF8Encoding(false), no StringWriter)."),
    "encoding-declared-other": (
        "De XML-declaratie noemt een andere tekenset dan UTF-8.",
        "The XML declaration names another encoding than UTF-8.",
        "Schrijf encoding=\"UTF-8\", of laat de declaratie weg.",
        "Write encoding=\"UTF-8\", or leave the declaration out."),
    "beyond-limits": (
        "Het bericht is te groot, te diep of te breed.",
        "The message is too large, too deep or too wide.",
        "Zie de grenzen in het profiel, paragraaf 11; deel het bericht op.",
        "See the limits in the profile, section 11; split the message."),
    "dtd-present": (
        "Er staat een DTD (<!DOCTYPE) in het bericht.",
        "There is a DTD (<!DOCTYPE) in the message.",
        "Zet het schrijven van een DTD uit.",
        "Switch off the writing of a DTD."),
    "white-space-before-declaration": (
        "Voor de XML-declaratie staat een spatie of nieuwe regel.",
        "A space or newline stands before the XML declaration.",
        "Begin met <?xml als eerste teken (in PHP: geen lege regel voor <?php).",
        "Begin with <?xml as the first character (in PHP: no empty line before <?php)."),
    "xml-not-well-formed": (
        "Geen welgevormde XML: regel {line}, kolom {column}.",
        "XML is not well-formed: line {line}, column {column}.",
        "Bouw het bericht met een XML-bibliotheek, niet door tekst te plakken.",
        "Build the message with an XML library, not by joining text."),
    # --- SOAP
    "soap-12": (
        "De envelop is SOAP 1.2.",
        "The envelope is SOAP 1.2.",
        "Kies SOAP 1.1 (WCF: basicHttpBinding; CXF: SOAPBinding.SOAP11; PHP: SOAP_1_1).",
        "Choose SOAP 1.1 (WCF: basicHttpBinding; CXF: SOAPBinding.SOAP11; PHP: SOAP_1_1)."),
    "not-an-envelope": (
        "Het buitenste element is geen soap:Envelope.",
        "The outermost element is no soap:Envelope.",
        "Verstuur de hele envelop, niet alleen het bericht erin (gateway wrap maakt er een).",
        "Send the whole envelope, not only the message in it (gateway wrap makes one)."),
    "comment-present": (
        "Er staat XML-commentaar in de envelop.",
        "There is an XML comment in the envelope.",
        "Haal commentaar weg voordat u ondertekent.",
        "Remove comments before signing."),
    "processing-instruction-present": (
        "Er staat een processing instruction (<?…?>) in de envelop.",
        "There is a processing instruction (<?…?>) in the envelope.",
        "Haal die weg; alleen de XML-declaratie vooraan mag.",
        "Remove it; only the XML declaration at the front may stand."),
    "envelope-layout": (
        "In de Envelope staat iets anders dan één Header en daarna één Body.",
        "The Envelope holds something else than one Header and then one Body.",
        "Eén Header, één Body, niets erna.",
        "One Header, one Body, nothing after it."),
    "text-between-parts": (
        "Er staat tekst los tussen de delen van de envelop.",
        "Loose text stands between the parts of the envelope.",
        "Haal de tekst weg; tussen de delen mag alleen witruimte staan.",
        "Remove the text; only white space may stand between the parts."),
    "encoding-style": (
        "Er staat een encodingStyle: het bericht is rpc/encoded.",
        "There is an encodingStyle: the message is rpc/encoded.",
        "Gebruik document/literal (PHP: SOAP_DOCUMENT en SOAP_LITERAL).",
        "Use document/literal (PHP: SOAP_DOCUMENT and SOAP_LITERAL)."),
    "soap-attribute": (
        "Op Envelope, Header of Body staat een SOAP-attribuut.",
        "Envelope, Header or Body carries a SOAP attribute.",
        "Haal dat weg; mustUnderstand en actor horen op een headerblok.",
        "Remove it; mustUnderstand and actor belong on a header block."),
    "body-id-not-wsu": (
        "De Body heeft een Id zonder naamruimte in plaats van wsu:Id.",
        "The Body has an Id without namespace instead of wsu:Id.",
        "Geef de Body wsu:Id (naamruimte oasis-200401-wss-wssecurity-utility-1.0) en verwijs daarnaar.",
        "Give the Body wsu:Id (namespace oasis-200401-wss-wssecurity-utility-1.0) and refer to that."),
    "body-attribute": (
        "De Body heeft een ander attribuut dan wsu:Id.",
        "The Body has another attribute than wsu:Id.",
        "Haal het weg en onderteken opnieuw.",
        "Remove it and sign again."),
    "body-empty": (
        "De Body is leeg.",
        "The Body is empty.",
        "Zet er precies één berichtelement in.",
        "Put exactly one message element in it."),
    "body-several": (
        "De Body bevat meer dan één element, of losse tekst.",
        "The Body holds more than one element, or loose text.",
        "Zet er precies één berichtelement in (document/literal wrapped).",
        "Put exactly one message element in it (document/literal wrapped)."),
    "body-child-no-namespace": (
        "Het element in de Body heeft geen naamruimte.",
        "The element in the Body has no namespace.",
        "Geef het de naamruimte van de berichtenset; gebruik de WSDL van het knooppunt.",
        "Give it the namespace of its message set; use the hub's WSDL."),
    # --- header blocks
    "must-understand-value": (
        "mustUnderstand is niet 0 of 1.",
        "mustUnderstand is not 0 or 1.",
        "SOAP 1.1 kent alleen 0 en 1; schrijf geen true of false.",
        "SOAP 1.1 knows only 0 and 1; do not write true or false."),
    "wsa-old-version": (
        "WS-Addressing van {version}; het profiel neemt 2005/08.",
        "WS-Addressing of {version}; the profile takes 2005/08.",
        "Kies WS-Addressing 1.0 (WCF: AddressingVersion.WSAddressing10).",
        "Choose WS-Addressing 1.0 (WCF: AddressingVersion.WSAddressing10)."),
    "header-must-understand": (
        "Een headerblok ({header}) moet begrepen worden en hoort niet bij het profiel.",
        "A header block ({header}) must be understood and is not of the profile.",
        "Zet de functie uit die dit blok toevoegt (betrouwbaar berichtenverkeer, tracering).",
        "Switch off the feature that adds this block (reliable messaging, tracing)."),
    "header-not-allowed": (
        "Er staat een headerblok ({header}) dat het profiel niet kent.",
        "There is a header block ({header}) that the profile does not know.",
        "Alleen WS-Addressing en wsse:Security mogen; zet de tracering of het eigen blok uit.",
        "Only WS-Addressing and wsse:Security may stand; switch tracing or your own block off."),
    "header-actor": (
        "Een headerblok heeft soap:actor.",
        "A header block carries soap:actor.",
        "Laat actor leeg (WSS4J: geen actor; PHP wse-php: geen tweede argument).",
        "Leave actor out (WSS4J: no actor; PHP wse-php: no second argument)."),
    "security-twice": (
        "Er staan twee wsse:Security-headers.",
        "There are two wsse:Security headers.",
        "Laat één laag ondertekenen: de client of het ESB, niet beide.",
        "Let one layer sign: the client or the ESB, not both."),
    "wsa-header-twice": (
        "wsa:{header} staat er twee keer.",
        "wsa:{header} stands there twice.",
        "Laat één laag WS-Addressing toevoegen.",
        "Let one layer add WS-Addressing."),
    "outside-profile": (
        "Het knooppunt weigert dit bericht ({error}); een nadere oorzaak is niet gevonden.",
        "The hub refuses this message ({error}); no closer cause was found.",
        "Vergelijk met een envelop van gateway wrap, of geef de beheerder het ticket.",
        "Compare with an envelope of gateway wrap, or give the operator the ticket."),
    # --- WS-Addressing
    "wsa-missing": (
        "wsa:{header} ontbreekt of is leeg.",
        "wsa:{header} is missing or empty.",
        "Zet WS-Addressing 1.0 aan; To, Action en MessageID moeten er staan.",
        "Switch WS-Addressing 1.0 on; To, Action and MessageID must be there."),
    "message-id-form": (
        "wsa:MessageID is geen absolute IRI.",
        "wsa:MessageID is no absolute IRI.",
        "Schrijf urn:uuid: met een nieuwe UUID per bericht.",
        "Write urn:uuid: with a fresh UUID for each message."),
    "relates-to-in-request": (
        "wsa:RelatesTo staat in een verzoek.",
        "wsa:RelatesTo stands in a request.",
        "Laat het weg; naar een eerder bericht verwijst CrossReferentienummer.",
        "Leave it out; CrossReferentienummer refers to an earlier message."),
    "reply-to-not-anonymous": (
        "wsa:ReplyTo is niet anonymous.",
        "wsa:ReplyTo is not anonymous.",
        "Het antwoord komt over dezelfde verbinding: gebruik …/addressing/anonymous of laat ReplyTo weg.",
        "The answer comes over the same connection: use …/addressing/anonymous or leave ReplyTo out."),
    "fault-to-not-anonymous": (
        "wsa:FaultTo is niet anonymous of none.",
        "wsa:FaultTo is neither anonymous nor none.",
        "Laat FaultTo weg.",
        "Leave FaultTo out."),
    "endpoint-reference": (
        "wsa:{header} bevat iets anders dan één wsa:Address.",
        "wsa:{header} holds something else than one wsa:Address.",
        "Alleen wsa:Address, geen ReferenceParameters of Metadata.",
        "Only wsa:Address, no ReferenceParameters or Metadata."),
    "wsa-value-form": (
        "Een WS-Addressing-header bevat elementen, of is te lang.",
        "A WS-Addressing header holds elements, or is too long.",
        "Schrijf alleen de waarde, hoogstens 1024 tekens.",
        "Write the value only, at most 1024 characters."),
    "to-other-oin": (
        "De OIN in wsa:To is niet die van het knooppunt ({hub}).",
        "The OIN in wsa:To is not the hub's ({hub}).",
        "Schrijf ?OIN={hub}; de ontvanger staat in de Berichtheader.",
        "Write ?OIN={hub}; the addressee stands in the Berichtheader."),
    "to-no-service": (
        "wsa:To is geen adres van een dienst van het knooppunt.",
        "wsa:To is no address of a service of the hub.",
        "Neem het adres uit de WSDL (?wsdl) over in wsa:To.",
        "Copy the address from the WSDL (?wsdl) into wsa:To."),
    "to-query": (
        "wsa:To heeft een query of fragment dat niet ?OIN= is.",
        "wsa:To has a query or fragment other than ?OIN=.",
        "Schrijf {address}",
        "Write {address}"),
    "to-other-path": (
        "wsa:To noemt een ander pad dan de dienst die is aangeroepen.",
        "wsa:To names another path than the service that was called.",
        "Schrijf {address}",
        "Write {address}"),
    "to-other-scheme": (
        "wsa:To heeft een ander schema (http in plaats van https).",
        "wsa:To has another scheme (http instead of https).",
        "Schrijf {address}; voor een TLS-proxy: stel het adres van het knooppunt in, niet dat van de proxy.",
        "Write {address}; behind a TLS proxy: configure the hub's address, not the proxy's."),
    "to-other-host": (
        "wsa:To noemt een andere host.",
        "wsa:To names another host.",
        "Schrijf {address}, ook als de verbinding via een proxy of tunnel loopt.",
        "Write {address}, also when the connection goes through a proxy or tunnel."),
    "to-other-port": (
        "wsa:To noemt een andere poort, of juist geen.",
        "wsa:To names another port, or none.",
        "Schrijf {address}, de poort zoals het knooppunt die publiceert.",
        "Write {address}, the port as the hub publishes it."),
    "to-spelling": (
        "wsa:To verschilt in schrijfwijze: hoofdletters of een schuine streep aan het eind.",
        "wsa:To differs in spelling: capitals or a slash at the end.",
        "Schrijf precies {address}",
        "Write exactly {address}"),
    # --- operation
    "soap-action-differs": (
        "De HTTP-kop SOAPAction is niet gelijk aan wsa:Action.",
        "The HTTP header SOAPAction does not equal wsa:Action.",
        "Stuur SOAPAction: \"\" of dezelfde waarde als wsa:Action.",
        "Send SOAPAction: \"\" or the same value as wsa:Action."),
    "action-of-other-service": (
        "De operatie bestaat, maar bij een andere dienst.",
        "The operation exists, but at another service.",
        "Stuur naar {paths}",
        "Send to {paths}"),
    "action-of-answer": (
        "wsa:Action is die van een antwoord.",
        "wsa:Action is that of an answer.",
        "Laat :antwoord weg.",
        "Leave :antwoord out."),
    "action-without-namespace": (
        "wsa:Action is niet de Action uit de WSDL.",
        "wsa:Action is not the Action of the WSDL.",
        "Schrijf {action} (wsam:Action in de WSDL).",
        "Write {action} (wsam:Action in the WSDL)."),
    "action-other-version": (
        "wsa:Action noemt een versie of module die deze operatie niet heeft.",
        "wsa:Action names a version or module that does not have this operation.",
        "Er zijn: {actions}",
        "There are: {actions}"),
    "action-unknown": (
        "Het knooppunt kent deze wsa:Action niet.",
        "The hub does not know this wsa:Action.",
        "Neem wsam:Action uit de WSDL over; de vorm is <naamruimte>:<element>.",
        "Copy wsam:Action from the WSDL; its form is <namespace>:<element>."),
    "body-other-version": (
        "Het bericht in de Body is van versie {version}, wsa:Action van een andere.",
        "The message in the Body is of version {version}, wsa:Action of another.",
        "Gebruik overal dezelfde versie: naamruimte {namespace}, adres en Action.",
        "Use one version throughout: namespace {namespace}, address and Action."),
    "body-other-namespace": (
        "Het bericht in de Body heeft een andere naamruimte dan wsa:Action noemt.",
        "The message in the Body has another namespace than wsa:Action names.",
        "Gebruik naamruimte {namespace}",
        "Use namespace {namespace}"),
    "body-other-element": (
        "In de Body staat een ander element dan wsa:Action noemt.",
        "The Body holds another element than wsa:Action names.",
        "Zet {element} in de Body, of kies de Action die bij het bericht hoort.",
        "Put {element} in the Body, or choose the Action that goes with the message."),
}
